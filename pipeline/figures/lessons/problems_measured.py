"""Real pictures and samples of every kind, and how often the fact that real ones share is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from torch import Tensor

from gan.lessons.lesson import Outcome, Table
from gan.lessons.parts.problems_measured_scenes import DIFFER, MISS, SIDE, Array
from pipeline.figures.lessons.panel import Drawing, cells_where, logarithmic, panel_title, seed_list
from pipeline.figures.style import BLUE, GREEN, GREY, PURPLE, VERMILION, WIDTH

LOWEST = 5e-4
"""Least share that is drawn"""
SAMPLES = {"all": ("samples, all", VERMILION), "well formed": ("samples, well formed", BLUE)}
WAVERING, SHUFFLED = ("real, made to waver", GREEN), ("real, parts shuffled", PURPLE)
EDGE = 2
"""Pixels of grey between two pictures"""
DASHES = (0, (3, 1.5))


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    kinds, seeds = [*(f"{count} discs" for count in settings["counts"]), "road", "eyes"], settings["seeds"]
    texts = {"road": ("three lines to one point", "largest miss / pixels", MISS),
             "eyes": ("two eyes of one size", "difference / mean area", DIFFER)}
    figure = Figure(figsize=(WIDTH, 0.5 + 1.5 * len(kinds)), layout="constrained")
    panels = figure.subplots(len(kinds), 2, width_ratios=(1.75, 1), squeeze=False)
    for (pictures, shares), name in zip(panels, kinds, strict=True):
        title, label, limit = texts.get(name, (name, "objects in the picture", None))
        _pictures(pictures, [("real", outcome.images[f"{name}, data"])] + [
            (f"seed {seed}", outcome.images[f"{name}, seed {seed}"]) for seed in seeds])
        panel_title(pictures, title)
        _histograms(shares, outcome.tables["histograms"], name, seeds)
        for (of, (_, colour)), side in zip(SAMPLES.items(), ("left", "right"), strict=True):
            shares.set_title(_range(cells_where(outcome.tables["scenes"], "wrong", scene=name, of=of)), loc=side,
                             color=colour, fontsize=7.5, pad=3)
        shares.set_xlabel(label)
        if limit:
            shares.axvline(limit, color=GREY, linewidth=1, linestyle=DASHES, zorder=1)
            shares.set_xticks([0, 0.5, 1, 1.5, 2], ["0", ".5", "1", "1.5", "≥ 2"])
        else:
            shares.set_xticks(range(7), [*map(str, range(6)), "≥ 6"])
    handles = [Patch(color=GREY, alpha=0.45, linewidth=0, label="real"),
               *(Line2D([], [], color=colour, label=text) for text, colour in SAMPLES.values()),
               *(Line2D([], [], color=colour, label=text, linestyle=DASHES) for text, colour in (WAVERING, SHUFFLED))]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=1.6, columnspacing=1.4)
    return Drawing(
        figure,
        "A row for each kind of picture: two discs, three discs, three lines to one point, two eyes of one size. On "
        "the left a line of real pictures above a line of samples for each seed; on the right histograms. Real "
        "pictures stand in one bin; samples spread to other numbers of discs, to misses and to eyes of two sizes.",
        f"Left: the first real pictures and the first samples of seeds {seed_list(seeds)}, nothing chosen. Right: the "
        "share of each number of objects, of each largest miss and of each difference of areas, a line for each seed, "
        "on a logarithmic scale from .0005. Right of the grey dashed line a picture counts as wrong. Above each "
        "histogram stands the share of wrong samples, of the seed with the fewest to the one with the most.")


def _pictures(axes: Axes, rows: list[tuple[str, Tensor]]) -> None:
    """Rows of pictures on grey, each with its name on the left."""
    count, pitch = len(rows[0][1]), SIDE + EDGE
    canvas = np.full((len(rows) * pitch + EDGE, count * pitch + EDGE), 0.72)
    for i, (_, images) in enumerate(rows):
        for j, image in enumerate(images.view(-1, SIDE, SIDE).numpy()):
            top, left = i * pitch + EDGE, j * pitch + EDGE
            canvas[top:top + SIDE, left:left + SIDE] = 1 - image
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([i * pitch + EDGE + SIDE / 2 for i in range(len(rows))], [name for name, _ in rows])
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=7)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _range(shares: Array) -> str:
    """The least and the greatest of shares, as “.05–.14 wrong”."""
    ends = [f"{share:.2f}".removeprefix("0") for share in (np.nanmin(shares), np.nanmax(shares))] \
        if np.isfinite(shares).any() else ["?"]
    return "–".join(dict.fromkeys(ends)) + " wrong"


def _histograms(axes: Axes, table: Table, name: str, seeds: list[int]) -> None:
    """Real pictures as an area, samples of every seed, and what chance gives where there is such a thing."""
    def stairs(source: str, of: str, **style: Any) -> None:
        where = {"scene": name, "source": source, "of": of}
        low, high, share = (cells_where(table, column, **where) for column in ("low", "high", "share"))
        if len(share):
            axes.stairs(np.maximum(share, LOWEST / 10), [*low, high[-1]], baseline=LOWEST / 10, **style)

    stairs("data", "all", color=GREY, alpha=0.45, fill=True, linewidth=0)
    for of, (_, colour) in SAMPLES.items():
        for seed in seeds:
            stairs(f"seed {seed}", of, color=colour, linewidth=0.9, alpha=0.8)
    for seed in seeds:
        stairs("data", f"wobble of seed {seed}", color=WAVERING[1], linewidth=0.9, linestyle=DASHES)
    stairs("data", "shuffled", color=SHUFFLED[1], linewidth=1.2, linestyle=DASHES)
    logarithmic(axes, "y")
    axes.set(ylim=(LOWEST, 1.6), ylabel="share")
