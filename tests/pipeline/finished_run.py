"""A finished run that never ran: every file that the stages leave behind, small and with numbers chosen by the test."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ruamel.yaml import YAML

from gan.datasets.contrast import normalize_contrast
from pipeline.artifacts.configuration import write_configuration
from pipeline.runtime.files import write_json, write_tensors, write_text

HARDWARE = {"processor": "Example CPU", "physical_cores": 1, "logical_cores": 2, "memory_gib": 4, "accelerator": None,
            "threads": 2, "system": "Linux", "python": "3.11.9", "torch": "2.14.1", "numpy": "2.4.0", "cuda": None}
PAPER_GRID = [10 ** (-1 + i / 9) for i in range(10)]
REFINED = [0.1 * 1.04 ** i for i in range(36)]
CURVE_COLUMNS = ("seed,epoch,discriminator_loss,generator_loss,d_on_data,d_on_samples,learning_rate,momentum,"
                 "validation_log_likelihood,validation_log_likelihood_ema")


@dataclass
class Scores:
    """(validation, test) log-likelihood of each seed by variant, in nats."""

    by_variant: Mapping[str, Mapping[int, tuple[float, float]]]

    @property
    def seeds(self) -> list[int]:
        return list(next(iter(self.by_variant.values())))


TWO_SEEDS = Scores({"raw": {1: (100.0, 90.0), 2: (104.0, 84.0)}, "ema": {1: (131.5, 129.0), 2: (130.5, 133.0)}})
"""Validation prefers seed 2 for raw and seed 1 for ema; test images would choose the others."""

REFERENCE = Scores({"raw": {1: (250.0, 244.0)}})

NORM = 55.0
NORMALISED = f"each image: mean 0, L2 norm {NORM:g}"
NOTE = "FER-2013 faces, not TFD: comparable with no published number"
REDUCED = [
    {"setting": "train.model.generator.hidden[0].units", "paper": 8000, "here": 1200},
    {"setting": "train.model.generator.hidden[1].activation", "paper": "sigmoid", "here": "relu"},
    {"setting": "train.model.discriminator.hidden[0].convolution.pool_stride", "paper": None, "here": 2},
    {"setting": "train.model.recipe.epochs", "paper": 500, "here": 12},
    {"setting": "train.seeds", "paper": [1, 2, 3], "here": [1, 2]},
]


@dataclass
class FinishedRun:
    """Files of experiments in `root`; `add` writes one experiment, `finish` the parameters and the lock."""

    root: Path
    shape: tuple[int, int, int] = (1, 8, 8)
    train_images: int = 300
    experiments: list[str] = field(default_factory=list)

    def image_stream(self, name: str) -> torch.Generator:
        return torch.Generator().manual_seed(sum(name.encode()))

    def images(self, n: int, name: str) -> torch.Tensor:
        """Soft blobs [n, d] in [0, 1]."""
        stream, (channels, height, width) = self.image_stream(name), self.shape
        centre = torch.rand(n, channels, 2, 1, 1, generator=stream) * 0.6 + 0.2
        y, x = torch.linspace(0, 1, height).view(1, 1, -1, 1), torch.linspace(0, 1, width).view(1, 1, 1, -1)
        squares = (y - centre[:, :, 0]) ** 2 + (x - centre[:, :, 1]) ** 2
        return torch.exp(-squares / 0.04).flatten(1)

    def prepare(self, dataset: str, contrast_norm: float | None = None) -> torch.Tensor:
        """data/prepared/<dataset>.safetensors; returns the training images as they will be read."""
        splits = {split: (self.images(n, f"{dataset} {split}") * 255).to(torch.uint8)
                  for split, n in (("train", self.train_images), ("validation", 40), ("test", 60))}
        about = {"name": dataset, "shape": list(self.shape), "divisor": 255}
        about |= {} if contrast_norm is None else {"contrast_norm": contrast_norm}
        write_tensors(self.root / f"data/prepared/{dataset}.safetensors", splits, about)
        return self.scaled(splits["train"].to(torch.float32) / 255, contrast_norm)

    def scaled(self, images: torch.Tensor, contrast_norm: float | None) -> torch.Tensor:
        """Images [n, d] in [0, 1] in a data set's own scale."""
        return images if contrast_norm is None else normalize_contrast(images * 255, contrast_norm)

    def add(self, name: str, *, dataset: str = "mnist", model: str = "adversarial_nets", scores: Scores = TWO_SEEDS,
            title: str = "Adversarial nets", profile: str = "cpu", epochs: int | None = 12, pretraining: int = 0,
            settings: Mapping[str, Any] | None = None, figures: Mapping[str, Any] | None = None,
            contrast_norm: float | None = None, folds: int = 1, refined: Sequence[float] = REFINED,
            about: Mapping[str, Any] | None = None) -> None:
        """One experiment, from configuration to evaluation.

        `epochs` count those of `pretraining` too, and `about` is what evaluation.json says beside the scores.
        """
        folder = self.root / "artifacts" / name
        if not (self.root / f"data/prepared/{dataset}.safetensors").exists():
            self.prepare(dataset, contrast_norm)
        recipe = {"updates": "simultaneous", "objective": "non_saturating"}
        games = {"recipe": {"epochs": epochs and epochs - pretraining} | recipe}
        games |= {"pretraining": {"recipe": {"epochs": pretraining} | recipe}} if pretraining else {}
        train_settings = dict(settings if settings is not None else {
            "seeds": scores.seeds, "model": {"kind": model, **games}})
        common = {"model": model, "dataset": dataset, "profile": profile}
        with contextlib.chdir(self.root):
            write_configuration(name, "train", train_settings, ["pipeline.stages.train"])
            write_configuration(name, "figures", dict(figures or {"rows": 4, "columns": 5}),
                                ["pipeline.stages.figures"])
        write_json(folder / "training.json", common | {
            "settings": train_settings, "hardware": HARDWARE,
            "seeds": [{"seed": seed, "updates": 6 * (epochs or 0), "variants": {
                variant: {"epoch": chosen_epoch(seed, epochs),
                          "validation_log_likelihood": during_training(by_seed[seed][0], chosen_epoch(seed, epochs))}
                for variant, by_seed in scores.by_variant.items()}} for seed in scores.seeds]})
        self._curves(folder, scores, epochs, pretraining)
        self._samples(folder, name, scores, epochs, contrast_norm)
        write_json(folder / "bandwidth.json", {"seeds": [{"seed": seed, "variants": {
            variant: {name: _search(grid, by_seed[seed][0], math.sqrt(refined[0] * refined[-1]), folds)
                      for name, grid in (("paper_grid", PAPER_GRID), ("refined", refined))}
            for variant, by_seed in scores.by_variant.items()}} for seed in scores.seeds]})
        measured = {"title": title, "note": "", "dimensions": math.prod(self.shape), "folds": folds,
                    "scale": "[0, 1]" if contrast_norm is None else NORMALISED, "differences": [], "duplicates": {},
                    "samples": 60, "test_images": 60, "hardware": HARDWARE, **(about or {})}
        write_json(folder / "evaluation.json", common | measured | {
            "seeds": [{"seed": seed, "variants": {variant: {
                "epoch": chosen_epoch(seed, epochs),
                "paper_grid": _score(0.21544346900318834, validation - 1.5, test - 2, 2.5, folds),
                "refined": _score(0.2 + seed / 1000, validation, test, 2.25, folds)}
                for variant, (validation, test) in ((v, by_seed[seed]) for v, by_seed in scores.by_variant.items())}}
                for seed in scores.seeds]})
        self.experiments.append(name)

    def _curves(self, folder: Path, scores: Scores, epochs: int | None, pretraining: int) -> None:
        lines = [CURVE_COLUMNS + (",game" if pretraining else "")]
        for seed in scores.seeds:
            for epoch in range(1, (epochs or 0) + 1):
                scored = [during_training(by_seed[seed][0], epoch) if epoch > pretraining and epoch % 3 == 0 else ""
                          for by_seed in scores.by_variant.values()]
                of_game = epoch if epoch <= pretraining else epoch - pretraining
                cells: list[Any] = [seed, epoch, 0.7 - 0.2 / of_game, 0.7 + seed / of_game, 0.5 + 0.4 / of_game,
                                    0.5 - 0.4 / of_game, 0.1, 0.5, *scored, *[""] * (2 - len(scored))]
                cells += ["pretraining" if epoch <= pretraining else "training"] if pretraining else []
                lines.append(",".join(map(str, cells)))
        write_text(folder / "curves.csv", "\n".join(lines) + "\n")

    def _samples(self, folder: Path, name: str, scores: Scores, epochs: int | None,
                 contrast_norm: float | None) -> None:
        for seed in scores.seeds:
            tensors = {variant: self.images(60, f"{name} {seed} {variant}") for variant in scores.by_variant}
            about = {}
            if epochs is not None:
                way = torch.linspace(0, 1, 8).view(1, 8, 1)
                for variant in scores.by_variant:
                    ends = self.images(6, f"{name} ends {variant}").view(2, 3, 1, -1)
                    lines = torch.lerp(ends[0], ends[1], way).flatten(0, 1)
                    tensors["interpolation" if variant == "raw" else f"interpolation_{variant}"] = lines
                about = {"interpolation": [3, 8]}
            write_tensors(folder / f"samples/seed-{seed}.safetensors", {
                name: self.scaled(images, contrast_norm) for name, images in tensors.items()}, about)

    def finish(self, *, experiments: Sequence[str] | None = None, left_out: Mapping[str, str] | None = None,
               lock: Mapping[str, Any] | None = None, profile: str = "cpu") -> None:
        """params.yaml, plan.yaml, dvc.yaml and dvc.lock; `experiments` may name some that have no files."""
        asked = list(self.experiments if experiments is None else experiments)
        self._yaml("params.yaml", {"profile": profile})
        self._yaml("plan.yaml", {"run": {"datasets": ["mnist", "digits"], "experiments": asked},
                                 "left_out": dict(left_out or {})})
        self._yaml("dvc.yaml", {"stages": {}})
        self._yaml("dvc.lock", {"schema": "2.0", "stages": dict(lock) if lock is not None else {
            f"train@{name}": {"cmd": f"python -m pipeline.stages.train {name}", "outs": [
                {"path": f"artifacts/{name}/training.json", "hash": "md5", "md5": "0123456789abcdef" * 2}]}
            for name in asked}})

    def _yaml(self, name: str, content: Mapping[str, Any]) -> None:
        with (self.root / name).open("w") as file:
            YAML(typ="safe").dump(dict(content), file)

    def record(self, experiment: str, metrics: Mapping[str, Any], *, name: str = "run.json", **other: Any) -> None:
        """A file in reports/recorded/."""
        write_json(self.root / "reports/recorded" / name, {
            "experiment": experiment, "profile": "paper", "commit": "c0ffee" + "0" * 34, "recorded": "2026-11-23",
            "hardware": HARDWARE | {"accelerator": "Example GPU"}, "settings": {"epochs": 500},
            "metrics": dict(metrics), **other})


