"""All rows of a data set on one axis, and the estimate against the number of samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_page import add_sizes, rendered
from finished_run import NORMALISED

from pipeline.page.pictures import Numbering
from pipeline.page.scores import dot_plots
from pipeline.page.sizes import sample_sizes
from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.published import PAPER_TABLE
from pipeline.results.recorded import recorded_runs


def test_every_row_stands_on_the_axis_of_its_data_set_highest_first(place: Path) -> None:
    metrics = gather(Plan.read().experiments)
    mnist, tfd, digits = dot_plots(metrics, recorded_runs())
    assert [row.label for row in mnist.rows] == [
        "k-means centroids", "Training images", "Adversarial nets", "Deep GSN", "DBN",
        "Adversarial nets, averaged weights (EMA), not in the paper",
        "Adversarial nets, averaged weights (EMA), not in the paper", "Stacked CAE", "Adversarial nets"]
    assert [row.measured for row in mnist.rows[:4]] == ["338.6 ± 2.2", "244.0 ± 2.2", "226.3 ± 2.2", "not measured"]
    assert [row.paper for row in mnist.rows[:4]] == ["–", "–", "225 ± 2", "214 ± 1.1"]
    places = [float(row.dots[0].at) for row in mnist.rows]
    assert places == sorted(places, reverse=True)
    assert 0 < places[-1] < places[0] < 100
    assert {row.label for row in tfd.rows} == {row.name for row in PAPER_TABLE}
    assert digits.note == "a test of the pipeline, comparable with nothing"


def test_ours_and_the_papers_stand_on_one_line_with_both_errors(place: Path) -> None:
    metrics = gather(["mnist"])
    row = next(row for row in dot_plots(metrics, [])[0].rows if row.measured == "84.0 ± 2.2")
    ours, paper = row.dots
    assert (ours.kind, paper.kind) == ("ours", "paper")
    start, length = map(float, ours.bar)
    assert start < float(ours.at) < start + length
    assert start + length / 2 == pytest.approx(float(ours.at), abs=0.02)
    assert ours.seeds is not None
    low, reach = map(float, ours.seeds)
    assert low == pytest.approx(float(ours.at), abs=0.02)  # the other seed, 90.0, is higher
    assert reach == pytest.approx(length * 6 / 4.5, abs=0.1)


def test_seeds_beyond_the_axis_are_named_and_do_not_stretch_it(place: Path) -> None:
    metrics = gather(["mnist"])
    metrics["mnist"]["seeds"][0]["test_log_likelihood"] = -900.0
    row = next(row for row in dot_plots(metrics, [])[0].rows if row.measured == "84.0 ± 2.2")
    assert row.beyond == "outside the axis: seed at −900.0"
    assert row.dots[0].seeds
    assert row.dots[0].seeds[0] == "0.00"


def test_data_sets_outside_the_papers_table_say_why_nothing_is_beside_them(elsewhere: Path) -> None:
    text = rendered().text
    assert f"CIFAR-10, d = 192, {NORMALISED} The paper shows figures 2c and 2d and reports no log-likelihood." in text
    assert "FER-2013 faces, five folds (not TFD), d = 64, ± over 5 folds Comparable with no published number." in text
    row = rendered().row("Adversarial nets", "–")
    assert len(row) == 5


# The number of samples.

def test_sizes_are_drawn_with_every_model_of_the_data_set(place: Path) -> None:
    add_sizes(place, "mnist_kmeans", {"raw": {1000: 200.0, 10000: 338.0}})
    one, = sample_sizes(Plan.read(), Numbering())
    assert [line.name for line in one.chart.lines] == [
        "Adversarial nets", "Adversarial nets, averaged weights (EMA), not in the paper", "k-means centroids"]
    assert list(one.chart.lines[0].x) == [1000, 10000, 100000]
    assert one.chart.x.log
    assert list(one.chart.lines[0].low) == [37.5, 82.0, 117.75]
    assert len(one.chart.marks) == 3  # σ was at the edge with 1,000 samples
    assert one.said == (
        "On MNIST the same models, estimated from more samples, go up: Adversarial nets: from 40.0 with 1,000 to 120.2 "
        "with 100,000; Adversarial nets, averaged weights (EMA), not in the paper: from 90.0 with 1,000 to 161.0 with "
        "100,000; k-means centroids: from 200.0 with 1,000 to 338.0 with 10,000.")
    assert one.data == ["artifacts/mnist/sample_sizes.json", "artifacts/mnist_kmeans/sample_sizes.json"]
    assert "mnist seed 2; mnist_kmeans seed 2; profile cpu" in one.caption


def test_mnist_comes_first_and_what_tests_the_pipeline_last(place: Path) -> None:
    add_sizes(place, "digits", {"raw": {10: 1.0, 20: 2.0}}, dataset="digits")
    add_sizes(place, "mnist_kmeans", {"raw": {10: 1.0, 20: 2.0}}, dataset="faces")
    assert [one.dataset for one in sample_sizes(Plan.read(), Numbering())] == [
        "MNIST", "faces (image folder)", "digits (8 × 8)"]


def test_a_falling_estimate_is_not_said_to_rise(place: Path) -> None:
    add_sizes(place, "mnist", {"raw": {1000: 100.0, 10000: 90.0}})
    one, = sample_sizes(Plan.read(), Numbering())
    assert "go up" not in one.said


@pytest.mark.parametrize("curves", [{}, {"raw": {1000: 1.0}}])
def test_without_sizes_the_page_says_that_there_are_none(place: Path, curves: dict[str, dict[int, float]]) -> None:
    add_sizes(place, "mnist", curves)
    assert "This page has no estimates from several numbers of samples" in rendered().text
    (place / "artifacts/mnist/sample_sizes.json").unlink()
    assert "This page has no estimates from several numbers of samples" in rendered().text
