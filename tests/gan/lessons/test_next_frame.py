"""Lesson “next frame”: films whose futures are known, and measures against closed forms."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.lessons import next_frame
from gan.lessons.batched import Noise
from gan.lessons.parts.next_frame_films import DRIFT, JUMP, PIXELS, RADIUS, SEEN, SIDE, SPEED, ball, flights
from gan.lessons.settings import NextFrame
from pipeline.runtime.progress import Progress

SHORT = NextFrame(seeds=[1, 2], units=8, batch=6, steps=3, judged=12)
SEEDS = st.integers(0, 2**32)


def centroid(frames):
    """(x, y) of the light in frames [..., PIXELS], float64 [...]."""
    images = frames.double().unflatten(-1, (SIDE, SIDE))
    centres = torch.arange(SIDE).double() + 0.5
    light = images.sum((-1, -2))
    return (images.sum(-2) * centres).sum(-1) / light, (images.sum(-1) * centres).sum(-1) / light


# Films.

@given(x=st.floats(4, 12), y=st.floats(4, 12), radius=st.floats(*RADIUS))
def test_a_ball_has_its_area_and_its_centre(x, y, radius):
    frame = ball(*(torch.tensor(value) for value in (x, y, radius)))
    assert float(frame.sum()) == pytest.approx(math.pi * (radius**2 + 1 / 12), rel=0.05)  # the soft edge adds π/12
    assert [float(value) for value in centroid(frame)] == pytest.approx([x, y], abs=0.05)
    assert 0 <= frame.min() <= frame.max() <= 1


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_in_free_flight_the_frames_seen_determine_the_next(seed):
    films = flights(50, Noise([seed], "test"), at_wall=False)
    up, down = films.possible().unbind(2)
    assert torch.equal(up, down)
    before, last = films.seen().view(1, 50, SEEN, PIXELS)[:, :, 1:].unbind(2)
    for was, now, then in zip(centroid(before), centroid(last), centroid(up), strict=True):
        torch.testing.assert_close(then, 2 * now - was, atol=0.2, rtol=0)  # sampled at pixels, and the edge may cut


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_at_the_wall_the_next_frame_is_one_of_two_that_do_not_touch(seed):
    films = flights(50, Noise([seed], "test"), at_wall=True)
    up, down = films.possible().unbind(2)
    assert torch.equal(films.next(torch.ones(1, 50)), down)
    torch.testing.assert_close(films.x + films.radius, torch.full((1, 50), float(SIDE)))
    x, height = centroid(up)
    torch.testing.assert_close(x, (films.x - films.speed).double(), atol=0.1, rtol=0)
    torch.testing.assert_close(centroid(down)[1] - height, torch.full_like(height, 2 * JUMP), atol=1e-4, rtol=0)
    rows = [frames.view(1, 50, SIDE, SIDE).amax(3) > 0 for frames in (up, down)]
    last_up = SIDE - 1 - rows[0].flip(2).int().argmax(2)
    assert (rows[1].int().argmax(2) - last_up > 1).all()  # a dark row at least


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_flights_are_in_range_and_half_of_them_at_the_wall(seed):
    films = flights(2000, Noise([seed], "test"))
    assert 0.43 < films.at_wall.float().mean() < 0.57  # six standard deviations
    for values, (low, high) in ((films.radius, RADIUS), (films.speed, SPEED), (films.drift, (-DRIFT, DRIFT))):
        assert low - 1e-6 <= values.min() < values.max() <= high + 1e-6
    assert (films.x - (SEEN - 1) * films.speed >= films.radius - 1e-5).all()


# Measures.

@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_the_mean_of_two_futures_by_every_measure(seed):
    """Least error, 3.01 dB better than either future, half of the sharpness, 1/√2 away from both."""
    possible = flights(40, Noise([seed, seed + 1], "test"), at_wall=True).possible()
    mean, one = possible.mean(2), possible[:, :, 1]
    of_mean, of_one = (next_frame.judge(frames, frames, possible, near=0.35) for frames in (mean, one))
    ones = torch.ones(2)
    difference = possible[:, :, 0] - possible[:, :, 1]
    torch.testing.assert_close(next_frame.expected_error(mean, possible), difference.square().mean((1, 2)) / 4)
    torch.testing.assert_close(of_mean["error_over_least"], ones)
    torch.testing.assert_close(of_one["error_over_least"], 2 * ones)
    torch.testing.assert_close(of_mean["psnr"] - of_one["psnr"], 10 * math.log10(2) * ones, atol=1e-4, rtol=0)
    torch.testing.assert_close(of_mean["sharpness"], ones / 2)
    torch.testing.assert_close(of_one["sharpness"], ones, atol=0.002, rtol=0)  # an edge may end at the frame's
    torch.testing.assert_close(of_mean["distance"], ones / math.sqrt(2))
    assert of_one["distance"].tolist() == [0, 0]
    assert of_mean["possible_share"].tolist() == [0, 0]
    assert of_one["possible_share"].tolist() == [1, 1]


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_no_prediction_has_less_error_than_the_mean(seed):
    """E‖f − y‖² = ‖f − E y‖² + E‖y − E y‖², so whatever is drawn adds its distance from the mean."""
    possible = flights(10, Noise([seed], "test"), at_wall=True).possible()
    frames = torch.rand(1, 10, PIXELS, generator=torch.Generator().manual_seed(seed))
    mean = possible.mean(2)
    expected = (frames - mean).square().mean((1, 2)) + next_frame.expected_error(mean, possible)
    torch.testing.assert_close(next_frame.expected_error(frames, possible), expected)


def test_choices_and_whether_noise_changes_them():
    possible = flights(4, Noise([1], "test"), at_wall=True).possible()
    first = torch.stack([possible[0, film, side] for film, side in enumerate((0, 1, 1, 1))]).unsqueeze(0)
    second = torch.stack([possible[0, film, side] for film, side in enumerate((0, 0, 1, 1))]).unsqueeze(0)
    measured = next_frame.judge(first, second, possible, near=0.35)
    assert measured["chose_down"].item() == 0.75
    assert measured["changed_by_noise"].item() == 0.25
    worse = first.clone()
    worse[0, 0] = 0  # as far away as a possible frame is long
    measured = next_frame.judge(worse, second, possible, near=0.35)
    assert measured["possible_share"].item() == 0.75
    assert measured["distance"].item() == pytest.approx(0.25)


def test_psnr_and_gradient_energy_by_their_definitions():
    image = np.random.default_rng(1).random((SIDE, SIDE))
    energy = sum((image[i, j] - image[i + di, j + dj])**2 for i in range(SIDE) for j in range(SIDE)
                 for di, dj in ((0, 1), (1, 0)) if i + di < SIDE and j + dj < SIDE)
    assert float(next_frame.gradient_energy(torch.tensor(image).view(-1))) == pytest.approx(energy)
    assert next_frame.psnr(torch.tensor([1.0, 0.01, 2e-3])).tolist() == pytest.approx([0, 20, 10 * math.log10(500)])


# The whole lesson.

def test_a_run_gives_the_same_twice_and_each_seed_by_itself():
    both, again = next_frame.run(SHORT, Progress), next_frame.run(SHORT, Progress)
    assert both.tables == again.tables
    assert all(torch.equal(image, again.images[name]) for name, image in both.images.items())
    alone = next_frame.run(dataclasses.replace(SHORT, seeds=[2]), Progress)
    for name, image in alone.images.items():
        torch.testing.assert_close(image, both.images[name], atol=1e-4, rtol=0)


def test_training_makes_squared_error_worse_at_the_wall_than_in_free_flight():
    table = next_frame.run(dataclasses.replace(SHORT, units=32, batch=32, steps=60), Progress).tables["seeds"]
    error = dict(zip(zip(table["network"], table["films"], table["seed"], strict=True), table["psnr"], strict=True))
    assert all(error["squared error", "at the wall", seed] < error["squared error", "free flight", seed]
               for seed in (1, 2))
    assert all(value is None for value, films in zip(table["error_over_least"], table["films"], strict=True)
               if films == "free flight")
