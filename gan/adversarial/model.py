"""Adversarial nets as a `gan.model.Model`: games one after another, seeds alone or in step."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from gan.adversarial import conditional
from gan.adversarial.collapse import EPOCHS_IN_A_ROW, has_collapsed
from gan.adversarial.conditions import Told, even_told, generate, of_rows
from gan.adversarial.layers import Layer, Network
from gan.adversarial.networks import draw_noise, flat, whole_generator
from gan.adversarial.settings import AdversarialNets, Shape
from gan.adversarial.training import Training
from gan.linear_algebra import random_stream
from gan.model import BetweenUpdates, Examination, Picture

if TYPE_CHECKING:
    from gan.datasets.dataset import Dataset
    from gan.evaluation.estimates import Estimate


class _Games:
    """The games of adversarial nets one after another, of one seed or of several in step."""

    def __init__(self, nets: AdversarialNets, train: Tensor, seeds: Sequence[int], device: torch.device,
                 shape: Shape, start: int = 1, labels: Tensor | None = None) -> None:
        self._labels = labels
        self.nets, self.device, self._number = nets, device, start
        self.games = nets.games()
        self._train, self._seeds, self._shape = train.to(device), seeds, shape
        self.finished: list[tuple[int, int]] = []  # epochs and updates of the games before
        self.training = self._start(None)
        self.rows: list[dict[str, Any]] = []  # of the last epoch, one for each seed

    def _start(self, pretrained: Sequence[Layer] | None) -> Training:
        return Training(self.games[len(self.finished)], self._train, self._seeds, self.device, self._shape, pretrained,
                        start=self._number, labels=self._labels)

    def next_game(self) -> None:
        """The finished game's generator is kept; its discriminator, velocities and average are not."""
        self.finished.append((self.training.epoch, self.training.updates))
        self.training = self._start(self.training.generator.layers)

    @property
    def is_last(self) -> bool:
        return len(self.finished) == len(self.games) - 1

    @property
    def epoch(self) -> int:
        return sum(epochs for epochs, _ in self.finished) + self.training.epoch

    @property
    def updates(self) -> int:
        return sum(updates for _, updates in self.finished) + self.training.updates

    def run_epoch(self, between_updates: BetweenUpdates) -> None:
        if not self.is_last and self.training.epoch == self.training.recipe.epochs:
            self.next_game()
        game = {} if len(self.games) == 1 else {"game": "training" if self.finished else "pretraining"}
        self.rows = [{name: value for name, value in vars(statistics).items() if name != "epoch"} | game
                     for statistics in self.training.run_epochs(between_updates)]

    def untrained_generator(self) -> Network:
        """G as it is in the last game, for a model that was made to sample and has trained nothing."""
        stream = random_stream(self._seeds[0], "thrown away")
        return Network(whole_generator(self.nets, self._train, self._shape, stream), self.device)


