"""In how many bins samples fall significantly more or less often than training images.

Richardson and Weiss 2018, On GANs and GMMs (arXiv 1805.12462), section 3.2: bins are the cells of k-means on training
images, in pixels. In each, the share of samples is compared with that of training images by a z-test for two
proportions; NDB/k is the share of bins that differ at the significance level. Where both are from one distribution that
is the level itself. Few samples differ significantly in few bins: compare only values from equally many.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan.evaluation import neighbours
from gan.evaluation.estimates import Estimate, jackknife, require

SIGNIFICANCE = 0.05
_CRITICAL = 1.959963984540054
"""two-sided, of the normal distribution at SIGNIFICANCE"""


def fit_bins(images: Tensor, bins: int, seed: int = 0, iterations: int = 30) -> Tensor:
    """Centres [bins, d] of k-means on images [n, d], float32, by scikit-learn on the CPU.

    On one thread: of several, each adds its sums when it is done, and the order shows in the last digits. Raises TooFew
    for fewer images than bins.
    """
    from sklearn.cluster import KMeans  # here because importing it takes seconds
    from threadpoolctl import threadpool_limits

    require(len(images), bins, f"k-means with {bins} bins")
    with threadpool_limits(1):
        fitted = KMeans(bins, n_init=1, max_iter=iterations, random_state=seed, init="random").fit(images.cpu().numpy())
    return torch.from_numpy(fitted.cluster_centers_).float().to(images.device)


def assign(images: Tensor, centres: Tensor) -> Tensor:
    """The bin of each of images [n, d], int64 [n]: that of the nearest of centres [bins, d]."""
    return torch.cat([distances.argmin(1) for _, distances in neighbours.squared_distances(images, centres)])


def statistically_different_bins(expected: Tensor, drawn: Tensor) -> float:
    """NDB/k from how many training images and how many samples fall in each bin, both [bins]."""
    expected, drawn = expected.double(), drawn.double()
    n, m = expected.sum(), drawn.sum()
    pooled = (expected + drawn) / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    return float((((expected / n - drawn / m).abs() > _CRITICAL * error) & (error > 0)).double().mean())


def share_of_different_bins(expected: Tensor, bins_of_samples: Tensor) -> Estimate:
    """As `statistically_different_bins`, from the bin of each sample [m].

    The error is that of a share of so many bins. It says how well these bins stand for others.
    """
    require(len(bins_of_samples), len(expected), "the comparison of bins")
    share = statistically_different_bins(expected, torch.bincount(bins_of_samples, minlength=len(expected)))
    return Estimate(share, math.sqrt(share * (1 - share) / len(expected)))


def divergence(expected: Tensor, bins_of_samples: Tensor) -> Estimate:
    """Jensen-Shannon divergence, in nats, between the shares of training images and of samples in the bins.

    Its error comes from leaving out blocks of samples in turn.
    """
    require(len(bins_of_samples), len(expected), "the comparison of bins")

    def of(bins: Tensor) -> float:
        p, q = (counts.double() / counts.sum() for counts in (
            expected, torch.bincount(bins, minlength=len(expected))))
        middle = (p + q) / 2
        return float(sum(torch.special.xlogy(each, each / middle).nan_to_num().sum() / 2 for each in (p, q)))

    parts = bins_of_samples.tensor_split(10)
    without = [of(torch.cat([part for j, part in enumerate(parts) if j != i])) for i in range(len(parts))]
    return jackknife(of(bins_of_samples), without)
