"""reports/recorded/: results of long runs, kept in git by `make record`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.errors import DataError
from pipeline.artifacts.paths import RECORDED
from pipeline.results.metrics import ENTRY_KEYS, Entry, with_defaults
from pipeline.runtime.files import read_json
from pipeline.runtime.machine import describe


@dataclass(frozen=True)
class Recorded:
    """A long run made elsewhere or earlier, from reports/recorded/."""

    path: str
    experiment: str
    profile: str
    commit: str
    date: str
    hardware: str
    metrics: Entry
    settings: Mapping[str, Any]
    note: str


def recorded_runs(folder: Path = RECORDED) -> list[Recorded]:
    """Every committed result, in the order of their file names."""
    return [_recorded(path) for path in sorted(folder.glob("*.json"))]


def _recorded(path: Path) -> Recorded:
    content = read_json(path)
    lacking = [key for key in ("experiment", "profile", "commit", "recorded", "hardware", "metrics")
               if not isinstance(content, dict) or key not in content] or \
        [f"metrics.{key}" for key in ENTRY_KEYS if key not in content["metrics"]]
    if lacking:
        raise DataError(f"{path} is not a recorded run", expected="what `make record` writes",
                        found=f"nothing under {', '.join(lacking)}", remedy=f"record it again, or remove {path}")
    return Recorded(path=path.as_posix(), experiment=content["experiment"], profile=content["profile"],
                    commit=content["commit"], date=content["recorded"], hardware=describe(content["hardware"]),
                    metrics=with_defaults(content["metrics"]), settings=content.get("settings", {}),
                    note=content.get("note") or "")
