"""Faces in the layout of the Toronto Face Database (Susskind, Anderson, Hinton 2010): five folds, 48×48, grey.

A MATLAB file of version 5 to 7 with two variables: `images`, uint8 [N, 48, 48], and `folds`, uint8 [N, 5], which says
of each image and fold 0 unlabeled, 1 training, 2 validation or 3 test; others are passed over. As in the paper, the
images that no fold has labeled are trained on, and each fold's 2s and 3s are its validation and test images. The
Toronto Face Database itself is not public.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from gan.datasets import sources
from gan.datasets.sources import Availability, Say, Source, StartProgress, reason, redo
from gan.errors import DataError, SourceUnavailable
from gan.settings import ParameterBlock, require

if TYPE_CHECKING:
    import torch

SHAPE = (1, 48, 48)
FOLDS = 5
UNLABELED, TRAINING, VALIDATION, TEST = range(4)

OFFICIAL_FILE = "TFD_48x48.mat"
OFFICIAL_SIZES = {"train": 98_058, "validation": 2_090, "test": 4_180}  # of 102,236 images, 4,178 have labels
LOCAL_SUBFOLDERS = ("", "tfd", "TFD")
BYTES_LIMIT = 2 << 30
IMAGES_LIMIT = 500_000


@dataclass(frozen=True)
class Tfd(ParameterBlock):
    """See `gan.datasets.loader.Loader`. `file` can be had only from the user's own folders."""

    loader: Literal["tfd"]
    file: str = OFFICIAL_FILE

    shape: ClassVar[tuple[int, int, int]] = SHAPE
    divisor: ClassVar[int] = 255
    contrast_norm: ClassVar[None] = None

    def __post_init__(self) -> None:
        require(re.fullmatch(r"\w[\w .-]*\.mat", self.file) is not None,
                f"file must be the name of a .mat file, not {self.file!r}")

    def availability(self, local: Sequence[Path], probe: bool = True) -> Availability:
        available = sources.first_available(self._sources(local), probe, self._remedy())
        if available.state == "unavailable" and not local:
            return Availability("unavailable", f"{self.file} is in no folder of {sources.LOCAL_FOLDERS}",
                                available.remedy)
        return available

    def fetch(self, folder: Path, local: Sequence[Path], say: Say, progress: StartProgress) -> str:
        """Copies the file as it is."""
        return sources.fetch_first(self.file, self._sources(local), folder, say, progress, self._remedy())

    def verify(self, folder: Path) -> None:
        self._read(folder)

    def sizes(self, folder: Path, local: Sequence[Path]) -> dict[str, int]:
        """Validation and test images of all folds together. The official file's, where the file is unavailable."""
        for place in (folder, *(place / subfolder for place in local for subfolder in LOCAL_SUBFOLDERS)):
            try:
                folds = _variables(place / self.file, "folds")["folds"]
            except DataError:
                continue
            return {"train": int((folds == UNLABELED).all(1).sum()), "validation": int((folds == VALIDATION).sum()),
                    "test": int((folds == TEST).sum())}
        return dict(OFFICIAL_SIZES) if self.file == OFFICIAL_FILE else dict.fromkeys(OFFICIAL_SIZES, 0)

    def splits(self, folder: Path) -> dict[str, torch.Tensor]:
        import torch

        images, folds = self._read(folder)
        splits = {"train": images[(folds == UNLABELED).all(1)]}
        for split, code in (("validation", VALIDATION), ("test", TEST)):
            fold, row = np.nonzero(np.equal(folds.T, code))  # one fold after another
            splits |= {split: images[row], f"{split}_fold": fold.astype(np.uint8)}
        return {name: torch.from_numpy(values) for name, values in splits.items()}

    def _remedy(self) -> str:
        ask = ("TFD is not public: ask its owners for it, as others have asked Joshua Susskind (Susskind, Anderson, "
               "Hinton 2010, The Toronto Face Database, UTML TR 2010-001); then " if self.file == OFFICIAL_FILE else "")
        return (f"{ask}put {self.file} in a folder and name it: "
                f"{sources.LOCAL_FOLDERS}=/path/to/folder make reproduce")

    def _sources(self, local: Sequence[Path]) -> Iterator[Source]:
        for folder in local:
            yield sources.local_source(folder, functools.partial(self._check_local, folder),
                                       functools.partial(self._fetch_local, folder))

    def _find(self, folder: Path) -> Path:
        for path in (folder / subfolder / self.file for subfolder in LOCAL_SUBFOLDERS):
            try:
                if path.is_file():
                    return path
            except OSError as error:
                raise SourceUnavailable(f"cannot be searched ({reason(error)})") from error
        raise SourceUnavailable(f"does not hold {self.file}")

    def _check_local(self, folder: Path) -> None:
        _check_folds(_variables(path := self._find(folder), "folds")["folds"], path)

    def _fetch_local(self, folder: Path, target: Path, progress: StartProgress) -> None:
        path = self._find(folder)
        _read_faces(path)
        sources.copy_local(path, target / self.file)

    def _read(self, folder: Path) -> tuple[np.ndarray, np.ndarray]:
        sources.verify_names(folder, {self.file})
        try:
            return _read_faces(folder / self.file)
        except DataError as error:
            raise DataError(f"{folder}: {error.what}", found=error.found, remedy=redo(folder)) from error


