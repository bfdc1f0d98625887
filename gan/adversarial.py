"""Adversarial nets: the networks of Goodfellow et al. 2014 as settings, and how they are built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gan.networks import (
    ConvolutionalMaxout,
    Dense,
    Dropout,
    Layer,
    Maxout,
    TransposedConvolution,
    sparse_normal,
    uniform,
)
from gan.settings import ParameterBlock, require

Shape = tuple[int, int, int]
"""(C, H, W) of an image"""


@dataclass(frozen=True)
class Noise(ParameterBlock):
    """z: `dimensions` independent components of mean 0 and variance 1."""

    dimensions: int
    distribution: Literal["uniform", "normal"]
    """uniform(−√3, √3) or N(0, 1)"""

    def __post_init__(self) -> None:
        require(self.dimensions >= 1, f"dimensions must be at least 1, not {self.dimensions}")

    def draw(self, n: int, stream: torch.Generator) -> Tensor:
        """[n, dimensions], on the stream's device"""
        z = torch.empty(n, self.dimensions, device=stream.device)
        if self.distribution == "uniform":
            return z.uniform_(-math.sqrt(3), math.sqrt(3), generator=stream)
        return z.normal_(generator=stream)


def _require_irange(irange: float) -> None:
    require(0 < irange < math.inf, f"irange must be finite and above 0, not {irange}")


@dataclass(frozen=True)
class GeneratorLayer(ParameterBlock):
    units: int
    activation: Literal["relu", "sigmoid", "linear"]
    irange: float
    bias: float = 0.0
    """of every unit, initially"""

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        _require_irange(self.irange)
        require(math.isfinite(self.bias), f"bias must be finite, not {self.bias}")


