"""What the lessons on colour pictures share: the pictures, the network in whose features they are seen, and a
convolutional game.

The networks are DCGAN's (Radford, Metz, Chintala 2015, arXiv 1511.06434), narrow: strided convolutions of 4 × 4,
weights from N(0, .02²), batch normalisation in G, leaky rectifiers in D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from gan.evaluation.features import Features
from gan.lessons.minibatch_features import closeness
from gan.linear_algebra import random_stream
from gan.optimisers import Adam

BLOCK = 250
"""samples that are drawn at once"""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Colour pictures in the data's scale, rows [n, 3·side·side], and the network that says what they show."""

    train: Tensor
    test: Tensor
    side: int
    features: Features
    accuracy: float
    """of its classes, on test images"""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """where its features are computed, and games on it are played; pictures themselves are on the processor"""
    contrast_norm: float | None = None
    """see `Dataset`"""

    def visible(self, pictures: Tensor) -> Tensor:
        """Pictures [n, d] in the data's scale as brightness from 0 to 1: grey ± 2.5 deviations where each has mean 0
        and an L2 norm."""
        if self.contrast_norm is not None:
            pictures = pictures * (math.sqrt(pictures.shape[1]) / self.contrast_norm / 5) + 0.5
        return pictures.clamp(0, 1)


def levels(side: int) -> int:
    """How often a square of 4 × 4 is doubled to this side; ValueError if it is not."""
    doublings = round(math.log2(side / 4)) if side >= 4 else 0
    if doublings < 1 or 4 * 2**doublings != side:
        raise ValueError(f"pictures must be 8, 16, 32, … pixels wide, not {side}")
    return doublings


def require_playable(shape: tuple[int, int, int]) -> None:
    """ValueError unless games on pictures [C, H, W] of this shape can be played."""
    channels, height, width = shape
    if channels != 3 or height != width:
        raise ValueError(f"pictures must be square and have three channels, not {channels}×{height}×{width}")
    levels(width)


class Generator(nn.Module):
    """z [n, noise] → pictures [n, 3, side, side], linear at the output."""

    def __init__(self, noise: int, channels: int, side: int) -> None:
        super().__init__()
        doublings = levels(side)
        widths = [channels * 2**i for i in reversed(range(doublings))]
        self.foot = nn.Linear(noise, widths[0] * 16, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inputs, outputs in zip(widths, [*widths[1:], 3], strict=True):
            last = outputs == 3
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=last))
            layers += [] if last else [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.layers(self.foot(z).unflatten(1, (-1, 4, 4)))
        return x


class Discriminator(nn.Module):
    """Pictures [n, 3, side, side] → logits [n]; with `features` > 0 it also sees how near each picture's are to those
    of its minibatch (Salimans et al. 2016, section 3.2), in so many ways of `width` numbers."""

    def __init__(self, channels: int, side: int, features: int, width: int) -> None:
        super().__init__()
        doublings, inputs = levels(side), 3
        self.convolutions = nn.ModuleList()
        for i in range(doublings):
            self.convolutions.append(nn.Conv2d(inputs, channels * 2**i, 4, 2, 1))
            inputs = channels * 2**i
        self.features = features
        self.projection = nn.Linear(inputs * 16, features * width, bias=False) if features else None
        self.head = nn.Linear(inputs * 16 + features, 1)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = leaky_relu(convolution(x), 0.2)
        x = x.flatten(1)
        if self.projection is not None:
            x = torch.cat((x, closeness(self.projection(x).unsqueeze(0), self.features)[0]), 1)
        logits: Tensor = self.head(x)
        return logits[:, 0]


class PictureGame:
    """Algorithm 1 with k = 1 and the non-saturating loss, both players by Adam (β₁ = .5)."""

    def __init__(self, pictures: Tensor, side: int, seed: int, noise: int, channels: int, batch: int,
                 discriminator_rate: float, generator_rate: float, features: int, width: int,
                 device: torch.device | str = "cpu") -> None:
        """`pictures` [n, 3·side·side]; `features` and `width` as in `Discriminator`. Random numbers are the same on
        each device."""
        self.pictures, self.side, self.noise, self.batch = pictures, side, noise, batch
        self._device = torch.device(device)
        self.generator, self.discriminator = Generator(noise, channels, side), Discriminator(
            channels, side, features, width)
        for name, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            initialise(network, random_stream(seed, f"{name} weights"))
            network.to(self._device)
        self._data, self._z = random_stream(seed, "data"), random_stream(seed, "z")
        self._adam_d, self._adam_g = (Adam(network.parameters(), betas=(0.5, 0.999))
                                      for network in (self.discriminator, self.generator))
        self._rate_d, self._rate_g = discriminator_rate, generator_rate

    def play(self) -> None:
        """A step of D, then one of G against the new D, on the same samples. D never sees real and drawn pictures in
        one minibatch, whose features would tell."""
        rows = torch.randint(len(self.pictures), (self.batch,), generator=self._data)
        real = self.pictures[rows].to(self._device).view(-1, 3, self.side, self.side)
        with torch.enable_grad():
            samples = self.generator(torch.randn(self.batch, self.noise, generator=self._z).to(self._device))
            loss = softplus(-self.discriminator(real)).mean() + softplus(self.discriminator(samples.detach())).mean()
            self._adam_d.descend(loss, self._rate_d)
            self._adam_g.descend(softplus(-self.discriminator(samples)).mean(), self._rate_g)

    @torch.no_grad()
    def samples(self, n: int, stream: torch.Generator) -> Tensor:
        """[n, 3·side·side] on the processor, normalised by what training has seen."""
        self.generator.eval()
        try:
            return torch.cat([self.generator(z.to(self._device)).flatten(1).cpu()
                              for z in torch.randn(n, self.noise, generator=stream).split(BLOCK)])
        finally:
            self.generator.train()


@torch.no_grad()
def initialise(network: nn.Module, stream: torch.Generator) -> None:
    """Weights N(0, .02²), of normalisations N(1, .02²); all biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d):
            module.weight.normal_(1.0 if isinstance(module, nn.BatchNorm2d) else 0.0, 0.02, generator=stream)
            if module.bias is not None:
                module.bias.zero_()


def classifier_score(probabilities: Tensor) -> float:
    """exp of the mean of KL(p(y | x) ‖ p(y)) (Salimans et al. 2016, section 4), from probabilities [n, c].

    From 1, where all pictures look alike to the classifier, to c. With Inception's classes it is the inception score.
    """
    p = probabilities.double()
    of_all, of_each = torch.special.entr(p.mean(0)).sum(), torch.special.entr(p).sum(1).mean()
    return float((of_all - of_each).exp())
