"""A trained G as a decoder of standard normal codes, with the gradient to them: what a likelihood of it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gan.adversarial.layers import Network
from gan.adversarial.networks import load, whole_generator
from gan.adversarial.settings import AdversarialNets, Shape
from gan.linear_algebra import random_stream


class Decoder:
    """As `gan.evaluation.annealed_importance_sampling.Decoder`.

    Where the nets' noise is uniform(−√3, √3), z = √3·(2Φ(u) − 1) of a normal u has that distribution.
    """

    def __init__(self, nets: AdversarialNets, shape: Shape, weights: Mapping[str, Tensor],
                 device: torch.device | str = "cpu") -> None:
        """`weights` as `gan.weights.read_weights` gives them. ValueError if they are of other networks."""
        self.dimensions = nets.noise.dimensions
        self._is_uniform = nets.noise.distribution == "uniform"
        images = torch.zeros(1, math.prod(shape))  # initial weights may depend on images; they are replaced
        network = Network(whole_generator(nets, images, shape, random_stream(0, "replaced weights")), device)
        load(network.layers, [weights[str(i)].to(device) for i in range(len(weights))])
        self._network = network

    @torch.no_grad()
    def __call__(self, codes: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Images [n, d] of normal `codes` [n, dimensions], and what takes ∂L/∂images to ∂L/∂codes."""
        noise = math.sqrt(3) * torch.erf(codes / math.sqrt(2)) if self._is_uniform else codes

        @torch.no_grad()
        def pull_back(gradient: Tensor) -> Tensor:
            for layer in reversed(self._network.layers):
                gradient = layer.input_gradient(layer.delta(gradient))
            return gradient * (math.sqrt(6 / math.pi) * (-codes.square() / 2).exp()) if self._is_uniform else gradient

        return self._network.forward(noise), pull_back
