"""Stacked contractive autoencoders (Rifai, Vincent, Muller, Glorot, Bengio 2011), and the chain that samples from them
(Rifai, Bengio, Dauphin, Vincent 2012; stacked as in Bengio, Mesnil, Dauphin, Rifai 2013).

**A layer** encodes x [d] as h = σ(x·W + b) and decodes r = σ(h·Wᵀ + c). Its loss is the cross-entropy of x under r,
summed over inputs, plus α·‖J‖²_F, where J_ji = ∂h_j/∂x_i. With s = h·(1 − h), the derivative of σ, J_ji = s_j·W_ij, so

    ‖J‖²_F = Σ_j s_j²·w_j,    w_j = Σ_i W_ij²

costs no matrix product. Its derivative with respect to W is 2·s_j²·W_ij, and with respect to the input a of σ, since
∂s/∂a = s·(1 − 2h),

    ∂‖J‖²_F / ∂a_j = 2·s_j²·(1 − 2h_j)·w_j.

**Stacking.** Each layer is trained on the codes of the finished one below, which are in [0, 1] as pixels are.

**The chain** of the top layer: h ← f(x), h ← h + J·Jᵀ·ε with ε ~ N(0, σ²I), x ← g(h). The noise lies in the directions
in which the code varies. J·Jᵀ·ε = s ∘ (((ε ∘ s)·Wᵀ)·W): two products, and no J. With layers below, x is their code, and
each state is decoded down to pixels to be read.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan.baselines.activations import cross_entropy_
from gan.baselines.chains import VARIANTS, draw, sampling
from gan.baselines.minibatches import Minibatches
from gan.baselines.settings import StackedCAE
from gan.linear_algebra import affine, product, random_stream

_IMAGES_PER_BLOCK = 1000


@dataclass(frozen=True)
class Autoencoder:
    """One layer's parameters: W [d, units], b [units], c [d]."""

    W: Tensor
    b: Tensor
    c: Tensor

    def encode(self, x: Tensor) -> Tensor:
        return affine(x, self.W, self.b).sigmoid_()

    def decode(self, h: Tensor) -> Tensor:
        return affine(h, self.W.t(), self.c).sigmoid_()

    def along_the_code(self, h: Tensor, epsilon: Tensor) -> Tensor:
        """J·Jᵀ·ε at the inputs with codes h [n, units]."""
        slope = h * (1 - h)
        return product(product(epsilon * slope, self.W.t()), self.W).mul_(slope)

    def step(self, x: Tensor, noise: float, stream: torch.Generator) -> Tensor:
        """The chain's next x."""
        h = self.encode(x)
        epsilon = torch.empty_like(h).normal_(0, noise, generator=stream)
        return self.decode(h + self.along_the_code(h, epsilon))


@dataclass(frozen=True)
class Losses:
    """Means over a minibatch, before the update: scalars."""

    cross_entropy: Tensor
    contraction: Tensor
    """‖J‖²_F"""


def update(layer: Autoencoder, x: Tensor, contraction: float, rate: float) -> Losses:
    """One step of gradient descent on the inputs x [n, d]."""
    n = len(x)
    h = layer.encode(x)
    logits = affine(h, layer.W.t(), layer.c)
    mean = logits.sigmoid()
    cross_entropy = cross_entropy_(x, logits, mean) / n
    delta_r = mean.sub_(x).div_(n)
    slope = torch.addcmul(h, h, h, value=-1)
    squared = slope.square()
    norms = layer.W.square().sum(0)
    norm_gradient = squared.mean(0)  # ∂‖J‖²/∂w_j
    delta_h = product(delta_r, layer.W).mul_(slope)
    delta_h.addcmul_(squared.mul_(norms * (2 * contraction / n)), torch.rsub(h, 1, alpha=2))
    layer.b.sub_(delta_h.sum(0), alpha=rate)
    # −rate·(xᵀ·δh + δrᵀ·h) as one product of [x; δr] and [δh; h]
    step = product(torch.cat((x, delta_r)).t(), torch.cat((delta_h, h)).mul_(-rate))
    torch.addcmul(step, layer.W, 1 - 2 * rate * contraction * norm_gradient, out=layer.W)
    layer.c.sub_(delta_r.sum(0), alpha=rate)
    return Losses(cross_entropy, (norm_gradient * norms).sum())


