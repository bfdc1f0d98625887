"""CIFAR-10: 32×32 colour images of ten classes, 50,000 for training and 10,000 for testing (Krizhevsky 2009).

As in the paper, training images 0–39,999 are trained on and 40,000–49,999 are for validation. The raw files are two
arrays and where their order comes from. The official archives have the official order: the binary one, whose digests
are pinned, and the one for Python, which torchvision downloads, if its labels and pixels are those of the binary one.
PNGs, as other sites pack them, have lost it; they are sorted by the SHA-256 of their pixels, so that the split depends
on neither names, archives nor the file system. It is then another split of the same 50,000 images. Beside the arrays
are the classes, numbered by the alphabet, as officially.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets import sources
from gan.datasets.contrast import require_contrast_norm
from gan.datasets.members import Member, content_order, digests, open_members, unreadable
from gan.datasets.sources import Availability, PinnedFile, Say, Source, StartProgress, reason, redo
from gan.errors import DataError, SourceUnavailable
from gan.settings import ParameterBlock

if TYPE_CHECKING:
    import torch

SHAPE = (3, 32, 32)
IMAGES = {"train": 50_000, "test": 10_000}
VALIDATION_IMAGES = 10_000
"""So many, at the end of the training images, are for validation."""

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE = PinnedFile("cifar-10-binary.tar.gz", 170_052_171,
                     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
BATCHES_FOLDER = "cifar-10-batches-bin"
TRAINING_BATCHES = tuple(PinnedFile(f"data_batch_{i}.bin", 30_730_000, sha256) for i, sha256 in enumerate((
    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"), 1))
TEST_BATCH = PinnedFile("test_batch.bin", 30_730_000,
                        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b")
RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the planes of red, green and blue

PICKLES_ARCHIVE = "cifar-10-python.tar.gz"
PICKLES_FOLDER = "cifar-10-batches-py"
PICKLES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
PICKLE_LIMIT = 64 << 20
"""Bytes; the true ones have 31 million."""
PICKLES_LIMIT = 1 << 30
"""Bytes in the whole archive, decompressed"""

CONTENT_SHA256 = {"train": "c4f3d45acfc15350af7065445e9de41001417180428b1d37e2fa37e634414112",
                  "test": "2b47ae852d2a691a0f721e2b78f55dfba705c73504ae93a00eda74c8e562b1a8"}
"""Of the sorted SHA-256 digests of the images: the same for the same images in any order.

Made from PNGs whose channel means and deviations are the official ones to sixteen digits.
"""

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PNG = re.compile(r"(?:^|/)(train|test)/([^/]+)/([^/]+)\.png$", re.IGNORECASE)
NAMED_CIFAR10 = re.compile(r"cifar(?![-_ ]?100)", re.IGNORECASE)

Pickles = Callable[[Path], Iterator[tuple[str, sources.Reader]]]
"""The batches of the archive for Python at a path, by name"""

SOURCE_FILE = "source.json"
_LABELS = "-labels.npy"
_NAMED_TROUBLES = 6
_BLOCK = 1000  # images, between steps of the progress bar
REMEDY = (f"connect to a network, or put {ARCHIVE.name} or {PICKLES_ARCHIVE}, unpacked or not, or PNGs named "
          "train/<class>/<name>.png and test/<class>/<name>.png (in a folder cifar10, or in zips with cifar10 in their "
          f"names) in a folder and name it: {sources.LOCAL_FOLDERS}=/path/to/folder make reproduce")


@dataclass(frozen=True)
class Cifar10(ParameterBlock):
    """See `gan.datasets.loader.Loader`."""

    loader: Literal["cifar10"]
    contrast_norm: float | None
    """the paper: 55"""

    shape: ClassVar[tuple[int, int, int]] = SHAPE
    divisor: ClassVar[int] = 255

    def __post_init__(self) -> None:
        require_contrast_norm(self.contrast_norm)

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        return sources.first_available(_sources(local), probe, REMEDY)

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        """In this order: the local folders, the official site."""
        source = sources.fetch_first("cifar10", _sources(local), folder, say, progress, REMEDY)
        official = json.loads((folder / SOURCE_FILE).read_text())["order"] == "official"
        say(f"cifar10: order: {'official' if official else 'by content, the official one is not in these files'}")
        return source

    def verify(self, folder: Path) -> None:
        _read(folder)

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        return {"train": IMAGES["train"] - VALIDATION_IMAGES, "validation": VALIDATION_IMAGES, "test": IMAGES["test"]}

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        import torch

        images = {split: torch.from_numpy(values) for split, values in _read(folder).items()}
        training = images["train"]
        return {"train": training[:-VALIDATION_IMAGES], "validation": training[-VALIDATION_IMAGES:],
                "test": images["test"]}

    def labels(self, folder: Path) -> dict[str, torch.Tensor]:
        """The classes; see `gan.datasets.loader.Labelled`."""
        import torch

        classes = {split: torch.from_numpy(values).long() for split, values in _read_labels(folder).items()}
        training = classes["train"]
        return {"train": training[:-VALIDATION_IMAGES], "validation": training[-VALIDATION_IMAGES:],
                "test": classes["test"]}


# --- Raw files ---


Split = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [n, 3072], and their classes, uint8 [n]"""


