"""What conditional nets are told beside noise and pixels: a class, or the pixels of an image that are given.

Section 7 of the paper names both: p(x | c) by adding c to the input of both players, and all conditionals p(x_S | x_¬S)
by nets that share their parameters.

A class is told by its one-hot vector less its mean over classes, scaled to variance 1, which is the noise's; of one
class alone that is 0, and the nets are the unconditional ones. Of given pixels G sees which they are and their values,
0 elsewhere; it makes the others, and D, whose images have the given pixels, sees which they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.adversarial.layers import Network
from gan.adversarial.settings import AdversarialNets, OnClass, OnVisiblePixels, Shape

_BLOCK = 1000  # examples
WHICH = 0.25
"""By what it is told that a pixel is given: all of them together then weigh about as much as the noise or a digit does;
told by 1, they outweigh both, and G's samples differ by their masks alone"""


@dataclass(frozen=True, eq=False)
class Told:
    """What both players are told of each of n examples; of several seeds with a leading axis."""

    generator: Tensor
    """[n, k] beside the noise"""
    discriminator: Tensor
    """[n, k'] beside the pixels"""
    visible: Tensor | None = None
    """[n, d]: 1 where a pixel is given, else 0; None where none can be"""
    image: Tensor | None = None
    """[n, d]: the given pixels, 0 elsewhere"""

    def to(self, block: slice, device: torch.device) -> Told:
        """Some of the examples, on a device."""
        visible, image = (None if each is None else each[block].to(device) for each in (self.visible, self.image))
        return Told(self.generator[block].to(device), self.discriminator[block].to(device), visible, image)

    def completed(self, made: Tensor) -> Tensor:
        """G's output [n, d] with the given pixels in their places."""
        if self.visible is None or self.image is None:
            return made
        return torch.addcmul(self.image, made, 1 - self.visible)

    def gradient_of_made(self, gradient: Tensor) -> Tensor:
        """From ∂L/∂(completed) to ∂L/∂(G's output)."""
        return gradient if self.visible is None else gradient * (1 - self.visible)


def class_codes(classes: int) -> Tensor:
    """How each class is told: [classes, classes], a row each."""
    centred = torch.eye(classes) - 1 / classes
    return centred * (classes / math.sqrt(classes - 1)) if classes > 1 else centred


def of_classes(codes: Tensor, classes: Tensor) -> Told:
    """Of int64 [n], or [S, n]."""
    told = codes[classes]
    return Told(told, told)


def of_pixels(images: Tensor, visible: Tensor) -> Told:
    """Of images [n, d] and what of them is given [n, d]."""
    given, which = images * visible, visible * WHICH
    return Told(torch.cat((given, which), -1), which, visible, given)


def of_rows(told: Told, rows: Tensor) -> Told:
    """What is told of some of the examples, in that order."""
    return Told(told.generator[rows], told.discriminator[rows], None if told.visible is None else told.visible[rows],
                None if told.image is None else told.image[rows])


def even_told(nets: AdversarialNets, n: int, pixels: int) -> Told | None:
    """What G is told for samples of the model as a whole: as many of each class, or no pixel; None without condition.

    As many of each class is how Mirza and Osindero (2014) drew the samples of their estimate."""
    if isinstance(nets.condition, OnClass):
        classes = nets.condition.classes
        return of_classes(class_codes(classes), even_classes(n, classes))
    if isinstance(nets.condition, OnVisiblePixels):
        nothing = torch.zeros(1, pixels)
        one = of_pixels(nothing, nothing)
        return Told(one.generator.expand(n, -1), one.discriminator.expand(n, -1), nothing.expand(n, -1),
                    nothing.expand(n, -1))  # views: of 100,000 samples they would take a gigabyte
    return None


def generate(generator: Network, z: Tensor, told: Told | None) -> Tensor:
    """G's images [n, d] of noise z [n, dimensions], completed where pixels are given; in blocks, on z's device."""
    made = []
    for start in range(0, max(len(z), 1), _BLOCK):
        block = slice(start, start + _BLOCK)
        if told is None:
            made.append(generator.forward(z[block]))
            continue
        own = told.to(block, z.device)
        made.append(own.completed(generator.forward(torch.cat((z[block], own.generator), 1))))
    return torch.cat(made)


def even_classes(n: int, classes: int) -> Tensor:
    """0, 1, …, classes − 1, 0, 1, … [n]: as many samples of each class as of any other, up to one."""
    return torch.arange(n) % classes


def draw_visible(condition: OnVisiblePixels, n: int, shape: Shape, stream: torch.Generator) -> Tensor:
    """Which pixels of n images are given, 1 or 0 [n, d], on the stream's device; all channels of a pixel together."""
    channels, height, width = shape
    device = stream.device
    none, place = torch.rand(2, n, 1, 1, generator=stream, device=device)
    side = torch.randint(4, (n, 1, 1), generator=stream, device=device)
    down = ((torch.arange(height, device=device) + 0.5) / height).view(1, height, 1)
    right = ((torch.arange(width, device=device) + 0.5) / width).view(1, 1, width)
    along = torch.where(side % 2 == 0, down, right)
    visible: Tensor = ((along < place) != (side < 2)) & (none >= condition.nothing)
    return visible.float().expand(n, height, width).unsqueeze(1).expand(n, channels, height, width).reshape(n, -1)


def half(shape: Shape, side: str = "left") -> Tensor:
    """1 on that half of an image and 0 on the other, [d]; ValueError for another word than left, right, top, bottom."""
    channels, height, width = shape
    visible = torch.zeros(channels, height, width)
    parts: dict[str, Sequence[slice]] = {
        "left": (slice(None), slice(None, width // 2)), "right": (slice(None), slice(width - width // 2, None)),
        "top": (slice(None, height // 2), slice(None)), "bottom": (slice(height - height // 2, None), slice(None))}
    if side not in parts:
        raise ValueError(f"side must be {', '.join(parts)}, not {side}")
    visible[:, parts[side][0], parts[side][1]] = 1
    return visible.flatten()
