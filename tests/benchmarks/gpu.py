"""On a GPU

*Graph replay* is a step as it is trained, captured once as a CUDA graph; *eager* starts the same kernels one by one.
*Ten seeds together* are one batched computation. The 500 epochs are a whole training on MNIST's 50,000 images, without
the looks at validation images.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from gan.adversarial.training import Training
from tests.benchmarks import workload
from tests.benchmarks.table import Effort, Row, faster, share, slower, unmeasured
from tests.benchmarks.timing import compare, seconds, synchronised

ORDER = 6
MINIBATCHES = 100
SEEDS = 10
GRAPH = ("a step by graph replay", "the same step eager")
TOGETHER = (f"{SEEDS} seeds together", "one seed alone")
EPOCHS = ("500 epochs of MNIST", "a minute")


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    if device.type == "cuda":
        yield from measured(effort, device)
        return
    for what, against in (GRAPH, TOGETHER, EPOCHS):
        yield unmeasured(what, against, "no CUDA GPU")


def measured(effort: Effort, device: torch.device) -> Iterator[Row]:
    """The rows; on a processor, where it is for tests, nothing is captured."""
    nets, train = workload.nets(effort), workload.dataset(effort).train
    minibatches = workload.few(effort, MINIBATCHES, MINIBATCHES, 3)
    images = train[:minibatches * nets.recipe.batch_size]
    one = Training(nets, images, 1, device)
    ours = synchronised(one.run_epochs, device)
    eager = Training(nets, images, 1, device, captured=False)
    yield faster(*GRAPH, compare(ours, synchronised(eager.run_epochs, device), effort), per=minibatches)
    several = Training(nets, images, range(1, SEEDS + 1), device)
    yield slower(*TOGETHER, compare(synchronised(several.run_epochs, device), ours, effort), 2.0, per=minibatches)

    epochs = workload.few(effort, 500, 50, 2)
    whole = Training(nets, train, 1, device)
    whole.run_epochs()
    took = seconds(synchronised(lambda: [whole.run_epochs() for _ in range(epochs)], device))
    yield share(*EPOCHS, took * 500 / epochs, 60.0, 100.0, note="" if epochs == 500 else f"from {epochs} epochs")
