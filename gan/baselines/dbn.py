"""Deep belief nets (Hinton, Osindero, Teh 2006): restricted Boltzmann machines trained one upon the other, and samples
by Gibbs sampling in the top one (as Bengio, Mesnil, Dauphin, Rifai 2013 drew the paper's).

**An RBM** of visible v [d] and hidden h ∈ {0, 1}^m has the energy E(v, h) = −v·W·h − b·v − c·h, so that

    p(h_j = 1 | v) = σ(c + v·W)_j,    p(v_i = 1 | h) = σ(b + W·h)_i,
    F(v) = −log Σ_h exp(−E) = −b·v − Σ_j log(1 + exp(c + v·W)_j).

With Gaussian visible units −b·v becomes ‖v − b‖²/2 and v | h ~ N(b + W·h, 1): pixels are standardised by their mean and
standard deviation over the training images.

**Learning** climbs log p(v), whose gradient is E_data[∂(−F)] − E_model[∂(−F)], ∂(−F)/∂W = vᵀ·p(h = 1 | v). The second
mean is taken at the ends of k Gibbs steps: from the data (contrastive divergence, CD-k, Hinton 2002), or from where the
last update left them (persistent chains, PCD, Tieleman 2008).

**Stacking.** Each RBM is trained on the hidden probabilities of the finished one below.

**Sampling.** The state is the top hidden layer: h → v → h by one Gibbs step. It is read by a stochastic pass down, at
the end of which stand means in place of draws: E[pixels | hidden].
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from gan.baselines.activations import softplus_
from gan.baselines.chains import VARIANTS, bernoulli, draw, sampling
from gan.baselines.minibatches import Minibatches
from gan.baselines.settings import BoltzmannLayer, DeepBeliefNet
from gan.linear_algebra import affine, product, random_stream

_IMAGES_PER_BLOCK = 1000
_INITIAL_DEVIATION = 0.01  # of weights: Hinton 2010, "A practical guide to training RBMs", section 8
_MINIBATCHES_PER_GAP = 10  # the free-energy gap is measured on every tenth: on each it would take 1/20 of the time
_SMALLEST_DEVIATION = 0.01  # that a pixel is divided by: one that hardly varies stays near its mean


@dataclass(frozen=True)
class RBM:
    """One layer's parameters: W [d, m], b [d], c [m]."""

    W: Tensor
    b: Tensor
    c: Tensor
    gaussian: bool = False

    def hidden_probability(self, v: Tensor) -> Tensor:
        return affine(v, self.W, self.c).sigmoid_()

    def visible_mean(self, h: Tensor) -> Tensor:
        """Of Bernoulli units, the probability of 1."""
        mean = affine(h, self.W.t(), self.b)
        return mean if self.gaussian else mean.sigmoid_()

    def draw_hidden(self, v: Tensor, stream: torch.Generator) -> Tensor:
        return bernoulli(self.hidden_probability(v), stream)

    def draw_visible(self, h: Tensor, stream: torch.Generator) -> Tensor:
        mean = self.visible_mean(h)
        if self.gaussian:
            return mean.add_(torch.empty_like(mean).normal_(generator=stream))
        return bernoulli(mean, stream)

    def gibbs(self, h: Tensor, stream: torch.Generator) -> Tensor:
        """The next hidden state."""
        return self.draw_hidden(self.draw_visible(h, stream), stream)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) in nats, without log Z: [n]"""
        inputs = affine(v, self.W, self.c)
        return self._free_energy(v, inputs, inputs.sigmoid())

    def _free_energy(self, v: Tensor, inputs: Tensor, probability: Tensor) -> Tensor:
        """It overwrites the hidden units' inputs."""
        visible = (v - self.b).square().sum(1).div(2) if self.gaussian else -(v @ self.b)
        return visible - softplus_(inputs, probability).sum(1)


@dataclass(frozen=True)
class Velocity:
    W: Tensor
    b: Tensor
    c: Tensor


