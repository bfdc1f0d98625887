"""The Parzen log-likelihood against the number of samples: an estimate that still rises is none of the model.

Theis, van den Oord and Bethge (2016) show that even far more samples than are usual leave the estimate well below the
log-likelihood. Here, of the seed that validation chose, ever more samples are scored, σ chosen anew for each number.
They are drawn from a stream of their own, and each number's samples are the first of the next one's.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pydantic import TypeAdapter

from gan.evaluation import parzen
from gan.evaluation.folds import geometric_mean, mean
from gan.evaluation.settings import Grid
from gan.evaluation.subsets import evenly_spaced
from gan.linear_algebra import random_stream
from gan.registry import create
from gan.weights import read_weights
from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import configuration, folder
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import model_settings, settings_mismatch, weights_file
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress

MOST_OF_CHAINS = 10_000
Folds = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Validation images [m, d] and test images [t, d] of each fold; one fold where the data have none"""


@torch.no_grad()
def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "sample_size")
    training = files.read_json(folder(experiment) / "training.json")
    evaluation = files.read_json(folder(experiment) / "evaluation.json")
    dataset = read_dataset(prepared_file(settings["dataset"]))
    grid = TypeAdapter(Grid).validate_python(settings["refined_grid"])
    folds = [(validation[:settings["validation_images"]].to(device),
              evenly_spaced(test, settings["test_images"]).to(device))
             for validation, test in dataset.folds()]
    names = list(evaluation["seeds"][0]["variants"])
    sizes = available(settings["sizes"], training["model"], len(dataset.train), chains="parallel" in names)
    names = names if sizes else []
    images = sum(len(validation) + len(test) for validation, test in folds)
    variants: dict[str, Any] = {}
    with Progress(f"{experiment}, sample size", len(names) * images * sum(sizes), "pair") as progress:
        for variant in names:
            seed = best_seed(evaluation, variant)
            weights = read_weights(weights_file(experiment, seed), variant)
            model = create(model_settings(training["settings"]["model"]), dataset.train, seed, device, dataset.shape)
            try:
                drawn = model.sample(weights, sizes[-1], random_stream(seed, "sample sizes", device))
            except ValueError as error:
                raise settings_mismatch(experiment, error) from error
            variants[variant] = {"seed": seed, "sizes": [
                score(folds, drawn[:n], grid, progress.advance) for n in sizes]}
    files.write_json(folder(experiment) / "sample_sizes.json", {
        "profile": settings["profile"], "dataset": settings["dataset"],
        "validation_images": sum(len(validation) for validation, _ in folds),
        "test_images": sum(len(test) for _, test in folds), "variants": variants})


def available(sizes: Sequence[int], model: str, training_images: int, chains: bool = False) -> list[int]:
    """Those numbers of samples that a kind of model can give.

    There are only so many training images; k-means has its centroids, and fewer of them are not a smaller sample. A
    sample of parallel chains takes a burn-in of its own, a thousand times the work of a generator's.
    """
    if model == "kmeans":
        return []
    if chains:
        return [n for n in sizes if n <= MOST_OF_CHAINS]
    return [n for n in sizes if model != "training_images" or n <= training_images]


def score(folds: Folds, samples: torch.Tensor, grid: Grid, advance: Callable[[int], None]) -> dict[str, Any]:
    """The estimate in nats from `samples` [n, d], σ chosen on validation images, of each fold where there are several.

    Over folds: mean and standard error, as the paper reports TFD, and the geometric mean of their σ. `advance` is
    called with the number of pairs of image and sample finished since the last call.
    """
    searches, tests, errors = [], [], []
    for validation, test in folds:
        search, = parzen.search(validation, samples, [grid], lambda images: advance(images * len(samples)))
        each, = parzen.log_likelihood(test, samples, [search.chosen], lambda images: advance(images * len(samples)))
        log_likelihood, error = parzen.mean_and_standard_error(each)
        searches.append(search)
        tests.append(log_likelihood)
        errors.append(error)
    # `folds.standard_error` rounds otherwise in the last bit, which would change results that are kept.
    error_of_mean = errors[0] if len(folds) == 1 else statistics.stdev(tests) / math.sqrt(len(tests))
    return {
        "samples": len(samples),
        "bandwidth": searches[0].chosen if len(folds) == 1 else geometric_mean(s.chosen for s in searches),
        "validation_log_likelihood": mean(s.validation_log_likelihood for s in searches),
        "test_log_likelihood": mean(tests),
        "standard_error": error_of_mean,
        "at_the_edge": any(s.at_the_edge for s in searches)}


if __name__ == "__main__":
    stage.run(main, "experiment")
