"""What a finished experiment adds to its runs: scores, figures, and the generator, registered with its samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import ARTIFACTS, prepared_file
from pipeline.results.assessment import of_seed, read_assessment
from pipeline.results.metrics import variants_of
from pipeline.tracking import assessments, logged_model, runs


def log(name: str, training: Mapping[str, Any], evaluation: Mapping[str, Any], figures: Iterable[Path]) -> None:
    """Add test scores to each seed's run; those of the headline, the figures and the generator to the run that holds
    these. `training` and `evaluation` are what the stages of these names wrote, `figures` are files."""
    dataset = runs.describe(prepared_file(evaluation["dataset"]))
    shown = {variant: best_seed(evaluation, variant) for variant in variants_of(evaluation)}
    inputs = inputs_digest(name, evaluation["dataset"])

    def resume(seed: int | None) -> runs.Tracker:
        return runs.resume(name, seed, inputs, profile=evaluation["profile"], parameters=training["settings"],
                           dataset=dataset, hardware=training["hardware"])

    for entry in evaluation["seeds"]:
        with resume(entry["seed"]) as tracker:
            for variant, scores in entry["variants"].items():
                tracker.metrics(_scores(variant, scores), step=scores["epoch"] or 0)
    of_headline = {variant: next(entry["variants"][variant] for entry in evaluation["seeds"] if entry["seed"] == seed)
                   for variant, seed in shown.items()}
    validation = {variant: float(scores["refined"]["validation_log_likelihood"])
                  for variant, scores in of_headline.items()}
    measured = {key: value for variant, scores in of_headline.items()
                for key, value in _scores(variant, scores).items()}
    if (assessment := read_assessment(name)) is not None:  # where `assess` came first
        for variant, seed in shown.items():
            measured |= assessments.metrics(variant, of_seed(assessment, seed, variant))
    measured["validation_score"] = max(validation.values(), default=None)
    files = list(figures)
    best_first = sorted(validation, key=lambda variant: -validation[variant])
    drawn = [path.name for variant in best_first for path in files if path.name == f"samples-{variant}.png"]
    picture = f"figures/{drawn[0]}" if drawn else ""
    generator = logged_model.generator_of(
        ARTIFACTS / name, training, dataset["shape"], shown, validation=validation, picture=picture,
        tags={"gan.profile": evaluation["profile"], "gan.dataset": evaluation["dataset"],
              "gan.dataset_digest": dataset["digest"], "gan.samples": evaluation["samples"], "gan.inputs": inputs})
    with resume(None) as tracker:
        for path in files:
            tracker.figure(path)
        if picture:
            tracker.show(picture)
        if generator is None:
            tracker.metrics(measured, step=0)
        else:
            tracker.generator(generator, measured)


def _scores(variant: str, scores: Mapping[str, Any]) -> dict[str, float | None]:
    suffix = "" if variant == "raw" else f"_{variant}"
    return {f"{key}{suffix}": scores["refined"][key]
            for key in ("test_log_likelihood", "standard_error", "bandwidth")}
