"""A small convolutional GAN on images of 14 × 14 pixels, in the manner of Radford et al. 2015.

A network's parameters are one row [1, P], as in `gan.lessons.batched`, whose Adam trains it; one run at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu, softplus

from gan.lessons.batched import Adam, Noise, falling, gradient
from gan.linear_algebra import random_stream

COARSE, KERNEL, NEAR = 7, 4, 3
"""Side of the coarse maps; kernels of 4 × 4 pixels in steps of 2 double or halve it; those beside pixels are 3 × 3"""

Moments = tuple[Tensor, Tensor] | None
"""Variance and mean of each map [c]"""


@dataclass(frozen=True)
class Layer:
    """Weights of `shape` that `inputs` values enter for each output, and `biases`."""

    shape: tuple[int, ...]
    inputs: int
    biases: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) + self.biases


@dataclass(frozen=True)
class Layers:
    """Parameters [1, P] of layers, one after another."""

    layers: tuple[Layer, ...]

    def initial(self, seed: int, purpose: str) -> Tensor:
        """Weights normal(0, 2/inputs), for units of which half are silent (He et al. 2015); biases 0."""
        stream = random_stream(seed, f"{purpose} weights")
        return torch.cat([part for layer in self.layers for part in (
            torch.randn(math.prod(layer.shape), generator=stream) * math.sqrt(2 / layer.inputs),
            torch.zeros(layer.biases))]).unsqueeze(0)

    def split(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer."""
        parts = theta.squeeze(0).split([layer.size for layer in self.layers])
        return [(part[:-layer.biases].view(layer.shape), part[-layer.biases:])
                for part, layer in zip(parts, self.layers, strict=True)]


@dataclass(frozen=True)
class Generator:
    """z [n, noise] → maps of 7 × 7 → maps of 14 × 14 → images [n, colours, 14, 14] in [0, 1]."""

    noise: int
    coarse: int
    fine: int
    colours: int

    @property
    def parameters(self) -> Layers:
        maps = self.coarse * COARSE ** 2
        entering = KERNEL ** 2 // 4  # of a kernel's weights, for each pixel of the result
        return Layers((
            Layer((self.noise, maps), self.noise, self.coarse),
            Layer((self.coarse, self.fine, KERNEL, KERNEL), self.coarse * entering, self.fine),
            Layer((self.colours, self.fine, NEAR, NEAR), self.fine * NEAR ** 2, self.colours)))

    def __call__(self, theta: Tensor, z: Tensor, moments: Sequence[Moments] = (None, None)) -> Tensor:
        """By `moments` of the hidden maps, or by those of this minibatch."""
        (first, first_bias), (second, second_bias), (third, third_bias) = self.parameters.split(theta)
        maps = (z @ first).view(-1, self.coarse, COARSE, COARSE)
        maps = torch.relu(normalised(maps, first_bias, moments[0]))
        maps = conv_transpose2d(maps, second, stride=2, padding=1)
        maps = torch.relu(normalised(maps, second_bias, moments[1]))
        return conv2d(maps, third, third_bias, padding=1).sigmoid()

    def moments(self, theta: Tensor, z: Tensor) -> tuple[Moments, Moments]:
        """Of the hidden maps over z [n, noise]: with them a sample depends on its own z alone."""
        (first, first_bias), (second, _), _ = self.parameters.split(theta)
        maps = (z @ first).view(-1, self.coarse, COARSE, COARSE)
        of_first = torch.var_mean(maps, (0, 2, 3), correction=0)
        maps = conv_transpose2d(torch.relu(normalised(maps, first_bias, of_first)), second, stride=2, padding=1)
        return of_first, torch.var_mean(maps, (0, 2, 3), correction=0)


def normalised(maps: Tensor, bias: Tensor, moments: Moments = None) -> Tensor:
    """Maps [n, c, h, w], each of mean `bias` and variance 1 by `moments` or else by those of this minibatch.

    Without Ioffe and Szegedy's factor: after it come a ReLU and weights, which can do the same.
    """
    if moments is None:
        return batch_norm(maps, None, None, bias=bias, training=True)
    variance, mean = moments
    return batch_norm(maps, mean, variance, bias=bias)


@dataclass(frozen=True)
class Discriminator:
    """The generator turned round: images [n, colours, 14, 14] → logits [n, 1]."""

    coarse: int
    fine: int
    colours: int

    @property
    def parameters(self) -> Layers:
        maps = self.coarse * COARSE ** 2
        return Layers((
            Layer((self.fine, self.colours, NEAR, NEAR), self.colours * NEAR ** 2, self.fine),
            Layer((self.coarse, self.fine, KERNEL, KERNEL), self.fine * KERNEL ** 2, self.coarse),
            Layer((maps, 1), maps, 1)))

    def __call__(self, theta: Tensor, images: Tensor) -> Tensor:
        (first, first_bias), (second, second_bias), (third, third_bias) = self.parameters.split(theta)
        maps = leaky_relu(conv2d(images, first, first_bias, padding=1), 0.2)
        maps = leaky_relu(normalised(conv2d(maps, second, stride=2, padding=1), second_bias), 0.2)
        return torch.addmm(third_bias, maps.flatten(1), third)


def train_generator(images: Callable[[Tensor], Tensor], n: int, seed: int, generator: Generator,
                    discriminator: Discriminator, batch: int, generator_rate: float, discriminator_rate: float,
                    steps: int, blur: float, advance: Callable[[int], None]) -> Tensor:
    """G's parameters after Algorithm 1 with k = 1, Adam and the non-saturating loss.

    Step sizes fall in the second half. `images` gives those of the indices [batch], of n. D sees images under
    Gaussian noise of standard deviation `blur`, as in `DigitsGame`.
    """
    theta_g = generator.parameters.initial(seed, "convolutional generator")
    theta_d = discriminator.parameters.initial(seed, "convolutional discriminator")
    adam_g, adam_d = Adam(generator_rate), Adam(discriminator_rate)
    moments_g, moments_d = adam_g.start(theta_g), adam_d.start(theta_d)
    z, data, shaken = (Noise([seed], f"convolutional {purpose}") for purpose in ("z", "data", "blur"))

    def judged(theta: Tensor, shown: Tensor) -> Tensor:
        return discriminator(theta, shown + blur * shaken.normal(batch, shown[0].numel()).view_as(shown))

    for step in range(steps):
        scale = falling(step, steps)
        samples = generator(theta_g.requires_grad_(), z.normal(batch, generator.noise)[0])
        theta_d.requires_grad_()
        loss = softplus(-judged(theta_d, images(data.integers(n, batch)[0]))) + softplus(
            judged(theta_d, samples.detach()))
        slope = gradient(loss.mean(), theta_d)
        with torch.no_grad():
            theta_d, moments_d = adam_d.step(theta_d.detach(), slope, moments_d, scale)
        slope = gradient(softplus(-judged(theta_d, samples)).mean(), theta_g)
        with torch.no_grad():
            theta_g, moments_g = adam_g.step(theta_g.detach(), slope, moments_g, scale)
        advance(1)
    return theta_g
