"""Which models there are, by the word that `kind` has in params.yaml.

A new one is entered here and nowhere else in `gan`. Settings are known without the models' modules, which import torch:
a model's module is imported when it is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gan.adversarial.bidirectional_settings import BidirectionalNets
from gan.adversarial.semi_supervised_settings import SemiSupervisedNets
from gan.adversarial.settings import AdversarialNets, Shape, family
from gan.baselines.settings import DeepBeliefNet, DeepGSN, KMeans, StackedCAE, TrainingImages

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from gan.model import Model

Settings = (AdversarialNets | BidirectionalNets | SemiSupervisedNets | DeepBeliefNet | StackedCAE | DeepGSN
            | TrainingImages | KMeans)
SETTINGS: dict[str, type[Settings]] = {
    "adversarial_nets": AdversarialNets, "bidirectional_nets": BidirectionalNets,
    "semi_supervised_nets": SemiSupervisedNets, "dbn": DeepBeliefNet,
    "stacked_cae": StackedCAE, "deep_gsn": DeepGSN, "training_images": TrainingImages, "kmeans": KMeans}
MODELS = {
    "adversarial_nets": ("gan.adversarial.model", "AdversarialNetsModel"),
    "bidirectional_nets": ("gan.adversarial.bidirectional", "BidirectionalNetsModel"),
    "semi_supervised_nets": ("gan.adversarial.semi_supervised", "SemiSupervisedNetsModel"),
    "dbn": ("gan.baselines.dbn", "DeepBeliefNetModel"),
    "stacked_cae": ("gan.baselines.stacked_cae", "StackedCAEModel"),
    "deep_gsn": ("gan.baselines.deep_gsn", "DeepGSNModel"),
    "training_images": ("gan.baselines.training_images", "TrainingImagesModel"),
    "kmeans": ("gan.baselines.kmeans", "KMeansModel")}
"""Module and class of each; a class is called with settings, training images, seed and device, and adversarial nets
with the images' shape, the number of the start, and labels, semi-supervised nets with labels"""


def module_of(kind: str) -> str:
    """The module that a kind of model is made of; with what that imports, it is what the model's results depend on."""
    return MODELS[kind][0]


def create(settings: Settings, train: Tensor, seed: int, device: torch.device | str = "cpu",
           shape: Shape | None = None, start: int = 1, labels: Tensor | None = None) -> Model:
    """An untrained model for training images [N, d] of `shape` (C, H, W), which convolutions need.

    `start` above 1 is for models that may take several (`gan.model.Restarts`); `labels`, int64 [N], are for those that
    `needs_labels`. ValueError if the settings do not fit the images.
    """
    import torch

    own: tuple[Any, ...] = ()
    if isinstance(settings, AdversarialNets):
        own = (shape, start, labels)
    elif needs_labels(settings):
        own = (labels,)
    model: Model = _model_class(settings)(settings, train, seed, torch.device(device), *own)
    return model


def create_together(settings: Settings, train: Tensor, seeds: Sequence[int], device: torch.device | str = "cpu",
                    shape: Shape | None = None, labels: Tensor | None = None) -> list[Model]:
    """As `create`, a model for each of `seeds`; where it pays, they are trained as one computation.

    That is on a GPU, and without convolutions, which keep one busy by themselves, and without restarts, after which
    seeds are no longer in step. A CPU is kept busy by one network.
    """
    import torch

    device = torch.device(device)
    if isinstance(settings, AdversarialNets) and len(seeds) > 1 and device.type != "cpu" and not any(
            game.has_convolutions or game.recipe.restarts for game in settings.games()):
        return [*_model_class(settings).together(settings, train, seeds, device, shape, labels)]
    return [create(settings, train, seed, device, shape, labels=labels) for seed in seeds]


def model_of(settings: Mapping[str, Any]) -> str:
    """What a row is a row of, from a model's block: its kind, or the word for adversarial nets that do more than the
    paper's or by other rules, with which no figure of the paper is compared. KeyError for a block without what it
    must have."""
    return family(settings) if settings["kind"] == "adversarial_nets" else str(settings["kind"])


def does_more(settings: Settings) -> bool:
    """Whether such a model shows and is measured by more than its samples (`gan.model.Illustrated`, `Examined`)."""
    return settings.condition is not None if isinstance(settings, AdversarialNets) else isinstance(
        settings, BidirectionalNets | SemiSupervisedNets)


def needs_labels(settings: Settings) -> bool:
    """Whether such a model is trained on labels beside images."""
    return settings.needs_labels if isinstance(settings, AdversarialNets) else isinstance(settings, SemiSupervisedNets)


def _model_class(settings: Settings) -> Any:
    module, name = MODELS[settings.kind]
    return getattr(importlib.import_module(module), name)
