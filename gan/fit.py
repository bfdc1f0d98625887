"""How a model is fitted: its epochs, its curves, and the weights that validation images choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan.evaluation import parzen
from gan.evaluation.settings import Monitor
from gan.linear_algebra import random_stream
from gan.model import BetweenUpdates, Model, Restarts


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

    def __init__(self, model: Model, validation: Tensor, seed: int, monitor: Monitor,
                 given_up: Sequence[Sequence[dict[str, Any]]] = ()) -> None:
        """`given_up` are the rows of the seed's starts before this one, which failed."""
        self.model, self.seed, self.monitor = model, seed, monitor
        self.given_up = list(given_up)
        self._validation = validation[:monitor.images]
        self.rows: list[dict[str, Any]] = []
        self.choices: dict[str, Choice] = {}

    def run(self, between_updates: BetweenUpdates = lambda: None) -> Iterator[dict[str, Any]]:
        """Fit until the last epoch, the end of patience or that of a start that failed; after each epoch, yield its
        row of the curves.

        Whoever iterates may stop at any row, or within an epoch by raising from `between_updates`, keep `state`, and
        resume from it later.
        """
        if self.model.epochs == 0 and not self.choices:
            self._choose()
        while not self.is_finished and not self.is_to_be_given_up:
            row: dict[str, Any] = {"seed": self.seed, "epoch": self.model.epoch + 1,
                                   **self.model.fit_epoch(between_updates)}
            last = self.model.epoch == self.model.epochs
            if last or (self.model.can_be_scored and self.model.epoch % self.monitor.every == 0):
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

    @property
    def start(self) -> int:
        """Which of the seed's starts this is, from 1."""
        return len(self.given_up) + 1

    @property
    def is_to_be_given_up(self) -> bool:
        """Whether this start has failed, and another may be taken."""
        model, epoch = self.model, self.model.epoch
        if not isinstance(model, Restarts) or self.start >= model.starts:
            return False
        is_judged = epoch == model.judged_after or (epoch < model.judged_after and self.is_finished)
        return is_judged and model.has_failed(self.rows)

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
        """Tensors and plain JSON values from which `restore` resumes."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state().items()}
        for variant, choice in self.choices.items():
            tensors |= {f"choice/{variant}/{name}": tensor for name, tensor in choice.weights.items()}
        return tensors, {"rows": list(self.rows), "given_up": list(self.given_up), "choices": {
            variant: [choice.epoch, choice.validation_log_likelihood] for variant, choice in self.choices.items()}}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Resume from what `state` returned."""
        def below(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self.model.restore(below("model/"))
        self.rows, self.given_up = list(values["rows"]), list(values["given_up"])
        choices = values["choices"]
        self.choices = {}
        for variant in self.model.variants:
            if variant in choices:
                epoch, score = choices[variant]
                self.choices[variant] = Choice(epoch, score, below(f"choice/{variant}/"))
