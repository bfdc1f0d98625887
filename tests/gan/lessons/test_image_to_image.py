"""Lesson “image to image”: networks against hand counts and plain torch modules, tasks and measures by closed form."""

import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from gan.datasets.pairs import Pairs, read_pairs
from gan.errors import DataError
from gan.lessons import image_to_image
from gan.lessons.batched import Noise
from gan.lessons.digits import Digits
from gan.lessons.parts.image_to_image_game import PATCH, Drawn, Objective, PatchDiscriminator, Sizes, UNet, train
from gan.lessons.parts.image_to_image_measures import commitment, gradient_energy, saturation
from gan.lessons.parts.image_to_image_tasks import (
    BACKGROUND,
    COLOURS,
    EDGE,
    SCENE_SIDE,
    EdgesToDigits,
    GreyToColour,
    colours_inside,
    edges,
    read_own,
    scenes,
)
from gan.lessons.settings import ImageToImage
from pipeline.runtime.progress import Progress

SHORT = ImageToImage(seeds=[1, 2], width=4, batch=2, digit_steps=2, colour_steps=2, judged=6)
SEEDS = st.integers(0, 2**32)


def uniform(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# Networks.

@pytest.mark.parametrize(("channels", "expected"), [
    # weights and shifts: down, down, middle with 4 numbers of noise, up beside a skip, up beside a skip
    ((1, 1), 1 * 16 * 16 + 16 + 16 * 32 * 16 + 32 + 36 * 32 * 9 + 32 + 64 * 16 * 16 + 16 + 32 * 1 * 16 + 1),
    ((1, 3), 1 * 16 * 16 + 16 + 16 * 32 * 16 + 32 + 36 * 32 * 9 + 32 + 64 * 16 * 16 + 16 + 32 * 3 * 16 + 3)])
def test_the_u_nets_parameters_counted_by_hand(channels, expected):
    assert UNet(channels, width=16, levels=2, noise=4).initial([1, 2], "test").shape == (2, expected)


@pytest.mark.parametrize(("levels", "height", "width"), [(1, 2, 6), (2, 28, 28), (2, 16, 4), (3, 8, 24)])
def test_the_u_net_gives_images_of_the_size_it_was_given(levels, height, width):
    generator = UNet((1, 3), 4, levels, noise=2)
    outputs = generator(generator.initial([1, 2], "test"), uniform(2, 5, 1, height, width), torch.zeros(2, 5, 2))
    assert outputs.shape == (2, 5, 3, height, width)
    assert 0 <= outputs.min() < outputs.max() <= 1


@pytest.mark.parametrize("shape", [(28, 30), (2, 28), (27, 28)])
def test_sides_that_cannot_be_halved_are_refused(shape):
    generator = UNet((1, 1), 4, 2, noise=1)
    with pytest.raises(ValueError, match=f"multiples of 4, not {shape[0]}×{shape[1]}"):
        generator(generator.initial([1], "test"), uniform(1, 2, 1, *shape), torch.zeros(1, 2, 1))


def as_modules(generator, theta):
    """The layers of one run as torch's own, and what normalises each."""
    modules = []
    for layer, parameters in zip(generator.layers, generator.parameters(theta), strict=True):
        module = (nn.ConvTranspose2d if layer.up else nn.Conv2d)(
            layer.inputs, layer.outputs, layer.kernel, stride=2 if layer.kernel == 4 else 1,
            padding=0 if layer.kernel == 1 else 1)
        norm = nn.BatchNorm2d(layer.outputs)
        with torch.no_grad():
            module.weight.copy_(parameters[0, :layer.weights].view(module.weight.shape))
            module.bias.copy_(parameters[0, layer.weights:])
            norm.bias.copy_(parameters[0, layer.weights:])
        modules.append((module, norm))
    return modules


def test_the_u_net_is_torchs_own_layers_run_by_run():
    generator = UNet((2, 3), 4, levels=2, noise=2)
    theta = generator.initial([1, 2], "test")
    theta = theta + 0.1 * uniform(*theta.shape)  # shifts that are not 0
    x, z = uniform(2, 5, 2, 8, 12), uniform(2, 5, 2)
    together = generator(theta, x, z)
    slope = nn.functional.leaky_relu
    for run in range(2):
        (down1, _), (down2, norm2), (middle, norm3), (up2, norm4), (up1, _) = as_modules(generator, theta[run:run + 1])
        half = slope(down1(x[run]), 0.2)
        quarter = slope(norm2(nn.functional.conv2d(half, down2.weight, None, 2, 1)), 0.2)
        spread = z[run][:, :, None, None].expand(-1, -1, *quarter.shape[2:])
        deep = norm3(nn.functional.conv2d(torch.cat((quarter, spread), 1), middle.weight, None, 1, 1)).relu()
        risen = norm4(nn.functional.conv_transpose2d(torch.cat((deep, quarter), 1), up2.weight, None, 2, 1)).relu()
        expected = up1(torch.cat((risen, half), 1)).sigmoid()
        torch.testing.assert_close(together[run], expected, atol=1e-5, rtol=1e-5)


def test_the_discriminators_parameters_and_logits_counted_by_hand():
    discriminator = PatchDiscriminator(2, 16)
    theta = discriminator.initial([1, 2], "test")
    assert theta.shape == (2, 2 * 16 * 16 + 16 + 16 * 32 * 16 + 32 + 32 + 1)
    assert discriminator(theta, uniform(2, 3, 1, 28, 20), uniform(2, 3, 1, 28, 20)).shape == (2, 3, 7, 5)


@pytest.mark.parametrize("of", ["input", "target"])
def test_a_logit_sees_its_patch_and_nothing_else(of):
    """By hand: unit i of the second layer sees units 2i − 1 to 2i + 2 of the first, so pixels 4i − 3 to 4i + 6."""
    discriminator = PatchDiscriminator(2, 8)
    theta = discriminator.initial([1], "test")
    x, y = uniform(1, 1, 1, 28, 28), uniform(1, 1, 1, 28, 28, seed=2)
    before = discriminator(theta, x, y, normal=False)[0, 0, 3, 2]  # the statistics of a minibatch join all patches
    rows, columns = range(4 * 3 - 3, 4 * 3 + 7), range(4 * 2 - 3, 4 * 2 + 7)
    assert len(rows) == len(columns) == PATCH
    for row, column in itertools.product((rows[0] - 1, rows[0], rows[-1], rows[-1] + 1),
                                         (columns[0] - 1, columns[0], columns[-1], columns[-1] + 1)):
        changed = {"input": x.clone(), "target": y.clone()}
        changed[of][0, 0, 0, row, column] += 10
        after = discriminator(theta, changed["input"], changed["target"], normal=False)[0, 0, 3, 2]
        assert bool(after != before) is (row in rows and column in columns), (row, column)


# Training.

def identity(channels=1):
    images = uniform(20, channels, 8, 8)
    return Drawn(Pairs(images, images))


def test_absolute_error_falls_in_training():
    source = identity()
    few, many = (train(source, [Objective(1.0, adversarial=False)], [1, 2], Sizes(8, batch=8, steps=steps))[0]
                 for steps in (1, 200))
    x = source.pairs.inputs.expand(2, -1, -1, -1, -1)
    first, last = ((translate(x) - x).abs().mean((1, 2, 3, 4)) for translate in (few, many))
    assert (last < first / 2).all()


def test_objectives_share_start_pairs_and_noise():
    """With a weight beside which the adversary is nothing, all goes as by L1 alone: Adam takes no note of scale."""
    source, sizes = GreyToColour(), Sizes(4, batch=4, steps=3)
    alone, = train(source, [Objective(1.0, adversarial=False)], [1, 2], sizes)
    heavy, none = train(source, [Objective(1e7), Objective(0.0)], [1, 2], sizes)
    x, _ = source.draw(8, Noise([1, 2], "test"))
    torch.testing.assert_close(heavy(x), alone(x), atol=5e-3, rtol=0)
    assert (none(x) - alone(x)).abs().max() > 0.05


def test_a_run_depends_on_its_own_seed_alone():
    source, sizes = GreyToColour(), Sizes(4, batch=4, steps=3)
    together = train(source, [Objective(0.0), Objective(100.0)], [1, 2], sizes)
    alone, = train(source, [Objective(100.0)], [2], sizes)
    x, _ = source.draw(8, Noise([2], "test"))
    torch.testing.assert_close(together[1](x.expand(2, -1, -1, -1, -1))[1:], alone(x), atol=1e-3, rtol=0)


def test_adversarial_objectives_and_others_are_not_trained_together():
    with pytest.raises(ValueError, match="all adversarial or none"):
        train(identity(), [Objective(1.0, adversarial=False), Objective(1.0)], [1], Sizes(4, steps=1))


def test_a_folder_of_pairs_trains_by_the_documented_calls(tmp_path):
    stream = np.random.default_rng(1)
    for name in "abc":
        Image.fromarray(stream.integers(0, 256, (32, 64, 3), dtype=np.uint8)).save(tmp_path / f"{name}.jpg")
    pairs = read_pairs(tmp_path, side=16, direction="B to A")
    steps = []
    translate, = train(Drawn(pairs), [Objective(l1=100)], seeds=[1], sizes=Sizes(width=4, levels=3, steps=2),
                       advance=steps.append)
    assert steps == [1, 1]
    assert translate(pairs.inputs.unsqueeze(0)).shape == (1, 3, 3, 16, 16)


# Pairs of the user's own.

def paired(folder, count, first=0, size=(16, 16)):
    """Files whose left half says which it is by its red."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        image = Image.new("RGB", (2 * size[0], size[1]), (i, 0, 0))
        image.paste((0, 200, i), (size[0], 0, 2 * size[0], size[1]))
        image.save(folder / f"{i:03}.png")
    return folder


def reds(pairs):
    return (pairs.inputs[:, 0, 0, 0] * 255).round().int().tolist()


OWN = dataclasses.replace(SHORT, folder="facades", side=16, levels=2, folder_steps=2, judged=5, most=7)


def test_folders_of_the_public_sets_say_what_is_trained_on_and_what_is_judged(tmp_path):
    paired(tmp_path / "train", 20)
    paired(tmp_path / "val", 3, first=100)
    trained, judged = read_own(tmp_path, OWN)
    assert len(reds(trained)) == 7
    assert set(reds(trained)) < set(range(20))
    assert reds(judged) == [100, 101, 102]
    paired(tmp_path / "test", 9, first=200)
    assert len(reds(read_own(tmp_path, OWN)[1])) == 5
    assert min(reds(read_own(tmp_path, OWN)[1])) == 200


@given(count=st.integers(2, 25))
@settings(deadline=None, max_examples=10)
def test_where_no_folder_says_it_pairs_that_are_judged_are_not_trained_on(tmp_path_factory, count):
    place = paired(tmp_path_factory.mktemp("own"), count, size=(8, 8))
    trained, judged = read_own(place, dataclasses.replace(OWN, side=8, most=100))
    assert sorted(reds(trained) + reds(judged)) == list(range(count))
    assert len(reds(judged)) == max(1, count // 10)


def test_an_archive_says_as_a_folder_does_what_is_trained_on_and_what_is_judged(tmp_path):
    paired(tmp_path / "facades/train", 5)
    paired(tmp_path / "facades/test", 3, first=100)
    place = Path(shutil.make_archive(str(tmp_path / "facades"), "zip", tmp_path, "facades"))
    trained, judged = read_own(place, OWN)
    assert (reds(trained), reds(judged)) == ([0, 1, 2, 3, 4], [100, 101, 102])


@pytest.mark.parametrize("sizes", [{"side": 8, "levels": 1}, {"side": 8, "levels": 2}, {"side": 16, "levels": 3}])
def test_the_smallest_sizes_that_settings_allow_train_on_a_single_pair(tmp_path, sizes):
    settings = dataclasses.replace(OWN, batch=1, **sizes)
    trained, judged = read_own(paired(tmp_path, 2), settings)
    steps = Sizes(4, settings.levels, batch=1, steps=2)
    for objective in (Objective(1.0), Objective(1.0, adversarial=False)):
        translate, = train(Drawn(trained), [objective], [1], steps)
        assert translate(judged.inputs.unsqueeze(0)).isfinite().all()


def test_a_single_pair_leaves_nothing_to_judge(tmp_path):
    with pytest.raises(DataError, match=r"holds a single pair[\s\S]*at least 2"):
        read_own(paired(tmp_path, 1), OWN)


@pytest.mark.parametrize(("image", "said"), [
    (Image.new("RGB", (15, 8)), "cannot be cut into two halves"), (Image.new("L", (16, 8)), "is grey")])
def test_files_that_are_no_pairs_of_colour_images_are_named(tmp_path, image, said):
    image.save(tmp_path / "one.png")
    with pytest.raises(DataError, match=rf"one\.png {said}"):
        read_own(tmp_path, OWN)


def test_pairs_of_ones_own_are_a_part_of_the_outcome_and_change_no_other(tmp_path, digits):
    place = paired(tmp_path, 12)
    without, given = (image_to_image.run(OWN, Progress, digits, *own) for own in ((), (place,)))
    assert given.criteria == without.criteria
    assert {name: table for name, table in given.tables.items() if name != "own"} == without.tables
    assert len(given.tables["own"]["l1"]) == 4 * len(OWN.seeds)
    assert given.numbers["own pairs, trained on"] + given.numbers["own pairs, judged"] == 7
    shown = given.images["own pairs, truth, seed 2"].view(-1, 3, 16, 16)
    assert torch.equal(shown[:, 1], torch.full_like(shown[:, 1], 200 / 255))
    turned = image_to_image.run(dataclasses.replace(OWN, direction="B to A"), Progress, digits, place)
    assert torch.equal(turned.images["own pairs, input, seed 2"], given.images["own pairs, truth, seed 2"])


@pytest.mark.parametrize("change", [{"folder": "../up"}, {"folder": ".hidden"}, {"direction": "A → B"}, {"side": 60},
                                    {"side": 1024}, {"levels": 7}, {"most": 0}, {"folder_steps": 0}, {"levels": 20000},
                                    {"side": 8}, {"side": 4, "levels": 1}, {"most": 1}])
def test_settings_of_a_folder_that_cannot_be_are_named(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(ImageToImage(), **change)


# Tasks.

@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
@settings(deadline=None, max_examples=25)
def test_edges_are_where_central_differences_are_large(seed, height, width):
    image = uniform(height, width, seed=seed)
    framed = np.pad(image.double().numpy(), 1)
    expected = [[float(np.hypot(framed[i + 1, j + 2] - framed[i + 1, j], framed[i + 2, j + 1] - framed[i, j + 1]))
                 for j in range(width)] for i in range(height)]
    near = np.abs(np.array(expected) - EDGE) < 1e-5
    assert (near | (edges(image).numpy() == (np.array(expected) > EDGE))).all()


def test_a_digits_edges_lie_on_both_sides_of_its_strokes_and_leave_it_open_which_side_is_inside():
    image = torch.zeros(9, 9)
    image[2:7, 2:7] = 1
    found = edges(image)
    assert found[4].tolist() == [0, 1, 1, 0, 0, 0, 1, 1, 0]
    inverse = edges(1 - image)[1:-1, 1:-1]
    assert torch.equal(inverse, found[1:-1, 1:-1])


def test_edges_are_drawn_beside_the_digits_they_are_of():
    source = EdgesToDigits(uniform(30, 784))
    x, y = source.draw(5, Noise([1, 2], "test"))
    assert x.shape == y.shape == (2, 5, 1, 28, 28)
    assert torch.equal(x, edges(y))
    assert all((y[0, i].flatten() == source.digits).all(1).any() for i in range(5))


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_grey_says_nothing_of_a_shapes_colour(seed):
    drawn = scenes(60, Noise([seed], "test"))
    inside = drawn.inside.flatten(2)
    grey, colours = drawn.grey.flatten(2), drawn.colours.flatten(3)
    assert torch.allclose(grey[inside], torch.tensor(0.5))
    assert inside.sum(2).min() > 20
    border = torch.ones(SCENE_SIDE, SCENE_SIDE, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    around = colours[..., border.flatten()]
    assert (around.amax(2).amax(2) <= BACKGROUND.max() + 1e-6).all()
    assert not drawn.inside[..., border].any()
    found = colours_inside(drawn.colours, drawn.inside)
    distance = (found.unsqueeze(2) - COLOURS).abs().amax(3).min(2)[0]
    assert distance.max() < 1e-5


def test_the_three_colours_come_with_equal_odds():
    found = colours_inside(*(lambda drawn: (drawn.colours, drawn.inside))(scenes(6000, Noise([1], "test"))))
    counts = torch.bincount(found.argmax(2)[0], minlength=3)
    assert (counts - 2000).abs().max() < 5 * (6000 * 2 / 9) ** 0.5


def expected_error(colour):
    """Mean over channels and over the three colours, each with odds of a third."""
    return float((COLOURS - colour).abs().mean())


def test_no_colour_has_less_absolute_error_than_the_median_and_right_odds_cost_a_third_more():
    median = COLOURS.median(0)[0]
    assert median.tolist() == pytest.approx([0.3, 0.3, 0.3])
    assert expected_error(median) == pytest.approx(image_to_image.LEAST)
    grid = torch.linspace(0, 1, 11)
    assert min(expected_error(colour) for colour in torch.cartesian_prod(grid, grid, grid)) == pytest.approx(
        image_to_image.LEAST)
    drawn = sum(expected_error(colour) for colour in COLOURS) / 3
    assert drawn == pytest.approx(image_to_image.RIGHT_ODDS)


# Measures.

def test_commitment_and_saturation_of_known_colours():
    found = torch.stack([COLOURS[0], COLOURS[1] + 0.1, torch.full((3,), 0.3), COLOURS[2] - torch.tensor([0, 0, 0.2])])
    share, distance = commitment(found.unsqueeze(0), near=0.15)
    assert share.item() == 0.5
    assert distance.item() in (pytest.approx(1 / 6), pytest.approx(5 / 12))  # the grey is as near to all three
    assert saturation(found).tolist() == pytest.approx([0.6, 0.6, 0.0, 0.4])
    even = commitment(COLOURS.unsqueeze(0), near=0.15)
    assert [value.item() for value in even] == pytest.approx([1, 0], abs=1e-6)
    one = commitment(COLOURS[[1, 1]].unsqueeze(0), near=0.15)
    assert one[1].item() == pytest.approx(2 / 3)


def test_gradient_energy_by_its_definition():
    images = np.random.default_rng(1).random((2, 3, 2, 4, 5))
    expected = [sum((a[i, j] - a[i + di, j + dj]) ** 2 for a in run.reshape(-1, 4, 5) for i in range(4)
                    for j in range(5) for di, dj in ((0, 1), (1, 0)) if i + di < 4 and j + dj < 5) for run in images]
    assert gradient_energy(torch.tensor(images)).tolist() == pytest.approx(expected)


# The whole lesson.

class ByBrightness:
    """A judge that takes the brightness of an image for its class."""

    accuracy = 0.5

    def __call__(self, images):
        return nn.functional.one_hot((images.mean(1) * 10).long().clamp(max=9), 10).float()


@pytest.fixture(scope="module")
def digits():
    return Digits(uniform(40, 784), uniform(20, 784, seed=2), ByBrightness())


def test_a_run_gives_the_same_twice(digits):
    first, second = (image_to_image.run(SHORT, Progress, digits) for _ in range(2))
    assert first.tables == second.tables
    assert first.criteria == second.criteria
    assert all(torch.equal(image, second.images[name]) for name, image in first.images.items())


def test_every_objective_is_judged_on_both_tasks(digits):
    tables = image_to_image.run(dataclasses.replace(SHORT, seeds=[3]), Progress, digits).tables
    assert tables["digits"]["trained_by"] == tables["colours"]["trained_by"] == [
        "L1 alone", "adversary alone", "both (published weight)", "both (lighter L1)"]
