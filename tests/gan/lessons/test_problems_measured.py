"""Lesson “problems measured”: pictures of known truth, what is measured on them, and the game."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, ndimage, optimize

from gan.lessons.lesson import Rows
from gan.lessons.parts.problems_measured_game import Discriminator, Generator, PictureGame
from gan.lessons.parts.problems_measured_scenes import (
    BASES,
    EYES,
    GAP,
    RADIUS,
    SHIFT,
    SIDE,
    TOP,
    VANISHING,
    counted,
    difference,
    discs,
    draw_lines,
    eyes,
    find_discs,
    find_lines,
    measure_count,
    measure_eyes,
    measure_road,
    meeting,
    radius_of,
    road_lines,
    roads,
    scenes,
)
from gan.lessons.parts.problems_measured_verdicts import Verdicts, correlation, interval, of_wobble
from gan.lessons.problems_measured import above_data
from gan.lessons.settings import ProblemsMeasured
from gan.linear_algebra import random_stream

INSIDE = st.floats(RADIUS + 0.5, SIDE - 1.5 - RADIUS)


def array(pictures):
    return pictures.double().numpy()


def one_disc(x, y, radius=RADIUS):
    return array(discs(torch.tensor([[[x, y]]]), torch.tensor([[radius]])))


# Drawing.

@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0, 2.6])
def test_the_mass_of_a_disc_is_the_integral_of_its_profile(radius):
    expected, _ = integrate.quad(lambda d: 2 * math.pi * d * min(1.0, max(0.0, radius + 0.5 - d)), 0, radius + 0.5,
                                 points=[radius - 0.5])
    assert radius_of(np.array([expected])) == pytest.approx([radius], abs=1e-9)
    centres = 7 + torch.rand(400, 1, 2, generator=random_stream(1, "test"))
    masses = array(discs(centres, torch.full((400, 1), radius))).sum((1, 2))
    assert masses.mean() == pytest.approx(expected, rel=0.02)


@settings(max_examples=50, deadline=None)
@given(INSIDE, INSIDE)
def test_a_disc_is_found_where_it_was_drawn(x, y):
    found = find_discs(one_disc(x, y), (RADIUS, RADIUS))
    assert found.count.tolist() == [1]
    assert found.x == pytest.approx([x], abs=0.05)
    assert found.misfit[0] < 0.05
    assert found.stray.tolist() == [0]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_real_picture_has_as_many_discs_as_it_should(count):
    pictures = counted(2000, count, random_stream(1, "test"))
    found = measure_count(array(pictures), count)
    assert found.value.tolist() == [count] * 2000
    assert found.well_formed.all()
    assert not found.wrong.any()
    assert measure_count(array(pictures), count + 1).wrong.all()


def test_the_lines_of_every_road_lead_to_one_point_above_the_picture():
    lines = road_lines(2000, random_stream(1, "test")).double().numpy()
    wobble, miss = meeting(lines)
    assert wobble.max() < 1e-5
    assert miss.max() < 1e-5
    assert np.abs(lines[:, :, -1] - BASES).max() <= SHIFT + 1e-5
    slopes, t = lines[:, :, -1] - lines[:, :, -2], SIDE - 1 - TOP
    rows = SIDE - 1 - (lines[:, 1, -1] - lines[:, 0, -1]) / (slopes[:, 1] - slopes[:, 0])
    assert t == lines.shape[2] - 1
    assert rows.min() > VANISHING[1][0] - 1e-3
    assert rows.max() < VANISHING[1][1] + 1e-3


def test_the_eyes_of_every_picture_are_of_one_size():
    found = measure_eyes(array(eyes(2000, random_stream(1, "test"))))
    assert found.well_formed.all()
    assert not found.wrong.any()
    assert found.value.max() < 0.15  # pixels are coarse for the smallest


# Measuring: counts.

@pytest.mark.parametrize("blur", [0.5, 1.0])
def test_blur_changes_no_count(blur):
    pictures = ndimage.gaussian_filter(array(counted(500, 3, random_stream(2, "test"))), (0, blur, blur))
    assert not measure_count(pictures, 3).wrong.any()


def test_objects_are_found_as_by_labelling_each_picture_alone():
    pictures = torch.rand(200, SIDE, SIDE, generator=random_stream(1, "test")).double().numpy()
    pictures = ndimage.gaussian_filter(pictures, (0, 1, 1))
    pictures = (pictures - pictures.min()) / (pictures.max() - pictures.min())
    found = find_discs(pictures, (RADIUS, RADIUS))
    for i, picture in enumerate(pictures):
        labels, number = ndimage.label(picture > 0.5)
        assert found.count[i] == number
        assert sorted(found.picture).count(i) == number
        near = ndimage.binary_dilation(labels > 0, np.ones((3, 3)))
        assert found.mass[found.picture == i].sum() == pytest.approx(picture[near].sum(), abs=1e-9)
        assert found.stray[i] == pytest.approx(picture[~near].sum(), abs=1e-9)


def test_misfit_is_the_difference_from_the_disc_that_is_drawn_in_an_objects_place():
    square = np.zeros((1, SIDE, SIDE))
    square[0, 4:8, 5:9] = 1
    found = find_discs(square, (0.1, 8.0))
    expected = one_disc(6.5, 5.5, float(radius_of(np.array([16.0]))[0]))
    assert found.mass.tolist() == [16]
    assert found.misfit == pytest.approx([np.abs(square - expected)[0, 3:9, 4:10].sum() / 16], abs=1e-6)


def test_an_object_that_is_small_torn_or_not_alone_is_not_well_formed():
    whole = one_disc(5.0, 5.0)
    torn = whole.copy()
    torn[0, 6:] = 0
    faint = np.maximum(whole, 0.3 * one_disc(11.0, 11.0))
    pictures = np.concatenate((whole, one_disc(5.0, 5.0, 1.2), torn, faint, 0 * whole))
    found = measure_count(pictures, 1)
    assert found.well_formed.tolist() == [True, False, False, False, False]
    assert found.value.tolist() == [1, 1, 1, 1, 0]


def test_touching_discs_are_one_object_that_is_not_well_formed():
    both = np.maximum(one_disc(5.0, 5.0), one_disc(8.0, 5.0))
    found = measure_count(both, 2)
    assert found.value.tolist() == [1]
    assert not found.well_formed[0]


# Measuring: eyes.

@settings(max_examples=50, deadline=None)
@given(st.floats(*EYES), st.floats(*EYES))
def test_eyes_differ_by_the_areas_of_their_discs(a, b):
    pictures = np.maximum(one_disc(3.5, 5.0, a), one_disc(11.5, 9.0, b))
    found = measure_eyes(pictures)
    areas = a * a + 1 / 12, b * b + 1 / 12
    assert found.value == pytest.approx([2 * abs(areas[0] - areas[1]) / sum(areas)], abs=0.15)
    assert found.well_formed.tolist() == [True]
    assert measure_eyes(pictures[:, :, ::-1]).value == pytest.approx(found.value, abs=1e-12)


def test_two_eyes_in_one_half_are_not_well_formed():
    assert not measure_eyes(np.maximum(one_disc(3.5, 4.0), one_disc(3.5, 11.0))).well_formed[0]


def test_differences_of_known_masses():
    found = difference(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 3.0, 2.0, 0.0]))
    assert found[:3].tolist() == [0, 1, 2]
    assert math.isnan(found[3])


# Measuring: roads.

def test_lines_are_found_where_they_were_drawn():
    lines = road_lines(500, random_stream(1, "test"))
    found, which = find_lines(array(draw_lines(lines)))
    assert which.all()
    assert found == pytest.approx(lines.double().numpy(), abs=1e-5)


def test_a_picture_with_another_number_of_lines_has_no_value():
    pictures = array(roads(3, random_stream(1, "test")))
    pictures[0, TOP + 2] = 0
    pictures[1, TOP:, SIDE // 2:] = 0
    found = measure_road(pictures)
    assert np.isnan(found.value).tolist() == [True, True, False]
    assert found.well_formed.tolist() == [False, False, True]
    assert not found.wrong.any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.8, 0.8), min_size=3, max_size=3, unique=True),
       st.lists(st.floats(0, 15), min_size=3, max_size=3))
def test_the_miss_agrees_with_a_general_optimiser(slopes, starts):
    slopes, starts = np.array(slopes), np.array(starts)
    if np.abs(np.diff(np.sort(slopes))).min() < 0.1:
        slopes = np.array([-0.5, 0.1, 0.6])
    t = np.arange(TOP, SIDE)
    wobble, miss = meeting((starts[:, None] + slopes[:, None] * t)[None])

    def distances(point):
        return (point[0] - starts - slopes * point[1]) / np.sqrt(1 + slopes ** 2)

    best = optimize.least_squares(distances, (0.0, 0.0), xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    assert miss == pytest.approx([np.abs(distances(best)).max()], rel=1e-5, abs=1e-6)
    assert wobble == pytest.approx(np.zeros((1, 3)), abs=1e-12)


def test_parallel_lines_miss_by_half_of_what_is_between_the_outer_ones():
    lines = np.array([[[3.0], [6.0], [9.0]]]) + np.zeros(SIDE - TOP)
    assert meeting(lines)[1] == pytest.approx([3.0], abs=1e-9)


def test_wobble_is_the_deviation_of_the_rows():
    noise = torch.randn(4000, 3, SIDE - TOP, generator=random_stream(1, "test"), dtype=torch.float64).numpy()
    lines = road_lines(4000, random_stream(1, "test")).double().numpy()
    wobble, _ = meeting(lines + 0.1 * noise)
    assert np.sqrt(np.square(wobble).mean()) == pytest.approx(0.1, rel=0.02)


# Verdicts.

def test_roads_made_to_waver_miss_as_roads_that_waver():
    stream = random_stream(1, "test")
    straight = road_lines(4000, stream)
    wavering = straight + 0.15 * torch.randn(straight.shape, generator=stream)
    found = find_lines(array(draw_lines(wavering)))[0]
    expected = meeting(found)[1]
    again = of_wobble(array(draw_lines(wavering)), random_stream(2, "test"))
    assert np.median(again) == pytest.approx(np.median(expected), rel=0.1)
    assert of_wobble(array(draw_lines(straight)), random_stream(2, "test")).max() < 1e-4


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 20), (20, 20)])
def test_the_interval_is_clopper_and_pearsons(hits, n):
    low, high = interval(hits, n)

    def at_least(p):
        return sum(math.comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(hits, n + 1))

    def at_most(p):
        return sum(math.comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(hits + 1))

    assert low == 0 if hits == 0 else at_least(low) == pytest.approx(0.025, abs=1e-9)
    assert high == 1 if hits == n else at_most(high) == pytest.approx(0.025, abs=1e-9)


def test_of_nothing_drawn_nothing_is_known():
    assert interval(0, 0) == (0, 1)
    assert correlation(np.arange(3.0), np.arange(3.0)) == (0, -1, 1)


def test_the_interval_of_a_correlation_is_fishers():
    a, b = np.random.default_rng(1).normal(size=(2, 50))
    r, low, high = correlation(a, a + b)
    assert r == pytest.approx(np.corrcoef(a, a + b)[0, 1], abs=1e-12)
    assert np.arctanh([low, high]) == pytest.approx(np.arctanh(r) + np.array([-1, 1]) * 1.959964 / math.sqrt(47),
                                                    abs=1e-5)


def test_real_pictures_in_the_place_of_samples_are_never_wrong_and_shuffled_parts_are():
    """The verdicts on a generator that is perfect, and on one that gets every part right and no whole."""
    verdicts, n = Verdicts(), 400
    for name, scene in scenes([2]).items():
        first, second, real = (scene.draw(n, random_stream(seed, name)) for seed in (1, 2, 3))
        halved = torch.cat((first[:, :, :SIDE // 2], second[:, :, SIDE // 2:]), 2)
        if name == "road":
            lines = [road_lines(n, random_stream(seed, name))[:, seed] for seed in range(3)]
            halved = draw_lines(torch.stack(lines, 1))
        verdicts.judge(name, scene, [1, 2], real, torch.stack((first, halved)))
        for of in ("all", "well formed"):
            right, wrong = verdicts.scenes.numbers("wrong", scene=name, of=of)
            assert right == 0
            assert wrong > 0.2
    of = dict(zip(verdicts.correlations.table["source"], verdicts.correlations.table["correlation"], strict=True))
    assert of["data"] > 0.99
    assert of["seed 1"] > 0.99
    assert abs(of["seed 2"]) < 0.2


def test_what_real_pictures_and_wavering_give_is_subtracted_from_the_lower_end():
    verdicts = Verdicts()
    verdicts.data.add("road", 0.0, 0.01, 1.0)
    verdicts.scenes = Rows("scene", "of", "low", "by_wobble")
    for low, by_wobble in ((0.5, 0.3), (0.3, 0.0)):
        verdicts.scenes.add("road", "all", low, by_wobble)
    assert above_data(verdicts, "road", "all") == pytest.approx(0.2)


# The game.

def small(**changes):
    return ProblemsMeasured(**{"seeds": [1, 2], "channels": 2, "noise": 3, "batch": 4} | changes)


def reference_generator(parts, z, channels):
    """One run by torch's own modules."""
    dense, shift, first, first_bias, second, second_bias = parts
    maps = torch.relu(z @ dense + shift).view(len(z), 2 * channels, 4, 4)
    one = torch.nn.ConvTranspose2d(2 * channels, channels, 4, 2, 1)
    two = torch.nn.ConvTranspose2d(channels, 1, 4, 2, 1)
    one.weight.data, one.bias.data, two.weight.data, two.bias.data = first, first_bias, second, second_bias
    return two(torch.relu(one(maps))).sigmoid()[:, 0].detach()


