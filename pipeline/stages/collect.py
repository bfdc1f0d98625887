"""Stage `collect`: what DVC's own commands show, gathered over experiments.

reports/summary.json, the metrics of `dvc exp show` and `dvc metrics diff`: one number for each row of results.
reports/plots/, what `dvc plots show` and `dvc plots diff` draw: curves in long form, one row for each point, so that
dvc.yaml need not know which experiments there are; and the pictures of all experiments in one folder.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas

from pipeline.results import results
from pipeline.runtime import files, stage

SUMMARY = Path("reports/summary.json")
PLOTS = Path("reports/plots")
PICTURES = PLOTS / "pictures"
DECIMALS = 2  # of nats
NEAR = 100.0  # nats: what lies farther below a search's best would flatten the rest of its curve
CURVES = {  # file: the columns of curves.csv that it shows, and what they are called there
    "losses": {"discriminator_loss": "discriminator", "generator_loss": "generator", "cross_entropy": "cross-entropy",
               "free_energy_gap": "free energy gap"},
    "discriminator": {"d_on_data": "on data", "d_on_samples": "on samples"},
    "validation": {"validation_log_likelihood": "raw", "validation_log_likelihood_ema": "ema",
                   "validation_log_likelihood_parallel": "parallel"},
}
COLUMNS = ["experiment", "seed", "curve"]


def main() -> None:
    experiments = results.Plan.read().experiments
    files.write_json(SUMMARY, summary(results.gather(experiments)))
    shutil.rmtree(PLOTS, ignore_errors=True)
    for name, columns in CURVES.items():
        _write(name, [training_curve(experiment, columns) for experiment in experiments], "epoch")
    _write("bandwidth", [bandwidths(experiment) for experiment in experiments], "bandwidth")
    _write("sample_sizes", [sample_sizes(experiment) for experiment in experiments], "log10_samples")
    PICTURES.mkdir()
    for experiment in experiments:
        for picture in sorted((results.FIGURES / experiment).glob("*.png")):
            shutil.copyfile(picture, PICTURES / f"{experiment}-{picture.name}")


def summary(metrics: Mapping[str, results.Entry]) -> dict[str, dict[str, float]]:
    """Test log-likelihood in nats by experiment and variant, from the content of metrics.json."""
    return {name: {variant: round(row["test_log_likelihood"], DECIMALS) for variant, row in results.rows(entry).items()}
            for name, entry in metrics.items()}


def training_curve(experiment: str, columns: Mapping[str, str]) -> pandas.DataFrame:
    """COLUMNS, epoch, value: of each seed, where something was measured."""
    path = results.ARTIFACTS / experiment / "curves.csv"
    if not path.is_file():
        return _points([], "epoch")
    wide = pandas.read_csv(path).rename(columns=columns)
    long = wide.melt(["seed", "epoch"], [name for name in columns.values() if name in wide], "curve")
    return long.dropna(subset="value").assign(experiment=experiment)


def bandwidths(experiment: str) -> pandas.DataFrame:
    """COLUMNS, bandwidth, value: the refined search of each seed, in nats, near its best."""
    points = []
    for seed, variant, row in _by_seed(_read(experiment, "bandwidth.json")):
        search = row["refined"]
        points += [(experiment, seed, variant, sigma, value)
                   for sigma, value in zip(search["bandwidths"], search["log_likelihoods"], strict=True)
                   if value >= search["validation_log_likelihood"] - NEAR]
    return _points(points, "bandwidth")


def sample_sizes(experiment: str) -> pandas.DataFrame:
    """COLUMNS, log10_samples, value: test log-likelihood in nats of the seed that validation chose."""
    return _points([(experiment, row["seed"], variant, math.log10(size["samples"]), size["test_log_likelihood"])
                    for variant, row in _read(experiment, "sample_sizes.json").get("variants", {}).items()
                    for size in row["sizes"]], "log10_samples")


def _read(experiment: str, name: str) -> dict[str, Any]:
    path = results.ARTIFACTS / experiment / name
    return dict(files.read_json(path)) if path.is_file() else {}


def _by_seed(content: Mapping[str, Any]) -> list[tuple[int, str, dict[str, Any]]]:
    return [(entry["seed"], variant, row) for entry in content.get("seeds", ())
            for variant, row in entry["variants"].items()]


def _points(rows: list[tuple[Any, ...]], x: str) -> pandas.DataFrame:
    return pandas.DataFrame(rows, columns=[*COLUMNS, x, "value"])


def _write(name: str, frames: list[pandas.DataFrame], x: str) -> None:
    rows = pandas.concat([frame for frame in frames if len(frame)] or [_points([], x)])[[*COLUMNS, x, "value"]]
    files.write_text(PLOTS / f"{name}.csv", rows.to_csv(index=False, float_format="%.7g", lineterminator="\n"))


if __name__ == "__main__":
    stage.run(main)
