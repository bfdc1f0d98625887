"""A portfolio against the worst returns in an ellipsoid: the game under three rules, and its closed form.

Problems are played side by side: mean returns mu [b, d], a root of their covariance root [b, d, d] (Σ = root·rootᵀ) and
kappa [b]. Returns are r = μ + κ·root·z with ‖z‖ ≤ 1, so that the adversary's set is a ball and its projection short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gan.lessons.one_dimension import Array

RULES = ("simultaneous", "alternating", "extragradient")


@dataclass(frozen=True, eq=False)
class Market:
    mu: Array
    root: Array
    kappa: Array

    def returns(self, z: Array) -> Array:
        """r [b, d] for z [b, d]"""
        return self.mu + self.kappa[:, None] * _times(self.root, z)

    def spread(self, w: Array) -> Array:
        """‖Σ^½ w‖, the standard deviation of the portfolio's return, [b]"""
        return np.asarray(np.linalg.norm(_times(self.root.swapaxes(1, 2), w), axis=1))

    def worst_case(self, w: Array) -> Array:
        """min over the ellipsoid of r·w = μ·w − κ‖Σ^½ w‖, [b]"""
        return np.asarray((self.mu * w).sum(1) - self.kappa * self.spread(w))

    def slopes(self, w: Array, z: Array) -> tuple[Array, Array]:
        """The direction in which w gains and Σw stays, and the one in which z takes from it, each [b, d]."""
        r = self.returns(z)
        return r - r.mean(1, keepdims=True), -self.kappa[:, None] * _times(self.root.swapaxes(1, 2), w)

    @property
    def coupling(self) -> Array:
        """The largest rate at which one player's slope changes with the other's move, [b]."""
        centred = self.root - self.root.mean(1, keepdims=True)
        return np.asarray(self.kappa * np.linalg.norm(centred, 2, axis=(1, 2)))


def least_kappa(mu: Array, root: Array) -> Array:
    """κ₀ [b]: at or below it, larger and larger positions gain more than the adversary can take; no optimum exists."""
    a, b, c = _forms(mu, root)
    return np.asarray(np.sqrt(c - b * b / a))


def closed_form(market: Market) -> tuple[Array, Array]:
    """The robust portfolio [b, d] and its worst return [b]; ValueError where κ is not above κ₀.

    The slope of μ·w − κ‖Σ^½ w‖ is ν·1 at the optimum, where Σw = 1; hence w ∝ Σ⁻¹(μ − ν·1), the worst return is ν, and
    ν solves Aν² − 2Bν + C = κ².
    """
    a, b, c = _forms(market.mu, market.root)
    room = a * market.kappa ** 2 - (a * c - b * b)
    if not (room > 0).all():
        raise ValueError(f"expected κ above {least_kappa(market.mu, market.root).tolist()}, found "
                         f"{market.kappa.tolist()}: the worst return has no maximum")
    nu = (b - np.sqrt(room)) / a
    w = _inverse(market.root, market.mu - nu[:, None])
    return w / w.sum(1, keepdims=True), nu


def play(market: Market, rule: str, rate: float, steps: int,
         look: Callable[[int, Array], None] = lambda step, w: None) -> tuple[Array, Array]:
    """w and z after `steps` steps of `rate`/coupling, from equal weights and z = 0; `look` sees each w."""
    b, d = market.mu.shape
    if rule not in RULES:
        raise ValueError(f"expected a rule of {', '.join(RULES)}, found {rule}")
    w, z, eta = np.full((b, d), 1 / d), np.zeros((b, d)), (rate / market.coupling)[:, None]
    look(0, w)
    for step in range(1, steps + 1):
        at_w, at_z = market.slopes(w, z)
        if rule == "extragradient":  # both players' slopes from where both would be after this step
            at_w, at_z = market.slopes(w + eta * at_w, _in_ball(z + eta * at_z))
        elif rule == "alternating":
            at_z = market.slopes(w + eta * at_w, z)[1]
        w, z = w + eta * at_w, _in_ball(z + eta * at_z)
        look(step, w)
    return w, z


def linearised_radius(market: Market, rate: float, rule: str) -> Array:
    """By what a step multiplies a small distance from the equilibrium in the long run, [b]; `rule` simultaneous or
    alternating.

    The ball is curved: along its surface z is pulled back by 1/(1 + ηκ‖Σ^½ w‖) a step, which a flat set would not do.
    """
    found = []
    for mu, root, kappa, w, eta in zip(market.mu, market.root, market.kappa, closed_form(market)[0],
                                       rate / market.coupling, strict=True):
        d = len(mu)
        of_w = np.linalg.svd(np.ones((1, d)))[2][1:].T  # the directions that keep Σw, [d, d − 1]
        z = root.T @ w
        of_z = np.linalg.svd(z[None])[2][1:].T  # those along the ball's surface
        m, damping = eta * kappa * of_w.T @ root @ of_z, 1 + eta * kappa * np.linalg.norm(z)
        one = np.eye(d - 1)
        back = (one - m.T @ m if rule == "alternating" else one) / damping
        found.append(np.abs(np.linalg.eigvals(np.block([[one, m], [-m.T / damping, back]]))).max())
    return np.array(found)


def _forms(mu: Array, root: Array) -> tuple[Array, Array, Array]:
    """A = 1ᵀΣ⁻¹1, B = 1ᵀΣ⁻¹μ, C = μᵀΣ⁻¹μ, each [b]"""
    of_ones, of_mu = _inverse(root, np.ones_like(mu)), _inverse(root, mu)
    return of_ones.sum(1), of_mu.sum(1), (mu * of_mu).sum(1)


def _inverse(root: Array, v: Array) -> Array:
    """Σ⁻¹v, [b, d]"""
    return np.asarray(np.linalg.solve(root @ root.swapaxes(1, 2), v[:, :, None])[:, :, 0])


def _in_ball(z: Array) -> Array:
    return np.asarray(z / np.maximum(1, np.linalg.norm(z, axis=1, keepdims=True)))


def _times(a: Array, v: Array) -> Array:
    return np.asarray((a @ v[:, :, None])[:, :, 0])
