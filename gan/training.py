"""Training of adversarial nets: Algorithm 1 of Goodfellow et al. 2014, and the form that was released with it.

**The step.** Let u_i = ∂o_i/∂θ and g_i = ∂o_i/∂x_i be the derivatives of the discriminator's logit for example i. Both
players' gradients are weighted sums of the same derivatives: the discriminator's is Σ a_i·u_i, with a = ∂(D's loss)/∂o,
and what reaches the generator's output i is b_i·g_i, with b = ∂(G's loss)/∂o. So one backward pass through D, of the
logits themselves, serves both: examples are weighted by a where the parameters' gradients are summed, and by b where
the generator's backward pass begins. Nothing is divided by a, which vanishes where D is sure. In the released,
simultaneous form a whole update is one generator pass, one discriminator pass, and one backward pass of each.

**The update** is θ ← θ + v, v ← m·v − lr·∇ (the learning rate inside the velocity), by torch's foreach operations.

**Pretraining**, as the paper's TFD experiment has it, is a game of its own that comes first. Its generator is then the
upper part of a deeper one; its discriminator is thrown away.

**Random streams** (`gan.linear_algebra.random_stream`) are separate for initial weights, data order, and noise with
dropout, and depend on nothing but the seed and the game. `state` holds all of them: training that goes on from a saved
state gives the same bits as training that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from gan import game
from gan.adversarial import Discriminator, Generator, Noise, Shape, flat
from gan.errors import TrainingDiverged
from gan.game import Objective
from gan.linear_algebra import random_stream
from gan.networks import Layer, Network
from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class LearningRate(ParameterBlock):
    """max(minimum, initial / decay^t) after t updates."""

    initial: float
    decay: float
    minimum: float

    def __post_init__(self) -> None:
        require(0 < self.initial < math.inf, f"initial must be finite and above 0, not {self.initial}")
        require(1 <= self.decay < math.inf, f"decay must be finite and at least 1, not {self.decay}")
        require(0 <= self.minimum <= self.initial, f"minimum must be from 0 to initial, not {self.minimum}")

    def after(self, updates: int) -> float:
        if updates * math.log(self.decay) > 700:  # e⁷⁰⁰ is about the largest float
            return self.minimum
        return max(self.minimum, self.initial / self.decay**updates)


@dataclass(frozen=True)
class Momentum(ParameterBlock):
    """Rises linearly from `initial` in epoch 1 to `final` in epoch `saturates` and stays there."""

    initial: float
    final: float
    saturates: int

    def __post_init__(self) -> None:
        require(0 <= self.initial < 1, f"initial must be from 0 to below 1, not {self.initial}")
        require(0 <= self.final < 1, f"final must be from 0 to below 1, not {self.final}")
        require(self.saturates >= 2, f"saturates must be at least 2, not {self.saturates}")

    def during(self, epoch: int) -> float:
        """`epoch` counts from 1."""
        return self.initial + (self.final - self.initial) * min(1.0, (epoch - 1) / (self.saturates - 1))


@dataclass(frozen=True)
class Recipe(ParameterBlock):
    """How the game is played."""

    epochs: int
    batch_size: int
    updates: Literal["simultaneous", "alternating"]
    """`simultaneous`: both players step from the old parameters, on the same samples and dropout masks (the released
    code). `alternating`: `discriminator_steps` steps of D, then one of G, each with fresh noise (Algorithm 1)"""
    discriminator_steps: int
    objective: Objective
    learning_rate: LearningRate
    momentum: Momentum
    average_decay: float
    """of the exponential moving average of G's weights, per update"""
    chosen_epoch: Literal["best_on_validation", "last"] = "best_on_validation"
    """`last` where the paper says how long it trained"""
    maximum_norm: float | None = None
    """of the weights into each unit, or piece of a maxout unit, of both players: projected after every update"""

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be at least 1, not {self.epochs}")
        require(self.batch_size >= 1, f"batch_size must be at least 1, not {self.batch_size}")
        require(self.discriminator_steps >= 1,
                f"discriminator_steps must be at least 1, not {self.discriminator_steps}")
        require(self.updates == "alternating" or self.discriminator_steps == 1,
                f"discriminator_steps must be 1 with simultaneous updates, not {self.discriminator_steps}")
        require(0 <= self.average_decay < 1, f"average_decay must be from 0 to below 1, not {self.average_decay}")
        require(self.maximum_norm is None or 0 < self.maximum_norm < math.inf,
                f"maximum_norm must be finite and above 0, or null, not {self.maximum_norm}")


