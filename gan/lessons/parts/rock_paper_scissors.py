"""Rock, paper, scissors: replicator dynamics, whose turns have a closed form, and multiplicative weights.

PAYOFF[i, j] is 1 where i beats j, −1 where j beats i and 0 on the diagonal. Of a population a share x_i plays i, and
the replicator dynamics ẋ_i = x_i·((Ax)_i − x·Ax) let that grow which does better than the average, here 0 since A is
antisymmetric.

Near the centre, x = ⅓ + u, u̇ = Au/3; the eigenvalues of A on the plane Σu = 0 are ±i√3, so a small turn takes
2π/(√3/3) = 2π√3. Everywhere d/dt Σ log x_i = Σ (Ax)_i = 0: c = x₁x₂x₃ is conserved, and every orbit is closed. With
x₂ + x₃ = 1 − x₁ and x₂x₃ = c/x₁, ẋ₁ = ±x₁√((1 − x₁)² − 4c/x₁) = ±√(x₁(x₁ − a)(x₁ − b)(x₁ − d)), where a < b < d are
the roots of x(1 − x)² = 4c; x₁ goes from a to b and back, in twice an elliptic integral.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import ellipk

from gan.lessons.batched import Noise
from gan.lessons.one_dimension import Array

PAYOFF = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
SMALL_TURN = 2 * math.pi * math.sqrt(3)
DRAWN = 200
"""Points of a turn that are drawn"""


def beginning(above: float) -> Array:
    """[3]: the first share `above` ⅓, the others alike."""
    return np.array([1 / 3 + above, 1 / 3 - above / 2, 1 / 3 - above / 2])


def period(c: float) -> float:
    """The time of a turn on which x₁x₂x₃ = c, 0 < c ≤ 1/27."""
    angle = math.acos(min(54 * c - 1, 1.0))  # the cubic's roots by cosines, exact where two of them meet
    d, b, a = (2 / 3 * (1 + math.cos((angle - 2 * math.pi * k) / 3)) for k in (0, 1, 2))
    a, b = min(a, b), max(a, b)
    return float(4 / math.sqrt((d - a) * b) * ellipk((b - a) * d / ((d - a) * b)))


@dataclass(frozen=True)
class Orbit:
    """Some turns of the replicator dynamics, integrated."""

    points: Array
    """[DRAWN + 1, 3]: the first turn"""
    periods: Array
    """[turns]: between two crossings of x₂ = x₃ in the same direction"""
    average: Array
    """[3]: the shares over these turns"""
    change: float
    """Of x₁x₂x₃, the largest relative one"""


def replicator(above: float, turns: int) -> Orbit:
    """From `beginning(above)`, by an eighth-order Runge–Kutta method with errors of 1e-12 a step."""
    start = beginning(above)
    c = float(start.prod())
    length = period(c)

    def slope(time: float, state: Array) -> Array:
        x = state[:3]
        return np.concatenate((x * (PAYOFF @ x), x))  # the last three sum the shares up

    def crossing(time: float, state: Array) -> float:
        return float(state[1] - state[2])

    crossing.direction = 1.0  # type: ignore[attr-defined]
    seen = np.linspace(0, length, DRAWN + 1)
    found = solve_ivp(slope, (0, (turns + 1.5) * length), np.concatenate((start, np.zeros(3))), method="DOP853",
                      rtol=1e-12, atol=1e-14, events=crossing, dense_output=True)
    times, states = found.t_events[0][-turns - 1:], found.y_events[0][-turns - 1:]
    average = (states[-1, 3:] - states[0, 3:]) / (times[-1] - times[0])
    return Orbit(found.sol(seen)[:3].T, np.diff(times), average, float(np.abs(found.y[:3].prod(0) / c - 1).max()))


def multiplicative_weights(above: float, eta: float, steps: int) -> Array:
    """[steps + 1, 3]: x_i ← x_i·exp(η(Ax)_i)/Z, all shares at once."""
    logits, path = np.log(beginning(above)), np.empty((steps + 1, 3))
    for step in range(steps + 1):
        weights = np.exp(logits - logits.max())
        path[step] = weights / weights.sum()
        logits = logits + eta * (PAYOFF @ path[step])
    return path


def drawn_play(seeds: Sequence[int], rounds: int) -> Array:
    """[rounds, runs, 2, 3]: the odds of two players who draw their moves and learn as the bidders of an auction do.

    Multiplicative weights on what each move would have earned so far, with the step √(8·log 3/t)/2 in round t; the
    half is for payoffs that span 2.
    """
    draws = (Noise(seeds, "rock, paper, scissors").uniform(rounds, 2).numpy().astype(np.float64) + 1) / 2
    earned, path = np.zeros((len(seeds), 2, 3)), np.empty((rounds, len(seeds), 2, 3))
    for t in range(rounds):
        logits = math.sqrt(2 * math.log(3) / (t + 1)) * earned
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        path[t] = weights / weights.sum(-1, keepdims=True)
        moves = (path[t].cumsum(-1)[..., :-1] < draws[:, t, :, None]).sum(-1)
        earned += PAYOFF.T[moves[:, ::-1]]
    return path


def distance(shares: Array) -> Array:
    """[...]: of shares [..., 3] from the centre."""
    return np.asarray(np.linalg.norm(shares - 1 / 3, axis=-1))
