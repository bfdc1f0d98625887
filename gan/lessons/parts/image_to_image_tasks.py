"""Translations for the lesson on images: edges to digits, grey to colours of which grey says nothing, and pairs of the
user's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gan.datasets.pairs import Pairs, parts, read_pairs
from gan.errors import DataError
from gan.lessons.batched import Noise
from gan.lessons.settings import ImageToImage

DIGIT_SIDE = 28
EDGE = 0.8
"""Slope from which a pixel is on an edge, in brightness over two pixels"""

SCENE_SIDE = 16
COLOURS = torch.tensor([[0.9, 0.3, 0.3], [0.3, 0.9, 0.3], [0.3, 0.3, 0.9]])
"""Those that a shape may have, with equal odds: all have the same grey, the mean of their channels"""
BACKGROUND = torch.tensor([0.95, 0.85, 0.75])
SIZE = (3.5, 5.5)
"""Radius of a disc, and nearly half the side of a square"""

EVERY = 10
"""Of which pairs of the user's own one is judged, where their folder does not say which"""


# Edges to digits.

@dataclass(frozen=True)
class EdgesToDigits:
    """Edges as inputs, the digits that they were computed from as targets."""

    digits: Tensor
    """[n, 784] in [0, 1]"""
    channels: tuple[int, int] = (1, 1)

    def draw(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        targets = self.digits[noise.integers(len(self.digits), n)].unflatten(2, (1, DIGIT_SIDE, DIGIT_SIDE))
        return edges(targets), targets


def edges(images: Tensor) -> Tensor:
    """1 where the slope by central differences is steeper than EDGE, else 0; [..., H, W], dark beyond the borders."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return (across.square() + down.square() > EDGE ** 2).float()


# Grey to colours.

@dataclass(frozen=True)
class Scenes:
    """A disc or a square each, [runs, n, …]."""

    colours: Tensor
    """[runs, n, 3, side, side] in [0, 1]"""
    cover: Tensor
    """[runs, n, 1, side, side]: how much of a pixel is the shape's"""

    @property
    def grey(self) -> Tensor:
        """[runs, n, 1, side, side]"""
        return self.colours.mean(2, keepdim=True)

    @property
    def inside(self) -> Tensor:
        """bool [runs, n, 1, side, side]: pixels that are wholly the shape's"""
        return self.cover == 1


@dataclass(frozen=True)
class GreyToColour:
    """Scenes without their colours as inputs, with them as targets."""

    channels: tuple[int, int] = (1, 3)

    def draw(self, n: int, noise: Noise) -> tuple[Tensor, Tensor]:
        drawn = scenes(n, noise)
        return drawn.grey, drawn.colours


def scenes(n: int, noise: Noise) -> Scenes:
    """Random shapes at random places before BACKGROUND, each wholly in sight; edges blend over one pixel."""
    size, x, y = ((noise.uniform(n, 3) + 1) / 2).unbind(2)
    is_disc, colour = noise.integers(2, n) == 0, noise.integers(len(COLOURS), n)
    size = (SIZE[0] + (SIZE[1] - SIZE[0]) * size)[..., None, None]
    first = SIZE[1] + 0.5
    centres = torch.arange(SCENE_SIDE) + 0.5
    x, y = (first + (SCENE_SIDE - 2 * first) * place for place in (x, y))
    across, down = (centres - x[..., None]).abs()[..., None, :], (centres - y[..., None]).abs()[..., :, None]
    distance = torch.where(is_disc[..., None, None], (across.square() + down.square()).sqrt(),
                           torch.maximum(across, down) * 1.15)
    cover = (size + 0.5 - distance).clamp(0, 1).unsqueeze(2)
    shape, behind = COLOURS[colour][..., None, None], BACKGROUND[:, None, None]
    return Scenes(cover * shape + (1 - cover) * behind, cover)


def colours_inside(images: Tensor, inside: Tensor) -> Tensor:
    """The mean colour within each shape, [runs, n, 3]."""
    return (images * inside).sum((3, 4)) / inside.sum((3, 4))


# Pairs of the user's own.

def read_own(place: Path, settings: ImageToImage) -> tuple[Pairs, Pairs]:
    """Pairs to train on and pairs to judge by, from a folder or zip archive in the form of pix2pix's public sets.

    Where there is a folder `train` and one `test`, or else `val`, these say which is which; else every tenth pair is
    judged, in the order of names. DataError if a file is not a pair of colour images, and where there is nothing to
    judge.
    """
    def read(most: int, part: str | None = None) -> Pairs:
        return read_pairs(place, settings.side, settings.direction, most=most, part=part)

    found = parts(place)
    others = [name for name in ("test", "val") if name in found]
    if "train" in found and others:
        return read(settings.most, "train"), read(settings.judged, others[0])
    pairs = read(settings.most)
    n = len(pairs.inputs)
    if n < 2:
        raise DataError(f"{place} holds a single pair", expected="at least 2: some to train on, others to judge")
    is_judged = torch.arange(n) % EVERY == min(EVERY, n) - 1
    return (Pairs(pairs.inputs[~is_judged], pairs.targets[~is_judged]),
            Pairs(pairs.inputs[is_judged][:settings.judged], pairs.targets[is_judged][:settings.judged]))
