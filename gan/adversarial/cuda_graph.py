"""Updates of a training, captured once as a CUDA graph and replayed.

An update of the paper's MNIST networks is about a hundred kernels of a few microseconds each: to start them one by one
from Python takes longer than to run them. A graph starts them all at once. Whatever changes from update to update lies
in tensors on the GPU, which the graph itself moves on: the number of the minibatch, of the update, and with it the
learning rate. Momentum is a constant of the fused update and of the graph: while it still rises, each epoch captures
anew, which takes milliseconds. The random streams are registered with the graph, so that every replay draws on from
where the last draw ended, be it captured or not: replayed updates give the bits of eager ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from gan.adversarial.settings import Recipe

_WARM_UP = 3


class Updated(Protocol):
    """What is captured: a training of one seed or of several, as `gan.adversarial.training.Training` has it."""

    recipe: Recipe
    device: torch.device
    seeds: list[int]
    train: Tensor
    """images [N, d]"""
    order: Tensor
    """of the images in the running epoch: [N], of several seeds [S, N]"""
    logits: Tensor
    """[2, N, S]: D's in the running epoch, on data and on samples"""
    noises: list[torch.Generator]
    """what an update draws from, a stream for each seed"""

    def update(self, rows: Tensor, rate: float | Tensor, momentum: float, moves_generator: bool) -> Tensor:
        """One update on the images `rows`; returns D's logits [2n, S]."""

    def state(self, k: int = 0) -> dict[str, Tensor]:
        """What the next updates of the k-th seed depend on, as copies."""

    def restore(self, state: Mapping[str, Tensor], k: int = 0) -> None:
        """Take over what `state` returned."""


class CapturedUpdates:
    """Full minibatches of one training on a GPU; the first call captures."""

    def __init__(self, training: Updated) -> None:
        self._training = training
        self._graphs: dict[bool, torch.cuda.CUDAGraph] = {}
        self._minibatch = torch.zeros(1, dtype=torch.int64, device=training.device)
        self._updates = torch.zeros((), dtype=torch.float64, device=training.device)
        self._momentum: dict[bool, float] = {}  # of each graph
        self._expected: tuple[int, int] | None = None  # what the tensors on the GPU say

    def run(self, minibatch: int, updates: int, momentum: float, moves_generator: bool) -> None:
        """The update after `updates` others, on the epoch's minibatch of that number (from 0)."""
        if self._momentum.get(moves_generator) != momentum:
            self._graphs[moves_generator] = self._capture(moves_generator, momentum)
            self._momentum[moves_generator] = momentum
            self._expected = None
        if self._expected != (minibatch, updates):
            self._minibatch.fill_(minibatch)
            self._updates.fill_(updates)
        self._graphs[moves_generator].replay()
        self._expected = (minibatch + 1, updates + 1)

    def _capture(self, moves_generator: bool, momentum: float) -> torch.cuda.CUDAGraph:
        """A graph of one update; of another momentum, in the memory of the one that it is to replace."""
        before = self._graphs.get(moves_generator)
        if before is None:
            self._warm_up(moves_generator, momentum)
        graph = torch.cuda.CUDAGraph()
        for stream in self._training.noises:
            graph.register_generator_state(stream)
        with torch.cuda.graph(graph, pool=None if before is None else before.pool()):
            self._update(moves_generator, momentum)
        return graph

    def _warm_up(self, moves_generator: bool, momentum: float) -> None:
        """Capturing runs nothing, but libraries must have been started before: by updates that are then taken back."""
        training = self._training
        states = [training.state(k) for k in range(len(training.seeds))]
        beside = torch.cuda.Stream(training.device)
        beside.wait_stream(torch.cuda.current_stream(training.device))
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):
                self._minibatch.zero_()
                self._update(moves_generator, momentum)
        torch.cuda.current_stream(training.device).wait_stream(beside)
        for k, state in enumerate(states):
            training.restore(state, k)

    def _update(self, moves_generator: bool, momentum: float) -> None:
        training, size = self._training, self._training.recipe.batch_size
        rate = training.recipe.learning_rate
        minibatches = len(training.train) // size
        orders = training.order[..., :minibatches * size].unflatten(-1, (minibatches, size))
        rows = orders.index_select(-2, self._minibatch).squeeze(-2)
        now = (rate.initial * torch.pow(rate.decay, -self._updates)).clamp_min(rate.minimum).float()
        logits = training.update(rows, now, momentum, moves_generator)
        self._kept(minibatches * size).unflatten(1, (minibatches, size)).index_copy_(
            1, self._minibatch, logits.view(2, 1, size, -1))
        self._minibatch.add_(1)
        self._updates.add_(1)

    def _kept(self, images: int) -> Tensor:
        """The place of logits on the first so many images of the epoch and on as many samples."""
        return self._training.logits[:, :images]
