"""What each loss teaches G while D gets sure, and the digits that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import Drawing, cells_where, logarithmic, seed_list, strips
from pipeline.figures.style import BLACK, BLUE, VERMILION, WIDTH

LOSS_NAMES = {"minimax": "log(1 − D)", "non_saturating": "−log D"}
LOSS_COLOURS = {"minimax": VERMILION, "non_saturating": BLUE}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    frozen, trained = outcome.tables["frozen"], outcome.tables["training"]
    figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(3, 3, 2.6))
    norms, sure = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    rejected, energy = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    for i, seed in enumerate(settings["seeds"]):
        steps = cells_where(frozen, "step", seed=seed) + 1
        for loss, colour in LOSS_COLOURS.items():
            label = "" if i else LOSS_NAMES[loss]
            norms.plot(steps, cells_where(frozen, loss, seed=seed), color=colour, linewidth=1.1, label=label)
            rounds = cells_where(trained, "round", seed=seed, loss=loss)
            for axes, column in ((rejected, "d_on_samples"), (energy, "energy_distance")):
                axes.plot(rounds, cells_where(trained, column, seed=seed, loss=loss), color=colour, linewidth=1.1)
        sure.plot(steps, cells_where(frozen, "d_on_samples", seed=seed), color=BLACK, linewidth=1.1)
    for axes in (norms, sure):
        logarithmic(axes, "x", "y")
        axes.set_xlabel("step of D + 1, G frozen")
    norms.set_ylabel("norm of G’s gradient")
    sure.set_ylabel("mean D(G(z))")
    logarithmic(rejected, "y")
    rejected.set(xlabel="round, both trained", ylabel="mean D(G(z))")
    energy.set(xlabel="round, both trained", ylabel="energy distance", ylim=(0, None))
    handles, labels = norms.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, title="G minimises", alignment="left")
    pictures = figure.add_subplot(grid[2, :])
    rows = [(LOSS_NAMES[name], outcome.images[f"{name}, seed {seed}"])
            for name in LOSS_NAMES for seed in settings["seeds"]]
    strips(pictures, rows)
    return Drawing(
        figure,
        "Four panels and a grid of samples. With the generator frozen, the gradient norm under log(1 − D) rises and "
        "then falls with D(G(z)); under −log D it goes on rising. Below, rows of samples after training with each.",
        f"Above: G frozen while D gets sure. Middle: both trained, seeds {seed_list(settings['seeds'])}. Below: the "
        "first samples at the end, a row for each loss and seed; nothing chosen.")