def chosen_epoch(seed: int, epochs: int | None) -> int | None:
    return None if epochs is None else epochs - 3 * (seed - 1)


def during_training(final: float, epoch: int | None) -> float:
    """Validation log-likelihood in nats at an epoch of the curves."""
    return final if epoch is None else final - 60 / epoch


def _search(bandwidths: Sequence[float], best: float, peak: float, folds: int) -> dict[str, Any]:
    """A smooth curve with its maximum near σ = `peak`; that of each fold is elsewhere."""
    if folds > 1:
        each = [_search(bandwidths, best + fold - 1, peak * 1.1 ** (fold - 1), 1) for fold in range(folds)]
        values = [math.fsum(column) / folds for column in zip(*(one["log_likelihoods"] for one in each), strict=True)]
        chosen = ("chosen", "validation_log_likelihood", "at_the_edge")
        return _choice(bandwidths, values) | {"folds": [{key: one[key] for key in chosen} for one in each]}
    return _choice(bandwidths, [best - 400 * (sigma - peak) ** 2 / sigma for sigma in bandwidths])


def _choice(bandwidths: Sequence[float], values: list[float]) -> dict[str, Any]:
    top = max(range(len(values)), key=values.__getitem__)
    return {"bandwidths": list(bandwidths), "log_likelihoods": values, "chosen": bandwidths[top],
            "validation_log_likelihood": values[top], "at_the_edge": top in (0, len(values) - 1)}


def _score(bandwidth: float, validation: float, test: float, error: float, folds: int) -> dict[str, Any]:
    """One search's entry in evaluation.json; the folds lie around it."""
    score = {"bandwidth": bandwidth, "validation_log_likelihood": validation, "test_log_likelihood": test,
             "standard_error": error}
    if folds > 1:
        score["folds"] = [score | {"bandwidth": bandwidth * 1.1 ** (fold - folds // 2), "test_images": 12,
                                   "test_log_likelihood": test + fold - folds // 2} for fold in range(folds)]
    return score
