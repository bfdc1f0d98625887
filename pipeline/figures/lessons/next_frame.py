"""Who wins by which measure, and the frames themselves."""

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
from pipeline.figures.style import BLACK, BLUE, VERMILION, WIDTH, line_at

COLOURS = {"squared error": VERMILION, "adversarial": BLUE}
FILMS = ("at the wall", "free flight")
ROWS = {"last frame seen": BLACK, "truth": BLACK, **COLOURS}
GAP = 2
"""Pixels between two frames, and three times as many between seeds"""


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    table = outcome.tables["seeds"]
    figure = Figure(figsize=(WIDTH, 3.75), layout="constrained")
    (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 1.85))
    columns = (("psnr", "PSNR (dB)", None), ("sharpness", "sharpness", (0, 1.25)),
               ("possible_share", "share possible", (-0.06, 1.06)))
    panels = above.subplots(1, len(columns))
    for place, (axes, (column, title, limits)) in enumerate(zip(panels, columns, strict=True)):
        for network, colour in COLOURS.items():
            for x, films in enumerate(FILMS):
                values = cells_where(table, column, network=network, films=films)
                offsets = (-0.2 if network == "squared error" else 0.2) + 0.06 * (np.arange(len(values)) - 1)
                axes.plot(x + offsets, values, linestyle="none", marker="o", markersize=4, markeredgewidth=0,
                          color=colour, alpha=0.8, label=network if x == place == 0 else "")
        axes.set_xticks(range(len(FILMS)), ["at the\nwall", "free\nflight"])
        axes.set(xlim=(-0.6, len(FILMS) - 0.4), ylim=limits)
        axes.grid(visible=False, axis="x")
        panel_title(axes, title)
        if column == "sharpness":
            line_at(axes, 1.0)
            line_at(axes, 0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside upper left", ncols=2)
    _film_strip(below.subplots(), outcome.images, settings["seeds"])
    return Drawing(
        figure,
        "Three panels and a strip of frames. At the wall squared error has the higher PSNR, half the sharpness of the "
        "truth and no possible prediction; the adversarial network has the sharpness of the truth, and its "
        "predictions are possible. In the strip squared error shows two faint balls, the adversarial network one.",
        "Above: a dot for each seed; the dashed lines are the sharpness of the truth, 1, and of the mean of two "
        f"futures, ½. Below: the first films of seeds {seed_list(settings['seeds'])}, nothing chosen; of each seed "
        "three where the ball is at the wall (the right edge) and, last, one in free flight.")


def _film_strip(axes: Axes, images: Mapping[str, torch.Tensor], seeds: Sequence[int]) -> None:
    """A row for each of ROWS, its frames seed by seed, bright on black."""
    rows = [[torch.cat([images[f"{row}, {films}, seed {seed}"] for films in FILMS]) for seed in seeds] for row in ROWS]
    side = math.isqrt(rows[0][0].shape[1])
    count = len(rows[0][0])
    width = count * (side + GAP) + 3 * GAP
    canvas = np.ones((len(rows) * (side + GAP) - GAP, len(seeds) * width - 4 * GAP))
    for i, row in enumerate(rows):
        for j, frames in enumerate(row):
            for k, frame in enumerate(frames):
                top, left = i * (side + GAP), j * width + k * (side + GAP)
                canvas[top:top + side, left:left + side] = frame.view(side, side).numpy()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([i * (side + GAP) + side / 2 for i in range(len(rows))], list(ROWS))
    for label, colour in zip(axes.get_yticklabels(), ROWS.values(), strict=True):
        label.set_color(colour)
    axes.set_xticks([j * width + (count * (side + GAP) - GAP) / 2 for j in range(len(seeds))],
                    [f"seed {seed}" for seed in seeds])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
