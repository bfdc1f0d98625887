"""The released recipe for MNIST by plain automatic differentiation: an implementation that shares no code with `gan`.

S starts are trained in step, each by its own noise, masks, minibatches and gradients: the sum of their losses has each
start's own gradient in that start's parameters. Both players step from the old parameters, on the same samples and
dropout masks. v ← m·v − lr·g, θ ← θ + v.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, dropout


@dataclass(frozen=True)
class Recipe:
    """The numbers of the released mnist.yaml."""

    noise: int = 100
    generator: tuple[int, ...] = (1200, 1200)
    generator_irange: float = 0.05
    units: tuple[int, ...] = (240, 240)
    pieces: int = 5
    discriminator_irange: float = 0.005
    drop: tuple[float, ...] = (0.2, 0.5, 0.5)
    batch: int = 100
    rate: float = 0.1
    decay: float = 1.000004
    least_rate: float = 1e-6
    momentum: tuple[float, float, int] = (0.5, 0.7, 250)
    """at first, at last, and from which epoch on"""


class Starts:
    """S generators and discriminators; parameters [S, inputs, outputs] and [S, 1, outputs]."""

    def __init__(self, train: Tensor, starts: int, seed: int, recipe: Recipe) -> None:
        """`train` [N, d] in [0, 1], on the device that computes."""
        self.train, self.starts, self.recipe = train, starts, recipe
        self.stream = torch.Generator(train.device).manual_seed(seed)
        d = train.shape[1]
        marginal = train.double().mean(0).clamp(1e-7, 1 - 1e-7)
        self.g = self._layers([recipe.noise, *recipe.generator, d], 1, recipe.generator_irange)
        self.g[-1] = (marginal / (1 - marginal)).log().float().expand(starts, 1, d).clone()
        self.d = self._layers([d, *recipe.units], recipe.pieces, recipe.discriminator_irange)
        self.d += self._layers([recipe.units[-1], 1], 1, recipe.discriminator_irange)
        self.velocities = [torch.zeros_like(p) for p in self.g + self.d]
        for p in self.g + self.d:
            p.requires_grad_()
        self.epoch = self.updates = 0

    def _layers(self, sizes: list[int], pieces: int, irange: float) -> list[Tensor]:
        parameters = []
        for inputs, outputs in itertools.pairwise(sizes):
            parameters += [self._uniform(inputs, pieces * outputs) * irange,
                           torch.zeros(self.starts, 1, pieces * outputs, device=self.train.device)]
        return parameters

    def _uniform(self, *shape: int) -> Tensor:
        """[S, …] from −1 to 1"""
        return 2 * torch.rand(self.starts, *shape, generator=self.stream, device=self.train.device) - 1

    def generate(self, z: Tensor) -> Tensor:
        for i in range(0, len(self.g) - 2, 2):
            z = torch.relu(z @ self.g[i] + self.g[i + 1])
        return torch.sigmoid(z @ self.g[-2] + self.g[-1])

    def discriminate(self, x: Tensor) -> Tensor:
        """Logits [S, n, 1], dropout on."""
        for i, drop in enumerate(self.recipe.drop):
            x = dropout(x, drop) @ self.d[2 * i] + self.d[2 * i + 1]
            if 2 * i + 2 < len(self.d):
                x = x.unflatten(-1, (-1, self.recipe.pieces)).amax(-1)
        return x

    def run_epoch(self) -> tuple[Tensor, Tensor]:
        """D's means on data and on samples, [S] each."""
        first, last, saturates = self.recipe.momentum
        momentum = first + (last - first) * min(1.0, self.epoch / (saturates - 1))
        orders = torch.stack([torch.randperm(len(self.train), generator=self.stream, device=self.train.device)
                              for _ in range(self.starts)])
        on_data, on_samples = [], []
        for rows in orders.split(self.recipe.batch, dim=1):
            real, fake = self._update(rows, momentum)
            on_data.append(real)
            on_samples.append(fake)
        self.epoch += 1
        return tuple(torch.cat(parts, 1).mean((1, 2)) for parts in (on_data, on_samples))  # type: ignore[return-value]

    def _update(self, rows: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
        n = rows.shape[1]
        z = self._uniform(n, self.recipe.noise) * math.sqrt(3)
        logits = self.discriminate(torch.cat([self.train[rows], self.generate(z)], 1))
        real, fake = logits[:, :n], logits[:, n:]
        d_loss = 0.5 * (_loss(real, 1.0) + _loss(fake, 0.0))
        g_loss = _loss(fake, 1.0)
        gradients = [*torch.autograd.grad(g_loss, self.g, retain_graph=True), *torch.autograd.grad(d_loss, self.d)]
        rate = max(self.recipe.least_rate, self.recipe.rate / self.recipe.decay**self.updates)
        with torch.no_grad():
            parameters = self.g + self.d
            torch._foreach_mul_(self.velocities, momentum)
            torch._foreach_add_(self.velocities, gradients, alpha=-rate)
            torch._foreach_add_(parameters, self.velocities)
        self.updates += 1
        return real.detach().sigmoid(), fake.detach().sigmoid()


def _loss(logits: Tensor, label: float) -> Tensor:
    """Cross-entropy [S, n, 1] → the sum over starts of means over examples."""
    labels = torch.full_like(logits, label)
    return binary_cross_entropy_with_logits(logits, labels, reduction="none").mean((1, 2)).sum()


def curves(train: Tensor, starts: int, seed: int, recipe: Recipe, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """After each epoch, D's means on data and on samples."""
    training = Starts(train, starts, seed, recipe)
    for _ in range(epochs):
        yield training.run_epoch()
