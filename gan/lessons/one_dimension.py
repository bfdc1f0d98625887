"""A game on the line, small enough that everything the theory speaks of can be integrated.

p_data is a Gaussian mixture. As in figure 1, z is uniform, on (0, 1); the first layer of G is fixed, Φ⁻¹, so that a
straight line above it already gives a Gaussian. The generator's density is exact but for a grid: G is evaluated at
equidistant z, and a bin's mass is the share of z that G sends into it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr, expit, xlogy
from torch import Tensor
from torch.nn.functional import softplus

from gan.lessons.batched import Adam, Mlp, Moments, Noise, gradient

Array = NDArray[np.float64]

LOG_4 = math.log(4)
Z_POINTS = 2 ** 14
"""Quantiles of z at which G is evaluated"""


@dataclass(frozen=True)
class Mixture:
    """Gaussians on the line: Σ weight·N(mean, deviation²)."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def density(self, x: Array) -> Array:
        parts = [weight * np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
                 for weight, mean, deviation in zip(self.weights, self.means, self.deviations, strict=True)]
        return np.asarray(sum(parts), dtype=np.float64)

    def draw(self, n: int, noise: Noise) -> Tensor:
        """[runs, n, 1]"""
        edges = torch.tensor(self.weights).cumsum(0)[:-1]
        which = torch.bucketize((noise.uniform(n, 1) + 1) / 2, edges)
        return torch.tensor(self.means)[which] + torch.tensor(self.deviations)[which] * noise.normal(n, 1)


def normal(mean: float, deviation: float) -> Mixture:
    return Mixture((1.0,), (mean,), (deviation,))


@dataclass(frozen=True)
class Grid:
    """Bins of equal width between `low` and `high`."""

    low: float
    high: float
    bins: int

    @property
    def width(self) -> float:
        return (self.high - self.low) / self.bins

    @property
    def centres(self) -> Array:
        return np.asarray(self.low + self.width * (np.arange(self.bins) + 0.5), dtype=np.float64)

    def tensor(self, runs: int) -> Tensor:
        """The centres, float32 [runs, bins, 1]"""
        return torch.tensor(self.centres, dtype=torch.float32).view(1, -1, 1).expand(runs, -1, 1)

    def integral(self, values: Array) -> Array:
        """∫ values dx along the last axis, by the midpoint rule."""
        return np.asarray(values.sum(-1) * self.width)

    def density_of(self, samples: Array) -> Array:
        """The density [bins] of G(z), from its values at equidistant z, mass between neighbours spread evenly."""
        edges = self.low + self.width * np.arange(self.bins + 1)
        cumulated = np.interp(edges, np.sort(samples), (np.arange(len(samples)) + 0.5) / len(samples), 0.0, 1.0)
        return np.asarray(np.diff(cumulated) / self.width)


# Section 4.1 of the paper.

def optimal_discriminator(p: Array, q: Array) -> Array:
    """D* = p/(p + q), equation 2; ½ where neither has mass."""
    total = p + q
    return np.divide(p, total, out=np.full_like(total, 0.5), where=total > 0)


def jensen_shannon(p: Array, q: Array, grid: Grid) -> Array:
    """JSD(p‖q) in nats, as the entropy of the mean less the mean entropy. It never sees a discriminator."""
    return np.asarray(grid.integral(entr((p + q) / 2) - (entr(p) + entr(q)) / 2))


def value(p: Array, q: Array, d: Array, grid: Grid) -> Array:
    """V(D, G) = ∫ p log D + q log(1 − D) dx in nats, equation 3."""
    return grid.integral(xlogy(p, d) + xlogy(q, 1 - d))


def value_of_logits(p: Array, q: Array, logits: Array, grid: Grid) -> Array:
    """The same from D's logit, which keeps its digits where D is near 0 or 1."""
    return grid.integral(-p * np.logaddexp(0, -logits) - q * np.logaddexp(0, logits))


