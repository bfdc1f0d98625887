"""A discriminator that sees a whole minibatch at once can tell that its samples are all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.evaluation.subsets import evenly_spaced
from gan.lessons.batched import Adam, Mlp, Noise
from gan.lessons.digits import CLASSES, Digits, DigitsGame, entropy, mean_distance
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.ring import RingGame, coverage
from gan.lessons.settings import MinibatchFeatures
from gan.linear_algebra import random_stream

SOURCE = (
    "Slide 12 (2016), “Minibatch Features”; Salimans et al. 2016, “Improved Techniques for Training GANs”, section "
    "3.2")
STATEMENT = (
    "A discriminator that judges one sample at a time cannot see collapse: each sample by itself may be perfect. "
    "Minibatch discrimination lets it compare. A tensor T takes the features f(x_i) to B short vectors M_ib; how near "
    "they are to those of the others, o_b(x_i) = mean over j ≠ i of exp(−‖M_ib − M_jb‖₁), is handed to D’s last layer "
    "beside f(x_i). Samples that lie closer together than data do then give themselves away, and G is pushed apart.")
EXPERIMENT = (
    "Each game is played twice with the same networks, starts and data: with minibatch features (B = {features}, C = "
    "{width}) and without. First the ring of mode collapse, steps in turn, minibatches of {batch}, {ring_steps} "
    "rounds, seeds {ring_seeds}. Then MNIST, where D sees every image under noise, {digit_steps} rounds, seeds "
    "{digit_seeds}; a classifier trained on real digits says which digit each of {judged} samples shows. Diversity is "
    "the mean distance between two samples, as a share of that between two test images.")
TAKEAWAY = (
    "The remedy is of the same kind as unrolled steps, and cheaper: not a longer look ahead, but a judge who is shown "
    "what went wrong. What it can see, G must mend; what no feature measures may stay wrong. Where the game without "
    "features does not collapse, there is nothing to win, so the histograms of both must be looked at before the "
    "features are praised.")

GAMES = ("without", "with")
SHOWN = 24
"""Digits of each run that are drawn, the first ones"""


@dataclass(frozen=True)
class MinibatchDiscriminator:
    """An Mlp whose last layer also sees how near each example's features are to those of its minibatch."""

    body: Mlp
    features: int
    """B"""
    width: int
    """C"""

    @property
    def _projection(self) -> int:
        return self.body.sizes[-2] * self.features * self.width

    def initial(self, seeds: Sequence[int], purpose: str) -> Tensor:
        """The body's parameters as they are without, then T and the last layer's weights on o [runs, P]."""
        extra = []
        for seed in seeds:
            stream = random_stream(seed, f"{purpose} minibatch features")
            t = torch.randn(self._projection, generator=stream) / self.body.sizes[-2] ** 0.5
            o = torch.empty(self.features).uniform_(-1, 1, generator=stream) / self.body.sizes[-2] ** 0.5
            extra.append(torch.cat((t, o)))
        return torch.cat((self.body.initial(seeds, purpose), torch.stack(extra)), 1)

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """Logits [runs, n, 1] for minibatches [runs, n, d]."""
        body, t, weight = theta.split([theta.shape[1] - self._projection - self.features, self._projection,
                                       self.features], 1)
        f = self.body.hidden(body, x)
        last, bias = self.body.layers(body)[-1]
        m = torch.bmm(f, t.view(len(theta), f.shape[-1], -1))
        return torch.baddbmm(bias, f, last) + torch.bmm(closeness(m, self.features), weight.unsqueeze(-1))


def closeness(m: Tensor, features: int) -> Tensor:
    """o [runs, n, B] from M [runs, n, B·C]: o_ib = mean over j ≠ i of exp(−‖M_ib − M_jb‖₁), from 0 to 1.

    Salimans et al. take the sum, which makes the step size depend on the size of the minibatch.
    """
    runs, n, _ = m.shape
    of_features = m.view(runs, n, features, -1).permute(0, 2, 1, 3)
    near = torch.exp(-torch.cdist(of_features, of_features, p=1.0))
    return ((near.sum(-1) - 1) / (n - 1)).transpose(1, 2)


