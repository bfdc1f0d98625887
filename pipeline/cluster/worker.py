"""What runs on a node: one task in a clone of its own, from the task's folder and back into it.

Called by submitit, in the environment of the checkout that asks. `work` watches over a process of its own that does
the task, so that of two, each of which may be killed, one is left to stop the stage and to say so. Whatever happens,
the clone goes and an outcome is left. SIGTERM (`scancel`, a preempted job) and SIGUSR2, which Slurm sends before the
time limit, stop the stage as Ctrl-C would, so that a training keeps its state.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from gan.errors import ReproductionError
from pipeline.cluster.task import LOCK, LOG, SETTINGS, STARTED, Outcome, Task
from pipeline.runtime import files
from pipeline.runtime.checkout import ORIGIN
from pipeline.runtime.process import STAGE
from pipeline.runtime.run_log import FOLDER as RUN_LOG

PREFIX = "gan-worker-"
SECONDS_TO_STOP = 10.0
"""for a training to keep its state; less than a cluster waits between SIGTERM and SIGKILL"""
WARNING = signal.SIGUSR2  # what submitit has Slurm send before the time limit
KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, *(128 + s for s in (
    signal.SIGKILL, signal.SIGTERM, signal.SIGINT))}
"""How a command ends that was stopped from outside"""


def work(folder: str) -> None:
    """Have the task in `folder` done, and leave an outcome also if what does it is killed."""
    began, place = time.monotonic(), Path(folder)
    signal.pthread_sigmask(signal.SIG_BLOCK, {WARNING})  # which is for the process that does the task
    _system("prctl", _ADOPT_ORPHANS, 1)
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cluster.worker", folder],
                               preexec_fn=lambda: _system("prctl", _SIGNAL_AT_THE_PARENTS_DEATH, signal.SIGTERM))
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    status = process.wait()
    if Outcome.read(place) is None:
        _end_children()
        said = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        Outcome("interrupted", _node(), time.monotonic() - began, f"the worker {said}").write(place)


_ADOPT_ORPHANS, _SIGNAL_AT_THE_PARENTS_DEATH = 36, 1  # of sys/prctl.h


def _system(name: str, *arguments: int) -> None:
    """A call that only Linux has."""
    with contextlib.suppress(AttributeError, OSError):
        getattr(ctypes.CDLL(None), name)(*map(int, arguments))


def _node() -> str:
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def _end_children() -> None:
    """As a user would, then for good: a training would hold its lock."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.terminate()
    for child in psutil.wait_procs(children, timeout=SECONDS_TO_STOP)[1]:
        with contextlib.suppress(psutil.Error):
            child.kill()


def do(folder: str) -> None:
    """Do the task in `folder`."""
    task, place, began, node = Task.read(Path(folder)), Path(folder), time.monotonic(), _node()
    with _into(place / LOG):
        stop = _Stop()
        files.write_json(place / STARTED, {"node": node, "pid": os.getpid(), "time": time.time()})
        print(f"{task.name}, attempt {task.attempt}, on {node}", flush=True)
        try:
            records, log = _run(task, place, stop)
            outcome = Outcome("done", node, time.monotonic() - began, "", records, log)
        except _Failed as error:
            outcome = Outcome("failed", node, time.monotonic() - began, str(error))
        except _Interrupted as error:
            outcome = Outcome("interrupted", node, time.monotonic() - began, str(error))
        except Exception as error:  # of this node, of a disk, of the remote: another attempt may do
            reason = stop.reason or f"{type(error).__name__}: {error}"
            print(reason, flush=True)
            outcome = Outcome("interrupted", node, time.monotonic() - began, reason)
        outcome.write(place)
        print(f"{task.name}: {outcome.state}", flush=True)


class _Failed(Exception):
    """The stage ended with an error of its own."""


class _Interrupted(Exception):
    """The stage was stopped from outside."""


def _run(task: Task, place: Path, stop: _Stop) -> tuple[dict[str, str], dict[str, str]]:
    """The records of DVC's run cache, and the run log, of a task that is done."""
    with _clone(task, place) as root, contextlib.chdir(root):
        os.environ.update(_environment(task, root))
        from dvc.repo import Repo  # after the environment, which DVC reads when it is imported

        repo = Repo(str(root))
        if task.inputs:
            bring = repo.checkout if task.data == "cache" else repo.pull
            bring(targets=task.inputs, force=True)
        stop.require_none()
        if task.seed is None:
            _reproduce(repo, task, stop)
            if task.data == "remote":
                repo.push(targets=[task.stage], run_cache=True)
        else:
            _, _, experiment = task.stage.partition("@")
            os.environ[STAGE] = task.stage  # as which the time that this seed takes is kept
            _call([sys.executable, "-m", "pipeline.stages.train", experiment, str(task.seed)], stop)
        repo.close()
        records = {} if task.data == "cache" else _texts(Path(repo.cache.legacy.path), "runs")
        return records, _texts(root / RUN_LOG, ".")


