"""Sampling from a Markov chain, in the two ways that Table 1 is measured by.

`raw`, as published: the consecutive states of one chain that starts at a training image, the start itself dropped.
Neighbours resemble each other, and a chain that mixes slowly sees few classes.
`parallel`: the last states of as many chains as samples are asked for, each with a training image of its own to start
from, after `burn_in` steps.

A chain is a `step` from states [n, s] to the next states [n, s], and a `read` from states to samples [n, d].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gan.linear_algebra import random_int16

VARIANTS = ("raw", "parallel")
_ONE_CHAIN = -1

Transition = Callable[[Tensor], Tensor]


def sampling(variant: str, burn_in: int, starts: Tensor) -> dict[str, Tensor]:
    """What a model adds to its weights, so that `draw` knows the way: `burn_in`, −1 for one chain, and `starts`."""
    single = variant == "raw"
    return {"burn_in": torch.tensor(_ONE_CHAIN if single else burn_in), "starts": starts[:1] if single else starts}


@torch.no_grad()
def draw(weights: Mapping[str, Tensor], n: int, begin: Transition, step: Transition, read: Transition) -> Tensor:
    """n samples [n, d] in the way that `weights` say; `begin` makes the first states of start images.

    More chains than start images begin at these again, in order.
    """
    burn_in, starts = int(weights["burn_in"]), weights["starts"]
    if burn_in == _ONE_CHAIN:
        return one_chain(begin(starts[:1]), step, read, n)
    chosen = torch.arange(n, device=starts.device) % len(starts)
    return parallel_chains(begin(starts[chosen]), step, read, burn_in)


def one_chain(start: Tensor, step: Transition, read: Transition, n: int) -> Tensor:
    """The n states after `start` [1, s], read: [n, d]."""
    samples = []
    for _ in range(n):
        start = step(start)
        samples.append(read(start))
    return torch.cat(samples)


def parallel_chains(starts: Tensor, step: Transition, read: Transition, burn_in: int, block: int = 1000) -> Tensor:
    """The states of n chains `burn_in` steps after `starts` [n, s], read: [n, d]; `block` chains at a time."""
    samples = []
    for states in starts.split(block):
        for _ in range(burn_in):
            states = step(states)
        samples.append(read(states))
    return torch.cat(samples)


def bernoulli(p: Tensor, stream: torch.Generator) -> Tensor:
    """0 or 1 with probability p of 1, as p's dtype.

    The element is 1 where w + u < 2¹⁶·p, for a word w of 16 bits of its own and a fraction u, uniform in [0, 1), that
    all of a call share: its mean is p to 2⁻²⁴, as with a uniform number for each, which a CPU takes three times as long
    to draw. Two elements depend on each other through u alone: their covariance is at most 2⁻³⁴.
    """
    limit = torch.add(_limit_of_zero(stream), p, alpha=2**16)
    return torch.lt(random_int16(p.shape, stream), limit, out=torch.empty_like(p))


def salt_and_pepper(images: Tensor, corruption: float, stream: torch.Generator) -> Tensor:
    """`images` with pixels replaced by 0 or by 1, each with probability `corruption`/2.

    A word of 16 bits for each pixel decides, as in `bernoulli`: below `corruption`/2 the pixel becomes 1, from there to
    `corruption` it becomes 0.
    """
    zero, words = _limit_of_zero(stream), random_int16(images.shape, stream)
    ones = words < zero + 2**16 * (corruption / 2)
    return torch.where(words < zero + 2**16 * corruption, ones.to(images.dtype), images)


def _limit_of_zero(stream: torch.Generator) -> Tensor:
    """−2¹⁵ − u: no word of `random_int16` is below it, and one is below it plus 2¹⁶·p with probability p."""
    return torch.empty((), device=stream.device).uniform_(-2**15 - 1, -2**15, generator=stream)


def autocorrelation(states: Tensor, lags: int) -> Tensor:
    """Of consecutive states [n, d], at lags 0 to `lags`: the autocovariance, summed over dimensions, by that at 0.

    ValueError if there are not more states than lags, or if no dimension varies.
    """
    n = len(states)
    if n <= lags:
        raise ValueError(f"{lags} lags need more than {n} states")
    if (states == states[0]).all():
        raise ValueError("the states do not vary")
    deviations = states.double() - states.double().mean(0)
    # the inverse transform of the power spectrum (Wiener-Khinchin), padded so that no lag wraps around
    length = n + lags
    power = torch.stack([torch.fft.rfft(block, n=length, dim=0).abs().square().sum(1)
                         for block in deviations.split(256, dim=1)]).sum(0)
    covariances: Tensor = torch.fft.irfft(power, n=length)[:lags + 1]
    return covariances / covariances[0]
