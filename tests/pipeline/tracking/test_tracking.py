"""pipeline.tracking.runs against a real SQLite store, a real server, and servers that are dead, deaf or dying."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import math
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import ReproductionError
from pipeline.commands import ui
from pipeline.runtime import git, machine
from pipeline.settings import parameters as settings
from pipeline.tracking import changes, heading, names, runs, schema
from pipeline.tracking import store as stores

stores.prepare_environment()  # MLflow reads some of it when it is imported
import mlflow  # noqa: E402

ROOT = Path(__file__).parents[3]
INPUTS = "5e" * 32
DATASET = {"name": "mnist", "digest": "d1" * 32}
GOING_ON = "going on without it, results are not affected"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without a store, in a process where nothing has failed yet."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "GAN_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    for name, value in stores.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(stores, "given_up", set())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path, empty_database: Path) -> mlflow.MlflowClient:
    """A working folder with a store, and a client to look into it."""
    shutil.copy(empty_database, folder / "mlflow.db")
    return mlflow.MlflowClient(tracking_uri=stores.store_uri())


def all_runs(client: mlflow.MlflowClient) -> list[Any]:
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()],
                                   order_by=["attributes.start_time ASC"]))


def seed_runs(client: mlflow.MlflowClient) -> list[Any]:
    """Those of seeds."""
    return [run for run in all_runs(client) if "gan.seed" in run.data.tags]


def parents(client: mlflow.MlflowClient) -> list[Any]:
    """Those that hold the seeds'."""
    return [run for run in all_runs(client) if "gan.seed" not in run.data.tags]


def only_run(client: mlflow.MlflowClient) -> Any:
    (run,) = seed_runs(client)
    return run


def parameters(client: mlflow.MlflowClient) -> dict[str, str]:
    """Those of the only run that holds seeds'; the seeds' have none."""
    (parent,) = parents(client)
    assert not any(run.data.params for run in seed_runs(client))
    return dict(parent.data.params)


def metrics(run: Any) -> dict[str, float]:
    """Without the readings of the machine."""
    return {name: value for name, value in run.data.metrics.items() if not name.startswith("system/")}


def history(client: mlflow.MlflowClient, run: Any, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def files(client: mlflow.MlflowClient, run: Any, folder: str | None = None) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id, folder)}


def content(run: Any, name: str) -> str:
    return (Path(run.info.artifact_uri.removeprefix("file://")) / name).read_text()


