"""The parts of a plug and play generative model, small, on digits: codes, a steering classifier, decoders, a denoiser
of codes, and the chain that is made of them.

Networks are of many runs at once, as in `gan.lessons.batched`; a code is h [runs, n, d].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from gan.lessons.batched import Adam, Mlp, Noise, falling, gradient
from gan.lessons.digits import BLUR, CLASSES

Advance = Callable[[int], None]
Field = Callable[[Tensor], Tensor]
"""[runs, n, d] → [runs, n, d]"""


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and what it has learnt."""

    network: Mlp
    theta: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self.network(self.theta, x)


@dataclass(frozen=True, eq=False)
class Codes:
    """The first d principal components of images, whitened: each of mean 0 and variance 1 over the training images."""

    mean: Tensor
    directions: Tensor
    """[784, d], each divided by its standard deviation"""

    @classmethod
    def fit(cls, images: Tensor, d: int) -> Codes:
        """ValueError unless the images [n, 784] vary in d directions."""
        variances, directions = torch.linalg.eigh(torch.cov(images.T.double()))
        kept = variances[-d:]
        if d > len(variances) or not kept[0] > 1e-9 * kept[-1]:
            raise ValueError(f"images that vary in at least {d} directions were expected; "
                             f"found {int((variances > 1e-9 * variances[-1]).sum())}")
        return cls(images.mean(0), (directions[:, -d:] / kept.sqrt()).float())

    def __call__(self, images: Tensor) -> Tensor:
        """[..., d] for images [..., 784]"""
        return (images - self.mean) @ self.directions


def train_classifier(images: Tensor, labels: Tensor, seeds: Sequence[int], units: int, batch: int, steps: int,
                     rate: float, advance: Advance) -> Trained:
    """A classifier with one hidden layer, for each seed; its output is the logits of ten classes."""
    network, data = Mlp((images.shape[1], units, CLASSES), "leaky_relu"), Noise(seeds, "classifier data")

    def loss(theta: Tensor) -> Tensor:
        rows = data.integers(len(images), batch)
        logits = network(theta, images[rows])
        return len(seeds) * cross_entropy(logits.flatten(0, 1), labels[rows].flatten())

    return Trained(network, _fitted(network, seeds, "classifier", loss, rate, steps, advance))


@dataclass(frozen=True, eq=False)
class Denoiser:
    """R(h) = h + f(h), which was trained to undo noise of deviation σ on codes.

    At its optimum R(h) − h = σ²·∇ log p(h), with p the density of the codes under that noise (Alain and Bengio 2014).
    """

    residual: Trained

    def __call__(self, h: Tensor) -> Tensor:
        return h + self.residual(h)


def train_denoiser(codes: Tensor, seeds: Sequence[int], units: int, corruption: float, batch: int, steps: int,
                   rate: float, advance: Advance) -> Denoiser:
    """Trained on ‖R(h + σN) − h‖², h from `codes` [n, d]."""
    d = codes.shape[1]
    network, data = Mlp((d, units, units, d), "relu"), Noise(seeds, "denoiser data")

    def loss(theta: Tensor) -> Tensor:
        h = codes[data.integers(len(codes), batch)]
        noisy = h + corruption * data.normal(batch, d)
        return (noisy + network(theta, noisy) - h).square().mean((1, 2)).sum()

    return Denoiser(Trained(network, _fitted(network, seeds, "denoiser", loss, rate, steps, advance)))


def _fitted(network: Mlp, seeds: Sequence[int], purpose: str, loss: Callable[[Tensor], Tensor], rate: float, steps: int,
            advance: Advance) -> Tensor:
    """Parameters after steps of Adam down a loss, summed over runs; step sizes fall to 0."""
    theta, adam = network.initial(seeds, purpose), Adam(rate, beta1=0.9)
    moments = adam.start(theta)
    for step in range(steps):
        slope = gradient(loss(theta.requires_grad_()), theta)
        with torch.no_grad():
            theta, moments = adam.step(theta.detach(), slope, moments, 1 - step / steps)
        advance(1)
    return theta


