"""The kinds of model there are, by the word that `kind` has in params.yaml.

A new one is entered here and nowhere else in `gan`. Stages do not depend on this module, so that a new kind runs no
other experiment again: the code of adversarial nets is named in dvc.yaml, and of the others a digest goes with their
settings (`code`).
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gan.adversarial import Shape
from gan.baselines.dbn import DeepBeliefNet, DeepBeliefNetModel
from gan.baselines.deep_gsn import DeepGSN, DeepGSNModel
from gan.baselines.kmeans import KMeans, KMeansModel
from gan.baselines.stacked_cae import StackedCAE, StackedCAEModel
from gan.baselines.training_images import TrainingImages, TrainingImagesModel
from gan.models import AdversarialNetsModel, Model
from gan.training import AdversarialNets

Settings = AdversarialNets | DeepBeliefNet | StackedCAE | DeepGSN | TrainingImages | KMeans
KINDS: dict[str, type[Settings]] = {
    "adversarial_nets": AdversarialNets, "dbn": DeepBeliefNet, "stacked_cae": StackedCAE, "deep_gsn": DeepGSN,
    "training_images": TrainingImages, "kmeans": KMeans}


def create(settings: Settings, train: Tensor, seed: int, device: torch.device | str = "cpu",
           shape: Shape | None = None) -> Model:
    """An untrained model for training images [N, d] of `shape` (C, H, W), which convolutions need.

    ValueError if the settings do not fit the images.
    """
    device = torch.device(device)
    match settings:
        case AdversarialNets():
            return AdversarialNetsModel(settings, train, seed, device, shape)
        case DeepBeliefNet():
            return DeepBeliefNetModel(settings, train, seed, device)
        case StackedCAE():
            return StackedCAEModel(settings, train, seed, device)
        case DeepGSN():
            return DeepGSNModel(settings, train, seed, device)
        case KMeans():
            return KMeansModel(settings, train, seed, device)
        case TrainingImages():
            return TrainingImagesModel(settings, train, seed, device)


def create_together(settings: Settings, train: Tensor, seeds: Sequence[int], device: torch.device | str = "cpu",
                    shape: Shape | None = None) -> list[Model]:
    """As `create`, a model for each of `seeds`; where it pays, they are trained as one computation.

    That is on a GPU, and without convolutions, which keep one busy by themselves. A CPU is kept busy by one network.
    """
    device = torch.device(device)
    if isinstance(settings, AdversarialNets) and len(seeds) > 1 and device.type != "cpu" and not any(
            game.has_convolutions for game in settings.games()):
        return [*AdversarialNetsModel.together(settings, train, seeds, device, shape)]
    return [create(settings, train, seed, device, shape) for seed in seeds]


def code(kind: str) -> list[Path]:
    """The files in `gan/baselines` that a kind of model is made of; none for adversarial nets."""
    return sorted(set(_baselines(KINDS[kind].__module__)))


def _baselines(module: str) -> Iterator[Path]:
    """The module and those that it imports, as far as they are in `gan.baselines`."""
    try:
        spec = importlib.util.find_spec(module) if module.startswith("gan.baselines.") else None
    except ModuleNotFoundError:  # a name in a module, and no module itself
        return
    if spec is None or spec.origin is None:
        return
    path = Path(spec.origin)
    yield path
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for imported in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                if imported.startswith("gan.baselines."):
                    yield from _baselines(imported)
