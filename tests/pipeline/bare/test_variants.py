"""The released recipe with one thing changed: each variant is what its name says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gan.adversarial.layers import Dense, Maxout
from gan.adversarial.settings import (
    AdversarialNets,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    GradientPenalty,
    LearningRate,
    MaxoutLayer,
    Momentum,
    Noise,
    Objective,
    Recipe,
)
from gan.adversarial.training import Training
from pipeline.bare import options
from pipeline.bare.collapse import OWN, RELEASED, _beyond_the_independent, name_of
from pipeline.bare.variants import InFloat64, ReleasedStart, WithoutHalf, variants

SEEDS = (3, 4)


@pytest.fixture
def nets():
    return AdversarialNets(
        "adversarial_nets", Noise(7, "uniform"),
        GeneratorNetwork([GeneratorLayer(12, "relu", 0.05), GeneratorLayer(9, "relu", 0.06)],
                         GeneratorOutput("sigmoid", 0.05, "marginal_logit")),
        DiscriminatorNetwork([MaxoutLayer(4, 5, 0.005, 0.8), MaxoutLayer(3, 2, 0.004, 0.5)],
                             DiscriminatorOutput(0.003, 0.5)),
        Recipe(epochs=5, batch_size=20, updates="simultaneous", discriminator_steps=1,
               objective=Objective.NON_SATURATING, learning_rate=LearningRate(0.1, 1.000004, 1e-6),
               momentum=Momentum(0.5, 0.7, 3), average_decay=0.99))


@pytest.fixture
def images():
    return torch.rand(100, 6, generator=torch.Generator().manual_seed(0))


def weights(network):
    return [layer.parameters[0] for layer in network.layers if isinstance(layer, Dense | Maxout)]


def test_every_name_of_the_command_line_is_a_variant(nets):
    assert set(variants(nets)) | {"independent"} == set(options.VARIANTS)


@pytest.mark.parametrize(("key", "value"), [
    ("normal_noise", lambda nets: nets.noise.distribution == "normal"),
    ("norms", lambda nets: nets.recipe.maximum_norm == 1.9365),
    ("alternating", lambda nets: nets.recipe.updates == "alternating"),
    ("tf32", lambda nets: nets.recipe.precision == "tf32")])
def test_a_variant_of_the_settings_changes_one_value(nets, key, value):
    _, changed, kind = variants(nets)[key]
    assert kind is Training
    assert value(changed)
    assert not value(nets)
    back = replace(changed, noise=nets.noise, recipe=nets.recipe)
    assert back == nets


@pytest.mark.parametrize("key", options.IN_STEP)
def test_a_way_to_keep_in_step_stands_alone_whatever_the_nets_have(nets, images, key):
    """The same from nets that have all of them; the plain one has none, and is the recipe as released."""
    everything = replace(nets, recipe=replace(
        nets.recipe, updates="alternating", discriminator_steps=3, objective=Objective.RELATIVISTIC, generator_rate=0.1,
        penalty=GradientPenalty(5.0, "data")), discriminator=replace(nets.discriminator, spectral_norm=True))
    _, alone, kind = variants(nets)[key]
    assert variants(everything)[key][1:] == (alone, kind)
    assert (alone == nets) == (key == "plain")
    assert name_of(alone) == (RELEASED if key == "plain" else OWN)
    training = kind(alone, images, SEEDS)
    assert all(0 < one.d_on_data < 1 for one in training.run_epochs())


@pytest.mark.parametrize("kind", [InFloat64, ReleasedStart])
def test_other_trainings_know_the_spectral_norm(nets, images, kind):
    normed = replace(nets, discriminator=replace(nets.discriminator, spectral_norm=True))
    plain, other = Training(normed, images, 1), kind(normed, images, 1)
    for _ in range(2):
        assert 0 < other.run_epoch().d_on_data < 1
    same = all(torch.equal(a, b.to(a.dtype)) for a, b in zip(
        plain.generator.parameters, kind(normed, images, 1).generator.parameters, strict=True))
    assert same == (kind is InFloat64)


def test_the_independent_implementation_is_told_apart_from_what_it_does_not_have(nets):
    assert _beyond_the_independent(nets) == ""
    other = replace(nets, recipe=replace(nets.recipe, penalty=GradientPenalty(1.0, "data"), generator_rate=2.0),
                    discriminator=replace(nets.discriminator, spectral_norm=True))
    assert _beyond_the_independent(other) == "generator_rate, penalty, spectral_norm"


def test_without_the_half_ds_gradient_is_twice_as_large(nets, images):
    logits = torch.linspace(-2, 2, 8).view(8, 1)
    plain, doubled = (kind(nets, images, 1)._discriminator_gradient(logits, 4) for kind in (Training, WithoutHalf))
    assert torch.equal(doubled, 2 * plain)


def test_float64_is_the_same_training_with_less_rounding(nets, images):
    plain, exact = (kind(nets, images, SEEDS) for kind in (Training, InFloat64))
    for a, b in zip(plain.generator.parameters, exact.generator.parameters, strict=True):
        assert torch.equal(a.double(), b)
    rows = [(plain.run_epochs(), exact.run_epochs()) for _ in range(3)][-1]
    parameters = exact.generator.parameters + exact.discriminator.parameters + exact.average
    assert {tensor.dtype for tensor in parameters} == {torch.float64}
    for a, b in zip(*rows, strict=True):
        assert vars(a) == pytest.approx(vars(b), rel=1e-5)
        assert vars(a) != vars(b)


def test_the_released_start_draws_as_pylearn2_does(nets, images):
    """A network's layers one after another from one generator, which draws a second number for each weight in vain."""
    training = ReleasedStart(nets, images, SEEDS)
    for network, shapes in ((training.generator, [(7, 12, 0.05), (12, 9, 0.06), (9, 6, 0.05)]),
                            (training.discriminator, [(6, 20, 0.005), (4, 6, 0.004), (3, 1, 0.003)])):
        stream = np.random.RandomState([2013, 1, 4])
        for weight, (inputs, outputs, irange), pieces in zip(
                weights(network), shapes, (1, 1, 1) if network is training.generator else (5, 2, 1), strict=True):
            expected = stream.uniform(-irange, irange, (inputs, outputs)).astype(np.float32)
            stream.uniform(0, 1, (inputs, outputs))
            units = outputs // pieces
            for seed in range(len(SEEDS)):
                for unit in range(units):
                    for piece in range(pieces):
                        found = weight[seed][:, piece * units + unit]
                        assert found.numpy().tolist() == expected[:, unit * pieces + piece].tolist()


def test_the_released_orders_are_one_generators_shuffles_and_noise_is_each_seeds(nets, images):
    training = ReleasedStart(nets, images, SEEDS)
    stream = np.random.RandomState([2012, 10, 5])
    for _ in range(2):
        training.run_epochs()
        order = np.arange(100)
        stream.shuffle(order)
        assert all(row.tolist() == order.tolist() for row in training.order)
    assert not torch.equal(training.logits[..., 0], training.logits[..., 1])


def test_weights_that_are_not_uniform_are_refused(nets, images):
    sparse = replace(nets, generator=replace(nets.generator, output=GeneratorOutput(
        "sigmoid", None, "marginal_logit", nonzero=3)))
    with pytest.raises(ValueError, match="uniform"):
        ReleasedStart(sparse, images, 1)
