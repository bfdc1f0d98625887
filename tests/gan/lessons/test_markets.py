"""Rock, paper, scissors and the first-price auction, against closed forms and plain Python."""

import contextlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

from gan.lessons import markets
from gan.lessons.batched import Noise
from gan.lessons.parts.first_price import Auctions, winning
from gan.lessons.parts.rock_paper_scissors import (
    PAYOFF,
    SMALL_TURN,
    beginning,
    distance,
    drawn_play,
    multiplicative_weights,
    period,
    replicator,
)
from gan.lessons.settings import Markets

ABOVE = st.floats(0.005, 0.6)


# Rock, paper, scissors.

def test_the_rates_at_the_centre_are_those_of_a_turn_in_2_pi_root_3():
    rates = np.linalg.eigvals(PAYOFF / 3)
    assert sorted(rates.imag) == pytest.approx([-1 / math.sqrt(3), 0, 1 / math.sqrt(3)], abs=1e-15)
    assert rates.real == pytest.approx(np.zeros(3), abs=1e-15)
    assert pytest.approx(2 * math.pi / (1 / math.sqrt(3))) == SMALL_TURN
    assert period(1 / 27) == pytest.approx(SMALL_TURN, abs=1e-9)
    assert period(float(beginning(1e-4).prod())) == pytest.approx(SMALL_TURN, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(above=ABOVE)
def test_the_time_of_a_turn_agrees_with_adaptive_integration(above):
    c = float(beginning(above).prod())

    def cubic(x):
        return x * (1 - x) ** 2 - 4 * c

    low, high = optimize.brentq(cubic, 0, 1 / 3, xtol=1e-15), optimize.brentq(cubic, 1 / 3, 1, xtol=1e-15)
    # dx/√(x·(x(1 − x)² − 4c)), with x on a half circle between the turning points, so that its ends are finite
    middle, radius = (low + high) / 2, (high - low) / 2

    def integrand(angle):
        x = middle + radius * math.sin(angle)
        third = 2 - low - high  # the cubic's roots add up to 2
        return 1 / math.sqrt(x * (third - x))

    expected = 2 * integrate.quad(integrand, -math.pi / 2, math.pi / 2, epsabs=1e-12, limit=200)[0]
    assert period(c) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("above", [0.02, 0.2, 0.5])
def test_after_the_time_of_a_turn_the_shares_are_back(above):
    x, length, steps = beginning(above), period(float(beginning(above).prod())), 4000

    def slope(x):
        return x * (PAYOFF @ x - x @ PAYOFF @ x)

    h = length / steps
    for _ in range(steps):
        k1 = slope(x)
        k2 = slope(x + h / 2 * k1)
        k3 = slope(x + h / 2 * k2)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(x + h * k3))
    assert x == pytest.approx(beginning(above), abs=1e-9)


@pytest.mark.parametrize("above", [0.05, 0.4])
def test_an_integrated_orbit_is_closed_and_its_average_the_equilibrium(above):
    orbit = replicator(above, 3)
    assert orbit.points[[0, -1]] == pytest.approx(np.stack([beginning(above)] * 2), abs=1e-9)
    assert orbit.points.sum(1) == pytest.approx(np.ones(len(orbit.points)), abs=1e-10)
    assert orbit.points.prod(1) == pytest.approx(np.full(len(orbit.points), beginning(above).prod()), rel=1e-9)
    assert orbit.periods == pytest.approx(np.full(3, period(float(beginning(above).prod()))), rel=1e-9)
    assert distance(orbit.average) < 1e-9
    assert distance(orbit.points.mean(0)) > 0  # of points at equal times, with the first one counted twice


@settings(max_examples=50)
@given(above=ABOVE, eta=st.floats(0.01, 3))
def test_a_step_of_multiplicative_weights_never_raises_the_product(above, eta):
    """log Z = log Σ x_i exp(η(Ax)_i) is at least η·x·Ax = 0, by Jensen."""
    path = multiplicative_weights(above, eta, 30)
    assert path.sum(1) == pytest.approx(np.ones(31), abs=1e-12)
    assert path[0] == pytest.approx(beginning(above), abs=1e-15)
    weights = path[0] * np.exp(eta * np.array([path[0, 2] - path[0, 1], path[0, 0] - path[0, 2],
                                               path[0, 1] - path[0, 0]]))
    assert path[1] == pytest.approx(weights / weights.sum(), abs=1e-14)
    logs = np.log(path).sum(1)
    assert (np.diff(logs) <= 1e-12 * np.abs(logs[1:])).all()


