"""What makes a data set: a dataclass that is at once its entry under `datasets` in params.yaml, with these members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gan.datasets.sources import Availability, Say, StartProgress

if TYPE_CHECKING:
    import torch


class Loader(Protocol):
    """What a data set's settings implement to bring it in.

    Its raw files are in one folder of their own; `verify` accepts exactly what `fetch` writes. Images in [0, 1] are
    what `splits` returns divided by `divisor`.
    """

    @property
    def loader(self) -> str:
        """The word for it in params.yaml."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""

    @property
    def divisor(self) -> int:
        """The value that stands for 1."""

    @property
    def contrast_norm(self) -> float | None:
        """None for images in [0, 1], else the L2 norm of their global contrast normalisation."""

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        """Whether and from where the raw files can be had, downloading nothing, in seconds.

        `local` are folders that the user named. Without `probe` no network is touched either, and a source on the
        network is taken to be there.
        """

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        """Fill `folder`, which exists, from the first source that has the true files; returns that source's name.

        `say` is told of every source passed over. Raises DataError when no source is left, and OSError when `folder`
        cannot be written; then the folder holds anything, and the caller throws it away.
        """

    def verify(self, folder: Path) -> None:
        """Return if `folder` holds the true raw files, else raise DataError."""

    def sizes(self, folder: Path, local: Sequence[Path]) -> Mapping[str, int]:
        """Images in each of `SPLITS`, for estimates, in about a second: 0 where that cannot be told.

        `folder` is where the raw files are or would be.
        """

    def splits(self, folder: Path) -> Mapping[str, torch.Tensor]:
        """One uint8 tensor [n, d] for each of `SPLITS`, the same for the same raw files.

        With several folds also `validation_fold` and `test_fold`, see `Dataset`.
        """


@runtime_checkable
class Labelled(Protocol):
    """What a data set whose raw files say what each image shows can do beside: `isinstance` tells whether it does.

    They serve the features in which samples are assessed, and models that are trained on labels; the paper's see none.
    """

    def labels(self, folder: Path) -> Mapping[str, torch.Tensor]:
        """The class of each image, int64 [n] from 0, for each of `SPLITS` in the order of `splits`."""
