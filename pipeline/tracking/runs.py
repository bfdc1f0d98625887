"""Live logging to MLflow: a run for each seed below a run for the experiment, that no result waits for or depends on.

Everything that touches MLflow, its import included, happens in a background thread per run; what a stage logs is kept
in memory and sent in batches. At the first failure the thread says so in one line and ends, and from then on this
process logs nothing more to that store: the stage goes on as if nothing were.

>>> with runs.start("mnist", seed=1, inputs=digest, profile="cpu", parameters=settings) as tracker:
...     tracker.metrics({"discriminator_loss": .3}, step=epoch)

Environment: MLFLOW_TRACKING_URI names a server or another database than `mlflow.db` in the checkout,
MLFLOW_EXPERIMENT_NAME another heading than ours, and GAN_TRACKING=off turns it all off.
`python -m pipeline ui [port]` shows the store in a browser.
"""

from __future__ import annotations

import dataclasses
import getpass
import hashlib
import itertools
import json
import math
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pipeline.runtime import git, machine, run_log
from pipeline.runtime.checkout import asking_checkout
from pipeline.tracking import changes, heading, logged_model, media, untrained
from pipeline.tracking import store as stores
from pipeline.tracking.heading import NOTE as NOTE  # for the stages that describe a run
from pipeline.tracking.names import (
    LONGEST_PARAMETER,
    LONGEST_TAG,
    Point,
    as_name,
    as_text,
    batches,
    flat,
    labels,
    points,
)

if TYPE_CHECKING:
    import torch

    from gan.datasets.dataset import Dataset

PARENT, CHANGED, GROUP, START = "mlflow.parentRunId", "gan.changed", "gan.group", "gan.start"

SECONDS_BETWEEN_BATCHES = 2.0
# How long `finish` waits for all that is left to send, beside what large files are granted.
TOTAL_PATIENCE = {"FINISHED": 60.0, "FAILED": 60.0, "KILLED": 10.0}
SLOWEST_UPLOAD = 5e6  # bytes per second

SHORTEST_READING = 1.0  # seconds; the processor's load over less says nothing

LABELS_PER_BATCH, POINTS_PER_BATCH = 100, 1000

Status = Literal["FINISHED", "FAILED", "KILLED"]
T = TypeVar("T")


def start(experiment: str, seed: int, inputs: str, *, profile: str = "",
          parameters: Mapping[str, Any] | None = None, tags: Mapping[str, Any] | None = None,
          dataset: Mapping[str, Any] | None = None, hardware: Mapping[str, Any] | None = None,
          attempt: int = 1) -> Tracker:
    """The run of a training: a new one, or the one of the same inputs that was interrupted or failed.

    `inputs` is the digest of everything the stage reads, `parameters` may be nested, `dataset` comes from `describe`
    (a `name` and a `digest` will do), `hardware` from `machine.hardware`. `attempt` counts the starts of the seed,
    which have a run each. Points and pictures that an interrupted run has are not logged twice. Returns at once and
    never raises.
    """
    return _track(_Asked(experiment, seed, inputs, profile, parameters, tags, dataset, hardware, training=True,
                         attempt=attempt))


def resume(experiment: str, seed: int | None, inputs: str, *, profile: str = "",
           parameters: Mapping[str, Any] | None = None, tags: Mapping[str, Any] | None = None,
           dataset: Mapping[str, Any] | None = None, hardware: Mapping[str, Any] | None = None) -> Tracker:
    """The run that the training on these inputs made, in whatever state it was left, for a later stage to add to.

    `seed` None means the run that holds those of all seeds. Where there is none (DVC took the training from its cache)
    a new one, described by the arguments as in `start`. Returns at once and never raises.
    """
    return _track(_Asked(experiment, seed, inputs, profile, parameters, tags, dataset, hardware, training=False))


def describe(file: Path) -> dict[str, Any]:
    """The prepared data set in `file` as `start` and `resume` take it."""
    return media.describe(file)


