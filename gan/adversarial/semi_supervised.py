"""Semi-supervised learning with adversarial nets: section 7 of Goodfellow et al. 2014, as Salimans et al. 2016 do it.

T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen, Improved Techniques for Training GANs (arXiv
1606.03498), sections 3.1 and 5: a few training images have labels, all of them are there without. The discriminator is
a classifier with K logits l, and a sample is a class of its own with the logit 0. So D(x) = Z/(Z + 1) with
Z = Σ exp l_k: the logit that real images are told by is log Z. D minimises the cross entropy on labelled images plus
−V/2 of the two-player game (`gan.adversarial.game`) on all training images, labels unseen, and samples. G matches
features: it minimises ‖E f(x) − E f(G(z))‖², f the activations of D's last hidden layer.

**What keeps G in the game**, as in the source: batch normalisation in G, and in D normal noise on the inputs of every
layer and weights whose norms are held. Without them D tells samples from images within an epoch, its features grow, and
what labels teach is all that the classifier learns. Here as there, samples are poor: they need only be where no image
is. The source adds weight normalisation as a parametrisation with data-dependent initial scales; here norms are set
after every step. Its G has softplus units, its D five layers of rectifiers; here they are those of the 2014 paper.

**In step.** The networks of all numbers of labels are computed as one, by batched matrix products: parameters are
[S, inputs, outputs], rows [S, n, d]. Beside each pair of players, the same discriminator is trained from the same
initial weights on the same labelled minibatches and nothing else, for as many updates: what labels alone give.

**Both players step from the old parameters**, on the same samples, noise and dropout masks, as in the code that was
released with the 2014 paper; that of 2016 steps one after the other, G on training images of its own.

**Random streams** (`gan.linear_algebra.random_stream`) are separate for initial weights, the draw of labelled images,
orders, and noise with dropout. All numbers of labels of a seed begin with the same weights and see the same unlabelled
images, noise and masks in the same order, so that they differ by their labels; and a number's result does not depend
on which others run beside it, up to the rounding of other kernels. `state` holds all of them, at any update: training
that resumes from it gives the same bits as training that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from gan import optimisers
from gan.adversarial.conditional import looked_at
from gan.adversarial.layers import Dense, Dropout, activate_, uniform
from gan.adversarial.networks import draw_noise, flat, generator_layers
from gan.adversarial.semi_supervised_settings import SemiSupervisedNets
from gan.adversarial.training import AVERAGE_EVERY
from gan.errors import TrainingDiverged
from gan.evaluation.estimates import Estimate, mean
from gan.linear_algebra import affine, random_stream
from gan.model import BetweenUpdates, Examination, Picture

if TYPE_CHECKING:
    from gan.datasets.dataset import Dataset

COLUMNS = 10
"""of the picture of samples by class"""
LOOKED_AT = 1000
"""so many samples are drawn for it"""

_BLOCK = 1000  # images, where nothing is trained
_EPSILON = 1e-6  # added to variances
_STATISTICS = 1000  # draws of noise
_SHOWN = 100  # labels: the number whose samples are shown is the nearest to it


# --- Losses, each [S] in nats but the last, from rows [S, n, …] ---


def real_logit(logits: Tensor) -> Tensor:
    """log Z, whose sigmoid is D = Z/(Z + 1), from the classes' logits [..., K]: [...]."""
    return logits.logsumexp(-1)


