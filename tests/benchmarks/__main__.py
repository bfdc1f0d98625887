"""Run the benchmarks: python -m tests.benchmarks [section …]

They print a table and write it, as data and as text, to reports/benchmarks/; named ones take the place of their own
sections there. QUICK=1 in the environment makes it some minutes, with less to average over and smaller sizes, and
writes nothing. AGAINST=COMMIT names what the section `against` compares with.
"""

from __future__ import annotations

import os
import sys

from pipeline.runtime import machine, process
from tests.benchmarks import run_all


def main(*sections: str) -> None:
    machine.reuse_freed_memory()
    with machine.flushing_denormals():
        run_all.run(sections, quick=os.environ.get("QUICK", "") not in ("", "0"))


if __name__ == "__main__":
    with process.ending():
        main(*sys.argv[1:])
