"""Attributes that are measured from pixels, the arithmetic of means, and a convolutional game."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.lessons.digits import Digits
from gan.lessons.parts.vector_arithmetic_attributes import (
    COLOURS,
    SHEAR,
    WIDTHS,
    Meter,
    any_degrees,
    inks,
    made,
    measures,
    sheared,
    slants,
    strokes,
    thickened,
)
from gan.lessons.parts.vector_arithmetic_game import (
    Discriminator,
    Generator,
    Layer,
    Layers,
    normalised,
    train_generator,
)
from gan.lessons.settings import VectorArithmetic
from gan.lessons.vector_arithmetic import SUMS, arithmetic, draws, linear, linear_code, run


def bar(width, lean=0.0, length=16):
    """Ink [1, 28, 28]: a bar of a whole number of pixels, whose rows are moved by `lean` for each row up."""
    ink = torch.zeros(1, 28, 28)
    for row in range(6, 6 + length):
        left = round(14 - width / 2 + lean * (13.5 - row))
        ink[0, row, left:left + width] = 1
    return ink


# What is measured.

@pytest.mark.parametrize("width", [2, 3, 4, 6])
def test_the_stroke_of_a_long_bar_is_its_width(width):
    """Area wl over half of the edges, w + l; averaging over 2 × 2 pixels rounds the corners off."""
    assert float(strokes(bar(width, length=20))) == pytest.approx(width * 20 / (width + 20), rel=0.06)


def test_a_pattern_of_period_2_is_no_edge():
    ink = bar(6)
    checked = ink.clone()
    checked[:, ::2, ::2] *= 0.5
    assert float(strokes(checked)) > 0.8 * float(strokes(ink))


@settings(max_examples=25, deadline=None)
@given(lean=st.floats(-0.5, 0.5), width=st.integers(2, 5))
def test_the_slant_is_how_far_rows_are_moved(lean, width):
    exact = torch.tensor([[round(14 - width / 2 + lean * (13.5 - row)) for row in range(6, 22)]]).double()
    up = 13.5 - torch.arange(6, 22).double()
    expected = float(((exact - exact.mean()) * up).sum() / up.square().sum())  # least squares through the rows' places
    assert float(slants(bar(width, lean))) == pytest.approx(expected, abs=1e-5)
    rounding = float(0.5 * up.abs().sum() / up.square().sum())  # rows are moved by whole pixels
    assert expected == pytest.approx(lean, abs=rounding + 1e-9)


@settings(max_examples=25, deadline=None)
@given(by=st.floats(-0.6, 0.6), brightness=st.floats(0.3, 1.0))
def test_shearing_adds_to_the_slant(by, brightness):
    ink = brightness * bar(4)
    assert float(slants(sheared(ink.unsqueeze(1), torch.tensor([by])).squeeze(1))) == pytest.approx(by, abs=0.02)


def test_no_ink_has_no_slant_and_no_stroke():
    empty = torch.zeros(2, 28, 28)
    assert slants(empty).tolist() == [0, 0]
    assert strokes(empty).tolist() == [0, 0]


@settings(max_examples=25, deadline=None)
@given(start=st.integers(2, 4), wanted=st.floats(2.5, 5.0))
def test_strokes_grow_to_the_width_wanted_and_never_shrink(start, wanted):
    ink = bar(start, length=18)
    found = float(strokes(thickened(ink.unsqueeze(1), torch.tensor([wanted])).squeeze(1)))
    assert found == pytest.approx(max(wanted, float(strokes(ink))), abs=0.15)


def digits(n=200):
    """Rough digits [n, 784]: an L whose strokes can grow to all widths."""
    stream = torch.Generator().manual_seed(1)
    shapes = []
    for _ in range(n):
        ink = torch.zeros(28, 28)
        x, y = 3 + int(torch.randint(6, 9, (1,), generator=stream)), int(torch.randint(4, 7, (1,), generator=stream))
        ink[y:y + 18, x:x + 4] = 1
        ink[y + 14:y + 18, x:x + 12] = 1
        shapes.append(ink.flatten())
    return torch.stack(shapes)


def test_attributes_are_read_as_they_were_made():
    degrees = any_degrees(200, "test")
    images = made(digits(), degrees)
    assert images.shape == (200, 3, 14, 14)
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    meter = Meter.fit(images[:100], degrees[:100])
    clear = (degrees[100:] - 0.5).abs() > 0.1
    assert torch.equal(meter(images[100:])[clear], (degrees[100:] > 0.5)[clear])
    found = measures(images)
    thin = degrees[:, 2] < 0.2  # where the shape is still that which was set upright
    assert found[thin, 1].tolist() == pytest.approx((SHEAR * (2 * degrees[thin, 1] - 1)).tolist(), abs=0.08)
    red, _, blue = torch.lerp(COLOURS[0], COLOURS[1], degrees[:, :1]).T
    assert found[:, 0].tolist() == pytest.approx(((red - blue) / (red + blue)).tolist(), abs=1e-5)


def test_each_attribute_is_made_alone():
    plain = measures(made(digits(3), torch.full((3, 3), 0.25)))
    for attribute in range(3):
        degrees = torch.full((3, 3), 0.25)
        degrees[:, attribute] = 0.75
        change = measures(made(digits(3), degrees)) - plain
        others = [other for other in range(3) if other != attribute]
        whole = torch.tensor([1.8 / 1.1, 2 * SHEAR, (WIDTHS[1] - WIDTHS[0]) / 2])  # from 0 to 1, in the image's pixels
        assert float((change / whole)[:, attribute].min()) > 0.35
        assert float((change / whole)[:, others].abs().max()) < 0.1


def test_ink_does_not_depend_on_its_colour():
    orange, blue = (made(digits(5), torch.tensor([[colour, 0.5, 0.5]] * 5)) for colour in (1.0, 0.0))
    torch.testing.assert_close(inks(orange), inks(blue))


# The arithmetic.

def test_every_sum_wants_two_attributes_that_none_of_its_concepts_has_both():
    assert len({wanted.text for wanted in SUMS}) == 12
    for wanted in SUMS:
        a, b, c = wanted.concepts
        assert wanted.values not in (a, b, c)
        assert tuple(x - y + z for x, y, z in zip(a, b, c, strict=True)) == wanted.values
    assert SUMS[0].text == "blue right − blue left + orange left = orange right"


def toy(seed=1, n=4000, d=6):
    """z whose attributes are the signs of its first coordinates."""
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    return z, z[:, :3] > 0


@pytest.mark.parametrize("wanted", [SUMS[0], SUMS[6], SUMS[11]])
def test_exemplars_have_their_concept(wanted):
    _, pool = toy()
    for averaged, exemplars in draws(VectorArithmetic(trials=20), 1, wanted, pool):
        for concept, rows in zip(wanted.concepts, exemplars, strict=True):
            assert rows.shape == (20, averaged)
            assert bool(wanted.having(pool[rows.flatten()], concept).all())


def test_without_an_exemplar_there_is_no_sum():
    _, pool = toy()
    pool[:, 0] = True  # no sample is blue
    assert {exemplars for _, exemplars in draws(VectorArithmetic(trials=2), 1, SUMS[0], pool)} == {None}


def test_the_arithmetic_agrees_with_a_naive_loop():
    z, _ = toy(n=10, d=3)
    rows = [torch.tensor([[0, 1], [2, 2]]), torch.tensor([[3, 4], [5, 6]]), torch.tensor([[7, 8], [9, 0]])]
    for trial, found in enumerate(arithmetic(z, rows)):
        a, b, c = (sum(z[int(row)] for row in one[trial]) / 2 for one in rows)
        torch.testing.assert_close(found, a - b + c)


def test_a_sum_of_means_of_three_is_as_long_as_a_z():
    z, _ = toy(n=20_000, d=50)
    rows = [torch.randint(20_000, (500, 3), generator=torch.Generator().manual_seed(i)) for i in range(3)]
    assert float(arithmetic(z, rows).square().sum(1).mean()) == pytest.approx(50, rel=0.03)


@pytest.mark.parametrize("averaged", [1, 3, 9])
def test_a_linear_code_is_found_as_often_as_theory_says(averaged):
    """The lesson's own arithmetic on signs of coordinates, against the convolution of half-normals."""
    z, pool = toy(n=40_000)
    options = dataclasses.replace(VectorArithmetic(trials=4000), averaged=sorted({1, 3, averaged}))
    exemplars = dict(draws(options, 1, SUMS[0], pool))[averaged]
    found = arithmetic(z, exemplars)[:, :2] > 0
    expected = linear_code(averaged, 1.0) ** 2
    assert float(found.all(1).double().mean()) == pytest.approx(
        expected, abs=4 * math.sqrt(expected * (1 - expected) / 4000) + 0.005)


