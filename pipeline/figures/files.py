"""Figures as files: equal content gives equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pipeline.artifacts.pixels import Pixels
from pipeline.figures.style import DPI
from pipeline.runtime.files import write_bytes


def save_figure(figure: Figure, path: Path, in_full: bool = False) -> Path:
    """PNG without a date or a program's name in it; with 256 colours, for few bytes, unless it is to be `in_full`."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    raw.seek(0)
    with Image.open(raw) as image:
        colours = image.convert("RGB")
    packed = io.BytesIO()
    (colours if in_full else colours.quantize(256, dither=Image.Dither.NONE)).save(packed, format="PNG", optimize=True)
    write_bytes(path, packed.getvalue())
    return path


def write_pixels(path: Path, grid: Sequence[Sequence[Pixels]]) -> Path:
    """Images [H, W, 3] in rows, without a gap and pixel for pixel, for the report to cut apart."""
    image = Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in grid], axis=0))
    packed = io.BytesIO()
    image.save(packed, format="PNG", optimize=True)
    write_bytes(path, packed.getvalue())
    return path
