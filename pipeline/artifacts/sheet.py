"""Many small images as one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = 10


def sheet(images: NDArray[np.uint8], shape: Sequence[int], columns: int = COLUMNS, enlarged: int = 1) -> bytes:
    """uint8 [n, C·H·W] row by row, without a gap, each pixel `enlarged` wide and high; black where the last row ends.

    `shape` is (C, H, W) with one channel, which gives 8-bit grey, or three. ValueError for images of another size.
    """
    import numpy as np
    from PIL import Image

    channels, height, width = shape
    rows = -(-len(images) // columns)
    cells = np.zeros((rows * columns, channels, height, width), np.uint8)
    cells[:len(images)] = images.reshape(-1, channels, height, width)
    whole = cells.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2).reshape(
        rows * height, columns * width, channels)
    whole = whole.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    packed = io.BytesIO()
    Image.fromarray(whole[:, :, 0] if channels == 1 else whole).save(packed, format="PNG", optimize=True)
    return packed.getvalue()
