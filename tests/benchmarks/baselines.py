"""The paper's baselines

An update of each of the other models of Table 1, at the sizes of their experiments on MNIST, minibatches of 100 images.
*Its matrix products alone* are those that the update cannot do without, of the same shapes and by the same kernels, on
factors that stay in the processor's cache. A CD-k update has the hidden units of the data, k times the visible and the
hidden ones of the chains, and one product of both phases for the gradient; an autoencoder its way up and down, one way
back and the gradient; the deep GSN four steps up and down and back through them, and a gradient for each weight matrix.
CD-1 multiplies least for each weight that it moves: where threads have no cache in common, the weights that one has
written go to the others. Its row of one thread has none of that; the row of the weights' way is what the first write to
them takes after products have read them, beyond what a second takes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import torch
from torch import Tensor

from gan.baselines.dbn import DeepBeliefNetModel
from gan.baselines.deep_gsn import DeepGSNModel
from gan.baselines.settings import BoltzmannLayer, ContractiveLayer, DeepBeliefNet, DeepGSN, StackedCAE
from gan.baselines.stacked_cae import StackedCAEModel
from gan.linear_algebra import product
from gan.model import Model
from tests.benchmarks import workload
from tests.benchmarks.table import Effort, Row, share, slower
from tests.benchmarks.timing import compare, seconds, synchronised, threads

ORDER = 2
TARGET = 1.5
UPDATES, BATCH = 20, 100
Shape = tuple[int, int, int]
"""(n, k, m) of a product of [n, k] and [k, m]; a negative n is that of a transposed left factor, a negative m that of a
transposed right one"""


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    for what, model, shapes in models(effort, device):
        yield (found := row(what, model, shapes, effort, device))
        if what.endswith("CD-1") and device.type == "cpu" and torch.get_num_threads() > 1:
            assert found.seconds is not None
            yield share("of it, the weights' way from thread to thread", f"an update of {what}",
                        seconds_to_move(shapes, effort), found.seconds)
            with threads(1):
                yield row(f"{what}, one thread", model, shapes, effort, device)


def seconds_to_move(shapes: list[Shape], effort: Effort) -> float:
    """What a write to the weights takes right after the products that read them, less what it takes again: a median."""
    (v, W), (h, _), *_ = factors(shapes, torch.device("cpu"))
    differences = []
    for _ in range(workload.few(effort, 1000, 200, 2)):
        product(v, W)
        product(h, W.t())
        first = seconds(lambda: W.mul_(1.0))
        differences.append(first - seconds(lambda: W.mul_(1.0)))
    return max(0.0, statistics.median(differences))


def row(what: str, model: Model, shapes: list[Shape], effort: Effort, device: torch.device) -> Row:
    updates = workload.few(effort, UPDATES, UPDATES, 2)
    pairs = factors(shapes, device)

    def products() -> None:
        for _ in range(updates):
            for a, b in pairs:
                product(a, b)

    with torch.no_grad():
        found = compare(synchronised(model.fit_epoch, device), synchronised(products, device), effort)
    operations = sum(2 * abs(n) * k * abs(m) for n, k, m in shapes)
    return slower(f"an update of {what}", "its matrix products alone", found, TARGET, per=updates,
                  note=f"{len(shapes)} products, {operations / 1e9:.2f}·10⁹ operations: "
                       f"{operations * updates / found.other / 1e9:.0f}·10⁹ a second")


def models(effort: Effort, device: torch.device) -> Iterator[tuple[str, Model, list[Shape]]]:
    """Each model on as many images as give it UPDATES updates an epoch, and the products of one."""
    train = workload.dataset(effort).train
    n = 2 if effort.tiny else BATCH
    train, d = train[:workload.few(effort, UPDATES, UPDATES, 2) * n], train.shape[1]
    units = workload.few(effort, 1024, 1024, 5)
    for k, persistent in ((1, False), (15, True)):
        layer = BoltzmannLayer(units, k, persistent, learning_rate=1e-4, momentum=0.5, weight_decay=2e-4, epochs=10**6)
        settings = DeepBeliefNet("dbn", "bernoulli", [layer], batch_size=n, burn_in=1, starts=1)
        yield (f"an RBM by {'PCD' if persistent else 'CD'}-{k}", DeepBeliefNetModel(settings, train, 1, device),
               rbm_products(d, units, k, n))
    units = workload.few(effort, 1000, 1000, 5)
    coder = ContractiveLayer(units, contraction=1.0, learning_rate=1e-4, epochs=10**6)
    cae = StackedCAE("stacked_cae", [coder], batch_size=n, noise=1.0, burn_in=1, starts=1)
    yield "a contractive autoencoder", StackedCAEModel(cae, train, 1, device), cae_products(d, units, n)
    hidden = [workload.few(effort, 1500, 1500, 5)] * 2
    gsn = DeepGSN("deep_gsn", hidden, noise=2.0, corruption=0.4, walkback=4, batch_size=n, epochs=10**6,
                  learning_rate=1e-4, learning_rate_decay=1.0, momentum=0.5, burn_in=1, starts=1)
    yield "the deep GSN", DeepGSNModel(gsn, train, 1, device), gsn_products([d, *hidden], gsn.walkback, n)


def rbm_products(d: int, units: int, k: int, n: int) -> list[Shape]:
    return [(n, d, units), *[(n, units, -d), (n, d, units)] * k, (-d, 2 * n, units)]


def cae_products(d: int, units: int, n: int) -> list[Shape]:
    return [(n, d, units), (n, units, -d), (n, d, units), (-d, 2 * n, units)]


def gsn_products(units: list[int], steps: int, n: int) -> list[Shape]:
    """`units` from the image up. Hidden units begin at 0, and the last step's even hidden layers reach no loss."""
    shapes: list[Shape] = []
    for i in range(len(units) - 1):
        even, odd = (units[i], units[i + 1]) if i % 2 == 0 else (units[i + 1], units[i])
        times = steps if i == 0 else steps - 1
        shapes += [(n, even, odd), (n, odd, -even)] * times  # up to the odd layer, down to the even one
        shapes += [(n, even, odd)] * times  # back from the even layer,
        shapes += [(n, odd, -even)] * (times if i else 0)  # and from the odd one, but not into the drawn image
        shapes.append((-even, 2 * times * n, odd))
    return shapes


def factors(shapes: list[Shape], device: torch.device) -> list[tuple[Tensor, Tensor]]:
    stream = torch.Generator(device).manual_seed(0)

    def random(rows: int, columns: int, transposed: bool) -> Tensor:
        shape = (columns, rows) if transposed else (rows, columns)
        found = torch.rand(shape, generator=stream, device=device)
        return found.t() if transposed else found

    return [(random(abs(n), k, n < 0), random(k, abs(m), m < 0)) for n, k, m in shapes]
