"""What params.yaml says of the estimate: grids of bandwidths, and how validation images choose the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class Grid(ParameterBlock):
    """`points` bandwidths from `lowest` to `highest`, evenly spaced by their logarithm."""

    lowest: float
    highest: float
    points: int

    def __post_init__(self) -> None:
        require(0 < self.lowest < self.highest < math.inf,
                f"lowest must be above 0 and below highest, which must be finite: {self.lowest}, {self.highest}")
        require(self.points >= 2, f"points must be at least 2, not {self.points}")

    def bandwidths(self) -> list[float]:
        step = math.log(self.highest / self.lowest) / (self.points - 1)
        return [self.lowest * math.exp(i * step) for i in range(self.points)]


@dataclass(frozen=True)
class Monitor(ParameterBlock):
    """How validation images choose the epoch: their Parzen log-likelihood every `every` epochs and after the last."""

    every: int
    patience: int
    """a seed is stopped when its best epoch lies so many epochs back"""
    samples: int
    images: int
    """the first so many, or all where there are fewer"""
    grid: Grid

    def __post_init__(self) -> None:
        require(self.every >= 1, f"every must be at least 1, not {self.every}")
        require(self.patience >= self.every,
                f"patience must be at least `every`, which is {self.every}, not {self.patience}")
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(self.images >= 1, f"images must be at least 1, not {self.images}")
