"""What the lesson on images measures of images that were not trained on, and the first of them to be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, stack

from gan.datasets.pairs import Pairs
from gan.lessons.batched import Noise
from gan.lessons.digits import Digits, Judge
from gan.lessons.lesson import Rows
from gan.lessons.parts.image_to_image_game import Translator
from gan.lessons.parts.image_to_image_tasks import COLOURS, EdgesToDigits, colours_inside, scenes
from gan.lessons.settings import ImageToImage

DIGITS, COLOUR, OWN = "edges to digits", "grey to colour", "own pairs"
SHOWN = 4
"""Images of each seed that are drawn, the first ones"""


@dataclass(frozen=True)
class Judged:
    """A task's table, a row for each objective and seed, and its images."""

    rows: Rows
    images: Mapping[str, Tensor]


def judge_digits(settings: ImageToImage, translators: Mapping[str, Translator], digits: Digits) -> Judged:
    inputs, targets = EdgesToDigits(digits.test).draw(settings.judged, Noise(settings.seeds, "judged digits"))
    truth = _classes(digits.judge, targets)
    rows = Rows("trained_by", "seed", "l1", "sharpness", "agreement")
    shown = {"input": inputs, "truth": targets}
    for name, translate in translators.items():
        shown[name] = outputs = translate(inputs, "judged digits z")
        agreement = (_classes(digits.judge, outputs) == truth).float().mean(1)
        for i, seed in enumerate(settings.seeds):
            rows.add(name, seed, *(float(values[i]) for values in (*_error_and_sharpness(outputs, targets), agreement)))
    return Judged(rows, _first(DIGITS, shown, settings.seeds))


def judge_own(settings: ImageToImage, translators: Mapping[str, Translator], pairs: Pairs) -> Judged:
    """Of pairs that were not trained on."""
    inputs, targets = (images.expand(len(settings.seeds), *images.shape) for images in (pairs.inputs, pairs.targets))
    rows = Rows("trained_by", "seed", "l1", "sharpness")
    shown = {"input": inputs, "truth": targets}
    for name, translate in translators.items():
        shown[name] = outputs = translate(inputs, "judged own z")
        for i, seed in enumerate(settings.seeds):
            rows.add(name, seed, *(float(values[i]) for values in _error_and_sharpness(outputs, targets)))
    return Judged(rows, _first(OWN, shown, settings.seeds))


def judge_colours(settings: ImageToImage, translators: Mapping[str, Translator]) -> Judged:
    drawn = scenes(settings.judged, Noise(settings.seeds, "judged colours"))
    rows = Rows("trained_by", "seed", "l1", "l1_inside", "saturation", "possible_share", "odds_distance",
                *(f"mean_{channel}" for channel in ("red", "green", "blue")))
    shown = {"input": drawn.grey, "truth": drawn.colours}
    truth = colours_inside(drawn.colours, drawn.inside)
    for name, translate in translators.items():
        shown[name] = outputs = translate(drawn.grey, "judged colours z")
        colours = colours_inside(outputs, drawn.inside)
        error = (outputs - drawn.colours).abs()
        measured = (error.mean((1, 2, 3, 4)), colours_inside(error, drawn.inside).mean((1, 2)),
                    saturation(colours).mean(1) / saturation(truth).mean(1), *commitment(colours, settings.near),
                    *colours.mean(1).unbind(1))
        for i, seed in enumerate(settings.seeds):
            rows.add(name, seed, *(float(values[i]) for values in measured))
    return Judged(rows, _first(COLOUR, shown, settings.seeds))


def commitment(colours: Tensor, near: float) -> tuple[Tensor, Tensor]:
    """Of mean colours [runs, n, 3], each [runs]: the share that is one of COLOURS, within `near` in each channel; and
    the total variation between even odds and how often each of COLOURS is the nearest.
    """
    distance, nearest = (colours.unsqueeze(2) - COLOURS).abs().amax(3).min(2)
    odds = stack([(nearest == i).float().mean(1) for i in range(len(COLOURS))], 1)
    return (distance < near).float().mean(1), (odds - 1 / len(COLOURS)).abs().sum(1) / 2


def saturation(colours: Tensor) -> Tensor:
    """The largest channel less the smallest, [...] for colours [..., 3]."""
    return colours.amax(-1) - colours.amin(-1)


def gradient_energy(images: Tensor) -> Tensor:
    """The sum of squared differences between neighbouring pixels, [runs] for all images [runs, n, C, H, W] of a run."""
    across, down = (images.diff(dim=dim).square().sum((1, 2, 3, 4)) for dim in (-1, -2))
    return across + down


def _error_and_sharpness(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The L1 error, and gradient energy over that of the targets, each [runs]."""
    return (outputs - targets).abs().mean((1, 2, 3, 4)), gradient_energy(outputs) / gradient_energy(targets)


def _classes(judge: Judge, images: Tensor) -> Tensor:
    """int64 [runs, n]"""
    return judge(images.flatten(0, 1).flatten(1)).argmax(1).view(images.shape[:2])


def _first(task: str, shown: Mapping[str, Tensor], seeds: Sequence[int]) -> dict[str, Tensor]:
    """The first images [SHOWN, C · H · W] of each seed."""
    return {f"{task}, {name}, seed {seed}": images[i, :SHOWN].flatten(1)
            for name, images in shown.items() for i, seed in enumerate(seeds)}
