"""Tests that need a GPU, and what each of them is skipped for elsewhere."""

from pathlib import Path

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


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent == Path(__file__).parent:  # the hook is shown those of other folders as well
            item.add_marker(pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU"))


@pytest.fixture(scope="session")
def nets():
    """As the paper's for MNIST, with a tenth of the units; momentum rises until epoch 3."""
    return AdversarialNets(
        "adversarial_nets", Noise(20, "uniform"),
        GeneratorNetwork([GeneratorLayer(120, "relu", 0.05), GeneratorLayer(120, "relu", 0.05)],
                  GeneratorOutput("sigmoid", 0.05, "marginal_logit")),
        DiscriminatorNetwork([MaxoutLayer(24, 5, 0.05, 0.8), MaxoutLayer(24, 5, 0.05, 0.5)],
                             DiscriminatorOutput(0.05, 0.5)),
        Recipe(epochs=5, batch_size=50, updates="simultaneous", discriminator_steps=1,
               objective=Objective.NON_SATURATING, learning_rate=LearningRate(0.1, 1.000004, 1e-6),
               momentum=Momentum(0.5, 0.7, 3), average_decay=0.99))


@pytest.fixture(scope="session")
def images():
    """[520, 196] in [0, 1]: the last minibatch of an epoch is smaller."""
    return torch.rand(520, 196, generator=torch.Generator().manual_seed(0)).square()
