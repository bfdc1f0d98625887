"""Stage `prepare`: raw files to one file of three splits, data/prepared/<name>.safetensors.

It holds the pixels as they were, uint8; `read_dataset` brings them to their scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch

from gan.datasets.dataset import FOLDS, SPLITS
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import check_splits
from pipeline.artifacts.raw import configured_loader, raw_folder
from pipeline.runtime import files, stage


def main(name: str) -> None:
    """Write the splits of data set `name`, after checking its raw files once more."""
    loader, folder = configured_loader(name, "prepare"), raw_folder(name)
    loader.verify(folder)
    splits = loader.splits(folder)
    check_splits(splits, loader.shape, str(folder))
    duplicates = count_duplicates(splits)
    about = {"name": name, "shape": list(loader.shape), "divisor": loader.divisor}
    if loader.contrast_norm is not None:
        about["contrast_norm"] = loader.contrast_norm
    if duplicates:
        about["duplicates"] = duplicates
    files.write_tensors(prepared_file(name), splits, about)
    _print_sizes(name, splits, loader.shape)
    _print_duplicates(name, duplicates)


def _print_sizes(name: str, splits: Mapping[str, torch.Tensor], shape: tuple[int, int, int]) -> None:
    sizes = ", ".join(f"{len(splits[split]):,} {split}" for split in SPLITS)
    folds = f", {int(splits[FOLDS['test']].max()) + 1} folds" if FOLDS["test"] in splits else ""
    print(f"{name}: {sizes} images of {'×'.join(map(str, shape))}{folds} in {prepared_file(name)}", flush=True)


def _print_duplicates(name: str, duplicates: Mapping[str, int]) -> None:
    said = [f"{count:,} {split} image{'s are' if count > 1 else ' is'} also among the training images"
            for split, count in duplicates.items() if split != "train"]
    if copies := duplicates.get("train"):
        said.append(f"{copies:,} training image{'s are copies' if copies > 1 else ' is a copy'} of others")
    if said:
        print(f"{name}: {'; '.join(said)}", flush=True)


def count_duplicates(splits: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """By split, how many of its images have the pixels of a training image, or within "train" of an earlier one.

    Splits without any are left out. Folds are not compared with each other: they overlap by design.
    """
    digests = {split: [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in splits[split].numpy()]
               for split in SPLITS}
    training = set(digests["train"])
    counts = {split: sum(digest in training for digest in digests[split]) for split in SPLITS if split != "train"}
    counts["train"] = len(digests["train"]) - len(training)
    return {split: count for split, count in counts.items() if count}


if __name__ == "__main__":
    stage.run(main, "name")
