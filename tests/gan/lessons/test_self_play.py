"""Tic-tac-toe and its learner, against known counts and a game tree written out in plain Python."""

import collections
import contextlib
import functools
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.lessons import self_play
from gan.lessons.batched import Noise
from gan.lessons.parts.tic_tac_toe import (
    FIRST,
    SECOND,
    by_odds,
    evenly,
    highest,
    loss,
    lowest,
    met,
    minimax,
    perfect_moves,
    positions,
    score,
    worth,
)
from gan.lessons.parts.value_table import ValueTable
from gan.lessons.settings import SelfPlay

TABLE = positions()
NUMBER = {tuple(board): i for i, board in enumerate(TABLE.boards.tolist())}
SIDES = (FIRST, SECOND)


# A second game tree, on tuples.

def winner(board):
    grid = [board[0:3], board[3:6], board[6:9]]
    lines = [*grid, *zip(*grid, strict=True), [grid[i][i] for i in range(3)], [grid[i][2 - i] for i in range(3)]]
    return next((line[0] for line in map(tuple, lines) if len(set(line)) == 1 and line[0]), 0)


def followers(board):
    """By square, what can follow."""
    if winner(board):
        return {}
    stone = 1 if board.count(1) == board.count(2) else 2
    return {i: (*board[:i], stone, *board[i + 1:]) for i in range(9) if board[i] == 0}


def points(board, side):
    """For a finished game: 1, 0 or −1."""
    return {0: 0, side + 1: 1, 2 - side: -1}[winner(board)]


def naive(side, odds, fold, end):
    """What `end` comes to if `side` plays by odds [n, 9] and `fold` makes one number of the other's moves."""
    @functools.cache
    def value(board):
        after = followers(board)
        if not after:
            return end(points(board, side))
        each = {square: value(later) for square, later in after.items()}
        if sum(map(bool, board)) % 2 == side:
            return sum(odds[NUMBER[board], square] * value for square, value in each.items())
        return fold(each.values())

    return value((0,) * 9)


@functools.cache
def best(board):
    """The first player's score under perfect play."""
    after = followers(board)
    if not after:
        return points(board, FIRST)
    return (max if board.count(1) == board.count(2) else min)(map(best, after.values()))


def random_odds(seed, support=9):
    """Odds [n, 9] for some of the moves of each position."""
    stream = np.random.default_rng(seed)
    weights = stream.random(TABLE.after.shape) * (stream.random(TABLE.after.shape) < support / 9)
    weights = np.where(TABLE.legal, weights, 0)
    return np.where(weights.sum(1, keepdims=True) > 0, weights / np.maximum(weights.sum(1, keepdims=True), 1e-300),
                    evenly(TABLE.legal))


# The game.

def test_the_game_has_its_known_numbers_of_positions_and_games():
    assert len(TABLE.boards) == 5478
    assert TABLE.kind.max() + 1 == len(np.unique(TABLE.kind)) == 765
    ends = {"first": TABLE.won & (TABLE.mover == SECOND), "second": TABLE.won & (TABLE.mover == FIRST),
            "drawn": TABLE.over & ~TABLE.won}
    assert {name: int(rows.sum()) for name, rows in ends.items()} == {"first": 626, "second": 316, "drawn": 16}

    def count(rows, ahead):
        return np.where(TABLE.legal[rows], ahead, 0).sum(-1)

    games = {name: int(worth(rows.astype(float), FIRST, count, count)[0, 0]) for name, rows in ends.items()}
    assert games == {"first": 131184, "second": 77904, "drawn": 46080}
    assert sum(games.values()) == 255168


def test_positions_and_moves_are_those_of_a_second_game_tree():
    for board, after, won in zip(map(tuple, TABLE.boards.tolist()), TABLE.after.tolist(), TABLE.won, strict=True):
        assert {square: NUMBER[later] for square, later in followers(board).items()} == {
            square: number for square, number in enumerate(after) if number >= 0}
        assert bool(winner(board)) == won


def test_kinds_are_the_same_for_turned_and_reflected_boards_and_for_no_others():
    seen = {}
    for board, kind in zip(TABLE.boards, TABLE.kind, strict=True):
        grid = board.reshape(3, 3)
        alike = {tuple(np.rot90(face, turns).ravel().tolist()) for face in (grid, grid.T) for turns in range(4)}
        assert {int(TABLE.kind[NUMBER[other]]) for other in alike} == {kind}
        assert seen.setdefault(int(kind), alike) == alike


