"""What the lessons on MNIST share: the digits, a judge of them, and a small GAN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.evaluation.features import Features
from gan.lessons.batched import Adam, Discriminator, Mlp, Noise, gradient

CLASSES = 10
BLUR = 0.3
"""Standard deviation of the noise on what D sees; pixels run from 0 to 1"""


class Judge:
    """Says what a sample shows, and how sure it is: the classifier in whose features samples are assessed."""

    def __init__(self, features: Features, accuracy: float) -> None:
        """ValueError where the features are those of data without labels."""
        if not features.classes:
            raise ValueError("the features are of data without labels: nothing says what a sample shows")
        self._features = features
        self.accuracy = accuracy
        """on test images"""

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities [n, 10] for images [n, 784]."""
        probabilities = self._features(images).probabilities
        assert probabilities is not None  # there are classes
        return probabilities


@dataclass(frozen=True, eq=False)
class Digits:
    """MNIST: images float32 [n, 784] in [0, 1], and a judge of them that was trained on real ones."""

    train: Tensor
    test: Tensor
    judge: Judge
    labels: Tensor | None = None
    """of the training images, int64 [n]"""

    def training_labels(self) -> Tensor:
        """ValueError where there is not one for each training image."""
        found = "none" if self.labels is None else f"{len(self.labels)}"
        if self.labels is None or len(self.labels) != len(self.train):
            raise ValueError(f"expected a label for each of {len(self.train)} training images, found {found}")
        return self.labels


class DigitsGame:
    """A small GAN on digits, one run for each seed: Algorithm 1 with k = 1, Adam, the non-saturating loss.

    D sees every image, real or not, under Gaussian noise (as Salimans et al. 2016 have it on MNIST), or it is soon too
    sure for G to learn.
    """

    def __init__(self, digits: Tensor, seeds: Sequence[int], discriminator: Discriminator, noise: int, units: int,
                 batch: int, discriminator_rate: float, generator_rate: float) -> None:
        self.images, self.batch, self.dimensions = digits, batch, noise
        self.discriminator = discriminator
        self.generator = Mlp((noise, units, units, digits.shape[1]), "relu")
        self.theta_d = discriminator.initial(seeds, "discriminator")
        self.theta_g = self.generator.initial(seeds, "generator")
        self._adam_d, self._adam_g = Adam(discriminator_rate), Adam(generator_rate)
        self._moments_d, self._moments_g = self._adam_d.start(self.theta_d), self._adam_g.start(self.theta_g)
        self._z, self._data, self._blur = Noise(seeds, "z"), Noise(seeds, "data"), Noise(seeds, "blur")

    def _judged(self, theta: Tensor, images: Tensor) -> Tensor:
        """D's logits of images under noise."""
        return self.discriminator(theta, images + BLUR * self._blur.normal(*images.shape[1:]))

    def generate(self, theta: Tensor, z: Tensor) -> Tensor:
        """[runs, n, 784] in [0, 1]"""
        return self.generator(theta, z).sigmoid()

    def play(self, scale: float = 1.0) -> None:
        """A step of D, then one of G against the new D, on the same samples."""
        x = self.images[self._data.integers(len(self.images), self.batch)]
        theta_g = self.theta_g.requires_grad_()
        samples = self.generate(theta_g, self._z.normal(self.batch, self.dimensions))
        theta_d = self.theta_d.requires_grad_()
        loss = softplus(-self._judged(theta_d, x)) + softplus(self._judged(theta_d, samples.detach()))
        slope = gradient(loss.mean(1).sum(), theta_d)
        with torch.no_grad():
            self.theta_d, self._moments_d = self._adam_d.step(theta_d.detach(), slope, self._moments_d, scale)
        slope = gradient(softplus(-self._judged(self.theta_d, samples)).mean(1).sum(), theta_g)
        with torch.no_grad():
            self.theta_g, self._moments_g = self._adam_g.step(theta_g.detach(), slope, self._moments_g, scale)

    @torch.no_grad()
    def samples(self, z: Tensor) -> Tensor:
        """[runs, n, 784] for z [runs, n, noise]"""
        return self.generate(self.theta_g.detach(), z)


def entropy(shares: Tensor) -> Tensor:
    """Of class histograms [..., 10], in nats; log 10 = 2.30 if all classes are alike frequent."""
    each: Tensor = torch.special.entr(shares)
    return each.sum(-1)


def mean_distance(images: Tensor) -> Tensor:
    """Mean L2 distance between two different images of each run, [runs] for images [runs, n, d]."""
    n = images.shape[1]
    return torch.cdist(images, images).sum((1, 2)) / (n * (n - 1))
