"""Figure 2, samples beside their nearest training images, and figure 3, straight lines in z."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.patches import Rectangle

from gan.errors import DataError
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.pixels import GAP, blank, largest, mosaic, pixel_scale, to_pixels
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import picture_name
from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.files import save_figure, write_pixels
from pipeline.figures.images import RealImages, black_to_white, picture, scale_note
from pipeline.figures.mixing import mixing_figures
from pipeline.figures.style import PIXELS, YELLOW
from pipeline.results.metrics import variants_of
from pipeline.results.published import CHAIN_MODELS, variant_name
from pipeline.runtime.files import read_tensors, write_json
from pipeline.runtime.progress import Progress

BLOCK_ELEMENTS = 2 ** 22  # of the training set at a time in float64: 32 MiB


def sample_figures(experiment: FinishedExperiment, folder: Path) -> list[Path]:
    """Figure 2 for each variant, and figure 3 where there are interpolations; the images of both as they are."""
    dataset = read_dataset(prepared_file(experiment.evaluation["dataset"]))
    real = RealImages(torch.as_tensor(dataset.train), torch.as_tensor(dataset.validation), tuple(dataset.shape))
    written = []
    names = variants_of(experiment.evaluation)
    with Progress(f"{experiment.name}, nearest training images", len(names) * len(real.train), "image") as progress:
        for variant in names:
            path = experiment.folder / f"samples/seed-{experiment.seed(variant)}.safetensors"
            tensors, header = read_tensors(path)
            if variant not in tensors:
                raise DataError(f"{path} has no samples of {variant}", expected=f"a tensor named {variant}",
                                found=", ".join(sorted(tensors)), remedy=f"delete {path} and run `dvc repro`")
            written += _samples(experiment, variant, tensors[variant], real, folder, progress.advance)
            lines = interpolation_of(variant, tensors)
            if lines is not None:
                written += _interpolation(experiment, variant, lines, header, real, folder)
            for name in header:
                if name.startswith(prefix := picture_name(variant, "")):
                    written += _ability(experiment, variant, name.removeprefix(prefix), tensors[name], header[name],
                                        real, folder)
            if variant == "raw" and experiment.training["model"] in CHAIN_MODELS:
                written += mixing_figures(experiment, tensors[variant], real, folder)
    return written


def _samples(experiment: FinishedExperiment, variant: str, samples: torch.Tensor, real: RealImages, folder: Path,
             advance: Callable[[int], None]) -> list[Path]:
    columns, shape = int(experiment.settings["columns"]), real.shape
    shown = samples[:int(experiment.settings["rows"]) * columns]
    rows = max(1, math.ceil(len(shown) / columns))
    held_out = real.validation[:len(shown)]
    indices = nearest(torch.cat([shown, held_out]), real.train, advance)
    neighbours, of_held_out = real.train[indices[:len(shown)]], real.train[indices[len(shown):]]
    last_of_row = [min(row * columns + columns, len(shown)) - 1 for row in range(rows)]
    scale = pixel_scale(real.train, shown)
    beside = neighbour_scale(scale, neighbours)
    images, near = to_pixels(shown, shape, scale), to_pixels(neighbours, shape, beside)
    rows_of_images = [[*images[row * columns:row * columns + columns],
                       *[blank(shape)] * ((row + 1) * columns - len(shown)), near[last]]
                      for row, last in enumerate(last_of_row)]
    canvas, step = mosaic(rows_of_images, PIXELS)
    shown_as = variant_name(experiment.training["model"], variant) if "parallel" in variants_of(
        experiment.evaluation) else variant
    what = f"first {len(shown)} of {len(samples):,} samples, {shown_as}"
    figure, axes = picture(canvas, experiment.title(what, variant), _legend_of_samples(scale, beside))
    for row in range(rows):
        axes.add_patch(Rectangle((columns * step[1] + GAP / 2, row * step[0] + GAP / 2), *step[::-1], fill=False,
                                 edgecolor=YELLOW, linewidth=2.4, joinstyle="miter", clip_on=False))
    write_json(folder / f"pairs-{variant}.json", {
        "shape": list(shape), "columns": columns, "black_to_white": scale, "nearest_black_to_white": beside,
        "pairs": [{"training_image": index, "distance": distance}
                  for index, distance in zip(indices.tolist(), _distances(shown, neighbours), strict=False)],
        "distances_of_validation_images": _distances(held_out, of_held_out)})
    return [save_figure(figure, folder / f"samples-{variant}.png", in_full=shape[0] > 1),
            write_pixels(folder / f"pairs-{variant}.png", [list(pair) for pair in zip(images, near, strict=True)]),
            folder / f"pairs-{variant}.json"]


def _distances(images: torch.Tensor, others: torch.Tensor) -> list[float]:
    """L2 from each of `images` [n, d] to its row of `others` [n, d], to six digits."""
    distances = (images.to(torch.float64) - others.to(torch.float64)).norm(dim=1)
    return [float(f"{distance:.6g}") for distance in distances.tolist()]


def _legend_of_samples(scale: float | None, beside: float | None) -> list[str]:
    framed = "framed: the training image nearest to the sample on its left"
    if beside is None:
        return [framed]
    own = [f"framed images: from {black_to_white(beside)}"] if beside != scale else []
    return [framed, *scale_note(scale), *own]


def interpolation_of(variant: str, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """The interpolation of a variant, as the sample stage names it; None where there is none."""
    return tensors.get("interpolation" if variant == "raw" else f"interpolation_{variant}")


def grid_shape(images: int, header: Mapping[str, Any]) -> tuple[int, int]:
    """(rows, columns) of an interpolation: as its header says, else the widest near-square grid."""
    given = header.get("interpolation")
    if given is not None and len(given) == 2 and int(given[0]) * int(given[1]) == images:
        return int(given[0]), int(given[1])
    rows = next(rows for rows in range(math.isqrt(images), 0, -1) if images % rows == 0)
    return rows, images // rows


def _interpolation(experiment: FinishedExperiment, variant: str, lines: torch.Tensor, header: Mapping[str, Any],
                   real: RealImages, folder: Path) -> list[Path]:
    rows, columns = grid_shape(len(lines), header)
    scale = pixel_scale(real.train, lines)
    images = to_pixels(lines, real.shape, scale)
    grid = [list(images[row * columns:(row + 1) * columns]) for row in range(rows)]
    canvas, _ = mosaic(grid, PIXELS)
    figure, _ = picture(canvas, experiment.title(f"along straight lines in z, {variant}", variant), scale_note(scale))
    write_json(folder / f"lines-{variant}.json", {
        "shape": list(real.shape), "rows": rows, "columns": columns, "black_to_white": scale})
    return [save_figure(figure, folder / f"interpolation-{variant}.png", in_full=real.shape[0] > 1),
            write_pixels(folder / f"lines-{variant}.png", grid), folder / f"lines-{variant}.json"]


def _ability(experiment: FinishedExperiment, variant: str, name: str, images: torch.Tensor, about: Mapping[str, Any],
             real: RealImages, folder: Path) -> list[Path]:
    """What a model shows of itself beside its samples (`gan.model.Illustrated`)."""
    columns, scale = int(about["columns"]), pixel_scale(real.train, images)
    pixels = to_pixels(images, real.shape, scale)
    grid = [list(pixels[row:row + columns]) for row in range(0, len(pixels), columns)]
    canvas, _ = mosaic(grid, PIXELS)
    figure, _ = picture(canvas, experiment.title(f"{about['title']}, {variant}", variant), scale_note(scale))
    stem = f"ability-{variant}-{name}"
    write_json(folder / f"{stem}.json", {
        "shape": list(real.shape), "title": about["title"], "rows": len(grid), "columns": columns,
        "black_to_white": scale})
    return [save_figure(figure, folder / f"{stem}-figure.png", in_full=real.shape[0] > 1),
            write_pixels(folder / f"{stem}.png", grid), folder / f"{stem}.json"]


def nearest(samples: torch.Tensor, train: torch.Tensor,
            advance: Callable[[int], None] = lambda images: None) -> torch.Tensor:
    """Row of `train` [n, d] nearest to each of `samples` [m, d] in L2, the first one on a tie; int64 [m].

    In float64, because ‖x‖² − 2x·s cancels, and in blocks, so that memory does not grow with the training set.
    """
    wanted = samples.to(torch.float64)
    best = torch.full((len(wanted),), math.inf, dtype=torch.float64)
    index = torch.zeros(len(wanted), dtype=torch.int64)
    step = max(1, BLOCK_ELEMENTS // train.shape[1])
    for start in range(0, len(train), step):
        block = train[start:start + step].to(torch.float64)
        distances = (block * block).sum(1) - 2 * wanted @ block.T  # ‖s‖² is the same for all
        values, places = distances.min(1)
        closer = values < best
        best[closer], index[closer] = values[closer], places[closer] + start
        advance(len(block))
    return index


def neighbour_scale(scale: float | None, neighbours: torch.Tensor) -> float | None:
    """The samples' scale, on which contrasts can be compared; the neighbours' own one where they would not be seen.

    That is where their largest |value| would be cut off, or would not reach half of the way to black or white.
    """
    if scale is None:
        return None
    reached = largest(neighbours)
    return scale if scale / 2 <= reached <= scale else reached
