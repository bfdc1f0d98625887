"""Least squares whose inputs an adversary disturbs: the game, its closed form, and a solution by other means.

Problems are solved side by side: x [b, n, d], y [b, n], and a radius c [b] of what the adversary may add to x. Its
bound is "features": every column of ΔX has at most norm c; or "matrix": all of ΔX has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

from gan.lessons.one_dimension import Array

BOUNDS = ("features", "matrix")
_SWEEPS, _STILL = 20_000, 1e-13


def loss(x: Array, y: Array, w: Array) -> Array:
    """‖y − Xw‖, [b]"""
    return np.asarray(np.linalg.norm(y - _times(x, w), axis=1))


def worst_case(x: Array, y: Array, w: Array, c: Array, bound: str) -> Array:
    """max over ΔX of ‖y − (X + ΔX)w‖, [b]: by ‖w‖₁ (Xu et al. 2009) or ‖w‖₂ (El Ghaoui, Lebret 1997)."""
    return np.asarray(loss(x, y, w) + c * np.linalg.norm(w, 1 if bound == "features" else 2, axis=1))


def best_reply(x: Array, y: Array, delta: Array) -> Array:
    """min over w of ‖y − (X + ΔX)w‖, [b]: no robust solution can have a smaller worst case."""
    q, _ = np.linalg.qr(x + delta)
    return np.asarray(np.linalg.norm(y - _times(q, _times(q.swapaxes(1, 2), y)), axis=1))


def least_squares(x: Array, y: Array) -> Array:
    """[b, d]"""
    return np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x, y, strict=True)])


# The game.

def project(delta: Array, c: Array, bound: str) -> Array:
    """The nearest ΔX that the adversary may choose."""
    norms = np.sqrt((delta ** 2).sum(1 if bound == "features" else (1, 2), keepdims=True))
    return np.asarray(delta * np.minimum(1, c[:, None, None] / np.maximum(norms, np.finfo(np.float64).tiny)))


def slopes(x: Array, y: Array, w: Array, delta: Array) -> tuple[Array, Array]:
    """Of ‖y − (X + ΔX)w‖ by w [b, d] and by ΔX [b, n, d]; the residual must not be 0."""
    u = y - _times(x + delta, w)
    u = u / np.linalg.norm(u, axis=1, keepdims=True)
    return -_times((x + delta).swapaxes(1, 2), u), np.asarray(-u[:, :, None] * w[:, None, :])


def play(x: Array, y: Array, c: Array, bound: str, weight_rate: float, adversary_rate: float, steps: int,
         look: Callable[[int, Array, Array], None] = lambda step, w, delta: None) -> tuple[Array, Array]:
    """w and ΔX after `steps` steps of w down its slope and ΔX up its own, in turn, from 0; `look` sees each."""
    w, delta = np.zeros((x.shape[0], x.shape[2])), np.zeros_like(x)
    look(0, w, delta)
    for step in range(1, steps + 1):
        w = w - weight_rate * slopes(x, y, w, delta)[0]
        delta = project(delta + adversary_rate * slopes(x, y, w, delta)[1], c, bound)
        look(step, w, delta)
    return w, delta


def attack(x: Array, y: Array, w: Array, c: Array, bound: str, rate: float, steps: int) -> Array:
    """ΔX after steps up its slope alone, while w stands still."""
    delta = np.zeros_like(x)
    for _ in range(steps):
        delta = project(delta + rate * slopes(x, y, w, delta)[1], c, bound)
    return delta


# The minimum of the closed form, without an adversary and without gradient steps.

def solved(x: Array, y: Array, c: Array, bound: str) -> Array:
    """argmin over w of `worst_case`, [b, d]"""
    if bound == "features":
        return _square_root_lasso(x, y, c)
    return np.stack([_by_root(*problem) for problem in zip(x, y, c.tolist(), strict=True)])


def _square_root_lasso(x: Array, y: Array, c: Array) -> Array:
    """Coordinate descent on ‖y − Xw‖²/2σ + σ/2 + c‖w‖₁, whose best σ is ‖y − Xw‖ (Sun, Zhang 2012).

    RuntimeError where it has not come to rest after many sweeps.
    """
    w, residual, squares = np.zeros((x.shape[0], x.shape[2])), y.copy(), (x ** 2).sum(1)
    for _ in range(_SWEEPS):
        before, sigma = w.copy(), np.linalg.norm(residual, axis=1)
        for j in range(x.shape[2]):
            column, old = x[:, :, j], w[:, j].copy()
            pull = (column * residual).sum(1) + squares[:, j] * old
            w[:, j] = np.sign(pull) * np.maximum(np.abs(pull) - c * sigma, 0) / squares[:, j]
            residual = residual - column * (w[:, j] - old)[:, None]
        if np.abs(w - before).max() < _STILL:
            return w
    raise RuntimeError(f"coordinate descent moves by {np.abs(w - before).max():g} after {_SWEEPS} sweeps")


def _by_root(x: Array, y: Array, c: float) -> Array:
    """w = (XᵀX + λ)⁻¹Xᵀy with λ‖w‖ = c‖y − Xw‖, in which the slope of ‖y − Xw‖ + c‖w‖ is 0; else w = 0."""
    squares, axes = np.linalg.eigh(x.T @ x)
    pull = axes.T @ (x.T @ y)

    def weights(log_penalty: float) -> Array:
        return np.asarray(axes @ (pull / (squares + np.exp(log_penalty))))

    def excess(log_penalty: float) -> float:
        w = weights(log_penalty)
        return float(np.exp(log_penalty) * np.linalg.norm(w) - c * np.linalg.norm(y - x @ w))

    if np.linalg.norm(pull) <= c * np.linalg.norm(y):
        return np.zeros(x.shape[1])
    low, high = (float(np.log(squares[-1])) + shift for shift in (-40.0, 40.0))
    return weights(brentq(excess, low, high, xtol=1e-14, rtol=1e-14))


def _times(a: Array, v: Array) -> Array:
    """Products of matrices [b, n, d] and vectors [b, d]."""
    return np.asarray((a @ v[:, :, None])[:, :, 0])
