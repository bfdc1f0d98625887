"""CIFAR-10's and TFD's networks in params.yaml, layer by layer, against numbers derived by hand from the recipes.

MNIST's are in test_networks.py.
"""

import math
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from gan.adversarial.layers import ConvolutionalMaxout, Dense, Dropout, Maxout, Network, TransposedConvolution
from gan.adversarial.networks import discriminator_layers, draw_noise, generator_layers
from gan.adversarial.settings import AdversarialNets
from gan.linear_algebra import random_stream
from pipeline.settings import parameters

COLOURS, GREY = (3, 32, 32), (1, 48, 48)


@pytest.fixture(scope="module")
def experiments():
    """What holds under the profile `paper`, by name: blocks that are taken over by `like` stand in it."""
    known = parameters.load(Path(__file__).parents[3] / "params.yaml", plan=False)
    return {name: known.entry(name, "paper") for name in known.raw["experiments"]}


def nets_of(experiments, name):
    return TypeAdapter(AdversarialNets).validate_python(experiments[name]["train"]["model"])


def players(nets, shape):
    """G and D of one game, for images of ½."""
    images, weights = torch.full((2, math.prod(shape)), 0.5), random_stream(1, "initial weights")
    return (Network(generator_layers(nets.generator, nets.noise.dimensions, images, shape, weights)),
            Network(discriminator_layers(nets.discriminator, shape, weights, random_stream(1, "dropout"))))


def shapes(network):
    return [tuple(p.shape) for p in network.parameters]


def count(network):
    return sum(p.numel() for p in network.parameters)


def keeps(network):
    return [layer.keep for layer in network.layers if isinstance(layer, Dropout)]


def assert_uniform(weight, irange):
    """All within ±irange; mean and standard deviation of n draws within 5 standard errors of 0 and irange/√3."""
    n, std = weight.numel(), irange / math.sqrt(3)
    assert float(weight.abs().max()) <= irange * (1 + 1e-6)  # float32
    assert float(weight.double().mean()) == pytest.approx(0, abs=5 * std / math.sqrt(n))
    assert float(weight.double().std()) == pytest.approx(std, abs=5 * std * math.sqrt(0.2 / n))


def assert_recipe(nets, rate, batch):
    """What all games of the paper share, and the learning rate and minibatch that differ."""
    recipe = nets.recipe
    assert (recipe.learning_rate.initial, recipe.batch_size) == (rate, batch)
    assert (recipe.learning_rate.decay, recipe.learning_rate.minimum) == (1.000004, 1e-6)
    assert (recipe.momentum.initial, recipe.momentum.final, recipe.momentum.saturates) == (0.5, 0.7, 250)
    assert (recipe.updates, recipe.objective) == ("simultaneous", "non_saturating")
    assert (nets.noise.dimensions, nets.noise.distribution) == (100, "normal")


def test_cifar10_fully_connected(experiments):
    nets = nets_of(experiments, "cifar10_fully_connected")
    assert_recipe(nets, 0.025, 100)
    assert (nets.recipe.chosen_epoch, nets.recipe.maximum_norm) == ("best_on_validation", None)
    generator, discriminator = players(nets, COLOURS)
    assert [type(layer) for layer in generator.layers] == [Dense] * 3
    assert [layer.activation for layer in generator.layers] == ["relu", "sigmoid", "linear"]
    assert shapes(generator) == [(100, 8000), (8000,), (8000, 8000), (8000,), (8000, 3072), (3072,)]
    # 100·8000 + 8000 = 808,000; 8000² + 8000 = 64,008,000; 8000·3072 + 3072 = 24,579,072
    assert count(generator) == 808_000 + 64_008_000 + 24_579_072 == 89_395_072
    for weight, irange in zip(generator.parameters[::2], (0.05, 0.05, 0.5), strict=True):
        assert_uniform(weight, irange)
    assert not any(bias.any() for bias in generator.parameters[1::2])

    assert [type(layer) for layer in discriminator.layers] == [Dropout, Maxout, Dropout, Maxout, Dropout, Dense]
    assert keeps(discriminator) == [0.8, 0.5, 0.5]
    assert [layer.pieces for layer in discriminator.layers if isinstance(layer, Maxout)] == [5, 5]
    assert shapes(discriminator) == [(3072, 8000), (8000,), (1600, 8000), (8000,), (1600, 1), (1,)]
    # 3072·8000 + 8000 = 24,584,000; 1600·8000 + 8000 = 12,808,000; 1600 + 1
    assert count(discriminator) == 24_584_000 + 12_808_000 + 1_601 == 37_393_601
    for weight in discriminator.parameters[::2]:
        assert_uniform(weight, 0.005)
    z = draw_noise(nets.noise, 3, random_stream(1, "z"))
    samples = generator.forward(z)
    assert samples.shape == (3, 3072)
    assert discriminator.forward(samples).shape == (3, 1)


