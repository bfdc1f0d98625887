"""Samples of the ring under four ways of play, and the modes that they cover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from gan.lessons.lesson import Outcome
from gan.lessons.ring import RADIUS, centres
from pipeline.figures.lessons.panel import Drawing, cells_where, panel_title
from pipeline.figures.style import BLUE, GREEN, GREY, PURPLE, VERMILION, WIDTH, Array

PLAYS = {"in_turn": ("in turn", BLUE), "unrolled": ("looking ahead", GREEN), "d_inner": ("D inner", PURPLE),
         "g_inner": ("G inner", VERMILION)}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    points, course = outcome.tables["samples"], outcome.tables["course"]
    seeds = settings["seeds"]
    width = WIDTH / len(seeds)
    figure = Figure(figsize=(WIDTH, 4 * width + 1.9), layout="constrained")
    grid = figure.add_gridspec(5, 2 * len(seeds), height_ratios=(1, 1, 1, 1, 1.9))
    for row, (play, (name, colour)) in enumerate(PLAYS.items()):
        for column, seed in enumerate(seeds):
            axes = figure.add_subplot(grid[row, 2 * column:2 * column + 2])
            x, y = cells_where(points, "x", play=play, seed=seed), cells_where(points, "y", play=play, seed=seed)
            _ring_panel(axes, x, y, colour, 3 * settings["deviation"])
            if row == 0:
                panel_title(axes, f"seed {seed}")
            if column == 0:
                axes.set_ylabel(name, color=colour)
    left, right = figure.add_subplot(grid[4, :len(seeds)]), figure.add_subplot(grid[4, len(seeds):])
    for axes, measure, label in ((left, "modes", "modes covered"), (right, "good", "share of good samples")):
        for play, (_, colour) in PLAYS.items():
            each = np.stack([cells_where(course, measure, play=play, seed=seed) for seed in seeds])
            rounds = cells_where(course, "round", play=play, seed=seeds[0])
            axes.plot(rounds, each.T, color=colour, linewidth=0.6, alpha=0.45)
            axes.plot(rounds, each.mean(0), color=colour)
        axes.set(xlabel="round", title=label)
    left.set_ylim(-0.3, 8.3)
    right.set_ylim(-0.03, 1.03)
    return Drawing(
        figure,
        "A grid of scatter plots, a row for each way of play and a column for each seed, each with the eight modes of "
        "the ring marked, above curves of modes covered and of the share of good samples by round.",
        "Samples of every seed at the end (dots; crosses at the edge are samples that lie beyond it) and the eight "
        "modes (circles, 3 standard deviations), for the four ways of play. Below: seeds thin, their mean thick, in "
        "the rows’ colours.")


def _ring_panel(axes: Axes, x: Array, y: Array, colour: str, radius: float) -> None:
    """Samples, and the modes as circles around what counts as good."""
    for centre in centres().tolist():
        axes.add_patch(Circle((centre[0], centre[1]), radius, fill=False, edgecolor=GREY, linewidth=0.5))
    reach = RADIUS * 1.45
    outside = np.maximum(np.abs(x), np.abs(y)) / (0.97 * reach)
    x, y = x / np.maximum(outside, 1), y / np.maximum(outside, 1)
    for which, marker, size in ((outside <= 1, ".", 1.6), (outside > 1, "x", 2.5)):
        axes.plot(x[which], y[which], linestyle="none", marker=marker, markersize=size, color=colour, alpha=0.8,
                  markeredgewidth=0.5 if marker == "x" else 0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(), yticks=())
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#d0d0d0")
