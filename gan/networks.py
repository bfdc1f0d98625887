"""The layers of the paper's networks, each with its backward pass written out.

Backward passes are ours so that one pass through the discriminator can serve both players (`gan.training`), and so
that the forward pass, the gradients and nothing else is computed. A layer keeps what its backward pass needs from the
last forward pass; `gradients` holds one tensor for each of `parameters` after a backward pass. The tests compare every
layer with torch's automatic differentiation.

Weights are [inputs, outputs], images [n, d] rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gan.linear_algebra import affine, product

ACTIVATIONS = ("relu", "sigmoid", "linear")


class Layer(Protocol):
    """One layer. A backward pass is `delta`, then `differentiate` if the parameters move, then `input_gradient`."""

    parameters: list[Tensor]
    gradients: list[Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] → [n, outputs]"""

    def delta(self, gradient: Tensor) -> Tensor:
        """From ∂L/∂output to ∂L/∂(affine sum), for all n examples of the last forward pass."""

    def differentiate(self, delta: Tensor, weights: Tensor | None) -> None:
        """Fill `gradients` from `delta`; `weights` [n, 1] multiply each example's share."""

    def input_gradient(self, delta: Tensor) -> Tensor:
        """From `delta`, all n rows or the last ones of it, to ∂L/∂input for the same rows."""


def uniform(shape: Sequence[int], irange: float, stream: torch.Generator) -> Tensor:
    """Initial weights, uniform(−irange, irange), on the CPU whatever the device: a seed starts alike everywhere."""
    return torch.empty(tuple(shape)).uniform_(-irange, irange, generator=stream)


class _Affine:
    """What layers around one affine map x·W + b share."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    _x: Tensor

    def differentiate(self, delta: Tensor, weights: Tensor | None) -> None:
        if weights is None:
            self.gradients = [product(self._x.t(), delta), delta.sum(0)]
        else:
            self.gradients = [product((self._x * weights).t(), delta), product(weights.t(), delta).view(-1)]

    def input_gradient(self, delta: Tensor) -> Tensor:
        return product(delta, self.parameters[0].t())


class Dense(_Affine):
    """activation(x·W + b)."""

    def __init__(self, inputs: int, outputs: int, activation: str, irange: float, stream: torch.Generator,
                 bias: Tensor | None = None) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; known are {', '.join(ACTIVATIONS)}")
        self.activation = activation
        self.parameters = [uniform((inputs, outputs), irange, stream), torch.zeros(outputs) if bias is None else bias]
        self.gradients = []

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        y = affine(x, *self.parameters)
        if self.activation == "relu":
            y.relu_()
        elif self.activation == "sigmoid":
            y.sigmoid_()
        self._y = y
        return y

    def delta(self, gradient: Tensor) -> Tensor:
        if self.activation == "relu":
            return torch.ops.aten.threshold_backward(gradient, self._y, 0)  # type: ignore[no-any-return]
        if self.activation == "sigmoid":
            return torch.ops.aten.sigmoid_backward(gradient, self._y)  # type: ignore[no-any-return]
        return gradient


class Maxout(_Affine):
    """max over pieces of (x·W_p + b_p) (Goodfellow et al. 2013). Columns are piece-major: [inputs, pieces·units].

    Where pieces tie, each of them gets the whole gradient. In float32 that is about one unit in ten million, or all
    units of an example whose inputs are all 0 while the biases still are.
    """

    def __init__(self, inputs: int, units: int, pieces: int, irange: float, stream: torch.Generator) -> None:
        self.units, self.pieces = units, pieces
        self.parameters = [uniform((inputs, pieces * units), irange, stream), torch.zeros(pieces * units)]
        self.gradients = []

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        sums = affine(x, *self.parameters).view(len(x), self.pieces, self.units)
        y = sums.amax(1)
        # 1 where a piece is the maximum, else 0; written over the sums, which nothing needs any more.
        self._is_maximum = torch.eq(sums, y.unsqueeze(1), out=sums)
        return y

    def delta(self, gradient: Tensor) -> Tensor:
        return (self._is_maximum * gradient.unsqueeze(1)).view(len(gradient), -1)


class Dropout:
    """Keep each element with probability `keep` and scale it by 1/keep; a new mask for every forward pass.

    Masks come from 16 random bits an element, so `keep` is rounded to a multiple of 2⁻¹⁶ (0.8 becomes 0.800003).
    """

    def __init__(self, keep: float, stream: torch.Generator) -> None:
        self.keep, self.stream = keep, stream
        self.parameters: list[Tensor] = []
        self.gradients: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
        words.random_(-2**63, None, generator=self.stream)
        words = words.view(torch.int16)[:x.numel()].view(x.shape)
        # From −2¹⁵ up, the largest word kept: at least one is, at most all are.
        largest = min(max(round(self.keep * 2**16), 1), 2**16) - 2**15 - 1
        self._mask = torch.le(words, largest, out=torch.empty_like(x)).mul_(1 / self.keep)
        return x * self._mask

    def delta(self, gradient: Tensor) -> Tensor:
        return gradient

    def differentiate(self, delta: Tensor, weights: Tensor | None) -> None:
        pass

    def input_gradient(self, delta: Tensor) -> Tensor:
        return delta * self._mask[len(self._mask) - len(delta):]


class Network:
    """Layers one after another."""

    def __init__(self, layers: Sequence[Layer], device: torch.device | str = "cpu") -> None:
        self.layers = list(layers)
        for layer in self.layers:
            layer.parameters[:] = [parameter.to(device) for parameter in layer.parameters]

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] → [n, outputs]"""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, gradient: Tensor, weights: Tensor | None = None, rows: int = 0) -> Tensor | None:
        """From ∂L/∂output [n, outputs] to the gradients of all parameters; `weights` as in `Layer.differentiate`.

        Returns ∂L/∂input of the last `rows` examples, unweighted, or None if `rows` is 0.
        """
        lowest = next(i for i, layer in enumerate(self.layers) if layer.parameters)
        for i in reversed(range(len(self.layers))):
            layer = self.layers[i]
            delta = layer.delta(gradient)
            layer.differentiate(delta, weights)
            if i == lowest:  # nothing below has parameters: go on with the rows that are asked for
                if not rows:
                    return None
                delta = delta[len(delta) - rows:]
            gradient = layer.input_gradient(delta)
        return gradient

    def input_gradient(self, gradient: Tensor) -> Tensor:
        """From ∂L/∂output to ∂L/∂input, all rows, leaving the parameters' gradients as they are."""
        for layer in reversed(self.layers):
            gradient = layer.input_gradient(layer.delta(gradient))
        return gradient

    @property
    def parameters(self) -> list[Tensor]:
        return list(itertools.chain.from_iterable(layer.parameters for layer in self.layers))

    @property
    def gradients(self) -> list[Tensor]:
        return list(itertools.chain.from_iterable(layer.gradients for layer in self.layers))
