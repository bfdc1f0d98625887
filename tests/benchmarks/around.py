"""Around the training

One `dvc repro --single-item train@mnist` in a clone, MLflow in SQLite, a checkpoint a minute, its parts clocked. The
looks at validation images choose the epoch: they are part of the result, and named apart from what is only around it.
Start-up, data and DVC cost the same however long the training; so the last row puts what was measured here onto the
numbers of epochs and seeds that the profile has.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from pipeline.artifacts.paths import PLAN, prepared_file
from pipeline.settings import parameters
from pipeline.settings.plan import Plan
from pipeline.stages import configure, download, prepare
from tests.benchmarks import workload
from tests.benchmarks.table import Effort, Row, share
from tests.end_to_end.clone import Clone, make_clone

ORDER = 7
TARGET = 5.0
FIXED = {"start": "start-up: Python, torch, libraries", "data": "reading the data", "dvc": "DVC",
         "rest": "the rest of the stage: digests, networks made, outputs"}
GROWING = {"checkpoints": "checkpoints", "progress": "telling how far it is",
           "mlflow": "MLflow, where training waits for it"}


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    experiment, profile = ("digits", "smoke") if effort.tiny else ("mnist", "paper" if device.type == "cuda" else "cpu")
    epochs = workload.few(effort, 10, 2, 2) if device.type == "cpu" else workload.few(effort, 200, 20, 2)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        whole, seconds, beside = _clocked(Path(folder), experiment, profile, epochs, device)
    of = f"dvc repro of {epochs} epochs, one seed"
    yield share("training", of, seconds["training"], whole)
    yield share("looks at validation images", of, seconds["looks"], whole)
    for name, what in (FIXED | GROWING).items():
        yield share(what, of, seconds[name], whole)
    around = sum(seconds[name] for name in FIXED | GROWING)
    note = f"beside that, MLflow's own thread took {beside:.1f} s of a processor"
    yield share("everything around training and looks", of, around, whole, TARGET, note=note)
    yield _as_in_profile(experiment, profile, epochs, seconds)


def _as_in_profile(experiment: str, profile: str, epochs: int, seconds: dict[str, float]) -> Row:
    """From what was measured: the fixed parts once, the others by epochs and seeds."""
    train = parameters.load().entry(experiment, profile)["train"]
    times = len(train["seeds"]) * train["model"]["recipe"]["epochs"] / epochs
    around = sum(seconds[name] for name in FIXED) + times * sum(seconds[name] for name in GROWING)
    whole = around + times * (seconds["training"] + seconds["looks"])
    return share("everything around training and looks",
                 f"dvc repro of the profile {profile}: {train['model']['recipe']['epochs']} epochs, "
                 f"{len(train['seeds'])} seeds", around, whole, TARGET, note="computed from the rows above")


def _clocked(folder: Path, experiment: str, profile: str, epochs: int, device: torch.device
             ) -> tuple[float, dict[str, float], float]:
    """Seconds of the whole command, of its parts, and of the processor in MLflow's thread."""
    clone = make_clone(folder / "clone")
    _set_up(clone, experiment, profile, epochs)
    clock = folder / "clock.json"
    python = folder / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.benchmarks.clocked "{clock}" "$@"\n')
    python.chmod(0o755)
    start = time.perf_counter()
    clone.run("dvc", "repro", "--single-item", f"train@{experiment}", GAN_TRACKING="on", GAN_DEVICE=str(device),
              OMP_NUM_THREADS=str(torch.get_num_threads()),
              PATH=f"{python.parent}{os.pathsep}{clone.environment['PATH']}")
    whole = time.perf_counter() - start
    seconds: dict[str, float] = json.loads(clock.read_text())["seconds"]
    beside = seconds.pop("mlflow_thread", 0.0)
    parts = {name: seconds.get(name, 0.0) for name in ("training", "looks", *FIXED, *GROWING)}
    return whole, parts | {"dvc": whole - sum(seconds.values())}, beside


def _set_up(clone: Clone, experiment: str, profile: str, epochs: int) -> None:
    """Parameters of one seed with so many epochs, and what the stage reads."""
    with clone.edited() as content:
        entry = content["experiments"][experiment]
        content["profile"] = profile
        entry["train"]["seeds"] = [1]
        changed = entry["train"] if profile == "paper" else entry["profiles"][profile]["train"]
        changed["model"]["recipe"]["epochs"] = epochs
    Plan(datasets=[entry["dataset"]], experiments={experiment: entry["dataset"]}).write(clone.root / PLAN)
    prepared, here = prepared_file(entry["dataset"]), Path.cwd()
    with contextlib.chdir(clone.root):
        configure.main()
        if (here / prepared).exists():
            prepared.parent.mkdir(parents=True)
            shutil.copy(here / prepared, prepared)
        else:
            download.main(entry["dataset"])
            prepare.main(entry["dataset"])
