"""The ring and MNIST without minibatch features and with them, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import Drawing, cells_where, legend_above, panel_title, strips
from pipeline.figures.style import BLUE, GREY, VERMILION, WIDTH, line_at

FEATURES = {"without": ("without", VERMILION), "with": ("with", BLUE)}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    ring, digits = outcome.tables["ring"], outcome.tables["digits"]
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    grid = figure.add_gridspec(3, 4, height_ratios=(2, 2.2, 1.7))
    dots = [figure.add_subplot(grid[0, i]) for i in range(4)]
    _paired(dots[0], ring, "modes", "ring: modes\ncovered")
    _paired(dots[1], ring, "largest", "ring: share nearest\nthe same mode")
    _paired(dots[2], digits, "entropy", "MNIST: entropy\nof classes / nats")
    _paired(dots[3], digits, "diversity", "MNIST: diversity\n(data = 1)")
    dots[0].set_ylim(-0.4, 8.4)
    dots[1].set_ylim(0, 1.05)
    dots[2].set_ylim(0, 2.45)
    dots[2].axhline(math.log(10), color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    dots[3].set_ylim(0, 1.15)
    dots[3].axhline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _class_bars(figure.add_subplot(grid[1, :]), digits)
    for half, (game, (name, colour)) in enumerate(FEATURES.items()):
        axes = figure.add_subplot(grid[2, 2 * half:2 * half + 2])
        images = [outcome.images[f"{game}, seed {seed}"] for seed in settings["digit_seeds"]]
        strips(axes, [("", part) for one in images for part in one.split(12)])
        axes.set_yticks([])
        panel_title(axes, f"{name}: first samples", colour)
    return Drawing(
        figure,
        "Dots that compare the game with and without minibatch features, seed by seed: modes covered and share at the "
        "same mode on the ring, entropy of classes and diversity on MNIST. Below, class histograms, and samples.",
        "Above: a dot for each seed, its pair joined; dashed, the most there can be and the data’s own. Middle: the "
        "share of each digit among the samples, seeds pooled. Below: the first samples of each seed, nothing chosen, "
        f"{len(images[0])} to a seed.")


def _paired(axes: Axes, table: Table, column: str, title: str) -> None:
    """The same seed without and with, joined."""
    without, having = cells_where(table, column, game="without"), cells_where(table, column, game="with")
    for i, pair in enumerate(zip(without, having, strict=True)):
        shift = 0.05 * (i - (len(without) - 1) / 2)
        axes.plot([shift, 1 + shift], pair, color=GREY, linewidth=0.7, zorder=2)
        for place, (value, (_, colour)) in enumerate(zip(pair, FEATURES.values(), strict=True)):
            axes.plot([place + shift], [value], marker="o", markersize=4, color=colour, linestyle="none", zorder=3)
    axes.set_xticks([0, 1], ["without", "with"])
    axes.set_xlim(-0.45, 1.45)
    axes.grid(visible=False, axis="x")
    axes.set_title(title, loc="left", fontsize=8, pad=4)


def _class_bars(axes: Axes, digits: Table) -> None:
    classes = np.arange(10)
    for i, (game, (name, colour)) in enumerate(FEATURES.items()):
        shares = np.array([float(cells_where(digits, str(digit), game=game).mean()) for digit in range(10)])
        axes.bar(classes + 0.4 * (i - 0.5), shares, width=0.38, color=colour, label=name)
    line_at(axes, 0.1, "all alike")
    axes.set(xlabel="digit, as the judge takes it", ylabel="share of samples")
    axes.set_xticks(classes)
    axes.grid(visible=False, axis="x")
    legend_above(axes, columns=3)
