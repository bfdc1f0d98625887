"""Stage `features`: the network whose features samples are compared in, and the real images as it sees them.

Where the data have labels it is a classifier that is trained on those of the training images; see
`gan.evaluation.features`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from gan.errors import DataError
from gan.evaluation.assessment import reference
from gan.evaluation.estimates import TooFew
from gan.evaluation.features import Features, train
from pipeline.artifacts.assessed import assessment_settings, split_images, write_features
from pipeline.artifacts.configuration import configuration
from pipeline.artifacts.labels import read_labels
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.raw import configured_loader
from pipeline.runtime import machine, stage
from pipeline.runtime.progress import Progress

SEED = 1


def main(name: str) -> None:
    device = machine.choose_device()
    machine.reuse_freed_memory()
    settings = assessment_settings(configuration(name, "features")["assess"])
    dataset = read_dataset(prepared_file(name))
    labels = read_labels(name, configured_loader(name, "features"), dataset.sizes)
    of_train = labels["train"] if labels else None
    if labels and (untaught := _untaught(labels)):
        print(f"{name}: {untaught:,} classes have no training image: the classifier will not know them", flush=True)
    with Progress(f"{name}, features", settings.features.epochs * len(dataset.train), "image") as progress:
        network = train(settings.features, dataset.shape, dataset.train, of_train, SEED, device, progress.advance)
    classes = int(of_train.max()) + 1 if of_train is not None else 0
    features = Features(settings.features, dataset.shape, classes, network, device)
    accuracy = {split: _accuracy(features, getattr(dataset, split), labels[split]) if labels else None
                for split in ("validation", "test")}
    images = split_images(dataset, device)
    try:
        real = reference(images, of_train, features, settings.measures)
    except TooFew as error:
        raise DataError(f"{name} has too few images for params.yaml: assess.measures", found=str(error),
                        remedy="lower assess.measures.bins for this data set, or leave it out") from error
    write_features(name, network, real, of_train, {
        "dataset": name, "settings": dataclasses.asdict(settings.features), "shape": list(dataset.shape),
        "kind": "classifier" if classes else "random", "classes": classes,
        "validation_accuracy": accuracy["validation"], "test_accuracy": accuracy["test"]})
    said = f"a classifier, {accuracy['test']:.2%} of test images right" if labels else "random convolutions: no labels"
    print(f"{name}: features of {said}", flush=True)


def _untaught(labels: Mapping[str, Tensor]) -> int:
    """How many classes have images, but none to train on."""
    return len(set(torch.cat(list(labels.values())).tolist()) - set(labels["train"].tolist()))


def _accuracy(features: Features, images: Tensor, labels: Tensor) -> float:
    """The share of images [n, d] whose class the network finds likeliest."""
    found = features(images).probabilities
    return float((found.argmax(1).cpu() == labels).double().mean()) if found is not None else float(torch.nan)


if __name__ == "__main__":
    stage.run(main, "name")
