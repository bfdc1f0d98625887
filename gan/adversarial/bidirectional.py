"""Learned inference (Goodfellow et al. 2014, section 7, item 2): z is predicted from x, in two ways on one generator.

**Jointly**: bidirectional adversarial nets (Donahue, Krähenbühl, Darrell 2016, arXiv 1605.09782). An encoder E plays
beside the generator G; the discriminator D sees pairs, (x, E(x)) of data and (G(z), z) of noise, and tells which they
are. E and G make it err: at the optimum both kinds of pairs have one distribution, and E inverts G.

**After the fact**, as the paper's item has it: once the game is over, G stands still and a second encoder E′ learns z
from G(z) by least squares, ‖E′(G(z)) − z‖², on fresh noise, as wake-sleep trains an inference net. Real images it never
sees. It is trained twice, for G's weights and for their moving average: each variant has an encoder of its own G.

**The step** of the game is the engine's (`gan.adversarial.training`) with one player more: one backward pass through D,
of the logits themselves, serves all three. D's gradients weight its examples by a = ∂(D's loss)/∂o. Of the derivatives
∂o/∂(x, z) that come out at its input, G takes the pixels' columns of the rows of noise, and E the code's columns of the
rows of data, each weighted by its own loss's derivative. E's loss is G's with the two words exchanged, that is, with
the sign of o changed: −log(1 − D(x, E(x))), or log D(x, E(x)) under the minimax objective.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from gan.adversarial import game
from gan.adversarial.bidirectional_settings import BidirectionalNets, EncoderNetwork
from gan.adversarial.conditional import looked_at, rms
from gan.adversarial.layers import Dense, Layer, Network, uniform
from gan.adversarial.networks import draw_noise, flat, generator_layers, hidden_layers, load
from gan.adversarial.settings import AdversarialNets, Objective
from gan.adversarial.training import AVERAGE_EVERY, Training
from gan.errors import TrainingDiverged
from gan.evaluation import estimates
from gan.evaluation.estimates import Estimate
from gan.evaluation.neighbours import nearest
from gan.linear_algebra import products_in, random_stream
from gan.model import BetweenUpdates, Examination, Picture

if TYPE_CHECKING:
    from gan.datasets.dataset import Dataset

SHOWN = 10
"""test images in a picture"""
STEPS = 10
"""of a line between two codes, its ends included"""
ENCODERS = {"encoder": "joint", "afterwards": "afterwards"}
"""What a name of weights begins with, and what a name of a measure ends with"""
_ROWS_PER_BLOCK = 1000


def encoder_layers(encoder: EncoderNetwork, inputs: int, dimensions: int, stream: torch.Generator) -> list[Layer]:
    """Layers of E: [n, inputs] → [n, dimensions]."""
    layers = hidden_layers(encoder.hidden, inputs, stream)
    inputs = encoder.hidden[-1].units if encoder.hidden else inputs
    output = Dense(uniform((inputs, dimensions), encoder.output.irange, stream), torch.zeros(dimensions), "linear")
    return [*layers, output]


def encoder_logit_gradient(logits: Tensor, objective: Objective) -> Tensor:
    """∂(encoder's loss)/∂o, shape of `logits`, all of them on pairs of data."""
    return game.generator_logit_gradient(-logits, objective).neg_()


class PairsTraining(Training):
    """The game of three players: `Training`'s epochs, schedules and streams, with an encoder beside the generator."""

    def __init__(self, nets: BidirectionalNets, train: Tensor, seed: int, device: torch.device | str = "cpu") -> None:
        """`train` [N, d] are the training images. ValueError if the networks do not fit them."""
        dimensions = nets.noise.dimensions
        players = AdversarialNets("adversarial_nets", nets.noise, nets.generator, nets.discriminator, nets.recipe)
        pair = (1, 1, train.shape[1] + dimensions)
        super().__init__(players, train, seed, device, pair, captured=False)
        weights = random_stream(seed, "initial weights of the encoder")
        self.encoder = Network(encoder_layers(nets.encoder, train.shape[1], dimensions, weights), self.device)
        if self.recipe.maximum_norm is not None:
            self.encoder.limit_norms(self.recipe.maximum_norm)
        self._velocities |= {layer: [torch.zeros_like(p) for p in layer.parameters] for layer in self.encoder.layers}
        self.encoder_average = [p.clone() for p in self.encoder.parameters]

    def update(self, rows: Tensor, rate: float | Tensor, momentum: float, moves_generator: bool = True) -> Tensor:
        """One update of all players on the training images `rows` [n]. Returns D's logits before it, [2n, 1]: on pairs
        of data, on as many of noise."""
        n = len(rows)
        data = self.train.index_select(0, rows)
        z = self._draw_noise(n)
        self.discriminator.draw_masks(2 * n)
        of_data = torch.cat((data, self.encoder.forward(data)), 1)
        of_noise = torch.cat((self.generator.forward(z), z), 1)
        self.discriminator.join()
        logits = self.discriminator.forward(torch.cat((of_data, of_noise)))
        discriminator_gradient = self._discriminator_gradient(logits, n).mul_(rate)
        below = self._step(self.discriminator, torch.ones_like(logits), momentum, discriminator_gradient, rows=2 * n,
                           penalties=self._penalties(n, rate))
        assert below is not None  # as rows are asked for
        objective, pixels, own_rate = self.recipe.objective, data.shape[1], rate * self.recipe.generator_rate
        self._step(self.generator, below[n:, :pixels] * game.generator_logit_gradient(
            logits[n:], objective).mul_(own_rate), momentum)
        self._step(self.encoder, below[:n, pixels:] * encoder_logit_gradient(
            logits[:n], objective).mul_(own_rate), momentum)
        for network in (self.encoder, self.generator, self.discriminator):
            network.join()
        return logits

    def _run_update(self, momentum: float) -> None:
        super()._run_update(momentum)
        if self.updates % AVERAGE_EVERY == 0:
            torch._foreach_lerp_(self.encoder_average, self.encoder.parameters,
                                 1 - self.recipe.average_decay**AVERAGE_EVERY)

    def encoder_loss(self) -> float:
        """In nats, the mean over the last epoch, which is over."""
        return float(game.generator_loss(-self.logits[0, :, 0], self.recipe.objective))

    def _read_epoch(self) -> tuple[list[list[float]], bool]:
        means, finite = super()._read_epoch()
        return means, finite and _are_finite(self.encoder.parameters)

    def _tensors(self, k: int) -> dict[str, Tensor]:
        velocities = itertools.chain.from_iterable(self._velocities[layer] for layer in self.encoder.layers)
        return super()._tensors(k) | _named("encoder", self.encoder.parameters) | _named(
            "velocity.encoder", [*velocities]) | _named("average.encoder", self.encoder_average)


class EncoderTraining:
    """Least squares, after the game: for each of several generators of one shape, which stand still, an encoder.

    All begin with the same weights and see the same noise, so that they differ by their generators alone.
    """

    def __init__(self, nets: BidirectionalNets, generators: Sequence[Network], images: int, pixels: int, seed: int,
                 device: torch.device) -> None:
        """An epoch has as many minibatches as one of the game on so many `images`, of so many `pixels`."""
        self.nets, self._generators, self._images, self._device = nets, generators, images, device
        self.noise = random_stream(seed, "noise for the encoder after the game", device)
        self.encoders = []
        for _ in generators:
            stream = random_stream(seed, "initial weights of the encoder after the game")
            self.encoders.append(Network(encoder_layers(nets.encoder, pixels, nets.noise.dimensions, stream), device))
        self._velocities = [[torch.zeros_like(p) for p in encoder.parameters] for encoder in self.encoders]
        self.epoch = 0
        self.updates = 0
        self._position = 0  # draws of the running epoch that are done
        self._sums = torch.zeros(len(generators), dtype=torch.float64, device=device)

    @torch.no_grad()
    def run_epoch(self, between_updates: BetweenUpdates = lambda: None) -> list[float]:
        """As many draws of z as there are training images, or what is left of them in an epoch that was restored.

        Returns for each generator the mean squared error of a component of z, whose variance is 1, before the updates.
        TrainingDiverged if one is no finite number.
        """
        size = self.nets.recipe.batch_size
        with products_in(self.nets.recipe.precision):
            while self._position < self._images:
                if self._position:
                    between_updates()
                n = min(size, self._images - self._position)
                self._sums += self.update(draw_noise(self.nets.noise, n, self.noise)).double()
                self._position += n
                self.updates += 1
        means = (self._sums / self._images).tolist()
        self._position = 0
        self._sums.zero_()
        self.epoch += 1
        if not all(map(math.isfinite, means)) or not all(_are_finite(each.parameters) for each in self.encoders):
            raise TrainingDiverged(
                self.nets.recipe.epochs + self.epoch,
                f"mean squared errors of the encoder of {', '.join(map(str, means))}",
                "lower afterwards_learning_rate or afterwards_momentum of this experiment in params.yaml")
        return means

    def update(self, z: Tensor) -> Tensor:
        """One update of each encoder on z [n, dimensions]; the sum over examples of a component's squared error before
        it, of each."""
        return torch.stack([self._update(k, z) for k in range(len(self.encoders))])

    def _update(self, k: int, z: Tensor) -> Tensor:
        encoder = self.encoders[k]
        errors = encoder.forward(self._generators[k].forward(z)).sub_(z)
        # ∂/∂E′ of the mean over examples of Σ errors², times the rate, which is kept inside the velocity
        encoder.backward(errors * (2 * self.nets.afterwards_learning_rate / len(z)))
        torch._foreach_mul_(self._velocities[k], self.nets.afterwards_momentum)
        torch._foreach_add_(self._velocities[k], encoder.gradients)
        torch._foreach_sub_(encoder.parameters, self._velocities[k])
        return errors.square().mean(1).sum()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next updates depend on but the generators, as copies on the CPU."""
        return {"epoch": torch.tensor(self.epoch), "updates": torch.tensor(self.updates),
                "position": torch.tensor(self._position), "stream.noise": self.noise.get_state(),
                **{name: tensor.cpu().clone() for name, tensor in self._tensors().items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks."""
        tensors = self._tensors()
        if {name: state[name].shape for name in tensors if name in state} != {
                name: tensor.shape for name, tensor in tensors.items()} or int(state["position"]) >= self._images:
            raise ValueError("the saved state is of other networks")
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch, self.updates, self._position = (int(state[name]) for name in ("epoch", "updates", "position"))
        self.noise.set_state(state["stream.noise"])

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {"sums": self._sums}
        for k, (encoder, velocities) in enumerate(zip(self.encoders, self._velocities, strict=True)):
            tensors |= _named(f"encoder.{k}", encoder.parameters) | _named(f"velocity.encoder.{k}", velocities)
        return tensors


class BidirectionalNetsModel:
    """Bidirectional adversarial nets, then a second encoder, as a `gan.model.Model` that also `Interpolates`, is
    `Illustrated` and `Examined`.

    The curves say in `game` whether an epoch was of the `training` of all players or of the `encoder` after it, whose
    rows have `code_error`: the mean squared error of z in units of its variance.
    """

    variants: ClassVar[tuple[str, ...]] = ("raw", "ema")
    selects_epoch: ClassVar[bool] = False

    def __init__(self, nets: BidirectionalNets, train: Tensor, seed: int, device: torch.device) -> None:
        self.nets, self.device = nets, device
        self.epochs = nets.recipe.epochs + nets.afterwards_epochs
        self.training = PairsTraining(nets, train, seed, device)
        replaced = random_stream(0, "replaced weights")
        # Two networks without weights of their own: one shows the average, which stays in place; one all that is asked.
        average, self._generator = (Network(generator_layers(
            nets.generator, nets.noise.dimensions, train[:1], flat(train), replaced), device) for _ in range(2))
        load(average.layers, self.training.average)
        self._encoder = Network(encoder_layers(nets.encoder, train.shape[1], nets.noise.dimensions, replaced), device)
        self.afterwards = EncoderTraining(nets, [self.training.generator, average], len(train), train.shape[1], seed,
                                          device)

    @property
    def epoch(self) -> int:
        return self.training.epoch + self.afterwards.epoch

    @property
    def updates(self) -> int:
        return self.training.updates + self.afterwards.updates

    @property
    def can_be_scored(self) -> bool:
        """While the second encoder learns, G stands still: it is scored once more, at the end, with all weights."""
        return self.afterwards.epoch in (0, self.nets.afterwards_epochs)

    def fit_epoch(self, between_updates: BetweenUpdates = lambda: None) -> Mapping[str, Any]:
        if self.training.epoch < self.nets.recipe.epochs:
            statistics = vars(self.training.run_epoch(between_updates))
            return {name: value for name, value in statistics.items() if name != "epoch"} | {
                "encoder_loss": self.training.encoder_loss(), "game": "training"}
        raw, average = self.afterwards.run_epoch(between_updates)
        return {"code_error": raw, "code_error_ema": average, "learning_rate": self.nets.afterwards_learning_rate,
                "momentum": self.nets.afterwards_momentum, "game": "encoder"}

    def weights(self, variant: str) -> dict[str, Tensor]:
        """G's as "0", "1", …, those of the joint encoder as "encoder.0", …, of the second one as "afterwards.0", …"""
        training, is_raw = self.training, variant == "raw"
        generator = training.generator.parameters if is_raw else training.average
        encoder = training.encoder.parameters if is_raw else training.encoder_average
        afterwards = self.afterwards.encoders[self.variants.index(variant)].parameters
        return {str(i): parameter for i, parameter in enumerate(generator)} | _named("encoder", encoder) | _named(
            "afterwards", afterwards)

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        return self.transform(weights, draw_noise(self.nets.noise, n, stream))

    def interpolate(self, weights: Mapping[str, Tensor], rows: int, columns: int, stream: torch.Generator) -> Tensor:
        """`rows` straight lines in z, each between two draws, in `columns` steps: [rows·columns, d]."""
        start, end = draw_noise(self.nets.noise, 2 * rows, stream).view(2, rows, -1)
        return self.transform(weights, _lines(start, end, columns))

    def transform(self, weights: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """G(z) [n, d] for z [n, dimensions] under `weights`."""
        return self._pass(self._generator, weights, "", z)

    def encode(self, weights: Mapping[str, Tensor], images: Tensor, encoder: str) -> Tensor:
        """Codes [n, dimensions] of images [n, d] by an `encoder` of `weights`: `encoder`, the joint one, or
        `afterwards`."""
        return self._pass(self._encoder, weights, f"{encoder}.", images)

    def reconstruct(self, weights: Mapping[str, Tensor], images: Tensor, encoder: str) -> Tensor:
        """G(E(x)) [n, d] of images [n, d], by an `encoder` as in `encode`."""
        return self.transform(weights, self.encode(weights, images, encoder))

    @torch.no_grad()
    def _pass(self, network: Network, weights: Mapping[str, Tensor], prefix: str, rows: Tensor) -> Tensor:
        load(network.layers, [weights[f"{prefix}{i}"].to(self.device) for i in range(len(network.parameters))])
        return torch.cat([network.forward(block) for block in rows.to(self.device).split(_ROWS_PER_BLOCK)])

    def pictures(self, weights: Mapping[str, Tensor], data: Dataset, stream: torch.Generator) -> Mapping[str, Picture]:
        """Of the first test images; images on the CPU."""
        real = data.test[:SHOWN].to(self.device)
        codes = {encoder: self.encode(weights, real, encoder) for encoder in ENCODERS}
        reconstructed = [self.transform(weights, codes[encoder]) for encoder in ENCODERS]
        train = data.train.to(self.device)
        _, place = nearest(real, train)
        rows = torch.cat([real, *reconstructed, train[place]])
        reconstructions = Picture(
            "rows: test images; G(E(x)), E trained with G; G(E′(x)), E′ trained after G; nearest training images",
            rows.cpu(), len(real))
        pairs = len(real) // 2
        if not pairs:
            return {"reconstructions": reconstructions}
        first, second = codes["afterwards"][:2 * pairs:2], codes["afterwards"][1:2 * pairs:2]
        ways = self.transform(weights, _lines(first, second, STEPS)).view(pairs, STEPS, -1)
        lines = torch.cat((real[:2 * pairs:2, None], ways, real[1:2 * pairs:2, None]), 1).flatten(0, 1)
        return {
            "reconstructions": reconstructions,
            "interpolation_of_test_images": Picture(
                "a row: a test image, G on the straight line from its code E′(x) to another one's, that test image",
                lines.cpu(), STEPS + 2)}

    def examine(self, weights: Mapping[str, Tensor], by: Examination, stream: torch.Generator
                ) -> Mapping[str, Estimate]:
        """By test images at even distances, and by as many draws of z; classes where there is a judge and labels."""
        rows = looked_at(by)
        real = by.data.test[rows].to(self.device)
        found = {"reconstruction_nearest": _to_the_nearest(by, self.device)}
        z = draw_noise(self.nets.noise, by.samples, stream).to(self.device)
        samples = self.transform(weights, z)
        for encoder, suffix in ENCODERS.items():
            images = self.reconstruct(weights, real, encoder)
            found[f"reconstruction_{suffix}"] = estimates.mean(rms(images, real))
            errors = (self.encode(weights, samples, encoder) - z).square().mean(1)  # z's variance is 1
            found[f"code_recovered_{suffix}"] = estimates.mean(errors)
            if by.judge is None or by.labels is None:
                continue
            probabilities = by.judge(images).probabilities
            if probabilities is not None:
                labels = by.labels["test"][rows]
                found[f"class_kept_{suffix}"] = estimates.mean(probabilities.argmax(1).cpu() == labels)
        return found

    def state(self) -> dict[str, Tensor]:
        """Both trainings' states: the second one depends on the generators that the first has left."""
        return {f"{name}/{key}": tensor for name, part in self._parts().items() for key, tensor in part.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks."""
        for name, part in self._parts().items():
            part.restore({key.removeprefix(f"{name}/"): tensor for key, tensor in state.items()
                          if key.startswith(f"{name}/")})

    def _parts(self) -> dict[str, PairsTraining | EncoderTraining]:
        return {"training": self.training, "afterwards": self.afterwards}


@functools.lru_cache(maxsize=1)  # the same for all weights
def _to_the_nearest(by: Examination, device: torch.device) -> Estimate:
    """From test images to the training image nearest to each: the root of the mean square over pixels."""
    real = by.data.test[looked_at(by)].to(device)
    squared, _ = nearest(real, by.data.train.to(device))
    return estimates.mean((squared / real.shape[1]).sqrt())


def _lines(starts: Tensor, ends: Tensor, columns: int) -> Tensor:
    """Straight lines from each of `starts` [rows, k] to its one of `ends`, in `columns` steps: [rows·columns, k]."""
    way = torch.linspace(0, 1, columns, device=starts.device).view(1, columns, 1)
    return torch.lerp(starts.unsqueeze(1), ends.unsqueeze(1), way).flatten(0, 1)


def _named(name: str, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{i}": tensor for i, tensor in enumerate(tensors)}


def _are_finite(tensors: Sequence[Tensor]) -> bool:
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())
