"""Adversarial nets small enough to train in milliseconds."""

from dataclasses import replace

import pytest
import torch

from gan.adversarial.settings import (
    AdversarialNets,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    LearningRate,
    MaxoutLayer,
    Momentum,
    Noise,
    Objective,
    Recipe,
)

DIMENSIONS = 6

SMALL = AdversarialNets(
    "adversarial_nets", Noise(4, "uniform"),
    GeneratorNetwork([GeneratorLayer(9, "relu", 0.5), GeneratorLayer(8, "relu", 0.5)],
                     GeneratorOutput("sigmoid", 0.5, "marginal_logit")),
    DiscriminatorNetwork([MaxoutLayer(7, 3, 0.5, 0.8), MaxoutLayer(5, 2, 0.5, 0.5)], DiscriminatorOutput(0.5, 0.5)),
    Recipe(epochs=5, batch_size=20, updates="simultaneous", discriminator_steps=1, objective=Objective.NON_SATURATING,
           learning_rate=LearningRate(0.1, 1.02, 0.075), momentum=Momentum(0.5, 0.7, 4), average_decay=0.9))
"""Every schedule changes within few updates: the learning rate reaches its minimum after 15, momentum in epoch 4."""


@pytest.fixture(scope="session")
def small_nets():
    """Makes the small nets, with some of their recipe changed."""
    return lambda **changes: replace(SMALL, recipe=replace(SMALL.recipe, **changes))


@pytest.fixture(scope="session")
def images():
    """[50, 6] in [0, 1]: with minibatches of 20 the last one of an epoch has 10."""
    return torch.rand(50, DIMENSIONS, generator=torch.Generator().manual_seed(0))
