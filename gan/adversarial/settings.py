"""Adversarial nets: the networks of Goodfellow et al. 2014 and the rules of their game, as settings.

Plain dataclasses that check their own ranges: `gan.adversarial.networks` makes networks of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from gan.adversarial.collapse import EPOCHS_IN_A_ROW
from gan.settings import ParameterBlock, require

Shape = tuple[int, int, int]
"""(C, H, W) of an image"""


@dataclass(frozen=True)
class Noise(ParameterBlock):
    """z: `dimensions` independent components of mean 0 and variance 1."""

    dimensions: int
    distribution: Literal["uniform", "normal"]
    """uniform(−√3, √3) or N(0, 1)"""

    def __post_init__(self) -> None:
        require(self.dimensions >= 1, f"dimensions must be at least 1, not {self.dimensions}")


def _require_irange(irange: float) -> None:
    require(0 < irange < math.inf, f"irange must be finite and above 0, not {irange}")


@dataclass(frozen=True)
class GeneratorLayer(ParameterBlock):
    units: int
    activation: Literal["relu", "sigmoid", "linear"]
    irange: float
    bias: float = 0.0
    """of every unit, initially"""

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        _require_irange(self.irange)
        require(math.isfinite(self.bias), f"bias must be finite, not {self.bias}")


@dataclass(frozen=True)
class Deconvolution(ParameterBlock):
    """Units of the last hidden layer seen as `channels` maps of `size` × `size`, and the kernel that enlarges them."""

    channels: int
    size: int
    kernel: int
    stride: int

    def __post_init__(self) -> None:
        for name in ("channels", "size", "kernel", "stride"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class GeneratorOutput(ParameterBlock):
    """The generator's last layer; it has as many units as the data has dimensions."""

    activation: Literal["relu", "sigmoid", "linear"]
    irange: float | None
    """None where `nonzero` says how weights begin"""
    bias: Literal["zero", "marginal_logit"]
    """`marginal_logit`: the logit of the training images' mean, clipped to [1e-7, 1 − 1e-7], so that an untrained
    generator starts at the data's mean image"""
    nonzero: int | None = None
    """so many weights into each unit begin as N(0, 1), the others as 0"""
    deconvolution: Deconvolution | None = None
    """a transposed convolution instead of a dense layer"""

    def __post_init__(self) -> None:
        require((self.irange is None) != (self.nonzero is None), "either irange or nonzero must be given, and not both")
        if self.irange is not None:
            _require_irange(self.irange)
        else:
            require(self.deconvolution is None, "nonzero is for dense outputs: give irange with deconvolution")
            require((self.nonzero or 0) >= 1, f"nonzero must be at least 1, not {self.nonzero}")


@dataclass(frozen=True)
class GeneratorNetwork(ParameterBlock):
    hidden: list[GeneratorLayer]
    output: GeneratorOutput | None
    """None if a pretrained generator follows, which sees the last hidden layer as its noise"""


