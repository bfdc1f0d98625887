"""Whether samples lie nearer to the training images than real images do that no one has trained on.

Meehan, Chaudhuri, Dasgupta 2020, A Non-Parametric Test to Detect Data-Copying in Generative Models (arXiv 2004.05675):
L(x) is the distance from x to the nearest training image. In each cell of k-means on the training images, the distances
of samples are ranked among those of held-out images by Mann and Whitney's statistic

    Z = (U − mn/2) / √(mn(m + n + 1)/12),    U = how often L(sample) > L(held-out), ties by halves,

and C_T is the mean of Z over cells, weighted by their shares of the held-out images; cells with too few samples are
left out (the paper's τ). C_T ≪ 0 says that samples are copies, or nearly so; C_T ≫ 0 that they lie farther from the
training images than real ones do, as those of a model that does not fit well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation.estimates import BLOCKS, Estimate, jackknife, require

FEWEST = 20
"""samples and held-out images of a cell that has a say"""


@dataclass(frozen=True)
class Placed:
    """Points by their distance to the nearest training image [n], and their cell [n]."""

    distances: Tensor
    cells: Tensor

    def without(self, block: Tensor) -> Placed:
        keep = torch.ones(len(self.distances), dtype=torch.bool)
        keep[block] = False
        return Placed(self.distances[keep], self.cells[keep])


def copying(held_out: Placed, samples: Placed, cells: int) -> Estimate:
    """C_T. Its error, that of the samples alone, comes from leaving out blocks of them in turn.

    Raises TooFew where no cell has enough of both, as where all samples are one image that lies by itself.
    """
    require(min(len(held_out.distances), len(samples.distances)), FEWEST, "the test of copying")
    blocks = torch.arange(len(samples.distances)).tensor_split(BLOCKS)
    whole = statistic(held_out, samples, cells)
    return jackknife(whole, [statistic(held_out, samples.without(block), cells) for block in blocks])


def statistic(held_out: Placed, samples: Placed, cells: int) -> float:
    """C_T alone."""
    total = weight = 0.0
    for cell in range(cells):
        of_held_out, of_samples = (each.distances[each.cells == cell] for each in (held_out, samples))
        if min(len(of_held_out), len(of_samples)) >= min(FEWEST, len(held_out.distances) // cells):
            total += len(of_held_out) * mann_whitney(of_samples, of_held_out)
            weight += len(of_held_out)
    require(int(weight), 1, "the test of copying, in a cell of its own,")
    return total / weight


def mann_whitney(ours: Tensor, theirs: Tensor) -> float:
    """Z, standardised, of how often one of `ours` [m] is larger than one of `theirs` [n]; ties count by halves."""
    m, n = len(ours), len(theirs)
    ordered = theirs.double().sort().values
    below = torch.searchsorted(ordered, ours.double(), right=False)
    not_above = torch.searchsorted(ordered, ours.double(), right=True)
    larger = float((below + not_above).double().sum()) / 2
    return (larger - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def nearer_than(samples: Tensor, held_out: Tensor, share: float = 0.01) -> float:
    """The share of samples whose distance [m] to the nearest training image is below that of all held-out images [n]
    but the nearest `share` of them: `share` itself is expected where nothing is copied."""
    return float((samples.double() < torch.quantile(held_out.double(), share)).double().mean())
