"""V(x, y) = xy, where following the slope goes round and round."""

from __future__ import annotations

import math

import numpy as np

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome
from gan.lessons.one_dimension import Array
from gan.lessons.settings import NonConvergence

SOURCE = "Slide 10 (2016), “Non-convergence”; Goodfellow et al. 2014, section 6 on keeping D and G in step"
STATEMENT = (
    "“Game solving algorithms may not approach an equilibrium at all.” The smallest game that shows it is V(x, y) = "
    "x·y: one player picks x to make it small, the other y to make it large; the equilibrium is x = y = 0. If both "
    "step at once, (x, y) ← (x − ηy, y + ηx), each step is a turn and a stretch by exactly √(1 + η²): they spiral "
    "out, however small η. If they take turns, the points stay on an ellipse for ever, since x² + y² − ηxy never "
    "changes. Averaging the turns, or a step that extrapolates the last slope (“optimism”), does converge.")
EXPERIMENT = (
    "From (1, 0), {steps} steps of size η = {eta} under four rules: simultaneous; alternating; the running average of "
    "the alternating points; and optimistic, (x, y) ← (x − η(2y − y′), y + η(2x − x′)), x′ and y′ the values one step "
    "before. Each measured radius is set against what algebra says it must be.")
TAKEAWAY = (
    "Both players descend without fault, and the game goes nowhere: what one of them wins, the other’s next step "
    "undoes. A game is not a hill with two climbers, and no learning rate is small enough to make it one. Whether the "
    "players move at once or in turn changes the outcome, which is why this repository offers both orders of updates; "
    "and it explains why averaged weights can be better than any single iterate.")

START = (1.0, 0.0)


def run(settings: NonConvergence, start: StartProgress) -> Outcome:
    eta, steps = settings.eta, settings.steps
    with start("non-convergence", 3, "rule") as meter:
        at_once = simultaneous(eta, steps)
        meter.advance(1)
        in_turn = alternating(eta, steps)
        average = in_turn.cumsum(0) / np.arange(1, steps + 2)[:, None]
        meter.advance(1)
        extrapolated = optimistic(eta, steps)
        meter.advance(1)
    rules = {"simultaneous": at_once, "alternating": in_turn, "average": average, "optimistic": extrapolated}
    radii = {name: np.hypot(*points.T) for name, points in rules.items()}
    growth = radii["simultaneous"] / (1 + eta * eta) ** (np.arange(steps + 1) / 2)
    kept = invariant(in_turn, eta)
    rate = float(radii["optimistic"][-1] / radii["optimistic"][-2])
    criteria = [
        Criterion("simultaneous: largest relative difference of the radius from √(1 + η²) to the number of steps",
                  float(np.abs(growth - 1).max()), "<", 1e-10),
        Criterion("alternating: largest radius", float(radii["alternating"].max()), "<",
                  math.sqrt((2 + eta) / (2 - eta)) + 1e-12),
        Criterion("alternating: largest change of x² + y² − ηxy", float(np.abs(kept - kept[0]).max()), "<", 1e-12),
        Criterion("average of the alternating points: last radius times steps taken",
                  float(radii["average"][-1] * steps), "<", 2 / eta * math.sqrt((2 + eta) / (2 - eta)) + 1),
        Criterion("optimistic: difference of the last step’s shrinking from the theory’s",
                  abs(rate - optimistic_rate(eta)), "<", 1e-6),
        Criterion("optimistic: last radius", float(radii["optimistic"][-1]), "<", 0.01)]
    table = {"step": list(range(steps + 1))} | {
        f"{name}_{axis}": points[:, column].tolist() for name, points in rules.items()
        for column, axis in enumerate("xy")}
    numbers = {"growth of the radius a step, simultaneous: √(1 + η²)": math.sqrt(1 + eta * eta),
               "shrinking of the radius a step, optimistic": optimistic_rate(eta)}
    return Outcome(criteria, {"paths": table}, numbers)


def simultaneous(eta: float, steps: int) -> Array:
    """(x, y) [steps + 1, 2]"""
    path = [START]
    for _ in range(steps):
        x, y = path[-1]
        path.append((x - eta * y, y + eta * x))
    return np.array(path)


def alternating(eta: float, steps: int) -> Array:
    """The same where y sees the new x."""
    path = [START]
    for _ in range(steps):
        x, y = path[-1]
        x -= eta * y
        path.append((x, y + eta * x))
    return np.array(path)


def optimistic(eta: float, steps: int) -> Array:
    """The same at once, each by twice its slope less the slope one step before (Daskalakis et al. 2018)."""
    path = [START, START]
    for _ in range(steps):
        (old_x, old_y), (x, y) = path[-2:]
        path.append((x - eta * (2 * y - old_y), y + eta * (2 * x - old_x)))
    return np.array(path[1:])


def invariant(path: Array, eta: float) -> Array:
    """x² + y² − ηxy, which alternating steps keep."""
    x, y = path.T
    return np.asarray(x * x + y * y - eta * x * y)


def optimistic_rate(eta: float) -> float:
    """By what an optimistic step multiplies the radius in the long run.

    With w = x + iy the step is w ← (1 + 2iη)·w − iη·w′, so that it multiplies by a root of λ² − (1 + 2iη)λ + iη = 0.
    """
    return float(np.abs(np.roots([1, -(1 + 2j * eta), 1j * eta])).max())
