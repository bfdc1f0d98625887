"""Generators that are recorded in git, and pictures of their samples."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image

from gan.errors import DataError, ReproductionError
from gan.generator import Generator
from pipeline.commands import record, samples
from pipeline.results import recorded_generator
from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.results.recorded_generator import recorded_generators
from pipeline.runtime import files
from pipeline.runtime.git import git

ROOT = Path(__file__).parents[3]
FOLDER = Path("reports/recorded/digits-smoke")


@pytest.fixture
def recorded(digits, own_git):
    """A small generator, trained, scored and recorded; its entry in metrics.json."""
    git("init", "--quiet")
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "first")
    digits.train("digits")
    digits.score("digits")
    metrics = gather(["digits"])
    files.write_json(Plan.read().metrics, metrics)
    record.main("digits", "small", weights=True)
    return metrics["digits"]


def trained(entry) -> Path:
    return Path(f"artifacts/digits/models/seed-{entry['ema']['seed']}.safetensors")


# Recording.

def test_the_averaged_weights_of_the_chosen_seed_in_half_the_bytes(recorded):
    with safetensors.safe_open(str(FOLDER / "generator.safetensors"), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    with safetensors.safe_open(str(trained(recorded)), framework="pt") as file:
        for name, tensor in tensors.items():
            assert tensor.dtype == torch.float16
            assert torch.equal(tensor, file.get_tensor(name).half())
    assert all(name.startswith("ema.") for name in tensors)


def test_its_record_says_whose_it_is_and_what_rounding_changes(recorded):
    about = json.loads((FOLDER / "generator.json").read_text())
    entry = recorded["ema"]
    for key in ("seed", "epoch", "test_log_likelihood", "standard_error"):
        assert about[key] == entry[key]
    assert about["commit"] == git("rev-parse", "HEAD")
    assert [about[key] for key in ("experiment", "profile", "variant", "note")] == ["digits", "smoke", "ema", "small"]
    exact = Generator.load(trained(recorded), "ema").sample(100)
    rounded = Generator.load(FOLDER / "generator.safetensors", "ema").sample(100)
    change = (exact - rounded).abs().max().item()
    assert about["rounded_to_float16"]["largest_change_of_a_pixel"] == pytest.approx(change, rel=0.01)
    assert 0 < change < 0.01
    assert len(recorded_runs()) == 1  # the results beside it


def test_one_that_is_too_large_for_git_is_refused(recorded, monkeypatch):
    monkeypatch.setattr(recorded_generator, "LARGEST", 1000)
    with pytest.raises(ReproductionError, match="too large for git"):
        record.main("digits", weights=True)


def test_mnist_s_generator_is_small_enough():
    """100-1200-1200-784, two bytes a weight."""
    sizes = [100, 1200, 1200, 784]
    weights = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    assert 2 * weights < recorded_generator.LARGEST


@pytest.mark.parametrize("spoil", [
    lambda: (FOLDER / "generator.safetensors").unlink(),
    lambda: (FOLDER / "generator.safetensors").write_bytes(b"other"),
    lambda: files.write_json(FOLDER / "generator.json", {"experiment": "digits"}),
    lambda: (FOLDER / "generator.json").write_text("[]")])
def test_one_that_is_not_as_it_was_recorded_is_refused(recorded, spoil):
    spoil()
    with pytest.raises(DataError, match=r"not a recorded generator[\s\S]*git checkout"):
        recorded_generators()


def test_the_best_by_validation_comes_first(recorded):
    about = files.read_json(FOLDER / "generator.json")
    better = FOLDER.with_name("digits-paper")
    better.mkdir()
    (better / "generator.safetensors").write_bytes((FOLDER / "generator.safetensors").read_bytes())
    files.write_json(better / "generator.json", about | {
        "profile": "paper", "validation_log_likelihood": about["validation_log_likelihood"] + 1})
    assert [one.weights.parent.name for one in recorded_generators()] == ["digits-paper", "digits-smoke"]


# Pictures.

def test_a_picture_of_the_recorded_generator_s_first_samples(recorded, capsys):
    samples.main()
    with Image.open("samples.png") as picture:
        pixels = np.asarray(picture)
    enlarged = samples.LONGEST_SIDE // 80
    assert pixels.shape == (80 * enlarged, 80 * enlarged)
    images = Generator.load(FOLDER / "generator.safetensors", "ema").sample(100, seed=0)
    expected = (images * 255).round().byte().numpy().reshape(10, 10, 8, 8).transpose(0, 2, 1, 3).reshape(80, 80)
    assert np.array_equal(pixels[::enlarged, ::enlarged], expected)
    said = capsys.readouterr().out
    assert "reports/recorded/digits-smoke/generator.safetensors, averaged weights (EMA)" in said
    assert f"{recorded['ema']['test_log_likelihood']:.1f} ± " in said
    assert "samples.png shows 100 samples, none picked, of noise from seed 0" in said


def test_of_a_file_with_another_variant_number_and_noise(recorded):
    samples.main(trained(recorded), count=3, seed=5, variant="raw", out=Path("elsewhere/few.png"))
    with Image.open("elsewhere/few.png") as picture:
        assert picture.size == (3 * 8 * (1000 // 24), 8 * (1000 // 24))
        first = np.asarray(picture)
    samples.main(trained(recorded), count=3, seed=6, variant="raw", out=Path("other.png"))
    with Image.open("other.png") as picture:
        assert not np.array_equal(first, np.asarray(picture))


def test_values_of_normalised_data_go_from_black_to_white(recorded, monkeypatch):
    monkeypatch.setattr(Generator, "sample", lambda self, n, seed: torch.linspace(-2, 1, 64).view(1, 1, 8, 8).repeat(
        n, 1, 1, 1))
    samples.main(count=1)
    with Image.open("samples.png") as picture:
        pixels = np.asarray(picture)
    assert (pixels.min(), pixels.max()) == (0, round(255 * 0.75))


def test_without_a_recorded_one_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReproductionError, match=r"no trained generator that draws images[\s\S]*FROM=artifacts/mnist/"):
        samples.main()


def test_a_variant_that_it_does_not_have_is_named(recorded):
    with pytest.raises(ReproductionError, match="no weights of variant raw"):
        samples.main(variant="raw")


def test_it_starts_without_what_takes_time(recorded):
    """All but torch, which draws the samples."""
    program = ("import sys; from pipeline.commands import samples; samples.main()\n"
               "print(*[name for name in ('dvc', 'mlflow', 'matplotlib', 'pandas', 'sklearn', 'scipy', 'torchvision')"
               " if name in sys.modules])")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.splitlines()[-1] == ""
    assert Image.open(io.BytesIO(Path("samples.png").read_bytes())).size[0] > 0
