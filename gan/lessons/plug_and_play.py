"""A generator, a classifier that steers it and a prior on its codes, joined by a Markov chain: it draws on request."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.evaluation.subsets import evenly_spaced
from gan.lessons.batched import Noise
from gan.lessons.digits import CLASSES, Digits, entropy, mean_distance
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.non_saturating import energy_distance
from gan.lessons.parts.plug_and_play_chain import (
    Codes,
    Decoders,
    Denoiser,
    Rates,
    Trained,
    chain,
    class_slope,
    train_classifier,
    train_denoiser,
)
from gan.lessons.settings import PlugAndPlay

SOURCE = (
    "Slides 20 and 21 (2016), “Plug and Play Generative Models”; Nguyen et al. 2016, “Plug & Play Generative "
    "Networks”, equation 11; Alain and Bengio 2014")
STATEMENT = (
    "A generator that knows no classes can draw one that is asked for, steered by a classifier that was trained apart "
    "from it. A chain walks through the codes h of images: h ← h + ε₁·(R(h) − h) + ε₂·∇ log p(y | G(h)) + N(0, ε₃²). "
    "The slide names four parts: an adversarially trained G; matched features (“moment matching”) in G’s loss; a "
    "denoising autoencoder R, whose step R(h) − h is σ²·∇ log p(h) where it is trained best, p being the codes’ "
    "density blurred by σ; and Langevin sampling, which adds the noise. With ε₁·σ² = ε₂ = ε₃²/2 and small steps the "
    "chain draws from p(h)·p(y | h). Nguyen et al. leave that balance: their script has ε₁ = 10⁻⁵, ε₂ = 1 and ε₃ = "
    "10⁻¹⁷.")
EXPERIMENT = (
    "MNIST, seeds {seeds}. A code is an image’s first {codes} principal components, each scaled to variance 1; it "
    "stands in for the features of AlexNet in the paper. For each seed there is a classifier that steers, with one "
    "layer of {units} units; a G that is trained for {steps} steps to restore images from codes, by squared error, by "
    "that classifier’s hidden layer and against a discriminator; and an R that is trained to undo noise of σ = "
    "{corruption}. Then {chains} chains for each class start at random codes and take {moves} steps, with ε₁ = "
    "{prior}, ε₃ as Langevin has it, and ε₂ {condition} times as large: by Langevin’s own weight the classifier "
    "itself is not sure of what is drawn. Each part is then left out, from the same starts and with the same noise. "
    "What a picture shows is said by the judge, a convolutional classifier that steers nothing. The numbers above "
    "were chosen on seeds 1 to 3, which are not shown.")
TAKEAWAY = (
    "The two parts that move the chain need each other. Noise without the denoiser lets codes wander off: ε₃² = .1 is "
    "added to a variance of 1 at each step, and nothing takes it away. The classifier that steers then sees its class "
    "in every picture, the judge in little more than half. The steering has found what fools it. The denoiser without "
    "noise draws all chains of a class together, to one blurred picture at which they stand still, and which the judge "
    "takes for that class with some digits, and hardly ever with others. Without both, a plain climb up the "
    "classifier’s probability, as many pictures show their class as with everything, but each chain stays with the "
    "first that it finds: all variety is that of the starts. With both the chain goes on to pictures nearly as far "
    "away as another of the class, which is what a sampler is for. How G was trained matters less here, where {codes} "
    "numbers tell most of an image: the adversary leaves fewer grey pixels, and the criterion on matched features does "
    "not hold. They make no difference that three seeds could show to how often the class is seen. By Langevin’s own "
    "ε₂ about half of the pictures show their class. What asks for more, as Nguyen et al. do, no longer draws from "
    "p(h)·p(y | h), but from a sharper density.")


@dataclass(frozen=True)
class Variant:
    """What a chain is made of."""

    adversary: bool = True
    features: bool = True
    denoiser: bool = True
    noise: bool = True
    weight: float | None = None
    """of the classifier, in place of the settings’; Langevin’s own is 1"""


VARIANTS = {
    "everything": Variant(),
    "no adversary": Variant(adversary=False),
    "no features": Variant(features=False),
    "no denoiser": Variant(denoiser=False),
    "no noise": Variant(noise=False),
    "neither": Variant(denoiser=False, noise=False),
    "Langevin’s weight": Variant(weight=1.0),
    "not steered": Variant(weight=0.0)}
"""“Neither” has neither denoiser nor noise: it climbs the classifier’s probability."""
WALK = "walk"
PAIRS = 300
"""Test images of each class between which distances are taken"""
GREY = (0.2, 0.8)
"""Between ink and paper"""

Advance = Callable[[int, str], None]


@dataclass(frozen=True, eq=False)
class Models:
    """What was trained, once for each seed."""

    classifier: Trained
    denoiser: Denoiser
    decoders: dict[tuple[bool, bool], Trained]
    """By whether with adversary and with features"""

    def decoder(self, variant: Variant) -> Trained:
        return self.decoders[variant.adversary, variant.features]


def run(settings: PlugAndPlay, start: StartProgress, digits: Digits) -> Outcome:
    trainings = settings.classifier_steps + settings.denoiser_steps + 3 * settings.steps
    chains = len(VARIANTS) * (settings.moves + settings.later) + CLASSES * settings.walk
    images = {}
    variants = Rows("variant", "seed", "asked_for", "steering_classifier", "variety", "cells", "moved", "grey",
                    "energy_distance")
    classes = Rows("variant", "seed", "class", "asked_for", "drawn")
    with start("plug and play", trainings + chains, "step") as meter:
        models = train(settings, digits, meter.advance)
        yardstick = Yardstick(digits, settings)
        for name in VARIANTS:
            first, later = _drawn(settings, models, name, meter.advance)
            _measure(settings, name, first, later, models, digits, yardstick, variants, classes)
            images[name] = first[:, ::settings.chains].flatten(0, 1)
        images |= _walk(settings, models, lambda n: meter.advance(n, "walk"))
    return Outcome(_criteria(settings, variants, classes), {"variants": variants.table, "classes": classes.table},
                   yardstick.numbers(digits), images)


def _criteria(settings: PlugAndPlay, variants: Rows, classes: Rows) -> list[Criterion]:
    def gains(column: str, without: str) -> list[float]:
        """Everything less without, for each seed."""
        return variants.differences(column, {"variant": "everything"}, {"variant": without})

    def above_unsteered() -> list[float]:
        """For each class and seed."""
        return [asked - drawn for asked, drawn in zip(classes.numbers("asked_for", variant="everything"),
                                                      classes.numbers("drawn", variant="not steered"), strict=True)]

    return [
        Criterion("everything: share of pictures that show the class asked for, worst seed",
                  min(variants.numbers("asked_for", variant="everything")), ">", 0.5),
        Criterion("everything: the same, less the share of that class where nothing steers, worst class and seed",
                  min(above_unsteered()), ">", 0.3),
        Criterion("adversary: share of grey pixels, with less without, worst seed", max(gains("grey", "no adversary")),
                  "<", 0.0),
        Criterion("matched features: share that show the class asked for, with less without, worst seed",
                  min(gains("asked_for", "no features")), ">", 0.0),
        Criterion("denoiser: share that show the class asked for, with less without, worst seed",
                  min(gains("asked_for", "no denoiser")), ">", 0.0),
        Criterion("noise: mean distance of two pictures of a class, with less without, worst seed",
                  min(gains("variety", "no noise")), ">", 0.0, "of test images’")]


def train(settings: PlugAndPlay, digits: Digits, advance: Advance) -> Models:
    codes = Codes.fit(digits.train, settings.codes)(digits.train)
    classifier = train_classifier(
        digits.train, digits.training_labels(), settings.seeds, settings.units, settings.batch,
        settings.classifier_steps, settings.classifier_rate, lambda n: advance(n, "classifier"))
    denoiser = train_denoiser(
        codes, settings.seeds, settings.denoiser_units, settings.corruption, settings.batch, settings.denoiser_steps,
        settings.denoiser_rate, lambda n: advance(n, "denoiser"))
    game = Decoders(digits.train, codes, classifier, settings.seeds, settings.units, settings.batch,
                    settings.generator_rate, settings.discriminator_rate)
    return Models(classifier, denoiser, {
        (adversary, features): game.train(adversary, features, settings.steps, lambda n: advance(n, "decoders"))
        for adversary, features in {(variant.adversary, variant.features): None for variant in VARIANTS.values()}})


def _rates(settings: PlugAndPlay, variant: Variant) -> Rates:
    whole = Rates.langevin(settings.prior, settings.corruption,
                           settings.condition if variant.weight is None else variant.weight)
    return Rates(whole.prior * variant.denoiser, whole.condition, whole.noise * variant.noise)


def _drawn(settings: PlugAndPlay, models: Models, name: str, advance: Advance) -> tuple[Tensor, Tensor]:
    """Pictures [seeds, 10·chains, 784] of a variant's chains, class by class; and of the same chains some steps on."""
    variant, asked = VARIANTS[name], _asked(settings)
    decoder = models.decoder(variant)
    slope, noise = class_slope(decoder, models.classifier, asked), Noise(settings.seeds, "chain")
    h = Noise(settings.seeds, "chain starts").normal(len(asked), settings.codes)
    pictures = []
    for steps in (settings.moves, settings.later):
        h = chain(h, _rates(settings, variant), models.denoiser, slope, noise, steps,
                  lambda n: advance(n, name))
        with torch.no_grad():
            pictures.append(decoder(h).sigmoid())
    return pictures[0], pictures[1]


