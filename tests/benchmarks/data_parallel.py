"""One training on several devices

Why experiments and seeds are spread over devices, and one training is not. *Data-parallel*: two processes of one
thread, each with half of every minibatch, and their gradients averaged (`torch.distributed`, gloo, on this machine), in
plain PyTorch with automatic differentiation. *Two seeds*: the same two processes, each with a training and whole
minibatches of its own. Both are compared with one process that does the same updates. The curve is our own step on
smaller and smaller parts of a minibatch of 100 images: what each of n devices would still have to do for every update,
before it exchanges a single gradient.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection

import torch
import torch.distributed
from torch import Tensor, nn

from gan.adversarial.training import Training
from tests.benchmarks import workload
from tests.benchmarks.idiomatic import discriminator, generator
from tests.benchmarks.processes import serving
from tests.benchmarks.table import Effort, Row, faster, unmeasured
from tests.benchmarks.timing import FULL, QUICK, TINY, compare, seconds, synchronised, threads

ORDER = 6
UPDATES, DEVICES = 20, 2
PARTS = (1, 2, 4, 10, 20)
"""of a minibatch of 100 images"""


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    if device.type != "cpu":
        yield unmeasured("a training on two devices", "on one", "measured on a processor only")
        return
    with threads(1):
        alone = PlainTraining(effort, share=1)
        updates = workload.few(effort, UPDATES, UPDATES, 2)
        for exchanges, what in ((True, "one training, data-parallel over two processes"),
                                (False, "two seeds, a process each")):
            port = _free_port()
            with serving(_serve, [(effort.name, exchanges, rank, port) for rank in range(DEVICES)]) as both:
                def together(both: Callable[[int], None] = both) -> None:
                    both(updates)

                times = 1 if exchanges else DEVICES

                def one_process(times: int = times) -> None:
                    alone.run(updates * times)

                yield faster(what, "one process that does as much", compare(together, one_process, effort),
                             per=updates * times)
        yield _parts(effort)


def _parts(effort: Effort) -> Row:
    """Seconds of an update by how many devices share its minibatch."""
    nets, data = workload.nets(effort), workload.dataset(effort)
    whole = nets.recipe.batch_size
    parts = [part for part in PARTS if part <= whole]
    points = []
    for part in parts:
        size = whole // part
        mine = replace(nets, recipe=replace(nets.recipe, batch_size=size))
        count = workload.few(effort, UPDATES, UPDATES, 2)
        training = Training(mine, data.train[:count * size], 1)
        run = synchronised(training.run_epoch, torch.device("cpu"))
        run()
        points.append((float(part), min(seconds(run) for _ in range(workload.few(effort, 5, 3, 1))) / count))
    return Row(f"an update on one of {parts[-1]} parts of a minibatch", "the whole minibatch",
               100 * points[-1][1] / points[0][1], "%", seconds=points[-1][1], seconds_against=points[0][1],
               note=f"{100 / parts[-1]:.0f} % would be in proportion: weights, velocities and averages are moved whole "
                    "whatever the part", x="devices that share a minibatch", y="seconds", points=tuple(points))


class PlainTraining:
    """An update of both networks on one part of a minibatch; with `group`, gradients averaged over all parts."""

    def __init__(self, effort: Effort, share: int, group: bool = False) -> None:
        nets, images = workload.nets(effort), workload.dataset(effort).train
        dimensions = images.shape[1]
        torch.manual_seed(1)
        self.generator, self.discriminator = generator(nets, dimensions), discriminator(nets, dimensions)
        self.images, self.group, self.noise = images[:max(2, nets.recipe.batch_size // share)], group, nets.noise
        self.optimizers = [torch.optim.SGD(net.parameters(), lr=nets.recipe.learning_rate.initial, momentum=0.5)
                           for net in (self.discriminator, self.generator)]
        self.criterion = nn.BCELoss()

    def run(self, updates: int) -> None:
        for _ in range(updates):
            self._update()

    def _update(self) -> None:
        """The released simultaneous form: one pass, both move."""
        n = len(self.images)
        z = torch.empty(n, self.noise.dimensions).uniform_(-1.7, 1.7)
        samples = self.generator(z)
        on_samples, on_images = self.discriminator(samples), self.discriminator(self.images)
        real, fake = torch.ones(n, 1), torch.zeros(n, 1)
        d_loss = self.criterion(on_images, real) + self.criterion(on_samples, fake)
        d, g = list(self.discriminator.parameters()), list(self.generator.parameters())
        d_gradients = torch.autograd.grad(d_loss, d, retain_graph=True)
        g_gradients = torch.autograd.grad(self.criterion(on_samples, real), g)
        self._move(d + g, [*d_gradients, *g_gradients])

    def _move(self, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        if self.group:  # all in one message, as DistributedDataParallel's buckets are
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            torch.distributed.all_reduce(flat)
            flat /= torch.distributed.get_world_size()
            parts = flat.split([gradient.numel() for gradient in gradients])
            gradients = [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        for optimizer in self.optimizers:
            optimizer.step()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _serve(connection: Connection, effort: str, exchanges: bool, rank: int, port: int) -> None:
    torch.set_num_threads(1)
    if exchanges:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        torch.distributed.init_process_group("gloo", rank=rank, world_size=DEVICES)
    training = PlainTraining(next(known for known in (TINY, QUICK, FULL) if known.name == effort),
                             DEVICES if exchanges else 1, exchanges)
    while updates := connection.recv():
        training.run(updates)
        connection.send(True)
    if exchanges:
        torch.distributed.destroy_process_group()
