"""What params.yaml holds, as dataclasses that check their own ranges."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from gan.evaluation.settings import Grid
from gan.registry import Settings
from gan.settings import ParameterBlock, require
from gan.streams import require_distinct


@dataclass(frozen=True)
class SampleSizes(ParameterBlock):
    """How the estimate is measured against the number of samples."""

    sizes: list[int]
    """numbers of samples; those beyond what a model can give are left out"""
    validation_images: int
    test_images: int
    """the first so many (of each fold), or all where there are fewer"""

    def __post_init__(self) -> None:
        require(bool(self.sizes) and self.sizes[0] >= 1 and self.sizes == sorted(set(self.sizes)),
                f"sizes must be at least 1 and ascend: {self.sizes}")
        for name in ("validation_images", "test_images"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class Parzen(ParameterBlock):
    """The estimate that scores every model."""

    samples: int
    validation_images: int
    """the first so many (of each fold), or all where there are fewer"""
    paper_grid: Grid
    refined_grid: Grid
    sample_sizes: SampleSizes

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(self.validation_images >= 1, f"validation_images must be at least 1, not {self.validation_images}")


@dataclass(frozen=True)
class Train(ParameterBlock):
    seeds: list[int]
    model: Annotated[Settings, Field(discriminator="kind")]

    def __post_init__(self) -> None:
        require(bool(self.seeds), "seeds must name at least one seed")
        require(len(set(self.seeds)) == len(self.seeds), f"seeds must differ from each other: {self.seeds}")
        require(all(seed >= 0 for seed in self.seeds), f"seeds must not be negative: {self.seeds}")
        require_distinct(self.seeds)


@dataclass(frozen=True)
class Figures(ParameterBlock):
    """The grid of figure 2 (`rows` × (`columns` samples and a neighbour)) and the lines of figure 3."""

    rows: int
    columns: int
    interpolations: int
    steps: int

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "interpolations"):
            require(1 <= getattr(self, name) <= 100, f"{name} must be from 1 to 100, not {getattr(self, name)}")
        require(2 <= self.steps <= 100, f"steps must be from 2 to 100, not {self.steps}")


@dataclass(frozen=True)
class Experiment(ParameterBlock):
    """An entry of `experiments` as one profile has it."""

    title: str
    dataset: str
    train: Train
    profile: str | None = None
    """its own, whatever the others have"""
    runs_in: list[str] = field(default_factory=lambda: ["paper", "cpu"])
    """profiles of which it is a part"""
    note: str = ""
    """shown wherever its results appear"""
    figures: dict[str, int] = field(default_factory=dict)
    """what it overrides of the block of that name"""


@dataclass(frozen=True)
class SettingsSearch(ParameterBlock):
    """An entry of searches.yaml: settings to be tried on validation images, by their dotted names in an experiment's
    `train.model`."""

    note: str
    seed: int
    samples: int
    select_by: str
    """the variant whose validation log-likelihood decides"""
    settings: dict[str, Any]
    """what all of them have in place of the experiment's own values"""
    over: dict[str, list[Any]]
    """the values of each setting; all combinations are tried"""

    def __post_init__(self) -> None:
        require(self.seed >= 0, f"seed must not be negative: {self.seed}")
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(bool(self.over) and all(self.over.values()), "over must name settings with at least one value each")

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last setting's values changing fastest."""
        for values in itertools.product(*self.over.values()):
            yield dict(zip(self.over, values, strict=True))
