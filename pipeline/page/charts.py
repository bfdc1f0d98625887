"""Line charts that a page draws without a library: shapes on a canvas of 1000 × 1000, ticks, a name at each line’s end.

The canvas is stretched to its place on the page and the words stand outside it, so that they keep their size on every
screen. Scripts are needed to zoom and to read values, not to see the chart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.results.ticks import linear_ticks, log_ticks

SIZE = 1000
FEW_SEEDS = 3
"""So many or fewer are drawn one by one: a range of three values would pretend to be a distribution"""
FEW_POINTS = 60
"""Of a curve, up to which each seed is drawn as points, beyond that as a thin line"""
HEIGHT, LABEL_HEIGHT = 10.0, 0.95
"""rem: of a canvas with few lines, and of a label at a line's end"""
BREAK = math.nan
"""A y at which a line is interrupted; None is a point that was not measured, which a line passes over"""

Values = Sequence[float | None]


@dataclass(frozen=True)
class Tick:
    percent: str
    """From the axis's low end"""
    text: str


@dataclass(frozen=True)
class Axis:
    label: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (self._scaled(value) - self._scaled(self.low)) / (self._scaled(self.high) - self._scaled(self.low))

    def ticks(self) -> list[Tick]:
        values = log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)
        return [Tick(f"{100 * self.share(value):.2f}", tick_text(value)) for value in values]

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value


def tick_text(value: float) -> str:
    """"−100", "0.05", "10,000"."""
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}").replace("-", "−")


def around(values: Iterable[float], margin: float = 0.04, least: float = 1e-9) -> tuple[float, float]:
    """From the lowest to the highest of `values`, with a margin; never less than `least` apart."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    extra = margin * (high - low)
    return low - extra, high + extra


@dataclass(frozen=True)
class Line:
    """A curve over `x`, with what surrounds it: each seed and the range of all, or error bars."""

    name: str
    colour: int
    x: Sequence[float]
    y: Values
    low: Values = ()
    high: Values = ()
    seeds: Sequence[Values] = ()
    dashed: bool = False
    dots: bool = False
    bars: bool = False
    """`low` and `high` are the ends of error bars, not of a band"""
    label: str = ""
    """Stands at the line's end; the name, where it is short enough"""

    @property
    def seeds_as_points(self) -> bool:
        return len(self.seeds) <= FEW_SEEDS and len(self.x) <= FEW_POINTS

    @property
    def end(self) -> float:
        """The last value; NaN of a line without any."""
        return next((value for value in reversed(self.y) if value is not None and math.isfinite(value)), math.nan)

    def values(self) -> list[float]:
        everything = [*self.y, *self.low, *self.high, *(value for seed in self.seeds for value in seed)]
        return [value for value in everything if value is not None and math.isfinite(value)]


@dataclass(frozen=True)
class Mark:
    """A point of its own: a `ring`, a `square` or a `cross`."""

    kind: str
    colour: int
    x: float
    y: float


@dataclass(frozen=True)
class Rule:
    """A straight line through the chart: at an x (`upright`), or at a y."""

    at: float
    label: str
    upright: bool = False
    colour: int = 0
    dashed: bool = True


@dataclass(frozen=True)
class Label:
    text: str
    colour: int
    percent: str
    """From the canvas's low end"""


@dataclass(frozen=True)
class Key:
    """An entry of the legend that is no curve."""

    kind: str
    label: str
    colour: int = 0


