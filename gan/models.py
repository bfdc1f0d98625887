"""One interface for every row of Table 1: a model can be fitted to a data set and can then draw n samples.

`gan.kinds` makes a model from its settings; `Fit` trains it and chooses its epoch on validation images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from gan import parzen
from gan.adversarial import Shape, flat
from gan.linear_algebra import random_stream
from gan.networks import Layer, Network
from gan.settings import ParameterBlock, require
from gan.training import AdversarialNets, Training

BetweenUpdates = Callable[[], None]



class Model(Protocol):
    variants: ClassVar[tuple[str, ...]]
    """rows that come of one fit: `raw`, and for some models `ema`"""
    epochs: int
    """how many there are to be fitted; 0 where nothing is fitted"""

    @property
    def epoch(self) -> int:
        """how many are done"""

    @property
    def selects_epoch(self) -> bool:
        """whether the epoch is chosen on validation; else the last one is taken"""

    @property
    def is_looked_at(self) -> bool:
        """whether the epoch just done can be scored on validation"""

    def fit_epoch(self, between_updates: BetweenUpdates = ...) -> Mapping[str, Any]:
        """Fit for one epoch, or finish one that was restored, and return its statistics: numbers, or the name of a
        phase. `between_updates` is called between updates; `state` may be taken there, and it may raise to stop."""

    def weights(self, variant: str) -> dict[str, Tensor]:
        """What `sample` needs, as it is now. The tensors are the model's own: copy what is to be kept."""

    def sample(self, weights: Mapping[str, Tensor], n: int, stream: torch.Generator) -> Tensor:
        """n samples [n, d] in the data's scale, with random numbers from `stream` alone."""

    def state(self) -> dict[str, Tensor]:
        """Everything that further updates depend on, as copies on the CPU."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned."""


class _Games:
    """The games of adversarial nets one after another, of one seed or of several in step."""

    def __init__(self, nets: AdversarialNets, train: Tensor, seeds: Sequence[int], device: torch.device,
                 shape: Shape) -> None:
        self.nets, self.device = nets, device
        self.games = nets.games()
        self._train, self._seeds, self._shape = train.to(device), seeds, shape
        self.finished: list[tuple[int, int]] = []  # epochs and updates of the games before
        self.training = self._start(None)
        self.rows: list[dict[str, Any]] = []  # of the last epoch, one for each seed

    def _start(self, pretrained: Sequence[Layer] | None) -> Training:
        return Training(self.games[len(self.finished)], self._train, self._seeds, self.device, self._shape, pretrained)

    def next_game(self) -> None:
        """The finished game's generator goes on; its discriminator, velocities and average do not."""
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
        layers = [layer for game in reversed(self.games) for layer in
                  game.generator.build(self.nets.noise.dimensions, self._train, self._shape, stream)]
        return Network(layers, self.device)


class AdversarialNetsModel:
    """Adversarial nets behind the interface of `Model`.

    Models that were made together share their games: the first that is asked for an epoch trains it for all, the others
    read what came of it. So each is to be asked in turn.
    """

    variants: ClassVar[tuple[str, ...]] = ("raw", "ema")

    def __init__(self, nets: AdversarialNets, train: Tensor, seed: int, device: torch.device,
                 shape: Shape | None = None) -> None:
        self._share(_Games(nets, train, [seed], device, shape or flat(train)), 0)

    @classmethod
    def together(cls, nets: AdversarialNets, train: Tensor, seeds: Sequence[int], device: torch.device,
                 shape: Shape | None = None) -> list[AdversarialNetsModel]:
        """A model for each of `seeds`, trained in step. ValueError if the networks have convolutions, which are not
        computed together: they are large enough to keep a GPU busy."""
        games = _Games(nets, train, seeds, device, shape or flat(train))
        models = []
        for k in range(len(seeds)):
            model = cls.__new__(cls)
            model._share(games, k)
            models.append(model)
        return models

    def _share(self, games: _Games, k: int) -> None:
        self.nets, self.device = games.nets, games.device
        self._games, self._k = games, k
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
    def is_looked_at(self) -> bool:
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
        return self.transform(weights, self.nets.noise.draw(n, stream))

    def interpolate(self, weights: Mapping[str, Tensor], rows: int, columns: int, stream: torch.Generator) -> Tensor:
        """Figure 3: `rows` straight lines in z, each between two draws, in `columns` steps: [rows·columns, d]."""
        start, end = self.nets.noise.draw(2 * rows, stream).view(2, rows, 1, -1)
        way = torch.linspace(0, 1, columns, device=stream.device).view(1, columns, 1)
        return self.transform(weights, torch.lerp(start, end, way).flatten(0, 1))

    @torch.no_grad()
    def transform(self, weights: Mapping[str, Tensor], z: Tensor) -> Tensor:
        """G(z) [n, d] for noise z [n, dimensions] under `weights`."""
        generator = self.training.generator if self.is_looked_at else self._games.untrained_generator()
        parameters = iter([weights[str(i)].to(self.device) for i in range(len(generator.parameters))])
        own = [layer.parameters[:] for layer in generator.layers]
        try:
            for layer in generator.layers:
                layer.parameters[:] = [next(parameters) for _ in layer.parameters]
            return torch.cat([generator.forward(block) for block in z.to(self.device).split(1000)])
        finally:
            for layer, mine in zip(generator.layers, own, strict=True):
                layer.parameters[:] = mine

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


