"""What one experiment's stages left, for its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import configuration
from pipeline.artifacts.paths import ARTIFACTS
from pipeline.figures.style import TITLE_COLUMNS, wrapped
from pipeline.runtime.files import read_json


@dataclass(frozen=True)
class FinishedExperiment:
    """What one experiment's stages left on disk."""

    name: str
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    bandwidth: Mapping[str, Any]
    folder: Path

    @classmethod
    def read(cls, name: str) -> FinishedExperiment:
        folder = ARTIFACTS / name
        return cls(name, settings=configuration(name, "figures"),
                   training=read_json(folder / "training.json"), evaluation=read_json(folder / "evaluation.json"),
                   bandwidth=read_json(folder / "bandwidth.json"), folder=folder)

    def seed(self, variant: str) -> Any:
        """The headline's seed, chosen on validation images."""
        return best_seed(self.evaluation, variant)

    def epoch(self, variant: str) -> int | None:
        """The epoch whose weights the figures of `variant` show; None for models without epochs."""
        seed = of_seed(self.evaluation, self.seed(variant))
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
        return wrapped("\n".join(filter(None, lines)), TITLE_COLUMNS)


def of_seed(document: Mapping[str, Any], seed: Any) -> Mapping[str, Any]:
    """A seed's entry in training.json, bandwidth.json or evaluation.json."""
    entry: Mapping[str, Any] = next(entry for entry in document["seeds"] if entry["seed"] == seed)
    return entry
