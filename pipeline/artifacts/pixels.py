"""Images in a data set's scale as pixels: what MLflow's pictures and the figures are put together from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""[H, W, 3]"""

GAP = 12  # pixels between images


def pixel_scale(train: torch.Tensor, shown: torch.Tensor) -> float | None:
    """None for data in [0, 1]; for centred data the largest |value| shown, which becomes black or white."""
    return None if float(train.min()) >= 0 else largest(shown)


def largest(images: torch.Tensor) -> float:
    return max(float(images.abs().max()), 1e-12)


def to_pixels(images: torch.Tensor, shape: Sequence[int], scale: float | None) -> Pixels:
    """[n, C·H·W] in the data's scale → uint8 [n, H, W, 3]."""
    channels, height, width = shape
    values = images.to(torch.float64)
    values = values if scale is None else (values / scale + 1) / 2
    pixels = (values.clamp(0, 1) * 255).round().to(torch.uint8).reshape(-1, channels, height, width)
    pixels = pixels.expand(-1, 3, -1, -1) if channels == 1 else pixels[:, :3]
    return np.asarray(pixels.permute(0, 2, 3, 1).contiguous().numpy(), dtype=np.uint8)


def blank(shape: Sequence[int]) -> Pixels:
    return np.full((shape[1], shape[2], 3), 255, np.uint8)


def mosaic(grid: Sequence[Sequence[Pixels]], fill: int) -> tuple[Pixels, tuple[int, int]]:
    """Images [H, W, 3] in rows on white, GAP pixels around each, and the (down, across) from one to the next.

    Enlarged by a whole number, so that every pixel stays a square of the same size, up to `fill` pixels across.
    """
    height, width = grid[0][0].shape[:2]
    rows, columns = len(grid), max(len(row) for row in grid)
    enlarged = max(1, ((fill - GAP) // columns - GAP) // width)
    down, across = height * enlarged + GAP, width * enlarged + GAP
    canvas = np.full((rows * down + GAP, columns * across + GAP, 3), 255, np.uint8)
    for row, images in enumerate(grid):
        for column, image in enumerate(images):
            large = image.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
            top, left = GAP + row * down, GAP + column * across
            canvas[top:top + down - GAP, left:left + across - GAP] = large
    return canvas, (down, across)
