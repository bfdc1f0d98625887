"""What the stages `assess` and `references` leave behind, with values that are made up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan.evaluation.measures import CHECKS, MEASURES
from pipeline.artifacts.assessments import assessment_file, references_file, references_picture
from pipeline.artifacts.sheet import sheet
from pipeline.runtime.files import write_bytes, write_json

DIGEST = "ab" * 32
FEATURES = {"digest": DIGEST, "kind": "classifier", "test_accuracy": 0.9934}
LIKELIHOOD = {
    "bandwidth": 0.12, "narrowest": False, "validation": 310.0, "test": {"value": 321.5, "standard_error": 8.5},
    "simulated_below": {"value": 400.0, "standard_error": 6.0},
    "simulated_above": {"value": 404.5, "standard_error": 6.0},
    "gap": {"value": 4.5, "standard_error": 0.5}, "images": 8, "chains": 4, "temperatures": 100, "leapfrogs": 5}


def measured(badness: float, **other: Any) -> dict[str, Any]:
    """Every measure, the worse the larger `badness` is; 0 is what held-out images get."""
    values: dict[str, Any] = {}
    for measure in MEASURES:
        value = {"lowest": badness, "highest": 1 - badness, "zero": 10 * badness}[measure.best]
        values[measure.name] = {"value": value, "standard_error": 0.01}
    return values | {"samples": 60, "class_shares": [0.5, 0.5], "nearest_sample": {
        "samples": 60, "dimensions": 64, "validation_images": 40, "mean_square_validation": 2.5,
        "mean_square_test": 2.5}} | other


def assess(experiment: str, variants: Mapping[str, Mapping[int, dict[str, Any]]], dataset: str = "mnist") -> None:
    """`variants`: by seed what was measured of each."""
    seeds = sorted({seed for by_seed in variants.values() for seed in by_seed})
    write_json(assessment_file(experiment), {
        "dataset": dataset, "profile": "cpu", "features": FEATURES, "seeds": [
            {"seed": seed, "variants": {variant: by_seed[seed] for variant, by_seed in variants.items()}}
            for seed in seeds]})


def refer(dataset: str = "mnist", caught: bool = True, shape: tuple[int, int, int] = (3, 8, 8)) -> None:
    rows = {key: {"title": title, "parzen": {"bandwidth": 0.2, "value": nats, "standard_error": 2.0}, **measured(bad)}
            for key, title, nats, bad in (("held_out", "Held-out real images", 240.0, 0.0),
                                          ("blurred", "Training images blurred by .7 pixels", 321.0, 0.5))}
    checks = [{"samples": check.samples, "measure": check.measure, "claim": check.claim, "images": 40,
               "held_out": {"value": 0.1, "standard_error": 0.01}, "bad": {"value": 0.9, "standard_error": 0.02},
               "caught": caught or check.measure != "recall"} for check in CHECKS]
    write_json(references_file(dataset), {
        "dataset": dataset, "profile": "cpu", "features": FEATURES, "rows": rows, "shown": 5, "shape": list(shape),
        "checks": checks})
    pixels = np.arange(10 * 3 * 64, dtype=np.uint8).reshape(10, -1)
    write_bytes(references_picture(dataset), sheet(pixels, shape, 5))


def assess_finished(place: Path) -> None:
    """The three experiments on MNIST of `finished_page`, from the current folder, which is `place`."""
    assert place
    assess("mnist", {"raw": {1: measured(0.2), 2: measured(0.3, likelihood=LIKELIHOOD)},
                     "ema": {1: measured(0.1, likelihood=LIKELIHOOD), 2: measured(0.15)}})
    copies = measured(0.05, copying={"value": -80.0, "standard_error": 1.0})
    assess("mnist_training_images", {"raw": {1: copies}})
    few = measured(0.6, recall={"why": "recall needs 4 images, not 3"})
    assess("mnist_kmeans", {"raw": {1: few}})
    refer()
