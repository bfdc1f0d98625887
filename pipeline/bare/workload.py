"""What a bare run works on: settings, data, device, and what is known of the code and the machine."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.adversarial.layers import Network
from gan.adversarial.networks import draw_noise, load, whole_generator
from gan.adversarial.settings import AdversarialNets
from gan.datasets.dataset import Dataset
from gan.errors import DataError, ReproductionError
from gan.evaluation import parzen
from gan.linear_algebra import random_stream
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.bare.options import Options
from pipeline.bare.settings import Settings
from pipeline.runtime import files, machine

LEAST_GIB = 6.0
"""of free GPU memory: ten seeds of the MNIST networks, their velocities and gradients, and a block of distances"""

CODE = ("gan/**/*.py", "pipeline/**/*.py", "tests/benchmarks/*.py", "tests/independent/*.py", "params.yaml")
"""What makes the results, from the repository's root"""


class Workload:
    """Settings, images on the device, and a generator to draw samples with."""

    def __init__(self, options: Options) -> None:
        """Raises ReproductionError for a device, data or settings that will not do."""
        self.options = options
        self.device = _device()
        self.settings = Settings.read(options.experiment, options.profile)
        changes = {"epochs": options.epochs, "precision": options.precision}
        self.nets = with_recipe(self.settings.nets, **{
            name: value for name, value in changes.items() if value is not None})
        self.settings = dataclasses.replace(self.settings, nets=self.nets)
        self.data_file = _data_file(options.data, self.settings.dataset)
        self.data_digests = {"md5": _md5(self.data_file), "sha256": files.sha256(self.data_file)}
        _require_known_data(self.settings.dataset, self.data_file, self.data_digests["md5"])
        self.dataset: Dataset = read_dataset(self.data_file)
        self.train, self.validation, self.test = (
            images.to(self.device) for images in (self.dataset.train, self.dataset.validation, self.dataset.test))
        self.captured = self.device.type == "cuda"
        self._generators: dict[str, Network] = {}

    @property
    def updates_per_epoch(self) -> int:
        return -(-len(self.train) // self.nets.recipe.batch_size)

    def draw(self, weights: Sequence[Tensor], n: int, stream: torch.Generator, nets: AdversarialNets | None = None
             ) -> Tensor:
        """n samples [n, d] of the generator with `weights`, taken as float32, by the noise of `nets`."""
        with torch.no_grad():
            network = self._network()
            load(network.layers, [weight.float() for weight in weights])
            z = draw_noise((nets or self.nets).noise, n, stream)
            return torch.cat([network.forward(block) for block in z.split(10_000 if z.is_cuda else 1000)])

    def _network(self) -> Network:
        if not self._generators:
            layers = whole_generator(self.nets, self.train, self.dataset.shape, random_stream(0, "thrown away"))
            self._generators["generator"] = Network(layers, self.device)
        return self._generators["generator"]

    def look(self, weights: Sequence[Tensor], seed: int, nets: AdversarialNets | None = None) -> float:
        """The validation log-likelihood by which `gan.fit` chooses epochs, from the same noise."""
        monitor = self.settings.monitor
        samples = self.draw(weights, monitor.samples, random_stream(seed, "validation samples", self.device), nets)
        return parzen.search(self.validation[:monitor.images], samples, [monitor.grid])[0].validation_log_likelihood

    def score(self, weights: Sequence[Tensor], seed: int) -> tuple[dict[str, Any], Tensor]:
        """The final score, as stages `sample`, `bandwidth` and `evaluate` make it, on both grids; and the samples."""
        settings = self.settings.parzen
        samples = self.draw(weights, settings.samples, random_stream(seed, "samples", self.device))
        searches = dict(zip(("paper_grid", "refined"), parzen.search(
            self.validation[:settings.validation_images], samples, [settings.paper_grid, settings.refined_grid]),
            strict=True))
        rows = parzen.log_likelihood(self.test, samples, [search.chosen for search in searches.values()])
        scores: dict[str, Any] = {}
        for (name, search), row in zip(searches.items(), rows, strict=True):
            mean, error = parzen.mean_and_standard_error(row)
            scores[name] = {"bandwidth": search.chosen, "validation_log_likelihood": search.validation_log_likelihood,
                            "at_the_edge": search.at_the_edge, "test_log_likelihood": mean, "standard_error": error,
                            "test_images": len(row)}
        return scores, samples

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, action: Callable[[], object]) -> float:
        """That an action takes on the device."""
        self.synchronise()
        begun = time.perf_counter()
        action()
        self.synchronise()
        return time.perf_counter() - begun

    def median_seconds(self, action: Callable[[], object], seconds: float) -> float:
        """The median of repeats that take so long together, two at least."""
        taken: list[float] = []
        while sum(taken) < seconds or len(taken) < 2:
            taken.append(self.seconds(action))
        return sorted(taken)[len(taken) // 2]

    def about(self) -> dict[str, Any]:
        """What stands at the head of the results."""
        commit, clean = machine.commit()
        named = self.options.commit
        if commit and named and not commit.startswith(named):
            raise ReproductionError("--commit names another commit than this checkout's", expected=commit, found=named,
                                    remedy="leave --commit out where git can tell")
        return {"experiment": self.options.experiment, "profile": self.settings.profile, "commit": commit or named,
                "settings": self.settings.plain(self.options.experiment, []),
                "tree_was_clean": clean if commit else None, "code": code_digests(),
                "data": {"file": prepared_file(self.settings.dataset).as_posix(), **self.data_digests},
                "dataset": {"dimensions": self.test.shape[1], "scale": self.dataset.scale, "folds": 1,
                            "duplicates": dict(self.dataset.duplicates)},
                "hardware": machine.hardware(self.device), "epochs": self.nets.recipe.epochs,
                "updates_per_epoch": self.updates_per_epoch, "captured": self.captured}


def with_recipe(nets: AdversarialNets, **changes: Any) -> AdversarialNets:
    return dataclasses.replace(nets, recipe=dataclasses.replace(nets.recipe, **changes))


def code_digests() -> dict[str, str]:
    """SHA-256 of every file that makes the results, by its path: with them a record can be held against a commit."""
    return {path.as_posix(): files.sha256(path) for pattern in CODE for path in sorted(Path().glob(pattern))}


def _device() -> torch.device:
    device = machine.choose_device()
    if device.type == "cpu" and os.environ.get("GAN_DEVICE", "").strip().lower() != "cpu":
        raise ReproductionError("a bare run needs a CUDA GPU, and torch finds none", expected="a GPU",
                                found=f"none (torch {torch.__version__})",
                                remedy="run it where there is one; GAN_DEVICE=cpu rehearses it on the processor")
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if free < LEAST_GIB * machine.GIB:
            raise ReproductionError("the GPU has too little free memory", expected=f"at least {LEAST_GIB:g} GiB",
                                    found=f"{free / machine.GIB:.1f} GiB",
                                    remedy="end what else runs on it, or choose another one: GAN_DEVICE=cuda:1")
    return device


def _data_file(data: Path, dataset: str) -> Path:
    path = data / f"{dataset}.safetensors" if data.is_dir() else data
    if not path.is_file():
        raise DataError(f"the prepared data set {dataset} is not in {data}", expected=f"{dataset}.safetensors",
                        found="no such file", remedy=f"bring {prepared_file(dataset)} from a clone where "
                                                     f"`dvc repro prepare@{dataset}` made it")
    return path


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _require_known_data(dataset: str, path: Path, digest: str) -> None:
    """DataError unless dvc.lock, where it has the data set, has it with this digest."""
    lock = Path("dvc.lock")
    pattern = re.escape(prepared_file(dataset).as_posix()) + r"\n\s+hash: md5\n\s+md5: ([0-9a-f]{32})"
    known = set(re.findall(pattern, lock.read_text())) if lock.is_file() else set()
    if known and digest not in known:
        raise DataError(f"{path} is not the data set of dvc.lock", expected=f"md5 {' or '.join(sorted(known))}",
                        found=f"md5 {digest}", remedy=f"bring {prepared_file(dataset)} from a clone of this commit")
