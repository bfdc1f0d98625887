"""Submit what is ready, see what becomes of it, take in what is done, until nothing is left; see `pipeline.cluster`."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from dvc.exceptions import DvcException

from gan.errors import ReproductionError
from pipeline.cluster import FOLDER
from pipeline.cluster.executors import Executor, Local, NoAnswer
from pipeline.cluster.graph import Graph
from pipeline.cluster.task import LOG, SETTINGS, STARTED, Outcome, Task
from pipeline.cluster.times import Times
from pipeline.cluster.watch import Line, Watch
from pipeline.runtime import files, git, process, run_log

JOB, HISTORY = "job.json", "history.jsonl"
SECONDS_BETWEEN_LOOKS = 1.0
JOBS_A_LOOK = 200
"""of which outcomes are looked for each second: file systems that machines share are slow"""
SECONDS_FOR_AN_OUTCOME = 10.0
"""after the end of a job: file systems that machines share show a file late"""
TAIL = 15
"""lines of a log that are shown"""

Status = Literal["waiting", "seeds", "ready", "submitted", "done", "failed", "left out", "here"]


@dataclass(eq=False)
class Work:
    """One graph to be done: this checkout's, or that of a point of a sweep."""

    graph: Graph
    label: str
    """"" for this checkout"""
    commit: str
    settings: Mapping[str, bytes]
    """the content of params.yaml and plan.yaml"""
    seeds: Mapping[str, Sequence[int]]
    """of the trainings that are split: stage, seeds"""
    checkpoints: Path
    targets: set[str]
    """stages that workers are to do"""
    soon: Collection[str] = ()
    """stages that go before others, however long those take"""
    status: dict[str, Status] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """DVC's, of stages that are not done and of which all that they need is"""

    def __post_init__(self) -> None:
        self.status = {name: "waiting" if name in self.targets else "here" for name in self.graph}

    def called(self, stage: str) -> str:
        return f"{self.label}: {stage}" if self.label else stage

    def names(self, status: Status) -> list[str]:
        return [name for name, each in self.status.items() if each == status]


class Wanted(NamedTuple):
    """What could be submitted now: a stage, or one seed of it."""

    work: Work
    stage: str
    seed: int | None
    key: str


@dataclass(eq=False)
class Job:
    """A task that was submitted."""

    work: Work
    task: Task
    folder: Path
    executor: Executor
    number: str
    slot: int | None
    submitted: float
    ended: float | None = None
    """since when the executor says so, without an outcome"""
    ended_as: str = ""


@dataclass(frozen=True)
class Options:
    """How tasks are run, whatever runs them."""

    data: Literal["remote", "cache"] = "remote"
    retries: int = 3
    threads: int = 1
    scratch: str = ""
    keep: bool = False
    """whether clones of this checkout stay in `scratch` from task to task"""
    environment: Mapping[str, str] = field(default_factory=dict)


class Follower(Protocol):
    """Is told of the stages of this checkout."""

    def done(self, stage: str, now: bool) -> str:
        """`stage` is done, and its outputs are here: `now`, by a worker, or before. What is to be said of it."""

    def ended(self, undone: Collection[str]) -> None:
        """All that could be done is, and DVC comes next; `undone` have failed, or need one that has."""


