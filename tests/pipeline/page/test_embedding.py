"""Pictures inside a page: every pixel as it was, in few bytes."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.page.embedding import GAP, halved, image_source, picture_source, smaller, strip


def decoded(address: str) -> Image.Image:
    kind, _, content = address.partition(",")
    assert kind in ("data:image/png;base64", "data:image/webp;base64")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        image.load()
        return image.copy()


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (28, 300, 3), np.uint8)


def test_every_pixel_is_as_it_was_grey_or_coloured(noise: np.ndarray) -> None:
    coloured, grey = Image.fromarray(noise), Image.fromarray(noise[..., 0])
    assert (np.asarray(decoded(image_source(coloured)).convert("RGB")) == noise).all()
    assert (np.asarray(decoded(image_source(grey)).convert("L")) == noise[..., 0]).all()


def test_the_same_image_gives_the_same_bytes_and_fewer_than_png() -> None:
    image = Image.radial_gradient("L")
    png = io.BytesIO()
    image.save(png, format="PNG", optimize=True)
    assert image_source(image) == image_source(image.copy())
    assert len(image_source(image)) <= len(picture_source(png.getvalue()))
    assert len(smaller(png.getvalue())) <= len(picture_source(png.getvalue()))


def test_no_picture_is_no_address() -> None:
    assert picture_source(None) == picture_source(b"") == ""


def test_a_strip_holds_its_images_apart() -> None:
    images = [Image.new("L", (4, 3), value) for value in (10, 20, 30)]
    whole = strip(images)
    assert whole.size == (3 * 4 + 2 * GAP, 3)
    pixels = np.asarray(whole)
    assert [pixels[1, 1 + place * (4 + GAP)].tolist() for place in range(3)] == [[10, 255], [20, 255], [30, 255]]
    assert pixels[1, 4].tolist() == [0, 0]  # the page is seen
    assert (np.asarray(decoded(image_source(whole)).convert("LA"))[..., 1] == pixels[..., 1]).all()


def test_a_drawing_is_halved_and_keeps_its_colours() -> None:
    drawing = Image.new("RGB", (256, 256), "white")
    for place, colour in enumerate(("#d55e00", "#0072b2", "#009e73")):
        drawing.paste(colour, (20 + 80 * place, 20, 40 + 80 * place, 236))
    packed = io.BytesIO()
    drawing.save(packed, format="PNG")
    source = halved(packed.getvalue())
    assert source == halved(packed.getvalue())
    assert len(source) < len(image_source(drawing.resize((128, 128)))) + 2000
    small = decoded(source).convert("RGB")
    assert small.size == (128, 128)
    for place, colour in enumerate((0xd55e00, 0x0072b2, 0x009e73)):
        found = small.getpixel((15 + 40 * place, 64))
        assert found == pytest.approx((colour >> 16, colour >> 8 & 255, colour & 255), abs=12)