def _asked(settings: PlugAndPlay) -> Tensor:
    """int64 [10·chains]"""
    return torch.arange(CLASSES).repeat_interleave(settings.chains)


class Yardstick:
    """The same measures of test images, as many as there are samples of a seed."""

    def __init__(self, digits: Digits, settings: PlugAndPlay) -> None:
        n = CLASSES * settings.chains
        self._cells = evenly_spaced(digits.train, settings.cells)
        self.test = evenly_spaced(digits.test, n)
        self._other = evenly_spaced(digits.train[1:], n)
        classes = digits.judge(digits.test).argmax(1)
        within = [float(mean_distance(evenly_spaced(digits.test[classes == label], PAIRS).unsqueeze(0)))
                  for label in range(CLASSES) if (classes == label).sum() > 1]
        self.distance = sum(within) / len(within) if within else math.nan
        """Mean distance of two test images of a class, over classes with two"""

    def cells(self, images: Tensor) -> float:
        """Entropy, in nats, of which of the settings’ training images is nearest, for images [n, 784]."""
        nearest = torch.cdist(images, self._cells).argmin(1)
        return float(entropy(torch.bincount(nearest, minlength=len(self._cells)) / len(images)))

    def numbers(self, digits: Digits) -> dict[str, float | int]:
        return {"accuracy of the judge on test images": digits.judge.accuracy,
                "mean distance of two test images of a class": self.distance,
                "entropy of nearest training images, test images, in nats": self.cells(self.test),
                "share of grey pixels, test images": grey(self.test),
                "energy distance of as many training images to the test images":
                    energy_distance(self._other, self.test)}


