"""CIFAR-10 from archives and PNGs, with 20 training and 10 test images that stand for the 60,000."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from meter import Meter
from PIL import Image

from gan.datasets import cifar10, members
from gan.datasets.dataset import SPLITS
from gan.datasets.registry import Cifar10
from gan.datasets.sources import PinnedFile
from gan.errors import DataError

CIFAR10 = Cifar10("cifar10", 55.0)
PIXELS = {split: np.random.default_rng(len(split)).integers(0, 256, (n, 3072), np.uint8)
          for split, n in (("train", 20), ("test", 10))}
ROOT = "cifar-10-batches-bin"


def batch(split: str, rows: slice) -> bytes:
    """Images with their classes, which are their places modulo 10."""
    labels = np.arange(len(PIXELS[split]), dtype=np.uint8)[rows, None] % 10
    return np.hstack([labels, PIXELS[split][rows]]).tobytes()


BATCHES = {f"data_batch_{i + 1}.bin": batch("train", slice(4 * i, 4 * i + 4)) for i in range(5)}
BATCHES["test_batch.bin"] = batch("test", slice(None))


def tar_bytes(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tar_bytes({f"{ROOT}/readme.html": b"read me", **{f"{ROOT}/{name}": content
                                                          for name, content in BATCHES.items()}})


def pinned(name: str, content: bytes) -> PinnedFile:
    return PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())


def content_sha256(images: np.ndarray) -> str:
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(image.tobytes()).digest() for image in images))).hexdigest()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The tiny CIFAR-10, on a machine without a network."""
    monkeypatch.setattr(cifar10, "IMAGES", {split: len(images) for split, images in PIXELS.items()})
    monkeypatch.setattr(cifar10, "VALIDATION_IMAGES", 4)
    monkeypatch.setattr(cifar10, "ARCHIVE", pinned(cifar10.ARCHIVE.name, ARCHIVE))
    *training, test = (pinned(name, content) for name, content in BATCHES.items())
    monkeypatch.setattr(cifar10, "TRAINING_BATCHES", tuple(training))
    monkeypatch.setattr(cifar10, "TEST_BATCH", test)
    monkeypatch.setattr(cifar10, "CONTENT_SHA256", {split: content_sha256(images) for split, images in PIXELS.items()})
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")


@pytest.fixture
def fetch(tmp_path):
    """fetch(*folders) → the raw folder, the source and what was said; verified as the stage does."""
    def run(*folders: Path) -> tuple[Path, str, list[str]]:
        raw, said = Path(tempfile.mkdtemp(prefix="raw", dir=tmp_path)), []
        source = CIFAR10.fetch(raw, folders, said.append, Meter)
        CIFAR10.verify(raw)
        return raw, source, said
    return run


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.reshape(3, 32, 32).transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def pngs(classes=cifar10.CLASSES, name="image_{}.png") -> dict[str, bytes]:
    """Members in the usual layout: the images one class after another."""
    return {f"{split}/{classes[row % 10]}/{name.format(row)}": png(image)
            for split, images in PIXELS.items() for row, image in enumerate(images)}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def assert_official(raw: Path) -> None:
    splits = CIFAR10.splits(raw)
    assert list(splits) == list(SPLITS)
    assert np.array_equal(splits["train"], PIXELS["train"][:16])
    assert np.array_equal(splits["validation"], PIXELS["train"][16:])
    assert np.array_equal(splits["test"], PIXELS["test"])
    assert {split: labels.tolist() for split, labels in CIFAR10.labels(raw).items()} == {
        "train": [row % 10 for row in range(16)], "validation": [6, 7, 8, 9], "test": list(range(10))}


