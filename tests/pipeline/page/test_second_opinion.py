"""The page's second opinion: ranks, values, checks, a likelihood, and what is said where something is missing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from finished_assessment import assess, assess_finished, measured, refer
from finished_page import rendered

from gan.evaluation.measures import MEASURES
from pipeline.artifacts.assessments import references_picture
from pipeline.page.pictures import Numbering
from pipeline.page.second_opinion import Opinion, second_opinions
from pipeline.results.metrics import gather

NAMES = ["mnist", "mnist_training_images", "mnist_kmeans"]


@pytest.fixture
def assessed(place: Path) -> Path:
    assess_finished(place)
    return place


def opinion() -> Opinion:
    one, = second_opinions(gather(NAMES), Numbering())
    return one


def test_without_measures_the_page_says_nothing_of_them(place: Path) -> None:
    assert second_opinions(gather(NAMES), Numbering()) == []
    assert "second opinion" not in rendered().text.lower()


def test_three_sentences_tell_what_the_measures_find(assessed: Path) -> None:
    parzen, first, best = opinion().said
    assert "real training images score 244.0 nats, and the same images made less sharp 321.0" in parzen
    assert f"{len(MEASURES)} measures" in first
    assert first.endswith(f"{len(MEASURES)} of them do.")
    assert f"Adversarial nets, averaged weights does best by these {len(MEASURES)}" in best
    assert best.endswith("as it does by the paper’s number.")


def test_every_row_has_a_line_through_its_places(assessed: Path) -> None:
    chart = opinion().ranks
    assert [line.kind for line in chart.lines] == ["held-out", "model", "model variant", "reference",
                                                "reference", "reference"]
    held_out, raw = chart.lines[:2]
    assert [place.rank for place in held_out.places] == [4, *[1] * len(MEASURES)]
    assert [place.rank for place in raw.places][1] == 4
    kmeans = next(line for line in chart.lines if line.label == "k-means centroids")
    assert len(kmeans.places) == len(MEASURES)  # one of twelve is missing
    for column in range(len(chart.heads)):  # none hides another
        at = [place.y for line in chart.lines for place in line.places if place.x == chart.heads[column][0]]
        assert len(at) == len(set(at))
        assert all(0 < y < chart.height for y in at)


def test_the_table_has_values_with_errors_seeds_samples_and_reasons(assessed: Path) -> None:
    one = opinion()
    raw = next(row for row in one.rows if row.details == "mnist" and "averaged" not in row.label)
    assert (raw.cells[1].text, raw.cells[1].error) == ("0.30", "0.01")
    assert raw.cells[1].note == "seeds 0.20 to 0.30"
    assert len(raw.samples) == 5
    assert all(source.startswith("data:image/png;base64,") for source in raw.samples)
    recall = [measure.name for measure in one.columns].index("recall")
    kmeans = next(row for row in one.rows if row.details == "mnist_kmeans")
    assert (kmeans.cells[recall].text, kmeans.cells[recall].note) == ("–", "recall needs 4 images, not 3")
    held_out = one.rows[0]
    assert held_out.cells[1].best
    assert not held_out.cells[0].best
    assert len(held_out.samples) == 5
    assert held_out.samples != one.rows[-1].samples
    references_picture("mnist").unlink()
    assert opinion().rows[0].samples == []


def test_the_page_shows_all_of_it(assessed: Path) -> None:
    page = rendered()
    assert "Which model is better, then? A second opinion" in page.text
    assert page.row("Held-out real images")
    assert page.row("copies of training images")[-1] == "caught"
    assert page.row("Adversarial nets", "321.5 ± 8.5", "400.0 ± 6.0", "404.5 ± 6.0", "4.5 ± 0.5", "0.120")
    assert "Wu et al. report 329 for nets with 10 latent dimensions and 627" in page.text
    assert "a classifier that is right on 99.34% of test images (digest abababababab)" in page.text
    assert "#second-opinion" in {attributes.get("href") for attributes in page.all("a")}
    assert rendered().source == page.source


def test_a_measure_that_fails_its_check_is_said_to(assessed: Path) -> None:
    assert opinion().failing == ""
    refer(caught=False)
    better = measured(0.5, precision={"value": 1.5, "standard_error": 0.01},
                      density={"value": 9.0, "standard_error": 0.1})
    assess("mnist_kmeans", {"raw": {1: better}})
    assert opinion().failing.startswith("These measures fail the test that held-out real images come first")
    assert opinion().failing.count("precision") == opinion().failing.count("density") == 1
    assert f"{len(MEASURES) - 2} of them do." in opinion().said[1]
    assert f"by these {len(MEASURES) - 2} " in opinion().said[2]
    page = rendered()
    assert page.row("one image over and over")[-1] == "not caught"
    assert "A high place there is no praise" in page.text


def test_the_closed_form_stands_beside_the_curve(assessed: Path) -> None:
    one = opinion()
    assert one.chart is not None
    curve, form = one.chart.lines
    assert (curve.name, form.name) == ("the estimate", "by the nearest sample alone")
    for sigma, value in zip(form.x, form.y, strict=True):
        assert value == pytest.approx(
            -2.5 / (2 * sigma**2) - math.log(60) - 64 * math.log(sigma * math.sqrt(2 * math.pi)))
    assert "r² = 2.50" in one.chart_said


def test_data_in_folds_have_no_one_curve(elsewhere: Path) -> None:
    seeds = {seed: measured(0.1 * seed) for seed in (1, 2)}
    assess("tfd", {"raw": seeds}, "tfd")
    refer("tfd")
    one, = second_opinions(gather(["tfd"]), Numbering())
    assert one.chart is None
    assert one.wu == ""
    assert "second opinion" in rendered().text.lower()