@pytest.mark.parametrize("eta", [0.05, 0.3, 1.0])
def test_multiplicative_weights_leave_the_centre_as_the_linear_map_does(eta):
    path = multiplicative_weights(1e-7, eta, 60)
    assert distance(path) / distance(path[0]) == pytest.approx((1 + eta ** 2 / 3) ** (np.arange(61) / 2), rel=1e-3)


def test_drawn_play_agrees_with_one_round_after_the_other():
    rounds = 40
    draws = ((Noise([4], "rock, paper, scissors").uniform(rounds, 2)[0].double() + 1) / 2).tolist()
    earned, found = [[0.0] * 3, [0.0] * 3], drawn_play([4], rounds)
    for t, row in enumerate(draws):
        moves = []
        for player in range(2):
            eta = math.sqrt(8 * math.log(3) / (t + 1)) / 2
            weights = [math.exp(eta * value) for value in earned[player]]
            odds = [weight / sum(weights) for weight in weights]
            assert found[t, 0, player] == pytest.approx(odds, abs=1e-12)
            moves.append(0 if row[player] <= odds[0] else 1 if row[player] <= odds[0] + odds[1] else 2)
        for player in range(2):
            for move in range(3):
                earned[player][move] += {0: 0, 1: 1, 2: -1}[(move - moves[1 - player]) % 3]


# The auction.

def test_equal_bids_win_by_a_coin():
    assert winning(np.array([0.0, 0.5, 1.0]), np.array([[0.5], [1.0]])).tolist() == [[[0, 0.5, 1]], [[0, 0, 0.5]]]


def after(held, seeds=(1, 2), levels=20, values=5):
    auctions = Auctions(seeds, levels, values)
    paid = [auctions.hold() for _ in range(held)]
    return auctions, np.array(paid)


def test_bidders_agree_with_one_auction_after_the_other():
    """The same random numbers; each bidder has the other's bids in a list."""
    held, levels, grid = 60, 10, [k / 10 for k in range(11)]
    values = [0.25, 0.75]
    draws = ((Noise([3], "auctions").uniform(1000, 4)[0].double() + 1) / 2).tolist()
    seen, sums, earned = [[], []], np.zeros((2, 2)), np.zeros((2, 2))

    def win(bid, other):
        return 1.0 if bid > other else 0.5 if bid == other else 0.0

    def odds(value, others, t):
        eta = math.sqrt(8 * math.log(levels + 1) / t)
        weights = [math.exp(eta * sum((value - bid) * win(bid, other) for other in others)) for bid in grid]
        return [weight / sum(weights) for weight in weights]

    auctions = Auctions([3], levels, 2)
    for t, row in enumerate(draws[:held], 1):
        bids = []
        for bidder in range(2):
            cumulated = np.cumsum(odds(row[bidder], seen[bidder], t))
            bids.append(grid[next((k for k in range(levels) if cumulated[k] >= row[2 + bidder]), levels)])
        for bidder in range(2):
            for place, value in enumerate(values):
                chances = odds(value, seen[bidder], t)
                sums[bidder, place] += np.dot(chances, grid)
                earned[bidder, place] += sum(chance * (value - bid) * win(bid, bids[1 - bidder])
                                             for chance, bid in zip(chances, grid, strict=True))
        assert auctions.hold()[0] == max(bids)
        for bidder in range(2):
            seen[bidder].append(bids[1 - bidder])
    best = [[max(sum((value - bid) * win(bid, other) for other in others) for bid in grid) for value in values]
            for others in seen]
    assert auctions.average_bids()[0] == pytest.approx(sums / held, abs=1e-10)
    assert auctions.regret()[0] == pytest.approx((np.array(best) - earned) / held, abs=1e-10)
    last = [[np.dot(odds(value, seen[bidder], held + 1), grid) for value in values] for bidder in range(2)]
    assert auctions.last_bids()[0] == pytest.approx(np.array(last), abs=1e-10)