@dataclass(frozen=True)
class Chart:
    title: str
    alt: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    rules: Sequence[Rule] = ()
    keys: Sequence[Key] = ()
    unit: str = ""
    decimals: int = 2

    def across(self, x: float) -> float:
        return SIZE * self.x.share(x)

    def down(self, y: float) -> float:
        return SIZE * (1 - self.y.share(y))

    def path(self, line: Line, values: Values) -> str:
        """An SVG path through the values that there are, broken at BREAK."""
        words, pen = [], "M"
        for x, y in zip(line.x, values, strict=True):
            if y is None:
                continue
            if math.isnan(y):
                pen = "M"
                continue
            words.append(f"{pen}{self.across(x):.1f} {self.down(y):.1f}")
            pen = "L"
        return "".join(words)

    @property
    def height(self) -> float:
        """Of the canvas, in rem: room for a label of each line."""
        return max(HEIGHT, round(1.15 * LABEL_HEIGHT * len(self.lines), 1))

    def labels(self) -> list[Label]:
        """One for each line, at its end; moved apart where ends lie closer than a label is high."""
        lines = [line for line in self.lines if math.isfinite(line.end)]
        places = spread([100 * min(1.0, max(0.0, self.y.share(line.end))) for line in lines],
                        100 * LABEL_HEIGHT / self.height)
        return [Label(line.label or line.name, line.colour, f"{place:.2f}")
                for line, place in zip(lines, places, strict=True)]

    @property
    def gutter(self) -> int:
        """Characters beside the canvas that the longest label takes."""
        return max((len(label.text) for label in self.labels()), default=0)

    def dots(self, line: Line, values: Values) -> str:
        """Points of next to no length, which a round cap makes visible."""
        return "".join(f"M{self.across(x):.1f} {self.down(y):.1f}h.01" for x, y in zip(line.x, values, strict=True)
                       if y is not None and math.isfinite(y))

    def bars(self, line: Line) -> str:
        return "".join(f"M{self.across(x):.1f} {self.down(low):.1f}V{self.down(high):.1f}"
                       for x, low, high in zip(line.x, line.low, line.high, strict=True)
                       if low is not None and high is not None)

    def bands(self, line: Line) -> str:
        """The area between `low` and `high`, one piece between two breaks."""
        pieces: list[list[tuple[float, float, float]]] = [[]]
        for x, low, high in zip(line.x, line.low, line.high, strict=True):
            if low is None or high is None:
                continue
            if math.isnan(low):
                pieces.append([])
            else:
                pieces[-1].append((self.across(x), self.down(low), self.down(high)))
        return "".join(self._area(piece) for piece in pieces if len(piece) > 1)

    @staticmethod
    def _area(piece: Sequence[tuple[float, float, float]]) -> str:
        there = [f"{x:.1f} {high:.1f}" for x, _, high in piece]
        back = [f"{x:.1f} {low:.1f}" for x, low, _ in reversed(piece)]
        return f"M{'L'.join([*there, *back])}Z"

    def point(self, mark: Mark) -> str:
        return f"M{self.across(mark.x):.1f} {self.down(mark.y):.1f}h.01"

    def straight(self, rule: Rule) -> str:
        return f"M{self.across(rule.at):.1f} 0V{SIZE}" if rule.upright else f"M0 {self.down(rule.at):.1f}H{SIZE}"

    def inside(self, rule: Rule) -> bool:
        axis = self.x if rule.upright else self.y
        return 0 <= axis.share(rule.at) <= 1

    @property
    def data(self) -> str:
        """What the page's script reads: both axes, and each line's values to five digits."""
        return json.dumps({
            "x": {"low": self.x.low, "high": self.x.high, "log": self.x.log, "label": self.x.label},
            "y": {"low": self.y.low, "high": self.y.high, "log": self.y.log},
            "unit": self.unit, "decimals": self.decimals,
            "lines": [{"name": line.name, "x": list(line.x), "y": _digits(line.y), "bars": line.bars,
                       **({"low": _digits(line.low), "high": _digits(line.high)} if line.low else {})}
                      for line in self.lines]}, separators=(",", ":"), ensure_ascii=False)


def spread(places: Sequence[float], gap: float, high: float = 100.0) -> list[float]:
    """Places from 0 to `high`, in their order, moved as little as it takes to lie `gap` apart."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    apart: list[float] = []
    for i in order:
        apart.append(max(places[i], apart[-1] + gap) if apart else places[i])
    limit = high
    for k in reversed(range(len(apart))):
        apart[k] = min(apart[k], limit)
        limit = apart[k] - gap
    placed = dict(zip(order, apart, strict=True))
    return [placed[i] for i in range(len(places))]


def _digits(values: Values) -> list[float | None]:
    return [None if value is None or not math.isfinite(value) else float(f"{value:.5g}") for value in values]
