"""Any folder or zip archive of images, scaled to one size.

Each image is turned as its EXIF data says, laid over white where it is transparent, converted to grey or RGB, scaled
until its shorter side has the wanted size, and cropped to the square in its middle; of several frames the first
counts (`pictures`). What was done to how many is told and kept in source.json. The raw file is one array of them,
sorted by the SHA-256 of their pixels, so that the splits depend on neither names, folders nor the file system. Copies
of an image stay together in one split.

Samples of 16 bits often hold fewer. Where a format does not say how many, the set does: white is 2ᵇ − 1 for the fewest
bits b of 8, 10, 12, 14 and 16 that hold every such sample of all its images.

The user's folder is not among the files that DVC watches: `dvc repro -f download@<name>` takes changed images in.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets import sources
from gan.datasets.contrast import require_contrast_norm
from gan.datasets.members import Member, content_order, open_members, unreadable
from gan.datasets.pictures import TREATMENTS, Picture, depth_of, read_picture
from gan.datasets.sources import Availability, Say, Source, StartProgress, reason, redo
from gan.errors import DataError
from gan.settings import ParameterBlock, require

if TYPE_CHECKING:
    import torch

EXTENSIONS = ("png", "apng", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm")
"""Which files are images; the content says of which format."""
NOT_READ = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".7z", ".rar")
"""Archives that are named where they lie in place of a folder or a zip"""
BYTES_LIMIT = 16 << 30
"""Of all images together, scaled."""

IMAGES_FILE, SOURCE_FILE = "images.npy", "source.json"
_UNSORTED_FILE = "unsorted.npy"
_READING = 2
"""Goes up when the same file becomes other pixels than before"""
_NAMED = 5
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
    skip_unreadable: bool = False
    """whether images that cannot be read are left out, named and counted; else they are an error"""

    divisor: ClassVar[int] = 255
    _files: ClassVar[frozenset[str]] = frozenset({IMAGES_FILE, SOURCE_FILE})

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
        for line in _told(json.loads((folder / SOURCE_FILE).read_text())):
            say(f"{self.folder}: {line}")
        return source

    def verify(self, folder: Path) -> None:
        """Also that the images were made with these settings."""
        sources.verify_names(folder, self._files)
        record = self._about(folder)
        images = self._images(folder)
        expected = {**self._settings(), "images": len(images), "sha256": _sha256(folder / IMAGES_FILE)}
        if {key: record.get(key) for key in expected} != expected:
            raise DataError(f"{folder} holds other images, or of other settings", expected=str(expected),
                            found=str(record), remedy=redo(folder))
        if record.get("unreadable") and not self.skip_unreadable:
            raise DataError(f"{folder} was made without images that cannot be read", expected="all images",
                            found=f"left out: {first_few(record['unreadable'])}", remedy=redo(folder))

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        return dict(zip(("validation", "test", "train"), self._split_sizes(self._count(folder, local)), strict=True))

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        """By a permutation of the distinct images from RandomState(`seed`), which is the same in every NumPy.

        Validation comes first, then test; each ends with the image that completes it, copies included.
        """
        import torch

        images = self._images(folder)
        return {split: torch.from_numpy(images[rows]) for split, rows in self._rows(images).items()}

    def _rows(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """int64: which of the raw images are in each split, in its order."""
        first = first_of_copies(images)
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
            splits[split] = np.concatenate(rows)
        return splits

    def _split_sizes(self, images: int) -> tuple[int, int, int]:
        """Of validation, test and training, where no image has copies."""
        validation, test = (min(images, max(1, round(fraction * images))) for fraction in (self.validation, self.test))
        return validation, test, max(0, images - validation - test)

    def _count(self, folder: Path, local: Sequence[Path]) -> int:
        """How many images there are: from the raw files, or by the names in the first source that has some."""
        with contextlib.suppress(DataError, KeyError, TypeError, ValueError):
            record = self._about(folder)
            if all(record[key] == value for key, value in self._choice().items()):
                return int(record["images"])
        for place in places_of(self.folder, local):
            try:
                with open_members([place]) as members:
                    return len(self._wanted(_images_among(members), place))
            except DataError:
                continue
        return 0

    # --- Raw files ---

    def _choice(self) -> dict[str, Any]:
        """The settings that say which images the set is made of."""
        return {"folder": self.folder}

    def _settings(self) -> dict[str, Any]:
        return {**self._choice(), "size": self.size, "channels": self.channels, "reading": _READING}

    def _about(self, folder: Path) -> dict[str, Any]:
        try:
            return dict(json.loads((folder / SOURCE_FILE).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{folder / SOURCE_FILE} cannot be read", expected="JSON", found=reason(error),
                            remedy=redo(folder)) from error

    def _images(self, folder: Path) -> np.ndarray:
        """uint8 [n, d], read as it is needed."""
        path = folder / IMAGES_FILE
        images = sources.read_array(path, mmap_mode="r")
        d = self.channels * self.size**2
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != d or len(images) == 0:
            raise DataError(f"{path} holds other images, or of other settings", expected=f"uint8 [n, {d}]",
                            found=f"{images.dtype} {list(images.shape)}", remedy=redo(folder))
        return images

    # --- Sources ---

    def _remedy(self) -> str:
        return (f"put a folder {self.folder} or {self.folder}.zip with readable images ({', '.join(EXTENSIONS)}) in a "
                f"folder and name that one: {sources.LOCAL_FOLDERS}=/path/to/folder make reproduce")

    def _sources(self, local: Sequence[Path]) -> Iterator[Source]:
        for folder in local:
            try:
                places = list(places_of(self.folder, [folder]))
            except OSError as error:
                yield sources.failing_source(folder, f"cannot be searched ({reason(error)})")
                continue
            if not places:
                others = [f"{self.folder}{end}" for end in NOT_READ if (folder / f"{self.folder}{end}").is_file()]
                yield sources.failing_source(folder, f"holds neither {self.folder} nor {self.folder}.zip" + (
                    f"; {others[0]} is not read: unpack it" if others else ""))
            for place in places:
                yield sources.local_source(place, functools.partial(self._check_local, place),
                                           functools.partial(self._fetch_local, place))

    def _check_local(self, place: Path) -> None:
        with open_members([place]) as members:
            self._checked(members, place)

    def _checked(self, members: Sequence[Member], place: Path) -> list[Member]:
        """The images that are wanted; DataError where there are none, or too many."""
        images = _images_among(members)
        if not images:
            raise DataError(f"{place.name} holds no images", expected=f"files that end in {', '.join(EXTENSIONS)}")
        images = self._wanted(images, place)
        size = len(images) * self.channels * self.size**2
        if size > BYTES_LIMIT:
            raise DataError(f"{place.name}: {len(images):,} images of {self.size}×{self.size} take {size:,} bytes, "
                            f"more than {BYTES_LIMIT:,}; {self._to_need_less}")
        return images

    _to_need_less: ClassVar[str] = "choose a smaller size"

    def _wanted(self, images: Sequence[Member], place: Path) -> list[Member]:
        """Those that the set is made of."""
        return list(images)

    def _write_more(self, folder: Path, names: Sequence[str]) -> dict[str, Any]:
        """Write what the set has beside its images, whose files' names are given in their order; what to record."""
        return {}

    def _fetch_local(self, place: Path, folder: Path, progress: StartProgress) -> None:
        with open_members([place]) as members:
            images = self._checked(members, place)
            read = self._write_unsorted(images, place, folder / _UNSORTED_FILE, progress)
            others = Counter(PurePosixPath(member.name).suffix.lower() for member in members) - Counter(
                PurePosixPath(member.name).suffix.lower() for member in _images_among(members))
        order = content_order(read.digests)
        _write_sorted(folder / _UNSORTED_FILE, order, folder / IMAGES_FILE)
        (folder / _UNSORTED_FILE).unlink()
        record = {**self._settings(), "images": len(read.digests), "copies": len(read.digests) - len(set(read.digests)),
                  "ignored": others.total(), "kinds": dict(sorted(others.items())),
                  "unreadable": sorted(read.failures), "treated": dict(sorted(read.treated.items())),
                  "deep": read.deep, "sha256": _sha256(folder / IMAGES_FILE),
                  **self._write_more(folder, [read.names[row] for row in order])}
        (folder / SOURCE_FILE).write_text(  # bytes of a name that are no text are escaped, as JSON has it
            json.dumps(record, indent=2, ensure_ascii=False) + "\n", errors="backslashreplace")

    def _write_unsorted(self, images: Sequence[Member], place: Path, path: Path, progress: StartProgress) -> Read:
        """Decode `images` into an array at `path`. DataError that names those it cannot, unless they are skipped."""
        from PIL import Image

        rows = _new_array(path, (len(images), self.channels * self.size**2))
        read = Read()
        deep: list[tuple[int, Member, int]] = []
        with (progress(f"{self.folder}: images", len(images), "image") as meter, warnings.catch_warnings(),
              ThreadPoolExecutor(_THREADS) as threads):
            warnings.simplefilter("ignore")  # of damaged metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(images), _BLOCK):
                block = images[start:start + _BLOCK]
                for member, picture in zip(block, threads.map(self._picture, block), strict=True):
                    if isinstance(picture, str):
                        read.failures[member.name] = picture
                        continue
                    if picture.largest is not None:
                        deep.append((len(read.digests), member, picture.largest))
                    rows[len(read.digests)] = picture.pixels
                    read.treated.update(picture.treated)
                    read.digests.append(_digest(picture.pixels))
                    read.names.append(member.name)
                meter.advance(len(block))
            self._raise_failures(read, len(images), place)
            bits = depth_of(largest for _, _, largest in deep)
            if bits < 16:
                for row, member, _ in deep:
                    rows[row] = read_picture(member.read(), self.size, self.channels, bits).pixels
                    read.digests[row] = _digest(rows[row])
        rows.flush()
        if deep:
            read.deep = {"images": len(deep), "bits": bits, "largest": max(largest for _, _, largest in deep),
                         "below_13_bits": sum(0 < largest < 2**12 for _, _, largest in deep)}
        return read

    def _raise_failures(self, read: Read, images: int, place: Path) -> None:
        names = first_few([f"{name} ({why})" for name, why in read.failures.items()])
        if read.failures and not (self.skip_unreadable and read.digests):
            cure = "" if not read.digests else "; `skip_unreadable: true` in params.yaml leaves such images out"
            raise DataError(f"{len(read.failures):,} of {images:,} images in {place.name} cannot be read: "
                            f"{names}{cure}")

    def _picture(self, member: Member) -> Picture | str:
        """Or why it cannot be read."""
        content = b""
        try:
            content = member.read()
            return read_picture(content, self.size, self.channels)
        except Exception as error:  # a damaged image can raise nearly anything
            kind = sources.kind_of(content)
            return f"it is {kind}" if kind else unreadable(error)


