"""Stage `assess`: what other measures than the Parzen estimate say of the samples that it scored.

Every variant of every seed is compared with real images in features (`gan.evaluation.assessment`). Of the seed that
validation chose, models that have a decoder also get a likelihood proper
(`gan.evaluation.annealed_importance_sampling`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gan.adversarial.decoder import Decoder
from gan.adversarial.settings import AdversarialNets
from gan.errors import DataError
from gan.evaluation.annealed_importance_sampling import Likelihood, likelihood
from gan.evaluation.assessment import measure
from gan.evaluation.assessment_settings import LikelihoodSettings
from gan.evaluation.subsets import evenly_spaced
from gan.linear_algebra import random_stream
from gan.model import Examination, Examined, Model
from gan.registry import Settings, create, does_more
from gan.weights import read_weights
from pipeline.artifacts.assessed import Yardstick, assessment_settings
from pipeline.artifacts.assessments import assessment_file
from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import configuration, folder, inputs_digest
from pipeline.artifacts.labels import read_labels
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.raw import loader_of
from pipeline.artifacts.trained import model_settings, scored_rows, weights_file
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress
from pipeline.tracking import assessments, runs


def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "assess")
    assess = assessment_settings(settings["assess"])
    training = files.read_json(folder(experiment) / "training.json")
    searches = files.read_json(folder(experiment) / "bandwidth.json")
    real = Yardstick.read(settings["dataset"], assess, device)
    rows = scored_rows(experiment)
    model = model_settings(training["settings"]["model"])
    examination = _examination(experiment, settings, model, real)
    seeds: list[dict[str, Any]] = []
    with Progress(f"{experiment}, measures", sum(map(len, rows.values())), "set") as progress:
        for seed, variants in rows.items():
            path = folder(experiment) / "samples" / f"seed-{seed}.safetensors"
            samples, _ = files.read_tensors(path)
            measured = {}
            for variant in variants:
                measured[variant] = _measure(path, variant, samples[variant].to(device), real)
                if examination is not None:
                    measured[variant]["abilities"] = examination(seed, variant)
                progress.advance(1, f"seed {seed}, {variant}")
            seeds.append({"seed": seed, "variants": measured})
    chosen = {variant: best_seed(searches, variant) for variant in seeds[0]["variants"]}
    if isinstance(model, AdversarialNets) and model.condition is None and assess.likelihood.images:
        _add_likelihoods(experiment, seeds, chosen, model, real, assess.likelihood, device)
    content = {"dataset": settings["dataset"], "profile": settings["profile"], "features": real.described,
               "seeds": seeds}
    files.write_json(assessment_file(experiment), content)
    dataset = settings["dataset"]
    assessments.log(experiment, content, inputs_digest(experiment, dataset), runs.describe(prepared_file(dataset)),
                    training, chosen)


def _examination(experiment: str, settings: dict[str, Any], model: Settings, real: Yardstick
                 ) -> Callable[[int, str], dict[str, Any]] | None:
    """What measures a model's abilities beside drawing samples, by seed and variant; None where it has none."""
    if not does_more(model):
        return None
    data, judge, device = real.dataset, real.features, real.images.train.device
    labels = read_labels(data.name, loader_of(settings["loader"]), data.sizes)
    by = Examination(data, labels, judge if judge.classes else None, real.settings.measures.samples)

    @functools.lru_cache(maxsize=1)  # its variants follow each other
    def made(seed: int) -> Model:
        return create(model, data.train, seed, device, data.shape)

    def examine(seed: int, variant: str) -> dict[str, Any]:
        fitted = made(seed)
        if not isinstance(fitted, Examined):
            return {}
        found = fitted.examine(read_weights(weights_file(experiment, seed), variant), by,
                               random_stream(seed, "what a model can do", device))
        return {name: asdict(estimate) for name, estimate in found.items()}

    return examine


def _measure(path: Path, variant: str, samples: torch.Tensor, real: Yardstick) -> dict[str, Any]:
    try:
        return measure(samples, real.images, real.reference, real.features, real.settings.measures)
    except ValueError as error:
        raise DataError(f"{path}: the samples of {variant} cannot be compared with the data", found=str(error),
                        remedy=f"delete {path} and run `dvc repro`") from error


def _add_likelihoods(experiment: str, seeds: list[dict[str, Any]], chosen: dict[str, int], model: AdversarialNets,
                     real: Yardstick, settings: LikelihoodSettings, device: torch.device) -> None:
    """To each variant of the seed that validation chose for it."""
    with Progress(f"{experiment}, likelihood", 4 * settings.temperatures * len(chosen), "move") as progress:
        for variant, seed in chosen.items():
            weights = read_weights(weights_file(experiment, seed), variant)
            decoder = Decoder(model, real.dataset.shape, weights, device)
            found = likelihood(
                decoder, evenly_spaced(real.images.validation, settings.images),
                evenly_spaced(real.images.test, settings.images),
                narrowest=settings.narrowest, temperatures=settings.temperatures, leapfrogs=settings.leapfrogs,
                chains=settings.chains, stream=random_stream(seed, "annealed importance sampling", device),
                advance=progress.advance)
            row = next(entry for entry in seeds if entry["seed"] == seed)["variants"][variant]
            row["likelihood"] = _plain(found, settings)


def _plain(found: Likelihood, settings: LikelihoodSettings) -> dict[str, Any]:
    return {"bandwidth": found.bandwidth, "narrowest": found.narrowest, "validation": found.validation,
            "test": asdict(found.test), "simulated_below": asdict(found.below),
            "simulated_above": asdict(found.above), "gap": asdict(found.gap), "images": settings.images,
            "chains": settings.chains, "temperatures": settings.temperatures, "leapfrogs": settings.leapfrogs}


if __name__ == "__main__":
    stage.run(main, "experiment")
