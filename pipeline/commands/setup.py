"""The environment: what requirements.lock names, in .venv, made once for each state of the lock.

    python3 -m pipeline.commands.setup FOLDER

`make` calls it before every other target, so it needs Python's own library alone. The lock's digest decides, kept in
FOLDER/.complete as `sha256sum requirements.lock` prints it and written when everything is installed: without it an
environment is one whose set-up was interrupted, and is made anew. Only a folder that is an environment is emptied, and
what a symbolic link leads to never is: others may use it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from gan.errors import ReproductionError

LOCK = Path("requirements.lock")
COMPLETE, BEGUN, LOG = ".complete", ".begun", "setup.log"
"""In the environment: the digest of the lock that it was made from; that a set-up has begun; what pip said"""
SECONDS_BETWEEN_LINES = 20.0
"""In a log; a terminal has one line, which changes each second"""
SHOWN = 15
"""Lines of pip's that an error shows"""
INTERRUPTED = 128 + signal.SIGINT
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(environment: Path) -> None:
    """ReproductionError if the environment cannot be made, or is not for this to make."""
    wanted = digest(LOCK)
    if is_complete(environment, wanted):
        return
    require_own(environment)
    environment.mkdir(parents=True, exist_ok=True)
    with alone(environment) as lock:
        if is_complete(environment, wanted):  # another set-up has just ended
            return
        print(f"set-up: {environment} anew, by {LOCK} (with torch's CUDA libraries about 5 GB, some minutes)",
              flush=True)
        require_venv()
        empty(environment)
        make(environment, lock)
        complete = environment / f"{COMPLETE}.part"
        complete.write_text(f"{wanted}  {LOCK}\n")
        with complete.open("rb") as file:
            os.fsync(file.fileno())
        complete.replace(environment / COMPLETE)


def digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReproductionError(f"{path} cannot be read", expected="the pinned packages", found=str(error.strerror),
                                remedy=f"run make in the repository's root, or `git checkout {path}`") from error


def is_complete(environment: Path, wanted: str) -> bool:
    """Whether everything of the lock with this digest is installed there, and its Python is still there."""
    try:
        made_from = (environment / COMPLETE).read_text(errors="replace").split()
    except OSError:
        return False
    return made_from[:1] == [wanted] and os.access(environment / "bin/python", os.X_OK)


def require_own(environment: Path) -> None:
    """ReproductionError for a symbolic link, and for a folder or file that is no environment."""
    if environment.is_symlink():
        raise ReproductionError(
            f"{environment} is a symbolic link, and what it leads to was not made from this {LOCK}",
            expected=f"{environment / COMPLETE} with the lock's digest",
            found=f"{environment} -> {environment.readlink()}, where nothing is changed",
            remedy=f"`rm {environment}`, and the same command makes an environment here; or run `make setup` where the "
                   f"link leads; or, if you have installed there what the lock names, say so: "
                   f"`sha256sum {LOCK} > {environment / COMPLETE}`")
    if not environment.exists():
        return
    if not environment.is_dir() or not (is_environment(environment) or not any(environment.iterdir())):
        raise ReproductionError(f"{environment} is in the way", expected="a Python environment, or nothing",
                                found="a folder of something else" if environment.is_dir() else "a file",
                                remedy=f"move {environment} elsewhere, then run the same command again")


def is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file() or (folder / BEGUN).is_file()


def require_venv() -> None:
    try:
        importlib.import_module("venv")
        importlib.import_module("ensurepip")
    except ImportError as error:
        raise ReproductionError("Python's venv module is missing", found=str(error),
                                remedy="on Debian and Ubuntu: apt install python3-venv") from error


