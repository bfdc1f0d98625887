"""What was to run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan.errors import ParameterError
from gan.registry import model_of
from pipeline.artifacts.paths import METRICS, PAGE, PARAMETERS, PLAN, SUMMARY
from pipeline.runtime.files import read_yaml
from pipeline.settings.inheritance import PROFILES, plain, resolve


@dataclass(frozen=True)
class Plan:
    """What plan.yaml asked for, of what params.yaml offers."""

    profile: str
    datasets: tuple[str, ...]
    experiments: tuple[str, ...]
    left_out: Mapping[str, str]
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Model and data set of every experiment that there could be"""
    lessons: tuple[str, ...] = ()
    reports: Path = METRICS.parent
    """The folder of the page and the numbers: a profile that measures nothing has one beside those that git has"""

    @property
    def metrics(self) -> Path:
        return self.reports / METRICS.name

    @property
    def summary(self) -> Path:
        """A folder: DVC prints a row for each file of metrics."""
        return self.reports / SUMMARY.stem

    @property
    def assessment(self) -> Path:
        """A folder, likewise."""
        return self.reports / "assessment"

    @property
    def page(self) -> Path:
        return self.reports / PAGE.name

    @property
    def full_page(self) -> Path:
        return self.reports / "full.html"

    @classmethod
    def read(cls, path: Path = PARAMETERS) -> Plan:
        parameters, chosen = read_yaml(path), read_yaml(path.with_name(PLAN.name))
        run = chosen.get("run") or {}
        return cls(profile=str(parameters.get("profile", "")),
                   datasets=tuple(str(name) for name in run.get("datasets") or ()),
                   experiments=tuple(str(name) for name in run.get("experiments") or ()),
                   left_out={str(name): str(reason) for name, reason in (chosen.get("left_out") or {}).items()},
                   kinds=_kinds(parameters),
                   lessons=tuple(str(name) for key in ("lessons", "lessons_on_data") for name in run.get(key) or ()),
                   reports=Path(str(run.get("reports") or METRICS.parent)))

    @property
    def left_out_together(self) -> dict[str, list[str]]:
        """By reason, the experiments that it keeps out."""
        together: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            together.setdefault(reason, []).append(name)
        return together


def _kinds(parameters: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What params.yaml offers; an entry that is not well formed is for `configure` to complain of."""
    kinds: dict[str, tuple[str, str]] = {}
    for name in parameters.get("experiments") or {}:
        with contextlib.suppress(KeyError, TypeError, AttributeError, ParameterError):
            entry: Any = plain(resolve(parameters, f"experiments.{name}", "paper", PROFILES, str(PARAMETERS)))
            kinds[str(name)] = (model_of(entry["train"]["model"]), str(entry["dataset"]))
    return kinds