def supervised_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of the K classes, given that the image is real: from logits [S, n, K] and classes [S, n]."""
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape).mean(1)


def unsupervised_loss(on_data: Tensor, on_samples: Tensor) -> Tensor:
    """−V/2 of the two-player game for each network, from logits of being real [S, n] and [S, m]."""
    return 0.5 * (softplus(-on_data).mean(1) + softplus(on_samples).mean(1))


def feature_matching_loss(of_data: Tensor, of_samples: Tensor) -> Tensor:
    """‖E f(x) − E f(G(z))‖², from features [S, n, units] and [S, m, units]."""
    return (of_data.mean(1) - of_samples.mean(1)).square().sum(1)


# --- Networks: functions of their parameters, of one network [inputs, outputs] or of several [S, inputs, outputs] ---


class Discriminator:
    """D's layers; what it draws, noise and masks, is the same for all networks in step."""

    def __init__(self, nets: SemiSupervisedNets) -> None:
        self.network, self.classes = nets.discriminator, nets.classes
        self._input_noise, self._hidden_noise, self._norm = nets.input_noise, nets.hidden_noise, nets.weight_norm

    def initial(self, inputs: int, stream: torch.Generator) -> list[Tensor]:
        """Parameters of one network for images of so many `inputs`: weights, biases, layer by layer."""
        parameters = []
        for layer in self.network.hidden:
            sums = layer.pieces * layer.units
            parameters += [uniform((inputs, sums), layer.irange, stream), torch.zeros(sums)]
            inputs = layer.units
        parameters += [uniform((inputs, self.classes), self.network.output.irange, stream), torch.zeros(self.classes)]
        self.hold_norms(parameters)
        return parameters

    @torch.no_grad()
    def hold_norms(self, parameters: Sequence[Tensor]) -> None:
        """Scale the weights into each piece of hidden units to their norm, if they have one."""
        if self._norm is not None:
            for weight in parameters[:-2:2]:
                weight.mul_(self._norm / (weight.square().sum(-2, keepdim=True).sqrt_() + 1e-7))

    def features(self, parameters: Sequence[Tensor], x: Tensor, stream: torch.Generator | None = None) -> Tensor:
        """Activations of the last hidden layer, [..., n, units]. Noise and masks are drawn from `stream`; None: there
        are none."""
        for i, layer in enumerate(self.network.hidden):
            seen = self._disturbed(x, self._hidden_noise if i else self._input_noise, layer.keep, stream)
            sums = affine(seen, *parameters[2 * i:2 * i + 2])
            x = _Maximum.apply(sums.unflatten(-1, (layer.pieces, layer.units)))
        return x

    def logits(self, parameters: Sequence[Tensor], of_features: Tensor, stream: torch.Generator | None = None
               ) -> Tensor:
        """The classes' logits [..., n, K] from `features`."""
        return affine(self._disturbed(of_features, self._hidden_noise, self.network.output.keep, stream),
                      *parameters[-2:])

    @staticmethod
    def _disturbed(x: Tensor, noise: float, keep: float, stream: torch.Generator | None) -> Tensor:
        if stream is None:
            return x
        if noise:
            x = x + noise * torch.randn(x.shape[-2:], device=x.device, generator=stream)
        return Dropout(keep, stream).forward(x) if keep < 1 else x


