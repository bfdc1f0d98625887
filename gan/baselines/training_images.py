"""The training images themselves as "samples": what the score gives to data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.baselines.settings import TrainingImages
from gan.linear_algebra import random_stream


class TrainingImagesModel:
    """Draws distinct training images in an order that the seed shuffles."""

    variants: ClassVar[tuple[str, ...]] = ("raw",)
    epochs = 0
    selects_epoch: ClassVar[bool] = False
    can_be_scored: ClassVar[bool] = False
    epoch = 0

    def __init__(self, settings: TrainingImages, train: Tensor, seed: int, device: torch.device) -> None:
        self._train = train.to(device)
        self._order = torch.randperm(len(train), generator=random_stream(seed, "order of the training images"))

    def fit_epoch(self, between_updates: Callable[[], None] = lambda: None) -> Mapping[str, float]:
        raise RuntimeError("there is nothing to fit")

    def weights(self, variant: str) -> dict[str, Tensor]:
        return {"order": self._order}

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """The first n of the shuffled training images, [n, d]; ValueError if there are fewer."""
        if n > len(self._train):
            raise ValueError(f"{n} samples were asked for, but there are only {len(self._train)} training images")
        return self._train[weights["order"][:n].to(self._train.device)]

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        pass
