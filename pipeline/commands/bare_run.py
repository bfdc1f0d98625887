"""A run on a machine that has a GPU and no package index: no DVC, no MLflow, missing packages from a folder of wheels.

    python -m pipeline.commands.bare_run --minutes 9 --data data/prepared --wheels wheels --out bare-run

In order of worth, each result written when it is there, and stopping in time: the tests that need a GPU; the long run
of adversarial nets with several seeds in step, to the end of the annealing; starts of 20 epochs, for the rate of
collapse; benchmarks; the same starts with one thing changed. `python -m pipeline record --from bare-run` takes
the results into git where there is a clone.

The checkout needs no git here: name the commit with --commit. Digests of the code are kept with the results, and
recording compares them with that commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gan.errors import ReproductionError
from pipeline.bare import options, wheels


def main(words: Sequence[str]) -> int:
    """Unpack the wheels and run `pipeline.bare.session` with them on its path; returns its exit status.

    In a process of its own: it, and the tests that it starts, then import as if the wheels were installed.
    """
    began = time.time()
    given = options.parse(words)
    with tempfile.TemporaryDirectory(prefix="bare-run-") as folder:
        path = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        if given.wheels is not None:
            names = wheels.unpack(given.wheels, Path(folder))
            print(f"wheels: {', '.join(names)}", flush=True)
        sys.path.insert(0, folder)
        wheels.require_modules(given.wheels)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), options.BEGAN: str(began)}
        return subprocess.run([sys.executable, "-m", "pipeline.bare.session", *words], env=environment,
                              check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ReproductionError as error:
        print(f"\nerror: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