@pytest.mark.parametrize(("averaged", "told"), [(1, 0.8), (3, 0.9), (5, 0.7)])
def test_a_code_that_is_linear_in_part_is_found_as_often_as_theory_says(averaged, told):
    """Exemplars by the sign of ρu + √(1 − ρ²)e, and a sum that has a new e."""
    rho, stream = math.cos(math.pi * (1 - told)), torch.Generator().manual_seed(1)

    def s(u):
        return rho * u + math.sqrt(1 - rho ** 2) * torch.randn(u.shape, generator=stream)

    u = torch.randn(100_000, generator=stream)
    high = s(u) > 0
    assert float((high == (u > 0)).double().mean()) == pytest.approx(told, abs=0.006)
    above, below = u[high], u[~high]
    a, b, c = (one[torch.randint(len(one), (40_000, averaged), generator=stream)].mean(1)
               for one in (below, below, above))
    assert float((s(a - b + c) > 0).double().mean()) == pytest.approx(linear_code(averaged, told), abs=0.01)


def test_the_share_of_single_z_is_a_solid_angle():
    """P(z > x + y | x, y, z > 0) of normals is that of a spherical triangle, by van Oosterom and Strackee's formula."""
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1]]) / np.array([[1], [math.sqrt(2)], [math.sqrt(2)]])
    a, b, c = corners
    angle = 2 * math.atan2(abs(a @ np.cross(b, c)), 1 + a @ b + b @ c + c @ a)
    assert linear_code(1, 1.0) == pytest.approx(1 - angle / (math.pi / 2), abs=2e-5)


