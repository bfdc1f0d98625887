"""How often a − b + c has both attributes, by how many z were averaged, and the first sums of each seed as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import Drawing, cells, cells_where, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, SKY, WIDTH, Array, line_at

LENGTHS = {"as it is": ("the sum as it is", BLUE), "as long as z": ("made as long as a z", SKY)}
COLOURS, GAP, MARGIN = 3, 2, 10


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    rates, attributes, seeds = outcome.tables["rates"], outcome.tables["attributes"], settings["seeds"]
    sums = list(dict.fromkeys(name.rsplit(", seed ", 1)[0] for name in outcome.images))
    above, tall = 4.9, 1.4
    figure = Figure(figsize=(WIDTH, above + tall * max(1, len(sums))), layout="constrained")
    (curves,), (samples,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(above, tall * max(1, len(sums))))
    grid = curves.add_gridspec(2, 6, height_ratios=(1.1, 1))
    share, readable = curves.add_subplot(grid[0, :3]), curves.add_subplot(grid[0, 3:])
    averages = settings["averaged"]
    for length, (label, colour) in LENGTHS.items():
        for axes, column in ((share, "share"), (readable, "readable")):
            each = [_means(rates, column, settings, seed=seed, length=length) for seed in seeds]
            for values in each:
                axes.plot(averages, values, color=colour, linewidth=0.8, alpha=0.7)
            axes.plot(averages, np.mean(each, 0), color=colour, marker="o", markersize=3.5,
                      label=label if axes is share else "")
    share.plot(averages, _means(rates, "linear_code", settings), color=BLACK, linewidth=1.2, linestyle=(0, (1, 1.5)),
               label="theory: directions that tell as often")
    ideal = outcome.tables["ideal"]
    share.plot(cells(ideal, "averaged"), cells(ideal, "share"), color=BLACK, linewidth=0.8, linestyle=(0, (5, 2)),
               label="theory: directions that tell always")
    line_at(share, _mean(cells_where(rates, "base_rate")), "chance")
    real = outcome.numbers.get("share of test images that the judge takes for the digit")
    if real is not None:
        line_at(readable, float(real))
    for axes, label in ((share, "share with both attributes"), (readable, f"share read as a {settings['digit']}")):
        axes.set(xlabel="z averaged for each concept", ylabel=label, ylim=(0, 1.03))
        axes.set_xticks(averages)
    handles, labels = share.get_legend_handles_labels()
    curves.legend(handles, labels, loc="outside upper left", ncols=2, handlelength=1.8, columnspacing=1.2)
    _pairs(curves.add_subplot(grid[1, :4]), rates, seeds)
    _directions(curves.add_subplot(grid[1, 4:]), attributes)
    places = samples.subplots(max(1, len(sums)), 3, squeeze=False)
    for axes in places.flat:
        axes.set_axis_off()
    for row, text in zip(places, sums, strict=False):
        for axes, seed in zip(row, seeds, strict=False):
            images = outcome.images.get(f"{text}, seed {seed}")
            if images is not None:
                axes.imshow(block(images), interpolation="nearest")
        panel_title(row[0], text)
    return Drawing(
        figure,
        "Curves of the share of sums with both attributes against how many inputs were averaged, beside chance and two "
        "curves of theory; how often sums can be read; shares for each pair of attributes; how well a plane tells each "
        "attribute; and blocks of coloured digits, three columns of exemplars with their means, and nine results.",
        f"How often a − b + c has both attributes, and what it looks like. Above: thin, seeds {seed_list(seeds)}; "
        "thick, their mean over all sums; dotted, what is expected if each attribute is told by a direction as often "
        f"as it is on the right below, dashed, if always; on the right, grey, test images that are read as a "
        f"{settings['digit']}. Middle: bars are means, dots the seeds. Below: the first draw of three sums, a block "
        f"for each of seeds {seed_list(seeds[:3])}, nothing chosen: three exemplars of each concept in a column, in "
        "the order of the title, under them the sample of their mean; right, that of the sum in the middle of eight to "
        "which noise was added.")


def _mean(values: Array) -> float:
    """NaN of nothing, without a warning."""
    return float(values.mean()) if len(values) else math.nan


def _means(rates: Table, column: str, settings: Mapping[str, Any], **where: int | str) -> list[float]:
    """A value for each number of averaged z, over all sums."""
    return [_mean(cells_where(rates, column, averaged=averaged, **where)) for averaged in settings["averaged"]]


def _pairs(axes: Axes, rates: Table, seeds: Sequence[int]) -> None:
    """Single z and means of three beside chance, for each pair of attributes."""
    pairs = list(dict.fromkeys(rates["pair"]))
    bars = (("chance", GREY, "base_rate", 3), ("single z", GREEN, "share", 1), ("means of three", BLUE, "share", 3))
    for i, (name, colour, column, averaged) in enumerate(bars):
        each = np.array([[_mean(cells_where(rates, column, pair=pair, seed=seed, averaged=averaged, length="as it is"))
                          for pair in pairs] for seed in seeds])
        at = np.arange(len(pairs)) + 0.28 * (i - 1)
        axes.bar(at, each.mean(0), width=0.26, color=colour, label=name)
        axes.plot(np.tile(at, len(seeds)), each.ravel(), linestyle="none", marker=".", markersize=3, color=BLACK)
    axes.set(ylabel="share with both", ylim=(0, 1.03))
    axes.set_xticks(np.arange(len(pairs)), [str(pair).replace(" and ", "\nand ") for pair in pairs])
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.1, handlelength=1.0,
                columnspacing=0.9, fontsize=7.5)


def _directions(axes: Axes, attributes: Table) -> None:
    """How often the side of a plane in z tells an attribute."""
    names = list(dict.fromkeys(attributes["attribute"]))
    for place, name in enumerate(names):
        values = cells_where(attributes, "linear", attribute=name)
        axes.plot([place] * len(values), values, linestyle="none", marker=".", markersize=5, color=BLACK)
    axes.set(ylim=(0.45, 1.03), xlim=(-0.5, len(names) - 0.5))
    axes.set_title("told by a\nplane in z", loc="left", fontsize=8, pad=4)
    axes.set_xticks(range(len(names)), [str(name) for name in names], fontsize=7.5)
    axes.grid(visible=False, axis="x")


def block(images: torch.Tensor) -> Array:
    """[h, w, 3] of 21 images: three exemplars of a, of b and of c, the means of each, and the sum with eight around.

    On the right is a margin, so that blocks stand apart.
    """
    side = math.isqrt(images.shape[1] // COLOURS)
    pixels = images.view(-1, COLOURS, side, side).permute(0, 2, 3, 1).double().numpy()
    step = side + GAP
    canvas = np.ones((4 * step + GAP, 6 * step + 2 * GAP + MARGIN, COLOURS))

    def place(image: int, top: int, left: int) -> None:
        canvas[top:top + side, left:left + side] = pixels[image]

    for concept in range(3):
        for exemplar in range(3):
            place(3 * concept + exemplar, exemplar * step, concept * step)
        place(9 + concept, 3 * step + 2 * GAP, concept * step)
    for spot, image in enumerate((13, 14, 15, 16, 12, 17, 18, 19, 20)):
        place(image, (spot // 3) * step + side // 2, (3 + spot % 3) * step + 3 * GAP)
    return canvas
