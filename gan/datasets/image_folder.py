"""Any folder or zip archive of images, scaled to one size.

Each image is turned as its EXIF data says, laid over white where it is transparent, converted to grey or RGB, scaled
until its shorter side has the wanted size, and cropped to the square in its middle; of several frames the first
counts. The raw file is one array of them, sorted by the SHA-256 of their pixels, so that the splits depend on neither
names, folders nor the file system. Copies of an image stay together in one split.

The user's folder is not among the files that DVC watches: `dvc repro -f download@<name>` takes changed images in.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets import sources
from gan.datasets.contrast import require_contrast_norm
from gan.datasets.members import Member, content_order, open_members, unreadable
from gan.datasets.sources import Availability, Say, Source, StartProgress, reason, redo
from gan.errors import DataError
from gan.settings import ParameterBlock, require

if TYPE_CHECKING:
    import torch
    from PIL import Image

EXTENSIONS = ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
PIXEL_LIMIT = 64_000_000
"""Larger images are refused."""
BYTES_LIMIT = 16 << 30
"""Of all images together, scaled."""

IMAGES_FILE, SOURCE_FILE = "images.npy", "source.json"
_UNSORTED_FILE = "unsorted.npy"
_NAMED_FAILURES = 5
_THREADS = 4  # Pillow decodes and scales in parallel; more would take memory
_BLOCK = 256  # images


@dataclass(frozen=True)
class ImageFolder(ParameterBlock):
    """See `gan.datasets.loader.Loader`. The images of `folder` or `folder`.zip in one of the user's own folders."""

    loader: Literal["image_folder"]
    folder: str
    size: int
    """pixels, of both sides"""
    channels: Literal[1, 3]
    validation: float
    """fraction of all images"""
    test: float
    """fraction of all images"""
    seed: int
    """of the permutation from which the splits are taken"""
    contrast_norm: float | None = None

    divisor: ClassVar[int] = 255

    def __post_init__(self) -> None:
        require(re.fullmatch(r"\w[\w .-]*", self.folder) is not None,
                f"folder must be the name of a folder, without a path, not {self.folder!r}")
        require(1 <= self.size <= 1024, f"size must be from 1 to 1024 pixels, not {self.size}")
        for name in ("validation", "test"):
            require(0 < getattr(self, name) < 1, f"{name} must be between 0 and 1, not {getattr(self, name)}")
        require(self.validation + self.test < 1,
                f"validation and test must leave images to train on: {self.validation} + {self.test} is not below 1")
        require(0 <= self.seed < 2**32, f"seed must be from 0 to 2³² − 1, not {self.seed}")
        require_contrast_norm(self.contrast_norm)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        available = sources.first_available(self._sources(local), probe, self._remedy())
        if available.state == "unavailable" and not local:
            return Availability("unavailable", f"{self.folder} is in no folder of {sources.LOCAL_FOLDERS}",
                                available.remedy)
        return available

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        source = sources.fetch_first(self.folder, self._sources(local), folder, say, progress, self._remedy())
        record = json.loads((folder / SOURCE_FILE).read_text())
        if record["ignored"]:
            say(f"{self.folder}: {record['ignored']:,} files that are not images ignored")
        if record["copies"]:
            say(f"{self.folder}: {record['copies']:,} of {record['images']:,} images are copies of others; "
                "copies stay in one split")
        return source

    def verify(self, folder: Path) -> None:
        """Also that the images were made with these settings."""
        sources.verify_names(folder, {IMAGES_FILE, SOURCE_FILE})
        record = self._about(folder)
        images = self._images(folder)
        expected = {**self._settings(), "images": len(images), "sha256": _sha256(folder / IMAGES_FILE)}
        if {key: record.get(key) for key in expected} != expected:
            raise DataError(f"{folder} holds other images, or of other settings", expected=str(expected),
                            found=str(record), remedy=redo(folder))

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        return dict(zip(("validation", "test", "train"), self._split_sizes(self._count(folder, local)), strict=True))

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        """By a permutation of the distinct images from RandomState(`seed`), which is the same in every NumPy.

        Validation comes first, then test; each ends with the image that completes it, copies included.
        """
        import torch

        images = self._images(folder)
        first = np.flatnonzero(_differs_from_previous(images))  # copies are neighbours
        copies = np.diff(np.append(first, len(images)))
        order = np.random.RandomState(self.seed).permutation(len(first))
        begin = np.cumsum(copies[order]) - copies[order]
        validation, test, _ = self._split_sizes(len(images))
        part = np.searchsorted([validation, validation + test], begin, side="right")
        splits = {}
        for number, split in enumerate(("validation", "test", "train")):
            rows = [np.arange(first[i], first[i] + copies[i]) for i in order[part == number]]
            if not rows:
                raise DataError(f"{self.folder} has too few distinct images: none is left for {split}",
                                expected=f"at least one in each split, with validation {self.validation:g} and test "
                                         f"{self.test:g}", found=f"{len(images):,} images, {len(first):,} distinct",
                                remedy="add images or change the fractions in params.yaml")
            splits[split] = torch.from_numpy(images[np.concatenate(rows)])
        return splits

    def _split_sizes(self, images: int) -> tuple[int, int, int]:
        """Of validation, test and training, where no image has copies."""
        validation, test = (min(images, max(1, round(fraction * images))) for fraction in (self.validation, self.test))
        return validation, test, max(0, images - validation - test)

    def _count(self, folder: Path, local: Sequence[Path]) -> int:
        """How many images there are: from the raw files, or by the names in the first source that has some."""
        with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
            record = self._about(folder)
            if record["folder"] == self.folder:
                return int(record["images"])
        for place in self._places(local):
            try:
                with open_members([place]) as members:
                    return len(_images_among(members))
            except DataError:
                continue
        return 0

    # --- Raw files ---

    def _settings(self) -> dict[str, Any]:
        return {"folder": self.folder, "size": self.size, "channels": self.channels}

    def _about(self, folder: Path) -> dict[str, Any]:
        try:
            return dict(json.loads((folder / SOURCE_FILE).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{folder / SOURCE_FILE} cannot be read", expected="JSON", found=reason(error),
                            remedy=redo(folder)) from error

    def _images(self, folder: Path) -> np.ndarray:
        """uint8 [n, d], read as it is needed."""
        path = folder / IMAGES_FILE
        try:
            images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read", expected="an array in NumPy's format", found=reason(error),
                            remedy=redo(folder)) from error
        d = self.channels * self.size**2
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != d or len(images) == 0:
            raise DataError(f"{path} holds other images, or of other settings", expected=f"uint8 [n, {d}]",
                            found=f"{images.dtype} {list(images.shape)}", remedy=redo(folder))
        return images

    # --- Sources ---

    def _remedy(self) -> str:
        return (f"put a folder {self.folder} or {self.folder}.zip with readable images ({', '.join(EXTENSIONS)}) in a "
                f"folder and name that one: {sources.LOCAL_FOLDERS}=/path/to/folder make reproduce")

    def _places(self, local: Sequence[Path]) -> Iterator[Path]:
        for folder in local:
            if (folder / self.folder).is_dir():
                yield folder / self.folder
            if (folder / f"{self.folder}.zip").is_file():
                yield folder / f"{self.folder}.zip"

    def _sources(self, local: Sequence[Path]) -> Iterator[Source]:
        for folder in local:
            try:
                places = list(self._places([folder]))
            except OSError as error:
                yield sources.failing_source(folder, f"cannot be searched ({reason(error)})")
                continue
            if not places:
                yield sources.failing_source(folder, f"holds neither {self.folder} nor {self.folder}.zip")
            for place in places:
                yield sources.local_source(place, functools.partial(self._check_local, place),
                                           functools.partial(self._fetch_local, place))

    def _check_local(self, place: Path) -> None:
        with open_members([place]) as members:
            self._check_number(_images_among(members), place)

    def _check_number(self, images: Sequence[Member], place: Path) -> None:
        if not images:
            raise DataError(f"{place.name} holds no images", expected=f"files that end in {', '.join(EXTENSIONS)}")
        size = len(images) * self.channels * self.size**2
        if size > BYTES_LIMIT:
            raise DataError(f"{place.name}: {len(images):,} images of {self.size}×{self.size} take {size:,} bytes, "
                            f"more than {BYTES_LIMIT:,}; choose a smaller size")

    def _fetch_local(self, place: Path, folder: Path, progress: StartProgress) -> None:
        with open_members([place]) as members:
            images = _images_among(members)
            self._check_number(images, place)
            digests = self._write_unsorted(images, place, folder / _UNSORTED_FILE, progress)
            ignored = len(members) - len(images)
        _write_sorted(folder / _UNSORTED_FILE, content_order(digests), folder / IMAGES_FILE)
        (folder / _UNSORTED_FILE).unlink()
        record = {**self._settings(), "images": len(images), "copies": len(digests) - len(set(digests)),
                 "ignored": ignored, "sha256": _sha256(folder / IMAGES_FILE)}
        (folder / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n")

    def _write_unsorted(self, images: Sequence[Member], place: Path, path: Path,
                        progress: StartProgress) -> list[bytes]:
        """Decode `images` into an array at `path`; returns their digests. DataError that names those it cannot."""
        from PIL import Image

        rows = _new_array(path, (len(images), self.channels * self.size**2))
        digests, failures = [], []
        with (progress(f"{self.folder}: images", len(images), "image") as meter, warnings.catch_warnings(),
              ThreadPoolExecutor(_THREADS) as threads):
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(images), _BLOCK):
                block = images[start:start + _BLOCK]
                for row, pixels in enumerate(threads.map(self._pixels, block), start):
                    if isinstance(pixels, str):
                        failures.append(f"{images[row].name} ({pixels})")
                    else:
                        rows[row] = pixels
                        digests.append(hashlib.sha256(pixels.tobytes()).digest())
                meter.advance(len(block))
        rows.flush()
        if failures:
            more = ", …" if len(failures) > _NAMED_FAILURES else ""
            raise DataError(f"{len(failures):,} of {len(images):,} images in {place.name} cannot be read: "
                            f"{', '.join(failures[:_NAMED_FAILURES])}{more}")
        return digests

    def _pixels(self, member: Member) -> np.ndarray | str:
        """uint8 [d], or why it cannot be read."""
        try:
            return scaled_pixels(member.read(), self.size, self.channels)
        except Exception as error:  # a damaged image can raise nearly anything
            return unreadable(error)