class Decoders:
    """Trains G: codes → images, the same networks, starts and data each time, with the losses that are asked for.

    ‖x − G(h)‖², the same of the classifier's hidden layer, each over its value at the mean, and −log D(G(h)): each near
    1 at the start, none weighted. D sees images under noise, as in `DigitsGame`.
    """

    def __init__(self, images: Tensor, codes: Tensor, classifier: Trained, seeds: Sequence[int], units: int, batch: int,
                 generator_rate: float, discriminator_rate: float) -> None:
        self._images, self._codes, self._classifier, self._seeds = images, codes, classifier, seeds
        self._batch, self._rates = batch, (generator_rate, discriminator_rate)
        pixels = images.shape[1]
        self._generator = Mlp((codes.shape[1], units, units, pixels), "relu")
        self._discriminator = Mlp((pixels, units, units, 1), "leaky_relu")
        self._spread = images.var(0).mean()
        with torch.no_grad():
            self._feature_spread = self._features(images[:1000].expand(len(seeds), -1, -1)).var(1).mean(1, keepdim=True)

    def train(self, adversary: bool, features: bool, steps: int, advance: Advance) -> Trained:
        """G, its output being logits of pixels."""
        seeds, (generator_rate, discriminator_rate) = self._seeds, self._rates
        theta_g, theta_d = self._generator.initial(seeds, "generator"), self._discriminator.initial(
            seeds, "discriminator")
        adam_g, adam_d = Adam(generator_rate), Adam(discriminator_rate)
        moments_g, moments_d = adam_g.start(theta_g), adam_d.start(theta_d)
        data, blur = Noise(seeds, "decoder data"), Noise(seeds, "decoder blur")
        for step in range(steps):
            scale = falling(step, steps)
            rows = data.integers(len(self._images), self._batch)
            images = self._images[rows]
            decoded = self._generator(theta_g.requires_grad_(), self._codes[rows]).sigmoid()
            loss = (decoded - images).square().mean(2) / self._spread
            if features:
                apart = self._features(decoded) - self._features(images)
                loss = loss + apart.square().mean(2) / self._feature_spread
            if adversary:
                theta_d.requires_grad_()
                pair = softplus(-self._judged(theta_d, images, blur)) + softplus(
                    self._judged(theta_d, decoded.detach(), blur))
                slope = gradient(pair.mean(1).sum(), theta_d)
                with torch.no_grad():
                    theta_d, moments_d = adam_d.step(theta_d.detach(), slope, moments_d, scale)
                loss = loss + softplus(-self._judged(theta_d, decoded, blur)).squeeze(2)
            slope = gradient(loss.mean(1).sum(), theta_g)
            with torch.no_grad():
                theta_g, moments_g = adam_g.step(theta_g.detach(), slope, moments_g, scale)
            advance(1)
        return Trained(self._generator, theta_g)

    def _features(self, images: Tensor) -> Tensor:
        return self._classifier.network.hidden(self._classifier.theta, images)

    def _judged(self, theta: Tensor, images: Tensor, blur: Noise) -> Tensor:
        return self._discriminator(theta, images + BLUR * blur.normal(*images.shape[1:]))


@dataclass(frozen=True)
class Rates:
    """ε₁, ε₂ and ε₃ of a chain."""

    prior: float
    condition: float
    noise: float

    @classmethod
    def langevin(cls, prior: float, corruption: float, weight: float = 1.0) -> Rates:
        """Those at which a chain of small steps has the density p(h)·p(y | h)^weight, for a denoiser of σ = corruption.

        Langevin: h + η/2·∇ log p + √η·N, and R(h) − h = σ²·∇ log p(h), so that η = 2·ε₁·σ².
        """
        eta = 2 * prior * corruption ** 2
        return cls(prior, weight * eta / 2, eta ** 0.5)


def chain(h: Tensor, rates: Rates, denoise: Field, slope: Field, noise: Noise, steps: int, advance: Advance) -> Tensor:
    """h after `steps` of h ← h + ε₁·(R(h) − h) + ε₂·∇ log p(y | h) + N(0, ε₃²) (Nguyen et al. 2016, equation 11)."""
    for _ in range(steps):
        moved = h
        if rates.prior:
            with torch.no_grad():
                moved = moved + rates.prior * (denoise(h) - h)
        if rates.condition:
            moved = moved + rates.condition * slope(h)
        if rates.noise:
            moved = moved + rates.noise * noise.normal(*h.shape[1:])
        h = moved
        advance(1)
    return h


def class_slope(decoder: Trained, classifier: Trained, asked: Tensor) -> Field:
    """∇ log p(y | G(h)) by h, for the class int64 [n] that is asked of each of n chains."""
    def slope(h: Tensor) -> Tensor:
        at = h.detach().requires_grad_()
        log_p = classifier(decoder(at).sigmoid()).log_softmax(2)
        return gradient(log_p.gather(2, asked.expand(len(h), -1).unsqueeze(2)).sum(), at)

    return slope
