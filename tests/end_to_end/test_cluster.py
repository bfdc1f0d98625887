"""The real graph on local workers, and a sweep, against what one machine gives."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from clone import STAGES, Clone
from ruamel.yaml import YAML

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("one clone"), pytest.mark.timeout(900)]
DONE_BY_WORKERS = {"download@digits", "prepare@digits", *(f"{stage}@digits" for stage in STAGES)}
CLUSTER = ("python", "-m", "pipeline", "reproduce", "--planned", "--cluster", "local")


@pytest.fixture
def other(clone: Clone, tmp_path: Path) -> Clone:
    """A new clone by git, with empty caches, planned for the experiment `digits` alone."""
    second = Clone(tmp_path / "second", {**clone.environment, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")})
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "as it is")
    clone.run("git", "clone", "--quiet", ".", str(second.root))
    second.run("python", "-m", "pipeline", "plan", GAN_PROFILE="smoke", GAN_EXPERIMENTS="digits",
               GAN_LESSONS="none")
    return second


def history(root: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (root / ".cluster/history.jsonl").read_text().splitlines()]


def test_local_workers_give_the_bytes_of_one_machine_and_do_nothing_twice(clone, other):
    said = other.run(*CLUSTER, "--workers", "2", "--threads", "1")
    assert {stage: other.locked(stage) for stage in DONE_BY_WORKERS} == {
        stage: clone.locked(stage) for stage in DONE_BY_WORKERS}
    assert set(re.findall(r"^Running stage '(.+?)':$", said, re.M)) == {"collect", "report"}
    done = [(event["stage"], event["seed"]) for event in history(other.root) if event["event"] == "done"]
    assert sorted(done, key=str) == sorted([*((stage, None) for stage in DONE_BY_WORKERS),
                                            ("train@digits", 1), ("train@digits", 2)], key=str)
    assert not list((other.root / "checkpoints").rglob("*.safetensors"))
    assert not (other.root / ".cluster/tasks").exists()
    changed = other.run("git", "status", "--porcelain").split()[1::2]
    assert set(changed) <= {"params.yaml", "dvc.lock", "reports/index.html", "reports/metrics.json",
                            "reports/summary.json"}
    run_log = json.loads((other.root / ".run_log/stages/train@digits.json").read_text())
    assert run_log["commit"] == other.run("git", "rev-parse", "HEAD").strip()

    again = other.run(*CLUSTER, "--workers", "2", "--threads", "1")
    assert "0 tasks done" in again
    assert "Running stage" not in again

    sweep(other)
    refused(other)


def sweep(other: Clone) -> None:
    """Two points: what they have in common is not run again, each is an experiment of DVC's, the page has both."""
    (other.root / "grid.yaml").write_text("name: rates\nexperiment: digits\nover:\n  figures.rows: [4, 3]\n"
                                          "set:\n  train.model.recipe.learning_rate.initial: 0.1\n")
    other.commit("planned and run")
    before = len(history(other.root))
    said = other.run("python", "-m", "pipeline", "sweep", "grid.yaml", "--workers", "2", "--threads", "1")
    did = [event["stage"] for event in history(other.root)[before:] if event["event"] == "done"]
    assert sorted(did) == ["rates-2: configure@digits", "rates-2: figures@digits"], said  # rates-1 is what has been run
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
        other.run(*CLUSTER, "--data", "remote")
    (other.root / "gan/game.py").write_text((other.root / "gan/game.py").read_text() + "# edited\n")
    with pytest.raises(AssertionError, match=r"tracked files here differ[\s\S]*gan/game.py[\s\S]*commit them"):
        other.run(*CLUSTER)
    other.run("git", "checkout", "--quiet", "gan/game.py")
    (other.root / "gan/datasets/new.py").write_text("")
    with pytest.raises(AssertionError, match=r"lacks files that are here[\s\S]*gan/datasets/new.py"):
        other.run(*CLUSTER)