def assert_by_content(raw: Path) -> None:
    splits = CIFAR10.splits(raw)
    training = sorted(PIXELS["train"], key=lambda image: hashlib.sha256(image.tobytes()).digest())
    assert np.array_equal(splits["train"], training[:16])
    assert np.array_equal(splits["validation"], training[16:])
    assert [len(splits[split]) for split in SPLITS] == [16, 4, 10]
    own = {image.tobytes(): row % 10 for images in PIXELS.values() for row, image in enumerate(images)}
    labels = CIFAR10.labels(raw)
    for split in SPLITS:
        assert labels[split].tolist() == [own[image.numpy().tobytes()] for image in splits[split]]


# --- The official archive ---


@pytest.mark.parametrize("place", ["", "cifar10", "cifar-10", "CIFAR10"])
def test_the_archive_in_a_named_folder_gives_the_official_order(tmp_path, fetch, place):
    write_folder(tmp_path / "mine" / place, {cifar10.ARCHIVE.name: ARCHIVE})
    raw, source, said = fetch(tmp_path / "mine")
    assert_official(raw)
    assert source == f"{tmp_path / 'mine' / place / cifar10.ARCHIVE.name} (from GAN_DATA)"
    assert said[-1] == "cifar10: order: official"
    assert CIFAR10.availability([tmp_path / "mine"]).state == "found"


@pytest.mark.parametrize("place", ["", ROOT, f"cifar10/{ROOT}", "cifar10"])
def test_the_unpacked_archive_gives_the_same_bytes(tmp_path, fetch, place):
    write_folder(tmp_path / "packed", {cifar10.ARCHIVE.name: ARCHIVE})
    write_folder(tmp_path / "unpacked" / place, BATCHES)
    unpacked, *_ = fetch(tmp_path / "unpacked")
    packed, *_ = fetch(tmp_path / "packed")
    assert {path.name: path.read_bytes() for path in unpacked.iterdir()} == {
        path.name: path.read_bytes() for path in packed.iterdir()}
    assert CIFAR10.availability([tmp_path / "unpacked"]).state == "found"


@pytest.mark.parametrize(("content", "complaint"), [
    (ARCHIVE[:-100], "truncated: "), (ARCHIVE + b"x", "larger than the true file"), (b"", "truncated: 0 of"),
    (ARCHIVE[:-1] + bytes([ARCHIVE[-1] ^ 1]), "wrong SHA-256"),
])
def test_another_archive_is_passed_over_for_pngs(tmp_path, fetch, content, complaint):
    write_folder(tmp_path / "mine", {cifar10.ARCHIVE.name: content})
    assert complaint in CIFAR10.availability([tmp_path / "mine"]).detail
    with pytest.raises(DataError, match=f"no source has cifar10[\\s\\S]*{complaint}"):
        fetch(tmp_path / "mine")
    write_folder(tmp_path / "mine", pngs())
    raw, _, said = fetch(tmp_path / "mine")
    assert complaint in said[0]
    assert said[0].endswith("; passed over")
    assert_by_content(raw)


