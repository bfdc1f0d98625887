"""Measures in metrics.json and for DVC, and the places of rows under each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_assessment import DIGEST, LIKELIHOOD, assess, assess_finished, measured

from gan.evaluation.measures import BY_NAME, CHECKS, is_caught
from pipeline.artifacts.assessments import references_file
from pipeline.results.assessment import (
    COLUMNS,
    PARZEN,
    Row,
    is_first,
    ranks,
    rows,
    shown_columns,
    summary,
    with_assessments,
)
from pipeline.results.metrics import by_variant, gather
from pipeline.runtime.files import read_json, write_json
from pipeline.stages import collect, report

NAMES = ["mnist", "mnist_training_images", "mnist_kmeans"]


@pytest.fixture
def assessed(place: Path) -> Path:
    assess_finished(place)
    return place


def row(**values: float | None) -> Row:
    return Row("a", "raw", "A", {name: {"why": "-"} if value is None else {"value": value, "standard_error": 0.1}
                                 for name, value in values.items()}, {})


def test_metrics_have_each_measure_of_the_seed_that_validation_chose_with_its_spread(assessed: Path) -> None:
    entry = with_assessments(gather(NAMES))["mnist"]
    assert entry["seed"] == 2
    found = entry["assessment"]
    assert found["features"] == DIGEST[:16]
    assert found["frechet_distance"] == {"value": 0.3, "standard_error": 0.01, "seed_mean": 0.25,
                                         "seed_sd": pytest.approx(0.0707, abs=1e-4)}
    assert found["likelihood"]["test"] == LIKELIHOOD["test"]
    assert (entry["ema"]["seed"], entry["ema"]["assessment"]["frechet_distance"]["value"]) == (1, 0.1)
    assert "seed_mean" not in with_assessments(gather(NAMES))["mnist_training_images"]["assessment"]["recall"]
    kmeans = with_assessments(gather(NAMES))["mnist_kmeans"]["assessment"]
    assert kmeans["recall"] == {"why": "recall needs 4 images, not 3"}


def test_what_takes_entries_apart_and_experiments_without_measures_are_as_before(assessed: Path) -> None:
    before, after = gather(["mnist", "digits"]), with_assessments(gather(["mnist", "digits"]))
    assert after["digits"] == before["digits"]
    assert list(by_variant(after["mnist"])) == ["raw", "ema"]
    assert {key: value for key, value in after["mnist"].items() if key not in ("assessment", "ema")} == {
        key: value for key, value in before["mnist"].items() if key != "ema"}


def test_the_report_and_collect_write_them(assessed: Path) -> None:
    report.main()
    assert read_json(Path("reports/metrics.json"))["mnist"]["assessment"]["coverage"]["value"] == 0.7
    collect.main()
    told = {path.stem: read_json(path) for path in Path("reports/assessment").glob("*.json")}
    assert told == summary(gather(NAMES))
    assert told["mnist"]["raw"]["coverage"] == 0.7
    assert told["mnist"]["ema"]["likelihood"] == 321.5
    assert "recall" not in told["mnist_kmeans"]["raw"]
    lines = Path("reports/plots/ranks.csv").read_text().splitlines()
    assert lines[0] == "experiment,seed,curve,measure,value"
    assert "mnist,1,ema,2,3" in lines  # Fréchet: after held-out and training images
    report.main()


def test_rows_are_held_out_images_experiments_and_the_other_references(assessed: Path) -> None:
    there = rows("mnist", gather(NAMES))
    assert [(one.experiment, one.variant) for one in there] == [
        ("", "held_out"), ("mnist", "raw"), ("mnist", "ema"), ("mnist_training_images", "raw"), ("mnist_kmeans", "raw"),
        ("", "blurred")]
    assert there[1].values["frechet_distance"]["value"] == 0.3
    assert there[0].values["parzen"]["value"] == 240.0
    assert [measure.name for measure in shown_columns(there)] == [measure.name for measure in COLUMNS]
    references_file("mnist").unlink()
    assert len(rows("mnist", gather(NAMES))) == 4


@pytest.mark.parametrize(("measure", "values", "places"), [
    ("frechet_distance", [3.0, 1.0, 2.0, None], [3, 1, 2, None]), ("recall", [0.1, 0.9, 0.9, 0.5], [4, 1, 1, 3]),
    ("copying", [-20.0, 1.0, 5.0, -0.5], [4, 2, 3, 1])])
def test_places_go_by_what_is_best(measure: str, values: list[float | None], places: list[int | None]) -> None:
    assert ranks([row(**{measure: value}) for value in values], BY_NAME[measure]) == places


@pytest.mark.parametrize(("value", "expected"), [(0.9, True), (0.81, True), (0.3, False), (None, None)])
def test_held_out_images_are_first_where_nothing_is_better_beyond_the_errors(value: float | None,
                                                                            expected: bool | None) -> None:
    found = {"why": "-"} if value is None else {"value": value, "standard_error": 0.03}
    held_out = Row("", "held_out", "Held-out", {"recall": found}, {})
    other = Row("a", "raw", "A", {"recall": {"value": 0.9, "standard_error": 0.03}}, {})
    assert is_first([held_out, other], BY_NAME["recall"]) is expected
    assert is_first([other], BY_NAME["recall"]) is None


def test_parzen_puts_blurred_images_first(assessed: Path) -> None:
    there = rows("mnist", gather(["mnist"]))
    assert ranks(there, PARZEN)[-1] == 1
    assert is_first(there, PARZEN) is False


@pytest.mark.parametrize(("measure", "bad", "caught"), [
    ("recall", {"value": 0.2, "standard_error": 0.01}, True), ("recall", {"value": 0.99, "standard_error": 0}, False),
    ("recall", {"value": 0.88, "standard_error": 0.01}, False), ("recall", {"why": "too few"}, None),
    ("copying", {"value": -3.5, "standard_error": 9}, True), ("copying", {"value": 50, "standard_error": 1}, False)])
def test_bad_samples_are_caught_beyond_both_errors_and_copies_by_their_own_bound(measure, bad, caught) -> None:
    check = next(check for check in CHECKS if check.measure == measure)
    assert is_caught(check, {measure: bad}, {measure: {"value": 0.9, "standard_error": 0.01}}) is caught


def test_another_data_set_has_rows_of_its_own(assessed: Path) -> None:
    seeds = {1: measured(0.1), 2: measured(0.1)}
    assess("digits", {"raw": seeds, "ema": seeds}, "digits")
    assert {one.experiment for one in rows("digits", gather([*NAMES, "digits"]))} == {"digits"}
    write_json(references_file("digits"), {"rows": {}})
    assert len(rows("digits", gather([*NAMES, "digits"]))) == 2