def test_minimax_agrees_with_a_second_game_tree():
    assert minimax().tolist() == [best(tuple(board)) for board in TABLE.boards.tolist()]
    assert minimax()[0] == 0


def test_perfect_moves_are_those_that_give_nothing_away():
    for row in range(0, len(TABLE.boards), 7):
        board = tuple(TABLE.boards[row].tolist())
        assert {square for square, later in followers(board).items() if best(later) == best(board)} == set(
            np.flatnonzero(perfect_moves()[row]).tolist())


@pytest.mark.parametrize("side", SIDES)
def test_perfect_play_never_loses_and_the_random_player_can_be_beaten(side):
    perfect, random = (by_odds(evenly(moves)) for moves in (perfect_moves(), TABLE.legal))
    assert worth(loss(side), side, perfect, highest(TABLE.legal))[0, 0] == 0
    assert worth(score(side), side, perfect, lowest(TABLE.legal))[0, 0] == 0
    assert worth(loss(side), side, random, highest(TABLE.legal))[0, 0] > 0.9


def test_two_random_players_win_as_often_as_is_known():
    random = by_odds(evenly(TABLE.legal))
    lost = [worth(loss(side), side, random, random)[0, 0] for side in SIDES]
    assert lost == pytest.approx([121 / 420, 737 / 1260], abs=1e-12)  # the second player wins 28.8 %, the first 58.5 %


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), side=st.sampled_from(SIDES), support=st.sampled_from([2, 9]))
def test_what_a_way_of_play_is_worth_agrees_with_a_second_game_tree(seed, side, support):
    odds = random_odds(seed, support)
    found = self_play.exactly(odds[None], side)
    expected = {
        "loss": naive(side, odds, max, lambda result: result < 0),
        "against_worst": naive(side, odds, min, float),
        "against_random": naive(side, odds, lambda values: sum(values) / len(values), float)}
    assert {name: found[name][0] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert -1 - 1e-12 <= found["against_worst"][0] <= found["against_random"][0] <= 1 + 1e-12


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), side=st.sampled_from(SIDES))
def test_positions_that_may_be_met_agree_with_a_walk_through_the_tree(seed, side):
    odds, reached = random_odds(seed, support=2), set()

    def walk(board):
        if board in reached:
            return
        reached.add(board)
        own = sum(map(bool, board)) % 2 == side
        for square, later in followers(board).items():
            if not own or odds[NUMBER[board], square] > 0:
                walk(later)

    walk((0,) * 9)
    expected = {NUMBER[board] for board in reached if followers(board) and sum(map(bool, board)) % 2 == side}
    assert set(np.flatnonzero(met(odds[None], side)[0]).tolist()) == expected
    share = np.mean([all(best(later) == best(board) for square, later in followers(board).items()
                         if odds[NUMBER[board], square] > 0) for board in (tuple(TABLE.boards[i].tolist())
                                                                           for i in expected)])
    found = self_play.exactly(odds[None], side)
    assert found["positions"][0] == len(expected)
    assert found["perfect"][0] == pytest.approx(share, abs=1e-12)


def test_the_references_are_in_order_and_the_best_reply_reaches_the_most():
    known = self_play.references()
    assert known["random player"] == pytest.approx(0, abs=1e-12)
    assert (known["random player"] < known["least of perfect play"] < known["perfect player"]
            < known["most of perfect play"] < known["most of all play"])
    reached = [self_play.exactly(self_play.best_reply(side), side)["against_random"][0] for side in SIDES]
    assert np.mean(reached) == pytest.approx(known["most of all play"], abs=1e-12)


# The learner.

@contextlib.contextmanager
def quiet(what, total, unit):
    """A progress meter that shows nothing."""
    yield SimpleNamespace(advance=lambda amount, note="": None)


def learner(seeds=(1, 2), at_once=4, explore=0.2, power=0.6, random_opponent=False):
    return ValueTable(seeds, at_once, explore, power, random_opponent)


def test_a_player_that_knows_nothing_plays_at_random():
    assert learner().odds()[1] == pytest.approx(evenly(TABLE.legal))


