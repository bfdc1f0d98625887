"""What a lesson is: a claim, an experiment, and criteria that were fixed before it ran and can fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor

from gan.settings import ParameterBlock, require

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


class LessonSettings(ParameterBlock):
    """Base of the lessons' settings: numbers are positive, but for a seed; lists name at least one, each once."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            numbers = value if isinstance(value, list) else [value]
            lowest = 0 if name in ("seed", "shown") or name.endswith("seeds") else 1 if isinstance(value, int) else None
            require(bool(numbers) and len(set(numbers)) == len(numbers), f"{name} must name values, each once: {value}")
            for number in numbers:
                require(number > 0 if lowest is None else number >= lowest,
                        f"{name} must be {'positive' if lowest is None else f'at least {lowest}'}, not {number}")


class Lesson(Protocol):
    """A module of this package.

    The texts are read in the order in which they stand here; they may name a setting as {setting}.
    """

    TITLE: str
    SOURCE: str
    """Where the claim is made: section, equation, slide"""
    STATEMENT: str
    """The claim"""
    EXPERIMENT: str
    """What is done"""
    TAKEAWAY: str
    """What to take from it"""
    NEEDS_DIGITS: bool
    """Whether `run` wants MNIST"""

    @property
    def Settings(self) -> type[LessonSettings]:  # noqa: N802 (a class)
        """The numbers that shape the result; the defaults are what is run."""

    @property
    def run(self) -> Callable[..., Outcome]:
        """run(settings, start) or, with MNIST, run(settings, start, digits); `start` opens a progress meter."""


def texts(lesson: Lesson, settings: LessonSettings) -> dict[str, str]:
    """A lesson's texts by their names in lower case, settings filled in."""
    values = {name: _written(value) for name, value in vars(settings).items()}
    return {name.lower(): getattr(lesson, name).format_map(values)
            for name in ("TITLE", "SOURCE", "STATEMENT", "EXPERIMENT", "TAKEAWAY")}


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
