"""A lesson on robust optimisation: min-max problems with closed forms, and the games that reach them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.one_dimension import Array
from gan.lessons.parts.robust_optimisation_portfolio import Market, closed_form, least_kappa, linearised_radius
from gan.lessons.parts.robust_optimisation_portfolio import play as play_portfolio
from gan.lessons.parts.robust_optimisation_regression import (
    BOUNDS,
    attack,
    best_reply,
    least_squares,
    loss,
    solved,
    worst_case,
)
from gan.lessons.parts.robust_optimisation_regression import play as play_regression
from gan.lessons.settings import RobustOptimisation
from gan.linear_algebra import random_stream

SOURCE = (
    "Slide 2 (2016), “Adversarial Training”: “robust optimization / robust control (e.g. Rustem and Howe 2002)”; El "
    "Ghaoui and Lebret 1997; Xu, Caramanis, Mannor 2009; Goldfarb and Iyengar 2003")
STATEMENT = (
    "“Training a model in a worst-case scenario, with inputs chosen by an adversary” is older than GANs. Let the "
    "inputs X of a linear regression be known only up to ΔX, and choose w for the worst ΔX. The adversary’s maximum "
    "can be written down. If each column of ΔX has at most norm c, the worst ‖y − (X + ΔX)w‖ is ‖y − Xw‖ + c·‖w‖₁; if "
    "ΔX as a whole has, it is ‖y − Xw‖ + c·‖w‖₂. So the lasso’s and the ridge’s penalties are adversaries in disguise. "
    "Likewise for a portfolio w, Σw = 1, whose returns r are known up to an ellipsoid (r − μ)ᵀΣ⁻¹(r − μ) ≤ κ²: the "
    "worst return r·w is μ·w − κ‖Σ^½w‖. Two players who only follow their slopes must find the same solutions.")
EXPERIMENT = (
    "Regression: {rows} rows, {features} correlated features, of which half matter, noise of deviation {noise}; c is "
    "{radii} times √{rows}, a column’s norm. From 0, w goes down the slope of ‖y − (X + ΔX)w‖, ΔX goes up and is "
    "projected back to what it may be, in turn, {steps} steps. Judge of the game is the minimum of the closed form, "
    "found without adversary and gradients: by coordinate descent (‖w‖₁), by a root in one dimension (‖w‖₂). A second "
    "judge needs no closed form: the least-squares loss on the last X + ΔX, below which no w can get. Portfolio: "
    "{assets} assets; κ is {cautions} times κ₀, below which no optimum exists; {portfolio_steps} steps, both players "
    "at once, in turn, or by extragradient (slopes taken from where both would be after the step). Seeds {seeds} draw "
    "the data; all are shown.")
TAKEAWAY = (
    "An adversary with a bound is a penalty, and its shape chooses the kind: disturbances of single features make "
    "weights exactly 0, those of the whole matrix only shrink them. Both cost something on the data as they were "
    "given, and both win as soon as the data are not. How the game is played matters once more. Where V is bilinear, "
    "as for the portfolio, players who move at once circle the equilibrium and do not reach it, and their average "
    "stays off as well, for the ball’s edge bends the circle. In turn they do reach it, unlike on V = xy in the "
    "lesson “Following the slope need not reach the equilibrium”: the ball is curved, and its curvature brakes. A GAN "
    "has no closed form to be judged by, and no such brake; here both are, so the rules can be told apart.")

LOADING = 0.7
"""What part of a feature’s variance is common to all of them"""
MEAN, MEAN_DEVIATION = 0.06, 0.03
"""Of the assets’ mean returns"""
FACTORS, FACTOR_DEVIATION = 3, 0.08
"""Common causes of returns"""
LEAST_OWN, MOST_OWN = 0.1, 0.2
"""Standard deviation of a return’s own part"""
SETTLED = 0.01
"""How near w must come to the closed form’s to have settled; weights sum to 1"""
LOOKS = 60
"""Steps that are drawn, at equal distances"""

Advance = Callable[[int, str], None]


def run(settings: RobustOptimisation, start: StartProgress) -> Outcome:
    losses = Rows("bound", "seed", "radius", "least_squares", "game", "closed_form", "undisturbed", "attacked",
                  "weights_apart", "zeros")
    course, paths = Rows("bound", "seed", "step", "gap"), Rows("play", "seed", "caution", "step", "distance")
    portfolios = Rows("play", "seed", "caution", "radius", "distance", "worst_return", "closed_form")
    total = len(BOUNDS) * settings.steps + len(plays(settings)) * settings.portfolio_steps
    with start("robust optimisation", total, "step") as meter:
        for bound in BOUNDS:
            _regression(settings, bound, losses, course, meter.advance)
        _portfolio(settings, paths, portfolios, meter.advance)
    return Outcome(_criteria(settings, losses, course, portfolios), {
        "losses": losses.table, "course": course.table, "paths": paths.table, "portfolios": portfolios.table},
        _numbers(settings, losses, paths, portfolios))


def _criteria(settings: RobustOptimisation, losses: Rows, course: Rows, portfolios: Rows) -> list[Criterion]:
    def apart(bound: str) -> float:
        """Largest relative difference of the game's worst case from the least one."""
        return max(abs(ours / best - 1) for ours, best in zip(
            losses.numbers("game", bound=bound), losses.numbers("closed_form", bound=bound), strict=True))

    def distances(play: str) -> list[float]:
        return portfolios.numbers("distance", play=play)

    returns = [abs(ours - exact) for play in ("in_turn", "extragradient") for ours, exact in zip(
        portfolios.numbers("worst_return", play=play), portfolios.numbers("closed_form", play=play), strict=True)]
    unlike = [(radius > 1) != (distance > SETTLED) for play in ("at_once", "slowly") for radius, distance in zip(
        portfolios.numbers("radius", play=play), distances(play), strict=True)]
    return [
        Criterion("adversary alone against least squares: its loss, largest relative difference from the closed form",
                  max(losses.numbers("attacked")), "<", 1e-6),
        Criterion("each feature disturbed: worst-case loss of the game’s w, largest relative difference from the least "
                  "‖y − Xw‖ + c·‖w‖₁", apart("features"), "<", 1e-6),
        Criterion("the whole matrix disturbed: the same from the least ‖y − Xw‖ + c·‖w‖₂", apart("matrix"), "<", 1e-6),
        Criterion("both: distance of the game’s w from that solution, largest", max(losses.numbers("weights_apart")),
                  "<", 1e-4),
        Criterion("both: worst-case loss of w less the least loss that ΔX leaves, as a share of the first, largest",
                  max(course.numbers("gap", step=settings.steps)), "<", 1e-6),
        Criterion("both: worst-case loss of least squares over that of the game’s w, least over all c and seeds",
                  min(a / b for a, b in zip(losses.numbers("least_squares"), losses.numbers("game"), strict=True)),
                  ">", 1.0),
        Criterion("portfolio in turn: distance from the closed form’s w, largest", max(distances("in_turn")), "<",
                  1e-6),
        Criterion("portfolio by extragradient: distance from the closed form’s w, largest",
                  max(distances("extragradient")), "<", 1e-6),
        Criterion("portfolio in turn and by extragradient: worst return, largest difference from the closed form",
                  max(returns), "<", 1e-8),
        Criterion(f"portfolio at once: problems that end more than {SETTLED:g} away though theory says that steps "
                  "shrink, or less though it says that they grow", sum(unlike), "<", 1.0, f"of {len(unlike)}")]


