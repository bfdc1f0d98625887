"""Which digits are drawn on request, what each ingredient adds, and chains that go from one digit to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import Drawing, cells_where, legend_above, panel_title, seed_list, strips
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, PURPLE, SKY, VERMILION, WIDTH, YELLOW, line_at

NAMES = {"everything": "everything", "no adversary": "no adversary", "no features": "no matched features",
         "no denoiser": "no denoiser, ε₁ = 0", "no noise": "no noise, ε₃ = 0", "neither": "neither, ε₁ = ε₃ = 0",
         "Langevin’s weight": "Langevin’s own ε₂", "not steered": "not steered, ε₂ = 0"}
COLOURS = {"everything": BLUE, "no adversary": GREEN, "no features": YELLOW, "no denoiser": VERMILION,
           "no noise": PURPLE, "neither": BLACK, "Langevin’s weight": SKY, "not steered": GREY}
MARKERS = {"everything": "o", "no adversary": "^", "no features": "v", "no denoiser": "s", "no noise": "D",
           "neither": "X", "Langevin’s weight": "P", "not steered": "*"}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    variants, seeds = outcome.tables["variants"], settings["seeds"]
    figure = Figure(figsize=(WIDTH, 9.0), layout="constrained")
    grid = figure.add_gridspec(7, 2, height_ratios=(2.0, 2.4, 1, 1, 1, 1, 1))
    _class_bars(figure.add_subplot(grid[0, :]), outcome.tables["classes"], seeds)
    kinds, course = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    for name, colour in COLOURS.items():
        hits = cells_where(variants, "asked_for", variant=name)
        for axes, column in ((kinds, "variety"), (course, "moved")):
            axes.plot(cells_where(variants, column, variant=name), hits, linestyle="none", marker=MARKERS[name],
                      markersize=8 if name == "everything" else 4, color=colour, markeredgewidth=0, alpha=0.9,
                      label=NAMES[name] if axes is kinds else "")
    for axes, label in ((kinds, "distance of two pictures of a class"),
                        (course, f"distance in a chain, {settings['later']} steps on")):
        axes.set(xlabel=f"{label}\n(1: two test images of a class)", xlim=(0, 1.15), ylim=(0, 1.03))
        line_at(axes, 0.1)
    kinds.set_ylabel("share that shows the class")
    handles, labels = kinds.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handletextpad=0.2, columnspacing=0.9)
    for place, (name, title) in enumerate(NAMES.items()):
        axes = figure.add_subplot(grid[2 + place // 2, place % 2])
        strips(axes, [("", part) for part in outcome.images[name].split(10)])
        axes.set_yticks([])
        panel_title(axes, title)
    axes = figure.add_subplot(grid[6, :])
    strips(axes, [(f"seed {seed}", outcome.images[f"walk, seed {seed}"]) for seed in seeds])
    panel_title(axes, "one chain that is asked for 0, 1, …, 9 in turn")
    return Drawing(
        figure,
        "Bars of how often each digit is drawn when it is asked for, far above those without steering. Two scatter "
        "plots of that share against variety, where leaving out the noise loses the variety and leaving out the "
        "denoiser loses the share. Rows of digits, for each variant and along chains.",
        f"Above: bars are means over seeds {seed_list(seeds)}, dots the seeds; dashed, chance. Middle: a mark for each "
        "seed. Below: the first picture of each class that was asked for, 0 to 9, a row for each seed, nothing chosen; "
        f"then one chain of each seed, {settings['walk']} steps for each class.")


def _class_bars(axes: Axes, classes: Table, seeds: Sequence[int]) -> None:
    digits = np.arange(10)
    for place, (name, column) in enumerate((("everything", "asked_for"), ("not steered", "drawn"))):
        shares = np.array([[float(cells_where(classes, column, variant=name, seed=seed, **{"class": digit})[0])
                            for digit in range(10)] for seed in seeds])
        at = digits + 0.4 * (place - 0.5)
        axes.bar(at, shares.mean(0), width=0.38, color=COLOURS[name],
                 label=("that class was asked for", "nothing steers")[place])
        axes.plot(np.tile(at, len(seeds)), shares.ravel(), linestyle="none", marker=".", markersize=3, color=BLACK)
    line_at(axes, 0.1)
    axes.set(xlabel="digit, as the judge takes it", ylabel="share of pictures", ylim=(0, 1.03))
    axes.set_xticks(digits)
    axes.grid(visible=False, axis="x")
    legend_above(axes, columns=2)