def run(settings: MinibatchFeatures, start: StartProgress, digits: Digits) -> Outcome:
    with start("minibatch features", 2 * (settings.ring_steps + settings.digit_steps), "round") as meter:
        on_ring = _ring(settings, meter.advance)
        samples = _samples(settings, digits, meter.advance)
    judge = digits.judge
    of_data = judge(evenly_spaced(digits.test, settings.judged))
    real = float(mean_distance(evenly_spaced(digits.test, settings.judged).unsqueeze(0)))
    on_digits = Rows("game", "seed", "diversity", "entropy", *map(str, range(CLASSES)))
    for game in GAMES:
        shares = torch.stack([histogram(judge(drawn)) for drawn in samples[game]])
        for row in zip(settings.digit_seeds, (mean_distance(samples[game]) / real).tolist(), entropy(shares).tolist(),
                       *shares.T.tolist(), strict=True):
            on_digits.add(game, *row)
    numbers = {"accuracy of the judge on test images": judge.accuracy,
               "entropy of the class histogram of test images, in nats": float(entropy(histogram(of_data)))}
    images = {f"{game}, seed {seed}": drawn[:SHOWN] for game in GAMES
              for seed, drawn in zip(settings.digit_seeds, samples[game], strict=True)}
    return Outcome(_criteria(on_ring, on_digits), {"ring": on_ring.table, "digits": on_digits.table}, numbers, images)


def _criteria(ring: Rows, digits: Rows) -> list[Criterion]:
    def gain(rows: Rows, column: str) -> float:
        return statistics.fmean(rows.numbers(column, game="with")) - statistics.fmean(
            rows.numbers(column, game="without"))

    return [
        Criterion("ring: modes covered, with less without, mean over seeds", gain(ring, "modes"), ">", 0.0),
        Criterion("ring: share of samples nearest to the same mode, with less without, mean over seeds",
                  gain(ring, "largest"), "<", 0.0),
        Criterion("MNIST: entropy of the class histogram, with less without, mean over seeds", gain(digits, "entropy"),
                  ">", 0.0, "nats"),
        Criterion("MNIST: diversity, with less without, mean over seeds", gain(digits, "diversity"), ">", 0.0)]


def _ring(settings: MinibatchFeatures, advance: Callable[[int, str], None]) -> Rows:
    """How the ring is covered after each game, a row for each seed."""
    rows = Rows("game", "seed", "modes", "good", "largest")
    for game in GAMES:
        body = Mlp((2, settings.units, settings.units, 1), "relu")
        play = RingGame(settings.ring_seeds, _discriminator(body, settings, game),
                        Mlp((settings.noise, settings.units, settings.units, 2), "relu"), settings.deviation,
                        settings.batch, Adam(settings.discriminator_rate), Adam(settings.generator_rate))
        for _ in range(settings.ring_steps):
            play.discriminator_step()
            play.generator_step()
            advance(1, f"ring, {game}")
        seen = coverage(play.samples(), settings.deviation)
        for row in zip(settings.ring_seeds, seen.modes, seen.good, seen.largest, strict=True):
            rows.add(game, *row)
    return rows


def _samples(settings: MinibatchFeatures, digits: Digits, advance: Callable[[int, str], None]) -> dict[str, Tensor]:
    """Digits drawn by G after each game, [seeds, judged, 784]."""
    pixels, units = digits.train.shape[1], settings.digit_units
    samples = {}
    for game in GAMES:
        body = Mlp((pixels, units, units, 1), "leaky_relu")
        play = DigitsGame(digits.train, settings.digit_seeds, _discriminator(body, settings, game), settings.noise,
                          units, settings.digit_batch, settings.digit_discriminator_rate,
                          settings.digit_generator_rate)
        for _ in range(settings.digit_steps):
            play.play()
            advance(1, f"MNIST, {game}")
        samples[game] = play.samples(Noise(settings.digit_seeds, "judged").normal(settings.judged, settings.noise))
    return samples


def _discriminator(body: Mlp, settings: MinibatchFeatures, game: str) -> Mlp | MinibatchDiscriminator:
    return body if game == "without" else MinibatchDiscriminator(body, settings.features, settings.width)


def histogram(probabilities: Tensor) -> Tensor:
    """The share of each class [10] among what a judge takes n samples for, from [n, 10]."""
    return torch.bincount(probabilities.argmax(1), minlength=CLASSES) / len(probabilities)