class _Maximum(torch.autograd.Function):
    """The maximum over pieces, [..., pieces, units] → [..., units]. torch's own spends most of its backward pass on
    ties; here each of those gets the whole gradient, as in `gan.adversarial.layers.Maxout`."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor) -> Tensor:
        y = sums.amax(-2)
        ctx.save_for_backward(sums, y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        sums, y = ctx.saved_tensors
        mask = torch.empty_like(sums)
        torch.eq(sums, y.unsqueeze(-2), out=mask)
        return mask.mul_(gradient.unsqueeze(-2))


def generated(activations: Sequence[str], parameters: Sequence[Tensor], z: Tensor, normalised: bool = False) -> Tensor:
    """G(z) [..., n, d]; with `normalised`, hidden sums have mean 0 and variance 1 over the n, and then their bias."""
    for i, activation in enumerate(activations):
        weight, bias = parameters[2 * i:2 * i + 2]
        if normalised and i < len(activations) - 1:
            sums = z @ weight
            variance, center = torch.var_mean(sums, -2, correction=0, keepdim=True)
            z = activate_((sums - center) * (variance + _EPSILON).rsqrt() + bias.unsqueeze(-2), activation)
        else:
            z = activate_(affine(z, weight, bias), activation)
    return z


def folded(activations: Sequence[str], parameters: Sequence[Tensor], z: Tensor) -> list[Tensor]:
    """Parameters with which G, not normalised, does what it does normalised with the statistics that it has on `z`
    [n, dimensions]: a dense network, in which a sample does not depend on those drawn with it."""
    dense = []
    for i, activation in enumerate(activations):
        weight, bias = parameters[2 * i:2 * i + 2]
        if i < len(activations) - 1:
            variance, center = torch.var_mean(z @ weight, -2, correction=0)
            scale = (variance + _EPSILON).rsqrt()
            weight, bias = weight * scale, bias - center * scale
        dense += [weight, bias]
        z = activate_(affine(z, weight, bias), activation)
    return dense


# --- Labelled images ---


def draw_labelled(labels: Tensor, numbers: Sequence[int], classes: int, seed: int) -> list[Tensor]:
    """Which training images have a label: indices [n] for each n of `numbers`, from `labels` [N].

    Equally many of each class, and of random classes one more where they do not divide n. A smaller number's images are
    among a larger one's: more labels only add. ValueError if a class has too few images.
    """
    stream = random_stream(seed, "labelled images")
    rank = torch.randperm(classes, generator=stream).tolist()
    shuffled = []
    for k in range(classes):
        own = (labels == k).nonzero().squeeze(1)
        shuffled.append(own[torch.randperm(len(own), generator=stream)])
    drawn = []
    for n in numbers:
        counts = [n // classes + (rank[k] < n % classes) for k in range(classes)]
        for k, (count, own) in enumerate(zip(counts, shuffled, strict=True)):
            if len(own) < count:
                raise ValueError(f"{n} labels need {count} training images of class {k}, which has {len(own)}")
        drawn.append(torch.cat([own[:count] for count, own in zip(counts, shuffled, strict=True)]))
    return drawn


def _checked_labels(settings: SemiSupervisedNets, train: Tensor, labels: Tensor) -> Tensor:
    """The labels on the CPU; ValueError if they do not fit the settings or the images."""
    if labels.shape != train.shape[:1]:
        raise ValueError(f"there must be a label for each of {len(train)} training images, not {list(labels.shape)}")
    labels = labels.long().cpu()
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < settings.classes:
        raise ValueError(f"labels of the data must be from 0 to below {settings.classes}, the number of classes, "
                         f"not from {int(labels.min())} to {int(labels.max())}")
    if settings.labels[-1] > len(train):
        raise ValueError(f"{settings.labels[-1]} labels are asked for, but there are only {len(train)} training images")
    return labels


# --- Training ---


class _Adam(optimisers.Adam):
    """With memory that can be saved, and a slope that is computed elsewhere."""

    def step(self, slope: Sequence[Tensor], rate: float) -> None:
        with torch.no_grad():
            self._step(list(slope), rate)

    def _step(self, slope: list[Tensor], rate: float) -> None:
        if any(not each.is_cpu for each in self.parameters):
            super()._step(slope, rate)
            return
        # One pass over memory in place of a dozen.
        torch._foreach_add_(self._steps, 1)
        torch._fused_adam_(self.parameters, slope, self._means, self._squares, [], self._steps, amsgrad=False,
                           lr=rate, beta1=self._betas[0], beta2=self._betas[1], weight_decay=0.0, eps=1e-8,
                           maximize=False)

    @property
    def moments(self) -> list[tuple[Tensor, Tensor]]:
        """Of each parameter the mean slope and the mean square, the optimiser's own."""
        return list(zip(self._means, self._squares, strict=True))

    def count(self, steps: int) -> None:
        """As after so many steps."""
        for each in self._steps:
            each.fill_(steps)


