"""Lesson: learners in markets. In one game they turn for ever, in another they settle."""

from __future__ import annotations

import math

import numpy as np

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome, Rows, Table
from gan.lessons.one_dimension import Array
from gan.lessons.parts.first_price import Auctions
from gan.lessons.parts.rock_paper_scissors import (
    SMALL_TURN,
    Orbit,
    beginning,
    distance,
    drawn_play,
    multiplicative_weights,
    period,
    replicator,
)
from gan.lessons.settings import Markets

SOURCE = (
    "Slide 24 (2016), “Adversarial training for people: Markets; cycles due to non-convergence? Auctions, taxation”; "
    "Vickrey 1961 for the auction; Hofbauer and Sigmund 1998 for replicator dynamics")
STATEMENT = (
    "People in a market are trained against each other as the two networks are, and the question is the same: do they "
    "settle, or do they turn in circles? Where each way of trading is beaten by another one, as rock is by paper, "
    "shares of the market that grow by their success turn for ever round the equilibrium, a third each: in time 2π√3 "
    "near it, slower further out, on closed orbits on which x₁x₂x₃ is constant. The average over time is the "
    "equilibrium; the shares never are. In steps instead of continuous time (multiplicative weights) the product can "
    "only fall, whatever the size of the steps: the turns spiral out, and still the averages come close. A first-price "
    "auction is another kind of game. Half of one’s value is the best bid against an opponent who bids half of its "
    "own, and every other bid is worse. There learners should end, and the seller should be paid 1/3.")
EXPERIMENT = (
    "Rock, paper, scissors with payoffs 1, 0 and −1. Replicator dynamics are integrated over {turns} turns from points "
    "where the first share is {orbits} above a third; the time of a turn, between crossings of a line, is compared "
    "with a closed form, an elliptic integral. Multiplicative weights take {steps} steps of size {eta} from the first "
    "of these points. In the auction two bidders draw values uniform on (0, 1), {auctions} times, and bid in steps of "
    "1/{levels}. Each learns from the other’s bids alone, by multiplicative weights on the bids for every value, with "
    "steps that fall as 1/√t, and draws its bids by these weights. What it has learnt is read off at {values} values; "
    "regret is what the best fixed bid for a value would have earned more. As a control two players learn rock, paper, "
    "scissors in just this way, with drawn moves and falling steps. Seeds {seeds}, all shown.")
TAKEAWAY = (
    "Both games are learnt by one rule; in one the strategies settle, in the other they do not, and falling steps do "
    "not cure it. What differs is the equilibrium. In rock, paper, scissors every choice is equally good there, so "
    "nothing pulls anybody back. In the auction a bid other than half of one’s value costs something against every "
    "opponent who bids a fixed share of its value, half or more. A GAN’s equilibrium is of the first kind: to D = ½ "
    "all that G may do is equally good. What converges in the first game is the average, and nobody ever plays that. "
    "In the auction strategies and averages both come to half of the value, as Feng et al. (2021) prove for a class "
    "of such learners under their conditions. That is no law of markets: with values that stay fixed such bidders "
    "need not settle (Deng et al. 2022).")


