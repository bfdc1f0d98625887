"""How a process of the pipeline ends: one clear error instead of a traceback, and an exit status that says why."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

import click

from gan.errors import ReproductionError

STAGE = "DVC_STAGE"
"""environment variable that DVC sets for what it runs, to train@mnist, say"""
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
            print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr, flush=True)
        sys.exit(status)


def call(command: click.Command, name: str, words: list[str]) -> None:
    """`command` with the words of a command line, under its `name` in help and errors; raises what `ending` takes."""
    with command.make_context(name, list(words)) as context:
        command.invoke(context)


def _terminated(signum: int, frame: object) -> None:
    sys.exit(128 + signum)
