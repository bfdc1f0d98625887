"""Semi-supervised adversarial nets (Salimans et al. 2016) as settings.

A plain dataclass that checks its own ranges: `gan.adversarial.semi_supervised` makes networks of it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

from gan.adversarial.settings import DiscriminatorNetwork, GeneratorNetwork, Noise
from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class SemiSupervisedNets(ParameterBlock):
    """A generator and a discriminator that is a classifier, for each of several numbers of labelled images."""

    kind: Literal["semi_supervised_nets"]
    noise: Noise
    generator: GeneratorNetwork
    discriminator: DiscriminatorNetwork
    """its output has a logit for each class, instead of one"""
    batch_normalised: bool
    """the generator's hidden layers: sums have mean 0 and variance 1 over the samples of an update, then their bias
    (Ioffe and Szegedy 2015, with no scale of its own, as the source has it)"""
    input_noise: float
    """standard deviation of the normal noise that is added to what D sees; dropout, if any, follows"""
    hidden_noise: float
    """likewise, to the inputs of D's other layers, the last one's included"""
    weight_norm: float | None
    """L2 norm at which the weights into each piece of D's hidden units are held; null: they are free. The source's
    weight normalisation, whose scales stay as they begin, does so. Without it D's features grow, and G is left behind:
    their distance is all that it minimises"""
    classes: int
    labels: list[int]
    """so many training images have a label, in increasing order; each number is a pair of networks of its own"""
    epochs: int
    """passes over the training images, which are all seen without labels"""
    batch_size: int
    """of training images, of labelled ones and of samples, each"""
    learning_rate: float
    """of Adam, of both players"""
    beta1: float
    """of Adam; the source has 0.5"""
    average_decay: float
    """of the exponential moving average of both players' weights, per update"""

    def __post_init__(self) -> None:
        output = self.generator.output
        require(output is not None, "generator.output must be given: semi-supervised nets have no pretraining")
        require(output is None or output.deconvolution is None,
                "generator.output must have no deconvolution: semi-supervised nets are dense")
        require(all(layer.convolution is None for layer in self.discriminator.hidden),
                "discriminator.hidden must have no convolution: semi-supervised nets are dense")
        require(not self.discriminator.spectral_norm,
                "discriminator.spectral_norm must be false: the weights of semi-supervised nets have weight_norm")
        require(len(self.discriminator.hidden) >= 1,
                "discriminator.hidden must have a layer, whose activations the generator matches")
        for name in ("input_noise", "hidden_noise"):
            require(0 <= getattr(self, name) < math.inf,
                    f"{name} must be finite and not negative, not {getattr(self, name)}")
        require(self.weight_norm is None or 0 < self.weight_norm < math.inf,
                f"weight_norm must be finite and above 0, or null, not {self.weight_norm}")
        for name, least in (("classes", 2), ("epochs", 1), ("batch_size", 1)):
            require(getattr(self, name) >= least, f"{name} must be at least {least}, not {getattr(self, name)}")
        require(len(self.labels) >= 1, "labels must name at least one number of labelled images")
        require(self.labels[0] >= self.classes,
                f"labels must be at least as many as classes, which are {self.classes}, not {self.labels[0]}")
        require(all(less < more for less, more in itertools.pairwise(self.labels)),
                f"labels must increase, not be {', '.join(map(str, self.labels))}")
        require(0 < self.learning_rate < math.inf,
                f"learning_rate must be finite and above 0, not {self.learning_rate}")
        require(0 <= self.beta1 < 1, f"beta1 must be from 0 to below 1, not {self.beta1}")
        require(0 <= self.average_decay < 1, f"average_decay must be from 0 to below 1, not {self.average_decay}")
