"""pipeline.runtime.machine: what made a result, which device to use, and from which commit."""

from __future__ import annotations

import json
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gan.errors import ReproductionError
from pipeline.runtime import machine

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Make torch believe in a number of GPUs."""
    def have(number: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "NVIDIA H200")
    return have


def test_hardware_is_plain_json_and_the_same_each_time():
    found = machine.hardware(CPU)
    assert json.loads(json.dumps(found)) == found == machine.hardware(CPU)


def test_hardware_names_the_versions_and_no_place():
    found = machine.hardware(CPU)
    assert found["torch"] == torch.__version__
    assert found["python"] == platform.python_version()
    assert found["threads"] == torch.get_num_threads()
    text = json.dumps(found)
    assert str(Path.cwd()) not in text
    assert socket.gethostname() not in text


def test_hardware_counts_what_is_there():
    found = machine.hardware(CPU)
    assert found["processor"].strip()
    assert found["logical_cores"] >= (found["physical_cores"] or 1) >= 1
    assert found["memory_gib"] is None or found["memory_gib"] >= 1


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    found = machine.hardware(CPU)
    assert found["logical_cores"] == 1
    assert found["physical_cores"] in (1, None)


def test_accelerator_is_what_the_result_was_made_on(gpus):
    gpus(1)
    assert machine.hardware(torch.device("cuda"))["accelerator"] == "NVIDIA H200"
    assert machine.hardware(CPU)["accelerator"] is None


def test_processor_has_a_name_where_the_system_tells_nothing(monkeypatch):
    monkeypatch.setattr(machine.Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    found = machine.hardware(CPU)
    assert found["processor"]
    assert found["physical_cores"] is None


@pytest.mark.parametrize(("cpuinfo", "name"), [
    ("processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel\t\t: 3\n",
     "AMD EPYC family 25 model 17"),
    ("cpu family\t: 25\nmodel\t: 17\nmodel name\t: AMD EPYC 9654  96-Core\n", "AMD EPYC 9654 96-Core"),
    ("model name\t: A processor\n", "A processor"),
    ("cpu model\t: MIPS 24Kc\n", "MIPS 24Kc"),
])
def test_a_processor_whose_name_has_no_number_is_told_by_family_and_model(monkeypatch, cpuinfo, name):
    monkeypatch.setattr(machine.Path, "read_text", lambda *_, **__: cpuinfo)
    assert machine.hardware(CPU)["processor"] == name


@pytest.mark.parametrize(("change", "line"), [
    ({}, "AMD EPYC, 2 cores, 24 GiB, no GPU; torch 2.14.1, Python 3.11"),
    ({"logical_cores": 1}, "AMD EPYC, 1 core, 24 GiB, no GPU; torch 2.14.1, Python 3.11"),
    ({"accelerator": "NVIDIA H200"}, "AMD EPYC, 2 cores, 24 GiB, NVIDIA H200; torch 2.14.1, Python 3.11"),
    ({"memory_gib": None}, "AMD EPYC, 2 cores, no GPU; torch 2.14.1, Python 3.11"),
])
def test_describe(change, line):
    assert machine.describe({"processor": "AMD EPYC", "logical_cores": 2, "memory_gib": 24, "accelerator": None,
                             "torch": "2.14.1+cu130", "python": "3.11.7"} | change) == line


def test_describe_of_an_old_record_that_knows_little():
    assert machine.describe({"accelerator": "NVIDIA H200"}) == "unknown processor, NVIDIA H200"


@pytest.mark.parametrize(("wanted", "number", "device"), [
    (None, 0, "cpu"), ("", 0, "cpu"), (None, 1, "cuda"), ("cpu", 1, "cpu"), ("cuda", 1, "cuda"),
    (" CUDA:1 ", 2, "cuda:1"),
])
def test_choose_device(monkeypatch, gpus, wanted, number, device):
    gpus(number)
    monkeypatch.delenv("GAN_DEVICE", raising=False)
    if wanted is not None:
        monkeypatch.setenv("GAN_DEVICE", wanted)
    assert machine.choose_device() == torch.device(device)


@pytest.mark.parametrize(("wanted", "number", "said"), [
    ("cuda", 0, "GAN_DEVICE=cuda, but this machine has no such GPU"),
    ("cuda:1", 1, "found: cuda:0 (NVIDIA H200)"),
    ("gpu", 1, "expected: cpu, cuda, or cuda:<number>"),
    ("cuda:-1", 1, "GAN_DEVICE=cuda:-1 is not a device"),
])
def test_a_device_that_is_not_there_is_named(monkeypatch, gpus, wanted, number, said):
    gpus(number)
    monkeypatch.setenv("GAN_DEVICE", wanted)
    with pytest.raises(ReproductionError) as error:
        machine.choose_device()
    assert said in str(error.value)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words: str) -> str:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


def test_commit_and_whether_the_tree_is_clean(checkout: Path):
    (checkout / "code.py").write_text("a = 1\n")
    (checkout / "dvc.lock").write_text("before\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    assert machine.commit() == (git("rev-parse", "HEAD"), True)
    (checkout / "dvc.lock").write_text("what `dvc repro` rewrites as it goes\n")
    (checkout / "notes.txt").write_text("not tracked\n")
    assert machine.commit()[1]
    (checkout / "code.py").write_text("a = 2\n")
    assert not machine.commit()[1]


def test_commit_seen_from_a_folder_within(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    (checkout / "code.py").write_text("a = 1\n")
    (checkout / "folder").mkdir()
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    (checkout / "code.py").write_text("a = 2\n")
    monkeypatch.chdir(checkout / "folder")
    assert machine.commit() == (git("rev-parse", "HEAD"), False)


def test_no_commit_outside_a_checkout(checkout: Path):
    assert machine.commit() == ("", False)


def test_no_commit_in_a_checkout_without_one(checkout: Path):
    git("init", "--quiet")
    assert machine.commit() == ("", False)


def test_no_commit_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(checkout))
    assert machine.commit() == ("", False)


FLUSHED = """
import torch
from pipeline.runtime import machine
torch.set_num_threads(2)
def left():
    return int((tiny * 1.0).count_nonzero())
with machine.flushing_denormals():
    tiny = torch.full((1_000_000,), 700_000, dtype=torch.int32).view(torch.float32)  # by both threads
    print(left())
print(left() > 0)
"""


def test_denormals_are_flushed_by_all_threads_and_not_for_ever():
    """In a process of its own: threads that torch has begun keep what they began with."""
    ended = subprocess.run([sys.executable, "-c", FLUSHED], cwd=Path(__file__).parents[3], capture_output=True,
                           text=True, check=True)
    assert ended.stdout.split() == ["0", "True"]


def test_memory_is_kept_where_there_is_glibc_and_nothing_happens_elsewhere(monkeypatch):
    machine.reuse_freed_memory()

    def no_libc(name):
        raise OSError(name)
    monkeypatch.setattr(machine.ctypes, "CDLL", no_libc)
    machine.reuse_freed_memory()
