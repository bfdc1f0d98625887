"""Which process works in this checkout, and on what: `python -m pipeline who`; `free` fails if one does.

DVC keeps two locks in `.dvc/tmp`: `lock`, held while it looks at the graph, and `rwlock`, which names the process that
runs a stage. Its own message says of the first only that it is held.

It writes `rwlock` and `dvc.lock` in place, so that one that is killed leaves half a file, which it refuses to read from
then on. `free` mends that.

The coordinator of a cluster run holds a lock of its own, as its workers run in other clones.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import ReproductionError
from pipeline.runtime import files, process_lock
from pipeline.runtime.process import STAGE
from pipeline.runtime.process_lock import describe
from pipeline.runtime.progress import duration

FOLDER = Path(".dvc/tmp")
RESULTS = Path("dvc.lock")
PATIENCE = 3.0
"""Seconds, as DVC has: `dvc status` and the like hold the lock no longer"""


@dataclass
class Holder:
    """A process that holds a lock of DVC's, by its number and its command line."""

    pid: int
    command: str
    writes: set[Path] = field(default_factory=set)
    """Outputs that it is making"""

    def __str__(self) -> str:
        stages = self._stages() or [f"writes {path}" for path in sorted(self.writes)]
        return "; ".join([describe(self.pid, self.command), *stages])

    def is_alive(self) -> bool:
        """Whether the process is still the one that took the lock: numbers are given again."""
        with contextlib.suppress(psutil.AccessDenied):
            try:
                words = psutil.Process(self.pid).cmdline()
            except psutil.NoSuchProcess:
                return False
            arguments = " ".join(self.command.split()[1:])
            return not self.command or (" ".join(words).endswith(arguments) and any("dvc" in word for word in words))
        return True

    def group(self) -> int:
        """The number of its process group: to end dvc alone would leave its stage running."""
        with contextlib.suppress(OSError):
            return os.getpgid(self.pid)
        return self.pid

    def _stages(self) -> list[str]:
        found: dict[str, float] = {}
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name := child.environ().get(STAGE):
                        found.setdefault(name, child.create_time())
        return [f"stage {name}, for {duration(time.time() - since)}" for name, since in found.items()]


def free() -> None:
    """ReproductionError if a run works in this checkout; else `mend`."""
    if coordinator := process_lock.holder(process_lock.CLUSTER):
        raise ReproductionError(
            "a cluster run works in this checkout", expected="one run at a time", found=coordinator,
            remedy="let it end, or stop it (Ctrl-C there, or `kill` with its number), then run this command again; "
                   "a cluster run does not do again what is done")
    require_none(holders())
    mend()


def main() -> None:
    coordinator = process_lock.holder(process_lock.CLUSTER)
    found = [f"a cluster run: {coordinator}"] if coordinator else []
    found += map(str, holders(patience=0))
    print("\n".join(found) or "no dvc and no cluster run works in this checkout")


def holders(patience: float = PATIENCE) -> list[Holder]:
    """Those of either lock; of the one that is held for a moment only, who holds it after `patience` seconds still, and
    so long is also waited for a process that is just being ended."""
    found = _of_stages()
    until = time.monotonic() + patience
    while time.monotonic() < until and not all(holder.is_alive() for holder in found):
        time.sleep(0.1)
        found = _of_stages()
    while not found and (pid := _of_the_graph()) is not None:
        if time.monotonic() >= until:
            return [Holder(pid, "")]
        time.sleep(0.1)
    return found


def require_none(running: list[Holder]) -> None:
    """Raises ReproductionError, which names them, if there are any."""
    if gone := [holder for holder in running if not holder.is_alive()]:
        raise ReproductionError(
            f"{FOLDER / 'rwlock'} names a process that has ended", expected="a dvc that is at work",
            found=f"process {gone[0].pid} ({gone[0].command}), a number which another process has by now",
            remedy=f"delete {FOLDER / 'rwlock'}, then run the same command again")
    if running:
        raise ReproductionError(
            "another dvc works in this checkout", expected="one at a time", found=" and ".join(map(str, running)),
            remedy=f"let it end, or stop all of it (Ctrl-C there, or `kill -- -{running[0].group()}`), then run this "
                   "command again; a training that was stopped resumes from its last checkpoint")


