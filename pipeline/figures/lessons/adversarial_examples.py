"""Error and loss of three trainings under three attacks, images passed on to other networks, and their looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from gan.lessons.lesson import Outcome, Table
from pipeline.figures.lessons.panel import Drawing, cells_where, panel_title, seed_list, strips
from pipeline.figures.style import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION, WIDTH

TRAININGS = {"plain": "plain", "fgsm": "trained on FGSM", "pgd": "trained on PGD"}
ATTACKS: dict[str, tuple[str, str, Any]] = {
    "random": ("random signs", GREY, (0, (2, 2))), "fgsm": ("FGSM", VERMILION, "-"), "pgd": ("PGD", BLUE, "-")}
MAKERS = {"plain": BLACK, "fgsm": PURPLE, "pgd": GREEN}
"""Networks that images were made for"""
PUBLISHED = {"plain": 0.894, "fgsm": 0.179}
"""Error of a maxout network under FGSM at ε = .25, before and after training on FGSM (Goodfellow et al. 2015)"""
PUBLISHED_EPSILON = 0.25


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    tables = outcome.tables
    figure = Figure(figsize=(WIDTH, 8.1), layout="constrained")
    grid = figure.add_gridspec(3, 1, height_ratios=(4.1, 1.8, 2.3))
    above, middle, below = (figure.add_subfigure(grid[row]) for row in range(3))
    _under_attack(above, tables["clean"], tables["attacks"], settings)
    _passed_on(middle, tables["transfer"])
    strips(below.subplots(), [("clean", outcome.images["clean"]), ("change", outcome.images["plain change"]),
                              ("for plain", outcome.images["plain disturbed"]),
                              ("change", outcome.images["pgd change"]),
                              ("for PGD", outcome.images["pgd disturbed"])])
    pictures = tables["pictures"]
    misread = {training: int((cells_where(pictures, "label", training=training)
                              != cells_where(pictures, "read", training=training)).sum())
               for training in ("plain", "pgd")}
    shown = len(outcome.images["clean"])
    return Drawing(
        figure,
        "Six panels, a strip of dots and rows of digits. Plain networks err on nearly all images under FGSM and PGD. "
        "Those trained on FGSM err little under FGSM, more so at small ε than at larger ones, and on nearly all under "
        "PGD. Those trained on PGD err on some under either, more with larger ε. Below, digits with changes that the "
        "eye reads past.",
        "Above: the share of test images that each kind of network misreads, and its mean loss, by the size ε of the "
        f"attack, a line for each of seeds {seed_list(settings['seeds'])}; crosses are the published errors of a "
        "maxout network under FGSM. Middle: FGSM images made for a network of one seed (colour), shown to one of "
        f"another (column), a dot for each pair, ε = {settings['epsilon']:g}. Below: the first {shown} test images "
        f"judged, the change that PGD makes to them at ε = {settings['epsilon']:g} (grey is none), and both together, "
        f"for the plain network of the first seed, which then misreads {misread['plain']} of them, and for the one "
        f"trained on PGD, which misreads {misread['pgd']}.")


def _under_attack(figure: SubFigure, clean: Table, attacks: Table, settings: Mapping[str, Any]) -> None:
    panels = figure.subplots(2, 3, sharex=True, sharey="row")
    for column, (training, title) in enumerate(TRAININGS.items()):
        for row, measure in enumerate(("error", "loss")):
            axes = panels[row, column]
            for attack, (_, colour, dashes) in ATTACKS.items():
                for seed in settings["seeds"]:
                    where = {"training": training, "seed": seed}
                    epsilons = [0.0, *cells_where(attacks, "epsilon", **where, attack=attack)]
                    values = [*cells_where(clean, measure, **where),
                              *cells_where(attacks, measure, **where, attack=attack)]
                    axes.plot(epsilons, values, color=colour, linestyle=dashes, linewidth=1)
        if training in PUBLISHED:
            panels[0, column].plot([PUBLISHED_EPSILON], [PUBLISHED[training]], color=BLACK, marker="x", markersize=6,
                                   linestyle="none", zorder=3)
        panel_title(panels[0, column], title)
        panels[1, column].set(xlabel="ε", yscale="log")
    panels[0, 0].set(ylabel="error", ylim=(-0.03, 1.03))
    panels[1, 0].set_ylabel("mean loss, nats")
    panels[1, 0].set_yticks([0.1, 1, 10], [".1", "1", "10"])
    panels[0, 0].set_xticks([0, 0.25, 0.5], ["0", ".25", ".5"])
    handles = [Line2D([], [], color=colour, linestyle=dashes, linewidth=1.2, label=name)
               for name, colour, dashes in ATTACKS.values()]
    cross = Line2D([], [], color=BLACK, marker="x", linestyle="none", label="published, FGSM")
    figure.legend(handles=[*handles, cross], loc="outside upper left", ncols=4, title="under", alignment="left")


def _passed_on(figure: SubFigure, table: Table) -> None:
    axes = figure.subplots()
    for i, (shown_to, _) in enumerate(TRAININGS.items()):
        for j, (made_for, colour) in enumerate(MAKERS.items()):
            values = cells_where(table, "error", made_for=made_for, shown_to=shown_to)
            places = i + (j - 1) * 0.22 + np.linspace(-0.06, 0.06, len(values))
            axes.plot(places, values, linestyle="none", marker="o", markersize=3.2, color=colour,
                      label=TRAININGS[made_for] if i == 0 else "")
    axes.set_xticks(range(len(TRAININGS)), list(TRAININGS.values()))
    axes.set(xlabel="shown to a network", ylabel="error", ylim=(0, 1), xlim=(-0.5, len(TRAININGS) - 0.5))
    axes.grid(False, axis="x")
    figure.legend(loc="outside upper left", ncols=3, title="FGSM images made for another network, of kind",
                  alignment="left", handletextpad=0.2)
