"""What a worker is asked to do and what came of it: two small files in a folder that both sides see."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.runtime import files

TASK, STARTED, OUTCOME, LOCK, LOG = "task.json", "started.json", "outcome.json", "dvc.lock", "log.txt"
SETTINGS = ("params.yaml", "plan.yaml")
"""Files that a worker has as the coordinator has them, committed or not"""


@dataclass(frozen=True)
class Task:
    """One stage, or one seed of a training, at one attempt."""

    stage: str
    seed: int | None
    attempt: int
    """from 1"""
    key: str
    """of the work: DVC's for the stage's command, code, data and parameters, and the seed"""
    origin: str
    """the checkout that asks, as the worker sees it"""
    commit: str
    inputs: list[str]
    """outputs of other stages that it reads, as paths from the root"""
    data: Literal["remote", "cache"]
    dvc: dict[str, Any]
    """DVC's configuration in the worker's clone: where the cache or the remote is"""
    scratch: str
    """folder for the clone, on the worker's machine; empty for its own temporary one"""
    keep: bool = False
    """whether a clone that is there already will do, and is left there; what is not in git goes from it"""
    environment: dict[str, str] = field(default_factory=dict)
    """of the stage, beside what the job inherits"""

    @property
    def name(self) -> str:
        return self.stage if self.seed is None else f"{self.stage}, seed {self.seed}"

    @property
    def folder_name(self) -> str:
        seed = "" if self.seed is None else f"-seed-{self.seed}"
        return f"{self.stage}{seed}-{self.attempt}"

    def write(self, folder: Path, lock: str, settings: Mapping[str, bytes]) -> None:
        """`settings` is the content of SETTINGS."""
        for name, content in settings.items():
            files.write_bytes(folder / name, content)
        files.write_text(folder / LOCK, lock)
        files.write_json(folder / TASK, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Task:
        return cls(**files.read_json(folder / TASK))


State = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a worker ended, if it lived to say so."""

    state: State
    node: str
    seconds: float
    error: str = ""
    """why not done"""
    records: Mapping[str, str] = field(default_factory=dict)
    """of DVC's run cache: content by path in the cache"""
    run_log: Mapping[str, str] = field(default_factory=dict)
    """content by path in `.run_log`"""

    def write(self, folder: Path) -> None:
        files.write_json(folder / OUTCOME, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Outcome | None:
        """None if there is none, or it is still being copied between machines."""
        try:
            return cls(**json.loads((folder / OUTCOME).read_text()))
        except (OSError, ValueError, TypeError):
            return None
