"""Round numbers for axes."""

from __future__ import annotations

import pytest

from pipeline.results.ticks import linear_ticks, log_ticks


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0, 10, [0, 2, 4, 6, 8, 10]), (0.3, 1, [0.4, 0.6, 0.8, 1]), (-250, 210, [-200, -100, 0, 100, 200]),
    (0.151, 0.249, [0.16, 0.18, 0.2, 0.22, 0.24]), (1e-9, 2e-9, [1e-9, 1.2e-9, 1.4e-9, 1.6e-9, 1.8e-9, 2e-9])])
def test_linear_ticks_are_round_and_within(low: float, high: float, expected: list[float]) -> None:
    assert linear_ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("low", "high", "expected"), [
    (900, 110_000, [1000, 10_000, 100_000]), (0.1, 1, [0.1, 0.3, 1]), (0.1, 0.5, [0.1, 0.2, 0.5]),
    (0.3, 1.6, [0.3, 0.5, 0.7, 1, 1.5]), (0.2, 0.21, [0.2, 0.202, 0.204, 0.206, 0.208, 0.21])])
def test_logarithmic_ticks_are_round_and_within(low: float, high: float, expected: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0.1, 1.0, [0.1, 0.2, 0.5, 1]), (0.1, 0.5, [0.1, 0.15, 0.2, 0.3, 0.5]),
    (0.3, 1.6, [0.3, 0.5, 0.7, 1, 1.5]), (0.1, 1.6, [0.1, 0.2, 0.5, 1]),
    (0.05, 20, [0.1, 0.3, 1, 3, 10]), (0.44, 0.61, [0.45, 0.5, 0.55, 0.6]), (0.2, 0.2, [0.2])])
def test_ticks_of_bandwidths_are_round_and_within_any_range(low: float, high: float, expected: list[float]) -> None:
    assert log_ticks(low, high, least=4) == expected
