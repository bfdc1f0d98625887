"""Raw data, data/raw/<name>, and the copies of their own that users name in GAN_DATA."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from gan.datasets.loader import Loader
from gan.datasets.registry import LOADERS, DatasetSettings
from gan.datasets.sources import LOCAL_FOLDERS, Availability
from gan.errors import DataError
from pipeline.artifacts.configuration import configuration


def data_availability(name: str, loader: DatasetSettings, probe: bool = True) -> Availability:
    """Where data set `name` is or would come from, for the plan; takes seconds and downloads nothing."""
    folder = raw_folder(name)
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


def configured_loader(name: str, stage: str) -> DatasetSettings:
    """What brings in data set `name`, as `configure` wrote it for a stage."""
    return loader_of(configuration(name, stage)["settings"])


def loader_of(settings: Mapping[str, Any]) -> DatasetSettings:
    """From an entry of `datasets` in params.yaml."""
    loader: DatasetSettings = TypeAdapter(LOADERS[settings["loader"]]).validate_python(settings)
    return loader


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