def _write(folder: Path, splits: Mapping[str, Split], order: Literal["official", "content"]) -> None:
    """`splits` are for training and for testing. DataError if PNGs are not CIFAR-10's.

    For what is in the official order the digests of the official files vouch.
    """
    images = {split: values for split, (values, _) in splits.items()}
    if order == "content":
        _check_content(images, "these PNGs")
    for split, (values, classes) in splits.items():
        np.save(folder / f"{split}.npy", values, allow_pickle=False)
        np.save(folder / f"{split}{_LABELS}", classes, allow_pickle=False)
    origin = {"order": order, "sha256": _sha256(images)}
    (folder / SOURCE_FILE).write_text(json.dumps(origin, indent=2) + "\n")


def _sorted(images: np.ndarray, classes: np.ndarray) -> Split:
    """By the SHA-256 of the images' pixels."""
    order = content_order(digests(images))
    return images[order], classes[order]


def _read(folder: Path) -> dict[str, np.ndarray]:
    """The images that `_write` wrote, all of it checked."""
    sources.verify_names(folder, {SOURCE_FILE, *(f"{split}{end}" for split in IMAGES for end in (".npy", _LABELS))})
    _read_labels(folder)
    try:
        origin = json.loads((folder / SOURCE_FILE).read_text())
        images: dict[str, np.ndarray] = {split: np.load(folder / f"{split}.npy", allow_pickle=False)
                                         for split in IMAGES}
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder} cannot be read", expected="arrays in NumPy's format and their origin in JSON",
                        found=reason(error), remedy=redo(folder)) from error
    for split, values in images.items():
        expected = (IMAGES[split], RECORD - 1)
        if values.dtype != np.uint8 or values.shape != expected:
            raise DataError(f"{folder / split}.npy does not hold CIFAR-10", expected=f"uint8 {expected}",
                            found=f"{values.dtype} {values.shape}", remedy=redo(folder))
    digests_now = _sha256(images)
    if origin not in ({"order": order, "sha256": digests_now} for order in ("official", "content")):
        raise DataError(f"{folder} was altered", expected=f"what {SOURCE_FILE} says: {origin}", found=str(digests_now),
                        remedy=redo(folder))
    if origin["order"] == "content":
        _check_content(images, str(folder), redo(folder))
    return images


def _read_labels(folder: Path) -> dict[str, np.ndarray]:
    """The classes that `_write` wrote, checked: as many images of each."""
    found: dict[str, np.ndarray] = {}
    for split, images in IMAGES.items():
        path = folder / f"{split}{_LABELS}"
        found[split] = sources.read_array(path)
        values, each = found[split], images // len(CLASSES)
        fits = values.dtype == np.uint8 and values.shape == (images,)
        if not fits or np.bincount(values).tolist() != [each] * len(CLASSES):
            raise DataError(f"{path} does not hold CIFAR-10's classes", expected=f"{each:,} of each of {len(CLASSES)}",
                            found=f"{values.dtype} {values.shape}", remedy=redo(folder))
    return found


