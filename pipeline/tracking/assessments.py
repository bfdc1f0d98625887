"""What other measures than the Parzen estimate say of an experiment, on its runs in MLflow and on its generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gan.evaluation.measures import MEASURES
from pipeline.tracking import runs


def log(experiment: str, assessment: Mapping[str, Any], inputs: str, dataset: Mapping[str, Any],
        training: Mapping[str, Any], chosen: Mapping[str, int]) -> None:
    """Add the measures of each seed to its run, and those of the seed `chosen` for each variant to the run that holds
    these and to its generator.

    `assessment` is the content of assessment.json, `training` that of training.json, `inputs` the digest by which the
    training's runs are found, `dataset` comes from `runs.describe`. Never raises.
    """
    def resume(seed: int | None) -> runs.Tracker:
        return runs.resume(experiment, seed, inputs, profile=training["profile"], parameters=training["settings"],
                           dataset=dataset, hardware=training["hardware"])

    values = {(entry["seed"], variant): metrics(variant, content) for entry in assessment["seeds"]
              for variant, content in entry["variants"].items()}
    for seed in dict.fromkeys(seed for seed, _ in values):
        with resume(seed) as tracker:
            for (of_seed, _), found in values.items():
                if of_seed == seed:
                    tracker.metrics(found, step=0)
    with resume(None) as tracker:
        for variant, seed in chosen.items():
            tracker.metrics(values[seed, variant], step=0)
            tracker.model_metrics(values[seed, variant])


def metrics(variant: str, content: Mapping[str, Any]) -> dict[str, float | None]:
    """The measures of one variant as MLflow names them."""
    suffix = "" if variant == "raw" else f"_{variant}"
    found = {f"{measure.name}{suffix}": content[measure.name].get("value") for measure in MEASURES
             if measure.name in content}
    if "likelihood" in content:
        found[f"likelihood{suffix}"] = content["likelihood"]["test"]["value"]
    found |= {f"{name}{suffix}": one["value"] for name, one in content.get("abilities", {}).items()}
    return found
