"""Files of weights, and generators that are loaded from them."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from gan.adversarial.bidirectional_settings import BidirectionalNets, EncoderNetwork, EncoderOutput
from gan.adversarial.settings import (
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    MaxoutLayer,
    Pretraining,
)
from gan.baselines.settings import KMeans
from gan.errors import DataError, ReproductionError
from gan.generator import Generator
from gan.registry import create
from gan.weights import describe, read_description, read_weights

SHAPE = (1, 2, 3)


def plain(settings):
    """As params.yaml has them."""
    return json.loads(json.dumps(asdict(settings)))


def write(path, tensors, about):
    safetensors.torch.save_file(tensors, path, {"about": json.dumps(about)})
    return path


def saved(path, settings, model, shape=SHAPE):
    """A file of weights as the stage `train` writes it."""
    tensors = {f"{variant}.{name}": tensor.clone() for variant in model.variants
               for name, tensor in model.weights(variant).items()}
    return write(path, tensors, describe(plain(settings), shape, model.variants))


@pytest.fixture
def file(tmp_path, small_nets, images):
    """Of a generator that has been trained for two epochs, so that its average is not its weights."""
    nets = small_nets()
    model = create(nets, images, 1, shape=SHAPE)
    for _ in range(2):
        model.fit_epoch()
    return saved(tmp_path / "seed-1.safetensors", nets, model), model


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_rounded_and_computed_in_float32(file, tmp_path, kind):
    path, _ = file
    weights = {name: tensor.to(kind) for name, tensor in read_weights(path, "ema").items()}
    other = write(tmp_path / "other.safetensors", {f"ema.{name}": tensor for name, tensor in weights.items()},
                  describe(read_description(path).model, SHAPE, ["ema"]))
    samples, exact = Generator.load(other).sample(20), Generator.load(path).sample(20)
    assert samples.dtype == torch.float32
    # Three layers of at most 9 weights and activations of order 1, rounded by half a unit in the last place.
    assert (samples - exact).abs().max() <= 30 * torch.finfo(kind).eps + 1e-6


@pytest.mark.parametrize("variant", ["raw", "ema"])
def test_samples_are_those_of_the_model_with_the_weights_of_the_variant(file, variant):
    path, model = file
    samples = Generator.load(path, variant).sample(1500, seed=5)
    assert (samples.shape, samples.dtype) == ((1500, *SHAPE), torch.float32)
    expected = model.sample(model.weights(variant), 1500, torch.Generator().manual_seed(5))
    assert torch.equal(samples.flatten(1), expected)


def test_the_average_is_what_is_loaded_unless_told_otherwise(file):
    path, _ = file
    assert torch.equal(Generator.load(str(path)).sample(3), Generator.load(path, "ema").sample(3, seed=0))
    assert not torch.equal(Generator.load(path).sample(3), Generator.load(path, "raw").sample(3))


def test_a_seed_is_that_of_the_noise_and_one_generator_can_be_asked_again(file):
    generator = Generator.load(file[0])
    first, other, again = generator.sample(4, 1), generator.sample(4, 2), generator.sample(4, 1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not first.requires_grad


def pretrained(nets):
    return replace(nets, generator=GeneratorNetwork([GeneratorLayer(4, "sigmoid", 0.5)], None),
                   pretraining=Pretraining(nets.generator, nets.discriminator, nets.recipe))


def convolutional(nets):
    return replace(
        nets, generator=GeneratorNetwork([GeneratorLayer(12, "sigmoid", 0.5)], GeneratorOutput(
            "linear", 0.5, "zero", deconvolution=Deconvolution(channels=3, size=2, kernel=4, stride=3))),
        discriminator=DiscriminatorNetwork([MaxoutLayer(3, 2, 0.5, 0.8, Convolution(3, 1, 3, 2))],
                                           DiscriminatorOutput(0.5, 0.5)))


@pytest.mark.parametrize(("change", "shape"), [(pretrained, SHAPE), (convolutional, (2, 7, 7))])
def test_generators_with_a_pretrained_part_or_convolutions_are_loaded_as_well(tmp_path, small_nets, change, shape):
    nets = change(small_nets())
    images = torch.rand(50, shape[0] * shape[1] * shape[2], generator=torch.Generator().manual_seed(0))
    model = create(nets, images, 1, shape=shape)
    while model.epoch < model.epochs:
        model.fit_epoch()
    path = saved(tmp_path / "seed-1.safetensors", nets, model, shape)
    expected = model.sample(model.weights("raw"), 8, torch.Generator().manual_seed(3))
    assert torch.equal(Generator.load(path, "raw").sample(8, 3).flatten(1), expected)


def test_the_weights_of_any_model_are_read_by_the_names_that_it_wants(tmp_path, images):
    settings = KMeans("kmeans", 20, 3)
    model = create(settings, images, 1)
    path = saved(tmp_path / "seed-1.safetensors", settings, model)
    weights = read_weights(path, "raw")
    assert weights.keys() == {"centroids"}
    assert torch.equal(model.sample(weights, 5, torch.Generator()), model.centroids[:5])
    assert read_description(path).model == {"kind": "kmeans", "clusters": 20, "iterations": 3}
    assert (read_description(path).shape, list(read_description(path).variants)) == (SHAPE, ["raw"])
    with pytest.raises(DataError, match=r"holds no generator[\s\S]*found: kmeans"):
        Generator.load(path, "raw")


def test_the_generator_of_bidirectional_nets_is_loaded_without_their_encoders(tmp_path, small_nets, images):
    small = small_nets(chosen_epoch="last")
    nets = BidirectionalNets("bidirectional_nets", small.noise, small.generator,
                             EncoderNetwork([GeneratorLayer(4, "relu", 0.5)], EncoderOutput(0.5)), small.discriminator,
                             small.recipe, afterwards_epochs=1, afterwards_learning_rate=0.02, afterwards_momentum=0.5)
    model = create(nets, images, 1, shape=SHAPE)
    path = saved(tmp_path / "seed-1.safetensors", nets, model)
    for variant in model.variants:
        expected = model.sample(read_weights(path, variant), 5, torch.Generator().manual_seed(3))
        assert torch.equal(Generator.load(path, variant).sample(5, seed=3).flatten(1), expected)


@pytest.mark.parametrize("variant", ["best", "", "raw."])
def test_a_variant_that_is_not_there_is_named_with_those_that_are(file, variant):
    for load in (Generator.load, read_weights):
        with pytest.raises(ReproductionError, match=rf"expected: raw or ema\n  found: {re.escape(variant)}"
                           if variant else "expected: raw or ema"):
            load(file[0], variant)


@pytest.mark.parametrize("n", [0, -3])
def test_there_are_no_samples_below_one(file, n):
    with pytest.raises(ReproductionError, match=f"from 1\n  found: {n}"):
        Generator.load(file[0]).sample(n)


def test_a_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(DataError, match=r"seed-1\.safetensors is missing[\s\S]*`dvc repro`"):
        Generator.load(tmp_path / "seed-1.safetensors")


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"", lambda content: b"\0" * 100,
                                    lambda content: b"\x80\x04pickle" + content])
def test_a_damaged_file_or_one_of_another_kind_is_refused(file, damage):
    path = file[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"cannot be read[\s\S]*a whole safetensors file"):
        Generator.load(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Generator.load(tmp_path)


@pytest.mark.parametrize("change", [
    {"format": "gan weights 2"}, {"format": None}, {"model": "adversarial_nets"}, {"model": {}}, {"shape": [6]},
    {"shape": [1, 0, 6]}, {"shape": [1.0, 2, 3]}, {"variants": "raw"}, {"variants": [1]}], ids=str)
def test_headers_of_another_format_are_refused(file, change):
    path = file[0]
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as opened:
        about = json.loads(opened.metadata()["about"])
    write(path, tensors, about | change)
    with pytest.raises(DataError, match="not a file of weights"):
        Generator.load(path)


@pytest.mark.parametrize("header", [
    None, {}, {"format": "pt"}, {"about": "{"}, {"about": "[]"}, {"about": "{}"}], ids=str)
def test_other_safetensors_files_are_refused(tmp_path, header):
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"ema.0": torch.ones(2)}, path, header)
    with pytest.raises(DataError, match=r"not a file of weights[\s\S]*train"):
        read_weights(path, "ema")


@pytest.mark.parametrize(("change", "found"), [
    (lambda tensors, about: about["model"]["generator"]["hidden"][0].update(units=10), "another generator"),
    (lambda tensors, about: about.update(shape=[1, 2, 4]), "another generator"),
    (lambda tensors, about: about["model"]["noise"].update(dimensions=0), "dimensions must be at least 1"),
    (lambda tensors, about: about["model"].update(colour=1), "colour"),
    (lambda tensors, about: tensors.pop("ema.3"), "are named"),
    (lambda tensors, about: tensors.pop("ema.5"), "another generator")])
def test_weights_and_settings_that_do_not_fit_each_other_are_refused(file, change, found):
    path = file[0]
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as opened:
        about = json.loads(opened.metadata()["about"])
    change(tensors, about)
    with pytest.raises(DataError, match=rf"do not fit each other[\s\S]*{found}"):
        Generator.load(write(path, tensors, about), "ema")


def test_nothing_is_read_but_the_file(file, tmp_path, monkeypatch):
    """It describes itself: moved elsewhere and alone, it is all that is needed."""
    moved = Path(file[0].rename(tmp_path / "alone.safetensors"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Generator.load(moved).sample(2).shape == (2, *SHAPE)
