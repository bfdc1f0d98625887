"""One image file to pixels. The pixels decide: what else is in a file is used if it can be read and passed over if not.

Whatever is dropped or changed on the way is named by a word of `TREATMENTS`, so that it can be counted and told.
"""

from __future__ import annotations

import functools
import io
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gan.errors import DataError

if TYPE_CHECKING:
    from PIL import Image, ImageCms

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
PIXEL_LIMIT = 64_000_000
"""Larger images are refused."""

TREATMENTS = {
    "frames": "have several frames or pages, of which the first one is taken",
    "turned": "are turned as their EXIF data say",
    "metadata": "have metadata that cannot be read, which is passed over",
    "profile": "have a colour profile, which is not applied",
    "transparent": "are partly transparent and laid over white",
    "converted": "are CMYK, Lab or YCbCr and become RGB",
    "floats": "hold floating-point numbers, 0 for black and 1 for white",
    "cropped": "are not square, and only their middle is taken",
    "enlarged": "are smaller than the wanted size and enlarged",
}
"""By the word in source.json: what it says of so many images"""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners give. Those of 10 to 14 are kept in samples of 16, and no format says so reliably:
PNG's sBIT tells how many bits are significant, not where they are, and TIFF's MaxSampleValue is for statistics."""

_ORIENTATION, _BITS_PER_SAMPLE = 274, 258  # tags of TIFF and EXIF
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
          7: "TRANSVERSE", 8: "ROTATE_90"}


@dataclass(frozen=True)
class Picture:
    """An image, scaled and cropped to a square."""

    pixels: np.ndarray
    """uint8 [channels · size · size]"""
    treated: frozenset[str]
    """words of `TREATMENTS`"""
    largest: int | None = None
    """of samples of 16 bits whose depth the file does not say: the largest; else None"""


def read_picture(content: bytes, size: int, channels: int, bits: int = 16) -> Picture:
    """The image in a file's `content`; of samples of 16 bits, 2^`bits` − 1 is white where the file does not say.

    Raises nearly anything if the file is damaged.
    """
    try:
        return _read(content, size, channels, bits)
    except DataError:
        raise
    except Exception:
        bare = without_metadata(content)
        if bare is None:
            raise
        try:
            picture = _read(bare, size, channels, bits)
        except Exception:
            bare = None
        if bare is None:
            raise
    return Picture(picture.pixels, picture.treated | {"metadata"}, picture.largest)


def depth_of(largest: Iterable[int]) -> int:
    """The bits of a set's samples, from the largest in each image: the fewest of `DEPTHS` that hold all of them."""
    most = max(largest, default=2**16 - 1)
    return next(bits for bits in DEPTHS if most < 2**bits)


def _read(content: bytes, size: int, channels: int, bits: int) -> Picture:
    from PIL import Image, ImageOps

    treated: set[str] = set()
    with Image.open(io.BytesIO(content), formats=FORMATS) as file:
        if file.width * file.height > PIXEL_LIMIT:
            raise DataError(f"{file.width}×{file.height} pixels, more than {PIXEL_LIMIT:,}")
        turns_itself = file.format == "TIFF"  # Pillow turns it while it loads it, and forgets that it did
        orientation = _orientation(file, treated) if turns_itself else 1
        file.load()
        image, largest = _of_8_bits(file, content, bits, treated)
        if not turns_itself:
            orientation = _orientation(file, treated)
        if orientation in _TURNS:
            treated.add("turned")
            if not turns_itself:
                image = image.transpose(Image.Transpose[_TURNS[orientation]])
        if "icc_profile" in file.info:
            treated.add("profile")
        if _has_several_frames(file):
            treated.add("frames")
    image = _plain(_opaque(image, treated), treated).convert("L" if channels == 1 else "RGB")
    if image.width != image.height:
        treated.add("cropped")
    if min(image.size) < size:
        treated.add("enlarged")
    # `fit` crops before it scales: a very long image would not fit into memory scaled
    scaled = np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))
    pixels = (scaled if channels == 1 else scaled.transpose(2, 0, 1)).reshape(-1)
    return Picture(pixels, frozenset(treated), largest)


