"""What the lessons' drawings share: columns of their tables, and parts of panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gan.lessons.lesson import Table
from pipeline.figures.style import BLACK, Array

FILL = 0.16  # opacity of areas
SEED = {"linewidth": 0.8, "alpha": 0.75}


@dataclass(frozen=True)
class Drawing:
    figure: Figure
    alt: str
    caption: str
    """What is to be seen, in full sentences"""
    animation: str | None = None
    """The figure as it moves, an SVG; the figure itself is the still"""


def cells(table: Table, name: str) -> Array:
    """A column's numbers [rows], float64; NaN where there is none."""
    return np.array([math.nan if cell is None else cell for cell in table[name]], dtype=np.float64)


def cells_where(table: Table, column: str, **wanted: Any) -> Array:
    """A column's cells in the rows where others hold the values asked for."""
    rows = [all(table[name][i] == value for name, value in wanted.items()) for i in range(len(table[column]))]
    return np.asarray(cells(table, column)[np.array(rows, dtype=bool)], dtype=np.float64)


def panel_title(axes: Axes, text: str, colour: str = BLACK) -> None:
    axes.set_title(text, loc="left", color=colour, pad=4)


def legend_above(axes: Axes, columns: int = 3) -> None:
    """A legend above the axes, where it hides no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.6,
                columnspacing=1.2)


def logarithmic(axes: Axes, *names: str) -> None:
    """Log scales with powers of ten in plain characters: the style has no mathematics in dollar signs."""
    for name in names:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axes.set(**{f"{name}scale": "log"})
        axis.set_major_locator(LogLocator(10, numticks=8))
        axis.set_major_formatter(FuncFormatter(lambda value, place: _power(value)))
        axis.set_minor_formatter(NullFormatter())


def _power(value: float) -> str:
    """"100", ".01" or "10⁻⁴"."""
    exponent = round(math.log10(value))
    if 0 <= exponent <= 3:
        return str(10 ** exponent)
    if -2 <= exponent < 0:
        return f"{value:.{-exponent}f}".removeprefix("0")
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def seed_list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def strips(axes: Axes, rows: Sequence[tuple[str, torch.Tensor]], gap: int = 3) -> None:
    """Rows of digits, each with its name on the left."""
    count = max(len(images) for _, images in rows)
    side = math.isqrt(rows[0][1].shape[1])
    canvas = np.ones((len(rows) * (side + gap) - gap, count * (side + gap) - gap))
    for i, (_, images) in enumerate(rows):
        for j, image in enumerate(images):
            top, left = i * (side + gap), j * (side + gap)
            canvas[top:top + side, left:left + side] = 1 - image.view(side, side).numpy()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([i * (side + gap) + side / 2 for i in range(len(rows))], [name for name, _ in rows])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
