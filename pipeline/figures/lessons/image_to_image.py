"""Edges to digits and grey to colour, by each objective: the images, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells_where, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, GREEN, PURPLE, VERMILION, WIDTH, line_at

COLOURS = {"L1 alone": VERMILION, "adversary alone": BLUE, "both (published weight)": PURPLE,
           "both (lighter L1)": GREEN}
OWN = "own pairs"
TASKS = ("edges to digits", "grey to colour", OWN)
ROWS = ("input", "truth", *COLOURS)
PANELS = (("digits", "l1", "L1 error"), ("digits", "sharpness", "sharpness"), ("digits", "agreement", "same digit"),
          ("colours", "l1_inside", "L1 error"), ("colours", "possible_share", "possible"))
LEVELS = 7
"""Steps of brightness of each channel"""
GAP = 2
"""Pixels between two images, and as many again between seeds"""


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    seeds = settings["seeds"]
    labels = {"both (published weight)": f"both, {settings['weight']:g} : 1",
              "both (lighter L1)": f"both, {settings['lighter']:g} : 1"}
    tasks = [task for task in TASKS if f"{task}, input, seed {seeds[0]}" in outcome.images]
    heights = [2.35] * len(tasks) + [1.9]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    *strips, below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, task in zip(strips, tasks, strict=True):
        axes = part.subplots()
        _strip(axes, outcome.images, task, seeds)
        axes.set_yticks(axes.get_yticks(), [labels.get(row, row) for row in ROWS])
        for label, row in zip(axes.get_yticklabels(), ROWS, strict=True):
            label.set_color(COLOURS.get(row, BLACK))
        panel_title(axes, task if task != OWN else f"{settings['folder']}, {settings['direction']}")
    for axes, (table, column, title) in zip(below.subplots(1, len(PANELS)), PANELS, strict=True):
        for x, (name, colour) in enumerate(COLOURS.items()):
            values = cells_where(outcome.tables[table], column, trained_by=name)
            axes.plot(x + 0.14 * (np.arange(len(values)) - (len(values) - 1) / 2), values, linestyle="none", marker="o",
                      markersize=3.5, markeredgewidth=0, color=colour, alpha=0.8)
        if column == "l1_inside":
            line_at(axes, 0.2)
            line_at(axes, 4 / 15)
        axes.set_xticks([])
        axes.set(xlim=(-0.6, len(COLOURS) - 0.4), xlabel=table)
        axes.set_ylim(-0.03 * axes.get_ylim()[1], 1.08 * axes.get_ylim()[1])
        axes.tick_params(labelsize=7)
        panel_title(axes, title)
    return Drawing(
        figure,
        "Two strips of images and five small panels. In the first strip L1 alone draws digits with faint parts, the "
        "adversary alone draws black strokes, some of them wrong. In the second L1 alone paints every shape dark grey, "
        "and the adversary alone paints most in a colour. The panels show errors, sharpness and shares for each seed.",
        f"The first {len(_first(outcome, seeds))} pairs of seeds {seed_list(seeds)} that were not trained on, nothing "
        "chosen: inputs, truth, and what networks made of them that were trained by L1 alone, by an adversary alone, "
        f"by both with weight {settings['weight']:g} for L1, and with weight {settings['lighter']:g}. Below: a dot for "
        "each seed, in the colours of the rows; dashed, the least L1 error within shapes, .2, and that of colours with "
        "the right odds, .267. Sharpness is over that of the truth; possible is a shape in one of the three colours."
        + (f" The third strip: {settings['folder']}, {settings['direction']}, the same pairs for each seed."
           if OWN in tasks else ""))


def _first(outcome: Outcome, seeds: Sequence[int]) -> torch.Tensor:
    return outcome.images[f"edges to digits, input, seed {seeds[0]}"]


def _strip(axes: Axes, images: Mapping[str, torch.Tensor], task: str, seeds: Sequence[int]) -> None:
    """A row for each of ROWS, its images seed by seed; digits as ink on white."""
    count, values = images[f"{task}, input, seed {seeds[0]}"].shape
    side = math.isqrt(values)
    if side ** 2 != values:  # colours
        side = math.isqrt(values // 3)
    width = count * (side + GAP) + GAP
    canvas = np.ones((len(ROWS) * (side + GAP) - GAP, len(seeds) * width - 2 * GAP, 3))
    for i, row in enumerate(ROWS):
        for j, seed in enumerate(seeds):
            for k, image in enumerate(images[f"{task}, {row}, seed {seed}"]):
                top, left = i * (side + GAP), j * width + k * (side + GAP)
                pixels = image.view(-1, side, side).permute(1, 2, 0).numpy()
                canvas[top:top + side, left:left + side] = 1 - pixels if task == "edges to digits" else pixels
    # Few colours, or a file of 256 has none left for the panels.
    axes.imshow(np.round(canvas * LEVELS) / LEVELS, interpolation="nearest")
    axes.set_yticks([i * (side + GAP) + side / 2 for i in range(len(ROWS))])
    axes.set_xticks([j * width + (count * (side + GAP) - GAP) / 2 for j in range(len(seeds))],
                    [f"seed {seed}" for seed in seeds])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
