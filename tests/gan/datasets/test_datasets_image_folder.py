"""Folders and zips of images of any kind, drawn here."""

import contextlib
import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter import Meter
from PIL import Image

from gan.datasets import image_folder, members
from gan.datasets.dataset import SPLITS
from gan.datasets.pictures import read_picture
from gan.datasets.registry import ImageFolder
from gan.errors import DataError

SIZE = 4
PHOTOS = ImageFolder("image_folder", "photos", SIZE, 3, validation=0.2, test=0.3, seed=7)


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(seed: int, size: int = SIZE) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8))


def flat(image: Image.Image) -> list[int]:
    """RGB pixels as the raw file has them."""
    return np.asarray(image).transpose(2, 0, 1).reshape(-1).tolist()


def pictures(numbers) -> dict[str, bytes]:
    return {f"{'abc'[number % 3]}/image {number}.png": saved(picture(number)) for number in numbers}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def fetch(root: Path, photos: ImageFolder = PHOTOS, say=lambda line: None) -> Path:
    """The raw folder, fetched from the named folder `root` and verified as the stage does."""
    raw = Path(tempfile.mkdtemp(prefix="raw", dir=root.parent))
    photos.fetch(raw, [root], say, Meter)
    photos.verify(raw)
    return raw


def fetch_files(root: Path, files: dict[str, bytes], photos: ImageFolder = PHOTOS) -> Path:
    write_folder(root / "photos", files)
    return fetch(root, photos)


def rows(raw: Path) -> list[list[int]]:
    return np.load(raw / "images.npy").tolist()


# --- Splits ---


def test_the_splits_have_the_wanted_fractions_and_hold_every_image_once(tmp_path):
    raw = fetch_files(tmp_path / "mine", pictures(range(20)))
    splits = PHOTOS.splits(raw)
    assert {split: len(splits[split]) for split in SPLITS} == {"train": 10, "validation": 4, "test": 6}
    together = [row for split in SPLITS for row in splits[split].tolist()]
    assert sorted(together) == sorted(flat(picture(number)) for number in range(20))
    assert PHOTOS.sizes(raw, []) == {split: len(splits[split]) for split in SPLITS}


def test_the_raw_file_is_sorted_by_content(tmp_path):
    raw = fetch_files(tmp_path / "mine", pictures(range(9)))
    found = [hashlib.sha256(bytes(row)).digest() for row in rows(raw)]
    assert found == sorted(found)


def test_splits_depend_on_neither_names_order_nor_packing(tmp_path):
    files = pictures(range(12))
    renamed = {f"deep/er/{12 - i}.PNG": content for i, content in enumerate(files.values())}
    in_formats = {f"{i}.{kind.lower()}": saved(picture(i), kind) for i, kind in enumerate(["PNG", "BMP", "PPM"] * 4)}
    packed = {**{f"photos/{name}": content for name, content in reversed(files.items())}, "photos/": b""}
    raws = [fetch_files(tmp_path / "a", files), fetch_files(tmp_path / "b", renamed),
            fetch_files(tmp_path / "c", in_formats), fetch(write_zip(tmp_path / "d/photos.zip", packed).parent)]
    for raw in raws[1:]:
        assert {path.name: path.read_bytes() for path in raw.iterdir()} == {
            path.name: path.read_bytes() for path in raws[0].iterdir()}
    assert all((PHOTOS.splits(raw)[split] == PHOTOS.splits(raws[0])[split]).all() for raw in raws for split in SPLITS)


def test_another_seed_gives_other_splits_of_the_same_raw_files(tmp_path):
    raw = fetch_files(tmp_path / "mine", pictures(range(20)))
    other = replace(PHOTOS, seed=8, validation=0.3, test=0.2)
    other.verify(raw)
    assert len(other.splits(raw)["validation"]) == 6
    assert other.splits(raw)["train"].tolist() != PHOTOS.splits(raw)["train"].tolist()


@settings(deadline=None, max_examples=40)
@given(copies=st.lists(st.integers(1, 6), min_size=8, max_size=25), seed=st.integers(0, 2**32 - 1))
def test_copies_stay_in_one_split(tmp_path_factory, copies, seed):
    raw = tmp_path_factory.mktemp("raw")
    distinct = np.arange(len(copies), dtype=np.uint8)[:, None].repeat(48, 1)
    np.save(raw / "images.npy", distinct.repeat(copies, 0))
    with contextlib.suppress(DataError):  # where copies fill a split and the next one
        splits = replace(PHOTOS, seed=seed).splits(raw)
        together = [{tuple(row) for row in splits[split].tolist()} for split in SPLITS]
        assert sum(map(len, together)) == len(set.union(*together)) == len(copies)
        assert sum(map(len, splits.values())) == sum(copies)


