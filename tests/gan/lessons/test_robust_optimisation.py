"""Robust optimisation: closed forms against what an adversary can do, solutions by their optimality, games by both."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from gan.lessons.parts import robust_optimisation_portfolio as portfolio
from gan.lessons.parts import robust_optimisation_regression as regression
from gan.lessons.robust_optimisation import market_data, regression_data
from gan.lessons.settings import RobustOptimisation

SEEDS = st.integers(0, 2 ** 32 - 1)
BOUNDS = st.sampled_from(regression.BOUNDS)
RADII = st.floats(0.01, 30)


def problem(seed, n=12, d=3, problems=2):
    """x, y and some w"""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in ((problems, n, d), (problems, n), (problems, d))]


def within(seed, shape, c, bound):
    """Some ΔX that the adversary may choose, inside the set and on its edge."""
    random = np.random.default_rng(seed)
    far = random.standard_normal(shape) * 10 ** random.uniform(-3, 3)
    return regression.project(far, c, bound)


# Regression.

@given(seed=SEEDS, bound=BOUNDS, radius=RADII)
def test_no_disturbance_is_worse_than_the_closed_form(seed, bound, radius):
    x, y, w = problem(seed)
    c = np.full(len(x), radius)
    found = regression.loss(x + within(seed + 1, x.shape, c, bound), y, w)
    assert (found <= regression.worst_case(x, y, w, c, bound) * (1 + 1e-12)).all()


@given(seed=SEEDS, bound=BOUNDS, radius=RADII)
def test_the_adversary_alone_reaches_the_closed_form(seed, bound, radius):
    x, y, w = problem(seed)
    c = np.full(len(x), radius)
    delta = regression.attack(x, y, w, c, bound, 100 * radius / np.abs(w).min(), 200)
    norms = np.linalg.norm(delta, axis=1).max(1) if bound == "features" else np.linalg.norm(delta, axis=(1, 2))
    assert (norms <= c * (1 + 1e-12)).all()
    assert regression.loss(x + delta, y, w) == pytest.approx(regression.worst_case(x, y, w, c, bound), rel=1e-6)


@given(seed=SEEDS, bound=BOUNDS, radius=RADII)
def test_a_projection_is_the_nearest_point_that_is_allowed(seed, bound, radius):
    """From a convex set's nearest point, none of the set lies in the direction of what was projected."""
    far = problem(seed)[0] * 5
    c = np.full(len(far), radius)
    near = regression.project(far, c, bound)
    other = within(seed + 1, far.shape, c, bound)
    assert (((far - near) * (other - near)).sum((1, 2)) <= 1e-9 * (1 + radius) ** 2).all()
    assert regression.project(near, c, bound) == pytest.approx(near, rel=1e-12)


@given(seed=SEEDS)
def test_slopes_agree_with_automatic_differentiation(seed):
    x, y, w = problem(seed)
    delta = problem(seed + 1)[0]
    theirs = [torch.tensor(part, requires_grad=True) for part in (w, delta)]
    residual = torch.tensor(y) - ((torch.tensor(x) + theirs[1]) @ theirs[0].unsqueeze(-1)).squeeze(-1)
    residual.norm(dim=1).sum().backward()
    for ours, reference in zip(regression.slopes(x, y, w, delta), theirs, strict=True):
        assert ours == pytest.approx(reference.grad.numpy(), abs=1e-12)


@given(seed=SEEDS, bound=BOUNDS, radius=st.floats(0.01, 5))
def test_the_independent_solution_has_no_duality_gap(seed, bound, radius):
    """y·u bounds the minimum from below for every ‖u‖ ≤ 1 with ‖Xᵀu‖ ≤ c in the dual norm, also where w = 0."""
    x, y, _ = problem(seed)
    c = np.full(len(x), radius)
    w = regression.solved(x, y, c, bound)
    for one_x, one_y, one_w, value in zip(x, y, w, regression.worst_case(x, y, w, c, bound), strict=True):
        u = one_y - one_x @ one_w
        u = u / np.linalg.norm(u)
        u = u / max(1.0, np.linalg.norm(one_x.T @ u, np.inf if bound == "features" else 2) / radius)
        assert one_y @ u == pytest.approx(value, rel=1e-8)


def test_far_radii_leave_no_weights():
    x, y, _ = problem(3)
    for bound in regression.BOUNDS:
        assert not regression.solved(x, y, np.full(2, 100.0), bound).any()


def test_coordinate_descent_that_does_not_come_to_rest_says_so(monkeypatch):
    monkeypatch.setattr(regression, "_SWEEPS", 1)
    x, y, _ = problem(1)
    with pytest.raises(RuntimeError, match="after 1 sweeps"):
        regression.solved(x, y, np.full(2, 0.1), "features")


@given(seed=SEEDS)
def test_the_best_reply_is_the_residual_of_least_squares(seed):
    x, y, _ = problem(seed)
    delta = problem(seed + 1)[0]
    w = regression.least_squares(x + delta, y)
    assert regression.best_reply(x, y, delta) == pytest.approx(regression.loss(x + delta, y, w), rel=1e-9)


