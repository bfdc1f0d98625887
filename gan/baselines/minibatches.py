"""One epoch's minibatches, which training can leave after any of them and take up again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gan.errors import TrainingDiverged


class Minibatches:
    """Every training image once in an epoch, in a new order, and the sums of the losses so far."""

    def __init__(self, images: int, size: int, order: torch.Generator) -> None:
        self._images, self._size, self._stream = images, size, order
        self._order = torch.empty(0, dtype=torch.int64)
        self._position = 0
        self._sums = torch.empty(0, dtype=torch.float64)

    @property
    def number(self) -> int:
        """Of the minibatch in its epoch, from 0."""
        return self._position // self._size

    def run_epoch(self, epoch: int, update: Callable[[Tensor], Tensor],
                  between_updates: Callable[[], None]) -> list[float]:
        """`update` for the indices of each minibatch: it returns sums [k] over its images. Returns their means.

        TrainingDiverged, with the number of the epoch, if one is no finite number.
        """
        if not self._position:
            self._order = torch.randperm(self._images, generator=self._stream)
        while self._position < self._images:
            if self._position:
                between_updates()
            rows = self._order[self._position:self._position + self._size]
            sums = update(rows).double()
            self._sums = self._sums.to(sums.device) + sums if self._position else sums
            self._position += len(rows)
        self._position = 0
        means = [float(total) / self._images for total in self._sums]
        if not all(map(math.isfinite, means)):
            raise TrainingDiverged(epoch, f"mean losses of {', '.join(map(str, means))}",
                                   "lower the learning rate of this experiment in params.yaml")
        return means

    def state(self) -> dict[str, Tensor]:
        state = {"minibatches.stream": self._stream.get_state(), "minibatches.position": torch.tensor(self._position)}
        if self._position:
            state |= {"minibatches.order": self._order.clone(), "minibatches.sums": self._sums.cpu().clone()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._stream.set_state(state["minibatches.stream"])
        self._position = int(state["minibatches.position"])
        if self._position:
            order = state["minibatches.order"]
            if len(order) != self._images:
                raise ValueError("the saved state is of other images")
            self._order, self._sums = order.clone(), state["minibatches.sums"].clone()