def test_copies_are_told(tmp_path):
    said = []
    files = pictures(range(10)) | {f"again/{i}.png": saved(picture(i)) for i in (3, 3, 4)} | {
        "again/other name.bmp": saved(picture(3), "BMP")}
    write_folder(tmp_path / "mine/photos", files)
    splits = PHOTOS.splits(fetch(tmp_path / "mine", say=said.append))
    assert said == ["photos: 3 of 13 images are copies of others; copies stay in one split"]
    assert sum(flat(picture(3)) in splits[split].tolist() for split in SPLITS) == 1


@pytest.mark.parametrize("numbers", [[1], [1, 2], [1] * 9, [1] * 9 + [2]])
def test_too_few_distinct_images_are_told(tmp_path, numbers):
    raw = fetch_files(tmp_path / "mine", {f"{i}.png": saved(picture(number)) for i, number in enumerate(numbers)})
    with pytest.raises(DataError, match=r"photos has too few distinct images: none is left for (train|test)"):
        PHOTOS.splits(raw)


def test_sizes_are_counted_by_names_before_anything_is_read(tmp_path):
    assert PHOTOS.sizes(tmp_path / "raw", [tmp_path]) == {"train": 0, "validation": 0, "test": 0}
    write_zip(tmp_path / "photos.zip", {f"{i}.png": b"" for i in range(10)} | {"readme.txt": b""})
    assert PHOTOS.sizes(tmp_path / "raw", [tmp_path]) == {"train": 5, "validation": 2, "test": 3}


# --- Where from ---


def test_a_folder_comes_before_a_zip_and_other_files_are_ignored_and_counted(tmp_path):
    said = []
    empty = tmp_path / "empty"
    empty.mkdir()
    write_folder(tmp_path / "mine/photos", pictures(range(5)) | {
        "a/notes.txt": b"", "movie.mp4": b"", ".hidden.png": b"", "a/._image.png": b"", "__MACOSX/b.png": b"",
        "Thumbs.db": b"", "a/desktop.ini": b""})
    write_zip(tmp_path / "mine/photos.zip", pictures(range(9)))
    raw = tmp_path / "raw"
    raw.mkdir()
    source = PHOTOS.fetch(raw, [empty, tmp_path / "mine"], said.append, Meter)
    assert source == f"{tmp_path}/mine/photos (from GAN_DATA)"
    assert said == [f"photos: {empty} (from GAN_DATA): holds neither photos nor photos.zip; passed over",
                    "photos: 2 files that are not images ignored (.mp4 1, .txt 1)"]
    assert len(rows(raw)) == 5
    assert PHOTOS.availability([empty, tmp_path / "mine"]).state == "found"


def test_without_a_source_the_cure_is_told(tmp_path):
    for local, detail in (([], "photos is in no folder of GAN_DATA"),
                          ([tmp_path], "holds neither photos nor photos.zip")):
        nowhere = PHOTOS.availability(local)
        assert nowhere.state == "unavailable"
        assert detail in nowhere.detail
        assert "GAN_DATA=/path/to/folder make reproduce" in nowhere.remedy
    with pytest.raises(DataError, match=r"no source has photos[\s\S]*put a folder photos or photos\.zip"):
        PHOTOS.fetch(tmp_path, [tmp_path], print, Meter)


@pytest.mark.parametrize("files", [{}, {"notes.txt": b""}])
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_without_images_is_an_error(tmp_path, files, packed):
    if packed:
        write_zip(tmp_path / "mine/photos.zip", files)
    else:
        (tmp_path / "mine/photos").mkdir(parents=True)
        write_folder(tmp_path / "mine/photos", files)
    assert "holds no images" in PHOTOS.availability([tmp_path / "mine"]).detail
    with pytest.raises(DataError, match="holds no images"):
        fetch(tmp_path / "mine")


# --- What an image becomes ---


def pixels(content: bytes, channels: int = 3, size: int = SIZE) -> np.ndarray:
    """[C, size, size], or [size, size] for grey."""
    found = read_picture(content, size, channels).pixels
    assert found.dtype == np.uint8
    assert found.shape == (channels * size * size,)
    return found.reshape((channels, size, size) if channels == 3 else (size, size))