# --- The MATLAB file ---


def _read_faces(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """`images`, uint8 [N, 2304], and `folds`, uint8 [N, 5], checked. DataError if the file does not hold them."""
    variables = _variables(path, "images", "folds")
    images, folds = variables["images"], variables["folds"]
    _check_folds(folds, path)
    return np.ascontiguousarray(images).reshape(len(images), -1), folds


def _check_folds(folds: np.ndarray, path: Path) -> None:
    """DataError unless `folds` [N, 5] makes five folds with images of every kind."""
    if unknown := set(np.unique(folds).tolist()) - {UNLABELED, TRAINING, VALIDATION, TEST}:
        raise DataError(f"{path.name}: folds holds other codes than 0, 1, 2 and 3: "
                        f"{', '.join(map(str, sorted(unknown)))}")
    if not (folds == UNLABELED).all(1).any():
        raise DataError(f"{path.name}: no image is unlabeled (0) in all folds, so there is nothing to train on")
    for name, code in (("validation", VALIDATION), ("test", TEST)):
        if missing := [str(fold + 1) for fold in range(FOLDS) if not (folds[:, fold] == code).any()]:
            raise DataError(f"{path.name}: no {name} image ({code}) in fold {', '.join(missing)}")


def _variables(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Variables `names` of a MATLAB file, after a check of all kinds and shapes, which takes a fraction of a second."""
    import scipy.io  # here because importing it takes a second

    _check_header(path)
    try:
        listed = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(f"{path.name} cannot be read to its end ({reason(error)})") from error
    _check_listed(listed, path)
    try:
        loaded: Mapping[str, Any] = scipy.io.loadmat(path, variable_names=list(names))
        return {name: loaded[name] for name in names}
    except Exception as error:
        raise DataError(f"{path.name} cannot be read to its end ({reason(error)})") from error


def _check_header(path: Path) -> None:
    """DataError unless the file begins as MATLAB's versions 5 to 7 do, whose reader is then safe to use."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(520)
    except OSError as error:
        raise DataError(f"{path.name} cannot be opened ({reason(error)})") from error
    if size > BYTES_LIMIT:
        raise DataError(f"{path.name} is larger than {BYTES_LIMIT:,} bytes", found=f"{size:,} bytes")
    if header.startswith(b"MATLAB 7.3") or b"\x89HDF\r\n\x1a\n" in header:
        raise DataError(f"{path.name} is of MATLAB's version 7.3 (HDF5); save it anew with save(…, '-v7')")
    if not header.startswith(b"MATLAB 5.0"):
        kind = sources.kind_of(header)
        raise DataError(f"{path.name} is not a MATLAB file" + (f": it is {kind}" if kind else ""))


def _check_listed(listed: Mapping[str, tuple[tuple[int, ...], str]], path: Path) -> None:
    images = listed.get("images", ((0,), ""))[0][0]
    if images > IMAGES_LIMIT:
        raise DataError(f"{path.name} holds more than {IMAGES_LIMIT:,} images", found=f"{images:,}")
    for name, shape in (("images", (images, *SHAPE[1:])), ("folds", (images, FOLDS))):
        if name not in listed:
            raise DataError(f"{path.name} lacks the variable {name}; it holds {', '.join(listed) or 'none'}")
        if listed[name] != (shape, "uint8"):
            listed_shape, kind = listed[name]
            raise DataError(f"{path.name}: {name} is {kind} {'×'.join(map(str, listed_shape))}, not uint8 "
                            f"{'×'.join(map(str, ('N', *shape[1:]) if name == 'images' else shape))}")
