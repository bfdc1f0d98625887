"""Which data sets there are, by the word that `loader` has in params.yaml. A new one is entered here."""

from __future__ import annotations

from typing import get_args, get_type_hints

from gan.datasets.cifar10 import Cifar10
from gan.datasets.class_folders import ClassFolders
from gan.datasets.digits import Digits
from gan.datasets.image_folder import ImageFolder
from gan.datasets.mnist import Mnist
from gan.datasets.tfd import Tfd

DatasetSettings = Mnist | Digits | Cifar10 | Tfd | ImageFolder | ClassFolders
"""An entry under `datasets`, told apart by its `loader`"""

LOADERS: dict[str, type[DatasetSettings]] = {
    get_args(get_type_hints(kind)["loader"])[0]: kind for kind in get_args(DatasetSettings)}


def module_of(loader: str) -> str:
    """The module that brings a data set in; with what that imports, it is what the data set's bytes depend on."""
    return LOADERS[loader].__module__
