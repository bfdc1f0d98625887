"""Proposition 2. Where densities themselves are the unknowns, Algorithm 1 reaches p_data."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome
from gan.lessons.one_dimension import Array, Grid, Mixture, jensen_shannon, normal, optimal_discriminator
from gan.lessons.settings import Convergence

SOURCE = "Goodfellow et al. 2014, Proposition 2 (section 4.2) and Algorithm 1"
STATEMENT = (
    "For a fixed D, V(D, G) is linear in the density p_g; the greatest of linear functions, C(G) = max over D of V, "
    "is convex in p_g. So if D is at its best in each round, and p_g itself, not the weights of a network, goes down "
    "the slope, then p_g converges to p_data. Algorithm 1 gives D only k steps a round: the promise is made for D "
    "that keeps up.")
EXPERIMENT = (
    "p_g and p_data are histograms over {bins} bins, and D is one number for each bin: no networks, no samples, no "
    "local minima. p_g goes down the slope of V within the set of histograms by mirror descent: each bin is "
    "multiplied by (1 − D)^−η, η = {eta}, and the whole made to sum to 1 again. D either is at its optimum in each of "
    "the {rounds} rounds, or first takes k steps of size {alpha} up its own slope, k = {inner}, from where the last "
    "round left it.")
TAKEAWAY = (
    "With D at its best the criterion falls in every round; at η = 1 the round even has a closed form, p_g moves half "
    "of the way to p_data. With few steps D lags: it judges a generator that has moved on, p_g overshoots, and the "
    "criterion comes down in waves, the wider the smaller k. But a round with k steps costs k times as much, and k = "
    "1, the paper’s choice, arrives as well. None of this carries over to networks by itself: in their weights "
    "neither player’s problem is convex, and slide 10’s game of x·y shows what can happen then.")

DATA, START = Mixture((0.6, 0.4), (-1.5, 1.5), (0.5, 0.7)), normal(0.5, 1.2)
OPTIMAL = 0
"""Stands for D at its optimum where k is asked for"""


def run(settings: Convergence, start: StartProgress) -> Outcome:
    grid = Grid(-4.0, 4.0, settings.bins)
    p, q = histogram(DATA, grid), histogram(START, grid)
    plays = {}
    with start("convergence", 1 + len(settings.inner), "play") as meter:
        for k in (OPTIMAL, *settings.inner):
            plays[k] = play(p, q, settings.rounds, settings.eta, settings.alpha, k)
            meter.advance(1)
    gaps = {k: 2 * jensen_shannon(p / grid.width, played / grid.width, grid) for k, played in plays.items()}
    half_way = np.abs(plays[OPTIMAL][1:] - (plays[OPTIMAL][:-1] + p) / 2).max()
    criteria = [
        Criterion("optimal D: largest rise of C(G) from one round to the next", float(np.diff(gaps[OPTIMAL]).max()),
                  "<", 1e-12, "nats"),
        Criterion("optimal D: C(G) + log 4 after the last round", float(gaps[OPTIMAL][-1]), "<", 1e-9, "nats"),
        *([Criterion("optimal D: largest distance of a bin from (p_g + p_data)/2", float(half_way), "<", 1e-12)]
          if settings.eta == 1 else []),
        *(Criterion(f"k = {k}: C(G) + log 4 after the last round", float(gaps[k][-1]), "<", 1e-3, "nats")
          for k in settings.inner)]
    names = {k: f"k_{k}" if k else "optimal" for k in plays}
    course = {"round": list(range(settings.rounds + 1))} | {names[k]: gap.tolist() for k, gap in gaps.items()}
    shown = {"x": grid.centres.tolist(), "p_data": p.tolist()} | {
        f"{names[k]}_round_{at}": played[at].tolist() for k, played in plays.items() for at in settings.shown}
    return Outcome(criteria, {"course": course, "histograms": shown})


def histogram(mixture: Mixture, grid: Grid) -> Array:
    """A mixture's masses by bin, [bins], sum 1."""
    density = mixture.density(grid.centres)
    return np.asarray(density / density.sum())


def play(p: Array, q: Array, rounds: int, eta: float, alpha: float, k: int) -> Array:
    """p_g [rounds + 1, bins] from its start q, against D with k steps a round, or `OPTIMAL`."""
    logits, course = np.zeros_like(p), [q]
    for _ in range(rounds):
        best = optimal_discriminator(p, q)
        for _ in range(k):
            logits = logits + alpha * discriminator_slope(best, logits)
        q = mirror_step(q, best if k == OPTIMAL else expit(logits), eta)
        course.append(q)
    return np.stack(course)


def discriminator_slope(best: Array, logits: Array) -> Array:
    """∂V/∂logit of each bin, divided by the bin's mass p + q, which makes it D* − D: bins learn alike fast."""
    return np.asarray(best - expit(logits))


def mirror_step(q: Array, d: Array, eta: float) -> Array:
    """A step of size η down ∂V/∂q = log(1 − D), in the entropy's geometry: it stays among the histograms."""
    moved = q * (1 - d) ** -eta
    return np.asarray(moved / moved.sum())