def python(code: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Another process, in the current folder, that runs `code` with tracking imported."""
    program = f"import sys, time\nfrom pipeline.tracking import runs\n{code}"
    return subprocess.Popen([sys.executable, "-c", program, *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment)


def log_and_time(seed: int = 1) -> float:
    """A short stage; how long it took. That it gets to its end is part of each test."""
    begin = time.monotonic()
    with runs.start("mnist", seed, INPUTS, parameters={"a": 1}) as tracker:
        tracker.metrics({"loss": .5}, step=1)
        tracker.text("note.txt", "a note")
    return time.monotonic() - begin


# What a run holds.

def test_a_run_tells_what_made_it(store, folder):
    (folder / "requirements.lock").write_text("torch==2.14.1\n")
    hardware = {"processor": "AMD EPYC", "logical_cores": 2, "accelerator": None, "python": "3.11.7"}
    with runs.start("mnist", 1, INPUTS, profile="cpu", dataset=DATASET, hardware=hardware, tags={"stage": "train"},
                        parameters={"train": {"batch": 100, "rates": [.1, None], "name": "sgd"}, "ema": True}):
        pass
    run = only_run(store)
    assert run.info.run_name == "seed 1 · mnist · cpu"
    assert run.info.status == "FINISHED"
    assert store.get_experiment(run.info.experiment_id).name == heading.EXPERIMENT
    assert parameters(store) == {
        "train.batch": "100", "train.rates": "[0.1, null]", "train.name": "sgd", "ema": "true"}
    assert {"gan.experiment": "mnist", "gan.seed": "1", "gan.profile": "cpu", "gan.inputs": INPUTS, "stage": "train",
            "gan.dataset": "mnist", "gan.dataset_digest": DATASET["digest"], "hardware.processor": "AMD EPYC",
            "gan.machine": "AMD EPYC, 2 cores, no GPU; Python 3.11"}.items() <= run.data.tags.items()
    assert "hardware.accelerator" not in run.data.tags
    assert run.data.tags["mlflow.source.name"]
    dataset = run.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("mnist", DATASET["digest"][:36])
    (parent,) = parents(store)
    assert content(parent, "environment/requirements.lock") == "torch==2.14.1\n"
    assert json.loads(content(parent, "parameters.json"))["train"]["batch"] == 100


def test_the_commit_is_that_of_the_start(store, monkeypatch):
    monkeypatch.setattr(git, "commit", lambda: ("c0ffee", False))
    with runs.start("mnist", 1, INPUTS):
        monkeypatch.setattr(git, "commit", lambda: ("later", True))
    tags = only_run(store).data.tags
    assert (tags["gan.commit"], tags["gan.commit_clean"], tags["mlflow.source.git.commit"]) == (
        "c0ffee", "false", "c0ffee")


def test_no_host_name_and_no_folder_in_a_run(store, folder):
    with runs.start("mnist", 1, INPUTS, hardware=machine.hardware(torch.device("cpu"))):
        pass
    text = json.dumps(only_run(store).data.to_dictionary())
    assert str(folder) not in text
    assert socket.gethostname() not in text.replace("localhost", "")


def test_metrics_all_arrive_in_order(store):
    with runs.start("mnist", 1, INPUTS) as tracker:
        for epoch in range(2500):
            tracker.metrics({"discriminator_loss": epoch / 10, "generator_loss": -epoch}, step=epoch)
    run = only_run(store)
    assert history(store, run, "discriminator_loss") == [(epoch, epoch / 10) for epoch in range(2500)]
    assert history(store, run, "generator_loss") == [(epoch, -epoch) for epoch in range(2500)]


def test_metrics_are_there_while_training_goes_on(store):
    with runs.start("mnist", 1, INPUTS) as tracker:
        tracker.metrics({"loss": 1.}, step=0)
        until = time.monotonic() + 20
        while not (seed_runs(store) and metrics(only_run(store))) and time.monotonic() < until:
            time.sleep(.1)
        assert metrics(only_run(store)) == {"loss": 1.}
        assert only_run(store).info.status == "RUNNING"


def test_logging_does_not_hold_up_training(store):
    with runs.start("mnist", 1, INPUTS) as tracker:
        begin = time.monotonic()
        for epoch in range(1000):
            tracker.metrics({"loss": 1., "D": .5}, step=epoch)
        assert (time.monotonic() - begin) / 1000 < 1e-3


def test_values_that_are_no_numbers_are_left_out(store):
    with runs.start("mnist", 1, INPUTS) as tracker:
        tracker.metrics({"loss": 1., "none": None, "nan": math.nan, "huge": 10**400, "text": "?"}, step=0)  # type: ignore
        tracker.metrics({"loss": math.inf}, step=1)
        tracker.metrics({"loss": 1e308}, step=2)
    run = only_run(store)
    assert history(store, run, "loss") == [(0, 1.), (2, 1e308)]
    assert set(metrics(run)) == {"loss"}


def test_files(store, folder):
    (folder / "samples.png").write_bytes(b"picture")
    (folder / "curves.csv").write_text("epoch\n")
    with runs.start("mnist", 1, INPUTS) as tracker:
        tracker.figure("samples.png")
        tracker.artifact(folder / "curves.csv", "tables")
        tracker.text("notes/seed.txt", "ζ ~ p(z)\n")
    run = only_run(store)
    assert files(store, run, "figures") == {"figures/samples.png"}
    assert files(store, run, "tables") == {"tables/curves.csv"}
    assert content(run, "notes/seed.txt") == "ζ ~ p(z)\n"
    assert run.info.artifact_uri.startswith((folder / "mlartifacts").as_uri())


def test_a_file_that_is_not_there_costs_a_line_and_nothing_else(store, folder, capsys):
    (folder / "samples.png").write_bytes(b"picture")
    with runs.start("mnist", 1, INPUTS) as tracker:
        tracker.figure("missing.png")
        tracker.figure("missing too.png")
        tracker.figure("samples.png")
        tracker.metrics({"loss": 1.}, step=0)
    assert metrics(only_run(store)) == {"loss": 1.}
    assert files(store, only_run(store), "figures") == {"figures/samples.png"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "missing.png" in line


@pytest.mark.parametrize(("error", "status"), [
    (ValueError, "FAILED"), (ReproductionError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED"),
])
def test_how_the_stage_ended(store, error, status):
    def training() -> None:
        with runs.start("mnist", 1, INPUTS) as tracker:
            tracker.metrics({"loss": 1.}, step=0)
            raise error("!")

    with pytest.raises(error):
        training()
    assert only_run(store).info.status == status
    assert metrics(only_run(store)) == {"loss": 1.}


def test_after_finish_nothing_is_logged(store):
    tracker = runs.start("mnist", 1, INPUTS)
    tracker.finish("FAILED")
    tracker.metrics({"loss": 1.}, step=0)
    tracker.finish()
    assert only_run(store).info.status == "FAILED"
    assert not metrics(only_run(store))
    assert not tracker.active


# Names and values that databases and MLflow do not like.

HOSTILE = ["it's", 'a "b" `c`', "a/../../b", "//", ".", "", "naïve ζ 生成", "a@b:c#d?e%f", "x" * 10_000, "line\nbreak",
           "nul\0", "half \ud800", "; DROP TABLE runs; --", "🎲"]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names(store, name, capsys):
    for _ in range(2):
        with runs.resume(name, 1, INPUTS + name, profile=name, parameters={name: {name: name}}, tags={name: name},
                             dataset={"name": name, "digest": name}) as tracker:
            tracker.metrics({name: 1.}, step=0)
            tracker.text(name, name)
    assert list(metrics(only_run(store)).values()) == [1.]
    assert len(parameters(store)) == 1
    assert capsys.readouterr().err == ""


def test_names_that_become_the_same_stay_apart(store):
    with runs.start("mnist", 1, INPUTS, parameters={"a@": 1, "a#": 2, "b": {"c": 3}, "b.c": 4}):
        pass
    assert sorted(parameters(store).values()) in (["1", "2", "3"], ["1", "2", "4"])


def test_long_values_are_cut_and_kept_whole_in_a_file(store):
    with runs.start("mnist", 1, INPUTS, parameters={"grid": list(range(5000))}):
        pass
    value = parameters(store)["grid"]
    assert len(value) == names.LONGEST_PARAMETER
    assert value.endswith("…")
    assert json.loads(content(parents(store)[0], "parameters.json"))["grid"] == list(range(5000))


def test_more_parameters_and_tags_than_mlflow_takes_at_once(store):
    many = {f"p{number}": number for number in range(350)}
    for _ in range(2):
        with runs.resume("mnist", 1, INPUTS, parameters=many, tags=many):
            pass
    assert len(parameters(store)) == 350
    assert set(map(str, many)) <= set(only_run(store).data.tags)


# Going on with a run.

def test_a_later_stage_adds_to_the_run_of_the_training(store, folder):
    with runs.start("mnist", 1, INPUTS, profile="cpu", parameters={"a": 1}, dataset=DATASET) as tracker:
        tracker.metrics({"loss": .5}, step=1)
    trained = only_run(store)
    (folder / "samples.png").write_bytes(b"picture")
    with runs.resume("mnist", 1, INPUTS, parameters={"a": 1}, dataset=DATASET) as tracker:
        tracker.metrics({"test_log_likelihood": 225.}, step=0)
        tracker.figure("samples.png")
    run = only_run(store)
    assert metrics(run) == {"loss": .5, "test_log_likelihood": 225.}
    assert files(store, run, "figures")
    assert len(run.inputs.dataset_inputs) == 1
    assert (run.info.status, run.info.end_time) == ("FINISHED", trained.info.end_time)


def test_a_later_stage_that_fails_leaves_the_training_finished(store):
    log_and_time()
    with pytest.raises(ZeroDivisionError), runs.resume("mnist", 1, INPUTS):
        _ = 1 / 0
    assert only_run(store).info.status == "FINISHED"


def test_a_later_stage_makes_a_run_where_there_is_none(store):
    with runs.resume("mnist", 1, INPUTS, profile="cpu", parameters={"a": 1}) as tracker:
        tracker.metrics({"test_log_likelihood": 225.}, step=0)
    run = only_run(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "seed 1 · mnist · cpu")
    assert parameters(store) == {"a": "1"}


def test_runs_of_other_inputs_seeds_and_experiments_are_left_alone(store):
    log_and_time()
    for experiment, seed, inputs in (("mnist", 1, "0" * 64), ("mnist", 2, INPUTS), ("tfd", 1, INPUTS)):
        with runs.resume(experiment, seed, inputs) as tracker:
            tracker.metrics({"other": 1.}, step=0)
    assert [set(metrics(run)) for run in seed_runs(store)] == [{"loss"}, {"other"}, {"other"}, {"other"}]


def test_each_start_of_a_seed_has_a_run_and_what_comes_later_goes_to_the_last(store):
    begun = runs.start("mnist", 1, INPUTS, profile="cpu")
    begun.metrics({"loss": .5}, step=1)
    begun.finish("KILLED")  # as a start is left by a kill after its last epoch, before it was given up
    with runs.start("mnist", 1, INPUTS, profile="cpu", attempt=2) as tracker:
        tracker.metrics({"loss": .25}, step=1)
    with runs.resume("mnist", 1, INPUTS, profile="cpu") as tracker:
        tracker.metrics({"score": 9.}, step=1)
    first, second = seed_runs(store)
    assert [run.info.run_name for run in (first, second)] == ["seed 1 · mnist · cpu", "seed 1, start 2 · mnist · cpu"]
    assert ("gan.start" in first.data.tags, second.data.tags["gan.start"]) == (False, "2")
    assert (metrics(first), metrics(second)) == ({"loss": .5}, {"loss": .25, "score": 9.})
    assert len(parents(store)) == 1


def test_a_killed_training_goes_on_in_its_run(store):
    child = python("tracker = runs.start('mnist', 1, sys.argv[1], parameters={'a': 1})\n"
                   "for epoch in range(10): tracker.metrics({'loss': epoch}, step=epoch)\n"
                   "time.sleep(60)", INPUTS)
    until = time.monotonic() + 60
    while not (seed_runs(store) and metrics(only_run(store))) and time.monotonic() < until:
        time.sleep(.2)
    child.kill()
    child.wait()
    killed = only_run(store)
    assert killed.info.status == "RUNNING"
    with runs.start("mnist", 1, INPUTS, parameters={"a": 1, "b": 2}, tags={"more": "1"}) as tracker:
        for epoch in range(8, 15):  # from a checkpoint
            tracker.metrics({"loss": epoch}, step=epoch)
    run = only_run(store)
    assert run.info.run_id == killed.info.run_id
    assert run.info.status == "FINISHED"
    assert history(store, run, "loss") == [(epoch, epoch) for epoch in range(15)]
    assert parameters(store) == {"a": "1", "b": "2"}
    assert run.data.tags["more"] == "1"


def test_a_later_stage_finds_a_run_left_running(store):
    experiment = store.create_experiment(heading.EXPERIMENT)
    key = runs._Asked("mnist", 1, INPUTS, "", None, None, None, None, training=True).key
    left = store.create_run(experiment, tags={"gan.key": key, "gan.seed": "1"})
    with runs.resume("mnist", 1, INPUTS) as tracker:
        tracker.metrics({"test_log_likelihood": 225.}, step=0)
    assert only_run(store).info.run_id == left.info.run_id
    assert only_run(store).info.status == "FINISHED"


def test_training_again_what_was_finished_is_another_run(store):
    log_and_time()
    log_and_time()
    assert [run.info.status for run in seed_runs(store)] == ["FINISHED"] * 2
    with runs.resume("mnist", 1, INPUTS) as tracker:
        tracker.metrics({"test_log_likelihood": 225.}, step=0)
    assert ["test_log_likelihood" in metrics(run) for run in seed_runs(store)] == [False, True]


def test_parameters_that_changed_all_the_same_do_no_harm(store, capsys):
    with runs.resume("mnist", 1, INPUTS, parameters={"a": 1}):
        pass
    with runs.resume("mnist", 1, INPUTS, parameters={"a": 2, "b": 3}):
        pass
    assert parameters(store) == {"a": "1", "b": "3"}
    assert capsys.readouterr().err == ""


def test_a_deleted_experiment_stays_deleted_with_all_its_runs_and_runs_go_to_another(store, capsys):
    log_and_time()
    old = only_run(store).info.experiment_id
    store.delete_run(only_run(store).info.run_id)  # one by one, before
    store.delete_experiment(old)
    log_and_time(seed=2)
    log_and_time(seed=3)
    assert store.get_experiment(old).lifecycle_stage == "deleted"
    assert not store.search_runs([old])
    assert {store.get_experiment(run.info.experiment_id).name for run in seed_runs(store)} == {
        f"{heading.EXPERIMENT} (2)"}
    assert {run.data.tags["gan.seed"] for run in seed_runs(store)} == {"2", "3"}
    (line,) = capsys.readouterr().err.splitlines()  # once
    assert f"'{heading.EXPERIMENT}' is deleted" in line
    assert f"mlflow experiments restore -x {old}" in line
    found = heading.find(store)
    assert found is not None
    assert found.name == f"{heading.EXPERIMENT} (2)"


# What runs are called.

def only_parent(client: mlflow.MlflowClient, name: str) -> Any:
    (run,) = [run for run in parents(client) if run.info.run_name == name]
    return run


def test_runs_of_other_parameters_have_other_names(store):
    for rate, inputs in ((.1, "1" * 64), (.2, "2" * 64), (.1, "1" * 64), (.3, "3" * 64)):
        with runs.start("mnist", 1, inputs, profile="cpu", parameters={"recipe": {"rate": {"initial": rate}}, "k": 1}):
            pass
    assert [run.info.run_name for run in parents(store)] == [
        "mnist · cpu", "mnist · cpu · rate.initial 0.2", "mnist · cpu · rate.initial 0.3"]
    seeds = [run for run in seed_runs(store) if run.data.tags["gan.inputs"] == "2" * 64]
    assert [run.info.run_name for run in seeds] == ["seed 1 · mnist · cpu · rate.initial 0.2"]
    assert only_parent(store, "mnist · cpu · rate.initial 0.2").data.tags["gan.changed"] == "rate.initial 0.2"
    assert "gan.changed" not in only_parent(store, "mnist · cpu").data.tags


def test_runs_of_the_same_parameters_are_told_apart_by_their_commit_or_a_number(store, monkeypatch):
    for commit, inputs in (("a" * 40, "1" * 64), ("b" * 40, "2" * 64), ("b" * 40, "3" * 64)):
        monkeypatch.setattr(git, "commit", lambda commit=commit: (commit, True))
        with runs.start("mnist", 1, inputs, parameters={"k": 1}):
            pass
    assert [run.info.run_name for run in parents(store)] == [
        "mnist", "mnist · commit bbbbbbb", "mnist · commit bbbbbbb, run 2"]


def test_what_differs_from_the_commit_is_in_the_name_of_the_first_run_too(monkeypatch, tmp_path):
    """As `dvc exp run -S` leaves it, and a point of a sweep, which is a commit of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
                        "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DVC_EXP_BASELINE_REV", raising=False)
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text)

    def run_git(*words: str) -> None:
        subprocess.run(["git", *words], check=True, capture_output=True)

    run_git("init", "--quiet")
    run_git("add", "--all")
    run_git("commit", "--quiet", "--message", "committed")
    committed = settings.check(settings.read_yaml(Path("params.yaml"))).configuration("digits")["train"]
    assert changes.from_commit("digits", committed["profile"], committed) == ""
    tried = json.loads(json.dumps(committed))
    tried["model"]["recipe"]["learning_rate"]["initial"] = 0.5
    tried["seeds"] = [7, 8]
    assert changes.from_commit("digits", committed["profile"], tried) == "seeds 7, 8, learning_rate.initial 0.5"
    assert changes.from_commit("no such experiment", "cpu", tried) == ""
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", changes.SWEEP)
    Path("params.yaml").write_text(text + "\n# a point\n")
    run_git("commit", "--quiet", "--all", "--message", "rates-1")
    assert changes.from_commit("digits", committed["profile"], tried) == "seeds 7, 8, learning_rate.initial 0.5"


