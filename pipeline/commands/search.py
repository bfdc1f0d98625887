"""Try settings of a model, and score each on validation images: `make search EXPERIMENT=mnist_stacked_cae`.

For what a paper leaves open. A search stands in searches.yaml by the name of its experiment; it begins from the
experiment as the profile `paper` has it, trains on training images, and reads no test image. Its stage is in
reports/searches/dvc.yaml, which a plain `dvc repro` does not run; what it chose is written into params.yaml by hand,
with a note.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from gan import registry
from gan.datasets.dataset import Dataset
from gan.errors import ParameterError, TrainingDiverged
from gan.evaluation import parzen
from gan.evaluation.settings import Grid
from gan.linear_algebra import random_stream
from gan.model import Model
from pipeline.artifacts.labels import training_labels
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import model_settings, settings_mismatch
from pipeline.runtime import code, files, machine, process, stage
from pipeline.runtime.progress import Progress
from pipeline.settings import parameters, searches
from pipeline.settings.schema import SettingsSearch

FOLDER = Path("reports/searches")
DEFINITION = "dvc.yaml"
KEPT = Path("checkpoints/searches")
SAMPLING = {"noise", "burn_in", "starts"}
"""Settings of chains, which can differ without another fit; but the deep GSN's noise is in its training too"""

Point = dict[str, Any]
Scores = dict[str, dict[str, float]]


def run(experiment: str) -> None:
    """The search, as DVC would run it, who runs no frozen stage also when asked; what it wrote goes into the lock."""
    name = os.environ.setdefault(process.STAGE, f"{FOLDER / DEFINITION}:search@{experiment}")
    with stage.recorded():
        main(experiment)
    process.dvc("commit", "--force", name)


@machine.flushing_denormals()
@torch.no_grad()
def main(experiment: str) -> None:
    checked = parameters.load(plan=False)
    search = searches.load(checked, experiment)
    settings = searches.start(checked, experiment)
    dataset = read_dataset(prepared_file(settings["dataset"]))
    labels = training_labels(experiment, dataset, checked.datasets[dataset.name]) if registry.needs_labels(
        model_settings(settings["train"]["model"])) else None
    device = machine.choose_device()
    machine.reuse_freed_memory()
    found: list[tuple[Point, Scores]] = []
    points = list(search.points())
    with Progress(f"{experiment}, search", len(points), "setting") as progress:
        fitted: tuple[str, Model] | None = None
        for point in points:
            model = parameters.with_settings(settings["train"]["model"], search.settings | point)
            kept = KEPT / experiment / f"{_digest(search, settings, model)}.json"
            if kept.is_file():
                scores = files.read_json(kept)
            else:
                try:
                    fitted = _fit(model, dataset, labels, search.seed, device, fitted)
                    scores = _scores(fitted[1], dataset, search, settings["parzen"], device)
                except TrainingDiverged:
                    scores = {}
                except ValueError as error:
                    raise settings_mismatch(experiment, error) from error
                files.write_json(kept, scores)
            found.append((point, scores))
            said = ", ".join(f"{variant} {score['validation_log_likelihood']:.1f}" for variant, score in scores.items())
            progress.advance(1, f"{_text(point)}: {f'{said} nats' if scores else 'diverged'}")
    score, best = choose(found, search.select_by, experiment)
    files.write_text(FOLDER / f"{experiment}.csv", table(found))
    print(f"best by {search.select_by}, {score:.1f} nats: {_text(best)}\n"
          f"to take it, write it into experiments.{experiment}.train.model in params.yaml")


def choose(found: list[tuple[Point, Scores]], variant: str, experiment: str) -> tuple[float, Point]:
    """The highest validation log-likelihood, in nats, and the first setting that has it; ParameterError if none has."""
    scored = [(scores[variant]["validation_log_likelihood"], point) for point, scores in found if variant in scores]
    if not scored:
        known = sorted({name for _, scores in found for name in scores})
        raise ParameterError(f"the search for {experiment} can choose nothing by {variant!r}",
                             expected=", ".join(known) or "a setting under which training does not diverge",
                             found=variant if known else "all settings diverged",
                             remedy=f"correct {experiment} in {searches.FILE}")
    return max(scored, key=lambda pair: pair[0])


def table(found: list[tuple[Point, Scores]]) -> str:
    """A row for each setting: the values tried, then validation log-likelihood in nats and σ of each variant; empty
    where training diverged."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names, variants = list(found[0][0]), next(list(scores) for _, scores in found if scores)
    writer.writerow([*names, *(f"{name}_{variant}" for variant in variants
                               for name in ("validation_log_likelihood", "bandwidth"))])
    for point, scores in found:
        writer.writerow([*(point[name] for name in names), *(
            f"{scores[variant][name]:.6g}" if scores else "" for variant in variants
            for name in ("validation_log_likelihood", "bandwidth"))])
    return text.getvalue()


def _fit(content: dict[str, Any], dataset: Dataset, labels: Tensor | None, seed: int, device: torch.device,
         before: tuple[str, Model] | None) -> tuple[str, Model]:
    """A fitted model, and what tells its fit from others; the one fitted before is taken over where it is the same."""
    sampled = SAMPLING - ({"noise"} if content["kind"] == "deep_gsn" else set())
    key = json.dumps({name: value for name, value in content.items() if name not in sampled}, sort_keys=True)
    model = registry.create(model_settings(content), dataset.train, seed, device, dataset.shape,
                            labels=labels)
    if before is not None and before[0] == key:
        model.restore(before[1].state())
    while model.epoch < model.epochs:
        model.fit_epoch()
    return key, model


def _scores(model: Model, dataset: Dataset, search: SettingsSearch, estimate: Mapping[str, Any], device: torch.device
            ) -> Scores:
    grid = TypeAdapter(Grid).validate_python(estimate["refined_grid"])
    images = dataset.validation[:estimate["validation_images"]].to(device)
    scores = {}
    for variant in model.variants:
        samples = model.sample(model.weights(variant), search.samples, random_stream(search.seed, "search", device))
        found, = parzen.search(images, samples, [grid])
        scores[variant] = {"validation_log_likelihood": found.validation_log_likelihood, "bandwidth": found.chosen}
    return scores


def _digest(search: SettingsSearch, settings: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Of all that a setting's scores come from."""
    content = [code.digest([__name__, registry.module_of(model["kind"])]),
               files.sha256(prepared_file(settings["dataset"])), settings["parzen"], model, search.seed, search.samples]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _text(point: Point) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.items())
