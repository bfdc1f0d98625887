"""How a process of the pipeline ends: one clear error instead of a traceback, and an exit status that says why."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import click
import psutil

from gan.errors import ReproductionError
from pipeline.runtime import environment

STAGE = "DVC_STAGE"
"""environment variable that DVC sets for what it runs, to train@mnist, say"""
WITHIN = "PIPELINE_WITHIN"
"""environment variable of what another process of the pipeline began, which will say that it was stopped"""
SHELL = "/bin/sh"
"""for DVC, which runs a stage by $SHELL: that may be no shell (nologin), or one of its own grammar"""
SECONDS_TO_STOP = 20.0
"""that stages have to keep their state when they are stopped"""
SECONDS_BETWEEN_STAGES = 10.0
"""that DVC has to store what a stage made, before it is stopped"""
INTERRUPTED, TERMINATED, HUNG_UP = (128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
NOBODY_READS = 128 + signal.SIGPIPE
RESUME = "stopped; the same command resumes from the last checkpoint"


@contextlib.contextmanager
def ending(read_by_someone: bool = True) -> Iterator[None]:
    """All that a process does stands within it; made for the main thread, where it handles signals.

    Exit status: 0, 1 for an error that the user can mend, 2 for a command line that does not fit, 129 after its
    terminal was closed, 130 after Ctrl-C, 143 after SIGTERM. Where whoever read the output has gone, as in `… | head`,
    it ends with 141; but a stage, whose files count and not what it says (`read_by_someone=False`), goes on.
    """
    _handle_signals()
    try:
        environment.settle()
        with contextlib.nullcontext() if read_by_someone else _said_to_whoever_reads():
            yield
            sys.stdout.flush()
    except ReproductionError as error:
        _say(f"error: {error}")
        _exit(1)
    except click.exceptions.Exit as end:  # --help
        _exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        _exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as stop:
        status = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
        if status in (INTERRUPTED, TERMINATED, HUNG_UP) and WITHIN not in os.environ:
            _say(RESUME)
        _exit(status)
    except OSError:
        if not _lost(sys.stdout) and not _lost(sys.stderr):
            raise
        _exit(NOBODY_READS)


def call(command: click.Command, name: str, words: list[str]) -> None:
    """`command` with the words of a command line, under its `name` in help and errors; raises what `ending` takes."""
    with command.make_context(name, list(words)) as context:
        command.invoke(context)


def dvc(*words: str, seen: Callable[[str], object] | None = None) -> None:
    """Run a command of DVC's, which waits for another one that only looks at the graph; ReproductionError if it
    fails. What it prints is shown, and each line given to `seen`."""
    if status := _status("dvc", "--wait-for-lock", *words, seen=seen):
        raise ReproductionError(f"`dvc {' '.join(words)}` failed", found=f"exit status {status}",
                                remedy="mend what it says above, then run the same command again")


def verb(*words: str) -> None:
    """Run a verb of this command line in a process of its own; SystemExit if it fails, as it has said why."""
    if status := _status("pipeline", *words):
        sys.exit(status)


def quietly(*words: str) -> subprocess.Popen[bytes]:
    """A verb of this command line that has begun in a process of its own, of which nothing is heard."""
    return subprocess.Popen([sys.executable, "-m", "pipeline", *words], env=_environment(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_leave_keys_to_the_parent)


# Processes that this one begins.

def _status(*words: str, seen: Callable[[str], object] | None = None) -> int:
    """The exit status of a Python module.

    Ctrl-C and the end of the terminal are for this process alone, which then stops the other and its stages: DVC would
    take a stage that Ctrl-C ended for a failed one, and begin the next. Stages have time to keep their state; a second
    Ctrl-C ends all at once. A second SIGTERM or SIGHUP does not: shells and clusters send more than one.
    """
    process = subprocess.Popen([sys.executable, "-m", *words], text=True, env=_environment(),
                               stdout=subprocess.PIPE if seen else None, preexec_fn=_leave_keys_to_the_parent)
    try:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if seen is not None:
                seen(line)
        return process.wait()
    except BaseException:
        _ignore(signal.SIGTERM, signal.SIGHUP)
        begun: list[psutil.Process] = []
        try:
            _stop(process, begun, between_stages="repro" in words)
        except BaseException:
            _kill([*begun, *_children(process)])
            process.kill()
            process.wait()
            raise
        raise


def _leave_keys_to_the_parent() -> None:
    _ignore(signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def keys_for_this_process_alone() -> Iterator[None]:
    """Of processes that are begun within it: Ctrl-C and the end of the terminal are not theirs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, str]:
    """Of DVC and its stages: `python` is this one, whatever the PATH says."""
    own = str(Path(sys.executable).parent)
    rest = os.environ.get("PATH", "")
    path = rest if rest.split(os.pathsep)[0] == own else os.pathsep.join(filter(None, (own, rest)))
    return os.environ | {"PATH": path, "SHELL": SHELL, WITHIN: "1"}


def _stop(process: subprocess.Popen[str], begun: list[psutil.Process], between_stages: bool) -> None:
    """Stop what this process has begun, and wait for it; what that has begun is added to `begun`, as the system knows
    no more whose it was when the one between has ended.

    DVC is stopped while it waits for a stage and writes nothing; between two it may store what the first has made, and
    has begun the next when that is done.
    """
    until = time.monotonic() + (SECONDS_BETWEEN_STAGES if between_stages else 0.0)
    while not (stages := _children(process)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    begun += stages
    process.terminate()
    process.wait()
    for stage in stages:
        with contextlib.suppress(psutil.Error):
            stage.terminate()
    _kill(psutil.wait_procs(stages, timeout=SECONDS_TO_STOP)[1])


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(psutil.Process(process.pid).children(recursive=True))
    return []


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


# Signals, and streams that nobody reads.

def _handle_signals() -> None:
    signal.signal(signal.SIGTERM, _ended_by)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        signal.signal(signal.SIGHUP, _ended_by)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _ended_by(signum: int, frame: object) -> None:
    _ignore(signal.SIGTERM, signal.SIGHUP)
    sys.exit(128 + signum)


def _ignore(*numbers: signal.Signals) -> None:
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(f"\n{text}", file=sys.stderr, flush=True)


def _exit(status: object) -> NoReturn:
    """End with a status, whatever is left to say to nobody: Python itself would end with 120."""
    for stream in (sys.stdout, sys.stderr):
        if _lost(stream):
            _turn_away(stream)
    sys.exit(status)  # type: ignore[arg-type]


def _turn_away(stream: TextIO) -> None:
    """From now on what is written goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class _Said:
    """A stream whose reader may go without harm to who writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._unless_lost(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._unless_lost(self._stream.flush)

    def _unless_lost(self, put: Callable[[], object]) -> None:
        try:
            put()
        except OSError:
            if not _lost(self._stream):
                raise
            _turn_away(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _said_to_whoever_reads() -> Iterator[None]:
    with (contextlib.redirect_stdout(cast(TextIO, _Said(sys.stdout))),
          contextlib.redirect_stderr(cast(TextIO, _Said(sys.stderr)))):
        yield


def _lost(stream: TextIO | None) -> bool:
    """Whether nobody can read what is written: the other end of a pipe, or the terminal, is closed."""
    try:
        ends = select.poll()
        ends.register(stream.fileno(), 0)  # type: ignore[union-attr]
        return any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in ends.poll(0))
    except (OSError, ValueError, AttributeError):  # of tests, or closed by us
        return False