@dataclass(frozen=True)
class Pretraining(ParameterBlock):
    """The game that comes first, with the same noise."""

    generator: Generator
    discriminator: Discriminator
    recipe: Recipe

    def __post_init__(self) -> None:
        require(self.generator.output is not None, "the generator of pretraining must have an output")


@dataclass(frozen=True)
class AdversarialNets(ParameterBlock):
    """Both players and the rules of their game: an entry `model` of params.yaml."""

    kind: Literal["adversarial_nets"]
    noise: Noise
    generator: Generator
    discriminator: Discriminator
    recipe: Recipe
    pretraining: Pretraining | None = None

    def __post_init__(self) -> None:
        require((self.generator.output is None) == (self.pretraining is not None),
                "generator.output must be null with pretraining, whose generator follows, and only then")
        if self.pretraining is not None:
            units = self.generator.hidden[-1].units if self.generator.hidden else self.noise.dimensions
            require(units == self.noise.dimensions,
                    f"the generator's last hidden layer takes the place of the pretrained one's noise, which has "
                    f"{self.noise.dimensions} dimensions, and must have as many units, not {units}")

    def games(self) -> list[AdversarialNets]:
        """What is trained one after another: pretraining, if any, as a game without pretraining, then this one."""
        first = self.pretraining
        return [self] if first is None else [
            replace(self, generator=first.generator, discriminator=first.discriminator, recipe=first.recipe,
                    pretraining=None), self]


@dataclass(frozen=True)
class EpochStatistics:
    """Means over one epoch's minibatches, in nats where they are losses. D is as trained, dropout on."""

    epoch: int
    discriminator_loss: float
    generator_loss: float
    d_on_data: float
    d_on_samples: float
    learning_rate: float
    momentum: float


# An average that is updated every tenth step with the decay's tenth power differs from one updated at every step by
# less than the weights move in ten steps, and costs a tenth.
_AVERAGE_EVERY = 10


