"""Two seeds on two cores

What is faster on a processor: each seed after the other with two threads, or a process for each with one. The networks
and the part of the images are those of the step; processes are started, and networks made, before the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.connection import Connection

import torch

from gan.adversarial.training import Training
from pipeline.runtime import machine
from tests.benchmarks import workload
from tests.benchmarks.processes import serving
from tests.benchmarks.step import MINIBATCHES
from tests.benchmarks.table import Effort, Row, faster, unmeasured
from tests.benchmarks.timing import FULL, QUICK, TINY, compare, threads

ORDER = 5
SEEDS = (1, 2)
WHAT, AGAINST = "two seeds, a process of one thread each", "one after the other, two threads"


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    if device.type != "cpu":
        yield unmeasured(WHAT, AGAINST, "on a GPU seeds are computed together")
        return
    with threads(2), serving(serve_epochs, [(effort.name, seed, 1) for seed in SEEDS]) as together:
        trainings = [_training(effort, seed) for seed in SEEDS]

        def together_once() -> None:
            together(1)

        def one_after_the_other() -> None:
            for training in trainings:
                training.run_epoch()

        yield faster(WHAT, AGAINST, compare(together_once, one_after_the_other, effort))


def _training(effort: Effort, seed: int) -> Training:
    nets, data = workload.nets(effort), workload.dataset(effort)
    minibatches = workload.few(effort, MINIBATCHES, MINIBATCHES, 3)
    return Training(nets, data.train[:minibatches * nets.recipe.batch_size], seed)


def serve_epochs(connection: Connection, effort: str, seed: int, n_threads: int) -> None:
    """An epoch of the seed for each number received, until it is 0."""
    torch.set_num_threads(n_threads)
    machine.reuse_freed_memory()
    training = _training(next(known for known in (TINY, QUICK, FULL) if known.name == effort), seed)
    while connection.recv():
        training.run_epoch()
        connection.send(True)
