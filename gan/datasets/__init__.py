"""Data sets: where each comes from, how it is checked, its splits and its scale.

A data set is a name, a shape and three splits of images. What makes one is a *loader*: a module with the members of
`Loader`, entered in `LOADERS` under the name that params.yaml uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from gan.datasets import digits, mnist
from gan.datasets.sources import Availability, Say, StartProgress

__all__ = ["LOADERS", "SPLITS", "Availability", "Dataset", "Loader"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of images, each float32 [n, d] in [0, 1], an image flattened from `shape` = (C, H, W)."""

    name: str
    shape: tuple[int, int, int]
    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor


class Loader(Protocol):
    """What a module implements to bring a data set in.

    Its raw files are those of the source, decompressed, in one folder of their own; `verify` accepts exactly what
    `fetch` writes. Images in [0, 1] are what `splits` returns divided by `DIVISOR`.
    """

    SHAPE: tuple[int, int, int]
    """(C, H, W) of an image."""

    DIVISOR: int
    """The value that stands for 1."""

    SIZES: dict[str, int]
    """Images in each of `SPLITS`."""

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

    def splits(self, folder: Path) -> Mapping[str, torch.Tensor]:
        """One uint8 tensor [n, d] for each of `SPLITS`, the same for the same raw files."""


LOADERS: Mapping[str, Loader] = {"mnist": mnist, "digits": digits}
