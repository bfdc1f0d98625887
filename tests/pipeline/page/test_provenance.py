"""Provenance: stages in order with digests, what was changed, runs, and the command that makes the page again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from finished_page import rendered
from finished_run import FinishedRun

from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import PLAN, prepared_file
from pipeline.page.provenance import Chain, Change, Provenance
from pipeline.results.plan import Plan
from pipeline.runtime import git, run_log
from pipeline.runtime.files import read_yaml


def stage(deps: list[str], outs: dict[str, str]) -> dict[str, Any]:
    return {
        "deps": [{"path": path} for path in deps],
        "outs": [{"path": path, "md5": md5} for path, md5 in outs.items()],
    }


LOCK = {  # as DVC sorts nothing
    "collect": stage(["artifacts", "reports/figures"], {"reports/summary.json": "7" * 32}),
    "sample_size@mnist": stage(
        ["artifacts/mnist/models", "artifacts/mnist/evaluation.json"], {"artifacts/mnist/sample_sizes.json": "6" * 32}
    ),
    "figures@mnist": stage(
        ["artifacts/mnist/models", "artifacts/mnist/evaluation.json"], {"reports/figures/mnist": "8" * 32}
    ),
    "configure": stage([], {"artifacts/configuration": "9" * 32}),
    "evaluate@mnist": stage(["artifacts/mnist/samples"], {"artifacts/mnist/evaluation.json": "e" * 32}),
    "sample@mnist": stage(["artifacts/mnist/models"], {"artifacts/mnist/samples": "5" * 32 + ".dir"}),
    "train@mnist": stage(
        ["data/prepared/mnist.safetensors"],
        {"artifacts/mnist/models": "a" * 32, "artifacts/mnist/curves.csv": "b" * 32},
    ),
    "prepare@mnist": stage(["data/raw/mnist"], {"data/prepared/mnist.safetensors": "c" * 32}),
    "download@mnist": stage([], {"data/raw/mnist": "d" * 32}),
    "report": stage([], {"reports/index.html": "f" * 32}),
}


def verbs(chain: Chain) -> list[list[str]]:
    return [[step.verb for step in column] for column in chain.columns]


def test_stages_stand_in_the_order_in_which_they_feed_each_other(place: Path) -> None:
    FinishedRun(place).finish(experiments=["mnist"], lock=LOCK)
    chains = Provenance.read(Plan.read()).chains
    assert [(chain.item, chain.kind, verbs(chain)) for chain in chains] == [
        ("mnist", "data", [["download"], ["prepare"]]),
        ("mnist", "experiment", [["train"], ["sample"], ["evaluate"], ["figures", "sample_size"]]),
        ("", "once", [["configure"], ["collect"]]),
    ]
    ((train,), (sample,), *_) = chains[1].columns
    assert sample.digest == "5" * 10  # of a single output, as DVC has it
    assert train.digest not in ("a" * 10, "b" * 10)
    swapped = LOCK | {
        "train@mnist": stage([], {"artifacts/mnist/curves.csv": "b" * 32, "artifacts/mnist/models": "a" * 32})
    }
    FinishedRun(place).finish(experiments=["mnist"], lock=swapped)
    assert Provenance.read(Plan.read()).chains[1].columns[0][0].digest == train.digest
    assert "f" * 10 not in rendered().source


def test_lessons_that_were_asked_for_are_a_group_of_their_own(place: Path) -> None:
    FinishedRun(place).finish(
        experiments=["mnist"],
        lock={
            f"{verb}@{name}": stage([], {f"artifacts/lessons/{name}": "0" * 32})
            for verb, name in (
                ("lesson", "convergence"),
                ("lesson_on_data", "honest_pictures"),
                ("lesson", "figure_1"),
            )
        },
    )
    content = read_yaml(PLAN)
    content["run"] |= {"lessons": ["convergence"], "lessons_on_data": {"honest_pictures": "mnist"}}
    PLAN.write_text(json.dumps(content))
    provenance = Provenance.read(Plan.read())
    assert [(chain.kind, verbs(chain)) for chain in provenance.chains] == [
        ("lessons", [["convergence", "honest_pictures"]])
    ]
    assert provenance.varying.command.endswith("LESSONS='convergence honest_pictures'")


def test_stages_that_feed_each_other_in_a_circle_are_listed_all_the_same(place: Path) -> None:
    FinishedRun(place).finish(
        experiments=["mnist"],
        lock={"train@mnist": stage(["b"], {"a": "1" * 32}), "sample@mnist": stage(["a"], {"b": "2" * 32})},
    )
    (chain,) = Provenance.read(Plan.read()).chains
    assert {step.verb for column in chain.columns for step in column} == {"train", "sample"}


def test_chains_of_one_shape_stand_in_one_table(place: Path) -> None:
    other = {
        name.replace("mnist", "digits"): stage(
            [dep["path"].replace("mnist", "digits") for dep in entry["deps"]],
            {out["path"].replace("mnist", "digits"): out["md5"] for out in entry["outs"]},
        )
        for name, entry in LOCK.items()
        if name.partition("@")[0] in ("train", "sample", "evaluate", "figures", "sample_size")
    }
    FinishedRun(place).finish(experiments=["mnist", "digits"], lock=LOCK | other)
    assert [sorted(chain.item for chain in chains) for chains in Provenance.read(Plan.read()).tables] == [
        ["mnist"], ["digits", "mnist"], [""]]
    page = rendered()
    header = page.row("", "train →", "sample →", "evaluate →")
    assert header[4] == "figures, sample_size"
    assert page.row("digits", "", "5555555555")[2] == "5555555555not run here"


def test_a_stage_says_how_long_it_took_or_that_it_did_not_run_here(place: Path) -> None:
    FinishedRun(place).finish(experiments=["mnist"], lock=LOCK)
    run_log.record(
        "stages",
        "train@mnist",
        {
            "seconds": 125.0,
            "started": "2026-11-23T10:00:00+00:00",
            "host": "workshop",
            "commit": "c" * 40,
            "clean": False,
        },
    )
    run_log.record("stages", "sample@mnist", {"seconds": "torn"})
    run_log.record("stages", "evaluate@mnist", {"seconds": 0.24})
    run_log.record("stages", "figures@mnist", {"seconds": 61.0, "parts": 3})
    page = rendered()
    assert "train" in page.text
    assert "2 min 05 s" in page.text
    assert "not recorded" in page.text
    assert "0.2 s" in page.text
    assert "1 min 01 s in 3 parts" in page.text
    assert page.text.count("not run here") == 5
    assert page.row("train@mnist", "2 min 05 s")[2:] == [
        "2026-11-23T10:00:00+00:00",
        "workshop",
        f"{'c' * 10}, changed",
    ]


def test_runs_are_those_that_made_the_results_shown_and_only_web_addresses_are_links(place: Path) -> None:
    inputs = inputs_digest("mnist", "mnist")
    common = {"experiment": "mnist", "run_id": "1", "experiment_id": "2", "store": "sqlite:///mlflow.db"}
    for seed, changes in {
        1: {"url": "http://localhost:5000/#/r/1"},
        2: {"url": None},
        3: {"inputs": "other"},
        4: {"experiment": "gone"},
        5: {"url": "javascript:alert(1)"},
    }.items():
        run_log.record(
            "runs", f"mnist {seed}", common | {"seed": seed, "inputs": inputs, "run_name": f"run {seed}"} | changes
        )
    found = Provenance.read(Plan.read()).varying.runs
    assert [(run.seed, run.name, run.url) for run in found] == [
        ("1", "run 1", "http://localhost:5000/#/r/1"),
        ("2", "run 2", ""),
        ("5", "run 5", ""),
    ]
    links = [link["href"] for link in rendered().all("a")]
    assert "http://localhost:5000/#/r/1" in links
    assert not any(link.startswith("javascript") for link in links)
    prepared_file("mnist").unlink()  # results from elsewhere, without their data
    assert Provenance.read(Plan.read()).varying.runs == []


def test_without_a_run_log_the_page_says_so(place: Path) -> None:
    text = rendered().text
    assert "not run here" in text
    assert "its outputs come from DVC’s cache" in text
    assert "none known: tracking was off, or the results came from DVC’s cache" in text
    assert "No stage has run in this checkout" in text


@pytest.fixture
def repository(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits of params.yaml and plan.yaml; the profile changed in the second."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def run_git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b", *words], check=True, capture_output=True)

    run_git("init", "-q")
    run = FinishedRun(place)
    for profile in ("paper", "cpu"):
        run.finish(experiments=["mnist"], profile=profile)
        run_git("add", "params.yaml", "plan.yaml")
        run_git("commit", "-qm", profile)
    return place


def test_parameters_that_differ_from_the_commits_are_listed(repository: Path) -> None:
    varying = Provenance.read(Plan.read()).varying
    assert varying.changed_since_commit == []
    assert varying.changed_by_commit == [Change("profile", "paper", "cpu")]
    assert varying.tree == "as committed"
    assert varying.command == (
        f"git checkout {varying.commit} && make reproduce PROFILE=cpu EXPERIMENTS=mnist LESSONS=none"
    )
    FinishedRun(repository).finish(experiments=["mnist", "digits"], profile="cpu")
    varying = Provenance.read(Plan.read()).varying
    assert varying.changed_since_commit == [Change("run.experiments", "mnist", "mnist, digits")]
    text = rendered().text
    assert "run.experiments mnist, digits (commit: mnist)" in text
    assert "profile cpu (the commit before: paper)" in text
    assert "EXPERIMENTS='mnist digits'" in text
    assert "what the tree held beside the commit has to be restored first" not in text  # the command plans the same
    FinishedRun(repository).finish(experiments=["mnist", "digits"], profile="smoke")
    text = rendered().text
    assert "profile smoke (commit: cpu)" in text
    assert "what the tree held beside the commit has to be restored first" in text


def test_without_git_nothing_is_compared(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "commit", lambda: ("", False))
    varying = Provenance.read(Plan.read()).varying
    assert varying.changed_since_commit is None
    assert varying.changed_by_commit is None
    assert varying.command.startswith("make reproduce PROFILE=cpu")
    assert "git has nothing to compare with" in rendered().text


def test_a_first_commit_has_none_before_it(repository: Path) -> None:
    subprocess.run(["git", "checkout", "-q", "HEAD~1"], check=True, capture_output=True)
    varying = Provenance.read(Plan.read()).varying
    assert varying.changed_by_commit is None
    assert varying.changed_since_commit == []
