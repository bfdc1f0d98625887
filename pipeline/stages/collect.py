"""Stage `collect`: what DVC's own commands show, gathered over experiments.

reports/summary.json, the metrics of `dvc exp show` and `dvc metrics diff`: one number for each row of results.
reports/plots/, what `dvc plots show` and `dvc plots diff` draw: curves in long form, one row for each point, so that
dvc.yaml need not know which experiments there are; and the pictures of all experiments in one folder.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.artifacts.paths import ARTIFACTS, FIGURES, PLOTS
from pipeline.artifacts.tables import write_csv
from pipeline.results.bandwidth import BandwidthCurves
from pipeline.results.curves import DISCRIMINATOR, FIT, LOSSES, VALIDATION, TrainingCurves
from pipeline.results.metrics import Entry, by_variant, gather
from pipeline.results.plan import Plan
from pipeline.runtime import files, stage

PICTURES = PLOTS / "pictures"
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
    files.write_json(plan.summary, summary(gather(experiments)))
    shutil.rmtree(PLOTS, ignore_errors=True)
    curves = {name: TrainingCurves.read_if_there(ARTIFACTS / name / "curves.csv") for name in experiments}
    for table, columns in CURVES.items():
        _write(table, "epoch", (row for name in experiments for row in training_curve(name, curves[name], columns)))
    _write("bandwidth", "bandwidth", (row for name in experiments for row in bandwidths(name)))
    _write("sample_sizes", "log10_samples", (row for name in experiments for row in sample_sizes(name)))
    PICTURES.mkdir()
    for experiment in experiments:
        for picture in sorted((FIGURES / experiment).glob("*.png")):
            shutil.copyfile(picture, PICTURES / f"{experiment}-{picture.name}")


def summary(metrics: Mapping[str, Entry]) -> dict[str, dict[str, float]]:
    """Test log-likelihood in nats by experiment and variant, from the content of metrics.json."""
    return {name: {variant: round(row["test_log_likelihood"], DECIMALS) for variant, row in by_variant(entry).items()}
            for name, entry in metrics.items()}


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


def _read(experiment: str, name: str) -> dict[str, Any]:
    path = ARTIFACTS / experiment / name
    return dict(files.read_json(path)) if path.is_file() else {}


def _write(name: str, x: str, rows: Iterable[Row]) -> None:
    write_csv(PLOTS / f"{name}.csv", [*COLUMNS, x, "value"], (row for row in rows if math.isfinite(row[-1])))


if __name__ == "__main__":
    stage.run(main)
