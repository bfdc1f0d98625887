"""python -m pipeline assess-folder: anybody's samples, as a folder, an archive or an array, and what is refused."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan.datasets.dataset import Dataset
from gan.datasets.digits import Digits
from gan.errors import DataError, ParameterError
from gan.evaluation.measures import MEASURES
from pipeline.artifacts.assessments import references_file
from pipeline.commands import assess_folder
from pipeline.runtime import files
from pipeline.stages import configure, features, references


@pytest.fixture
def ready(digits: Any) -> Any:
    """Digits with features and references."""
    raw = digits.root / "data/raw/digits"
    raw.mkdir(parents=True)
    Digits("digits").fetch(raw, [], print, None)  # type: ignore[arg-type]
    configure.main()
    features.main("digits")
    references.main("digits")
    return digits


def pixels(n: int) -> np.ndarray:
    """uint8 [n, 64]"""
    return np.random.default_rng(1).integers(0, 256, (n, 64), np.uint8)


def data(shape: tuple[int, int, int] = (1, 8, 8), norm: float | None = None) -> Dataset:
    images = torch.zeros(1, int(np.prod(shape)))
    return Dataset("digits", shape, images, images, images, contrast_norm=norm)


def test_training_images_in_an_array_are_called_copies_and_the_same_is_written(ready, tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", ready.dataset().train[:200].numpy())
    assess_folder.main(tmp_path / "mine.npz", "digits", tmp_path / "out.json")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= assess_folder.WIDTH
    assert "200 samples against digits" in text.replace("\n", " ")
    assert all(measure.title in text for measure in MEASURES)
    assert "Nearer than all but 1 % of those: 100.0%" in text.replace("\n", " ")
    content = files.read_json(tmp_path / "out.json")
    assert content["samples"]["copying"]["value"] < -3
    assert abs(content["held_out"]["copying"]["value"]) < 3


def test_few_samples_get_reasons(ready, tmp_path, capsys):
    np.save(tmp_path / "mine.npy", ready.dataset().test[:5].numpy())
    assess_folder.main(tmp_path / "mine.npy", "digits")
    assert "no value: the Fréchet distance needs 20 images, not 5" in capsys.readouterr().out


def test_without_features_or_references_what_makes_them_is_named(ready, tmp_path):
    np.save(tmp_path / "mine.npy", pixels(30))
    with pytest.raises(ParameterError, match="did you mean 'digits'"):
        assess_folder.main(tmp_path / "mine.npy", "digts")
    references_file("digits").unlink()
    with pytest.raises(DataError, match=r"references\.json is missing[\s\S]*dvc repro references@digits"):
        assess_folder.main(tmp_path / "mine.npy", "digits")


def test_samples_that_are_not_finite_are_refused(ready, tmp_path):
    np.save(tmp_path / "mine.npy", np.full((30, 64), np.nan))
    with pytest.raises(DataError, match=r"mine\.npy cannot be compared[\s\S]*finite numbers"):
        assess_folder.main(tmp_path / "mine.npy", "digits")


# What is read.

@pytest.mark.parametrize("shape", [(30, 64), (30, 8, 8), (30, 1, 8, 8), (30, 8, 8, 1)])
@pytest.mark.parametrize("scale", ["bytes", "floats"])
def test_arrays_of_every_usual_shape_are_the_same_samples(tmp_path, shape, scale):
    values = pixels(30).reshape(shape)
    np.save(tmp_path / "a.npy", values if scale == "bytes" else values / 255)
    found = assess_folder.read_samples(tmp_path / "a.npy", data())
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.from_numpy(pixels(30)).float() / 255)


def test_colours_may_come_last_and_contrast_is_normalised_as_the_data_are(tmp_path):
    values = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), np.uint8)
    np.save(tmp_path / "a.npy", values)
    found = assess_folder.read_samples(tmp_path / "a.npy", data((3, 8, 8), 55.0))
    assert torch.allclose(found.norm(dim=1), torch.full((4,), 55.0))
    plain = assess_folder.read_samples(tmp_path / "a.npy", data((3, 8, 8)))
    assert torch.allclose(plain.view(4, 3, 8, 8)[0, 2], torch.from_numpy(values[0, :, :, 2]).float() / 255)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_an_archive_of_images_is_scaled_to_the_datas_size(tmp_path, packed):
    folder = tmp_path / "mine"
    folder.mkdir()
    for row, values in enumerate(pixels(3).reshape(3, 8, 8)):
        Image.fromarray(values).save(folder / f"{row}.png")
    Image.new("RGB", (40, 24), (255, 0, 0)).save(folder / "larger.jpg")
    (folder / "notes.txt").write_text("")
    source = folder
    if packed:
        source = tmp_path / "mine.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
        shutil.rmtree(folder)
    found = assess_folder.read_samples(source, data())
    assert found.shape == (4, 64)
    assert torch.equal(found[:3], torch.from_numpy(pixels(3)).float() / 255)


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


@pytest.mark.parametrize(("case", "complaint"), [
    ("missing", "no such file"), ("text", "another kind of file"), ("no images", "holds no images"),
    ("damaged", r"broken\.png cannot be read"), ("pickle", "cannot be read"), ("two arrays", "2 arrays: a, b"),
    ("other size", r"does not hold samples of this data set[\s\S]*\[30, 63\]"), ("whole numbers", "int64"),
    ("cut off", "cannot be read")])
def test_what_cannot_be_used_is_refused_in_one_sentence(tmp_path, monkeypatch, case, complaint):
    monkeypatch.chdir(tmp_path)
    source = Path("mine.npy")
    match case:
        case "missing":
            source = Path("nowhere")
        case "text":
            source = Path("mine.txt")
            source.write_text("samples")
        case "no images":
            source = Path("mine")
            source.mkdir()
        case "damaged":
            source = Path("mine")
            source.mkdir()
            (source / "broken.png").write_bytes(b"no image")
        case "pickle":
            source.write_bytes(pickle.dumps(Malicious()))
        case "two arrays":
            source = Path("mine.npz")
            np.savez(source, a=pixels(3), b=pixels(3))
        case "other size":
            np.save(source, pixels(30)[:, 1:])
        case "whole numbers":
            np.save(source, pixels(30).astype(np.int64))
        case "cut off":
            np.save(source, pixels(30))
            source.write_bytes(source.read_bytes()[:-5])
    with pytest.raises(DataError, match=complaint):
        assess_folder.read_samples(source, data())
    assert not Path("unpickled").exists()
