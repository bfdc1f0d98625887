"""The released recipe with one thing changed, for its share in how often a start collapses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.adversarial.layers import Dense, Maxout, Network, SpectralNorm
from gan.adversarial.settings import AdversarialNets, GradientPenalty, Objective
from gan.adversarial.training import Training
from pipeline.bare.workload import with_recipe

MAXIMUM_NORM = 1.9365
"""of the recipe's older ancestors, on every layer of both nets"""

RELEASED_SEEDS = {"weights": [2013, 1, 4], "order": [2012, 10, 5]}
"""pylearn2's defaults, from which every released run starts: of each network's weights, and of the order of the data"""


class WithoutHalf(Training):
    """D's loss as the paper's equation has it: twice the released code's."""

    def _discriminator_gradient(self, logits: Tensor, n: int) -> Tensor:
        return super()._discriminator_gradient(logits, n).mul_(2)


class InFloat64(Training):
    """Weights, velocities and all sums in float64, from the same initial weights, noise and masks."""

    def __init__(self, nets: AdversarialNets, train: Tensor, *others: Any, **more: Any) -> None:
        super().__init__(nets, train.double(), *others, **more)
        for network in (self.generator, self.discriminator):
            for layer in network.layers:
                layer.parameters[:] = [parameter.double() for parameter in layer.parameters]
                self._velocities[layer] = [torch.zeros_like(parameter) for parameter in layer.parameters]
                if isinstance(layer, SpectralNorm):
                    layer.u = layer.u.double()
        self.average = [parameter.clone() for parameter in self.generator.parameters]
        self.logits = self.logits.double()

    def _draw_noise(self, n: int) -> Tensor:
        return super()._draw_noise(n).double()


class ReleasedStart(Training):
    """The weights and the orders of the data of the released code itself; noise and masks by each seed.

    The generators are NumPy's, drawn from as pylearn2 does. Such a training is not resumed: its state lacks the
    generator of the orders.
    """

    def __init__(self, nets: AdversarialNets, train: Tensor, *others: Any, **more: Any) -> None:
        super().__init__(nets, train, *others, **more)
        generator, discriminator = nets.generator, nets.discriminator
        _put(self.generator, [*(layer.irange for layer in generator.hidden),
                              generator.output.irange if generator.output else None])
        _put(self.discriminator, [*(layer.irange for layer in discriminator.hidden), discriminator.output.irange])
        self.average = [parameter.clone() for parameter in self.generator.parameters]
        self._released_orders = np.random.RandomState(RELEASED_SEEDS["order"])

    def _draw_orders(self) -> Tensor:
        order = np.arange(len(self.train))
        self._released_orders.shuffle(order)
        return torch.from_numpy(order).expand(len(self.seeds), -1)


def _put(network: Network, iranges: Sequence[float | None]) -> None:
    weights = released_weights([layer for layer in network.layers if isinstance(layer, Dense | Maxout | SpectralNorm)],
                               iranges)
    for parameter, weight in weights:
        parameter.copy_(weight)


def released_weights(layers: Sequence[Dense | Maxout | SpectralNorm], iranges: Sequence[float | None]
                     ) -> Iterator[tuple[Tensor, Tensor]]:
    """The weights of each layer of one network, and what pylearn2 would start them with, [inputs, outputs] in float32.

    It draws a second number for each weight, by which a connection could be left out; none is. A maxout unit's pieces
    lie side by side there.
    """
    stream = np.random.RandomState(RELEASED_SEEDS["weights"])
    for layer, irange in zip(layers, iranges, strict=True):
        if irange is None:
            raise ValueError("the released weights are uniform ones")
        parameter = layer.parameters[0]
        shape = parameter.shape[-2:]
        drawn = torch.from_numpy(stream.uniform(-irange, irange, tuple(shape))).float()
        stream.uniform(0.0, 1.0, tuple(shape))
        if isinstance(layer, SpectralNorm):
            layer = layer.layer
        if isinstance(layer, Maxout):
            drawn = drawn.unflatten(1, (layer.units, layer.pieces)).mT.flatten(1)
        yield parameter, drawn


PENALTY = 0.1
"""of R1 and R2 in the variants: γ, by validation among .05 to 10"""


def in_step(nets: AdversarialNets) -> dict[str, tuple[str, AdversarialNets]]:
    """Ways to keep the players in step (section 7 of the paper, 5), each alone, whatever the nets themselves have."""
    plain = with_recipe(
        _without_spectral_norm(nets), updates="simultaneous", discriminator_steps=1, generator_rate=1.0, penalty=None,
        objective=Objective.NON_SATURATING, maximum_norm=None)
    both = GradientPenalty(PENALTY, "data_and_samples")
    normed = dataclasses.replace(plain, discriminator=dataclasses.replace(plain.discriminator, spectral_norm=True))
    return {
        "plain": ("nothing that keeps the players in step", plain),
        "two_steps": ("two steps of D for one of G", with_recipe(plain, updates="alternating", discriminator_steps=2)),
        "two_rates": ("G at twice the rate of D", with_recipe(plain, generator_rate=2.0)),
        "r1": (f"R1 with γ = {PENALTY}", with_recipe(plain, penalty=GradientPenalty(PENALTY, "data"))),
        "relativistic": ("relativistic loss", with_recipe(plain, objective=Objective.RELATIVISTIC)),
        "r3": (f"R3GAN: relativistic loss, R1 and R2 with γ = {PENALTY}",
               with_recipe(plain, objective=Objective.RELATIVISTIC, penalty=both)),
        "spectral_norm": ("spectral norm of D", normed)}


def _without_spectral_norm(nets: AdversarialNets) -> AdversarialNets:
    return dataclasses.replace(nets, discriminator=dataclasses.replace(nets.discriminator, spectral_norm=False))


def variants(nets: AdversarialNets) -> dict[str, tuple[str, AdversarialNets, type[Training]]]:
    """By the word for it on the command line: what is changed, the settings, and what trains them."""
    normal = dataclasses.replace(nets, noise=dataclasses.replace(nets.noise, distribution="normal"))
    return {
        "released_start": ("the released code’s own initial weights and orders", nets, ReleasedStart),
        "normal_noise": ("N(0, 1) noise", normal, Training),
        "norms": (f"column norms {MAXIMUM_NORM}", with_recipe(
            _without_spectral_norm(nets), maximum_norm=MAXIMUM_NORM), Training),
        "alternating": ("alternating updates", with_recipe(nets, updates="alternating"), Training),
        "without_half": ("D’s loss without the ½", nets, WithoutHalf),
        "float64": ("float64", nets, InFloat64),
        "tf32": ("tf32", with_recipe(nets, precision="tf32"), Training),
        **{key: (*each, Training) for key, each in in_step(nets).items()},
    }
