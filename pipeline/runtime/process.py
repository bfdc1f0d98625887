"""How a process of the pipeline ends: one clear error instead of a traceback, and an exit status that says why."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import click
import psutil

from gan.errors import ReproductionError

STAGE = "DVC_STAGE"
"""environment variable that DVC sets for what it runs, to train@mnist, say"""
PATIENCE = 10.0
"""Seconds that stages have to keep their state when they are stopped"""
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """All that a process does stands within it; made for the main thread, where it handles SIGTERM.

    Exit status: 0, 1 for an error that the user can mend, 2 for a command line that does not fit, 130 after Ctrl-C, 143
    after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    except ReproductionError as error:
        print(f"\nerror: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except click.exceptions.Exit as end:  # --help
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, SystemExit) as stop:
        status = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
        if status in (INTERRUPTED, TERMINATED):
            print("\nstopped; the same command resumes from the last checkpoint", file=sys.stderr, flush=True)
        sys.exit(status)


def call(command: click.Command, name: str, words: list[str]) -> None:
    """`command` with the words of a command line, under its `name` in help and errors; raises what `ending` takes."""
    with command.make_context(name, list(words)) as context:
        command.invoke(context)


def dvc(*words: str) -> None:
    """Run a command of DVC's, which waits for another one that only looks at the graph; ReproductionError if it
    fails."""
    if status := _status("dvc", "--wait-for-lock", *words):
        raise ReproductionError(f"`dvc {' '.join(words)}` failed", found=f"exit status {status}",
                                remedy="mend what it says above, then run the same command again")


def verb(*words: str) -> None:
    """Run a verb of this command line in a process of its own; SystemExit if it fails, as it has said why."""
    if status := _status("pipeline", *words):
        sys.exit(status)


def _status(*words: str) -> int:
    """The exit status of a Python module.

    When this process is stopped, the other and its stages are, which keep their state: DVC alone would take a stage
    that Ctrl-C ended for a failed one, and begin the next.
    """
    process = subprocess.Popen([sys.executable, "-m", *words])
    try:
        return process.wait()
    except BaseException:
        stages: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            stages = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        for stage in stages:
            with contextlib.suppress(psutil.Error):
                stage.terminate()
        psutil.wait_procs(stages, timeout=PATIENCE)
        process.wait()
        raise


def _terminated(signum: int, frame: object) -> None:
    sys.exit(128 + signum)
