"""Streams of random numbers: one for each seed and purpose.

A processor's generator keeps 32 of the 64 bits by which a stream is seeded, a GPU's all of them. Among some 80,000
streams two are likely to be the same on a processor; within an experiment none are, because such seeds are refused.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable

PRETRAINED = "on top of pretraining: "
OF_A_GAME = ("initial weights", "order of the data", "noise and dropout")
PURPOSES = (
    *OF_A_GAME, *(PRETRAINED + purpose for purpose in OF_A_GAME),
    "validation samples", "samples", "sample sizes", "interpolation", "pictures of training",
    "annealed importance sampling", "pictures of what it can do", "what a model can do",
    "Gibbs steps", "noise", "starts of chains", "first centroids", "order of the training images",
    "initial weights of the encoder", "initial weights of the encoder after the game",
    "noise for the encoder after the game", "labelled images", "noise and dropout of the classifier alone",
    "noise of batch normalisation's statistics")
"""What models and stages draw for each seed of an experiment. The starts that take the place of collapsed ones have
streams of their own beside these."""
KEPT = 2**32


def seed_of(seed: int, purpose: str) -> int:
    """64 bits of their SHA-256, as a signed number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little", signed=True)


def require_distinct(seeds: Iterable[int]) -> None:
    """ValueError if two streams of these seeds were the same on a processor."""
    streams: dict[int, tuple[int, str]] = {}
    for seed, purpose in itertools.product(seeds, PURPOSES):
        other, its = streams.setdefault(seed_of(seed, purpose) % KEPT, (seed, purpose))
        if (other, its) != (seed, purpose):
            what = f"{purpose!r}" if its == purpose else f"{its!r} and {purpose!r}"
            raise ValueError(f"seeds {other} and {seed} would draw the same numbers for {what} on a processor, which "
                             "keeps 32 bits of a stream's seed: take another seed for one")