def run(settings: Markets, start: StartProgress) -> Outcome:
    looks, revenue = Rows("seed", "bidder", "auctions", "last", "average", "regret", "gain_of_best_reply"), Rows(
        "seed", "auctions", "held", "revenue")
    orbits, auctions = {}, Auctions(settings.seeds, settings.levels, settings.values)
    with start("markets", len(settings.orbits) + 2 + settings.auctions, "step") as meter:
        for above in settings.orbits:
            orbits[above] = replicator(above, settings.turns)
            meter.advance(1, "replicator dynamics")
        path = multiplicative_weights(settings.orbits[0], settings.eta, settings.steps)
        meter.advance(1, "multiplicative weights")
        played = drawn_play(settings.seeds, settings.auctions)
        meter.advance(1, "drawn play")
        looked_at, paid = looks_of(settings.auctions), []
        for held in range(1, settings.auctions + 1):
            paid.append(auctions.hold())
            meter.advance(1, "auctions")
            if held in looked_at:
                _look(settings.seeds, auctions, looks)
                for seed, mean in zip(settings.seeds, np.mean(paid, 0), strict=True):
                    revenue.add(seed, held, len(paid), float(mean))
                paid = []
    averages = running_mean(path)
    weights, control = (distance(path), distance(averages)), (distance(played), distance(running_mean(played)))
    late = revenue.numbers("revenue", auctions=settings.auctions)
    criteria = [*_of_turns(orbits), *_of_weights(settings, *weights), *_of_auctions(auctions, late),
                *_of_control(*control)]
    tables = {"orbits": _orbits(orbits), "turns": _turns(orbits), "weights": _weights(path, averages),
              "drawn_play": _drawn_play(settings.seeds, *control), "auctions": looks.table, "revenue": revenue.table,
              "bids": _bids(settings.seeds, auctions)}
    return Outcome(criteria, tables, {
        "time of a small turn: 2π√3": SMALL_TURN,
        "growth of the distance a step, multiplicative weights near the centre: √(1 + η²/3)":
            math.sqrt(1 + settings.eta ** 2 / 3),
        "smallest share in the last tenth of the steps, multiplicative weights": float(path[-len(path) // 10:].min()),
        "revenue in the second half of the auctions, mean over seeds": float(np.mean(late)),
        "distance from v/2 of a bidder’s average bids, mean over values, worst bidder":
            float(_off(auctions.average_bids(), auctions).max())})


def running_mean(path: Array) -> Array:
    """[n, …]: of the first 1, 2, …, n of path [n, …]."""
    counts = np.arange(1, len(path) + 1).reshape(-1, *[1] * (path.ndim - 1))
    return np.asarray(path.cumsum(0) / counts)


def looks_of(auctions: int) -> set[int]:
    """All, a half, a quarter, … of the auctions."""
    return {math.ceil(auctions / 2 ** k) for k in range(auctions.bit_length())}


def _off(bids: Array, auctions: Auctions) -> Array:
    """[runs, 2]: distance of the bids [runs, 2, V] from half of the value, mean over values."""
    return np.asarray(np.abs(bids - auctions.values / 2).mean(-1))


def _look(seeds: list[int], auctions: Auctions, rows: Rows) -> None:
    each = (_off(auctions.last_bids(), auctions), _off(auctions.average_bids(), auctions),
            auctions.regret().max(-1), auctions.gain_of_best_reply())
    for run, seed in enumerate(seeds):
        for bidder in range(2):
            rows.add(seed, bidder + 1, auctions.held, *(float(values[run, bidder]) for values in each))


# Criteria.

def _of_turns(orbits: dict[float, Orbit]) -> list[Criterion]:
    exact = {above: period(float(beginning(above).prod())) for above in orbits}
    return [
        Criterion("replicator dynamics: largest relative difference of a turn’s time from the closed form",
                  max(float(np.abs(orbit.periods / exact[above] - 1).max()) for above, orbit in orbits.items()),
                  "<", 1e-6),
        Criterion("replicator dynamics: relative difference of the innermost turn’s time from 2π√3",
                  abs(float(orbits[min(orbits)].periods.mean()) / SMALL_TURN - 1), "<", 1e-3),
        Criterion("replicator dynamics: largest relative change of x₁x₂x₃",
                  max(orbit.change for orbit in orbits.values()), "<", 1e-9),
        Criterion("replicator dynamics: largest distance of the average over whole turns from a third each",
                  max(float(distance(orbit.average)) for orbit in orbits.values()), "<", 1e-6)]


def _of_weights(settings: Markets, away: Array, away_on_average: Array) -> list[Criterion]:
    turn = round(2 * math.pi / math.atan(settings.eta / math.sqrt(3)))
    growth = (1 + settings.eta ** 2 / 3) ** (turn / 2)
    return [
        Criterion("multiplicative weights: relative difference of the first turn’s growth from √(1 + η²/3) to the "
                  "number of steps", abs(float(away[min(turn, settings.steps)] / away[0]) / growth - 1), "<", 1e-3),
        Criterion("multiplicative weights: distance from a third each, mean of the last tenth of the steps",
                  float(away[-len(away) // 10:].mean()), ">", 0.5),
        Criterion("multiplicative weights: distance of the average over all steps from a third each",
                  float(away_on_average[-1]), "<", 0.02)]


def _of_auctions(auctions: Auctions, late: list[float]) -> list[Criterion]:
    return [
        Criterion("auction: distance of the last strategy’s mean bid from v/2, mean over values, worst bidder",
                  float(_off(auctions.last_bids(), auctions).max()), "<", 0.02),
        Criterion("auction: difference of the revenue in the second half from 1/3, worst seed",
                  float(np.abs(np.array(late) - 1 / 3).max()), "<", 0.01),
        Criterion("auction: what the best reply to the other’s last strategy would earn more, worst bidder",
                  float(auctions.gain_of_best_reply().max()), "<", 0.005),
        Criterion("auction: regret for an auction, worst bidder and value", float(auctions.regret().max()), "<",
                  auctions.regret_bound())]


def _of_control(away: Array, away_on_average: Array) -> list[Criterion]:
    return [
        Criterion("rock, paper, scissors learnt as the auction is: distance from a third each, mean of the second half "
                  "of the rounds, least of all players", float(away[len(away) // 2:].mean(0).min()), ">", 0.1),
        Criterion("rock, paper, scissors learnt as the auction is: distance of the average over all rounds from a "
                  "third each, largest of all players", float(away_on_average[-1].max()), "<", 0.05)]


# Tables.

def _orbits(orbits: dict[float, Orbit]) -> Table:
    points = np.concatenate([orbit.points for orbit in orbits.values()])
    return {"above": [above for above, orbit in orbits.items() for _ in orbit.points]} | {
        f"x{i + 1}": points[:, i].tolist() for i in range(3)}


def _turns(orbits: dict[float, Orbit]) -> Table:
    return {"above": list(orbits), "period": [float(orbit.periods.mean()) for orbit in orbits.values()],
            "closed_form": [period(float(beginning(above).prod())) for above in orbits],
            "change_of_product": [orbit.change for orbit in orbits.values()],
            "distance_of_average": [float(distance(orbit.average)) for orbit in orbits.values()]}


def _weights(path: Array, averages: Array) -> Table:
    """Some 4,000 of the steps."""
    kept = slice(None, None, max(1, len(path) // 4000))
    return {"step": list(range(len(path)))[kept]} | {
        f"{name}{i + 1}": shares[kept, i].tolist() for name, shares in (("x", path), ("average", averages))
        for i in range(3)} | {
        "distance": distance(path)[kept].tolist(), "distance_of_average": distance(averages)[kept].tolist()}


def _drawn_play(seeds: list[int], away: Array, away_on_average: Array) -> Table:
    rows = Rows("seed", "player", "round", "distance", "distance_of_average")
    looks = sorted({math.ceil(len(away) / 2 ** (k / 4)) for k in range(4 * len(away).bit_length())})
    for run, seed in enumerate(seeds):
        for player in range(2):
            for look in looks:
                rows.add(seed, player + 1, look, float(away[look - 1, run, player]),
                         float(away_on_average[look - 1, run, player]))
    return rows.table


def _bids(seeds: list[int], auctions: Auctions) -> Table:
    rows = Rows("seed", "bidder", "value", "last", "average")
    last, average = auctions.last_bids(), auctions.average_bids()
    for run, seed in enumerate(seeds):
        for bidder in range(2):
            for place, value in enumerate(auctions.values):
                rows.add(seed, bidder + 1, float(value), float(last[run, bidder, place]),
                         float(average[run, bidder, place]))
    return rows.table
