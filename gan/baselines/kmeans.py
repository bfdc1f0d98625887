"""Centroids of k-means as "samples": a set of points that is no generative model.

They outscore the data itself under a Parzen window (Theis, van den Oord, Bethge 2016, section 3.3), which is why their
row stands beside the models' rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.baselines.settings import KMeans
from gan.linear_algebra import product, random_stream

_IMAGES_PER_BLOCK = 1000


class KMeansModel:
    """Lloyd's algorithm from distinct random training images; a cluster that loses all its images stays in place."""

    variants: ClassVar[tuple[str, ...]] = ("raw",)
    selects_epoch: ClassVar[bool] = False
    can_be_scored: ClassVar[bool] = False

    def __init__(self, settings: KMeans, train: Tensor, seed: int, device: torch.device) -> None:
        if settings.clusters > len(train):
            raise ValueError(f"clusters must be at most the {len(train)} training images, not {settings.clusters}")
        self.epochs, self.epoch = settings.iterations, 0
        self._train = train.to(device)
        start = torch.randperm(len(train), generator=random_stream(seed, "first centroids"))[:settings.clusters]
        self.centroids = self._train[start.to(device)]

    @torch.no_grad()
    def fit_epoch(self, between_updates: Callable[[], None] = lambda: None) -> Mapping[str, float]:
        """One iteration of Lloyd's algorithm, which is one update. Returns the mean squared distance to the nearest
        centroid before it."""
        squares = self.centroids.square().sum(1)
        sums = torch.zeros_like(self.centroids)
        counts = torch.zeros(len(self.centroids), device=sums.device)
        total = 0.0
        for images in self._train.split(_IMAGES_PER_BLOCK):
            nearness = product(images, self.centroids.t()).mul_(-2).add_(squares)
            distance, cluster = nearness.min(1)
            total += float(distance.double().sum() + images.double().square().sum())
            sums.index_add_(0, cluster, images)
            counts.index_add_(0, cluster, torch.ones_like(distance))
        filled = counts > 0
        self.centroids = torch.where(filled.unsqueeze(1), sums / counts.clamp(min=1).unsqueeze(1), self.centroids)
        self.epoch += 1
        return {"mean_squared_distance": total / len(self._train)}

    def weights(self, variant: str) -> dict[str, Tensor]:
        return {"centroids": self.centroids}

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """n distinct centroids [n, d]; ValueError if there are fewer."""
        centroids = weights["centroids"].to(stream.device)
        if n > len(centroids):
            raise ValueError(f"{n} samples were asked for, but there are only {len(centroids)} centroids")
        return centroids[:n]  # they started from shuffled training images: the first n are a random choice

    def state(self) -> dict[str, Tensor]:
        return {"centroids": self.centroids.cpu().clone(), "epoch": torch.tensor(self.epoch)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if state["centroids"].shape != self.centroids.shape:
            raise ValueError("the saved state is of other centroids")
        self.centroids, self.epoch = state["centroids"].to(self.centroids.device), int(state["epoch"])
