"""Training of adversarial nets: Algorithm 1 of Goodfellow et al. 2014, and the form that was released with it.

**The step.** Let u_i = ∂o_i/∂θ and g_i = ∂o_i/∂x_i be the derivatives of the discriminator's logit for example i. Both
players' gradients are weighted sums of the same derivatives: the discriminator's is Σ a_i·u_i, with a = ∂(D's loss)/∂o,
and what reaches the generator's output i is b_i·g_i, with b = ∂(G's loss)/∂o. So one backward pass through D, of the
logits themselves, serves both: examples are weighted by a where the parameters' gradients are summed, and by b where
the generator's backward pass begins. Nothing is divided by a, which vanishes where D is sure. In the released,
simultaneous form a whole update is one generator pass, one discriminator pass, and one backward pass of each.

**The update** is θ ← θ + v, v ← m·v − lr·∇, with the learning rate inside the velocity. The rate is put onto the
examples' weights a and b, so that gradients arrive multiplied by it and one pass over the parameters is left, torch's
fused one: on a CPU layer by layer, as gradients come while they are in the cache; on a GPU over all of them. Velocities
are kept with the opposite sign.

**Other games** fit the same step. A relativistic loss changes a and b alone; what conditional nets are told joins
their inputs; a penalty on ‖∂o/∂x‖² adds a forward pass of tangents to D's backward pass, and no second derivative
(`gan.adversarial.layers.Network.backward_with_penalty`).

**On a GPU** the whole update (choice of the minibatch, noise, dropout, both players' steps, the schedule) is captured
once as a CUDA graph and replayed (`gan.adversarial.cuda_graph`); nothing waits for the GPU until the epoch's statistics
are read.

**Seeds together.** On a GPU, where one small network leaves most of it idle, the networks of S seeds are computed as
one, by batched matrix products (`gan.adversarial.layers.stack`). Each seed keeps random streams of its own, so that its
result does not depend on which others run with it, up to the rounding of other kernels.

**Pretraining**, as the paper's TFD experiment has it, is a game of its own that comes first. Its generator is then the
upper part of a deeper one; its discriminator is discarded.

**Random streams** (`gan.linear_algebra.random_stream`) are separate for initial weights, data order, and noise with
dropout, and depend on nothing but the seed and the game. `state` holds all of them, at any update of an epoch: training
that resumes from a saved state gives the same bits as training that was never stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.adversarial import game
from gan.adversarial.conditions import Told, class_codes, draw_visible, of_classes, of_pixels
from gan.adversarial.cuda_graph import CapturedUpdates
from gan.adversarial.layers import Layer, Network, stack
from gan.adversarial.networks import discriminator_layers, draw_noise, flat, generator_layers
from gan.adversarial.settings import AdversarialNets, Objective, OnClass, OnVisiblePixels, Shape
from gan.errors import TrainingDiverged
from gan.linear_algebra import products_in, random_stream, require_precision
from gan.streams import PRETRAINED


@dataclass(frozen=True)
class EpochStatistics:
    """Means over one epoch's minibatches, in nats where they are losses. D is as trained, dropout on."""

    epoch: int
    discriminator_loss: float
    generator_loss: float
    d_on_data: float
    d_on_samples: float
    learning_rate: float
    momentum: float


# An average that is updated every tenth step with the decay's tenth power differs from one updated at every step by
# less than the weights move in ten steps, and costs a tenth.
AVERAGE_EVERY = 10


