"""MNIST, digits and what loaders share. Downloads as a whole are in tests/pipeline/test_download.py."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pickle
import time
import zipfile
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import Field, TypeAdapter, ValidationError

from gan.datasets import digits, mnist, sources
from gan.datasets.contrast import normalize_contrast
from gan.datasets.dataset import SPLITS, Dataset
from gan.datasets.registry import LOADERS, DatasetSettings, Digits, Mnist
from gan.errors import DataError, SourceUnavailable


def silent(what, total, unit):
    raise AssertionError("nothing here takes long")


# --- Settings ---

FOLDER = {"loader": "image_folder", "folder": "photos", "size": 8, "channels": 3, "validation": 0.1, "test": 0.2,
          "seed": 1}
ENTRIES = [{"loader": "mnist"}, {"loader": "digits"}, {"loader": "cifar10", "contrast_norm": 55},
           {"loader": "cifar10", "contrast_norm": None}, {"loader": "tfd"}, {"loader": "tfd", "file": "faces.mat"},
           FOLDER, {**FOLDER, "channels": 1, "contrast_norm": 20.5},
           {**FOLDER, "loader": "class_folders", "images_per_class": 100}]


def read_entry(entry):
    """As pipeline.settings.parameters does."""
    adapter = TypeAdapter(Annotated[DatasetSettings, Field(discriminator="loader")])
    return adapter.validate_json(json.dumps(entry), strict=True)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_the_parameters_is_the_loader(entry):
    loader = read_entry(entry)
    assert {name: getattr(loader, name) for name in entry} == entry
    assert len(loader.shape) == 3
    assert loader.divisor > 0
    assert loader.contrast_norm == entry.get("contrast_norm")


def test_every_loader_is_named():
    assert {entry["loader"] for entry in ENTRIES} == set(LOADERS)
    assert len(LOADERS) == len(get_args(DatasetSettings))


@pytest.mark.parametrize(("entry", "complaint"), [
    ({"loader": "mnist", "contrast_norm": 55}, "Unexpected keyword argument"),
    ({"loader": "mnsit"}, "does not match any of the expected tags"),
    ({"loader": "cifar10"}, "contrast_norm\n  Field required"),
    ({"loader": "cifar10", "contrast_norm": 0}, "contrast_norm must be positive or null, not 0"),
    ({"loader": "cifar10", "contrast_norm": float("inf")}, "contrast_norm must be positive"),
    ({"loader": "cifar10", "contrast_norm": "55"}, "valid number"),
    *(({"loader": "tfd", "file": file}, "name of a .mat file") for file in ("../a.mat", "a/b.mat", "/a.mat", "a", "")),
    *(({**FOLDER, "folder": name}, "name of a folder") for name in ("..", "../a", "/a", "a/b", "a\\b", "", "C:")),
    *(({**FOLDER, "size": size}, "from 1 to 1024") for size in (0, -3, 1025)),
    *(({**FOLDER, "channels": channels}, "1 or 3") for channels in (2, 4, "3")),
    *(({**FOLDER, "test": test}, "between 0 and 1") for test in (0, 1, -0.5, 2, float("nan"))),
    ({**FOLDER, "validation": 0.8}, "leave images to train on"),
    *(({**FOLDER, "seed": seed}, "seed must be from 0") for seed in (-1, 2**32)),
    ({**FOLDER, "contrast_norm": -1}, "contrast_norm must be positive"),
])
def test_values_out_of_range_are_refused(entry, complaint):
    with pytest.raises(ValidationError, match=complaint):
        read_entry(entry)


# --- Data sets ---


def test_folds_are_pairs_of_validation_and_test_images():
    images = torch.arange(6.0).reshape(6, 1)
    shape = (1, 1, 1)
    dataset = Dataset("a", shape, images, images[:2], images[2:])
    assert [(len(validation), len(test)) for validation, test in dataset.folds()] == [(2, 4)]
    folded = Dataset("a", shape, images, images[:3], images[2:], torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1, 1]))
    assert [(validation.flatten().tolist(), test.flatten().tolist()) for validation, test in folded.folds()] == [
        ([0, 1], [2]), ([2], [3, 4, 5])]


def test_the_scale_in_words():
    images = torch.zeros(1, 1)
    assert Dataset("a", (1, 1, 1), images, images, images).scale == "[0, 1]"
    assert Dataset("a", (1, 1, 1), images, images, images, contrast_norm=55.0).scale == (
        "each image: mean 0, L2 norm 55")


# --- Global contrast normalisation ---


def normalized_in_numpy(images, norm):
    """The formula of pylearn2's global_contrast_normalize, one image at a time."""
    rows = []
    for image in images.astype(np.float64):
        centred = image - image.mean()
        divisor = np.sqrt((centred**2).sum()) / norm
        rows.append(centred if divisor < 1e-8 else centred / divisor)
    return np.array(rows)


