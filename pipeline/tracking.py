"""Live logging to MLflow: one run per experiment and seed, that no result waits for or depends on.

Everything that touches MLflow, its import included, happens in a background thread per run; what a stage logs is kept
in memory and sent in batches. At the first failure the thread says so in one line and ends, and from then on this
process logs nothing more to that store: the stage goes on as if nothing were.

>>> with tracking.start("mnist", seed=1, inputs=digest, profile="cpu", parameters=settings) as tracker:
...     tracker.metrics({"discriminator_loss": .3}, step=epoch)

Environment: MLFLOW_TRACKING_URI names a server or another database than `mlflow.db` in the current folder,
MLFLOW_EXPERIMENT_NAME another heading than ours, and GAN_TRACKING=off turns it all off.
`python -m pipeline.tracking ui [port]` shows the store in a browser.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import math
import os
import platform
import re
import socket
import sqlite3
import ssl
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar

import filelock
from tqdm import tqdm

from gan.errors import ReproductionError
from pipeline import machine, stage

EXPERIMENT = "Generative Adversarial Nets"
ABOUT = ("One run per experiment and seed. Filter or group by the tags `gan.experiment`, `gan.seed` and `gan.profile`; "
         "`gan.inputs` is the digest of everything that the training read, as in `training.json`.")

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
SECONDS_BETWEEN_BATCHES = 2.0
SECONDS_FOR_THE_DATABASE = 2.0  # that it may be locked at first
# How long `finish` waits for one step on this machine (importing MLflow, making the database), and for all of them.
LOCAL_PATIENCE = 60.0
TOTAL_PATIENCE = {"FINISHED": 60.0, "FAILED": 60.0, "KILLED": 10.0}

# MLflow's limits; for values those of its older servers, which are lower.
LONGEST_NAME, LONGEST_PARAMETER, LONGEST_TAG = 250, 500, 5000
LONGEST_DATASET_NAME, LONGEST_DATASET_DIGEST = 500, 36
LABELS_PER_BATCH, POINTS_PER_BATCH = 100, 1000

Status = Literal["FINISHED", "FAILED", "KILLED"]
Job = Callable[[Any, str], object]  # takes MLflow's client and the id of the run
T = TypeVar("T")

_given_up: set[str] = set()  # stores that have failed in this process
_speaking = threading.Lock()
_importing = threading.Lock()


def start(experiment: str, seed: int, inputs: str, *, profile: str = "",
          parameters: Mapping[str, Any] | None = None, tags: Mapping[str, Any] | None = None,
          dataset: Mapping[str, str] | None = None, hardware: Mapping[str, Any] | None = None) -> Tracker:
    """The run of a training: a new one, or the one of the same inputs that was interrupted or failed.

    `inputs` is the digest of everything the stage reads, `parameters` may be nested, `dataset` has a `name` and a
    `digest`, `hardware` comes from `machine.hardware`. Points that an interrupted run has already are not logged twice.
    Returns at once and never raises.
    """
    return _track(_Asked(experiment, seed, inputs, profile, parameters, tags, dataset, hardware, training=True))


def resume(experiment: str, seed: int, inputs: str, *, profile: str = "",
           parameters: Mapping[str, Any] | None = None, tags: Mapping[str, Any] | None = None,
           dataset: Mapping[str, str] | None = None, hardware: Mapping[str, Any] | None = None) -> Tracker:
    """The run that the training on these inputs made, in whatever state it was left, for a later stage to add to.

    Where there is none (DVC took the training from its cache) a new one, described by the arguments as in `start`.
    Returns at once and never raises.
    """
    return _track(_Asked(experiment, seed, inputs, profile, parameters, tags, dataset, hardware, training=False))


def store_uri() -> str:
    """Where runs are kept: MLFLOW_TRACKING_URI if set, else an SQLite database in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{Path.cwd() / 'mlflow.db'}"


def artifact_location() -> str | None:
    """Where the files of runs are kept: beside a database; None for a server, which has a place of its own."""
    return None if _is_server(store_uri()) else (Path.cwd() / "mlartifacts").as_uri()


