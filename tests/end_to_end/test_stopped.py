"""`make` and real DVC on a real terminal: Ctrl-C, and a window that is closed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import psutil
import pytest
from clone import GATHERED, STAGES, Clone, stages, stages_run
from terminal import CTRL_C, Terminal

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

REPRODUCE = ("make", "--old-file=setup", "reproduce", "PROFILE=smoke", "EXPERIMENTS=digits")
SENTENCE = "stopped; the same command resumes from the last checkpoint"


def begin(clone: Clone, *more: str) -> Terminal:
    return Terminal((*REPRODUCE, *more), clone.root, {**clone.environment, "GAN_CHECKPOINT_SECONDS": "0"})


def wait_for_training(terminal: Terminal, clone: Clone) -> list[psutil.Process]:
    """Until it has kept a state; all processes of the run."""
    terminal.wait_for(lambda: list((clone.root / "checkpoints/digits").glob("seed-1-*.safetensors")))
    return psutil.Process(terminal.process.pid).children(recursive=True)


def test_one_ctrl_c_ends_make_reproduce_and_the_same_command_goes_on_to_the_same_bytes(clone, other_clone):
    other_clone.forget("train@digits", "sample@digits")
    terminal = begin(other_clone)
    try:
        began = wait_for_training(terminal, other_clone)
        terminal.press(CTRL_C)
        status = terminal.wait()
    finally:
        terminal.end()
    assert status in (-signal.SIGINT, 128 + signal.SIGINT)  # a shell says 130 of both
    assert terminal.said.count(SENTENCE) == 1
    assert "Traceback" not in terminal.said
    assert "Running stage 'train@digits'" in terminal.said
    assert "Running stage 'sample@digits'" not in terminal.said
    assert not psutil.wait_procs(began, timeout=10)[1]
    assert list((other_clone.root / "checkpoints/digits").glob("seed-1-*.safetensors"))

    said = other_clone.run(*REPRODUCE)
    assert re.search("^resumes from epoch", said, re.M)
    for stage in ("train@digits", "sample@digits"):
        assert other_clone.locked(stage) == clone.locked(stage)
    ran = stages_run(said)
    assert {"train@digits", "sample@digits"} <= ran <= stages(STAGES, ["digits"]) | GATHERED | {"configure"}
    assert not (other_clone.root / "checkpoints/digits").exists()


def test_workers_end_with_one_ctrl_c_as_well_and_the_same_command_goes_on_to_the_same_bytes(clone, other_clone):
    other_clone.forget("train@digits", "sample@digits")
    terminal = begin(other_clone, "CLUSTER=local")
    try:
        began = wait_for_training(terminal, other_clone)
        terminal.press(CTRL_C)
        status = terminal.wait()
    finally:
        terminal.end()
    assert status in (-signal.SIGINT, 128 + signal.SIGINT)
    assert terminal.said.count(SENTENCE) == 1
    assert "Traceback" not in terminal.said
    assert not psutil.wait_procs(began, timeout=10)[1]
    assert list((other_clone.root / "checkpoints/digits").glob("seed-1-*.safetensors"))

    said = other_clone.run(*REPRODUCE, "CLUSTER=local")
    assert "done         train@digits, seed 1" in said
    for stage in ("train@digits", "sample@digits"):
        assert other_clone.locked(stage) == clone.locked(stage)
    assert stages_run(said) <= GATHERED
    assert not (other_clone.root / "checkpoints/digits").exists()


def test_two_end_it_at_once_and_what_was_kept_before_is_gone_on_from(clone, other_clone):
    """Also before the first has had its effect."""
    other_clone.forget("train@digits")
    terminal = begin(other_clone)
    try:
        began = wait_for_training(terminal, other_clone)
        terminal.press(CTRL_C)
        terminal.press(CTRL_C)
        terminal.wait()
    finally:
        terminal.end()
    assert not psutil.wait_procs(began, timeout=10)[1]
    assert "Traceback" not in terminal.said
    said = other_clone.run("dvc", "repro", "train@digits")
    assert re.search("^resumes from epoch", said, re.M)
    assert other_clone.locked("train@digits") == clone.locked("train@digits")


@pytest.mark.parametrize("how", ["a closed window", "SIGTERM to make"])
def test_other_ends_keep_the_state_as_well(clone, other_clone, how):
    other_clone.forget("train@digits")
    terminal = begin(other_clone)
    try:
        began = wait_for_training(terminal, other_clone)
        if how == "a closed window":
            os.killpg(terminal.process.pid, signal.SIGHUP)  # by the shell, to each of its jobs
            terminal.close()
        else:
            os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.wait() != 0
    finally:
        terminal.end()
    assert not psutil.wait_procs(began, timeout=40)[1]
    assert not (other_clone.root / "artifacts/digits/training.json").exists()
    assert "Traceback" not in terminal.said
    said = other_clone.run("dvc", "repro", "train@digits")
    assert re.search("^resumes from epoch", said, re.M)
    assert other_clone.locked("train@digits") == clone.locked("train@digits")


def test_a_training_that_was_stopped_and_resumed_took_as_long_as_both_parts(other_clone):
    other_clone.forget("train@digits")
    process = subprocess.Popen(["dvc", "repro", "train@digits"], cwd=other_clone.root, start_new_session=True,
                               env={**other_clone.environment, "GAN_CHECKPOINT_SECONDS": "0"},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not list((other_clone.root / "checkpoints/digits").glob("seed-1-*.safetensors")):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
    end = time.monotonic() + 60  # the stage itself may take a little longer than DVC
    while not (notes := list((other_clone.root / "checkpoints/.times").rglob("*.json"))):
        assert time.monotonic() < end
        time.sleep(0.1)
    (note,) = notes
    other_clone.run("dvc", "repro", "train@digits")
    kept = other_clone.run("cat", ".run_log/stages/train@digits.json")
    assert '"parts": 2' in kept
    assert not note.exists()
