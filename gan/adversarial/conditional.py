"""What conditional nets show and are measured by: samples of a class that was asked for, and images completed.

Half an image is completed several times, by fresh noise; what is measured is looked at beside the plain way of
completing it: with the other half of the training image whose given half is nearest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan.adversarial.conditions import Told, class_codes, even_classes, half, of_classes, of_pixels
from gan.adversarial.settings import AdversarialNets, OnClass
from gan.evaluation import neighbours
from gan.evaluation.estimates import Estimate, mean
from gan.evaluation.subsets import evenly_spaced
from gan.model import Examination, Picture

if TYPE_CHECKING:
    from gan.datasets.dataset import Dataset

Draw = Callable[[Told], Tensor]
"""Samples [n, d] of what is told of each"""

OF_A_CLASS, COMPLETED, ANSWERS = 10, 10, 8
"""Images in a row of a class; test images that are completed, and how often each"""
GREY = 0.5
"""of pixels that are not given, where a picture shows which are"""


def pictures(nets: AdversarialNets, data: Dataset, draw: Draw) -> dict[str, Picture]:
    """By name; see `gan.model.Illustrated`."""
    if isinstance(nets.condition, OnClass):
        classes = torch.arange(nets.condition.classes).repeat_interleave(OF_A_CLASS)
        made = draw(of_classes(class_codes(nets.condition.classes), classes))
        return {"classes": Picture("a row for each class, of which samples were asked for", made, OF_A_CLASS)}
    return {f"completed_from_the_{side}": _completions(data, side, draw) for side in ("left", "top")}


def _completions(data: Dataset, side: str, draw: Draw) -> Picture:
    """A row for each of the first test images: what is given, answers, and the image itself."""
    images, visible = data.test[:COMPLETED].cpu(), half(data.shape, side)
    told = of_pixels(images, visible.expand_as(images))
    shown = images * visible + _middle(images) * (1 - visible)
    columns = [shown, *(draw(told).cpu() for _ in range(ANSWERS)), images]
    return Picture(f"the {side} half of each test image, {ANSWERS} answers, the image",
                   torch.stack(columns, 1).flatten(0, 1), ANSWERS + 2)


def _middle(images: Tensor) -> float:
    """Grey: of normalised images 0 is the middle."""
    return 0.0 if bool(images.min() < 0) else GREY


def examine(nets: AdversarialNets, by: Examination, draw: Draw) -> dict[str, Estimate]:
    """By name; see `gan.model.Examined`. Without a judge, or without labels, what needs none."""
    if isinstance(nets.condition, OnClass):
        return _as_asked(nets.condition, by, draw)
    return _completed(by, draw)


def _as_asked(condition: OnClass, by: Examination, draw: Draw) -> dict[str, Estimate]:
    if by.judge is None or by.judge.classes != condition.classes:
        return {}
    asked = even_classes(by.samples, condition.classes)
    found = by.judge(draw(of_classes(class_codes(condition.classes), asked))).probabilities
    return {} if found is None else {"as_asked": mean(found.argmax(1).cpu() == asked)}


def _completed(by: Examination, draw: Draw) -> dict[str, Estimate]:
    """Of left halves given: two answers for each test image."""
    rows = looked_at(by)
    images, visible = by.data.test[rows].cpu(), half(by.data.shape)
    told = of_pixels(images, visible.expand_as(images))
    one, other = (draw(told).cpu() for _ in range(2))
    copied = _completed_by_the_nearest(by)
    hidden = math.sqrt(float(visible.numel() / (1 - visible).sum()))  # pixels that are given differ nowhere
    found = {f"completion_{name}": mean(rms(a, b) * hidden) for name, a, b in (
        ("distance", one, images), ("distance_nearest", copied, images), ("variety", one, other))}
    if by.judge is not None and by.labels is not None:
        labels = by.labels["test"][rows]
        for name, judged in (("completion_class", one), ("completion_class_nearest", copied)):
            seen = by.judge(judged).probabilities
            if seen is not None:
                found[name] = mean(seen.argmax(1).cpu() == labels)
    return found


@functools.lru_cache(maxsize=1)  # the same for all weights
def _completed_by_the_nearest(by: Examination) -> Tensor:
    """Test images [n, d], of whose right halves each is that of the training image whose left half is nearest."""
    images, train, visible = by.data.test[looked_at(by)].cpu(), by.data.train.cpu(), half(by.data.shape)
    given = torch.nonzero(visible).flatten()
    _, nearest = neighbours.nearest(images[:, given], train[:, given])
    return torch.where(visible == 1, images, train[nearest])


def looked_at(by: Examination) -> Tensor:
    """Which test images are looked at: places [n], at even distances."""
    return evenly_spaced(torch.arange(len(by.data.test)), by.samples)


def rms(one: Tensor, other: Tensor) -> Tensor:
    """The root of the mean square difference over the pixels of each pair of images [n, d]: [n]."""
    return (one - other).square().mean(1).sqrt()
