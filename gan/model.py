"""One interface for every row of Table 1: a model can be fitted to a data set and can then draw n samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gan.datasets.dataset import Dataset
    from gan.evaluation.estimates import Estimate
    from gan.evaluation.features import Features

BetweenUpdates = Callable[[], None]


class Model(Protocol):
    variants: ClassVar[tuple[str, ...]]
    """rows that come of one fit: `raw`, and for some models `ema`"""
    epochs: int
    """how many there are to be fitted; 0 where nothing is fitted"""

    @property
    def epoch(self) -> int:
        """how many are done"""

    @property
    def selects_epoch(self) -> bool:
        """whether the epoch is chosen on validation; else the last one is taken"""

    @property
    def can_be_scored(self) -> bool:
        """whether the epoch just done can be scored on validation"""

    def fit_epoch(self, between_updates: BetweenUpdates = ...) -> Mapping[str, Any]:
        """Fit for one epoch, or finish one that was restored, and return its statistics: numbers, or the name of a
        phase. `between_updates` is called between updates; `state` may be taken there, and it may raise to stop."""

    def weights(self, variant: str) -> dict[str, Tensor]:
        """What `sample` needs, as it is now. The tensors are the model's own: copy what is to be kept."""

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """n samples [n, d] in the data's scale, with random numbers from `stream` alone."""

    def state(self) -> dict[str, Tensor]:
        """Everything that further updates depend on, as copies on the CPU."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Resume from what `state` returned."""


@runtime_checkable
class Restarts(Protocol):
    """What a model whose training may fail by the chance of its start can have: `isinstance` tells whether it does."""

    @property
    def starts(self) -> int:
        """how many a seed may take; 1 where failures are kept"""

    @property
    def judged_after(self) -> int:
        """after so many epochs, or at the end of patience if that comes first"""

    def has_failed(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """whether the start is one to be given up; `rows` are all of its epochs so far"""


@runtime_checkable
class Interpolates(Protocol):
    """What a model with latent variables can do beside: `isinstance` tells whether it does."""

    def interpolate(self, weights: Mapping[str, Tensor], rows: int, columns: int, stream: torch.Generator) -> Tensor:
        """Samples along `rows` straight lines in latent space, in `columns` steps each: [rows·columns, d]."""


# What some models can do beside, and a row of Table 1 does not ask for: section 7 of the paper.

@dataclass(frozen=True, eq=False)
class Picture:
    """Images to be shown in rows."""

    title: str
    """what rows and columns are, in a few words"""
    images: Tensor
    """[rows·columns, d] in the data's scale, row by row"""
    columns: int


@runtime_checkable
class Illustrated(Protocol):
    """What a model that can do more than draw samples shows of it: `isinstance` tells whether it does."""

    def pictures(self, weights: Mapping[str, Tensor], data: Dataset, stream: torch.Generator) -> Mapping[str, Picture]:
        """By name, which is also a file's. Nothing is picked: the first images, the next of the stream."""


@dataclass(frozen=True, eq=False)
class Examination:
    """What a model is examined with: real images, their labels where they have any, and who tells a sample's class."""

    data: Dataset
    labels: Mapping[str, Tensor] | None
    """int64 [n] from 0, for each of `SPLITS`, on the CPU"""
    judge: Features | None
    """a classifier; None where the data have no labels"""
    samples: int
    """how many samples or test images are looked at, at most"""


@runtime_checkable
class Examined(Protocol):
    """What a model that can do more than draw samples is measured by: `isinstance` tells whether it is."""

    def examine(self, weights: Mapping[str, Tensor], by: Examination, stream: torch.Generator
                ) -> Mapping[str, Estimate]:
        """By the names in `gan.evaluation.abilities`."""
