"""Stage `figures`: an experiment's pictures, each beside the numbers that it shows.

    python -m pipeline.stages.figures mnist

Nothing is chosen by hand: the samples shown are the first that were drawn, and the seed is the one that the headline
reports. Equal inputs give equal bytes.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image

from gan.baselines.chains import autocorrelation
from gan.errors import DataError
from pipeline.artifacts.files import read_json, read_tensors, write_bytes, write_json, write_text
from pipeline.artifacts.prepared import prepared_file, read_dataset
from pipeline.results.results import (
    ARTIFACTS,
    CHAIN_MODELS,
    FIGURES,
    UNIT_SCALE,
    best_seed,
    phase_ends,
    variant_name,
    variants,
)
from pipeline.runtime.progress import Progress
from pipeline.runtime.stage import run
from pipeline.tracking import logged_model, runs

Array = NDArray[np.float64]
Curves = Mapping[str, Mapping[int, Mapping[int, float]]]
"""By column of curves.csv, seed and epoch"""

DPI = 240  # twice the pixels that the report shows, for screens of double density
WIDTH = 5.2  # inches; narrow, so that 9 pt stays readable on a telephone
PIXELS = round(WIDTH * DPI)
TITLE_COLUMNS = 72  # characters of a title that fit into PIXELS
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has it
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8,
    "legend.fontsize": 8, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "axes.edgecolor": "#606060", "lines.linewidth": 1.6,
    "text.parse_math": False,  # a dollar sign in an experiment's name is a dollar sign
}

# Okabe and Ito's colours: told apart by the colour-blind.
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
BLACK, GREY, YELLOW = "#000000", "#707070", "#f5d400"
VARIANT_COLOURS = {"raw": BLUE, "ema": VERMILION, "parallel": VERMILION}
EITHER = "D cannot tell"

BLOCK_ELEMENTS = 2 ** 22  # of the training set at a time in float64: 32 MiB
GAP = 12  # pixels between images
LAGS = 1000  # of the autocorrelation; fewer where the chain is shorter
CHAIN_ROWS, CHAIN_COLUMNS = 4, 10  # of the figures of a chain's states


@dataclass(frozen=True)
class Experiment:
    """What one experiment's stages left on disk."""

    name: str
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    bandwidth: Mapping[str, Any]
    folder: Path

    @classmethod
    def read(cls, name: str) -> Experiment:
        folder = ARTIFACTS / name
        return cls(name, settings=read_json(folder / "configuration/figures.json"),
                   training=read_json(folder / "training.json"), evaluation=read_json(folder / "evaluation.json"),
                   bandwidth=read_json(folder / "bandwidth.json"), folder=folder)

    def seed(self, variant: str) -> Any:
        """The headline's seed, chosen on validation images."""
        return best_seed(self.evaluation, variant)

    def epoch(self, variant: str) -> int | None:
        """The epoch whose weights the figures of `variant` show; None for models without epochs."""
        seed = _of_seed(self.evaluation, self.seed(variant))
        epoch: int | None = seed["variants"][variant]["epoch"]
        return epoch

    def title(self, what: str, variant: str | None = None, more: Sequence[str] = ()) -> str:
        """"mnist: what, profile cpu, seed 1, epoch 40": everything that tells this picture from a like one.

        The profile is said to be reduced where it departs from the paper's numbers; `more` ends the second line, and
        what has to be said wherever the experiment's results appear comes last.
        """
        reduced = " (reduced)" if self.evaluation.get("differences") else ""
        parts = [f"profile {self.evaluation['profile']}{reduced}"]
        if variant is not None:
            parts.append(f"seed {self.seed(variant)}")
            if self.epoch(variant) is not None:
                parts.append(f"epoch {self.epoch(variant)}")
        lines = [f"{self.name}: {what}", ", ".join([*parts, *more]), self.evaluation.get("note", "")]
        return _wrapped("\n".join(filter(None, lines)), TITLE_COLUMNS)


def _wrapped(title: str, columns: int) -> str:
    return "\n".join(part for line in title.splitlines() for part in textwrap.wrap(line, columns))


