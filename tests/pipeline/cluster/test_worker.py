"""One task on a node: a clone of its own, the stage by real `dvc`, and what it leaves, after errors too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dvc.config import Config
from filelock import FileLock
from small_graph import run_worker

from pipeline.cluster.coordinator import settings_of
from pipeline.cluster.graph import Graph
from pipeline.cluster.task import LOG, STARTED, Outcome, Task
from pipeline.cluster.worker import PREFIX, ini


@pytest.fixture
def do(repository, tmp_path):
    """Runs a worker on a stage of the repository's last commit: its outcome, and the folder of its task."""
    def run(stage: str, data: str = "cache", **changes: object) -> tuple[Outcome | None, Path]:
        folder = prepare(repository, tmp_path, stage, data, **changes)
        run_worker(folder)
        return Outcome.read(folder), folder
    return run


def prepare(repository, tmp_path, stage, data="cache", **changes) -> Path:
    graph = Graph(repository.root, data == "remote")
    (tmp_path / "scratch").mkdir(exist_ok=True)
    settings = {"stage": stage, "seed": None, "attempt": 1, "key": "0" * 64, "origin": str(repository.root),
                "commit": repository.run("git", "rev-parse", "HEAD").strip(), "inputs": graph.inputs(stage),
                "data": data, "dvc": graph.settings(), "scratch": str(tmp_path / "scratch"), "environment": {}}
    task = Task(**(settings | changes))
    folder = tmp_path / "tasks" / task.folder_name
    task.write(folder, graph.lock(stage), settings_of(Path()))
    return folder


def clones(tmp_path):
    return list((tmp_path / "scratch").glob(f"{PREFIX}*"))


def test_a_stage_that_is_done_is_in_the_shared_cache_and_the_clone_is_gone(repository, do, tmp_path):
    outcome, folder = do("side")
    assert (outcome.state, outcome.error) == ("done", "")
    assert not clones(tmp_path)
    assert not (repository.root / "side.txt").exists()
    assert Graph(repository.root, False).settle("side")
    assert (repository.root / "side.txt").read_text() == "side\n"
    assert json.loads(outcome.run_log["side.json"]) == {"name": "side"}
    assert json.loads((folder / STARTED).read_text())["node"] == outcome.node
    assert "Running stage 'side'" in (folder / LOG).read_text()


def test_a_worker_brings_what_its_stage_reads(repository, do):
    repository.dvc("repro", "one")
    outcome, _ = do("two")
    assert outcome.state == "done"
    assert Graph(repository.root, False).settle("two")
    assert (repository.root / "two.txt").read_text() == "in\nin\n"


def test_by_a_remote_the_worker_pulls_and_pushes_and_hands_back_its_record(repository, do, tmp_path):
    repository.dvc("remote", "add", "--local", "--default", "shared", str(tmp_path / "remote"))  # git has nothing of it
    repository.dvc("repro", "one")
    repository.dvc("push")
    outcome, _ = do("two", data="remote")
    assert outcome.state == "done", outcome.error
    assert len(outcome.records) == 1
    assert next(iter(outcome.records)).startswith("runs/")
    assert list((tmp_path / "remote/runs").rglob("*"))
    graph = Graph(repository.root, True)
    graph.accept(outcome.records)
    assert graph.settle("one")
    assert graph.settle("two")


def test_it_runs_the_commit_not_what_is_edited_here(repository, do, tmp_path):
    repository.write("side.sh", "echo edited > side.txt\n")
    outcome, _ = do("side")
    assert outcome.state == "done"
    assert not Graph(repository.root, False).settle("side")
    repository.run("git", "checkout", "--quiet", "side.sh")
    assert Graph(repository.root, False).settle("side")


def test_a_stage_that_fails_says_with_what_and_its_words_are_in_the_log(repository, do, tmp_path):
    repository.write("side.sh", "echo no such luck; exit 3\n")
    repository.commit()
    outcome, folder = do("side")
    assert outcome.state == "failed"
    assert "exit status 3" in outcome.error
    assert "no such luck" in (folder / LOG).read_text()
    assert not clones(tmp_path)


def test_a_stage_that_is_killed_was_interrupted(repository, do):
    repository.write("side.sh", "kill -9 $$\n")
    repository.commit()
    outcome, _ = do("side")
    assert outcome.state == "interrupted"
    assert "SIGKILL" in outcome.error


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGUSR2, "before its time limit")])
def test_a_signal_to_stop_reaches_the_stage_and_is_told(repository, tmp_path, number, reason):
    """The stage takes SIGTERM as a training does; SIGUSR2, which Slurm sends to all processes, leaves it alone."""
    repository.write("side.sh", "exec python -c \"import os, signal, sys, time, pathlib\n"
                                "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
                                f"pathlib.Path('{tmp_path}/began').write_text(str(os.getpid()))\n"
                                "time.sleep(60)\"\n")
    repository.commit()
    folder = prepare(repository, tmp_path, "side")
    process = start(folder)
    began = tmp_path / "began"
    wait_for(lambda: began.exists() and began.read_text(), process)
    if number == signal.SIGUSR2:
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    assert process.wait(30) == 0
    outcome = Outcome.read(folder)
    assert outcome.state == "interrupted"
    assert reason in outcome.error
    assert not clones(tmp_path)


