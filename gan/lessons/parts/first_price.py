"""A first-price auction, repeated: two bidders who learn from each other's bids alone.

Each draws what the thing is worth to it, uniform on (0, 1), and names a bid from the grid 0, 1/n, …, 1; the higher bid
wins and is paid, equal bids win by a fair coin. In equilibrium both bid half of their value (Vickrey 1961): against
such an opponent a bid b wins with probability 2b, and (v − b)·2b is largest at v/2. The seller then gets the larger of
two values, halved, on average 1/3.

A bidder knows W_t(b), how many of the t auctions so far the bid b would have won. Whatever its value v, the bid would
have earned (v − b)·W_t(b); the bidder draws its bid with odds proportional to exp(η_t·(v − b)·W_t(b)), which is
multiplicative weights on the bids for each value. With η_t = √(8·log(n + 1)/t) its regret is bounded whoever the
opponent is (Cesa-Bianchi and Lugosi 2006, theorem 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gan.lessons.batched import Noise
from gan.lessons.one_dimension import Array

AT_ONCE = 1000
"""Auctions for which random numbers are drawn together"""


class Auctions:
    """Two bidders in each run, one run for each of `seeds`, looked at for `values` equidistant values."""

    def __init__(self, seeds: Sequence[int], levels: int, values: int) -> None:
        self.bids = np.arange(levels + 1) / levels
        """[n + 1]"""
        self.values = (np.arange(values) + 0.5) / values
        """[V]"""
        self.held = 0
        """Auctions so far"""
        self._wins = np.zeros((len(seeds), 2, levels + 1))
        self._earned, self._mean_bids = np.zeros((2, len(seeds), 2, values))
        self._noise, self._draws = Noise(seeds, "auctions"), np.zeros(0)

    def hold(self) -> Array:
        """One auction in each run; what the sellers get [runs]."""
        if self.held % AT_ONCE == 0:
            self._draws = (self._noise.uniform(AT_ONCE, 4).numpy().astype(np.float64) + 1) / 2
        draws = self._draws[:, self.held % AT_ONCE]
        runs = len(draws)
        values = np.concatenate((np.broadcast_to(self.values, (runs, 2, len(self.values))), draws[:, :2, None]), 2)
        odds = self.odds(values)
        looked_at, played = odds[:, :, :-1], odds[:, :, -1].cumsum(-1)
        bids = self.bids[(played[..., :-1] < draws[:, 2:, None]).sum(-1)]
        would_win = winning(self.bids, bids[:, ::-1])
        self._earned += np.einsum("sivb,vb,sib->siv", looked_at, self.values[:, None] - self.bids, would_win)
        self._mean_bids += looked_at @ self.bids
        self._wins += would_win
        self.held += 1
        return np.asarray(bids.max(1))

    def odds(self, values: Array) -> Array:
        """[runs, 2, m, n + 1]: of each bid in the next auction, for values [runs, 2, m] or [m]."""
        eta = math.sqrt(8 * math.log(len(self.bids)) / (self.held + 1))
        logits = (values[..., None] - self.bids) * (eta * self._wins[:, :, None])
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(weights / weights.sum(-1, keepdims=True))

    # What a bidder has learnt, [runs, 2, …].

    def last_bids(self) -> Array:
        """[runs, 2, V]: the mean bid for each value in the next auction."""
        return np.asarray(self.odds(self.values) @ self.bids)

    def average_bids(self) -> Array:
        """[runs, 2, V]: the same, the mean over all auctions so far."""
        return self._mean_bids / self.held

    def regret(self) -> Array:
        """[runs, 2, V]: what the best fixed bid would have earned more, an auction."""
        best = ((self.values[:, None] - self.bids) * self._wins[:, :, None]).max(-1)
        return np.asarray((best - self._earned) / self.held)

    def regret_bound(self) -> float:
        """What theory allows for the regret, an auction."""
        size = math.log(len(self.bids))
        return (2 * math.sqrt(self.held / 2 * size) + math.sqrt(size / 8)) / self.held

    def gain_of_best_reply(self) -> Array:
        """[runs, 2]: what the best replies to the other's next bids would earn more than one's own bids do.

        The mean over values.
        """
        odds = self.odds(self.values)
        others = odds.mean(2)[:, ::-1]
        chance = others.cumsum(-1) - others / 2  # of winning
        earned = (self.values[:, None] - self.bids) * chance[:, :, None]
        return np.asarray((earned.max(-1) - (odds * earned).sum(-1)).mean(-1))


def winning(bids: Array, other: Array) -> Array:
    """[..., n + 1]: the chance that each of the bids [n + 1] wins against a bid of `other` [...]."""
    return np.asarray(np.heaviside(bids - other[..., None], 0.5))