@pytest.mark.parametrize(("content", "complaint"), [
    (ARCHIVE[:len(ARCHIVE) // 2], "cannot be read"), (b"no archive at all", "cannot be read"),
    (tar_bytes(BATCHES), "lacks data_batch_1.bin, data_batch_2.bin"),
    (tar_bytes({f"{ROOT}/{name}": content for name, content in BATCHES.items() if name != "test_batch.bin"}),
     "lacks test_batch.bin"),
    (tar_bytes({f"{ROOT}/{name}": content[:-1] for name, content in BATCHES.items()}), "data_batch_1.bin is truncated"),
    (tar_bytes({f"{ROOT}/{name}": bytes(10 << 20) for name in BATCHES}), "data_batch_1.bin is larger"),
    (tar_bytes({f"../{ROOT}/{name}": content for name, content in BATCHES.items()}), "lacks"),
])
def test_an_archive_of_another_layout_is_refused_and_writes_nothing(tmp_path, fetch, monkeypatch, content, complaint):
    monkeypatch.setattr(cifar10, "ARCHIVE", pinned(cifar10.ARCHIVE.name, content))
    write_folder(tmp_path / "mine", {cifar10.ARCHIVE.name: content})
    with pytest.raises(DataError, match=complaint):
        fetch(tmp_path / "mine")
    assert not list(tmp_path.rglob("*.bin"))


def test_a_damaged_batch_is_named(tmp_path, fetch):
    write_folder(tmp_path / "mine", {**BATCHES, "data_batch_3.bin": BATCHES["data_batch_2.bin"]})
    with pytest.raises(DataError, match=r"data_batch_3\.bin has the wrong SHA-256"):
        fetch(tmp_path / "mine")
    (tmp_path / "mine" / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin cannot be opened"):
        fetch(tmp_path / "mine")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The official site, whose files are in this folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True).start()
        monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{server.server_port}/{cifar10.ARCHIVE.name}")
        yield folder
        server.shutdown()


def test_the_archive_is_downloaded(site, fetch):
    write_folder(site, {cifar10.ARCHIVE.name: ARCHIVE})
    assert CIFAR10.availability([]).state == "downloadable"
    raw, source, _ = fetch()
    assert source == cifar10.URL
    assert_official(raw)


def test_a_truncated_download_is_refused(site, fetch):
    write_folder(site, {cifar10.ARCHIVE.name: ARCHIVE[:-9]})
    with pytest.raises(DataError, match="truncated"):
        fetch()


def test_without_any_source_the_cure_is_told(tmp_path, fetch):
    nowhere = CIFAR10.availability([tmp_path])
    assert nowhere.state == "unavailable"
    assert "neither cifar-10-binary.tar.gz nor cifar-10-python.tar.gz, unpacked or not, nor PNGs" in nowhere.detail
    assert "http://127.0.0.1:9/cifar-10-binary.tar.gz: not reachable" in nowhere.detail
    assert "GAN_DATA=/path/to/folder make reproduce" in nowhere.remedy
    assert CIFAR10.availability([tmp_path], probe=False).state == "downloadable"
    with pytest.raises(DataError, match=r"not reachable[\s\S]*GAN_DATA=/path/to/folder"):
        fetch(tmp_path)


# --- PNGs ---


def halves(files: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    names = sorted(files)
    return tuple({name: files[name] for name in part} for part in (names[::2], names[1::2]))


def layouts(root: Path, case: str) -> None:
    first, second = halves(pngs())
    match case:
        case "train and test in the folder":
            write_folder(root, pngs())
        case "a folder beneath":
            write_folder(root / "CIFAR10", pngs())
        case "a folder beneath, nested, other class names and file names":
            classes = ("aeroplane", *cifar10.CLASSES[1:])
            write_folder(root / "cifar-10/images/all", pngs(classes, "{}-x.PNG"))
        case "zips that each hold a part":
            write_zip(root / "cifar10-a.zip", first)
            write_zip(root / "cifar10-b.zip", second)
        case "a zip with a folder around":
            write_zip(root / "my CIFAR-10.zip", {f"some/where/{name}": content for name, content in pngs().items()})
        case "a zip and a folder":
            write_zip(root / "cifar10/cifar.zip", first)
            write_folder(root / "cifar10", second)
        case "a zip named so and the rest in the folder itself":
            write_zip(root / "cifar10.zip", first)
            write_folder(root, second)
        case "the same twice, packed and unpacked":
            write_zip(root / "cifar10.zip", pngs())
            write_folder(root / "cifar10", pngs())
        case "beside other data sets":
            write_zip(root / "cifar10.zip", pngs())
            write_zip(root / "cifar100.zip", {f"train/apple/{i}.png": b"" for i in range(5)})
            write_zip(root / "others.zip", {"train/cat/extra.png": b""})
            write_folder(root, {"train/apple/1.png": b"", "faces/train/cat/2.png": b"", "cifar-100/train/x/3.png": b""})
        case "with what file managers leave behind":
            write_zip(root / "cifar10.zip", {**pngs(), "__MACOSX/train/cat/image_1.png": b"", "train/cat/._a.png": b"",
                                             "train/cat/readme.txt": b""})


@pytest.mark.parametrize("case", [
    "train and test in the folder", "a folder beneath", "a folder beneath, nested, other class names and file names",
    "zips that each hold a part", "a zip with a folder around", "a zip and a folder",
    "a zip named so and the rest in the folder itself", "the same twice, packed and unpacked",
    "beside other data sets", "with what file managers leave behind"])
def test_pngs_give_the_same_bytes_however_they_lie(tmp_path, fetch, case):
    layouts(tmp_path / "mine", case)
    layouts(tmp_path / "reference", "train and test in the folder")
    assert CIFAR10.availability([tmp_path / "mine"]).state == "found"
    raw, source, said = fetch(tmp_path / "mine")
    reference, *_ = fetch(tmp_path / "reference")
    assert source == f"PNGs in {tmp_path / 'mine'} (from GAN_DATA)"
    assert said[-1] == "cifar10: order: by content, the official one is not in these files"
    assert_by_content(raw)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == {
        path.name: path.read_bytes() for path in reference.iterdir()}


def test_the_archive_comes_before_pngs(tmp_path, fetch):
    write_folder(tmp_path / "mine", {**pngs(), f"cifar10/{cifar10.ARCHIVE.name}": ARCHIVE})
    raw, *_ = fetch(tmp_path / "mine")
    assert_official(raw)


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in pngs().items() if not name.startswith(names)}


@pytest.mark.parametrize(("files", "complaint"), [
    (without("train/truck"), "9 classes in train, not 10; 0 of 2 in train/truck$"),
    (without("train/cat/image_13", "test/ship"),
     "1 of 2 in train/cat; 9 classes in test, not 10; 0 of 1 in test/ship"),
    (without("test/"), "no test/<class>/<name>.png"),
    ({**pngs(), "train/cat/more.png": b""}, "3 of 2 in train/cat"),
    ({**pngs(), "test/apple/more.png": b""}, "11 classes in test, not 10"),
])
def test_missing_images_are_told_by_class_before_any_is_read(tmp_path, fetch, files, complaint):
    write_zip(tmp_path / "mine/cifar10.zip", files)
    detail = CIFAR10.availability([tmp_path / "mine"]).detail.split("; http")[0]
    assert "not the 30 images" in detail
    with pytest.raises(DataError, match=complaint.rstrip("$")):
        fetch(tmp_path / "mine")
    assert complaint.rstrip("$") in detail
    assert not complaint.endswith("$") or detail.endswith(complaint[:-1])


def saved(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(("content", "complaint"), [
    (b"no image", "not a known image format"), (b"", "not a known"),
    (png(PIXELS["train"][0])[:-700], "truncated"),
    (saved(Image.new("RGB", (28, 28))), "it is 28×28 RGB, not 32×32 RGB"),
    (saved(Image.new("L", (32, 32))), "it is 32×32 L, not 32×32 RGB"),
    (saved(Image.new("RGBA", (32, 32))), "it is 32×32 RGBA"),
    (saved(Image.new("P", (32, 32))), "it is 32×32 P"),
    (saved(Image.new("RGB", (32, 32)), "BMP"), "not a known"),
    (saved(Image.new("1", (20_000, 20_000))), "it is 20000×20000 1|exceeds limit"),
    (bytes(2 << 20), "more than 1,048,576 bytes"),
])
@pytest.mark.parametrize("packed", [False, True])
def test_an_image_that_is_not_cifars_is_named(tmp_path, fetch, monkeypatch, content, complaint, packed):
    monkeypatch.setattr(members, "MEMBER_LIMIT", 1 << 20)
    name = "train/cat/image_13.png"
    files = {**pngs(), name: content}
    write_zip(tmp_path / "mine/cifar.zip", files) if packed else write_folder(tmp_path / "mine", files)
    with pytest.raises(DataError, match=f"{name} cannot be used \\(.*({complaint})"):
        fetch(tmp_path / "mine")


def test_other_images_in_the_right_number_are_refused(tmp_path, fetch):
    other = PIXELS["train"][3].copy()
    other[5] ^= 1
    write_folder(tmp_path / "mine", {**pngs(), "train/cat/image_3.png": png(other)})
    with pytest.raises(DataError, match=r"these PNGs: these are not CIFAR-10's images \(train\)"):
        fetch(tmp_path / "mine")


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "train/../../outside.png", "C:\\outside.png"])
def test_a_zip_with_unsafe_names_is_refused(tmp_path, fetch, name):
    write_zip(tmp_path / "mine/cifar10.zip", {**pngs(), name: b""})
    with pytest.raises(DataError, match="unsafe name"):
        fetch(tmp_path / "mine")


def test_a_damaged_zip_is_named(tmp_path, fetch):
    path = write_zip(tmp_path / "mine/cifar10.zip", pngs())
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"cifar10\.zip cannot be read"):
        fetch(tmp_path / "mine")


