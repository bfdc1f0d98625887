"""Stage `collect`: what DVC's own commands show, gathered over experiments.

reports/summary/, the metrics of `dvc metrics show`, `dvc metrics diff` and `dvc exp show`: a file for each experiment,
because DVC prints a row for each file, with one number for each variant. reports/assessment/, likewise, what other
measures say.
reports/plots/, what `dvc plots show` and `dvc plots diff` draw: curves in long form, one row for each point, so that
dvc.yaml need not know which experiments there are; and the pictures of all experiments in one folder, at the size at
which they are to be seen, as DVC shows each pixel as one.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.artifacts.paths import ARTIFACTS, FIGURES, PLOTS
from pipeline.artifacts.tables import write_csv
from pipeline.results import assessment
from pipeline.results.bandwidth import BandwidthCurves
from pipeline.results.curves import DISCRIMINATOR, FIT, LOSSES, VALIDATION, TrainingCurves
from pipeline.results.metrics import Entry, by_variant, gather
from pipeline.results.plan import Plan
from pipeline.runtime import files, stage

PICTURES = PLOTS / "pictures"
REDUCED = 2  # figures have twice the pixels that a page shows
WIDEST = 620  # pixels across of what is enlarged
GAP = 6  # pixels between pairs
DECIMALS = 2  # of nats
NEAR = 100.0  # nats: what lies farther below a search's best would flatten the rest of its curve
CURVES = {  # file: the columns of curves.csv that it shows, and what they are called there
    "losses": {LOSSES["discriminator"]: "discriminator", LOSSES["generator"]: "generator",
               FIT["cross_entropy"]: "cross-entropy", FIT["free_energy_gap"]: "free energy gap"},
    "discriminator": {DISCRIMINATOR["on_data"]: "on data", DISCRIMINATOR["on_samples"]: "on samples"},
    "validation": {column: variant for variant, column in VALIDATION.items()},
}
COLUMNS = ["experiment", "seed", "curve"]
Row = tuple[str, int, str, float, float]
"""COLUMNS, x and value"""


def main() -> None:
    plan = Plan.read()
    experiments = plan.experiments
    metrics = gather(experiments)
    _write_each(plan.summary, summary(metrics))
    _write_each(plan.assessment, assessment.summary(metrics))
    shutil.rmtree(PLOTS, ignore_errors=True)
    curves = {name: TrainingCurves.read_if_there(ARTIFACTS / name / "curves.csv") for name in experiments}
    for table, columns in CURVES.items():
        _write(table, "epoch", (row for name in experiments for row in training_curve(name, curves[name], columns)))
    _write("bandwidth", "bandwidth", (row for name in experiments for row in bandwidths(name)))
    _write("sample_sizes", "log10_samples", (row for name in experiments for row in sample_sizes(name)))
    _write("ranks", "measure", ranks(metrics))
    PICTURES.mkdir()
    for experiment in experiments:
        for path in sorted((FIGURES / experiment).glob("*.png")):
            if (image := picture(path)) is not None:
                files.write_bytes(PICTURES / f"{experiment}-{path.name}", image)


def _write_each(folder: Path, contents: Mapping[str, Mapping[str, Any]]) -> None:
    """A file for each experiment, in place of all that were there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        files.write_json(folder / f"{name}.json", content)


def summary(metrics: Mapping[str, Entry]) -> dict[str, dict[str, float]]:
    """Test log-likelihood in nats by experiment and variant, from the content of metrics.json."""
    return {name: {variant: round(row["test_log_likelihood"], DECIMALS) for variant, row in by_variant(entry).items()}
            for name, entry in metrics.items()}


def picture(path: Path) -> bytes | None:
    """A picture of the stage `figures` as a PNG of the size at which it is to be seen.

    Those with a JSON file beside them hold images pixel for pixel, for the report to cut apart. Of these, samples with
    their nearest training images are laid out in rows and enlarged; of the others a figure shows the same.
    """
    about = path.with_suffix(".json")
    with Image.open(path) as image:
        if about.is_file():
            content = files.read_json(about)
            shown = _pairs(image.convert("RGB"), content) if "pairs" in content else None
        else:
            shown = image.convert("RGB").reduce(REDUCED)
            shown = shown.quantize(256, dither=Image.Dither.NONE) if image.mode == "P" else shown
    if shown is None:
        return None
    packed = io.BytesIO()
    shown.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def _pairs(strip: Image.Image, about: Mapping[str, Any]) -> Image.Image:
    """A strip of pairs, one below the other, in rows of `columns` pairs."""
    _, height, width = about["shape"]
    number, columns = strip.height // height, int(about["columns"])
    rows = math.ceil(number / columns)
    times = max(1, ((WIDEST - GAP) // columns - GAP) // (2 * width))
    across, down = 2 * width * times + GAP, height * times + GAP
    canvas = Image.new("RGB", (columns * across + GAP, rows * down + GAP), "white")
    for i in range(number):
        pair = strip.crop((0, i * height, 2 * width, (i + 1) * height)).resize(
            (2 * width * times, height * times), Image.Resampling.NEAREST)
        canvas.paste(pair, (GAP + i % columns * across, GAP + i // columns * down))
    return canvas


def training_curve(experiment: str, curves: TrainingCurves, columns: Mapping[str, str]) -> Iterator[Row]:
    """By epoch, of each seed, where something was measured."""
    for column, name in columns.items():
        for seed, curve in curves.columns.get(column, {}).items():
            yield from ((experiment, seed, name, epoch, value) for epoch, value in curve.items())


def bandwidths(experiment: str) -> Iterator[Row]:
    """By bandwidth, the refined search of each seed, in nats, near its best."""
    for entry in _read(experiment, "bandwidth.json").get("seeds", ()):
        for variant, searches in entry["variants"].items():
            points = BandwidthCurves.read(searches).refined.finite
            yield from ((experiment, entry["seed"], variant, sigma, value) for sigma, value in points.items()
                        if value >= max(points.values()) - NEAR)


def sample_sizes(experiment: str) -> Iterator[Row]:
    """By the logarithm of their number, test log-likelihood in nats of the seed that validation chose."""
    for variant, row in _read(experiment, "sample_sizes.json").get("variants", {}).items():
        yield from ((experiment, row["seed"], variant, math.log10(size["samples"]), size["test_log_likelihood"])
                    for size in row["sizes"])


def ranks(metrics: Mapping[str, Entry]) -> Iterator[Row]:
    """By the number of the measure, from 1 in the order of `assessment.COLUMNS`, the place of each variant among the
    rows of its data set."""
    for dataset in dict.fromkeys(entry["dataset"] for entry in metrics.values()):
        rows = assessment.rows(dataset, metrics)
        for number, measure in enumerate(assessment.COLUMNS, 1):
            for row, place in zip(rows, assessment.ranks(rows, measure), strict=True):
                if place is not None and row.experiment:
                    seed = by_variant(metrics[row.experiment])[row.variant]["seed"]
                    yield row.experiment, seed, row.variant, float(number), float(place)


def _read(experiment: str, name: str) -> dict[str, Any]:
    path = ARTIFACTS / experiment / name
    return dict(files.read_json(path)) if path.is_file() else {}


def _write(name: str, x: str, rows: Iterable[Row]) -> None:
    write_csv(PLOTS / f"{name}.csv", [*COLUMNS, x, "value"], (row for row in rows if math.isfinite(row[-1])))


if __name__ == "__main__":
    stage.run(main)
