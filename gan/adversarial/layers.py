"""The layers of the paper's networks, each with its backward pass written out.

Backward passes are ours so that one pass through the discriminator can serve both players (`gan.adversarial.training`),
and so that the forward pass, the gradients and nothing else is computed. A layer keeps what its backward pass needs
from the last forward pass; `gradients` holds one tensor for each of `parameters` after a backward pass. The tests
compare every layer with torch's automatic differentiation.

Weights are [inputs, outputs], images [n, d] rows, flattened channels × height × width. Convolutions keep torch's layout
of weights and reshape rows as they need. All other layers also compute several networks of the same shape at once
(`stack`): weights [S, inputs, outputs], rows [S, n, d].
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from gan.linear_algebra import affine, product, random_int16

ACTIVATIONS = ("relu", "sigmoid", "linear")


class Layer(Protocol):
    """One layer. A backward pass is `delta`, then `differentiate` if the parameters move, then `input_gradient`."""

    parameters: list[Tensor]
    gradients: list[Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] → [n, outputs]"""

    def delta(self, gradient: Tensor) -> Tensor:
        """From ∂L/∂output to ∂L/∂(affine sum), for all n examples of the last forward pass."""

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        """Fill `gradients` from `delta`; `weights` [n, 1] multiply each example's share.

        `tangent` [m, inputs], given with weights, is added to the weighted inputs of the first m examples in the
        gradient of the weight (`Network.backward_with_penalty`).
        """

    def input_gradient(self, delta: Tensor) -> Tensor:
        """From `delta`, all n rows or the last ones of it, to ∂L/∂input for the same rows."""

    def limit_norms(self, maximum: float) -> None:
        """Scale down to L2 norm `maximum` the weights into each unit (each piece of a maxout unit) that exceed it."""


@runtime_checkable
class PiecewiseLinear(Layer, Protocol):
    """A layer that is linear but for a choice that small changes leave as it is: which piece is the largest."""

    def tangent(self, change: Tensor) -> Tensor:
        """How the output changes with the input, of the first m examples: [m, inputs] → [m, outputs]."""


def uniform(shape: Sequence[int], irange: float, stream: torch.Generator) -> Tensor:
    """Initial weights, uniform(−irange, irange), drawn on the CPU: a seed has the same ones on every device."""
    return torch.empty(tuple(shape)).uniform_(-irange, irange, generator=stream)


def sparse_normal(inputs: int, outputs: int, nonzero: int, stream: torch.Generator) -> Tensor:
    """Initial weights [inputs, outputs]: `nonzero` into each unit, at random places, are N(0, 1), the others 0."""
    if nonzero > inputs:
        raise ValueError(f"{nonzero} non-zero weights into each unit, but there are only {inputs} inputs")
    weight = torch.zeros(inputs, outputs)
    places = torch.rand(inputs, outputs, generator=stream).topk(nonzero, dim=0).indices
    return weight.scatter_(0, places, torch.randn(nonzero, outputs, generator=stream))


def activate_(y: Tensor, activation: str) -> Tensor:
    """The activation, in place."""
    if activation == "relu":
        return y.relu_()
    if activation == "sigmoid":
        return y.sigmoid_()
    return y


def activation_delta(gradient: Tensor, y: Tensor, activation: str) -> Tensor:
    """From ∂L/∂y to ∂L/∂(what was activated)."""
    if activation == "relu":
        return torch.ops.aten.threshold_backward(gradient, y, 0)  # type: ignore[no-any-return]
    if activation == "sigmoid":
        return torch.ops.aten.sigmoid_backward(gradient, y)  # type: ignore[no-any-return]
    return gradient