class _Player:
    """One of the networks in step: parameters [S, …], their average, Adam's memory."""

    def __init__(self, parameters: Sequence[Tensor], networks: int, beta1: float, device: torch.device) -> None:
        """`parameters` of one network, with which each of `networks` begins."""
        self.parameters = [tensor.to(device).expand(networks, *tensor.shape).clone().requires_grad_()
                           for tensor in parameters]
        self.average = [tensor.detach().clone() for tensor in self.parameters]
        self.adam = _Adam(self.parameters, (beta1, 0.999))

    def averaged(self, share: float) -> None:
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, share)

    def of(self, variant: str) -> list[Tensor]:
        return self.average if variant == "ema" else [tensor.detach() for tensor in self.parameters]

    def tensors(self, name: str) -> Iterator[tuple[str, Tensor]]:
        """All that moves, by name."""
        for i, (parameter, average, (means, squares)) in enumerate(
                zip(self.parameters, self.average, self.adam.moments, strict=True)):
            yield f"{name}.{i}", parameter
            yield f"average.{name}.{i}", average
            yield f"mean.{name}.{i}", means
            yield f"square.{name}.{i}", squares


STATISTICS = ("discriminator_loss", "feature_distance", "d_on_data", "d_on_samples", "supervised_loss",
              "supervised_loss_alone")
"""Means over an epoch's updates, dropout on: −V/2; the feature matching loss; D on training images and on samples;
the cross entropy on labelled images, with the game beside it and without."""