def colour(content: bytes) -> list[int]:
    """Of an image that has but one."""
    found = pixels(content).reshape(3, -1)
    assert (found == found[:, :1]).all()
    return found[:, 0].tolist()


RED = (255, 0, 0)


@pytest.mark.parametrize(("content", "expected"), [
    (saved(Image.new("RGB", (9, 5), RED)), [255, 0, 0]),
    (saved(Image.new("RGB", (9, 5), RED), "JPEG", quality=100), [254, 0, 0]),
    (saved(Image.new("L", (5, 9), 77)), [77, 77, 77]),
    (saved(Image.new("1", (5, 9), 1)), [255, 255, 255]),
    (saved(Image.new("RGB", (8, 8), RED).quantize(4)), [255, 0, 0]),
    (saved(Image.new("RGB", (8, 8), RED), "GIF"), [255, 0, 0]),
    (saved(Image.new("RGB", (8, 8), RED), "WEBP", lossless=True), [255, 0, 0]),
    (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), [255, 0, 0]),
    (saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100), [254, 0, 0]),
    (saved(Image.new("RGBA", (8, 8), (255, 0, 0, 0))), [255, 255, 255]),
    (saved(Image.new("RGBA", (8, 8), (255, 0, 0, 51))), [255, 204, 204]),
    (saved(Image.new("LA", (8, 8), (0, 102))), [153, 153, 153]),
    (saved(Image.new("RGB", (8, 8), RED), transparency=RED), [255, 255, 255]),
    (saved(Image.new("P", (8, 8), 0), transparency=0), [255, 255, 255]),
    (saved(Image.fromarray(np.full((8, 8), 77 * 257, np.uint16))), [77, 77, 77]),
    (saved(Image.fromarray(np.full((8, 8), 65_535, np.uint16)), "TIFF"), [255, 255, 255]),
    (b"P5 4 4 65535\n" + (77 * 257).to_bytes(2, "big") * 16, [77, 77, 77]),
    (saved(Image.new("RGB", (1, 3000), RED)), [255, 0, 0]),
    (saved(Image.new("RGB", (1, 1), RED)), [255, 0, 0]),
])
def test_images_of_every_mode_are_read(content, expected):
    assert np.allclose(colour(content), expected, atol=2)
    grey = pixels(content, 1)
    assert np.allclose(grey, np.dot([0.299, 0.587, 0.114], expected), atol=2)


def test_the_middle_is_cut_out():
    image = Image.new("RGB", (16, 4), "blue")
    image.paste(RED, (6, 0, 10, 4))
    assert colour(saved(image)) == [255, 0, 0]
    assert colour(saved(image.transpose(Image.Transpose.ROTATE_90))) == [255, 0, 0]


def test_scaling_averages_what_it_leaves_out():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(pixels(saved(Image.fromarray(stripes)), 1).astype(int) - 128).max() < 12


def test_an_image_of_the_size_stays_as_it_is():
    assert pixels(saved(picture(1))).reshape(-1).tolist() == flat(picture(1))


def test_cameras_that_were_turned_are_heeded():
    turned = picture(1).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[274] = 6  # orientation: to be turned by 90° clockwise
    assert pixels(saved(turned, exif=exif)).reshape(-1).tolist() == flat(picture(1))