@dataclass(frozen=True)
class Convolution(ParameterBlock):
    """What makes a maxout layer a convolutional one: its units are channels, and max pooling over space follows.

    Kernels and windows are square, in pixels; windows start every `pool_stride` and round up at the edge.
    """

    kernel: int
    padding: int
    pool: int
    pool_stride: int

    def __post_init__(self) -> None:
        for name in ("kernel", "pool", "pool_stride"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")
        require(self.padding >= 0, f"padding must not be negative: {self.padding}")
        require(self.pool_stride <= self.pool, f"pool_stride must be at most pool, which is {self.pool}, or pixels are "
                                               f"left out; it is {self.pool_stride}")


@dataclass(frozen=True)
class MaxoutLayer(ParameterBlock):
    units: int
    pieces: int
    irange: float
    keep: float
    """probability that dropout keeps an input of this layer"""
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        require(self.units >= 1, f"units must be at least 1, not {self.units}")
        require(self.pieces >= 1, f"pieces must be at least 1, not {self.pieces}")
        _require_irange(self.irange)
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class DiscriminatorOutput(ParameterBlock):
    """One sigmoid unit; its logit is what the game needs."""

    irange: float
    keep: float

    def __post_init__(self) -> None:
        _require_irange(self.irange)
        require(0 < self.keep <= 1, f"keep must be above 0 and at most 1, not {self.keep}")


@dataclass(frozen=True)
class DiscriminatorNetwork(ParameterBlock):
    hidden: list[MaxoutLayer]
    """convolutional layers, if any, come first"""
    output: DiscriminatorOutput
    spectral_norm: bool = False
    """every layer's weights divided by their largest singular value (Miyato et al. 2018), so that D is at most as steep
    as dropout's scales make it"""

    def __post_init__(self) -> None:
        convolutional = [layer.convolution is not None for layer in self.hidden]
        require(convolutional == sorted(convolutional, reverse=True),
                "convolutional layers must come before dense ones")
        require(not (self.spectral_norm and any(convolutional)), "spectral_norm is for dense layers")


class Objective(StrEnum):
    """What the generator minimises; the discriminator's loss is the same under the first two."""

    NON_SATURATING = "non_saturating"
    """−log D(G(z)): the released code, and section 3's advice"""
    MINIMAX = "minimax"
    """log(1 − D(G(z))): equation 1 as it stands"""
    RELATIVISTIC = "relativistic"
    """D tells which of a pair, a training image and a sample, is the real one, and G minimises the opposite
    (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN)"""


@dataclass(frozen=True)
class LearningRate(ParameterBlock):
    """max(minimum, initial / decay^t) after t updates."""

    initial: float
    decay: float
    minimum: float

    def __post_init__(self) -> None:
        require(0 < self.initial < math.inf, f"initial must be finite and above 0, not {self.initial}")
        require(1 <= self.decay < math.inf, f"decay must be finite and at least 1, not {self.decay}")
        require(0 <= self.minimum <= self.initial, f"minimum must be from 0 to initial, not {self.minimum}")

    def after(self, updates: int) -> float:
        if updates * math.log(self.decay) > 700:  # e⁷⁰⁰ is about the largest float
            return self.minimum
        return max(self.minimum, self.initial / self.decay**updates)


@dataclass(frozen=True)
class Momentum(ParameterBlock):
    """Rises linearly from `initial` in epoch 1 to `final` in epoch `saturates` and stays there."""

    initial: float
    final: float
    saturates: int

    def __post_init__(self) -> None:
        require(0 <= self.initial < 1, f"initial must be from 0 to below 1, not {self.initial}")
        require(0 <= self.final < 1, f"final must be from 0 to below 1, not {self.final}")
        require(self.saturates >= 2, f"saturates must be at least 2, not {self.saturates}")

    def during(self, epoch: int) -> float:
        """`epoch` counts from 1."""
        return self.initial + (self.final - self.initial) * min(1.0, (epoch - 1) / (self.saturates - 1))


@dataclass(frozen=True)
class GradientPenalty(ParameterBlock):
    """weight/2 · E‖∂o/∂x‖² beside D's loss, o its logit with the minibatch's dropout masks; x are the pixels, and of
    pairs (`gan.adversarial.bidirectional`) the code, too."""

    weight: float
    on: Literal["data", "data_and_samples"]
    """`data`: R1 (Mescheder et al. 2018); `data_and_samples`: R1 and R2, each with the weight"""

    def __post_init__(self) -> None:
        require(0 < self.weight < math.inf, f"weight must be finite and above 0, or null penalty, not {self.weight}")


@dataclass(frozen=True)
class Restarts(ParameterBlock):
    """A start that has collapsed (`gan.adversarial.collapse`) is given up, and the next one of its seed is taken."""

    after: int
    """epochs after which a start is judged, once"""
    starts: int
    """of one seed at most; the last one is trained to the end whatever becomes of it"""

    def __post_init__(self) -> None:
        require(self.after >= EPOCHS_IN_A_ROW,
                f"after must be at least {EPOCHS_IN_A_ROW} epochs, by which collapse is told, not {self.after}")
        require(self.starts >= 2, f"starts must be at least 2, or nothing is ever given up, not {self.starts}")


@dataclass(frozen=True)
class Recipe(ParameterBlock):
    """How the game is played."""

    epochs: int
    batch_size: int
    updates: Literal["simultaneous", "alternating"]
    """`simultaneous`: both players step from the old parameters, on the same samples and dropout masks (the released
    code). `alternating`: `discriminator_steps` steps of D, then one of G, each with fresh noise (Algorithm 1)"""
    discriminator_steps: int
    objective: Objective
    learning_rate: LearningRate
    momentum: Momentum
    average_decay: float
    """of the exponential moving average of G's weights, per update"""
    chosen_epoch: Literal["best_on_validation", "last"] = "best_on_validation"
    """`last` where the paper says how long it trained"""
    maximum_norm: float | None = None
    """of the weights into each unit, or piece of a maxout unit, of both players: projected before the first
    update and after every one"""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """of matrix products: `tf32` rounds their factors on a GPU to 10 bits behind the point, `bfloat16` on a processor
    that multiplies it to 7; sums, weights and all else are float32"""
    restarts: Restarts | None = None
    """None in the released recipe: a start that collapses is trained to the end"""
    generator_rate: float = 1.0
    """of G's steps, in units of the learning rate: another than 1 gives the players two rates (Heusel et al. 2017)"""
    penalty: GradientPenalty | None = None

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs must be at least 1, not {self.epochs}")
        require(self.batch_size >= 1, f"batch_size must be at least 1, not {self.batch_size}")
        require(self.discriminator_steps >= 1,
                f"discriminator_steps must be at least 1, not {self.discriminator_steps}")
        require(self.updates == "alternating" or self.discriminator_steps == 1,
                f"discriminator_steps must be 1 with simultaneous updates, not {self.discriminator_steps}")
        require(0 < self.generator_rate < math.inf,
                f"generator_rate must be finite and above 0, not {self.generator_rate}")
        require(0 <= self.average_decay < 1, f"average_decay must be from 0 to below 1, not {self.average_decay}")
        require(self.maximum_norm is None or 0 < self.maximum_norm < math.inf,
                f"maximum_norm must be finite and above 0, or null, not {self.maximum_norm}")
        require(self.restarts is None or self.restarts.after < self.epochs,
                f"restarts.after must be below epochs, which is {self.epochs}, or null restarts")


def require_one_limit(discriminator: DiscriminatorNetwork, recipe: Recipe) -> None:
    require(recipe.maximum_norm is None or not discriminator.spectral_norm,
            "give maximum_norm or spectral_norm, not both: either limits the weights of D")


@dataclass(frozen=True)
class OnClass(ParameterBlock):
    """p(x | class): both players see the class of the training image (section 7; Mirza and Osindero 2014)."""

    given: Literal["class"]
    classes: int

    def __post_init__(self) -> None:
        require(self.classes >= 1, f"classes must be at least 1, not {self.classes}")

    def inputs(self, pixels: int) -> tuple[int, int]:
        """How many G and D have beside theirs."""
        return self.classes, self.classes


@dataclass(frozen=True)
class OnVisiblePixels(ParameterBlock):
    """p(x_S | x_¬S) for many S: both players see which pixels are given, and G makes the others (section 7).

    For each training image of a minibatch pixels are given anew: none, or those above, below, left or right of a line,
    which lies anywhere in the image.
    """

    given: Literal["visible_pixels"]
    nothing: float
    """share of minibatches' images of which nothing is given, so that the model also draws whole images"""

    def __post_init__(self) -> None:
        require(0 < self.nothing <= 1, f"nothing must be above 0 and at most 1, not {self.nothing}: the model's "
                                       "samples are those of which nothing is given")

    def inputs(self, pixels: int) -> tuple[int, int]:
        """Of G the given pixels and which they are; of D, whose images have them, which they are."""
        return 2 * pixels, pixels


Condition = OnClass | OnVisiblePixels


@dataclass(frozen=True)
class Pretraining(ParameterBlock):
    """The game that comes first, with the same noise."""

    generator: GeneratorNetwork
    discriminator: DiscriminatorNetwork
    recipe: Recipe

    def __post_init__(self) -> None:
        require(self.generator.output is not None, "the generator of pretraining must have an output")
        require_one_limit(self.discriminator, self.recipe)


@dataclass(frozen=True)
class AdversarialNets(ParameterBlock):
    """Both players and the rules of their game: an entry `model` of params.yaml."""

    kind: Literal["adversarial_nets"]
    noise: Noise
    generator: GeneratorNetwork
    discriminator: DiscriminatorNetwork
    recipe: Recipe
    pretraining: Pretraining | None = None
    condition: Condition | None = None
    """what both players are told beside; None in the paper's experiments"""

    def __post_init__(self) -> None:
        require(self.condition is None or (self.pretraining is None and not self.has_convolutions),
                "condition is for dense nets without pretraining")
        require_one_limit(self.discriminator, self.recipe)
        require((self.generator.output is None) == (self.pretraining is not None),
                "generator.output must be null with pretraining, whose generator follows, and only then")
        if self.pretraining is not None:
            units = self.generator.hidden[-1].units if self.generator.hidden else self.noise.dimensions
            require(units == self.noise.dimensions,
                    f"the generator's last hidden layer takes the place of the pretrained one's noise, which has "
                    f"{self.noise.dimensions} dimensions, and must have as many units, not {units}")
            require(self.recipe.restarts is None and self.pretraining.recipe.restarts is None,
                    "restarts are for nets without pretraining: a start is judged by its first epochs")

    @property
    def needs_labels(self) -> bool:
        return isinstance(self.condition, OnClass)

    def told(self, pixels: int) -> tuple[int, int]:
        """How many inputs G and D have beside noise and pixels."""
        return (0, 0) if self.condition is None else self.condition.inputs(pixels)

    @property
    def has_convolutions(self) -> bool:
        output = self.generator.output
        return (output is not None and output.deconvolution is not None) or any(
            layer.convolution is not None for layer in self.discriminator.hidden)

    def games(self) -> list[AdversarialNets]:
        """What is trained one after another: pretraining, if any, as a game without pretraining, then this one."""
        first = self.pretraining
        return [self] if first is None else [
            replace(self, generator=first.generator, discriminator=first.discriminator, recipe=first.recipe,
                    pretraining=None), self]


def family(nets: Mapping[str, Any]) -> str:
    """The word for what nets are, from their block: those that are told something are another model than the paper's,
    and so are those whose players are kept in step by what the paper does not have."""
    if condition := nets.get("condition"):
        return "conditional_nets" if condition["given"] == "class" else "completion_nets"
    games = [nets, *([nets["pretraining"]] if nets.get("pretraining") else [])]
    beyond = any(game["discriminator"].get("spectral_norm") or game["recipe"].get("penalty")
                 or game["recipe"].get("generator_rate", 1) != 1
                 or game["recipe"]["objective"] == Objective.RELATIVISTIC for game in games)
    return "stabilised_nets" if beyond else str(nets["kind"])
