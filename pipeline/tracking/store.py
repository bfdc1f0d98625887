"""The store that runs are logged to: where it is, how it is opened, how long to wait for it, what is wrong with it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import ssl
import sys
import textwrap
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock
from tqdm import tqdm

from pipeline.runtime.checkout import asking_checkout, main_checkout
from pipeline.tracking import schema

# Set before MLflow is imported, each only where the user has not. A server that does not answer costs
# timeout × (1 + retries), once; the one retry is for connections that an idle server has closed.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what matters of it we say ourselves
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
SECONDS_FOR_THE_DATABASE = 2.0  # that it may be locked at first
LOCAL_PATIENCE = 60.0  # for one step on this machine: importing MLflow, making the database

PORT_OF_THE_UI = 5000
MODE = "workflowType=machine_learning"
"""of MLflow's pages: by itself it opens in the one for language models, which hides runs"""

given_up: set[str] = set()  # stores that have failed in this process
_speaking = threading.Lock()
_importing = threading.Lock()


def store_uri() -> str:
    """Where runs are kept: MLFLOW_TRACKING_URI if set, else an SQLite database in the checkout.

    Where DVC runs a stage in a folder that it deletes afterwards, a relative path is taken from the checkout as well.
    """
    store, home = os.environ.get("MLFLOW_TRACKING_URI", "").strip(), main_checkout()
    if store and home != Path.cwd() and (file := _sqlite_file(store)) is not None:
        scheme, _, rest = store.partition(":///")
        return f"{scheme}:///{file}{''.join(rest.partition('?')[1:])}"
    return store or f"sqlite:///{home / 'mlflow.db'}"


def artifact_location() -> str | None:
    """Where the files of runs are kept: beside a database file, else here; None for a server, which has a place of its
    own."""
    store = store_uri()
    file = _sqlite_file(store)
    return None if is_server(store) else ((file.parent if file else main_checkout()) / "mlartifacts").as_uri()


def shown(store: str) -> str:
    """The store as it may be shown: without credentials, and a file in the checkout without the checkout's folder."""
    return without_password(store).replace(f":///{main_checkout()}/", ":///")


def page(store: str, experiment_id: str, run_id: str = "") -> str:
    """The address of an experiment's or a run's page in MLflow's UI: the server's, or what `make ui` serves."""
    server = without_password(store).rstrip("/") if is_server(store) else f"http://127.0.0.1:{PORT_OF_THE_UI}"
    return f"{server}/#/experiments/{experiment_id}/runs{f'/{run_id}' if run_id else ''}?{MODE}"


def prepare_environment() -> None:
    """Set what MLflow reads when it is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def connect(store: str) -> Any:
    """MLflow's client for a store; raises soon where a database cannot be used, OtherVersion for one of another version
    of MLflow."""
    with _importing:
        if not is_server(store):
            schema.require_database(store)
        from mlflow import MlflowClient
        database = _sqlite_file(store)
        if database is not None:
            prepare_database(database, MlflowClient)
            schema.require_own(database, without_password(store))
        try:
            return MlflowClient(tracking_uri=store)
        except Exception as error:
            raise schema.explained(error, without_password(store)) from error


def probe(server: str) -> None:
    """Raise unless something there speaks HTTP, whatever it says: sooner than MLflow, which tries more than once."""
    request = urllib.request.Request(f"{without_password(server).rstrip('/')}/health")
    try:
        urllib.request.urlopen(request, timeout=_timeout_and_retries()[0]).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # MLflow may know the certificate, or not care
            raise


def prepare_database(path: Path, client: Callable[..., Any]) -> None:
    """Make an SQLite database that is not there yet, and raise soon where one cannot be written.

    It is made under another name and renamed: MLflow creates the tables in many transactions, and a process killed
    between them, or two that do it at once, leave a database that no later process can open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock", timeout=LOCAL_PATIENCE):
        if not path.exists():
            part = path.with_name(f"{path.name}.part")
            try:
                part.unlink(missing_ok=True)
                Path(f"{part}-journal").unlink(missing_ok=True)
                client(tracking_uri=f"sqlite:///{part}").search_experiments(max_results=1)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    # MLflow would try for minutes to open what cannot be opened.
    with contextlib.closing(sqlite3.connect(path, timeout=SECONDS_FOR_THE_DATABASE)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()


def is_server(store: str) -> bool:
    """Whether the store speaks HTTP; else it is a database."""
    return store.startswith(("http://", "https://"))


def _sqlite_file(store: str) -> Path | None:
    """The file of an SQLite store; None for other stores."""
    scheme, found, path = store.partition(":///")
    path = path.partition("?")[0]
    return main_checkout() / path if found and scheme.partition("+")[0] == "sqlite" and path else None


def is_shared(store: str) -> bool:
    """Whether other checkouts may log to the store now: it is a server, or lies elsewhere than in this checkout."""
    file = _sqlite_file(store)
    return file is None or file.parent != asking_checkout()


def patience(store: str) -> float:
    """Seconds that one call may take."""
    if _sqlite_file(store) is not None:
        return LOCAL_PATIENCE
    timeout, retries = _timeout_and_retries()
    return timeout * (1 + retries) + 1


def _timeout_and_retries() -> tuple[float, float]:
    values = ENVIRONMENT | dict(os.environ)
    try:
        return float(values["MLFLOW_HTTP_REQUEST_TIMEOUT"]), float(values["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    except ValueError:  # MLflow will complain
        return 3.0, 1.0


def give_up(store: str, reason: str) -> None:
    """Say once in this process that a store is out of reach."""
    with _speaking:
        if store in given_up:
            return
        given_up.add(store)
    state = "not reachable" if is_server(store) else "not usable"
    say(f"MLflow: {without_password(store)} {state} ({reason}); going on without it, results are not affected")


def say(line: str) -> None:
    """Print a line to stderr, clear of a progress bar."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def without_password(store: str) -> str:
    """The store's address without the credentials that it may hold."""
    return re.sub(r"([?&]password=)[^&]*", r"\1", re.sub(r"//[^/@]*@", "//", store))


def _errors(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_silence(error: BaseException) -> bool:
    """Whether it was the connection that failed, not what was asked for."""
    import requests
    return any(isinstance(one, requests.ConnectionError | requests.Timeout | ConnectionError | TimeoutError)
               for one in _errors(error))


def reason(error: BaseException) -> str:
    """An error in a few words."""
    other = next((one for one in _errors(error) if isinstance(one, schema.OtherVersion)), None)
    if other is not None:
        return other.line
    texts = [str(one) for one in _errors(error)]
    if any("timed out" in text for text in texts):
        return "no answer in time"
    if any("Connection refused" in text for text in texts):
        return "connection refused"
    first = next((line for line in texts[0].splitlines() if line.strip()), type(error).__name__)
    first = re.sub(r"^(\(\w+\.\w+\)|\[Errno -?\d+\]|<urlopen error( \[Errno -?\d+\])?) ", "", first).rstrip(">")
    return textwrap.shorten(first, 200, placeholder=" …")
