"""Minibatch features on photographs: a convolutional GAN with them and without."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.errors import DataError, ReproductionError
from gan.evaluation.density_coverage import density_and_coverage
from gan.evaluation.estimates import TooFew
from gan.evaluation.subsets import evenly_spaced
from gan.lessons.lesson import Criterion, Outcome, Rows, lower_end
from gan.lessons.pictures import PictureGame, Pictures, classifier_score
from gan.lessons.settings import MinibatchGan
from gan.linear_algebra import random_stream

SOURCE = (
    "Slide 13 (2016), “Minibatch GAN on CIFAR”; Salimans et al. 2016, “Improved Techniques for Training GANs”, "
    "sections 3.2 and 6.2")
STATEMENT = (
    "The slide shows CIFAR-10 beside samples of a GAN whose D has minibatch features: small photographs in which one "
    "begins to see things. Salimans et al. put a number on it. A classifier of the data looks at each sample; where "
    "it is sure of one class, and where all classes come up, exp of the mean of KL(p(y | x) ‖ p(y)) is large. They "
    "report that leaving out the minibatch features costs part of that score.")
EXPERIMENT = (
    "The same convolutional game twice, with minibatch features (B = {features}, C = {width}) and without, from the "
    "same weights on the same pictures: DCGAN’s layers with {channels} channels at the widest side, {steps} steps of "
    "{batch} pictures, seeds {seeds}. The score is by this repository’s own classifier of CIFAR-10, so it compares "
    "with no published one; coverage is the share of {judged} test images that have a sample near (Naeem et al. "
    "2020), in the same network’s features. {judged} samples each, none picked. The difference between the two games "
    "is taken seed by seed; a criterion holds if its mean is above 0 by two standard errors over seeds.")
TAKEAWAY = (
    "Look at the pictures first, then at the numbers. A game of minutes on a processor draws colours and blobs with "
    "either D, and real photographs score far higher; what the slide shows took a GPU and days. The score asks how "
    "sure a classifier is and how many classes come up, coverage how many real pictures have a sample near: one may "
    "rise where the other falls. And a difference that three seeds cannot tell from chance is no difference yet.")

GAMES = ("without", "with")
SHOWN = 40
"""Pictures of each kind that are drawn, the first ones"""


def run(settings: MinibatchGan, start: StartProgress, pictures: Pictures) -> Outcome:
    real = evenly_spaced(pictures.test, settings.judged)
    seen = pictures.features(real)
    if seen.probabilities is None:
        raise ValueError("the features are of data without labels: nothing says what a picture shows")
    try:
        density_and_coverage(seen.features, seen.features)  # before games of hours
    except TooFew as error:
        raise DataError("too few test images to judge samples by", found=f"{error} ({len(real):,} are judged)",
                        remedy="add images, or raise judged or the data set’s share of test images in params.yaml"
                        ) from error
    rows = Rows("game", "seed", "score", "coverage")
    images: dict[str, Tensor] = {"training images": pictures.visible(evenly_spaced(pictures.train, SHOWN))}
    with start("minibatch GAN", len(GAMES) * len(settings.seeds) * settings.steps, "step") as meter:
        for seed in settings.seeds:
            for game in GAMES:
                samples = _samples(settings, pictures, seed, game, meter.advance)
                of_samples = pictures.features(samples)
                assert of_samples.probabilities is not None  # there are classes
                covered = density_and_coverage(seen.features, of_samples.features).coverage.value
                rows.add(game, seed, classifier_score(of_samples.probabilities), covered)
                images[f"{game}, seed {seed}"] = pictures.visible(samples[:SHOWN])
    of_real = classifier_score(seen.probabilities)
    numbers = {"accuracy of the classifier on test images": pictures.accuracy, "score of test images": of_real,
               **({} if len(real) == settings.judged else {"test images, of which there are fewer": len(real)}),
               **{f"{column}, {game} minibatch features, mean over seeds":
                  statistics.fmean(rows.numbers(column, game=game)) for column in ("score", "coverage")
                  for game in GAMES}}
    return Outcome(_criteria(rows, of_real), {"seeds": rows.table}, numbers, images)


def _criteria(rows: Rows, of_real: float) -> list[Criterion]:
    best = max(score for game in GAMES for score in rows.numbers("score", game=game))
    return [
        Criterion("score of test images, less that of the best game", of_real - best, ">", 0.0),
        *(Criterion(f"{what}, with minibatch features less without: mean over seeds less two standard errors",
                    lower_end(differences(rows, column)), ">", 0.0)
          for column, what in (("score", "classifier score"), ("coverage", "coverage")))]


def differences(rows: Rows, column: str) -> list[float]:
    """With less without, seed by seed."""
    return rows.differences(column, {"game": "with"}, {"game": "without"})


def _samples(settings: MinibatchGan, pictures: Pictures, seed: int, game: str,
             advance: Callable[[int, str], None]) -> Tensor:
    """[judged, 3·side·side], after a game of that seed. ReproductionError if it has diverged."""
    play = PictureGame(pictures.train, pictures.side, seed, settings.noise, settings.channels, settings.batch,
                       settings.discriminator_rate, settings.generator_rate,
                       settings.features if game == "with" else 0, settings.width, pictures.device)
    for _ in range(settings.steps):
        play.play()
        advance(1, f"{game}, seed {seed}")
    samples = play.samples(settings.judged, random_stream(seed, "judged"))
    if not samples.isfinite().all():
        raise ReproductionError(f"the game {game} minibatch features, seed {seed}, has diverged",
                                expected="finite pictures", found="values that are not finite",
                                remedy="lower the lesson’s rates in params.yaml")
    return samples
