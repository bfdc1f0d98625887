"""Small networks of many independent runs, computed as one: as many seeds as wanted for little more than one.

A run's parameters are one row of a tensor [runs, P], and whatever a network reads or gives is [runs, n, d]. Every run
draws its weights and its noise from streams of its own, so that no seed's result depends on which others run.
Everything is plain torch, so that automatic differentiation goes through it, and through Adam's steps as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from gan.linear_algebra import random_stream

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu, "tanh": torch.tanh, "leaky_relu": lambda x: leaky_relu(x, 0.2)}


@dataclass(frozen=True)
class Mlp:
    """A multilayer perceptron sizes[0] → … → sizes[-1], linear at its output."""

    sizes: tuple[int, ...]
    activation: str

    @property
    def shapes(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise(self.sizes))

    def initial(self, seeds: Sequence[int], purpose: str) -> Tensor:
        """[runs, P]: weights and biases uniform(−1/√inputs, 1/√inputs), one run for each of `seeds`."""
        return torch.stack([self._initial(random_stream(seed, f"{purpose} weights")) for seed in seeds])

    def _initial(self, stream: torch.Generator) -> Tensor:
        return torch.cat([torch.empty((inputs + 1) * outputs).uniform_(-1, 1, generator=stream) / math.sqrt(inputs)
                          for inputs, outputs in self.shapes])

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's weight [runs, inputs, outputs] and bias [runs, 1, outputs], views of `theta` [runs, P]."""
        sizes = [part for inputs, outputs in self.shapes for part in (inputs * outputs, outputs)]
        parts = theta.split(sizes, dim=1)
        return [(weight.view(-1, *shape), bias.unsqueeze(1))
                for weight, bias, shape in zip(parts[::2], parts[1::2], self.shapes, strict=True)]

    def hidden(self, theta: Tensor, x: Tensor) -> Tensor:
        """The last hidden layer's values [runs, n, sizes[-2]] for x [runs, n, sizes[0]]."""
        for weight, bias in self.layers(theta)[:-1]:
            x = ACTIVATIONS[self.activation](torch.baddbmm(bias, x, weight))
        return x

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """[runs, n, sizes[0]] → [runs, n, sizes[-1]]"""
        weight, bias = self.layers(theta)[-1]
        return torch.baddbmm(bias, self.hidden(theta, x), weight)


class Discriminator(Protocol):
    """What the games ask of D: an `Mlp`, or a network with more in it."""

    def initial(self, seeds: Sequence[int], purpose: str) -> Tensor: ...

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor: ...


class Noise:
    """Random numbers [runs, n, d], each run's from a stream of its own."""

    def __init__(self, seeds: Sequence[int], purpose: str) -> None:
        self._streams = [random_stream(seed, purpose) for seed in seeds]

    def normal(self, n: int, d: int) -> Tensor:
        return torch.stack([torch.randn(n, d, generator=stream) for stream in self._streams])

    def uniform(self, n: int, d: int) -> Tensor:
        """uniform(−1, 1)"""
        return torch.stack([torch.rand(n, d, generator=stream) for stream in self._streams]).mul_(2).sub_(1)

    def integers(self, below: int, n: int) -> Tensor:
        """int64 [runs, n]"""
        return torch.stack([torch.randint(below, (n,), generator=stream) for stream in self._streams])


@dataclass(frozen=True)
class Adam:
    """Kingma and Ba 2015. Steps make new tensors, and may be differentiated through."""

    learning_rate: float
    beta1: float = 0.5
    beta2: float = 0.999

    def start(self, theta: Tensor) -> Moments:
        return Moments(torch.zeros_like(theta), torch.zeros_like(theta), 0)

    def step(self, theta: Tensor, gradient: Tensor, moments: Moments, scale: float = 1.0) -> tuple[Tensor, Moments]:
        """θ and moments after a step down `gradient`; `scale` multiplies the learning rate."""
        steps = moments.steps + 1
        mean = self.beta1 * moments.mean + (1 - self.beta1) * gradient
        square = self.beta2 * moments.square + (1 - self.beta2) * gradient * gradient
        rate = scale * self.learning_rate * math.sqrt(1 - self.beta2 ** steps) / (1 - self.beta1 ** steps)
        # ε² inside the root: outside, the derivative at 0 is infinite.
        return theta - rate * mean * (square + 1e-16).rsqrt(), Moments(mean, square, steps)


@dataclass(frozen=True)
class Moments:
    """Adam's running means of the gradient and of its square."""

    mean: Tensor
    square: Tensor
    steps: int


def falling(step: int, steps: int) -> float:
    """What a learning rate is multiplied by: 1 in the first half of the steps, then less and less, in a line to 0."""
    return min(1.0, 2 * (1 - step / steps))


def gradient(loss: Tensor, theta: Tensor, through: bool = False) -> Tensor:
    """∂loss/∂theta; `through` keeps the graph, for derivatives of it."""
    return torch.autograd.grad(loss, theta, create_graph=through)[0]
