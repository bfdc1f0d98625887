"""The answer: what is judged, by which rule, and what is said of what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from finished_page import rendered
from finished_run import REDUCED, FinishedRun, Scores

from pipeline.page.claims import Verdict, answer, claims, judge, verdict, why_missing
from pipeline.results.metrics import Entry, gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
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


@pytest.mark.parametrize(("changes", "variant", "word", "reason"), [
    ({}, "raw", "reproduced", "+1.0 nats, margin 6.0"),
    ({"differences": ["recipe.epochs 40 (paper: 500)"], "profile": "cpu"}, "raw", "not judged: reduced", "+1.0 nats"),
    ({"profile": "own"}, "raw", "not judged: profile own", "+1.0 nats"),
    ({}, "ema", "not judged: averaged weights are not the paper’s", "within the margin: +1.0 nats, margin 6.0"),
    ({"test_log_likelihood": 300.0}, "ema", "not judged: averaged weights are not the paper’s",
     "outside the margin: +75.0 nats, margin 6.0"),
    ({"seed_sd": 100.0}, "raw", "undecided: the seeds spread too widely", "+1.0 nats, margin 200.1"),
    ({"dataset": "cifar10"}, "raw", "not judged: the paper has no such number", "")])
def test_only_the_papers_own_numbers_and_weights_are_judged(changes: dict[str, Any], variant: str, word: str,
                                                            reason: str) -> None:
    found = verdict(entry(**changes), variant)
    assert (found.word, found.reason) == (word, reason)


def test_the_table_of_claims_has_every_cell_of_the_papers_table_and_its_figures(place: Path) -> None:
    page = rendered()
    assert page.row("Adversarial nets on MNIST", "225 ± 2")[2:4] == [
        "226.3 ± 2.287.0 ± 4.2 over 2 seeds", "reproduced+1.3 nats, margin 10.4"]
    for name, paper in (("Adversarial nets on TFD", "2057 ± 26"), ("DBN on MNIST", "138 ± 2"),
                        ("Stacked CAE on TFD", "2110 ± 50"), ("Deep GSN on MNIST", "214 ± 1.1")):
        assert page.row(name)[1:4] == [paper, "–", "not run"]
    for name in ("Figure 2a: samples, MNIST", "Figure 3: digits along straight lines in z"):
        assert page.row(name)[3].startswith("judge by eye")
    assert page.row("Figure 2c")[2:4] == ["–", "not run"]
    assert "A number is judged by its distance from the paper’s" in page.text


def test_the_recorded_run_is_judged_and_stands_before_what_is_not(place: Path) -> None:
    page = rendered()
    rows = [[" ".join(cell.split()) for cell in row] for row in page.cells]
    at = next(i for i, row in enumerate(rows) if row and row[0] == "Adversarial nets on MNIST")
    first, *others = [rows[at][2:], *rows[at + 1:at + 4]]
    assert first[0].startswith("226.3 ± 2.2")
    assert first[1].startswith("reproduced+1.3 nats")
    assert all(part in first[2] for part in ("profile paper", "recorded 2026-11-23", "Example GPU", "epoch 9"))
    assert all(row[1].startswith("not judged") for row in others)
    assert others[0][0].startswith("84.0 ± 2.2")
    assert "profile cpu" in others[0][2]


def test_the_sentence_at_the_top_follows_the_results(place: Path) -> None:
    plan, recorded = Plan.read(), recorded_runs()
    metrics = gather(plan.experiments)
    said = answer(metrics, recorded).replace("\N{NO-BREAK SPACE}", " ")
    assert said == ("On MNIST the paper’s result is reproduced (in a recorded run, 226.3 ± 2.2 nats against its 225 ± "
                    "2, 87.0 ± 4.2 over 2 seeds; 129.0 ± 2.2 with averaged weights, which the paper does not have); on "
                    "TFD nothing was measured.")
    said = answer(metrics, [])
    assert said.startswith("On MNIST nothing is decided: only runs that are not judged were made")
    assert "is not reproduced" in answer({"mnist": metrics["mnist"] | {"profile": "paper"}}, [])
    wide = metrics["mnist"] | {"profile": "paper", "seed_sd": 90.0, "test_log_likelihood": 220.0}
    assert "is reproduced is undecided" in answer({"mnist": wide}, [])
    assert answer({}, []) == "On MNIST nothing was measured; on TFD nothing was measured."


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
    found = {claim.claim: claim for claim in claims({}, Plan.read(), [], [])}
    assert found["Adversarial nets on TFD"].missing.startswith("left out: the Toronto Face Database")
    assert found["Figure 2b: samples, TFD"].missing == "for the same reason as Adversarial nets on TFD"


def test_reduced_figures_are_linked_for_the_eye(elsewhere: Path) -> None:
    page = rendered()
    row = page.row("Figure 2d: samples, CIFAR-10, convolutional")
    assert row[2].startswith("drawn")
    assert "profile cpu (reduced); seed 2; epoch 9" in row[4]
    links = {link["href"] for link in page.all("a")}
    assert sum(link.startswith("#figure-") for link in links) == 2  # cifar10_convolutional and tfd


def test_what_was_reduced_is_said_beside_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    run.add("mnist", scores=Scores({"raw": {1: (225.0, 225.0)}}), about={"differences": REDUCED})
    run.finish()
    figures.main("mnist")
    row = rendered().row("Adversarial nets on MNIST")
    assert row[3].startswith("not judged: reduced")
    assert "generator.hidden[0].units 1200 (paper: 8000)" in row[4]
    assert "and 2 more, listed with the experiment" in row[4]
