"""A folder of class folders, as ImageNet comes: an image shows what the folder that holds it is named after.

As `image_folder`, with labels beside the images. Folders of one name are one class wherever they lie, so that
train/n01440764 and val/n01440764 are together; but all lie equally deep, so that a folder of images without classes
beside them, as ImageNet's own val is, is not taken for a class. Of a large class some images may be taken: those whose
names, as class/file, have the smallest SHA-256, a choice that neither an order nor another class decides.
"""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets.image_folder import IMAGES_FILE, SOURCE_FILE, ImageFolder, Read, first_few, first_of_copies
from gan.datasets.members import Member, lowest_folders
from gan.datasets.sources import read_array, redo
from gan.errors import DataError
from gan.settings import require

if TYPE_CHECKING:
    import torch

LABELS_FILE = "labels.npy"


@dataclass(frozen=True)
class ClassFolders(ImageFolder):
    """See `gan.datasets.loader.Loader`. The images of the folders in `folder` or `folder`.zip, and their classes."""

    loader: Literal["class_folders"]  # type: ignore[assignment]
    images_per_class: int | None = None
    """at most; all where it is null"""

    _files: ClassVar[frozenset[str]] = frozenset({IMAGES_FILE, LABELS_FILE, SOURCE_FILE})
    _to_need_less: ClassVar[str] = "choose a smaller size, or set images_per_class"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.images_per_class is None or self.images_per_class >= 2,
                f"images_per_class must be at least 2, or null, not {self.images_per_class}")

    def verify(self, folder: Path) -> None:
        super().verify(folder)
        self._labels(folder)

    def labels(self, folder: Path) -> dict[str, torch.Tensor]:
        """The place of each image's class among the sorted names of all; see `gan.datasets.loader.Labelled`."""
        import torch

        labels, images = self._labels(folder), self._images(folder)
        return {split: torch.from_numpy(labels[rows]).long() for split, rows in self._rows(images).items()}

    def _labels(self, folder: Path) -> np.ndarray:
        """int32 [n]"""
        path, expected = folder / LABELS_FILE, len(self._images(folder))
        labels = read_array(path)
        fits = labels.dtype == np.int32 and labels.shape == (expected,)
        if not fits or self._about(folder).get("labels") != _sha256(labels):
            raise DataError(f"{path} holds other labels than were made with its images", expected=f"int32 [{expected}]",
                            found=f"{labels.dtype} {list(labels.shape)}", remedy=redo(folder))
        return labels

    def _choice(self) -> dict[str, Any]:
        return super()._choice() | {"images_per_class": self.images_per_class}

    def _wanted(self, images: Sequence[Member], place: Path) -> list[Member]:
        """Of each class as many as are wanted, in the order of `images`. DataError for images without a class, a class
        without images, or a single class."""
        classes: dict[str, list[Member]] = defaultdict(list)
        for member in images:
            classes[_class_of(member.name)].append(member)
        roots = [place.name] if place.is_dir() else ["", place.stem]  # archives may hold the folder or what is in it
        if astray := [member.name for root in roots for member in classes.get(root, [])]:
            raise DataError(f"{place.name}: {len(astray):,} images lie in no class folder: {first_few(astray)}",
                            expected=f"{self.folder}/class/image")
        if empty := [name for name in lowest_folders(place) if PurePosixPath(name).name not in classes]:
            raise DataError(f"{place.name}: class folders without images of their own: {first_few(empty)}",
                            expected="an image in each, read once whatever links lead to it, or no such folder")
        if unequal := _unequally_deep(images):
            raise DataError(f"{place.name}: images lie in folders on several levels, so that it is not clear which are "
                            f"classes: {first_few(unequal)}", expected="class folders on one level")
        if alike := _nearly_one(classes):
            raise DataError(f"{place.name}: class folders whose names look the same, in different places: "
                            f"{first_few(alike)}", expected="one name for a class, in letter case and in Unicode")
        if len(classes) < 2:
            raise DataError(f"{place.name} has one class folder alone: {', '.join(classes)}", expected="two or more")
        if self.images_per_class is None:
            return list(images)
        wanted = {member.name for members in classes.values() for member in sorted(
            members, key=lambda member: _rank(member.name))[:self.images_per_class]}
        return [member for member in images if member.name in wanted]

    def _raise_failures(self, read: Read, images: int, place: Path) -> None:
        super()._raise_failures(read, images, place)
        if lost := {_class_of(name) for name in read.failures} - {_class_of(name) for name in read.names}:
            raise DataError(f"{place.name}: class folders without an image that can be read: {first_few(sorted(lost))}",
                            expected="an image in each, or no such folder")

    def _write_more(self, folder: Path, names: Sequence[str]) -> dict[str, Any]:
        of_images = [_class_of(name) for name in names]
        classes = sorted(set(of_images))
        number = {name: i for i, name in enumerate(classes)}
        labels = np.array([number[name] for name in of_images], np.int32)
        np.save(folder / LABELS_FILE, labels, allow_pickle=False)
        return {"classes": classes, "labels": _sha256(labels), "contradictory": _contradictory(
            labels, first_of_copies(self._images(folder)))}


def _class_of(name: str) -> str:
    """The name of the folder that a file lies in."""
    return PurePosixPath(name).parent.name


def _rank(name: str) -> bytes:
    named = "/".join(PurePosixPath(name).parts[-2:])
    return hashlib.sha256(named.encode(errors="surrogateescape")).digest()  # a name on disk need not be text


def _unequally_deep(images: Sequence[Member]) -> list[str]:
    """A folder of images on each level, the highest first; none where there is one level."""
    levels: dict[int, str] = {}
    for folder in (PurePosixPath(member.name).parent for member in images):
        levels.setdefault(len(folder.parts), str(folder))
    return [levels[depth] for depth in sorted(levels)] if len(levels) > 1 else []


def _nearly_one(classes: Mapping[str, Sequence[Member]]) -> list[str]:
    """Two folders of classes whose names differ in letter case or in how Unicode writes them. Not where some folder
    holds both, which are meant to be two."""
    similar: dict[str, list[str]] = defaultdict(list)
    for name in sorted(classes):
        similar[unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())].append(name)
    for one, other in (pair for names in similar.values() for pair in itertools.combinations(names, 2)):
        folders = [{PurePosixPath(member.name).parent for member in classes[name]} for name in (one, other)]
        above = [{folder.parent for folder in each} for each in folders]
        if not above[0] & above[1]:
            return [str(min(each)) for each in folders]
    return []


def _contradictory(labels: np.ndarray, first: np.ndarray) -> int:
    """How many images have a copy of another class; `first` are the rows where copies, which are neighbours, begin."""
    differ = np.minimum.reduceat(labels, first) != np.maximum.reduceat(labels, first)
    return int(np.diff(np.append(first, len(labels)))[differ].sum())


def _sha256(labels: np.ndarray) -> str:
    return hashlib.sha256(labels.tobytes()).hexdigest()
