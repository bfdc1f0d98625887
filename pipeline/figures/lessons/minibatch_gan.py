"""Photographs, and what a game with minibatch features and one without draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells_where, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, GREY, VERMILION, WIDTH

COLUMNS = 8
COLOURS = {"without": VERMILION, "with": BLUE}


def draw(outcome: Outcome, settings: Mapping[str, Any], rows_of_large: int | None = None) -> Drawing:
    """With `rows_of_large` the grids are below each other, in the figure's width, and have so many rows."""
    seeds: Sequence[int] = settings["seeds"]
    table, images = outcome.tables["seeds"], outcome.images
    first = seeds[0]
    shown = len(images["training images"]) if rows_of_large is None else rows_of_large * COLUMNS
    places, heights = ["real", "without", "with"], [1.67]
    grids: list[Any] = [[place for place in places for _ in range(2)]]
    if rows_of_large is not None:
        grids, heights = [[place] * 6 for place in places], [WIDTH * rows_of_large / COLUMNS + 0.3] * 3
    figure = Figure(figsize=(WIDTH, sum(heights) + 2.23), layout="constrained")
    grids.append(["score"] * 3 + ["coverage"] * 3)
    panels = figure.subplot_mosaic(grids, height_ratios=[*heights, 2.23])
    for place, name, title, colour in (
            ("real", "training images", "training images", BLACK),
            ("without", f"without, seed {first}", f"without, seed {first}", VERMILION),
            ("with", f"with, seed {first}", f"with, seed {first}", BLUE)):
        _grid(panels[place], images[name][:shown])
        panel_title(panels[place], title, colour)
    of_real = outcome.numbers["score of test images"]
    for column, title in (("score", f"classifier score (test images: {of_real:.1f})"),
                          ("coverage", "coverage of test images")):
        axes = panels[column]
        pairs = [[float(cells_where(table, column, game=game, seed=seed)[0]) for game in COLOURS] for seed in seeds]
        for pair in pairs:
            axes.plot((0, 1), pair, color=GREY, linewidth=0.8, zorder=1)
        for x, colour in enumerate(COLOURS.values()):
            axes.plot([x] * len(seeds), [pair[x] for pair in pairs], linestyle="none", marker="o", markersize=4,
                      clip_on=False, color=colour)
        axes.set_xticks([0, 1], list(COLOURS))
        axes.set_xlim(-0.5, 1.5)
        axes.set_ylim(bottom=1 if column == "score" else 0)
        panel_title(axes, title)
    return Drawing(
        figure,
        "Three grids of small colour pictures: photographs, and blurred shapes in colours drawn by a game without and "
        "by one with minibatch features. Below, for each seed, the classifier score and the coverage of both games.",
        f"Above: {min(shown, len(images['training images']))} training images and as many samples of either game, none "
        "picked. "
        f"Below: each line is a seed ({seed_list(seeds)}); the classifier gives test images a score of {of_real:.1f}.")


def _grid(axes: Axes, images: torch.Tensor, gap: int = 2) -> None:
    """Rows [n, 3·side·side] in [0, 1], COLUMNS beside each other."""
    side = round((images.shape[1] / 3) ** 0.5)
    rows = -(-len(images) // COLUMNS)
    canvas = np.ones((rows * (side + gap) - gap, COLUMNS * (side + gap) - gap, 3))
    for i, image in enumerate(images):
        top, left = (place * (side + gap) for place in divmod(i, COLUMNS))
        canvas[top:top + side, left:left + side] = image.view(3, side, side).permute(1, 2, 0).numpy()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_axis_off()