def test_cifar10_convolutional(experiments):
    nets = nets_of(experiments, "cifar10_convolutional")
    assert_recipe(nets, 0.004, 128)
    generator, discriminator = players(nets, COLOURS)
    assert [type(layer) for layer in generator.layers] == [Dense, Dense, TransposedConvolution]
    assert [layer.activation for layer in generator.layers] == ["relu", "sigmoid", "linear"]
    # 80 maps of 10×10, kernels of 5×5 at stride 3: (10 − 1)·3 + 5 = 32; a bias for each of 3·32·32 outputs
    assert shapes(generator) == [(100, 8000), (8000,), (8000, 8000), (8000,), (80, 3, 5, 5), (3072,)]
    assert count(generator) == 808_000 + 64_008_000 + 80 * 3 * 25 + 3072 == 64_825_072
    for weight in generator.parameters[::2]:
        assert_uniform(weight, 0.05)

    convolutions = [layer for layer in discriminator.layers if isinstance(layer, ConvolutionalMaxout)]
    assert [type(layer) for layer in discriminator.layers[-4:]] == [Dropout, Maxout, Dropout, Dense]
    assert keeps(discriminator) == [0.8, 0.5, 0.5, 0.5, 0.5]
    # 32 → 32 + 8 − 8 + 1 = 33 → ⌈(33 − 4)/2⌉ + 1 = 16 → 16 + 6 − 8 + 1 = 15 → ⌈(15 − 4)/2⌉ + 1 = 7
    # → 7 + 6 − 5 + 1 = 9 → ⌈(9 − 2)/2⌉ + 1 = 5
    assert [layer.output_shape for layer in convolutions] == [(32, 16, 16), (32, 7, 7), (192, 5, 5)]
    assert [layer.pieces for layer in convolutions] == [2, 2, 2]
    assert shapes(discriminator) == [(64, 3, 8, 8), (64,), (64, 32, 8, 8), (64,), (384, 32, 5, 5), (384,),
                                     (4800, 2500), (2500,), (500, 1), (1,)]
    # 64·3·64 + 64 = 12,352; 64·32·64 + 64 = 131,136; 384·32·25 + 384 = 307,584; 192·5·5·2500 + 2500; 500 + 1
    assert count(discriminator) == 12_352 + 131_136 + 307_584 + 12_002_500 + 501 == 12_454_073
    for weight in discriminator.parameters[::2]:
        assert_uniform(weight, 0.005)
    assert not any(bias.any() for bias in discriminator.parameters[1::2])
    samples = generator.forward(draw_noise(nets.noise, 2, random_stream(1, "z")))
    assert samples.shape == (2, 3072)
    assert discriminator.forward(samples).shape == (2, 1)


@pytest.mark.parametrize("name", ["tfd", "faces", "faces_five_folds"])
def test_faces_have_tfds_networks_and_recipe(experiments, name):
    assert experiments[name]["train"] == experiments["tfd"]["train"]
    assert ("not TFD" in experiments[name].get("note", "")) == (name != "tfd")


def test_tfd_pretraining(experiments):
    whole = nets_of(experiments, "tfd")
    nets = whole.games()[0]
    assert_recipe(nets, 0.05, 100)
    assert (nets.recipe.epochs, nets.recipe.chosen_epoch, nets.recipe.maximum_norm) == (50, "last", 1.9365)
    generator, discriminator = players(nets, GREY)
    assert [layer.activation for layer in generator.layers] == ["relu", "sigmoid", "sigmoid"]
    assert shapes(generator) == [(100, 8000), (8000,), (8000, 8000), (8000,), (8000, 2304), (2304,)]
    # 8000·2304 + 2304 = 18,434,304
    assert count(generator) == 808_000 + 64_008_000 + 18_434_304 == 83_250_304
    first, second, output = generator.parameters[::2]
    assert_uniform(first, 0.05)
    assert_uniform(second, 0.05)
    assert bool(((output != 0).sum(0) == 100).all())
    assert [float(bias.unique()) for bias in generator.parameters[1::2]] == [0, -2, 0]  # the logit of ½ is 0
    assert keeps(discriminator) == [0.8, 0.5, 0.5]
    assert shapes(discriminator) == [(2304, 6000), (6000,), (1200, 6000), (6000,), (1200, 1), (1,)]
    # 2304·6000 + 6000 = 13,830,000; 1200·6000 + 6000 = 7,206,000
    assert count(discriminator) == 13_830_000 + 7_206_000 + 1_201 == 21_037_201


def test_tfd_training_puts_two_layers_below_the_pretrained_generator(experiments):
    nets = nets_of(experiments, "tfd")
    assert_recipe(nets, 0.05, 100)
    assert (nets.recipe.epochs, nets.recipe.chosen_epoch, nets.recipe.maximum_norm) == (22, "last", 1.9365)
    assert nets.discriminator == nets.pretraining.discriminator
    below, discriminator = players(nets, GREY)
    assert [layer.activation for layer in below.layers] == ["relu", "sigmoid"]
    # 100 → 8000 → 100, whose outputs take the place of the pretrained generator's noise
    assert shapes(below) == [(100, 8000), (8000,), (8000, 100), (100,)]
    assert count(below) == 808_000 + 800_100
    assert [float(bias.unique()) for bias in below.parameters[1::2]] == [0, -2]
    for weight in below.parameters[::2]:
        assert_uniform(weight, 0.05)
    assert count(discriminator) == 21_037_201