def test_of_several_frames_the_first_counts():
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    assert colour(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [255, 0, 0]


@settings(deadline=None, max_examples=40)
@given(width=st.integers(1, 40), height=st.integers(1, 40), size=st.integers(1, 20), channels=st.sampled_from([1, 3]))
def test_images_of_any_size_become_squares(width, height, size, channels):
    pixels(saved(Image.new("RGB", (width, height))), channels, size)


# --- What cannot be read ---


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is so large."""
    content = bytearray(saved(Image.new("1", (8, 8))))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(("content", "complaint"), [
    (b"", "not a known image format"), (b"no image", "not a known image format"),
    (saved(picture(1, 64))[:-3000], "truncated"), (saved(picture(1, 64), "JPEG")[:300], "(?i:truncated)"),
    (saved(Image.new("F", (8, 8), 1.5), "TIFF"), "floating-point numbers that are not all from 0 to 1"),
    (saved(Image.fromarray(np.full((8, 8), 70_000, np.int32)), "TIFF"), "more than 16 bits"),
    (bomb(9000, 8000), "9000×8000 pixels, more than 64,000,000"), (bomb(10_000, 10_000), "exceeds limit"),
    (bomb(2**30, 2**30), "exceeds limit"), (saved(picture(1), "ICO"), "not a known image format"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not a known image format"),
    (bytes(2 << 20), "more than 1,048,576 bytes"),
])
@pytest.mark.parametrize("packed", [False, True])
def test_an_unreadable_image_among_good_ones_is_named(tmp_path, monkeypatch, content, complaint, packed):
    monkeypatch.setattr(members, "MEMBER_LIMIT", 1 << 20)
    files = {**pictures(range(9)), "b/bad.png": content}
    (write_zip(tmp_path / "mine/photos.zip", files) if packed else write_folder(tmp_path / "mine/photos", files))
    name = "b/bad.png" if packed else "photos/b/bad.png"
    with pytest.raises(DataError, match=rf"1 of 10 images in photos\S* cannot be read: {name} \(.*{complaint}"):
        fetch(tmp_path / "mine")


def test_only_the_first_five_are_named(tmp_path):
    files = {**pictures(range(20)), **{f"bad{i}.png": b"" for i in range(7)}}
    with pytest.raises(DataError, match=r"7 of 27 images in photos cannot be read: photos/bad0\.png") as caught:
        fetch_files(tmp_path / "mine", files)
    assert "photos/bad4.png" in str(caught.value)
    assert "bad5" not in str(caught.value)
    assert ", …" in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "a/../../outside.png", "..\\outside.png",
                                  "C:\\outside.png"])
def test_a_zip_with_unsafe_names_is_refused(tmp_path, name):
    write_zip(tmp_path / "mine/photos.zip", {**pictures(range(9)), name: saved(picture(1))})
    assert "unsafe name" in PHOTOS.availability([tmp_path / "mine"]).detail
    with pytest.raises(DataError, match="unsafe name"):
        fetch(tmp_path / "mine")
    assert not list(tmp_path.rglob("outside*"))


def test_a_zip_that_is_too_large_or_damaged_is_refused(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "mine/photos.zip", {**pictures(range(9)), "zeros.bin": bytes(1 << 20)})
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(members, "ARCHIVE_LIMIT", 1 << 20)
    with pytest.raises(DataError, match=r"photos\.zip holds more than 1,048,576 bytes"):
        fetch(tmp_path / "mine")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"photos\.zip cannot be read"):
        fetch(tmp_path / "mine")


def test_a_damaged_member_of_a_zip_is_named(tmp_path):
    path = write_zip(tmp_path / "mine/photos.zip", {"a.png": saved(picture(1, 64))})
    content = bytearray(path.read_bytes())
    content[500] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"1 of 1 images in photos\.zip cannot be read: a\.png \("):
        fetch(tmp_path / "mine")


def test_images_that_would_take_too_much_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "BYTES_LIMIT", 9 * 48)
    write_folder(tmp_path / "mine/photos", {f"{i}.png": b"" for i in range(10)})
    assert "10 images of 4×4 take 480 bytes, more than 432" in PHOTOS.availability([tmp_path / "mine"]).detail


# --- Raw files ---


@pytest.mark.parametrize("changes", [{"size": 5}, {"channels": 1}, {"folder": "others"}])
def test_raw_files_of_other_settings_do_not_count(tmp_path, changes):
    raw = fetch_files(tmp_path / "mine", pictures(range(9)))
    with pytest.raises(DataError, match=rf"other images, or of other settings[\s\S]*delete {raw} and run"):
        replace(PHOTOS, **changes).verify(raw)


@pytest.mark.parametrize("case", ["pixel", "rows", "cut", "json", "list", "missing", "stray"])
def test_altered_raw_files_are_refused(tmp_path, case):
    raw = fetch_files(tmp_path / "mine", pictures(range(9)))
    images, about = raw / "images.npy", raw / "source.json"
    match case:
        case "pixel":
            images.write_bytes(images.read_bytes()[:-1] + bytes([images.read_bytes()[-1] ^ 1]))
        case "rows":
            np.save(images, np.load(images)[:-1])
        case "cut":
            images.write_bytes(images.read_bytes()[:-1])
        case "json":
            about.write_text(json.dumps({**json.loads(about.read_text()), "images": 8}))
        case "list":
            about.write_text("[1]")
        case "missing":
            about.unlink()
        case "stray":
            (raw / "notes.txt").write_text("")
    with pytest.raises(DataError, match=rf"delete {raw} and run the same command again"):
        PHOTOS.verify(raw)
