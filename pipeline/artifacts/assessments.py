"""Where assessments are, from the repository's root; without torch, for whoever only reads them."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.paths import ARTIFACTS

MEASURES = ARTIFACTS / "measures"
"""A folder for each data set"""


def features_file(dataset: str) -> Path:
    return MEASURES / dataset / "features.safetensors"


def references_file(dataset: str) -> Path:
    return MEASURES / dataset / "references.json"


def references_picture(dataset: str) -> Path:
    """Samples of each reference row, a row of images each, without a gap."""
    return MEASURES / dataset / "references.png"


def assessment_file(experiment: str) -> Path:
    return ARTIFACTS / experiment / "assessment.json"
