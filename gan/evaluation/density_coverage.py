"""How densely samples lie among real images, and how many real images have a sample near.

Naeem, Oh, Uh, Choi, Yoo 2020, Reliable Fidelity and Diversity Metrics for Generative Models (arXiv 2002.09797): the
balls are around real images alone, so that a few odd samples cannot make large ones. Density counts for each sample
the balls that it lies in, divided by k: 1 is expected where both sets are from one distribution, and more is possible.
Coverage is the share of balls that hold a sample: 1 − 2⁻ᵏ is expected there, for equally many of both. k is 5 in the
paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation import neighbours
from gan.evaluation.estimates import Estimate, mean, mean_of_states, require_comparable


@dataclass(frozen=True)
class DensityAndCoverage:
    density: Estimate
    coverage: Estimate


def density_and_coverage(real: Tensor, samples: Tensor, k: int = 5) -> DensityAndCoverage:
    """Of features of real images [m, d] and of samples [n, d].

    Errors are those of a mean over the samples, for coverage over the real images, the balls being what they are.
    Raises TooFew unless there are more than k real images, ValueError for shapes that do not fit or values that are not
    finite.
    """
    require_comparable(real, samples)
    return in_balls(real, samples, neighbours.radii(real, [k])[:, 0], k)


def in_balls(real: Tensor, samples: Tensor, of_real: Tensor, k: int) -> DensityAndCoverage:
    """As `density_and_coverage`, with the squared radii of the balls around real images [m]."""
    balls = torch.zeros(len(samples), device=samples.device)
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, distances in neighbours.squared_distances(samples, real):
        inside = distances <= of_real
        balls[rows] = inside.sum(1, dtype=torch.float32)
        covered |= inside.any(0)
    return DensityAndCoverage(mean_of_states(balls / k), mean(covered))
