"""Watch a start that collapses, update by update, and try at two of its epochs what brings it back.

    python -m pipeline collapse mnist --seed 3 --at 5 --at 9 [--epochs 5] [--profile cpu]

Writes reports/recorded/<experiment>-<profile>/mechanism.json, which the page shows. On a processor alone; the seed is
one whose curves show that it collapses there (artifacts/<experiment>/curves.csv), as that depends on how it rounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gan.errors import ParameterError, ReproductionError, TrainingDiverged
from pipeline.artifacts.paths import RECORDED, prepared_file
from pipeline.results.mechanism import FILE
from pipeline.runtime import files, git

if TYPE_CHECKING:
    from gan.adversarial.watched import Reading, Watched

READINGS = 10
"""of an epoch"""
HELD, SOFTER = 50, 0.25
"""updates for which a player is held; factor of the output layer"""


def changes() -> dict[str, Callable[[Watched], object]]:
    """By name what is done to a start, and to nothing else, between two epochs."""
    from gan.linear_algebra import random_stream

    return {
        "hold_discriminator": lambda training: training.hold("discriminator", HELD),
        "hold_generator": lambda training: training.hold("generator", HELD),
        "soften_output": lambda training: training.soften_output(SOFTER),
        "new_discriminator": lambda training: training.begin_discriminator_anew(),
        "revive_dead_units": lambda training: training.revive(random_stream(training.seeds[0], "revived units")),
    }


def main(experiment: str, seed: int, at: Sequence[int], epochs: int = 5, profile: str = "") -> None:
    """ReproductionError where the experiment, the data or the epochs will not do."""
    from pipeline.artifacts.prepared import read_dataset
    from pipeline.bare.settings import Settings
    from pipeline.runtime import machine
    from pipeline.settings import parameters

    machine.reuse_freed_memory()
    profile = profile or parameters.load(plan=False).profile
    settings = Settings.read(experiment, profile)
    last = max(at, default=0) + epochs
    if not at or min(at) < 1 or epochs < 1 or last > settings.nets.recipe.epochs:
        raise ParameterError("these epochs cannot be watched", remedy="name others",
                             found=f"--at {', '.join(map(str, at))}, --epochs {epochs}",
                             expected=f"epochs from 1 to {settings.nets.recipe.epochs}, those after a change included")
    data = prepared_file(settings.dataset)
    if not data.is_file():
        raise ReproductionError(f"{data} is not there", expected="prepared images",
                                remedy=f"dvc repro prepare@{settings.dataset}")
    dataset = read_dataset(data)
    commit, clean = git.commit()
    import torch
    found = _watch(settings.nets, dataset, seed, sorted(set(at)), epochs)
    path = RECORDED / f"{experiment}-{profile}" / FILE
    files.write_json(path, {
        "experiment": experiment, "profile": profile, "seed": seed, "dataset": settings.dataset, "commit": commit,
        "tree_was_clean": clean, "recorded": datetime.now(UTC).date().isoformat(),
        "hardware": machine.hardware(torch.device("cpu")), "data": files.sha256(data), "held_updates": HELD,
        "factor": SOFTER, **found})
    print(f"{path} holds what was read; add it to git")


def _watch(nets: Any, dataset: Any, seed: int, at: Sequence[int], epochs: int) -> dict[str, Any]:
    from gan.adversarial.watched import Watched
    from pipeline.runtime.progress import Progress

    updates = -(-len(dataset.train) // nets.recipe.batch_size)
    every = max(1, updates // READINGS)
    tried = changes()
    last = at[-1] + epochs

    def begin() -> Watched:
        return Watched(nets, dataset.train, seed, dataset.shape, every)
    with Progress(f"collapse of seed {seed}", last + len(at) * len(tried) * epochs, "epoch") as progress:
        def run(training: Watched, until: int, what: str) -> Iterator[tuple[float, float]]:
            while training.epoch < until:
                try:
                    means = training.run_epoch()
                except TrainingDiverged:  # a result as well: fewer epochs than were asked for
                    progress.advance(until - training.epoch + 1, f"{what} diverged in epoch {training.epoch}")
                    return
                progress.advance(1, f"{what}, epoch {training.epoch}: D on data {means.d_on_data:.4f}")
                yield means.d_on_data, means.d_on_samples
        training, states = begin(), {}
        means: list[tuple[float, float]] = []
        for epoch in range(1, last + 1):
            means += run(training, epoch, "nothing changed")
            if epoch in at:
                states[epoch] = training.state()
        branches = []
        for epoch, state in states.items():
            for name, change in tried.items():
                branch = begin()
                branch.restore(state)
                change(branch)
                after = list(run(branch, epoch + epochs, name))
                branches.append({"at": epoch, "change": name, "epochs": epochs, **_columns(after),
                                 "last": _plain(branch.readings[-1])})
    return {"updates_per_epoch": updates, **_columns(means),
            "readings": [_plain(reading) for reading in training.readings], "branches": branches}


def _columns(means: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    """D's means of each epoch."""
    return {"d_on_data": [round(data, 6) for data, _ in means], "d_on_samples": [round(s, 6) for _, s in means]}


def _plain(reading: Reading) -> dict[str, Any]:
    """To five digits: a file for people and charts."""
    return {name: [float(f"{each:.5g}") for each in value] if isinstance(value, tuple) else
            value if isinstance(value, int) else float(f"{value:.5g}")
            for name, value in dataclasses.asdict(reading).items()}
