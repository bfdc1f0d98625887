"""Digits with attributes that are made, and measured from the pixels alone: colour, slant and stroke."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, max_pool2d

from gan.linear_algebra import random_stream

SIDE = 28
ATTRIBUTES: dict[str, tuple[str, str]] = {
    "colour": ("blue", "orange"), "slant": ("left", "right"), "stroke": ("thin", "thick")}
"""Each attribute's two values, the lower measure first"""
COLOURS = torch.tensor([[0.1, 0.6, 1.0], [1.0, 0.6, 0.1]])
"""Of ink, on black: blue and orange, alike bright"""
SHEAR = 0.6
"""By how many pixels a stroke leans, at most, for each pixel of height"""
WIDTHS = (3.0, 8.0)
"""Of the thinnest and the thickest stroke, in pixels of 28 × 28, as `strokes` measures them"""
FAINT = 0.1
"""Ink below this does not count when a shape is measured"""


def made(digits: Tensor, degrees: Tensor) -> Tensor:
    """Images [n, 3, 14, 14] of digits [n, 784] with the attributes `degrees` [n, 3] in [0, 1], in order of ATTRIBUTES.

    Digits are set upright by their moments, thickened to the stroke wanted, sheared, coloured and halved in size.
    """
    ink = digits.view(-1, 1, SIDE, SIDE)
    colour, slant, stroke = degrees.T
    ink = sheared(ink, -slants(ink.squeeze(1)))
    ink = thickened(ink, WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * stroke)
    ink = avg_pool2d(sheared(ink, SHEAR * (2 * slant - 1)), 2)
    return ink * torch.lerp(COLOURS[0], COLOURS[1], colour.unsqueeze(1)).view(-1, 3, 1, 1)


def thickened(ink: Tensor, widths: Tensor) -> Tensor:
    """Images [n, 1, h, w] whose strokes have grown to `widths` [n], or stay where they are wider.

    Between the image and its dilations by one and by two pixels; what falls between nine steps is interpolated.
    """
    once, twice = max_pool2d(ink, 3, 1, 1), max_pool2d(ink, 5, 1, 2)

    def grown(by: Tensor) -> Tensor:
        return torch.maximum(ink, torch.maximum(by.clamp(max=1) * once, (by - 1).clamp(min=0) * twice))

    grid = torch.linspace(0, 2, 9)
    found = torch.stack([strokes(grown(by).squeeze(1)) for by in grid], 1).cummax(1).values
    after = (found < widths.unsqueeze(1)).sum(1, keepdim=True).clamp(1, len(grid) - 1)
    lower, upper = found.gather(1, after - 1), found.gather(1, after)
    part = ((widths.unsqueeze(1) - lower) / (upper - lower + 1e-6)).clamp(0, 1)
    return grown((torch.lerp(grid[after - 1], grid[after], part)).view(-1, 1, 1, 1))


def sheared(ink: Tensor, by: Tensor) -> Tensor:
    """Images [n, 1, h, w] whose rows are moved to the right by `by` [n] for each row above the middle."""
    turn = torch.zeros(len(ink), 2, 3)
    turn[:, 0, 0] = turn[:, 1, 1] = 1
    turn[:, 0, 1] = by  # where a pixel of the result comes from; y points down
    return grid_sample(ink, affine_grid(turn, list(ink.shape), align_corners=False), align_corners=False)


def measures(images: Tensor) -> Tensor:
    """[n, 3]: what each attribute measures on images [n, 3, h, w]."""
    red, _, blue = images.sum((2, 3)).T
    ink = inks(images)
    return torch.stack(((red - blue) / (red + blue + 1e-6), slants(ink), strokes(ink)), 1)


def inks(images: Tensor) -> Tensor:
    """[n, h, w] in [0, 1]: how much ink there is, whatever its colour."""
    return (images.sum(1) / COLOURS[0].sum()).clamp(0, 1)


def slants(ink: Tensor) -> Tensor:
    """[n] of ink [n, h, w]: pixels to the right for each pixel up, −μ₁₁/μ₀₂ of the central moments; 0 without ink."""
    weight = (ink - FAINT).clamp(min=0).double()
    total = weight.sum((1, 2)) + 1e-9
    rows, columns = (torch.arange(size, dtype=torch.float64) for size in ink.shape[1:])
    y = rows.view(1, -1, 1) - ((weight.sum(2) * rows).sum(1) / total).view(-1, 1, 1)
    x = columns.view(1, 1, -1) - ((weight.sum(1) * columns).sum(1) / total).view(-1, 1, 1)
    return (-(weight * x * y).sum((1, 2)) / ((weight * y * y).sum((1, 2)) + 1e-9)).float()


def strokes(ink: Tensor) -> Tensor:
    """[n] of ink [n, h, w]: the width of a stroke in pixels, twice the area over the length of its edges.

    The length of edges is the total variation of the ink: a bar of width w and length l has area wl and edges 2l. The
    ink is averaged over 2 × 2 pixels first, for transposed convolutions in steps of 2 leave a pattern of that period.
    """
    ink = avg_pool2d(torch.nn.functional.pad(ink, (2, 2, 2, 2)).unsqueeze(1), 2, 1).squeeze(1)
    down, right = ink[:, 1:, :-1] - ink[:, :-1, :-1], ink[:, :-1, 1:] - ink[:, :-1, :-1]
    return 2 * ink.sum((1, 2)) / ((down.square() + right.square()).sqrt().sum((1, 2)) + 1e-6)


@dataclass(frozen=True, eq=False)
class Meter:
    """Says which value each attribute has: on which side of the middle its measure lies."""

    middles: Tensor
    """[3]: halfway between the means of images that were made on either side of the middle"""

    @classmethod
    def fit(cls, images: Tensor, degrees: Tensor) -> Meter:
        """From images that were made with `degrees` [n, 3]."""
        found, high = measures(images), degrees > 0.5
        means = [torch.stack([found[high[:, i] == side, i].mean() for side in (False, True)]) for i in range(3)]
        return cls(torch.stack(means).mean(1))

    def __call__(self, images: Tensor) -> Tensor:
        """bool [n, 3]"""
        return measures(images) > self.middles


def any_degrees(n: int, purpose: str) -> Tensor:
    """[n, 3], uniform in [0, 1], each attribute's of its own."""
    return torch.rand(n, len(ATTRIBUTES), generator=random_stream(0, purpose))
