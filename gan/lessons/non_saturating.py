"""A generator whose discriminator is sure learns nothing from log(1 − D), and still learns from −log D."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gan.adversarial.game import discriminator_logit_gradient, generator_logit_gradient
from gan.adversarial.layers import Dense, Dropout, Layer, Maxout, Network, uniform
from gan.adversarial.settings import Objective
from gan.datasets.sources import StartProgress
from gan.evaluation.subsets import evenly_spaced
from gan.lessons.digits import Digits
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.settings import NonSaturating
from gan.linear_algebra import random_stream

SOURCE = "Goodfellow et al. 2014, section 3; slide 8 (2016), “Non-Saturating Game”"
STATEMENT = (
    "Equation 1 asks G to minimise log(1 − D(G(z))). By D’s logit o its slope is −D: once D rejects a sample for "
    "certain, D = 0, that sample teaches G nothing. The paper’s advice is to minimise −log D(G(z)) instead, whose "
    "slope is −(1 − D): it is largest just then. For one sample the two gradients point the same way and differ by "
    "the factor D/(1 − D), nothing else; the equilibrium is the same.")
EXPERIMENT = (
    "The paper’s MNIST networks: G 100–1200–1200–784, D two maxout layers of 240 units, five pieces each, with "
    "dropout. First G is frozen as it is initialised while D is trained for {frozen} steps (minibatches of {batch}, "
    "learning rate {learning_rate}, momentum {momentum}); along the way the norm of G’s gradient is measured under "
    "both losses. Then both players are trained by Algorithm 1, k = 1, for {steps} rounds from the same start, once "
    "with each loss; to be done in a minute or two, these networks have 1/{narrower} of the hidden units. Seeds "
    "{seeds}, all shown. How far samples are from test images is measured by the energy distance, which is 0 for equal "
    "distributions and takes no discriminator’s word.")
TAKEAWAY = (
    "While D cannot tell, both gradients are the same. As it gets sure they part: the one of log(1 − D) shrinks with "
    "D, the other grows, and in training the first leaves G where it was. It need not go to zero for that, and does "
    "not go there all at once: D’s own slope steepens as it learns, and with dropout a few samples always slip "
    "through. So the loss that the theory is about is not the one to train with. −log D keeps the goal and changes "
    "the pace, at a price: there is no longer one V that both players pull at, and the guarantees of Proposition 2 do "
    "not speak of this game.")

NOISE, UNITS, GENERATOR_RANGE = 100, 1200, 0.05
MAXOUT_UNITS, PIECES, MAXOUT_RANGE = 240, 5, 0.005
LOSSES = {"minimax": Objective.MINIMAX, "non_saturating": Objective.NON_SATURATING}
SHOWN = 10
"""Samples of each run that are drawn, the first ones"""

Advance = Callable[[int, str], None]


def run(settings: NonSaturating, start: StartProgress, digits: Digits) -> Outcome:
    frozen = Rows("seed", "step", "d_on_samples", *LOSSES)
    trained = Rows("loss", "seed", "round", "d_on_samples", "gradient_norm", "energy_distance")
    images = {}
    with start("non-saturating", len(settings.seeds) * (settings.frozen + 2 * settings.steps), "step") as meter:
        for seed in settings.seeds:
            _freeze(settings, seed, digits.train, frozen, meter.advance)
            for name in LOSSES:
                images[f"{name}, seed {seed}"] = _train(settings, seed, digits, name, trained, meter.advance)
    return Outcome(_criteria(settings, frozen, trained), {"frozen": frozen.table, "training": trained.table},
                   images=images)


def _criteria(settings: NonSaturating, frozen: Rows, trained: Rows) -> list[Criterion]:
    norms = {name: [frozen.numbers(name, seed=seed) for seed in settings.seeds] for name in LOSSES}
    last = {name: [trained.numbers("energy_distance", loss=name, seed=seed)[-1] for seed in settings.seeds]
            for name in LOSSES}
    return [
        Criterion("G frozen: last gradient norm of log(1 − D) as a share of that of −log D, worst seed",
                  max(own[-1] / other[-1] for own, other in zip(*norms.values(), strict=True)), "<", 0.01),
        Criterion("G frozen: last gradient norm of log(1 − D) as a share of its largest, worst seed",
                  max(course[-1] / max(course) for course in norms["minimax"]), "<", 0.01),
        Criterion("G frozen: last gradient norm of −log D as a share of its largest, worst seed",
                  min(course[-1] / max(course) for course in norms["non_saturating"]), ">", 0.1),
        Criterion("both trained: energy distance to test images, −log D as a share of log(1 − D), worst seed",
                  max(own / other for own, other in zip(last["non_saturating"], last["minimax"], strict=True)),
                  "<", 1.0)]


class PaperGame:
    """The paper's MNIST networks and their stochastic gradient steps (momentum rule of the released code)."""

    def __init__(self, settings: NonSaturating, seed: int, images: Tensor, narrower: int = 1) -> None:
        """Every hidden layer has 1/`narrower` of its units."""
        self.images, self.batch = images, settings.batch
        self._rate, self._momentum = settings.learning_rate, settings.momentum
        weights = random_stream(seed, "weights")
        self.generator = Network(generator_layers(images, UNITS // narrower, weights))
        self.discriminator = Network(discriminator_layers(images.shape[1], MAXOUT_UNITS // narrower, weights,
                                                          random_stream(seed, "dropout")))
        self._z, self._order = random_stream(seed, "z"), random_stream(seed, "data")
        self._velocity = {id(network): [torch.zeros_like(parameter) for parameter in network.parameters]
                          for network in (self.generator, self.discriminator)}

    def samples(self, n: int, stream: torch.Generator) -> Tensor:
        """G(z) [n, 784], z uniform(−√3, √3)."""
        return self.generator.forward((2 * torch.rand(n, NOISE, generator=stream) - 1) * 3 ** 0.5)

    def discriminator_step(self) -> None:
        x = self.images[torch.randint(len(self.images), (self.batch,), generator=self._order)]
        logits = self.discriminator.forward(torch.cat((x, self.samples(self.batch, self._z))))
        self.discriminator.backward(discriminator_logit_gradient(logits, self.batch))
        self._step(self.discriminator)

    def judge(self, stream: torch.Generator) -> Tensor:
        """D's logits on a fresh minibatch of G."""
        return self.discriminator.forward(self.samples(self.batch, stream))

    def generator_gradient(self, logits: Tensor, objective: Objective) -> float:
        """The norm of G's gradient on what was judged last; it stays in G's layers."""
        self.generator.backward(self.discriminator.input_gradient(generator_logit_gradient(logits, objective)))
        return float(torch.stack([gradient.norm() for gradient in self.generator.gradients]).norm())

    def generator_step(self, objective: Objective) -> tuple[Tensor, float]:
        """D's logits on the samples, and the norm of the gradient."""
        logits = self.judge(self._z)
        norm = self.generator_gradient(logits, objective)
        self._step(self.generator)
        return logits, norm

    def _step(self, network: Network) -> None:
        for parameter, gradient, velocity in zip(network.parameters, network.gradients, self._velocity[id(network)],
                                                 strict=True):
            parameter.add_(velocity.mul_(self._momentum).sub_(gradient, alpha=self._rate))


def generator_layers(images: Tensor, units: int, stream: torch.Generator) -> list[Layer]:
    """ReLU, ReLU, sigmoid; the output's biases begin at the logits of the mean image."""
    pixels = images.shape[1]
    mean = images.mean(0).clamp(1e-7, 1 - 1e-7)
    return [Dense(uniform((NOISE, units), GENERATOR_RANGE, stream), torch.zeros(units), "relu"),
            Dense(uniform((units, units), GENERATOR_RANGE, stream), torch.zeros(units), "relu"),
            Dense(uniform((units, pixels), GENERATOR_RANGE, stream), torch.logit(mean), "sigmoid")]


def discriminator_layers(pixels: int, units: int, stream: torch.Generator, masks: torch.Generator) -> list[Layer]:
    """Two maxout layers, each after dropout, and one logit."""
    width = PIECES * units
    return [Dropout(0.8, masks), Maxout(uniform((pixels, width), MAXOUT_RANGE, stream), PIECES),
            Dropout(0.5, masks), Maxout(uniform((units, width), MAXOUT_RANGE, stream), PIECES),
            Dropout(0.5, masks), Dense(uniform((units, 1), MAXOUT_RANGE, stream), torch.zeros(1), "linear")]


def _freeze(settings: NonSaturating, seed: int, images: Tensor, rows: Rows, advance: Advance) -> None:
    """Train D alone; now and then, note how strongly G would be moved by either loss, on the same minibatch."""
    game, looks = PaperGame(settings, seed, images), random_stream(seed, "looks")
    shown = {round((settings.frozen + 1) ** (i / settings.looks)) - 1 for i in range(settings.looks + 1)}
    for step in range(settings.frozen + 1):
        if step in shown:
            logits = game.judge(looks)
            rows.add(seed, step, float(logits.sigmoid().mean()),
                     *(game.generator_gradient(logits, objective) for objective in LOSSES.values()))
        if step < settings.frozen:
            game.discriminator_step()
            advance(1, f"seed {seed}, G frozen")


def _train(settings: NonSaturating, seed: int, digits: Digits, loss: str, rows: Rows, advance: Advance) -> Tensor:
    """Train both players with one of the losses; the first samples at the end."""
    game = PaperGame(settings, seed, digits.train, settings.narrower)
    every = max(1, settings.steps // settings.looks)
    for played in range(1, settings.steps + 1):
        game.discriminator_step()
        logits, norm = game.generator_step(LOSSES[loss])
        advance(1, f"seed {seed}, {loss}")
        if played % every == 0 or played == settings.steps:
            samples = game.samples(settings.judged, random_stream(seed, "judged"))
            rows.add(loss, seed, played, float(logits.sigmoid().mean()), norm,
                     energy_distance(samples, evenly_spaced(digits.test, settings.judged)))
    return samples[:SHOWN]


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2·E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖ of two sets of points [n, d] and [m, d] (Székely, Rizzo 2013)."""
    def mean(a: Tensor, b: Tensor) -> Tensor:
        return torch.cdist(a.double(), b.double()).mean()

    return float(2 * mean(x, y) - mean(x, x) - mean(y, y))