def reference_discriminator(parts, pictures, channels):
    first, first_bias, second, second_bias, last, shift = parts
    one = torch.nn.Conv2d(1, channels, 4, 2, 1)
    two = torch.nn.Conv2d(channels, 2 * channels, 4, 2, 1)
    one.weight.data, one.bias.data, two.weight.data, two.bias.data = first, first_bias, second, second_bias
    leaky = torch.nn.LeakyReLU(0.2)
    return (leaky(two(leaky(one(pictures[:, None])))).flatten(1) @ last + shift)[:, 0].detach()


def test_networks_of_many_runs_are_each_the_network_of_one():
    seeds, stream = [1, 2, 3], random_stream(1, "test")
    generator, discriminator = Generator(5, 2), Discriminator(2)
    theta_g, theta_d = generator.start(seeds, 0.2), discriminator.start(seeds)
    theta_g, theta_d = (theta + 0.1 * torch.randn(theta.shape, generator=stream) for theta in (theta_g, theta_d))
    z = torch.randn(3, 6, 5, generator=stream)
    pictures = generator(theta_g, z)
    logits = discriminator(theta_d, pictures)
    for run in range(3):
        of_run = reference_generator([part[run] for part in generator.parts(theta_g)], z[run], 2)
        torch.testing.assert_close(pictures[run], of_run)
        torch.testing.assert_close(logits[run], reference_discriminator(
            [part[run] for part in discriminator.parts(theta_d)], of_run, 2))