def _images_among(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if PurePosixPath(member.name).suffix.lower().removeprefix(".") in EXTENSIONS]


# --- Images ---


def scaled_pixels(content: bytes, size: int, channels: int) -> np.ndarray:
    """uint8 [channels·size·size] of an image file's content, see above. Raises nearly anything if it is damaged."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content), formats=FORMATS) as file:
        if file.width * file.height > PIXEL_LIMIT:
            raise DataError(f"{file.width}×{file.height} pixels, more than {PIXEL_LIMIT:,}")
        image = _opaque(ImageOps.exif_transpose(file)).convert("L" if channels == 1 else "RGB")
    # `fit` crops before it scales: a very long image would not fit into memory scaled
    scaled = np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))
    return (scaled if channels == 1 else scaled.transpose(2, 0, 1)).reshape(-1)


def _opaque(image: Image.Image) -> Image.Image:
    """With 8 bits to a value and without transparency."""
    from PIL import Image

    if image.mode.startswith("I"):
        return _of_8_bits(image)
    if image.mode == "F":
        raise DataError("its values are floating-point numbers")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image


def _of_8_bits(image: Image.Image) -> Image.Image:
    """16-bit grey, 65,535 for white."""
    from PIL import Image

    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65_535:
        raise DataError("its values have more than 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


# --- Arrays larger than memory ---


def _new_array(path: Path, shape: tuple[int, int]) -> np.memmap[Any, np.dtype[np.uint8]]:
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)


def _write_sorted(unsorted: Path, order: np.ndarray, path: Path) -> None:
    """The rows of `unsorted` in `order`, as another array."""
    rows = np.load(unsorted, mmap_mode="r", allow_pickle=False)
    target = _new_array(path, rows.shape)
    for start in range(0, len(rows), _BLOCK):
        target[start:start + _BLOCK] = rows[order[start:start + _BLOCK]]
    target.flush()


def _differs_from_previous(images: np.ndarray) -> np.ndarray:
    """bool [n] for uint8 [n, d]; true for the first."""
    differs = np.ones(len(images), bool)
    for start in range(1, len(images), _BLOCK):
        stop = min(start + _BLOCK, len(images))
        differs[start:stop] = (images[start:stop] != images[start - 1:stop - 1]).any(1)
    return differs


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
