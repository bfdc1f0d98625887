"""Checkouts of other kinds than a plain clone, and experiments in DVC's own folders, by real git and DVC."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from clone import Clone, stages_run

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]


# Kinds of clones.

def shallow(clone: Clone, place: Path) -> None:
    clone.run("git", "clone", "--quiet", "--depth", "1", f"file://{clone.root}", str(place))


def worktree(clone: Clone, place: Path) -> None:
    clone.run("git", "worktree", "add", "--quiet", "--detach", str(place))


def submodule(clone: Clone, place: Path) -> None:
    outer = place.with_name("outer")
    clone.run("git", "init", "--quiet", str(outer))
    Clone(outer, clone.environment).run("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add",
                                        str(clone.root), "gan")
    place.symlink_to(outer / "gan")


@pytest.mark.parametrize("make", [shallow, worktree, submodule])
def test_in_other_kinds_of_clones_the_graph_runs_and_experiments_do(other_clone: Clone, tmp_path: Path,
                                                                   make: Callable[[Clone, Path], None]):
    make(other_clone, tmp_path / "place")
    environment = {name: value for name, value in other_clone.environment.items() if name != "DVC_SITE_CACHE_DIR"}
    place = Clone((tmp_path / "place").resolve(), environment)
    place.run("dvc", "cache", "dir", "--local", str(other_clone.root / ".dvc/cache"))  # of what dvc.lock names
    assert "everything is done" not in place.verb("plan", GAN_PROFILE="smoke", GAN_EXPERIMENTS="digits_kmeans",
                                                  GAN_LESSONS="none")
    assert place.repro("--force", "prepare@digits") == {"configure", "download@digits", "prepare@digits"}
    place.commit("planned")
    said = place.run("dvc", "exp", "run", "--name", "fewer", "-S", "parzen.profiles.smoke.samples=250", "configure")
    assert stages_run(said) == {"configure"}
    assert "fewer" in place.run("dvc", "exp", "list")
    assert list((place.root / ".dvc/tmp/site_cache/repo").iterdir())


# Experiments in folders that DVC deletes.

def test_what_an_experiment_in_a_folder_of_its_own_logs_outlives_the_folder(other_clone):
    before = {path.name for path in (other_clone.root / ".run_log/stages").glob("*")}
    said = other_clone.run("dvc", "exp", "run", "--temp", "--name", "three-rows", "-S",
                           "+experiments.digits.figures.rows=3", GAN_TRACKING="on")
    assert "figures@digits" in stages_run(said)
    assert not list((other_clone.root / ".dvc/tmp/exps/standalone").glob("tmp*"))
    with sqlite3.connect(other_clone.root / "mlflow.db") as store:
        places = [Path(uri.removeprefix("file://")) for (uri,) in store.execute("select artifact_uri from runs")]
        (parent,) = store.execute("select artifact_uri from runs where name = 'digits · smoke'").fetchone()
    assert {each.parents[1] for each in places} == {other_clone.root / "mlartifacts"}
    assert list((Path(parent.removeprefix("file://")) / "figures").glob("*.png"))
    kept = {path.name: json.loads(path.read_text()) for path in (other_clone.root / ".run_log/stages").glob("*")
            if path.name not in before}
    assert "figures@digits (three-rows)" in {content["name"] for content in kept.values()}
    assert {path.name for path in (other_clone.root / ".run_log/stages").glob("*")} >= before
    assert other_clone.run("git", "status", "--porcelain") == ""


def test_so_does_what_one_logs_that_was_queued(other_clone):
    other_clone.run("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "+experiments.digits.figures.rows=3")
    other_clone.run("dvc", "queue", "start", GAN_TRACKING="on")
    other_clone.run("dvc", "queue", "logs", "--follow", "queued", GAN_TRACKING="on")
    assert "queued" in other_clone.run("dvc", "exp", "list")
    with sqlite3.connect(other_clone.root / "mlflow.db") as store:
        names = {name for (name,) in store.execute("select name from runs")}
    assert "digits · smoke" in names
    assert (other_clone.root / ".run_log/stages/figures@digits__queued_.json").exists()