# --- Raw files ---


@pytest.fixture
def raw(tmp_path, fetch):
    write_folder(tmp_path / "mine", BATCHES)
    return fetch(tmp_path / "mine")[0]


def test_the_sizes_are_known_beforehand(tmp_path):
    assert CIFAR10.sizes(tmp_path, []) == {"train": 16, "validation": 4, "test": 10}


def spoil(raw: Path, case: str) -> None:
    about = json.loads((raw / "source.json").read_text())
    match case:
        case "another pixel":
            content = (raw / "train.npy").read_bytes()
            (raw / "train.npy").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "another order":
            np.save(raw / "train.npy", PIXELS["train"][::-1])
        case "another order, with its digest":
            about["order"] = "content"
            np.save(raw / "train.npy", PIXELS["test"][:1].repeat(20, 0))
            about["sha256"]["train"] = hashlib.sha256(PIXELS["test"][:1].repeat(20, 0).tobytes()).hexdigest()
            (raw / "source.json").write_text(json.dumps(about))
        case "cut off":
            (raw / "test.npy").write_bytes((raw / "test.npy").read_bytes()[:-1])
        case "other shape":
            np.save(raw / "test.npy", PIXELS["test"].reshape(10, 3, 1024))
        case "floats":
            np.save(raw / "test.npy", PIXELS["test"].astype(np.float32))
        case "no origin":
            (raw / "source.json").write_text("[]")
        case "no JSON":
            (raw / "source.json").write_text("{")
        case "another origin":
            (raw / "source.json").write_text(json.dumps({**about, "order": "mine"}))
        case "missing":
            (raw / "test.npy").unlink()
        case "labels missing":
            (raw / "train-labels.npy").unlink()
        case "labels of one class":
            np.save(raw / "test-labels.npy", np.zeros(10, np.uint8))
        case "stray":
            (raw / "notes.txt").write_text("")


@pytest.mark.parametrize(("case", "complaint"), [
    ("another pixel", "was altered"), ("another order", "was altered"),
    ("another order, with its digest", "not CIFAR-10's images"), ("cut off", "cannot be read"),
    ("other shape", "does not hold CIFAR-10"), ("floats", "does not hold CIFAR-10"), ("no origin", "was altered"),
    ("no JSON", "cannot be read"), ("another origin", "was altered"), ("missing", "lacks test.npy"),
    ("labels missing", "lacks train-labels.npy"), ("labels of one class", "does not hold CIFAR-10's classes"),
    ("stray", "holds more than"),
])
def test_altered_raw_files_are_refused(raw, case, complaint):
    spoil(raw, case)
    with pytest.raises(DataError, match=rf"{complaint}[\s\S]*delete {raw} and run the same command again"):
        CIFAR10.verify(raw)
    with pytest.raises(DataError):
        CIFAR10.splits(raw)
