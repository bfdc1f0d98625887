"""How settings become networks: noise, the generator's layers, the discriminator's layers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan.adversarial.layers import (
    ConvolutionalMaxout,
    Dense,
    Dropout,
    Layer,
    Maxout,
    SpectralNorm,
    TransposedConvolution,
    sparse_normal,
    uniform,
)
from gan.adversarial.settings import (
    AdversarialNets,
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    MaxoutLayer,
    Noise,
    Shape,
)


def draw_noise(noise: Noise, n: int, stream: torch.Generator) -> Tensor:
    """z [n, dimensions], on the stream's device."""
    z = torch.empty(n, noise.dimensions, device=stream.device)
    if noise.distribution == "uniform":
        return z.uniform_(-math.sqrt(3), math.sqrt(3), generator=stream)
    return z.normal_(generator=stream)


def generator_layers(generator: GeneratorNetwork, inputs: int, train: Tensor, shape: Shape, stream: torch.Generator
                     ) -> list[Layer]:
    """Layers of G: [n, inputs] → [n, d] for training images `train` [N, d] of `shape`, or to the last hidden layer.

    ValueError if the layers do not fit the images.
    """
    layers = hidden_layers(generator.hidden, inputs, stream)
    inputs = generator.hidden[-1].units if generator.hidden else inputs
    if generator.output is not None:
        layers.append(_output_layer(generator.output, inputs, train, shape, stream))
    return layers


def hidden_layers(hidden: Sequence[GeneratorLayer], inputs: int, stream: torch.Generator) -> list[Layer]:
    """Dense layers one after another: [n, inputs] → [n, units of the last one]."""
    widths = [inputs, *(layer.units for layer in hidden)]
    return [Dense(uniform((below, layer.units), layer.irange, stream), torch.full((layer.units,), layer.bias),
                  layer.activation) for below, layer in zip(widths, hidden, strict=False)]


def whole_generator(nets: AdversarialNets, train: Tensor, shape: Shape, stream: torch.Generator) -> list[Layer]:
    """All of G as it is in the last game, a pretrained upper part included, untrained: [n, noise] → [n, d]."""
    inputs = nets.noise.dimensions + nets.told(train.shape[1])[0]
    return [layer for game in reversed(nets.games())
            for layer in generator_layers(game.generator, inputs, train, shape, stream)]


def discriminator_layers(discriminator: DiscriminatorNetwork, shape: Shape, stream: torch.Generator,
                         dropout: torch.Generator, told: int = 0) -> list[Layer]:
    """Layers of D's logit: [n, d + told] → [n, 1] for images of `shape` and what is told beside them. Dropout, drawn
    from `dropout`, is always on: D serves training only. ValueError if the layers do not fit the images."""
    layers: list[Layer] = []
    normed: Callable[[Dense | Maxout], Layer] = (
        functools.partial(SpectralNorm, stream=stream) if discriminator.spectral_norm else _as_is)
    for layer in discriminator.hidden:
        layers += _dropout(layer.keep, dropout)
        if layer.convolution is None:
            inputs = math.prod(shape) + told
            layers.append(normed(Maxout(uniform((inputs, layer.pieces * layer.units), layer.irange, stream),
                                        layer.pieces)))
            shape, told = (layer.units, 1, 1), 0
        else:
            convolution = _convolution(layer, layer.convolution, shape, stream)
            layers.append(convolution)
            shape = convolution.output_shape
    layers += _dropout(discriminator.output.keep, dropout)
    output = uniform((math.prod(shape) + told, 1), discriminator.output.irange, stream)
    layers.append(normed(Dense(output, torch.zeros(1), "linear")))
    return layers


def _as_is(layer: Dense | Maxout) -> Layer:
    return layer


def load(layers: Sequence[Layer], parameters: Sequence[Tensor]) -> None:
    """Put `parameters` in place of the layers' own, in their order; ValueError if they are of other layers."""
    own = [parameter for layer in layers for parameter in layer.parameters]
    if [p.shape for p in own] != [p.shape for p in parameters]:
        raise ValueError(f"the weights are of another generator: {[list(p.shape) for p in parameters]}, where "
                         f"{[list(p.shape) for p in own]} are expected")
    left = iter(parameters)
    for layer in layers:
        layer.parameters[:] = [next(left) for _ in layer.parameters]


def _output_layer(output: GeneratorOutput, inputs: int, train: Tensor, shape: Shape, stream: torch.Generator) -> Layer:
    d = train.shape[1]
    bias = torch.zeros(d)
    if output.bias == "marginal_logit":
        bias = train.double().mean(0).cpu().clamp(1e-7, 1 - 1e-7).logit().float()
    if output.deconvolution is not None:
        return _deconvolution(output, output.deconvolution, inputs, shape, bias, stream)
    weight = uniform((inputs, d), output.irange, stream) if output.irange is not None else \
        sparse_normal(inputs, d, output.nonzero or 0, stream)
    return Dense(weight, bias, output.activation)


def _deconvolution(output: GeneratorOutput, settings: Deconvolution, inputs: int, shape: Shape, bias: Tensor,
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
    return TransposedConvolution(uniform(kernels, output.irange or 0, stream), bias, settings.size, settings.stride,
                                 output.activation)


def _convolution(layer: MaxoutLayer, settings: Convolution, shape: Shape, stream: torch.Generator
                 ) -> ConvolutionalMaxout:
    kernels = uniform((layer.pieces * layer.units, shape[0], settings.kernel, settings.kernel), layer.irange, stream)
    return ConvolutionalMaxout(kernels, shape, layer.pieces, settings.padding, settings.pool, settings.pool_stride)


def _dropout(keep: float, stream: torch.Generator) -> list[Layer]:
    return [Dropout(keep, stream)] if keep < 1 else []


def flat(train: Tensor) -> Shape:
    """The shape of data that are no images: one channel, one row."""
    return (1, 1, train.shape[1])
