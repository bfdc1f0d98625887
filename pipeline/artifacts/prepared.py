"""Prepared data sets, data/prepared/<name>.safetensors: pixels as they were, uint8; `read_dataset` scales them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gan.datasets.contrast import normalize_contrast
from gan.datasets.dataset import FOLDS, SPLITS, Dataset
from gan.errors import DataError
from pipeline.runtime import files, machine


def read_dataset(path: Path) -> Dataset:
    """The data set that `prepare` wrote, in its scale (see `Dataset`). DataError if missing or malformed."""
    _require_memory(path)
    tensors, about = files.read_tensors(path)
    header = _header(about, path)
    check_splits(tensors, header.shape, str(path))
    images = {}
    for split in SPLITS:
        images[split] = _scaled(tensors.pop(split), header)
        low, high = images[split].aminmax()
        if header.contrast_norm is None and not (low >= 0 and high <= 1):  # also false for NaN
            raise _malformed(str(path), "values from 0 to 1", f"{low:g} to {high:g} in {split}")
        if not (low > -math.inf and high < math.inf):
            raise _malformed(str(path), "finite values", f"{low:g} to {high:g} in {split}")
    return Dataset(header.name, header.shape, **images, **tensors, contrast_norm=header.contrast_norm,
                   duplicates=header.duplicates)


def bytes_read(values: int, stored: int = 1) -> int:
    """Bytes that so many values take while they are read: as they are stored, in so many bytes each, and in their
    scale."""
    return (stored + 4) * values


def _require_memory(path: Path) -> None:
    with files.open_tensors(path) as file:
        tensors = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118
    needed = sum(bytes_read(math.prod(each.get_shape()), 4 if each.get_dtype() == "F32" else 1) for each in tensors)
    machine.require_memory(
        needed, f"{path}, read whole,",
        "choose fewer or smaller images under `datasets` in params.yaml (of class folders: images_per_class)")


def _scaled(images: torch.Tensor, header: _Header) -> torch.Tensor:
    if header.contrast_norm is None:
        return images.to(torch.float32, copy=True).div_(header.divisor)
    return normalize_contrast(images, header.contrast_norm)


@dataclass(frozen=True)
class _Header:
    name: str
    shape: tuple[int, int, int]
    divisor: float
    contrast_norm: float | None
    duplicates: dict[str, int]


def _header(about: Mapping[str, Any], path: Path) -> _Header:
    match {"contrast_norm": None, "duplicates": {}, **about}:
        case {"name": str(name), "shape": [int(channels), int(height), int(width)],
              "divisor": int() | float() as divisor, "contrast_norm": None | int() | float() as contrast_norm,
              "duplicates": dict(duplicates)} if (
                min(channels, height, width, divisor) > 0 and (contrast_norm is None or contrast_norm > 0)
                and all(split in SPLITS and isinstance(count, int) for split, count in duplicates.items())):
            return _Header(name, (channels, height, width), divisor, contrast_norm, duplicates)
    raise _malformed(str(path), "a header with name, shape [C, H, W] and divisor, perhaps contrast_norm, duplicates",
                     str(dict(about)))


def check_splits(splits: Mapping[str, torch.Tensor], shape: tuple[int, int, int], origin: str) -> None:
    """DataError unless there are exactly the three splits, each uint8 or float32 [n, C·H·W] with n > 0, and folds."""
    folds = {name: tensor for name, tensor in splits.items() if name in FOLDS.values()}
    if set(splits) - set(folds) != set(SPLITS):
        raise _malformed(origin, ", ".join(SPLITS), ", ".join(sorted(splits)))
    for split in SPLITS:
        images = splits[split]
        fits = images.ndim == 2 and images.shape[1] == math.prod(shape) and len(images) > 0
        if not fits or images.dtype not in (torch.uint8, torch.float32):
            raise _malformed(origin, f"uint8 or float32 [n, {math.prod(shape)}] in {split}",
                             f"{images.dtype} {list(images.shape)}")
    if folds:
        _check_folds(splits, origin)


def _check_folds(splits: Mapping[str, torch.Tensor], origin: str) -> None:
    """DataError unless the same folds, from 0 and one after another, divide validation and test images."""
    numbers = {}
    for split, name in FOLDS.items():
        folds = splits.get(name, torch.empty(0))
        if folds.dtype != torch.uint8 or folds.shape != splits[split].shape[:1]:
            raise _malformed(origin, f"uint8 [{len(splits[split])}] in {name}", f"{folds.dtype} {list(folds.shape)}")
        numbers[split] = folds.unique_consecutive().tolist()
    if not numbers["validation"] == numbers["test"] == list(range(len(numbers["test"]))):
        raise _malformed(origin, "validation and test images of folds 0, 1, …, one after another", str(numbers))


def _malformed(origin: str, expected: str, found: str) -> DataError:
    return DataError(f"{origin} is not a prepared data set", expected=expected, found=found,
                     remedy=f"delete {origin} and run `dvc repro`")
