"""How every figure looks, on every machine."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from pipeline.results.ticks import log_ticks

Array = NDArray[np.float64]

DPI = 240  # twice the pixels that the report shows, for screens of double density
WIDTH = 5.2  # inches; narrow, so that 9 pt stays readable on a telephone
PIXELS = round(WIDTH * DPI)
TITLE_COLUMNS = 72  # characters of a title that fit into PIXELS
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has it
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "axes.edgecolor": "#606060", "lines.linewidth": 1.6,
    "text.parse_math": False,  # a dollar sign in an experiment's name is a dollar sign
}

# Okabe and Ito's colours: told apart by the colour-blind.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
BLACK, GREY, YELLOW, SKY = "#000000", "#707070", "#f5d400", "#56b4e9"
VARIANT_COLOURS = {"raw": BLUE, "ema": VERMILION, "parallel": VERMILION}


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """STYLE for what is drawn within, whatever a matplotlibrc on this machine says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def wrapped(title: str, columns: int) -> str:
    return "\n".join(part for line in title.splitlines() for part in textwrap.wrap(line, columns))


def title_above(figure: Figure, title: str) -> None:
    figure.suptitle(title, x=0.012, ha="left", fontsize=9)


def line_at(axes: Axes, height: float, label: str = "") -> None:
    """A dashed line across: a value that means something."""
    axes.axhline(height, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label=label, zorder=1)


def legend(axes: Axes, columns: int = 3) -> None:
    """Above the axes, where it hides no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.1, handlelength=1.6,
                columnspacing=1.4)


def logarithmic_x(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with round numbers from `low` to `high`."""
    axes.set_xscale("log")
    ticks = log_ticks(low, high, least=4)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