def _numbers(settings: RobustOptimisation, losses: Rows, paths: Rows, portfolios: Rows) -> dict[str, float | int]:
    strongest, last = max(settings.radii), settings.portfolio_steps
    numbers: dict[str, float | int] = {}
    for bound, name in (("features", "each feature"), ("matrix", "the whole matrix")):
        ours, theirs = (np.array(losses.numbers(column, bound=bound, radius=strongest))
                        for column in ("game", "least_squares"))
        at = f"c = {strongest:g}·√{settings.rows}, {name}, mean over seeds"
        numbers[f"worst-case loss of least squares over the game’s, {at}"] = float((theirs / ours).mean())
        numbers[f"weights that are exactly 0, of {settings.features}, {at}"] = float(
            np.mean(losses.numbers("zeros", bound=bound, radius=strongest)))
    grow = [radius > 1 for radius in portfolios.numbers("radius", play="at_once")]
    return numbers | {
        f"portfolio at once, rate {settings.portfolio_rate:g}: problems whose steps grow by theory, of {len(grow)}":
            sum(grow),
        f"portfolio at once, rate {settings.slow_rate:g}: the same":
            sum(radius > 1 for radius in portfolios.numbers("radius", play="slowly")),
        f"average of the points at once, rate {settings.portfolio_rate:g}: distance from the closed form’s w, median":
            float(np.median(paths.numbers("distance", play="average", step=last)))}


def regression_data(settings: RobustOptimisation, seed: int) -> tuple[Array, Array]:
    """X [n, d], columns of variance 1, and y [n]: every other weight is 0, the rest are 1 and −1 by turns."""
    stream, (n, d) = random_stream(seed, "regression"), (settings.rows, settings.features)
    common, own, noise = (torch.randn(*shape, generator=stream, dtype=torch.float64).numpy()
                          for shape in ((n, 1), (n, d), (n,)))
    x = LOADING ** 0.5 * common + (1 - LOADING) ** 0.5 * own
    weights = np.array([(1, 0, -1, 0)[i % 4] for i in range(d)])
    return x, x @ weights + settings.noise * noise


