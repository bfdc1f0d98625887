"""The same draws three times: the first, D's best and D's worst; and what that does with every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells_where, panel_title, seed_list, strips
from pipeline.figures.style import BLACK, BLUE, GREY, VERMILION, WIDTH

GRIDS = {"first": "the first {shown} of {drawn:,} drawn:\nnothing chosen",
         "best": "the {shown} of {drawn:,} drawn\nthat D scores highest",
         "worst": "the {shown} of {drawn:,} drawn\nthat D scores lowest"}
COLOURS = {"worst": VERMILION, "first": BLACK, "best": BLUE}
MEASURES = {"score": "mean D", "probability": "judge’s mean probability", "mean_distance": "mean distance of two"}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    table, seeds = outcome.tables["grids"], settings["seeds"]
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    rows: Sequence[Any] = [list(GRIDS), list(MEASURES)]
    panels = figure.subplot_mosaic(list(rows), height_ratios=(5, 3))
    for name, text in GRIDS.items():
        axes = panels[name]
        strips(axes, [("", part) for part in outcome.images[f"{name}, seed {seeds[0]}"].split(5)])
        axes.set_yticks([])
        axes.set_title(text.format(**settings), loc="left", fontsize=7.5, pad=5, color=COLOURS[name])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color("#c8c8c8")
    for column, title in MEASURES.items():
        axes = panels[column]
        for seed in seeds:
            values = [float(cells_where(table, column, grid=name, seed=seed)[0]) for name in COLOURS]
            axes.plot(range(len(values)), values, color=GREY, linewidth=0.8, zorder=1)
            axes.scatter(range(len(values)), values, color=list(COLOURS.values()), s=12, zorder=2)
        axes.set_xticks(range(len(COLOURS)), list(COLOURS))
        axes.set_xlim(-0.4, len(COLOURS) - 0.6)
        panel_title(axes, title)
    return Drawing(
        figure,
        "Three grids of digits side by side: the first drawn, those that D scores highest, and those it scores lowest. "
        "Below, for each seed, the score by D, the judge’s probability and the distance between pictures of each grid.",
        f"Above: three grids from the same {settings['drawn']:,} draws of seed {seeds[0]}. Below: each line is a seed "
        f"({seed_list(seeds)}), with the mean score by D, the mean probability that the judge gives its own answer, "
        "and the mean distance between two pictures of each grid.")
