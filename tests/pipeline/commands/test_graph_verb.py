"""pipeline.commands.graph and page: what is run and said of each experiment, what the page shows meanwhile."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from finished_page import Page

from gan.errors import ReproductionError
from pipeline.commands import graph, page
from pipeline.results.metrics import read_metrics
from pipeline.runtime import process
from pipeline.settings import plan as plan_file

ROOT = Path(__file__).parents[3]
NAMES = ("mnist", "mnist_training_images", "mnist_kmeans", "digits")


@pytest.fixture
def here(place, monkeypatch):
    """Finished experiments in a repository with the committed params.yaml, and a plan of them and one lesson."""
    shutil.copy(ROOT / "params.yaml", place)
    plan_file.Plan(["mnist", "digits"], {name: "digits" if name == "digits" else "mnist" for name in NAMES},
                   ["convergence"]).write()
    monkeypatch.setattr(graph, "changed_stages", lambda: None)
    return place


@pytest.fixture
def did(here, monkeypatch):
    """What DVC and other verbs are asked, in order. Stages in the set `failing` fail."""
    asked: list[str] = []
    failing: set[str] = set()

    def dvc(*words: str) -> None:
        asked.append(" ".join(words))
        if failing & set(words):
            raise ReproductionError("`dvc repro` failed")

    monkeypatch.setattr(process, "dvc", dvc)
    monkeypatch.setattr(process, "verb", lambda *words: asked.append(" ".join(words)))
    return asked, failing


# A run.

def test_each_is_scored_and_told_before_its_figures_and_the_page_grows(did, capsys):
    asked, _ = did
    graph.run()
    assert asked == [
        "repro configure",
        "repro evaluate@mnist_training_images",
        "repro --keep-going sample_size@mnist_training_images figures@mnist_training_images",
        "page mnist_training_images",
        "repro evaluate@mnist", "repro --keep-going sample_size@mnist figures@mnist",
        "page mnist_training_images mnist",
        "repro evaluate@mnist_kmeans", "repro --keep-going sample_size@mnist_kmeans figures@mnist_kmeans",
        "page mnist_training_images mnist mnist_kmeans",
        "repro evaluate@digits", "repro --keep-going sample_size@digits figures@digits",
        "repro --keep-going"]
    said = capsys.readouterr().out
    assert re.search(r"^Adversarial nets +225 ± 2 +84\.0 ± 2\.2 .*\n  ema .*129\.0 ± 2\.2", said, re.M)
    assert said.index("Training images") < said.index("Adversarial nets") < said.index("k-means")
    assert "1 of 4 experiments scored, 3 to come" in said
    assert "4 of 4 experiments scored\n" in said


def test_what_is_done_is_not_gone_through_again(did, monkeypatch):
    asked, _ = did
    monkeypatch.setattr(graph, "changed_stages", lambda: {"train@mnist_kmeans", "report"})
    graph.run()
    assert asked == ["repro configure", "repro evaluate@mnist_kmeans",
                     "repro --keep-going sample_size@mnist_kmeans figures@mnist_kmeans", "repro --keep-going"]
    del asked[:]
    monkeypatch.setattr(graph, "changed_stages", lambda: set())
    graph.run()
    assert asked == ["repro configure", "repro --keep-going"]


def test_one_that_fails_stops_no_other_and_the_page_says_so(did):
    asked, failing = did
    failing.update({"evaluate@mnist", "figures@mnist_kmeans"})
    with pytest.raises(ReproductionError, match=r"stages of mnist, mnist_kmeans failed[\s\S]*reports/index\.html"):
        graph.run()
    assert "repro evaluate@digits" in asked
    assert asked[-2:] == ["repro --keep-going lesson@convergence references@mnist references@digits "
                          "assess@mnist_training_images assess@digits",
                          "page mnist_training_images digits --failed mnist --failed mnist_kmeans"]
    assert "repro --keep-going" not in asked


def test_a_page_that_cannot_be_written_meanwhile_stops_nothing(did, monkeypatch):
    asked, _ = did

    def fails(*words: str) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(process, "verb", fails)
    graph.run()
    assert asked[-1] == "repro --keep-going"


@pytest.mark.parametrize("status", [process.INTERRUPTED, process.TERMINATED])
def test_who_is_stopped_while_the_page_is_written_is_stopped(did, monkeypatch, status):
    asked, _ = did

    def stopped(*words: str) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(process, "verb", stopped)
    with pytest.raises(SystemExit):
        graph.run()
    assert asked[-1].startswith("repro --keep-going sample_size@mnist_training_images")


# The page meanwhile.

def test_it_has_what_is_finished_and_says_of_the_rest_why_not(here, capsys):
    """Whatever an earlier run has left of that."""
    page.main(["mnist_training_images", "mnist"], ["mnist_kmeans"])
    assert list(read_metrics()) == ["mnist", "mnist_training_images"]
    text = Page(Path("reports/index.html").read_text()).text
    assert page.TO_COME in text
    assert page.FAILED in text
    assert "338.6" not in text  # of k-means
    assert "2 of 4 experiments" in capsys.readouterr().out


def test_a_profile_that_measures_nothing_has_a_place_of_its_own(here):
    before = {path: path.read_bytes() for path in (Path("reports")).glob("*.*")}
    chosen = plan_file.Plan.read()
    replace(chosen, reports=plan_file.REPORTS["smoke"]).write()
    page.main(NAMES)
    assert {path: path.read_bytes() for path in (Path("reports")).glob("*.*")} == before
    assert {path.name for path in Path("reports/smoke").iterdir()} == {"index.html", "full.html", "metrics.json"}