class Tracker:
    """A run being logged. Methods return at once, but for `finish`, and none raises.

    Leaving it as a context manager finishes it: FINISHED, FAILED after an error, KILLED after Ctrl-C or SIGTERM.
    """

    def __init__(self, worker: _Worker | None) -> None:
        self._worker = worker
        self._has_begun = False

    @property
    def active(self) -> bool:
        """Whether anything that is logged now has a chance to arrive."""
        return self._worker is not None and self._worker.open

    def metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Log values at a step (an epoch). None and values that are not finite are left out: no chart can show them,
        and stores differ in what they make of them."""
        if self._worker is not None:
            self._worker.add(points=points(values, step, int(time.time() * 1000)))

    def picture(self, name: str, samples: torch.Tensor, dataset: Dataset, step: int) -> None:
        """Log samples [n, d] in the data set's scale, on the CPU, as one picture of a series `<what>_<variant>`: one
        for each step.

        Before the first come those of the model untrained, at step 0, where MLflow's cards of pictures open.
        """
        if self._worker is not None and not self._has_begun:
            self._has_begun = True
            what = name.rpartition("_")[0]
            asked = self._worker.asked
            for variant, first in untrained.samples(asked.parameters or {}, asked.seed or 0, dataset, len(samples),
                                                    asked.attempt):
                self._picture(f"{what}_{variant}", first, dataset, 0)
        self._picture(name, samples, dataset, int(step))

    def _picture(self, name: str, samples: torch.Tensor, dataset: Dataset, step: int) -> None:
        key = re.sub(r"[^a-zA-Z0-9_\-. ]", "_", as_name(name))
        self._add(lambda client, run_id: client.log_image(
            run_id, media.picture(samples, dataset), key=key, step=step, synchronous=True), (key, step))

    def figure(self, path: Path | str) -> None:
        """Attach a picture, in the folder `figures`. The file has to stay until `finish`."""
        self.artifact(path, "figures")

    def artifact(self, path: Path | str, folder: str = "") -> None:
        """Attach a file, in `folder`. The file has to stay until `finish`."""
        source, target = str(Path(path).absolute()), as_name(folder) if folder else None
        self._add(lambda client, run_id: client.log_artifact(run_id, source, target))

    def text(self, name: str, content: str) -> None:
        """Attach a text, as a file of this name, which may have folders."""
        self._add(lambda client, run_id: client.log_text(run_id, as_text(content), as_name(name)))

    def generator(self, generator: logged_model.GeneratorFiles, scores: Mapping[str, float | None]) -> None:
        """Attach a generator as an MLflow model that draws samples, with its scores, and register it. Its files have to
        stay until `finish`."""
        self._add(lambda client, run_id: logged_model.log(client, run_id, generator, scores),
                  seconds=generator.size / SLOWEST_UPLOAD)

    def model_metrics(self, values: Mapping[str, float | None]) -> None:
        """Add metrics to the generator that the run has, if any, so that models can be sorted by them."""
        known = {point.name: point.value for point in points(values, 0, 0)}
        self._add(lambda client, run_id: logged_model.log_metrics(client, run_id, known))

    def show(self, picture: str) -> None:
        """Have the run's description show a picture that was attached to it, by its path there; not in place of a
        description that a reader wrote."""
        if (worker := self._worker) is not None:
            self._add(lambda client, run_id: worker.show(client, run_id, picture))

    def finish(self, status: Status = "FINISHED") -> None:
        """Send what is left and end the run; waits for it, within bounds. A second call does nothing."""
        if self._worker is not None:
            self._worker.finish(status)

    def _add(self, send: Callable[[Any, str], object], picture: tuple[str, int] | None = None,
             seconds: float = 0.0) -> None:
        if self._worker is not None:
            self._worker.add(files=[_File(send, picture, seconds)])

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.finish("FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED")


class _File(NamedTuple):
    """Something to attach: `send` takes MLflow's client and the id of the run."""

    send: Callable[[Any, str], object]
    picture: tuple[str, int] | None
    """name and step of one in a series"""
    seconds: float
    """that it may take, beside what every call may"""


