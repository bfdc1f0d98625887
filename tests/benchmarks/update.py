"""Where an update's time goes

The training step of the first section, its parts clocked: one that is called within another stops the other's clock, so
that their seconds add up to the update's. *Matrix products* add the biases, where there are any, in the same kernel.
*Masks of dropout* are drawn and applied. *Examples weighted*: the inputs of D's layers times the weights of their
examples, without which one backward pass could not serve both players, and the sums for the biases. *The rest* is the
minibatch and the noise, both losses, and Python between them. The last row holds all parts together against the same
updates without clocks, by turns: more than 5 % longer, and the clocks would have measured themselves.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import torch

from gan.adversarial import layers
from gan.adversarial.layers import Dense, Dropout, Maxout
from gan.adversarial.training import Training
from tests.benchmarks import workload
from tests.benchmarks.clocked import Clock
from tests.benchmarks.step import MINIBATCHES
from tests.benchmarks.table import Effort, Row, slower, unmeasured
from tests.benchmarks.timing import Comparison, compare, median_and_quartiles, seconds

ORDER = 1
TOLERANCE = 0.05
"""by how much all parts together may take longer than an update without clocks, as a share of it"""
WHOLE = "an update"
PRODUCTS, MASKS, ACTIVATIONS, WEIGHTED, MOVED, REST = (
    "matrix products", "masks of dropout", "activations and their gradients", "examples weighted, sums for biases",
    "weights, velocities and the average moved", "the rest")
PARTS: dict[str, Sequence[tuple[Any, str]]] = {
    PRODUCTS: [(layers, "product"), (layers, "affine")],
    MASKS: [(Dropout, "forward"), (Dropout, "input_gradient")],
    ACTIVATIONS: [(Dense, "forward"), (Dense, "delta"), (Maxout, "forward"), (Maxout, "delta")],
    WEIGHTED: [(layers._Affine, "differentiate")],
    MOVED: [(Training, "_move"), (torch, "_foreach_lerp_")],
    REST: [(Training, "run_epoch")],
}
"""The functions that each part is, without those of other parts that they call"""


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    if device.type != "cpu":
        yield unmeasured("the parts of an update", WHOLE, "on a GPU an update is one captured graph of kernels, which "
                         "torch.profiler has taken apart: docs/speed.md")
        return
    nets, data = workload.nets(effort), workload.dataset(effort)
    updates = workload.few(effort, MINIBATCHES, MINIBATCHES, 3)
    training = Training(nets, data.train[:updates * nets.recipe.batch_size], 1)
    epochs: list[dict[str, float]] = []
    plain: list[float] = []
    compare(lambda: epochs.append(clocked_epoch(training)), lambda: plain.append(seconds(training.run_epoch)), effort)
    yield from of_epochs(epochs[1:], plain[1:], updates)  # the first of each is to get started


def of_epochs(epochs: Sequence[Mapping[str, float]], plain: Sequence[float], updates: int) -> Iterator[Row]:
    """The rows, from the seconds of each part in epochs of so many updates; `plain` are those of epochs without clocks,
    each beside one with them."""
    wholes = [sum(epoch.values()) for epoch in epochs]
    whole = statistics.median(wholes) / updates
    for part in PARTS:
        share, *quartiles = median_and_quartiles([100 * epoch[part] / all_parts for epoch, all_parts in
                                                  zip(epochs, wholes, strict=True)])
        yield Row(part, WHOLE, share, "%", (quartiles[0], quartiles[1]), len(epochs),
                  statistics.median(epoch[part] for epoch in epochs) / updates, whole, part_of=WHOLE)
    ratios = tuple(without / all_parts for without, all_parts in zip(plain, wholes, strict=True))
    yield slower("all parts of an update together", "the same update without clocks",
                 Comparison(statistics.median(wholes), statistics.median(plain), ratios), 1 + TOLERANCE, per=updates)


def clocked_epoch(training: Training) -> dict[str, float]:
    """Seconds of each part over an epoch."""
    clock = Clock()
    with clocked(clock):
        training.run_epoch()
    return {part: clock.seconds[part] for part in PARTS}


@contextlib.contextmanager
def clocked(clock: Clock) -> Iterator[None]:
    """PARTS have the clock around them."""
    with contextlib.ExitStack() as stack:
        for part, functions in PARTS.items():
            for owner, name in functions:
                stack.enter_context(patch.object(owner, name, clock.part(part, getattr(owner, name))))
        yield
