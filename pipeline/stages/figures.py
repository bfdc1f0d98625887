"""Stage `figures`: an experiment's pictures, each beside the numbers that it shows.

    python -m pipeline.stages.figures mnist

Nothing is chosen by hand: the samples shown are the first that were drawn, and the seed is the one that the headline
reports. Equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import FIGURES, prepared_file
from pipeline.figures.bandwidth import bandwidth_figure
from pipeline.figures.curves import training_figure
from pipeline.figures.experiment import FinishedExperiment, of_seed
from pipeline.figures.samples import sample_figures
from pipeline.figures.style import house_style
from pipeline.results.assessment import of_seed as assessed
from pipeline.results.assessment import read_assessment
from pipeline.results.metrics import variants_of
from pipeline.runtime.stage import run
from pipeline.tracking import assessments, logged_model, runs


def main(experiment: str) -> None:
    """Write reports/figures/<experiment>/ anew."""
    finished = FinishedExperiment.read(experiment)
    folder = FIGURES / experiment
    folder.mkdir(parents=True, exist_ok=True)
    with house_style():
        written = {*sample_figures(finished, folder), *training_figure(finished, folder),
                   *bandwidth_figure(finished, folder)}
    for old in {path for suffix in ("png", "csv", "json") for path in folder.glob(f"*.{suffix}")} - written:
        old.unlink()
    _track(finished, sorted(written))


def _track(experiment: FinishedExperiment, written: Iterable[Path]) -> None:
    """Add test scores to each seed's run in MLflow; those of the headline, the figures and the generator to the run
    that holds these."""
    evaluation, training = experiment.evaluation, experiment.training
    dataset = runs.describe(prepared_file(evaluation["dataset"]))
    shown = {variant: experiment.seed(variant) for variant in variants_of(evaluation)}
    inputs = inputs_digest(experiment.name, evaluation["dataset"])

    def resume(seed: int | None) -> runs.Tracker:
        return runs.resume(experiment.name, seed, inputs, profile=evaluation["profile"],
                           parameters=training["settings"], dataset=dataset, hardware=training["hardware"])

    for entry in evaluation["seeds"]:
        with resume(entry["seed"]) as tracker:
            for variant, scores in entry["variants"].items():
                tracker.metrics(_scores(variant, scores), step=scores["epoch"] or 0)
    with resume(None) as tracker:
        for variant, seed in shown.items():
            tracker.metrics(_scores(variant, of_seed(evaluation, seed)["variants"][variant]), step=0)
        for path in written:
            tracker.figure(path)
        generator = logged_model.generator_of(experiment.folder, training, dataset["shape"], shown)
        if generator is not None:
            tracker.generator(generator)
            if (found := read_assessment(experiment.name)) is not None:  # where `assess` came first
                for variant, seed in shown.items():
                    tracker.model_metrics(assessments.metrics(variant, assessed(found, seed, variant)))


def _scores(variant: str, scores: Mapping[str, Any]) -> dict[str, float | None]:
    suffix = "" if variant == "raw" else f"_{variant}"
    return {f"test_log_likelihood{suffix}": scores["refined"]["test_log_likelihood"],
            f"bandwidth{suffix}": scores["refined"]["bandwidth"]}


if __name__ == "__main__":
    run(main, "experiment")
