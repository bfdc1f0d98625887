"""A small convolutional GAN on the pictures of `problems_measured_scenes`, one run for each seed, computed as one.

Runs are groups of a grouped convolution, so that a run's feature maps never meet another's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, softplus

from gan.lessons.batched import Adam, Noise, gradient
from gan.lessons.parts.problems_measured_scenes import SIDE
from gan.lessons.settings import ProblemsMeasured
from gan.linear_algebra import random_stream

KERNEL, SMALL = 4, SIDE // 4
"""Kernels are 4 × 4 with stride 2; the smallest maps, 4 × 4, are half of a half of the picture"""


class Network:
    """Parameters of a network [runs, P], cut into one tensor [runs, …] for each of `shapes`."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self._shapes = shapes

    def initial(self, seeds: Sequence[int], purpose: str, inputs: Sequence[int]) -> Tensor:
        """[runs, P]: normal of variance 1/inputs, an entry of `inputs` for each shape; 0 where it is 0."""
        def one(stream: torch.Generator) -> Tensor:
            return torch.cat([
                torch.randn(math.prod(shape), generator=stream) / math.sqrt(n) if n else torch.zeros(math.prod(shape))
                for shape, n in zip(self._shapes, inputs, strict=True)])

        return torch.stack([one(random_stream(seed, f"{purpose} weights")) for seed in seeds])

    def parts(self, theta: Tensor) -> list[Tensor]:
        parts = theta.split([math.prod(shape) for shape in self._shapes], 1)
        return [part.reshape(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]


class Generator(Network):
    """z → dense, ReLU → 2·channels maps of 4 × 4 → channels maps of 8 × 8, ReLU → one picture of 16 × 16, sigmoid."""

    def __init__(self, noise: int, channels: int) -> None:
        self._noise, self._channels = noise, channels
        self._dense = 2 * channels * SMALL ** 2
        super().__init__((noise, self._dense), (self._dense,), (2 * channels, channels, KERNEL, KERNEL), (channels,),
                         (channels, 1, KERNEL, KERNEL), (1,))

    def start(self, seeds: Sequence[int], mean: float) -> Tensor:
        """[runs, P]; samples begin at `mean`."""
        taps, maps = KERNEL ** 2 // 4, self._channels  # with stride 2 a quarter of a kernel's taps meet in a pixel
        theta = self.initial(seeds, "generator", (self._noise, 0, 2 * maps * taps, 0, maps * taps, 0))
        theta[:, -1] = math.log(mean / (1 - mean))
        return theta

    def __call__(self, theta: Tensor, z: Tensor) -> Tensor:
        """[runs, n, 16, 16] for z [runs, n, noise]"""
        runs, n = z.shape[:2]
        dense, shift, *layers = self.parts(theta)
        maps = torch.relu(torch.baddbmm(shift.unsqueeze(1), z, dense)).transpose(0, 1).reshape(n, -1, SMALL, SMALL)
        for place, (kernels, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            maps = conv_transpose2d(maps if place == 0 else torch.relu(maps), kernels.flatten(0, 1), bias.flatten(),
                                    stride=2, padding=1, groups=runs)
        return maps.sigmoid().transpose(0, 1)


class Discriminator(Network):
    """One picture of 16 × 16 → channels maps of 8 × 8 → 2·channels maps of 4 × 4, leaky ReLU after both → a logit."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        super().__init__((channels, 1, KERNEL, KERNEL), (channels,), (2 * channels, channels, KERNEL, KERNEL),
                         (2 * channels,), (2 * channels * SMALL ** 2, 1), (1,))

    def start(self, seeds: Sequence[int]) -> Tensor:
        """[runs, P]"""
        taps, maps = KERNEL ** 2, self._channels
        return self.initial(seeds, "discriminator", (taps, 0, maps * taps, 0, 2 * maps * SMALL ** 2, 0))

    def __call__(self, theta: Tensor, pictures: Tensor) -> Tensor:
        """[runs, n] for pictures [runs, n, 16, 16]"""
        runs, n = pictures.shape[:2]
        *layers, last, shift = self.parts(theta)
        maps = pictures.transpose(0, 1)
        for kernels, bias in zip(layers[::2], layers[1::2], strict=True):
            maps = conv2d(maps, kernels.flatten(0, 1), bias.flatten(), stride=2, padding=1, groups=runs)
            maps = leaky_relu(maps, 0.2)
        return torch.baddbmm(shift.unsqueeze(1), maps.view(n, runs, -1).transpose(0, 1), last).squeeze(-1)


class PictureGame:
    """Algorithm 1 with k = 1, Adam and the non-saturating loss; D sees every picture under Gaussian noise."""

    def __init__(self, settings: ProblemsMeasured, pictures: Tensor) -> None:
        """`pictures` [N, 16, 16]"""
        self._pictures, self._settings = pictures, settings
        self._generator = Generator(settings.noise, settings.channels)
        self._discriminator = Discriminator(settings.channels)
        self._theta_g = self._generator.start(settings.seeds, float(pictures.mean()))
        self._theta_d = self._discriminator.start(settings.seeds)
        self._adam_d, self._adam_g = Adam(settings.discriminator_rate), Adam(settings.generator_rate)
        self._moments_d, self._moments_g = self._adam_d.start(self._theta_d), self._adam_g.start(self._theta_g)
        self._z, self._data, self._blur = (Noise(settings.seeds, purpose) for purpose in ("z", "data", "blur"))

    def _seen(self, pictures: Tensor) -> Tensor:
        noise = self._blur.normal(pictures.shape[1], SIDE ** 2)
        return pictures + self._settings.blur * noise.view_as(pictures)

    def play(self, scale: float) -> None:
        """A step of D, then one of G against the new D, on the same samples; `scale` multiplies both rates."""
        batch = self._settings.batch
        x = self._pictures[self._data.integers(len(self._pictures), batch)]
        theta_g, theta_d = self._theta_g.requires_grad_(), self._theta_d.requires_grad_()
        samples = self._generator(theta_g, self._z.normal(batch, self._settings.noise))
        logits = self._discriminator(theta_d, self._seen(torch.cat((x, samples.detach()), 1)))
        on_data, on_samples = logits.split(batch, 1)
        slope = gradient((softplus(-on_data).mean(1) + softplus(on_samples).mean(1)).sum(), theta_d)
        with torch.no_grad():
            self._theta_d, self._moments_d = self._adam_d.step(theta_d.detach(), slope, self._moments_d, scale)
        slope = gradient(softplus(-self._discriminator(self._theta_d, self._seen(samples))).mean(1).sum(), theta_g)
        with torch.no_grad():
            self._theta_g, self._moments_g = self._adam_g.step(theta_g.detach(), slope, self._moments_g, scale)

    @torch.no_grad()
    def samples(self, n: int, purpose: str) -> Tensor:
        """[runs, n, 16, 16]"""
        return self._generator(self._theta_g.detach(), Noise(self._settings.seeds, purpose).normal(
            n, self._settings.noise))
