"""What params.yaml says of the measures beside the Parzen estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gan.settings import ParameterBlock, require


def _require_positive(block: object, *names: str) -> None:
    for name in names:
        value = getattr(block, name)
        require(0 < value < math.inf, f"{name} must be finite and above 0, not {value}")


@dataclass(frozen=True)
class FeatureSettings(ParameterBlock):
    """The network whose features the measures see, and how it is trained."""

    channels: list[int]
    """of its convolutions, each followed by pooling"""
    units: int
    """features"""
    epochs: int
    batch_size: int
    learning_rate: float
    """the highest; it rises to it and falls to 0"""
    shift: int
    """pixels by which training images are shifted at most"""
    mirrored: bool
    """whether half of the training images are seen mirrored"""

    def __post_init__(self) -> None:
        require(bool(self.channels), "channels must name at least one convolution")
        require(all(count >= 1 for count in self.channels), f"channels must be at least 1: {self.channels}")
        _require_positive(self, "units", "epochs", "batch_size", "learning_rate")
        require(self.shift >= 0, f"shift must not be negative: {self.shift}")


@dataclass(frozen=True)
class LikelihoodSettings(ParameterBlock):
    """Annealed importance sampling for models that have a decoder."""

    images: int
    """validation and test images each; 0 leaves it out"""
    chains: int
    temperatures: int
    leapfrogs: int
    narrowest: float
    """the narrowest σ tried on validation images, in the data's scale"""

    def __post_init__(self) -> None:
        require(self.images == 0 or self.images >= 2, f"images must be 0 or at least 2, not {self.images}")
        _require_positive(self, "chains", "temperatures", "leapfrogs", "narrowest")


@dataclass(frozen=True)
class MeasureSettings(ParameterBlock):
    samples: int
    """compared with as many real images; fewer where there are fewer of either"""
    precision_neighbours: int
    """k of precision and recall"""
    density_neighbours: int
    """k of density and coverage"""
    sure: float
    """probability from which a classifier is said to be sure"""
    classifier_steps: int
    """of the two-sample test's classifier"""
    bins: int
    """of k-means in pixels"""
    cells: int
    """of k-means in features, in which copying is tested"""
    pixel_distances: int
    """samples and images whose nearest ones are looked for in pixels"""
    checked: int
    """samples of each kind that shows whether a measure catches what it is made for"""

    def __post_init__(self) -> None:
        _require_positive(self, "samples", "precision_neighbours", "density_neighbours", "classifier_steps", "bins",
                          "cells", "pixel_distances", "checked")
        require(0 < self.sure <= 1, f"sure must be above 0 and at most 1, not {self.sure}")


@dataclass(frozen=True)
class AssessmentSettings(ParameterBlock):
    """The block `assess` as one profile has it for one data set."""

    features: FeatureSettings
    measures: MeasureSettings
    likelihood: LikelihoodSettings