@contextlib.contextmanager
def alone(environment: Path) -> Iterator[int]:
    """The descriptor of the folder, locked: one set-up at a time, the next one waits. pip inherits it, so that one
    which survived its set-up is waited for, too."""
    folder = os.open(environment, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another set-up works in {environment}; waiting for it", flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def empty(environment: Path) -> None:
    """All that is in the folder goes, links as such; the mark of a finished set-up first."""
    (environment / COMPLETE).unlink(missing_ok=True)
    (environment / BEGUN).touch()
    for path in environment.iterdir():
        if path.name == BEGUN:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def make(environment: Path, lock: int) -> None:
    """Python, then what the lock names. Bytecode is left to the first import: most of it is never imported."""
    python = getattr(sys, "_base_executable", sys.executable)  # not the one of an environment that was just emptied
    run([python, "-m", "venv", str(environment)], environment, lock, Progress(environment, []))
    temporary = environment / "tmp"
    temporary.mkdir()
    words = [str(environment / "bin/python"), "-m", "pip", "install", "--no-compile", "--require-hashes",
             "--progress-bar", "off", "-r", str(LOCK)]
    run(words, environment, lock, Progress(environment, pinned(LOCK.read_text())))
    shutil.rmtree(temporary, ignore_errors=True)


def pinned(lock: str) -> list[str]:
    """The packages of a lock, those for other platforms included."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)==", lock, re.MULTILINE)


class Progress:
    """What pip is at, from the lines that it prints, and from what it writes while it prints none."""

    def __init__(self, environment: Path, packages: list[str]) -> None:
        self.environment = environment
        self.total = len(packages)
        self.done, self.what, self.installing = 0, "", False
        self._began, self._said = time.monotonic(), time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._width = 0

    def read(self, line: str) -> None:
        words = line.split()
        if line.startswith("Ignoring "):  # for another platform
            self.total -= 1
        elif line.startswith("Collecting "):
            self.done, self.what = self.done + 1, words[1].partition("==")[0]
        elif words[:1] in (["Downloading"], ["Using"]) and "(" in line:
            self.what = f"{self.what.partition(',')[0]}, {line.rpartition('(')[2].rstrip(')')}"
        elif line.startswith("Installing collected packages:"):
            self.installing, self.total = True, len(words) - 3

    def text(self) -> str:
        if not self.total:
            return "Python and pip"
        if self.installing:
            done = sum(1 for _ in self.environment.glob("lib/python3*/site-packages/*.dist-info"))
            return f"installed {min(done, self.total)} of {self.total} packages"
        loaded = size_of(self.environment / "tmp") / 1e6
        return (f"collected {self.done} of {self.total} packages{f': {self.what}' if self.what else ''}"
                + (f", {loaded:,.0f} MB of files being loaded" if loaded >= 1 else ""))

    def say(self) -> None:
        """On a terminal each time, in a log now and then."""
        now = time.monotonic()
        elapsed = f"{int(now - self._began) // 60} min {int(now - self._began) % 60:02d} s"
        if self._terminal:
            line = f"set-up, {elapsed}: {self.text()}"[:shutil.get_terminal_size().columns - 1]
            print(f"\r{line:<{self._width}}", end="", flush=True)
            self._width = len(line)
        elif now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            print(f"set-up, {elapsed}: {self.text()}", flush=True)

    def end(self) -> None:
        if self._terminal and self._width:
            print("\r" + " " * self._width + "\r", end="", flush=True)


def size_of(folder: Path) -> int:
    """Bytes of the files below; those that go while one looks count as nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


def run(words: list[str], environment: Path, lock: int, progress: Progress) -> None:
    """ReproductionError with the last that it said if it fails; ended with this process, however that is ended."""
    log = environment / LOG
    temporary = environment / "tmp"
    variables = os.environ | {"PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
    variables |= {"TMPDIR": str(temporary.absolute())} if temporary.is_dir() else {}
    with log.open("wb") as output, log.open(errors="replace") as said:
        # One that stops us while pip is being started waits until there is somebody to end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            process = subprocess.Popen(
                words, env=variables, stdout=output, stderr=subprocess.STDOUT, pass_fds=(lock,),
                preexec_fn=functools.partial(signal.pthread_sigmask, signal.SIG_SETMASK, before))
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise
        begun = ""
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            while True:
                ended = process.poll() is not None
                *lines, begun = (begun + said.read()).split("\n")
                for line in lines:
                    progress.read(line.strip())
                if ended:
                    break
                progress.say()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            progress.end()
    if process.returncode:
        printed = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        end = "\n".join(f"    {line}" for line in printed[-SHOWN:])
        raise ReproductionError(
            f"the set-up of {environment} failed", expected="every package of the lock, from the package index",
            found=f"`{' '.join(words[1:4])}` ended with {process.returncode}:\n{end}",
            remedy=f"mend what it says (the network, the index, room on the disk); the same command begins anew. "
                   f"All that pip said is in {log}")


def _stop(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


def command(words: list[str]) -> None:
    """Exits with 1 and one error, or as the signal that stopped it says."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        main(Path(words[0]))
    except ReproductionError as error:
        sys.exit(f"\nerror: {error}")
    except OSError as error:
        sys.exit(f"\nerror: {words[0]} cannot be made: {error.strerror}: {error.filename or ''}\n"
                 "  what to do: mend that (permissions, room on the disk), then run the same command again")
    except (KeyboardInterrupt, SystemExit) as stop:
        status = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
        print("\nstopped; the same command begins the set-up anew", file=sys.stderr, flush=True)
        sys.exit(status)


if __name__ == "__main__":
    command(sys.argv[1:])
