"""What was to run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts.paths import PARAMETERS
from pipeline.runtime.files import read_yaml


@dataclass(frozen=True)
class Plan:
    """What params.yaml asked for."""

    profile: str
    datasets: tuple[str, ...]
    experiments: tuple[str, ...]
    left_out: Mapping[str, str]
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Model and data set of every experiment that there could be"""
    lessons: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path = PARAMETERS) -> Plan:
        parameters = read_yaml(path)
        run = parameters.get("run") or {}
        return cls(profile=str(parameters.get("profile", "")),
                   datasets=tuple(str(name) for name in run.get("datasets") or ()),
                   experiments=tuple(str(name) for name in run.get("experiments") or ()),
                   left_out={str(name): str(reason) for name, reason in (run.get("left_out") or {}).items()},
                   kinds=_kinds(parameters.get("experiments")),
                   lessons=tuple(str(name) for key in ("lessons", "lessons_on_mnist") for name in run.get(key) or ()))

    @property
    def left_out_together(self) -> dict[str, list[str]]:
        """By reason, the experiments that it keeps out."""
        together: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            together.setdefault(reason, []).append(name)
        return together


def _kinds(experiments: Any) -> dict[str, tuple[str, str]]:
    """What params.yaml offers; an entry that is not well formed is for `configure` to complain of."""
    kinds: dict[str, tuple[str, str]] = {}
    for name, entry in experiments.items() if isinstance(experiments, dict) else ():
        with contextlib.suppress(KeyError, TypeError):
            kinds[str(name)] = (str(entry["train"]["model"]["kind"]), str(entry["dataset"]))
    return kinds
