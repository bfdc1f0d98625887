"""Figure 1 of the paper: the game at four moments, and the whole of it as an animation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.figure_1_animation import animation
from pipeline.figures.lessons.panel import FILL, Drawing, cells, panel_title
from pipeline.figures.style import BLACK, BLUE, GREEN, WIDTH, Array

MOMENTS = {"a": "D still a rough judge", "b": "D trained: D = D*", "c": "G follows the slope of D",
           "d": "the end: D = ½"}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    curves, arrows = outcome.tables["curves"], outcome.tables["arrows"]
    x, p, z = cells(curves, "x"), cells(curves, "p_data"), cells(arrows, "z")
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    grid = figure.add_gridspec(5, 2, height_ratios=(3, 1, 0.02, 3, 1), hspace=0.0)
    for place, (moment, title) in enumerate(MOMENTS.items()):
        row, column = 3 * (place // 2), place % 2
        top = figure.add_subplot(grid[row, column])
        below = figure.add_subplot(grid[row + 1, column], sharex=top)
        top.plot(x, p, color=BLACK, linestyle=(0, (1, 1.2)), label="data, p_data")
        top.fill_between(x, cells(curves, f"p_g_{moment}"), color=GREEN, alpha=FILL, linewidth=0)
        top.plot(x, cells(curves, f"p_g_{moment}"), color=GREEN, label="generator, p_g")
        top.plot(x, cells(curves, f"d_{moment}"), color=BLUE, linestyle=(0, (4, 1.5)), label="discriminator, D")
        top.set(xlim=(-4, 4), ylim=(0, 1.03), yticks=(0, 0.5, 1))
        top.tick_params(labelbottom=False, length=0)
        panel_title(top, f"({moment}) {title}")
        _arrows(below, z, cells(arrows, f"x_{moment}"))
        if column == 0:
            below.set_ylabel("z → x", rotation=0, ha="right", va="center")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=2.2)
    first = settings["seeds"][0]
    return Drawing(
        figure,
        "Four panels. In (a) the generator's density stands left of the data's and the discriminator is nearly flat. "
        "In (b) the discriminator rises from 0 on the left to 1 on the right between the two densities. In (c) the "
        "generator's density has moved to the data's. In (d) both densities coincide and the discriminator is flat at "
        "one half. Below each, lines lead from evenly spaced z to G(z).",
        f"The game of seed {first} at four moments, as in the paper’s figure 1: p_data dotted, p_g green, D dashed. "
        "Below, lines lead from evenly spaced z (upper edge) to x = G(z) (lower edge); where they crowd, p_g is high.",
        animation(outcome))


def _arrows(axes: Axes, z: Array, x: Array) -> None:
    """Lines from z, spread over the axis, to G(z)."""
    for start, end in zip(-3 + 6 * z, x, strict=True):
        axes.plot([start, end], [1, 0], color=GREEN, linewidth=0.7, alpha=0.8, solid_capstyle="round")
    axes.plot(x, np.zeros_like(x), linestyle="none", marker="v", markersize=2.4, color=GREEN, clip_on=False)
    axes.plot(-3 + 6 * z, np.ones_like(z), linestyle="none", marker="o", markersize=1.8, color=BLACK, clip_on=False)
    axes.set(ylim=(-0.02, 1.02), xlim=(-4, 4), yticks=())
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
