"""Slides 16 to 18: what G gets wrong although every part is right, on pictures whose truth is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.lessons.lesson import Criterion, Outcome
from gan.lessons.parts.problems_measured_game import PictureGame
from gan.lessons.parts.problems_measured_scenes import Scene, scenes
from gan.lessons.parts.problems_measured_verdicts import Verdicts
from gan.lessons.settings import ProblemsMeasured
from gan.linear_algebra import random_stream

SOURCE = (
    "Slides 16, 17 and 18 (2016), “Problems with Counting”, “Problems with Perspective” and “Problems with Global "
    "Structure”")
STATEMENT = (
    "The slides show samples in which fur, grass and edges are good and the whole is wrong: the wrong number of "
    "heads, a scene without one perspective, limbs that belong to no one body. What fails is a fact of the whole "
    "picture that none of its parts shows. The slides give pictures and no numbers; here each of the three is "
    "measured.")
EXPERIMENT = (
    "Pictures of 16 × 16 pixels are drawn by a rule that every real one obeys. Counting: {counts} discs of one size "
    "(a game for each number), anywhere but apart. Perspective: the lower ends of three lines that lead to one point "
    "above the picture, which varies. Global structure: two eyes, one in each half, anywhere in it, of any size but "
    "the same. A convolutional GAN ({channels} and twice as many maps, minibatches of {batch}, {steps} steps; D sees "
    "pictures under noise of deviation {blur}) learns each kind from {pictures} pictures, seeds {seeds}; {judged} "
    "samples of each are judged. Objects are counted as what hangs together above ½. Lines are fitted; they miss if "
    "one is more than half a pixel from the point nearest to all three. Eyes differ if their areas do by more than a "
    "quarter. So that blur alone proves nothing, only samples whose every part is well formed are judged: each object "
    "differs by less than a quarter of its ink from a disc drawn in its place, nothing else is there, each line is "
    "straight to a quarter of a pixel. Lines that waver miss a common point by that alone, so the misses of real "
    "roads made to waver as much are subtracted. Intervals are exact, 95%.")
TAKEAWAY = (
    "The discs are round and the eyes are eyes, and many a picture has one disc too many or too few, or eyes of two "
    "sizes. Blur is not the reason: real pictures that are blurred are counted right. What all of a picture has to "
    "obey is a relation between places far apart. D judges it only as far as its last layer has learnt to compare "
    "them, and G gets no slope from a rule that D does not know. How often it goes wrong depends on the rule: sizes "
    "that must agree are missed most. Roads are another matter: their lines are drawn with hardly a miss or not "
    "straight at all, and of too few straight ones little can be said. Measured so, “wrong” also depends on which "
    "samples one admits, so the shares of all samples and of the well-formed ones stand side by side.")

Advance = Callable[[int, str], None]
FACTS = {"road": "lines that miss a common point", "eyes": "eyes of different size"}
"""What is wrong where it is no number of objects"""
MARGIN = 0.1
"""By which the share of wrong samples is to be above that of real pictures"""


def run(settings: ProblemsMeasured, start: StartProgress) -> Outcome:
    kinds, verdicts = scenes(settings.counts), Verdicts()
    images: dict[str, Tensor] = {}
    with start("problems measured", len(kinds) * settings.steps, "step") as meter:
        for name, scene in kinds.items():
            samples = _train(settings, name, scene, verdicts, meter.advance)
            real = scene.draw(settings.judged, random_stream(0, f"{name}, judged"))
            verdicts.judge(name, scene, settings.seeds, real, samples)
            images |= {f"{name}, {source}": pictures[:settings.shown].flatten(1) for source, pictures in (
                ("data", real), *zip((f"seed {seed}" for seed in settings.seeds), samples, strict=True))}
    return Outcome(_criteria(list(kinds), verdicts), verdicts.tables(), _numbers(list(kinds), verdicts), images)


def _train(settings: ProblemsMeasured, name: str, scene: Scene, verdicts: Verdicts, advance: Advance) -> Tensor:
    """Samples [seeds, judged, 16, 16] at the end; the last half of the steps is taken at falling rates."""
    game = PictureGame(settings, scene.draw(settings.pictures, random_stream(0, name)))
    every = settings.steps // settings.looks
    for step in range(1, settings.steps + 1):
        game.play(min(1.0, 2 * (1 - (step - 1) / settings.steps)))
        advance(1, name)
        if step % every == 0:
            verdicts.look(name, scene, settings.seeds, step, game.samples(settings.looked, "looks"))
    return game.samples(settings.judged, "judged")


def _criteria(kinds: list[str], verdicts: Verdicts) -> list[Criterion]:
    data, parts, counts = verdicts.data, verdicts.parts, [name for name in kinds if name not in FACTS]
    least = "less that of real pictures, lower end of its interval, lowest seed"
    of_seeds = [high for source, high in zip(*(verdicts.correlations.table[column] for column in ("source", "high")),
                                             strict=True) if str(source).startswith("seed")]
    return [
        Criterion("real pictures: largest share taken for wrong, over all kinds", max(data.numbers("wrong", blur=0.0)),
                  "<", 0.001),
        Criterion("real pictures blurred by a pixel: largest share of wrong counts", max(
            data.numbers("wrong", scene=name, blur=1.0)[0] for name in counts), "<", 0.01),
        *(Criterion(f"{name}, all samples: share with another number, {least}", above_data(verdicts, name, "all"), ">",
                    MARGIN) for name in counts),
        *(Criterion(f"{name}, well-formed samples: share with {FACTS.get(name, 'another number')}, {least}",
                    above_data(verdicts, name, "well formed"), ">", MARGIN) for name in kinds),
        Criterion("eyes, well-formed samples: correlation of the two areas, upper end of its interval, highest seed",
                  max(float(high or 0) for high in of_seeds), "<", 0.9),
        Criterion("parts: share of objects that are well formed, discs and eyes, lowest seed",
                  min(parts.numbers("round"), default=math.nan), ">", 0.5),
        Criterion("parts: median area of objects by that of real ones, discs and eyes, largest difference from 1",
                  max((abs(area - 1) for area in parts.numbers("area")), default=math.nan), "<", 0.1),
        Criterion("parts: share of roads with three straight lines, lowest seed",
                  min(parts.numbers("well_formed", scene="road")), ">", 0.5)]


def above_data(verdicts: Verdicts, name: str, of: str) -> float:
    """The lower end of the share of wrong samples, less what real pictures give, for the seed where it is least."""
    real = verdicts.data.numbers("wrong", scene=name, blur=0.0)[0]
    low, wobble = (verdicts.scenes.numbers(column, scene=name, of=of) for column in ("low", "by_wobble"))
    return min(end - max(real, control) for end, control in zip(low, wobble, strict=True))


def _numbers(kinds: list[str], verdicts: Verdicts) -> dict[str, float]:
    """Means over seeds."""
    numbers: dict[str, float] = {}
    for name in kinds:
        columns = {"share of samples that are well formed": verdicts.parts.numbers("well_formed", scene=name),
                   "share of all samples that are wrong": verdicts.scenes.numbers("wrong", scene=name, of="all"),
                   "share of the well-formed ones that are wrong": verdicts.scenes.numbers(
                       "wrong", scene=name, of="well formed"),
                   "share of misses that wavering alone gives": verdicts.scenes.numbers(
                       "by_wobble", scene=name, of="well formed") if name == "road" else []}
        numbers |= {f"{name}: {label}, mean over seeds": statistics.fmean(found)
                    for label, found in columns.items() if found}
    return numbers