def _of_seed(document: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(one for one in document["seeds"] if one["seed"] == seed)
    return found


def main(experiment: str) -> None:
    """Write reports/figures/<experiment>/ anew."""
    done = Experiment.read(experiment)
    folder = FIGURES / experiment
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a matplotlibrc on this machine says
        matplotlib.rcParams.update(STYLE)
        written = {*sample_figures(done, folder), *training_figure(done, folder), *bandwidth_figure(done, folder)}
    for old in {path for suffix in ("png", "csv", "json") for path in folder.glob(f"*.{suffix}")} - written:
        old.unlink()
    _track(done, sorted(written))


def _track(experiment: Experiment, written: Iterable[Path]) -> None:
    """Add test scores to each seed's run in MLflow; those of the headline, the figures and the generator to the run
    that holds these."""
    evaluation, training = experiment.evaluation, experiment.training
    dataset = runs.describe(prepared_file(evaluation["dataset"]))
    shown = {variant: experiment.seed(variant) for variant in variants(evaluation)}

    def resume(seed: int | None) -> runs.Tracker:
        return runs.resume(experiment.name, seed, training["inputs"], profile=evaluation["profile"],
                               parameters=training["settings"], dataset=dataset, hardware=training["hardware"])

    for entry in evaluation["seeds"]:
        with resume(entry["seed"]) as tracker:
            for variant, scores in entry["variants"].items():
                tracker.metrics(_scores(variant, scores), step=scores["epoch"] or 0)
    with resume(None) as tracker:
        for variant, seed in shown.items():
            tracker.metrics(_scores(variant, _of_seed(evaluation, seed)["variants"][variant]), step=0)
        for path in written:
            tracker.figure(path)
        generator = logged_model.generator_of(experiment.folder, training, dataset["shape"], shown)
        if generator is not None:
            tracker.generator(generator)


def _scores(variant: str, scores: Mapping[str, Any]) -> dict[str, float | None]:
    suffix = "" if variant == "raw" else f"_{variant}"
    return {f"test_log_likelihood{suffix}": scores["refined"]["test_log_likelihood"],
            f"bandwidth{suffix}": scores["refined"]["bandwidth"]}


# Samples and interpolations.

@dataclass(frozen=True)
class RealImages:
    """What samples are compared with: [n, d] each, of the data set with this shape [C, H, W]."""

    train: torch.Tensor
    validation: torch.Tensor
    shape: Sequence[int]


def sample_figures(experiment: Experiment, folder: Path) -> list[Path]:
    """Figure 2 for each variant, and figure 3 where there are interpolations; the images of both as they are."""
    dataset = read_dataset(prepared_file(experiment.evaluation["dataset"]))
    real = RealImages(torch.as_tensor(dataset.train), torch.as_tensor(dataset.validation), tuple(dataset.shape))
    written = []
    names = variants(experiment.evaluation)
    with Progress(f"{experiment.name}, nearest training images", len(names) * len(real.train), "image") as progress:
        for variant in names:
            path = experiment.folder / f"samples/seed-{experiment.seed(variant)}.safetensors"
            tensors, about = read_tensors(path)
            if variant not in tensors:
                raise DataError(f"{path} has no samples of {variant}", expected=f"a tensor named {variant}",
                                found=", ".join(sorted(tensors)), remedy=f"delete {path} and run `dvc repro`")
            written += _samples(experiment, variant, tensors[variant], real, folder, progress.advance)
            lines = interpolation_of(variant, tensors)
            if lines is not None:
                written += _interpolation(experiment, variant, lines, about, real, folder)
            if variant == "raw" and experiment.training["model"] in CHAIN_MODELS:
                written += mixing_figures(experiment, tensors[variant], real, folder)
    return written


def _samples(experiment: Experiment, variant: str, samples: torch.Tensor, real: RealImages, folder: Path,
             advance: Callable[[int], None]) -> list[Path]:
    columns, shape = int(experiment.settings["columns"]), real.shape
    shown = samples[:int(experiment.settings["rows"]) * columns]
    rows = max(1, math.ceil(len(shown) / columns))
    held_out = real.validation[:len(shown)]
    found = nearest(torch.cat([shown, held_out]), real.train, advance)
    neighbours, of_held_out = real.train[found[:len(shown)]], real.train[found[len(shown):]]
    last_of_row = [min(row * columns + columns, len(shown)) - 1 for row in range(rows)]
    scale = pixel_scale(real.train, shown)
    beside = neighbour_scale(scale, neighbours)
    images, near = to_pixels(shown, shape, scale), to_pixels(neighbours, shape, beside)
    rows_of_images = [[*images[row * columns:row * columns + columns],
                       *[blank(shape)] * ((row + 1) * columns - len(shown)), near[last]]
                      for row, last in enumerate(last_of_row)]
    canvas, step = mosaic(rows_of_images)
    shown_as = variant_name(experiment.training["model"], variant) if "parallel" in variants(
        experiment.evaluation) else variant
    what = f"first {len(shown)} of {len(samples):,} samples, {shown_as}"
    figure, axes = _picture(canvas, experiment.title(what, variant), _legend_of_samples(scale, beside))
    for row in range(rows):
        axes.add_patch(Rectangle((columns * step[1] + GAP / 2, row * step[0] + GAP / 2), *step[::-1], fill=False,
                                 edgecolor=YELLOW, linewidth=2.4, joinstyle="miter", clip_on=False))
    write_json(folder / f"pairs-{variant}.json", {
        "shape": list(shape), "columns": columns, "black_to_white": scale, "nearest_black_to_white": beside,
        "pairs": [{"training_image": index, "distance": distance}
                  for index, distance in zip(found.tolist(), _distances(shown, neighbours), strict=False)],
        "distances_of_validation_images": _distances(held_out, of_held_out)})
    return [save_figure(figure, folder / f"samples-{variant}.png", in_full=shape[0] > 1),
            _write_pixels(folder / f"pairs-{variant}.png", [list(pair) for pair in zip(images, near, strict=True)]),
            folder / f"pairs-{variant}.json"]


def _distances(images: torch.Tensor, others: torch.Tensor) -> list[float]:
    """L2 from each of `images` [n, d] to its row of `others` [n, d], to six digits."""
    found = (images.to(torch.float64) - others.to(torch.float64)).norm(dim=1)
    return [float(f"{distance:.6g}") for distance in found.tolist()]


def _write_pixels(path: Path, grid: Sequence[Sequence[NDArray[np.uint8]]]) -> Path:
    """Images [H, W, 3] in rows, without a gap and pixel for pixel, for the report to cut apart."""
    image = Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in grid], axis=0))
    packed = io.BytesIO()
    image.save(packed, format="PNG", optimize=True)
    write_bytes(path, packed.getvalue())
    return path


