"""Stage `download`: a data set's raw files, each checked, in data/raw/<name>."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gan.datasets import Availability, DatasetSettings, Loader
from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import DataError, ReproductionError
from pipeline import parameters, stage
from pipeline.progress import Progress


def main(name: str) -> None:
    """Fetch data set `name` unless its folder already holds it whole."""
    loader, folder = loader_of(name), raw_folder(name)
    if is_whole(loader, folder):
        print(f"{name}: {folder} already holds the true files", flush=True)
    else:
        local = local_folders()
        with writing_folder(folder) as temporary:
            source = loader.fetch(temporary, local, _say, Progress)
            loader.verify(temporary)
        print(f"{name}: from {source}", flush=True)
    for path in sorted(folder.iterdir()):
        print(f"{name}: {path}: {path.stat().st_size:,} bytes, checked", flush=True)


def data_availability(name: str, probe: bool = True) -> Availability:
    """Where data set `name` is or would come from, for the plan; takes seconds and downloads nothing."""
    loader, folder = loader_of(name), raw_folder(name)
    if is_whole(loader, folder):
        return Availability("found", str(folder))
    return loader.availability(local_folders(), probe)


def raw_folder(name: str) -> Path:
    """Where the raw files of data set `name` are, from the repository's root."""
    return Path("data/raw") / name


def is_whole(loader: Loader, folder: Path) -> bool:
    """Whether `folder` holds the true raw files."""
    try:
        loader.verify(folder)
    except DataError:
        return False
    return True


def loader_of(name: str) -> DatasetSettings:
    """What brings in data set `name`, with its settings. ParameterError if params.yaml has none of that name."""
    datasets = parameters.load(run=False).datasets
    parameters.require_known(name, datasets, "data set", f"{parameters.FILE}: datasets")
    return datasets[name]


def local_folders() -> list[Path]:
    """The folders that the user names in GAN_DATA, with `os.pathsep` between. DataError if one cannot be opened."""
    folders = [Path(word).expanduser() for word in os.environ.get(LOCAL_FOLDERS, "").split(os.pathsep) if word]
    for folder in folders:
        try:
            next(folder.iterdir(), None)
        except OSError as error:
            raise DataError(f"{LOCAL_FOLDERS} names a folder that cannot be opened: {folder}",
                            expected="folders that hold data sets", found=f"{error.strerror}: {folder.absolute()}",
                            remedy=f"correct {LOCAL_FOLDERS}, or unset it to have the data downloaded") from error
    return folders


@contextlib.contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; on success it replaces `folder`, else it is removed.

    What a killed run left there goes first. Raises ReproductionError with the cure on a full or read-only disk.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise ReproductionError(
            f"cannot write {folder}", expected="a writable folder on a disk with room left",
            found=f"{error.strerror or error}",
            remedy="free disk space or mend the folder's permissions, then run the same command again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    stage.run(main)
