"""A database of MLflow's, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tracking import store

store.prepare_environment()  # MLflow reads some of it when it is imported
import mlflow  # noqa: E402


@pytest.fixture(scope="session")
def empty_database(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A database with its tables, to copy: making them takes seconds."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in store.ENVIRONMENT.items():
                environment.setenv(name, value)
            store.prepare_database(folder / "mlflow.db", mlflow.MlflowClient)

    return made_once("empty database", make) / "mlflow.db"
