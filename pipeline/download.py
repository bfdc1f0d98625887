"""Stage `download`: a data set's raw files, each checked, in data/raw/<name>."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.datasets import LOADERS, Availability, Loader
from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import DataError, ParameterError, ReproductionError
from pipeline import stage
from pipeline.parameters import FILE as PARAMETERS
from pipeline.parameters import require_known
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
        print(f"{name}: {path}: {path.stat().st_size:,} bytes, SHA-256 as pinned", flush=True)


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


def dataset_settings(name: str) -> dict[str, Any]:
    """`datasets.<name>` of params.yaml. ParameterError if there is no such data set, or it is not a mapping."""
    try:
        parameters = YAML(typ="safe").load(PARAMETERS.read_text())
        datasets = dict(parameters["datasets"])
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as error:
        raise ParameterError(f"{PARAMETERS} cannot be read", expected="YAML with a block `datasets`",
                             found=f"{type(error).__name__}: {error}",
                             remedy="run in the repository's root; `git diff params.yaml` shows what changed"
                             ) from error
    require_known(name, datasets, "data set", f"{PARAMETERS}: datasets")
    settings = datasets[name]
    if not isinstance(settings, dict) or not re.fullmatch(r"\w[\w-]*", name):
        raise ParameterError(f"datasets.{name} in {PARAMETERS} is not a data set",
                             expected="a name of letters, digits, _ and -, with settings such as {loader: mnist}",
                             found=f"{name!r}: {settings!r}")
    return settings


def loader_of(name: str) -> Loader:
    """The module that brings in data set `name`. ParameterError if params.yaml names none that exists."""
    loader = str(dataset_settings(name).get("loader"))
    require_known(loader, LOADERS, "loader", f"{PARAMETERS}: datasets.{name}.loader")
    return LOADERS[loader]


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