@pytest.mark.parametrize("which", ["the job's process", "the one that does the task"])
def test_of_a_worker_that_is_killed_the_stage_ends_too_and_an_outcome_is_left(repository, tmp_path, which):
    repository.write("side.sh", f"echo $$ > {tmp_path}/began; exec sleep 60\n")
    repository.commit()
    folder = prepare(repository, tmp_path, "side")
    process = start(folder)
    began = tmp_path / "began"
    wait_for(lambda: began.exists() and began.read_text().strip(), process)
    stage, inner = int(began.read_text()), json.loads((folder / STARTED).read_text())["pid"]
    os.kill(process.pid if which == "the job's process" else inner, signal.SIGKILL)
    process.wait(30)
    until = time.monotonic() + 30
    while psutil.pid_exists(stage) or Outcome.read(folder) is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert Outcome.read(folder).state == "interrupted"


def start(folder):
    return subprocess.Popen([sys.executable, "-c", "import sys; from pipeline.cluster.worker import work; "
                                                   "work(sys.argv[1])", str(folder)], start_new_session=True)


def wait_for(condition, process, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)


def test_a_node_that_does_not_see_the_checkout_says_so(do, tmp_path):
    outcome, _ = do("side", origin=str(tmp_path / "elsewhere"))
    assert outcome.state == "interrupted"
    assert "cannot clone the checkout" in outcome.error
    assert "shared file system" in outcome.error


def test_an_input_that_has_not_arrived_is_an_interruption_and_leaves_no_clone(repository, do, tmp_path):
    repository.dvc("repro", "one")
    repository.run("rm", "-r", ".dvc/cache")
    outcome, _ = do("two")
    assert outcome.state == "interrupted"
    assert "one.txt" in outcome.error
    assert not clones(tmp_path)


def test_a_clone_that_a_killed_worker_left_is_removed_by_the_next_and_a_living_ones_is_not(repository, do, tmp_path):
    left = tmp_path / "scratch" / f"{PREFIX}left"
    left.mkdir(parents=True)
    (left / "lock").touch()
    os.utime(left, (1, 1))
    new = tmp_path / "scratch" / f"{PREFIX}new"
    new.mkdir()
    do("side")
    assert clones(tmp_path) == [new]


def test_a_clone_that_is_kept_has_nothing_of_the_task_before_it_but_compiled_modules(repository, do, tmp_path):
    root = tmp_path / "scratch/0/clone"
    assert do("side", keep=True)[0].state == "done"
    assert (root / "side.sh").exists()
    assert not (root / "side.txt").exists()
    for name in ("__pycache__/a.pyc", "left.txt", "data/left.txt", ".dvc/tmp/left"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1\n")
    (root / "input.txt").write_text("edited\n")
    repository.write("side.sh", "test ! -e left.txt && echo newer > side.txt\n")
    repository.commit()
    outcome, _ = do("side", keep=True)
    assert outcome.state == "done", outcome.error
    assert Graph(repository.root, False).settle("side")
    assert (repository.root / "side.txt").read_text() == "newer\n"
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["0"]
    assert (root / "__pycache__/a.pyc").exists()
    assert (root / "input.txt").read_text() == "in\n"
    assert not any((root / name).exists() for name in ("left.txt", "data", ".dvc/tmp/left", "side.txt"))


def test_two_workers_never_have_the_same_clone_and_one_that_was_not_finished_is_made_anew(repository, do, tmp_path):
    half = tmp_path / "scratch/1/clone"
    half.mkdir(parents=True)
    (half / "left.txt").touch()
    (tmp_path / "scratch/0").mkdir()
    with FileLock(tmp_path / "scratch/0/lock"):
        assert do("side", keep=True)[0].state == "done"
    assert not (tmp_path / "scratch/0/clone").exists()
    assert (half / "side.sh").exists()
    assert not (half / "left.txt").exists()


def test_dvc_reads_the_settings_that_a_worker_is_given(repository):
    repository.write(".dvc/config.local", ini({"core": {"remote": "a b"}, "remote": {"a b": {"url": "/x/y"}},
                                               "cache": {"dir": "/z"}}))
    config = Config(str(repository.root / ".dvc"))
    assert config["core"]["remote"] == "a b"
    assert config["remote"]["a b"]["url"] == "/x/y"
    assert config["cache"]["dir"] == "/z"
