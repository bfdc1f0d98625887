"""gan.datasets.pairs: two images in one file, as the public sets of pix2pix come."""

import io
import itertools
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.datasets.pairs import parts, read_pairs
from gan.errors import DataError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def beside(left, right, size=(8, 8), mode="RGB"):
    """An image whose halves have one value each."""
    image = Image.new(mode, (2 * size[0], size[1]), left)
    image.paste(right, (size[0], 0, 2 * size[0], size[1]))
    return image


def written(folder, **images):
    for name, image in images.items():
        image.save(folder / f"{name}.png")
    return folder


def test_the_left_half_is_a_and_the_direction_says_which_is_the_input(tmp_path):
    place = written(tmp_path, one=beside(RED, BLUE))
    red, blue = (torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 8, 8) / 255 for colour in (RED, BLUE))
    for direction, (inputs, targets) in {"A to B": (red, blue), "B to A": (blue, red)}.items():
        pairs = read_pairs(place, 8, direction)
        assert pairs.inputs.dtype == torch.float32
        assert torch.equal(pairs.inputs, inputs)
        assert torch.equal(pairs.targets, targets)


@given(pixels=st.integers(0, 2**32), side=st.integers(1, 9), height=st.integers(1, 9))
@settings(deadline=None, max_examples=25)
def test_pixels_come_as_they_are_where_nothing_is_scaled(tmp_path_factory, pixels, side, height):
    folder = tmp_path_factory.mktemp("pairs")
    image = np.random.default_rng(pixels).integers(0, 256, (height, 2 * side, 3), dtype=np.uint8)
    written(folder, one=Image.fromarray(image))
    pairs = read_pairs(folder, side)
    assert pairs.inputs.shape == pairs.targets.shape == (1, 3, side, side)
    if height == side:
        for half, found in ((image[:, :side], pairs.inputs), (image[:, side:], pairs.targets)):
            assert torch.equal(found[0] * 255, torch.tensor(half).permute(2, 0, 1).float())
    assert pairs.inputs.min() >= 0
    assert pairs.inputs.max() <= 1


def test_halves_are_scaled_without_a_trace_of_each_other(tmp_path):
    pairs = read_pairs(written(tmp_path, one=beside(RED, BLUE, (40, 24))), 4)
    assert torch.equal(pairs.inputs[0, :, :, :].amax((1, 2)) * 255, torch.tensor(RED).float())
    assert torch.equal(pairs.targets[0, :, :, :].amax((1, 2)) * 255, torch.tensor(BLUE).float())


def test_colours_become_grey_where_one_channel_is_asked_for(tmp_path):
    place = written(tmp_path, one=beside((10, 10, 10), BLUE))
    pairs = read_pairs(place, 8, channels=(1, 3))
    assert pairs.inputs.shape == (1, 1, 8, 8)
    assert pairs.targets.shape == (1, 3, 8, 8)
    assert torch.equal(pairs.inputs * 255, torch.full((1, 1, 8, 8), 10.0))
    pairs = read_pairs(place, 8, "B to A", channels=(3, 1))  # channels are those of inputs and targets, not of A and B
    assert pairs.inputs.shape[1] == 3
    assert pairs.targets.shape[1] == 1


def test_grey_files_serve_where_no_colours_are_asked_for(tmp_path):
    pairs = read_pairs(written(tmp_path, one=beside(40, 200, mode="L")), 8, channels=(1, 1))
    assert (pairs.inputs * 255).unique().tolist() == [40]
    assert (pairs.targets * 255).unique().tolist() == [200]


def test_transparent_pixels_are_laid_over_white(tmp_path):
    pairs = read_pairs(written(tmp_path, one=beside((255, 0, 0, 0), (0, 0, 255, 255), mode="RGBA")), 8)
    assert pairs.inputs.unique().tolist() == [1]
    assert torch.equal(pairs.targets[0, :, 0, 0] * 255, torch.tensor(BLUE).float())


