"""Classifiers of images, attacks on them, and training under attack: several seeds as one computation.

Images are [S, n, d] in [0, 1], labels int64 [S, n], one block for each of S networks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gan.adversarial.layers import Dense, Layer, Network, uniform
from gan.lessons.batched import Noise, falling
from gan.linear_algebra import random_stream

REACH = 2.5
"""How far all steps of an attack go together, in ε: enough to come from one end of the box to the other"""
MOMENTUM = 0.9
RISE = 0.3
"""The part of training in which ε grows to its value; with all of it at once, networks this small end less robust"""


def classifier(sizes: Sequence[int], seeds: Sequence[int]) -> Network:
    """Multilayer perceptrons sizes[0] → … → sizes[-1], ReLU inside, logits outside, one for each of `seeds`."""
    streams = [random_stream(seed, "weights") for seed in seeds]
    layers: list[Layer] = []
    for inputs, outputs in itertools.pairwise(sizes):
        weights = [uniform((inputs, outputs), (6 / (inputs + outputs)) ** 0.5, stream) for stream in streams]
        layers.append(Dense(torch.stack(weights), torch.zeros(len(seeds), outputs),
                            "relu" if len(layers) < len(sizes) - 2 else "linear"))
    return Network(layers, in_step=len(seeds))


def losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each image [S, n], in nats."""
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def logit_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """Of the sum of `losses`, by the logits [S, n, classes]."""
    return logits.softmax(-1).scatter_add_(-1, labels.unsqueeze(-1), logits.new_full((*labels.shape, 1), -1.0))


def image_gradient(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Of each image's loss by its pixels, [S, n, d]."""
    return network.input_gradient(logit_gradient(network.forward(images), labels))


def fast_gradient_sign(network: Network, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Within ε of each pixel and [0, 1], where the loss would be largest if it were linear (Goodfellow et al. 2015)."""
    slope = image_gradient(network, images, labels)
    return images.add(slope.sign_(), alpha=epsilon).clamp_(0, 1)


def projected_gradient(network: Network, images: Tensor, labels: Tensor, epsilon: float, steps: int,
                       start: Tensor | None = None) -> Tensor:
    """Steps of signs up the loss, each brought back to within ε and [0, 1] (Madry et al. 2018).

    `start` [S, n, d] in [−1, 1] says where in the box to begin; without it, at the images themselves.
    """
    found = images if start is None else images.add(start, alpha=epsilon).clamp_(0, 1)
    lowest, highest = (images - epsilon).clamp_(0, 1), (images + epsilon).clamp_(0, 1)
    for _ in range(steps):
        slope = image_gradient(network, found, labels)
        found = torch.clamp(found.add(slope.sign_(), alpha=REACH * epsilon / steps), lowest, highest)
    return found


def random_signs(images: Tensor, epsilon: float, noise: Noise) -> Tensor:
    """Every pixel moved by ε up or down, by chance."""
    return images.add(noise.uniform(*images.shape[1:]).sign_(), alpha=epsilon).clamp_(0, 1)


def attacked(network: Network, images: Tensor, labels: Tensor, epsilon: float, steps: int) -> Tensor:
    """The attack that training is done under: the fast gradient sign for one step, projected gradient for more."""
    if steps == 1:
        return fast_gradient_sign(network, images, labels, epsilon)
    return projected_gradient(network, images, labels, epsilon, steps)


def train(images: Tensor, labels: Tensor, units: int, classes: int, seeds: Sequence[int], *, batch: int, steps: int,
          learning_rate: float, epsilon: float, inner: int, advance: Callable[[int], None]) -> Network:
    """A network for each of `seeds`, of two hidden layers, trained on images [n, d] with labels [n].

    Where `inner` is 0, on images as they are; otherwise the loss is the mean of those of the images and of the images
    attacked by `inner` steps (Goodfellow et al. 2015, α = ½). Seeds have the same start and see the same images in all
    cases. The learning rate falls to 0 in the last half.
    """
    network = classifier((images.shape[1], units, units, classes), seeds)
    velocities = [torch.zeros_like(parameter) for parameter in network.parameters]
    order = Noise(seeds, "order")
    for step in range(steps):
        rows = order.integers(len(images), batch)
        x, y = images[rows], labels[rows]
        if inner:
            reach = epsilon * min(1.0, (step + 1) / (RISE * steps))
            x, y = torch.cat((x, attacked(network, x, y, reach, inner)), 1), torch.cat((y, y), 1)
        network.backward(logit_gradient(network.forward(x), y).div_(y.shape[1]))
        rate = learning_rate * falling(step, steps)
        for parameter, gradient, velocity in zip(network.parameters, network.gradients, velocities, strict=True):
            parameter.add_(velocity.mul_(MOMENTUM).sub_(gradient, alpha=rate))
        advance(1)
    return network
