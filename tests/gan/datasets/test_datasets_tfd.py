"""Faces in the layout of the Toronto Face Database, in files made here."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from gan.datasets import tfd
from gan.datasets.registry import Tfd
from gan.errors import DataError

FACES = Tfd("tfd", "faces.mat")
FOLDS = np.array([[0, 0, 0, 0, 0], [1, 1, 3, 1, 2], [2, 3, 1, 3, 1], [0, 0, 0, 0, 0], [3, 2, 2, 2, 3], [0, 0, 0, 0, 0],
                  [2, 2, 1, 1, 3], [1, 0, 1, 1, 1]], np.uint8)
IMAGES = np.random.default_rng(0).integers(0, 256, (len(FOLDS), 48, 48), np.uint8)


def mat(compressed: bool = True, **variables) -> bytes:
    buffer = io.BytesIO()
    content = {"images": IMAGES, "labs_ex": np.zeros((len(FOLDS), 1), np.int16), "folds": FOLDS} | variables
    scipy.io.savemat(buffer, {name: value for name, value in content.items() if value is not None},
                     do_compression=compressed)
    return buffer.getvalue()


def silent(what, total, unit):
    raise AssertionError("nothing here takes long")


def put(folder: Path, content: bytes, name: str = FACES.file) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("place", ["", "tfd", "TFD"])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_file_is_copied_from_a_named_folder(tmp_path, raw, place, compressed):
    mine, empty = put(tmp_path / "mine" / place, mat(compressed)), tmp_path / "empty"
    empty.mkdir()
    said = []
    local = [empty, tmp_path / "mine"]
    assert FACES.availability(local).state == "found"
    assert FACES.fetch(raw, local, said.append, silent) == f"{tmp_path / 'mine'} (from GAN_DATA)"
    assert said == [f"faces.mat: {empty} (from GAN_DATA): does not hold faces.mat; passed over"]
    FACES.verify(raw)
    assert (raw / "faces.mat").read_bytes() == (mine / "faces.mat").read_bytes()


def test_each_fold_has_its_validation_and_test_images(raw):
    splits = FACES.splits(put(raw, mat()))
    flat = IMAGES.reshape(len(IMAGES), -1)
    assert np.array_equal(splits["train"], flat[[0, 3, 5]])
    for split, code in (("validation", 2), ("test", 3)):
        for fold in range(5):
            rows = splits[f"{split}_fold"] == fold
            assert np.array_equal(splits[split][rows], flat[np.equal(FOLDS[:, fold], code)])
        assert splits[f"{split}_fold"].tolist() == sorted(splits[f"{split}_fold"].tolist())
        assert len(splits[split]) == len(splits[f"{split}_fold"]) == np.equal(FOLDS, code).sum()
    assert {str(tensor.dtype) for tensor in splits.values()} == {"torch.uint8"}


def test_sizes_are_read_from_the_file_where_it_is(tmp_path, raw):
    expected = {"train": 3, "validation": int((FOLDS == 2).sum()), "test": int((FOLDS == 3).sum())}
    assert FACES.sizes(raw, []) == {"train": 0, "validation": 0, "test": 0}
    assert Tfd("tfd").sizes(raw, []) == {"train": 98_058, "validation": 2_090, "test": 4_180}
    mine = put(tmp_path / "mine/tfd", mat()).parent
    assert FACES.sizes(raw, [tmp_path, mine]) == expected
    assert FACES.sizes(put(raw, mat()), []) == expected


def test_without_the_file_the_cure_is_told(tmp_path, raw):
    for local, detail in (([], "faces.mat is in no folder of GAN_DATA"), ([tmp_path], "does not hold faces.mat")):
        nowhere = FACES.availability(local)
        assert nowhere.state == "unavailable"
        assert detail in nowhere.detail
        assert "put faces.mat in a folder and name it: GAN_DATA=/path/to/folder make reproduce" in nowhere.remedy
        assert "TFD" not in nowhere.detail + nowhere.remedy  # other faces are not the Toronto Face Database
    with pytest.raises(DataError, match=r"no source has faces\.mat[\s\S]*GAN_DATA=/path/to/folder"):
        FACES.fetch(raw, [tmp_path], print, silent)
    official = Tfd("tfd").availability([])
    assert official.state == "unavailable"
    assert "ask its owners" in official.remedy
    assert "put TFD_48x48.mat in a folder" in official.remedy


CODES = np.where(FOLDS == 3, 7, FOLDS).astype(np.uint8)
ALL_LABELED = np.where((FOLDS == 0).all(1, keepdims=True), 1, FOLDS).astype(np.uint8)


def fold_without(code: int) -> np.ndarray:
    folds = FOLDS.copy()
    folds[folds[:, 3] == code, 3] = 1
    return folds


@pytest.mark.parametrize(("content", "complaint"), [
    (mat(images=None), "lacks the variable images; it holds labs_ex, folds"),
    (mat(folds=None), "lacks the variable folds; it holds images, labs_ex"),
    (mat(images=None, folds=None, labs_ex=None), "lacks the variable images; it holds none"),
    (mat(images=IMAGES / 255), "images is double 8×48×48, not uint8 N×48×48"),
    (mat(images=IMAGES[:, :47]), "images is uint8 8×47×48, not uint8 N×48×48"),
    (mat(images=IMAGES.reshape(8, -1)), "images is uint8 8×2304, not"),
    (mat(images=IMAGES[0, 0, 0]), "images is uint8 1×1, not"),
    (mat(images="images"), "images is char 1, not"),
    (mat(images={"a": 1}), "images is struct 1×1, not"),
    (mat(folds=FOLDS.astype(float)), "folds is double 8×5, not uint8 8×5"),
    (mat(folds=FOLDS[:, :4]), "folds is uint8 8×4, not uint8 8×5"),
    (mat(folds=FOLDS[:-1]), "folds is uint8 7×5, not uint8 8×5"),
    (mat(folds=CODES), "folds holds other codes than 0, 1, 2 and 3: 7"),
    (mat(folds=ALL_LABELED), "no image is unlabeled"),
    (mat(folds=fold_without(2)), r"no validation image \(2\) in fold 4"),
    (mat(folds=fold_without(3)), r"no test image \(3\) in fold 4"),
    (mat(images=IMAGES[:0], folds=FOLDS[:0]), "no image is unlabeled|not uint8"),
    (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(99), "version 7.3"),
    (b"\x89HDF\r\n\x1a\n" + bytes(99), "version 7.3"),
    (b"", "is not a MATLAB file"), (bytes(4096), "is not a MATLAB file"), (b"PK\x03\x04".ljust(999), "not a MATLAB"),
    (b"MATLAB 5.0 MAT-file".ljust(60), "cannot be read to its end"),
    *((mat(compressed)[:-cut], "cannot be read to its end|lacks the variable")
      for compressed in (True, False) for cut in (1, 30, 150, 12_000)),
])
def test_another_file_is_refused(tmp_path, raw, content, complaint):
    mine = put(tmp_path / "mine", content)
    assert FACES.availability([mine]).state == "unavailable" or complaint.startswith("cannot")
    with pytest.raises(DataError, match=rf"no source has faces\.mat[\s\S]*faces\.mat.*({complaint})"):
        FACES.fetch(raw, [mine], print, silent)
    with pytest.raises(DataError, match=rf"raw: faces\.mat.*({complaint})[\s\S]*delete {re.escape(str(raw))} and run"):
        FACES.verify(put(raw, content))
    with pytest.raises(DataError):
        FACES.splits(raw)


def test_a_file_beyond_the_limits_is_not_read(raw, monkeypatch):
    put(raw, mat())
    monkeypatch.setattr(tfd, "IMAGES_LIMIT", 7)
    with pytest.raises(DataError, match="holds more than 7 images"):
        FACES.verify(raw)
    monkeypatch.setattr(tfd, "BYTES_LIMIT", 1000)
    with pytest.raises(DataError, match="is larger than 1,000 bytes"):
        FACES.verify(raw)


def test_a_stray_or_missing_raw_file_is_told(raw):
    with pytest.raises(DataError, match=r"lacks faces\.mat"):
        FACES.verify(raw)
    put(put(raw, mat()), b"", "notes.txt")
    with pytest.raises(DataError, match="holds more than the raw files"):
        FACES.verify(raw)
