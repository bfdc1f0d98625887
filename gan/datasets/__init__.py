"""Data sets: where each comes from, how it is checked, its splits and its scale.

A data set is a name, a shape and three splits of images. What makes one is a *loader*: a dataclass with the members of
`Loader`, which is at once the entry under `datasets` in params.yaml; its field `loader` says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, get_args, get_type_hints

import torch

from gan.datasets.cifar10 import Cifar10
from gan.datasets.digits import Digits
from gan.datasets.image_folder import ImageFolder
from gan.datasets.mnist import Mnist
from gan.datasets.sources import Availability, Say, StartProgress
from gan.datasets.tfd import Tfd

__all__ = ["FOLDS", "LOADER_NAMES", "SPLITS", "Availability", "Cifar10", "Dataset", "DatasetSettings", "Digits",
           "ImageFolder", "Loader", "Mnist", "Tfd"]

SPLITS = ("train", "validation", "test")
FOLDS = {"validation": "validation_fold", "test": "test_fold"}
"""Where a data set with several folds has the fold of each image."""

DatasetSettings = Mnist | Digits | Cifar10 | Tfd | ImageFolder
"""An entry under `datasets`, told apart by its `loader`."""

LOADER_NAMES = tuple(get_args(get_type_hints(kind)["loader"])[0] for kind in get_args(DatasetSettings))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of images, each float32 [n, d], an image flattened from `shape` = (C, H, W).

    In [0, 1], or, where `contrast_norm` is a number, each image with mean 0 and that L2 norm. With several folds,
    validation and test images are those of one fold after another, and `validation_fold` and `test_fold`, uint8 [n],
    say which, from 0.
    """

    name: str
    shape: tuple[int, int, int]
    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor
    validation_fold: torch.Tensor | None = None
    test_fold: torch.Tensor | None = None
    contrast_norm: float | None = None
    duplicates: Mapping[str, int] = field(default_factory=dict)
    """By split, images with the pixels of a training image, of an earlier one in "train" itself; none where absent."""

    def folds(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Validation and test images of each fold; all of them where there are no folds."""
        if self.validation_fold is None or self.test_fold is None:
            return [(self.validation, self.test)]
        return [(self.validation[self.validation_fold == fold], self.test[self.test_fold == fold])
                for fold in range(int(self.test_fold.max()) + 1)]

    @property
    def scale(self) -> str:
        """What the values are, in words."""
        return "[0, 1]" if self.contrast_norm is None else f"each image: mean 0, L2 norm {self.contrast_norm:g}"


class Loader(Protocol):
    """What a data set's settings implement to bring it in.

    Its raw files are in one folder of their own; `verify` accepts exactly what `fetch` writes. Images in [0, 1] are
    what `splits` returns divided by `divisor`.
    """

    @property
    def loader(self) -> str:
        """One of `LOADER_NAMES`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""

    @property
    def divisor(self) -> int:
        """The value that stands for 1."""

    @property
    def contrast_norm(self) -> float | None:
        """None for images in [0, 1], else the L2 norm of their global contrast normalisation."""

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        """Whether and from where the raw files can be had, downloading nothing, in seconds.

        `local` are folders that the user named. Without `probe` no network is touched either, and a source on the
        network is taken to be there.
        """

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        """Fill `folder`, which exists, from the first source that has the true files; returns that source's name.

        `say` is told of every source passed over. Raises DataError when no source is left, and OSError when `folder`
        cannot be written; then the folder holds anything, and the caller throws it away.
        """

    def verify(self, folder: Path) -> None:
        """Return if `folder` holds the true raw files, else raise DataError."""

    def sizes(self, folder: Path, local: Sequence[Path]) -> Mapping[str, int]:
        """Images in each of `SPLITS`, for estimates, in about a second: 0 where that cannot be told.

        `folder` is where the raw files are or would be.
        """

    def splits(self, folder: Path) -> Mapping[str, torch.Tensor]:
        """One uint8 tensor [n, d] for each of `SPLITS`, the same for the same raw files.

        With several folds also `validation_fold` and `test_fold`, see `Dataset`.
        """
