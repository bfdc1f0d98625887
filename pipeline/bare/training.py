"""Trainings of a bare run: captured where that works, several seeds in step."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gan.adversarial.layers import Network
from gan.adversarial.settings import AdversarialNets, Momentum
from gan.adversarial.training import EpochStatistics, Training
from gan.errors import TrainingDiverged
from pipeline.bare.starts import CURVES
from pipeline.bare.workload import Workload, with_recipe

PROBED_SEEDS, PROBED_UPDATES, PROBED_EPOCHS = (1, 2, 3), 20, 2
TOLERANCE = 1e-3
"""by which a captured training's logits may differ from an eager one's in the probe's last epoch, relative to the
largest"""


def start(work: Workload, nets: AdversarialNets, seeds: Sequence[int], images: Tensor | None = None,
          kind: type[Training] = Training) -> Training:
    return kind(nets, work.train if images is None else images, list(seeds), work.device, work.dataset.shape,
                captured=work.captured)


def weights(training: Training, k: int, variant: str = "raw") -> list[Tensor]:
    """The generator's parameters of the k-th seed, `raw` or averaged (`ema`); the training's own tensors."""
    parameters = training.generator.parameters if variant == "raw" else training.average
    return parameters if len(training.seeds) == 1 else [parameter[k] for parameter in parameters]


def values(statistics: EpochStatistics) -> list[float]:
    return [getattr(statistics, name) for name in CURVES]


def few(work: Workload, minibatches: int) -> Tensor:
    """The training images of so many minibatches."""
    return work.train[:minibatches * work.nets.recipe.batch_size]


def code_of_tests(path: str) -> ModuleType:
    """A module below tests/, by its file: a machine may have a package of its own called `tests`."""
    name = f"bare_run_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def probe_capture(work: Workload) -> dict[str, Any]:
    """Which ways of starting updates are right here; the whole run takes one of them.

    Replayed updates, with a second stream and without, are held against eager ones on one stream. A graph that cannot
    be captured, or whose updates are other numbers, costs speed and not the run.
    """
    if not work.captured:
        return {"captured": False, "why": "there is no GPU"}
    images = few(work, PROBED_UPDATES)
    Network.second_stream = False
    reference = Training(work.nets, images, PROBED_SEEDS, work.device, work.dataset.shape, captured=False)
    for _ in range(PROBED_EPOCHS):
        reference.run_epochs()
    ways: list[dict[str, Any]] = []
    for second_stream in (True, False):
        Network.second_stream = second_stream
        ways.append({"second_stream": second_stream, **_probe(work, images, reference)})
    right = {way["second_stream"] for way in ways if way["right"]}
    work.captured = bool(right)
    Network.second_stream = None if len(right) == 2 else True in right
    return {"captured": work.captured, "second_stream": "for one seed" if len(right) == 2 else Network.second_stream,
            "seeds": list(PROBED_SEEDS), "ways": ways}


def _probe(work: Workload, images: Tensor, reference: Training) -> dict[str, Any]:
    try:
        captured = Training(work.nets, images, PROBED_SEEDS, work.device, work.dataset.shape)
        for _ in range(PROBED_EPOCHS):
            captured.run_epochs()
        difference = float((captured.logits - reference.logits).abs().max() / reference.logits.abs().max())
        return {"right": difference <= TOLERANCE, "same_bits": torch.equal(captured.logits, reference.logits),
                "largest_difference": difference,
                "microseconds": 1e6 * seconds_per_update(work, len(PROBED_SEEDS), 0.3)}
    except (RuntimeError, TrainingDiverged) as error:
        return {"right": False, "why": str(error)[:500]}


def seconds_per_update(work: Workload, seeds: int, seconds: float, minibatches: int = 100,
                       nets: AdversarialNets | None = None, kind: type[Training] = Training) -> float:
    """Of `seeds` in step, everything between two epochs of so many minibatches included; the median of epochs that
    take `seconds` together."""
    steady = Momentum(0.5, 0.5, 2)  # a momentum that rises is captured anew in each epoch, however short that is
    training = start(work, with_recipe(nets or work.nets, momentum=steady), range(1, seeds + 1), few(work, minibatches),
                     kind)
    updates = -(-len(training.train) // training.recipe.batch_size)
    training.run_epochs()
    return work.median_seconds(training.run_epochs, seconds) / updates
