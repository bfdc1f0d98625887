"""The features in which samples are compared with real images: of a small convolutional network.

Where the data have labels, it is a classifier that is trained on them, and its features are the activations below the
last layer; it also says which class a sample shows. Nothing is downloaded, and no Inception network is needed, which
has seen neither digits nor grey faces.

Where they have none, it is the same network with random weights, only its normalisation being fitted to the training
images. Naeem et al. 2020 (arXiv 2002.09797, section 5) find that random features rank models sensibly where pretrained
ones do not fit the data. Unlike principal components of the pixels, for which a blurred image is nearly the image, they
see edges.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from gan.evaluation.assessment_settings import FeatureSettings
from gan.linear_algebra import random_stream
from gan.optimisers import NesterovMomentum

_BLOCK = 500  # images
_WARM_UP = 0.2  # of all steps
_SMOOTHING = 0.05  # of labels
_DECAY = 5e-4


class Network(nn.Module):
    """Convolutions 3 × 3, each normalised, rectified and pooled; a layer of features; classes."""

    def __init__(self, settings: FeatureSettings, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        inputs, height, width = shape
        layers: list[nn.Module] = []
        for channels in settings.channels:
            layers += [nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
                       nn.MaxPool2d(2, ceil_mode=True)]
            inputs, height, width = channels, -(-height // 2), -(-width // 2)
        self.trunk = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(inputs * height * width, settings.units, bias=False),
            nn.BatchNorm1d(settings.units), nn.ReLU())
        self.head = nn.Linear(settings.units, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(images))
        return logits


@dataclass(frozen=True)
class Seen:
    """What the network makes of n images."""

    features: Tensor
    """float32 [n, units]"""
    probabilities: Tensor | None
    """of the classes [n, c]; None where the data have no labels"""


class Features:
    """A network that is done, on a device."""

    def __init__(self, settings: FeatureSettings, shape: tuple[int, int, int], classes: int,
                 weights: Mapping[str, Tensor], device: torch.device | str = "cpu") -> None:
        """`classes` is 0 where the data have no labels. Raises RuntimeError for weights of another network."""
        self.shape, self.classes = shape, classes
        self._device = torch.device(device)
        self._network = Network(settings, shape, max(1, classes))
        self._network.load_state_dict(dict(weights))
        self._network.to(self._device).eval()

    @torch.no_grad()
    def __call__(self, images: Tensor, advance: Callable[[int], None] = lambda images: None) -> Seen:
        """Of images [n, C·H·W] in the data's scale, on the network's device."""
        features, logits = [], []
        for block in images.split(_BLOCK):
            seen = self._network.trunk(block.to(self._device).view(-1, *self.shape))
            features.append(seen)
            logits.append(self._network.head(seen))
            advance(len(block))
        return Seen(torch.cat(features), torch.cat(logits).softmax(1) if self.classes else None)


def train(settings: FeatureSettings, shape: tuple[int, int, int], images: Tensor, labels: Tensor | None, seed: int,
          device: torch.device | str = "cpu", advance: Callable[[int], None] = lambda images: None
          ) -> dict[str, Tensor]:
    """The weights of a network for `images` [n, C·H·W] in the data's scale: a classifier's where there are `labels`,
    int64 [n] from 0, else random ones. On the CPU, by their names.

    Minimises the cross-entropy with smoothed labels by SGD with Nesterov's momentum, over one cycle of the learning
    rate. `advance` is called with the number of images seen since the last call, of n times `epochs`.
    """
    classes = 1 if labels is None else int(labels.max()) + 1
    device = torch.device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=random_stream(seed, "features"))))
        network = Network(settings, shape, classes)
    network.to(device).train()
    images = images.view(-1, *shape)
    if labels is None:
        _normalise(network, images, settings, seed, device)
        advance(len(images) * settings.epochs)
    else:
        _fit(network, images, labels, settings, seed, device, advance)
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _normalise(network: Network, images: Tensor, settings: FeatureSettings, seed: int, device: torch.device) -> None:
    """Fit the normalisation alone: means and variances over all training images, with equal weight."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # an average over all that was seen
    order = torch.randperm(len(images), generator=random_stream(seed, "order of the images for features"))
    with torch.no_grad():
        for rows in order.split(max(2, settings.batch_size)):
            if len(rows) > 1:
                network.trunk(images[rows].to(device))


def _fit(network: Network, images: Tensor, labels: Tensor, settings: FeatureSettings, seed: int, device: torch.device,
         advance: Callable[[int], None]) -> None:
    stream = random_stream(seed, "order of the images for features")
    steps = settings.epochs * max(1, len(images) // settings.batch_size)
    optimiser = NesterovMomentum(network.parameters(), 0.9, _DECAY)
    step = 0
    with torch.enable_grad():
        for _ in range(settings.epochs):
            order = torch.randperm(len(images), generator=stream)
            for rows in order.split(settings.batch_size):
                advance(len(rows))
                if len(rows) < min(settings.batch_size, len(images)):
                    continue  # a last, smaller one would be normalised by too few
                batch = _varied(images[rows].to(device), settings, stream)
                loss = cross_entropy(network(batch), labels[rows].to(device), label_smoothing=_SMOOTHING)
                optimiser.descend(loss, settings.learning_rate * one_cycle(step / steps))
                step += 1


def one_cycle(done: float) -> float:
    """The share of the highest learning rate when this share of all steps is done: up in a line, down by a cosine."""
    if done < _WARM_UP:
        return (done + 0.01) / (_WARM_UP + 0.01)
    return (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2


def _varied(images: Tensor, settings: FeatureSettings, stream: torch.Generator) -> Tensor:
    """A minibatch [n, C, H, W] shifted by one random vector, half of its images mirrored, as the settings have it."""
    if settings.mirrored:
        mirrored = torch.rand(len(images), 1, 1, 1, generator=stream).to(images.device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    if settings.shift:
        down, right = (int(each) for each in torch.randint(2 * settings.shift + 1, (2,), generator=stream))
        height, width = images.shape[2:]
        images = pad(images, [settings.shift] * 4)[:, :, down:down + height, right:right + width]
    return images


def digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by their names: says in which features a result was measured."""
    whole = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        whole.update(name.encode())
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()