def region_of_mass(density: Array, share: float, grid: Grid) -> NDArray[np.bool_]:
    """The smallest set of bins that holds `share` of the mass."""
    order = np.argsort(-density, kind="stable")
    mass = np.cumsum(density[order]) * grid.width
    inside = np.zeros(len(density), dtype=bool)
    inside[order[:int(np.searchsorted(mass, share * mass[-1])) + 1]] = True
    return inside


# The game.

@dataclass
class Game:
    """Algorithm 1 on the line, one run for each seed."""

    data: Mixture
    seeds: Sequence[int]
    units: int
    batch: int
    discriminator_rate: float
    generator_rate: float
    start_mean: float
    """where G's samples begin"""
    start_deviation: float
    """how wide they lie"""

    def __post_init__(self) -> None:
        self.discriminator = Mlp((1, self.units, self.units, 1), "tanh")
        self.generator = Mlp((1, self.units, self.units, 1), "tanh")
        self.theta_d = self.discriminator.initial(self.seeds, "discriminator")
        self.theta_g = self.generator.initial(self.seeds, "generator")
        for output in self.generator.layers(self.theta_g)[-1]:
            output.zero_()  # so that p_g starts as the Gaussian that it is said to be
        self._adam_d, self._adam_g = Adam(self.discriminator_rate), Adam(self.generator_rate)
        self._moments_d: Moments = self._adam_d.start(self.theta_d)
        self._moments_g: Moments = self._adam_g.start(self.theta_g)
        self._noise, self._draws = Noise(self.seeds, "z"), Noise(self.seeds, "data")

    def generate(self, theta: Tensor, normal: Tensor) -> Tensor:
        """G(z) from Φ⁻¹(z), which is N(0, 1): a straight line, plus the network."""
        return self.start_mean + self.start_deviation * normal + self.generator(theta, normal)

    def discriminator_step(self, scale: float = 1.0) -> None:
        """One step up V for D, on a fresh minibatch."""
        x = self.data.draw(self.batch, self._draws)
        with torch.no_grad():
            samples = self.generate(self.theta_g, self._noise.normal(self.batch, 1))
        theta = self.theta_d.requires_grad_()
        on_data, on_samples = self.discriminator(theta, torch.cat((x, samples), 1)).split(self.batch, 1)
        loss = (softplus(-on_data).mean(1) + softplus(on_samples).mean(1)).sum()
        slope = gradient(loss, theta)
        with torch.no_grad():
            self.theta_d, self._moments_d = self._adam_d.step(theta.detach(), slope, self._moments_d, scale)

    def generator_step(self, scale: float = 1.0) -> None:
        """One step of G down −log D(G(z)), on a fresh minibatch."""
        theta = self.theta_g.requires_grad_()
        samples = self.generate(theta, self._noise.normal(self.batch, 1))
        slope = gradient(softplus(-self.discriminator(self.theta_d.detach(), samples)).mean(1).sum(), theta)
        with torch.no_grad():
            self.theta_g, self._moments_g = self._adam_g.step(theta.detach(), slope, self._moments_g, scale)

    @torch.no_grad()
    def mapping(self, z: Tensor) -> Array:
        """G(z) [runs, n] for z [n] in (0, 1)"""
        normal = torch.special.ndtri(z.double()).float().view(1, -1, 1).expand(len(self.seeds), -1, 1)
        return np.asarray(self.generate(self.theta_g.detach(), normal)[..., 0].double().numpy())

    def density(self, grid: Grid) -> Array:
        """p_g [runs, bins]"""
        z = (torch.arange(Z_POINTS, dtype=torch.float64) + 0.5) / Z_POINTS
        return np.stack([grid.density_of(samples) for samples in self.mapping(z)])

    @torch.no_grad()
    def logits(self, grid: Grid) -> Array:
        """D's logits [runs, bins]"""
        o = self.discriminator(self.theta_d.detach(), grid.tensor(len(self.seeds)))
        return np.asarray(o[..., 0].double().numpy())

    def answers(self, grid: Grid) -> Array:
        """D(x) [runs, bins]"""
        return np.asarray(expit(self.logits(grid)))
