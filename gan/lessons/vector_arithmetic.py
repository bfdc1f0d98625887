"""a − b + c in a generator's input space: means of three z have the attributes that arithmetic asks for."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.special import ndtr
from torch import Tensor
from torch.nn.functional import interpolate

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Noise
from gan.lessons.digits import Digits, Judge
from gan.lessons.lesson import Criterion, Outcome, Rows, Table, lower_end
from gan.lessons.parts.vector_arithmetic_attributes import ATTRIBUTES, Meter, any_degrees, inks, made
from gan.lessons.parts.vector_arithmetic_game import Discriminator, Generator, Moments, train_generator
from gan.lessons.settings import VectorArithmetic
from gan.linear_algebra import random_stream

SOURCE = (
    "Slide 9 (2016), “Vector Space Arithmetic”; Radford, Metz and Chintala 2015, “Unsupervised Representation Learning "
    "with Deep Convolutional Generative Adversarial Networks”, section 6.3.2")
STATEMENT = (
    "A GAN’s generator has never been told what its samples have in common, and yet concepts can be added in its input "
    "space. Take z whose samples show a man with glasses, others that show a man, others that show a woman: a − b + c "
    "gives a woman with glasses. Radford et al. found single z “unstable” and means of three “consistent and stable”; "
    "they show examples and no rate. If an attribute is the sign of a direction in z, this can be worked out: each "
    "mean has, along that direction, what its concept has, and all else averages out.")
EXPERIMENT = (
    "Images whose attributes we make, so that they can be measured: MNIST’s training images of the digit {digit}, set "
    "upright, then given any colour from blue to orange, any slant, and any stroke from thin to thick, each at random "
    "and independent of the others, and halved to 14 × 14 pixels. Colour, slant and stroke are read from the pixels; "
    "an attribute has one value or the other by which side of the middle it lies on. A convolutional GAN in the manner "
    "of Radford et al. (transposed convolution, batch normalisation, z with {noise} coordinates) is trained for "
    "{steps} steps of {batch}, seeds {seeds}. It is told no attribute. Of {pool} samples those that show a concept are "
    "found by measurement, and {averaged} z of each are averaged; for each of twelve sums of two attributes {trials} "
    "draws are made and G’s sample of a − b + c is measured. Chance is the share of {judged} other samples that have "
    "both attributes. A sum of means of three is as long as a z; others are shown as they are and made as long as "
    "that. Beside it stands theory: how often a linear code would give both attributes if its directions told each "
    "attribute as often as the best plane between its z does here. Digit, attributes’ ranges and G’s training were "
    "chosen on another seed, by how far samples spread and how well planes tell them, not by sums.")
TAKEAWAY = (
    "Arithmetic works, and it has a rate: single z give both attributes nearly twice as often as chance, means of "
    "three give them clearly more often, and more z more often still as long as the sum stays as long as a z. It works "
    "as well as directions tell. A plane tells colour and slant of nine samples in ten or more, and there the theory "
    "of a code that is linear to that degree comes very near to what is measured; stroke is told less often, and sums "
    "that involve it fall somewhat short even of the theory. More than a third of all sums of means of three still "
    "fail, which a few chosen pictures would not show. Means of nine make sums much shorter than any z of training: "
    "that costs attributes, and many samples can no longer be read, for G was never asked about so small z. What makes "
    "the code linear is not the game alone but also the data. A continuous G cannot jump between values. With "
    "attributes of two values only, tried before on the digit 3, it went from blue to orange through a faint, thin "
    "stroke, so that stroke became the distance along the direction whose sign was colour. What made blue thick made "
    "orange thin, and a − b + c, which cancels on such a direction, gave colour and stroke less often than chance. "
    "Here every degree of an attribute occurs, as of many in faces. Faces themselves are not part of this: no "
    "measurement says who wears glasses.")

COLOURS = 3
REFERENCE = 1000
"""Samples over which the moments of G's normalisation are taken"""
AS_IT_IS, AS_Z = "as it is", "as long as z"


