"""One question, two right answers: the data, a squared error and a conditional GAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells, cells_where, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, VERMILION, WIDTH


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    answers = outcome.tables["answers"]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(2, 3, sharex="row", sharey="row", height_ratios=(3, 2))
    bins = np.linspace(-1.6, 1.6, 49)
    for place, (column, title, colour) in enumerate((("data", "data", BLACK), ("mse", "squared error", VERMILION),
                                                     ("gan", "conditional GAN", BLUE))):
        dots, counts = panels[0, place], panels[1, place]
        dots.plot(cells(answers, "x"), cells(answers, column), linestyle="none", marker=".", markersize=2,
                  markeredgewidth=0, color=colour, alpha=0.6)
        for seed in settings["seeds"]:
            heights, _ = np.histogram(cells_where(answers, column, seed=seed), bins)
            counts.stairs(heights / heights.sum(), bins, color=colour, linewidth=0.8, alpha=0.8)
        panel_title(dots, title, colour)
        dots.set(ylim=(-1.6, 1.6), xlabel="question x")
        counts.set_xlabel("answer y")
    panels[0, 0].set_ylabel("answer y")
    panels[1, 0].set_ylabel("share")
    panels[1, 0].set_yscale("symlog", linthresh=0.1)
    panels[1, 0].set_yticks([0, 0.1, 1], ["0", ".1", "1"])
    return Drawing(
        figure,
        "Three columns. The data's answers lie on two lines at plus and minus one. Those of the network trained on "
        "squared error lie on one line at zero, where no data are. Those of the conditional GAN lie on both lines.",
        f"Questions and answers: all of seeds {seed_list(settings['seeds'])} above, and below how often each answer is "
        "given, a line for each seed (from .1 up the scale is logarithmic).")