def mend() -> None:
    """Take back what a dvc that was killed left half written; there must be none at work.

    `dvc.lock` becomes the last commit's, or goes where that has none. Stages that have run since are found in DVC's run
    cache, so that none runs again. `rwlock` goes where DVC would take a process for one at work that has ended.
    """
    blockers = FOLDER / "rwlock"
    if any(_is_zombie(holder.pid) for holder in _named()):
        blockers.unlink()
        print(f"{blockers} named a dvc that was killed, and is deleted")
    with contextlib.suppress(OSError):
        try:
            json.loads(blockers.read_text())
        except ValueError:
            blockers.unlink()
            print(f"{blockers} was half written when a dvc was killed, and is deleted")
    if RESULTS.exists() and not is_whole(torn := RESULTS.read_bytes()):
        if b"\n=======\n" in torn:  # a merge that is not finished, which is the user's to end
            return
        kept = FOLDER / f"{RESULTS}.torn"
        shutil.copyfile(RESULTS, kept)
        committed = _committed()
        if is_whole(committed):
            files.write_bytes(RESULTS, committed)
        else:
            RESULTS.unlink()
        print(f"{RESULTS} was half written when a dvc was killed: "
              f"{'it is the last commit’s again' if RESULTS.exists() else 'it is deleted'} (what there was: {kept}); "
              "results that are newer come from DVC's run cache")


def is_whole(content: bytes) -> bool:
    """Whether DVC reads this as a dvc.lock: a whole one, or a beginning that it takes for one."""
    if _ends_whole(content):
        return True
    from pipeline.runtime import dvc_adapter  # which imports DVC, for a second

    return dvc_adapter.is_lock(content)


def _ends_whole(content: bytes) -> bool:
    """Whether the last stage of a dvc.lock is all there: all that a DVC can lack that was killed while writing it."""
    stages = [*re.finditer(rb"^  [^ -].*:\n", content, re.MULTILINE)]
    if not stages or not content.startswith(b"schema: '2.0'\nstages:\n") or not content.endswith(b"\n"):
        return False
    try:
        (last,) = YAML(typ="safe").load(content[stages[-1].start():].decode()).values()
        return bool(last["cmd"] and {"path", "md5", "size"} <= last["outs"][-1].keys())
    except (YAMLError, UnicodeDecodeError, AttributeError, TypeError, KeyError, IndexError, ValueError):
        return False


def _committed() -> bytes:
    """The last commit's dvc.lock; empty if it has none."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(["git", "show", f"HEAD:./{RESULTS}"], capture_output=True, check=True, timeout=20).stdout
    return b""


def _of_stages() -> list[Holder]:
    """By `rwlock`; without those that have ended."""
    return [holder for holder in _named() if psutil.pid_exists(holder.pid) and not _is_zombie(holder.pid)]


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and keeps its number until its parent asks after it, in a container perhaps for ever;
    DVC takes it for one that runs."""
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return False


def _named() -> list[Holder]:
    """Whom `rwlock` names."""
    try:
        content: dict[str, dict[str, Any]] = json.loads((FOLDER / "rwlock").read_text())
        found: dict[tuple[int, str], Holder] = {}
        for kind in ("write", "read"):
            for path, entries in content.get(kind, {}).items():
                for entry in entries if isinstance(entries, list) else [entries]:
                    key = int(entry["pid"]), _short(str(entry["cmd"]))
                    holder = found.setdefault(key, Holder(*key))
                    if kind == "write":
                        holder.writes.add(_from_here(Path(path)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or just being written
        return []
    return [*found.values()]


def _of_the_graph() -> int | None:
    """The process that holds `lock`; None if there is none."""
    try:
        with (FOLDER / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None


def _short(command: str) -> str:
    """Without the folder of the program."""
    program, _, rest = command.partition(" ")
    return f"{Path(program).name} {rest}".strip()


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
