"""Pictures inside a page: few bytes, every pixel of samples as it was, the same bytes each time."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

SMALL = 64 * 64
"""Pixels of an image that is kept as PNG"""
EFFORT = 75
"""Of WebP without loss, up to 100: the last few percent of bytes would take ten times as long"""
QUALITY = 20
"""Of WebP with loss, for drawings: thin lines keep their colours, which few colours in all would not"""
QUALITY_OF_SAMPLES = 25
"""Likewise, for samples in small that the full page has without loss"""
GAP = 1
"""Pixels between the images of a strip, through which the page is seen"""


@dataclass(frozen=True)
class Strip:
    """Images side by side in one picture, and below them the training image nearest to each, where it is known."""

    alt: str
    samples: str
    nearest: str
    columns: int
    width: int
    height: int
    """Of each of the two pictures, in its own pixels"""


def picture_source(picture: bytes | None) -> str:
    """A PNG as a data URI; empty if there is none."""
    return _address("png", picture) if picture else ""


def image_source(image: Image.Image) -> str:
    """An image as a data URI, without loss: WebP, or PNG for one so small that its header would weigh most."""
    packed = io.BytesIO()
    if image.width * image.height <= SMALL:
        image.save(packed, format="PNG", optimize=True)
        return _address("png", packed.getvalue())
    colours = image.convert("RGB") if image.mode == "P" else image
    colours.save(packed, format="WEBP", lossless=True, quality=EFFORT, method=4)
    return _address("webp", packed.getvalue())


def smaller(picture: bytes) -> str:
    """The picture of a PNG file as a data URI of as few bytes as `image_source` finds."""
    with Image.open(io.BytesIO(picture)) as image:
        return image_source(image)


def halved(picture: bytes) -> str:
    """A drawing at half its width and height, with loss: for a page that is to be small."""
    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB").resize((max(1, image.width // 2), max(1, image.height // 2)),
                                            Image.Resampling.LANCZOS)
    return _lossy(small, QUALITY)


def with_loss(picture: bytes) -> str:
    """The picture of a PNG file, with loss: as `halved`, at its own size."""
    with Image.open(io.BytesIO(picture)) as image:
        return _lossy(image.convert("RGB"), QUALITY_OF_SAMPLES)


def _lossy(image: Image.Image, quality: int) -> str:
    packed = io.BytesIO()
    image.save(packed, format="WEBP", quality=quality, method=6)
    return _address("webp", packed.getvalue())


def strip(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one size side by side, GAP pixels apart."""
    width, height = images[0].size
    grey = all(image.mode == "L" for image in images)
    whole = Image.new("LA" if grey else "RGBA", (len(images) * (width + GAP) - GAP, height))
    for place, image in enumerate(images):
        whole.paste(image.convert(whole.mode), (place * (width + GAP), 0))
    return whole


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