class Training:
    """One game of one seed, or of several in step: networks, velocities, the generators' averages, random streams."""

    def __init__(self, nets: AdversarialNets, train: Tensor, seed: int | Sequence[int],
                 device: torch.device | str = "cpu", shape: Shape | None = None,
                 pretrained: Sequence[Layer] | None = None, *, captured: bool = True,
                 draws_on: torch.device | str | None = None, start: int = 1, labels: Tensor | None = None) -> None:
        """`train` [N, d] are the training images, of `shape` (C, H, W); they are moved to `device` once.

        `pretrained` are the layers of G that pretraining left; with them goes all of `nets` but `pretraining`.
        On a GPU updates are `captured`, unless noise and dropout are drawn elsewhere: `draws_on` a CPU they are the
        numbers that training on that CPU would have. `start` counts a seed's starts, each with random streams of its
        own. `labels`, int64 [N], are for nets that are told a class; such nets cannot be trained without.
        ValueError if the networks do not fit the images, or the labels the classes; ParameterError if `device` lacks
        the recipe's precision.
        """
        self.nets, self.recipe, self.device = nets, nets.recipe, torch.device(device)
        require_precision(self.recipe.precision, self.device)
        self.seeds = [seed] if isinstance(seed, int) else list(seed)
        self.train = train.to(self.device)
        draws_on = torch.device(draws_on or device)
        game = ("" if pretrained is None else PRETRAINED) + ("" if start == 1 else f"start {start}: ")
        self._image_shape = shape = shape or flat(train)
        in_g, in_d = nets.told(train.shape[1])
        self._penalised = train.shape[1] if in_d else None
        """inputs of D by which its slope is penalised: the pixels, and nothing of what it is told"""
        self._labels, self._codes = self._classes(labels)
        self._orders = [random_stream(seed, f"{game}order of the data") for seed in self.seeds]
        self.noises = [random_stream(seed, f"{game}noise and dropout", draws_on) for seed in self.seeds]
        weights = [random_stream(seed, f"{game}initial weights") for seed in self.seeds]
        generators = [generator_layers(nets.generator, nets.noise.dimensions + in_g, train, shape, stream)
                      for stream in weights]
        discriminators = [discriminator_layers(nets.discriminator, shape, stream, noise, in_d)
                          for stream, noise in zip(weights, self.noises, strict=True)]
        self.generator = Network([*stack(generators), *(pretrained or [])], self.device, len(self.seeds))
        self.discriminator = Network(stack(discriminators), self.device, len(self.seeds))
        if self.recipe.maximum_norm is not None:  # pylearn2 enforces constraints when training starts
            self.generator.limit_norms(self.recipe.maximum_norm)
            self.discriminator.limit_norms(self.recipe.maximum_norm)
        self._velocities = {layer: [torch.zeros_like(p) for p in layer.parameters]
                            for network in (self.generator, self.discriminator) for layer in network.layers}
        self.average = [p.clone() for p in self.generator.parameters]
        self.epoch = 0
        self.updates = 0
        self._position = 0  # images of the running epoch that are done
        self.order = torch.empty((*self._leading, len(train)), dtype=torch.int64, device=self.device)
        self.logits = torch.empty(2, len(train), len(self.seeds), device=self.device)  # on data, on samples
        self._captured = (CapturedUpdates(self) if captured and self.device.type == "cuda"
                          and draws_on == self.device and len(train) >= self.recipe.batch_size else None)

    def _classes(self, labels: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The labels, and how each class is told, where a class is told; on the device."""
        condition = self.nets.condition
        if not isinstance(condition, OnClass):
            return None, None
        if labels is not None and (len(labels) != len(self.train) or int(labels.min()) < 0
                                   or int(labels.max()) + 1 != condition.classes):
            raise ValueError(f"condition.classes is {condition.classes} and there are {len(self.train):,} images, but "
                             f"{len(labels):,} labels from {int(labels.min())} to {int(labels.max())}")
        return (None if labels is None else labels.to(self.device),
                class_codes(condition.classes).to(self.device))

    @property
    def _leading(self) -> tuple[int, ...]:
        """The axis of seeds, where there are several."""
        return () if len(self.seeds) == 1 else (len(self.seeds),)

    def run_epoch(self, between_updates: Callable[[], None] = lambda: None) -> EpochStatistics:
        """As `run_epochs`, of the only seed."""
        [statistics] = self.run_epochs(between_updates)
        return statistics

    @torch.no_grad()
    def run_epochs(self, between_updates: Callable[[], None] = lambda: None) -> list[EpochStatistics]:
        """Every training image once (Algorithm 1: once by each player's updates together), in a new order; each seed's.

        `between_updates` is called between updates, where `state` may be taken. An epoch that was restored is finished.
        Raises TrainingDiverged when a loss or a weight is no longer a finite number.
        """
        if self._codes is not None and self._labels is None:
            raise ValueError("condition.given is class, but the data have no labels")
        if self._position == 0:
            self.order.copy_(self._draw_orders().view(self.order.shape))
        momentum = self.recipe.momentum.during(self.epoch + 1)
        with products_in(self.recipe.precision):
            while self._position < len(self.train):
                if self._position:
                    between_updates()
                self._run_update(momentum)
        self._position = 0
        self.epoch += 1
        before = self.updates - math.ceil(len(self.train) / self.recipe.batch_size)
        means, finite = self._read_epoch()
        rate = self.recipe.learning_rate.after(before)
        statistics = [EpochStatistics(self.epoch, d_loss, g_loss, on_data, on_samples, rate, momentum)
                      for d_loss, g_loss, on_data, on_samples in means]
        for of_one_seed in statistics:
            self._require_finite(of_one_seed, finite)
        return statistics

    def _run_update(self, momentum: float) -> None:
        start = self._position
        stop = min(start + self.recipe.batch_size, len(self.train))
        moves_generator = (self.updates + 1) % self.recipe.discriminator_steps == 0
        if self._captured is not None and stop - start == self.recipe.batch_size:
            self._captured.run(start // self.recipe.batch_size, self.updates, momentum, moves_generator)
        else:
            rate = self.recipe.learning_rate.after(self.updates)
            columns = self.update(self.order[..., start:stop], rate, momentum, moves_generator)
            self.logits[:, start:stop] = columns.view(2, stop - start, -1)
        self.updates += 1
        self._position = stop
        if self.updates % AVERAGE_EVERY == 0:
            torch._foreach_lerp_(self.average, self.generator.parameters,
                                 1 - self.recipe.average_decay**AVERAGE_EVERY)

    def update(self, rows: Tensor, rate: float | Tensor, momentum: float, moves_generator: bool) -> Tensor:
        """One update on the training images `rows` [n], of several seeds [S, n].

        Returns D's logits before it, [2n, S]: on the images, on as many samples.
        """
        n, recipe = rows.shape[-1], self.recipe
        data = self.train.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)
        told = self._tell(rows, data)
        logits = _columns(self._judge(n, told, data))
        discriminator_gradients = self._rows(self._discriminator_gradient(logits, n).mul_(rate))
        simultaneous = recipe.updates == "simultaneous"
        sample_gradients = self._step(self.discriminator, torch.ones_like(discriminator_gradients), momentum,
                                      discriminator_gradients, rows=n if simultaneous else 0,
                                      penalties=self._penalties(n, rate))
        if sample_gradients is not None:
            generator_gradients = self._generator_gradient(logits, n, rate)
            pixels = _gradient_of_made(sample_gradients, told, data.shape[-1])
            self._step(self.generator, pixels.mul_(self._rows(generator_gradients)), momentum)
        elif moves_generator:
            self.discriminator.join()
            relativistic = recipe.objective is Objective.RELATIVISTIC
            fresh = _columns(self._judge(n, told, *([data] if relativistic else [])))
            generator_gradients = self._generator_gradient(fresh, n if relativistic else 0, rate)
            if relativistic:
                generator_gradients = torch.cat((torch.zeros_like(generator_gradients), generator_gradients))
            below = self.discriminator.input_gradient(self._rows(generator_gradients))[..., -n:, :]
            self._step(self.generator, _gradient_of_made(below, told, data.shape[-1]), momentum)
        self.generator.join()
        self.discriminator.join()
        return logits

    def _tell(self, rows: Tensor, data: Tensor) -> Told | None:
        """What both players are told of the minibatch's images, and of as many samples."""
        condition = self.nets.condition
        if isinstance(condition, OnVisiblePixels):
            drawn = [draw_visible(condition, rows.shape[-1], self._image_shape, stream) for stream in self.noises]
            return of_pixels(data, (drawn[0] if len(drawn) == 1 else torch.stack(drawn)).to(self.device))
        if self._codes is None or self._labels is None:
            return None
        return of_classes(self._codes, self._labels[rows])

    def _judge(self, n: int, told: Told | None, *data: Tensor) -> Tensor:
        """D's logits on `data`, if any, and on n fresh samples; its masks are drawn while G is at work."""
        z = self._draw_noise(n)
        self.discriminator.draw_masks(n * (1 + len(data)))
        if told is None:
            judged = [*data, self.generator.forward(z)]
        else:
            samples = told.completed(self.generator.forward(torch.cat((z, told.generator), -1)))
            judged = [torch.cat((images, told.discriminator), -1) for images in (*data, samples)]
        self.discriminator.join()
        return self.discriminator.forward(torch.cat(judged, -2) if data else judged[0])

    def _discriminator_gradient(self, logits: Tensor, n: int) -> Tensor:
        """∂(D's loss)/∂o for the logits on n images and on as many samples; the place for another loss of D."""
        return game.discriminator_logit_gradient(logits, n, self.recipe.objective)

    def _generator_gradient(self, logits: Tensor, n: int, rate: float | Tensor) -> Tensor:
        """∂(G's loss)/∂o times G's rate, for the logits on samples, which follow n on images."""
        gradient = game.generator_logit_gradient(logits[n:], self.recipe.objective, logits[:n] if n else None)
        return gradient.mul_(rate if self.recipe.generator_rate == 1 else rate * self.recipe.generator_rate)

    def _penalties(self, n: int, rate: float | Tensor) -> Tensor | None:
        """Of each penalised example, times the rate: [n, 1], or with samples [2n, 1]."""
        penalty = self.recipe.penalty
        if penalty is None:
            return None
        examples = n if penalty.on == "data" else 2 * n
        return torch.full((examples, 1), penalty.weight / n, device=self.device).mul_(rate)

    def _draw_orders(self) -> Tensor:
        """Of the images in the next epoch, [S, N]."""
        return torch.stack([torch.randperm(len(self.train), generator=stream) for stream in self._orders])

    def _draw_noise(self, n: int) -> Tensor:
        """[n, dimensions], of several seeds [S, n, dimensions]"""
        drawn = [draw_noise(self.nets.noise, n, stream) for stream in self.noises]
        return (drawn[0] if len(drawn) == 1 else torch.stack(drawn)).to(self.device)

    def _rows(self, columns: Tensor) -> Tensor:
        """Weights of examples as layers have them: from [n, S] to [n, 1], of several seeds [S, n, 1]."""
        return columns.t().unsqueeze(-1) if self._leading else columns

    def _step(self, network: Network, gradient: Tensor, momentum: float, weights: Tensor | None = None,
              rows: int = 0, penalties: Tensor | None = None) -> Tensor | None:
        """`network.backward`, or `backward_with_penalty`, and its parameters moved: on a GPU beside what follows, until
        the network's `join`."""
        def finished(layer: Layer) -> None:
            if self.device.type == "cpu":
                self._move([layer], momentum)

        if penalties is None or weights is None:
            below = network.backward(gradient, weights, rows, finished)
        else:
            below = network.backward_with_penalty(gradient, weights, penalties, finished, self._penalised)[
                ..., -rows:, :]
            below = below if rows else None
        with network.beside():
            if self.device.type != "cpu":
                self._move(network.layers, momentum)
            if self.recipe.maximum_norm is not None:
                network.limit_norms(self.recipe.maximum_norm)
        return below

    def _move(self, layers: Sequence[Layer], momentum: float) -> None:
        parameters, gradients, velocities = (list(itertools.chain.from_iterable(tensors)) for tensors in zip(
            *((layer.parameters, layer.gradients, self._velocities[layer]) for layer in layers), strict=True))
        if not parameters:
            return
        if momentum > 0 and all(t.is_contiguous() for t in parameters + gradients):
            # Layouts must agree: the fused kernel takes memory as it comes; and it knows no momentum of 0.
            torch._fused_sgd_(parameters, gradients, velocities, weight_decay=0.0, momentum=momentum, lr=1.0,
                              dampening=0.0, nesterov=False, maximize=False, is_first_step=False)
        else:
            torch._foreach_mul_(velocities, momentum)
            torch._foreach_add_(velocities, gradients)
            torch._foreach_sub_(parameters, velocities)
        for layer in layers:
            layer.gradients = []  # their memory is for the next ones

    def _read_epoch(self) -> tuple[list[list[float]], bool]:
        """Each seed's four means over the epoch, and whether all weights are finite numbers.

        All of it comes from the device at once: one read waits for everything that the epoch started there.
        """
        means = [mean for k in range(len(self.seeds))
                 for mean in self._means(self.logits[0, :, k], self.logits[1, :, k])]
        sums = [p.sum() for p in self.generator.parameters + self.discriminator.parameters]
        values = torch.stack(means + sums).tolist()
        return [values[4 * k:4 * k + 4] for k in range(len(self.seeds))], all(map(math.isfinite, values[len(means):]))

    def _means(self, on_data: Tensor, on_samples: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """D's loss, G's loss, D on data, D on samples, from one seed's logits [n] and [n]."""
        objective = self.recipe.objective
        chances_on_data, chances_on_samples = game.chances(on_data, on_samples, objective)
        return (game.discriminator_loss(on_data, on_samples, objective),
                game.generator_loss(on_samples, objective, on_data),
                chances_on_data.mean(), chances_on_samples.mean())

    @staticmethod
    def _require_finite(statistics: EpochStatistics, weights_are_finite: bool) -> None:
        losses = (statistics.discriminator_loss, statistics.generator_loss)
        if not all(map(math.isfinite, losses)) or not weights_are_finite:
            raise TrainingDiverged(
                statistics.epoch, f"losses {losses[0]} (D), {losses[1]} (G)"
                + ("" if weights_are_finite else ", and weights that are not finite"),
                "lower learning_rate.initial or momentum.final of this experiment in params.yaml")

    def state(self, k: int = 0) -> dict[str, Tensor]:
        """Everything that the next updates of the k-th seed depend on, as tensors on the CPU (copies).

        It does not show whether other seeds were trained together with it.
        """
        state = {"epoch": torch.tensor(self.epoch), "updates": torch.tensor(self.updates),
                 "stream.order": self._orders[k].get_state(), "stream.noise": self.noises[k].get_state()}
        if self._position:
            state["running.order"] = (self.order[k] if self._leading else self.order).cpu().clone()
            state["running.logits"] = self.logits[:, :self._position, k].cpu().clone()
        for name, tensor in self._tensors(k).items():
            state[name] = tensor.detach().cpu().clone()
        return state

    def restore(self, state: Mapping[str, Tensor], k: int = 0) -> None:
        """Take over what `state` returned, for the k-th seed; ValueError if it is of other networks or images.

        With several seeds, each is to be given a state of the same update.
        """
        tensors = self._tensors(k)
        others = ("epoch", "updates", "stream.order", "stream.noise", "running.order", "running.logits")
        running = state.get("running.order")
        if {name: t.shape for name, t in state.items() if name not in others} != {
                name: t.shape for name, t in tensors.items()} or (
                running is not None and len(running) != len(self.train)):
            raise ValueError("the saved state is of other networks")
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch, self.updates = int(state["epoch"]), int(state["updates"])
        self._orders[k].set_state(state["stream.order"])
        self.noises[k].set_state(state["stream.noise"])
        self._position = 0
        if running is not None:
            self._position = state["running.logits"].shape[1]
            (self.order[k] if self._leading else self.order).copy_(running)
            self.logits[:, :self._position, k] = state["running.logits"].to(self.device)

    def _tensors(self, k: int) -> dict[str, Tensor]:
        """The k-th seed's own part of all tensors that move, by name."""
        tensors = {}
        for player, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            velocities = itertools.chain.from_iterable(self._velocities[layer] for layer in network.layers)
            for i, (parameter, velocity) in enumerate(zip(network.parameters, velocities, strict=True)):
                tensors[f"{player}.{i}"] = parameter
                tensors[f"velocity.{player}.{i}"] = velocity
        tensors |= {f"average.{i}": parameter for i, parameter in enumerate(self.average)}
        tensors |= {f"spectral.{i}": vector for i, vector in enumerate(self.discriminator.vectors)}
        return {name: tensor[k] for name, tensor in tensors.items()} if self._leading else tensors


def _gradient_of_made(gradient: Tensor, told: Told | None, pixels: int) -> Tensor:
    """From ∂o/∂(D's input) [n, d + told] to ∂o/∂(G's output) [n, d]."""
    return gradient if told is None else told.gradient_of_made(gradient[..., :pixels])


def _columns(logits: Tensor) -> Tensor:
    """From D's logits, [n, 1] or [S, n, 1], to [n, S]."""
    return logits if logits.ndim == 2 else logits.squeeze(-1).t()