def test_samples_begin_at_the_datas_mean():
    generator = Generator(16, 16)
    z = torch.randn(1, 500, 16, generator=random_stream(1, "test"))
    logits = torch.logit(generator(generator.start([1], 0.1), z))
    assert float(logits.mean()) == pytest.approx(math.log(0.1 / 0.9), abs=0.1)
    assert 0.3 < float(logits.std()) < 2


def test_a_seeds_samples_do_not_depend_on_which_others_are_trained():
    pictures = counted(50, 2, random_stream(1, "test"))
    together, alone = PictureGame(small(), pictures), PictureGame(small(seeds=[2]), pictures)
    for game in (together, alone):
        for scale in (1.0, 0.5, 0.2):
            game.play(scale)
    torch.testing.assert_close(together.samples(7, "test")[1:], alone.samples(7, "test"))


def test_training_brings_samples_nearer_to_the_data():
    """One disc in one place: G has one picture to learn."""
    picture = discs(torch.tensor([[[7.5, 7.5]]]), torch.tensor([[3.0]]))
    game = PictureGame(small(channels=4, discriminator_rate=0.004, generator_rate=0.008), picture)
    before = float((game.samples(20, "test") - picture).abs().mean())
    for _ in range(300):
        game.play(1.0)
    assert float((game.samples(20, "test") - picture).abs().mean()) < before / 3


@pytest.mark.parametrize(("name", "value"), [("counts", [2, 5]), ("counts", [0]), ("looks", 2000), ("shown", 3000),
                                             ("blur", 0.0), ("counts", [2, 2])])
def test_settings_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        ProblemsMeasured(**{name: value})


def test_discs_keep_their_distance():
    pictures = array(counted(300, 3, random_stream(4, "test")))
    for picture in pictures:
        labels, _ = ndimage.label(picture > 0.5)
        centres = np.array(ndimage.center_of_mass(picture, labels, [1, 2, 3]))
        apart = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(3, 1)]
        assert apart.min() > 2 * RADIUS + GAP - 0.2
