"""The answer: what is judged, by which rule, and what is said of what is missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_page import rendered
from finished_run import NOTE, FinishedRun, Scores
from finished_run import REDUCED as REDUCED_SETTINGS
from recorded_run import make_recorded

from pipeline.page.claims import Answer, Verdict, answer, claims, judge, verdict, why_missing
from pipeline.page.formatting import REDUCED, Notes
from pipeline.results.long_run import LongRun, long_runs
from pipeline.results.metrics import Entry, gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import Recorded, recorded_runs
from pipeline.stages import figures

PAPER = (225.0, 2.0)


@pytest.mark.parametrize(("value", "error", "deviation", "kind"), [
    (230.0, 2.0, None, "yes"),  # 5 ≤ 2·√(4 + 4) = 5.66
    (231.0, 2.0, None, "no"), (219.0, 2.0, None, "no"),
    (231.0, 2.0, 3.0, "yes"),  # 6 ≤ 2·√(4 + 4 + 9) = 8.2
    (234.0, 2.0, 3.0, "no"),
    (225.0, 2.0, 9.4, "yes"),  # 2·√(4 + 4 + 88.4) = 19.6: just not wider than ten of the paper's errors
    (225.0, 2.0, 9.8, "open"), (-100.0, 2.0, 200.0, "open"),
    (-400.0, 2.0, 200.0, "no")])
def test_the_rule(value: float, error: float, deviation: float | None, kind: str) -> None:
    assert judge(value, error, deviation, PAPER).kind == kind


def test_a_verdict_says_how_far_and_against_which_margin() -> None:
    assert judge(231.0, 2.0, 3.0, PAPER) == Verdict("yes", "reproduced", "+6.0 nats, margin 8.2")
    assert judge(200.0, 1.84, None, PAPER).reason == "−25.0 nats, margin 5.4, one seed"


def entry(**changes: Any) -> Entry:
    return {"test_log_likelihood": 226.0, "standard_error": 2.0, "seed_sd": 1.0, "profile": "paper", "differences": [],
            "model": "adversarial_nets", "dataset": "mnist"} | changes


@pytest.mark.parametrize(("changes", "variant", "found"), [
    ({}, "raw", Verdict("yes", "reproduced", "+1.0 nats, margin 6.0")),
    ({"differences": ["recipe.epochs 40 (paper: 500)"], "profile": "cpu"}, "raw",
     Verdict("beside", "not judged", "+1.0 nats", REDUCED)),
    ({"profile": "own"}, "raw", Verdict("beside", "not judged", "+1.0 nats", "Profile own, not paper.")),
    ({}, "ema", Verdict("beside", "not judged", "within the margin: +1.0 nats, margin 6.0",
                        "Averaged weights are not the paper’s.")),
    ({"test_log_likelihood": 300.0}, "parallel", Verdict(
        "beside", "not judged", "outside the margin: +75.0 nats, margin 6.0", "Parallel chains are not the paper’s.")),
    ({"seed_sd": 100.0}, "raw", Verdict("open", "undecided: the seeds spread too widely", "+1.0 nats, margin 200.1")),
    ({"dataset": "cifar10"}, "raw", Verdict("beside", "not judged", note="The paper has no such number."))])
def test_only_the_papers_own_numbers_and_weights_are_judged(changes: dict[str, Any], variant: str,
                                                            found: Verdict) -> None:
    assert verdict(entry(**changes), variant) == found


# The table on the first screen.

def test_the_first_table_has_the_papers_eight_numbers_ours_and_verdicts(place: Path) -> None:
    page = rendered(full=False)
    rows = [row for row, around in zip(page.cells, page.rows_within, strict=True) if "first-table" in around]
    assert [[" ".join(cell.split()) for cell in row] for row in rows] == [
        ["Data", "Model", "Paper", "Ours", "Verdict"],
        ["MNIST", "Adversarial nets", "225 ± 2", "87.0 ± 4.2 two seeds", "reproduced"],
        ["DBN", "138 ± 2", "–", "not run"],
        ["Stacked CAE", "121 ± 1.6", "–", "not run"],
        ["Deep GSN", "214 ± 1.1", "–", "not run"],
        ["TFD", "Adversarial nets", "2057 ± 26", "–", "left out"],
        ["DBN", "1909 ± 66", "–", "not run"],
        ["Stacked CAE", "2110 ± 50", "–", "not run"],
        ["Deep GSN", "1890 ± 29", "–", "not run"]]


def test_every_verdict_leads_to_a_row_of_details(place: Path) -> None:
    page = rendered(full=False)
    links = [link["href"][1:] for link in page.all("a") if link.get("class", "").startswith("verdict")]
    rows = [row["id"] for row in page.all("tr") if "id" in row]
    assert links == rows
    assert len(rows) == 8


def test_the_table_of_claims_has_one_row_for_each(place: Path) -> None:
    page = rendered()
    measured = page.row("Adversarial nets on MNIST", "225 ± 2")[2]
    assert measured.startswith(
        "226.3 ± 2.2 trained weights; 87.0 ± 4.2 over 2 seeds: reproduced, +1.3 nats, margin 10.4")
    assert all(part in measured for part in ("profile paper", "recorded 2026-11-23", "epoch 9", "84.0 ± 2.2",
                                             "profile cpu", "129.0 ± 2.2 averaged weights"))
    assert measured.index("reproduced") < measured.index("not judged")
    for name, paper in (("Adversarial nets on TFD", "2057 ± 26"), ("DBN on MNIST", "138 ± 2"),
                        ("Stacked CAE on TFD", "2110 ± 50"), ("Deep GSN on MNIST", "214 ± 1.1")):
        assert page.row(name)[1] == paper
        assert page.row(name)[2].startswith(("not run", "left out", "as "))
    for name in ("The paper’s figure 2a: samples, MNIST", "The paper’s figure 3: digits along straight lines in z"):
        assert "judge by eye" in page.row(name)[2]
    assert page.row("The paper’s figure 2c")[2].startswith("not run")
    assert "A number is judged by its distance from the paper’s" in page.text


# The sentences on the first screen.

def said(metrics: dict[str, Entry], recorded: Sequence[Recorded] = (), runs: Sequence[LongRun] = ()) -> Answer:
    found = answer(metrics, recorded, runs)
    return replace(found, headline=found.headline.replace("\N{NO-BREAK SPACE}", " "))


def test_the_headline_follows_the_results(place: Path) -> None:
    metrics = gather(Plan.read().experiments)
    assert said(metrics, recorded_runs()).headline == (
        "Reproduced: the paper claims 225 ± 2 nats for adversarial nets on MNIST; its recipe gives 87.0 ± 4.2 over two "
        "seeds (131.0 with averaged weights, which the paper does not have).")
    assert said(metrics).headline.startswith(
        "Not decided: the paper claims 225 ± 2 nats for adversarial nets on MNIST; only runs that are not judged were "
        "made, which give (profile cpu) 87.0 ± 4.2 over two seeds")
    assert said({"mnist": metrics["mnist"] | {"profile": "paper"}}).headline.startswith("Not reproduced: ")
    wide = metrics["mnist"] | {"profile": "paper", "seed_sd": 90.0, "test_log_likelihood": 220.0}
    assert said({"mnist": wide}).headline.startswith("Undecided: ")
    assert said({}).headline == "On MNIST (225 ± 2) nothing was measured."
    assert said({}).elsewhere.endswith("nothing was measured: its owners grant it on request.")


def test_the_estimate_is_told_by_what_is_no_model(place: Path) -> None:
    metrics = gather(Plan.read().experiments)
    assert said(metrics).estimate == (
        "The estimate says whether a number is reached again, not which model is better: in place of samples k-means "
        "centroids score 338.6 and real training images score 244.0.")
    assert said({}).estimate.endswith("not which model is better.")


def test_collapse_is_told_by_the_starts_that_were_watched_else_by_the_seeds(place: Path) -> None:
    metrics = gather(Plan.read().experiments)
    assert said(metrics).collapse == "None of its two seeds has a validation score below 0, as collapsed ones do."
    metrics["mnist"]["seeds"][0]["validation_log_likelihood"] = -3.0
    assert said(metrics).collapse.startswith("One of its two seeds has a validation score below 0")
    assert said({}).collapse == ""
    (place / "reports/recorded/run.json").unlink()
    make_recorded(place / "reports/recorded")
    assert said(metrics, recorded_runs(), long_runs()).collapse == (
        "1 of 4 starts collapse (25.0 %, 95 % interval 0.6 to 80.6 %).")


def test_how_much_of_the_paper_is_covered_is_counted(place: Path) -> None:
    assert ("Of the 8 numbers in the paper’s Table 1, 1 is judged here, 0 measured but not judged, and 7 not measured. "
            "Of the 5 parts of its figures 2 and 3, 2 are drawn anew.") in rendered().text
    (place / "reports/recorded/run.json").unlink()
    assert "0 are judged here, 1 measured but not judged" in rendered().text


@pytest.mark.parametrize(("kinds", "experiments", "left_out", "said"), [
    ({"mnist_dbn": ("dbn", "mnist")}, (), {}, "not run: make reproduce PROFILE=paper EXPERIMENTS=mnist_dbn"),
    ({"mnist_dbn": ("dbn", "mnist")}, ("mnist_dbn",), {}, "not run yet: dvc repro evaluate@mnist_dbn"),
    ({"mnist_dbn": ("dbn", "mnist")}, (), {"mnist_dbn": "no data"}, "left out: no data."),
    ({}, (), {}, "not run: params.yaml has no experiment with this model on these data")])
def test_what_was_not_run_says_why_and_how_to_run_it(kinds: dict[str, tuple[str, str]], experiments: tuple[str, ...],
                                                      left_out: dict[str, str], said: str) -> None:
    plan = Plan("paper", ("mnist",), experiments, left_out, kinds)
    assert why_missing("dbn", "mnist", plan).startswith(said)


def test_experiments_that_there_could_be_are_read_from_the_parameters() -> None:
    plan = Plan.read(Path(__file__).parents[3] / "params.yaml")
    assert plan.kinds["mnist"] == ("adversarial_nets", "mnist")
    assert plan.kinds["tfd_training_images"] == ("training_images", "tfd")


def test_a_reason_is_given_once(place: Path) -> None:
    found = {claim.claim: claim for claim in claims({}, Plan.read(), [], [], Notes())}
    assert found["Adversarial nets on TFD"].missing.startswith("left out: the Toronto Face Database")
    assert found["The paper’s figure 2b: samples, TFD"].missing == "as Adversarial nets on TFD"


def test_reduced_figures_are_linked_for_the_eye(elsewhere: Path) -> None:
    page = rendered()
    row = page.row("The paper’s figure 2d: samples, CIFAR-10, convolutional")
    assert row[2].startswith("drawn trained weights: judge by eye")
    assert "profile cpu (reduced), seed 2, epoch 9" in row[2]
    links = {link["href"] for link in page.all("a")}
    assert sum(link.startswith("#figure-") for link in links) == 2  # cifar10_convolutional and tfd


def test_what_was_reduced_is_noted_beside_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    run.add("mnist", scores=Scores({"raw": {1: (225.0, 225.0)}}), about={"differences": REDUCED_SETTINGS})
    run.finish()
    figures.main("mnist")
    page = rendered()
    assert "not judged" in page.row("Adversarial nets on MNIST")[2]
    assert page.text.count(REDUCED) == 1


def test_a_remark_is_said_once_and_its_letter_wherever_it_holds(elsewhere: Path) -> None:
    for full in (True, False):
        page = rendered(full)
        assert page.text.count(NOTE) == 1
        letter = re.search(rf'id="(note-\w+)"><b>\w+</b> {re.escape(NOTE)}', page.source)[1]
        assert sum(link["href"] == f"#{letter}" for link in page.all("a")) >= 2  # at least in both experiments


def test_letters_go_on_after_z() -> None:
    notes = Notes()
    letters = [notes.mark(str(number)) for number in range(28)]
    assert letters[:2] + letters[25:] == ["a", "b", "z", "aa", "ab"]
    assert notes.mark("1") == "b"
    assert notes.said[-1] == ("ab", "27")
