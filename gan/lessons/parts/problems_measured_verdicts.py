"""How often a fact is wrong in samples: shares with intervals, what chance alone would give, and histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import ndimage, stats
from torch import Tensor

from gan.lessons.lesson import Rows, Table
from gan.lessons.parts.problems_measured_scenes import (
    EYES,
    MISS,
    RADIUS,
    ROUND,
    Array,
    Mask,
    Scene,
    difference,
    find_discs,
    find_lines,
    halves,
    meeting,
    road_lines,
)
from gan.linear_algebra import random_stream

BLURS = (0.0, 0.5, 1.0)
"""Deviations, in pixels, of a blur of real pictures under which the measurement itself is tested"""
COUNTS, FAR = np.arange(8) - 0.5, np.linspace(0, 2, 17)
"""Bins: of numbers of objects, and of misses and differences. What is above counts into the last"""


class Verdicts:
    """The tables of the lesson in the making."""

    def __init__(self) -> None:
        self.scenes = Rows("scene", "seed", "of", "judged", "wrong", "low", "high", "by_wobble")
        self.parts = Rows("scene", "seed", "well_formed", "round", "area")
        self.data = Rows("scene", "blur", "wrong", "well_formed")
        self.histograms = Rows("scene", "source", "of", "low", "high", "share")
        self.course = Rows("scene", "seed", "step", "well_formed", "wrong")
        self.correlations = Rows("source", "correlation", "low", "high")

    def tables(self) -> dict[str, Table]:
        return {name: rows.table for name, rows in vars(self).items()}

    def look(self, name: str, scene: Scene, seeds: Sequence[int], step: int, samples: Tensor) -> None:
        """Samples [seeds, n, 16, 16] in the course of training."""
        for seed, of_seed in zip(seeds, samples, strict=True):
            found = scene.measure(as_array(of_seed))
            self.course.add(name, seed, step, share(found.well_formed), share(found.wrong[found.well_formed]))

    def judge(self, name: str, scene: Scene, seeds: Sequence[int], real: Tensor, samples: Tensor) -> None:
        """Fresh real pictures [n, 16, 16], and samples [seeds, n, 16, 16] when all is trained."""
        data = as_array(real)
        for blur in BLURS:
            found = scene.measure(ndimage.gaussian_filter(data, (0, blur, blur)) if blur else data)
            self.data.add(name, blur, share(found.wrong), share(found.well_formed))
        self._histogram(name, "data", "all", scene.measure(data).value)
        if name == "eyes":
            left, right = halves(data)
            self._correlate("data", left, right)
            right = np.roll(right, 1)
            self._correlate("shuffled", left, right)
            self._histogram(name, "data", "shuffled", difference(left, right))
        elif name == "road":
            lines, _ = find_lines(data)
            shuffled = np.stack([np.roll(lines[:, line], line, 0) for line in range(3)], 1)
            self._histogram(name, "data", "shuffled", meeting(shuffled)[1])
        for seed, of_seed in zip(seeds, samples, strict=True):
            self._judge_samples(name, scene, seed, data, as_array(of_seed))

    def _judge_samples(self, name: str, scene: Scene, seed: int, data: Array, pictures: Array) -> None:
        found, by_wobble = scene.measure(pictures), 0.0
        good = found.well_formed
        if name == "road":
            self.parts.add(name, seed, share(good), None, None)
            misses = of_wobble(pictures[good], random_stream(seed, "wobble"))
            by_wobble = share(misses > MISS) or 0.0
            self._histogram(name, "data", f"wobble of seed {seed}", misses)
        else:
            radii = EYES if name == "eyes" else (RADIUS, RADIUS)
            objects, usual = find_discs(pictures, radii), np.median(find_discs(data, radii).mass)
            area = float(np.median(objects.mass) / usual) if len(objects.mass) else None
            self.parts.add(name, seed, share(good), share(objects.misfit < ROUND), area)
        if name == "eyes":
            self._correlate(f"seed {seed}", *halves(pictures[good]))
        for of, those in (("all", ~np.isnan(found.value)), ("well formed", good)):
            wrong = found.wrong[those]
            self.scenes.add(name, seed, of, len(wrong), share(wrong), *interval(int(wrong.sum()), len(wrong)),
                            by_wobble)
            self._histogram(name, f"seed {seed}", of, found.value[those])

    def _histogram(self, name: str, source: str, of: str, values: Array) -> None:
        bins = FAR if name in ("eyes", "road") else COUNTS
        inside_each = np.histogram(values.clip(bins[0], bins[-1]), bins)[0] / max(1, len(values))
        for low, high, inside in zip(bins[:-1], bins[1:], inside_each, strict=True):
            self.histograms.add(name, source, of, float(low), float(high), float(inside))

    def _correlate(self, source: str, left: Array, right: Array) -> None:
        self.correlations.add(source, *correlation(left, right))


def as_array(pictures: Tensor) -> Array:
    return pictures.double().numpy()


def share(which: Mask) -> float | None:
    """None of nothing."""
    return float(which.mean()) if len(which) else None


def interval(hits: int, n: int) -> tuple[float, float]:
    """Exact 95% interval of a probability (Clopper, Pearson 1934); 0 to 1 where nothing was drawn."""
    if not n:
        return 0.0, 1.0
    found = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def correlation(a: Array, b: Array) -> tuple[float, float, float]:
    """Pearson's, with its 95% interval by Fisher's transformation; 0 from −1 to 1 where fewer than 4 pairs are."""
    if len(a) < 4:
        return 0.0, -1.0, 1.0
    found = stats.pearsonr(a, b)
    ends = found.confidence_interval(0.95)
    return float(found.statistic), float(ends.low), float(ends.high)


def of_wobble(pictures: Array, stream: torch.Generator) -> Array:
    """Misses [n] of real roads whose lines waver as much as those of `pictures` [n, 16, 16], each as one of them."""
    wobble, _ = meeting(find_lines(pictures)[0])
    straight = road_lines(len(pictures), stream).double().numpy()
    noise = torch.randn(straight.shape, generator=stream, dtype=torch.float64).numpy()
    return meeting(straight + wobble[..., None] * noise)[1]
