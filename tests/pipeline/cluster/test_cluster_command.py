"""pipeline.cluster.run: what is prepared of what it is asked, and what is told at the end."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import fake_slurm
import pytest
import torch
from ruamel.yaml import YAML

from gan.errors import DataError, ReproductionError
from pipeline.cluster import local
from pipeline.cluster import run as cluster
from pipeline.cluster.coordinator import Work
from pipeline.cluster.executors import Local, Slurm
from pipeline.cluster.options import ClusterOptions
from pipeline.commands import command_line
from pipeline.runtime import git as checkout
from pipeline.runtime import process, process_lock
from pipeline.runtime.files import write_json
from pipeline.settings import parameters
from pipeline.settings.plan import Plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, own_settings):
    """A folder of its own on a machine of four cores."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(local, "cpu_count", lambda only_physical_cores: 4)
    monkeypatch.setattr(local.machine, "memory", lambda: 2**40)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return folder


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return fake_slurm.install(tmp_path / "fake", monkeypatch)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(local.machine, "choose_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def asked(kind, *words):
    """Of the command line: the options of a cluster run, as `reproduce` is given them."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_function", lambda name: lambda **given: found.append(given))
        process.call(command_line.COMMAND, "pipeline", ["reproduce", "--cluster", kind, *words])
    return found[-1]["cluster"]


# What can be asked for.

def test_what_is_not_asked_for_has_its_default():
    found = asked("slurm")
    assert found == ClusterOptions("slurm")
    assert (found.retries, found.split_seeds, found.data, found.scratch) == (3, "auto", None, "")
    assert (found.partition, found.account, found.gpus) == ("", "", 0)
    assert (found.cpus, found.memory, found.time) == (2, 16, 24 * 60)
    assert (found.array_size, found.at_once, found.sbatch, found.python) == (1000, 256, (), sys.executable)
    assert (found.workers, found.threads) == (0, 0)


def test_what_is_asked_for_is_what_was_said():
    found = asked("slurm", "--partition", "gpu", "--account", "lab", "--gpus", "1", "--memory", "7.5", "--sbatch",
                  "qos=high", "--sbatch", "exclusive", "--data", "cache", "--split-seeds", "no")
    assert (found.partition, found.account, found.gpus, found.memory) == ("gpu", "lab", 1, 7.5)
    assert (found.sbatch, found.data, found.split_seeds) == (("qos=high", "exclusive"), "cache", "no")


@pytest.mark.parametrize("words", [("pbs",), ("slurm", "--data", "nfs"), ("local", "--workers", "many"),
                                   ("slurm", "--split-seeds", "maybe"), ("local", "--gpu", "1x")])
def test_what_cannot_be_asked_for_is_told_with_what_can(words, capsys):
    with pytest.raises(SystemExit) as raised, process.ending():
        asked(*words)
    assert raised.value.code == 2
    assert "Usage: pipeline reproduce" in capsys.readouterr().err


def test_the_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as raised, process.ending():
        asked("slurm", "--help")
    assert raised.value.code == 0
    printed = capsys.readouterr().out
    for field in fields(ClusterOptions):
        assert f"--{field.name.replace('_', '-')} " in printed
    for word in ("slurm", "local"):
        assert word in printed


# What is prepared of it.

def test_this_machine_has_a_worker_for_each_core(here, capsys):
    executor, options, on_gpus = cluster.prepare(asked("local"))
    assert isinstance(executor, Local)
    assert (executor.slots, list(executor.gpus), on_gpus) == (4, [], False)
    assert (options.data, options.threads, options.retries) == ("cache", 1, 3)
    assert (options.scratch, options.keep) == (str(here / ".cluster/clones"), True)
    assert executor.folder == here / ".cluster/submitit"
    assert "this machine: 4 workers, 1 thread each\n" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "slots", "threads", "said"), [
    (["--workers", "2"], 2, 2, "2 workers, 2 threads each"), (["--workers", "3"], 3, 1, "3 workers, 1 thread each"),
    (["--workers", "1"], 1, 4, "1 worker, 4 threads each"), (["--workers", "9"], 9, 1, "9 workers, 1 thread each"),
    (["--workers", "2", "--threads", "5"], 2, 5, "2 workers, 5 threads each"),
    (["--threads", "2"], 2, 2, "2 workers, 2 threads each"), (["--threads", "9"], 1, 9, "1 worker, 9 threads each")])
def test_cores_are_shared_among_workers_unless_threads_are_named(words, slots, threads, said, capsys):
    executor, options, _ = cluster.prepare(asked("local", *words))
    assert (executor.slots, options.threads) == (slots, threads)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("of_the_user", "words", "slots", "threads"), [
    ("2", [], 2, 2), ("4,2", [], 1, 4), ("many", [], 4, 1), ("2", ["--workers", "4"], 4, 1),
    ("2", ["--threads", "1"], 4, 1)])
def test_threads_that_the_user_set_are_those_of_a_worker(monkeypatch, of_the_user, words, slots, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", of_the_user)
    executor, options, _ = cluster.prepare(asked("local", *words))
    assert (executor.slots, options.threads) == (slots, threads)


@pytest.mark.parametrize(("memory", "slots"), [(7 * 2**30, 2), (2**30, 1), (None, 4)])
def test_there_are_no_more_workers_than_memory_allows_but_as_many_as_were_asked_for(monkeypatch, memory, slots):
    monkeypatch.setattr(local.machine, "memory", lambda: memory)
    assert cluster.prepare(asked("local"))[0].slots == slots
    assert cluster.prepare(asked("local", "--workers", "3"))[0].slots == 3


# Whether stages go side by side where nothing is said.

@pytest.fixture
def committed(monkeypatch):
    monkeypatch.setattr(checkout, "clean_code", lambda what: "c" * 40)


def test_on_several_cores_or_gpus_they_do(committed, monkeypatch):
    assert local.why_not(asked("auto"), "cpu") == ""
    monkeypatch.setattr(local, "visible_gpus", lambda: ["0", "1"])
    assert local.why_not(asked("auto"), "paper") == ""


def test_on_one_gpu_or_one_core_they_do_not(committed, monkeypatch):
    assert "one worker" in local.why_not(asked("auto", "--workers", "1"), "cpu")
    monkeypatch.setattr(local, "cpu_count", lambda only_physical_cores: 1)
    assert "one worker" in local.why_not(asked("auto"), "cpu")
    monkeypatch.setattr(local, "visible_gpus", lambda: ["0"])
    assert "one GPU" in local.why_not(asked("auto"), "paper")


def test_what_takes_a_moment_and_what_is_not_committed_does_not(committed, monkeypatch):
    assert "smoke" in local.why_not(asked("auto"), "smoke")

    def edited(what):
        raise ReproductionError(f"{what} is a commit", found="gan/adversarial/game.py")

    monkeypatch.setattr(checkout, "clean_code", edited)
    assert local.why_not(asked("auto"), "cpu").endswith("gan/adversarial/game.py")


# What every cluster has.

def test_what_holds_for_every_cluster_is_handed_on():
    _, options, _ = cluster.prepare(asked("local", "--retries", "0", "--scratch", "/s", "--data", "remote"))
    assert (options.retries, options.scratch, options.keep, options.data) == (0, "/s", False, "remote")


def test_a_machine_with_gpus_has_a_worker_for_each(two_gpus, capsys):
    executor, options, on_gpus = cluster.prepare(asked("local"))
    assert (executor.slots, list(executor.gpus), options.threads, on_gpus) == (2, ["0", "1"], 2, True)
    assert "2 workers, 2 threads each, a GPU each" in capsys.readouterr().out
    executor, _, _ = cluster.prepare(asked("local", "--workers", "1"))
    assert executor.slots == 1


def test_more_workers_than_gpus_are_refused_with_the_ways_out(two_gpus):
    with pytest.raises(ReproductionError, match="--workers 3 are more than this machine's GPUs") as raised:
        cluster.prepare(asked("local", "--workers", "3"))
    assert "at most 2" in str(raised.value)
    assert "GAN_DEVICE=cpu" in str(raised.value)


def test_workers_have_the_gpus_that_this_process_may_use(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    executor, _, _ = cluster.prepare(asked("local"))
    assert list(executor.gpus) == ["2", "3"]


def test_a_worker_that_sees_one_gpu_is_not_told_the_number_of_another(monkeypatch):
    monkeypatch.setenv("GAN_DEVICE", "cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    _, options, _ = cluster.prepare(asked("local"))
    assert options.environment.get("GAN_DEVICE") in ("cuda", "cuda:0")


def test_a_store_of_this_checkout_is_named_as_from_elsewhere(here):
    _, options, _ = cluster.prepare(asked("local"))
    assert options.environment["MLFLOW_TRACKING_URI"] == f"sqlite:///{here}/mlflow.db"
    assert "GAN_TRACKING" not in options.environment


def test_a_database_that_is_named_from_this_folder_is_named_as_from_elsewhere_too(here, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs/own.db")
    _, options, _ = cluster.prepare(asked("local"))
    assert options.environment["MLFLOW_TRACKING_URI"] == f"sqlite:///{here}/runs/own.db"


@pytest.mark.parametrize("store", ["sqlite:////shared/mlflow.db", "postgresql://user@host:5432/runs"])
def test_a_database_that_is_the_same_from_everywhere_keeps_its_name(monkeypatch, store):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert cluster.prepare(asked("local"))[1].environment["MLFLOW_TRACKING_URI"] == store


def test_a_tracking_server_is_the_same_from_everywhere(monkeypatch, fake, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    for words in (["local"], ["slurm"]):
        _, options, _ = cluster.prepare(asked(*words))
        assert options.environment.get("MLFLOW_TRACKING_URI", "http://tracking:5000") == "http://tracking:5000"
        assert "GAN_TRACKING" not in options.environment
    assert "MLflow" not in capsys.readouterr().out


@pytest.mark.parametrize("store", ["", "sqlite:////shared/mlflow.db"])
def test_nodes_of_a_cluster_log_nothing_where_there_is_no_server_and_that_is_said(fake, monkeypatch, capsys, store):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    _, options, _ = cluster.prepare(asked("slurm"))
    assert options.environment["GAN_TRACKING"] == "off"
    printed = capsys.readouterr().out
    assert "MLflow       off on the nodes" in printed
    assert "MLFLOW_TRACKING_URI=http://" in printed


def test_folders_with_data_are_named_as_from_elsewhere(here, tmp_path, monkeypatch, fake):
    for name in ("own", "more"):
        (here / name).mkdir()
    monkeypatch.setenv("GAN_DATA", os.pathsep.join(["own", str(tmp_path), "./more"]))
    for words in (["local"], ["slurm"]):
        _, options, _ = cluster.prepare(asked(*words))
        assert options.environment["GAN_DATA"].split(os.pathsep) == [f"{here}/own", str(tmp_path), f"{here}/more"]
    monkeypatch.delenv("GAN_DATA")
    assert "GAN_DATA" not in cluster.prepare(asked("local"))[1].environment


def test_a_folder_with_data_that_there_is_not_is_told_before_any_task_is(monkeypatch):
    monkeypatch.setenv("GAN_DATA", "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        cluster.prepare(asked("local"))


def test_slurm_is_asked_for_what_was_said(here, fake, capsys):
    executor, options, on_gpus = cluster.prepare(asked(
        "slurm", "--partition", "gpu", "--gpus", "2", "--cpus", "6", "--memory", "7.5", "--time", "90",
        "--account", "lab", "--sbatch", "qos=high", "--at-once", "9", "--array-size", "20", "--python",
        "/shared/python"))
    assert isinstance(executor, Slurm)
    assert (executor.slots, executor.folder, executor.python) == (None, here / ".cluster/submitit", "/shared/python")
    found = executor.options
    assert (found.partition, found.gpus, found.cpus, found.memory, found.time) == ("gpu", 2, 6, 7.5, 90)
    assert (found.account, found.more, found.at_once, found.array_size) == ("lab", ("qos=high",), 9, 20)
    assert (options.data, options.threads, on_gpus) == ("remote", 6, True)
    assert "Slurm, partition gpu: 6 cores, 2 GPUs, 7.5 GiB, 1 h 30 min for each task\n" in capsys.readouterr().out
    _, options, on_gpus = cluster.prepare(asked("slurm", "--data", "cache"))
    assert (options.data, on_gpus) == ("cache", False)


def test_checkpoints_are_where_a_run_without_a_cluster_has_them(here, monkeypatch):
    assert cluster.checkpoint_folder() == here / "checkpoints"
    monkeypatch.setenv("GAN_CHECKPOINTS", "elsewhere")
    assert cluster.checkpoint_folder() == here / "elsewhere"


# The order.

class Stages(dict):
    """Of a graph, with what each needs."""

    @property
    def needs(self):
        return self

    def ancestors(self, name):
        return set(self[name]) | {other for need in self[name] for other in self.ancestors(need)}


def test_the_first_row_and_whatever_scores_a_model_go_before_longer_stages():
    graph = Stages({"prepare@d": [], "train@a": ["prepare@d"], "evaluate@a": ["train@a"], "train@b": ["prepare@d"],
                    "evaluate@b": ["train@b"], "lesson@c": []})
    assert cluster.rows_first(graph, "a") == {"prepare@d", "train@a", "evaluate@a", "evaluate@b"}
    assert cluster.rows_first(graph, "") == {"evaluate@a", "evaluate@b"}


# Seeds.

@pytest.fixture
def planned(small_file):
    """Experiments of several seeds: adversarial nets, and two that have no epochs."""
    raw = YAML(typ="safe").load(small_file.read_text())
    for name in raw["experiments"]:
        raw["experiments"][name]["train"]["seeds"] = [3, 5]
    return planned_of(raw, *raw["experiments"])


def planned_of(raw, *experiments):
    """params.yaml's content, of which these experiments are planned."""
    return dataclasses.replace(parameters.check(raw), plan=Plan(["digits"], dict.fromkeys(experiments, "digits")))


MANY, ONE, SLURM = (SimpleNamespace(slots=slots) for slots in (4, 1, None))
APART = {"train@digits": [3, 5]}


@pytest.mark.parametrize(("word", "executor", "on_gpus", "expected"), [
    ("auto", MANY, False, APART), ("auto", SLURM, False, APART), ("auto", ONE, False, {}), ("auto", MANY, True, {}),
    ("auto", SLURM, True, {}), ("yes", MANY, True, APART), ("yes", ONE, False, APART), ("yes", SLURM, True, APART),
    ("no", MANY, False, {}), ("no", SLURM, False, {})])
def test_seeds_are_tasks_of_their_own_where_that_is_faster_or_asked_for(planned, word, executor, on_gpus, expected):
    assert cluster.seeds_apart(planned, asked("local", "--split-seeds", word), executor, on_gpus) == expected


def test_a_training_of_one_seed_is_one_task(planned):
    raw = planned.raw
    raw["experiments"]["digits"]["train"]["seeds"] = [3]
    known = planned_of(raw, "digits")
    assert cluster.seeds_apart(known, asked("local", "--split-seeds", "yes"), MANY, False) == {}


def test_only_what_is_planned_is_split(planned):
    known = planned_of(planned.raw, "digits_training_images", "digits_kmeans")
    assert cluster.seeds_apart(known, asked("local"), MANY, False) == {}


# What is told at the end.

class Entering(list):
    """The names of a graph's stages, and of those that went into dvc.lock."""

    def enter(self, names):
        self.entered = sorted(names)


def finished(monkeypatch, edited=(), ran=(), **status):
    """A graph of which that came out, and the calls of `dvc repro` after it."""
    calls = []
    monkeypatch.setattr(checkout, "code_other_than", lambda commit: list(edited))
    monkeypatch.setattr(cluster, "dvc_repro", lambda *words: calls.append(words) or list(ran))
    targets = {name for name in status if name != "report"}
    work = Work(Entering(status), "", "c" * 40, b"", {}, Path("checkpoints"), targets)
    work.status |= {name: value for name, value in status.items() if name != "report"}
    for name in work.names("failed"):
        work.errors[name] = f"{name} ended with exit status 1 (on n1, attempt 1)\n    its log\n    to the end"
    return work, calls


def test_a_whole_run_goes_into_dvc_lock_and_leaves_the_history_alone(here, monkeypatch):
    for name in ("tasks/a", "submitit/b", "clones/0"):
        (here / ".cluster" / name).mkdir(parents=True)
    (here / ".cluster/history.jsonl").write_text("{}\n")
    work, calls = finished(monkeypatch, one="done", two="done", report="here", ran=["report"])
    told = []
    follower = SimpleNamespace(ended=lambda undone: told.append((undone, list(calls))))
    cluster.collect(work, remote=False, follower=follower)
    assert (told, calls) == ([([], [])], [()])
    assert work.graph.entered == ["one", "two"]
    assert [path.name for path in (here / ".cluster").iterdir()] == ["history.jsonl"]
    work, calls = finished(monkeypatch, one="done", report="here")
    cluster.collect(work, remote=True, only=["one"])
    assert calls == [("--pull", "one")]


def test_stages_that_failed_are_named_and_what_is_done_is_kept(here, monkeypatch):
    (here / ".cluster/tasks").mkdir(parents=True)
    work, calls = finished(monkeypatch, one="done", two="failed", three="failed", four="left out", report="here")
    told = []
    with pytest.raises(ReproductionError, match="2 of 4 stages failed") as raised:
        cluster.collect(work, remote=False, follower=SimpleNamespace(ended=told.append))
    for words in ("two: two ended with exit status 1 (on n1, attempt 1)", "three: three ended",
                  "1 that need them were left out", "what is done is not done again"):
        assert words in str(raised.value)
    assert "its log" not in str(raised.value)
    assert (work.graph.entered, calls) == (["one"], [])
    assert told == [["two", "three", "four"]]
    assert (here / ".cluster/tasks").exists()


def test_where_nothing_is_done_nothing_goes_into_dvc_lock(monkeypatch):
    work, calls = finished(monkeypatch, one="failed")
    with pytest.raises(ReproductionError, match="1 of 1 stages failed") as raised:
        cluster.collect(work, remote=True)
    assert "left out" not in str(raised.value)
    assert (work.graph.entered, calls) == ([], [])


def test_a_stage_that_failed_without_a_word_is_named_all_the_same(monkeypatch):
    work, _ = finished(monkeypatch, one="failed")
    work.errors["one"] = ""
    with pytest.raises(ReproductionError, match="1 of 1 stages failed"):
        cluster.collect(work, remote=False)


def test_a_checkout_that_moved_on_takes_nothing_in(monkeypatch):
    work, calls = finished(monkeypatch, edited=["gan/fit.py"], one="done")
    with pytest.raises(ReproductionError, match=r"other code than its jobs had[\s\S]*gan/fit.py"):
        cluster.collect(work, remote=False)
    assert calls == []


def test_a_stage_that_ran_again_here_is_told(monkeypatch):
    work, _ = finished(monkeypatch, one="done", two="done", report="here", ran=["two", "report"])
    with pytest.raises(ReproductionError, match="stages ran here that workers had done") as raised:
        cluster.collect(work, remote=False)
    assert "found: two\n" in str(raised.value)


# Cancelling.

def submitted(here, name, executor, number, done=False):
    folder = here / ".cluster/tasks" / name
    write_json(folder / "job.json", {"executor": executor, "number": number, "time": 1.0})
    if done:
        write_json(folder / "outcome.json", {"state": "done", "node": "n1", "seconds": 1.0})


def test_where_there_are_no_jobs_none_is_cancelled(here, fake, capsys):
    cluster.cancel()
    assert capsys.readouterr().out == "no jobs are left\n"
    submitted(here, "a", "slurm", "101", done=True)
    cluster.cancel()
    assert capsys.readouterr().out == "no jobs are left\n"
    assert fake.asked("scancel") == []


def test_jobs_of_slurm_that_are_left_are_cancelled(here, fake, capsys):
    for name, number, done in (("a", "101_0", False), ("b", "101_1", False), ("c", "101_2", True), ("d", "102", False)):
        submitted(here, name, "slurm", number, done)
    fake.says("squeue", "101_0|RUNNING|n1|None\n101_1|PENDING||Priority\n101_2|RUNNING|n1|None\n"
                        "102|CANCELLED|n1|None\n")
    cluster.cancel()
    [words] = fake.asked("scancel")
    assert sorted(words.split()) == ["101_0", "101_1"]
    assert capsys.readouterr().out == "2 of slurm cancelled\n"


def test_processes_that_are_left_are_ended_and_no_others(here, capsys, tmp_path):
    (tmp_path / "submitit_stand_in.py").write_text("import time\ntime.sleep(60)\n")
    job = subprocess.Popen([sys.executable, str(tmp_path / "submitit_stand_in.py")])
    other = subprocess.Popen(["sleep", "60"])
    try:
        submitted(here, "a", "local", str(job.pid))
        submitted(here, "b", "here", str(other.pid))
        cluster.cancel()
        assert job.wait(30) == -15
        assert other.poll() is None
    finally:
        for process in (job, other):
            process.kill()
            process.wait()
    assert sorted(capsys.readouterr().out.splitlines()) == ["0 of here cancelled", "1 of local cancelled"]


def test_a_run_that_goes_on_in_another_process_is_told_before_anything_else(here):
    with process_lock.holding(Path(".cluster/lock"), "a cluster run of this checkout"), pytest.raises(
            ReproductionError, match="a cluster run of this checkout goes on in another process"):
        cluster.reproduce(ClusterOptions("local"))
