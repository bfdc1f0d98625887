"""How fast a Markov chain moves: its states, and their autocorrelation."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from matplotlib.figure import Figure

from gan.baselines.chains import autocorrelation
from pipeline.artifacts.pixels import blank, mosaic, pixel_scale, to_pixels
from pipeline.artifacts.tables import write_csv
from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.files import save_figure, write_pixels
from pipeline.figures.images import RealImages, picture, scale_note
from pipeline.figures.style import BLUE, PIXELS, WIDTH, line_at, logarithmic_x, title_above
from pipeline.runtime.files import write_json

LAGS = 1000  # of the autocorrelation; fewer where the chain is shorter
CHAIN_ROWS, CHAIN_COLUMNS = 4, 10  # of the figures of a chain's states


def mixing_figures(experiment: FinishedExperiment, states: torch.Tensor, real: RealImages, folder: Path) -> list[Path]:
    """How fast one chain moves, from its consecutive states [n, d] as they were scored: its first ones, as many evenly
    over its whole length, and the autocorrelation.

    Of a chain that stands still there is no autocorrelation, and its figure and table are left out.
    """
    shown = min(CHAIN_ROWS * CHAIN_COLUMNS, len(states))
    apart = len(states) // shown
    written = _states(experiment, "consecutive", f"the first {shown} states of one chain, row by row", states[:shown],
                      real, folder)
    written += _states(experiment, "apart", f"every {apart:,}th of the {len(states):,} states of one chain, row by row",
                       states[apart - 1::apart][:shown], real, folder)
    lags = min(LAGS, len(states) - 1)
    try:
        correlations = autocorrelation(states, lags).tolist()
    except ValueError:
        return written
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, lags + 1), correlations[1:], color=BLUE)
    line_at(axes, 0)
    logarithmic_x(axes, 1, max(2, lags))
    axes.set_xlabel("lag / steps of the chain")
    axes.set_ylabel("autocorrelation")
    axes.set_ylim(min(-0.05, 1.05 * min(correlations)), 1.05)
    title_above(figure, experiment.title("mixing, autocorrelation of one chain", "raw"))
    return [*written, save_figure(figure, folder / "autocorrelation.png"),
            write_csv(folder / "autocorrelation.csv", ["lag", "raw"], enumerate(correlations))]


def _states(experiment: FinishedExperiment, name: str, what: str, states: torch.Tensor, real: RealImages,
            folder: Path) -> list[Path]:
    scale = pixel_scale(real.train, states)
    images = to_pixels(states, real.shape, scale)
    rows = math.ceil(len(states) / CHAIN_COLUMNS)
    grid = [list(images[row * CHAIN_COLUMNS:(row + 1) * CHAIN_COLUMNS]) for row in range(rows)]
    grid[-1] += [blank(real.shape)] * (CHAIN_COLUMNS - len(grid[-1]))
    canvas, _ = mosaic(grid, PIXELS)
    figure, _ = picture(canvas, experiment.title(f"mixing, {what}", "raw"), scale_note(scale))
    write_json(folder / f"states-{name}.json", {
        "shape": list(real.shape), "rows": rows, "columns": CHAIN_COLUMNS, "states": len(states),
        "black_to_white": scale})
    return [save_figure(figure, folder / f"mixing-{name}.png", in_full=real.shape[0] > 1),
            write_pixels(folder / f"states-{name}.png", grid), folder / f"states-{name}.json"]
