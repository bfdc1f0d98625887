"""reports/recorded/<experiment>-<profile>/mechanism.json: a start that collapses, watched update by update, and what
brings it back; written by `python -m pipeline collapse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.errors import DataError
from pipeline.artifacts.paths import RECORDED
from pipeline.runtime.files import read_json
from pipeline.runtime.machine import describe

FILE = "mechanism.json"
FACTORS = ("asked", "slope_of_d", "slope_of_output")
"""of the chain from D's logits to G's weights, as `gan.adversarial.watched.Reading` has them"""


@dataclass(frozen=True)
class Change:
    """What was done to the start at the end of epoch `at`, and D's mean on training images in the `epochs` after it;
    fewer values where training diverged."""

    at: int
    name: str
    epochs: int
    d_on_data: Sequence[float]

    @property
    def end(self) -> float | None:
        """D's mean after the last epoch; None where training diverged."""
        return self.d_on_data[-1] if len(self.d_on_data) == self.epochs else None


@dataclass(frozen=True)
class Mechanism:
    path: str
    experiment: str
    profile: str
    seed: int
    dataset: str
    commit: str
    date: str
    hardware: str
    updates_per_epoch: int
    d_on_data: Sequence[float]
    """of the start as it is, by epoch"""
    readings: Sequence[Mapping[str, Any]]
    changes: Sequence[Change]
    held_updates: int
    factor: float

    def of_epoch(self, name: str, epoch: int) -> float:
        """The mean of a reading over an epoch, from 1."""
        first, last = (epoch - 1) * self.updates_per_epoch, epoch * self.updates_per_epoch
        values = [float(each[name]) for each in self.readings if first < each["update"] <= last]
        return sum(values) / len(values)


def mechanisms(folder: Path = RECORDED) -> list[Mechanism]:
    """Every one that was recorded, in the order of the folders' names."""
    return [read_mechanism(path) for path in sorted(folder.glob(f"*/{FILE}"))]


def read_mechanism(path: Path) -> Mechanism:
    """DataError where the file is not as `python -m pipeline collapse` writes it."""
    content = read_json(path)
    try:
        found = Mechanism(
            path.as_posix(), content["experiment"], content["profile"], content["seed"], content["dataset"],
            content["commit"], content["recorded"], describe(content["hardware"]), content["updates_per_epoch"],
            content["d_on_data"], content["readings"],
            [Change(one["at"], one["change"], one["epochs"], one["d_on_data"]) for one in content["branches"]],
            content["held_updates"], content["factor"])
        for epoch in (1, len(found.d_on_data)):
            for name in (*FACTORS, "gradient_of_g"):
                found.of_epoch(name, epoch)
        return found
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise DataError(f"{path} cannot be read", expected="what `python -m pipeline collapse` writes",
                        found=f"{type(error).__name__}: {error}",
                        remedy=f"`git checkout {path}`, or watch anew") from error
