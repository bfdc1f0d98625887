"""Deep generative stochastic network (Bengio, Thibodeau-Laufer, Alain, Yosinski 2014): one step of a Markov chain,
learnt by denoising.

**The network.** Layer 0 is the image, layers 1, 2, … are tanh units; the same weights join two neighbours both ways.
One step of the chain updates the odd layers, then the even ones, each from the present states of its neighbours:

    odd:   o ← tanh(Σ e·W + b)        even hidden:   e ← tanh(Σ o·Wᵀ + b)        image:   p ← σ(o·Wᵀ + b)

Hidden layers but the first have Gaussian noise added before and after tanh. The image is sampled, x ~ Bernoulli(p), and
corrupted by salt and pepper: with probability c a pixel becomes 0 or 1 by a fair coin. Both together are one draw,
x̃ ~ Bernoulli((1−c)·p + c/2). In training only the very first image is a real one, corrupted; it may be grey.

**Walkback.** The step is taken T times from a training image x with all hidden units 0. The loss is the cross-entropy
of x under p, a mean over pixels, summed over the T steps. Its gradient is carried back through the hidden states of all
steps, but not through the sampled image, whose draw has no derivative (the published code cuts it there as well).

**The gradient with respect to the weights.** Let o_t and e_t be states, δ the derivatives of the loss with respect to
the units' inputs. Weights W between an even and an odd layer get Σ_t e_{t−1}ᵀ·δo_t from the way up and Σ_t δe_tᵀ·o_t
from the way down. So an even layer keeps [e_0 … e_{T−1}, δe_1 … δe_T], an odd one [δo_1 … δo_T, o_1 … o_T], and the
gradient is one product of the two. A hidden even layer starts from 0 and its last state reaches no loss: there, both
ends are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan.baselines.activations import cross_entropy_
from gan.baselines.chains import VARIANTS, bernoulli, draw, salt_and_pepper, sampling
from gan.baselines.minibatches import Minibatches
from gan.baselines.settings import DeepGSN
from gan.linear_algebra import affine, product, random_stream


class Chain:
    """The network's parameters, and one step of its chain.

    `weights[i]` joins layers i and i + 1 and has the even one's units as rows; `biases[i]` is layer i's.
    """

    def __init__(self, settings: DeepGSN, weights: list[Tensor], biases: list[Tensor], stream: torch.Generator) -> None:
        self.settings, self.weights, self.biases, self.stream = settings, weights, biases, stream
        self.layers = len(biases)

    def evens(self) -> range:
        return range(0, self.layers, 2)

    def odds(self) -> range:
        return range(1, self.layers, 2)

    def joint(self, layer: int) -> Iterable[tuple[int, Tensor]]:
        """A layer's neighbours, and the weights from each to it."""
        for other in (layer - 1, layer + 1):
            if 0 <= other < self.layers:
                weight = self.weights[min(layer, other)]
                yield other, weight if layer % 2 else weight.t()

    def input(self, layer: int, states: Mapping[int, Tensor]) -> Tensor:
        """What tanh, or σ, is taken of [n, units]; neighbours that are not in `states` are 0."""
        joint = [(states[other], weight) for other, weight in self.joint(layer) if other in states]
        if not joint:
            return self.biases[layer].repeat(len(next(iter(states.values()))), 1)
        total = affine(*joint[0], self.biases[layer])
        for state, weight in joint[1:]:
            total += product(state, weight)
        return total

    def activate(self, layer: int, total: Tensor) -> tuple[Tensor, Tensor]:
        """A hidden layer's tanh, and its state, which has the noise; `total` is overwritten."""
        noisy = layer > 1 and self.settings.noise > 0
        if noisy:
            total += self._noise(total)
        tanh = total.tanh_()
        return tanh, tanh + self._noise(tanh) if noisy else tanh

    def _noise(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(0, self.settings.noise, generator=self.stream)

    def salt_and_pepper(self, images: Tensor) -> Tensor:
        """Pixels replaced by 0 or 1, each with probability `corruption`/2."""
        return salt_and_pepper(images, self.settings.corruption, self.stream)

    def sample_visible(self, p: Tensor) -> Tensor:
        """Bernoulli(p), then salt and pepper, in one draw."""
        c = self.settings.corruption
        return bernoulli(p * (1 - c) + c / 2, self.stream)

    def step(self, states: Tensor) -> Tensor:
        """From [p, hidden even states] [n, s] to the next. A start has an image for p and zeros."""
        sizes = [len(self.biases[i]) for i in self.evens()]
        now = dict(zip(self.evens(), states.split(sizes, 1), strict=True))
        now[0] = self.sample_visible(now[0])
        now |= {i: self.activate(i, self.input(i, now))[1] for i in self.odds()}
        after = [self.input(0, now).sigmoid_()]
        after += [self.activate(i, self.input(i, now))[1] for i in self.evens() if i]
        return torch.cat(after, 1)


class DeepGSNModel:
    """A deep GSN as a `gan.model.Model`."""

    variants: ClassVar[tuple[str, ...]] = VARIANTS

    def __init__(self, settings: DeepGSN, train: Tensor, seed: int, device: torch.device) -> None:
        self.settings, self.epochs, self.epoch = settings, settings.epochs, 0
        self.selects_epoch = settings.chosen_epoch == "best_on_validation"
        self._train = train.to(device)
        first = torch.randperm(len(train), generator=random_stream(seed, "starts of chains"))[:settings.starts]
        self._starts = self._train[first.to(device)]
        initial = random_stream(seed, "initial weights")
        units = [train.shape[1], *settings.layers]
        weights, biases = [], [torch.zeros(n, device=device) for n in units]
        for i in range(len(units) - 1):
            even, odd = (units[i], units[i + 1]) if i % 2 == 0 else (units[i + 1], units[i])
            bound = math.sqrt(6 / (even + odd))
            weights.append(torch.empty(even, odd).uniform_(-bound, bound, generator=initial).to(device))
        self.chain = Chain(settings, weights, biases, random_stream(seed, "noise", device))
        self.parameters = [*weights, *biases]
        self.velocities = [torch.zeros_like(p) for p in self.parameters]
        self._minibatches = Minibatches(len(train), settings.batch_size, random_stream(seed, "order of the data"))

    @property
    def can_be_scored(self) -> bool:
        """To score an epoch that will not be chosen would take a thousand steps of ten thousand chains."""
        return self.selects_epoch or self.epoch == self.epochs

    @torch.no_grad()
    def fit_epoch(self, between_updates: Callable[[], None] = lambda: None) -> Mapping[str, float]:
        """The loss is in nats per pixel, summed over walkback steps, before each update."""
        rate = self.settings.learning_rate * self.settings.learning_rate_decay**self.epoch

        def update(rows: Tensor) -> Tensor:
            loss, gradients = walkback(self.chain, self._train.index_select(0, rows.to(self._train.device)))
            self._move(gradients, rate)
            return loss.view(1) * len(rows)

        loss, = self._minibatches.run_epoch(self.epoch + 1, update, between_updates)
        self.epoch += 1
        return {"cross_entropy": loss, "learning_rate": rate}

    def _move(self, gradients: list[Tensor], rate: float) -> None:
        m = self.settings.momentum
        for parameter, velocity, gradient in zip(self.parameters, self.velocities, gradients, strict=True):
            if m > 0 and parameter.is_cpu:  # one pass over memory instead of three; the kernel knows no momentum of 0
                torch._fused_sgd_([parameter], [gradient], [velocity], weight_decay=0.0, momentum=m, lr=rate,
                                  dampening=m, nesterov=False, maximize=False, is_first_step=False)
            else:
                velocity.lerp_(gradient, 1 - m)
                parameter.sub_(velocity, alpha=rate)

    def weights(self, variant: str) -> dict[str, Tensor]:
        parameters = {str(i): parameter for i, parameter in enumerate(self.parameters)}
        return parameters | sampling(variant, self.settings.burn_in, self._starts)

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """n of the chain's E[x | h], [n, d]."""
        weights = {name: tensor.to(stream.device) for name, tensor in weights.items()}
        parameters = [weights[str(i)] for i in range(len(self.parameters))]
        joints = len(self.settings.layers)
        chain = Chain(self.settings, parameters[:joints], parameters[joints:], stream)
        visible = len(chain.biases[0])
        hidden = sum(len(chain.biases[i]) for i in chain.evens() if i)

        def begin(images: Tensor) -> Tensor:
            return torch.cat((images, images.new_zeros(len(images), hidden)), 1)

        return draw(weights, n, begin, chain.step, lambda states: states[:, :visible])

    def state(self) -> dict[str, Tensor]:
        state = {"epoch": torch.tensor(self.epoch), "stream.noise": self.chain.stream.get_state()}
        state |= {name: tensor.detach().cpu().clone() for name, tensor in self._tensors().items()}
        return state | self._minibatches.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of another network."""
        tensors = self._tensors()
        if any(name not in state or state[name].shape != tensor.shape for name, tensor in tensors.items()):
            raise ValueError("the saved state is of another network")
        self._minibatches.restore(state)
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch = int(state["epoch"])
        self.chain.stream.set_state(state["stream.noise"])

    def _tensors(self) -> dict[str, Tensor]:
        both = {"parameter": self.parameters, "velocity": self.velocities}
        return {f"{kind}.{i}": tensor for kind, tensors in both.items() for i, tensor in enumerate(tensors)}


def walkback(chain: Chain, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The walkback loss of images x [n, d], and its gradients of weights and biases, in the order of `Chain`."""
    T, n = chain.settings.walkback, len(x)
    evens = {i: x.new_zeros(2 * T, n, len(chain.biases[i])) for i in chain.evens()}  # [e_0 … e_{T−1}, δe_1 … δe_T]
    odds = {i: x.new_empty(2 * T, n, len(chain.biases[i])) for i in chain.odds()}  # [δo_1 … δo_T, o_1 … o_T]
    tanhs: dict[tuple[int, int], Tensor] = {}  # by layer and step, without the noise after it
    loss = x.new_zeros(())
    evens[0][0] = chain.salt_and_pepper(x)
    for t in range(1, T + 1):
        before = {i: e[t - 1] for i, e in evens.items() if i == 0 or t > 1}
        for i in chain.odds():
            tanhs[i, t], odds[i][T + t - 1] = chain.activate(i, chain.input(i, before))
        now = {i: o[T + t - 1] for i, o in odds.items()}
        logits = chain.input(0, now)
        p = logits.sigmoid()
        loss += cross_entropy_(x, logits, p) / x.numel()
        torch.sub(p, x, out=evens[0][T + t - 1]).div_(x.numel())
        if t < T:
            evens[0][t] = chain.sample_visible(p)
            for i in chain.evens():
                if i:
                    tanhs[i, t], evens[i][t] = chain.activate(i, chain.input(i, now))
    for t in range(T, 0, -1):
        above = {i: o[t] for i, o in odds.items()} if t < T else {}  # δo_{t+1}
        for i in chain.evens():
            if i and t < T:
                evens[i][T + t - 1] = _back(chain, i, above, tanhs[i, t])
        now = {i: e[T + t - 1] for i, e in evens.items() if i == 0 or t < T}
        for i in chain.odds():
            odds[i][t - 1] = _back(chain, i, now, tanhs[i, t])
    return loss, _gradients(chain, evens, odds)


def _back(chain: Chain, layer: int, deltas: Mapping[int, Tensor], tanh: Tensor) -> Tensor:
    """δ of a layer from its neighbours' that were updated from it: the same weights carry it back."""
    terms = [product(deltas[other], weight) for other, weight in chain.joint(layer) if other in deltas]
    if not terms:
        return torch.zeros_like(tanh)
    total = sum(terms[1:], terms[0])
    return total.addcmul_(total, tanh * tanh, value=-1)


def _gradients(chain: Chain, evens: Mapping[int, Tensor], odds: Mapping[int, Tensor]) -> list[Tensor]:
    T = chain.settings.walkback
    weight_gradients = []
    for i in range(chain.layers - 1):
        even, odd = (i, i + 1) if i % 2 == 0 else (i + 1, i)
        used = slice(0, 2 * T) if even == 0 else slice(1, 2 * T - 1)
        weight_gradients.append(product(evens[even][used].flatten(0, 1).t(), odds[odd][used].flatten(0, 1)))
    bias_gradients = [evens[i][T:].sum((0, 1)) if i % 2 == 0 else odds[i][:T].sum((0, 1))
                      for i in range(chain.layers)]
    return weight_gradients + bias_gradients
