"""The prepare stage, and what its file must be for later stages."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from gan.datasets import digits
from gan.datasets.contrast import normalize_contrast
from gan.datasets.dataset import SPLITS
from gan.datasets.registry import Digits
from gan.errors import DataError
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.raw import raw_folder
from pipeline.runtime import files, machine
from pipeline.settings.parameters import FILE as PARAMETERS
from pipeline.settings.plan import Plan
from pipeline.stages import configure, download, prepare

DIGITS = Digits("digits")


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A repository with the raw files of digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GAN_DATA", raising=False)
    shutil.copy(Path(prepare.__file__).parents[2] / PARAMETERS, tmp_path)
    Plan(["digits"]).write()
    configure.main()
    download.main("digits")


def test_the_file_holds_what_the_contract_says():
    prepare.main("digits")
    path = prepared_file("digits")
    assert path == Path("data/prepared/digits.safetensors")
    tensors, about = files.read_tensors(path)
    assert about == {"name": "digits", "shape": [1, 8, 8], "divisor": 16}
    for split, images in DIGITS.splits(raw_folder("digits")).items():
        assert tensors[split].dtype == torch.uint8
        assert torch.equal(tensors[split], images)


def test_a_second_run_gives_the_same_bytes(capsys):
    prepare.main("digits")
    first = prepared_file("digits").read_bytes()
    prepare.main("digits")
    assert prepared_file("digits").read_bytes() == first
    assert "1,197 train, 300 validation, 300 test images of 1×8×8" in capsys.readouterr().out


def test_the_data_set_is_read_in_its_scale():
    prepare.main("digits")
    dataset = read_dataset(prepared_file("digits"))
    assert (dataset.name, dataset.shape) == ("digits", (1, 8, 8))
    for split, images in DIGITS.splits(raw_folder("digits")).items():
        read = getattr(dataset, split)
        assert read.dtype == torch.float32
        assert torch.equal(read, images.float() / 16)
        assert (read.min(), read.max()) == (0, 1)


def test_altered_raw_files_are_not_prepared():
    raw = raw_folder("digits") / digits.FILE
    raw.write_bytes(raw.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match=r"not the digits[\s\S]*delete data/raw/digits and run the same command"):
        prepare.main("digits")
    raw.unlink()
    with pytest.raises(DataError, match=r"lacks digits\.npy"):
        prepare.main("digits")
    assert not prepared_file("digits").exists()


def test_raw_files_are_verified_before_they_are_read(monkeypatch):
    def refuse(loader, folder):
        raise DataError(f"{folder} was altered")
    monkeypatch.setattr(Digits, "verify", refuse)
    with pytest.raises(DataError, match="data/raw/digits was altered"):
        prepare.main("digits")
    assert not prepared_file("digits").exists()


def test_a_loader_that_breaks_its_promise_is_noticed(monkeypatch):
    splits = DIGITS.splits(raw_folder("digits"))
    monkeypatch.setattr(Digits, "splits", lambda loader, folder: {**splits, "test": splits["test"][:, 1:]})
    with pytest.raises(DataError, match=r"uint8 or float32 \[n, 64\] in test[\s\S]*\[300, 63\]"):
        prepare.main("digits")
    assert not prepared_file("digits").exists()


# --- Duplicates ---


def prepare_images(monkeypatch, train, validation, test, shape=(1, 1, 3), contrast_norm=None):
    """The stage over images of these pixels, and the data set that it made."""
    splits = {name: torch.tensor(images, dtype=torch.uint8)
              for name, images in (("train", train), ("validation", validation), ("test", test))}
    for name, value in (("shape", shape), ("contrast_norm", contrast_norm), ("splits", lambda loader, folder: splits)):
        monkeypatch.setattr(Digits, name, value)
    prepare.main("digits")
    return read_dataset(prepared_file("digits"))


A, B, C, D = [1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 2, 4]


def test_images_that_are_also_trained_on_are_counted(monkeypatch, capsys):
    dataset = prepare_images(monkeypatch, [A, B, A, A], [C, B], [A, A, D, B])
    assert dataset.duplicates == {"train": 2, "validation": 1, "test": 3}
    assert capsys.readouterr().out.splitlines()[-1] == (
        "digits: 1 validation image is also among the training images; "
        "3 test images are also among the training images; 2 training images are copies of others")


def test_copies_among_test_images_are_not_counted(monkeypatch, capsys):
    dataset = prepare_images(monkeypatch, [A, B], [C], [D, D, C])
    assert dataset.duplicates == {}
    assert "among" not in capsys.readouterr().out


# --- Contrast ---


def test_normalized_images_are_kept_as_they_were_and_read_in_their_scale(monkeypatch):
    constant, images = [[9, 9, 9]], [A, [0, 255, 7]]
    dataset = prepare_images(monkeypatch, images, constant, images, contrast_norm=55.0)
    tensors, about = files.read_tensors(prepared_file("digits"))
    assert tensors["train"].tolist() == images
    assert tensors["train"].dtype == torch.uint8
    assert about == {"name": "digits", "shape": [1, 1, 3], "divisor": 16, "contrast_norm": 55.0,
                     "duplicates": {"test": 2}}
    assert dataset.contrast_norm == 55
    assert torch.equal(dataset.train, normalize_contrast(torch.tensor(images), 55))
    assert np.allclose(dataset.train.norm(dim=1), 55)
    assert dataset.validation.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_that_normalize_to_no_numbers_are_refused(tmp_path, value):
    images = torch.tensor([[0, 1, value, 2]])
    with pytest.raises(DataError, match="expected: finite values"):
        read_dataset(write(tmp_path / "toy", {**ABOUT, "contrast_norm": 55}, test=images))


# --- Folds ---


def test_folds_are_kept_and_told(monkeypatch, capsys):
    images = torch.arange(4, dtype=torch.uint8)[:, None]
    splits = {"train": images, "validation": images[:3].clone(), "validation_fold": bytes_tensor(0, 1, 1),
              "test": images.clone(), "test_fold": bytes_tensor(0, 0, 0, 1)}
    monkeypatch.setattr(Digits, "shape", (1, 1, 1))
    monkeypatch.setattr(Digits, "splits", lambda loader, folder: splits)
    prepare.main("digits")
    assert "4 train, 3 validation, 4 test images of 1×1×1, 2 folds in data" in capsys.readouterr().out
    dataset = read_dataset(prepared_file("digits"))
    assert [(len(validation), len(test)) for validation, test in dataset.folds()] == [(1, 3), (2, 1)]


# --- The file ---

ABOUT = {"name": "toy", "shape": [1, 2, 2], "divisor": 4}


def bytes_tensor(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8)


def write(path: Path, about=ABOUT, **changed: torch.Tensor | None) -> Path:
    splits = {split: torch.arange(8, dtype=torch.uint8).reshape(2, 4) // 2 for split in SPLITS} | changed
    files.write_tensors(path, {split: images for split, images in splits.items() if images is not None}, about)
    return path


def test_a_set_larger_than_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = write(tmp_path / "toy")
    values = sum(split.numel() for split in files.read_tensors(path)[0].values())
    monkeypatch.setattr(machine, "memory", lambda: 5 * values)
    assert len(read_dataset(path).train)
    monkeypatch.setattr(machine, "memory", lambda: 5 * values - 1)
    with pytest.raises(DataError, match=r"toy, read whole, takes more memory than[\s\S]*images_per_class"):
        read_dataset(path)


def test_float32_splits_need_the_memory_that_they_take(tmp_path, monkeypatch):
    path = write(tmp_path / "toy", train=torch.zeros(100, 4))
    monkeypatch.setattr(machine, "memory", lambda: 8 * 400 + 5 * 16)
    assert len(read_dataset(path).train) == 100
    monkeypatch.setattr(machine, "memory", lambda: 8 * 400 + 5 * 16 - 1)
    with pytest.raises(DataError, match="takes more memory than"):
        read_dataset(path)


def test_float32_splits_are_read_too(tmp_path):
    images = torch.tensor([[0.0, 1.0, 2.5, 4.0]])
    assert read_dataset(write(tmp_path / "toy", train=images)).train.tolist() == [[0, 0.25, 0.625, 1]]


def test_folds_are_read_with_the_images(tmp_path):
    folds = {"validation_fold": bytes_tensor(0, 1), "test_fold": bytes_tensor(0, 1)}
    dataset = read_dataset(write(tmp_path / "toy", **folds))
    assert [(validation.tolist(), test.tolist()) for validation, test in dataset.folds()] == [
        ([[0, 0, 0.25, 0.25]],) * 2, ([[0.5, 0.5, 0.75, 0.75]],) * 2]


@pytest.mark.parametrize(("changed", "complaint"), [
    ({"test": None}, "expected: train, validation, test"),
    ({"extra": torch.zeros(1, 4)}, "found: extra, test"),
    ({"test_fold": bytes_tensor(0, 0)}, r"expected: uint8 \[2\] in validation_fold"),
    ({"validation_fold": bytes_tensor(0, 0), "test_fold": bytes_tensor(0)}, r"uint8 \[2\] in test_fold"),
    ({"validation_fold": bytes_tensor(0, 0), "test_fold": torch.zeros(2)}, r"uint8 \[2\] in test_fold"),
    ({"validation_fold": bytes_tensor(0, 0), "test_fold": bytes_tensor(0, 1)}, "one after another"),
    ({"validation_fold": bytes_tensor(1, 0), "test_fold": bytes_tensor(1, 0)}, "one after another"),
    ({"validation_fold": bytes_tensor(1, 2), "test_fold": bytes_tensor(1, 2)}, "one after another"),
    ({"test": torch.zeros(2, 3)}, r"\[n, 4\] in test"),
    ({"test": torch.zeros(0, 4)}, r"\[n, 4\] in test"),
    ({"test": torch.zeros(4)}, r"\[n, 4\] in test"),
    ({"test": torch.zeros(1, 4, dtype=torch.int64)}, "int64"),
    ({"test": torch.full((1, 4), 5, dtype=torch.uint8)}, "values from 0 to 1"),
    ({"test": torch.tensor([[0.0, 1, -1, 2]])}, "values from 0 to 1"),
    ({"test": torch.tensor([[0.0, 1, float("nan"), 2]])}, "found: nan to nan in test"),
    ({"test": torch.tensor([[0.0, 1, float("inf"), 2]])}, "found: 0 to inf in test"),
])
def test_wrong_tensors_are_refused(tmp_path, changed, complaint):
    path = write(tmp_path / "toy", **changed)
    with pytest.raises(DataError, match=rf"toy is not a prepared data set[\s\S]*{complaint}[\s\S]*dvc repro"):
        read_dataset(path)


@pytest.mark.parametrize("wrong", [
    {}, {"name": 3}, {"shape": None}, {"shape": [2, 2]}, {"shape": [1, 2, -2]}, {"shape": [1, 2, 2.0]},
    {"divisor": 0}, {"divisor": "4"}, {"contrast_norm": 0}, {"contrast_norm": "55"}, {"duplicates": None},
    {"duplicates": {"test": "3"}}, {"duplicates": {"other": 3}},
])
def test_wrong_headers_are_refused(tmp_path, wrong):
    about = {**ABOUT, **wrong} if wrong else {}
    with pytest.raises(DataError, match="expected: a header with name"):
        read_dataset(write(tmp_path / "toy", about))


def test_missing_torn_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        read_dataset(tmp_path / "nowhere")
    path = write(tmp_path / "toy")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="cannot be read"):
        read_dataset(path)
    torch.save({"train": torch.zeros(1, 4)}, path)
    with pytest.raises(DataError, match="cannot be read"):
        read_dataset(path)
    path.write_bytes(safetensors.torch.save({"train": torch.zeros(1, 4)}, {"about": json.dumps({})}))
    with pytest.raises(DataError, match="header"):
        read_dataset(path)
