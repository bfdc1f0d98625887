"""Which measures there are beside the Parzen estimate, which way each is good, and what each is made to catch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

COPIES = -3.0
"""C_T of `gan.evaluation.copying` below which samples are said to be copies"""
SIGNIFICANT = 3.0
"""standard errors by which samples must be worse than held-out images to be caught"""


@dataclass(frozen=True)
class Measure:
    name: str
    """as in assessment.json"""
    title: str
    best: Literal["lowest", "highest", "zero"]
    decimals: int
    question: str
    """that it answers, in plain words"""
    source: str

    def worse_by(self, value: float) -> float:
        """A number that is the smaller the better the value is."""
        return abs(value) if self.best == "zero" else -value if self.best == "highest" else value


MEASURES = (
    Measure("frechet_distance", "Fréchet distance", "lowest", 2,
            "Do samples have the mean and the spread of real images, in features?", "Heusel et al. 2017"),
    Measure("kernel_distance", "kernel distance", "lowest", 4,
            "Do all their moments up to the third agree, in features?", "Bińkowski et al. 2018"),
    Measure("precision", "precision", "highest", 3, "Do samples lie among real images?", "Kynkäänniemi et al. 2019"),
    Measure("recall", "recall", "highest", 3, "Do real images lie among samples?", "Kynkäänniemi et al. 2019"),
    Measure("density", "density", "highest", 3, "How many real images does a sample lie near to?", "Naeem et al. 2020"),
    Measure("coverage", "coverage", "highest", 3, "How many real images have a sample near?", "Naeem et al. 2020"),
    Measure("class_imbalance", "classes out of balance", "lowest", 3,
            "What share of samples would have to be of another class?", "Santurkar et al. 2018"),
    Measure("sure", "classifier sure", "highest", 3, "Of what share of samples is a classifier sure?",
            "after Salimans et al. 2016"),
    Measure("two_sample_accuracy", "told from real", "lowest", 3,
            "How often does a classifier tell samples from real images? ½ is chance.", "Lopez-Paz and Oquab 2017"),
    Measure("different_bins", "bins that differ", "lowest", 3,
            "In how many regions are there too many samples, or too few?", "Richardson and Weiss 2018"),
    Measure("copying", "copying", "zero", 1,
            "Are samples nearer to the training images than held-out images are (below 0), or farther (above)?",
            "Meehan et al. 2020"),
)
BY_NAME: Mapping[str, Measure] = {measure.name: measure for measure in MEASURES}


@dataclass(frozen=True)
class Check:
    """A kind of bad samples and the measure that is to catch it."""

    samples: str
    measure: str
    claim: str


CHECKS = (
    Check("training_images", "copying", "copies of training images"),
    Check("one_image", "recall", "one image over and over"),
    Check("mean_image", "frechet_distance", "the mean image"),
    Check("collapsed", "coverage", "a generator that has collapsed to a few images"),
    Check("collapsed", "different_bins", "a generator that has collapsed to a few images"),
    Check("centroids", "copying", "averages of a few training images each"),
    Check("without_a_class", "class_imbalance", "samples without one class"),
)


def is_caught(check: Check, bad: Mapping[str, Any], held_out: Mapping[str, Any]) -> bool | None:
    """Whether a measure finds bad samples worse than held-out images, beyond both errors; None where either has none.

    Both are what `gan.evaluation.assessment.measure` returns.
    """
    one, other = bad[check.measure], held_out[check.measure]
    if "why" in one or "why" in other:
        return None
    if check.measure == "copying":
        return bool(one["value"] < COPIES)
    measure = BY_NAME[check.measure]
    error: float = (one["standard_error"] ** 2 + other["standard_error"] ** 2) ** 0.5
    return bool(measure.worse_by(one["value"]) - measure.worse_by(other["value"]) > SIGNIFICANT * error)