# --- Around the pixels ---


def _orientation(file: Image.Image, treated: set[str]) -> int:
    """As EXIF or XMP has it; 1, upright, where that cannot be read."""
    try:
        found = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata can raise nearly anything
        found = None
    if isinstance(found, int) and 0 <= found <= 8:  # 0: unknown
        return found
    treated.add("metadata")
    return 1


def _has_several_frames(file: Image.Image) -> bool:
    try:
        return int(getattr(file, "n_frames", 1)) > 1
    except Exception:  # of damaged frames the first one, which is there, may be the only one
        return False


_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PNG_KEPT = (b"tRNS", b"eXIf")
"""Of the chunks that a decoder may leave out: what the pixels need, and which way up they are"""
_JPEG_DROPPED = {0xFE, *range(0xE1, 0xEE), 0xEF}
"""Comments and application data, but for JFIF's and Adobe's, by which colours are decoded"""


def without_metadata(content: bytes) -> bytes | None:
    """A PNG's or JPEG's content with nothing but what its pixels need; None if it is neither, or broken off before."""
    if content.startswith(_PNG):
        return _bare_png(content)
    if content.startswith(_JPEG):
        return _bare_jpeg(content)
    return None


def _bare_png(content: bytes) -> bytes | None:
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        length, kind = int.from_bytes(content[at:at + 4], "big"), content[at + 4:at + 8]
        end = at + 12 + length
        is_critical = kind[:1].isupper()
        if is_critical or kind in _PNG_KEPT:
            chunk = content[at:end]
            is_whole = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
            if is_whole or is_critical:
                kept.append(chunk)
        if kind == b"IEND" or end > len(content):
            break
        at = end
    return b"".join(kept)


def _bare_jpeg(content: bytes) -> bytes | None:
    kept, at = [_JPEG], len(_JPEG)
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xDA:  # the pixels
            return b"".join([*kept, content[at:]])
        end = at + 2 + int.from_bytes(content[at + 2:at + 4], "big")
        if marker not in _JPEG_DROPPED:
            kept.append(content[at:end])
        at = end
    return None


# --- Samples of more than 8 bits ---


def _of_8_bits(file: Image.Image, content: bytes, bits: int, treated: set[str]) -> tuple[Image.Image, int | None]:
    """The image with 8 bits to a sample, and the largest sample where 16 bits may hold fewer."""
    from PIL import Image

    if file.mode == "F":
        values = np.asarray(file)
        if not ((values >= 0) & (values <= 1)).all():
            raise DataError("its values are floating-point numbers that are not all from 0 to 1")
        treated.add("floats")
        return Image.fromarray(np.rint(values * 255).astype(np.uint8)), None
    samples = _samples(file, content)
    if samples is None:
        return _small_samples(file, content), None
    if samples.min() < 0 or samples.max() > 65_535:
        raise DataError("its values have more than 16 bits")
    colours, alpha = np.split(samples, [samples.shape[2] - 1 + samples.shape[2] % 2], axis=2)
    said = _depth_said(file)
    largest = int(colours.max())
    white = 2**(said or bits) - 1
    scaled = [_scaled(colours, white)]
    key = file.info.get("transparency")
    if alpha.size:
        scaled.append(_scaled(alpha, white if alpha.max() <= white else 65_535))
    elif isinstance(key, int | tuple):
        scaled.append(np.where((colours == np.array(key)).all(2, keepdims=True), 0, 255).astype(np.uint8))
    values = np.concatenate(scaled, axis=2)
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values), None if said else largest


def _scaled(values: np.ndarray, white: int) -> np.ndarray:
    """0 to `white` as the nearest of 0 to 255."""
    scaled: np.ndarray = (np.minimum(values, white) * 510 + white) // (2 * white)
    return scaled.astype(np.uint8)