def grey(images: Tensor) -> float:
    """The share of pixels between ink and paper."""
    return float(((images > GREY[0]) & (images < GREY[1])).double().mean())


def _measure(settings: PlugAndPlay, name: str, pictures: Tensor, later: Tensor, models: Models, digits: Digits,
             yardstick: Yardstick, variants: Rows, classes: Rows) -> None:
    asked = _asked(settings)
    with torch.no_grad():
        steered = models.classifier(pictures).argmax(2)
    for place, seed in enumerate(settings.seeds):
        seen = digits.judge(pictures[place]).argmax(1)
        hits = (seen == asked).double()
        within = [float(mean_distance(pictures[place, asked == label].unsqueeze(0))) for label in range(CLASSES)]
        moved = (later[place] - pictures[place]).norm(dim=1).mean()
        variants.add(name, seed, float(hits.mean()), float((steered[place] == asked).double().mean()),
                     sum(within) / CLASSES / yardstick.distance, yardstick.cells(pictures[place]),
                     float(moved) / yardstick.distance, grey(pictures[place]),
                     energy_distance(pictures[place], yardstick.test))
        for label in range(CLASSES):
            classes.add(name, seed, label, float(hits[asked == label].mean()), float((seen == label).double().mean()))


def _walk(settings: PlugAndPlay, models: Models, advance: Callable[[int], None]) -> dict[str, Tensor]:
    """One chain of each seed that is asked for 0, then 1, up to 9; pictures at even distances."""
    variant, noise = VARIANTS["everything"], Noise(settings.seeds, "walk")
    decoder, h = models.decoder(variant), Noise(settings.seeds, "walk start").normal(1, settings.codes)
    pictures = []
    for label in range(CLASSES):
        slope = class_slope(decoder, models.classifier, torch.tensor([label]))
        for steps in _parts(settings.walk, settings.looks):
            h = chain(h, _rates(settings, variant), models.denoiser, slope, noise, steps, advance)
            with torch.no_grad():
                pictures.append(decoder(h).sigmoid())
    return {f"{WALK}, seed {seed}": torch.cat([picture[place] for picture in pictures])
            for place, seed in enumerate(settings.seeds)}


def _parts(steps: int, parts: int) -> list[int]:
    """`steps` in as equal parts as there can be."""
    ends = [math.floor(steps * (i + 1) / parts) for i in range(parts)]
    return [end - before for before, end in zip([0, *ends], ends, strict=False)]
