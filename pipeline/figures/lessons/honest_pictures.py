"""The same draws three times: the first, D's best and D's worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells, strips
from pipeline.figures.style import WIDTH

GRIDS = {"first": "the first {shown} of {drawn:,} drawn:\nnothing chosen",
         "best": "the {shown} of {drawn:,} drawn\nthat D scores highest",
         "worst": "the {shown} of {drawn:,} drawn\nthat D scores lowest"}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    table = outcome.tables["grids"]
    figure = Figure(figsize=(WIDTH, 3.45), layout=ConstrainedLayoutEngine(wspace=0.06))
    panels = figure.subplots(1, len(GRIDS))
    for i, (axes, (name, text)) in enumerate(zip(panels, GRIDS.items(), strict=True)):
        strips(axes, [("", part) for part in outcome.images[name].split(5)])
        axes.set_yticks([])
        axes.set_title(text.format(**settings), loc="left", fontsize=7.5, pad=5)
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color("#c8c8c8")
        axes.set_xlabel(f"mean D {cells(table, 'score')[i]:.2f}\njudge {cells(table, 'probability')[i]:.2f}\n"
                        f"mean distance {cells(table, 'mean_distance')[i]:.1f}", fontsize=7.5, loc="left")
    return Drawing(
        figure,
        "Three grids of digits side by side: the first drawn, those that D scores highest, and those it scores lowest.",
        f"All three from the same {settings['drawn']:,} draws of seed {settings['seed']}. Under each: the mean score "
        "by D, the mean probability that the judge gives its own answer, and the mean distance between two pictures.")
