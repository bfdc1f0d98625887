"""Line charts: places, ticks, and what the page's script reads."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.page.charts import (
    BREAK,
    FEW_SEEDS,
    LABEL_HEIGHT,
    Axis,
    Chart,
    Line,
    Mark,
    Rule,
    around,
    spread,
    tick_text,
)

LINE = Line("a", 1, [1, 2, 3], [10.0, None, 30.0], low=[9.0, None, 28.0], high=[11.0, None, 31.0])


def chart(*lines: Line, log: bool = False) -> Chart:
    return Chart("t", "what is seen", Axis("x", 1, 3, log), Axis("y", 0, 40), lines or (LINE,))


def test_ticks_are_placed_on_their_axis() -> None:
    assert [tick.percent for tick in Axis("x", 10, 1000, log=True).ticks()] == ["0.00", "50.00", "100.00"]
    assert Axis("x", 0, 4).share(1) == 0.25


@pytest.mark.parametrize(("value", "text"), [(-0.05, "−0.05"), (12345, "12,345"), (-2000, "−2,000"), (100, "100")])
def test_ticks_are_written_with_a_true_minus(value: float, text: str) -> None:
    assert tick_text(value) == text


def test_an_axis_goes_around_its_values() -> None:
    assert around([0.0, 10.0], 0.1) == (-1.0, 11.0)
    low, high = around([5.0], 0.0, 2.0)
    assert (low, high) == (4.0, 6.0)
    assert around([]) == pytest.approx((-0.04, 1.04))
    assert around([1.0, float("nan"), 2.0], 0.0) == (1.0, 2.0)


def test_a_line_passes_over_what_was_not_measured_and_is_interrupted_at_a_break() -> None:
    assert chart().path(LINE, LINE.y) == "M0.0 750.0L1000.0 250.0"
    broken = Line("a", 1, [1, 2, 3], [10.0, BREAK, 30.0])
    assert chart().path(broken, broken.y) == "M0.0 750.0M1000.0 250.0"


def test_a_band_lies_between_low_and_high_and_is_interrupted_too() -> None:
    assert chart().bands(LINE) == "M0.0 725.0L1000.0 225.0L1000.0 300.0L0.0 775.0Z"
    nan = BREAK
    broken = Line("a", 1, [1, 1.5, 2, 2.5, 3], [0.0] * 5, low=[0.0, 0.0, nan, 0.0, 0.0], high=[4.0, 4.0, nan, 4.0, 4.0])
    assert chart().bands(broken).count("Z") == 2
    assert chart().bands(Line("a", 1, [1.0], [1.0], low=[0.0], high=[2.0])) == ""  # one point has no area


def test_error_bars_dots_marks_and_rules_have_their_places() -> None:
    one = chart(log=True)
    assert one.bars(LINE) == "M0.0 775.0V725.0M1000.0 300.0V225.0"
    assert one.dots(LINE, LINE.y) == "M0.0 750.0h.01M1000.0 250.0h.01"
    assert one.point(Mark("ring", 1, 3, 40)) == "M1000.0 0.0h.01"
    assert one.straight(Rule(20, "half")) == "M0 500.0H1000"
    assert one.straight(Rule(3, "end", upright=True)) == "M1000.0 0V1000"
    assert not one.inside(Rule(41, "outside"))
    assert one.inside(Rule(1, "edge", upright=True))


def test_the_script_gets_every_value_to_five_digits_and_null_where_there_is_none() -> None:
    line = Line("a", 1, [1, 2, 3], [1.23456789, BREAK, None])
    data = json.loads(chart(line).data)
    assert data["lines"] == [{"name": "a", "x": [1, 2, 3], "y": [1.2346, None, None], "bars": False}]
    assert data["x"] == {"low": 1, "high": 3, "log": False, "label": "x"}


# Labels at the lines.

def test_a_label_stands_where_its_line_ends() -> None:
    one = chart(Line("high", 1, [1, 2, 3], [0.0, 40.0, 30.0]), Line("low", 2, [1, 2, 3], [40.0, 10.0, None], label="l"))
    assert [(label.text, label.colour, label.percent) for label in one.labels()] == [
        ("high", 1, "75.00"), ("l", 2, "25.00")]
    assert one.gutter == len("high")


def test_a_line_without_values_has_no_label() -> None:
    assert [label.text for label in chart(LINE, Line("none", 2, [1.0], [None])).labels()] == ["a"]


def test_labels_of_lines_that_end_together_are_moved_apart() -> None:
    one = chart(*(Line(str(k), 1, [1.0, 2.0], [0.0, 20.0]) for k in range(14)))
    places = sorted(float(label.percent) for label in one.labels())
    assert one.height > chart().height
    assert min(after - before for before, after in itertools.pairwise(places)) >= 100 * LABEL_HEIGHT / one.height - 0.01
    assert places[-1] <= 100


@given(st.lists(st.floats(0, 100), max_size=9))
def test_places_are_spread_in_their_order_and_no_farther_than_needed(places: list[float]) -> None:
    apart = spread(places, 10)
    order = sorted(range(len(places)), key=lambda i: places[i])
    assert all(apart[b] - apart[a] >= 10 - 1e-9 for a, b in itertools.pairwise(order))
    assert all(place <= 100 + 1e-9 for place in apart)
    if all(b - a >= 10 for a, b in itertools.pairwise(sorted(places))):
        assert apart == places


@pytest.mark.parametrize(("seeds", "points", "drawn"), [
    (1, 10, True), (FEW_SEEDS, 10, True), (FEW_SEEDS + 1, 10, False), (FEW_SEEDS, 500, False)])
def test_few_seeds_are_points_unless_they_would_run_together(seeds: int, points: int, drawn: bool) -> None:
    x = [float(i) for i in range(points)]
    assert Line("a", 1, x, x, seeds=[x] * seeds).seeds_as_points == drawn
