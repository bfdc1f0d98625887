"""Adversarial training watched update by update, and changes to it: what a collapse is made of, and what undoes it.

G learns from D through a chain of factors: how far its loss still asks for a change (∂loss/∂logit), how steep D is
where the samples lie (∂logit/∂pixel), and how far G's output follows its own weights (∂pixel/∂weight, which for sigmoid
pixels has the factor y(1 − y)). `Reading` has each of them, so that one sees which of them vanishes. Watching changes
no bit of the training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gan.adversarial import game
from gan.adversarial.layers import Dense, Layer, Network, activation_delta
from gan.adversarial.networks import draw_noise
from gan.adversarial.settings import AdversarialNets, Shape
from gan.adversarial.training import Training

Player = Literal["discriminator", "generator"]


@dataclass(frozen=True)
class Reading:
    """One update, of its minibatch and before its step."""

    update: int
    """counted from 1"""
    d_on_data: float
    d_on_samples: float
    asked: float
    """mean |∂(G's loss)/∂o|, for each sample: 1 − D(G(z)) under the non-saturating loss; at most 1"""
    slope_of_d: float
    """mean over samples of the norm of ∂o/∂x"""
    slope_of_output: float
    """mean over samples and pixels of ∂(pixel)/∂(its affine sum): of a sigmoid y(1 − y), at most ¼"""
    gradient_of_g: float
    """norm of the gradient of G's loss by all of G's parameters"""
    variety: float
    """mean over pixels of their standard deviation over the minibatch's samples"""
    dead: tuple[float, ...]
    """of each hidden layer of G, the share of units that are 0 on the whole minibatch"""


class Watched(Training):
    """One seed on a CPU, with a reading every so many updates. ValueError where G's layers are not all dense."""

    def __init__(self, nets: AdversarialNets, train: Tensor, seed: int, shape: Shape | None = None, every: int = 1
                 ) -> None:
        if nets.condition is not None:
            raise ValueError("only nets without a condition can be watched")
        super().__init__(nets, train, seed, "cpu", shape)
        if not all(isinstance(layer, Dense) for layer in self.generator.layers):
            raise ValueError("only generators of dense layers can be watched")
        self.every, self._shape = every, shape
        self.readings: list[Reading] = []
        self._held: tuple[Network, int] | None = None  # who does not step before which update
        self._row: dict[str, Any] | None = None

    def hold(self, player: Player, updates: int) -> None:
        """The player makes no step in the next updates; the other goes on."""
        self._held = self.discriminator if player == "discriminator" else self.generator, self.updates + updates

    def update(self, rows: Tensor, rate: float | Tensor, momentum: float, moves_generator: bool) -> Tensor:
        self._rate = float(rate)
        watched = (self.updates + 1) % self.every == 0
        self._row = {"update": self.updates + 1, "squares": 0.0} if watched else None
        logits = super().update(rows, rate, momentum, moves_generator)
        if self._row is not None:
            self._finish(logits, rows.shape[-1])
        return logits

    def _step(self, network: Network, gradient: Tensor, momentum: float, weights: Tensor | None = None,
              rows: int = 0, penalties: Tensor | None = None) -> Tensor | None:
        if self._held is not None and self._held[0] is network and self.updates < self._held[1]:
            below = network.backward(gradient, weights, rows)
            for layer in network.layers:
                layer.gradients = []
        else:
            below = super()._step(network, gradient, momentum, weights, rows, penalties)
        if self._row is not None and below is not None:
            self._row["slope_of_d"] = float(below.norm(dim=1).mean())
        return below

    def _move(self, layers: Sequence[Layer], momentum: float) -> None:
        if self._row is not None:
            self._row["squares"] += sum(float(gradient.square().sum()) for layer in layers
                                        if layer in self.generator.layers for gradient in layer.gradients)
        super()._move(layers, momentum)

    def _finish(self, logits: Tensor, n: int) -> None:
        row, objective = self._row or {}, self.recipe.objective
        on_data, on_samples = game.chances(logits[:n], logits[n:], objective)
        asked = game.generator_logit_gradient(logits[n:], objective, logits[:n]).abs().sum()
        hidden, output = self._activations()
        last = self.generator.layers[-1]
        assert isinstance(last, Dense)
        self.readings.append(Reading(
            row["update"], float(on_data.mean()), float(on_samples.mean()), float(asked),
            row.get("slope_of_d", math.nan),
            float(activation_delta(torch.ones_like(output), output, last.activation).mean()),
            math.sqrt(row["squares"]) / (self._rate * self.recipe.generator_rate), float(output.std(0).mean()),
            tuple(float((each <= 0).all(0).double().mean()) for each in hidden)))

    def _activations(self) -> tuple[list[Tensor], Tensor]:
        """What G's layers gave in the last forward pass."""
        *hidden, output = [layer.output for layer in self.generator.layers if isinstance(layer, Dense)]
        return hidden, output

    # Changes, between two epochs.

    def soften_output(self, factor: float) -> None:
        """G's output layer, weights and biases, times `factor`: sigmoids that were at 0 or 1 come back from there."""
        last = self.generator.layers[-1]
        for tensor in (*last.parameters, *self._velocities[last]):
            tensor.mul_(factor)

    def begin_discriminator_anew(self) -> None:
        """D with its initial weights and no velocity; noise and order go on."""
        fresh = Training(self.nets, self.train, self.seeds[0], "cpu", self._shape)
        for vector, initial_vector in zip(self.discriminator.vectors, fresh.discriminator.vectors, strict=True):
            vector.copy_(initial_vector)
        for own, initial in zip(self.discriminator.layers, fresh.discriminator.layers, strict=True):
            for parameter, value in zip(own.parameters, initial.parameters, strict=True):
                parameter.copy_(value)
            for velocity in self._velocities[own]:
                velocity.zero_()

    def revive(self, stream: torch.Generator) -> int:
        """Draw the weights into every hidden unit of G anew that is 0 for a whole minibatch of noise, as at the start,
        with biases of 0; returns how many there were."""
        self.generator.forward(draw_noise(self.nets.noise, self.recipe.batch_size, stream))
        revived = 0
        for layer, settings, values in zip(self.generator.layers[:-1], self.nets.generator.hidden,
                                           self._activations()[0], strict=True):
            dead = (values <= 0).all(0)
            weight, bias = layer.parameters
            weight[:, dead] = torch.empty(len(weight), int(dead.sum())).uniform_(-settings.irange, settings.irange,
                                                                                 generator=stream)
            bias[dead] = settings.bias
            for velocity in self._velocities[layer]:
                velocity[..., dead] = 0
            revived += int(dead.sum())
        return revived
