"""The paper's baselines and the reference rows as settings; each one's module says what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class BoltzmannLayer(ParameterBlock):
    units: int
    gibbs_steps: int
    """k"""
    persistent: bool
    """PCD; else CD"""
    learning_rate: float
    """of the first epoch; falls linearly to 0 after the last, so that persistent chains keep up (Tieleman 2008)"""
    momentum: float
    weight_decay: float
    epochs: int

    def __post_init__(self) -> None:
        for name in ("units", "gibbs_steps", "epochs"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        require(0 < self.learning_rate < math.inf,
                f"learning_rate must be finite and above 0, not {self.learning_rate}")
        require(0 <= self.momentum < 1, f"momentum must be from 0 to below 1, not {self.momentum}")
        require(0 <= self.weight_decay < math.inf,
                f"weight_decay must be finite and at least 0, not {self.weight_decay}")


@dataclass(frozen=True)
class DeepBeliefNet(ParameterBlock):
    kind: Literal["dbn"]
    visible: Literal["bernoulli", "gaussian"]
    layers: list[BoltzmannLayer]
    """from below"""
    batch_size: int
    """also the number of persistent chains"""
    burn_in: int
    """steps of each of the parallel chains"""
    starts: int
    """training images kept for chains to start from"""
    chosen_epoch: Literal["best_on_validation", "last"] = "best_on_validation"

    def __post_init__(self) -> None:
        require(len(self.layers) >= 1, "layers must be at least one")
        for name in ("batch_size", "burn_in", "starts"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class ContractiveLayer(ParameterBlock):
    units: int
    contraction: float
    """α"""
    learning_rate: float
    epochs: int

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        require(0 <= self.contraction < math.inf, f"contraction must be finite and at least 0, not {self.contraction}")
        require(0 < self.learning_rate < math.inf,
                f"learning_rate must be finite and above 0, not {self.learning_rate}")
        require(self.epochs >= 1, f"epochs must be at least 1, not {self.epochs}")


@dataclass(frozen=True)
class StackedCAE(ParameterBlock):
    kind: Literal["stacked_cae"]
    layers: list[ContractiveLayer]
    """from below"""
    batch_size: int
    noise: float
    """σ of the chain's noise"""
    burn_in: int
    """steps of each of the parallel chains"""
    starts: int
    """training images kept for chains to start from"""
    chosen_epoch: Literal["best_on_validation", "last"] = "best_on_validation"

    def __post_init__(self) -> None:
        require(len(self.layers) >= 1, "layers must be at least one")
        require(0 <= self.noise < math.inf, f"noise must be finite and at least 0, not {self.noise}")
        for name in ("batch_size", "burn_in", "starts"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class DeepGSN(ParameterBlock):
    kind: Literal["deep_gsn"]
    layers: list[int]
    """tanh units of each hidden layer, from below"""
    noise: float
    """standard deviation, before and after tanh, in all hidden layers but the first"""
    corruption: float
    """probability that salt and pepper replaces a pixel"""
    walkback: int
    """steps of the chain in the loss"""
    batch_size: int
    epochs: int
    learning_rate: float
    learning_rate_decay: float
    """factor after each epoch"""
    momentum: float
    """m of the damped rule v ← m·v + (1 − m)·gradient"""
    burn_in: int
    """steps of each of the parallel chains"""
    starts: int
    """training images kept for chains to start from"""
    chosen_epoch: Literal["best_on_validation", "last"] = "best_on_validation"

    def __post_init__(self) -> None:
        require(len(self.layers) >= 1 and min(self.layers) >= 1,
                f"layers must be at least one number of units from 1, not {self.layers}")
        require(0 <= self.noise < math.inf, f"noise must be finite and at least 0, not {self.noise}")
        require(0 <= self.corruption <= 1, f"corruption must be from 0 to 1, not {self.corruption}")
        for name in ("walkback", "batch_size", "epochs", "burn_in", "starts"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        require(0 < self.learning_rate < math.inf,
                f"learning_rate must be finite and above 0, not {self.learning_rate}")
        require(0 < self.learning_rate_decay <= 1,
                f"learning_rate_decay must be above 0 and at most 1, not {self.learning_rate_decay}")
        require(0 <= self.momentum < 1, f"momentum must be from 0 to below 1, not {self.momentum}")


@dataclass(frozen=True)
class KMeans(ParameterBlock):
    kind: Literal["kmeans"]
    clusters: int
    iterations: int
    """of Lloyd's algorithm"""

    def __post_init__(self) -> None:
        require(self.clusters >= 1, f"clusters must be at least 1, not {self.clusters}")
        require(self.iterations >= 1, f"iterations must be at least 1, not {self.iterations}")


@dataclass(frozen=True)
class TrainingImages(ParameterBlock):
    kind: Literal["training_images"]


ChainModel = DeepBeliefNet | StackedCAE | DeepGSN
"""Baselines that draw samples by Markov chains"""
