"""Runs of several checkouts on one database, and of experiments that DVC runs in folders which it deletes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.checkout import EXPERIMENTS, ORIGIN
from pipeline.tracking import store as stores

stores.prepare_environment()  # MLflow reads some of it when it is imported
import mlflow  # noqa: E402

ROOT = Path(__file__).parents[3]
TRAINING = """
import sys
from pipeline.tracking import runs
runs.TOTAL_PATIENCE["KILLED"] = 120  # on a busy machine MLflow alone may take the ten seconds that a kill leaves
first, last, ends = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
tracker = runs.start("mnist", 1, "5e" * 32)
for step in range(first, last + 1):
    tracker.metrics({"loss": 10 * step + int(sys.argv[4])}, step=step)
if ends == "waits":
    sys.stdin.readline()
tracker.finish("KILLED" if ends == "killed" else "FINISHED")
"""


@pytest.fixture
def database(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that two checkouts, `one` and `two`, are told to use."""
    for name in [name for name in os.environ if name.startswith(("GAN_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    shared = tmp_path / "shared"
    for folder in (shared, tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
    shutil.copy(empty_database, shared)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared / 'mlflow.db'}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return shared / "mlflow.db"


def train(folder: Path, first: int, last: int, ends: str = "finished", mark: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TRAINING, str(first), str(last), ends, str(mark)], cwd=folder,
                            stdin=subprocess.PIPE, text=True)


def trained(folder: Path, first: int, last: int, ends: str = "finished", mark: int = 0) -> None:
    process = train(folder, first, last, ends, mark)
    assert process.wait(120) == 0


def losses(database: Path) -> list[list[float]]:
    """Of each run of a seed, the oldest first."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    return [[point.value for point in client.get_metric_history(run.info.run_id, "loss")] for run in seed_runs(client)]


def seed_runs(client: mlflow.MlflowClient) -> list[Any]:
    return list(client.search_runs([each.experiment_id for each in client.search_experiments()],
                                   "tags.`gan.seed` = '1'", order_by=["attributes.start_time ASC"]))


def test_two_checkouts_that_train_the_same_at_once_have_a_run_each(database, tmp_path):
    """The run of the other is at work, though it looks like one that was killed."""
    first = train(tmp_path / "one", 1, 2, "waits", mark=1)
    until = time.monotonic() + 120
    while losses(database) != [[11, 21]]:
        assert time.monotonic() < until
        time.sleep(0.2)
    trained(tmp_path / "two", 1, 3, mark=2)
    first.communicate("\n", timeout=120)
    assert losses(database) == [[11, 21], [12, 22, 32]]
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    assert [run.info.status for run in seed_runs(client)] == ["FINISHED"] * 2
    assert len({run.data.tags["mlflow.parentRunId"] for run in seed_runs(client)}) == 2


def test_a_training_that_was_stopped_resumes_in_the_run_of_its_own_checkout(database, tmp_path):
    trained(tmp_path / "one", 1, 2, "killed", mark=1)
    trained(tmp_path / "two", 1, 3, mark=2)
    trained(tmp_path / "one", 2, 4, mark=1)
    assert losses(database) == [[11, 21, 31, 41], [12, 22, 32]]


def test_a_cluster_s_worker_goes_on_in_the_run_that_another_one_began(database, tmp_path, monkeypatch):
    """Each works in a clone of its own, for one checkout."""
    monkeypatch.setenv(ORIGIN, str(tmp_path / "one"))
    for name, first, last, ends in (("clone-1", 1, 2, "killed"), ("clone-2", 3, 4, "finished")):
        (tmp_path / name).mkdir()
        trained(tmp_path / name, first, last, ends)
    assert losses(database) == [[10, 20, 30, 40]]


# Experiments in folders of DVC's.

@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / EXPERIMENTS / "standalone/tmpx4"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    for name in ("MLFLOW_TRACKING_URI", ORIGIN):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.mark.parametrize(("named", "store", "artifacts"), [
    ("", "sqlite:///{root}/mlflow.db", "file://{root}/mlartifacts"),
    ("sqlite:///runs/mine.db?timeout=9", "sqlite:///{root}/runs/mine.db?timeout=9", "file://{root}/runs/mlartifacts"),
    ("sqlite:////elsewhere/mine.db", "sqlite:////elsewhere/mine.db", "file:///elsewhere/mlartifacts"),
    ("postgresql://host/runs", "postgresql://host/runs", "file://{root}/mlartifacts"),
    ("http://host:5000", "http://host:5000", None)])
def test_their_runs_and_files_go_to_the_checkout(tmp_path, temporary, monkeypatch, named, store, artifacts):
    if named:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", named)
    assert stores.store_uri() == store.format(root=tmp_path)
    assert stores.artifact_location() == (artifacts and artifacts.format(root=tmp_path))


def test_the_checkout_s_own_database_is_not_shared_with_others(tmp_path, temporary):
    assert not stores.is_shared(stores.store_uri())
    assert stores.is_shared("sqlite:////elsewhere/mlflow.db")
    assert stores.is_shared("http://host:5000")
    assert stores.shown(stores.store_uri()) == "sqlite:///mlflow.db"
