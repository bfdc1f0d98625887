"""The command line: `python -m pipeline --help`."""

import _signal  # type: ignore[import-not-found]  # the slow part of `signal` are its enumerations
import sys

if __name__ == "__main__":
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # no traceback from what is being imported

    from pipeline.commands.command_line import COMMAND, PROGRAM
    from pipeline.runtime import process

    with process.ending():
        process.call(COMMAND, PROGRAM, sys.argv[1:])
