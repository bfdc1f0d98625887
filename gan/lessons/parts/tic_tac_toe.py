"""Tic-tac-toe as a whole: every position that can arise, and exactly what a way of play is worth.

A position is a row of a table of all of them; the first player's stone is 1, the second player's 2. What a position is
worth is computed from the full board back to the empty one, by a rule for either side that makes one number of those
after each move; nothing is sampled. A way of play is an array of odds [runs, positions, 9].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gan.lessons.one_dimension import Array

Indices = NDArray[np.int64]
Marks = NDArray[np.bool_]

SQUARES = 9
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
FIRST, SECOND = 0, 1
"""The side that moves when an even number of stones lies on the board, and when an odd one"""


@dataclass(frozen=True)
class Positions:
    """The n positions that can arise, in the order of their number of stones; row 0 is the empty board."""

    boards: Indices
    """[n, 9]: 0, or the stone on that square"""
    stones: Indices
    """[n]"""
    after: Indices
    """[n, 9]: the position after a stone on that square; −1 where there is no such move"""
    won: Marks
    """[n]: the last stone made a line"""
    kind: Indices
    """[n]: the same number for positions that are alike but for a turn or a reflection of the board"""

    @property
    def legal(self) -> Marks:
        """[n, 9]"""
        return self.after >= 0

    @property
    def over(self) -> Marks:
        """[n]: no move is left, or the last one won"""
        return np.asarray(~self.legal.any(1))

    @property
    def mover(self) -> Indices:
        """[n]: FIRST or SECOND"""
        return self.stones % 2

    def by_stones(self) -> list[Indices]:
        """The positions in which the game goes on, by number of stones, from none to eight."""
        return [np.flatnonzero((self.stones == stones) & ~self.over) for stones in range(SQUARES)]


@cache
def positions() -> Positions:
    """All of them, found from the empty board."""
    empty = (0,) * SQUARES
    number, rows, after = {empty: 0}, [empty], []
    for board in rows:  # grows as it is read
        moves = [-1] * SQUARES
        stone = 1 + sum(map(bool, board)) % 2
        for square in range(SQUARES if not _has_line(board) else 0):
            if board[square] == 0:
                later = (*board[:square], stone, *board[square + 1:])
                if later not in number:
                    number[later] = len(rows)
                    rows.append(later)
                moves[square] = number[later]
        after.append(moves)
    alike = [min(number[tuple(board[square] for square in symmetry)] for symmetry in _symmetries()) for board in rows]
    boards = np.array(rows)
    return Positions(boards, (boards > 0).sum(1), np.array(after), np.array([_has_line(board) for board in rows]),
                     np.unique(alike, return_inverse=True)[1])


def _has_line(board: tuple[int, ...]) -> bool:
    return any(board[a] == board[b] == board[c] > 0 for a, b, c in LINES)


def _symmetries() -> list[tuple[int, ...]]:
    """The eight turns and reflections of the square, as orders of its squares."""
    grid = np.arange(SQUARES).reshape(3, 3)
    return [tuple(np.rot90(face, turns).ravel().tolist()) for face in (grid, grid.T) for turns in range(4)]


# What a position is worth, by a rule of play for either side.

Rule = Callable[[Indices, Array], Array]
"""The worth [runs, rows] of positions `rows` from that after each of their moves [runs, rows, 9]"""


def by_odds(odds: Array) -> Rule:
    """Moves by odds [n, 9], or [runs, n, 9] for each run's own."""
    return lambda rows, ahead: np.asarray((odds[..., rows, :] * ahead).sum(-1))


def highest(moves: Marks) -> Rule:
    """The one of the moves marked [n, 9] after which the worth is highest."""
    return lambda rows, ahead: np.asarray(np.where(moves[rows], ahead, -np.inf).max(-1))


def lowest(moves: Marks) -> Rule:
    """The one after which it is lowest."""
    return lambda rows, ahead: np.asarray(np.where(moves[rows], ahead, np.inf).min(-1))


def evenly(moves: Marks) -> Array:
    """[..., 9]: the same odds for each of the moves marked; zeros where there is none."""
    return np.asarray(moves / np.maximum(moves.sum(-1, keepdims=True), 1))


def worth(end: Array, side: int, own: Rule, other: Rule, runs: int = 1) -> Array:
    """[runs, n]: what `end` [n], a number of each finished game, comes to if `side` moves by the rule `own`."""
    table = positions()
    value = np.tile(end, (runs, 1))
    for rows in reversed(table.by_stones()):
        rule = own if table.mover[rows[0]] == side else other
        value[:, rows] = rule(rows, value[:, table.after[rows]])
    return value


def score(side: int) -> Array:
    """[n]: 1 where `side` has won, −1 where it has lost, 0 elsewhere."""
    table = positions()
    return np.where(table.won, np.where(table.mover == side, -1.0, 1.0), 0.0)


def loss(side: int) -> Array:
    """[n]: 1 where `side` has lost, 0 elsewhere."""
    return np.where(score(side) < 0, 1.0, 0.0)


@cache
def minimax() -> Array:
    """[n]: the first player's score if both play perfectly from there."""
    legal = positions().legal
    return np.asarray(worth(score(FIRST), FIRST, highest(legal), lowest(legal))[0])


@cache
def perfect_moves() -> Marks:
    """[n, 9]: the moves that keep the minimax value, whoever makes them."""
    table, value = positions(), minimax()
    return np.asarray(table.legal & (value[table.after] == value[:, None]))


def met(odds: Array, side: int) -> Marks:
    """[runs, n]: the positions in which `side`, playing by `odds` [runs, n, 9], may have to move, whoever plays it."""
    table = positions()
    reached = np.zeros((len(odds), len(table.boards)), dtype=bool)
    reached[:, 0] = True
    for rows in table.by_stones():
        own = table.mover[rows[0]] == side
        moves = reached[:, rows, None] & (odds[:, rows] > 0 if own else table.legal[rows])
        run, place, square = np.nonzero(moves)
        reached[run, table.after[rows[place], square]] = True
    return np.asarray(reached & (table.mover == side) & ~table.over)