@dataclass(frozen=True)
class Sum:
    """“a − b + c = wanted” for two attributes, of which one is taken from a and the other from c."""

    first: int
    second: int
    values: tuple[bool, bool]
    """Wanted"""

    @property
    def name(self) -> str:
        """"orange right", wanted"""
        return self._words(*self.values)

    @property
    def pair(self) -> str:
        names = list(ATTRIBUTES)
        return f"{names[self.first]} and {names[self.second]}"

    @property
    def concepts(self) -> tuple[tuple[bool, bool], ...]:
        """The values that a, b and c have: a has the second one wanted, c the first, b neither."""
        first, second = self.values
        return (not first, second), (not first, not second), (first, not second)

    @property
    def text(self) -> str:
        a, b, c = (self._words(*concept) for concept in self.concepts)
        return f"{a} − {b} + {c} = {self.name}"

    def having(self, values: Tensor, concept: tuple[bool, bool]) -> Tensor:
        """bool [n]: which of `values` bool [n, 3] are as the concept has it."""
        return (values[:, self.first] == concept[0]) & (values[:, self.second] == concept[1])

    def _words(self, first: bool, second: bool) -> str:
        words = list(ATTRIBUTES.values())
        return f"{words[self.first][first]} {words[self.second][second]}"


SUMS = tuple(Sum(first, second, (of_first, of_second))
             for first, second in itertools.combinations(range(len(ATTRIBUTES)), 2)
             for of_first, of_second in itertools.product((True, False), repeat=2))


@dataclass(frozen=True, eq=False)
class Model:
    """A trained G that draws each sample by its own z alone."""

    generator: Generator
    theta: Tensor
    moments: Sequence[Moments]

    @torch.no_grad()
    def __call__(self, z: Tensor) -> Tensor:
        """[n, 3, 14, 14]"""
        return torch.cat([self.generator(self.theta, part, self.moments) for part in z.split(500)])


def run(settings: VectorArithmetic, start: StartProgress, digits: Digits) -> Outcome:
    """ValueError if the digits have no labels."""
    if digits.labels is None or len(digits.labels) != len(digits.train):
        raise ValueError(f"expected a label for each of {len(digits.train)} training digits, which says what they show"
                         f"; found {'none' if digits.labels is None else len(digits.labels)}")
    train = digits.train[digits.labels == settings.digit]
    degrees = any_degrees(len(train), "attributes of training images")
    images = made(train, degrees)
    meter = Meter.fit(images, degrees)
    rates = Rows("seed", "pair", "wanted", "averaged", "length", "share", "base_rate", "linear_code", "readable")
    attributes = Rows("seed", "attribute", "share", "linear")
    pictures: dict[str, Tensor] = {}
    numbers, accuracy = _on_test_images(settings, digits, meter)
    with start("vector arithmetic", len(settings.seeds) * (settings.steps + len(SUMS)), "step") as progress:
        for seed in settings.seeds:
            model = _model(settings, images, seed, progress.advance)
            z = Noise([seed], "pool").normal(settings.pool, settings.noise)[0]
            pool = meter(model(z))
            fresh = meter(model(Noise([seed], "judged").normal(settings.judged, settings.noise)[0]))
            told = [linear(z, pool[:, attribute]) for attribute in range(len(ATTRIBUTES))]
            for attribute, name in enumerate(ATTRIBUTES):
                attributes.add(seed, name, float(fresh[:, attribute].double().mean()), told[attribute])
            for wanted in SUMS:
                base = float(wanted.having(fresh, wanted.values).double().mean())
                for averaged, exemplars in draws(settings, seed, wanted, pool):
                    code = math.prod(linear_code(averaged, told[one] or 0.5) for one in (wanted.first, wanted.second))
                    for length, factor in ((AS_IT_IS, 1.0), (AS_Z, math.sqrt(averaged / 3))):
                        found = (0.0, None) if exemplars is None else _found(
                            model(factor * arithmetic(z, exemplars)), wanted, meter, digits.judge, settings.digit)
                        rates.add(seed, wanted.pair, wanted.name, averaged, length, found[0], base, code, found[1])
                    if exemplars is not None and averaged == 3 and all(wanted.values):
                        first = _first(settings, seed, z, [rows[0] for rows in exemplars])
                        pictures[f"{wanted.text}, seed {seed}"] = model(first).flatten(1)
                progress.advance(1, f"seed {seed}, sums")
    ideal: Table = {"averaged": settings.averaged, "share": [linear_code(m, 1.0) ** 2 for m in settings.averaged]}
    return Outcome(_criteria(settings, rates, accuracy), {"rates": rates.table, "attributes": attributes.table,
                                                          "ideal": ideal}, numbers, pictures)