def test_a_linear_code_is_found_more_often_the_more_are_averaged():
    shares = [linear_code(averaged, 0.9) for averaged in (1, 2, 3, 5, 9)]
    assert shares == sorted(shares)
    assert 0.5 < shares[0] < shares[-1] < 1
    assert linear_code(3, 0.5) == pytest.approx(0.5, abs=1e-9)


def test_a_plane_tells_a_direction_and_not_a_distance():
    z, pool = toy()
    assert linear(z, pool[:, 0]) > 0.97
    assert linear(z, z[:, 0] > 0.7) > 0.97  # the plane need not go through 0
    far = z[:, 0].abs() > 0.6745
    assert linear(z, far) < 0.6
    assert linear(z, torch.ones(len(z)).bool()) is None


def test_digits_without_a_label_each_are_refused():
    for labels in (None, torch.zeros(3, dtype=torch.int64)):
        with pytest.raises(ValueError, match="expected a label for each of 4 training digits"):
            run(VectorArithmetic(), None, Digits(digits(4), digits(2), None, labels))


# The game.

def test_layers_are_cut_from_one_row():
    layers = Layers((Layer((2, 3), 2, 3), Layer((4, 1, 2, 2), 8, 4)))
    theta = torch.arange(9 + 20.0).unsqueeze(0)
    (first, first_bias), (second, second_bias) = layers.split(theta)
    assert first.flatten().tolist() + first_bias.tolist() + second.flatten().tolist() + second_bias.tolist() == \
        theta.squeeze(0).tolist()
    assert layers.initial(1, "test").shape == theta.shape
    assert torch.equal(layers.initial(1, "test"), layers.initial(1, "test"))
    assert not torch.equal(layers.initial(1, "test"), layers.initial(2, "test"))


def test_maps_are_normalised():
    maps = 3 * torch.randn(8, 4, 5, 5, generator=torch.Generator().manual_seed(1)) + 2
    found = normalised(maps, torch.tensor([0.0, 1.0, 2.0, 3.0]))
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.tensor([0.0, 1.0, 2.0, 3.0]))
    torch.testing.assert_close(found.var((0, 2, 3), correction=0), torch.ones(4), atol=1e-4, rtol=0)


def small():
    generator, stream = Generator(6, 4, 3, 3), torch.Generator().manual_seed(1)
    return generator, generator.parameters.initial(1, "test"), torch.randn(40, 6, generator=stream)


def test_a_sample_depends_on_its_own_z_alone():
    generator, theta, z = small()
    moments = generator.moments(theta, z)
    together = generator(theta, z, moments)
    assert together.shape == (40, 3, 14, 14)
    torch.testing.assert_close(generator(theta, z[7:8], moments), together[7:8])
    torch.testing.assert_close(together, generator(theta, z))  # the moments are those of this minibatch


def test_the_discriminators_gradient_agrees_with_finite_differences():
    discriminator = Discriminator(2, 2, 3)
    theta = discriminator.parameters.initial(1, "test").double().requires_grad_()
    images = torch.rand(4, 3, 14, 14, generator=torch.Generator().manual_seed(1)).double()
    assert discriminator(theta, images).shape == (4, 1)
    slope = torch.autograd.grad(discriminator(theta, images).square().sum(), theta)[0]
    for place in (0, theta.shape[1] // 2, theta.shape[1] - 1):
        shift = torch.zeros_like(theta)
        shift[0, place] = 1e-6
        with torch.no_grad():
            higher, lower = (discriminator(theta + sign * shift, images).square().sum() for sign in (1, -1))
        assert float(slope[0, place]) == pytest.approx(float(higher - lower) / 2e-6, rel=1e-4, abs=1e-6)


def test_the_game_learns_how_bright_images_are():
    images = torch.zeros(64, 3, 14, 14)
    images[:, 0, 4:10, 4:10] = 1
    generator, discriminator = Generator(6, 8, 4, 3), Discriminator(8, 4, 3)
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))

    def error(steps):
        theta = train_generator(lambda rows: images[rows], 64, 1, generator, discriminator, 16, 0.005, 0.002, steps,
                                0.1, lambda n: None)
        return float((generator(theta, z) - images[:1]).square().mean())

    assert error(150) < 0.3 * error(1)
