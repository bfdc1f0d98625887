"""A figure that is a picture: pixels as they are, a title above and notes below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.artifacts.pixels import GAP, Pixels
from pipeline.figures.style import DPI, PIXELS, TITLE_COLUMNS, wrapped


@dataclass(frozen=True)
class RealImages:
    """What samples are compared with: [n, d] each, of the data set with this shape [C, H, W]."""

    train: torch.Tensor
    validation: torch.Tensor
    shape: Sequence[int]


def black_to_white(scale: float) -> str:
    """"−2.5 to 2.5": the values that are black and white."""
    return f"−{scale:.3g} to {scale:.3g}"


def scale_note(scale: float | None) -> list[str]:
    """The note on the scale of centred data; none for data in [0, 1]."""
    return [] if scale is None else [f"black to white: values from {black_to_white(scale)}"]


def picture(canvas: Pixels, title: str, notes: Sequence[str] = ()) -> tuple[Figure, Axes]:
    """A figure with `canvas` in it, pixel for pixel, between its title and lines below; axes in the canvas's pixels."""
    across = max(3 * PIXELS // 4, canvas.shape[1])
    title = wrapped(title, TITLE_COLUMNS * across // PIXELS)
    head, foot = 28 + 36 * (1 + title.count("\n")), 24 + 32 * len(notes) if notes else 8
    down = canvas.shape[0] + head + foot
    figure = Figure(figsize=(across / DPI, down / DPI))
    axes = figure.add_axes((0, foot / down, canvas.shape[1] / across, canvas.shape[0] / down))
    axes.imshow(canvas, interpolation="nearest", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.set_axis_off()
    figure.text(GAP / across, 1 - 8 / down, title, ha="left", va="top")
    figure.text((canvas.shape[1] - GAP) / across, 14 / down, "\n".join(notes), ha="right", va="bottom", fontsize=8)
    return figure, axes