def test_many_changes_are_counted_and_long_values_cut():
    others = {f"a.b.p{i}": "1" for i in range(6)}
    assert changes.between(others, dict.fromkeys(others, "2")) == "b.p0 2, b.p1 2, b.p2 2, 3 more"
    assert changes.between({}, {"grid": "1" * 500}) == f"grid {'1' * 19}…"
    assert changes.between({"gone": "1"}, {}) == "gone none"


# Numbers that MLflow would keep as others.

def test_numpy_steps_arrive_as_numbers_and_later_steps_after_them(store, folder):
    with runs.start("mnist", 1, INPUTS) as tracker:
        for step in np.arange(1, 4):
            tracker.metrics({"loss": np.float32(step)}, step=step)
    assert history(store, only_run(store), "loss") == [(1, 1.0), (2, 2.0), (3, 3.0)]
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        kinds = database.execute(
            "SELECT DISTINCT typeof(step), typeof(value) FROM metrics WHERE key = 'loss'").fetchall()
    assert kinds == [("integer", "real")]


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(
    st.none(), st.floats(), st.integers(), st.floats(width=32).map(np.float32), st.integers(-9, 9).map(np.int64),
    st.sampled_from(["?", "", "nan", "1e3"]))),
    st.integers(0, 2**31 - 1), st.sampled_from([int, np.int32, np.int64, np.uint64]))
