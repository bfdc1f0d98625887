"""Whose answer a player reckons with decides whether G covers the data."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Adam, Mlp
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.ring import Coverage, RingGame, coverage
from gan.lessons.settings import ModeCollapse

SOURCE = (
    "Slide 11 (2016), “Mode Collapse”; Metz, Poole, Pfau, Sohl-Dickstein 2016, “Unrolled Generative Adversarial "
    "Networks”; Goodfellow et al. 2014, section 6 (“the Helvetica scenario”)")
STATEMENT = (
    "min over G of max over D of V(D, G) is not max over D of min over G. With D in the inner loop, at its best for "
    "each G, the right distribution is the optimum. With G in the inner loop, G answers a D that stands still, and "
    "then its best is to put all mass on the one point that D likes most; D learns to refuse that point, G moves on "
    "to the next. Training in turns is neither of the two and can behave like either. Metz et al. let G look ahead: "
    "it descends V as it will be after some more steps of D, and the slope goes through these steps.")
EXPERIMENT = (
    "The data are eight Gaussians on a circle of radius 2, standard deviation {deviation}. Four ways of play with the "
    "same networks (two layers of {units} ReLU units each, z of {noise} dimensions, minibatches of {batch}; Adam, "
    "step size {discriminator_rate} for D and {generator_rate} for G, which goes down V itself): steps in turn; G "
    "looking {unrolled} steps of D ahead; {inner} steps of D for each of G; {inner} steps of G for each of D. Each "
    "for {steps} rounds with seeds {seeds}, all shown. A sample is good within 3 standard deviations of a mode; a "
    "mode is covered if 1 % of all samples are good ones of its own. Metz et al. have networks and minibatches twice "
    "to four times as large, a deviation of 0.02 and far more rounds; this is cut down to a minute or two.")
TAKEAWAY = (
    "Samples show collapse; a loss need not. G does not collapse for want of capacity: the same network draws all "
    "eight modes once its steps reckon with D’s answer. What matters is whose answer is reckoned with. To let D take "
    "its steps first is not the same: G then meets a D that is surer, has no slope to follow where its samples are "
    "rejected (as in the lesson on the non-saturating game), and is carried off. The slide’s promise is for a D at "
    "its maximum and a G that moves little; {inner} real steps are not that. And looking ahead has a price: a round "
    "with {unrolled} unrolled steps costs many times one without.")

PLAYS = {"in_turn": "in turn", "unrolled": "looking ahead", "d_inner": "D in the inner loop",
         "g_inner": "G in the inner loop"}
SHOWN = 400
"""Samples of each run that are drawn"""


def run(settings: ModeCollapse, start: StartProgress) -> Outcome:
    course, points = Rows("play", "seed", "round", "modes", "good", "largest"), Rows("play", "seed", "x", "y")
    last: dict[str, Coverage] = {}
    with start("mode collapse", settings.steps * len(PLAYS), "round") as meter:
        for play in PLAYS:
            game, round_of = _game(settings), _rounds(settings)[play]
            for played in range(1, settings.steps + 1):
                round_of(game)
                meter.advance(1, PLAYS[play])
                if played % max(1, settings.steps // settings.looks) == 0 or played == settings.steps:
                    seen = last[play] = coverage(game.samples(), settings.deviation)
                    for row in zip(settings.seeds, seen.modes, seen.good, seen.largest, strict=True):
                        course.add(play, row[0], played, *row[1:])
            for seed, samples in zip(settings.seeds, game.samples()[:, :SHOWN].tolist(), strict=True):
                for x, y in samples:
                    points.add(play, seed, x, y)
    return Outcome(_criteria(last), {"course": course.table, "samples": points.table})


def _criteria(last: dict[str, Coverage]) -> list[Criterion]:
    median = statistics.median
    return [
        Criterion("looking ahead: modes covered, worst seed", min(last["unrolled"].modes), ">", 7.5),
        Criterion("looking ahead less in turn: modes covered, mean over seeds",
                  statistics.fmean(last["unrolled"].modes) - statistics.fmean(last["in_turn"].modes), ">", 0.0),
        Criterion("looking ahead less in turn: share of good samples, median over seeds",
                  median(last["unrolled"].good) - median(last["in_turn"].good), ">", 0.0),
        Criterion("D in the inner loop: modes covered, worst seed", min(last["d_inner"].modes), ">", 7.5),
        Criterion("G in the inner loop: share of samples nearest to the same mode, median over seeds",
                  median(last["g_inner"].largest), ">", 0.9)]


def _game(settings: ModeCollapse) -> RingGame:
    units = settings.units
    return RingGame(settings.seeds, Mlp((2, units, units, 1), "relu"), Mlp((settings.noise, units, units, 2), "relu"),
                    settings.deviation, settings.batch, Adam(settings.discriminator_rate),
                    Adam(settings.generator_rate))


def _rounds(settings: ModeCollapse) -> dict[str, Callable[[RingGame], None]]:
    """What one round of each play is."""
    def play(game: RingGame, of_d: int = 1, of_g: int = 1, unrolled: int = 0) -> None:
        for _ in range(of_d):
            game.discriminator_step()
        for _ in range(of_g):
            game.generator_step(unrolled)

    return {"in_turn": play, "unrolled": lambda game: play(game, unrolled=settings.unrolled),
            "d_inner": lambda game: play(game, of_d=settings.inner),
            "g_inner": lambda game: play(game, of_g=settings.inner)}
