"""One process at a time: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from gan.errors import ReproductionError
from pipeline.runtime import files
from pipeline.runtime.progress import duration

CLUSTER = Path(".cluster/lock")
"""held in a checkout by the coordinator of a cluster run, whose workers run in other clones"""


@contextlib.contextmanager
def holding(path: Path, what: str) -> Iterator[None]:
    """Hold the lock `path` (a file made for it); `what` is the work that two processes must not do at once.

    >>> with holding(Path("checkpoints/digits.lock"), "training of digits"):
    ...     pass

    The system drops the lock when its holder dies, so that none is ever stale; who holds it stands beside it. Raises
    ReproductionError, at once and naming the holder, when it is held.
    """
    about = _about(path)
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ReproductionError(f"{what} goes on in another process", expected="one at a time", found=_holder(about),
                                remedy="let it end, or stop it (Ctrl-C there, or `kill` with its number), then run the "
                                       "same command again") from error
    except OSError as error:
        raise ReproductionError(f"cannot make {path}", expected="a writable folder", found=error.strerror or str(error),
                                remedy="mend the folder's permissions or free disk space") from error
    try:
        files.write_json(about, {"pid": os.getpid(), "command": " ".join(sys.orig_argv)})
        yield
    finally:
        with contextlib.suppress(OSError):
            about.unlink()
        lock.release()


def holder(path: Path) -> str:
    """Who holds the lock `path`, as `describe` has it; empty if nobody does."""
    about = _about(path)
    if not about.exists():
        return ""
    try:
        with FileLock(path, timeout=0):
            return ""
    except Timeout:
        return _holder(about)
    except OSError:
        return ""


def describe(pid: int, command: str = "") -> str:
    """"process 4711 (dvc repro), for 12 min 03 s, since 14:02"; the command is asked of the system if not given."""
    try:
        process = psutil.Process(pid)
        with contextlib.suppress(psutil.AccessDenied):
            command = command or " ".join(process.cmdline())
        started = process.create_time()
    except psutil.Error:
        return f"process {pid}{f' ({command})' if command else ''}, which has ended; one that it started goes on"
    since = datetime.fromtimestamp(started).strftime("%H:%M")
    return f"process {pid} ({command or 'of another user'}), for {duration(time.time() - started)}, since {since}"


def _about(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _holder(about: Path) -> str:
    try:
        content: dict[str, Any] = files.read_json(about)
        return describe(int(content["pid"]), str(content["command"]))
    except (ReproductionError, KeyError, TypeError, ValueError):  # between its lock and its name
        return f"a process that has just begun (or look who has {about.with_suffix('')} open)"