def update(rbm: RBM, velocity: Velocity, v: Tensor, chains: Tensor | None, settings: BoltzmannLayer,
           stream: torch.Generator, measures_gap: bool = True) -> tuple[Tensor, Tensor]:
    """One step on the inputs v [n, d], in place, down the gradient of −log p; `chains` [k, m] for PCD, None for CD.

    Returns the free-energy gap before the step, mean F(v) less mean F at the chains' ends, a scalar, 0 unless
    `measures_gap`; and the chains' hidden states after it.
    """
    n, k = len(v), len(v) if chains is None else len(chains)
    inputs = affine(v, rbm.W, rbm.c)
    phases = inputs.new_empty(n + k, inputs.shape[1])
    positive, negative = phases[:n], phases[n:]
    torch.sigmoid(inputs, out=positive)
    h = bernoulli(positive, stream) if chains is None else chains
    for _ in range(settings.gibbs_steps - 1):
        h = rbm.gibbs(h, stream)
    ends = rbm.draw_visible(h, stream)
    inputs_at_ends = affine(ends, rbm.W, rbm.c)
    torch.sigmoid(inputs_at_ends, out=negative)
    gap = (rbm._free_energy(v, inputs, positive).mean() - rbm._free_energy(ends, inputs_at_ends, negative).mean()
           if measures_gap else v.new_zeros(()))
    h = bernoulli(negative, stream) if chains is not None else h
    # −[v; ends]ᵀ·[p/n; −q/k] in one product
    positive.div_(-n)
    negative.div_(k)
    _descend(rbm.W, velocity.W, product(torch.cat((v, ends)).t(), phases), settings, settings.weight_decay)
    _descend(rbm.b, velocity.b, ends.mean(0) - v.mean(0), settings)
    _descend(rbm.c, velocity.c, phases.sum(0), settings)
    return gap, h


def _descend(parameter: Tensor, velocity: Tensor, gradient: Tensor, settings: BoltzmannLayer,
             weight_decay: float = 0.0) -> None:
    """v ← m·v + gradient + decay·θ, θ ← θ − rate·v"""
    m, rate = settings.momentum, settings.learning_rate
    if m > 0 and parameter.is_cpu:  # one pass over memory instead of four; the kernel knows no momentum of 0
        torch._fused_sgd_([parameter], [gradient], [velocity], weight_decay=weight_decay, momentum=m, lr=rate,
                          dampening=0.0, nesterov=False, maximize=False, is_first_step=False)
    else:
        velocity.mul_(m).add_(gradient).add_(parameter, alpha=weight_decay)
        parameter.sub_(velocity, alpha=rate)