def _sha256(images: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {split: hashlib.sha256(values.data).hexdigest() for split, values in images.items()}


def _check_content(images: Mapping[str, np.ndarray], origin: str, remedy: str = "") -> None:
    for split, values in images.items():
        digest = hashlib.sha256(b"".join(sorted(digests(values)))).hexdigest()
        if digest != CONTENT_SHA256[split]:
            raise DataError(f"{origin}: these are not CIFAR-10's images ({split})",
                            expected=f"{IMAGES[split]:,} images, SHA-256 of their sorted digests "
                                     f"{CONTENT_SHA256[split]}", found=f"{len(values):,} images, {digest}",
                            remedy=remedy)


# --- Sources ---


def _sources(local: Sequence[Path]) -> Iterator[Source]:
    for folder in local:
        yield from _local_sources(folder)
    yield Source(URL, True, _check_url, _fetch_url)


def _local_sources(folder: Path) -> Iterator[Source]:
    """The archives, unpacked archives and PNGs, in `folder` or in a folder beneath it that is named after CIFAR-10.

    PNGs are taken from zips with such names, too, and all together: each may hold a part.
    """
    try:
        named = sorted(path for path in folder.iterdir() if NAMED_CIFAR10.search(path.name) and path.is_dir())
        places = [folder, *named]
        local = [sources.local_source(path, functools.partial(_verify_archive, path),
                                      functools.partial(_fetch_archive, path))
                 for path in (place / ARCHIVE.name for place in places) if path.is_file()]
        local += [sources.local_source(path, functools.partial(_check_batches, path),
                                       functools.partial(_fetch_batches, path))
                  for path in dict.fromkeys(path for place in places for path in (place, place / BATCHES_FOLDER))
                  if (path / TEST_BATCH.name).is_file()]
        pickles: list[tuple[Pickles, Path]] = [
            (_archived_pickles, path) for path in (place / PICKLES_ARCHIVE for place in places) if path.is_file()]
        pickles += [(_unpacked_pickles, path) for path in dict.fromkeys(
            path for place in places for path in (place, place / PICKLES_FOLDER)) if (path / PICKLES[-1]).is_file()]
        local += [sources.local_source(path, functools.partial(_check_pickles, read, path),
                                       functools.partial(_fetch_pickles, read, path)) for read, path in pickles]
        local += [sources.local_source(f"PNGs in {folder}", functools.partial(_check_pngs, group),
                                       functools.partial(_fetch_pngs, group))
                  for group in _places_of_pngs(folder, named)]
    except OSError as error:
        local = [sources.failing_source(folder, f"cannot be searched ({reason(error)})")]
    yield from local or [sources.failing_source(
        folder, f"holds neither {ARCHIVE.name} nor {PICKLES_ARCHIVE}, unpacked or not, nor PNGs of CIFAR-10")]


def _places_of_pngs(folder: Path, named: Sequence[Path]) -> Iterator[list[Path]]:
    """First what is named after CIFAR-10 alone: train/ and test/ in `folder` itself may be another data set's."""
    zips = sorted(path for place in (folder, *named) for path in place.glob("*.zip") if NAMED_CIFAR10.search(path.name))
    after_it = zips + [place for place in named if next(place.rglob("*.[pP][nN][gG]"), None)]
    directly = [folder / split for split in IMAGES if (folder / split).is_dir()]
    if after_it:
        yield after_it
    if directly:
        yield after_it + directly


# --- The official archive ---


def _check_url() -> None:
    if why_not := sources.probe([URL])[URL]:
        raise SourceUnavailable(f"not reachable ({why_not})")


def _fetch_url(folder: Path, progress: StartProgress) -> None:
    path = folder / ARCHIVE.name
    with (progress(f"cifar10 from {URL}", ARCHIVE.size, "byte") as meter,
          sources.open_url(URL, decompress=False) as stream, path.open("wb") as target):
        sources.copy_pinned(stream, ARCHIVE, target.write, meter.advance)
    _fetch_verified_archive(path, folder)
    path.unlink()


def _verify_archive(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            sources.copy_pinned(stream, ARCHIVE)
    except OSError as error:
        raise DataError(f"{ARCHIVE.name} cannot be opened ({reason(error)})") from error


def _fetch_archive(path: Path, folder: Path, progress: StartProgress) -> None:
    _verify_archive(path)
    _fetch_verified_archive(path, folder)


def _fetch_verified_archive(path: Path, folder: Path) -> None:
    """Nothing is unpacked: the batches, for which the archive's digest vouches, are read by their names."""
    contents: dict[str, bytearray] = {}
    pinned = {f"{BATCHES_FOLDER}/{batch.name}": batch for batch in (*TRAINING_BATCHES, TEST_BATCH)}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in pinned and member.isfile() else None
                if stream is not None:
                    batch = pinned[member.name]
                    contents[batch.name] = bytearray(stream.read(batch.size + 1))
                    if (size := len(contents[batch.name])) != batch.size:
                        raise DataError(f"{batch.name} is {'truncated' if size < batch.size else 'larger'}: it should "
                                        f"have {batch.size:,} bytes")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{ARCHIVE.name} cannot be read ({reason(error)})") from error
    if missing := sorted({batch.name for batch in pinned.values()} - set(contents)):
        raise DataError(f"{ARCHIVE.name} lacks {', '.join(missing)}")
    _write(folder, _splits_of_batches(contents), "official")


def _check_batches(place: Path) -> None:
    _read_batches(place)


def _read_batches(place: Path) -> dict[str, bytearray]:
    contents = {batch.name: bytearray() for batch in (*TRAINING_BATCHES, TEST_BATCH)}
    for batch in (*TRAINING_BATCHES, TEST_BATCH):
        with sources.open_local(place / batch.name) as stream:
            sources.copy_pinned(stream, batch, contents[batch.name].extend)
    return contents


def _fetch_batches(place: Path, folder: Path, progress: StartProgress) -> None:
    _write(folder, _splits_of_batches(_read_batches(place)), "official")


def _splits_of_batches(contents: Mapping[str, bytearray]) -> dict[str, Split]:
    """Of the pinned batches, in their order."""
    def split(batches: Sequence[PinnedFile]) -> Split:
        records = np.concatenate([np.frombuffer(contents[batch.name], np.uint8).reshape(-1, RECORD)
                                  for batch in batches])
        return np.ascontiguousarray(records[:, 1:]), np.ascontiguousarray(records[:, 0])
    return {"train": split(TRAINING_BATCHES), "test": split([TEST_BATCH])}


# --- The archive for Python ---

def _unpacked_pickles(place: Path) -> Iterator[tuple[str, sources.Reader]]:
    for name in PICKLES:
        with sources.open_local(place / name) as stream:
            yield name, stream


def _archived_pickles(path: Path) -> Iterator[tuple[str, sources.Reader]]:
    """Nothing is unpacked, and no more is read than an honest archive holds."""
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(sources.open_local(path))
            limited: Any = sources.LimitedReader(stream, path.name, PICKLES_LIMIT)
            archive = stack.enter_context(tarfile.open(fileobj=limited, mode="r|"))
            for member in archive:
                folder, _, name = member.name.removeprefix("./").rpartition("/")
                content = archive.extractfile(member) if (
                    folder == PICKLES_FOLDER and name in PICKLES and member.isfile()) else None
                if content is not None:
                    yield name, content
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        with path.open("rb") as file:
            kind = sources.kind_of(file.read(4096))
        raise DataError(f"{path.name} is {kind}" if kind else
                        f"{path.name} cannot be read ({reason(error)})") from error


def _check_pickles(read: Pickles, path: Path) -> None:
    _read_pickles(read, path)


def _fetch_pickles(read: Pickles, path: Path, folder: Path, progress: StartProgress) -> None:
    splits, order = _read_pickles(read, path)
    _write(folder, splits, order)


def _read_pickles(read: Pickles, path: Path) -> tuple[dict[str, Split], Literal["official", "content"]]:
    """Sorted by content unless they are in the official order."""
    batches = {name: _unpickled_batch(stream, name) for name, stream in read(path)}
    if missing := sorted(set(PICKLES) - batches.keys()):
        raise DataError(f"{path.name} lacks {', '.join(missing)}")
    *training, test = (batches[name] for name in PICKLES)
    splits = {split: (records[:, 1:].copy(), records[:, 0].copy())
              for split, records in (("train", np.concatenate(training)), ("test", test))}
    if all(hashlib.sha256(batches[name].tobytes()).hexdigest() == binary.sha256
           for name, binary in zip(PICKLES, (*TRAINING_BATCHES, TEST_BATCH), strict=True)):
        return splits, "official"
    _check_content({split: images for split, (images, _) in splits.items()}, path.name)
    return {split: _sorted(*both) for split, both in splits.items()}, "content"


def _unpickled_batch(stream: sources.Reader, name: str) -> np.ndarray:
    """uint8 [n, 3073]: label and pixels, as the binary batches have them. The unpickler admits arrays alone."""
    content = sources.unpickle_arrays(sources.LimitedReader(stream, name, PICKLE_LIMIT), name)
    try:
        keyed = {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}
        if "fine_labels" in keyed:
            raise DataError(f"{name} is CIFAR-100's, not CIFAR-10's")
        labels, pixels = np.array(keyed["labels"]), keyed["data"].array(("|u1",))
        fits = labels.shape == pixels.shape[:1] and pixels.shape[1:] == (RECORD - 1,)
        if not fits or not np.isin(labels, range(len(CLASSES))).all():
            raise DataError(f"{name} does not hold images and labels of CIFAR-10",
                            found=f"{pixels.shape}, labels {labels.shape}")
        return np.hstack([labels.astype(np.uint8)[:, None], pixels])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{name} does not hold a batch of CIFAR-10 "
                        f"({type(error).__name__}: {reason(error)})") from error


# --- PNGs ---


def _check_pngs(places: Sequence[Path]) -> None:
    with open_members(places) as members:
        _select(members)


def _fetch_pngs(places: Sequence[Path], folder: Path, progress: StartProgress) -> None:
    splits = {}
    with open_members(places) as members, progress("cifar10: PNGs", sum(IMAGES.values()), "image") as meter:
        for split, (selected, classes) in _select(members).items():
            values = np.empty((len(selected), RECORD - 1), np.uint8)
            for start in range(0, len(selected), _BLOCK):
                block = selected[start:start + _BLOCK]
                values[start:start + len(block)] = [_pixels(member) for member in block]
                meter.advance(len(block))
            splits[split] = _sorted(values, classes)
    _write(folder, splits, "content")


def _select(members: Sequence[Member]) -> dict[str, tuple[list[Member], np.ndarray]]:
    """The PNGs of each split and their classes, uint8 [n]. DataError, by names and numbers alone, if they cannot be all
    of CIFAR-10's.

    An image that is there twice, packed and unpacked, is taken once.
    """
    selected: dict[str, dict[tuple[str, str], Member]] = {split: {} for split in IMAGES}
    for member in members:
        if match := PNG.search(member.name):
            split, category, name = match.groups()
            selected[split.lower()].setdefault((category, name), member)
    troubles = [trouble for split, images in selected.items()
                for trouble in _troubles(split, Counter(category for category, _ in images))]
    if troubles:
        more = "; …" if len(troubles) > _NAMED_TROUBLES else ""
        raise DataError(f"not the {sum(IMAGES.values()):,} images: {'; '.join(troubles[:_NAMED_TROUBLES])}{more}")
    return {split: (list(images.values()), _numbered([category for category, _ in images]))
            for split, images in selected.items()}


def _numbered(categories: Sequence[str]) -> np.ndarray:
    """The place of each among all of them by the alphabet, which is the official order, uint8 [n]."""
    place = {category: number for number, category in enumerate(sorted(set(categories), key=str.lower))}
    return np.array([place[category] for category in categories], np.uint8)


def _troubles(split: str, counts: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the numbers of PNGs by class. Sites name classes differently: any ten names will do."""
    each = IMAGES[split] // len(CLASSES)
    if not counts:
        yield f"no {split}/<class>/<name>.png"
        return
    if len(counts) != len(CLASSES):
        yield f"{len(counts)} classes in {split}, not {len(CLASSES)}"
    for name in sorted(counts if len(counts) == len(CLASSES) else {*counts, *CLASSES}):
        if counts.get(name, 0) != each:
            yield f"{counts.get(name, 0):,} of {each:,} in {split}/{name}"


def _pixels(member: Member) -> np.ndarray:
    """uint8 [3072]: the planes of red, green and blue. DataError, which names the file, if it is no 32×32 RGB PNG."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(member.read()), formats=("PNG",)) as image:
            if (image.mode, image.size) != ("RGB", SHAPE[1:]):
                raise DataError(f"it is {image.width}×{image.height} {image.mode}, not 32×32 RGB")
            return np.asarray(image).transpose(2, 0, 1).reshape(-1)
    except Exception as error:  # a damaged image can raise nearly anything
        raise DataError(f"{member.name} cannot be used ({unreadable(error)})") from error
