"""The class of each image of a data set, from its raw files."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gan.datasets.dataset import Dataset
from gan.datasets.loader import Labelled
from gan.datasets.registry import DatasetSettings
from gan.errors import DataError, ReproductionError
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.raw import raw_folder


def read_labels(name: str, loader: DatasetSettings, sizes: Mapping[str, int]) -> dict[str, Tensor] | None:
    """By split, int64 [n] from 0, of data set `name` as `loader` has it; None where its raw files have none, or one
    class alone. DataError where they are not of prepared splits of these `sizes`."""
    if not isinstance(loader, Labelled):
        return None
    folder = raw_folder(name)
    loader.verify(folder)
    labels = dict(loader.labels(folder))
    found = {split: len(each) for split, each in labels.items()}
    if found != sizes:
        raise DataError(f"{folder} does not fit {prepared_file(name)}", expected=f"as many labels as images: {sizes}",
                        found=str(found), remedy="run `dvc repro`, which prepares the data anew")
    return labels if int(labels["train"].unique().numel()) > 1 else None  # of one class alone there is nothing to learn


def training_labels(experiment: str, dataset: Dataset, loader: DatasetSettings) -> Tensor:
    """Of the training images of an experiment whose model is trained on them. ReproductionError if there are none."""
    labels = read_labels(dataset.name, loader, dataset.sizes)
    if labels is None:
        raise ReproductionError(
            f"{experiment} is trained on labels, and {dataset.name} has none",
            expected="a data set whose files say what each image shows, with two classes or more",
            found=f"the loader {loader.loader}",
            remedy=f"name another data set in experiments.{experiment}.dataset in params.yaml")
    return labels["train"]