@dataclass(frozen=True)
class Deconvolution(ParameterBlock):
    """Units of the last hidden layer seen as `channels` maps of `size` × `size`, and the kernel that enlarges them."""

    channels: int
    size: int
    kernel: int
    stride: int

    def __post_init__(self) -> None:
        for name in ("channels", "size", "kernel", "stride"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class GeneratorOutput(ParameterBlock):
    """The generator's last layer; it has as many units as the data has dimensions."""

    activation: Literal["relu", "sigmoid", "linear"]
    irange: float | None
    """None where `nonzero` says how weights begin"""
    bias: Literal["zero", "marginal_logit"]
    """`marginal_logit`: the logit of the training images' mean, clipped to [1e-7, 1 − 1e-7], so that an untrained
    generator starts at the data's mean image"""
    nonzero: int | None = None
    """so many weights into each unit begin as N(0, 1), the others as 0"""
    deconvolution: Deconvolution | None = None
    """a transposed convolution instead of a dense layer"""

    def __post_init__(self) -> None:
        require((self.irange is None) != (self.nonzero is None), "either irange or nonzero must be given, and not both")
        if self.irange is not None:
            _require_irange(self.irange)
        else:
            require(self.deconvolution is None, "nonzero is for dense outputs: give irange with deconvolution")
            require((self.nonzero or 0) >= 1, f"nonzero must be at least 1, not {self.nonzero}")

    def build(self, inputs: int, train: Tensor, shape: Shape, stream: torch.Generator) -> Layer:
        """`train` [N, d] are the training images, of `shape`."""
        d = train.shape[1]
        bias = torch.zeros(d)
        if self.bias == "marginal_logit":
            bias = train.double().mean(0).cpu().clamp(1e-7, 1 - 1e-7).logit().float()
        if self.deconvolution is not None:
            return self._deconvolution(self.deconvolution, inputs, shape, bias, stream)
        weight = uniform((inputs, d), self.irange, stream) if self.irange is not None else \
            sparse_normal(inputs, d, self.nonzero or 0, stream)
        return Dense(weight, bias, self.activation)

    def _deconvolution(self, settings: Deconvolution, inputs: int, shape: Shape, bias: Tensor,
                       stream: torch.Generator) -> Layer:
        maps = settings.channels * settings.size**2
        if inputs != maps:
            raise ValueError(f"deconvolution sees {settings.channels} maps of {settings.size} × {settings.size}, "
                             f"{maps} units, but the layer below has {inputs}")
        side = (settings.size - 1) * settings.stride + settings.kernel
        if shape[1:] != (side, side):
            raise ValueError(f"deconvolution makes images of {side} × {side}, but the data's are "
                             f"{shape[1]} × {shape[2]}")
        kernels = (settings.channels, shape[0], settings.kernel, settings.kernel)
        return TransposedConvolution(uniform(kernels, self.irange or 0, stream), bias, settings.size, settings.stride,
                                     self.activation)


@dataclass(frozen=True)
class Generator(ParameterBlock):
    hidden: list[GeneratorLayer]
    output: GeneratorOutput | None
    """None if a pretrained generator follows, which sees the last hidden layer as its noise"""

    def build(self, inputs: int, train: Tensor, shape: Shape, stream: torch.Generator) -> list[Layer]:
        """Layers of G: [n, inputs] → [n, d] for training images `train` [N, d], or to the last hidden layer."""
        layers: list[Layer] = []
        for layer in self.hidden:
            layers.append(Dense(uniform((inputs, layer.units), layer.irange, stream),
                                torch.full((layer.units,), layer.bias), layer.activation))
            inputs = layer.units
        if self.output is not None:
            layers.append(self.output.build(inputs, train, shape, stream))
        return layers


@dataclass(frozen=True)
class Convolution(ParameterBlock):
    """What makes a maxout layer a convolutional one: its units are channels, and max pooling over space follows.

    Kernels and windows are square, in pixels; windows start every `pool_stride` and round up at the edge.
    """

    kernel: int
    padding: int
    pool: int
    pool_stride: int

    def __post_init__(self) -> None:
        for name in ("kernel", "pool", "pool_stride"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        require(self.padding >= 0, f"padding must not be negative: {self.padding}")
        require(self.pool_stride <= self.pool, f"pool_stride must be at most pool, which is {self.pool}, or pixels are "
                                               f"left out; it is {self.pool_stride}")


@dataclass(frozen=True)
class MaxoutLayer(ParameterBlock):
    units: int
    pieces: int
    irange: float
    keep: float
    """probability that dropout keeps an input of this layer"""
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        require(self.pieces >= 1, f"pieces must be at least 1, not {self.pieces}")
        _require_irange(self.irange)
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class DiscriminatorOutput(ParameterBlock):
    """One sigmoid unit; its logit is what the game needs."""

    irange: float
    keep: float

    def __post_init__(self) -> None:
        _require_irange(self.irange)
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class Discriminator(ParameterBlock):
    hidden: list[MaxoutLayer]
    """convolutional layers, if any, come first"""
    output: DiscriminatorOutput

    def __post_init__(self) -> None:
        convolutional = [layer.convolution is not None for layer in self.hidden]
        require(convolutional == sorted(convolutional, reverse=True),
                "convolutional layers must come before dense ones")

    def build(self, shape: Shape, stream: torch.Generator, dropout: torch.Generator) -> list[Layer]:
        """Layers of D's logit: [n, d] → [n, 1] for images of `shape`. Dropout, drawn from `dropout`, is always on: D
        serves training only."""
        layers: list[Layer] = []
        for layer in self.hidden:
            layers += _dropout(layer.keep, dropout)
            if layer.convolution is None:
                inputs = math.prod(shape)
                layers.append(Maxout(uniform((inputs, layer.pieces * layer.units), layer.irange, stream), layer.pieces))
                shape = (layer.units, 1, 1)
            else:
                convolution = _convolution(layer, layer.convolution, shape, stream)
                layers.append(convolution)
                shape = convolution.output_shape
        layers += _dropout(self.output.keep, dropout)
        layers.append(Dense(uniform((math.prod(shape), 1), self.output.irange, stream), torch.zeros(1), "linear"))
        return layers


def _convolution(layer: MaxoutLayer, settings: Convolution, shape: Shape, stream: torch.Generator
                 ) -> ConvolutionalMaxout:
    kernels = uniform((layer.pieces * layer.units, shape[0], settings.kernel, settings.kernel), layer.irange, stream)
    return ConvolutionalMaxout(kernels, shape, layer.pieces, settings.padding, settings.pool, settings.pool_stride)


def _dropout(keep: float, stream: torch.Generator) -> list[Layer]:
    return [Dropout(keep, stream)] if keep < 1 else []


def flat(train: Tensor) -> Shape:
    """The shape of data that are no images: one channel, one row."""
    return (1, 1, train.shape[1])
