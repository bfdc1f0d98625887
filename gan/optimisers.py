"""Steps of torch's own optimisers, for networks that are trained by automatic differentiation.

torch.optim's classes import torch's compiler when the first of them is made, which takes seconds and a hundred MB in a
process; the functions behind them do not. The bits are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class _Optimiser(ABC):
    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)

    def descend(self, loss: Tensor, rate: float) -> None:
        """Move the parameters down the slope of `loss`; no other tensor gets a gradient."""
        slope = list(torch.autograd.grad(loss, self.parameters))
        with torch.no_grad():
            self._step(slope, rate)

    @abstractmethod
    def _step(self, slope: list[Tensor], rate: float) -> None:
        """Move the parameters, and what is remembered of earlier slopes."""


class Adam(_Optimiser):
    """Kingma and Ba 2014; with `decay` of weights apart from the slope, AdamW (Loshchilov and Hutter 2017)."""

    def __init__(self, parameters: Iterable[Tensor], betas: tuple[float, float] = (0.9, 0.999), decay: float = 0.0
                 ) -> None:
        super().__init__(parameters)
        self._betas, self._decay = betas, decay
        self._means, self._squares = ([torch.zeros_like(each) for each in self.parameters] for _ in range(2))
        self._steps = [torch.tensor(0.0) for _ in self.parameters]

    def _step(self, slope: list[Tensor], rate: float) -> None:
        (adamw if self._decay else adam)(
            self.parameters, slope, self._means, self._squares, [], self._steps, amsgrad=False, beta1=self._betas[0],
            beta2=self._betas[1], lr=rate, weight_decay=self._decay, eps=1e-8, maximize=False)


class NesterovMomentum(_Optimiser):
    """Stochastic gradient descent with Nesterov's momentum; `decay` is added to the slope."""

    def __init__(self, parameters: Iterable[Tensor], momentum: float, decay: float) -> None:
        super().__init__(parameters)
        self._momentum, self._decay = momentum, decay
        self._velocities: list[Tensor | None] = [None] * len(self.parameters)

    def _step(self, slope: list[Tensor], rate: float) -> None:
        sgd(self.parameters, slope, self._velocities, weight_decay=self._decay, momentum=self._momentum, lr=rate,
            dampening=0.0, nesterov=True, maximize=False)
