"""Eight Gaussians on a circle, and a small GAN on them: the test of mode collapse (Metz et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.lessons.batched import Adam, Discriminator, Mlp, Moments, Noise, gradient

MODES, RADIUS = 8, 2.0
COVERED = 0.01
"""A mode is covered if at least this share of all samples lies within 3 standard deviations of it."""


def centres() -> Tensor:
    """[8, 2]"""
    angles = torch.arange(MODES, dtype=torch.float32) * (2 * math.pi / MODES)
    return RADIUS * torch.stack((angles.cos(), angles.sin()), 1)


def draw(n: int, deviation: float, noise: Noise) -> Tensor:
    """Points of the ring [runs, n, 2]."""
    return centres()[noise.integers(MODES, n)] + deviation * noise.normal(n, 2)


@dataclass(frozen=True)
class Coverage:
    """How samples of each run lie on the ring."""

    modes: list[int]
    """modes covered, of 8"""
    good: list[float]
    """share of samples within 3 standard deviations of a mode"""
    largest: list[float]
    """share of samples nearest to the same mode: ⅛ if all are alike, 1 if all mass lies on one"""


def coverage(samples: Tensor, deviation: float) -> Coverage:
    """For samples [runs, n, 2]."""
    distance, nearest = torch.cdist(samples, centres().expand(len(samples), -1, -1)).min(-1)
    good = distance < 3 * deviation
    at_mode = torch.nn.functional.one_hot(nearest, MODES).to(samples.dtype)
    shares = (at_mode * good.unsqueeze(-1)).mean(1)
    return Coverage((shares >= COVERED).sum(1).tolist(), good.to(samples.dtype).mean(1).tolist(),
                    at_mode.mean(1).amax(1).tolist())


def value(discriminator: Discriminator, theta: Tensor, x: Tensor, samples: Tensor) -> Tensor:
    """V(D, G) summed over runs, in nats; data and samples are judged apart, each as a minibatch of its own."""
    return -(softplus(-discriminator(theta, x)).mean(1) + softplus(discriminator(theta, samples)).mean(1)).sum()


class RingGame:
    """Both players and their optimisers, one run for each seed; G goes down V itself (equation 1)."""

    def __init__(self, seeds: Sequence[int], discriminator: Discriminator, generator: Mlp, deviation: float, batch: int,
                 adam_d: Adam, adam_g: Adam) -> None:
        self.discriminator, self.generator = discriminator, generator
        self.deviation, self.batch, self.adam_d, self.adam_g = deviation, batch, adam_d, adam_g
        self.theta_d = discriminator.initial(seeds, "discriminator")
        self.theta_g = generator.initial(seeds, "generator")
        self.moments_d, self.moments_g = adam_d.start(self.theta_d), adam_g.start(self.theta_g)
        self._data, self._z = Noise(seeds, "data"), Noise(seeds, "z")
        self._shown = Noise(seeds, "shown").normal(1000, generator.sizes[0])

    def _minibatch(self) -> tuple[Tensor, Tensor]:
        """Data and z"""
        return draw(self.batch, self.deviation, self._data), self._z.normal(self.batch, self.generator.sizes[0])

    def discriminator_step(self) -> None:
        """Up V on a fresh minibatch."""
        x, z = self._minibatch()
        with torch.no_grad():
            samples = self.generator(self.theta_g, z)
        theta = self.theta_d.requires_grad_()
        slope = gradient(-value(self.discriminator, theta, x, samples), theta)
        with torch.no_grad():
            self.theta_d, self.moments_d = self.adam_d.step(theta.detach(), slope, self.moments_d)

    def generator_step(self, unrolled: int = 0) -> None:
        """Down V as it is, or as it will be after `unrolled` further steps of D, gradient through them."""
        x, z = self._minibatch()
        theta = self.theta_g.requires_grad_()
        loss = surrogate(self.discriminator, self.theta_d.detach(), self.moments_d, self.adam_d,
                         x, self.generator(theta, z), unrolled)
        slope = gradient(loss, theta)
        with torch.no_grad():
            self.theta_g, self.moments_g = self.adam_g.step(theta.detach(), slope, self.moments_g)

    @torch.no_grad()
    def samples(self) -> Tensor:
        """[runs, 1000, 2], from the same z each time."""
        return self.generator(self.theta_g.detach(), self._shown)


def surrogate(discriminator: Discriminator, theta: Tensor, moments: Moments, adam: Adam, x: Tensor, samples: Tensor,
              unrolled: int) -> Tensor:
    """V after `unrolled` steps of D from `theta`, a function of the samples also through them (Metz, eq. 7)."""
    if unrolled:
        theta = theta.requires_grad_()
    for _ in range(unrolled):
        slope = gradient(-value(discriminator, theta, x, samples), theta, through=True)
        theta, moments = adam.step(theta, slope, moments)
    return value(discriminator, theta, x, samples)
