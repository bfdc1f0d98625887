"""The game on the line, at the four moments of figure 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome, Rows, Table
from gan.lessons.one_dimension import Array, Game, Grid, jensen_shannon, normal, optimal_discriminator, region_of_mass
from gan.lessons.settings import Figure1

SOURCE = "Goodfellow et al. 2014, figure 1 and Algorithm 1"
STATEMENT = (
    "The generator sends noise z to points x = G(z): where its arrows crowd together, its density p_g is high. The "
    "discriminator D says of each point how likely it is to be data. Figure 1 of the paper draws the course of the "
    "game: (a) p_g is near p_data, and D is still a rough judge; (b) trained on, D reaches D*(x) = p_data(x) / "
    "(p_data(x) + p_g(x)); (c) following the slope of D, G has moved towards where D takes it for data; (d) at the "
    "end p_g = p_data, and D(x) = ½ everywhere: it cannot tell.")
EXPERIMENT = (
    "p_data is N(0, 1). Both players are small networks (two layers of {units} tanh units), trained on minibatches of "
    "{batch}. D first takes {rough} steps alone (a), then {alone} more (b); then the players alternate, one step of D "
    "and one of G, for {rounds} rounds, the last half of them with falling step sizes. (c) is round {between}, (d) "
    "the last. All seeds ({seeds}) are measured; the first is drawn.")
TAKEAWAY = (
    "G never sees data. All it learns comes through the slope of D at its own points, so D has to be right there "
    "before G can be helped by it: from (b) to (c) the arrows move uphill on D. And D does its work by becoming "
    "useless: its ½ at the end is the sign of success, not of a bad judge. The lesson on the global optimum asks "
    "when ½ may be trusted.")

DATA = normal(0.0, 1.0)
GRID = Grid(-6.0, 6.0, 600)
ARROWS = 17
"""z whose way to x is drawn"""


@dataclass(frozen=True)
class Moment:
    """What is seen of the game at one time, for each run."""

    p_g: Array
    d: Array
    x: Array
    """G of equidistant z"""


def run(settings: Figure1, start: StartProgress) -> Outcome:
    moments, frames = _play(settings, start)
    p = DATA.density(GRID.centres)
    inside = region_of_mass(p, 0.99, GRID)
    b, d = moments["b"], moments["d"]
    jsd = {name: jensen_shannon(p, moment.p_g, GRID) for name, moment in moments.items()}
    both = [region_of_mass((p + p_g) / 2, 0.99, GRID) for p_g in b.p_g]
    to_optimum = [float(np.abs(answers - optimal_discriminator(p, p_g))[region].max())
                  for answers, p_g, region in zip(b.d, b.p_g, both, strict=True)]
    to_half = np.abs(d.d - 0.5)[:, inside].max(1)
    criteria = [
        Criterion("(b) largest |D − D*| where 99 % of the points lie, worst seed", max(to_optimum), "<", 0.05),
        Criterion("(c) JSD(p_data‖p_g) as a share of that at (b), worst seed", float((jsd["c"] / jsd["b"]).max()),
                  "<", 1.0),
        Criterion("(d) JSD(p_data‖p_g), worst seed", float(jsd["d"].max()), "<", 0.01, "nats"),
        Criterion("(d) largest |D − ½| where 99 % of the data lie, worst seed", float(to_half.max()), "<", 0.05)]
    seeds = {"seed": settings.seeds, "d_minus_optimum_at_b": to_optimum, "jsd_at_b": jsd["b"].tolist(),
             "jsd_at_c": jsd["c"].tolist(), "jsd_at_d": jsd["d"].tolist(), "d_minus_half_at_d": to_half.tolist()}
    curves = {"x": GRID.centres.tolist(), "p_data": p.tolist()}
    for name, moment in moments.items():
        curves |= {f"p_g_{name}": moment.p_g[0].tolist(), f"d_{name}": moment.d[0].tolist()}
    arrows = {"z": _z().tolist()} | {f"x_{name}": moment.x[0].tolist() for name, moment in moments.items()}
    return Outcome(criteria, {"curves": curves, "arrows": arrows, "seeds": seeds, **_frames(frames)})


def _play(settings: Figure1, start: StartProgress) -> tuple[dict[str, Moment], list[Moment]]:
    """The four moments, and those of the animation."""
    game = Game(DATA, settings.seeds, settings.units, settings.batch, settings.discriminator_rate,
                settings.generator_rate, start_mean=-1.5, start_deviation=0.7)
    moments, frames = {}, []
    with start("figure 1", settings.rough + settings.alone + settings.rounds, "round") as meter:
        for step in range(settings.rough + settings.alone):
            if step == settings.rough:
                moments["a"] = _look(game)
            game.discriminator_step(1 - step / (settings.rough + settings.alone))
            meter.advance(1)
        moments["b"] = _look(game)
        frames += [moments["a"], moments["b"]]
        shown = {round(settings.rounds * (i / settings.frames) ** 2) for i in range(1, settings.frames + 1)}
        for played in range(1, settings.rounds + 1):
            scale = min(1.0, 2 * (1 - played / (settings.rounds + 1)))
            game.discriminator_step(scale)
            game.generator_step(scale)
            meter.advance(1)
            if played == settings.between:
                moments["c"] = _look(game)
            if played in shown:
                frames.append(_look(game))
    moments["d"] = _look(game)
    return moments, frames


def _z() -> Tensor:
    return (torch.arange(ARROWS, dtype=torch.float64) + 0.5) / ARROWS


def _look(game: Game) -> Moment:
    return Moment(game.density(GRID), game.answers(GRID), game.mapping(_z()))


def _frames(frames: list[Moment]) -> dict[str, Table]:
    """The first run as an animation shows it: p_g and D at every sixth point of the grid, and where z is sent."""
    curves, arrows = Rows("frame", "x", "p_g", "d"), Rows("frame", "z", "x")
    for i, frame in enumerate(frames):
        for x, p_g, d in zip(GRID.centres[::6], frame.p_g[0, ::6], frame.d[0, ::6], strict=True):
            curves.add(i, float(x), float(p_g), float(d))
        for z, x in zip(_z().tolist(), frame.x[0], strict=True):
            arrows.add(i, z, float(x))
    return {"frames": curves.table, "frame_arrows": arrows.table}