@dataclass
class Read:
    """What came of a folder of images."""

    digests: list[bytes] = field(default_factory=list)
    """of those that could be read"""
    names: list[str] = field(default_factory=list)
    """of the same"""
    failures: dict[str, str] = field(default_factory=dict)
    """why, by name"""
    treated: Counter[str] = field(default_factory=Counter)
    """images by words of `TREATMENTS`"""
    deep: dict[str, int] = field(default_factory=dict)
    """of samples of 16 bits whose depth the files do not say: how many images, and which bits were taken"""


def places_of(name: str, local: Sequence[Path]) -> Iterator[Path]:
    """The folders and zip archives of that name in `local`, the user's own folders."""
    for folder in local:
        if (folder / name).is_dir():
            yield folder / name
        if (folder / f"{name}.zip").is_file():
            yield folder / f"{name}.zip"


def _images_among(members: Sequence[Member]) -> list[Member]:
    """By their names. A dead link without an ending may have led to a folder of images, and is not passed over."""
    return [member for member in members if PurePosixPath(member.name).suffix.lower().removeprefix(".") in (
        *EXTENSIONS, *([""] if member.is_dead_link else []))]


def _told(record: dict[str, Any]) -> Iterator[str]:
    """What a source.json has to say to the user: whatever was left out, passed over or changed."""
    if record["ignored"]:
        kinds = ", ".join(f"{kind or 'no ending'} {count:,}" for kind, count in sorted(
            record["kinds"].items(), key=lambda item: (-item[1], not item[0]))[:_NAMED])
        yield f"{record['ignored']:,} files that are not images ignored ({kinds})"
    if record["unreadable"]:
        yield f"{len(record['unreadable']):,} images that cannot be read left out: {first_few(record['unreadable'])}"
    for word, sentence in TREATMENTS.items():
        if count := record["treated"].get(word):
            yield f"{count:,} of {record['images']:,} images {sentence}"
    if deep := record["deep"]:
        yield (f"{deep['images']:,} images have samples of 16 bits, the largest of them {deep['largest']:,}: taken for "
               f"{deep['bits']} bits, with {2**deep['bits'] - 1:,} for white")
        if deep["bits"] > 12 and deep["below_13_bits"]:
            yield (f"{deep['below_13_bits']:,} of them have no sample above {2**12 - 1:,} and come out dark: if those "
                   "have 12 bits, make them a data set of their own")
    if record.get("contradictory"):
        yield (f"{record['contradictory']:,} images have a copy in another class: no classifier can tell them right "
               "both times")
    if record["copies"]:
        yield (f"{record['copies']:,} of {record['images']:,} images are copies of others; copies stay in one split")


def first_few(texts: Sequence[str]) -> str:
    """Separated by commas, with … where there are more; ? for what is no text in a name."""
    few = ", ".join([*texts[:_NAMED], *(["…"] if len(texts) > _NAMED else [])])
    return few.encode(errors="replace").decode()


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()


# --- Arrays larger than memory ---


def _new_array(path: Path, shape: tuple[int, int]) -> np.memmap[Any, np.dtype[np.uint8]]:
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)


def _write_sorted(unsorted: Path, order: np.ndarray, path: Path) -> None:
    """The rows of `unsorted` in `order`, as another array."""
    rows = np.load(unsorted, mmap_mode="r", allow_pickle=False)
    target = _new_array(path, (len(order), rows.shape[1]))
    for start in range(0, len(order), _BLOCK):
        target[start:start + _BLOCK] = rows[order[start:start + _BLOCK]]
    target.flush()


def first_of_copies(images: np.ndarray) -> np.ndarray:
    """The rows of uint8 [n, d] where copies of an image, which are neighbours, begin."""
    return np.flatnonzero(_differs_from_previous(images))


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
