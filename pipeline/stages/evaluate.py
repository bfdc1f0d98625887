"""The Parzen log-likelihood of the test images: the only stage that looks at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from gan.evaluation import folds, parzen
from pipeline.artifacts.configuration import configuration, folder
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import SEARCHES, scored_rows
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress


def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "evaluate")
    training = files.read_json(folder(experiment) / "training.json")
    searches = {entry["seed"]: entry["variants"]
                for entry in files.read_json(folder(experiment) / "bandwidth.json")["seeds"]}
    dataset = read_dataset(prepared_file(settings["dataset"]))
    tests = [test.to(device) for _, test in dataset.folds()]
    trained = {entry["seed"]: entry for entry in training["seeds"]}
    rows = scored_rows(experiment)
    n = 0
    seeds: list[dict[str, Any]] = []
    with Progress(f"{experiment}, test", sum(map(len, rows.values())) * sum(map(len, tests)), "image") as progress:
        for seed, variants in rows.items():
            samples, _ = files.read_tensors(folder(experiment) / "samples" / f"seed-{seed}.safetensors")
            scores: dict[str, Any] = {}
            for variant in variants:
                n = len(samples[variant])
                scores[variant] = {"epoch": trained[seed]["variants"][variant]["epoch"], **_scores(
                    searches[seed][variant], tests, samples[variant].to(device), progress.advance)}
            start = {"start": trained[seed]["start"]} if "start" in trained[seed] else {}
            seeds.append({"seed": seed, **start, "variants": scores})
    files.write_json(folder(experiment) / "evaluation.json", {
        "title": settings["title"], "note": settings["note"], "model": training["model"],
        "dataset": settings["dataset"], "dimensions": dataset.test.shape[1], "scale": dataset.scale,
        "duplicates": dict(dataset.duplicates), "profile": settings["profile"], "differences": settings["differences"],
        "samples": n, "test_images": sum(map(len, tests)), "folds": len(tests), "hardware": training["hardware"],
        "seeds": seeds})


def _scores(searches: dict[str, Any], tests: Sequence[torch.Tensor], samples: torch.Tensor,
            advance: Callable[[int], None]) -> dict[str, Any]:
    """By search, the score of a fold's test images [m, d] with that fold's σ, or of all folds together."""
    each: dict[str, list[dict[str, Any]]] = {name: [] for name in SEARCHES}
    for i, test in enumerate(tests):
        chosen = [searches[name]["folds"][i] if len(tests) > 1 else searches[name] for name in SEARCHES]
        rows = parzen.log_likelihood(test, samples, [search["chosen"] for search in chosen], advance)
        for name, search, log_likelihoods in zip(SEARCHES, chosen, rows, strict=True):
            each[name].append(_score(search, log_likelihoods))
    return {name: scores[0] if len(scores) == 1 else _over_folds(scores) for name, scores in each.items()}


def _score(search: dict[str, Any], log_likelihoods: torch.Tensor) -> dict[str, Any]:
    mean, error = parzen.mean_and_standard_error(log_likelihoods)
    return {"bandwidth": search["chosen"], "validation_log_likelihood": search["validation_log_likelihood"],
            "test_log_likelihood": mean, "standard_error": error, "test_images": len(log_likelihoods)}


def _over_folds(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard error over the folds, as the paper reports TFD; the geometric mean of their bandwidths."""
    tests = [fold["test_log_likelihood"] for fold in scores]
    return {"bandwidth": folds.geometric_mean(fold["bandwidth"] for fold in scores),
            "test_log_likelihood": folds.mean(tests),
            "validation_log_likelihood": folds.mean(fold["validation_log_likelihood"] for fold in scores),
            "standard_error": folds.standard_error(tests),
            "test_images": sum(fold["test_images"] for fold in scores), "folds": list(scores)}


if __name__ == "__main__":
    stage.run(main, "experiment")