def test_folders_and_archives_are_read_in_the_order_of_names(tmp_path):
    greys = {"b/2": 20, "a/10": 10, "a/9": 90}
    folder, archive = tmp_path / "set", tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, grey in greys.items():
            path = folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            beside((grey,) * 3, BLUE).save(path)
            file.write(path, f"set/{name}.png")
        file.writestr("set/readme.txt", "not an image")
    for place in (folder, archive):
        assert (read_pairs(place, 8).inputs[:, 0, 0, 0] * 255).tolist() == [10, 90, 20]


@given(files=st.integers(1, 12), most=st.integers(1, 15))
@settings(deadline=None, max_examples=15)
def test_of_more_files_than_are_wanted_some_are_read_at_even_distances(tmp_path_factory, files, most):
    folder = tmp_path_factory.mktemp("pairs")
    written(folder, **{f"{i:02}": beside((i,) * 3, BLUE, (2, 2)) for i in range(files)})
    found = (read_pairs(folder, 2, most=most).inputs[:, 0, 0, 0] * 255).round().int().tolist()
    assert len(found) == min(files, most)
    assert found[0] == 0
    assert {b - a for a, b in itertools.pairwise(found)} <= {files // len(found), -(-files // len(found))}


@pytest.mark.parametrize("top", ["", "facades/", "deep/facades/"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_part_is_what_lies_in_the_folder_of_its_name_also_in_an_archive(tmp_path, top, zipped):
    greys = {f"{top}train/a": 10, f"{top}train/b": 20, f"{top}Test/c": 30}
    for name, grey in greys.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        beside((grey,) * 3, BLUE).save(tmp_path / "set" / f"{name}.png")
    place = tmp_path / "set"
    if zipped:
        place = tmp_path / "set.zip"
        with zipfile.ZipFile(place, "w") as file:
            for name in greys:
                file.write(tmp_path / "set" / f"{name}.png", f"{name}.png")
    assert parts(place) == {"train", "test"}
    for part, expected in {"train": [10, 20], "test": [30], None: [30, 10, 20]}.items():
        found = (read_pairs(place, 8, part=part).inputs[:, 0, 0, 0] * 255).round().int().tolist()
        assert found == expected
    with pytest.raises(DataError, match="val holds no images"):
        read_pairs(place, 8, part="val")


# One clear error each.

@pytest.mark.parametrize(("images", "options", "said"), [
    ({"a": Image.new("RGB", (15, 8))}, {}, ["a.png cannot be cut into two halves", "even width", "15 pixels"]),
    ({"a": beside(RED, BLUE), "b": beside(RED, BLUE, (9, 8))}, {}, ["b.png has another size than", "a.png", "16×8",
                                                                  "18×8"]),
    ({"a": beside(RED, BLUE), "b": beside(0, 9, mode="L")}, {}, ["b.png is grey", "channels=(1, 1)"]),
    ({"a": beside(0, 9, mode="L")}, {"channels": (1, 3)}, ["a.png is grey", "expected"]),
    ({"a": Image.new("I;16", (16, 8))}, {"channels": (1, 1)}, ["a.png has more than 8 bits", "I;16"]),
    ({}, {}, ["holds no images", "png"])])
def test_what_cannot_be_paired_is_one_error_that_names_it(tmp_path, images, options, said):
    with pytest.raises(DataError) as error:
        read_pairs(written(tmp_path, **images), 8, **options)
    assert [text for text in said if text not in str(error.value)] == []


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_a_damaged_file_is_named(tmp_path, cut):
    content = io.BytesIO()
    beside(RED, BLUE).save(content, "PNG")
    (tmp_path / "broken.png").write_bytes(content.getvalue()[:cut])
    with pytest.raises(DataError, match=r"broken\.png cannot be read"):
        read_pairs(tmp_path, 8)


def test_a_place_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is not there"):
        read_pairs(tmp_path / "nowhere", 8)


@pytest.mark.parametrize(("options", "said"), [
    ({"side": 0}, "side must be at least 1"), ({"most": 0}, "most must be at least 1"),
    ({"direction": "A→B"}, "'A to B' or 'B to A'"),
    ({"channels": (2, 3)}, "channels must be 1 or 3"), ({"channels": (3,)}, "channels must be 1 or 3")])
def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        read_pairs(tmp_path / "nowhere", **{"side": 8} | options)
