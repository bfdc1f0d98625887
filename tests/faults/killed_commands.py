"""Kill other commands than a training at random moments, let each run again, and compare what it leaves.

A command is killed, with all that it started, at a moment of the time that it takes undisturbed, from its beginning on:
while it imports, reads, or writes; every second kill waits from there on for a file that is half written, or changed.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/end_to_end")]

from clone import Clone  # noqa: E402

from pipeline.artifacts.file_differences import same  # noqa: E402
from pipeline.commands.who import is_whole  # noqa: E402

EXPERIMENT = "digits"


@dataclass(frozen=True)
class Command:
    """What is killed, and the files that it writes, which it may not leave half written or other than undisturbed."""

    name: str
    words: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[Clone], None] = lambda clone: None
    """makes it so that the command has something to do"""
    may_be_lacking: bool = False
    """as DVC removes a stage's outputs before it runs"""


def unplan(clone: Clone) -> None:
    clone.run("git", "checkout", "--quiet", "HEAD", "--", "params.yaml")
    (clone.root / "plan.yaml").unlink(missing_ok=True)


def unrecord(clone: Clone) -> None:
    for path in (clone.root / "reports/recorded").glob(f"{EXPERIMENT}-*.json"):
        path.unlink()


PYTHON = ("python", "-m", "pipeline")
COMMANDS = (
    Command("plan", (*PYTHON, "plan"), ("params.yaml", "plan.yaml"), before=unplan, settings={
        "GAN_PROFILE": "smoke", "GAN_EXPERIMENTS": EXPERIMENT, "GAN_LESSONS": "none"}),
    Command("collect", ("dvc", "repro", "--single-item", "--force", "collect"),
            ("reports/plots", "reports/smoke/summary"), may_be_lacking=True),
    Command("report", (*PYTHON, "report"), ("reports/smoke/index.html", "reports/smoke/metrics.json"),
            may_be_lacking=True),
    Command("record", (*PYTHON, "record", EXPERIMENT), (f"reports/recorded/{EXPERIMENT}-smoke.json",),
            before=unrecord),
)


@dataclass(frozen=True)
class Trial:
    command: str
    moment: float
    """seconds after its beginning"""
    state: str
    """of its outputs at the kill"""
    identical: bool

    def __str__(self) -> str:
        return f"{self.command:<10}  {self.moment:7.2f} s  {self.state:<30}  {'yes' if self.identical else 'NO'}"


HEADER = f"{'command':<10}  {'moment':>9}  {'outputs at the kill':<30}  identical"


def kill_all(clone: Clone, kills: int, random_source: random.Random, say: Callable[[str], None]) -> list[Trial]:
    """`kills` of each command, in a clone whose graph has run and whose results are committed."""
    trials = []
    say(HEADER)
    for command in COMMANDS:
        command.before(clone)
        began = time.monotonic()
        clone.run(*command.words, **command.settings)
        length = time.monotonic() - began
        with tempfile.TemporaryDirectory(prefix="wanted-") as folder:
            wanted = Path(folder)
            keep(clone, command, wanted)
            for i in range(kills):
                moment = length * (i + random_source.random()) / kills
                trials.append(kill_once(clone, command, moment, i % 2 == 1, wanted))
                say(str(trials[-1]))
    return trials


def files_of(root: Path, command: Command) -> dict[str, Path]:
    return {path.relative_to(root).as_posix(): path for name in command.outputs
            for path in [root / name, *(root / name).rglob("*")] if path.is_file()}


def keep(clone: Clone, command: Command, folder: Path) -> None:
    for name, path in files_of(clone.root, command).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)


def kill_once(clone: Clone, command: Command, moment: float, in_a_write: bool, wanted: Path) -> Trial:
    command.before(clone)
    at_first = marks(clone, command)
    process = subprocess.Popen(command.words, cwd=clone.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**clone.environment, **command.settings}, start_new_session=True)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        while in_a_write and process.poll() is None and marks(clone, command) == at_first:
            time.sleep(0.0005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    state, is_good = judge(clone, command, wanted, at_first)
    if not is_whole((clone.root / "dvc.lock").read_bytes()):
        state = f"{state}, dvc.lock torn"
        clone.run(*PYTHON, "free")
    clone.run(*command.words, **command.settings)
    now, then = files_of(clone.root, command), files_of(wanted, command)
    return Trial(command.name, moment, state, is_good and now.keys() == then.keys()
                 and all(same(now[name], then[name]) for name in now))


def marks(clone: Clone, command: Command) -> dict[str, tuple[int, int]]:
    """By which a write is seen: the files there are, half written ones included, and when they were changed."""
    found = {}
    for name in command.outputs:
        place = clone.root / name
        for path in [place, *place.parent.glob(f".{place.name}.*.part"), *place.rglob("*")]:
            with contextlib.suppress(OSError):
                status = path.stat()
                found[str(path)] = (status.st_mtime_ns, status.st_ino)
    return found


def judge(clone: Clone, command: Command, wanted: Path, at_first: Mapping[str, tuple[int, int]]) -> tuple[str, bool]:
    """What the kill left, and whether each file is one that was whole before or after."""
    now, then = files_of(clone.root, command), files_of(wanted, command)
    changed = marks(clone, command)
    half = [name for name in changed if name.endswith(".part")]
    new = [name for name, path in now.items() if changed.get(str(path)) != at_first.get(str(path))]
    torn = [name for name in new if not name.endswith(".part") and name in then and not same(now[name], then[name])]
    lacking = [name for name in then if name not in now]
    words = [f"{len(new)} of {len(then)} written" if new else "as before" if not lacking else "",
             f"{len(half)} half written" if half else "", f"{len(lacking)} lacking" if lacking else "",
             f"torn: {', '.join(torn)}" if torn else ""]
    return ", ".join(filter(None, words)), not torn
