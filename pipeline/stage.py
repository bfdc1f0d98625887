"""What every stage shares: its command line, and how it ends when something is wrong."""

from __future__ import annotations

import inspect
import signal
import sys
from collections.abc import Callable

from gan.errors import ReproductionError


def run(main: Callable[..., None]) -> None:
    """Call `main` with the words of the command line; print one clear error instead of a traceback.

    Exit status: 0, 1 for an error that the user can mend, 130 after Ctrl-C, 143 after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _require_arguments(main, sys.argv[1:])
        main(*sys.argv[1:])
    except ReproductionError as error:
        print(f"\nerror: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr, flush=True)
        sys.exit(130)


def _require_arguments(main: Callable[..., None], words: list[str]) -> None:
    try:
        inspect.signature(main).bind(*words)
    except TypeError as error:
        names = " ".join(f"<{name}>" for name in inspect.signature(main).parameters)
        raise ReproductionError("the command line does not fit", expected=names or "no arguments",
                                found=" ".join(words) or "no arguments", remedy=str(error)) from error


def _terminated(signum: int, frame: object) -> None:
    sys.exit(128 + signum)