class StackedCAEModel:
    """Stacked contractive autoencoders as a `gan.model.Model`."""

    variants: ClassVar[tuple[str, ...]] = VARIANTS

    def __init__(self, settings: StackedCAE, train: Tensor, seed: int, device: torch.device) -> None:
        self.settings, self.epoch, self.epochs = settings, 0, sum(layer.epochs for layer in settings.layers)
        self.selects_epoch = settings.chosen_epoch == "best_on_validation"
        self._train = train.to(device)
        first = torch.randperm(len(train), generator=random_stream(seed, "starts of chains"))[:settings.starts]
        self._starts = self._train[first.to(device)]
        initial = random_stream(seed, "initial weights")
        self.layers, inputs = [], train.shape[1]
        for layer in settings.layers:
            bound = 4 * math.sqrt(6 / (inputs + layer.units))
            W = torch.empty(inputs, layer.units).uniform_(-bound, bound, generator=initial).to(device)
            self.layers.append(Autoencoder(W, W.new_zeros(layer.units), W.new_zeros(inputs)))
            inputs = layer.units
        self._codes: tuple[int, Tensor] = (0, self._train)  # of the layer with this number, what it is trained on
        self._minibatches = Minibatches(len(train), settings.batch_size, random_stream(seed, "order of the data"))

    def _trained_in(self, epoch: int) -> int:
        """Which layer epoch `epoch`, counted from 1, is of."""
        ends = itertools.accumulate(layer.epochs for layer in self.settings.layers)
        return next((i for i, end in enumerate(ends) if epoch <= end), len(self.layers) - 1)

    @property
    def can_be_scored(self) -> bool:
        """Chains need the top layer, and are long: an epoch that cannot be chosen is not scored."""
        return self._trained_in(self.epoch) == len(self.layers) - 1 if self.selects_epoch else self.epoch == self.epochs

    def _inputs(self, layer: int) -> Tensor:
        """The codes [N, d] that a layer is trained on; those below are finished, so they are computed once."""
        if self._codes[0] != layer:
            blocks = self._train.split(_IMAGES_PER_BLOCK)
            self._codes = layer, torch.cat([encode(self.layers[:layer], block) for block in blocks])
        return self._codes[1]

    @torch.no_grad()
    def fit_epoch(self, between_updates: Callable[[], None] = lambda: None) -> Mapping[str, float | str]:
        """The loss, in nats an image, is before each update."""
        number = self._trained_in(self.epoch + 1)
        settings, layer, inputs = self.settings.layers[number], self.layers[number], self._inputs(number)

        def step(rows: Tensor) -> Tensor:
            x = inputs.index_select(0, rows.to(inputs.device))
            losses = update(layer, x, settings.contraction, settings.learning_rate)
            return torch.stack((losses.cross_entropy, losses.contraction)) * len(rows)

        cross_entropy, contraction = self._minibatches.run_epoch(self.epoch + 1, step, between_updates)
        self.epoch += 1
        return {"cross_entropy": cross_entropy, "squared_jacobian_norm": contraction, "layer": f"layer {number + 1}"}

    def weights(self, variant: str) -> dict[str, Tensor]:
        return self._parameters() | sampling(variant, self.settings.burn_in, self._starts)

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """n of the chain's states, decoded to pixels [n, d]."""
        weights = {name: tensor.to(stream.device) for name, tensor in weights.items()}
        layers = [Autoencoder(*(weights[f"{i}.{name}"] for name in "Wbc")) for i in range(len(self.layers))]
        below, top = layers[:-1], layers[-1]
        return draw(weights, n, lambda images: encode(below, images),
                    lambda states: top.step(states, self.settings.noise, stream), lambda states: decode(below, states))

    def _parameters(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": getattr(layer, name) for i, layer in enumerate(self.layers) for name in "Wbc"}

    def state(self) -> dict[str, Tensor]:
        state = {name: tensor.detach().cpu().clone() for name, tensor in self._parameters().items()}
        return state | {"epoch": torch.tensor(self.epoch)} | self._minibatches.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other layers."""
        tensors = self._parameters()
        if any(name not in state or state[name].shape != tensor.shape for name, tensor in tensors.items()):
            raise ValueError("the saved state is of other layers")
        self._minibatches.restore(state)
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch = int(state["epoch"])
        self._codes = 0, self._train


def encode(layers: list[Autoencoder], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer.encode(x)
    return x


def decode(layers: list[Autoencoder], h: Tensor) -> Tensor:
    for layer in reversed(layers):
        h = layer.decode(h)
    return h
