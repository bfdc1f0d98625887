"""The command line: `python -m pipeline --help`."""

from __future__ import annotations

import sys

from pipeline.commands.command_line import COMMAND, PROGRAM
from pipeline.runtime import process

if __name__ == "__main__":
    with process.ending():
        process.call(COMMAND, PROGRAM, sys.argv[1:])
