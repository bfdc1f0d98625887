"""All rows of a data set on one axis, and the estimate against the number of samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from finished_page import add_sizes, rendered
from finished_run import NORMALISED

from pipeline.page.formatting import Notes
from pipeline.page.pictures import MODEL_COLOURS, Numbering
from pipeline.page.scores import DotPlot, dot_plots, measurements
from pipeline.page.sizes import sample_sizes
from pipeline.results.metrics import Entry, gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import Recorded, recorded_runs
from pipeline.runtime.files import read_json, write_json


def plots(metrics: dict[str, Entry], recorded: Sequence[Recorded] = ()) -> list[DotPlot]:
    return dot_plots(measurements(metrics, recorded, Notes()), Numbering())


def test_every_row_stands_on_the_axis_of_its_data_set_highest_first(place: Path) -> None:
    mnist, digits = plots(gather(Plan.read().experiments), recorded_runs())
    assert [row.label for row in mnist.rows] == [
        "k-means centroids", "Training images", "Adversarial nets", "Deep GSN", "DBN",
        "Adversarial nets, averaged weights", "Adversarial nets, averaged weights", "Stacked CAE", "Adversarial nets"]
    assert [row.measured for row in mnist.rows[:4]] == ["338.6 ± 2.2", "244.0 ± 2.2", "226.3 ± 2.2", "–"]
    assert [row.detail for row in mnist.rows[1:4]] == ["cpu", "paper, 2 seeds", "not measured"]
    places = [float(row.dots[0].at) for row in mnist.rows]
    assert places == sorted(places, reverse=True)
    assert 0 < places[-1] < places[0] < 100
    assert digits.note == "a test of the pipeline, comparable with nothing"
    assert [mnist.number, digits.number] == [1, 2]


def test_ours_and_the_papers_stand_on_one_line_with_both_errors(place: Path) -> None:
    row = next(row for row in plots(gather(["mnist"]))[0].rows if row.measured == "84.0 ± 2.2")
    ours, paper = row.dots
    assert (ours.kind, paper.kind) == ("ours", "paper")
    start, length = map(float, ours.bar)
    assert start < float(ours.at) < start + length
    assert start + length / 2 == pytest.approx(float(ours.at), abs=0.02)


def test_few_seeds_are_points_and_many_a_range(place: Path) -> None:
    metrics = gather(["mnist"])
    ours = next(row for row in plots(metrics)[0].rows if row.measured == "84.0 ± 2.2").dots[0]
    low, high = map(float, ours.points)
    assert low == pytest.approx(float(ours.at), abs=0.02)  # the other seed, 90.0, is higher
    assert high - low == pytest.approx(float(ours.bar[1]) * 6 / 4.5, abs=0.1)
    assert ours.range is None
    one = metrics["mnist"]["seeds"][0]
    metrics["mnist"]["seeds"] += [one | {"seed": seed, "test_log_likelihood": 87.0} for seed in (3, 4)]
    ours = next(row for row in plots(metrics)[0].rows if row.measured == "84.0 ± 2.2").dots[0]
    assert not ours.points
    assert ours.range is not None
    assert float(ours.range[1]) == pytest.approx(high - low, abs=0.02)


def test_a_model_has_one_colour_and_a_variant_that_is_not_the_papers_is_dashed(place: Path) -> None:
    mnist = plots(gather(Plan.read().experiments), recorded_runs())[0]
    nets = [row for row in mnist.rows if row.label.startswith("Adversarial nets")]
    assert {row.dots[0].colour for row in nets} == {MODEL_COLOURS["adversarial_nets"]}
    assert [row.dashed for row in nets] == [False, True, True, False]
    assert len(set(MODEL_COLOURS.values())) == len(MODEL_COLOURS)


def test_seeds_beyond_the_axis_are_named_and_do_not_stretch_it(place: Path) -> None:
    metrics = gather(["mnist"])
    metrics["mnist"]["seeds"][0]["test_log_likelihood"] = -900.0
    row = next(row for row in plots(metrics)[0].rows if row.measured == "84.0 ± 2.2")
    assert row.beyond == "seed at −900.0"
    assert len(row.dots[0].points) == 1


def test_data_sets_outside_the_papers_table_say_why_nothing_is_beside_them(elsewhere: Path) -> None:
    text = rendered().text
    assert (f"CIFAR-10, d = 192, {NORMALISED}, test log-likelihood in nats, highest first. The paper shows figures 2c "
            "and 2d and reports no log-likelihood.") in text
    assert "Comparable with no published number." in text


# The number of samples.

def test_sizes_are_drawn_with_every_model_of_the_data_set(place: Path) -> None:
    add_sizes(place, "mnist_kmeans", {"raw": {1000: 200.0, 10000: 338.0}})
    one, = sample_sizes(Plan.read(), Numbering())
    assert [line.name for line in one.chart.lines] == [
        "Adversarial nets", "Adversarial nets, averaged weights", "k-means centroids"]
    assert [line.label for line in one.chart.lines] == ["Adversarial nets", "averaged", "k-means centroids"]
    assert [(line.colour, line.dashed) for line in one.chart.lines] == [
        (MODEL_COLOURS["adversarial_nets"], False), (MODEL_COLOURS["adversarial_nets"], True),
        (MODEL_COLOURS["kmeans"], False)]
    assert list(one.chart.lines[0].x) == [1000, 10000, 100000]
    assert one.chart.x.log
    assert list(one.chart.lines[0].low) == [37.5, 82.0, 117.75]
    assert len(one.chart.marks) == 3  # σ was at the edge with 1,000 samples
    assert one.said == (
        "On MNIST, estimated from more samples of the same models, all of them rise; most of all k-means centroids, "
        "from 200.0 with 1,000 to 338.0 with 10,000.")
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
    assert "0 of 1 rise" in one.said


def test_two_experiments_with_one_model_have_two_colours(elsewhere: Path) -> None:
    for name in ("cifar10_convolutional", "cifar10_training_images"):
        add_sizes(elsewhere, name, {"raw": {10: 1.0, 20: 2.0}, "ema": {10: 1.0, 20: 2.0}}, dataset="cifar10")
    write_json(elsewhere / "artifacts/cifar10_training_images/evaluation.json", read_json(
        elsewhere / "artifacts/cifar10_training_images/evaluation.json") | {"model": "adversarial_nets"})
    one, = sample_sizes(Plan.read(), Numbering())
    first, second = one.chart.lines[::2]
    assert first.colour != second.colour
    assert [line.colour for line in one.chart.lines[1::2]] == [first.colour, second.colour]


@pytest.mark.parametrize("curves", [{}, {"raw": {1000: 1.0}}])
def test_without_sizes_the_page_says_that_there_are_none(place: Path, curves: dict[str, dict[int, float]]) -> None:
    add_sizes(place, "mnist", curves)
    assert "This page has no estimates from several numbers of samples" in rendered().text
    (place / "artifacts/mnist/sample_sizes.json").unlink()
    assert "This page has no estimates from several numbers of samples" in rendered().text
