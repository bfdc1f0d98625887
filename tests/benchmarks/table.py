"""Rows of ratios, and how they are written: as lines of text, as JSON, as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.timing import Comparison, Effort

__all__ = ["Effort", "Row", "as_json", "faster", "from_json", "line", "markdown", "share", "slower", "unmeasured"]

DERIVED = ("exponent", "met")
"""What JSON says beside a row's own values, which it follows from"""


@dataclass(frozen=True)
class Row:
    """One measurement, or why there is none."""

    what: str
    against: str
    ratio: float | None
    """None where it was not measured; `note` then says why"""
    unit: str
    """`×` (times as long), `× faster`, or `%` (a share of the time)"""
    quartiles: tuple[float, float] | None = None
    repeats: int | None = None
    seconds: float | None = None
    """of ours, median"""
    seconds_against: float | None = None
    target: float | None = None
    """a bound from above, of `× faster` from below"""
    note: str = ""
    x: str = ""
    y: str = ""
    points: tuple[tuple[float, float], ...] = ()
    """of the curve that the ratio sums up, and what its axes are"""
    part_of: str = ""
    """the whole that, with the other rows that name it, it adds up to"""

    @property
    def exponent(self) -> float | None:
        """p where the curve is about proportional to xᵖ: the slope of the least squares line through its points, both
        axes logarithmic. None without a curve."""
        if len(self.points) < 2:
            return None
        xs, ys = ([math.log(value) for value in values] for values in zip(*self.points, strict=True))
        return statistics.linear_regression(xs, ys).slope

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without target or measurement."""
        if self.ratio is None or self.target is None:
            return None
        return self.ratio >= self.target if self.unit == "× faster" else self.ratio <= self.target


def slower(what: str, against: str, measured: Comparison, target: float | None = None, note: str = "",
           per: float = 1.0) -> Row:
    """How many times as long ours takes. `per`: of how many of `what` the seconds are."""
    return _row(what, against, measured, "×", target, note, per)


def faster(what: str, against: str, measured: Comparison, target: float | None = None, note: str = "",
           per: float = 1.0) -> Row:
    """How many times as fast ours is."""
    return _row(what, against, measured, "× faster", target, note, per)


def _row(what: str, against: str, measured: Comparison, unit: str, target: float | None, note: str, per: float) -> Row:
    ratio, low, high = measured.ratio(inverse=unit == "×")
    return Row(what, against, ratio, unit, (low, high), len(measured.ratios), measured.ours / per,
               measured.other / per, target, note)


def share(what: str, of: str, part: float, whole: float, target: float | None = None, note: str = "") -> Row:
    """What part of `whole` seconds goes into `what`, in percent."""
    return Row(what, of, 100 * part / whole, "%", seconds=part, seconds_against=whole, target=target, note=note)


def unmeasured(what: str, against: str, why: str) -> Row:
    return Row(what, against, None, "×", note=why)


def line(row: Row) -> str:
    """One line for a terminal."""
    ratio, target = _ratio(row), _target(row)
    return f"{ratio:>30}  {row.what} / {row.against}{f'  [{target}]' if target else ''}" + (
        f"  ({row.note})" if row.ratio is None else "")


def as_json(row: Row) -> dict[str, Any]:
    """Plain values, times and ratios to four digits, without what does not apply."""
    known = asdict(row) | {name: getattr(row, name) for name in DERIVED}
    return {name: _rounded(value) for name, value in known.items() if value not in (None, "", ())}


def from_json(content: Mapping[str, Any]) -> Row:
    """The row that `as_json` wrote."""
    known = {name: value for name, value in content.items() if name not in DERIVED}
    quartiles = known.pop("quartiles", None)
    return Row(**{"ratio": None, **known, "points": tuple((x, y) for x, y in known.get("points", []))},
               quartiles=None if quartiles is None else (quartiles[0], quartiles[1]))


def markdown(rows: Sequence[Row]) -> str:
    """A table; the notes, numbered, below it."""
    notes = list(dict.fromkeys(row.note for row in rows if row.note and row.ratio is not None))
    lines = ["| what | against | ratio | target | seconds | against | repeats |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ratio = f"not measured: {row.note}" if row.ratio is None else _ratio(row)
        if row.note in notes:
            ratio += f" ({notes.index(row.note) + 1})"
        cells = [row.what, row.against, ratio, _target(row), duration(row.seconds), duration(row.seconds_against),
                 str(row.repeats or "")]
        lines.append(f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |")
    return "\n".join(lines + ([""] if notes else []) + [f"{i}. {note}" for i, note in enumerate(notes, 1)]) + "\n"


def duration(value: float | None) -> str:
    """Seconds in a unit that suits them, to three digits."""
    if value is None:
        return ""
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "not measured"
    unit = {"%": " %"}.get(row.unit, f" {row.unit}")
    spread = "" if row.quartiles is None else f" [{_short(row.quartiles[0])}–{_short(row.quartiles[1])}]"
    return f"{_short(row.ratio)}{spread}{unit}"


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    said = f"{'≥' if row.unit == '× faster' else '≤'} {row.target:g}{' %' if row.unit == '%' else ''}"
    return said if row.met is None else f"{said}: {'met' if row.met else 'missed'}"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
