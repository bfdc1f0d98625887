"""What was measured while a model was trained, by epoch, from the curves.csv that the stage `train` wrote.

Read here once, for matplotlib's figures, for the page's charts and for the tables that DVC plots.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gan.errors import DataError

Curve = Mapping[int, float]
"""A value by epoch, where there is one"""

LOSSES = {"discriminator": "discriminator_loss", "generator": "generator_loss"}
DISCRIMINATOR = {"on_data": "d_on_data", "on_samples": "d_on_samples"}
FIT = {name: name for name in ("cross_entropy", "squared_jacobian_norm", "free_energy_gap")}
VALIDATION = {"raw": "validation_log_likelihood", "ema": "validation_log_likelihood_ema",
              "parallel": "validation_log_likelihood_parallel"}
"""By variant. Each of these: columns of curves.csv, by their names in a table of one figure"""
OPTIONAL = (VALIDATION["parallel"], *FIT)
COLUMNS = (*LOSSES.values(), *DISCRIMINATOR.values(), *VALIDATION.values(), *FIT)


@dataclass(frozen=True)
class TrainingCurves:
    columns: Mapping[str, Mapping[int, Curve]] = field(default_factory=dict)
    """By column and seed; empty for a model without epochs"""
    phase_ends: Mapping[int, str] = field(default_factory=dict)
    """The last epochs of a game or a layer that another followed, of any seed, and what ends there"""

    @classmethod
    def read(cls, path: Path) -> TrainingCurves:
        """DataError if curves.csv is missing or cannot be read."""
        try:
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            return cls(_columns(rows), phase_ends(rows))
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing", expected="the curves that training wrote",
                            remedy="run `dvc repro`, which makes what is missing") from error
        except (KeyError, ValueError) as error:
            raise DataError(f"{path} cannot be read", expected="seed, epoch and one number or nothing per cell",
                            found=str(error), remedy=f"delete {path} and run `dvc repro`") from error

    @classmethod
    def read_if_there(cls, path: Path) -> TrainingCurves:
        """As `read`; empty where the training is still to be done."""
        return cls.read(path) if path.is_file() else cls()

    def epochs(self, columns: Iterable[str]) -> set[int]:
        """Those at which any seed has a value in any of the columns."""
        return {epoch for column in columns for curve in self.columns.get(column, {}).values() for epoch in curve}

    @property
    def has_players(self) -> bool:
        return any(self.columns.get("discriminator_loss", {}).values())

    @property
    def fitted(self) -> list[str]:
        """The columns of FIT that are curves: a single value is none."""
        return [column for column in FIT if len(self.epochs([column])) > 1]

    @property
    def has_validation_curve(self) -> bool:
        """Whether validation log-likelihoods make a curve, or stand below the curves of both players."""
        epochs = self.epochs(VALIDATION.values())
        return len(epochs) > 1 or (self.has_players and len(epochs) > 0)

    def tables(self) -> dict[str, dict[str, list[float | None]]]:
        """What the figures of the training show, as `columns_of_table` gives it: `losses` and `discriminator` of two
        players, `fit` of other models, and `validation`; none of them where nothing is a curve."""
        if not (self.has_players or self.fitted or self.has_validation_curve):
            return {}
        tables: dict[str, Mapping[str, str]] = {"losses": LOSSES, "discriminator": DISCRIMINATOR} \
            if self.has_players else {}
        tables |= {"fit": {column: FIT[column] for column in self.fitted}} if self.fitted else {}
        tables |= {"validation": VALIDATION} if self.epochs(VALIDATION.values()) else {}
        return {name: self.columns_of_table(columns) for name, columns in tables.items()}

    def columns_of_table(self, columns: Mapping[str, str]) -> dict[str, list[float | None]]:
        """`epoch`, the mean over seeds of each column under its name, then each seed's (`generator_seed_1`).

        To seven digits, so that a file of it and the page show the same numbers. Without columns that were not
        measured; None where a seed or a mean has no value at an epoch.
        """
        measured = {name: {seed: curve for seed, curve in self.columns[column].items() if curve}
                    for name, column in columns.items()}
        series: dict[str, Curve] = {name: mean_curve(by_seed) for name, by_seed in measured.items() if by_seed}
        series |= {f"{name}_seed_{seed}": curve for name, by_seed in measured.items()
                   for seed, curve in by_seed.items()}
        epochs = sorted({epoch for curve in series.values() for epoch in curve})
        return {"epoch": [float(epoch) for epoch in epochs],
                **{name: [float(f"{curve[epoch]:.7g}") if epoch in curve else None for epoch in epochs]
                   for name, curve in series.items()}}


def _columns(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[int, dict[int, float]]]:
    """COLUMNS by seed and epoch, without the cells that are empty."""
    columns: dict[str, dict[int, dict[int, float]]] = {}
    for row in rows:
        seed, epoch = int(row["seed"]), int(row["epoch"])
        for column in COLUMNS:
            by_epoch = columns.setdefault(column, {}).setdefault(seed, {})
            if cell := row.get(column) if column in OPTIONAL else row[column]:
                by_epoch[epoch] = float(cell)
    return columns


def phase_ends(rows: Sequence[Mapping[str, str]]) -> dict[int, str]:
    """From the rows of curves.csv, the last epochs of a game or a layer that another followed, and what ends there."""
    phases = [(row["seed"], int(row["epoch"]), row.get("game") or row.get("layer") or "") for row in rows]
    return dict(sorted({epoch: phase for (seed, epoch, phase), (other, _, later) in itertools.pairwise(phases)
                        if seed == other and phase != later}.items()))


def mean_curve(by_seed: Mapping[int, Curve]) -> dict[int, float]:
    """Mean over seeds at every epoch where all of them have a value: a mean over a changing set would jump."""
    if not by_seed:
        return {}
    common = set.intersection(*(set(curve) for curve in by_seed.values()))
    return {epoch: math.fsum(curve[epoch] for curve in by_seed.values()) / len(by_seed) for epoch in sorted(common)}


def seed_range(by_seed: Mapping[int, Curve]) -> tuple[dict[int, float], dict[int, float]]:
    """The lowest and the highest value over seeds, at every epoch that two of them have: one alone has no range."""
    values: dict[int, list[float]] = {}
    for curve in by_seed.values():
        for epoch, value in curve.items():
            values.setdefault(epoch, []).append(value)
    shared = {epoch: each for epoch, each in sorted(values.items()) if len(each) > 1}
    return ({epoch: min(each) for epoch, each in shared.items()}, {epoch: max(each) for epoch, each in shared.items()})
