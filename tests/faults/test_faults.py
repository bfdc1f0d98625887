"""A training killed as by a power cut and stopped as by a scheduler ends with the bytes of an undisturbed one.

`make faults` does it 20 times at random moments of the real graph.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import ROOT, half_written, newest, outputs
from ruamel.yaml import YAML

from pipeline.settings.plan import Plan
from pipeline.stages import configure, download, prepare

EPOCHS, SEED = 6, 4


CLOCK = """
import time
from pathlib import Path
there, now = Path(__file__).with_name("set by"), time.time
def of_the_wall():
    return now() + (float(there.read_text()) if there.exists() else 0)
time.time = of_the_wall
"""
"""A module that Python imports first: the clock, as far as Python asks for it, is set by what a file says"""


class Training:
    """`python -m pipeline.stages.train digits` in a folder of its own, from processes of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GAN_")} | {
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GAN_TRACKING": "off", "GAN_DEVICE": "cpu",
            "GAN_CHECKPOINT_SECONDS": "0"}
        self.said = ""

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "pipeline.stages.train", "digits"], cwd=self.root, text=True,
                                env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self) -> dict[str, bytes]:
        process = self.start()
        self.said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, self.said
        return outputs(self.root)

    def wait_for(self, checkpoints: int, process: subprocess.Popen[str]) -> None:
        """Until so many have been seen."""
        seen: set[tuple[str, int]] = set()
        while len(seen) < checkpoints:
            assert process.poll() is None, process.communicate()
            for path in (self.root / "checkpoints/digits").glob("seed-?-????????????????.safetensors"):
                try:
                    seen.add((path.name, path.stat().st_mtime_ns))
                except FileNotFoundError:  # it has just been put behind
                    continue
            time.sleep(0.002)

    def stop(self, number: signal.Signals, checkpoints: int) -> int:
        """Send a signal after so many checkpoints have been seen; the exit status."""
        process = self.start()
        try:
            self.wait_for(checkpoints, process)
            process.send_signal(number)
            self.said, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        return process.returncode


@pytest.fixture
def training(tmp_path, monkeypatch):
    content = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    content["profile"] = "smoke"
    recipe = content["experiments"]["digits"]["profiles"]["smoke"]["train"]["model"]["recipe"]
    recipe["epochs"] = EPOCHS
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(content, file)
    monkeypatch.chdir(tmp_path)
    Plan(datasets=["digits"], experiments={"digits": "digits"}).write()
    configure.main()
    download.main("digits")
    prepare.main("digits")
    return Training(tmp_path)


def test_killed_at_random_updates_and_stopped_by_sigterm_it_ends_with_the_same_bytes(training):
    """Three ends of one training, each at another place, then its own; all in processes of their own."""
    wanted = training.finish()
    assert len(wanted) == 4
    assert not (training.root / "checkpoints/digits").exists()
    shutil.rmtree(training.root / "artifacts/digits/models")
    draw = random.Random(SEED)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        status = training.stop(number, draw.randint(3, 15))
        assert status == (143 if number == signal.SIGTERM else -9), training.said
        assert newest(training.root) != "nothing"
        if number == signal.SIGTERM:
            assert re.search("stopped; the same command .* from the last checkpoint", training.said)
            assert "Traceback" not in training.said
            assert not half_written(training.root)
    assert training.finish() == wanted
    assert re.search("^(going on|resumes|resuming) from epoch", training.said, re.M)
    assert not (training.root / "checkpoints/digits").exists()


def test_a_host_that_sleeps_and_a_clock_that_is_set_change_no_byte_and_no_duration(training):
    """It is stopped and goes on; meanwhile the clock has jumped by days, forth and then back."""
    wanted = training.finish()
    shutil.rmtree(training.root / "artifacts/digits/models")
    shutil.copy(ROOT / "dvc.yaml", training.root)
    clock = training.root / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(CLOCK)
    training.environment |= {"PYTHONPATH": f"{clock}{os.pathsep}{ROOT}", "DVC_STAGE": "train@digits"}
    process = training.start()
    try:
        for i, seconds in enumerate((3 * 86400, -2 * 86400)):
            training.wait_for(2 + i, process)
            process.send_signal(signal.SIGSTOP)
            (clock / "set by").write_text(str(seconds))
            time.sleep(0.5)
            process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert outputs(training.root) == wanted
    (kept,) = [json.loads(path.read_text()) for path in (training.root / ".run_log/stages").glob("*.json")]
    assert 0 < kept["seconds"] < 3600