@pytest.mark.parametrize("held", [1, 10, 300])
def test_regret_stays_within_the_bound(held):
    auctions, _ = after(held, seeds=range(8))
    assert auctions.regret().max() <= auctions.regret_bound()


def test_the_gain_of_the_best_reply_agrees_with_a_sum_over_all_pairs():
    auctions, _ = after(30)
    odds, bids, values = auctions.odds(auctions.values), auctions.bids, auctions.values
    gains = np.zeros((2, 2))
    for run in range(2):
        for bidder in range(2):
            for place, value in enumerate(values):
                each = [np.mean([sum(chance * (value - bid) * (1.0 if bid > other else 0.5 if bid == other else 0.0)
                                     for chance, other in zip(odds[run, 1 - bidder, their], bids, strict=True))
                                 for their in range(len(values))]) for bid in bids]
                gains[run, bidder] += (max(each) - np.dot(each, odds[run, bidder, place])) / len(values)
    assert auctions.gain_of_best_reply() == pytest.approx(gains, abs=1e-12)
    assert gains.min() > 0


@settings(max_examples=30)
@given(share=st.floats(0.5, 1), value=st.floats(0.01, 1))
def test_half_of_the_value_is_the_best_reply_to_any_fixed_share_of_a_half_or_more(share, value):
    bids = np.linspace(0, 1, 2001)
    earned = (value - bids) * np.minimum(bids / share, 1)
    assert bids[earned.argmax()] == pytest.approx(value / 2, abs=1 / 2000)


def test_more_auctions_bring_bids_nearer_to_half_of_the_value():
    off = [np.abs(after(held, levels=50)[0].last_bids() - after(0)[0].values / 2).mean((1, 2)) for held in (1, 2000)]
    assert (off[1] < off[0] / 3).all()


def test_runs_depend_on_their_own_seed_alone_and_repeat_to_the_byte():
    (together, paid), (alone, alone_paid), (again, again_paid) = after(50), after(50, seeds=(2,)), after(50)
    assert np.array_equal(paid, again_paid)
    assert np.array_equal(together.last_bids(), again.last_bids())
    assert np.array_equal(paid[:, 1:], alone_paid)
    assert together.last_bids()[1:] == pytest.approx(alone.last_bids(), abs=1e-12)
    assert not np.array_equal(paid[:, 0], paid[:, 1])


# The lesson.

def test_running_means_and_looks():
    path = np.random.default_rng(1).random((7, 2, 3))
    assert markets.running_mean(path) == pytest.approx(np.stack([path[:n].mean(0) for n in range(1, 8)]))
    assert sorted(markets.looks_of(20)) == [2, 3, 5, 10, 20]
    assert markets.looks_of(1) == {1}


def test_revenue_between_looks_adds_up_to_all_that_was_paid():
    @contextlib.contextmanager
    def quiet(what, total, unit):
        yield SimpleNamespace(advance=lambda amount, note="": None)

    small = Markets(orbits=[0.1], turns=2, steps=50, seeds=[1, 2], levels=20, values=5, auctions=30)
    outcome = markets.run(small, quiet)
    revenue = outcome.tables["revenue"]
    _, paid = after(30)
    for run, seed in enumerate((1, 2)):
        rows = [i for i, found in enumerate(revenue["seed"]) if found == seed]
        assert sum(revenue["held"][i] for i in rows) == revenue["auctions"][rows[-1]] == 30
        assert sum(revenue["held"][i] * revenue["revenue"][i] for i in rows) == pytest.approx(paid[:, run].sum())
    assert len(outcome.criteria) == 13


@pytest.mark.parametrize(("change", "named"), [
    ({"orbits": [0.1, 0.7]}, "orbits"), ({"orbits": [-0.1]}, "orbits"), ({"eta": 0.0}, "eta"),
    ({"levels": 0}, "levels")])
def test_settings_out_of_range_are_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        Markets(**change)
