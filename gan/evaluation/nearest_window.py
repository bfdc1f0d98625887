"""The Parzen window estimate by the nearest sample alone.

With thousands of samples in hundreds of dimensions one window counts for each image at the best σ, and what is left of
the estimate (`gan.evaluation.parzen`) is

    log p(x) ≈ −r²(x)/2σ² − log n − d·log(σ√(2π)),    r(x) the distance from x to the nearest of n samples,

which is largest for σ*² = mean r²/d. So the estimate is the mean squared distance to the nearest sample in disguise
(after Theis, van den Oord, Bethge 2016, A note on the evaluation of generative models, section 3.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class NearestWindow:
    """`mean_square`: the mean of r²; `samples`: n; `dimensions`: d."""

    mean_square: float
    samples: int
    dimensions: int

    def log_likelihood(self, bandwidth: float) -> float:
        """In nats."""
        return (-self.mean_square / (2 * bandwidth**2) - math.log(self.samples)
                - self.dimensions * math.log(bandwidth * math.sqrt(2 * math.pi)))

    @property
    def best_bandwidth(self) -> float:
        """σ*"""
        return math.sqrt(self.mean_square / self.dimensions)
