"""Rock, paper, scissors turns and spirals; bidders in an auction settle at half of their value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import SEED, Drawing, cells, cells_where, logarithmic, panel_title, seed_list
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION, WIDTH, Array

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]])
"""Where all play rock, paper, scissors"""
SPIRAL = 3000
"""Steps of multiplicative weights that are drawn as a path"""
DASHED = (0, (4, 3))


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    tables, seeds = outcome.tables, settings["seeds"]
    figure = Figure(figsize=(WIDTH, 6.8), layout="constrained")
    (triangle, spiral), (control, auction), (bids, revenue) = figure.subplots(3, 2)
    _triangle(triangle, tables)
    weights = tables["weights"]
    for column, colour in (("distance", VERMILION), ("distance_of_average", PURPLE)):
        spiral.plot(cells(weights, "step")[1:], cells(weights, column)[1:], color=colour, linewidth=1.2)
    _by_round(control, tables["drawn_play"], seeds, "player", "round", ("distance", "distance_of_average"))
    _by_round(auction, tables["auctions"], seeds, "bidder", "auctions", ("last", "average"))
    for axes, title, label, equilibrium in (
            (spiral, "fixed steps", "step", "⅓ each"), (control, "falling steps, moves drawn", "round", "⅓ each"),
            (auction, "auction: falling steps", "auction", "v/2")):
        logarithmic(axes, "x", "y")
        axes.set(xlabel=label, ylim=(4e-4, 1.5), ylabel=f"distance from {equilibrium}")
        panel_title(axes, title)
    _bids(bids, tables["bids"], seeds)
    _revenue(revenue, tables["revenue"], seeds)
    lines = [(VERMILION, "what is played"), (PURPLE, "its average so far"), (BLUE, "replicator dynamics")]
    handles = [spiral.plot([], [], color=colour)[0] for colour, _ in lines]
    figure.legend(handles, [name for _, name in lines], loc="outside lower left", ncols=3)
    return Drawing(
        figure,
        "Above, a triangle of shares with closed orbits round its centre, a spiral that leaves the centre for the "
        "edges, and its average near the centre; beside it the distance of the spiral from the centre, growing, and "
        "that of its average, small. In the middle the same distances of players who take falling steps: what is "
        "played stays away from the centre, the averages come to it; in the auction both fall alike. Below, bids along "
        "the line of half the value, and revenues that come to one third.",
        "Above and in the middle on the left rock, paper, scissors: shares as points of a triangle, with closed orbits "
        f"of replicator dynamics and the first {SPIRAL:,} steps of multiplicative weights; how far these are from a "
        "third each; and the same of players who draw their moves and take falling steps, as the bidders do. The rest "
        "is the auction: how far bids are from v/2, mean over values; the last mean bids by value, with v/2 dashed; "
        "the mean revenue between one look and the next, with 1/3 dashed. Thin lines are the two players of each of "
        f"seeds {seed_list(seeds)}, or their sellers.")


def _triangle(axes: Axes, tables: Mapping[str, Table]) -> None:
    outline = np.vstack((CORNERS, CORNERS[:1]))
    axes.plot(*outline.T, color=GREY, linewidth=0.8)
    weights, orbits = tables["weights"], tables["orbits"]
    seen = cells(weights, "step") <= SPIRAL
    axes.plot(*_points(weights)[seen].T, color=VERMILION, linewidth=0.7)
    above = cells(orbits, "above")
    for start in np.unique(above):
        axes.plot(*_points(orbits)[above == start].T, color=BLUE, linewidth=1.2)
    axes.plot(*_points(weights, "average")[seen].T, color=PURPLE, linewidth=1.6)
    for (x, y), name, side in zip(CORNERS, ("rock", "paper", "scissors"), ("right", "left", "left"), strict=True):
        axes.annotate(name, (x, y), (-3 if side == "right" else 3, 2), textcoords="offset points", ha=side, fontsize=8)
    axes.set(aspect="equal", xlim=(-0.22, 1.25), ylim=(-0.03, 0.95), xticks=(), yticks=())
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _points(table: Table, name: str = "x") -> Array:
    """[rows, 2]: shares of the three as points of the triangle."""
    return np.asarray(np.stack([cells(table, f"{name}{i}") for i in (1, 2, 3)], 1) @ CORNERS)


def _by_round(axes: Axes, table: Table, seeds: Sequence[int], player: str, when: str, columns: Sequence[str]) -> None:
    """A line for each player of each seed: what is played, and its average so far."""
    for column, colour in zip(columns, (VERMILION, PURPLE), strict=True):
        for seed in seeds:
            for number in (1, 2):
                rounds = cells_where(table, when, **{"seed": seed, player: number})
                values = cells_where(table, column, **{"seed": seed, player: number})
                _thin(axes, rounds, np.where(values > 0, values, math.nan), colour)  # a logarithm has no place for 0


def _thin(axes: Axes, x: Array, y: Array, colour: str) -> None:
    axes.plot(x, y, color=colour, linewidth=SEED["linewidth"], alpha=SEED["alpha"])


def _bids(axes: Axes, bids: Table, seeds: Sequence[int]) -> None:
    axes.plot([0, 1], [0, 0.5], color=BLACK, linewidth=1.2, linestyle=DASHED, zorder=3)
    for seed in seeds:
        for bidder in (1, 2):
            _thin(axes, cells_where(bids, "value", seed=seed, bidder=bidder),
                  cells_where(bids, "last", seed=seed, bidder=bidder), VERMILION)
    axes.set(xlabel="value v", xlim=(0, 1), ylim=(0, 0.55))
    panel_title(axes, "auction: mean bid")


def _revenue(axes: Axes, revenue: Table, seeds: Sequence[int]) -> None:
    for seed in seeds:
        _thin(axes, cells_where(revenue, "auctions", seed=seed), cells_where(revenue, "revenue", seed=seed), GREEN)
    axes.axhline(1 / 3, color=BLACK, linewidth=1.2, linestyle=DASHED)
    logarithmic(axes, "x")
    axes.set(xlabel="auction", ylim=(0, 1))
    panel_title(axes, "auction: revenue")