class Training:
    """One game: networks, their velocities, the generator's moving average, the random streams."""

    def __init__(self, nets: AdversarialNets, train: Tensor, seed: int, device: torch.device | str = "cpu",
                 shape: Shape | None = None, pretrained: Sequence[Layer] | None = None) -> None:
        """`train` [N, d] are the training images, of `shape` (C, H, W); they are moved to `device` once.

        `pretrained` are the layers of G that pretraining left; with them goes all of `nets` but `pretraining`.
        ValueError if the networks do not fit the images.
        """
        self.nets, self.recipe, self.device = nets, nets.recipe, torch.device(device)
        self.train = train.to(self.device)
        game = "" if pretrained is None else "on top of pretraining: "
        weights = random_stream(seed, f"{game}initial weights")
        self._order = random_stream(seed, f"{game}order of the data")
        self._noise = random_stream(seed, f"{game}noise and dropout", self.device)
        shape = shape or flat(train)
        self.generator = Network([*nets.generator.build(nets.noise.dimensions, train, shape, weights),
                                  *(pretrained or [])], self.device)
        self.discriminator = nets.discriminator.build(shape, weights, self._noise, self.device)
        self._velocities = {network: [torch.zeros_like(p) for p in network.parameters]
                            for network in (self.generator, self.discriminator)}
        self.average = [p.clone() for p in self.generator.parameters]
        self.epoch = 0
        self.updates = 0

    @torch.no_grad()
    def run_epoch(self) -> EpochStatistics:
        """Every training image once (Algorithm 1: once by each player's updates together), in a new order.

        Raises TrainingDiverged when a loss or a weight is no longer a finite number.
        """
        epoch = self.epoch + 1
        learning_rate, momentum = self.recipe.learning_rate.after(self.updates), self.recipe.momentum.during(epoch)
        order = torch.randperm(len(self.train), generator=self._order).to(self.device)
        logits_on_data, logits_on_samples = [], []
        step = self._simultaneous if self.recipe.updates == "simultaneous" else self._alternating
        for rows in order.split(self.recipe.batch_size):
            on_data, on_samples = step(self.train[rows], momentum)
            logits_on_data.append(on_data)
            logits_on_samples.append(on_samples)
        self.epoch = epoch
        on_data, on_samples = torch.cat(logits_on_data), torch.cat(logits_on_samples)
        statistics = EpochStatistics(
            epoch, float(game.discriminator_loss(on_data, on_samples)),
            float(game.generator_loss(on_samples, self.recipe.objective)),
            float(on_data.sigmoid().mean()), float(on_samples.sigmoid().mean()), learning_rate, momentum)
        self._require_finite(statistics)
        return statistics

    def _simultaneous(self, data: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
        n = len(data)
        samples = self.generator.forward(self.nets.noise.draw(n, self._noise))
        logits = self.discriminator.forward(torch.cat((data, samples)))
        self._differentiate_discriminator(logits, n, samples=n)
        rate = self.recipe.learning_rate.after(self.updates)
        self._move(self.discriminator, rate, momentum)
        self._move(self.generator, rate, momentum)
        self._finish_update()
        return logits[:n], logits[n:]

    def _differentiate_discriminator(self, logits: Tensor, n: int, samples: int) -> None:
        weights = game.discriminator_loss_by_logits(logits, n)
        by_samples = self.discriminator.backward(torch.ones_like(logits), weights, rows=samples)
        if by_samples is not None:
            self.generator.backward(by_samples.mul_(game.generator_loss_by_logits(logits[n:], self.recipe.objective)))

    def _alternating(self, data: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
        """One step of D; after every `discriminator_steps`-th of them one of G."""
        n = len(data)
        rate = self.recipe.learning_rate.after(self.updates)
        samples = self.generator.forward(self.nets.noise.draw(n, self._noise))
        logits = self.discriminator.forward(torch.cat((data, samples)))
        self._differentiate_discriminator(logits, n, samples=0)
        self._move(self.discriminator, rate, momentum)
        if (self.updates + 1) % self.recipe.discriminator_steps == 0:
            on_samples = self.discriminator.forward(
                self.generator.forward(self.nets.noise.draw(n, self._noise)))
            by_logits = game.generator_loss_by_logits(on_samples, self.recipe.objective)
            self.generator.backward(self.discriminator.input_gradient(by_logits))
            self._move(self.generator, rate, momentum)
        self._finish_update()
        return logits[:n], logits[n:]

    def _move(self, network: Network, rate: float, momentum: float) -> None:
        velocities = self._velocities[network]
        torch._foreach_mul_(velocities, momentum)
        torch._foreach_add_(velocities, network.gradients, alpha=-rate)
        torch._foreach_add_(network.parameters, velocities)
        if self.recipe.maximum_norm is not None:
            network.limit_norms(self.recipe.maximum_norm)

    def _finish_update(self) -> None:
        self.updates += 1
        if self.updates % _AVERAGE_EVERY == 0:
            torch._foreach_lerp_(self.average, self.generator.parameters,
                                 1 - self.recipe.average_decay**_AVERAGE_EVERY)

    def _require_finite(self, statistics: EpochStatistics) -> None:
        losses = (statistics.discriminator_loss, statistics.generator_loss)
        sums = torch.stack([p.sum() for p in self.generator.parameters + self.discriminator.parameters])
        if not all(map(math.isfinite, losses)) or not bool(sums.isfinite().all()):
            raise TrainingDiverged(
                statistics.epoch, f"losses {losses[0]} (D), {losses[1]} (G)"
                + ("" if bool(sums.isfinite().all()) else ", and weights that are not finite"),
                "lower learning_rate.initial or momentum.final of this experiment in params.yaml")

    def state(self) -> dict[str, Tensor]:
        """Everything that the next epoch depends on, as tensors on the CPU (copies)."""
        state = {"epoch": torch.tensor(self.epoch), "updates": torch.tensor(self.updates),
                 "stream.order": self._order.get_state(), "stream.noise": self._noise.get_state()}
        for name, tensor in self._tensors().items():
            state[name] = tensor.detach().cpu().clone()
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks."""
        tensors = self._tensors()
        scalars = ("epoch", "updates", "stream.order", "stream.noise")
        if {name: t.shape for name, t in state.items() if name not in scalars} != {
                name: t.shape for name, t in tensors.items()}:
            raise ValueError("the saved state is of other networks")
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch, self.updates = int(state["epoch"]), int(state["updates"])
        self._order.set_state(state["stream.order"])
        self._noise.set_state(state["stream.noise"])

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {}
        for player, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            for i, (parameter, velocity) in enumerate(zip(network.parameters, self._velocities[network], strict=True)):
                tensors[f"{player}.{i}"] = parameter
                tensors[f"velocity.{player}.{i}"] = velocity
        tensors |= {f"average.{i}": parameter for i, parameter in enumerate(self.average)}
        return tensors