def market_data(settings: RobustOptimisation, seed: int) -> tuple[Array, Array]:
    """Mean returns [d] and a root of their covariance [d, d]."""
    stream, d = random_stream(seed, "market"), settings.assets
    mean, factors = (torch.randn(*shape, generator=stream, dtype=torch.float64).numpy()
                     for shape in ((d,), (d, FACTORS)))
    own = LEAST_OWN + (MOST_OWN - LEAST_OWN) * torch.rand(d, generator=stream, dtype=torch.float64).numpy()
    covariance = FACTOR_DEVIATION ** 2 * factors @ factors.T + np.diag(own ** 2)
    return MEAN + MEAN_DEVIATION * mean, np.linalg.cholesky(covariance)


def _regression(settings: RobustOptimisation, bound: str, losses: Rows, course: Rows, advance: Advance) -> None:
    """Play one game for every seed and every c; what comes of it."""
    cases = [(seed, radius) for seed in settings.seeds for radius in settings.radii]
    data = {seed: regression_data(settings, seed) for seed in settings.seeds}
    x, y = (np.stack([data[seed][part] for seed, _ in cases]) for part in (0, 1))
    c = np.array([radius for _, radius in cases]) * settings.rows ** 0.5
    shown = _looks(settings.steps)

    def look(step: int, w: Array, delta: Array) -> None:
        if step in shown:
            worst = worst_case(x, y, w, c, bound)
            gaps = ((worst - best_reply(x, y, delta)) / worst).reshape(len(settings.seeds), -1).max(1)
            for seed, gap in zip(settings.seeds, gaps.tolist(), strict=True):
                course.add(bound, seed, step, gap)
        if step:
            advance(1, f"regression, {bound}")

    w, _ = play_regression(x, y, c, bound, settings.weight_rate, settings.adversary_rate, settings.steps, look)
    plain, best = least_squares(x, y), solved(x, y, c, bound)
    worst_of_plain = worst_case(x, y, plain, c, bound)
    found = loss(x + attack(x, y, plain, c, bound, settings.adversary_rate, settings.steps), y, plain)
    columns = (worst_of_plain, worst_case(x, y, w, c, bound), worst_case(x, y, best, c, bound), loss(x, y, w),
               np.abs(found / worst_of_plain - 1), np.linalg.norm(w - best, axis=1),
               (best == 0).sum(1))
    for case, *row in zip(cases, *(column.tolist() for column in columns), strict=True):
        losses.add(bound, *case, *row)


def _portfolio(settings: RobustOptimisation, paths: Rows, portfolios: Rows, advance: Advance) -> None:
    """Play every way for every seed and every κ; what comes of it."""
    cases = [(seed, caution) for seed in settings.seeds for caution in settings.cautions]
    data = {seed: market_data(settings, seed) for seed in settings.seeds}
    mu, root = (np.stack([data[seed][part] for seed, _ in cases]) for part in (0, 1))
    market = Market(mu, root, least_kappa(mu, root) * np.array([caution for _, caution in cases]))
    best, value = closed_form(market)
    shown = _looks(settings.portfolio_steps)

    def note(play: str, step: int, w: Array) -> None:
        for case, distance in zip(cases, np.linalg.norm(w - best, axis=1).tolist(), strict=True):
            paths.add(play, *case, step, distance)

    for play, (rule, rate) in plays(settings).items():
        total = np.zeros_like(best)

        def look(step: int, w: Array, play: str = play, total: Array = total) -> None:
            total += w
            if step in shown:
                note(play, step, w)
                if play == "at_once":
                    note("average", step, total / (step + 1))
            if step:
                advance(1, f"portfolio, {play}")

        w, _ = play_portfolio(market, rule, rate, settings.portfolio_steps, look)
        radius = linearised_radius(market, rate, rule).tolist() if rule != "extragradient" else [None] * len(cases)
        columns = (np.linalg.norm(w - best, axis=1), market.worst_case(w), value)
        for case, growth, *row in zip(cases, radius, *(column.tolist() for column in columns), strict=True):
            portfolios.add(play, *case, growth, *row)


def plays(settings: RobustOptimisation) -> dict[str, tuple[str, float]]:
    """Each way of playing the portfolio, its rule and its rate."""
    return {"at_once": ("simultaneous", settings.portfolio_rate), "slowly": ("simultaneous", settings.slow_rate),
            "in_turn": ("alternating", settings.portfolio_rate),
            "extragradient": ("extragradient", settings.portfolio_rate)}


def _looks(steps: int) -> set[int]:
    return {round(steps * i / LOOKS) for i in range(LOOKS + 1)}
