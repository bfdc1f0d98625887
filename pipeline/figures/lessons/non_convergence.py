"""Paths of V = xy under four rules of play, and their distance from the equilibrium."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells, legend_above, logarithmic, panel_title
from pipeline.figures.style import BLACK, BLUE, GREEN, PURPLE, VERMILION, WIDTH

RULES = {"simultaneous": ("at once", VERMILION), "alternating": ("in turn", BLUE),
         "average": ("average", PURPLE), "optimistic": ("optimistic", GREEN)}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    paths = outcome.tables["paths"]
    steps, eta = cells(paths, "step"), settings["eta"]
    seen = steps <= 2.6 * 2 * math.pi / eta
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(2, 3))
    reach = 1.08 * max(float(np.abs(cells(paths, f"simultaneous_{axis}")[seen]).max()) for axis in "xy")
    radii = figure.add_subplot(grid[1, :])
    for place, (rule, (name, colour)) in enumerate(RULES.items()):
        x, y = cells(paths, f"{rule}_x"), cells(paths, f"{rule}_y")
        axes = figure.add_subplot(grid[0, place])
        axes.plot(x[seen], y[seen], color=colour, linewidth=1)
        axes.plot([0], [0], marker="+", color=BLACK, markersize=6)
        axes.plot(x[:1], y[:1], marker="o", color=colour, markersize=3)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
        axes.tick_params(labelleft=place == 0)
        panel_title(axes, name, colour)
        radii.plot(steps, np.hypot(x, y), color=colour, label=name)
    radii.plot(steps, (1 + eta * eta) ** (steps / 2), color=BLACK, linewidth=1, linestyle=(0, (2, 3)),
               label="(1 + η²)^(step/2)")
    logarithmic(radii, "y")
    radii.set(xlabel="step", ylabel="distance from the equilibrium")
    legend_above(radii, columns=3)
    return Drawing(
        figure,
        "Above, four paths in the plane: at once spirals outwards, in turn closes to a ring, the average of in turn "
        "and the optimistic path go to the centre. Below, their distances from the centre by step: growing on the "
        "dashed line of theory, constant, and falling.",
        f"V = xy with η = {eta:g}. Above: the paths in (x, y) of the first {int(seen.sum()) - 1} steps; the cross is "
        "the equilibrium. Below: the distance from it, and what theory says of simultaneous steps (dotted).")
