"""Adversarial nets: the networks of Goodfellow et al. 2014 as settings, and how they are built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gan.networks import Dense, Dropout, Layer, Maxout, Network
from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class Noise(ParameterBlock):
    """z: `dimensions` independent components of mean 0 and variance 1."""

    dimensions: int
    distribution: Literal["uniform", "normal"]
    """uniform(−√3, √3) or N(0, 1)"""

    def __post_init__(self) -> None:
        require(self.dimensions >= 1, f"dimensions must be at least 1, not {self.dimensions}")

    def draw(self, n: int, stream: torch.Generator) -> Tensor:
        """[n, dimensions], on the stream's device."""
        z = torch.empty(n, self.dimensions, device=stream.device)
        if self.distribution == "uniform":
            return z.uniform_(-math.sqrt(3), math.sqrt(3), generator=stream)
        return z.normal_(generator=stream)


@dataclass(frozen=True)
class GeneratorLayer(ParameterBlock):
    units: int
    activation: Literal["relu", "sigmoid", "linear"]
    irange: float

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        require(0 < self.irange < math.inf, f"irange must be finite and above 0, not {self.irange}")


@dataclass(frozen=True)
class GeneratorOutput(ParameterBlock):
    """The generator's last layer; it has as many units as the data has dimensions."""

    activation: Literal["relu", "sigmoid", "linear"]
    irange: float
    bias: Literal["zero", "marginal_logit"]
    """`marginal_logit`: the logit of the training images' mean, clipped to [1e-7, 1 − 1e-7], so that an untrained
    generator starts at the data's mean image"""

    def __post_init__(self) -> None:
        require(0 < self.irange < math.inf, f"irange must be finite and above 0, not {self.irange}")


@dataclass(frozen=True)
class Generator(ParameterBlock):
    hidden: list[GeneratorLayer]
    output: GeneratorOutput

    def build(self, noise: Noise, train: Tensor, stream: torch.Generator, device: torch.device) -> Network:
        """G: [n, noise dimensions] → [n, d] for training images `train` [N, d]."""
        layers: list[Layer] = []
        inputs = noise.dimensions
        for layer in self.hidden:
            layers.append(Dense(inputs, layer.units, layer.activation, layer.irange, stream))
            inputs = layer.units
        bias = None
        if self.output.bias == "marginal_logit":
            bias = train.double().mean(0).cpu().clamp(1e-7, 1 - 1e-7).logit().float()
        layers.append(Dense(inputs, train.shape[1], self.output.activation, self.output.irange, stream, bias))
        return Network(layers, device)


@dataclass(frozen=True)
class MaxoutLayer(ParameterBlock):
    units: int
    pieces: int
    irange: float
    keep: float
    """probability that dropout keeps an input of this layer"""

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        require(self.pieces >= 1, f"pieces must be at least 1, not {self.pieces}")
        require(0 < self.irange < math.inf, f"irange must be finite and above 0, not {self.irange}")
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class DiscriminatorOutput(ParameterBlock):
    """One sigmoid unit; its logit is what the game needs."""

    irange: float
    keep: float

    def __post_init__(self) -> None:
        require(0 < self.irange < math.inf, f"irange must be finite and above 0, not {self.irange}")
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class Discriminator(ParameterBlock):
    hidden: list[MaxoutLayer]
    output: DiscriminatorOutput

    def build(self, inputs: int, stream: torch.Generator, dropout: torch.Generator, device: torch.device) -> Network:
        """D's logit: [n, inputs] → [n, 1]. Dropout, drawn from `dropout`, is always on: D serves training only."""
        layers: list[Layer] = []
        for layer in self.hidden:
            layers += _dropout(layer.keep, dropout)
            layers.append(Maxout(inputs, layer.units, layer.pieces, layer.irange, stream))
            inputs = layer.units
        layers += _dropout(self.output.keep, dropout)
        layers.append(Dense(inputs, 1, "linear", self.output.irange, stream))
        return Network(layers, device)


def _dropout(keep: float, stream: torch.Generator) -> list[Layer]:
    return [Dropout(keep, stream)] if keep < 1 else []