@dataclass(frozen=True)
class _Asked:
    """What a stage says of the run it wants."""

    experiment: str
    seed: int | None
    """None for the run that holds those of the seeds"""
    inputs: str
    profile: str
    parameters: Mapping[str, Any] | None
    tags: Mapping[str, Any] | None
    dataset: Mapping[str, Any] | None
    hardware: Mapping[str, Any] | None
    training: bool
    attempt: int = 1

    @property
    def parent(self) -> _Asked:
        return dataclasses.replace(self, seed=None, attempt=1)

    @property
    def key(self) -> str:
        """Finds the run again: plain hexadecimal, whatever the names, as filters know no escapes."""
        return hashlib.sha256(json.dumps([self.experiment, self.seed, self.inputs]).encode()).hexdigest()

    @property
    def group(self) -> str:
        """Finds the runs of the same experiment and profile; as `key`."""
        return hashlib.sha256(json.dumps([self.experiment, self.profile]).encode()).hexdigest()[:32]

    def name(self, changed: str) -> str:
        """`changed`: in what the run differs from others of its experiment and profile. The seed comes first: MLflow's
        list cuts names after some twenty letters."""
        seed = "" if self.seed is None else f"seed {self.seed}" + (
            f", start {self.attempt}" if self.attempt > 1 else "")
        return as_text(" · ".join(filter(None, (seed, self.experiment, self.profile, changed))), LONGEST_PARAMETER)

    @property
    def note(self) -> str:
        """Where the run's results are, in Markdown."""
        experiment, profile = (re.sub(r"[`\s]+", " ", each) for each in (self.experiment, self.profile or "–"))
        of = f"experiment `{experiment}`, profile `{profile}`"
        page = f"the page `reports/index.html`, section `#experiment-{experiment}`"
        if self.seed is None:
            return (f"All seeds of {of}. Results: {page}. Attached are its parameters, figures in the folder "
                    "`figures`, and for adversarial nets a generator to sample from.")
        return (f"Seed {self.seed} of {of}. Results: {page}. Model metrics has the curves by epoch and, where there "
                "are epochs, samples of the same noise at each look at validation images, at step 0 those of the "
                "untrained model. Parameters and figures are with the run above, which holds those of all seeds.")

    def tags_of_run(self, commit: str, clean: bool, changed: str = "") -> dict[str, str]:
        dataset, hardware = self.dataset or {}, self.hardware or {}
        values = {
            "gan.key": self.key, "gan.experiment": self.experiment, "gan.seed": self.seed, "gan.profile": self.profile,
            START: self.attempt if self.attempt > 1 else None,
            "gan.inputs": self.inputs, "gan.workplace": _workplace(), GROUP: self.group, CHANGED: changed or None,
            "gan.dataset": dataset.get("name"), "gan.dataset_digest": dataset.get("digest"),
            "gan.commit": commit or None, "gan.commit_clean": clean if commit else None, NOTE: self.note,
            "mlflow.source.git.commit": commit or None,
            "mlflow.source.name": _program(), "mlflow.source.type": "LOCAL", "mlflow.user": _user(),
            "gan.machine": machine.describe(hardware) if hardware else None,
        }
        values |= {f"hardware.{name}": value for name, value in hardware.items()}
        return labels(values | dict(self.tags or {}), LONGEST_TAG)


class _Abandoned(Exception):
    """Nobody waits for this thread any more."""


