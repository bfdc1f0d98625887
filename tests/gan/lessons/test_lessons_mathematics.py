"""The mathematics of the lessons, against closed forms; no training."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import xlogy

from gan.adversarial.game import generator_logit_gradient
from gan.adversarial.settings import Objective
from gan.lessons import convergence, non_convergence
from gan.lessons.batched import Adam, Mlp, Noise, gradient
from gan.lessons.digits import entropy, mean_distance
from gan.lessons.minibatch_features import MinibatchDiscriminator, closeness, histogram
from gan.lessons.non_saturating import energy_distance
from gan.lessons.one_dimension import (
    LOG_4,
    Grid,
    Mixture,
    jensen_shannon,
    normal,
    optimal_discriminator,
    region_of_mass,
    value,
    value_of_logits,
)
from gan.lessons.ring import RADIUS, centres, coverage, surrogate
from gan.lessons.ring import value as ring_value

GRID = Grid(-16.0, 16.0, 3200)


# Densities on the line.

@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.3, 1.0), (-3.0, 0.5), (0.0, 3.0)])
def test_jensen_shannon_agrees_with_adaptive_integration(mean, deviation):
    p, q = stats.norm(0, 1), stats.norm(mean, deviation)

    def integrand(x):
        a, b = p.pdf(x), q.pdf(x)
        return 0.5 * (xlogy(a, 2 * a / (a + b)) + xlogy(b, 2 * b / (a + b)))

    expected, _ = integrate.quad(integrand, -25, 25, limit=400)
    measured = jensen_shannon(normal(0, 1).density(GRID.centres), normal(mean, deviation).density(GRID.centres), GRID)
    assert measured == pytest.approx(expected, abs=1e-7)  # the grid ends at 16


def test_jensen_shannon_of_disjoint_densities_is_log_2():
    p, q = (normal(mean, 0.3).density(GRID.centres) for mean in (-8, 8))
    assert jensen_shannon(p, q, GRID) == pytest.approx(math.log(2), abs=1e-9)


def test_the_value_at_the_optimal_discriminator_is_minus_log_4_plus_2_jsd():
    p = Mixture((0.3, 0.7), (-2.0, 1.0), (0.5, 1.0)).density(GRID.centres)
    q = normal(0.5, 1.5).density(GRID.centres)
    best = optimal_discriminator(p, q)
    c = value(p, q, best, GRID)
    assert c == pytest.approx(-LOG_4 + 2 * jensen_shannon(p, q, GRID), abs=1e-12)
    for other in (0.5 + 0 * best, 0.9 * best, best ** 1.1):
        assert value(p, q, other, GRID) < c


def test_the_value_of_logits_is_the_value_of_their_sigmoid():
    p, q = normal(0, 1).density(GRID.centres), normal(1, 1).density(GRID.centres)
    logits = np.sin(GRID.centres)
    assert value_of_logits(p, q, logits, GRID) == pytest.approx(value(p, q, 1 / (1 + np.exp(-logits)), GRID), abs=1e-12)


def test_the_optimal_discriminator_is_a_half_where_nothing_is():
    assert optimal_discriminator(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 1.0])).tolist() == [0.5, 0.5, 0.75]


def test_the_pushforward_of_a_straight_line_is_the_gaussian():
    z = stats.norm(1.5, 0.7).ppf((np.arange(2 ** 14) + 0.5) / 2 ** 14)
    assert np.abs(GRID.density_of(z) - stats.norm(1.5, 0.7).pdf(GRID.centres)).max() < 5e-3


def test_a_folded_map_adds_the_densities_of_its_branches():
    z = (np.arange(20000) + 0.5) / 20000
    density = Grid(0.0, 1.0, 10).density_of(np.abs(2 * z - 1))
    assert density == pytest.approx(np.ones(10), abs=1e-3)


def test_the_region_of_99_percent_of_a_gaussian():
    inside = GRID.centres[region_of_mass(normal(0, 1).density(GRID.centres), 0.99, GRID)]
    edge = stats.norm.ppf(0.995)
    assert (inside[0], inside[-1]) == pytest.approx((-edge, edge), abs=2 * GRID.width)


def test_draws_of_a_mixture_have_its_moments():
    mixture = Mixture((0.25, 0.75), (-2.0, 2.0), (0.5, 1.0))
    x = mixture.draw(200_000, Noise([1], "test"))
    assert float(x.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(x.var()) == pytest.approx(0.25 * 0.25 + 0.75 + 0.75 * 4, abs=0.05)


# Networks of many runs.

def test_runs_do_not_depend_on_which_others_are_computed():
    network = Mlp((3, 5, 2), "tanh")
    together, alone = network.initial([1, 2, 3], "test"), network.initial([2], "test")
    x = torch.randn(3, 7, 3)
    assert torch.equal(together[1:2], alone)
    torch.testing.assert_close(network(together, x)[1], network(alone, x[1:2])[0])
    assert torch.equal(Noise([1, 2], "z").normal(4, 2)[1:], Noise([2], "z").normal(4, 2))


def test_a_network_is_affine_maps_and_activations():
    network = Mlp((3, 4, 1), "leaky_relu")
    theta, x = network.initial([5], "test"), torch.randn(1, 6, 3)
    (w1, b1), (w2, b2) = network.layers(theta)
    expected = torch.nn.functional.leaky_relu(x[0] @ w1[0] + b1[0], 0.2) @ w2[0] + b2[0]
    torch.testing.assert_close(network(theta, x)[0], expected)


def test_adam_steps_as_torchs():
    start, target = torch.randn(2, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = start.clone(), start.clone().requires_grad_()
    adam, reference = Adam(0.01, 0.5, 0.9), torch.optim.Adam([theirs], 0.01, (0.5, 0.9))
    moments = adam.start(ours)
    for _ in range(20):
        ours, moments = adam.step(ours, 4 * (ours - target) ** 3, moments)
        reference.zero_grad()
        ((theirs - target) ** 4).sum().backward()
        reference.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-5)  # ε stands inside the root


# Convergence.

def test_a_mirror_step_at_the_optimum_goes_half_of_the_way():
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.1, 0.2, 0.6])
    moved = convergence.mirror_step(q, optimal_discriminator(p, q), 1.0)
    assert moved == pytest.approx((p + q) / 2, abs=1e-15)


def test_a_mirror_step_stays_among_the_histograms():
    q = convergence.mirror_step(np.array([0.2, 0.8, 0.0]), np.array([0.9, 0.1, 0.5]), 0.7)
    assert q.sum() == pytest.approx(1.0, abs=1e-15)
    assert q.min() >= 0
    assert q[2] == 0


def test_the_slope_of_d_is_that_of_v_over_the_bins_mass():
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.1, 0.1, 0.8]).double()
    logits = torch.tensor([0.3, -1.0, 2.0]).double().requires_grad_()
    v = (p * torch.nn.functional.logsigmoid(logits) + q * torch.nn.functional.logsigmoid(-logits)).sum()
    expected = torch.autograd.grad(v, logits)[0] / (p + q)
    found = convergence.discriminator_slope(optimal_discriminator(p.numpy(), q.numpy()), logits.detach().numpy())
    assert found == pytest.approx(expected.numpy(), abs=1e-15)


def test_many_inner_steps_play_as_the_optimum():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    exact = convergence.play(p, q, 5, 1.0, 1.0, convergence.OPTIMAL)
    assert convergence.play(p, q, 5, 1.0, 1.0, 300) == pytest.approx(exact, abs=1e-12)


# The non-saturating game.

def test_the_two_losses_differ_by_d_over_1_minus_d():
    logits = torch.tensor([[-6.0], [0.0], [3.0]], dtype=torch.float64)
    ratio = generator_logit_gradient(logits, Objective.MINIMAX) / generator_logit_gradient(
        logits, Objective.NON_SATURATING)
    torch.testing.assert_close(ratio, logits.exp())  # D/(1 − D) = exp(logit)


def test_energy_distance_of_shifted_points():
    x = torch.tensor([[0.0], [1.0]])
    # 2·E|x − y| = 2·3, E|x − x′| = E|y − y′| = ½
    assert energy_distance(x, x + 3) == pytest.approx(2 * 3 - 0.5 - 0.5, abs=1e-9)
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-9)


# Non-convergence.

@pytest.mark.parametrize("eta", [0.01, 0.1, 0.9])
def test_simultaneous_steps_grow_exactly(eta):
    radii = np.hypot(*non_convergence.simultaneous(eta, 50).T)
    assert radii == pytest.approx((1 + eta ** 2) ** (np.arange(51) / 2), rel=1e-13)


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.9])
def test_alternating_steps_stay_on_their_ellipse(eta):
    path = non_convergence.alternating(eta, 5000)
    assert non_convergence.invariant(path, eta) == pytest.approx(np.ones(5001), abs=1e-11)
    assert np.hypot(*path.T).max() <= math.sqrt((2 + eta) / (2 - eta)) + 1e-12


@pytest.mark.parametrize("eta", [0.05, 0.2, 0.4])
def test_the_optimistic_rate_is_the_spectral_radius_of_its_map(eta):
    now, before = np.array([[1, -2 * eta], [2 * eta, 1]]), np.array([[0, eta], [-eta, 0]])
    step = np.block([[now, before], [np.eye(2), np.zeros((2, 2))]])
    radius = np.abs(np.linalg.eigvals(step)).max()
    assert non_convergence.optimistic_rate(eta) == pytest.approx(radius, abs=1e-12)
    assert radius < 1
    radii = np.hypot(*non_convergence.optimistic(eta, 400).T)
    assert radii[-1] / radii[-2] == pytest.approx(radius, abs=1e-9)


# Mode collapse.

def test_coverage_of_the_ring_itself_and_of_one_mode():
    whole = centres().repeat(1, 100, 1)
    one = (centres()[:1] + 0.01).expand(1, 800, 2)
    assert coverage(whole, 0.05) == coverage(whole[:, torch.randperm(800)], 0.05)
    assert vars(coverage(whole, 0.05)) == {"modes": [8], "good": [1.0], "largest": [0.125]}
    assert vars(coverage(one, 0.05)) == {"modes": [1], "good": [1.0], "largest": [1.0]}
    assert vars(coverage(torch.zeros(1, 10, 2) + RADIUS / 2, 0.05))["good"] == [0.0]


def tiny_game():
    torch.manual_seed(0)
    network = Mlp((2, 4, 1), "tanh")
    theta = network.initial([1, 2], "test").double()
    return network, theta, torch.randn(2, 5, 2).double(), torch.randn(2, 5, 2).double()


def test_without_unrolling_the_surrogate_is_v():
    network, theta, x, samples = tiny_game()
    adam = Adam(0.05)
    found = surrogate(network, theta, adam.start(theta), adam, x, samples, 0)
    torch.testing.assert_close(found, ring_value(network, theta, x, samples))


@pytest.mark.parametrize("unrolled", [1, 3])
def test_the_unrolled_gradient_agrees_with_finite_differences(unrolled):
    network, theta, x, samples = tiny_game()
    adam = Adam(0.05)
    _, moments = adam.step(theta, torch.randn_like(theta), adam.start(theta))

    def loss(points):
        return surrogate(network, theta.clone(), moments, adam, x, points, unrolled)

    exact = gradient(loss(samples.requires_grad_()), samples)
    for place in ((0, 0, 0), (1, 3, 1), (0, 4, 1)):
        shift = torch.zeros_like(samples)
        shift[place] = 1e-5
        higher, lower = (loss(samples.detach() + sign * shift).detach() for sign in (1, -1))
        difference = float(higher - lower) / 2e-5
        assert float(exact[place]) == pytest.approx(difference, rel=1e-5, abs=1e-9)


def test_the_unrolled_gradient_has_a_part_through_d():
    """Without it, looking ahead would only change which D stands still."""
    network, theta, x, samples = tiny_game()
    adam = Adam(0.05)
    samples.requires_grad_()
    through = gradient(surrogate(network, theta.clone(), adam.start(theta), adam, x, samples, 2), samples)
    ahead, moments = theta.clone(), adam.start(theta)
    for _ in range(2):
        slope = gradient(-ring_value(network, ahead.requires_grad_(), x, samples.detach()), ahead)
        ahead, moments = adam.step(ahead.detach(), slope, moments)
    standing = gradient(ring_value(network, ahead, x, samples), samples)
    assert float((through - standing).norm() / standing.norm()) > 1e-3


# Minibatch features.

def test_closeness_agrees_with_a_naive_loop():
    runs, n, features, width = 2, 5, 3, 4
    m = torch.randn(runs, n, features * width)
    expected = torch.zeros(runs, n, features)
    for run in range(runs):
        vectors = m[run].view(n, features, width)
        for i in range(n):
            for b in range(features):
                others = [math.exp(-float((vectors[i, b] - vectors[j, b]).abs().sum())) for j in range(n) if j != i]
                expected[run, i, b] = sum(others) / len(others)
    torch.testing.assert_close(closeness(m, features), expected)


def test_closeness_is_1_where_all_are_alike():
    torch.testing.assert_close(closeness(torch.ones(1, 6, 8), 2), torch.ones(1, 6, 2))


def test_minibatch_features_leave_the_rest_of_the_network_as_it_is():
    body = Mlp((2, 6, 1), "relu")
    discriminator = MinibatchDiscriminator(body, features=3, width=2)
    theta, x = discriminator.initial([1, 2], "test"), torch.randn(2, 7, 2)
    plain = body.initial([1, 2], "test")
    assert torch.equal(theta[:, :plain.shape[1]], plain)
    silent = theta.clone()
    silent[:, -3:] = 0  # the last layer's weights on the features
    torch.testing.assert_close(discriminator(silent, x), body(plain, x))


def test_a_minibatch_discriminator_sees_the_others():
    discriminator = MinibatchDiscriminator(Mlp((2, 6, 1), "relu"), features=3, width=2)
    theta, x = discriminator.initial([1], "test"), torch.randn(1, 7, 2)
    other = x.clone()
    other[0, 1:] += 1
    assert not torch.equal(discriminator(theta, x)[0, 0], discriminator(theta, other)[0, 0])


def test_entropy_and_distance_of_known_samples():
    assert float(entropy(torch.full((10,), 0.1))) == pytest.approx(math.log(10))
    assert float(entropy(torch.eye(10)[0])) == 0
    square = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])
    assert mean_distance(square).tolist() == pytest.approx([5.0])
    assert histogram(torch.eye(10)[[1, 1, 3, 9]]).tolist() == [0, 0.5, 0, 0.25, 0, 0, 0, 0, 0, 0.25]