class Tracker:
    """A run being logged. Methods return at once, but for `finish`, and none raises.

    Leaving it as a context manager finishes it: FINISHED, FAILED after an error, KILLED after Ctrl-C or SIGTERM.
    """

    def __init__(self, worker: _Worker | None) -> None:
        self._worker = worker

    @property
    def active(self) -> bool:
        """Whether anything that is logged now has a chance to arrive."""
        return self._worker is not None and self._worker.open

    def metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Log values at a step (an epoch). None and values that are not finite are left out: no chart can show them,
        and stores differ in what they make of them."""
        if self._worker is not None:
            now = int(time.time() * 1000)
            self._worker.add(points=[Point(_name(name), value, now, step) for name, value in _finite(values)])

    def figure(self, path: Path | str) -> None:
        """Attach a picture, in the folder `figures`. The file has to stay until `finish`."""
        self.artifact(path, "figures")

    def artifact(self, path: Path | str, folder: str = "") -> None:
        """Attach a file, in `folder`. The file has to stay until `finish`."""
        if self._worker is not None:
            source, target = str(Path(path).absolute()), _name(folder) if folder else None
            self._worker.add(files=[lambda client, run_id: client.log_artifact(run_id, source, target)])

    def text(self, name: str, content: str) -> None:
        """Attach a text, as a file of this name, which may have folders."""
        if self._worker is not None:
            self._worker.add(files=[lambda client, run_id: client.log_text(run_id, _text(content), _name(name))])

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what is left and end the run; waits for it, within bounds. A second call does nothing."""
        if self._worker is not None:
            self._worker.finish(status)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.finish("FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED")


class Point(NamedTuple):
    """One value of a metric; the time in milliseconds."""

    name: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class _Asked:
    """What a stage says of the run it wants."""

    experiment: str
    seed: int
    inputs: str
    profile: str
    parameters: Mapping[str, Any] | None
    tags: Mapping[str, Any] | None
    dataset: Mapping[str, str] | None
    hardware: Mapping[str, Any] | None
    training: bool

    @property
    def key(self) -> str:
        """Finds the run again: plain hexadecimal, whatever the names, as filters know no escapes."""
        return hashlib.sha256(json.dumps([self.experiment, self.seed, self.inputs]).encode()).hexdigest()

    @property
    def name(self) -> str:
        return _text(" · ".join(filter(None, (self.experiment, f"seed {self.seed}", self.profile))), LONGEST_PARAMETER)

    def tags_of_run(self, commit: str, clean: bool) -> dict[str, str]:
        dataset, hardware = self.dataset or {}, self.hardware or {}
        values = {
            "gan.key": self.key, "gan.experiment": self.experiment, "gan.seed": self.seed, "gan.profile": self.profile,
            "gan.inputs": self.inputs, "gan.workplace": _workplace(),
            "gan.dataset": dataset.get("name"), "gan.dataset_digest": dataset.get("digest"),
            "gan.commit": commit or None, "gan.commit_clean": clean if commit else None,
            "mlflow.source.git.commit": commit or None,
            "mlflow.source.name": _program(), "mlflow.source.type": "LOCAL", "mlflow.user": _user(),
            "gan.machine": machine.describe(hardware) if hardware else None,
        }
        values |= {f"hardware.{name}": value for name, value in hardware.items()}
        return _labels(values | dict(self.tags or {}), LONGEST_TAG)


class _Abandoned(Exception):
    """Nobody waits for this thread any more."""


