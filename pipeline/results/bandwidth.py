"""Validation log-likelihoods against the bandwidth σ, from the bandwidth.json that the stage `bandwidth` wrote.

Read here once, for matplotlib's figures, for the page's charts and for the tables that DVC plots.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BandwidthCurve:
    """One search: validation log-likelihood in nats by bandwidth, in ascending order, and the bandwidth chosen.

    With folds, the values are means over them, and `chosen` the geometric mean of `of_folds`, each fold's choice.
    A log-likelihood that was not finite is NaN.
    """

    points: Mapping[float, float]
    chosen: float
    of_folds: tuple[float, ...] = ()

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> BandwidthCurve:
        pairs = zip(content["bandwidths"], content["log_likelihoods"], strict=True)
        points = {float(sigma): math.nan if value is None else float(value)
                  for sigma, value in sorted(pairs, key=lambda pair: float(pair[0]))}
        of_folds = tuple(float(fold["chosen"]) for fold in content.get("folds", ()))
        chosen = math.exp(math.fsum(map(math.log, of_folds)) / len(of_folds)) if of_folds else float(content["chosen"])
        return cls(points, chosen, of_folds)

    @property
    def finite(self) -> dict[float, float]:
        return _finite(self.points)


@dataclass(frozen=True)
class BandwidthCurves:
    """Both searches of one seed's variant."""

    paper_grid: BandwidthCurve
    refined: BandwidthCurve

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> BandwidthCurves:
        return cls(BandwidthCurve.read(content["paper_grid"]), BandwidthCurve.read(content["refined"]))

    @property
    def points(self) -> dict[float, float]:
        """Both searches evaluate the same function of σ; here its values at every σ tried, in ascending order."""
        return dict(sorted((dict(self.paper_grid.points) | dict(self.refined.points)).items()))

    @property
    def finite(self) -> dict[float, float]:
        return _finite(self.points)

    @property
    def best(self) -> float:
        """The highest log-likelihood of both searches."""
        return max(self.finite.values())

    @property
    def chosen(self) -> list[float]:
        """Every bandwidth that either search chose, in any fold."""
        return [sigma for curve in (self.paper_grid, self.refined) for sigma in (curve.chosen, *curve.of_folds)]


def _finite(points: Mapping[float, float]) -> dict[float, float]:
    return {sigma: value for sigma, value in points.items() if math.isfinite(value)}


def around_the_choice(searches: Iterable[BandwidthCurves]) -> tuple[float, float]:
    """Lowest and highest σ to show: every one chosen, and as much again around them."""
    chosen = [sigma for curves in searches for sigma in curves.chosen]
    margin = max(0.5 * (max(chosen) - min(chosen)), 0.12 * min(chosen))
    return min(chosen) - margin, max(chosen) + margin


def read_searches(bandwidths: Mapping[str, Any], seeds: Mapping[str, Any]) -> dict[str, BandwidthCurves]:
    """By variant the searches of one seed: `seeds` names a seed for each variant, `bandwidths` is bandwidth.json."""
    by_seed = {entry["seed"]: entry["variants"] for entry in bandwidths["seeds"]}
    return {variant: BandwidthCurves.read(by_seed[seed][variant]) for variant, seed in seeds.items()}
