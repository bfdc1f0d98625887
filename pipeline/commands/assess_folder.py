"""The measures of anybody's samples against a data set that was prepared here: `python -m pipeline assess-folder`.

Nothing of the graph runs but what makes the data set's features and references, which have to be there:

    dvc repro references@mnist
    python -m pipeline assess-folder samples.npz mnist --write measures.json
"""

from __future__ import annotations

import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from gan.datasets.contrast import normalize_contrast
from gan.datasets.dataset import Dataset
from gan.datasets.image_folder import EXTENSIONS
from gan.datasets.members import open_members, unreadable
from gan.datasets.pictures import depth_of, read_picture
from gan.errors import DataError
from gan.evaluation.assessment import measure
from gan.evaluation.measures import MEASURES
from pipeline.artifacts.assessed import Yardstick
from pipeline.artifacts.assessments import features_file, references_file
from pipeline.results.text import with_error
from pipeline.runtime import files, machine
from pipeline.runtime.names import require_known
from pipeline.settings import parameters

WIDTH = 100


def main(source: Path, dataset: str, write: Path | None = None) -> None:
    """Print, and if asked for write as JSON, what each measure says of the samples in `source`: a folder or zip archive
    of images, or an array in NumPy's format."""
    known = parameters.load(plan=False)
    require_known(dataset, known.datasets, "data set", "assess-folder")
    for path in (features_file(dataset), references_file(dataset)):
        if not path.is_file():
            raise DataError(f"{path} is missing", expected=f"features of {dataset}, and what held-out images get",
                            remedy=f"run `dvc repro references@{dataset}`, for which plan.yaml must name {dataset}")
    device = machine.choose_device()
    real = Yardstick.read(dataset, known.assess(known.profile, dataset), device)
    samples = read_samples(source, real.dataset)
    try:
        found = measure(samples.to(device), real.images, real.reference, real.features, real.settings.measures)
    except ValueError as error:
        raise DataError(f"{source} cannot be compared with {dataset}", found=str(error),
                        remedy="give samples of the data's size, with finite values") from error
    held_out = files.read_json(references_file(dataset))["rows"]["held_out"]
    print(table(found, held_out, f"{source}: {len(samples):,} samples against {dataset}, features: "
                                 f"{real.about['kind']}, digest {real.about['digest'][:12]}"))
    if write is not None:
        files.write_json(write, {"dataset": dataset, "features": real.described, "samples": found,
                                 "held_out": held_out})


def table(found: Mapping[str, Any], held_out: Mapping[str, Any], head: str) -> str:
    """Each measure of the samples beside that of held-out images, and what it asks."""
    lines = [*textwrap.wrap(head, WIDTH), "", f"{'':<24}{'these samples':>20}{'held-out images':>20}  best"]
    for one in MEASURES:
        cells = [with_error(each[one.name]["value"], each[one.name]["standard_error"], one.decimals)
                 if "value" in each[one.name] else "–" for each in (found, held_out)]
        lines.append(f"{one.title:<24}{cells[0]:>20}{cells[1]:>20}  {one.best}")
        if "why" in found[one.name]:
            lines += textwrap.wrap(f"no value: {found[one.name]['why']}", WIDTH, initial_indent="    ",
                                   subsequent_indent="    ")
    near = found["nearest_training_image"]
    lines += ["", *textwrap.wrap(
        f"Median distance to the nearest training image, in pixels: {near['median']:.3g}; of held-out images "
        f"{near['held_out_median']:.3g}. Nearer than all but 1 % of those: "
        f"{near['nearer_than_all_but_1_percent']:.1%}.",
        WIDTH)]
    return "\n".join(lines)


# Anybody's samples.

def read_samples(source: Path, dataset: Dataset) -> torch.Tensor:
    """float32 [n, d] in the data set's scale. DataError if `source` cannot be read or holds something else."""
    if source.suffix.lower() in (".npy", ".npz"):
        return _in_scale(_pixels_of_array(source, dataset.shape), dataset)
    if not source.is_dir() and not zipfile.is_zipfile(source):
        raise DataError(f"{source} cannot be read", expected="a folder or zip archive of images, or a .npy or .npz",
                        found="no such file" if not source.exists() else "another kind of file",
                        remedy="correct the path")
    return _in_scale(_pixels_of_images(source, dataset.shape), dataset)


def _pixels_of_images(source: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 [n, d], each image scaled and cropped to the data's size."""
    channels, height, _ = shape
    with open_members([source]) as members:
        images = [member for member in members
                  if PurePosixPath(member.name).suffix.lower().removeprefix(".") in EXTENSIONS]
        if not images:
            raise DataError(f"{source} holds no images", expected=f"files that end in {', '.join(EXTENSIONS)}")
        pixels = np.empty((len(images), channels * height * height), np.uint8)
        deep: dict[int, int] = {}
        for row, member in enumerate(images):
            try:
                picture = read_picture(member.read(), height, channels)
            except Exception as error:  # a damaged image can raise nearly anything
                raise DataError(f"{member.name} cannot be read", found=unreadable(error),
                                remedy="mend it or take it away") from error
            pixels[row] = picture.pixels
            if picture.largest is not None:
                deep[row] = picture.largest
        if (bits := depth_of(deep.values())) < 16:  # samples of 16 bits that hold fewer, as a data set's are read
            for row in deep:
                pixels[row] = read_picture(images[row].read(), height, channels, bits).pixels
    return pixels


def _pixels_of_array(source: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """[n, d]: uint8 pixels, or floating-point numbers in the data's scale. Nothing is unpickled."""
    try:
        content = np.load(source, allow_pickle=False)
        if isinstance(content, np.lib.npyio.NpzFile):
            with content:
                if len(content.files) != 1:
                    raise ValueError(f"{len(content.files)} arrays: {', '.join(content.files)}")
                content = content[content.files[0]]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{source} cannot be read", expected="one array in NumPy's format, without pickles",
                        found=str(error), remedy="write it by numpy.save or numpy.savez") from error
    channels, height, width = shape
    last = content.ndim == 4 and content.shape[1:] == (height, width, channels)
    fits = content.shape[1:] in ((channels * height * width,), shape, *([shape[1:]] if channels == 1 else [])) or last
    if not fits or not (content.dtype == np.uint8 or np.issubdtype(content.dtype, np.floating)):
        raise DataError(f"{source} does not hold samples of this data set",
                        expected="uint8, or floating-point numbers in the data's scale, "
                                 f"[n, {channels}, {height}, {width}]",
                        found=f"{content.dtype} {list(content.shape)}", remedy="bring it into this shape")
    return np.ascontiguousarray(content.transpose(0, 3, 1, 2) if last else content).reshape(len(content), -1)


def _in_scale(pixels: np.ndarray, dataset: Dataset) -> torch.Tensor:
    values = torch.from_numpy(pixels)
    if values.dtype != torch.uint8:
        return values.float()
    return values.float() / 255 if dataset.contrast_norm is None else normalize_contrast(values, dataset.contrast_norm)