class _Worker(threading.Thread):
    """The background thread of one run. `add` and `finish` are called from outside, all else runs within."""

    def __init__(self, asked: _Asked, store: str, artifacts: str | None) -> None:
        super().__init__(name=f"mlflow {asked.experiment} {asked.seed}", daemon=True)
        self._asked, self._store, self._artifacts = asked, store, artifacts
        self._commit = machine.commit()  # now: the code may be edited while it runs
        self._changed = threading.Condition()
        self._points: list[Point] = []
        self._files: list[Job] = []
        self._status: Status | None = None
        self._abandoned = self._files_failed = False
        self._deadline = math.inf  # when the step at work should have ended

    @property
    def open(self) -> bool:
        return self._status is None and not self._abandoned and self.is_alive()

    def add(self, points: Sequence[Point] = (), files: Sequence[Job] = ()) -> None:
        with self._changed:
            if self.open:
                self._points += points
                self._files += files
                self._changed.notify()

    def finish(self, status: Status) -> None:
        with self._changed:
            if self._status is not None:
                return
            self._status = status
            self._changed.notify()
        started = time.monotonic()
        while self.is_alive():
            self.join(0.05)
            now = time.monotonic()
            if now > self._deadline or now - started > TOTAL_PATIENCE[status]:
                self._abandoned = True
                _give_up(self._store, "no answer for too long")
                return

    def run(self) -> None:
        try:
            if _is_server(self._store):
                self._call(_probe, self._store)
            client = self._step(LOCAL_PATIENCE, _connect, self._store)
            run, found = self._enter(client)
            self._describe(client, run, found)
            logged = self._logged(client, run) if found and self._asked.training else {}
            while self._send(client, run.info.run_id, logged):
                pass
            if not (found and run.info.status == "FINISHED"):
                self._call(client.set_terminated, run.info.run_id, self._status)
        except _Abandoned:
            pass
        except Exception as error:
            self._abandoned = True
            _give_up(self._store, _reason(error))

    def _step(self, seconds: float, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        if self._abandoned:
            raise _Abandoned
        self._deadline = time.monotonic() + seconds
        try:
            return function(*arguments, **named)
        finally:
            self._deadline = math.inf

    def _call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return self._step(_patience(self._store), function, *arguments, **named)

    def _enter(self, client: Any) -> tuple[Any, bool]:
        """The run to log to, and whether it was there before."""
        experiment_id = self._experiment(client)
        runs = self._call(client.search_runs, [experiment_id], f"tags.`gan.key` = '{self._asked.key}'",
                          order_by=["attributes.start_time DESC"])
        here = [run for run in runs if run.data.tags.get("gan.workplace") == _workplace()]
        if self._asked.training:
            # On a shared server an unfinished run from elsewhere may well be at work.
            mine = here if _is_server(self._store) else runs
            candidates = [run for run in mine if run.info.status != "FINISHED"]
        else:
            candidates = here + list(runs)
        if not candidates:
            tags = self._asked.tags_of_run(*self._commit)
            return self._call(client.create_run, experiment_id, tags=tags, run_name=self._asked.name), False
        if self._asked.training:
            self._call(client.update_run, candidates[0].info.run_id, status="RUNNING")
        return candidates[0], True

    def _experiment(self, client: Any) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self._call(client.get_experiment_by_name, name)
        if experiment is None:
            try:
                return str(self._call(client.create_experiment, name, self._artifacts, {"mlflow.note.content": ABOUT}))
            except Exception as error:
                experiment = None if _is_silence(error) else self._call(client.get_experiment_by_name, name)
                if experiment is None:  # not another process that was quicker
                    raise
        if experiment.lifecycle_stage == "deleted":  # its name cannot be had again otherwise
            self._call(client.restore_experiment, experiment.experiment_id)
        return str(experiment.experiment_id)

    def _describe(self, client: Any, run: Any, found: bool) -> None:
        """Log what made the run; to a run found only what it lacks, as parameters cannot change."""
        asked, run_id = self._asked, run.info.run_id
        parameters = _labels(_flat(asked.parameters), LONGEST_PARAMETER)
        tags = asked.tags_of_run(*self._commit) if asked.training else _labels(asked.tags or {}, LONGEST_TAG)
        self._label(client, run_id, {name: parameters[name] for name in parameters if name not in run.data.params},
                    tags if found else {})
        if asked.dataset and asked.dataset.get("name"):
            self._call(client.log_inputs, run_id, datasets=[_dataset_input(asked.dataset)])
        if found and not asked.training:
            return
        if asked.parameters:  # whole, and nested as in params.yaml
            self._attach(client, run_id, lambda client, run_id: client.log_text(
                run_id, json.dumps(asked.parameters, indent=2, default=str), "parameters.json"))
        lock = Path("requirements.lock")
        if lock.is_file():
            self._attach(client, run_id, lambda client, run_id: client.log_artifact(run_id, str(lock), "environment"))

    def _label(self, client: Any, run_id: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag
        for batch in _batches(list(parameters.items()), LABELS_PER_BATCH):
            self._call(client.log_batch, run_id, params=[Param(*pair) for pair in batch])
        for batch in _batches(list(tags.items()), LABELS_PER_BATCH):
            self._call(client.log_batch, run_id, tags=[RunTag(*pair) for pair in batch])

    def _logged(self, client: Any, run: Any) -> dict[str, set[int]]:
        """The steps at which a run has a value, by metric."""
        return {name: {point.step for point in self._call(client.get_metric_history, run.info.run_id, name)}
                for name in run.data.metrics}

    def _send(self, client: Any, run_id: str, logged: Mapping[str, set[int]]) -> bool:
        """Wait for something to send and send it; False when it was the last."""
        from mlflow.entities import Metric
        with self._changed:
            self._changed.wait_for(lambda: self._points or self._files or self._status or self._abandoned)
            self._changed.wait_for(lambda: self._status or self._abandoned, timeout=SECONDS_BETWEEN_BATCHES)
            points, self._points = self._points, []
            files, self._files = self._files, []
            last = self._status is not None
        new = [Metric(*point) for point in points if point.step not in logged.get(point.name, ())]
        for some in _batches(new, POINTS_PER_BATCH):
            self._call(client.log_batch, run_id, metrics=some)
        for job in files:
            self._attach(client, run_id, job)
        return not last

    def _attach(self, client: Any, run_id: str, job: Job) -> None:
        """Send a file. Where only the place for files is out of order, metrics go on."""
        try:
            self._call(job, client, run_id)
        except _Abandoned:
            raise
        except Exception as error:
            if _is_server(self._store) and _is_silence(error):
                raise
            if not self._files_failed:
                self._files_failed = True
                _say(f"MLflow: some files could not be stored ({_reason(error)}); going on, results are not affected")


def _track(asked: _Asked) -> Tracker:
    try:
        store = store_uri()
        if os.environ.get("GAN_TRACKING", "").strip().lower() in ("off", "no", "false", "0") or store in _given_up:
            return Tracker(None)
        _prepare_environment()
        worker = _Worker(asked, store, artifact_location())
        worker.start()
    except Exception as error:
        _give_up("tracking", _reason(error))
        return Tracker(None)
    return Tracker(worker)


def _prepare_environment() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _connect(store: str) -> Any:
    """MLflow's client for a store; raises soon where a database cannot be used."""
    with _importing:
        from mlflow import MlflowClient
        database = _sqlite_file(store)
        if database is not None:
            _prepare_database(database, MlflowClient)
        return MlflowClient(tracking_uri=store)


def _probe(server: str) -> None:
    """Raise unless something there speaks HTTP, whatever it says: sooner than MLflow, which tries more than once."""
    request = urllib.request.Request(f"{_without_password(server).rstrip('/')}/health")
    try:
        urllib.request.urlopen(request, timeout=_timeout_and_retries()[0]).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # MLflow may know the certificate, or not care
            raise


def _prepare_database(path: Path, client: Callable[..., Any]) -> None:
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


def _is_server(store: str) -> bool:
    return store.startswith(("http://", "https://"))


def _sqlite_file(store: str) -> Path | None:
    """The file of an SQLite store; None for other stores."""
    scheme, found, path = store.partition(":///")
    path = path.partition("?")[0]
    return Path(path).absolute() if found and scheme.partition("+")[0] == "sqlite" and path else None


def _patience(store: str) -> float:
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


def _give_up(store: str, reason: str) -> None:
    """Say once in this process that a store is out of reach."""
    with _speaking:
        if store in _given_up:
            return
        _given_up.add(store)
    state = "not reachable" if _is_server(store) else "not usable"
    _say(f"MLflow: {_without_password(store)} {state} ({reason}); going on without it, results are not affected")


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)  # keeps clear of a progress bar
    sys.stderr.flush()


def _without_password(store: str) -> str:
    return re.sub(r"//[^/@]*@", "//", store)


def _errors(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_silence(error: BaseException) -> bool:
    """Whether it was the connection that failed, not what was asked for."""
    import requests
    return any(isinstance(one, requests.ConnectionError | requests.Timeout | ConnectionError | TimeoutError)
               for one in _errors(error))


def _reason(error: BaseException) -> str:
    """An error in a few words."""
    texts = [str(one) for one in _errors(error)]
    if any("timed out" in text for text in texts):
        return "no answer in time"
    if any("Connection refused" in text for text in texts):
        return "connection refused"
    if any(re.search("database schema|Can't locate revision", text) for text in texts):
        return "made by another version of MLflow; if that was an older one, `mlflow db upgrade` helps"
    first = next((line for line in texts[0].splitlines() if line.strip()), type(error).__name__)
    first = re.sub(r"^(\(\w+\.\w+\)|\[Errno -?\d+\]|<urlopen error( \[Errno -?\d+\])?) ", "", first).rstrip(">")
    return textwrap.shorten(first, 200, placeholder=" …")


def _finite(values: Mapping[str, float | None]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if value is not None and math.isfinite(number := float(value)):
                yield name, number


def _flat(values: Any, prefix: str = "") -> dict[str, str]:
    """Nested mappings with dotted names, all else as text: {"a": {"b": [1, None]}} gives {"a.b": "[1, null]"}."""
    flat: dict[str, str] = {}
    for name, value in (values or {}).items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(
                value, ensure_ascii=False, default=str)
    return flat


def _labels(values: Mapping[str, Any], longest: int) -> dict[str, str]:
    """Names and values that MLflow admits; two names that become the same get different ones. None is left out."""
    labels: dict[str, str] = {}
    for name, value in values.items():
        if value is not None:
            admitted = _name(str(name))
            while admitted in labels:
                admitted = f"{admitted[:LONGEST_NAME - 1]}_"
            labels[admitted] = _text(json.dumps(value) if isinstance(value, bool) else str(value), longest)
    return labels


def _name(name: str) -> str:
    """The name in the characters and the length that MLflow admits: letters, digits, spaces and `_ - . /`, no part of
    a path empty or leading upwards."""
    parts = re.sub(r"[^\w\-. /]", "_", name).split("/")
    admitted = "/".join(part for part in parts if part not in ("", ".", "..")) or "_"
    if admitted.startswith(".."):
        admitted = f"_{admitted[1:]}"
    if len(admitted) > LONGEST_NAME:
        digest = hashlib.sha256(_text(name).encode()).hexdigest()[:10]
        admitted = f"{admitted[:LONGEST_NAME - 11]}-{digest}"
    return admitted


def _text(value: str, longest: int = sys.maxsize) -> str:
    """The text without what databases refuse (halves of characters, NUL), cut to a length."""
    text = value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= longest else f"{text[:longest - 1]}…"


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for begin in range(0, len(items), size):
        yield items[begin:begin + size]


def _dataset_input(dataset: Mapping[str, str]) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    name, digest = _text(dataset["name"], LONGEST_DATASET_NAME), _text(dataset.get("digest", ""))
    source = json.dumps({"sha256": digest})  # MLflow's own field for the digest is too short for it
    return DatasetInput(Dataset(name, digest[:LONGEST_DATASET_DIGEST], "local", source),
                        [InputTag("mlflow.data.context", "training")])


def _workplace() -> str:
    """Tells this folder on this machine from others, without naming either."""
    return hashlib.sha256(f"{platform.node()}:{Path.cwd()}".encode(errors="replace")).hexdigest()[:12]


def _program() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else Path(sys.argv[0]).name


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return None


def main(*words: str) -> None:
    """`ui [port]`: show the store in a browser, from this machine only."""
    if words[:1] != ("ui",) or len(words) > 2 or not all(re.fullmatch("[0-9]{1,5}", port) for port in words[1:]):
        raise ReproductionError("python -m pipeline.tracking ui [port]", expected="ui and, if wanted, a port",
                                found=" ".join(words) or "nothing", remedy="for instance: ui 5001")
    ui(int(words[1]) if len(words) == 2 else 5000)


def ui(port: int) -> None:
    """Replace this process by MLflow's server on 127.0.0.1; ReproductionError if that cannot be."""
    store = store_uri()
    if _is_server(store):
        print(f"runs are logged to a server: open {_without_password(store)} in a browser")
        return
    if not _is_free(port):
        raise ReproductionError(f"port {port} is in use", expected="a free port on 127.0.0.1",
                                found=f"a program that listens there, perhaps this same UI: http://127.0.0.1:{port}",
                                remedy=f"stop it, or take another port: python -m pipeline.tracking ui {port + 1}")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # a server may speak
    _prepare_environment()
    try:
        _connect(store)
    except Exception as error:
        raise ReproductionError(f"MLflow cannot open {_without_password(store)}", expected="a database it can use",
                                found=_reason(error), remedy="mend or remove it; it holds logs, no results") from error
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # nothing here needs its helper processes
    print(f"MLflow: http://127.0.0.1:{port} shows {_without_password(store)}; Ctrl-C ends it", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
                              "--backend-store-uri", store, "--default-artifact-root", str(artifact_location()),
                              "--workers", "1", "--uvicorn-opts", "--log-level warning"])


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


if __name__ == "__main__":
    stage.run(main)