def _depth_said(file: Image.Image) -> int | None:
    """The bits of an image in samples of 16, where its format leaves no doubt."""
    if file.format == "PPM":  # whose largest value Pillow has made 65,535
        return 16
    if file.format == "TIFF":  # packed; Pillow leaves the values as they are
        depth = _bits_per_sample(file)
        return depth if depth in (10, 12, 14) else None
    return None


def _bits_per_sample(file: Any) -> int:
    return int(max(file.tag_v2.get(_BITS_PER_SAMPLE, (1,))))


def _png_header(content: bytes) -> tuple[int, int] | None:
    """(bit depth, colour type) of a PNG."""
    return (content[24], content[25]) if content.startswith(_PNG) and len(content) > 29 else None


def _samples(file: Image.Image, content: bytes) -> np.ndarray | None:
    """int64 [H, W, 1 to 4] of an image with samples of more than 8 bits; None for one of 8 or fewer.

    Pillow has modes for grey alone; of colours it keeps the upper byte, and gives the lower one where it is told that
    the bytes come in the other order.
    """
    from PIL import Image

    if file.mode.startswith("I"):
        return np.asarray(file).astype(np.int64)[:, :, None]
    header = _png_header(content)
    if header == (16, 4):  # grey and transparency: its rows are those of RGBA with 8 bits
        rewritten = bytearray(content)
        rewritten[24:26] = 8, 6
        rewritten[29:33] = zlib.crc32(rewritten[12:29]).to_bytes(4, "big")
        with Image.open(io.BytesIO(rewritten), formats=("PNG",)) as other:
            halves = np.asarray(other).astype(np.int64)
        return halves[:, :, ::2] << 8 | halves[:, :, 1::2]
    is_deep = header[0] == 16 if header else file.format == "TIFF" and _bits_per_sample(file) == 16
    if not is_deep:
        return None
    upper = np.asarray(file).astype(np.int64)
    with Image.open(io.BytesIO(content), formats=FORMATS) as other:
        tiles: Any = getattr(other, "tile", ())
        swapped = [_swapped(tile) for tile in tiles]
        if file.mode not in ("RGB", "RGBA") or not swapped or None in swapped:
            if 0 < upper.max() < 64:
                raise DataError("its samples use fewer than 14 of 16 bits, of which the upper 8 alone are read")
            return None
        other.tile = swapped
        return upper << 8 | np.asarray(other).astype(np.int64)


def _swapped(tile: Any) -> Any:
    """A tile of colours of 16 bits, to be read with its bytes in the other order; None if it is another one."""
    raw, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    mode, _, order = str(raw).partition(";16")
    if mode not in ("RGB", "RGBA") or order not in ("B", "L", "N"):
        return None
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}[order]
    return tile._replace(args=(f"{mode};16{other}", *rest) if isinstance(tile.args, tuple) else f"{mode};16{other}")


def _small_samples(file: Image.Image, content: bytes) -> Image.Image:
    """With the transparent grey of a PNG of 1, 2 or 4 bits as its pixels have it: from 0 to 255."""
    image, key, header = file.copy(), file.info.get("transparency"), _png_header(content)
    if header is not None and header[0] < 8 and header[1] == 0 and isinstance(key, int):
        grey = image.convert("L")
        grey.info["transparency"] = key if header[0] == 1 and key > 1 else key * 255 // (2**header[0] - 1)
        return grey
    return image


# --- Colours ---


def _opaque(image: Image.Image, treated: set[str]) -> Image.Image:
    from PIL import Image

    if image.mode in ("La", "RGBa"):  # colours multiplied with their opacity
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    treated.add("transparent")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _plain(image: Image.Image, treated: set[str]) -> Image.Image:
    from PIL import ImageCms

    if image.mode in ("CMYK", "YCbCr", "HSV", "LAB"):
        treated.add("converted")
    if image.mode == "LAB":  # the only mode that Pillow does not convert by itself
        converted = ImageCms.applyTransform(image, _lab_to_rgb())
        assert converted is not None
        return converted
    return image


@functools.cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    from PIL import ImageCms

    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