@settings(deadline=None)
@given(images=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 20))), norm=st.sampled_from([1, 55.0, 300]))
def test_contrast_is_normalized_as_in_pylearn2(images, norm):
    found = normalize_contrast(torch.from_numpy(images), norm)
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), normalized_in_numpy(images, norm), rtol=1e-6, atol=1e-6 * norm)


def test_normalized_images_have_the_norm_in_every_block(monkeypatch):
    monkeypatch.setattr("gan.datasets.contrast._BLOCK", 3)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8))
    found = normalize_contrast(images, 55)
    assert torch.allclose(found.norm(dim=1), torch.tensor(55.0), rtol=1e-6)
    assert found.mean(1).abs().max() < 1e-6
    assert torch.equal(found[4:5], normalize_contrast(images[4:5], 55))


@pytest.mark.parametrize("value", [0, 37, 255])
def test_a_constant_image_becomes_zero(value):
    assert not normalize_contrast(torch.full((2, 3072), value, dtype=torch.uint8), 55).any()


# --- IDX ---


@settings(deadline=None)
@given(values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)))
def test_idx_files_read_back_as_written(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("idx") / "values"
    path.write_bytes(mnist.idx_bytes(values))
    read = mnist.read_idx(path)
    assert read.dtype == np.uint8
    assert read.shape == values.shape
    assert np.array_equal(read, values)


@settings(deadline=None)
@given(content=st.binary(max_size=64))
def test_any_other_file_is_refused_as_idx_or_is_one(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "values"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert mnist.idx_bytes(mnist.read_idx(path)) == content


def test_idx_holds_the_official_header():
    assert mnist.idx_bytes(np.zeros((2, 28, 28), np.uint8))[:16].hex() == "00000803" "00000002" "0000001c" "0000001c"


def test_missing_idx_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere cannot be read \(No such file"):
        mnist.read_idx(tmp_path / "nowhere")


# --- Splits ---


def test_mnist_keeps_the_last_training_images_for_validation(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "VALIDATION_IMAGES", 2)
    training, test = np.random.default_rng(0).integers(0, 256, (2, 5, 28, 28), np.uint8)
    (tmp_path / mnist.TRAINING_IMAGES_FILE).write_bytes(mnist.idx_bytes(training))
    (tmp_path / mnist.TEST_IMAGES_FILE).write_bytes(mnist.idx_bytes(test))
    splits = Mnist("mnist").splits(tmp_path)
    assert np.array_equal(splits["train"].numpy(), training[:3].reshape(3, 784))
    assert np.array_equal(splits["validation"].numpy(), training[3:].reshape(2, 784))
    assert np.array_equal(splits["test"].numpy(), test.reshape(5, 784))


@pytest.mark.parametrize(("shape", "complaint"), [((2, 28, 28), "too few images"), ((5, 27, 28), "MNIST images")])
def test_mnist_of_another_shape_is_refused(tmp_path, monkeypatch, shape, complaint):
    monkeypatch.setattr(mnist, "VALIDATION_IMAGES", 2)
    for name in (mnist.TRAINING_IMAGES_FILE, mnist.TEST_IMAGES_FILE):
        (tmp_path / name).write_bytes(mnist.idx_bytes(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match=complaint):
        Mnist("mnist").splits(tmp_path)


DIGITS = Digits("digits")


@pytest.fixture
def digits_folder(tmp_path):
    DIGITS.fetch(tmp_path, [], print, silent)
    return tmp_path


def test_digits_are_scikit_learns_and_split_once_and_for_all(digits_folder):
    from sklearn.datasets import load_digits

    splits = DIGITS.splits(digits_folder)
    assert [tuple(splits[split].shape) for split in SPLITS] == [(1197, 64), (300, 64), (300, 64)]
    assert DIGITS.sizes(digits_folder, []) == {split: len(splits[split]) for split in SPLITS}
    together = torch.cat([splits[split] for split in SPLITS]).numpy()
    assert sorted(map(tuple, together)) == sorted(map(tuple, load_digits().data.astype(np.uint8)))
    assert hashlib.sha256(together.tobytes()).hexdigest() == (
        "3fad02b1199554de87c7d9f628ebde14ce4bf422978eb11612989e9c77e13927")


def test_digits_are_written_the_same_to_the_byte(digits_folder, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    DIGITS.fetch(again, [], print, silent)
    assert (again / digits.FILE).read_bytes() == (digits_folder / digits.FILE).read_bytes()


def test_altered_digits_are_refused(digits_folder):
    path = digits_folder / digits.FILE
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(DataError, match="not the digits"):
        DIGITS.splits(digits_folder)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"digits\.npy cannot be read"):
        DIGITS.verify(digits_folder)
    path.unlink()
    with pytest.raises(DataError, match=r"lacks digits\.npy"):
        DIGITS.verify(digits_folder)


def test_digits_that_hold_a_pickle_are_not_loaded(digits_folder, tmp_path_factory):
    marker = tmp_path_factory.mktemp("outside") / "executed"
    np.save(digits_folder / digits.FILE, np.array([Payload(os.mkdir, str(marker))]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        DIGITS.verify(digits_folder)
    assert not marker.exists()


# --- Streams that are not what they say ---

PINNED = sources.PinnedFile("file", 10, hashlib.sha256(b"0123456789").hexdigest())


@pytest.mark.parametrize(("content", "complaint"), [
    (b"", "truncated: 0 of 10"), (b"012345678", "truncated: 9 of 10"), (b"0123456789a", "larger than the true file"),
    (b"0123456780", "wrong SHA-256"),
])
def test_only_the_pinned_content_counts(content, complaint):
    sources.copy_pinned(io.BytesIO(b"0123456789"), PINNED)
    with pytest.raises(DataError, match=complaint):
        sources.copy_pinned(io.BytesIO(content), PINNED)


def test_a_decompression_bomb_is_not_written():
    bomb, written = io.BytesIO(gzip.compress(bytes(200 << 20), 1)), []
    with pytest.raises(DataError, match="larger than the true file"):
        sources.copy_pinned(gzip.GzipFile(fileobj=bomb), PINNED, written.append)
    assert written == []


def test_probing_ends_in_time_where_names_cannot_be_looked_up(monkeypatch):
    monkeypatch.setattr(sources, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr("socket.getaddrinfo", lambda *arguments, **options: time.sleep(5))
    start = time.monotonic()
    answers = sources.probe(["http://a.invalid/", "http://b.invalid/"])
    assert time.monotonic() - start < 2
    assert set(answers.values()) == {"no answer within 0.2 s"}


# --- Pickles from outside ---


class Payload:
    """Pickles as a call of `function`: what a malicious pickle does."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def unpickle(content: bytes):
    return sources.unpickle_arrays(sources.LimitedReader(io.BytesIO(content), "p", 1 << 20), "p")


def malicious_pickles(command: str) -> dict[str, bytes]:
    """The same command by the ways in which pickles call things."""
    text = command.encode()
    return {
        "reduce, protocol 2": pickle.dumps(Payload(os.system, command), 2),
        "reduce, protocol 5": pickle.dumps(Payload(os.system, command), 5),
        "eval": pickle.dumps(Payload(eval, f"__import__('os').system({command!r})"), 4),
        "inside an array": pickle.dumps(np.array([Payload(os.system, command)], object), 2),
        "old instance": b"(S'" + text + b"'\nios\nsystem\n.",
        "object": b"(cos\nsystem\nS'" + text + b"'\no.",
        "after an honest array": pickle.dumps((np.zeros(3, np.float32), Payload(os.system, command)), 3),
        "through a module of NumPy": (b"\x80\x04\x8c\x15numpy.lib._npyio_impl\x8c\x09os.system\x93(\x8c"
                                      + bytes([len(text)]) + text + b"tR."),
    }


@pytest.mark.parametrize("kind", sorted(malicious_pickles("")))
def test_a_pickle_with_code_runs_nothing(tmp_path, kind):
    marker = tmp_path / "executed"
    content = malicious_pickles(f"mkdir {marker}")[kind]
    pickle.loads(content)
    assert marker.exists(), "this pickle is harmless: it proves nothing"
    marker.rmdir()
    with pytest.raises(DataError):
        unpickle(content)
    assert not marker.exists()


def test_the_refused_name_is_told():
    with pytest.raises(DataError, match=r"asks for posix\.system"):
        unpickle(pickle.dumps(Payload(os.system, "true")))


@pytest.mark.parametrize("dtype", ["<f4", "<i8"])
def test_arrays_come_through(dtype):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    numpy_2 = pickle.dumps(array, 3)
    numpy_1 = numpy_2.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert numpy_1 != numpy_2
    for content in (numpy_1, numpy_2):
        assert np.array_equal(unpickle(content).array(), array)
        assert unpickle(content).array().dtype == array.dtype


@pytest.mark.parametrize("array", [np.array([{}], object), np.zeros(3, ">f4"), np.zeros(3, "f8"),
                                   np.asfortranarray(np.zeros((2, 2), np.float32)), np.array(["a"])])
def test_other_arrays_do_not(array):
    with pytest.raises(DataError, match="unexpected kind"):
        unpickle(pickle.dumps(array, 3)).array()


@pytest.mark.parametrize("state", [None, (), (1, (2**70,), "type", False, b"abcd"), (1, (9,), "type", False, b"abcd"),
                                   (1, (1,), "type", False, "abcd"), (1, (1,), None, False, b"abcd")])
def test_malformed_array_states_are_refused(state):
    dtype = sources._PickledDtype(b"f4")
    dtype.__setstate__((3, b"<"))
    array = sources.PickledArray()
    array.__setstate__(state and tuple(dtype if part == "type" else part for part in state))
    with pytest.raises(DataError):
        array.array()


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_unpickled_or_refused(content):
    with contextlib.suppress(DataError):
        unpickle(content + b".")


def test_few_bytes_do_not_take_gigabytes():
    assert unpickle(b"Nr\xff\xff\xff\x7f.") is None  # in C, a table of 2³¹ entries


def test_a_pickle_is_read_only_up_to_its_limit():
    with pytest.raises(DataError, match="more than 1,048,576 bytes"):
        unpickle(pickle.dumps(bytes(1 << 21), 4))


# --- Archives ---


def zip_file(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/tmp/outside", "..\\outside", "C:\\outside",
                                  "c:/outside"])
def test_archives_with_unsafe_names_are_refused(tmp_path, name):
    archive = zip_file(tmp_path / "a.whl", {name: b"x", "member": b"y"})
    with pytest.raises(DataError, match="unsafe name"), sources.open_member(archive, "member", 10):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.whl"]


def test_damaged_archives_are_refused(tmp_path):
    archive = zip_file(tmp_path / "a.whl", {"member": b"y" * 100})
    with pytest.raises(DataError, match="no member other"), sources.open_member(archive, "other", 10):
        pass
    archive.write_bytes(archive.read_bytes()[:50])
    with pytest.raises(DataError, match="cannot be read"), sources.open_member(archive, "member", 10):
        pass


def test_a_member_is_read_only_up_to_its_limit(tmp_path):
    archive = zip_file(tmp_path / "a.whl", {"m.gz": gzip.compress(bytes(1000))})
    with pytest.raises(DataError, match="more than 999 bytes"), sources.open_member(archive, "m.gz", 999) as stream:
        stream.read(2000)


# --- Choosing among sources ---


def source(name: str, remote: bool, trouble: str = "") -> sources.Source:
    def act(*arguments):
        if trouble:
            raise SourceUnavailable(trouble)
    return sources.Source(name, remote, act, act)


def test_availability_tells_found_downloadable_and_unavailable():
    def state(*offered, probe=True):
        return sources.first_available(offered, probe, "do this")

    assert state(source("a", False), source("b", True)) == sources.Availability("found", "a")
    assert state(source("a", False, "empty"), source("b", True)) == sources.Availability("downloadable", "b")
    nowhere = state(source("a", False, "empty"), source("b", True, "down"))
    assert nowhere == sources.Availability("unavailable", "a: empty; b: down", "do this")
    assert state(source("b", True, "down"), probe=False) == sources.Availability("downloadable", "b")


def test_digits_are_always_found():
    assert DIGITS.availability([]).state == "found"