def _reproduce(repo: object, task: Task, stop: _Stop) -> None:
    from dvc.exceptions import ReproductionError as StageError
    from dvc.stage.exceptions import StageCmdFailedError

    try:
        repo.reproduce(targets=[task.stage], single_item=True)  # type: ignore[attr-defined]
    except StageError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, StageCmdFailedError):
            cause = cause.__cause__
        said = re.fullmatch(r"failed to run: (.*), exited with (-?\d+)", str(cause), re.DOTALL)
        if said is None:
            raise
        _end(said[1], int(said[2]), stop)


def _call(command: list[str], stop: _Stop) -> None:
    status = subprocess.run(command).returncode
    if status:
        _end(" ".join(command[1:]), status, stop)


def _end(command: str, status: int, stop: _Stop) -> None:
    """Raise what the exit status of a command means."""
    if stop.reason:
        raise _Interrupted(stop.reason)
    if status in KILLED:
        number = -status if status < 0 else status - 128
        raise _Interrupted(f"{command} was ended by {signal.Signals(number).name}"
                           f"{' (out of memory?)' if number == signal.SIGKILL else ''}")
    raise _Failed(f"{command} ended with exit status {status}")


class _Stop:
    """Signals to stop: the commands of this process are sent SIGTERM, and `reason` says why."""

    def __init__(self) -> None:
        self.reason = ""
        signal.signal(signal.SIGTERM, lambda *_: self._stop("stopped by SIGTERM"))
        # Slurm sends it to every process of the job: blocked, which children inherit, it ends none of them.
        signal.pthread_sigmask(signal.SIG_BLOCK, {WARNING})
        threading.Thread(target=self._wait, daemon=True).start()

    def require_none(self) -> None:
        if self.reason:
            raise _Interrupted(self.reason)

    def _wait(self) -> None:
        signal.sigwait({WARNING})
        self._stop("stopped before its time limit, or preempted")

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.terminate()


@contextlib.contextmanager
def _clone(task: Task, place: Path) -> Iterator[Path]:
    """A clone at the task's commit, with settings and dvc.lock as the coordinator has them, and nothing else.

    One that is kept has the modules of the task before it compiled, which takes a new one about as long as its stage
    takes to begin.
    """
    parent = Path(task.scratch or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(parent)
    with _kept(parent) if task.keep else _temporary(parent) as folder:
        root, whole = folder / "clone", folder / "whole"
        if not whole.exists():
            shutil.rmtree(root, ignore_errors=True)
            _git("clone", "--quiet", "--shared", "--no-checkout", task.origin, str(root))
        _git("-C", str(root), "checkout", "--quiet", "--force", "--detach", task.commit)
        whole.touch()
        _clean(root)
        for name in (*SETTINGS, LOCK):
            shutil.copyfile(place / name, root / name)
        files.write_text(root / ".dvc/config.local", ini(task.dvc))
        try:
            yield root
        finally:
            if task.keep:
                _clean(root)  # data may be large


def _clean(root: Path) -> None:
    """Have nothing in a clone that git does not know, but for compiled modules."""
    _git("-C", str(root), "clean", "--quiet", "-ffdx", "--exclude=__pycache__")


@contextlib.contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A folder that is removed afterwards, or by another worker if this one is killed."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = FileLock(folder / "lock")
    lock.acquire()
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _kept(parent: Path) -> Iterator[Path]:
    """The first folder of the numbered ones that no other worker has."""
    for number in itertools.count():
        folder = parent / str(number)
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            yield folder
        finally:
            lock.release()
        return


def _remove_stale(parent: Path) -> None:
    """Clones whose workers were killed: their locks are free."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime > 60:  # else it may be between its folder and its lock
                with FileLock(folder / "lock", timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)


def _git(*words: str) -> None:
    ended = subprocess.run(["git", *words], capture_output=True, text=True)
    if ended.returncode:
        raise ReproductionError("this node cannot clone the checkout", found=ended.stderr.strip(),
                                expected="a file system that this node shares with the machine that submits",
                                remedy="put the checkout on a shared file system, or git onto the node")


def ini(settings: dict[str, dict[str, object]]) -> str:
    """As DVC writes it: [core], and ['remote "name"'] for what lies deeper."""
    lines = []
    for section, content in settings.items():
        deeper = {key: value for key, value in content.items() if isinstance(value, dict)}
        blocks = {section: {key: value for key, value in content.items() if key not in deeper}} | {
            f"'{section} \"{name}\"'": value for name, value in deeper.items()}
        for title, values in blocks.items():
            if values:
                lines += [f"[{title}]", *(f"    {key} = {value}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _environment(task: Task, root: Path) -> dict[str, str]:
    """Of the stage: `python` is this one, and DVC keeps what it knows of the clone beside it."""
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "DVC_SITE_CACHE_DIR": str(root.with_name("site")), "DVC_NO_ANALYTICS": "1", ORIGIN: task.origin
            } | task.environment


def _texts(root: Path, below: str) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted((root / below).rglob("*"))
            if path.is_file() and not path.name.startswith(".")}


@contextlib.contextmanager
def _into(path: Path) -> Iterator[None]:
    """All that this process and its commands print goes to the end of `path`."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in enumerate(kept, 1):
            os.dup2(old, number)
            os.close(old)


if __name__ == "__main__":
    do(sys.argv[1])
