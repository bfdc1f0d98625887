"""Stores that the installed MLflow cannot open as they are: databases of another version, and folders of files.

A database says which schema it has, by the name of the last migration that it went through; MLflow has all of its
migrations with it, each with its date. Our own experiment in it says which MLflow wrote it last.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

from gan.errors import ReproductionError

WRITER = "gan.mlflow"
"""tag of our experiment: the version of the MLflow that logged to it last"""
OTHER_STORE = "MLFLOW_TRACKING_URI=sqlite:///other.db"
FILES_ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
_SAID_BY_MLFLOW = re.compile(r"found version (\w+), but expected|Can't locate revision identified by '(\w+)'")


class OtherVersion(ReproductionError):
    """A store of another version of MLflow; nothing of it has been changed."""

    def __init__(self, what: str, *, expected: str, found: str, remedy: str) -> None:
        super().__init__(what, expected=expected, found=found, remedy=remedy)
        self.line = f"{what}: {found}; here {expected}; {remedy}"


def require_own(database: Path, store: str) -> None:
    """OtherVersion if the SQLite file `database`, which the address `store` names, has another schema than this MLflow.
    """
    revision, writer = _written(database)
    if revision and revision != _migrations().get_current_head():
        raise _other_version(store, revision, writer)


def require_database(store: str) -> None:
    """OtherVersion for a folder of files, unless MLflow has been told to take one."""
    scheme, found, _ = store.partition(":")
    if (found and scheme != "file") or os.environ.get(FILES_ALLOWED, "").strip().lower() in ("true", "1"):
        return
    folder = re.sub(r"^file:(//)?", "", store)
    raise OtherVersion(
        f"{store} is a folder of files, as older versions of MLflow kept runs",
        expected=f"MLflow {_installed()}, which wants a database or a server",
        found="a file store",
        remedy=f"`mlflow migrate-filestore --source {folder} --target sqlite:///runs.db` copies its runs into a new "
               f"database and leaves it as it is, then MLFLOW_TRACKING_URI=sqlite:///runs.db; or {FILES_ALLOWED}=true")


def explained(error: BaseException, store: str) -> BaseException:
    """What MLflow says of a database's schema, in our words; any other error as it is."""
    said: BaseException | None = error
    while said is not None:
        if match := _SAID_BY_MLFLOW.search(str(said)):
            return _other_version(store, match[1] or match[2], "")
        said = said.__cause__ or said.__context__
    return error


def _other_version(store: str, revision: str, writer: str) -> OtherVersion:
    own, theirs = str(_migrations().get_current_head()), _date(revision)
    age = "an older" if theirs else "a newer"
    by = f"MLflow {writer}, " if writer and writer != _installed() else ""
    if theirs:
        remedy = (f"copy the database, then `mlflow db upgrade {store}`; or leave it to the older MLflow and name "
                  f"another: {OTHER_STORE}")
    else:
        newer = f"mlflow=={writer}" if by else "a newer mlflow"
        remedy = f"use it with {newer}, in an environment of its own, and name another for this one: {OTHER_STORE}"
    return OtherVersion(f"made by {age} version of MLflow",
                        expected=f"MLflow {_installed()}, schema {own}{_of(_date(own))}",
                        found=f"{by}schema {revision}{_of(theirs) or ', which this MLflow does not know'}",
                        remedy=remedy)


def _written(database: Path) -> tuple[str, str]:
    """The schema of a database and the MLflow that wrote it last, empty where it does not say."""
    with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        values = []
        for query in ("SELECT version_num FROM alembic_version",
                      f"SELECT value FROM experiment_tags WHERE key = '{WRITER}' ORDER BY experiment_id DESC"):
            try:
                row = connection.execute(query).fetchone()
            except sqlite3.OperationalError:  # no such table: of none of MLflow's databases, or of its first ones
                row = None
            values.append(str(row[0]) if row else "")
    return values[0], values[1]


@functools.cache
def _migrations() -> Any:
    import mlflow.store.db_migrations as migrations
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(migrations.__file__).parent))


def _date(revision: str) -> str:
    """When a migration was written; empty for one that this MLflow does not have."""
    from alembic.util import CommandError

    try:
        script = _migrations().get_revision(revision)
    except CommandError:
        return ""
    found = re.search(r"Create Date: (\d{4}-\d\d-\d\d)", script.longdoc) if script is not None else None
    return found[1] if found else "an unknown date" if script is not None else ""


def _of(date: str) -> str:
    return f" of {date}" if date else ""


def _installed() -> str:
    return importlib.metadata.version("mlflow")
