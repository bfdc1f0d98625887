"""A folder of class folders, as ImageNet comes: an image shows what the folder that holds it is named after.

As `image_folder`, with labels beside the images. Folders of one name are one class wherever they lie, so that
train/n01440764 and val/n01440764 are together. Of a large class some images may be taken: those whose names, as
class/file, have the smallest SHA-256, a choice that neither an order nor another class decides.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets.image_folder import IMAGES_FILE, SOURCE_FILE, ImageFolder, first_few
from gan.datasets.members import Member, is_visible
from gan.datasets.sources import ZIP_ERRORS, reason, redo
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
        try:
            labels: np.ndarray = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read", expected="an array in NumPy's format", found=reason(error),
                            remedy=redo(folder)) from error
        fits = labels.dtype == np.int32 and labels.shape == (expected,)
        if not fits or self._about(folder).get("labels") != _sha256(labels):
            raise DataError(f"{path} holds other labels than were made with its images", expected=f"int32 [{expected}]",
                            found=f"{labels.dtype} {list(labels.shape)}", remedy=redo(folder))
        return labels

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"images_per_class": self.images_per_class}

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
        if empty := _without_images(place, set(classes)):
            raise DataError(f"{place.name}: class folders without images: {first_few(empty)}",
                            expected="an image in each, or no such folder")
        if len(classes) < 2:
            raise DataError(f"{place.name} has one class folder alone: {', '.join(classes)}", expected="two or more")
        if self.images_per_class is None:
            return list(images)
        wanted = {member.name for members in classes.values() for member in sorted(
            members, key=lambda member: _rank(member.name))[:self.images_per_class]}
        return [member for member in images if member.name in wanted]

    def _write_more(self, folder: Path, names: Sequence[str]) -> dict[str, Any]:
        of_images = [_class_of(name) for name in names]
        classes = sorted(set(of_images))
        number = {name: i for i, name in enumerate(classes)}
        labels = np.array([number[name] for name in of_images], np.int32)
        np.save(folder / LABELS_FILE, labels, allow_pickle=False)
        return {"classes": classes, "labels": _sha256(labels)}


def _class_of(name: str) -> str:
    """The name of the folder that a file lies in."""
    return PurePosixPath(name).parent.name


def _rank(name: str) -> bytes:
    return hashlib.sha256("/".join(PurePosixPath(name).parts[-2:]).encode()).digest()


def _without_images(place: Path, classes: set[str]) -> list[str]:
    """The names of the lowest folders that hold no image."""
    if place.is_dir():
        lowest = [Path(parent).relative_to(place.parent).as_posix()
                  for parent, folders, _ in os.walk(place) if not folders]
    else:
        try:
            with zipfile.ZipFile(place) as archive:
                lowest = [info.filename.rstrip("/") for info in archive.infolist() if info.is_dir()]
        except ZIP_ERRORS as error:
            raise DataError(f"{place.name} cannot be read", found=reason(error)) from error
        lowest = [name for name in lowest if not any(other.startswith(f"{name}/") for other in lowest)]
    return sorted(name for name in lowest if PurePosixPath(name).name not in classes and is_visible(name))


def _sha256(labels: np.ndarray) -> str:
    return hashlib.sha256(labels.tobytes()).hexdigest()
