"""pipeline.cluster.executors: what is asked of Slurm, here of programs that stand for it, and processes here."""

from __future__ import annotations

import getpass
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_slurm
import psutil
import pytest

from gan.errors import ReproductionError
from pipeline.cluster import executors
from pipeline.cluster.executors import Local, NoAnswer, Slurm, SlurmOptions, submission_environment

TASKS = '''
import os, signal, subprocess, time
from pathlib import Path


def note_gpus(folder):
    Path(folder, "seen").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))


def wait_to_be_stopped(folder):
    signal.signal(signal.SIGTERM, lambda *_: stopped(folder))
    Path(folder, "seen").write_text("began")
    time.sleep(60)


def heed_nothing(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    Path(folder, "seen").write_text(str(child.pid))
    time.sleep(600)


def stopped(folder):
    Path(folder, "stopped").write_text("")
    os._exit(0)
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return fake_slurm.install(tmp_path / "fake", monkeypatch)


def slurm(tmp_path, **options):
    return Slurm(tmp_path / "submitit", SlurmOptions(**options), python="/shared/bin/python")


def submit(executor, tmp_path, count):
    folders = [tmp_path / f"task-{i}" for i in range(count)]
    for folder in folders:
        folder.mkdir()
    return executor.submit(folders, list(range(count)))


# Slurm.

@pytest.mark.parametrize("present", [(), ("sbatch",), ("squeue",)])
def test_a_machine_without_slurm_is_told_with_the_way_that_needs_none(tmp_path, monkeypatch, present):
    programs = fake_slurm.FakeSlurm(tmp_path)
    programs.programs.mkdir()
    for name in present:
        programs.says(name, "")
    monkeypatch.setenv("PATH", str(programs.programs))
    with pytest.raises(ReproductionError, match="there is no Slurm on this machine") as raised:
        slurm(tmp_path)
    assert "make reproduce CLUSTER=local" in str(raised.value)


def test_a_partition_that_there_is_not_is_told_with_those_that_there_are(tmp_path, fake):
    fake.says("sinfo", "short\ngpu\nshort\n")
    with pytest.raises(ReproductionError, match="Slurm has no partition 'gpus'") as raised:
        slurm(tmp_path, partition="gpus")
    assert "expected: short or gpu\n" in str(raised.value)
    slurm(tmp_path, partition="gpu")
    slurm(tmp_path)


@pytest.mark.parametrize("name", ["sinfo", "squeue"])
def test_a_slurm_that_does_not_answer_is_told_in_its_own_words(tmp_path, fake, name):
    executor = slurm(tmp_path)
    fake.fails(name, "Unable to contact slurm controller (connect failure)")
    with pytest.raises(NoAnswer, match=f"Slurm does not answer `{name}`") as raised:
        slurm(tmp_path) if name == "sinfo" else executor.states(["12"])
    assert "found: Unable to contact slurm controller (connect failure)" in str(raised.value)
    assert isinstance(raised.value, ReproductionError)


def test_a_slurm_that_lacks_sinfo_does_not_answer_either(tmp_path, fake, monkeypatch):
    (fake.programs / "sinfo").unlink()
    monkeypatch.setenv("PATH", str(fake.programs))
    with pytest.raises(NoAnswer, match="sinfo"):
        slurm(tmp_path)


def test_the_queue_tells_what_waits_runs_and_has_ended(tmp_path, fake):
    fake.says("squeue", "12_3|PENDING||Resources\n12_4|RUNNING|n1|None\n12_5|COMPLETED|n2|None\n13|TIMEOUT|n2|None\n"
                        "14|COMPLETING|n1|None\n15|SUSPENDED|n1|None\n16|CONFIGURING|n3|None\n17|OUT_OF_MEMORY|n1|None\n"
                        "999|RUNNING|n9|None\n")
    jobs = ["12_3", "12_4", "12_5", "13", "14", "15", "16", "17", "18"]
    states = slurm(tmp_path).states(jobs)
    assert list(states) == jobs
    assert {job: (state.state, state.node, state.detail) for job, state in states.items()} == {
        "12_3": ("waiting", "", "Resources"), "12_4": ("running", "n1", "RUNNING"),
        "12_5": ("ended", "n2", "COMPLETED"), "13": ("ended", "n2", "TIMEOUT"), "14": ("running", "n1", "COMPLETING"),
        "15": ("waiting", "n1", "None"), "16": ("waiting", "n3", "None"), "17": ("ended", "n1", "OUT_OF_MEMORY"),
        "18": ("ended", "", "left the queue")}
    [asked] = fake.asked("squeue")
    assert {"--array", "--states=all", f"--user={getpass.getuser()}"} <= set(asked.split())


@pytest.mark.parametrize("text", ["", "\n\n", "12\n", "12|\n", "error|of|another|kind|altogether\n"])
def test_an_odd_answer_of_the_queue_ends_nothing_with_a_traceback(tmp_path, fake, text):
    fake.says("squeue", text)
    assert set(slurm(tmp_path).states(["12", "13"])) == {"12", "13"}


def test_a_job_is_submitted_with_what_was_asked_for(tmp_path, fake):
    executor = slurm(tmp_path, partition="gpu", account="lab", gpus=2, cpus=6, memory=1.5, time=90,
                     more=("qos=high", "--constraint=a100 and fast", "exclusive"))
    assert submit(executor, tmp_path, 1) == ["101"]
    [options], [script] = fake.options(), fake.scripts()
    assert options | {"output": ""} == options | {
        "output": "", "partition": "gpu", "account": "lab", "gpus-per-node": "2", "cpus-per-task": "6",
        "mem": "1536MB", "time": "90", "no-requeue": "", "signal": "USR2@90", "qos": "high",
        "constraint": "a100 and fast", "exclusive": ""}
    assert "array" not in options
    assert "/shared/bin/python -u -m submitit" in script
    assert Path(options["output"]).parent == tmp_path / "submitit"


def test_what_was_not_asked_for_is_left_to_slurm(tmp_path, fake):
    submit(slurm(tmp_path), tmp_path, 1)
    [options] = fake.options()
    assert not {"partition", "account", "gpus-per-node", "gres", "qos"} & set(options)
    assert (options["cpus-per-task"], options["mem"], options["time"]) == ("2", "16384MB", str(24 * 60))


def test_a_job_of_a_minute_is_warned_before_its_time_is_up(tmp_path, fake):
    submit(slurm(tmp_path, time=1), tmp_path, 1)
    assert fake.options()[0]["signal"] == "USR2@30"


def test_tasks_of_one_moment_are_an_array_of_which_so_many_run_at_once(tmp_path, fake):
    assert submit(slurm(tmp_path, at_once=2), tmp_path, 5) == [f"101_{i}" for i in range(5)]
    assert [options["array"] for options in fake.options()] == ["0-4%2"]
    assert "/shared/bin/python -u -m submitit" in fake.scripts()[0]


def test_an_array_is_cut_where_the_cluster_takes_no_longer_one(tmp_path, fake):
    numbers = submit(slurm(tmp_path, array_size=2), tmp_path, 5)
    assert numbers == ["101_0", "101_1", "102_0", "102_1", "103"]
    assert [options.get("array") for options in fake.options()] == ["0-1%2", "0-1%2", None]


def test_a_refusal_is_told_in_slurms_own_words(tmp_path, fake):
    fake.fails("sbatch", "sbatch: error: no such account\nsbatch: error: Batch job submission failed: Invalid account")
    with pytest.raises(ReproductionError, match="Slurm does not take the job") as raised:
        submit(slurm(tmp_path, account="nobody"), tmp_path, 3)
    assert "found: sbatch: error: Batch job submission failed: Invalid account\n" in str(raised.value)


def test_an_answer_without_a_number_is_told_too(tmp_path, fake):
    fake.says("sbatch", "welcome to the cluster\n")
    with pytest.raises(ReproductionError, match="Slurm does not take the job"):
        submit(slurm(tmp_path), tmp_path, 1)


def test_what_slurm_took_before_it_refused_the_rest_does_not_run_on_unknown(tmp_path, fake):
    script = (fake.programs / "sbatch").read_text().partition("\n")[2]
    fake.program("sbatch", f"[ -e {fake.folder}/submitted-101 ] && echo 'too many jobs' >&2 && exit 1\n{script}")
    with pytest.raises(ReproductionError, match="too many jobs"):
        submit(slurm(tmp_path, array_size=2), tmp_path, 4)
    assert fake.asked("scancel") == ["101_0 101_1"]


def test_a_machine_that_lacks_srun_is_told_without_a_traceback(tmp_path, fake, monkeypatch):
    (fake.programs / "srun").unlink()
    monkeypatch.setenv("PATH", str(fake.programs))
    with pytest.raises(ReproductionError, match="srun"):
        submit(slurm(tmp_path), tmp_path, 1)


def test_jobs_are_cancelled_by_one_call_and_none_by_none(tmp_path, fake):
    executor = slurm(tmp_path)
    executor.cancel([])
    assert fake.asked("scancel") == []
    executor.cancel(["12_3", "13"])
    assert fake.asked("scancel") == ["12_3 13"]


# Processes here.

@pytest.fixture
def run(tmp_path, monkeypatch):
    """Sets the function that is run in place of `work`, one of TASKS."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "tasks_of_the_tests.py").write_text(TASKS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    tasks = importlib.import_module("tasks_of_the_tests")
    yield lambda name: monkeypatch.setattr(executors, "work", getattr(tasks, name))
    sys.modules.pop("tasks_of_the_tests")


@pytest.fixture
def local(tmp_path):
    """Makes executors, whose processes end with the test."""
    made = []

    def make(slots=1, gpus=()):
        made.append(Local(tmp_path / "submitit", slots, gpus))
        return made[-1]

    yield make
    for executor in made:
        executor.cancel(executor._jobs)
        wait_for(lambda executor=executor: {state.state for state in executor.states(executor._jobs).values()}
                 <= {"ended"})


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def seen(folder):
    path = folder / "seen"
    return path.read_text() if path.exists() else ""


def state_of(executor, job):
    return executor.states([job])[job].state


def test_processes_run_each_on_the_gpu_of_its_slot_and_end(tmp_path, run, local):
    run("note_gpus")
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    executor = local(3, ["0", "1", "2"])
    jobs = executor.submit(folders, [2, 0])
    assert len(set(jobs)) == 2
    wait_for(lambda: {state.state for state in executor.states(jobs).values()} == {"ended"})
    assert [seen(folder) for folder in folders] == ["2", "0"]


def test_a_process_without_a_gpu_sees_none(tmp_path, run, local, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    run("note_gpus")
    executor = local()
    [job] = submit(executor, tmp_path, 1)
    wait_for(lambda: state_of(executor, job) == "ended")
    assert seen(tmp_path / "task-0") == ""
    assert (tmp_path / "task-0/seen").exists()


def test_a_process_that_is_cancelled_is_told_so_and_ends(tmp_path, run, local):
    run("wait_to_be_stopped")
    executor = local()
    [job] = submit(executor, tmp_path, 1)
    wait_for(lambda: seen(tmp_path / "task-0") == "began")
    assert state_of(executor, job) == "running"
    executor.cancel([job])
    wait_for(lambda: state_of(executor, job) == "ended")
    assert (tmp_path / "task-0/stopped").exists()
    executor.cancel([job])


def test_a_process_that_heeds_nothing_is_killed_with_what_it_began(tmp_path, run, local):
    run("heed_nothing")
    executor = local()
    [job] = submit(executor, tmp_path, 1)
    wait_for(lambda: seen(tmp_path / "task-0").isdecimal())
    child = psutil.Process(int(seen(tmp_path / "task-0")))
    executor.cancel([job])
    executor.kill([job])
    wait_for(lambda: state_of(executor, job) == "ended")
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    executor.kill([job])


def test_ctrl_c_is_for_the_coordinator_which_stops_its_processes(tmp_path, run, local):
    """A key reaches all processes of a terminal's group: submitit's would end with a traceback each."""
    run("wait_to_be_stopped")
    executor = local()
    [job] = submit(executor, tmp_path, 1)
    wait_for(lambda: seen(tmp_path / "task-0") == "began")
    top = psutil.Process(int(job))
    ignored = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGHUP - 1)
    for each in [top, *top.children(recursive=True)]:
        status = Path(f"/proc/{each.pid}/status").read_text()
        assert int(re.search(r"^SigIgn:\s*(\w+)$", status, re.M)[1], 16) & ignored == ignored
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_coordinator_finds_the_processes_of_the_one_before_it(tmp_path, run, local):
    run("wait_to_be_stopped")
    first, second = local(), Local(tmp_path / "submitit", 1)
    [job] = submit(first, tmp_path, 1)
    wait_for(lambda: seen(tmp_path / "task-0") == "began")
    assert state_of(second, job) == "running"
    second.cancel([job])
    wait_for(lambda: state_of(second, job) == "ended")  # while its parent, this process, has not asked after it
    assert (tmp_path / "task-0/stopped").exists()
    wait_for(lambda: state_of(first, job) == "ended")
    assert state_of(second, job) == "ended"


def test_a_number_that_the_system_gave_to_another_process_is_no_job(tmp_path):
    executor = Local(tmp_path / "submitit", 1)
    other = subprocess.Popen(["sleep", "60"])
    try:
        assert state_of(executor, str(other.pid)) == "ended"
    finally:
        other.kill()
        other.wait()
    assert state_of(executor, str(other.pid)) == "ended"
    assert state_of(executor, "no number") == "ended"


def test_another_process_with_the_number_of_a_job_is_not_cancelled(tmp_path):
    executor = Local(tmp_path / "submitit", 1)
    other = subprocess.Popen(["sleep", "60"])
    try:
        executor.cancel([str(other.pid)])
        time.sleep(0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


# Within an allocation.

INHERITED = {"SLURM_JOB_ID": "7", "SLURM_CPU_BIND": "quiet,mask_cpu:0x1", "SLURM_MEM_PER_NODE": "64",
             "SLURM_NTASKS": "8", "SRUN_CPUS_PER_TASK": "1", "SUBMITIT_EXECUTOR": "slurm", "SQUEUE_PARTITION": "gpu",
             "CUDA_VISIBLE_DEVICES": "3"}
KEPT = {"SLURM_CONF": "/etc/elsewhere/slurm.conf", "SBATCH_ACCOUNT": "lab", "GAN_DATA": "/data"}


def test_every_command_of_slurm_s_gets_an_environment_without_the_job_that_this_runs_in(tmp_path, fake, monkeypatch):
    """Bindings, sizes and filters of the outer job are no wish of the user's; where Slurm is, and defaults, are."""
    for name, value in (INHERITED | KEPT).items():
        monkeypatch.setenv(name, value)
    for name in ("sbatch", "squeue", "sinfo", "scancel"):
        path = fake.programs / name
        path.write_text(path.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\nenv > {tmp_path}/{name}.env\n"))
    executor = slurm(tmp_path)
    submit(executor, tmp_path, 1)
    executor.states(["101"])
    executor.cancel(["101"])
    for name in ("sbatch", "squeue", "sinfo", "scancel"):
        seen = dict(line.partition("=")[::2] for line in (tmp_path / f"{name}.env").read_text().splitlines())
        assert not INHERITED.keys() & seen.keys(), name
        assert KEPT.items() <= seen.items()
    assert (INHERITED | KEPT).items() <= dict(os.environ).items()


def test_outside_of_an_allocation_a_user_s_choice_of_gpus_stays(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert submission_environment()["CUDA_VISIBLE_DEVICES"] == "3"