def _criteria(settings: VectorArithmetic, rates: Rows, accuracy: float) -> list[Criterion]:
    def mean(column: str, averaged: int, **where: int | str) -> float:
        return statistics.fmean(rates.numbers(column, averaged=averaged, length=AS_IT_IS, **where))

    def over_chance(pair: str) -> float:
        each = [mean("share", 3, pair=pair, seed=seed) - mean("base_rate", 3, pair=pair, seed=seed) for seed in seeds]
        return lower_end(each)

    seeds, pairs = settings.seeds, {wanted.pair: None for wanted in SUMS}
    return [
        Criterion("share of test images whose attributes are read as they were made, worst attribute", accuracy, ">",
                  0.9),
        Criterion("means of three: share of sums with both attributes wanted, all pairs, worst seed",
                  min(mean("share", 3, seed=seed) for seed in seeds), ">", 0.5),
        Criterion("means of three: the same less the share of samples that have both, worst pair, mean over seeds "
                  "less two standard errors", min(map(over_chance, pairs)), ">", 0.0),
        Criterion("share of sums with both attributes wanted, means of three less single z, worst seed",
                  min(mean("share", 3, seed=seed) - mean("share", 1, seed=seed) for seed in seeds), ">", 0.0)]


def _model(settings: VectorArithmetic, images: Tensor, seed: int, advance: Callable[[int, str], None]) -> Model:
    generator = Generator(settings.noise, settings.coarse, settings.fine, COLOURS)
    discriminator = Discriminator(settings.coarse, settings.fine, COLOURS)
    theta = train_generator(lambda rows: images[rows], len(images), seed, generator, discriminator, settings.batch,
                            settings.generator_rate, settings.discriminator_rate, settings.steps,
                            settings.blur, lambda n: advance(n, f"seed {seed}"))
    with torch.no_grad():
        return Model(generator, theta, generator.moments(
            theta, Noise([seed], "reference batch").normal(REFERENCE, settings.noise)[0]))


def draws(settings: VectorArithmetic, seed: int, wanted: Sum, pool: Tensor
          ) -> Iterator[tuple[int, list[Tensor] | None]]:
    """How many z are averaged, and which: indices [trials, averaged] of exemplars for each of a, b and c.

    Exemplars are those of the pool whose samples have the concept, by `pool` bool [n, 3]; None where there are none.
    """
    stream = random_stream(seed, f"exemplars {wanted.text}")
    members = [wanted.having(pool, concept).nonzero().squeeze(1) for concept in wanted.concepts]
    for averaged in settings.averaged:
        yield averaged, [one[torch.randint(len(one), (settings.trials, averaged), generator=stream)] for one in members
                         ] if all(map(len, members)) else None


def arithmetic(z: Tensor, exemplars: Sequence[Tensor]) -> Tensor:
    """a − b + c [trials, d] of means of z [n, d] over three exemplars' indices, each [trials, averaged].

    The sum has 3/averaged of a z's variance: with means of three it is as long as a z.
    """
    a, b, c = (z[rows].mean(1) for rows in exemplars)
    return a - b + c


