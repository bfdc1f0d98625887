"""Image-to-image translation in the manner of pix2pix, small: a U-net, a discriminator of patches, three objectives.

Several runs are computed as one, by convolutions in groups: images [runs, n, C, H, W] go through as
[n, runs · C, H, W], and a run's parameters are one row of a tensor [runs, P], as in `batched`. It trains on any source
of pairs, also on a folder in the form of the public sets (`gan.datasets.pairs`):

    pairs = read_pairs(Path("facades/train"), side=64, direction="B to A")
    translate, = train(Drawn(pairs), [Objective(l1=100)], seeds=[1], sizes=Sizes(width=32, levels=4))
    outputs = translate(pairs.inputs[:8].unsqueeze(0))  # [1, 8, 3, 64, 64] in [0, 1]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu, softplus

from gan.datasets.pairs import Pairs
from gan.lessons.batched import Adam, Noise, falling, gradient
from gan.linear_algebra import random_stream

PATCH = 10
"""Pixels, both ways, of what one logit of the discriminator sees"""


class Source(Protocol):
    """Where pairs come from."""

    @property
    def channels(self) -> tuple[int, int]:
        """Of inputs and of targets."""

    def draw(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        """Inputs and targets, [runs, n, C, H, W] in [0, 1]."""


@dataclass(frozen=True)
class Drawn:
    """Pairs drawn from a set, with replacement."""

    pairs: Pairs

    @property
    def channels(self) -> tuple[int, int]:
        return self.pairs.inputs.shape[1], self.pairs.targets.shape[1]

    def draw(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        drawn = noise.integers(len(self.pairs.inputs), n)
        return self.pairs.inputs[drawn], self.pairs.targets[drawn]


@dataclass(frozen=True)
class Objective:
    """G minimises `l1` times the mean |y − G(x)|, on the published scale from −1 to 1, and −log D if `adversarial`."""

    l1: float
    adversarial: bool = True


@dataclass(frozen=True)
class Sizes:
    """Of networks and of training."""

    width: int = 16
    """Channels after the first layer, of G and of D"""
    levels: int = 2
    """How often G halves its images"""
    noise: int = 4
    """Numbers of noise that G gets beside an image"""
    batch: int = 8
    steps: int = 500
    learning_rate: float = 0.002


# Networks.

@dataclass(frozen=True)
class Layer:
    """A convolution; `up` doubles the sides of an image, by 4 × 4 pixels."""

    inputs: int
    outputs: int
    kernel: int
    up: bool = False

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs * self.kernel ** 2

    def initial(self, stream: torch.Generator) -> Tensor:
        """Weights of variance 2 over the numbers that a value is the sum of, and shifts of 0."""
        deviation = math.sqrt(2 / (self.inputs * self.kernel ** 2 / (4 if self.up else 1)))
        return torch.cat((deviation * torch.randn(self.weights, generator=stream), torch.zeros(self.outputs)))

    def __call__(self, parameters: Tensor, x: Tensor, normal: bool = True) -> Tensor:
        """[n, runs · inputs, h, w] → [n, runs · outputs, …]; if `normal`, with mean and variance of this minibatch.

        A kernel of 4 halves or doubles the sides, others keep them.
        """
        runs = len(parameters)
        weight, shift = parameters.split([self.weights, self.outputs], 1)
        shift = shift.reshape(-1)
        shape = (self.inputs, self.outputs) if self.up else (self.outputs, self.inputs)
        weight = weight.reshape(runs * shape[0], shape[1], self.kernel, self.kernel)
        bias = None if normal else shift
        if self.up:
            x = conv_transpose2d(x, weight, bias, stride=2, padding=1, groups=runs)
        else:
            x = conv2d(x, weight, bias, 2 if self.kernel == 4 else 1, (self.kernel - 1) // 2, groups=runs)
        return batch_norm(x, None, None, bias=shift, training=True) if normal else x


class _Layers:
    """What both networks share: parameters of all layers in a row [P] for each run."""

    layers: list[Layer]

    def initial(self, seeds: Sequence[int], purpose: str) -> Tensor:
        """[runs, P], one run for each of `seeds`, which may repeat."""
        streams = [random_stream(seed, f"{purpose} weights") for seed in seeds]
        return torch.stack([torch.cat([layer.initial(stream) for layer in self.layers]) for stream in streams])

    def parameters(self, theta: Tensor) -> Sequence[Tensor]:
        """Those of each layer, of `theta` [runs, P]."""
        parts: Sequence[Tensor] = theta.split([layer.weights + layer.outputs for layer in self.layers], 1)
        return parts


@dataclass(frozen=True)
class UNet(_Layers):
    """`levels` halvings, a layer in the middle that also sees noise, and as many doublings.

    Each doubling sees what the halving of its size gave, beside what came up from below: the skips of the U. Width
    doubles with each halving. Batch statistics normalise every layer but the first and the last, in use as in training,
    as published.
    """

    channels: tuple[int, int]
    width: int
    levels: int
    noise: int
    layers: list[Layer] = field(init=False)

    def __post_init__(self) -> None:
        widths = [self.width << level for level in range(self.levels)]
        down = [Layer(inputs, outputs, 4) for inputs, outputs in zip([self.channels[0], *widths], widths, strict=False)]
        middle = Layer(widths[-1] + self.noise, widths[-1], 3)
        up = [Layer(2 * inputs, outputs, 4, up=True)
              for inputs, outputs in zip(widths[::-1], [*widths[-2::-1], self.channels[1]], strict=True)]
        object.__setattr__(self, "layers", [*down, middle, *up])

    def __call__(self, theta: Tensor, x: Tensor, z: Tensor) -> Tensor:
        """Images [runs, n, C, H, W] in [0, 1] from such and noise [runs, n, noise]; ValueError for other sides."""
        runs, parts = len(theta), iter(zip(self.layers, self.parameters(theta), strict=True))
        if any(side % (1 << self.levels) for side in x.shape[-2:]):
            raise ValueError(f"sides must be multiples of {1 << self.levels}, not {x.shape[-2]}×{x.shape[-1]}")
        h, skips = _grouped(x), []
        for level in range(self.levels):
            layer, parameters = next(parts)
            h = leaky_relu(layer(parameters, h, normal=level > 0), 0.2)
            skips.append(h)
        spread = _grouped(z[..., None, None].expand(*z.shape, *h.shape[-2:]))
        layer, parameters = next(parts)
        h = layer(parameters, _beside(runs, h, spread)).relu()
        while skips:
            layer, parameters = next(parts)
            h = layer(parameters, _beside(runs, h, skips.pop()), normal=bool(skips))
            h = h.relu() if skips else h.sigmoid()
        return _ungrouped(h, runs)


@dataclass(frozen=True)
class PatchDiscriminator(_Layers):
    """Judges every patch of PATCH × PATCH pixels, 4 pixels apart, of an input and an image that may be its target.

    Batch statistics normalise the layer in the middle, as published: they are all that a logit knows of other patches.
    """

    channels: int
    """Of both together"""
    width: int
    layers: list[Layer] = field(init=False)

    def __post_init__(self) -> None:
        sizes = (self.channels, self.width, 2 * self.width, 1)
        object.__setattr__(self, "layers", [Layer(sizes[0], sizes[1], 4), Layer(sizes[1], sizes[2], 4),
                                            Layer(sizes[2], sizes[3], 1)])

    def __call__(self, theta: Tensor, x: Tensor, y: Tensor, normal: bool = True) -> Tensor:
        """Logits [runs, n, H/4, W/4] of x and y [runs, n, C, H, W]; without batch statistics if not `normal`."""
        first, second, last = self.parameters(theta)
        h = leaky_relu(self.layers[0](first, _grouped(torch.cat((x, y), 2)), normal=False), 0.2)
        h = leaky_relu(self.layers[1](second, h, normal), 0.2)
        return _ungrouped(self.layers[2](last, h, normal=False), len(theta)).squeeze(2)


def _grouped(x: Tensor) -> Tensor:
    """[runs, n, C, H, W] → [n, runs · C, H, W]"""
    return x.transpose(0, 1).flatten(1, 2)


def _ungrouped(x: Tensor, runs: int) -> Tensor:
    """[n, runs · C, H, W] → [runs, n, C, H, W]"""
    images: Tensor = x.unflatten(1, (runs, -1)).transpose(0, 1)
    return images


def _beside(runs: int, *parts: Tensor) -> Tensor:
    """Channels of several [n, runs · C, H, W] beside each other, run by run."""
    return torch.cat([part.unflatten(1, (runs, -1)) for part in parts], 2).flatten(1, 2)


# Training.

@dataclass(frozen=True)
class Translator:
    """A trained G of as many runs as there are seeds."""

    generator: UNet
    theta: Tensor
    seeds: Sequence[int]

    @torch.no_grad()
    def __call__(self, inputs: Tensor, purpose: str = "translation") -> Tensor:
        """Outputs [runs, n, C, H, W] in [0, 1]; each seed's noise is that of the stream `purpose`.

        All inputs [runs, n, C, H, W] are one minibatch, whose statistics normalise the layers.
        """
        z = Noise(self.seeds, purpose).normal(inputs.shape[1], self.generator.noise)
        return self.generator(self.theta, inputs, z)


def train(source: Source, objectives: Sequence[Objective], seeds: Sequence[int], sizes: Sizes,
          advance: Callable[[int], None] = lambda steps: None) -> list[Translator]:
    """A Translator for each of `objectives`, which are all adversarial or none; all see the same pairs and noise.

    G and D make their steps in turn, on the same pairs. In the second half steps get smaller.
    """
    adversarial = objectives[0].adversarial
    if any(objective.adversarial is not adversarial for objective in objectives):
        raise ValueError("objectives must be all adversarial or none, to be trained together")
    runs = [seed for _ in objectives for seed in seeds]
    weights = torch.tensor([objective.l1 for objective in objectives for _ in seeds])
    generator = UNet(source.channels, sizes.width, sizes.levels, sizes.noise)
    discriminator = PatchDiscriminator(sum(source.channels), sizes.width)
    adam = Adam(sizes.learning_rate)
    theta_g, theta_d = generator.initial(runs, "generator"), discriminator.initial(runs, "discriminator")
    moments_g, moments_d = adam.start(theta_g), adam.start(theta_d)
    data, noise = Noise(seeds, "pairs"), Noise(seeds, "noise")

    def repeated(values: Tensor) -> Tensor:
        return values.repeat(len(objectives), *[1] * (values.ndim - 1))

    for step in range(sizes.steps):
        scale = falling(step, sizes.steps)
        x, y = map(repeated, source.draw(sizes.batch, data))
        outputs = generator(theta_g.requires_grad_(), x, repeated(noise.normal(sizes.batch, sizes.noise)))
        loss = weights * 2 * (outputs - y).abs().mean((1, 2, 3, 4))
        if adversarial:
            theta_d.requires_grad_()
            value = softplus(-discriminator(theta_d, x, y)) + softplus(discriminator(theta_d, x, outputs.detach()))
            slope = gradient(value.mean((1, 2, 3)).sum(), theta_d)
            with torch.no_grad():
                theta_d, moments_d = adam.step(theta_d.detach(), slope, moments_d, scale)
            loss = loss + softplus(-discriminator(theta_d, x, outputs)).mean((1, 2, 3))
        slope = gradient(loss.sum(), theta_g)
        with torch.no_grad():
            theta_g, moments_g = adam.step(theta_g.detach(), slope, moments_g, scale)
        advance(1)
    return [Translator(generator, theta, seeds) for theta in theta_g.detach().split(len(seeds))]
