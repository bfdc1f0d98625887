"""Pairs of images for image-to-image translation, input and target side by side in one file.

So the public sets of pix2pix come (facades, maps, edges to shoes): image A is the left half, image B the right one. All
files of a folder or zip archive are read, at any depth, in the order of their names; or those of one of its parts, as
the public sets have them: what lies in a folder `train`, `val` or `test`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from gan.datasets.image_folder import EXTENSIONS
from gan.datasets.members import Member, lowest_folders, open_members, unreadable
from gan.datasets.pictures import FORMATS, PIXEL_LIMIT
from gan.errors import DataError

if TYPE_CHECKING:
    import torch
    from PIL import Image

Direction = Literal["A to B", "B to A"]
PARTS = ("train", "val", "test")
_DEEP = ("I", "F")
"""What Pillow's names of modes with more than 8 bits to a sample begin with"""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Inputs and what they are to become, float32 [n, C, side, side] in [0, 1]; C may differ between the two."""

    inputs: torch.Tensor
    targets: torch.Tensor


def read_pairs(place: Path, side: int, direction: Direction = "A to B", channels: tuple[int, int] = (3, 3),
               most: int | None = None, part: str | None = None) -> Pairs:
    """The pairs in `place`, a folder or a zip archive; A is the left half of each file.

    Each half is scaled to `side` × `side` pixels, whatever its shape; `channels`, each 1 or 3, are those of inputs and
    of targets. Colours become grey where 1 is asked for; transparent images are laid over white. Where a `part` is
    named, one of PARTS, there are no others. Of more files than `most` so many are read, at even distances. Raises
    ValueError for wrong arguments, and DataError that names the file: if it cannot be read, has an odd width, another
    size than the first one, grey where colours are asked for, or more than 8 bits to a sample; and if there is no image
    at all.
    """
    import torch

    if direction not in get_args(Direction):
        raise ValueError(f"direction must be {' or '.join(map(repr, get_args(Direction)))}, not {direction!r}")
    if side < 1:
        raise ValueError(f"side must be at least 1 pixel, not {side}")
    if most is not None and most < 1:
        raise ValueError(f"most must be at least 1 pair, not {most}")
    if len(channels) != 2 or not set(channels) <= {1, 3}:
        raise ValueError(f"channels must be 1 or 3 for inputs and for targets, not {channels}")
    if not place.exists():
        raise DataError(f"{place} is not there", expected="a folder or zip archive of images")
    halves = _read_halves(place, side, channels if direction == "A to B" else (channels[1], channels[0]), most,
                          part)
    a, b = (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous() / 255 for images in halves)
    return Pairs(a, b) if direction == "A to B" else Pairs(b, a)


def parts(place: Path) -> set[str]:
    """Which of PARTS a folder or a zip archive has, wherever in it they lie and in whatever letter case."""
    return {part for folder in lowest_folders(place) if (part := _part(f"{folder}/", place))}


def _part(name: str, place: Path) -> str | None:
    """The first of PARTS among the folders in `place` that a file lies in."""
    folders = name.split("/")[1 if place.is_dir() else 0:-1]  # names in a folder begin with its own
    return next((folder for folder in map(str.lower, folders) if folder in PARTS), None)


def _read_halves(place: Path, side: int, channels: Sequence[int], most: int | None, part: str | None
                 ) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Left and right halves, each uint8 [side, side, C]; `channels` are those of A and of B."""
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    first: tuple[str, tuple[int, int]] | None = None
    with open_members([place]) as members:
        images = [member for member in members
                  if PurePosixPath(member.name).suffix.lower().removeprefix(".") in EXTENSIONS
                  and part in (None, _part(member.name, place))]
        n = len(images) if most is None else min(most, len(images))
        for member in (images[i * len(images) // n] for i in range(n)):
            image = _open(member, max(channels))
            first = first or (member.name, image.size)
            if image.size != first[1]:
                raise DataError(f"{member.name} has another size than {first[0]}", expected=_size(first[1]),
                                found=_size(image.size), remedy="scale all files of the set to one size")
            for half, kept, number in zip(halves, _cut(image, side), channels, strict=True):
                half.append(np.asarray(kept.convert("L" if number == 1 else "RGB")).reshape(side, side, number))
    if first is None:
        raise DataError(f"{place / part if part else place} holds no images",
                        expected=f"files that end in {', '.join(EXTENSIONS)}")
    return halves


def _open(member: Member, channels: int) -> Image.Image:
    """An image that can be cut in two, RGB or grey; grey only if `channels`, the most that are asked for, is 1."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(member.read()), formats=FORMATS) as file:
            if file.width * file.height > PIXEL_LIMIT:
                raise DataError(f"{file.width}×{file.height} pixels, more than {PIXEL_LIMIT:,}")
            image = ImageOps.exif_transpose(file)
            image.load()
    except Exception as error:  # a damaged image can raise nearly anything
        raise DataError(f"{member.name} cannot be read", expected="an image", found=unreadable(error)) from error
    if image.mode.startswith(_DEEP):
        raise DataError(f"{member.name} has more than 8 bits to a sample", expected="8", found=f"mode {image.mode}",
                        remedy="save it with 8 bits to a sample")
    if image.width % 2:
        raise DataError(f"{member.name} cannot be cut into two halves", expected="an even width: A beside B",
                        found=f"{image.width} pixels")
    is_grey = image.mode in ("1", "L", "LA", "La")
    if is_grey and channels == 3:
        raise DataError(f"{member.name} is grey", expected="colours, as 3 channels are asked for",
                        found="an image of 1 channel", remedy="save it in colour, or ask for channels=(1, 1)")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("L" if is_grey else "RGB")


def _cut(image: Image.Image, side: int) -> tuple[Image.Image, Image.Image]:
    """The left and the right half, each of `side` × `side` pixels."""
    from PIL import Image

    middle = image.width // 2
    left, right = (image.crop((start, 0, start + middle, image.height)).resize(
        (side, side), Image.Resampling.LANCZOS) for start in (0, middle))
    return left, right


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]} pixels"