def require_activation(activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; known are {', '.join(ACTIVATIONS)}")


def _with_tangent(inputs: Tensor, tangent: Tensor | None) -> Tensor:
    """`tangent` added, in place, to the first rows that it has."""
    if tangent is not None:
        inputs[..., :tangent.shape[-2], :].add_(tangent)
    return inputs


class _Affine:
    """What layers around one affine map x·W + b share."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    _x: Tensor

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        if weights is None:
            self.gradients = [product(self._x.mT, delta), delta.sum(-2)]
        else:
            inputs = _with_tangent(self._x * weights, tangent)
            self.gradients = [product(inputs.mT, delta), product(weights.mT, delta).squeeze(-2)]

    def input_gradient(self, delta: Tensor) -> Tensor:
        return product(delta, self.parameters[0].mT)

    def limit_norms(self, maximum: float) -> None:
        weight = self.parameters[0]
        if weight.ndim == 2:
            weight.renorm_(2, 1, maximum)
        else:  # of several networks at once, by renorm's own formula
            norms = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
            weight.mul_(torch.where(norms > maximum, maximum / (norms + 1e-7), 1.0))


class Dense(_Affine):
    """activation(x·W + b)."""

    def __init__(self, weight: Tensor, bias: Tensor, activation: str) -> None:
        """`weight` [inputs, outputs], `bias` [outputs]"""
        require_activation(activation)
        self.activation = activation
        self.parameters = [weight, bias]
        self.gradients = []

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        self.output = activate_(affine(x, *self.parameters), self.activation)
        return self.output

    def delta(self, gradient: Tensor) -> Tensor:
        return activation_delta(gradient, self.output, self.activation)

    def tangent(self, change: Tensor) -> Tensor:
        """ValueError for a sigmoid, which is not piecewise linear."""
        if self.activation == "sigmoid":
            raise ValueError("a sigmoid layer is not piecewise linear")
        sums = product(change, self.parameters[0])
        return activation_delta(sums, self.output[..., :change.shape[-2], :], self.activation)


class Maxout(_Affine):
    """max over pieces of (x·W_p + b_p) (Goodfellow et al. 2013). Columns are piece-major: [inputs, pieces·units].

    Where pieces tie, each of them gets the whole gradient. In float32 that is about one unit in ten million, or all
    units of an example whose inputs are all 0 while the biases still are.
    """

    def __init__(self, weight: Tensor, pieces: int) -> None:
        """`weight` [inputs, pieces·units]; biases begin at 0."""
        self.units, self.pieces = weight.shape[1] // pieces, pieces
        self.parameters = [weight, torch.zeros(weight.shape[1])]
        self.gradients = []

    def forward(self, x: Tensor) -> Tensor:
        self._x = x
        sums = affine(x, *self.parameters).unflatten(-1, (self.pieces, self.units))
        y: Tensor = sums.amax(-2)
        # 1 where a piece is the maximum, else 0; written over the sums, which nothing needs any more.
        self._is_maximum = torch.eq(sums, y.unsqueeze(-2), out=sums)
        return y

    def delta(self, gradient: Tensor) -> Tensor:
        return (self._is_maximum * gradient.unsqueeze(-2)).flatten(-2)

    def tangent(self, change: Tensor) -> Tensor:
        sums: Tensor = product(change, self.parameters[0]).unflatten(-1, (self.pieces, self.units))
        return sums.mul_(self._is_maximum[..., :change.shape[-2], :, :]).sum(-2)


class SpectralNorm:
    """A dense or maxout layer whose weights W are divided by their largest singular value (Miyato et al. 2018).

    The singular value σ comes from one power iteration for each forward pass, as in the source; its vectors u, v go on
    from pass to pass and count as constants in the gradient, which for W is (∂L/∂W̄ − ⟨∂L/∂W̄, W̄⟩·uvᵀ)/σ, W̄ = W/σ.
    A maxout unit chooses among pieces, so that the norm of all pieces together bounds how steep the layer is.
    """

    def __init__(self, layer: Dense | Maxout, stream: torch.Generator) -> None:
        """u begins as random numbers from `stream`."""
        self.layer = layer
        self.parameters = layer.parameters[:]
        self.gradients: list[Tensor] = []
        self.u = torch.randn(layer.parameters[0].shape[0], 1, generator=stream)
        """[inputs, 1], of several networks [S, inputs, 1]; part of the state"""
        self.u /= self.u.norm()

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.parameters
        self._v = torch.nn.functional.normalize(product(weight.mT, self.u), dim=-2)
        along = product(weight, self._v)
        self._sigma = along.norm(dim=-2, keepdim=True).clamp_min(1e-12)
        self.u.copy_(along / self._sigma)
        self.layer.parameters[:] = [weight / self._sigma, bias]
        return self.layer.forward(x)

    def delta(self, gradient: Tensor) -> Tensor:
        return self.layer.delta(gradient)

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        self.layer.differentiate(delta, weights, tangent)
        by_normed, by_bias = self.layer.gradients
        along = (by_normed * self.layer.parameters[0]).sum((-2, -1), keepdim=True)
        self.gradients = [(by_normed - along * self.u * self._v.mT) / self._sigma, by_bias]
        self.layer.gradients = []

    def input_gradient(self, delta: Tensor) -> Tensor:
        return self.layer.input_gradient(delta)

    def tangent(self, change: Tensor) -> Tensor:
        return self.layer.tangent(change)

    def limit_norms(self, maximum: float) -> None:
        """Nothing: whatever norm the weights have, they are divided by it."""


class TransposedConvolution:
    """activation(W ⊛ᵀ x + b), the "deconvolution" of the CIFAR-10 generator; each location has biases of its own."""

    def __init__(self, weight: Tensor, bias: Tensor, size: int, stride: int, activation: str) -> None:
        """`weight` [C, C', k, k], `bias` [C'·H'·W'] for x [n, C·size·size]; H' = W' = (size − 1)·stride + k."""
        require_activation(activation)
        self.size, self.stride, self.activation = size, stride, activation
        self.parameters = [weight, bias]
        self.gradients: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.parameters
        self._x = x.view(len(x), weight.shape[0], self.size, self.size)
        y = conv_transpose2d(self._x, weight, stride=self.stride).flatten(1).add_(bias)
        self._y = activate_(y, self.activation)
        return self._y

    def delta(self, gradient: Tensor) -> Tensor:
        return activation_delta(gradient, self._y, self.activation)

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        if tangent is not None:
            raise ValueError("no penalty on a generator's gradient is known here")
        if weights is not None:
            delta = delta * weights
        weight_gradient = _convolution_backward(self._images(delta), self._x, self.parameters[0], stride=self.stride,
                                                transposed=True, of="weight")
        self.gradients = [weight_gradient, delta.sum(0)]

    def input_gradient(self, delta: Tensor) -> Tensor:
        return conv2d(self._images(delta), self.parameters[0], stride=self.stride).flatten(1)

    def _images(self, rows: Tensor) -> Tensor:
        weight = self.parameters[0]
        side = (self.size - 1) * self.stride + weight.shape[2]
        return rows.view(len(rows), weight.shape[1], side, side)

    def limit_norms(self, maximum: float) -> None:
        self.parameters[0].renorm_(2, 1, maximum)


class ConvolutionalMaxout:
    """Maxout convolution: max over pieces of (W_p ⊛ x + b_p), then max pooling over space whose windows round up.

    Biases are shared by all locations. Output channels are piece-major: `weight` is [pieces·channels, C, k, k].
    Inside, channels are the innermost axis, for which torch's max pooling on a CPU is 6 times as fast; pieces are taken
    one by one, because broadcasting over so short an axis is slow.
    """

    def __init__(self, weight: Tensor, shape: tuple[int, int, int], pieces: int, padding: int, pool: int,
                 pool_stride: int) -> None:
        """`shape` (C, H, W) of the input."""
        self.shape, self.pieces, self.padding, self.pool, self.pool_stride = shape, pieces, padding, pool, pool_stride
        self.parameters = [weight.contiguous(memory_format=torch.channels_last), torch.zeros(len(weight))]
        self.gradients: list[Tensor] = []
        self.output_shape = (len(weight) // pieces, self._pooled(shape[1]), self._pooled(shape[2]))

    def _pooled(self, side: int) -> int:
        convolved = side + 2 * self.padding - self.parameters[0].shape[2] + 1
        if convolved < self.pool:
            raise ValueError(f"a convolution over {side} pixels leaves {convolved}, fewer than its pool of {self.pool}")
        return -(-(convolved - self.pool) // self.pool_stride) + 1

    def forward(self, x: Tensor) -> Tensor:
        self._x = x.view(len(x), *self.shape).contiguous(memory_format=torch.channels_last)
        weight, bias = self.parameters
        sums = conv2d(self._x, weight, bias, padding=self.padding).permute(0, 2, 3, 1)
        sums = sums.unflatten(3, (self.pieces, -1))  # [n, height, width, pieces, channels]
        first, *others = sums.unbind(3)
        maxima = functools.reduce(torch.maximum, others, first) if others else first.clone()
        for piece in sums.unbind(3):
            torch.eq(piece, maxima, out=piece)
        self._is_maximum = sums
        self._maxima = maxima.permute(0, 3, 1, 2)
        pooled, self._places = torch.ops.aten.max_pool2d_with_indices(self._maxima, *self._pooling)
        return pooled.flatten(1)  # type: ignore[no-any-return]

    @property
    def _pooling(self) -> tuple[list[int], list[int], list[int], list[int], bool]:
        """Window, stride, padding, dilation, whether windows round up."""
        return [self.pool] * 2, [self.pool_stride] * 2, [0, 0], [1, 1], True

    def delta(self, gradient: Tensor) -> Tensor:
        """[n, pieces·channels, height, width]"""
        pooled_gradient = gradient.view(len(gradient), *self.output_shape)
        maxima_gradient = torch.ops.aten.max_pool2d_with_indices_backward(pooled_gradient, self._maxima, *self._pooling,
                                                                          self._places)
        maxima_gradient = maxima_gradient.permute(0, 2, 3, 1)
        sums_gradient = torch.empty_like(self._is_maximum)
        for piece, is_maximum in zip(sums_gradient.unbind(3), self._is_maximum.unbind(3), strict=True):
            torch.mul(is_maximum, maxima_gradient, out=piece)
        return sums_gradient.flatten(3).permute(0, 3, 1, 2)

    def tangent(self, change: Tensor) -> Tensor:
        m = len(change)
        images = change.view(m, *self.shape).contiguous(memory_format=torch.channels_last)
        sums = conv2d(images, self.parameters[0], padding=self.padding).permute(0, 2, 3, 1)
        kept: Tensor = sums.unflatten(3, (self.pieces, -1)).mul(self._is_maximum[:m]).sum(3).permute(0, 3, 1, 2)
        return kept.flatten(2).gather(2, self._places[:m].flatten(2)).flatten(1)

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        bias_gradients = delta.sum((2, 3))  # of each example
        x = self._x if weights is None else self._x * weights.view(-1, 1, 1, 1)
        if tangent is not None:
            x[:len(tangent)].add_(tangent.view(len(tangent), *self.shape))
        self.gradients = [
            _convolution_backward(delta, x, self.parameters[0], padding=self.padding, of="weight"),
            bias_gradients.sum(0) if weights is None else product(weights.t(), bias_gradients).view(-1)]

    def input_gradient(self, delta: Tensor) -> Tensor:
        x = self._x[len(self._x) - len(delta):]
        return _convolution_backward(delta, x, self.parameters[0], padding=self.padding, of="input").flatten(1)

    def limit_norms(self, maximum: float) -> None:
        self.parameters[0].renorm_(2, 0, maximum)


def _convolution_backward(delta: Tensor, x: Tensor, weight: Tensor, *, of: str, stride: int = 1, padding: int = 0,
                          transposed: bool = False) -> Tensor:
    """∂L/∂input or ∂L/∂weight of a convolution, as `of` says, and not the other."""
    gradients = torch.ops.aten.convolution_backward(
        delta, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], 1,
        [of == "input", of == "weight", False])
    return gradients[0 if of == "input" else 1]  # type: ignore[no-any-return]


class Dropout:
    """Keep each element with probability `keep` and scale it by 1/keep; a new mask for every forward pass.

    Masks come from 16 random bits an element, so `keep` is rounded to a multiple of 2⁻¹⁶ (0.8 becomes 0.800003).
    """

    def __init__(self, keep: float, stream: torch.Generator, *others: torch.Generator) -> None:
        """One stream for each network that is computed at once."""
        self.keep, self.streams = keep, [stream, *others]
        self.parameters: list[Tensor] = []
        self.gradients: list[Tensor] = []
        self._width = 0  # of the rows seen last
        self._drawn: Tensor | None = None

    def draw(self, rows: int, device: torch.device) -> None:
        """Draw now the mask of the next forward pass, which will be of so many rows, if their width is known yet."""
        if self._width:
            self._drawn = self._new_mask(rows, self._width, device)

    def forward(self, x: Tensor) -> Tensor:
        rows, self._width = x.shape[-2:]
        drawn, self._drawn = self._drawn, None
        self._mask = self._new_mask(rows, self._width, x.device) if drawn is None else drawn
        return x * self._mask

    def _new_mask(self, rows: int, width: int, device: torch.device) -> Tensor:
        words = [random_int16((rows, width), stream) for stream in self.streams]
        all_words = (words[0] if len(words) == 1 else torch.stack(words)).to(device)
        # From −2¹⁵ up, the largest word kept: at least one is, at most all are.
        largest = min(max(round(self.keep * 2**16), 1), 2**16) - 2**15 - 1
        mask = torch.empty(all_words.shape, device=device)
        return torch.le(all_words, largest, out=mask).mul_(1 / self.keep)

    def delta(self, gradient: Tensor) -> Tensor:
        return gradient

    def differentiate(self, delta: Tensor, weights: Tensor | None, tangent: Tensor | None = None) -> None:
        pass

    def input_gradient(self, delta: Tensor) -> Tensor:
        return delta * self._mask[..., self._mask.shape[-2] - delta.shape[-2]:, :]

    def tangent(self, change: Tensor) -> Tensor:
        return change * self._mask[..., :change.shape[-2], :]

    def limit_norms(self, maximum: float) -> None:
        pass


def stack(networks: Sequence[Sequence[Layer]]) -> list[Layer]:
    """Layers that compute networks of the same shape at once, from the layers of each. ValueError for convolutions.

    Where there is one network, its layers as they are.
    """
    if len(networks) == 1:
        return list(networks[0])
    return [_stacked(layers) for layers in zip(*networks, strict=True)]


def _stacked(layers: Sequence[Layer]) -> Layer:
    first = layers[0]
    if isinstance(first, Dropout):
        return Dropout(first.keep, *(layer.streams[0] for layer in layers if isinstance(layer, Dropout)))
    if isinstance(first, SpectralNorm):
        wrapped = [layer for layer in layers if isinstance(layer, SpectralNorm)]
        first.parameters[:] = [torch.stack(parameters) for parameters in
                               zip(*(layer.parameters for layer in wrapped), strict=True)]
        first.u = torch.stack([layer.u for layer in wrapped])
        return first
    if not isinstance(first, Dense | Maxout):
        raise ValueError(f"{type(first).__name__} cannot be computed for several networks at once")
    first.parameters[:] = [torch.stack(parameters) for parameters in
                           zip(*(layer.parameters for layer in layers), strict=True)]
    return first


class Network:
    """Layers one after another.

    Where one is computed alone on a GPU, a second stream does what does not have to wait: the products by the
    parameters beside those by the inputs, masks of dropout before they are needed. Either stream alone leaves much of
    the GPU idle. Several in step fill it: there the streams' waiting for each other costs more than it gives.
    """

    second_stream: ClassVar[bool | None] = None
    """Whether networks made from now on have one where there is a GPU, however many are computed in step; None: as
    above. The numbers are the same."""

    def __init__(self, layers: Sequence[Layer], device: torch.device | str = "cpu", in_step: int = 1) -> None:
        """`in_step`: how many networks the layers compute at once (`stack`)."""
        self.layers = list(layers)
        for layer in self.layers:
            layer.parameters[:] = [parameter.to(device) for parameter in layer.parameters]
            if isinstance(layer, SpectralNorm):
                layer.u = layer.u.to(device)
        on_a_gpu = torch.device(device).type == "cuda"
        wanted = in_step == 1 if self.second_stream is None else self.second_stream
        self._beside = torch.cuda.Stream(device) if on_a_gpu and wanted else None
        self._waits = False  # whether something was started beside since the last `join`

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] → [n, outputs]"""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, gradient: Tensor, weights: Tensor | None = None, rows: int = 0,
                 finished: Callable[[Layer], None] = lambda layer: None) -> Tensor | None:
        """From ∂L/∂output [n, outputs] to the gradients of all parameters; `weights` as in `Layer.differentiate`.

        `finished` is called with each layer when its gradients are there and its parameters are not needed any more.
        Returns ∂L/∂input of the last `rows` examples, unweighted, or None if `rows` is 0.
        """
        lowest = next(i for i, layer in enumerate(self.layers) if layer.parameters)
        deltas = []  # kept until both streams are done with them: freed earlier, their memory would be written anew
        result: Tensor | None = gradient
        for i in reversed(range(len(self.layers))):
            layer = self.layers[i]
            delta = layer.delta(gradient)
            deltas.append(delta)
            self._differentiate(layer, delta, weights)
            if i == lowest:  # nothing below has parameters: go on with the rows that are asked for
                if not rows:
                    finished(layer)
                    result = None
                    break
                delta = delta[:, -rows:] if delta.ndim == 3 else delta[-rows:]
            result = gradient = layer.input_gradient(delta)
            finished(layer)
        self.join()
        return result

    def backward_with_penalty(self, gradient: Tensor, weights: Tensor, penalties: Tensor,
                              finished: Callable[[Layer], None] = lambda layer: None, inputs: int | None = None
                              ) -> Tensor:
        """As `backward` of Σ wᵢoᵢ + ½·Σ pᵢ‖∂oᵢ/∂xᵢ‖², the second sum over the first m examples; `penalties` p [m, 1].
        x are the first `inputs` of an example, all of them unless given.

        Layers are piecewise linear, so that ∂o/∂x is a product of matrices. With gᵢ = ∂oᵢ/∂xᵢ from the backward pass
        and pᵢgᵢ sent forward through the same matrices, the second sum's gradient by the weights of a layer is tᵀδ: t
        is what arrives at its input, δ what the backward pass left there. Both sums share one product, (w·x + t)ᵀδ, and
        nothing is differentiated twice; biases have no part in the second. ValueError for layers that are not linear.
        Returns ∂o/∂x of all examples, unweighted.
        """
        layers = [layer for layer in self.layers if isinstance(layer, PiecewiseLinear)]
        if len(layers) < len(self.layers):
            raise ValueError("a penalty on the gradient is for networks of piecewise linear layers")
        deltas = []
        for layer in reversed(layers):
            delta = layer.delta(gradient)
            deltas.append(delta)
            gradient = layer.input_gradient(delta)
        tangent = gradient[..., :penalties.shape[-2], :] * penalties
        if inputs is not None:
            tangent[..., inputs:] = 0
        for layer, delta in zip(layers, reversed(deltas), strict=True):
            beyond = layer.tangent(tangent)  # before `finished`, which may move the weights
            layer.differentiate(delta, weights, tangent)
            finished(layer)
            tangent = beyond
        self.join()
        return gradient

    def _differentiate(self, layer: Layer, delta: Tensor, weights: Tensor | None) -> None:
        if not layer.parameters:
            return
        with self.beside():
            layer.differentiate(delta, weights)

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """What is started within it runs, on a GPU, beside what is started after it, until `join`.

        Tensors that it reads must be kept until then: memory that is freed goes to whoever asks next.
        """
        if self._beside is None:
            yield
            return
        self._waits = True
        self._beside.wait_stream(torch.cuda.current_stream(self._beside.device))
        with torch.cuda.stream(self._beside):
            yield

    def join(self) -> None:
        """Have what comes wait for what runs beside, if anything does: a capture may not wait for what is not in it."""
        if self._beside is not None and self._waits:
            self._waits = False
            torch.cuda.current_stream(self._beside.device).wait_stream(self._beside)

    def draw_masks(self, rows: int) -> None:
        """On a GPU, draw the masks of dropout for the next forward pass, of so many rows, beside what comes before it;
        then `join`. They are the numbers that the pass itself would draw, if nothing else is drawn in between."""
        if self._beside is None:
            return
        with self.beside():
            for layer in self.layers:
                if isinstance(layer, Dropout):
                    layer.draw(rows, self._beside.device)

    def input_gradient(self, gradient: Tensor) -> Tensor:
        """From ∂L/∂output to ∂L/∂input, all rows, leaving the parameters' gradients as they are."""
        for layer in reversed(self.layers):
            gradient = layer.input_gradient(layer.delta(gradient))
        return gradient

    def limit_norms(self, maximum: float) -> None:
        """As `Layer.limit_norms`, in every layer."""
        for layer in self.layers:
            layer.limit_norms(maximum)

    @property
    def parameters(self) -> list[Tensor]:
        return list(itertools.chain.from_iterable(layer.parameters for layer in self.layers))

    @property
    def vectors(self) -> list[Tensor]:
        """u of every layer with a spectral norm, which moves as parameters do, without a velocity."""
        return [layer.u for layer in self.layers if isinstance(layer, SpectralNorm)]

    @property
    def gradients(self) -> list[Tensor]:
        return list(itertools.chain.from_iterable(layer.gradients for layer in self.layers))
