"""Folders of class folders, drawn here."""

import io
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter import Meter
from PIL import Image

from gan.datasets.dataset import SPLITS
from gan.datasets.loader import Labelled
from gan.datasets.registry import ClassFolders
from gan.errors import DataError

SIZE = 4
THINGS = ClassFolders("class_folders", "things", SIZE, 3, validation=0.2, test=0.2, seed=7)


def png(level: int, number: int, mode: str = "RGB") -> bytes:
    """A picture whose first pixel's red says which class it is of."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    pixels[0, 0, 0] = level
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def things(counts: dict[str, int], above: str = "") -> dict[str, bytes]:
    return {f"{above}{name}/{number}.png": png(10 * place, 1000 * place + number)
            for place, (name, count) in enumerate(sorted(counts.items())) for number in range(count)}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: dict[str, bytes], folders: tuple[str, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in folders:
            archive.writestr(f"{name}/", b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def fetched(loader: ClassFolders, local: Path, raw: Path) -> list[str]:
    """What was said."""
    raw.mkdir()
    said: list[str] = []
    loader.fetch(raw, [local], said.append, Meter)
    loader.verify(raw)
    return said


@given(counts=st.dictionaries(st.sampled_from(["ant", "bee", "cat", "n01440764"]), st.integers(4, 9), min_size=2),
       zipped=st.booleans(), above=st.sampled_from(["", "train/"]))
@settings(max_examples=15, deadline=None)
def test_every_image_has_the_class_of_its_folder(tmp_path_factory, counts, zipped, above):
    folder = tmp_path_factory.mktemp("classes")
    files = things(counts, above)
    if zipped:
        write_zip(folder / "own/things.zip", files)
    else:
        write_folder(folder / "own/things", files)
    fetched(THINGS, folder / "own", folder / "raw")
    splits, labels = THINGS.splits(folder / "raw"), THINGS.labels(folder / "raw")
    assert isinstance(THINGS, Labelled)
    assert {split: len(labels[split]) for split in SPLITS} == {split: len(splits[split]) for split in SPLITS}
    assert {split: len(splits[split]) for split in SPLITS} == THINGS.sizes(folder / "raw", [])
    for split in SPLITS:  # red of the first pixel is ten times the class's place
        assert splits[split][:, 0].long().tolist() == (10 * labels[split]).tolist()
    assert sum(map(len, labels.values())) == sum(counts.values())


def test_folders_of_one_name_are_one_class(tmp_path):
    write_folder(tmp_path / "own/things", things({"ant": 5, "bee": 5}, "train/") | {
        "val/ant/20.png": png(0, 20), "val/bee/20.png": png(10, 1020)})
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    labels = THINGS.labels(tmp_path / "raw")
    assert sorted(np.concatenate([each.numpy() for each in labels.values()])) == [0] * 6 + [1] * 6


@pytest.mark.parametrize("zipped", [False, True])
def test_of_a_large_class_some_are_taken_whatever_lies_beside_them(tmp_path, zipped):
    few = replace(THINGS, images_per_class=6)
    taken = []
    for place, counts in enumerate([{"ant": 20, "bee": 4}, {"ant": 20, "bee": 4, "cat": 9}]):
        own = tmp_path / f"own{place}"
        if zipped and place:
            write_zip(own / "things.zip", things(counts))
        else:
            write_folder(own / "things", things(counts))
        raw = tmp_path / f"raw{place}"
        assert sum(few.sizes(raw, [own]).values()) == 6 + 4 + 6 * place  # told before anything is read
        fetched(few, own, raw)
        splits, labels = few.splits(raw), few.labels(raw)
        taken.append({tuple(image.tolist()) for split in SPLITS for image in splits[split][labels[split] == 0]})
    assert taken[0] == taken[1]
    assert len(taken[0]) == 6


def unavailable(tmp_path: Path, loader: ClassFolders = THINGS) -> str:
    state = loader.availability([tmp_path])
    assert state.state == "unavailable"
    return f"{state.detail} {state.remedy}"


@pytest.mark.parametrize("zipped", [False, True])
def test_an_empty_class_folder_is_named(tmp_path, zipped):
    files = things({"ant": 5, "bee": 5})
    if zipped:
        write_zip(tmp_path / "things.zip", files, ("things/cat",))
    else:
        write_folder(tmp_path / "things", files)
        (tmp_path / "things/cat").mkdir()
    assert "class folders without images of their own: things/cat" in unavailable(tmp_path)


@pytest.mark.parametrize(("files", "expected"), [
    (things({"ant": 5, "bee": 5}) | {"stray.png": png(0, 1)}, "1 images lie in no class folder"),
    (things({"ant": 5}), "one class folder alone"),
    (things({"ant": 5, "bee": 5}) | {"ant/more/1.png": png(0, 1)}, "on several levels.*: things/ant, things/ant/more"),
    (things({"ant": 5, "bee": 5}, "train/") | {"val/1.png": png(0, 1)},  # as ImageNet’s own archives come
     "on several levels.*: things/val, things/train/ant"),
    (things({"ant": 5, "bee": 5}, "train/") | {"val/Ant/1.png": png(0, 1)},
     "names look the same.*: things/val/Ant, things/train/ant"),
    (things({"caf\u00e9": 5, "bee": 5}, "train/") | {"val/cafe\u0301/1.png": png(0, 1)}, "names look the same"),
    (things({"ant": 5, "bee": 5}) | {"cat/notes.txt": b"nothing"}, "without images of their own: things/cat"),
    ({"ant/notes.txt": b"nothing"}, "holds no images"),
])
@pytest.mark.parametrize("zipped", [False, True])
def test_what_is_no_folder_of_class_folders_is_told(tmp_path, files, expected, zipped):
    if zipped:
        write_zip(tmp_path / "things.zip", {f"things/{name}": content for name, content in files.items()})
    else:
        write_folder(tmp_path / "things", files)
    assert re.search(expected, unavailable(tmp_path))


def test_a_stray_image_is_told_whatever_the_top_folder_of_an_archive_is_named(tmp_path):
    write_zip(tmp_path / "things.zip", things({"ant": 5, "bee": 5}, "other/") | {"other/stray.png": png(0, 1)})
    assert "on several levels" in unavailable(tmp_path)


def test_classes_that_differ_in_letter_case_are_two_where_they_lie_side_by_side(tmp_path):
    write_folder(tmp_path / "own/things", things({"A": 5, "a": 5}))
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    assert sum(int((each == 1).sum()) for each in THINGS.labels(tmp_path / "raw").values()) == 5


@pytest.mark.parametrize(("link", "target", "expected"), [
    ("bee2", "bee", "things/bee2"), ("a", "bee", "things/bee"), ("cat", "../empty", "things/cat"),
    ("ant/loop", "..", "things/ant/loop")])
def test_a_link_that_leaves_a_class_without_images_is_told(tmp_path, link, target, expected):
    write_folder(tmp_path / "things", things({"ant": 5, "bee": 5}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "things" / link).symlink_to(target)
    assert f"without images of their own: {expected}" in unavailable(tmp_path)


def test_a_link_to_a_folder_elsewhere_is_a_class(tmp_path):
    write_folder(tmp_path / "own/things", things({"ant": 5, "bee": 5}))
    write_folder(tmp_path / "elsewhere", {"1.png": png(20, 1), "2.png": png(20, 2)})
    (tmp_path / "own/things/cat").symlink_to(tmp_path / "elsewhere")
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    splits, labels = THINGS.splits(tmp_path / "raw"), THINGS.labels(tmp_path / "raw")
    assert sorted(red for split in SPLITS for red in splits[split][labels[split] == 2][:, 0].tolist()) == [20, 20]


def test_a_class_of_which_no_image_can_be_read_is_refused_though_such_images_are_skipped(tmp_path):
    skipping = replace(THINGS, skip_unreadable=True)
    files = things({"ant": 5, "bee": 5, "cat": 5})
    write_folder(tmp_path / "own/things", files | {"ant/0.png": b"nothing"})
    fetched(skipping, tmp_path / "own", tmp_path / "raw")
    splits, labels = skipping.splits(tmp_path / "raw"), skipping.labels(tmp_path / "raw")
    assert all(splits[split][:, 0].long().tolist() == (10 * labels[split]).tolist() for split in SPLITS)
    write_folder(tmp_path / "own/things", {name: b"nothing" for name in files if name.startswith("ant")})
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="class folders without an image that can be read: ant"):
        skipping.fetch(tmp_path / "again", [tmp_path / "own"], lambda line: None, Meter)


def test_copies_in_several_classes_are_told(tmp_path):
    files = things({"ant": 5, "bee": 5})
    write_folder(tmp_path / "own/things", files | {
        "bee/copy.png": files["ant/0.png"], "ant/copy.png": files["ant/1.png"]})
    said = fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    assert [line for line in said if "2 images have a copy in another class" in line]


def test_names_that_are_no_text_are_read(tmp_path):
    ant = write_folder(tmp_path / "own/things", things({"ant": 5, "bee": 5})) / "ant"
    try:
        for name in ("0.png", "1.png"):
            (ant / name).rename(ant / os.fsdecode(b"\xff" + name.encode()))
    except OSError:
        pytest.skip("this file system has text alone as names")
    (ant / os.fsdecode(b"\xff0.png")).write_bytes(b"nothing")
    few = replace(THINGS, images_per_class=5, skip_unreadable=True)
    said = fetched(few, tmp_path / "own", tmp_path / "raw")
    assert [line for line in said if "left out: things/ant/?0.png" in line]
    assert sum(map(len, few.labels(tmp_path / "raw").values())) == 9


def test_what_was_taken_before_says_nothing_of_another_choice(tmp_path):
    write_folder(tmp_path / "own/things", things({"ant": 9, "bee": 9}))
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    few = replace(THINGS, images_per_class=4)
    assert sum(few.sizes(tmp_path / "raw", [tmp_path / "own"]).values()) == 8
    with pytest.raises(DataError, match=r"of other settings[\s\S]*what to do: delete"):
        few.verify(tmp_path / "raw")


def test_too_many_images_are_told_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr("gan.datasets.image_folder.BYTES_LIMIT", 5 * 3 * SIZE**2)
    write_folder(tmp_path / "things", things({"ant": 3, "bee": 3}))
    assert "set images_per_class" in unavailable(tmp_path)
    assert replace(THINGS, images_per_class=2).availability([tmp_path]).state == "found"


def test_grey_images_become_colour_and_are_counted(tmp_path):
    write_folder(tmp_path / "own/things", things({"ant": 5, "bee": 5}) | {"bee/grey.png": png(10, 3, "L")})
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    assert sum(map(len, THINGS.splits(tmp_path / "raw").values())) == 11
    assert all(images.shape[1] == 3 * SIZE**2 for images in THINGS.splits(tmp_path / "raw").values())


@pytest.mark.parametrize("damage", ["missing", "shorter", "another order"])
def test_labels_that_are_not_of_these_images_are_refused(tmp_path, damage):
    write_folder(tmp_path / "own/things", things({"ant": 5, "bee": 5}))
    fetched(THINGS, tmp_path / "own", tmp_path / "raw")
    path = tmp_path / "raw/labels.npy"
    labels = np.load(path)
    if damage == "missing":
        path.unlink()
    else:
        np.save(path, labels[1:] if damage == "shorter" else 1 - labels)
    with pytest.raises(DataError, match=r"labels\.npy"):
        THINGS.verify(tmp_path / "raw")


@pytest.mark.parametrize("images_per_class", [0, 1, -3])
def test_too_few_images_per_class_are_refused(images_per_class):
    with pytest.raises(ValueError, match="images_per_class must be at least 2, or null"):
        replace(THINGS, images_per_class=images_per_class)
