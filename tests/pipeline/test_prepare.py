"""The prepare stage, and what its file must be for later stages."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from gan.datasets import SPLITS, digits
from gan.errors import DataError
from pipeline import download, files, prepare


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A repository with the raw files of digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GAN_DATA", raising=False)
    Path("params.yaml").write_text("datasets:\n  digits: {loader: digits}\n")
    download.main("digits")


def test_the_file_holds_what_the_contract_says():
    prepare.main("digits")
    path = prepare.prepared_file("digits")
    assert path == Path("data/prepared/digits.safetensors")
    tensors, about = files.read_tensors(path)
    assert about == {"name": "digits", "shape": [1, 8, 8], "divisor": 16}
    for split, images in digits.splits(download.raw_folder("digits")).items():
        assert tensors[split].dtype == torch.uint8
        assert torch.equal(tensors[split], images)


def test_a_second_run_gives_the_same_bytes(capsys):
    prepare.main("digits")
    first = prepare.prepared_file("digits").read_bytes()
    prepare.main("digits")
    assert prepare.prepared_file("digits").read_bytes() == first
    assert "1,197 train, 300 validation, 300 test images of 1×8×8" in capsys.readouterr().out


def test_the_data_set_is_read_in_its_scale():
    prepare.main("digits")
    dataset = prepare.read_dataset(prepare.prepared_file("digits"))
    assert (dataset.name, dataset.shape) == ("digits", (1, 8, 8))
    for split, images in digits.splits(download.raw_folder("digits")).items():
        read = getattr(dataset, split)
        assert read.dtype == torch.float32
        assert torch.equal(read, images.float() / 16)
        assert (read.min(), read.max()) == (0, 1)


def test_altered_raw_files_are_not_prepared():
    raw = download.raw_folder("digits") / digits.FILE
    raw.write_bytes(raw.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match=r"not the digits[\s\S]*delete data/raw/digits and run the same command"):
        prepare.main("digits")
    raw.unlink()
    with pytest.raises(DataError, match=r"lacks digits\.npy"):
        prepare.main("digits")
    assert not prepare.prepared_file("digits").exists()


def test_raw_files_are_verified_before_they_are_read(monkeypatch):
    def refuse(folder):
        raise DataError(f"{folder} was altered")
    monkeypatch.setattr(digits, "verify", refuse)
    with pytest.raises(DataError, match="data/raw/digits was altered"):
        prepare.main("digits")
    assert not prepare.prepared_file("digits").exists()


def test_a_loader_that_breaks_its_promise_is_noticed(monkeypatch):
    splits = digits.splits(download.raw_folder("digits"))
    monkeypatch.setattr(digits, "splits", lambda folder: {**splits, "test": splits["test"][:, 1:]})
    with pytest.raises(DataError, match=r"uint8 or float32 \[n, 64\] in test[\s\S]*\[300, 63\]"):
        prepare.main("digits")
    assert not prepare.prepared_file("digits").exists()


ABOUT = {"name": "toy", "shape": [1, 2, 2], "divisor": 4}


def write(path: Path, about=ABOUT, **changed: torch.Tensor | None) -> Path:
    splits = {split: torch.arange(8, dtype=torch.uint8).reshape(2, 4) // 2 for split in SPLITS} | changed
    files.write_tensors(path, {split: images for split, images in splits.items() if images is not None}, about)
    return path


def test_float32_splits_are_read_too(tmp_path):
    images = torch.tensor([[0.0, 1.0, 2.5, 4.0]])
    assert prepare.read_dataset(write(tmp_path / "toy", train=images)).train.tolist() == [[0, 0.25, 0.625, 1]]


@pytest.mark.parametrize(("changed", "complaint"), [
    ({"test": None}, "expected: train, validation, test"),
    ({"extra": torch.zeros(1, 4)}, "found: extra, test"),
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
        prepare.read_dataset(path)


@pytest.mark.parametrize("wrong", [
    {}, {"name": 3}, {"shape": None}, {"shape": [2, 2]}, {"shape": [1, 2, -2]}, {"shape": [1, 2, 2.0]},
    {"divisor": 0}, {"divisor": "4"},
])
def test_wrong_headers_are_refused(tmp_path, wrong):
    about = {**ABOUT, **wrong} if wrong else {}
    with pytest.raises(DataError, match="expected: a header with name"):
        prepare.read_dataset(write(tmp_path / "toy", about))


def test_missing_torn_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        prepare.read_dataset(tmp_path / "nowhere")
    path = write(tmp_path / "toy")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="cannot be read"):
        prepare.read_dataset(path)
    torch.save({"train": torch.zeros(1, 4)}, path)
    with pytest.raises(DataError, match="cannot be read"):
        prepare.read_dataset(path)
    path.write_bytes(safetensors.torch.save({"train": torch.zeros(1, 4)}, {"about": json.dumps({})}))
    with pytest.raises(DataError, match="header"):
        prepare.read_dataset(path)
