"""What conditional nets are told: codes of classes, given pixels, samples of both; against the unconditional nets."""

from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.adversarial.conditional import ANSWERS, COMPLETED, OF_A_CLASS, examine, pictures
from gan.adversarial.conditions import (
    class_codes,
    draw_visible,
    even_classes,
    even_told,
    generate,
    half,
    of_classes,
    of_pixels,
)
from gan.adversarial.layers import Dense, Dropout, Network
from gan.adversarial.model import AdversarialNetsModel
from gan.adversarial.settings import (
    Convolution,
    GradientPenalty,
    MaxoutLayer,
    Objective,
    OnClass,
    OnVisiblePixels,
)
from gan.adversarial.training import Training
from gan.datasets.dataset import Dataset
from gan.evaluation.features import Seen
from gan.linear_algebra import random_stream
from gan.model import Examination
from gan.registry import create, does_more, model_of, needs_labels

SHAPE = (1, 2, 3)


def told_class(small_nets, classes=3, **recipe):
    return replace(small_nets(**recipe), condition=OnClass("class", classes))


def told_pixels(small_nets, nothing=0.25):
    return replace(small_nets(), condition=OnVisiblePixels("visible_pixels", nothing))


# Codes.

@given(st.integers(2, 40))
def test_codes_of_classes_have_mean_0_and_variance_1(classes):
    codes = class_codes(classes).double()
    assert codes.mean(0).abs().max() < 1e-6
    torch.testing.assert_close(codes.square().mean(0), torch.ones(classes, dtype=torch.float64), rtol=1e-5, atol=0)


def test_of_one_class_the_code_is_nothing():
    assert class_codes(1).tolist() == [[0]]


def test_nets_of_one_class_are_the_unconditional_ones(small_nets, images):
    """To rounding: the products have one more input, which is 0."""
    plain, one = Training(small_nets(), images, seed=1), Training(
        told_class(small_nets, 1), images, seed=1, labels=torch.zeros(50, dtype=torch.int64))
    for mine, theirs in ((one.generator, plain.generator), (one.discriminator, plain.discriminator)):
        for layer, other in zip(mine.layers, theirs.layers, strict=True):
            for own, value in zip(layer.parameters, other.parameters, strict=True):
                own[:len(value)].copy_(value)
    for layer in (*one.discriminator.layers, *plain.discriminator.layers):
        if isinstance(layer, Dropout):
            layer.keep = 1.0  # masks of another width are other masks
    z = torch.randn(20, 4)
    code = torch.zeros(20, 1)
    torch.testing.assert_close(one.generator.forward(torch.cat((z, code), 1)), plain.generator.forward(z))
    torch.testing.assert_close(one.discriminator.forward(torch.cat((images[:20], code), 1)),
                               plain.discriminator.forward(images[:20]))


@given(st.integers(1, 60), st.integers(1, 12))
def test_samples_are_evenly_of_all_classes(n, classes):
    counts = torch.bincount(even_classes(n, classes), minlength=classes)
    assert counts.max() - counts.min() <= 1


# Given pixels.

