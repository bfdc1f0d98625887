"""Two ways of doing the same thing, timed against each other."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Effort:
    """How long a comparison may take, and how large its sizes are."""

    name: str
    seconds: float
    """of measuring, for each comparison"""
    repeats: int
    """at least so many"""

    @property
    def tiny(self) -> bool:
        """Sizes of a few units, for tests: what is measured then means nothing."""
        return self is TINY

    @property
    def full(self) -> bool:
        return self is FULL


TINY, QUICK, FULL = Effort("tiny", 0.0, 1), Effort("quick", 1.5, 3), Effort("full", 30.0, 3)


@dataclass(frozen=True)
class Comparison:
    """Medians over repeats; of the ratio, which is taken within each repeat, also the quartiles."""

    ours: float
    """seconds"""
    other: float
    """seconds"""
    ratios: tuple[float, ...]
    """other ÷ ours, of each repeat"""

    def ratio(self, inverse: bool = False) -> tuple[float, float, float]:
        """Median and quartiles of other ÷ ours, or of ours ÷ other."""
        return median_and_quartiles([1 / ratio for ratio in self.ratios] if inverse else self.ratios)


def median_and_quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, lower and upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return middle, lower, upper


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """As many threads for operations within it."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(ours: Callable[[], object], other: Callable[[], object], effort: Effort, *, scale: float = 1.0
            ) -> Comparison:
    """Time both by turns, each first in every other repeat, so that whatever else the machine does meets both.

    Each runs once before, to get started. The other's seconds are multiplied by `scale`, where it does but a part.
    """
    ours()
    other()
    pairs: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(pairs) < effort.repeats or time.perf_counter() - start < effort.seconds:
        if len(pairs) % 2 == 0:
            mine = seconds(ours)
            pairs.append((mine, seconds(other) * scale))
        else:
            others = seconds(other) * scale
            pairs.append((seconds(ours), others))
    return Comparison(statistics.median(mine for mine, _ in pairs), statistics.median(others for _, others in pairs),
                      tuple(others / mine for mine, others in pairs))


def synchronised(work: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """`work` until the device is done with it."""
    def run() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run
