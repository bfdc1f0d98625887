"""A prepared data set: three splits of images in their scale, in folds where it has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SPLITS = ("train", "validation", "test")
FOLDS = {"validation": "validation_fold", "test": "test_fold"}
"""Where a data set with several folds has the fold of each image."""


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
    def sizes(self) -> dict[str, int]:
        """Images in each of `SPLITS`."""
        return {split: len(getattr(self, split)) for split in SPLITS}

    @property
    def scale(self) -> str:
        """What the values are, in words."""
        return "[0, 1]" if self.contrast_norm is None else f"each image: mean 0, L2 norm {self.contrast_norm:g}"
