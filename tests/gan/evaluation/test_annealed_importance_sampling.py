"""Annealed importance sampling against a linear decoder, whose likelihood has a closed form; and the nets' decoder."""

import math

import pytest
import torch

from gan.adversarial.decoder import Decoder
from gan.adversarial.networks import whole_generator
from gan.evaluation.annealed_importance_sampling import Schedule, backward, forward, likelihood, tuned
from gan.evaluation.estimates import TooFew
from gan.generator import Generator
from gan.linear_algebra import random_stream

K, D = 5, 30


class Linear:
    """x = z·W + b"""

    dimensions = K

    def __init__(self) -> None:
        self.weight = torch.randn(K, D, generator=torch.Generator().manual_seed(1))
        self.bias = torch.linspace(-1, 1, D)

    def __call__(self, codes):
        return codes @ self.weight + self.bias, lambda gradient: gradient @ self.weight.t()

    def log_likelihood(self, images: torch.Tensor, sigma: float) -> torch.Tensor:
        covariance = self.weight.t() @ self.weight + sigma**2 * torch.eye(D)
        return torch.distributions.MultivariateNormal(self.bias.double(), covariance.double()).log_prob(images.double())

    def draw(self, n: int, sigma: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        stream = torch.Generator().manual_seed(seed)
        codes = torch.randn(n, K, generator=stream)
        return codes, self(codes)[0] + sigma * torch.randn(n, D, generator=stream)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_both_bounds_are_the_closed_form_to_half_a_nat_and_lie_on_their_sides():
    linear, sigma = Linear(), 0.2
    _, others = linear.draw(40, sigma, 1)
    schedule, _ = tuned(linear, others, sigma, 500, 8, 4, stream())
    codes, images = linear.draw(40, sigma, 2)
    exact = linear.log_likelihood(images, sigma)
    below = forward(linear, images, schedule, 8, stream(1))[-1]
    above = backward(linear, codes, images, schedule, 8, stream(2))
    for bound in (below, above):
        assert float((bound - exact).abs().mean()) < 0.5
        assert abs(float((bound - exact).mean())) < 0.3
    assert float((above - below).mean()) > 0


def test_with_few_steps_the_bounds_part_and_still_enclose_the_truth():
    linear, sigma = Linear(), 0.05
    schedule, _ = tuned(linear, linear.draw(40, sigma, 1)[1], sigma, 12, 3, 4, stream())
    codes, images = linear.draw(200, sigma, 2)
    exact = float(linear.log_likelihood(images, sigma).mean())
    below = float(forward(linear, images, schedule, 1, stream(1))[-1].mean())
    above = float(backward(linear, codes, images, schedule, 1, stream(2)).mean())
    assert below < exact < above
    assert above - below > 1


def test_one_run_gives_the_likelihood_at_every_wider_sigma():
    linear, narrowest = Linear(), 0.1
    _, images = linear.draw(30, 0.3, 3)
    schedule, curve = tuned(linear, images, narrowest, 600, 8, 4, stream())
    for t in (200, 300, 450, 599):
        sigma = 1 / math.sqrt(schedule.precisions[t])
        exact = float(linear.log_likelihood(images, sigma).mean())
        assert float(curve[t]) == pytest.approx(exact, abs=0.5 + 0.01 * abs(exact)), sigma


def test_validation_images_choose_sigma_near_the_true_one():
    linear, sigma = Linear(), 0.3
    (_, validation), (_, test) = linear.draw(60, sigma, 1), linear.draw(60, sigma, 2)
    done = []
    found = likelihood(linear, validation, test, narrowest=0.1, temperatures=400, leapfrogs=8, chains=4,
                       stream=stream(), advance=done.append)
    assert found.bandwidth == pytest.approx(sigma, rel=0.1)
    assert not found.narrowest
    assert sum(done) == 4 * 400
    exact = linear.log_likelihood(test, found.bandwidth)
    assert found.test.value == pytest.approx(float(exact.mean()), abs=0.5)
    assert found.test.standard_error == pytest.approx(float(exact.std()) / math.sqrt(60), rel=0.2)
    assert 0 < found.gap.value < 1.5
    assert found.gap.value == pytest.approx(found.above.value - found.below.value)


def test_the_narrowest_sigma_is_told_where_it_is_the_best():
    linear = Linear()
    images = linear.draw(20, 0.1, 1)[1]
    assert likelihood(linear, images, images, narrowest=0.4, temperatures=40, leapfrogs=4, chains=2,
                      stream=stream()).narrowest


def test_a_shorter_schedule_keeps_the_lengths_of_its_steps():
    schedule = Schedule([1.0, 16.0, 81.0, 256.0], [1.0, 0.5, 0.3, 0.2], 3)
    shorter = schedule.ending_at(1 / 9)
    assert shorter.precisions[-1] == pytest.approx(81)
    assert len(shorter.precisions) == 4
    assert shorter.lengths[-1] == pytest.approx(0.3)
    assert list(shorter.lengths) == sorted(shorter.lengths, reverse=True)


def test_it_is_the_same_each_time_and_too_few_or_unfit_images_are_refused():
    linear = Linear()
    images = linear.draw(4, 0.3, 1)[1]

    def run(validation, test):
        return likelihood(linear, validation, test, narrowest=0.2, temperatures=5, leapfrogs=2, chains=2,
                          stream=stream(3))
    assert run(images, images) == run(images, images)
    with pytest.raises(TooFew, match="likelihood of test images needs 2 images, not 1"):
        run(images, images[:1])
    with pytest.raises(ValueError, match="validation images must hold finite numbers"):
        run(images.log(), images)


# The nets' decoder.

@pytest.fixture(params=["uniform", "normal"])
def nets(request, small_nets):
    from dataclasses import replace
    nets = small_nets()
    return replace(nets, noise=replace(nets.noise, distribution=request.param))


def test_the_decoder_is_the_generator_with_the_noise_that_it_was_trained_with(nets, images):
    layers = whole_generator(nets, images, (1, 1, 6), random_stream(1, "test"))
    weights = {str(i): p for i, p in enumerate(p for layer in layers for p in layer.parameters)}
    decoder = Decoder(nets, (1, 1, 6), weights)
    assert decoder.dimensions == nets.noise.dimensions
    codes = torch.randn(20_000, 4, generator=stream(1))
    decoded = decoder(codes)[0]
    drawn = Generator(nets, (1, 1, 6), weights).sample(20_000, seed=2).flatten(1)
    error = (decoded.var(0) / 20_000 + drawn.var(0) / 20_000).sqrt()
    assert bool(((decoded.mean(0) - drawn.mean(0)).abs() < 5 * error).all())
    assert torch.allclose(decoded.std(0), drawn.std(0), rtol=0.05)


def test_its_gradient_is_that_of_finite_differences(nets, images):
    layers = whole_generator(nets, images, (1, 1, 6), random_stream(1, "test"))
    weights = {str(i): p for i, p in enumerate(p for layer in layers for p in layer.parameters)}
    decoder = Decoder(nets, (1, 1, 6), weights)
    codes, target = torch.randn(3, 4, generator=stream(2)), torch.rand(3, 6, generator=stream(3))
    decoded, pull_back = decoder(codes)
    slope = pull_back(decoded - target)
    step = 1e-2
    for row in range(3):
        for column in range(4):
            energies = []
            for sign in (1, -1):
                moved = codes.clone()
                moved[row, column] += sign * step
                energies.append(float((decoder(moved)[0] - target).double().square().sum() / 2))
            assert float(slope[row, column]) == pytest.approx((energies[0] - energies[1]) / (2 * step), abs=2e-3)
