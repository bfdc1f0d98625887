"""What a lesson is: a claim, an experiment, and criteria that were fixed before it ran and can fail."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from gan.lessons.settings import LessonSettings

if TYPE_CHECKING:
    from torch import Tensor

Cell = float | int | str | None
Table = Mapping[str, Sequence[Cell]]
"""Columns of equal length, by name"""


@dataclass(frozen=True)
class Criterion:
    """`measured` `relation` `bound`, in `unit`; a value that is not a number fails."""

    statement: str
    measured: float
    relation: Literal["<", ">"]
    bound: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        return self.measured < self.bound if self.relation == "<" else self.measured > self.bound


@dataclass(frozen=True)
class Outcome:
    """What a lesson's run gives: criteria, other numbers worth reading, tables of all that its figure shows."""

    criteria: Sequence[Criterion]
    tables: Mapping[str, Table]
    numbers: Mapping[str, float | int] = field(default_factory=dict)
    """By a name that says what it is, its unit included"""
    images: Mapping[str, Tensor] = field(default_factory=dict)
    """Rows of images in [0, 1]"""


def lower_end(values: Sequence[float]) -> float:
    """The mean of a value over seeds less two standard errors; NaN for one seed, of which nothing is known."""
    if len(values) < 2:
        return math.nan
    return statistics.fmean(values) - 2 * statistics.stdev(values) / math.sqrt(len(values))


def upper_end(values: Sequence[float]) -> float:
    """As `lower_end`, the mean and two standard errors."""
    return -lower_end([-value for value in values])


class Rows:
    """A table in the making, row by row."""

    def __init__(self, *columns: str) -> None:
        self.table: dict[str, list[Cell]] = {name: [] for name in columns}

    def add(self, *cells: Cell) -> None:
        for column, cell in zip(self.table.values(), cells, strict=True):
            column.append(cell)

    def numbers(self, column: str, **where: Cell) -> list[float]:
        """A column's numbers, in the rows where other columns hold the values asked for."""
        return [float(cell) for i, cell in enumerate(self.table[column]) if isinstance(cell, float | int)
                and all(self.table[name][i] == wanted for name, wanted in where.items())]

    def differences(self, column: str, one: Mapping[str, Cell], other: Mapping[str, Cell]) -> list[float]:
        """A column's numbers in some rows less those in as many others, in order: seed by seed, where a row is one."""
        return [a - b for a, b in zip(self.numbers(column, **one), self.numbers(column, **other), strict=True)]


class Lesson(Protocol):
    """A module of this package; its title and its settings are in `gan.lessons.catalogue`.

    The texts are read in the order in which they stand here; they may name a setting as {setting}.
    """

    SOURCE: str
    """Where the claim is made: section, equation, slide"""
    STATEMENT: str
    """The claim"""
    EXPERIMENT: str
    """What is done"""
    TAKEAWAY: str
    """What to take from it"""

    @property
    def run(self) -> Callable[..., Outcome]:
        """run(settings, start) or, with data, run(settings, start, data); `start` opens a progress meter."""


def texts(lesson: Lesson, settings: LessonSettings) -> dict[str, str]:
    """A lesson's texts but for its title, by their names in lower case, settings filled in."""
    values = {name: _written(value) for name, value in vars(settings).items()}
    return {name.lower(): getattr(lesson, name).format_map(values)
            for name in ("SOURCE", "STATEMENT", "EXPERIMENT", "TAKEAWAY")}


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
