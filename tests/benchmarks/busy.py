"""A training on a busy machine

One seed with two threads, alone and beside two processes that compute without end. Ours is the training as the pipeline
starts it: a thread that waits for another one sleeps after 10,000 turns (`GOMP_SPINCOUNT`); by itself libgomp lets it
turn 300,000 times. The fair share of two threads among four is half of the machine.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator

import psutil
import torch

import pipeline
from tests.benchmarks.processes import serving
from tests.benchmarks.seeds import serve_epochs
from tests.benchmarks.table import Effort, Row, faster, slower, unmeasured
from tests.benchmarks.timing import compare

ORDER = 6
VARIABLE, LIBGOMPS = "GOMP_SPINCOUNT", "300000"
OTHERS = 2
ALONE, BESIDE = "an epoch, alone", "the same beside two busy processes"
SHARE = 2 / 0.75
"""Times as long as alone: three quarters of a fair share of half the machine"""


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    if device.type != "cpu" or os.cpu_count() != OTHERS:
        yield unmeasured(BESIDE, "libgomp's own waiting", "on two processors alone")
        return
    with _training(effort, pipeline.SPINS) as ours, _training(effort, LIBGOMPS) as theirs, _busy() as busy:
        busy(False)
        yield slower(ALONE, "libgomp's own waiting", compare(lambda: ours(1), lambda: theirs(1), effort), target=1.02)

        def alone() -> None:
            busy(False)
            ours(1)

        def beside() -> None:
            busy(True)
            ours(1)
        yield slower(BESIDE, "alone", compare(beside, alone, effort), target=SHARE)
        busy(True)
        yield faster(BESIDE, "libgomp's own waiting", compare(lambda: ours(1), lambda: theirs(1), effort))


@contextlib.contextmanager
def _training(effort: Effort, spins: str) -> Iterator[Callable[[int], None]]:
    """Runs epochs in a process of its own, whose libgomp waits for so many turns."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = spins
    try:
        with serving(serve_epochs, [(effort.name, 1, 2)]) as epochs:
            yield epochs
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


@contextlib.contextmanager
def _busy() -> Iterator[Callable[[bool], None]]:
    """Two processes that compute without end, or rest."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_compute, daemon=True) for _ in range(OTHERS)]
    for process in processes:
        process.start()

    def switch(on: bool) -> None:
        for process in processes:
            psutil.Process(process.pid).send_signal(signal.SIGCONT if on else signal.SIGSTOP)
    try:
        yield switch
    finally:
        for process in processes:
            process.kill()
            process.join()


def _compute() -> None:
    while True:
        pass
