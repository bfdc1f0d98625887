"""The Fréchet distance between two sets of features, each taken for a Gaussian.

Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter 2017, GANs Trained by a Two Time-Scale Update Rule Converge to a
Local Nash Equilibrium (arXiv 1706.08500), equation 6; the distance is Dowson and Landau's (1982):

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½).

In Inception's features it is known as FID; in others its values compare with no published ones. It is biased upwards,
the more so the fewer samples there are: compare only values from equally many.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation.estimates import BLOCKS, Estimate, jackknife, require, require_comparable


@dataclass(frozen=True)
class Sums:
    """What means and covariances are made of: sets of features are joined and taken out by adding and subtracting."""

    n: int
    first: Tensor
    """[d]"""
    second: Tensor
    """[d, d]"""

    @classmethod
    def of(cls, features: Tensor) -> Sums:
        rows = features.double()
        return cls(len(rows), rows.sum(0), rows.t() @ rows)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.n - other.n, self.first - other.first, self.second - other.second)

    def mean_and_covariance(self) -> tuple[Tensor, Tensor]:
        """The covariance with n − 1."""
        mean = self.first / self.n
        return mean, (self.second - self.n * torch.outer(mean, mean)) / (self.n - 1)


def frechet_distance(real: Tensor, samples: Tensor, blocks: int = BLOCKS) -> Estimate:
    """Squared Fréchet distance between features of real images [m, d] and of samples [n, d], in float64.

    Its error comes from leaving out blocks of samples in turn. Raises TooFew for fewer than two a block, ValueError for
    shapes that do not fit or values that are not finite.
    """
    require_comparable(real, samples)
    require(min(len(real), len(samples)), 2 * blocks, "the Fréchet distance")
    origin = real.double().mean(0)  # from here squares cancel least
    of_real = Sums.of(real - origin).mean_and_covariance()
    centred = samples - origin
    whole = Sums.of(centred)
    without = [between(of_real, (whole - Sums.of(part)).mean_and_covariance()) for part in centred.tensor_split(blocks)]
    return jackknife(between(of_real, whole.mean_and_covariance()), without)


def between(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    """The squared distance of two Gaussians, each a mean [d] and a covariance [d, d], which may be singular.

    (Σ₁Σ₂)^½ has the trace of (Σ₁^½ Σ₂ Σ₁^½)^½, which is symmetric: its eigenvalues are real whatever the rounding.
    """
    (mean, covariance), (other_mean, other_covariance) = one, other
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.t()
    trace = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    return float((mean - other_mean).square().sum() + covariance.trace() + other_covariance.trace() - 2 * trace)