@pytest.mark.parametrize("bound", regression.BOUNDS)
def test_the_game_reaches_the_solution_on_other_data(bound):
    settings = RobustOptimisation(rows=40, features=5)
    data = [regression_data(settings, seed) for seed in (11, 12, 13)]
    x, y = (np.stack([pair[part] for pair in data]) for part in (0, 1))
    c = np.full(3, 0.2 * 40 ** 0.5)
    gaps = []

    def look(step, w, delta):
        worst = regression.worst_case(x, y, w, c, bound)
        gaps.append(((worst - regression.best_reply(x, y, delta)) / worst).max())

    w, _ = regression.play(x, y, c, bound, 0.02, 1.0, 3000, look)
    best = regression.solved(x, y, c, bound)
    assert regression.worst_case(x, y, w, c, bound) == pytest.approx(
        regression.worst_case(x, y, best, c, bound), rel=1e-6)
    assert w == pytest.approx(best, abs=1e-3)
    assert len(gaps) == 3001
    assert gaps[0] > 0.1  # a game that has not been played is far from its solution
    assert gaps[-1] < 1e-6


# Portfolio.

def market(seed, caution=2.0, assets=5):
    mu, root = (part[None] for part in market_data(RobustOptimisation(assets=assets), seed))
    return portfolio.Market(mu, root, caution * portfolio.least_kappa(mu, root))


@given(seed=SEEDS)
def test_no_returns_are_worse_than_the_closed_form_and_some_are_as_bad(seed):
    game, random = market(7), np.random.default_rng(seed)
    w, z = random.standard_normal((1, 5)), random.standard_normal((1, 5))
    z /= max(1.0, np.linalg.norm(z))
    value = game.worst_case(w)
    assert ((game.returns(z) * w).sum(1) >= value - 1e-12).all()
    worst = -game.root[0].T @ w[0] / game.spread(w)
    assert (game.returns(worst[None]) * w).sum(1) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("caution", [1.2, 2.0, 5.0])
def test_the_closed_form_agrees_with_a_general_solver(seed, caution):
    game = market(seed, caution)
    w, value = portfolio.closed_form(game)
    assert w.sum() == pytest.approx(1)
    assert game.worst_case(w) == pytest.approx(value, abs=1e-12)
    found = minimize(lambda v: -100 * game.worst_case(v[None])[0], np.full(5, 0.2), method="SLSQP",
                     constraints={"type": "eq", "fun": lambda v: v.sum() - 1}, options={"ftol": 1e-14, "maxiter": 1000})
    assert found.success
    assert -found.fun / 100 == pytest.approx(value[0], abs=1e-8)
    assert found.x == pytest.approx(w[0], abs=1e-3)


def test_without_caution_there_is_no_optimum():
    game = market(1, 0.99)
    with pytest.raises(ValueError, match="expected κ above"):
        portfolio.closed_form(game)
    far = dataclasses.replace(game, kappa=game.kappa / 2)
    inverse = np.linalg.inv(far.root[0] @ far.root[0].T)
    most = inverse @ far.mu[0] - inverse @ np.ones(5) * (inverse @ far.mu[0]).sum() / inverse.sum()
    values = [far.worst_case((np.full(5, 0.2) + scale * most)[None])[0] for scale in (10, 100, 1000)]
    assert values == sorted(values)  # ever larger positions, ever larger worst returns
    assert values[0] > 0


@pytest.mark.parametrize("rule", portfolio.RULES)
def test_every_rule_keeps_the_portfolio_invested_and_the_returns_in_the_ellipsoid(rule):
    seen = []
    w, z = portfolio.play(market(4), rule, 0.3, 50, lambda step, w: seen.append(w.sum()))
    assert seen == pytest.approx([1.0] * 51)
    assert w.sum() == pytest.approx(1)
    assert np.linalg.norm(z) <= 1 + 1e-12


@pytest.mark.parametrize("rule", ["alternating", "extragradient"])
@pytest.mark.parametrize("seed", [21, 22, 23])
def test_in_turn_and_by_extragradient_the_closed_form_is_reached(rule, seed):
    game = market(seed)
    w, _ = portfolio.play(game, rule, 0.3, 2000)
    best, value = portfolio.closed_form(game)
    assert w == pytest.approx(best, abs=1e-6)
    assert game.worst_case(w) == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("rule", "rate"), [("alternating", 0.3), ("simultaneous", 0.02)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_distances_shrink_as_the_linearised_steps_say(rule, rate, seed):
    game, distances, steps = market(seed), [], 400 if rule == "alternating" else 6000
    best, _ = portfolio.closed_form(game)
    portfolio.play(game, rule, rate, steps, lambda step, w: distances.append(np.linalg.norm(w - best)))
    early, late = (max(distances[part * steps // 4:(part + 1) * steps // 4]) for part in (1, 3))
    measured = (late / early) ** (2 / steps)
    exact = portfolio.linearised_radius(game, rate, rule)[0]
    assert exact < 1
    assert 1 - measured == pytest.approx(1 - exact, rel=0.1)


def test_large_steps_at_once_grow_by_theory_and_circle_in_the_game():
    game = market(1)
    assert portfolio.linearised_radius(game, 0.6, "simultaneous")[0] > 1
    w, _ = portfolio.play(game, "simultaneous", 0.6, 3000)
    assert np.linalg.norm(w - portfolio.closed_form(game)[0]) > 0.01


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="expected a rule of simultaneous"):
        portfolio.play(market(1), "at once", 0.3, 1)


@pytest.mark.parametrize("change", [{"features": 60}, {"assets": 1}, {"cautions": [1.0, 2.0]}, {"radii": [0.0]}])
def test_settings_without_a_solution_are_refused_by_name(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        RobustOptimisation(**change)
