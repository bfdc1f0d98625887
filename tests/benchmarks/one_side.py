"""One side of a comparison of two commits: a process that has the code of one of them.

    python -P tests/benchmarks/one_side.py WORK DEVICE

`tests/benchmarks/against.py` starts it in the root of that commit's files, which PYTHONPATH names as well, and sends it
a line for each time that it is to do something: the name of a method of `Side`. It answers with a number, or ends. It
imports nothing of the repository but what stands in PLACES, so that it runs with the code of either layout.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

PLACES = {
    "training": ("gan/adversarial/training.py", "gan/training.py"),
    "parzen": ("gan/evaluation/parzen.py", "gan/parzen.py"),
    "parameters": ("pipeline/settings/parameters.py", "pipeline/parameters.py"),
    "machine": ("pipeline/runtime/machine.py", "pipeline/machine.py"),
}
"""Where a commit may have what is timed: today's rooms, or the flat packages of before"""
EXPERIMENT = "mnist"


def place(root: Path, name: str) -> str | None:
    """Which of PLACES the files at `root` have."""
    return next((path for path in PLACES[name] if (root / path).exists()), None)


class Side:
    """The work by the code of the current folder."""

    def __init__(self, work: Path, device: str) -> None:
        """`work` is a file of safetensors: `train` [N, d], `validation`, `test` and `samples` [n, d] in float32, and in
        its header `sizes` of the networks, `updates` an epoch, `bandwidths` and how many of them choose σ."""
        importlib.import_module("pipeline")  # before torch is: later commits say here how its threads wait
        import torch
        from safetensors import safe_open

        self.torch, self.device = torch, torch.device(device)
        modules = {name: importlib.import_module(str(place(Path(), name)).removesuffix(".py").replace("/", "."))
                   for name in PLACES}
        modules["machine"].reuse_freed_memory()
        with safe_open(work, "pt") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name).to(self.device) for name in file.keys()}  # noqa: SIM118
        self.validation, self.test, self.samples = (tensors[name] for name in ("validation", "test", "samples"))
        self.bandwidths: list[float] = json.loads(header["bandwidths"])
        self.chosen_among = int(header["chosen_among"])
        nets = modules["parameters"].load().experiment(EXPERIMENT).train.model
        self.training = modules["training"].Training(resized(nets, json.loads(header["sizes"])), tensors["train"], 1,
                                                     self.device)
        self.log_likelihood = modules["parzen"].log_likelihood

    def update(self) -> float:
        """An epoch; D's loss in nats."""
        return float(self.training.run_epoch().discriminator_loss)

    def estimate(self) -> float:
        """σ chosen on the validation images among the last of the bandwidths, all of which are scored; the mean
        log-likelihood of the test images at that σ in nats."""
        means = self.log_likelihood(self.validation, self.samples, self.bandwidths).mean(1).tolist()
        first = len(means) - self.chosen_among
        _, sigma = max(zip(means[first:], self.bandwidths[first:], strict=True))
        return float(self.log_likelihood(self.test, self.samples, [sigma]).mean())

    def done(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)


def resized(nets: Any, sizes: dict[str, Any]) -> Any:
    """The commit's own networks and recipe, in sizes that both sides have."""
    def hidden(layers: list[Any], of: list[dict[str, int]]) -> list[Any]:
        return [replace(layer, **size) for layer, size in zip(itertools.cycle(layers), of, strict=False)]

    return replace(
        nets, noise=replace(nets.noise, dimensions=sizes["noise"]),
        generator=replace(nets.generator, hidden=hidden(nets.generator.hidden, sizes["generator"])),
        discriminator=replace(nets.discriminator, hidden=hidden(nets.discriminator.hidden, sizes["discriminator"])),
        recipe=replace(nets.recipe, batch_size=sizes["batch_size"]))


def main(work: str, device: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is none
    side = Side(Path(work), device)
    for line in sys.stdin:
        result = getattr(side, line.strip())()
        side.done()
        print(result, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
