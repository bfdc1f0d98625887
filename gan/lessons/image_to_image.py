"""Translating images: L1 gives the median of what is possible, an adversary one of the possible images."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from gan.datasets.pairs import Pairs
from gan.datasets.sources import StartProgress
from gan.lessons.batched import Noise
from gan.lessons.digits import Digits, Judge
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.parts.image_to_image_game import Drawn, Objective, Sizes, Source, Translator, train
from gan.lessons.parts.image_to_image_measures import judge_colours, judge_digits, judge_own
from gan.lessons.parts.image_to_image_tasks import EdgesToDigits, GreyToColour, read_own, scenes
from gan.lessons.settings import ImageToImage

SOURCE = (
    "Slide 19 (2016), “Image to Image Translation”; Isola, Zhu, Zhou and Efros 2016, “Image-to-Image Translation with "
    "Conditional Adversarial Networks”, sections 3 and 4.2")
STATEMENT = (
    "Where an input leaves its output open, the mean absolute error (L1) is least at the median of what is possible, "
    "pixel by pixel and channel by channel: strokes become faint and colours greyish. A discriminator that sees input "
    "and output together rejects that, and G has to commit itself. Alone it does not hold G to the truth; Isola et "
    "al. add both, L1 with weight 100, and report images that are sharp and right. G is a U-net, whose skips carry "
    "the input’s layout past the bottleneck; D judges patches, not whole images.")
EXPERIMENT = (
    "Two translations. Edges to digits: a pixel of an MNIST image is an edge where brightness changes steeply, and "
    "the image is to be found again from its edges. Grey to colour: a disc or a square has one of three colours with "
    "equal odds, all of the same grey, so that nothing in the input says which. The same small U-net (two halvings, "
    "{width} channels at first, {noise} numbers of noise in the middle) is trained by L1 alone, by an adversary alone, "
    "and by both with the published weight of {weight} for L1. How heavy that is can be reckoned: colours with the "
    "right odds have a larger L1 error than the median, and with weight 100 pay 3.3 nats more, which outweighs the "
    "adversary’s log 2 unless D gives the median a chance below .02. So a weight of {lighter} is tried as well. D "
    "judges patches of 10 × 10 pixels. {digit_steps} steps for digits and {colour_steps} for colours, of {batch} pairs "
    "each, seeds {seeds}. Judged on {judged} pairs that were not trained on: the L1 error; sharpness, the sum of "
    "squared differences between neighbouring pixels over that of the truth; whether a classifier of real digits sees "
    "the same digit in output and truth; whether a shape’s mean colour is one of the three, within {near} in each "
    "channel. The median of the three is the dark grey (.3, .3, .3): within shapes its L1 error is .2, and that of "
    "colours with the right odds .267. With a name in the setting “folder” the same networks also translate pairs of "
    "one’s own, side by side in each file, as pix2pix’s public sets are.")
TAKEAWAY = (
    "L1 leaves open what it cannot decide: strokes are grey where the edges do not say which side is ink, and every "
    "shape is the one dark grey that is nobody’s colour. The adversary decides, and pays for it in error: digits turn "
    "into others, and outside of the shapes it leaves noise. What both together give hangs on the weight, a price in "
    "nats that can be reckoned before anything is trained. The published 100 was found on other images; here, where a "
    "quarter of an image is wholly open, it mostly buys back the grey, and digits are hardly sharper than by L1. With "
    "a tenth of it the shapes get their colours on a clean ground, and the digits are sharper than those of L1 at no "
    "more error. How well digits are read is not where an adversary helps: the edges leave little open, and L1 alone "
    "is as readable as any. Isola et al. saw both: street scenes from labels were read best after training by both, "
    "labels from street scenes after L1 alone (their tables 1 and 5).")

L1, GAN, BOTH, LIGHTER = "L1 alone", "adversary alone", "both (published weight)", "both (lighter L1)"
LEAST, RIGHT_ODDS = 0.2, 4 / 15
"""L1 errors within shapes, in the mean over channels: of the median, and of a colour drawn with the true odds"""
PUBLISHED = {L1: 0.42, GAN: 0.57, BOTH: 0.66}
"""Accuracy per pixel on Cityscapes, labels to photos: Isola et al., table 1"""


def run(settings: ImageToImage, start: StartProgress, digits: Digits, own: Path | None = None) -> Outcome:
    """`own` is where the pairs are that settings.folder names, if any: a folder or a zip archive."""
    pairs = None if own is None else read_own(own, settings)
    steps = settings.digit_steps + settings.colour_steps + (settings.folder_steps if pairs else 0)
    with start("image to image", 2 * steps, "step") as meter:
        to_digits = _translators(settings, EdgesToDigits(digits.train), settings.digit_steps, meter.advance)
        to_colours = _translators(settings, GreyToColour(), settings.colour_steps, meter.advance)
        judged = {"digits": judge_digits(settings, to_digits, digits), "colours": judge_colours(settings, to_colours)}
        digit_rows, colour_rows = judged["digits"].rows, judged["colours"].rows
        if pairs:
            of_own = _translators(settings, Drawn(pairs[0]), settings.folder_steps, meter.advance, settings.levels)
            judged["own"] = judge_own(settings, of_own, pairs[1])
    return Outcome(_criteria(digit_rows, colour_rows), {name: one.rows.table for name, one in judged.items()},
                   _numbers(settings, digit_rows, colour_rows, digits.judge)
                   | ({} if pairs is None else _own_numbers(pairs, judged["own"].rows)),
                   {name: images for one in judged.values() for name, images in one.images.items()})


def _translators(settings: ImageToImage, source: Source, steps: int, advance: Callable[[int], None],
                 levels: int = 2) -> dict[str, Translator]:
    """One for each objective, by its name."""
    sizes = Sizes(settings.width, levels, settings.noise, batch=settings.batch, steps=steps,
                  learning_rate=settings.learning_rate)
    weights = {GAN: 0.0, BOTH: settings.weight, LIGHTER: settings.lighter}
    alone = train(source, [Objective(1.0, adversarial=False)], settings.seeds, sizes, advance)
    others = train(source, [Objective(weight) for weight in weights.values()], settings.seeds, sizes, advance)
    return dict(zip((L1, *weights), [*alone, *others], strict=True))


def _criteria(digits: Rows, colours: Rows) -> list[Criterion]:
    def less(column: str, name: str, other: str) -> list[float]:
        return digits.differences(column, {"trained_by": name}, {"trained_by": other})

    def possible(name: str) -> list[float]:
        return colours.numbers("possible_share", trained_by=name)

    return [
        Criterion("digits: L1 error, adversary alone less L1 alone, worst seed", min(less("l1", GAN, L1)), ">", 0.0),
        *(Criterion(f"digits: sharpness, {name} less L1 alone, worst seed", min(less("sharpness", name, L1)), ">", 0.0)
          for name in (GAN, BOTH, LIGHTER)),
        *(Criterion(f"digits: share judged the same digit, {name} less adversary alone, worst seed",
                    min(less("agreement", name, GAN)), ">", 0.0) for name in (BOTH, LIGHTER)),
        Criterion("colours, L1 alone: error within shapes as a multiple of the least, .2, worst seed",
                  max(colours.numbers("l1_inside", trained_by=L1)) / LEAST, "<", 1.1),
        Criterion("colours, L1 alone: share with one of the three colours, best seed", max(possible(L1)), "<", 0.05),
        *(Criterion(f"colours, {name}: share with one of the three colours, worst seed", min(possible(name)), ">", 0.5)
          for name in (GAN, BOTH, LIGHTER))]


def _numbers(settings: ImageToImage, digits: Rows, colours: Rows, judge: Judge) -> dict[str, float]:
    def means(task: str, rows: Rows, column: str, text: str) -> dict[str, float]:
        return {f"{task}, {name}: {text}, mean over seeds": statistics.fmean(rows.numbers(column, trained_by=name))
                for name in (L1, GAN, BOTH, LIGHTER)}

    cover = scenes(settings.judged, Noise(settings.seeds, "judged colours")).cover.mean()
    return {
        **means("digits", digits, "l1", "L1 error"), **means("digits", digits, "sharpness", "sharpness"),
        **means("digits", digits, "agreement", "share judged the same digit"),
        **means("colours", colours, "l1_inside", "L1 error within shapes"),
        **means("colours", colours, "possible_share", "share with one of the three colours"),
        **means("colours", colours, "saturation", "saturation over the truth’s"),
        **means("colours", colours, "odds_distance", "total variation between the odds of its colours and true odds"),
        f"what colours with the right odds pay more than the median, with weight {settings.weight:g} (nats)": float(
            2 * settings.weight * (RIGHT_ODDS - LEAST) * cover),
        "accuracy of the judge on test images": judge.accuracy,
        **{f"published (Isola et al., table 1): accuracy per pixel on Cityscapes, {name}": value
           for name, value in PUBLISHED.items()}}


def _own_numbers(pairs: tuple[Pairs, Pairs], rows: Rows) -> dict[str, float]:
    """No criterion: nothing is known of what a user's inputs leave open."""
    return {
        **{f"own pairs, {what}": len(some.inputs) for what, some in zip(("trained on", "judged"), pairs, strict=True)},
        **{f"own pairs, {name}: {text}, mean over seeds": statistics.fmean(rows.numbers(column, trained_by=name))
           for column, text in (("l1", "L1 error"), ("sharpness", "sharpness")) for name in (L1, GAN, BOTH, LIGHTER)}}