class SemiSupervisedTraining:
    """All numbers of labels of one seed in step, and beside each its discriminator trained on the labels alone."""

    def __init__(self, nets: SemiSupervisedNets, train: Tensor, seed: int, device: torch.device, labels: Tensor
                 ) -> None:
        """`labels` int64 [N] of all training images `train` [N, d]: those of the images that are drawn are looked at,
        and no others. ValueError if a class has too few images."""
        self.nets, self.seed, self.device = nets, seed, device
        self.train, self.labels = train.to(device), labels.to(device)
        self.drawn = draw_labelled(labels, nets.labels, nets.classes, seed)
        self._order = random_stream(seed, "order of the data")
        self._labelled_orders = [random_stream(seed, f"order of {n} labelled images") for n in nets.labels]
        self._noise = random_stream(seed, "noise and dropout", device)
        self._noise_alone = random_stream(seed, "noise and dropout of the classifier alone", device)
        weights = random_stream(seed, "initial weights")
        layers = [layer for layer in generator_layers(
                      nets.generator, nets.noise.dimensions, train, flat(train), weights)
                  if isinstance(layer, Dense)]
        self.activations = [layer.activation for layer in layers]
        self.network = Discriminator(nets)
        initial = self.network.initial(train.shape[1], weights)
        start = (len(nets.labels), nets.beta1, device)
        self.generator = _Player([tensor for layer in layers for tensor in layer.parameters], *start)
        self.discriminator, self.alone = _Player(initial, *start), _Player(initial, *start)
        self.epoch = self.updates = 0
        self._done = 0  # updates of the running epoch
        self._rows = torch.empty(0, dtype=torch.int64)
        self._labelled = torch.empty(len(nets.labels), 0, dtype=torch.int64)
        self._sums = torch.zeros(len(STATISTICS), len(nets.labels), dtype=torch.float64, device=device)

    @property
    def _updates_in_an_epoch(self) -> int:
        return math.ceil(len(self.train) / self.nets.batch_size)

    def run_epoch(self, between_updates: BetweenUpdates = lambda: None) -> list[dict[str, float]]:
        """Every training image once without its label, in a new order; statistics for each number of labels.

        `between_updates` is called between updates, where `state` may be taken. An epoch that was restored is finished.
        Raises TrainingDiverged when a loss is no longer a finite number.
        """
        size, updates = self.nets.batch_size, self._updates_in_an_epoch
        if not self._done:
            self._rows = torch.randperm(len(self.train), generator=self._order)
            self._labelled = torch.stack([self._labelled_order(k, updates * size) for k in range(len(self.drawn))])
            self._sums.zero_()
        while self._done < updates:
            if self._done:
                between_updates()
            part = slice(self._done * size, (self._done + 1) * size)
            self._sums += self.update(self._rows[part], self._labelled[:, part])
            self._done += 1
        self._done = 0
        self.epoch += 1
        means = (self._sums / updates).tolist()
        rows = [dict(zip(STATISTICS, column, strict=True)) for column in zip(*means, strict=True)]
        for n, row in zip(self.nets.labels, rows, strict=True):
            if not all(map(math.isfinite, row.values())):
                raise TrainingDiverged(self.epoch, f"with {n} labels losses of " + ", ".join(map(str, row.values())),
                                       "lower learning_rate of this experiment in params.yaml")
        return rows

    def _labelled_order(self, k: int, length: int) -> Tensor:
        """Indices [length] of labelled images: all of them, again and again, each time in a new order."""
        own, stream = self.drawn[k], self._labelled_orders[k]
        return torch.cat([own[torch.randperm(len(own), generator=stream)]
                          for _ in range(math.ceil(length / len(own)))])[:length]

    def update(self, rows: Tensor, labelled: Tensor) -> Tensor:
        """One step of all networks, on training images `rows` [n] without labels and `labelled` [S, b] with them.

        Returns `STATISTICS` before it, [6, S].
        """
        labelled = labelled.to(self.device)
        images = self.train[labelled.flatten()].view(*labelled.shape, -1)
        targets = self.labels[labelled]
        z = draw_noise(self.nets.noise, len(rows), self._noise).to(self.train.dtype)
        of_g, of_d, statistics = self.losses(images, targets, self.train[rows.to(self.device)], z)
        alone = self.loss_alone(images, targets)
        slopes = [torch.autograd.grad(of_d.sum(), self.discriminator.parameters, retain_graph=True),
                  torch.autograd.grad(of_g.sum(), self.generator.parameters),
                  torch.autograd.grad(alone.sum(), self.alone.parameters)]
        self.updates += 1
        for player, slope in zip(self._players().values(), slopes, strict=True):
            player.adam.step(slope, self.nets.learning_rate)
            if player is not self.generator:
                self.network.hold_norms(player.parameters)
            if self.updates % AVERAGE_EVERY == 0:
                player.averaged(1 - self.nets.average_decay**AVERAGE_EVERY)
        return torch.stack([*statistics, alone.detach()]).double()

    def losses(self, images: Tensor, targets: Tensor, unlabelled: Tensor, z: Tensor
               ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """G's loss [S] and D's [S], from labelled images [S, b, d] with classes [S, b], training images [n, d] and
        noise [n, dimensions]; and all `STATISTICS` but the last."""
        network, d = self.network, self.discriminator.parameters
        networks, b = targets.shape
        samples = generated(self.activations, self.generator.parameters, z.expand(networks, *z.shape),
                            self.nets.batch_normalised)
        real = network.features(d, torch.cat((images, unlabelled.expand(networks, *unlabelled.shape)), 1), self._noise)
        # Apart from real images: G's backward pass then goes through D for the samples alone.
        fake = network.features(d, samples, self._noise)
        on_real = network.logits(d, real, self._noise)
        on_data, on_samples = real_logit(on_real[:, b:]), real_logit(network.logits(d, fake, self._noise))
        supervised = supervised_loss(on_real[:, :b], targets)
        game = unsupervised_loss(on_data, on_samples)
        matching = feature_matching_loss(real[:, b:].detach(), fake)
        return matching, supervised + game, [tensor.detach() for tensor in (
            game, matching, on_data.sigmoid().mean(1), on_samples.sigmoid().mean(1), supervised)]

    def loss_alone(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss [S] of the discriminators that see labelled images [S, b, d] with classes [S, b] only."""
        seen = self.network.features(self.alone.parameters, images, self._noise_alone)
        return supervised_loss(self.network.logits(self.alone.parameters, seen, self._noise_alone), targets)

    def _players(self) -> dict[str, _Player]:
        return {"discriminator": self.discriminator, "generator": self.generator, "alone": self.alone}

    def _tensors(self) -> dict[str, Tensor]:
        return {name: tensor for player, network in self._players().items() for name, tensor in network.tensors(player)}

    def _streams(self) -> dict[str, torch.Generator]:
        return {"stream.order": self._order, "stream.noise": self._noise, "stream.alone": self._noise_alone,
                **{f"stream.labelled.{n}": stream
                   for n, stream in zip(self.nets.labels, self._labelled_orders, strict=True)}}

    def state(self) -> dict[str, Tensor]:
        """Everything that further updates depend on, as copies on the CPU. Which images are labelled is in it, too:
        it goes with the seed."""
        state = {"epoch": torch.tensor(self.epoch), "updates": torch.tensor(self.updates)}
        state |= {name: stream.get_state() for name, stream in self._streams().items()}
        state |= {f"drawn.{n}": rows.clone() for n, rows in zip(self.nets.labels, self.drawn, strict=True)}
        if self._done:
            state |= {"running.done": torch.tensor(self._done), "running.rows": self._rows.clone(),
                      "running.labelled": self._labelled.clone(), "running.sums": self._sums.to("cpu", copy=True)}
        return state | {name: tensor.detach().to("cpu", copy=True) for name, tensor in self._tensors().items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks or images."""
        tensors, drawn = self._tensors(), [f"drawn.{n}" for n in self.nets.labels]
        running = state.get("running.rows")
        others = {"epoch", "updates", *self._streams(), *drawn}
        if {name: tensor.shape for name, tensor in state.items()
                if name not in others and not name.startswith("running.")} != {
                name: tensor.shape for name, tensor in tensors.items()} or not others <= state.keys() or (
                running is not None and len(running) != len(self.train)):
            raise ValueError("the saved state is of other networks")
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        for name, stream in self._streams().items():
            stream.set_state(state[name])
        self.drawn = [state[name].clone() for name in drawn]
        self.epoch, self.updates = int(state["epoch"]), int(state["updates"])
        for player in self._players().values():
            player.adam.count(self.updates)
        self._done = 0
        if running is not None:
            self._done = int(state["running.done"])
            self._rows, self._labelled = running.clone(), state["running.labelled"].clone()
            self._sums.copy_(state["running.sums"])


# --- The model ---


class SemiSupervisedNetsModel:
    """Semi-supervised nets as a `gan.model.Model`: samples and curves are those of G with `labels_of_samples`.

    The last epoch is taken, and no validation or test label has a say in anything.
    """

    variants: ClassVar[tuple[str, ...]] = ("raw", "ema")
    selects_epoch: ClassVar[bool] = False
    can_be_scored: ClassVar[bool] = True

    def __init__(self, nets: SemiSupervisedNets, train: Tensor, seed: int, device: torch.device, labels: Tensor | None
                 ) -> None:
        """`labels` int64 [N] from 0 of all training images `train` [N, d], of which those of a few are seen; without
        them the model can be sampled and examined, and not trained.

        ValueError for too few images for the numbers of labels that are asked for.
        """
        self.nets, self.device, self._has_labels = nets, device, labels is not None
        known = torch.arange(len(train)) % nets.classes if labels is None else labels
        self.training = SemiSupervisedTraining(nets, train, seed, device, _checked_labels(nets, train, known))
        self.epochs = nets.epochs

    @property
    def epoch(self) -> int:
        return self.training.epoch

    @property
    def updates(self) -> int:
        return self.training.updates

    @property
    def labels_of_samples(self) -> int:
        """The number of labels nearest to 100, the source's main experiment: its G draws what `sample` returns."""
        return min(self.nets.labels, key=lambda n: (abs(n - _SHOWN), n))

    def fit_epoch(self, between_updates: BetweenUpdates = lambda: None) -> Mapping[str, Any]:
        """ValueError if the data have no labels."""
        if not self._has_labels:
            raise ValueError("the data have no labels, which semi-supervised nets need of some training images")
        rows = self.training.run_epoch(between_updates)
        return {**rows[self.nets.labels.index(self.labels_of_samples)], "learning_rate": self.nets.learning_rate}

    @property
    def _noise_of_statistics(self) -> Tensor:
        """[1000, dimensions], always the same: what G's weights are does not depend on when one asks for them."""
        stream = random_stream(self.training.seed, "noise of batch normalisation's statistics")
        return draw_noise(self.nets.noise, _STATISTICS, stream).to(self.device, self.training.train.dtype)

    def weights(self, variant: str) -> dict[str, Tensor]:
        """G's with `labels_of_samples` by "0", "1", …, dense, batch normalisation in them; for each
        number n of labels the discriminators', "classifier.n.0", …, with the game beside the labels, and "alone.n.0",
        …, without."""
        shown = self.nets.labels.index(self.labels_of_samples)
        training = self.training
        generator = [tensor[shown] for tensor in training.generator.of(variant)]
        if self.nets.batch_normalised:
            with torch.no_grad():
                generator = folded(training.activations, generator, self._noise_of_statistics)
        weights = {str(i): tensor for i, tensor in enumerate(generator)}
        for name, player in (("classifier", training.discriminator), ("alone", training.alone)):
            weights |= {f"{name}.{n}.{i}": tensor[k] for k, n in enumerate(self.nets.labels)
                        for i, tensor in enumerate(player.of(variant))}
        return weights

    @torch.no_grad()
    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        parameters = [weights[str(i)].to(self.device) for i in range(2 * len(self.training.activations))]
        z = draw_noise(self.nets.noise, n, stream).to(self.device)
        return torch.cat([generated(self.training.activations, parameters, block) for block in z.split(_BLOCK)])

    @torch.no_grad()
    def classify(self, weights: Mapping[str, Tensor], name: str, images: Tensor) -> Tensor:
        """The likeliest class of each of `images` [n, d], int64 [n], as the discriminator `name` has it: "classifier.n"
        or "alone.n", with n labels."""
        network = self.training.network
        parameters = [weights[f"{name}.{i}"].to(self.device) for i in range(len(self.training.alone.parameters))]
        return torch.cat([network.logits(parameters, network.features(parameters, block.to(self.device))).argmax(1)
                          for block in images.split(_BLOCK)])

    def pictures(self, weights: Mapping[str, Tensor], data: Dataset, stream: torch.Generator
                 ) -> Mapping[str, Picture]:
        """Of `LOOKED_AT` samples the first of each class, a row a class, black where there are no more."""
        samples = self.sample(weights, LOOKED_AT, stream)
        classes = self.classify(weights, f"classifier.{self.labels_of_samples}", samples)
        black = 0.0 if data.contrast_norm is None else float(data.train.min())
        images = torch.full((self.nets.classes, COLUMNS, samples.shape[1]), black, device=samples.device)
        for k in range(self.nets.classes):
            own = samples[classes == k][:COLUMNS]
            images[k, :len(own)] = own
        title = f"Samples by class, as the classifier with {self.labels_of_samples} labels has it: a row a class"
        return {"samples_by_class": Picture(title, images.flatten(0, 1), COLUMNS)}

    def examine(self, weights: Mapping[str, Tensor], by: Examination, stream: torch.Generator
                ) -> Mapping[str, Estimate]:
        """For each number of labels the share of test images that are misclassified, with the game beside the labels
        and without; nothing where the data have no labels."""
        if by.labels is None:
            return {}
        rows = looked_at(by)
        images, labels = by.data.test[rows], by.labels["test"][rows]
        found = {}
        for n in self.nets.labels:
            for name, ability in ((f"classifier.{n}", f"error_{n}_labels"), (f"alone.{n}", f"error_{n}_labels_alone")):
                found[ability] = mean(self.classify(weights, name, images).cpu() != labels.cpu())
        return found

    def state(self) -> dict[str, Tensor]:
        return self.training.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks or images."""
        self.training.restore(state)