def _legend_of_samples(scale: float | None, beside: float | None) -> list[str]:
    framed = "framed: the training image nearest to the sample on its left"
    if scale is None or beside is None:
        return [framed]
    own = [f"framed images: from {_black_to_white(beside)}"] if beside != scale else []
    return [framed, f"black to white: values from {_black_to_white(scale)}", *own]


def _black_to_white(scale: float) -> str:
    return f"−{scale:.3g} to {scale:.3g}"


def interpolation_of(variant: str, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """The interpolation of a variant, as the sample stage names it; None where there is none."""
    return tensors.get("interpolation" if variant == "raw" else f"interpolation_{variant}")


def grid_shape(images: int, about: Mapping[str, Any]) -> tuple[int, int]:
    """(rows, columns) of an interpolation: as its header says, else the widest near-square grid."""
    given = about.get("interpolation")
    if given is not None and len(given) == 2 and int(given[0]) * int(given[1]) == images:
        return int(given[0]), int(given[1])
    rows = next(rows for rows in range(math.isqrt(images), 0, -1) if images % rows == 0)
    return rows, images // rows


def _interpolation(experiment: Experiment, variant: str, lines: torch.Tensor, about: Mapping[str, Any],
                   real: RealImages, folder: Path) -> list[Path]:
    rows, columns = grid_shape(len(lines), about)
    scale = pixel_scale(real.train, lines)
    images = to_pixels(lines, real.shape, scale)
    grid = [list(images[row * columns:(row + 1) * columns]) for row in range(rows)]
    canvas, _ = mosaic(grid)
    legend = [] if scale is None else [f"black to white: values from {_black_to_white(scale)}"]
    figure, _ = _picture(canvas, experiment.title(f"along straight lines in z, {variant}", variant), legend)
    write_json(folder / f"lines-{variant}.json", {
        "shape": list(real.shape), "rows": rows, "columns": columns, "black_to_white": scale})
    return [save_figure(figure, folder / f"interpolation-{variant}.png", in_full=real.shape[0] > 1),
            _write_pixels(folder / f"lines-{variant}.png", grid), folder / f"lines-{variant}.json"]


def mixing_figures(experiment: Experiment, states: torch.Tensor, real: RealImages, folder: Path) -> list[Path]:
    """How fast one chain moves, from its consecutive states [n, d] as they were scored: its first ones, as many evenly
    over its whole length, and the autocorrelation.

    Of a chain that stands still there is no autocorrelation, and its figure and table are left out.
    """
    shown = min(CHAIN_ROWS * CHAIN_COLUMNS, len(states))
    apart = len(states) // shown
    written = _states(experiment, "consecutive", f"the first {shown} states of one chain, row by row", states[:shown],
                      real, folder)
    written += _states(experiment, "apart", f"every {apart:,}th of the {len(states):,} states of one chain, row by row",
                       states[apart - 1::apart][:shown], real, folder)
    lags = min(LAGS, len(states) - 1)
    try:
        found = autocorrelation(states, lags).tolist()
    except ValueError:
        return written
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, lags + 1), found[1:], color=BLUE)
    axes.axhline(0, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xscale("log")
    ticks = log_ticks(1, max(2, lags))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("lag / steps of the chain")
    axes.set_ylabel("autocorrelation")
    axes.set_ylim(min(-0.05, 1.05 * min(found)), 1.05)
    figure.suptitle(experiment.title("mixing, autocorrelation of one chain", "raw"), x=0.012, ha="left", fontsize=9)
    return [*written, save_figure(figure, folder / "autocorrelation.png"),
            write_csv(folder / "autocorrelation.csv", ["lag", "raw"], enumerate(found))]


def _states(experiment: Experiment, name: str, what: str, states: torch.Tensor, real: RealImages,
            folder: Path) -> list[Path]:
    scale = pixel_scale(real.train, states)
    images = to_pixels(states, real.shape, scale)
    rows = math.ceil(len(states) / CHAIN_COLUMNS)
    grid = [list(images[row * CHAIN_COLUMNS:(row + 1) * CHAIN_COLUMNS]) for row in range(rows)]
    grid[-1] += [blank(real.shape)] * (CHAIN_COLUMNS - len(grid[-1]))
    canvas, _ = mosaic(grid)
    legend = [] if scale is None else [f"black to white: values from {_black_to_white(scale)}"]
    figure, _ = _picture(canvas, experiment.title(f"mixing, {what}", "raw"), legend)
    write_json(folder / f"states-{name}.json", {
        "shape": list(real.shape), "rows": rows, "columns": CHAIN_COLUMNS, "states": len(states),
        "black_to_white": scale})
    return [save_figure(figure, folder / f"mixing-{name}.png", in_full=real.shape[0] > 1),
            _write_pixels(folder / f"states-{name}.png", grid), folder / f"states-{name}.json"]


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


def pixel_scale(train: torch.Tensor, shown: torch.Tensor) -> float | None:
    """None for data in [0, 1]; for centred data the largest |value| shown, which becomes black or white."""
    return None if float(train.min()) >= 0 else _largest(shown)


def neighbour_scale(scale: float | None, neighbours: torch.Tensor) -> float | None:
    """The samples' scale, on which contrasts can be compared; the neighbours' own one where they would not be seen.

    That is where their largest |value| would be cut off, or would not reach half of the way to black or white.
    """
    if scale is None:
        return None
    largest = _largest(neighbours)
    return scale if scale / 2 <= largest <= scale else largest


def _largest(images: torch.Tensor) -> float:
    return max(float(images.abs().max()), 1e-12)


def to_pixels(images: torch.Tensor, shape: Sequence[int], scale: float | None) -> NDArray[np.uint8]:
    """[n, C·H·W] in the data's scale → uint8 [n, H, W, 3]."""
    channels, height, width = shape
    values = images.to(torch.float64)
    values = values if scale is None else (values / scale + 1) / 2
    pixels = (values.clamp(0, 1) * 255).round().to(torch.uint8).reshape(-1, channels, height, width)
    pixels = pixels.expand(-1, 3, -1, -1) if channels == 1 else pixels[:, :3]
    return np.asarray(pixels.permute(0, 2, 3, 1).contiguous().numpy(), dtype=np.uint8)


def blank(shape: Sequence[int]) -> NDArray[np.uint8]:
    return np.full((shape[1], shape[2], 3), 255, np.uint8)


def mosaic(grid: Sequence[Sequence[NDArray[np.uint8]]]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Images [H, W, 3] in rows on white, GAP pixels around each, and the (down, across) from one to the next.

    Enlarged by a whole number, so that every pixel stays a square of the same size, to fill the figure's width.
    """
    height, width = grid[0][0].shape[:2]
    rows, columns = len(grid), max(len(row) for row in grid)
    enlarged = max(1, ((PIXELS - GAP) // columns - GAP) // width)
    down, across = height * enlarged + GAP, width * enlarged + GAP
    canvas = np.full((rows * down + GAP, columns * across + GAP, 3), 255, np.uint8)
    for row, images in enumerate(grid):
        for column, image in enumerate(images):
            large = image.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
            top, left = GAP + row * down, GAP + column * across
            canvas[top:top + down - GAP, left:left + across - GAP] = large
    return canvas, (down, across)


def _picture(canvas: NDArray[np.uint8], title: str, notes: Sequence[str] = ()) -> tuple[Figure, Axes]:
    """A figure with `canvas` in it, pixel for pixel, between its title and lines below; axes in the canvas's pixels."""
    across = max(3 * PIXELS // 4, canvas.shape[1])
    title = _wrapped(title, TITLE_COLUMNS * across // PIXELS)
    head, foot = 28 + 36 * (1 + title.count("\n")), 24 + 32 * len(notes) if notes else 8
    down = canvas.shape[0] + head + foot
    figure = Figure(figsize=(across / DPI, down / DPI))
    axes = figure.add_axes((0, foot / down, canvas.shape[1] / across, canvas.shape[0] / down))
    axes.imshow(canvas, interpolation="nearest", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.set_axis_off()
    figure.text(GAP / across, 1 - 8 / down, title, ha="left", va="top")
    figure.text((canvas.shape[1] - GAP) / across, 14 / down, "\n".join(notes), ha="right", va="bottom", fontsize=8)
    return figure, axes


# Training.

LOSSES = {"discriminator": "discriminator_loss", "generator": "generator_loss"}
DISCRIMINATOR = {"on_data": "d_on_data", "on_samples": "d_on_samples"}
VALIDATION = {"raw": "validation_log_likelihood", "ema": "validation_log_likelihood_ema",
              "parallel": "validation_log_likelihood_parallel"}
FIT = {"cross_entropy": "cross-entropy / nats", "squared_jacobian_norm": "‖J‖² of the code",
       "free_energy_gap": "F(data) − F(chains) / nats"}
"""Columns of models without players, and what they are"""
OPTIONAL = (VALIDATION["parallel"], *FIT)
DRAWN = (*LOSSES.values(), *DISCRIMINATOR.values(), *VALIDATION.values(), *FIT)


def read_curves(path: Path) -> dict[str, dict[int, dict[int, float]]]:
    """The drawn columns of curves.csv as {column: {seed: {epoch: value}}}, without the cells that were not measured."""
    curves: dict[str, dict[int, dict[int, float]]] = {}
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                seed, epoch = int(row.pop("seed")), int(row.pop("epoch"))
                for column in DRAWN:
                    by_seed = curves.setdefault(column, {}).setdefault(seed, {})
                    if cell := row.get(column) if column in OPTIONAL else row[column]:
                        by_seed[epoch] = float(cell)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing", expected="the curves that training wrote",
                        remedy="run `dvc repro`, which makes what is missing") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} cannot be read", expected="seed, epoch and one number or nothing per cell",
                        found=str(error), remedy=f"delete {path} and run `dvc repro`") from error
    return curves


def mean_curve(by_seed: Mapping[int, Mapping[int, float]]) -> dict[int, float]:
    """Mean over seeds at every epoch where all of them have a value: a mean over a changing set would jump."""
    if not by_seed:
        return {}
    common = set.intersection(*(set(curve) for curve in by_seed.values()))
    return {epoch: math.fsum(curve[epoch] for curve in by_seed.values()) / len(by_seed) for epoch in sorted(common)}


def seed_range(by_seed: Mapping[int, Mapping[int, float]]) -> tuple[dict[int, float], dict[int, float]]:
    """The lowest and the highest value over seeds, at every epoch that two of them have: one alone has no range."""
    values: dict[int, list[float]] = {}
    for curve in by_seed.values():
        for epoch, value in curve.items():
            values.setdefault(epoch, []).append(value)
    shared = {epoch: found for epoch, found in sorted(values.items()) if len(found) > 1}
    return ({epoch: min(found) for epoch, found in shared.items()},
            {epoch: max(found) for epoch, found in shared.items()})


def training_figure(experiment: Experiment, folder: Path) -> list[Path]:
    """Losses, D's answers or what else was measured, and validation log-likelihood by epoch; nothing for models
    without epochs."""
    curves = read_curves(experiment.folder / "curves.csv")
    if not curves:
        return []
    epochs = {epoch for column in VALIDATION.values() for curve in curves[column].values() for epoch in curve}
    played = any(curves["discriminator_loss"].values())
    ends = phase_ends(experiment.folder / "curves.csv")
    fitted = [column for column in FIT if len({epoch for curve in curves[column].values() for epoch in curve}) > 1]
    drawn: list[Callable[[Axes], None]] = [functools.partial(_fit_panel, column, curves, [*ends]) for column in fitted]
    if played:
        drawn += [lambda axes: _losses_panel(axes, curves, [*ends]),
                  lambda axes: _discriminator_panel(axes, curves, [*ends])]
    if (played and epochs) or len(epochs) > 1:
        drawn.append(lambda axes: _validation_panel(axes, curves, experiment.training))
    if not drawn:
        return []  # a single value is no curve
    figure = Figure(figsize=(WIDTH, 0.6 + 2 * len(drawn)), layout="constrained")
    panels = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    for axes, draw in zip(panels, drawn, strict=True):
        draw(axes)
    _mark_phases(list(panels), ends)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    seeds = [one["seed"] for one in experiment.training["seeds"]]
    many = f"seeds {', '.join(map(str, seeds))} (thin, range shaded), mean" if len(seeds) > 1 else f"seed {seeds[0]}"
    figure.suptitle(experiment.title("training", more=[many]), x=0.012, ha="left", fontsize=9)
    tables = {"losses": LOSSES, "discriminator": DISCRIMINATOR} if played else {}
    tables |= {"fit": {column: column for column in fitted}} if fitted else {}
    tables |= {"validation": VALIDATION} if epochs else {}
    return [save_figure(figure, folder / "training.png"),
            *(_write_curves(folder / f"{name}.csv", curves, columns) for name, columns in tables.items())]


def _mark_phases(panels: Sequence[Axes], ends: Mapping[int, str]) -> None:
    """A vertical line after each last epoch of a game or a layer, named in the last panel."""
    for epoch, what in ends.items():
        for axes in panels:
            axes.axvline(epoch + 0.5, color=BLACK, linewidth=0.8, zorder=1)
        panels[-1].annotate(f"{what} ends", (epoch + 0.5, 0), xycoords=("data", "axes fraction"), xytext=(-3, 4),
                            textcoords="offset points", ha="right", va="bottom", rotation=90, fontsize=8)


def _fit_panel(column: str, curves: Curves, ends: Sequence[int], axes: Axes) -> None:
    """What is measured while fitting; each layer has a scale of its own."""
    _draw(axes, curves[column], BLUE, "", ends)
    axes.set_ylabel(FIT[column])


def _losses_panel(axes: Axes, curves: Curves, ends: Sequence[int]) -> None:
    _line_at(axes, math.log(2), f"log 2: {EITHER}")
    _draw(axes, curves["discriminator_loss"], BLUE, "discriminator", ends)
    _draw(axes, curves["generator_loss"], VERMILION, "generator", ends)
    axes.set_ylabel("loss / nats")
    _legend(axes)


def _discriminator_panel(axes: Axes, curves: Curves, ends: Sequence[int]) -> None:
    _line_at(axes, 0.5, f"½: {EITHER}")
    _draw(axes, curves["d_on_data"], GREEN, "on data, D(x)", ends)
    _draw(axes, curves["d_on_samples"], PURPLE, "on samples, D(G(z))", ends)
    axes.set_ylabel("mean output of D")
    axes.set_ylim(-0.03, 1.03)
    _legend(axes)


def _validation_panel(axes: Axes, curves: Curves, training: Mapping[str, Any]) -> None:
    for variant, column in VALIDATION.items():
        colour = VARIANT_COLOURS[variant]
        _draw(axes, {seed: curve for seed, curve in curves[column].items() if curve}, colour, variant, dots=True)
        chosen = [(seed["variants"][variant]["epoch"], seed["variants"][variant]["validation_log_likelihood"])
                  for seed in training["seeds"] if variant in seed["variants"]]
        points = [(epoch, value) for epoch, value in chosen if epoch is not None and value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), linestyle="none", marker="o", markersize=7, markerfacecolor="none",
                      markeredgecolor=colour, markeredgewidth=1.4, zorder=4)
    axes.plot([], [], linestyle="none", marker="o", markersize=7, markerfacecolor="none", markeredgecolor=GREY,
              markeredgewidth=1.4, label="epoch taken")
    axes.set_ylabel("validation\nlog-likelihood / nats")
    _legend(axes)


def _draw(axes: Axes, by_seed: Mapping[int, Mapping[int, float]], colour: str, label: str, ends: Sequence[int] = (),
          dots: bool = False) -> None:
    """Every seed as a thin line in a band from the lowest to the highest, their mean as a thick one.

    All are broken after the epochs `ends`: what follows is new.
    """
    marker = "." if dots else ""
    if len(by_seed) > 1:
        low, high = seed_range(by_seed)
        (epochs, lows), (_, highs) = _broken(low, ends), _broken(high, ends)
        axes.fill_between(epochs, lows, highs, color=colour, alpha=0.14, linewidth=0)
        for curve in by_seed.values():
            axes.plot(*_broken(curve, ends), color=colour, linewidth=0.7, alpha=0.55)
    mean = mean_curve(by_seed)
    if mean:
        alone = "o" if len(mean) == 1 else marker
        axes.plot(*_broken(mean, ends), color=colour, label=label, marker=alone, markersize=4)


def _broken(curve: Mapping[int, float], ends: Sequence[int]) -> tuple[list[float], list[float]]:
    """Epochs and values, with a gap after each of `ends`."""
    points = sorted([*curve.items(), *((end + 0.5, math.nan) for end in ends)])
    return [epoch for epoch, _ in points], [value for _, value in points]


def _line_at(axes: Axes, height: float, label: str) -> None:
    axes.axhline(height, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label=label, zorder=1)


def _legend(axes: Axes, columns: int = 3) -> None:
    """Above the axes, where it hides no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.1, handlelength=1.6,
                columnspacing=1.4)


def _write_curves(path: Path, curves: Curves, columns: Mapping[str, str]) -> Path:
    """`epoch`, the mean over seeds of each column, then each seed's; without what was not measured.

    `dvc plots` takes an empty cell for 0, so there is none but where seeds were measured at different epochs.
    """
    measured = {name: {seed: curve for seed, curve in curves[column].items() if curve}
                for name, column in columns.items()}
    series: dict[str, Mapping[int, float]] = {}
    series |= {name: mean_curve(by_seed) for name, by_seed in measured.items() if by_seed}
    series |= {f"{name}_seed_{seed}": curve for name, by_seed in measured.items() for seed, curve in by_seed.items()}
    epochs = sorted({epoch for one in series.values() for epoch in one})
    return write_csv(path, ["epoch", *series], ([epoch, *(one.get(epoch) for one in series.values())]
                                                 for epoch in epochs))


# Bandwidth.

@dataclass(frozen=True)
class Search:
    """Validation log-likelihood in nats at each bandwidth tried, in ascending order, and the one chosen.

    With folds, the values are means over them, and `chosen` the geometric mean of `of_folds`, each fold's choice.
    """

    bandwidths: Array
    log_likelihoods: Array
    chosen: float
    of_folds: tuple[float, ...] = ()

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Search:
        bandwidths = np.array(content["bandwidths"], dtype=np.float64)
        values = np.array([math.nan if value is None else value for value in content["log_likelihoods"]], np.float64)
        order = np.argsort(bandwidths, kind="stable")
        of_folds = tuple(float(fold["chosen"]) for fold in content.get("folds", ()))
        chosen = math.exp(math.fsum(map(math.log, of_folds)) / len(of_folds)) if of_folds else float(content["chosen"])
        return cls(bandwidths[order], values[order], chosen, of_folds)


def bandwidth_figure(experiment: Experiment, folder: Path) -> list[Path]:
    """Validation log-likelihood against σ: both searches whole, and the top, where they choose."""
    searches = {}
    for variant in variants(experiment.evaluation):
        found = _of_seed(experiment.bandwidth, experiment.seed(variant))["variants"][variant]
        searches[variant] = (Search.read(found["paper_grid"]), Search.read(found["refined"]))
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    whole, top = figure.subplots(2, 1)
    for variant, (grid, refined) in searches.items():
        colour = VARIANT_COLOURS.get(variant, BLACK)
        whole.plot(*_united(grid, refined), color=colour, label=variant)
        whole.plot(grid.bandwidths, grid.log_likelihoods, linestyle="none", marker="s", markersize=4, color=colour)
        _top_lines(top, variant, grid, refined)
    whole.set_xscale("log")
    tried = np.concatenate([search.bandwidths for pair in searches.values() for search in pair])
    ticks = log_ticks(float(tried.min()), float(tried.max()))
    whole.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    whole.xaxis.set_minor_locator(NullLocator())
    whole.set_ylabel("validation\nlog-likelihood / nats")
    whole.plot([], [], color=GREY, linestyle="none", marker="s", markersize=4, label="the paper's grid")
    _legend(whole)
    _zoom(top, list(searches.values()))
    top.xaxis.set_major_locator(MaxNLocator(6))
    top.set_ylabel("below the best / nats")
    top.set_xlabel(f"bandwidth σ ({_scale_in_words(experiment.evaluation)})")
    _legend(top, columns=2)
    seeds = [f"{variant} seed {experiment.seed(variant)}" for variant in searches]
    figure.suptitle(experiment.title("choice of the bandwidth", more=seeds), x=0.012, ha="left", fontsize=9)
    return [save_figure(figure, folder / "bandwidth.png"), _write_bandwidths(folder / "bandwidth.csv", searches)]


def _scale_in_words(evaluation: Mapping[str, Any]) -> str:
    scale = evaluation.get("scale", UNIT_SCALE)
    return "pixels run from 0 to 1" if scale == UNIT_SCALE else str(scale)


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high` for a logarithmic axis: as many as can be told apart, two at least."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 3, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [step * 10.0 ** decade for decade in decades for step in steps]
        ticks = [float(f"{tick:.3g}") for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) >= 4:
            return ticks
    even = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(f"{tick:.6g}") for tick in even if low <= tick <= high] or [low, high]


def _top_lines(axes: Axes, variant: str, grid: Search, refined: Search) -> None:
    """What is lost against the best bandwidth: variants far apart in log-likelihood are drawn on one scale."""
    colour = VARIANT_COLOURS.get(variant, BLACK)
    bandwidths, values = _united(grid, refined)
    best = np.nanmax(values)
    losses = values - best
    axes.plot(bandwidths, losses, color=colour)
    axes.plot(grid.bandwidths, grid.log_likelihoods - best, linestyle="none", marker="s", markersize=4, color=colour)
    for search, style, marker, name in ((refined, "-", "o", "refined"), (grid, (0, (2, 2)), "D", "paper's grid")):
        axes.axvline(search.chosen, color=colour, linewidth=0.9, linestyle=style, zorder=1)
        axes.plot([search.chosen], np.interp([search.chosen], bandwidths, losses), linestyle="none", marker=marker,
                  markersize=8, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.3,
                  label=f"{variant}, {name}: σ = {search.chosen:.3f}")
        axes.vlines(search.of_folds, 0, 0.1, transform=axes.get_xaxis_transform(), color=colour, linewidth=1.6,
                    linestyle=style, alpha=0.5)
    if refined.of_folds:
        axes.plot([], [], color=colour, linestyle="none", marker="|", markersize=8, alpha=0.5,
                  label=f"{variant}: each fold's σ")


def _zoom(axes: Axes, searches: Sequence[tuple[Search, Search]]) -> None:
    """Every chosen bandwidth of every variant, and as much again around them."""
    chosen = [bandwidth for pair in searches for search in pair for bandwidth in (search.chosen, *search.of_folds)]
    margin = max(0.5 * (max(chosen) - min(chosen)), 0.12 * min(chosen))
    low, high = min(chosen) - margin, max(chosen) + margin
    losses = []
    for grid, refined in searches:
        bandwidths, values = _united(grid, refined)
        seen = [*values[(bandwidths >= low) & (bandwidths <= high)], *np.interp([low, high], bandwidths, values)]
        losses += [value - np.nanmax(values) for value in seen if math.isfinite(value)]
    depth = max(1.0, -min(losses, default=0.0))
    axes.set_xlim(low, high)
    axes.set_ylim(-1.06 * depth, 0.09 * depth)


def _united(grid: Search, refined: Search) -> tuple[Array, Array]:
    """Both searches evaluate the same function of σ; here its values at every σ tried."""
    bandwidths, first = np.unique(np.concatenate([refined.bandwidths, grid.bandwidths]), return_index=True)
    return bandwidths, np.concatenate([refined.log_likelihoods, grid.log_likelihoods])[first]


def _write_bandwidths(path: Path, searches: Mapping[str, tuple[Search, Search]]) -> Path:
    """`bandwidth`, one column per variant with its validation log-likelihood, and the `grid` each σ belongs to."""
    curves = {variant: dict(zip(*(part.tolist() for part in _united(*pair)), strict=True))
              for variant, pair in searches.items()}
    of_paper = {float(bandwidth) for grid, _ in searches.values() for bandwidth in grid.bandwidths}
    return write_csv(path, ["bandwidth", *curves, "grid"], (
        [bandwidth, *(curve.get(bandwidth) for curve in curves.values()),
         "paper" if bandwidth in of_paper else "refined"]
        for bandwidth in sorted({bandwidth for curve in curves.values() for bandwidth in curve})))


# Files.

def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Numbers to seven digits; an empty cell where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())
    return path


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def save_figure(figure: Figure, path: Path, in_full: bool = False) -> Path:
    """PNG without a date or a program's name in it; with 256 colours, for few bytes, unless it is to be `in_full`."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    raw.seek(0)
    with Image.open(raw) as image:
        colours = image.convert("RGB")
    packed = io.BytesIO()
    (colours if in_full else colours.quantize(256, dither=Image.Dither.NONE)).save(packed, format="PNG", optimize=True)
    write_bytes(path, packed.getvalue())
    return path


if __name__ == "__main__":
    run(main, "experiment")
