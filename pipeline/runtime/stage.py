"""What every stage shares: its command line, and how it ends when something is wrong."""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gan.errors import ReproductionError
from pipeline.runtime import machine, run_log
from pipeline.runtime.inputs import Inputs

STAGE = "DVC_STAGE"  # which DVC sets for what it runs: "train@mnist"
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


def run(main: Callable[..., None]) -> None:
    """Call `main` with the words of the command line; print one clear error instead of a traceback.

    A stage of the graph fails when what it reads was edited meanwhile. How long it took is kept in the run
    log, under the name that DVC gives it; of the host a digest of its name, which tells machines apart on a page that
    is passed on and names none.
    Exit status: 0, 1 for an error that the user can mend, 130 after Ctrl-C, 143 after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminated)
    started, beginning = datetime.now(UTC), time.monotonic()
    commit, clean = machine.commit() if STAGE in os.environ else ("", False)
    try:
        _require_arguments(main, sys.argv[1:])
        inputs = Inputs.of(os.environ[STAGE]) if STAGE in os.environ else None
        main(*sys.argv[1:])
        if inputs:
            inputs.require_unchanged()
    except ReproductionError as error:
        print(f"\nerror: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as stop:
        status = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
        if status in (INTERRUPTED, TERMINATED):
            print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr, flush=True)
        sys.exit(status)
    if STAGE in os.environ:
        run_log.record("stages", os.environ[STAGE], {
            "seconds": round(time.monotonic() - beginning, 1), "started": started.isoformat(timespec="seconds"),
            "host": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "commit": commit, "clean": clean})


def _require_arguments(main: Callable[..., None], words: list[str]) -> None:
    try:
        inspect.signature(main).bind(*words)
    except TypeError as error:
        names = " ".join(f"<{name}>" for name in inspect.signature(main).parameters)
        raise ReproductionError("the command line does not fit", expected=names or "no arguments",
                                found=" ".join(words) or "no arguments", remedy=str(error)) from error


def _terminated(signum: int, frame: object) -> None:
    sys.exit(128 + signum)
