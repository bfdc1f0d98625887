"""C(G) around its minimum, and the game that comes to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from gan.lessons.one_dimension import LOG_4
from pipeline.figures.lessons.panel import SEED, Drawing, cells_where, logarithmic, seed_list
from pipeline.figures.style import BLUE, VERMILION, WIDTH, line_at


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    family, game = outcome.tables["family"], outcome.tables["game"]
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    (by_mean, by_deviation), (values, halves) = figure.subplots(2, 2)
    for axes, moved, label in ((by_mean, "mean", "μ of p_g = N(μ, 1)"),
                               (by_deviation, "deviation", "s of p_g = N(0, s²)")):
        at = cells_where(family, moved, moved=moved)
        axes.plot(at, cells_where(family, "predicted", moved=moved), color=VERMILION, label="−log 4 + 2·JSD")
        axes.plot(at, cells_where(family, "reached", moved=moved), color=BLUE, linestyle="none", marker="o",
                  markersize=4, markerfacecolor="none", label="V with D trained")
        axes.set(xlabel=label, ylim=(-1.46, 0))
        line_at(axes, -LOG_4, "−log 4")
    by_deviation.set_xscale("log")
    by_deviation.set_xticks([1 / 3, 1, 3], ["⅓", "1", "3"])
    by_deviation.minorticks_off()
    by_mean.set_ylabel("nats")
    by_deviation.legend(loc="upper center", borderaxespad=0.1)
    for i, seed in enumerate(settings["seeds"]):
        rounds = cells_where(game, "round", seed=seed) + 1
        values.plot(rounds, -LOG_4 + 2 * cells_where(game, "jsd", seed=seed), color=VERMILION, **SEED,
                    label="" if i else "C(G)")
        values.plot(rounds, cells_where(game, "value", seed=seed), color=BLUE, **SEED, label="" if i else "V(D, G)")
        halves.plot(rounds, cells_where(game, "to_half", seed=seed), color=BLUE, **SEED)
    line_at(values, -LOG_4, "−log 4")
    for axes in (values, halves):
        logarithmic(axes, "x")
        axes.set_xlabel("round of the game + 1")
    values.set(ylabel="nats", ylim=(-1.56, -0.4))
    values.legend(loc="upper right")
    halves.set(ylabel="largest |D − ½|", ylim=(0, 0.52))
    line_at(halves, 0.05, "bound, .05")
    halves.legend(loc="upper right")
    return Drawing(
        figure,
        "Four panels. Above, the value reached by trained discriminators lies on the curve of minus log 4 plus twice "
        "the Jensen–Shannon divergence, with its lowest point where the model equals the data. Below, in the trained "
        "game C and V come together at minus log 4, and the discriminator's distance from one half falls below .05.",
        "Above: C(G) by integration (line) and V as a D trained on samples reaches it (circles), as p_g is moved and "
        f"stretched. Below: the game of seeds {seed_list(settings['seeds'])}; the dashed line on the left is −log 4. "
        "At first V lies near it because D knows nothing yet.")