class DeepBeliefNetModel:
    """A deep belief net as a `gan.model.Model`."""

    variants: ClassVar[tuple[str, ...]] = VARIANTS

    def __init__(self, settings: DeepBeliefNet, train: Tensor, seed: int, device: torch.device) -> None:
        self.settings, self.epoch, self.epochs = settings, 0, sum(layer.epochs for layer in settings.layers)
        self.selects_epoch = settings.chosen_epoch == "best_on_validation"
        self._stream = random_stream(seed, "Gibbs steps", device)
        first = torch.randperm(len(train), generator=random_stream(seed, "starts of chains"))[:settings.starts]
        images = train.to(device)
        self._starts = images[first.to(device)]
        gaussian = settings.visible == "gaussian"
        self.shift = images.mean(0) if gaussian else images.new_zeros(images.shape[1])
        self.scale = images.std(0).clamp_(min=_SMALLEST_DEVIATION) if gaussian else torch.ones_like(self.shift)
        self._train = (images - self.shift) / self.scale if gaussian else images
        initial = random_stream(seed, "initial weights")
        self.layers: list[RBM] = []
        inputs = train.shape[1]
        for i, layer in enumerate(settings.layers):
            W = torch.empty(inputs, layer.units).normal_(0, _INITIAL_DEVIATION, generator=initial).to(device)
            self.layers.append(RBM(W, W.new_zeros(inputs), W.new_zeros(layer.units), gaussian and i == 0))
            inputs = layer.units
        if not gaussian:  # the bias that alone gives each pixel its mean (Hinton 2010, section 8.1)
            self.layers[0].b.copy_(images.mean(0).clamp_(1 / len(images), 1 - 1 / len(images)).logit())
        self._chains: Tensor | None = None
        self._inputs: tuple[int, Tensor] = (0, self._train)  # of the layer with this number, what it is trained on
        self._velocities = [Velocity(*map(torch.zeros_like, (rbm.W, rbm.b, rbm.c))) for rbm in self.layers]
        self._minibatches = Minibatches(len(train), settings.batch_size, random_stream(seed, "order of the data"))

    def _trained_in(self, epoch: int) -> int:
        """Which layer epoch `epoch`, counted from 1, is of."""
        ends = itertools.accumulate(layer.epochs for layer in self.settings.layers)
        return next((i for i, end in enumerate(ends) if epoch <= end), len(self.layers) - 1)

    @property
    def can_be_scored(self) -> bool:
        """Chains need the top layer, and are long: an epoch that cannot be chosen is not scored."""
        return self._trained_in(self.epoch) == len(self.layers) - 1 if self.selects_epoch else self.epoch == self.epochs

    def _inputs_of(self, layer: int) -> Tensor:
        """[N, d] that a layer is trained on; the layers below are finished, so it is computed once."""
        if self._inputs[0] != layer:
            blocks = self._train.split(_IMAGES_PER_BLOCK)
            self._inputs = layer, torch.cat([up(self.layers[:layer], block) for block in blocks])
        return self._inputs[1]

    @torch.no_grad()
    def fit_epoch(self, between_updates: Callable[[], None] = lambda: None) -> Mapping[str, float | str]:
        """The mean of F over the images less that over the chains' ends, in nats, before every tenth update."""
        number = self._trained_in(self.epoch + 1)
        settings, rbm, inputs = self.settings.layers[number], self.layers[number], self._inputs_of(number)
        done = self.epoch - sum(layer.epochs for layer in self.settings.layers[:number])
        settings = replace(settings, learning_rate=settings.learning_rate * (1 - done / settings.epochs))

        def step(rows: Tensor) -> Tensor:
            v = inputs.index_select(0, rows.to(inputs.device))
            if settings.persistent and self._chains is None:  # as many as a minibatch has images
                self._chains = rbm.draw_hidden(v, self._stream)
            measures_gap = self._minibatches.number % _MINIBATCHES_PER_GAP == 0
            gap, ends = update(rbm, self._velocities[number], v, self._chains, settings, self._stream, measures_gap)
            self._chains = ends if settings.persistent else None
            return torch.stack((gap, torch.full_like(gap, measures_gap))) * len(v)

        mean_gap, measured_share = self._minibatches.run_epoch(self.epoch + 1, step, between_updates)
        self.epoch += 1
        if self._trained_in(self.epoch + 1) != number:
            self._chains = None
        return {"free_energy_gap": mean_gap / measured_share, "learning_rate": settings.learning_rate,
                "layer": f"layer {number + 1}"}

    def weights(self, variant: str) -> dict[str, Tensor]:
        return self._parameters() | {"shift": self.shift, "scale": self.scale} | sampling(
            variant, self.settings.burn_in, self._starts)

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """The means of n images [n, d]"""
        weights = {name: tensor.to(stream.device) for name, tensor in weights.items()}
        layers = [RBM(weights[f"{i}.W"], weights[f"{i}.b"], weights[f"{i}.c"], rbm.gaussian)
                  for i, rbm in enumerate(self.layers)]
        shift, scale = weights["shift"], weights["scale"]

        def begin(images: Tensor) -> Tensor:
            return layers[-1].draw_hidden(up(layers[:-1], (images - shift) / scale), stream)

        return draw(weights, n, begin, lambda h: layers[-1].gibbs(h, stream),
                    lambda h: down(layers, h, stream) * scale + shift)

    def _parameters(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": getattr(rbm, name) for i, rbm in enumerate(self.layers) for name in "Wbc"}

    def _tensors(self) -> dict[str, Tensor]:
        return self._parameters() | {f"{i}.velocity.{name}": getattr(velocity, name)
                                     for i, velocity in enumerate(self._velocities) for name in "Wbc"}

    def state(self) -> dict[str, Tensor]:
        state = {name: tensor.detach().cpu().clone() for name, tensor in self._tensors().items()}
        state |= {"epoch": torch.tensor(self.epoch), "stream": self._stream.get_state()}
        if self._chains is not None:
            state["chains"] = self._chains.cpu().clone()
        return state | self._minibatches.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other layers."""
        tensors = self._tensors()
        if any(name not in state or state[name].shape != tensor.shape for name, tensor in tensors.items()):
            raise ValueError("the saved state is of other layers")
        self._minibatches.restore(state)
        self._stream.set_state(state["stream"])
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self._chains = state["chains"].to(self.shift.device) if "chains" in state else None
        self.epoch = int(state["epoch"])
        self._inputs = 0, self._train


def up(layers: list[RBM], v: Tensor) -> Tensor:
    """Hidden probabilities of the last of `layers`."""
    for rbm in layers:
        v = rbm.hidden_probability(v)
    return v


def down(layers: list[RBM], h: Tensor, stream: torch.Generator) -> Tensor:
    """From the top hidden states: draws of the layers between, the mean of the pixels."""
    for rbm in reversed(layers[1:]):
        h = rbm.draw_visible(h, stream)
    return layers[0].visible_mean(h)