def test_points_are_finite_python_numbers(values, step, kind):
    found = names.points(values, kind(step), 7)
    assert all(type(point.value) is float and math.isfinite(point.value) for point in found)
    assert all((type(point.step), point.step, point.time) == (int, step, 7) for point in found)
    assert {point.name for point in found} == {name for name, _ in names.finite(values)}


# The store.

def test_where_the_store_is(folder, monkeypatch):
    assert stores.store_uri() == f"sqlite:///{folder}/mlflow.db"
    assert stores.artifact_location() == (folder / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert stores.store_uri() == "http://127.0.0.1:5000"
    assert stores.artifact_location() is None


def test_switched_off(folder, monkeypatch):
    monkeypatch.setenv("GAN_TRACKING", "off")
    with runs.start("mnist", 1, INPUTS) as tracker:
        assert not tracker.active
        tracker.metrics({"loss": 1.}, step=0)
        tracker.figure("missing.png")
    assert list(folder.iterdir()) == []


def test_a_folder_with_a_difficult_name(folder, empty_database, monkeypatch, capsys):
    place = folder / "100% #1 naïve 'q'"
    place.mkdir()
    shutil.copy(empty_database, place)
    monkeypatch.chdir(place)
    log_and_time()
    assert capsys.readouterr().err == ""
    assert len(list((place / "mlartifacts").glob("*/artifacts/note.txt"))) == 1


def test_two_processes_on_an_empty_folder(folder):
    code = """
assert "mlflow" not in sys.modules  # it takes seconds
with runs.start("mnist", int(sys.argv[1]), "00", parameters={"a": 1}) as tracker:
    for epoch in range(200):
        tracker.metrics({"loss": epoch}, step=epoch)
print("stage done")
"""
    children = [python(code, str(seed)) for seed in (1, 2)]
    assert [child.communicate() for child in children] == [("stage done\n", "")] * 2  # and none of MLflow's chatter
    client = mlflow.MlflowClient(tracking_uri=stores.store_uri())
    assert {run.data.tags["gan.seed"] for run in seed_runs(client)} == {"1", "2"}
    for run in seed_runs(client):
        assert history(client, run, "loss") == [(epoch, epoch) for epoch in range(200)]
    assert {path.name for path in folder.iterdir()} <= {"mlflow.db", "mlflow.db.lock", "mlartifacts", ".run_log"}


def test_a_database_is_made_whole_or_not_at_all(folder):
    path = folder / "mlflow.db"
    (folder / "mlflow.db.part").write_text("left by a kill")

    def interrupted(tracking_uri: str) -> Any:
        part = Path(tracking_uri.removeprefix("sqlite:///"))
        assert not part.exists()
        part.write_text("half")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        stores.prepare_database(path, interrupted)
    assert {path.name for path in folder.iterdir()} <= {"mlflow.db.lock"}


# What may be wrong with a database. Each costs one line.

def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()


def older(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '97727af70f4d'")
        connection.commit()


def newer_with_other_tables(path: Path) -> None:
    newer(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE webhook_events")
        connection.commit()


def garbage(path: Path) -> None:
    path.write_bytes(b"no database, whatever its name says" * 100)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(("spoil", "said"), [
    (newer, "made by a newer version of MLflow"), (newer_with_other_tables, "made by a newer version of MLflow"),
    (older, "made by an older version of MLflow"),
    (garbage, "file is not a database"), (a_folder, "unable to open database file"),
])
def test_a_database_that_cannot_be_used(folder, empty_database, capsys, spoil, said):
    shutil.copy(empty_database, folder / "mlflow.db")
    spoil(folder / "mlflow.db")
    content = (folder / "mlflow.db").read_bytes() if (folder / "mlflow.db").is_file() else b""
    assert log_and_time() < 20
    assert log_and_time(seed=2) < 1  # not tried again
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"MLflow: sqlite:///{folder}/mlflow.db not usable ({said}")
    assert line.endswith(GOING_ON)
    assert not re.search(r"\b(remove|delete|rm)\b", line)
    assert not content or (folder / "mlflow.db").read_bytes() == content


INSTALLED = importlib.metadata.version("mlflow")


def test_a_database_of_a_newer_mlflow_is_named_with_both_versions(store, folder):
    with runs.start("mnist", 1, INPUTS):  # our experiment says which MLflow wrote it
        pass
    assert heading.find(store).tags[schema.WRITER] == INSTALLED
    newer(folder / "mlflow.db")
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.execute(f"UPDATE experiment_tags SET value = '9.1.0' WHERE key = '{schema.WRITER}'")
        connection.commit()
    with pytest.raises(schema.OtherVersion) as error:
        stores.connect(stores.store_uri())
    for words in ("made by a newer version", f"expected: MLflow {INSTALLED}, schema",
                  "found: MLflow 9.1.0, schema ffffffff", "use it with mlflow==9.1.0, in an environment of its own", "MLFLOW_TRACKING_URI=sqlite:///"):
        assert words in str(error.value)


def test_a_database_of_an_older_mlflow_is_named_with_both_versions_and_how_to_upgrade_it(store, folder, capsys):
    older(folder / "mlflow.db")
    with pytest.raises(schema.OtherVersion, match="made by an older version") as error:
        ui.main(free_port())
    assert f"expected: MLflow {INSTALLED}, schema " in str(error.value)
    assert "found: schema 97727af70f4d of 2022-08-26" in str(error.value)
    assert f"copy the database, then `mlflow db upgrade sqlite:///{folder}/mlflow.db`" in str(error.value)


def test_what_mlflow_says_of_another_database_server_is_said_in_the_same_words():
    said = RuntimeError("Detected out-of-date database schema (found version 97727af70f4d, but expected 0584bdc529eb).")
    assert "made by an older version" in str(schema.explained(said, "postgresql://db"))
    said = RuntimeError("Can't locate revision identified by 'ffffffffffff'")
    assert "made by a newer version" in str(schema.explained(said, "postgresql://db"))
    other = RuntimeError("out of memory")
    assert schema.explained(other, "postgresql://db") is other


@pytest.mark.parametrize("uri", ["file:{}/mlruns", "file://{}/mlruns", "{}/mlruns", "mlruns"])
def test_a_folder_of_files_is_named_with_the_way_into_a_database(folder, monkeypatch, capsys, uri):
    uri = uri.format(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv(schema.FILES_ALLOWED, raising=False)
    log_and_time()
    (line,) = capsys.readouterr().err.splitlines()
    source = "mlruns" if uri == "mlruns" else f"{folder}/mlruns"
    for words in ("a folder of files", f"MLflow {INSTALLED}", f"mlflow migrate-filestore --source {source} --target"):
        assert words in line
    with pytest.raises(schema.OtherVersion, match="migrate-filestore"):
        ui.main(free_port())


@pytest.mark.parametrize("uri", ["sqlite:///{}/file/mlflow.db", "file:{}/mlruns", "nonsense://somewhere"])
def test_a_store_that_cannot_be(folder, monkeypatch, capsys, uri):
    (folder / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder))
    log_and_time()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(GOING_ON)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(folder, capsys):
    folder.chmod(0o555)
    try:
        log_and_time()
    finally:
        folder.chmod(0o755)
    (line,) = capsys.readouterr().err.splitlines()
    assert "Permission denied" in line


@pytest.mark.parametrize("room", [200_000, 1_300_000], ids=["at the start", "midway"])
def test_a_full_disk(folder, empty_database, room):
    if room > empty_database.stat().st_size:
        shutil.copy(empty_database, folder / "mlflow.db")
    child = python("""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
with runs.start("mnist", 1, "00") as tracker:
    for epoch in range(10_000):
        tracker.metrics({"loss": epoch}, step=epoch)
print("stage done")
""", str(room))
    said, complaint = child.communicate()
    assert (child.returncode, said) == (0, "stage done\n")
    assert len(complaint.splitlines()) == 1
    assert GOING_ON in complaint
    assert not (folder / "mlflow.db.part").exists()


# Servers. A dead one may cost the whole stage ten seconds at most.

@contextlib.contextmanager
def server(answer: bytes | None) -> Iterator[str]:
    """A server on this machine that accepts connections and says this to each, or nothing at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        connections: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connections.append(connection)
                    if answer is not None:
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.close()
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Else the thread would go on with the next test's listener, which gets the same file descriptor.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in connections:
            connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_no_server(folder, monkeypatch, capsys):
    address = f"http://somebody:secret@127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert log_and_time() < 5
    assert log_and_time(seed=2) < 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"MLflow: {address.replace('somebody:secret@', '')} not reachable (connection refused); {GOING_ON}"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("answer", "said"), [
    (None, "no answer in time"),
    (b"HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n", "no answer for too long"),
    (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "error code 401"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "not in a valid JSON format"),
    (b"220 mail.example.org ESMTP\r\n", "220 mail.example.org"),
], ids=["hangs", "busy", "refuses", "another program", "another protocol"])
def test_a_server_that_does_not_help(folder, monkeypatch, capsys, answer, said):
    if answer is not None:  # measure our own setting where it matters most
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with server(answer) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        seconds = [log_and_time(seed) for seed in (1, 2, 3)]
    assert sum(seconds) < 10
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert line.startswith(f"MLflow: {address} not reachable (")
    assert line.endswith(GOING_ON)


def test_a_long_training_does_not_wait_for_a_server_that_hangs(folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with server(None) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        tracker = runs.start("mnist", 1, INPUTS)
        begin = time.monotonic()
        tracker.metrics({"loss": 1.}, step=0)
        assert time.monotonic() - begin < .5
        while tracker.active and time.monotonic() - begin < 12:
            tracker.metrics({"loss": 1.}, step=0)
            time.sleep(.1)
        begin = time.monotonic()
        tracker.finish()
        assert time.monotonic() - begin < .5
    assert "no answer in time" in capsys.readouterr().err


def test_ctrl_c_is_not_held_up_for_long(folder):
    with server(None) as address:
        child = python("""
try:
    with runs.start("mnist", 1, "00"):
        print("started", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
""", MLFLOW_TRACKING_URI=address)
        assert child.stdout is not None
        child.stdout.readline()
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate()
    assert child.returncode == 130
    assert time.monotonic() - begin < 12


def test_the_ui_is_a_server_and_may_die(store, folder, monkeypatch, capsys):
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "pipeline", "ui", str(port)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, start_new_session=True,
                              env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        assert server.stdout is not None
        assert "starts, which takes up to a minute" in server.stdout.readline()
        said = server.stdout.readline()
        assert answers(port)  # before its address is printed
        assert f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning answers" in said
        assert "nothing has been logged" in said
        with pytest.raises(ReproductionError, match=f"port {port} is in use"):
            ui.main(port)

        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        assert log_and_time() < 30
        with runs.start("mnist", 2, INPUTS, profile="cpu", parameters={"empty": ""}, dataset=DATASET) as tracker:
            tracker.metrics({"loss": 1.}, step=1)
            until = time.monotonic() + 20
            while not any("gan.profile" in run.data.tags and metrics(run) for run in seed_runs(store)[1:]):
                assert time.monotonic() < until
                time.sleep(.1)
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            tracker.metrics({"loss": 2.}, step=2)
            begin = time.monotonic()
        assert time.monotonic() - begin < 10
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    first, second = seed_runs(store)
    assert (first.info.status, metrics(first)) == ("FINISHED", {"loss": .5})
    assert files(store, first) == {"note.txt"}
    assert (second.info.status, metrics(second)) == ("RUNNING", {"loss": 1.})
    assert parents(store)[-1].data.params["empty"] == ""
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"MLflow: http://127.0.0.1:{port} not reachable (connection refused); {GOING_ON}"


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


# The command line.

def test_the_ui_says_where_the_runs_are_in_the_mode_that_shows_them(store):
    log_and_time()
    runs_page, models_page = ui.addresses("http://127.0.0.1:5001", heading.find(store))
    place = f"http://127.0.0.1:5001/#/experiments/{only_run(store).info.experiment_id}/runs"
    assert f"{place}?viewStateShareKey=scores&workflowType=machine_learning" in runs_page
    assert "http://127.0.0.1:5001/#/models?workflowType=machine_learning" in models_page
    view = json.loads(heading.find(store).tags["mlflow.sharedViewState.scores"])
    assert "metrics.`test_log_likelihood`" in view["selectedColumns"]


def test_a_server_that_does_not_start_is_said_with_what_it_said(store, monkeypatch, capsys):
    monkeypatch.setattr(ui, "_start", lambda store, port, said: subprocess.Popen(
        [sys.executable, "-c", "print('no memory for this'); raise SystemExit(3)"], stdout=said, stderr=said))
    with pytest.raises(ReproductionError, match=r"does not start[\s\S]*no memory for this"):
        ui.main(free_port())
    assert "http://" not in capsys.readouterr().out  # no address without a server


def test_ctrl_c_ends_the_ui_without_an_error_and_the_server_with_it(store):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "pipeline", "ui", str(port)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    assert answers(port)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert not answers(port)


def test_the_ui_of_a_server_is_at_the_server(folder, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somebody:secret@mlflow.example.org")
    ui.main()
    assert "open http://mlflow.example.org/#/?workflowType=machine_learning in a browser" in capsys.readouterr().out


def test_the_ui_of_a_database_that_cannot_be_used(store, folder):
    garbage(folder / "mlflow.db")
    with pytest.raises(ReproductionError, match="file is not a database") as error:
        ui.main(free_port())
    assert not re.search(r"\b(remove|delete)\b", str(error.value))
