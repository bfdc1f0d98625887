"""What is drawn of a machine's rows: curves, and the parts of a whole."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from pipeline.figures.style import BLACK, BLUE, DPI, GREEN, GREY, PURPLE, SKY, VERMILION, WIDTH, YELLOW, house_style
from tests.benchmarks.table import Row

COLOURS = (BLUE, VERMILION, GREEN, YELLOW, PURPLE, SKY, GREY)
DARK = {BLUE, VERMILION, GREEN, GREY}
"""on which numbers are white"""
SMALLEST = 4.0
"""percent of a part in which its number has room"""


def curves(rows: Sequence[Row]) -> bytes:
    """A panel for each curve; dotted, what is proportional to x and ends at the last point, or of a curve that falls,
    what is proportional to 1/x and begins at the first."""
    with house_style():
        drawn = Figure(figsize=(WIDTH, 2.3 * -(-len(rows) // 2)), layout="constrained")
        for i, row in enumerate(rows):
            axes = drawn.add_subplot(-(-len(rows) // 2), 2, i + 1)
            xs, ys = [x for x, _ in row.points], [y for _, y in row.points]
            falls = ys[-1] < ys[0]
            axes.plot(xs, [ys[0] * xs[0] / x if falls else x / xs[-1] * ys[-1] for x in xs], ":", color=GREY)
            axes.plot(xs, ys, "o-", color=BLUE, markersize=3)
            if xs[-1] > 50 * xs[0]:
                axes.set_xscale("log")
                axes.set_yscale("log")
                for axis in (axes.xaxis, axes.yaxis):
                    axis.set_major_formatter(FuncFormatter(_tick))  # matplotlib's own has formulas, which STYLE has off
                    axis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(row.x)
            axes.set_ylabel(row.y)
        return _png(drawn)


def bars(rows: Iterable[Row]) -> bytes:
    """A stacked bar for each whole that rows are parts of, in their order, with the percent that they are of it."""
    wholes: dict[str, list[Row]] = {}
    for row in rows:
        wholes.setdefault(row.part_of, []).append(row)
    names = dict.fromkeys(row.what for parts in wholes.values() for row in parts)
    colours = dict(zip(names, itertools.cycle(COLOURS), strict=False))
    with house_style():
        drawn = Figure(figsize=(WIDTH, 0.9 + 0.6 * len(wholes) + 0.11 * len(colours)), layout="constrained")
        axes = drawn.add_subplot()
        for place, parts in enumerate(wholes.values()):
            left = 0.0
            for row in parts:
                width, colour = row.ratio or 0.0, colours[row.what]
                axes.barh(place, width, left=left, color=colour, height=0.6)
                if width >= SMALLEST:
                    axes.text(left + width / 2, place, f"{width:.0f}", ha="center", va="center", fontsize=8,
                              color="white" if colour in DARK else BLACK)
                left += width
        axes.set_yticks(range(len(wholes)), list(wholes))
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the whole")
        axes.grid(axis="y", visible=False)
        handles = [Patch(color=colour, label=what) for what, colour in colours.items()]
        drawn.legend(handles=handles, loc="outside upper left", ncols=2, handlelength=1.0)
        return _png(drawn)


def _png(drawn: Figure) -> bytes:
    raw = io.BytesIO()
    drawn.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    return raw.getvalue()


def _tick(value: float, position: int) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
