"""Validation log-likelihood against the bandwidth σ: both searches, and where they choose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.artifacts.tables import write_csv
from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.files import save_figure
from pipeline.figures.style import BLACK, GREY, VARIANT_COLOURS, WIDTH, Array, legend, logarithmic_x, title_above
from pipeline.results.bandwidth import BandwidthCurves, around_the_choice, read_searches
from pipeline.results.metrics import UNIT_SCALE, variants_of


def bandwidth_figure(experiment: FinishedExperiment, folder: Path) -> list[Path]:
    """Validation log-likelihood against σ: both searches whole, and the top, where they choose."""
    searches = read_searches(experiment.bandwidth, {
        variant: experiment.seed(variant) for variant in variants_of(experiment.evaluation)})
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    whole, top = figure.subplots(2, 1)
    for variant, curves in searches.items():
        colour = VARIANT_COLOURS.get(variant, BLACK)
        whole.plot(*_arrays(curves.points), color=colour, label=variant)
        whole.plot(*_arrays(curves.paper_grid.points), linestyle="none", marker="s", markersize=4, color=colour)
        _top_lines(top, variant, curves)
    tried = [sigma for curves in searches.values() for sigma in curves.points]
    logarithmic_x(whole, min(tried), max(tried))
    whole.set_ylabel("validation\nlog-likelihood / nats")
    whole.plot([], [], color=GREY, linestyle="none", marker="s", markersize=4, label="the paper's grid")
    legend(whole)
    _zoom(top, list(searches.values()))
    top.xaxis.set_major_locator(MaxNLocator(6))
    top.set_ylabel("below the best / nats")
    top.set_xlabel(f"bandwidth σ ({_scale_in_words(experiment.evaluation)})")
    legend(top, columns=2)
    seeds = [f"{variant} seed {experiment.seed(variant)}" for variant in searches]
    title_above(figure, experiment.title("choice of the bandwidth", more=seeds))
    return [save_figure(figure, folder / "bandwidth.png"), _write_bandwidths(folder / "bandwidth.csv", searches)]


def _scale_in_words(evaluation: Mapping[str, Any]) -> str:
    scale = evaluation.get("scale", UNIT_SCALE)
    return "pixels run from 0 to 1" if scale == UNIT_SCALE else str(scale)


def _arrays(points: Mapping[float, float]) -> tuple[Array, Array]:
    """Bandwidths and log-likelihoods."""
    return np.array([*points], np.float64), np.array([*points.values()], np.float64)


def _top_lines(axes: Axes, variant: str, curves: BandwidthCurves) -> None:
    """What is lost against the best bandwidth: variants far apart in log-likelihood are drawn on one scale."""
    colour = VARIANT_COLOURS.get(variant, BLACK)
    bandwidths, values = _arrays(curves.points)
    losses = values - curves.best
    on_grid, of_grid = _arrays(curves.paper_grid.points)
    axes.plot(bandwidths, losses, color=colour)
    axes.plot(on_grid, of_grid - curves.best, linestyle="none", marker="s", markersize=4, color=colour)
    for search, style, marker, name in ((curves.refined, "-", "o", "refined"),
                                        (curves.paper_grid, (0, (2, 2)), "D", "paper's grid")):
        axes.axvline(search.chosen, color=colour, linewidth=0.9, linestyle=style, zorder=1)
        axes.plot([search.chosen], np.interp([search.chosen], bandwidths, losses), linestyle="none", marker=marker,
                  markersize=8, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.3,
                  label=f"{variant}, {name}: σ = {search.chosen:.3f}")
        axes.vlines(search.of_folds, 0, 0.1, transform=axes.get_xaxis_transform(), color=colour, linewidth=1.6,
                    linestyle=style, alpha=0.5)
    if curves.refined.of_folds:
        axes.plot([], [], color=colour, linestyle="none", marker="|", markersize=8, alpha=0.5,
                  label=f"{variant}: each fold's σ")


def _zoom(axes: Axes, searches: Sequence[BandwidthCurves]) -> None:
    """Every chosen bandwidth of every variant, and as much again around them."""
    low, high = around_the_choice(searches)
    losses = []
    for curves in searches:
        bandwidths, values = _arrays(curves.points)
        seen = [*values[(bandwidths >= low) & (bandwidths <= high)], *np.interp([low, high], bandwidths, values)]
        losses += [value - np.nanmax(values) for value in seen if math.isfinite(value)]
    depth = max(1.0, -min(losses, default=0.0))
    axes.set_xlim(low, high)
    axes.set_ylim(-1.06 * depth, 0.09 * depth)


def _write_bandwidths(path: Path, searches: Mapping[str, BandwidthCurves]) -> Path:
    """`bandwidth`, one column per variant with its validation log-likelihood, and the `grid` each σ belongs to."""
    points = {variant: curves.points for variant, curves in searches.items()}
    of_paper = {sigma for curves in searches.values() for sigma in curves.paper_grid.points}
    return write_csv(path, ["bandwidth", *points, "grid"], (
        [sigma, *(curve.get(sigma) for curve in points.values()), "paper" if sigma in of_paper else "refined"]
        for sigma in sorted({sigma for curve in points.values() for sigma in curve})))
