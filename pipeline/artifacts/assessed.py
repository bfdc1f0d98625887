"""What the measures beside the Parzen estimate leave behind: features of the real images, references, assessments."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from gan.datasets.dataset import Dataset
from gan.errors import DataError
from gan.evaluation.assessment import Images, Reference
from gan.evaluation.assessment_settings import AssessmentSettings, FeatureSettings
from gan.evaluation.features import Features, digest
from pipeline.artifacts.assessments import features_file
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.runtime import files

_NETWORK, _REFERENCE = "network/", "reference/"


class Yardstick:
    """A data set's real images as the measures see them."""

    def __init__(self, dataset: Dataset, tensors: Mapping[str, Tensor], about: Mapping[str, Any],
                 settings: AssessmentSettings, device: torch.device) -> None:
        self.dataset, self.about, self.settings = dataset, about, settings
        self.images = split_images(dataset, device)
        self.features = _features(tensors, about, device)
        self.reference = Reference.of(_below(_REFERENCE, tensors), device)
        self.labels = tensors.get("labels")
        """of the training images; None where there are none"""

    @classmethod
    def read(cls, name: str, settings: AssessmentSettings, device: torch.device) -> Yardstick:
        """Of data set `name`. DataError if its features are missing or something else."""
        dataset = read_dataset(prepared_file(name))
        tensors, about = files.read_tensors(path := features_file(name))
        with _fitting(path):
            return cls(dataset, tensors, about, settings, device)

    @property
    def described(self) -> dict[str, Any]:
        """In which features something was measured, for its file."""
        return {key: self.about[key] for key in ("digest", "kind", "test_accuracy")}


def read_features(name: str, device: torch.device) -> tuple[Features, dict[str, Any]]:
    """The network of data set `name`, and what is said of it. DataError if its file is missing or something else."""
    tensors, about = files.read_tensors(path := features_file(name))
    with _fitting(path):
        return _features(tensors, about, device), about


def read_labels(name: str) -> Tensor | None:
    """Of the training images of data set `name`, int64 [n]; None where there are none. DataError without its file."""
    tensors, _ = files.read_tensors(features_file(name))
    labels = tensors.get("labels")
    return None if labels is None else labels.long()


def _features(tensors: Mapping[str, Tensor], about: Mapping[str, Any], device: torch.device) -> Features:
    settings = TypeAdapter(FeatureSettings).validate_python(about["settings"])
    return Features(settings, tuple(about["shape"]), about["classes"], _below(_NETWORK, tensors), device)


@contextlib.contextmanager
def _fitting(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} holds no features", expected="the output of the stage `features`",
                        found=str(error).splitlines()[0], remedy=f"delete {path} and run `dvc repro`") from error


def write_features(name: str, network: Mapping[str, Tensor], reference: Reference, labels: Tensor | None,
                   about: Mapping[str, Any]) -> None:
    """`about` has `settings` and `shape` of the network, `kind`, `classes` and accuracies; it gets a digest."""
    tensors = {f"{_NETWORK}{key}": tensor for key, tensor in network.items()}
    tensors |= {f"{_REFERENCE}{key}": tensor for key, tensor in reference.tensors().items()}
    tensors |= {} if labels is None else {"labels": labels}
    files.write_tensors(features_file(name), tensors, {**about, "digest": digest(network)})


def split_images(dataset: Dataset, device: torch.device) -> Images:
    """The splits on a device; of a data set in folds, which overlap, validation and test images of the first."""
    validation, test = dataset.folds()[0]
    return Images(dataset.train.to(device), validation.to(device), test.to(device))


def assessment_settings(content: Mapping[str, Any]) -> AssessmentSettings:
    """The block `assess` from a stage's configuration."""
    settings: AssessmentSettings = TypeAdapter(AssessmentSettings).validate_python(content)
    return settings


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
