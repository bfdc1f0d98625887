"""A player of tic-tac-toe that begins with nothing: a number for each kind of position it can leave behind.

The number is to become the score that the player who has just moved can expect. It moves to where it is highest, and
learns by temporal differences (Samuel 1959; as in Sutton and Barto 2018, section 1.5): the number of the position left
behind goes towards that of the next one left behind, and at the end towards the result. A move made to explore teaches
nothing about the position before it. No search is made, and no book is read; even that a line wins is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan.lessons.batched import Noise
from gan.lessons.one_dimension import Array
from gan.lessons.parts.tic_tac_toe import SQUARES, Indices, Marks, evenly, positions

NONE = -1
"""In place of a position that was left behind: there has been none"""


class ValueTable:
    """Independent runs, one for each of `seeds`, each of many games at a time.

    With `random_opponent` the other side moves at random and does not learn, and the player has the first move in
    every other game. Without, it is the player itself, which then learns from both sides of the board.
    """

    def __init__(self, seeds: Sequence[int], at_once: int, explore: float, power: float, random_opponent: bool) -> None:
        self._table = positions()
        self._kinds = int(self._table.kind.max()) + 1
        self._explore, self._power = explore, power
        self._values, self._updates = np.zeros((2, len(seeds) * self._kinds))
        self._offsets = np.arange(len(seeds))[:, None] * self._kinds
        self._shape = len(seeds), at_once
        self._noise = Noise(seeds, f"games against {'a random player' if random_opponent else 'itself'}")
        sides = np.broadcast_to(np.arange(at_once) % 2, self._shape)
        self._plays = [sides == side if random_opponent else np.full(self._shape, True) for side in (0, 1)]

    @property
    def values(self) -> Array:
        """[runs, kinds of positions]"""
        return self._values.reshape(len(self._offsets), self._kinds)

    def odds(self) -> Array:
        """[runs, n, 9]: how it plays when it does not explore, equals with even odds."""
        table = self._table
        ahead = np.where(table.legal, self.values[:, table.kind[table.after]], -np.inf)
        return evenly(table.legal & (ahead == ahead.max(-1, keepdims=True)))

    def play(self) -> None:
        """One game in every place, to its end."""
        draws = self._noise.uniform(self._shape[1], SQUARES * (1 + SQUARES)).numpy()
        draws = draws.reshape(*self._shape, SQUARES, 1 + SQUARES)
        position, going = np.zeros(self._shape, dtype=np.int64), np.full(self._shape, True)
        left = np.full((2, *self._shape), NONE)  # where in the table each side's last position is
        as_meant = np.full(self._shape, True)  # the last move was not made to explore
        for stones in range(SQUARES):
            side = stones % 2
            own, before, others = self._plays[side], left[side], left[1 - side]
            explores = own & (draws[..., stones, 0] < 2 * self._explore - 1)
            moved = self._move(position, explores | ~own, draws[..., stones, 1:])
            position = np.where(going, moved, position)
            place = self._offsets + self._table.kind[position]
            self._learn(before, self._values[place], going & own & as_meant & ~explores & (before != NONE))
            ended = going & self._table.over[position]
            result = np.where(self._table.won[position], 1.0, 0.0)
            self._learn(place, result, ended & own)
            self._learn(others, -result, ended & ~explores & (others != NONE))
            left[side] = np.where(going & own, place, before)
            as_meant, going = ~explores, going & ~ended

    def _move(self, position: Indices, at_random: Marks, keys: Array) -> Indices:
        """The next position [runs, games]; among moves of equal worth, or all, that of the highest key."""
        after = self._table.after[position]
        legal = after >= 0
        ahead = np.where(legal, self._values[self._offsets[..., None] + self._table.kind[after]], -np.inf)
        allowed = legal & (at_random[..., None] | (ahead == ahead.max(-1, keepdims=True)))
        square = np.where(allowed, keys, -np.inf).argmax(-1)
        return np.asarray(np.take_along_axis(after, square[..., None], -1)[..., 0])

    def _learn(self, places: Indices, targets: Array, where: Marks) -> None:
        """Move each number marked towards the mean of its targets, at its k-th update by the part k^−power."""
        found, which = np.unique(places[where], return_inverse=True)
        means = np.bincount(which, targets[where], len(found)) / np.bincount(which, minlength=len(found))
        self._updates[found] += 1
        self._values[found] += (means - self._values[found]) * self._updates[found] ** -self._power
