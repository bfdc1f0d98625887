"""scikit-learn's digits: 1,797 handwritten digits, 8×8, values 0–16 (Alpaydin, Kaynak 1998). Needs no network.

The raw file is one array of the pixels. They come ordered by writer, so the splits are taken after one fixed shuffle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from gan.datasets.sources import Availability, Say, StartProgress, read_array, redo, verify_names
from gan.errors import DataError
from gan.settings import ParameterBlock

if TYPE_CHECKING:
    import torch

SHAPE = (1, 8, 8)
SIZES = {"train": 1197, "validation": 300, "test": 300}
SHUFFLE_SEED = 2014

FILE = "digits.npy"
PIXELS_SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"

_SOURCE = "scikit-learn, installed here"


@dataclass(frozen=True)
class Digits(ParameterBlock):
    """See `gan.datasets.loader.Loader`."""

    loader: Literal["digits"]

    shape: ClassVar[tuple[int, int, int]] = SHAPE
    divisor: ClassVar[int] = 16
    contrast_norm: ClassVar[None] = None

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        """Always there."""
        return Availability("found", _SOURCE)

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        from sklearn.datasets import load_digits  # here because importing it takes seconds

        pixels = load_digits().data.astype(np.uint8)
        _check(pixels, _SOURCE, "install scikit-learn in the version of the lock file")
        np.save(folder / FILE, pixels, allow_pickle=False)
        return _SOURCE

    def verify(self, folder: Path) -> None:
        _read(folder)

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        return dict(SIZES)

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        """1,197, 300 and 300 images, by the permutation of RandomState(`SHUFFLE_SEED`).

        NumPy guarantees that RandomState gives the same permutation in every version.
        """
        import torch

        pixels = _read(folder)
        shuffled = torch.from_numpy(pixels[np.random.RandomState(SHUFFLE_SEED).permutation(len(pixels))])
        train, validation, test = torch.split(shuffled, list(SIZES.values()))
        return {"train": train, "validation": validation, "test": test}

    def labels(self, folder: Path) -> dict[str, torch.Tensor]:
        """The digits, which come with scikit-learn, too; see `gan.datasets.loader.Labelled`."""
        import torch
        from sklearn.datasets import load_digits

        digits = load_digits()
        _check(digits.data.astype(np.uint8), _SOURCE, "install scikit-learn in the version of the lock file")
        order = np.random.RandomState(SHUFFLE_SEED).permutation(len(digits.target))
        shuffled = torch.from_numpy(digits.target[order]).long()
        return dict(zip(SIZES, torch.split(shuffled, list(SIZES.values())), strict=True))


def _read(folder: Path) -> np.ndarray:
    """uint8 [1797, 64], checked."""
    path = folder / FILE
    verify_names(folder, {FILE})
    pixels = read_array(path)
    _check(pixels, str(path), redo(folder))
    return pixels


def _check(pixels: np.ndarray, origin: str, remedy: str) -> None:
    expected = (sum(SIZES.values()), SHAPE[1] * SHAPE[2])
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    if pixels.dtype != np.uint8 or pixels.shape != expected or digest != PIXELS_SHA256:
        raise DataError(f"{origin}: these are not the digits", expected=f"uint8 {expected}, SHA-256 {PIXELS_SHA256}",
                        found=f"{pixels.dtype} {pixels.shape}, SHA-256 {digest}", remedy=remedy)