def _found(images: Tensor, wanted: Sum, meter: Meter, judge: Judge, digit: int) -> tuple[float, float]:
    """The share of images with both attributes, and of those that can be read."""
    return float(wanted.having(meter(images), wanted.values).double().mean()), readable(images, judge, digit)


def readable(images: Tensor, judge: Judge, digit: int) -> float:
    """The share that the judge, who sees ink alone and twice the size, takes for the digit."""
    ink = interpolate(inks(images).unsqueeze(1), scale_factor=2, mode="bilinear", align_corners=False)
    return float((judge(ink.flatten(1)).argmax(1) == digit).double().mean())


def linear(z: Tensor, values: Tensor) -> float | None:
    """How often the side of a plane tells an attribute bool [n] from z [n, d]; None where all are alike.

    The plane stands upright on the line between the means of either value, where it tells most.
    """
    if not 0 < int(values.sum()) < len(values):
        return None
    along = z @ (z[values].mean(0) - z[~values].mean(0))
    order = along.argsort()
    below = (~values[order]).double().cumsum(0)  # right if the plane lies just after
    above = values[order].double().sum() - values[order].double().cumsum(0)
    return float((below + above).max() / len(values))


@lru_cache
def linear_code(averaged: int, told: float) -> float:
    """How often a sum has one attribute wanted, if that is the sign of s = ρu + √(1 − ρ²)e, for u and e normal.

    u is the coordinate of z along a direction whose sign agrees with that of s in a share `told`; so ρ = cos(π(1 −
    told)). e stands for all that is not linear in z, of which a sum has a new one. Exemplars' u given the sign of s has
    the density 2φ(u)Φ(λu), λ = ρ/√(1 − ρ²); a sum's U is made of two means of such and less one, here on a grid, and
    the share is the mean of Φ(λU). For told = 1 and one z it is 1 − 2Ω/π, Ω the solid angle of z > x + y, x, y > 0.
    """
    step, reach = 0.01, 8.0
    rho = math.cos(math.pi * (1 - told))

    def above(u: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(s > 0 | u)"""
        return ndtr(rho * u / math.sqrt(1 - rho ** 2)) if rho < 1 else (1 + np.sign(u)) / 2

    u = np.arange(-reach + step / 2, reach, step)
    given = np.exp(-0.5 * u ** 2) * above(u)
    given /= given.sum()
    mean = given
    for _ in range(averaged - 1):
        mean = fftconvolve(mean, given)
    both = fftconvolve(fftconvolve(mean, mean), mean[::-1])
    places = step * (np.arange(len(both)) - (len(both) - 1) / 2)  # cells lie symmetrically about 0
    return float((both * above(places / averaged)).sum())


def _on_test_images(settings: VectorArithmetic, digits: Digits, meter: Meter) -> tuple[dict[str, float | int], float]:
    """What is said of images that G has not seen, made in the same way; the accuracy of the worst attribute."""
    shown = digits.judge(digits.test).argmax(1) == settings.digit
    test = digits.test[shown] if shown.any() else digits.test  # a judge that has learnt little may name it nowhere
    degrees = any_degrees(len(test), "attributes of test images")
    images = made(test, degrees)
    right = (meter(images) == (degrees > 0.5)).double().mean(0).tolist()
    return {**{f"share of test images whose {name} is read as it was made": share
               for name, share in zip(ATTRIBUTES, right, strict=True)},
            "share of test images that the judge takes for the digit": readable(images, digits.judge, settings.digit)
            }, min(right)


def _first(settings: VectorArithmetic, seed: int, z: Tensor, exemplars: Sequence[Tensor]) -> Tensor:
    """What is drawn of a sum: the z of its nine exemplars, their three means, the sum, and it under eight noises."""
    y = arithmetic(z, [rows.unsqueeze(0) for rows in exemplars])[0]
    noise = settings.around * Noise([seed], "around a sum").uniform(8, len(y))[0]
    return torch.cat((z[torch.cat(list(exemplars))], torch.stack([z[rows].mean(0) for rows in exemplars]),
                      y.unsqueeze(0), y + noise))
