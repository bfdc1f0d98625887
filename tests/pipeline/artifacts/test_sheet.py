"""Many small images as one PNG."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts.sheet import sheet


def pixels(packed: bytes) -> tuple[str, list[list[object]]]:
    with Image.open(io.BytesIO(packed)) as image:
        return image.mode, np.asarray(image).tolist()


def test_images_stand_row_by_row_and_the_last_row_ends_in_black() -> None:
    images = np.array([[1, 2], [3, 4], [5, 6]], np.uint8)
    assert pixels(sheet(images, (1, 1, 2), columns=2)) == ("L", [[1, 2, 3, 4], [5, 6, 0, 0]])


def test_each_pixel_is_enlarged_to_a_square() -> None:
    assert pixels(sheet(np.array([[1, 2]], np.uint8), (1, 1, 2), columns=1, enlarged=2)) == \
        ("L", [[1, 1, 2, 2], [1, 1, 2, 2]])


def test_colours_stay_together() -> None:
    image = np.array([[1, 2, 10, 20, 100, 200]], np.uint8)  # C×H×W = 3×1×2
    assert pixels(sheet(image, (3, 1, 2), columns=1)) == ("RGB", [[[1, 10, 100], [2, 20, 200]]])


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        sheet(np.zeros((2, 5), np.uint8), (1, 2, 2))