@dataclass(frozen=True)
class Monitor(ParameterBlock):
    """How validation images choose the epoch: their Parzen log-likelihood every `every` epochs and after the last."""

    every: int
    patience: int
    """a seed is stopped when its best epoch lies so many epochs back"""
    samples: int
    images: int
    """the first so many, or all where there are fewer"""
    grid: parzen.Grid

    def __post_init__(self) -> None:
        require(self.every >= 1, f"every must be at least 1, not {self.every}")
        require(self.patience >= self.every,
                f"patience must be at least `every`, which is {self.every}, not {self.patience}")
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(self.images >= 1, f"images must be at least 1, not {self.images}")


@dataclass(frozen=True)
class Choice:
    """The best epoch of one variant so far, by validation log-likelihood in nats."""

    epoch: int
    validation_log_likelihood: float
    weights: dict[str, Tensor]


class Fit:
    """The fit of one model with one seed: its epochs, its curves, and the weights chosen on validation.

    Test images never come near it. The samples that score an epoch are drawn from the same noise each time, so that
    epochs differ by their weights alone, and not from the noise that the published samples are drawn from.
    """

    def __init__(self, model: Model, validation: Tensor, seed: int, monitor: Monitor) -> None:
        self.model, self.seed, self.monitor = model, seed, monitor
        self._validation = validation[:monitor.images]
        self.rows: list[dict[str, Any]] = []
        self.choices: dict[str, Choice] = {}

    def run(self, between_updates: BetweenUpdates = lambda: None) -> Iterator[dict[str, Any]]:
        """Fit until the last epoch or the end of patience; after each epoch, yield its row of the curves.

        Whoever iterates may stop at any row, or within an epoch by raising from `between_updates`, keep `state`, and go
        on from it later.
        """
        if self.model.epochs == 0 and not self.choices:
            self._choose()
        while not self.is_finished:
            row: dict[str, Any] = {"seed": self.seed, "epoch": self.model.epoch + 1,
                                   **self.model.fit_epoch(between_updates)}
            last = self.model.epoch == self.model.epochs
            if last or (self.model.is_looked_at and self.model.epoch % self.monitor.every == 0):
                row |= {f"validation_log_likelihood{'' if variant == 'raw' else f'_{variant}'}": score
                        for variant, score in self._choose().items()}
            self.rows.append(row)
            yield row

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch, or the end of patience, is reached."""
        best = max((choice.epoch for choice in self.choices.values()), default=self.model.epoch)
        out_of_patience = self.model.selects_epoch and self.model.epoch - best >= self.monitor.patience
        return self.model.epoch >= self.model.epochs or out_of_patience

    def _choose(self) -> dict[str, float]:
        scores = {}
        for variant in self.model.variants:
            weights = self.model.weights(variant)
            stream = random_stream(self.seed, "validation samples", self._device(weights))
            samples = self.model.sample(weights, self.monitor.samples, stream)
            score = parzen.search(self._validation, samples, [self.monitor.grid])[0].validation_log_likelihood
            best = self.choices.get(variant)
            if best is None or not self.model.selects_epoch or score > best.validation_log_likelihood:
                kept = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
                self.choices[variant] = Choice(self.model.epoch, score, kept)
            scores[variant] = score
        return scores

    @staticmethod
    def _device(weights: Mapping[str, Tensor]) -> torch.device:
        return next(iter(weights.values())).device

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain JSON values from which `restore` goes on."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state().items()}
        for variant, choice in self.choices.items():
            tensors |= {f"choice/{variant}/{name}": tensor for name, tensor in choice.weights.items()}
        return tensors, {"rows": list(self.rows), "choices": {
            variant: [choice.epoch, choice.validation_log_likelihood] for variant, choice in self.choices.items()}}

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        def below(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.model.restore(below("model/"))
        self.rows = list(about["rows"])
        choices = about["choices"]
        self.choices = {}
        for variant in self.model.variants:
            if variant in choices:
                epoch, score = choices[variant]
                self.choices[variant] = Choice(epoch, score, below(f"choice/{variant}/"))
