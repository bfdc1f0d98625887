"""The log-likelihood of a decoder with a Gaussian around its output, bounded from below and, on its own images, above.

Wu, Burda, Salakhutdinov, Grosse 2017, On the Quantitative Analysis of Decoder-Based Generative Models (arXiv
1611.04273). A code z ~ N(0, 1) [k] is decoded to the mean of N(G(z), σ²) [d], so that the model has a density:

    log p(x) = log E_z exp(−E(z)/σ²) − d·log(σ√(2π)),    E(z) = ½‖x − G(z)‖².

Annealed importance sampling (Neal 2001) goes from the prior to the posterior by f_t(z) = N(z; 0, 1) exp(−λ_t E(z)),
0 = λ_0 < … < λ_T = 1/σ². After each step a chain of Hamiltonian Monte Carlo moves z within f_t, and the product of
f_t(z)/f_{t−1}(z) is an unbiased estimate of what is sought: its log, averaged, lies below. For an image that the model
has drawn itself, the code is an exact draw of the posterior; annealed backwards from it, the same steps bound the
log-likelihood from above (Grosse, Ghahramani, Adams 2015, Sandwiching the marginal likelihood with bidirectional Monte
Carlo), and the gap between both says how far off the estimate can be.

Since λ alone tells σ, one run towards a narrow σ passes through all wider ones: validation images choose σ by a single
run, which also tunes the length of the Hamiltonian steps at each λ. Both are then kept as they are.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gan.evaluation.estimates import Estimate, mean, require

ACCEPTANCE = 0.65
"""share of moves to be accepted (as in the paper)"""
_GAIN, _FIRST_LENGTH, _LONGEST, _SPREAD = 0.5, 0.3, 1.0, 0.3
_POWER = 4  # λ_t = (t/T)⁴/σ²: most steps where the posterior is still wide (Friel, Pettitt 2008, section 3.1)


class Decoder(Protocol):
    """G with standard normal codes."""

    dimensions: int
    """k"""

    def __call__(self, codes: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Images [n, d] of `codes` [n, k], and what takes ∂L/∂images [n, d] to ∂L/∂codes; good until the next call."""


@dataclass(frozen=True)
class Schedule:
    """`precisions`: λ_1 < … < λ_T. `lengths`: of a Hamiltonian step at each of them; `leapfrogs` make a move."""

    precisions: Sequence[float]
    lengths: Sequence[float]
    leapfrogs: int

    def ending_at(self, bandwidth: float) -> Schedule:
        """As many steps, up to σ = `bandwidth`; their lengths by interpolation."""
        precisions = _precisions(bandwidth, len(self.precisions))
        return Schedule(precisions, [self._length(each) for each in precisions], self.leapfrogs)

    def _length(self, precision: float) -> float:
        after = bisect.bisect_left(self.precisions, precision)
        if after in (0, len(self.precisions)):
            return self.lengths[min(after, len(self.precisions) - 1)]
        low, high = (math.log(self.precisions[i]) for i in (after - 1, after))
        share = (math.log(precision) - low) / (high - low)
        return math.exp((1 - share) * math.log(self.lengths[after - 1]) + share * math.log(self.lengths[after]))


@dataclass(frozen=True)
class Likelihood:
    bandwidth: float
    """σ"""
    narrowest: bool
    """whether it is the narrowest that was tried, so that a better one may lie beyond"""
    validation: float
    """mean log-likelihood of validation images at σ, in nats, from below"""
    test: Estimate
    """mean log-likelihood of test images, in nats, from below"""
    below: Estimate
    """of images that the model has drawn"""
    above: Estimate
    gap: Estimate
    """mean of `above` − `below`"""


def likelihood(decode: Decoder, validation: Tensor, test: Tensor, *, narrowest: float, temperatures: int,
               leapfrogs: int, chains: int, stream: torch.Generator,
               advance: Callable[[int], None] = lambda moves: None) -> Likelihood:
    """Of images [m, d]: σ from validation, bounds from as many images as there are of `test`.

    `temperatures` is T; `advance` is called with the number of moves done since the last call, of 4·T. Raises TooFew
    for fewer than two images of either, ValueError for values that are not finite.
    """
    for name, images in (("validation", validation), ("test", test)):
        require(len(images), 2, f"the likelihood of {name} images")
        if not bool(images.isfinite().all()):
            raise ValueError(f"{name} images must hold finite numbers")
    tuning, curve = tuned(decode, validation, narrowest, temperatures, leapfrogs, chains, stream, advance)
    best = int(curve.argmax())
    schedule = tuning.ending_at(1 / math.sqrt(tuning.precisions[best]))
    bandwidth = 1 / math.sqrt(schedule.precisions[-1])
    codes = torch.randn(len(test), decode.dimensions, generator=stream, device=stream.device)
    drawn = decode(codes)[0].clone()
    drawn += bandwidth * torch.randn(drawn.shape, generator=stream, device=stream.device)
    of_test = forward(decode, test, schedule, chains, stream, advance)[-1]
    below = forward(decode, drawn, schedule, chains, stream, advance)[-1]
    above = backward(decode, codes, drawn, schedule, chains, stream, advance)
    return Likelihood(bandwidth, best == len(curve) - 1, float(curve[best]), mean(of_test), mean(below), mean(above),
                      mean(above - below))