class AdversarialNetsModel:
    """Adversarial nets as a `gan.model.Model`.

    Models that were made together share their games: the first that is asked for an epoch trains it for all, the others
    read what came of it. So each is to be asked in turn.
    """

    variants: ClassVar[tuple[str, ...]] = ("raw", "ema")

    def __init__(self, nets: AdversarialNets, train: Tensor, seed: int, device: torch.device,
                 shape: Shape | None = None, start: int = 1, labels: Tensor | None = None) -> None:
        """`start` counts the starts of the seed, of which all but the last have collapsed. `labels`, int64 [N], of the
        training images are for nets that are told a class; without them these can be sampled, and not trained."""
        self._share(_Games(nets, train, [seed], device, shape or flat(train), start, labels), 0)

    @classmethod
    def together(cls, nets: AdversarialNets, train: Tensor, seeds: Sequence[int], device: torch.device,
                 shape: Shape | None = None, labels: Tensor | None = None) -> list[AdversarialNetsModel]:
        """A model for each of `seeds`, trained in step. ValueError if the networks have convolutions, which are not
        computed together: they are large enough to keep a GPU busy."""
        games = _Games(nets, train, seeds, device, shape or flat(train), labels=labels)
        models = []
        for k in range(len(seeds)):
            model = cls.__new__(cls)
            model._share(games, k)
            models.append(model)
        return models

    def _share(self, games: _Games, k: int) -> None:
        self.nets, self.device = games.nets, games.device
        self._games, self._k = games, k
        self._pixels = games.training.train.shape[1]
        self.epoch = 0
        self.epochs = sum(game.recipe.epochs for game in games.games)

    @property
    def training(self) -> Training:
        """The running game."""
        return self._games.training

    @property
    def updates(self) -> int:
        return self._games.updates

    @property
    def selects_epoch(self) -> bool:
        return self.nets.recipe.chosen_epoch == "best_on_validation"

    @property
    def starts(self) -> int:
        """How many a seed may take."""
        restarts = self.nets.recipe.restarts
        return 1 if restarts is None else restarts.starts

    @property
    def judged_after(self) -> int:
        restarts = self.nets.recipe.restarts
        return self.epochs if restarts is None else restarts.after

    def has_failed(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the start has collapsed; in fewer than five epochs none has."""
        return len(rows) >= EPOCHS_IN_A_ROW and has_collapsed(
            [row["d_on_data"] for row in rows], [row["d_on_samples"] for row in rows])

    @property
    def can_be_scored(self) -> bool:
        """Pretraining has another generator than the one that is wanted."""
        return self._games.is_last

    def fit_epoch(self, between_updates: BetweenUpdates = lambda: None) -> Mapping[str, Any]:
        if self._games.epoch == self.epoch:
            self._games.run_epoch(between_updates)
        self.epoch += 1
        return self._games.rows[self._k]

    def weights(self, variant: str) -> dict[str, Tensor]:
        parameters = self.training.generator.parameters if variant == "raw" else self.training.average
        if len(self.training.seeds) > 1:
            parameters = [of_all_seeds[self._k] for of_all_seeds in parameters]
        return {str(i): parameter for i, parameter in enumerate(parameters)}

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """Of nets that are told a class, as many of each; of those that are told pixels, with none given."""
        return self.transform(weights, draw_noise(self.nets.noise, n, stream))

    def interpolate(self, weights: Mapping[str, Tensor], rows: int, columns: int, stream: torch.Generator) -> Tensor:
        """Figure 3: `rows` straight lines in z, each between two draws, in `columns` steps: [rows·columns, d]. Of nets
        that are told a class, each line of one class."""
        start, end = draw_noise(self.nets.noise, 2 * rows, stream).view(2, rows, 1, -1)
        way = torch.linspace(0, 1, columns, device=stream.device).view(1, columns, 1)
        told = even_told(self.nets, rows, self._pixels)
        told = None if told is None else of_rows(told, torch.arange(rows).repeat_interleave(columns))
        return self.transform(weights, torch.lerp(start, end, way).flatten(0, 1), told)

    @torch.no_grad()
    def transform(self, weights: Mapping[str, Tensor], z: Tensor, told: Told | None = None) -> Tensor:
        """G(z) [n, d] for noise z [n, dimensions] under `weights`, and for what it is told of each, by default as
        `sample` has it."""
        generator = self.training.generator if self.can_be_scored else self._games.untrained_generator()
        parameters = iter([weights[str(i)].to(self.device) for i in range(len(generator.parameters))])
        own = [layer.parameters[:] for layer in generator.layers]
        try:
            for layer in generator.layers:
                layer.parameters[:] = [next(parameters) for _ in layer.parameters]
            return generate(generator, z.to(self.device), told or even_told(self.nets, len(z), self._pixels))
        finally:
            for layer, mine in zip(generator.layers, own, strict=True):
                layer.parameters[:] = mine

    def pictures(self, weights: Mapping[str, Tensor], data: Dataset, stream: torch.Generator) -> Mapping[str, Picture]:
        """A row for each class, or test images completed from their left and their upper halves."""
        if self.nets.condition is None:
            return {}
        draw = functools.partial(self._draw, weights, stream)
        return conditional.pictures(self.nets, data, draw)

    def examine(self, weights: Mapping[str, Tensor], by: Examination, stream: torch.Generator
                ) -> Mapping[str, Estimate]:
        """Whether samples are of the class that was asked for, or what completes half an image."""
        if self.nets.condition is None:
            return {}
        draw = functools.partial(self._draw, weights, stream)
        return conditional.examine(self.nets, by, draw)

    def _draw(self, weights: Mapping[str, Tensor], stream: torch.Generator, told: Told) -> Tensor:
        return self.transform(weights, draw_noise(self.nets.noise, len(told.generator), stream), told)

    def state(self) -> dict[str, Tensor]:
        """The running game's state and the length of those before it: their networks are in it, or not needed."""
        return {"finished": torch.tensor(self._games.finished, dtype=torch.int64).view(-1, 2),
                **self.training.state(self._k)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned; ValueError if it is of other networks."""
        finished = [(int(epochs), int(updates)) for epochs, updates in state["finished"].tolist()]
        while len(self._games.finished) < len(finished):
            self._games.next_game()
        self._games.finished = finished
        self.training.restore({name: tensor for name, tensor in state.items() if name != "finished"}, self._k)
        self.epoch = self._games.epoch
