"""Bidirectional adversarial nets: a generator, an encoder, a discriminator of pairs and their game, as settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gan.adversarial.settings import (
    DiscriminatorNetwork,
    GeneratorLayer,
    GeneratorNetwork,
    Noise,
    Objective,
    Recipe,
    require_one_limit,
)
from gan.settings import ParameterBlock, require


@dataclass(frozen=True)
class EncoderOutput(ParameterBlock):
    """Linear, with one unit for each dimension of the noise; biases begin at 0."""

    irange: float

    def __post_init__(self) -> None:
        require(0 < self.irange < math.inf, f"irange must be finite and above 0, not {self.irange}")


@dataclass(frozen=True)
class EncoderNetwork(ParameterBlock):
    """From an image to its code."""

    hidden: list[GeneratorLayer]
    output: EncoderOutput


@dataclass(frozen=True)
class BidirectionalNets(ParameterBlock):
    """All three players, the rules of their game, and what comes after it: an entry `model` of params.yaml."""

    kind: Literal["bidirectional_nets"]
    noise: Noise
    generator: GeneratorNetwork
    encoder: EncoderNetwork
    """the player's, and that of the encoder which learns after the game"""
    discriminator: DiscriminatorNetwork
    """of pairs: its first layer sees an image's pixels and a code's components"""
    recipe: Recipe
    """the encoder is trained as the generator is"""
    afterwards_epochs: int
    """in which a second encoder learns to tell z from G(z), as many minibatches each as an epoch of the game has"""
    afterwards_learning_rate: float
    """constant, of the squared error summed over a code's components"""
    afterwards_momentum: float

    def __post_init__(self) -> None:
        output = self.generator.output
        require(output is not None, "generator.output must be given: bidirectional nets have no pretraining")
        require((output is None or output.deconvolution is None)
                and all(layer.convolution is None for layer in self.discriminator.hidden),
                "bidirectional nets have dense layers only: leave out convolution and deconvolution")
        recipe = self.recipe
        require(recipe.updates == "simultaneous",
                f"recipe.updates must be simultaneous with bidirectional nets, not {recipe.updates}")
        require_one_limit(self.discriminator, recipe)
        require(recipe.objective is not Objective.RELATIVISTIC,
                "recipe.objective must be non_saturating or minimax with bidirectional nets, not relativistic")
        require(recipe.restarts is None, "recipe.restarts must be null: bidirectional nets are not started again")
        require(recipe.chosen_epoch == "last",
                "recipe.chosen_epoch must be last: the second encoder belongs to the game's last generator")
        require(self.afterwards_epochs >= 1, f"afterwards_epochs must be at least 1, not {self.afterwards_epochs}")
        require(0 < self.afterwards_learning_rate < math.inf,
                f"afterwards_learning_rate must be finite and above 0, not {self.afterwards_learning_rate}")
        require(0 <= self.afterwards_momentum < 1,
                f"afterwards_momentum must be from 0 to below 1, not {self.afterwards_momentum}")
