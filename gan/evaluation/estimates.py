"""A measured value with its standard error, and where errors come from: means over images, or blocks left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCKS = 10
"""into which samples are cut where an error comes from blocks"""


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error."""

    value: float
    standard_error: float


class TooFew(ValueError):
    """There are fewer images or samples than a measure needs: it says how many it needs."""


def require(images: int, needed: int, what: str) -> None:
    """Raise TooFew unless there are as many images as are `needed` for `what`."""
    if images < needed:
        raise TooFew(f"{what} needs {needed:,} images, not {images:,}")


def mean(values: Tensor) -> Estimate:
    """The mean of values [n], of numbers or truths, that are independent of each other."""
    require(len(values), 2, "a mean with an error")
    values = values.double()
    return Estimate(float(values.mean()), float(values.std(correction=1)) / math.sqrt(len(values)))


def mean_of_states(values: Tensor, blocks: int = BLOCKS) -> Estimate:
    """As `mean`, of values [n] that may depend on those before them, as states of a Markov chain do: the error comes
    from the means of blocks of values that follow each other."""
    require(len(values), blocks, "an error from blocks")
    values = values.double()
    spread = of_blocks([float(part.mean()) for part in values.tensor_split(blocks)])
    return Estimate(float(values.mean()), spread.standard_error)


def of_blocks(values: Sequence[float]) -> Estimate:
    """The mean of values from disjoint blocks of images, with the error that their spread gives it."""
    return mean(torch.tensor(values, dtype=torch.float64))


def jackknife(whole: float, without: Sequence[float]) -> Estimate:
    """A statistic of all images, with the error that it has by its values `without` each of several blocks of equal
    size in turn (Efron, Stein 1981, The jackknife estimate of variance)."""
    left_out = torch.tensor(without, dtype=torch.float64)
    blocks = len(without)
    variance = (blocks - 1) / blocks * float((left_out - left_out.mean()).square().sum())
    return Estimate(whole, math.sqrt(variance))


def jackknifed(statistic: Callable[[Tensor], float], rows: Tensor, blocks: int = BLOCKS) -> Estimate:
    """`jackknife` of a statistic of `rows` [n, …], over `blocks` of rows that follow each other.

    Raises TooFew for fewer rows than two for each block.
    """
    require(len(rows), 2 * blocks, "an error from blocks")
    parts = rows.tensor_split(blocks)
    without = [statistic(torch.cat([part for j, part in enumerate(parts) if j != i])) for i in range(blocks)]
    return jackknife(statistic(rows), without)


def finite_rows(what: str, rows: Tensor) -> Tensor:
    """`rows`; ValueError unless they are [n, d] with n > 0 and hold finite numbers."""
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"{what} must be [n, d] with n above 0, not {list(rows.shape)}")
    if not all(bool(block.isfinite().all()) for block in rows.split(2048)):
        raise ValueError(f"{what} must hold finite numbers")
    return rows


def require_comparable(real: Tensor, samples: Tensor) -> None:
    """ValueError unless both are [n, d] of one d and hold finite numbers."""
    finite_rows("real images", real)
    finite_rows("samples", samples)
    if real.shape[1] != samples.shape[1]:
        raise ValueError(f"real images and samples must be of one size: {real.shape[1]}, {samples.shape[1]}")
