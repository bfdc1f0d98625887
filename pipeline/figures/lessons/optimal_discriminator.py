"""D beside the ratio of densities, and how it gets there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import FILL, SEED, Drawing, cells, logarithmic, seed_list
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION, WIDTH, line_at


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    curves, training = outcome.tables["curves"], outcome.tables["training"]
    x, inside = cells(curves, "x"), cells(curves, "inside") > 0
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    top.fill_between(x, cells(curves, "p"), color=BLACK, alpha=FILL, linewidth=0, label="p, data")
    top.fill_between(x, cells(curves, "q"), color=GREEN, alpha=2 * FILL, linewidth=0, label="q, model")
    for i, seed in enumerate(settings["seeds"]):
        top.plot(x, cells(curves, f"d_seed_{seed}"), color=BLUE, **SEED, label="" if i else "D, every seed")
        bottom.plot(cells(training, "step"), cells(training, f"error_seed_{seed}"), color=BLUE, **SEED)
    top.plot(x, cells(curves, "optimum"), color=VERMILION, linestyle=(0, (3, 2)), label="p/(p + q)")
    low, high = x[inside][0], x[inside][-1]
    for outside in ((x[0], low), (high, x[-1])):
        top.axvspan(*outside, color=GREY, alpha=0.13, linewidth=0)
    top.set(xlim=(-5, 5.5), ylim=(0, 1.03), xlabel="x")
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    line_at(bottom, 0.02, "bound, .02")
    logarithmic(bottom, "y")
    bottom.set(xlabel="step of D", ylabel="largest |D − p/(p + q)|")
    bottom.legend(loc="upper right")
    return Drawing(
        figure,
        "Top: two densities as areas, and the curves of the trained discriminators lying on the dashed curve of the "
        "ratio p/(p + q) except in the grey margins. Bottom: the largest difference falls with the training steps to "
        "below the dashed line at .02.",
        f"Top: D of seeds {seed_list(settings['seeds'])} on the ratio that it was never shown. The margins outside the "
        "region that holds 99 % of the samples are grey. Bottom: the largest difference within the region while D "
        "learns.")
