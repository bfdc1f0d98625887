"""The squared maximum mean discrepancy between two sets of features, unbiased.

Gretton, Borgwardt, Rasch, Schölkopf, Smola 2012, A Kernel Two-Sample Test, lemma 6; with the kernel and the features'
scale of Bińkowski, Sutherland, Arbel, Gretton 2018, Demystifying MMD GANs (arXiv 1801.01401), k(x, y) = (x·y/d + 1)³:

    MMD² = mean over i ≠ j of k(x_i, x_j) + the same of y − 2 · mean over i, j of k(x_i, y_j).

In Inception's features it is known as KID; in others its values compare with no published ones. It may be negative
where both sets are from one distribution. Each of several disjoint blocks of both sets gives a value of its own, and
their spread the error of the mean (Zaremba, Gretton, Blaschko 2013, B-tests), which is unbiased too.
"""

from __future__ import annotations

from torch import Tensor

from gan.evaluation.estimates import BLOCKS, Estimate, of_blocks, require, require_comparable


def kernel_distance(real: Tensor, samples: Tensor, blocks: int = BLOCKS) -> Estimate:
    """MMD² between features of real images [m, d] and of samples [n, d], in float64.

    Raises TooFew for fewer than two a block, ValueError for shapes that do not fit or values that are not finite.
    """
    require_comparable(real, samples)
    require(min(len(real), len(samples)), 2 * blocks, "the kernel distance")
    return of_blocks([squared_discrepancy(x.double(), y.double()) for x, y in zip(
        real.tensor_split(blocks), samples.tensor_split(blocks), strict=True)])


def squared_discrepancy(x: Tensor, y: Tensor) -> float:
    """MMD², unbiased, of x [m, d] and y [n, d]."""
    within = [(kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1))
              for kernel in (polynomial_kernel(x, x), polynomial_kernel(y, y))]
    return float(within[0] + within[1] - 2 * polynomial_kernel(x, y).mean())


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """[m, n]"""
    return (x @ y.t() / x.shape[1] + 1) ** 3
