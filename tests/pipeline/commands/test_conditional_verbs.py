"""`samples --class` and `complete`: which weights they take, what they draw, and what they refuse."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan.adversarial.settings import OnClass, OnVisiblePixels
from gan.errors import DataError, ReproductionError
from gan.generator import Generator
from gan.registry import create
from gan.weights import describe
from pipeline.commands import complete, samples
from pipeline.runtime import files
from pipeline.tracking.gan_generator import LoggedGenerator
from tests.gan.conftest import SMALL

SHAPE = (1, 2, 3)
CONDITIONS = {"of_a_class": OnClass("class", 3), "completes": OnVisiblePixels("visible_pixels", 0.25), "plain": None}


@pytest.fixture(autouse=True)
def trained(tmp_path, monkeypatch):
    """A checkout in which one generator of each kind was trained, and none is recorded."""
    monkeypatch.chdir(tmp_path)
    for name, condition in CONDITIONS.items():
        nets = replace(SMALL, condition=condition)
        model = create(nets, torch.rand(50, 6, generator=torch.Generator().manual_seed(0)), 1, shape=SHAPE)
        tensors = {f"{variant}.{key}": tensor.clone() for variant in model.variants
                   for key, tensor in model.weights(variant).items()}
        files.write_tensors(Path(f"artifacts/{name}/models/seed-1.safetensors"), tensors,
                            describe(asdict(nets), SHAPE, list(model.variants)))


def drawn(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def pixels(images: torch.Tensor) -> np.ndarray:
    """Of images [n, 1, 2, 3] side by side."""
    return (images[:, 0].permute(1, 0, 2).reshape(2, -1) * 255).round().byte().numpy()


def test_samples_of_a_class_are_from_nets_that_are_told_one(capsys):
    samples.main(of_class=2, count=4, seed=3)
    generator = Generator.load("artifacts/of_a_class/models/seed-1.safetensors", "ema")
    enlarged = samples.LONGEST_SIDE // 12
    assert np.array_equal(drawn("samples.png")[::enlarged, ::enlarged], pixels(generator.sample_class(2, 4, seed=3)))
    assert not torch.equal(generator.sample_class(2, 4, seed=3), generator.sample_class(1, 4, seed=3))
    said = capsys.readouterr().out
    assert "artifacts/of_a_class/models/seed-1.safetensors, averaged weights (EMA)" in said
    assert "trained in this checkout" in said
    assert "4 samples of class 2, none picked" in said


def test_samples_without_a_class_are_from_nets_that_are_told_nothing(capsys):
    samples.main(count=4)
    assert "artifacts/plain/models/seed-1.safetensors" in capsys.readouterr().out


def test_samples_of_conditional_nets_go_round_the_classes():
    generator = Generator.load("artifacts/of_a_class/models/seed-1.safetensors")
    whole = generator.sample(7, seed=1)
    torch.testing.assert_close(whole[5], generator.sample_class(2, 7, seed=1)[5])


def test_a_logged_generator_draws_a_class_that_is_named_in_its_parameters():
    generator = Generator.load("artifacts/of_a_class/models/seed-1.safetensors", "ema")
    logged = LoggedGenerator({"ema": generator})
    assert np.array_equal(logged.predict(4, {"class": 2, "seed": 3}), generator.sample_class(2, 4, seed=3).numpy())
    assert np.array_equal(logged.predict(4), generator.sample(4).numpy())


@pytest.mark.parametrize("number", [-1, 3])
def test_a_class_that_is_not_there_is_refused_with_those_that_are(number):
    with pytest.raises(ReproductionError, match=r"no such class\n  expected: 0 to 2"):
        samples.main(of_class=number)


def test_a_class_of_nets_that_are_told_none_is_refused():
    with pytest.raises(ReproductionError, match="cannot be asked for a class"):
        samples.main(Path("artifacts/plain/models/seed-1.safetensors"), of_class=1)


def test_without_such_a_generator_it_says_how_to_get_one():
    Path("artifacts/of_a_class/models/seed-1.safetensors").unlink()
    with pytest.raises(ReproductionError, match=r"that is told a class[\s\S]*EXPERIMENTS=mnist_conditional"):
        samples.main(of_class=1)


def grey(name: str, values: list[list[int]]) -> Path:
    Image.fromarray(np.array(values, np.uint8)).save(name)
    return Path(name)


def test_the_other_half_is_made_several_times_and_the_given_one_kept(capsys):
    complete.main(grey("half.png", [[255, 9, 9], [51, 9, 9]]), count=3)
    enlarged = samples.LONGEST_SIDE // 12
    images = drawn("completed.png")[::enlarged, ::enlarged].reshape(2, 4, 3).swapaxes(0, 1)
    assert (images[:, :, 0] == [[255, 51]] * 4).all()
    assert (images[0, :, 1:] == 128).all()  # grey: not given
    assert len({image.tobytes() for image in images}) == 4
    said = capsys.readouterr().out
    assert "artifacts/completes/models/seed-1.safetensors" in said
    assert "completed.png shows half.png, its left half given, and 3 answers, none picked, of noise from seed 0" in said


def test_of_an_image_with_transparency_its_opaque_pixels_are_given(capsys):
    values = np.full((2, 3, 4), 255, np.uint8)
    values[0, :, 3] = 0
    Image.fromarray(values).save("half.png")
    complete.main(Path("half.png"), count=2)
    enlarged = samples.LONGEST_SIDE // 9
    images = drawn("completed.png")[::enlarged, ::enlarged].reshape(2, 3, 3).swapaxes(0, 1)
    assert (images[:, 1] == 255).all()
    assert (images[0, 0] == 128).all()
    assert (images[1:, 0] != 255).all()
    assert "its opaque pixels given" in capsys.readouterr().out


def test_one_pixel_that_is_nearly_opaque_is_no_transparency(capsys):
    values = np.full((2, 3, 4), 255, np.uint8)
    values[0, 0, 3] = 254
    Image.fromarray(values).save("half.png")
    complete.main(Path("half.png"), count=1)
    assert "its left half given" in capsys.readouterr().out


def test_16_bits_are_not_cut_at_white():
    Image.fromarray(np.array([[0, 32768, 65535]] * 2, np.uint16)).save("half.png")
    pixels, *_ = complete.read(Path("half.png"), 1, "left")
    assert pixels[0, 0].tolist() == pytest.approx([0, 0.5, 1], abs=1e-4)


def test_images_in_another_scale_than_files_have_are_not_completed():
    path = Path("artifacts/completes/models/seed-1.safetensors")
    tensors, about = files.read_tensors(path)
    about["model"]["generator"]["output"]["activation"] = "linear"
    files.write_tensors(path, tensors, about)
    with pytest.raises(ReproductionError, match=r"another scale than files have[\s\S]*an output that is linear"):
        complete.main(grey("half.png", [[1, 2, 3]] * 2))


def test_an_image_of_another_size_is_refused_with_both():
    with pytest.raises(ReproductionError, match=r"of another size[\s\S]*expected: 1 × 2 × 3\n  found: 1 × 2 × 2"):
        complete.main(grey("half.png", [[1, 2], [3, 4]]))


def test_what_is_no_image_is_refused():
    Path("half.png").write_text("no image")
    with pytest.raises(DataError, match=r"half\.png cannot be read as an image"):
        complete.main(Path("half.png"))
    for path in (Path("missing.png"), Path()):
        with pytest.raises(DataError, match=r"no image to complete[\s\S]*make complete IMAGE=half.png"):
            complete.main(path)


def test_a_generator_that_cannot_complete_is_refused():
    with pytest.raises(ReproductionError, match=r"cannot complete an image[\s\S]*a condition on class"):
        complete.main(grey("half.png", [[1, 2, 3]] * 2), source=Path("artifacts/of_a_class/models/seed-1.safetensors"))