def tuned(decode: Decoder, images: Tensor, narrowest: float, temperatures: int, leapfrogs: int, chains: int,
          stream: torch.Generator, advance: Callable[[int], None] = lambda moves: None) -> tuple[Schedule, Tensor]:
    """A schedule towards σ = `narrowest` whose steps are neither refused too often nor too short, and the mean
    log-likelihood of `images` [m, d] at the σ of each of its λ, float64 [T]."""
    lengths = [_FIRST_LENGTH] * temperatures
    schedule = Schedule(_precisions(narrowest, temperatures), lengths, leapfrogs)

    def adapt(t: int, accepted: float) -> None:
        for later in range(t + 1, min(t + 2, temperatures)):
            lengths[later] = min(_LONGEST, lengths[t] * math.exp(_GAIN * (accepted - ACCEPTANCE)))

    bounds = forward(decode, images, schedule, chains, stream, advance, adapt)
    return Schedule(schedule.precisions, tuple(lengths), leapfrogs), bounds.mean(1)


def forward(decode: Decoder, images: Tensor, schedule: Schedule, chains: int, stream: torch.Generator,
            advance: Callable[[int], None] = lambda moves: None,
            after_move: Callable[[int, float], None] = lambda t, accepted: None) -> Tensor:
    """Log-likelihoods of `images` [m, d] from below, in nats, at the σ of each λ: float64 [T, m].

    `after_move` is told of each step and the share of moves accepted.
    """
    targets = images.repeat_interleave(chains, 0)
    codes = torch.randn(len(targets), decode.dimensions, generator=stream, device=stream.device)
    state = _State.of(decode, targets, codes)
    weights = torch.zeros(len(targets), dtype=torch.float64, device=stream.device)
    bounds, before = [], 0.0
    for t, precision in enumerate(schedule.precisions):
        weights = weights - (precision - before) * state.energy
        bounds.append(_log_mean(weights, chains) + _normaliser(precision, images.shape[1]))
        state, accepted = _move(decode, targets, state, precision, schedule.lengths[t], schedule.leapfrogs, stream)
        after_move(t, accepted)
        before = precision
        advance(1)
    return torch.stack(bounds)


def backward(decode: Decoder, codes: Tensor, images: Tensor, schedule: Schedule, chains: int, stream: torch.Generator,
             advance: Callable[[int], None] = lambda moves: None) -> Tensor:
    """Log-likelihoods from above, in nats, float64 [m], of `images` [m, d] drawn from the model by `codes` [m, k]."""
    targets = images.repeat_interleave(chains, 0)
    state = _State.of(decode, targets, codes.repeat_interleave(chains, 0))
    weights = torch.zeros(len(targets), dtype=torch.float64, device=stream.device)
    for t in reversed(range(len(schedule.precisions))):
        precision, after = schedule.precisions[t], schedule.precisions[t - 1] if t else 0.0
        state, _ = _move(decode, targets, state, precision, schedule.lengths[t], schedule.leapfrogs, stream)
        weights = weights + (precision - after) * state.energy
        advance(1)
    return _normaliser(schedule.precisions[-1], images.shape[1]) - _log_mean(weights, chains)


def _precisions(bandwidth: float, temperatures: int) -> list[float]:
    return [((t + 1) / temperatures) ** _POWER / bandwidth**2 for t in range(temperatures)]


def _normaliser(precision: float, dimensions: int) -> float:
    return dimensions / 2 * math.log(precision / (2 * math.pi))


def _log_mean(weights: Tensor, chains: int) -> Tensor:
    """Of weights in logs [m·chains], over the chains of each image: [m]."""
    return torch.logsumexp(weights.view(-1, chains), 1) - math.log(chains)


@dataclass(frozen=True)
class _State:
    codes: Tensor
    """[n, k]"""
    energy: Tensor
    """E, float64 [n]"""
    slope: Tensor
    """∂E/∂z [n, k]"""

    @classmethod
    def of(cls, decode: Decoder, targets: Tensor, codes: Tensor) -> _State:
        images, pull_back = decode(codes)
        away = images - targets
        return cls(codes, away.square().sum(1, dtype=torch.float64) / 2, pull_back(away))


def _move(decode: Decoder, targets: Tensor, state: _State, precision: float, length: float, leapfrogs: int,
          stream: torch.Generator) -> tuple[_State, float]:
    """One move of Hamiltonian Monte Carlo within f_t (Neal 2011), and the mean probability that it was accepted.

    Each chain has steps of a length of its own around `length`, or all would come back to where they began where that
    is a multiple of a period.
    """
    momentum = torch.randn(state.codes.shape, generator=stream, device=stream.device)
    lengths = length * (1 - _SPREAD + 2 * _SPREAD * torch.rand(len(targets), 1, generator=stream, device=stream.device))

    def level(at: _State, momentum: Tensor) -> Tensor:
        return (at.codes.square().sum(1, dtype=torch.float64) + momentum.square().sum(1, dtype=torch.float64)
                ) / 2 + precision * at.energy

    start, new = level(state, momentum), state
    momentum = momentum - lengths / 2 * (new.codes + precision * new.slope)
    for step in range(leapfrogs):
        new = _State.of(decode, targets, new.codes + lengths * momentum)
        share = 1.0 if step < leapfrogs - 1 else 0.5
        momentum = momentum - share * lengths * (new.codes + precision * new.slope)
    odds = (start - level(new, momentum)).exp().clamp(max=1).nan_to_num(0)  # a move that ran away is refused
    chance = torch.rand(len(targets), generator=stream, device=stream.device, dtype=torch.float64)
    accepted = chance < odds
    rows = accepted.unsqueeze(1)
    return _State(torch.where(rows, new.codes, state.codes), torch.where(accepted, new.energy, state.energy),
                  torch.where(rows, new.slope, state.slope)), float(odds.mean())