class _Worker(threading.Thread):
    """The background thread of one run. `add` and `finish` are called from outside, all else runs within."""

    def __init__(self, asked: _Asked, store: str, artifacts: str | None) -> None:
        super().__init__(name=f"mlflow {asked.experiment} {asked.seed}", daemon=True)
        self.asked, self._store, self._artifacts = asked, store, artifacts
        self._commit = git.commit()  # now: the code may be edited while it runs
        self._changed = threading.Condition()
        self._points: list[Point] = []
        self._files: list[_File] = []
        self._status: Status | None = None
        self._abandoned = self._files_failed = False
        self._deadline = math.inf  # when the step at work should have ended
        self._granted = 0.0  # seconds for large files
        self._meter: media.Meter | None = None

    @property
    def open(self) -> bool:
        return self._status is None and not self._abandoned and self.is_alive()

    def show(self, client: Any, run_id: str, picture: str) -> None:
        """See `Tracker.show`."""
        if client.get_run(run_id).data.tags.get(NOTE) == self.asked.note:
            client.set_tag(run_id, NOTE, f"{self.asked.note}\n\n{media.markdown(run_id, picture)}")

    def add(self, points: Sequence[Point] = (), files: Sequence[_File] = ()) -> None:
        with self._changed:
            if self.open:
                self._points += points
                self._files += files
                self._granted += sum(file.seconds for file in files)
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
            if now > self._deadline or now - started > TOTAL_PATIENCE[status] + self._granted:
                self._abandoned = True
                stores.give_up(self._store, "no answer for too long")
                return

    def run(self) -> None:
        try:
            if stores.is_server(self._store):
                self._call(stores.probe, self._store)
            client = self._step(stores.LOCAL_PATIENCE, stores.connect, self._store)
            self._log(client)
        except _Abandoned:
            pass
        except Exception as error:
            self._abandoned = True
            stores.give_up(self._store, stores.reason(error))

    def _log(self, client: Any) -> None:
        asked = self.asked
        parent, held = (None, False) if asked.seed is None else self._enter(client, asked.parent)
        run, found = self._enter(client, asked, parent)
        opened = [] if found and run.info.status == "FINISHED" else [run.info.run_id]
        if parent is not None:
            if asked.training or PARENT not in run.data.tags:
                self._call(client.set_tag, run.info.run_id, PARENT, parent.info.run_id)
            opened += [] if held and not asked.training else [parent.info.run_id]
            self._record(run, parent)
        logged = self._logged(client, run) if found and asked.training else {}
        if asked.training:
            self._start_meter(run.info.run_id, logged)
        while self._send(client, run.info.run_id, logged):
            pass
        for run_id in opened:
            self._call(client.set_terminated, run_id, self._status)

    def _step(self, seconds: float, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        if self._abandoned:
            raise _Abandoned
        self._deadline = time.monotonic() + seconds
        try:
            return function(*arguments, **named)
        finally:
            self._deadline = math.inf

    def _call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return self._step(stores.patience(self._store), function, *arguments, **named)

    def _enter(self, client: Any, asked: _Asked, parent: Any = None) -> tuple[Any, bool]:
        """The run to log to, described, and whether it was there before. `parent` is the one that it is below."""
        experiment_id = heading.find_or_create(client, self._artifacts, self._call)
        runs = self._call(client.search_runs, [experiment_id], f"tags.`gan.key` = '{asked.key}'",
                          order_by=["attributes.start_time DESC"])
        here = [run for run in runs if run.data.tags.get("gan.workplace") == _workplace()]
        if asked.training:
            # In a store that others share an unfinished run from elsewhere may well be at work.
            mine = here if stores.is_shared(self._store) else runs
            candidates = [run for run in mine if asked.seed is None or (
                run.info.status != "FINISHED" and run.data.tags.get(START, "1") == str(asked.attempt))]
        else:
            candidates = here + list(runs)
        if candidates:
            run, found = candidates[0], True
            if asked.training:
                self._call(client.update_run, run.info.run_id, status="RUNNING")
        else:
            changed = self._changed_in(client, experiment_id, asked) if parent is None else parent.data.tags.get(
                CHANGED, "")
            tags = asked.tags_of_run(*self._commit, changed)
            run, found = self._call(client.create_run, experiment_id, tags=tags, run_name=asked.name(changed)), False
        self._describe(client, asked, run, found)
        return run, found

    def _changed_in(self, client: Any, experiment_id: str, asked: _Asked) -> str:
        """In what a new run differs from the experiment as it was committed, and from runs that would have its name."""
        changed = changes.from_commit(asked.experiment, asked.profile, asked.parameters or {})
        others = self._call(client.search_runs, [experiment_id], f"tags.`{GROUP}` = '{asked.group}'",
                            order_by=["attributes.start_time ASC"])
        named = {run.info.run_name: run for run in others if "gan.seed" not in run.data.tags}
        alike = named.get(asked.name(changed))
        if alike is None or alike.data.tags.get("gan.inputs") == asked.inputs:
            return changed
        more = changes.between(alike.data.params, labels(flat(asked.parameters), LONGEST_PARAMETER))
        commit = self._commit[0]
        if not more and commit and commit != alike.data.tags.get("gan.commit"):
            more = f"commit {commit[:7]}"
        numbered = (", ".join(filter(None, (changed, more, f"run {k}" if k > 1 else ""))) for k in itertools.count(1))
        return next(each for each in numbered if asked.name(each) not in named)

    def _describe(self, client: Any, asked: _Asked, run: Any, found: bool) -> None:
        """Log what made the run; to a run found only what it lacks, as parameters cannot change."""
        run_id = run.info.run_id
        # Parameters are with the run that holds the seeds' alone: on every seed's they would fill the list.
        parameters = labels(flat(asked.parameters), LONGEST_PARAMETER) if asked.seed is None else {}
        tags = asked.tags_of_run(*self._commit) if asked.training else labels(asked.tags or {}, LONGEST_TAG)
        if NOTE in run.data.tags:  # a reader may have written another
            tags.pop(NOTE, None)
        self._label(client, run_id, {name: parameters[name] for name in parameters if name not in run.data.params},
                    tags if found else {})
        if asked.dataset and asked.dataset.get("name"):
            self._call(client.log_inputs, run_id, datasets=[media.dataset_input(asked.dataset)])
        if asked.seed is not None or (found and not asked.training):
            return
        if asked.parameters:  # whole, and nested as in params.yaml
            self._attach(client, run_id, lambda client, run_id: client.log_text(
                run_id, json.dumps(asked.parameters, indent=2, default=str), "parameters.json"))
        lock = Path("requirements.lock")
        if lock.is_file():
            self._attach(client, run_id, lambda client, run_id: client.log_artifact(run_id, str(lock), "environment"))

    def _label(self, client: Any, run_id: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Param, RunTag
        for batch in batches(list(parameters.items()), LABELS_PER_BATCH):
            self._call(client.log_batch, run_id, params=[Param(*pair) for pair in batch])
        for batch in batches(list(tags.items()), LABELS_PER_BATCH):
            self._call(client.log_batch, run_id, tags=[RunTag(*pair) for pair in batch])

    def _record(self, run: Any, parent: Any) -> None:
        """Keep where the run is, for the report to name."""
        asked, place = self.asked, run.info.experiment_id
        run_log.record("runs", f"{asked.experiment}-seed-{asked.seed}", {
            "experiment": asked.experiment, "seed": asked.seed, "inputs": asked.inputs,
            "run_id": run.info.run_id, "run_name": run.info.run_name, "experiment_id": place,
            "store": stores.shown(self._store), "url": stores.page(self._store, place, run.info.run_id),
            "parent_run_id": parent.info.run_id, "parent_url": stores.page(self._store, place, parent.info.run_id)})

    def _logged(self, client: Any, run: Any) -> dict[str, set[int]]:
        """The steps at which a run has a value or a picture, by name."""
        logged = {name: {point.step for point in self._call(client.get_metric_history, run.info.run_id, name)}
                  for name in run.data.metrics}
        if "mlflow.loggedImages" in run.data.tags:
            for file in self._call(client.list_artifacts, run.info.run_id, "images"):
                series = re.search(r"([^/]*)\+step\+(\d+)\+.*\.png$", file.path)
                if series:
                    logged.setdefault(series[1], set()).add(int(series[2]))
        return logged

    def _start_meter(self, run_id: str, logged: Mapping[str, set[int]]) -> None:
        steps = [step for name, of_name in logged.items() if name.startswith("system/") for step in of_name]
        try:
            self._meter = media.Meter(run_id, self._store, max(steps, default=-1) + 1)
        except Exception as error:  # a system that does not tell
            stores.say(f"MLflow: no readings of the machine ({stores.reason(error)}); results are not affected")

    def _send(self, client: Any, run_id: str, logged: Mapping[str, set[int]]) -> bool:
        """Wait for something to send and send it; False when it was the last."""
        from mlflow.entities import Metric
        meter = self._meter
        with self._changed:
            self._changed.wait_for(lambda: self._points or self._files or self._status or self._abandoned,
                                   timeout=meter.seconds_left if meter else None)
            self._changed.wait_for(lambda: self._status or self._abandoned, timeout=SECONDS_BETWEEN_BATCHES)
            points, self._points = self._points, []
            files, self._files = self._files, []
            last = self._status is not None
        if meter is not None and (meter.seconds_left == 0 or (last and meter.seconds_since >= SHORTEST_READING)):
            points += meter.read()
        new = [Metric(*point) for point in points if point.step not in logged.get(point.name, ())]
        for some in batches(new, POINTS_PER_BATCH):
            self._call(client.log_batch, run_id, metrics=some)
        for file in files:
            if file.picture is None or file.picture[1] not in logged.get(file.picture[0], ()):
                self._attach(client, run_id, file.send, file.seconds)
        return not last

    def _attach(self, client: Any, run_id: str, send: Callable[[Any, str], object], seconds: float = 0.0) -> None:
        """Send a file. Where only the place for files is out of order, metrics go on."""
        try:
            self._step(stores.patience(self._store) + seconds, send, client, run_id)
        except _Abandoned:
            raise
        except Exception as error:
            if stores.is_server(self._store) and stores.is_silence(error):
                raise
            if not self._files_failed:
                self._files_failed = True
                stores.say(f"MLflow: some files could not be stored ({stores.reason(error)}); going on, results are "
                           "not affected")


def _track(asked: _Asked) -> Tracker:
    try:
        store = stores.store_uri()
        off = os.environ.get("GAN_TRACKING", "").strip().lower() in ("off", "no", "false", "0")
        if off or store in stores.given_up:
            return Tracker(None)
        stores.prepare_environment()
        worker = _Worker(asked, store, stores.artifact_location())
        worker.start()
    except Exception as error:
        stores.give_up("tracking", stores.reason(error))
        return Tracker(None)
    return Tracker(worker)


def _workplace() -> str:
    """Tells this checkout on this machine from others, without naming either."""
    return hashlib.sha256(f"{platform.node()}:{asking_checkout()}".encode(errors="replace")).hexdigest()[:12]


def _program() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else Path(sys.argv[0]).name


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return None