def test_moves_to_the_highest_number():
    player = learner(seeds=[1])
    centre = TABLE.kind[TABLE.after[0, 4]]
    player.values[0, centre] = 0.5
    assert player.odds()[0, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("random_opponent", [False, True])
def test_a_move_made_to_explore_teaches_only_what_it_ends_in(random_opponent):
    """Where all of a player’s moves are such, it learns from results alone."""
    player = learner(explore=1 - 1e-12, at_once=64, random_opponent=random_opponent)
    for _ in range(10):
        player.play()
    won, going_on = (np.unique(TABLE.kind[rows]) for rows in (TABLE.won, ~TABLE.over))
    assert set(player.values[0, won].tolist()) == {0.0, 1.0}
    # A random player's winning move is no exploration, so that the position left behind before it is known as lost.
    assert set(player.values[0, going_on].tolist()) == ({0.0} if not random_opponent else {0.0, -1.0})


def test_learning_agrees_with_one_game_after_the_other_in_plain_python():
    """The same random numbers, one number for each position of a class, named by its first member."""
    player, noise = learner(seeds=[7], at_once=1, explore=0.3, power=0.7), Noise([7], "games against itself")
    numbers, updates = collections.Counter(), collections.Counter()

    def learn(board, target):
        if board is not None:
            updates[board] += 1
            numbers[board] += (target - numbers[board]) * updates[board] ** -0.7

    for _ in range(300):
        player.play()
        draws = noise.uniform(1, 90)[0, 0].view(9, 10).tolist()
        board, left, explored_before = (0,) * 9, [None, None], False
        for stones, (coin, *keys) in enumerate(draws):
            after = {square: (later, kind_of(later)) for square, later in followers(board).items()}
            explores = coin < 2 * 0.3 - 1
            most = max(numbers[kind] for _, kind in after.values())
            square = max((square for square, (_, kind) in after.items() if explores or numbers[kind] == most),
                         key=keys.__getitem__)
            board, kind = after[square]
            if not explores and not explored_before:
                learn(left[stones % 2], numbers[kind])
            if not followers(board):
                learn(kind, 1.0 if winner(board) else 0.0)
                if not explores:
                    learn(left[1 - stones % 2], -1.0 if winner(board) else 0.0)
                break
            left[stones % 2], explored_before = kind, explores
    found = {kind_of(tuple(board)): player.values[0, kind] for board, kind in zip(
        TABLE.boards.tolist(), TABLE.kind, strict=True)}
    assert len(updates) > 100
    assert {kind: numbers[kind] for kind in found} == pytest.approx(found, abs=1e-12)


@functools.cache
def kind_of(board):
    grid = np.array(board).reshape(3, 3)
    return min(tuple(np.rot90(face, turns).ravel().tolist()) for face in (grid, grid.T) for turns in range(4))


def test_runs_depend_on_their_own_seed_alone_and_repeat_to_the_byte():
    together, alone, again = learner((1, 2, 3)), learner((2,)), learner((1, 2, 3))
    for player in (together, alone, again):
        for _ in range(20):
            player.play()
    assert np.array_equal(together.values[1:2], alone.values)
    assert np.array_equal(together.values, again.values)
    assert not np.array_equal(together.values[0], together.values[1])


def test_numbers_stay_between_a_loss_and_a_win():
    for random_opponent in (False, True):
        player = learner(random_opponent=random_opponent)
        for _ in range(100):
            player.play()
        assert -1 <= player.values.min() < 0 < player.values.max() <= 1


def test_a_hundred_games_are_better_than_none():
    player = learner(at_once=16)
    for _ in range(32):
        player.play()
    odds = player.odds()
    both = np.mean([self_play.exactly(odds, side)["against_random"] for side in SIDES], 0)
    assert both.min() > 0.3  # a player that moves at random has 0


def test_the_lesson_has_a_row_for_each_look_and_shows_the_untrained_player():
    outcome = self_play.run(SelfPlay(seeds=[1, 2], rounds=3, at_once=2), quiet)
    course = outcome.tables["course"]
    rows = set(zip(*(course[name] for name in ("opponent", "seed", "games", "side")), strict=True))
    assert rows == set(itertools.product(("itself", "random"), (1, 2), (0, 2, 4, 6), ("first", "second")))
    assert len(course["seed"]) == len(rows)
    untrained = [value for value, games, side in zip(course["against_random"], course["games"], course["side"],
                                                     strict=True) if (games, side) == (0, "first")]
    assert untrained == pytest.approx([737 / 1260 - 121 / 420] * 4)


@pytest.mark.parametrize(("change", "named"), [
    ({"at_once": 15}, "at_once"), ({"explore": 1.0}, "explore"), ({"power": 0.5}, "power"), ({"power": 1.5}, "power"),
    ({"rounds": 0}, "rounds")])
def test_settings_out_of_range_are_refused_by_name(change, named):
    with pytest.raises(ValueError, match=named):
        SelfPlay(**change)
