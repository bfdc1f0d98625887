"""What is said of several folds together, as the paper reports TFD: a mean, and how far the folds are from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def mean(values: Iterable[float]) -> float:
    """The mean of at least one value, rounded once."""
    values = list(values)
    return math.fsum(values) / len(values)


def geometric_mean(values: Iterable[float]) -> float:
    """That of bandwidths, which are searched on a logarithmic grid; all above 0."""
    return math.exp(mean(map(math.log, values)))


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of at least two values: sample standard deviation (n − 1) / √n."""
    middle, n = mean(values), len(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (n - 1) / n)
