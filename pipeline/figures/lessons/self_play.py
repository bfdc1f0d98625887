"""What a player has learnt after so many games, against the worst opponent and against a random one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons.panel import (
    FILL,
    SEED,
    Drawing,
    cells,
    cells_where,
    logarithmic,
    panel_title,
    seed_list,
)
from pipeline.figures.style import BLACK, BLUE, GREEN, VERMILION, WIDTH

OPPONENTS = {"itself": ("against itself", BLUE), "random": ("against a random player", VERMILION)}


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    course, references = outcome.tables["course"], outcome.tables["references"]
    known = dict(zip(references["play"], cells(references, "against_random").tolist(), strict=True))
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    worst, random = figure.subplots(1, 2, sharex=True)
    for opponent, (name, colour) in OPPONENTS.items():
        games = np.unique(cells(course, "games"))
        for axes, column in ((worst, "loss"), (random, "against_random")):
            sides = [np.stack([cells_where(course, column, opponent=opponent, side=side, seed=seed)
                               for seed in settings["seeds"]]) for side in ("first", "second")]
            each = np.mean(sides, 0)[:, games > 0]
            axes.plot(games[games > 0], each.T, color=colour, **SEED)
            axes.plot(games[games > 0], each.mean(0), color=colour, label=f"trained {name}")
    random.axhspan(known["least of perfect play"], known["most of perfect play"], color=GREEN, alpha=FILL,
                   linewidth=0, label="range of perfect play")
    for play, colour, dashes, label in (("perfect player", GREEN, (4, 3), "the perfect player"),
                                        ("most of all play", BLACK, (1, 2), "the most possible")):
        random.axhline(known[play], color=colour, linewidth=1, linestyle=(0, dashes), label=label)
    panel_title(worst, "chance of a loss, worst opponent")
    panel_title(random, "score against a random player")
    worst.set(xlabel="games played", ylim=(-0.03, 1.03))
    random.set(xlabel="games played", ylim=(-0.03, 1.03))
    logarithmic(worst, "x")
    handles = {label: handle for axes in (worst, random)
               for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=2)
    return Drawing(
        figure,
        "Two panels by number of games, with a line for each seed. On the left the chance of losing to the worst "
        "opponent falls to zero for players trained against themselves; of those trained against a random player most "
        "stay at one half. On the right both rise to the scores of perfect play, and those trained against the random "
        "player rise to the most that is possible.",
        f"What players have learnt after so many games, worked out exactly, the mean of moving first and second: seeds "
        f"{seed_list(settings['seeds'])} thin, their mean thick. Left: against the opponent that is worst for them. "
        "Right: against a player that moves at random; the green area is the range of all ways of perfect play, the "
        "dashed line the player that takes every perfect move with the same odds.")