@settings(max_examples=20)
@given(nothing=st.floats(0.01, 1), seed=st.integers(0, 2**31), shape=st.sampled_from([SHAPE, (3, 5, 4), (1, 1, 7)]))
def test_pixels_are_given_with_all_their_channels_and_the_same_for_the_same_stream(nothing, seed, shape):
    condition = OnVisiblePixels("visible_pixels", nothing)
    one, other = (draw_visible(condition, 200, shape, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(one, other)
    images = one.view(200, *shape)
    assert set(one.unique().tolist()) <= {0, 1}
    assert (images == images[:, :1]).all()


def test_of_so_many_images_nothing_is_given_and_the_others_are_cut_by_a_line_anywhere():
    condition = OnVisiblePixels("visible_pixels", 0.25)
    visible = draw_visible(condition, 20_000, (1, 12, 12), torch.Generator().manual_seed(1))
    images = visible.view(-1, 12, 12)
    empty = (visible == 0).all(1)
    assert ((images == images[:, :1]).all((1, 2)) | (images == images[:, :, :1]).all((1, 2))).all()
    # A line in half of the outermost row gives nothing, too.
    assert float(empty.double().mean()) == pytest.approx(0.25 + 0.75 / 24, abs=0.02)
    shares = visible[~empty].mean(1)
    assert [float((shares <= at).double().mean()) for at in (0.25, 0.5, 0.75)] == pytest.approx(
        [0.25, 0.5, 0.75], abs=0.05)
    for side in ("left", "right", "top", "bottom"):
        halves = (visible == half((1, 12, 12), side)).all(1)
        assert float(halves.double().mean()) == pytest.approx(0.75 / 4 / 12, abs=0.005)


@pytest.mark.parametrize(("side", "given_pixels"), [
    ("left", [[1, 0, 0], [1, 0, 0]]), ("right", [[0, 0, 1], [0, 0, 1]]), ("top", [[1, 1, 1], [0, 0, 0]]),
    ("bottom", [[0, 0, 0], [1, 1, 1]])])
def test_halves(side, given_pixels):
    """The middle column of an odd number is in neither."""
    assert half(SHAPE, side).view(2, 3).tolist() == given_pixels


def test_another_side_is_refused():
    with pytest.raises(ValueError, match="side must be left, right, top, bottom, not middle"):
        half(SHAPE, "middle")


def test_given_pixels_stay_as_they_are_and_the_others_are_made(small_nets, images):
    model = create(told_pixels(small_nets), images, 1, shape=SHAPE)
    visible = half(SHAPE).expand(50, -1)
    told = of_pixels(images, visible)
    made = model.transform(model.weights("raw"), torch.randn(50, 4), told)
    assert torch.equal(made[visible == 1], images[visible == 1])
    assert not torch.isclose(made[visible == 0], images[visible == 0]).any()
    grey = model.transform(model.weights("raw"), torch.randn(50, 4))
    assert grey.shape == (50, 6)


def test_no_gradient_reaches_g_by_pixels_that_are_given():
    told = of_pixels(torch.rand(4, 6), torch.ones(4, 6))
    assert not told.gradient_of_made(torch.rand(4, 6)).any()


def test_images_are_generated_in_blocks_as_they_are_at_once():
    network = Network([Dense(torch.randn(5, 6), torch.zeros(6), "sigmoid")])
    told = of_classes(class_codes(3), even_classes(2500, 3))
    z = torch.randn(2500, 2)
    torch.testing.assert_close(generate(network, z, told), network.forward(torch.cat((z, told.generator), 1)))


# The model.

def test_what_kinds_of_nets_there_are(small_nets):
    plain = small_nets()
    assert [model_of(asdict(nets)) for nets in (
        plain, told_class(small_nets), told_pixels(small_nets), small_nets(generator_rate=2.0),
        small_nets(objective=Objective.RELATIVISTIC), small_nets(penalty=GradientPenalty(1.0, "data")),
        replace(plain, discriminator=replace(plain.discriminator, spectral_norm=True)))] == [
        "adversarial_nets", "conditional_nets", "completion_nets", *["stabilised_nets"] * 4]
    assert [needs_labels(nets) for nets in (plain, told_class(small_nets), told_pixels(small_nets))] == [
        False, True, False]
    assert [does_more(nets) for nets in (plain, told_class(small_nets))] == [False, True]


def test_without_labels_they_can_be_sampled_and_not_trained(small_nets, images):
    model = create(told_class(small_nets), images, 1, shape=SHAPE)
    assert model.sample(model.weights("raw"), 7, random_stream(1, "test")).shape == (7, 6)
    with pytest.raises(ValueError, match=r"condition\.given is class, but the data have no labels"):
        model.fit_epoch()


@pytest.mark.parametrize("labels", [torch.zeros(49, dtype=torch.int64), torch.full((50,), 3), torch.arange(50) % 2,
                                    torch.arange(50) % 4 - 1])
def test_labels_of_other_images_or_classes_are_refused(small_nets, images, labels):
    with pytest.raises(ValueError, match=r"condition.classes is 3 and there are 50 images, but"):
        create(told_class(small_nets), images, 1, shape=SHAPE, labels=labels)


def test_each_line_in_z_is_of_one_class(small_nets, images):
    model = create(told_class(small_nets), images, 1, shape=SHAPE)
    assert isinstance(model, AdversarialNetsModel)
    weights = model.weights("raw")
    lines = model.interpolate(weights, 2, 3, random_stream(1, "test"))
    z = torch.empty(4, 4).uniform_(-3**0.5, 3**0.5, generator=random_stream(1, "test")).view(2, 2, 4)
    ends = model.transform(weights, z[0], of_classes(class_codes(3), torch.tensor([0, 1])))
    torch.testing.assert_close(lines.view(2, 3, 6)[:, 0], ends)


def test_unconditional_nets_show_and_measure_nothing_beside(small_nets, images):
    model = create(small_nets(), images, 1, shape=SHAPE)
    data = Dataset("small", SHAPE, images, images, images)
    assert model.pictures(model.weights("raw"), data, random_stream(1, "test")) == {}
    assert model.examine(model.weights("raw"), Examination(data, None, None, 10), random_stream(1, "test")) == {}


def test_convolutions_have_no_condition(small_nets):
    nets = small_nets()
    layer = MaxoutLayer(3, 2, 0.1, 0.8, Convolution(2, 0, 1, 1))
    with pytest.raises(ValueError, match="condition is for dense nets without pretraining"):
        replace(nets, condition=OnClass("class", 3), discriminator=replace(
            nets.discriminator, hidden=[layer, *nets.discriminator.hidden]))


# What they show, and are measured by.

class Judge:
    """Says the class that the first pixel tells: a tenth for each."""

    classes = 3

    def __call__(self, images):
        return Seen(images, torch.eye(3)[(10 * images[:, 0]).round().long() % 3])


def drawn_as_asked(told):
    """Images whose first pixel is the class that was asked for."""
    classes = (told.generator[:, None] - class_codes(3)).abs().sum(2).argmin(1)
    return torch.rand(len(classes), 6).index_copy(1, torch.tensor([0]), classes.unsqueeze(1) / 10)


def data_of(images):
    return Dataset("small", SHAPE, images, images, images)


def test_a_row_of_each_class(small_nets, images):
    shown = pictures(told_class(small_nets), data_of(images), drawn_as_asked)["classes"]
    assert shown.columns == OF_A_CLASS
    assert (10 * shown.images[:, 0]).round().tolist() == [c for c in range(3) for _ in range(OF_A_CLASS)]


def test_the_share_of_samples_that_are_of_the_class_that_was_asked_for(small_nets, images):
    by = Examination(data_of(images), None, Judge(), 300)
    nets = told_class(small_nets)
    assert examine(nets, by, drawn_as_asked)["as_asked"].value == 1
    always_0 = examine(nets, by, lambda told: torch.zeros(len(told.generator), 6))["as_asked"]
    assert always_0.value == pytest.approx(1 / 3)
    assert always_0.standard_error == pytest.approx((2 / 9 / 299) ** 0.5)
    assert examine(nets, replace(by, judge=None), drawn_as_asked) == {}


def test_completions_are_measured_beside_the_nearest_training_image(small_nets, images):
    """Told apart: the answer that is the image itself, and a training set that holds it."""
    labels = {"test": (10 * images[:, 0]).round().long() % 3}
    by = Examination(data_of(images), labels, Judge(), 40)
    answers = iter([0.0, 0.3])

    def near(told):
        return torch.where(told.visible == 1, told.image, images[torch.arange(40) * 50 // 40] + next(answers))

    found = examine(told_pixels(small_nets), by, near)
    assert found["completion_distance"].value == 0
    assert found["completion_distance_nearest"].value == pytest.approx(0, abs=1e-6)
    assert found["completion_variety"].value == pytest.approx(0.3, rel=1e-5)
    assert found["completion_class"].value == found["completion_class_nearest"].value == 1
    answers = iter([0.0, 0.3])
    assert "completion_class" not in examine(told_pixels(small_nets), replace(by, labels=None), near)


def test_halves_of_test_images_are_shown_with_several_answers(small_nets, images):
    shown = pictures(told_pixels(small_nets), data_of(images),
                     lambda told: told.completed(torch.zeros_like(told.image)))
    assert sorted(shown) == ["completed_from_the_left", "completed_from_the_top"]
    left = shown["completed_from_the_left"]
    assert left.columns == ANSWERS + 2
    rows = left.images.view(COMPLETED, ANSWERS + 2, 2, 3)
    assert torch.equal(rows[:, -1].flatten(1), images[:COMPLETED])
    assert (rows[:, 0, :, 1:] == 0.5).all()
    assert torch.equal(rows[:, 3, :, 0], rows[:, -1, :, 0])


def test_samples_of_completing_nets_are_those_without_a_given_pixel(small_nets):
    told = even_told(told_pixels(small_nets), 3, 6)
    assert told is not None
    assert not told.generator.any()
    assert told.completed(torch.ones(3, 6)).all()
