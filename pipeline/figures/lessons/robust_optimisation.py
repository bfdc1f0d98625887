"""Worst-case losses as the disturbance grows, and how near each game comes to its closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import Drawing, cells_where, logarithmic, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, PURPLE, SKY, VERMILION, WIDTH, Array

BOUNDS = {"features": "each feature disturbed", "matrix": "the whole matrix disturbed"}
GAPS = {"features": ("each feature", BLACK, "-"), "matrix": ("the whole matrix", GREY, (0, (4, 2)))}
PLAYS = {"at_once": VERMILION, "average": PURPLE, "slowly": SKY, "in_turn": BLUE, "extragradient": GREEN}
FLOOR = 1e-17
"""Drawn for what is 0 in double precision"""


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    tables = outcome.tables
    names = {"at_once": f"at once, η = {settings['portfolio_rate']:g}", "average": "its average",
             "slowly": f"at once, η = {settings['slow_rate']:g}", "in_turn": "in turn",
             "extragradient": "extragradient"}
    figure = Figure(figsize=(WIDTH, 7.6), layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=(2.5, 2.5, 2.6))
    above, middle, below = (figure.add_subfigure(grid[row]) for row in range(3))
    _losses(above, tables["losses"], settings)
    gap, radius = middle.subplots(1, 2)
    _gaps(gap, tables["course"], settings)
    _radii(radius, tables["portfolios"], settings)
    _paths(below, tables["paths"], settings, names)
    caution = _caution(settings)
    return Drawing(
        figure,
        "Five panels. Worst-case losses of least squares rise in straight lines as the disturbance grows; those of the "
        "robust game bend below them and lie on the closed form, for both kinds of disturbance. The regression games’ "
        "gaps fall to the precision of the computer. Where theory says that simultaneous steps grow, they end away "
        "from the equilibrium; in turn and by extragradient the portfolio reaches it.",
        f"Regression and portfolio against an adversary, seeds {seed_list(settings['seeds'])}. Above: the worst-case "
        "loss ‖y − (X + ΔX)w‖ by the disturbance’s radius; dots are the game, the thin line under them is the closed "
        "form’s minimum, found by other means. Middle left: by how much the game’s w could still gain against its "
        "last adversary, at the worst radius of each seed. Middle right: where the portfolio game at once ends, for "
        "every problem, by the factor that theory gives for one step near the equilibrium. Below: the portfolio "
        f"game’s distance from the closed form by step, κ = {caution:g} κ₀, a line for each seed; η is in units of 1 "
        f"over the players’ coupling. Everything below {FLOOR:g} is drawn there.".replace("1e-17", "10⁻¹⁷"))


def _losses(figure: SubFigure, table: Table, settings: Mapping[str, Any]) -> None:
    panels = figure.subplots(1, 2)
    for axes, (bound, title) in zip(panels, BOUNDS.items(), strict=True):
        for seed in settings["seeds"]:
            radii = cells_where(table, "radius", bound=bound, seed=seed)
            order = np.argsort(radii)
            for column, style in (("least_squares", {"color": VERMILION, "linewidth": 1.1}),
                                  ("closed_form", {"color": BLACK, "linewidth": 0.8}),
                                  ("game", {"color": BLUE, "marker": "o", "markersize": 3.2, "linestyle": "none"})):
                axes.plot(radii[order], cells_where(table, column, bound=bound, seed=seed)[order], **style)
        panel_title(axes, title)
        axes.set(xlabel="radius c / √n")
    panels[0].set_ylabel("worst-case loss")
    panels[1].sharey(panels[0])
    figure.legend(handles=[Line2D([], [], color=VERMILION, label="least squares"),
                           Line2D([], [], color=BLUE, marker="o", markersize=3.2, linestyle="none", label="the game"),
                           Line2D([], [], color=BLACK, linewidth=0.8, label="closed form")],
                  loc="outside upper left", ncols=3)


def _gaps(axes: Axes, table: Table, settings: Mapping[str, Any]) -> None:
    for bound, (name, colour, dashes) in GAPS.items():
        for i, seed in enumerate(settings["seeds"]):
            axes.plot(cells_where(table, "step", bound=bound, seed=seed),
                      _above_floor(cells_where(table, "gap", bound=bound, seed=seed)), color=colour, linestyle=dashes,
                      linewidth=1, label="" if i else name)
    logarithmic(axes, "y")
    panel_title(axes, "regression: gap of the game")
    axes.set(xlabel="step", ylabel="share of the loss", ylim=(FLOOR / 3, 10))
    axes.legend(loc="upper right", handlelength=1.6)


def _radii(axes: Axes, table: Table, settings: Mapping[str, Any]) -> None:
    for play, rate in (("at_once", settings["portfolio_rate"]), ("slowly", settings["slow_rate"])):
        axes.plot(cells_where(table, "radius", play=play), _above_floor(cells_where(table, "distance", play=play)),
                  linestyle="none", marker="o", markersize=3.2, color=PLAYS[play], label=f"η = {rate:g}")
    axes.axvline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    logarithmic(axes, "y")
    panel_title(axes, "portfolio at once")
    axes.set(xlabel="factor of a step by theory", ylabel="last distance")
    axes.legend(loc="lower right", handlelength=1)


def _paths(figure: SubFigure, table: Table, settings: Mapping[str, Any], names: Mapping[str, str]) -> None:
    axes = figure.subplots()
    caution = _caution(settings)
    for play, colour in PLAYS.items():
        for i, seed in enumerate(settings["seeds"]):
            where = {"play": play, "seed": seed, "caution": caution}
            axes.plot(cells_where(table, "step", **where), _above_floor(cells_where(table, "distance", **where)),
                      color=colour, linewidth=1, label="" if i else names[play])
    logarithmic(axes, "y")
    axes.set(xlabel="step", ylabel="distance", ylim=(FLOOR / 3, 10))
    figure.legend(loc="outside upper left", ncols=3)


def _caution(settings: Mapping[str, Any]) -> float:
    """The middle κ, for one is enough to be read."""
    cautions = sorted(settings["cautions"])
    return float(cautions[len(cautions) // 2])


def _above_floor(values: Array) -> Array:
    return np.maximum(values, FLOOR)
