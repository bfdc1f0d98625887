"""The checkout whose work this is, also where DVC runs a stage in a folder that it deletes afterwards."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = "DVC_ROOT"
"""environment variable that DVC sets for what it runs: the checkout in which `dvc exp run` was called"""
EXPERIMENTS = Path(".dvc/tmp/exps")
ORIGIN = "PIPELINE_CHECKOUT"
"""environment variable of a cluster's workers, each of which runs in a clone: the checkout that asked"""


def main_checkout() -> Path:
    """The checkout whose `.dvc/tmp/exps` holds the current folder, else the current folder; absolute.

    `dvc exp run --temp`, and what `--queue` has put off, run in such a folder. Whatever is no output of DVC's and has
    to outlive it (runs, checkpoints, the run log) belongs into the checkout.
    """
    here = Path.cwd()
    named = [Path(os.environ[ROOT]).absolute()] if os.environ.get(ROOT) else []  # its `.dvc/tmp` may be a link
    for checkout in (*reversed(here.parents), *named):
        if checkout != here and here.is_relative_to((checkout / EXPERIMENTS).resolve()):
            return checkout
    return here


def asking_checkout() -> Path:
    """The checkout for which this process works, also where that is a worker's and its clone will be deleted."""
    return Path(os.environ.get(ORIGIN) or main_checkout())


def is_temporary() -> bool:
    """Whether DVC runs this in a folder that it deletes afterwards."""
    return main_checkout() != Path.cwd()
