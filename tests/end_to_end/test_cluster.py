"""The real graph on local workers, and a sweep, against what one machine gives."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from clone import IN_GIT, STAGES, Clone
from ruamel.yaml import YAML

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]
OF_DATA = ("download", "prepare", "features", "references")
OF_DIGITS = {f"{stage}@digits" for stage in (*OF_DATA, *STAGES)}
DONE_BY_WORKERS = OF_DIGITS | {"configure"}
CLUSTER = ("reproduce", "--planned", "--cluster", "local")


@pytest.fixture
def other(finished_graph: Clone, tmp_path: Path) -> Clone:
    """A new clone by git, with empty caches, planned for the experiment `digits` alone."""
    second = finished_graph.git_clone(tmp_path / "second")
    second.plan_for(["digits"])
    return second


def history(root: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (root / ".cluster/history.jsonl").read_text().splitlines()]


def test_local_workers_give_the_bytes_of_one_machine_and_do_nothing_twice(finished_graph, other):
    said = other.verb(*CLUSTER, "--workers", "2", "--threads", "1")
    assert {stage: other.locked(stage) for stage in OF_DIGITS} == {
        stage: finished_graph.locked(stage) for stage in OF_DIGITS}
    told = other.configurations()  # of `digits` alone
    assert told.items() <= finished_graph.configurations().items()
    assert {f"digits/{stage}" for stage in (*OF_DATA, *STAGES)} <= told.keys()
    assert set(re.findall(r"^Running stage '(.+?)':$", said, re.M)) == {"collect", "report"}
    done = [(event["stage"], event["seed"]) for event in history(other.root) if event["event"] == "done"]
    assert sorted(done, key=str) == sorted([*((stage, None) for stage in DONE_BY_WORKERS),
                                            ("train@digits", 1), ("train@digits", 2)], key=str)
    assert not list((other.root / "checkpoints").rglob("*.safetensors"))
    assert not (other.root / ".cluster/tasks").exists()
    changed = other.run("git", "status", "--porcelain").split()[1::2]
    assert set(changed) <= IN_GIT
    run_log = json.loads((other.root / ".run_log/stages/train@digits.json").read_text())
    assert run_log["commit"] == other.run("git", "rev-parse", "HEAD").strip()

    again = other.verb(*CLUSTER, "--workers", "2", "--threads", "1")
    assert "0 tasks done" in again
    assert "Running stage" not in again

    sweep(other)
    refused(other)


def sweep(other: Clone) -> None:
    """Two points: what they have in common is not run again, and of the first, which is what has been run, nothing but
    `configure`; each is an experiment of DVC's, the page has both."""
    (other.root / "grid.yaml").write_text("name: rates\nexperiment: digits\nover:\n  figures.rows: [4, 3]\n"
                                          "set:\n  train.model.recipe.learning_rate.initial: 0.1\n")
    other.commit("planned and run")
    before = len(history(other.root))
    said = other.verb("sweep", "grid.yaml", "--workers", "2", "--threads", "1")
    did = [event["stage"] for event in history(other.root)[before:] if event["event"] == "done"]
    assert sorted(did) == ["rates-1: configure", "rates-2: configure", "rates-2: figures@digits"], said
    assert sorted(other.run("dvc", "exp", "list", "--name-only").split()) == ["rates-1", "rates-2"]
    with (other.root / "comparison/sweep-rates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["point"] for row in rows} == {"rates-1", "rates-2"}
    locked = {row["point"]: float(row["validation_log_likelihood_raw"]) for row in rows if row["seed"] == "1"}
    here = json.loads((other.root / "artifacts/digits/evaluation.json").read_text())["seeds"][0]["variants"]["raw"]
    assert locked["rates-1"] == pytest.approx(here["refined"]["validation_log_likelihood"], abs=1e-3)
    page = (other.root / "comparison/sweep-rates.html").read_text()
    assert page.count("data:image/png;base64,") >= 4
    other.run("dvc", "exp", "apply", "rates-2")
    params = YAML(typ="safe").load((other.root / "params.yaml").read_text())
    assert params["experiments"]["digits"]["figures"]["rows"] == 3
    other.run("git", "checkout", "--quiet", ".")


def refused(other: Clone) -> None:
    """What cannot be run says why, at once, and runs nothing."""
    with pytest.raises(AssertionError, match=r"no DVC remote[\s\S]*dvc remote add --default"):
        other.verb(*CLUSTER, "--data", "remote")
    module = other.root / "gan/adversarial/game.py"
    module.write_text(module.read_text() + "# edited\n")
    with pytest.raises(AssertionError, match=r"tracked files here differ[\s\S]*adversarial/game.py[\s\S]*commit them"):
        other.verb(*CLUSTER)
    other.run("git", "checkout", "--quiet", "gan/adversarial/game.py")
    (other.root / "gan/datasets/new.py").write_text("")
    with pytest.raises(AssertionError, match=r"lacks files that are here[\s\S]*gan/datasets/new.py"):
        other.verb(*CLUSTER)
