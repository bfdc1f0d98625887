"""The training step

The networks of the experiment `mnist`, minibatches of 100 images, simultaneous updates. *Its matrix products alone* are
those that one such update cannot do without (`tests/benchmarks/products.py` counts them), of the same shapes, by the
same kernels, on factors that stay in the processor's cache: without velocities, averages and images, which the step
also moves. *By torch.mm* they are PyTorch's own, which on a CPU are other kernels than ours. *Idiomatic PyTorch* is
`tests/benchmarks/idiomatic.py`. Epochs are timed over a part of the images and include what an epoch needs: its order,
its statistics. *precision: bfloat16* is measured where the processor multiplies it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch

from gan.adversarial.training import Training
from gan.linear_algebra import multiplies_bfloat16
from tests.benchmarks import workload
from tests.benchmarks.idiomatic import IdiomaticTraining
from tests.benchmarks.products import StepProducts
from tests.benchmarks.table import Effort, Row, faster, slower
from tests.benchmarks.timing import compare, synchronised

ORDER = 1
MINIBATCHES = 20
"""in the part of the images that is timed"""


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    nets, data = workload.nets(effort), workload.dataset(effort)
    minibatches = workload.few(effort, MINIBATCHES, MINIBATCHES, 3)
    images = minibatches * nets.recipe.batch_size
    training = Training(nets, data.train[:images], 1, device)
    ours = synchronised(training.run_epoch, device)

    products = StepProducts(nets, data.train.shape[1], device)
    floor = compare(ours, synchronised(lambda: products.run(minibatches), device), effort)
    yield slower("a step", "its matrix products alone", floor, 1.2 if device.type == "cpu" else None, per=minibatches,
                 note=f"{len(products.shapes)} products, {products.operations / 1e9:.2f}·10⁹ operations: "
                      f"{products.operations * minibatches / floor.other / 1e9:.0f}·10⁹ a second")

    if device.type == "cpu":  # on a GPU both are the same kernels
        default = compare(ours, lambda: products.run(minibatches, torch.mm), effort)
        yield slower("a step", "its matrix products by torch.mm", default, 1.2, per=minibatches,
                     note=f"what a step in plain PyTorch multiplies by: "
                          f"{products.operations * minibatches / default.other / 1e9:.0f}·10⁹ operations a second")

    if device.type == "cpu" and multiplies_bfloat16():
        rounded = dataclasses.replace(nets, recipe=dataclasses.replace(nets.recipe, precision="bfloat16"))
        quick = Training(rounded, data.train[:images], 1, device)
        ratio = compare(quick.run_epoch, ours, effort)
        yield faster("a step with precision: bfloat16", "a step in float32", ratio, 1.5, per=minibatches,
                     note="factors of matrix products rounded, all else float32")

    theirs = IdiomaticTraining(nets, workload.pixels(effort)[:images], device)
    idiomatic = compare(ours, synchronised(theirs.run_epoch, device), effort)
    target = 2.0 if device.type == "cpu" else 10.0
    yield faster("a step", "idiomatic PyTorch", idiomatic, target, per=minibatches)
    whole = math.ceil(len(data.train) / nets.recipe.batch_size)
    yield faster(f"an epoch of {len(data.train):,} images", "idiomatic PyTorch", idiomatic, target,
                 per=minibatches / whole, note=f"from {minibatches} of {whole} minibatches")
