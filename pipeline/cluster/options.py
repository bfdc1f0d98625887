"""What a run on a cluster can be asked for; made without the libraries that run it, for the command line's help."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

DAY = 24 * 60
"""minutes"""


@dataclass(frozen=True)
class ClusterOptions:
    """Of `reproduce` and `sweep`; the options of the command line have these names and defaults."""

    cluster: Literal["auto", "none", "slurm", "local"]
    """auto: local where that is of use; none: one stage after another, by DVC"""
    retries: int = 3
    """how often a task whose job was killed is started again"""
    split_seeds: Literal["auto", "yes", "no"] = "auto"
    data: Literal["remote", "cache"] | None = None
    """how results travel; None for the cluster's own way"""
    scratch: str = ""
    """folder in which workers clone; empty for each node's temporary one"""
    partition: str = ""
    account: str = ""
    gpus: int = 0
    cpus: int = 2
    memory: float = 16
    """GiB"""
    time: int = DAY
    """minutes"""
    array_size: int = 1000
    at_once: int = 256
    sbatch: Sequence[str] = ()
    python: str = sys.executable
    workers: int = 0
    """0: one for each GPU; else as many as cores, threads and memory allow"""
    threads: int = 0
    """of each worker; 0: OMP_NUM_THREADS, else cores / workers"""
