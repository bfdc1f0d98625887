"""What was measured while a model was trained, by epoch: every seed, their range and their mean."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.artifacts.tables import write_csv
from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.files import save_figure
from pipeline.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VARIANT_COLOURS,
    VERMILION,
    WIDTH,
    legend,
    line_at,
    title_above,
)
from pipeline.results.curves import VALIDATION, TrainingCurves, mean_curve, seed_range

EITHER = "D cannot tell"
FIT_LABELS = {"cross_entropy": "cross-entropy / nats", "squared_jacobian_norm": "‖J‖² of the code",
              "free_energy_gap": "F(data) − F(chains) / nats"}


def training_figure(experiment: FinishedExperiment, folder: Path) -> list[Path]:
    """Losses, D's answers or what else was measured, and validation log-likelihood by epoch; nothing for models
    without epochs."""
    curves = TrainingCurves.read(experiment.folder / "curves.csv")
    tables = curves.tables()
    if not tables:
        return []
    ends = curves.phase_ends
    panels: list[Callable[[Axes], None]] = [functools.partial(_fit_panel, column, curves) for column in curves.fitted]
    if curves.has_players:
        panels += [functools.partial(_losses_panel, curves), functools.partial(_discriminator_panel, curves)]
    if curves.has_validation_curve:
        panels.append(functools.partial(_validation_panel, curves, experiment.training))
    figure = Figure(figsize=(WIDTH, 0.6 + 2 * len(panels)), layout="constrained")
    places = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, draw in zip(places, panels, strict=True):
        draw(axes)
    _mark_phases(list(places), ends)
    places[-1].set_xlabel("epoch")
    places[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    seeds = [entry["seed"] for entry in experiment.training["seeds"]]
    many = f"seeds {', '.join(map(str, seeds))} (thin, range shaded), mean" if len(seeds) > 1 else f"seed {seeds[0]}"
    title_above(figure, experiment.title("training", more=[many]))
    return [save_figure(figure, folder / "training.png"),
            *(write_csv(folder / f"{name}.csv", list(table), zip(*table.values(), strict=True))
              for name, table in tables.items())]


def _mark_phases(panels: Sequence[Axes], ends: Mapping[int, str]) -> None:
    """A vertical line after each last epoch of a game or a layer, named in the last panel."""
    for epoch, what in ends.items():
        for axes in panels:
            axes.axvline(epoch + 0.5, color=BLACK, linewidth=0.8, zorder=1)
        panels[-1].annotate(f"{what} ends", (epoch + 0.5, 0), xycoords=("data", "axes fraction"), xytext=(-3, 4),
                            textcoords="offset points", ha="right", va="bottom", rotation=90, fontsize=8)


def _fit_panel(column: str, curves: TrainingCurves, axes: Axes) -> None:
    """What is measured while fitting; each layer has a scale of its own."""
    _draw(axes, curves.columns[column], BLUE, "", [*curves.phase_ends])
    axes.set_ylabel(FIT_LABELS[column])


def _losses_panel(curves: TrainingCurves, axes: Axes) -> None:
    ends = [*curves.phase_ends]
    line_at(axes, math.log(2), f"log 2: {EITHER}")
    _draw(axes, curves.columns["discriminator_loss"], BLUE, "discriminator", ends)
    if any(curves.columns["generator_loss"].values()):  # in nats; another distance is none
        _draw(axes, curves.columns["generator_loss"], VERMILION, "generator", ends)
    axes.set_ylabel("loss / nats")
    legend(axes)


def _discriminator_panel(curves: TrainingCurves, axes: Axes) -> None:
    ends = [*curves.phase_ends]
    line_at(axes, 0.5, f"½: {EITHER}")
    _draw(axes, curves.columns["d_on_data"], GREEN, "on data, D(x)", ends)
    _draw(axes, curves.columns["d_on_samples"], PURPLE, "on samples, D(G(z))", ends)
    axes.set_ylabel("mean output of D")
    axes.set_ylim(-0.03, 1.03)
    legend(axes)


def _validation_panel(curves: TrainingCurves, training: Mapping[str, Any], axes: Axes) -> None:
    for variant, column in VALIDATION.items():
        colour = VARIANT_COLOURS[variant]
        measured = {seed: curve for seed, curve in curves.columns[column].items() if curve}
        _draw(axes, measured, colour, variant, dots=True)
        chosen = [(seed["variants"][variant]["epoch"], seed["variants"][variant]["validation_log_likelihood"])
                  for seed in training["seeds"] if variant in seed["variants"]]
        points = [(epoch, value) for epoch, value in chosen if epoch is not None and value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), linestyle="none", marker="o", markersize=7, markerfacecolor="none",
                      markeredgecolor=colour, markeredgewidth=1.4, zorder=4)
    axes.plot([], [], linestyle="none", marker="o", markersize=7, markerfacecolor="none", markeredgecolor=GREY,
              markeredgewidth=1.4, label="epoch taken")
    axes.set_ylabel("validation\nlog-likelihood / nats")
    legend(axes)


def _draw(axes: Axes, by_seed: Mapping[int, Mapping[int, float]], colour: str, label: str, ends: Sequence[int] = (),
          dots: bool = False) -> None:
    """Every seed as a thin line in a band from the lowest to the highest, their mean as a thick one.

    All are broken after the epochs `ends`: what follows is new.
    """
    marker = "." if dots else ""
    if len(by_seed) > 1:
        low, high = seed_range(by_seed)
        (epochs, lows), (_, highs) = _broken(low, ends), _broken(high, ends)
        axes.fill_between(epochs, lows, highs, color=colour, alpha=0.14, linewidth=0)
        for curve in by_seed.values():
            axes.plot(*_broken(curve, ends), color=colour, linewidth=0.7, alpha=0.55)
    mean = mean_curve(by_seed)
    if mean:
        alone = "o" if len(mean) == 1 else marker
        axes.plot(*_broken(mean, ends), color=colour, label=label, marker=alone, markersize=4)


def _broken(curve: Mapping[int, float], ends: Sequence[int]) -> tuple[list[float], list[float]]:
    """Epochs and values, with a gap after each of `ends`."""
    points = sorted([*curve.items(), *((end + 0.5, math.nan) for end in ends)])
    return [epoch for epoch, _ in points], [value for _, value in points]
