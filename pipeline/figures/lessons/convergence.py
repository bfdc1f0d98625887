"""Algorithm 1 on histograms: distance from the minimum by round, and the model at four rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells, logarithmic, panel_title
from pipeline.figures.style import BLACK, GREEN, GREY, PURPLE, SKY, VERMILION, WIDTH

K_COLOURS = (VERMILION, PURPLE, SKY, GREEN)


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    course, shown = outcome.tables["course"], outcome.tables["histograms"]
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    rounds = settings["shown"][:4]
    ks = settings["inner"]
    grid = figure.add_gridspec(3, len(rounds), height_ratios=(3, 1, 1))
    top = figure.add_subplot(grid[0, :])
    for k, colour in zip(ks, K_COLOURS, strict=False):
        top.plot(cells(course, "round"), np.maximum(cells(course, f"k_{k}"), 1e-16), color=colour, label=f"k = {k}")
    top.plot(cells(course, "round"), np.maximum(cells(course, "optimal"), 1e-16), color=BLACK,
             label="D at its optimum")
    logarithmic(top, "y")
    top.set(xlabel="round", ylabel="C(G) + log 4 / nats", ylim=(1e-13, 2), xlim=(0, settings["rounds"]))
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    drawn = ("p_data", *(f"{name}_round_{at}" for name in ("optimal", f"k_{ks[0]}") for at in rounds))
    highest = max(float(cells(shown, name).max()) for name in drawn)
    first = None
    for row, (name, label, colour) in enumerate((("optimal", "D optimal", BLACK),
                                                 (f"k_{ks[0]}", f"k = {ks[0]}", VERMILION))):
        for column, at in enumerate(rounds):
            axes = figure.add_subplot(grid[row + 1, column], sharey=first, sharex=first)
            first = first or axes
            axes.fill_between(cells(shown, "x"), cells(shown, "p_data"), color=GREY, alpha=0.35, linewidth=0,
                              step="mid")
            axes.step(cells(shown, "x"), cells(shown, f"{name}_round_{at}"), color=colour, where="mid", linewidth=1)
            axes.set(yticks=(), xticks=(), ylim=(0, 1.05 * highest))
            axes.spines["left"].set_visible(False)
            axes.grid(False)
            if row == 0:
                panel_title(axes, f"round {at}")
            if column == 0:
                axes.set_ylabel(label, color=colour, fontsize=8)
    return Drawing(
        figure,
        "Top: the criterion's distance from its minimum by round, on a logarithmic scale. With D at its optimum it "
        "falls in a straight line; with few steps of D it falls in waves. Bottom: histograms of the model over that "
        "of the data at four rounds; with k = 1 they overshoot.",
        "Top: how far C(G) is above its minimum. Bottom: p_g (lines) on p_data (grey) at four rounds, with D at its "
        f"optimum and with k = {ks[0]}.")
