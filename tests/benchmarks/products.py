"""The matrix products of one simultaneous update, alone: what no step can do without."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from gan.adversarial.settings import AdversarialNets
from gan.linear_algebra import product

Factors = tuple[Tensor, Tensor]


class StepProducts:
    """With n images a minibatch and the layers' weights W, of the generator on n rows, of the discriminator on 2n:

    forward x·W; backward xᵀ·δ for each W, and δ·Wᵀ for what lies below it, which is nothing below the generator's first
    layer, and the samples alone, n rows, below the discriminator's first. Factors have the layouts of the step, and are
    different ones for each product. Biases need sums, no products.
    """

    def __init__(self, nets: AdversarialNets, dimensions: int, device: torch.device) -> None:
        n, stream = nets.recipe.batch_size, torch.Generator(device).manual_seed(0)

        def random(*shape: int) -> Tensor:
            return torch.rand(shape, generator=stream, device=device)

        self.pairs: list[Factors] = []
        generator = [nets.noise.dimensions, *(layer.units for layer in nets.generator.hidden), dimensions]
        for i, (inputs, outputs) in enumerate(itertools.pairwise(generator)):
            self._add(random(inputs, outputs), random(n, inputs), random(n, outputs), rows_below=n if i else 0)
        inputs = dimensions
        hidden = [(layer.units, layer.pieces) for layer in nets.discriminator.hidden]
        for i, (units, pieces) in enumerate([*hidden, (1, 1)]):
            self._add(random(inputs, pieces * units), random(2 * n, inputs), random(2 * n, pieces * units),
                      rows_below=2 * n if i else n)
            inputs = units

    def _add(self, weight: Tensor, x: Tensor, delta: Tensor, rows_below: int) -> None:
        self.pairs += [(x, weight), (x.t(), delta)]
        if rows_below:
            self.pairs.append((delta[-rows_below:], weight.t()))

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """(n, k, m) of each product of [n, k] and [k, m]"""
        return [(a.shape[0], a.shape[1], b.shape[1]) for a, b in self.pairs]

    @property
    def operations(self) -> int:
        """Multiplications and additions"""
        return sum(2 * n * k * m for n, k, m in self.shapes)

    @torch.no_grad()
    def run(self, times: int = 1, multiply: Callable[[Tensor, Tensor], object] = product) -> None:
        for _ in range(times):
            for a, b in self.pairs:
                multiply(a, b)