class Coordinator:
    """Does `works` by `executor`; stages that need the network by `beside`, which runs here."""

    def __init__(self, works: Sequence[Work], executor: Executor, beside: Local, options: Options, times: Times,
                 watch: Watch, folder: Path = FOLDER, follower: Follower | None = None) -> None:
        self.works, self.options, self.times, self.watch = works, options, times, watch
        self._executors = {executor.name: executor, "here": beside}
        self._main, self._beside = executor, beside
        self._folder = folder.absolute()
        self._jobs: list[Job] = []
        self._attempts: dict[tuple[str, str, int | None], int] = {}
        self._seeds_done: set[str] = set()
        self._began = time.monotonic()
        self._commit, self._settings = git.git("rev-parse", "HEAD"), settings_of(Path())
        self._follower = follower
        self._asked: dict[str, float] = {}
        self._silent = False
        self.restarted = 0
        self.finished = 0

    # The loop.

    def run(self) -> None:
        """Until every stage that workers can do is done, or has failed, or needs one that has."""
        self._find_earlier()
        try:
            changed = True
            while True:
                if changed:
                    self._advance()
                    self._submit()
                if not self._jobs:
                    break
                self._show()
                time.sleep(self._seconds_between_looks() * max(1.0, len(self._jobs) / JOBS_A_LOOK))
                changed = self._look()
        except BaseException:
            self._leave()
            raise
        self._show()

    def _seconds_between_looks(self) -> float:
        return SECONDS_BETWEEN_LOOKS if self._main.seconds_between else SECONDS_BETWEEN_LOOKS / 5

    def _leave(self) -> None:
        """What runs on a cluster goes on; processes of this machine end, and trainings keep their state. A second
        Ctrl-C ends them at once."""
        here = [job for job in self._jobs if isinstance(job.executor, Local)]
        for job in here:
            job.executor.cancel([job.number])
        until = time.monotonic() + 30
        try:
            while time.monotonic() < until and any(
                    job.executor.states([job.number])[job.number].state == "running" for job in here):
                time.sleep(0.2)
        except BaseException:  # a second Ctrl-C
            for job in here:
                if isinstance(job.executor, Local):
                    job.executor.kill([job.number])
            raise
        there = [job.number for job in self._jobs if job not in here]
        if there:
            self.watch.say(f"{len(there)} job{'s' if len(there) != 1 else ''} of the cluster go on; the same command "
                           "takes up their results, `make cancel` ends them")

    def _advance(self) -> None:
        """Find out what is done, and what can be by now."""
        for work in self.works:
            for name in work.graph:
                if work.status[name] not in ("waiting", "seeds"):
                    continue
                needs = {work.status[need] for need in work.graph.needs[name]}
                if needs & {"failed", "left out"}:
                    work.status[name] = "left out"
                elif needs <= {"done"}:
                    self._judge(work, name)

    def _judge(self, work: Work, name: str) -> None:
        """Of a stage of which all that it needs is done."""
        try:
            if work.graph.settle(name):
                self._done(work, name, now=False)
            else:
                work.keys[name] = work.graph.key(name)
                work.status[name] = "seeds" if self._seeds_left(work, name) else "ready"
        except (DvcException, OSError, ReproductionError) as error:
            self._fail(work, name, str(error))

    def _seeds_left(self, work: Work, name: str) -> list[int]:
        return [seed for seed in work.seeds.get(name, ()) if _seed_key(work.keys[name], seed) not in self._seeds_done]

    # Submitting.

    def _submit(self) -> None:
        """All that is ready, as far as there are slots, what the rest waits for longest first."""
        running = {job.task.key for job in self._jobs}
        wanted: dict[str, Wanted] = {}  # what several graphs have in common, once
        for each in self._wanted():
            if each.key not in running:
                wanted.setdefault(each.key, each)
        ranked = sorted(wanted.values(), key=lambda each: (each.stage not in each.work.soon,
                                                           -self.times.path(each.work.graph, each.stage)))
        for executor in dict.fromkeys((self._main, self._beside)):
            mine = [each for each in ranked if self._executor(each.stage) is executor]
            free = self._free(executor)
            chosen = mine if free is None else mine[:len(free)]
            if chosen:
                self._start(executor, chosen, [0] * len(chosen) if free is None else free[:len(chosen)])

    def _wanted(self) -> Iterator[Wanted]:
        for work in self.works:
            for name in work.names("seeds"):
                for seed in self._seeds_left(work, name):
                    yield Wanted(work, name, seed, _seed_key(work.keys[name], seed))
            for name in work.names("ready"):
                yield Wanted(work, name, None, work.keys[name])

    def _task(self, wanted: Wanted) -> Task:
        work, name, seed, key = wanted
        attempt = self._attempts.get((work.label, name, seed), 0) + 1
        return Task(name, seed, attempt, key, str(work.graph.root), work.commit, work.graph.inputs(name),
                    self.options.data, work.graph.settings(), self.options.scratch,
                    self.options.keep and not work.label, {
                        "OMP_NUM_THREADS": str(self.options.threads), "GAN_CHECKPOINTS": str(work.checkpoints),
                        **self.options.environment})

    def _executor(self, stage: str) -> Executor:
        """Downloads run here: nodes often have no way to the network."""
        return self._beside if stage.startswith("download@") else self._main

    def _free(self, executor: Executor) -> list[int] | None:
        if executor.slots is None:
            return None
        taken = {job.slot for job in self._jobs if job.executor is executor}
        return [slot for slot in range(executor.slots) if slot not in taken]

    def _start(self, executor: Executor, wanted: Sequence[Wanted], slots: Sequence[int]) -> None:
        self._require_unedited()
        chosen, folders = [(each.work, self._task(each)) for each in wanted], []
        for work, task in chosen:
            folder = self._folder / "tasks" / _file_name(f"{task.key[:12]}-{task.folder_name}")
            shutil.rmtree(folder, ignore_errors=True)
            task.write(folder, work.graph.lock(task.stage), work.settings)
            folders.append(folder)
        numbers = executor.submit(folders, slots)
        for (work, task), folder, number, slot in zip(chosen, folders, numbers, slots, strict=True):
            job = Job(work, task, folder, executor, number, slot if executor.slots else None, time.time())
            files.write_json(folder / JOB, {"executor": self._name(executor), "number": number, "time": job.submitted})
            self._take(job)
            self._note("submitted", job)
        what = ", ".join(work.called(task.name) for work, task in chosen[:4])
        more = f" and {len(chosen) - 4} more" if len(chosen) > 4 else ""
        self.watch.say(f"submitted    {what}{more}")

    def _take(self, job: Job) -> None:
        self._jobs.append(job)
        self._attempts[job.work.label, job.task.stage, job.task.seed] = job.task.attempt
        if job.task.seed is None:
            job.work.status[job.task.stage], job.work.keys[job.task.stage] = "submitted", job.task.key

    def _require_unedited(self) -> None:
        """Results would be entered for what did not make them."""
        edited = git.code_other_than(self._commit)
        edited += [name for name, content in settings_of(Path()).items() if content != self._settings[name]]
        if edited:
            raise ReproductionError(
                "the checkout was edited while its stages ran elsewhere", found=f"other {', '.join(edited)}",
                expected="the code and parameters with which this run began",
                remedy="take the edit back, then run the same command again: what was done is found; or commit it")

    def _find_earlier(self) -> None:
        """Jobs of a coordinator that ended before them, and the seeds that are done."""
        for path in sorted((self._folder / "tasks").glob(f"*/{JOB}")):
            try:
                about, task = json.loads(path.read_text()), Task.read(path.parent)
                executor = self._executors[about["executor"]]
                outcome = Outcome.read(path.parent)
            except (OSError, ValueError, KeyError, TypeError, ReproductionError):
                continue
            work = next((work for work in self.works if str(work.graph.root) == task.origin
                         and task.stage in work.targets and work.commit == task.commit), None)
            if work is None:
                continue
            if outcome is not None and outcome.state == "done":
                if task.seed is not None and (work.checkpoints / task.stage.partition("@")[2]).is_dir():
                    self._seeds_done.add(task.key)
                elif task.seed is None:
                    work.graph.accept(outcome.records)
            elif outcome is None and executor.states([about["number"]])[about["number"]].state != "ended":
                free = self._free(executor)
                job = Job(work, task, path.parent, executor, about["number"], free[0] if free else None, about["time"])
                self._take(job)
                self.watch.say(f"found        {work.called(task.name)}, job {job.number} of an earlier run")

    # What becomes of them.

    def _look(self) -> bool:
        """Whether anything has changed."""
        changed = False
        by_executor: dict[str, list[Job]] = {}
        for job in list(self._jobs):
            outcome = Outcome.read(job.folder)
            if outcome is None:
                by_executor.setdefault(self._name(job.executor), []).append(job)
            else:
                self._end(job, outcome)
                changed = True
        for name, jobs in by_executor.items():
            if time.monotonic() - self._asked.get(name, -math.inf) < self._executors[name].seconds_between:
                continue
            self._asked[name] = time.monotonic()
            try:
                states = self._executors[name].states([job.number for job in jobs])
                self._silent = False
            except NoAnswer as error:
                if not self._silent:
                    self.watch.say(str(error))
                self._silent = True
                continue
            for job in jobs:
                state = states[job.number]
                job.ended = (job.ended or time.monotonic()) if state.state == "ended" else None
                job.ended_as = state.detail
                if job.ended is not None and time.monotonic() - job.ended >= SECONDS_FOR_AN_OUTCOME:
                    self._end(job, Outcome("interrupted", state.node or _node(job), 0.0, self._why(job)))
                    changed = True
        return changed

    def _why(self, job: Job) -> str:
        words = f"the job ended without an outcome ({job.ended_as})"
        if (job.folder / STARTED).exists():
            return words
        said = [path.read_text(errors="replace").strip().splitlines()[-1:]
                for path in (self._folder / "submitit").glob(f"{job.number}_*.out")]
        found = next((lines[0] for lines in said if lines), "no output")
        return (f"{words}; its worker never began: {found}. Does the node have this checkout's environment, "
                f"{sys.prefix}? Put the checkout on a file system that it shares")

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._jobs.remove(job)
        self._note(outcome.state, job, outcome)
        work, task = job.work, job.task
        if outcome.state == "done":
            self._finish(job, outcome)
        elif outcome.state == "interrupted" and task.attempt <= self.options.retries:
            self.restarted += 1
            self.watch.say(f"again        {work.called(task.name)}: {outcome.error}; attempt {task.attempt + 1} of "
                           f"{self.options.retries + 1}")
            if task.seed is None:
                work.status[task.stage] = "ready"
        else:
            tail = "\n".join(f"    {line}" for line in _lines(job.folder / LOG)[-TAIL:])
            self._fail(work, task.stage, f"{outcome.error} (on {outcome.node or 'no node'}, attempt {task.attempt})"
                       + (f"\n{tail}\n  the whole log: {job.folder / LOG}" if tail else ""))

    def _finish(self, job: Job, outcome: Outcome) -> None:
        work, task = job.work, job.task
        self.watch.say(f"done         {work.called(task.name)}, on {outcome.node}, {outcome.seconds:.0f} s")
        self.finished += 1
        for path, content in outcome.run_log.items():
            if not work.label and ".." not in Path(path).parts:
                # a database here is named as from here
                files.write_text(run_log.FOLDER / path, content.replace(f":///{work.graph.root}/", ":///"))
        if task.seed is not None:
            self._seeds_done.add(task.key)
            return
        try:
            self._require_unedited()
            work.graph.accept(outcome.records)
            if work.graph.settle(task.stage):
                self._done(work, task.stage, now=True)
                for other in self.works:  # which may have waited for the same
                    if other.status.get(task.stage) == "ready":
                        other.status[task.stage] = "waiting"
            else:
                self._fail(work, task.stage, "what the worker made is not what this checkout asks for: its code, data "
                                             "or parameters were not these, or its outputs did not arrive")
        except (DvcException, OSError) as error:
            self._fail(work, task.stage, str(error))

    def _done(self, work: Work, name: str, now: bool) -> None:
        work.status[name] = "done"
        if self._follower is not None and not work.label and (said := self._follower.done(name, now)):
            self.watch.say(said)

    def _fail(self, work: Work, name: str, error: str) -> None:
        work.status[name], work.errors[name] = "failed", error
        self.watch.say(f"failed       {work.called(name)}: {error}")

    # What is told.

    def _name(self, executor: Executor) -> str:
        return next(name for name, each in self._executors.items() if each is executor)

    def _note(self, event: str, job: Job, outcome: Outcome | None = None) -> None:
        """A line of the history, which stays."""
        line = {"time": round(time.time(), 1), "event": event, "stage": job.work.called(job.task.stage),
                "seed": job.task.seed, "attempt": job.task.attempt, "job": job.number,
                "executor": self._name(job.executor)}
        if outcome is not None:
            line |= {"node": outcome.node, "seconds": round(outcome.seconds, 1), "error": outcome.error}
        with (self._folder / HISTORY).open("a") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _show(self) -> None:
        if not self.watch.is_due():
            return
        lines = [self._line(job) for job in self._jobs]
        counts: dict[str, int] = {}
        for work in self.works:
            for name, status in work.status.items():
                if name in work.targets:
                    counts[status] = counts.get(status, 0) + 1
        self.watch.show(lines, counts, time.monotonic() - self._began)

    def _line(self, job: Job) -> Line:
        started = _json(job.folder / STARTED)
        state = "running" if started else "waiting"
        since = float(started.get("time", job.submitted))
        return Line(job.work.called(job.task.name), str(started.get("node", "")), f"{state}, job {job.number}",
                    progress(_lines(job.folder / LOG)[-40:]), time.time() - since)


def settings_of(root: Path) -> dict[str, bytes]:
    """The files that workers have as a checkout has them."""
    return {name: (root / name).read_bytes() for name in SETTINGS}


def progress(lines: Sequence[str]) -> str:
    """The newest line that says how far something is, from its count on: "12/40 epochs (30 %), 5 s/epoch"."""
    for line in reversed(lines):
        if found := re.search(r"[\d,]+/[\d,]+ \w+ \(\d+ %\)[^|]*", line):
            return found[0].strip()
    return ""


def dvc_repro(*words: str) -> list[str]:
    """Run `dvc repro` here, shown as it goes; the stages that it ran. ReproductionError if it fails."""
    lines: list[str] = []
    process.dvc("repro", *words, seen=lines.append)
    return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def _seed_key(key: str, seed: int) -> str:
    return f"{key}-seed-{seed}"


def _file_name(text: str) -> str:
    return re.sub(r"[^\w@.-]", "_", text)


def _node(job: Job) -> str:
    return str(_json(job.folder / STARTED).get("node", ""))


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 20_000))
            return file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return []
