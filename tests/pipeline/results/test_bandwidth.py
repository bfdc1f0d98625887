"""Validation log-likelihoods against the bandwidth."""

from __future__ import annotations

import math

import pytest

from pipeline.results.bandwidth import BandwidthCurve, BandwidthCurves, around_the_choice


def test_a_search_in_folds_chooses_the_geometric_mean_of_theirs() -> None:
    folds = [{"chosen": 0.1}, {"chosen": 0.4}]
    search = BandwidthCurve.read({"bandwidths": [0.4, 0.1], "log_likelihoods": [2.0, None], "chosen": 0.4,
                                  "folds": folds})
    assert search.chosen == pytest.approx(0.2)
    assert search.of_folds == (0.1, 0.4)
    assert list(search.points) == [0.1, 0.4]
    assert math.isnan(search.points[0.1])
    assert search.finite == {0.4: 2.0}
    assert BandwidthCurve.read({"bandwidths": [0.1], "log_likelihoods": [2.0], "chosen": 0.1}).of_folds == ()


def test_both_searches_are_one_curve_and_the_refined_one_counts_where_they_meet() -> None:
    curves = BandwidthCurves.read({
        "paper_grid": {"bandwidths": [0.1, 0.2], "log_likelihoods": [1.0, 2.0], "chosen": 0.2},
        "refined": {"bandwidths": [0.15, 0.2], "log_likelihoods": [3.0, 2.5], "chosen": 0.15}})
    assert list(curves.points.items()) == [(0.1, 1.0), (0.15, 3.0), (0.2, 2.5)]
    assert curves.best == 3.0
    assert around_the_choice([curves]) == pytest.approx((0.125, 0.225))
