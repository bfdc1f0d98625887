"""Stage `prepare`: raw files to one file of three splits, data/prepared/<name>.safetensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gan.datasets import SPLITS, Dataset
from gan.errors import DataError
from pipeline import files, stage
from pipeline.download import loader_of, raw_folder


def main(name: str) -> None:
    """Write the splits of data set `name`, after checking its raw files once more."""
    loader, folder = loader_of(name), raw_folder(name)
    loader.verify(folder)
    splits = loader.splits(folder)
    _check(splits, loader.SHAPE, str(folder))
    files.write_tensors(prepared_file(name), splits,
                        {"name": name, "shape": list(loader.SHAPE), "divisor": loader.DIVISOR})
    sizes = ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS)
    print(f"{name}: {sizes} images of {'×'.join(map(str, loader.SHAPE))} in {prepared_file(name)}", flush=True)


def prepared_file(name: str) -> Path:
    """Where the prepared data set `name` is, from the repository's root."""
    return Path("data/prepared") / f"{name}.safetensors"


def read_dataset(path: Path) -> Dataset:
    """The data set that this stage wrote, as float32 in [0, 1]. DataError if the file is missing or not one."""
    tensors, about = files.read_tensors(path)
    name, shape, divisor = _header(about, path)
    _check(tensors, shape, str(path))
    images = {split: tensors[split].to(torch.float32, copy=True).div_(divisor) for split in SPLITS}
    for split, tensor in images.items():
        low, high = tensor.aminmax()
        if not (low >= 0 and high <= 1):  # also false for NaN
            raise _malformed(str(path), "values from 0 to 1", f"{low:g} to {high:g} in {split}")
    return Dataset(name, shape, **images)


def _header(about: Mapping[str, Any], path: Path) -> tuple[str, tuple[int, int, int], float]:
    match about:
        case {"name": str(name), "shape": [int(channels), int(height), int(width)],
              "divisor": int() | float() as divisor} if min(channels, height, width, divisor) > 0:
            return name, (channels, height, width), divisor
    raise _malformed(str(path), "a header with name, shape [C, H, W] and divisor", str(dict(about)))


def _check(splits: Mapping[str, torch.Tensor], shape: tuple[int, int, int], origin: str) -> None:
    """DataError unless there are exactly the three splits, each uint8 or float32 [n, C·H·W] with n > 0."""
    if set(splits) != set(SPLITS):
        raise _malformed(origin, ", ".join(SPLITS), ", ".join(sorted(splits)))
    for split, images in splits.items():
        fits = images.ndim == 2 and images.shape[1] == math.prod(shape) and len(images) > 0
        if not fits or images.dtype not in (torch.uint8, torch.float32):
            raise _malformed(origin, f"uint8 or float32 [n, {math.prod(shape)}] in {split}",
                             f"{images.dtype} {list(images.shape)}")


def _malformed(origin: str, expected: str, found: str) -> DataError:
    return DataError(f"{origin} is not a prepared data set", expected=expected, found=found,
                     remedy=f"delete {origin} and run `dvc repro`")


if __name__ == "__main__":
    stage.run(main)
