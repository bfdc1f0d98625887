"""The Parzen window estimate against a float64 closed form and scikit-learn.

The estimate agrees with the closed form to 2e-7 nats an image wherever it was measured; the tests ask for 2e-6, or
1e-9 of a log-likelihood's size where images are far from all samples.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KernelDensity

from gan.evaluation.parzen import (
    IMAGES_PER_BLOCK,
    SAMPLES_PER_BLOCK,
    Search,
    log_likelihood,
    mean_and_standard_error,
    search,
)
from gan.evaluation.settings import Grid

BANDWIDTHS = [0.02, 0.1, 0.2, 1.0, 5.0]
dimensions = st.sampled_from([1, 2, 3, 17, 100, 784])
bandwidths = st.floats(0.02, 5)
seeds = st.integers(0, 2**32)


def uniform(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def closed_form(images, samples, sigmas):
    """The formula of the protocol, section 2, with differences element by element and all of it in float64."""
    images, samples, d = images.double(), samples.double(), images.shape[1]
    squares = torch.stack([(samples - image).square().sum(1) for image in images])
    return torch.stack([
        torch.logsumexp(-squares / (2 * sigma**2), 1) - math.log(len(samples))
        - d * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas])


def assert_close(found, expected):
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=2e-6)


@settings(deadline=None, max_examples=80)
@given(m=st.integers(1, 12), n=st.integers(1, 30), d=dimensions,
       sigmas=st.lists(bandwidths, min_size=1, max_size=4), seed=seeds)
def test_it_equals_the_closed_form(m, n, d, sigmas, seed):
    images, samples = uniform(m, d, seed=seed), uniform(n, d, seed=seed + 1)
    found = log_likelihood(images, samples, sigmas)
    assert found.shape == (len(sigmas), m)
    assert_close(found, closed_form(images, samples, sigmas))


@pytest.mark.parametrize("d", [1, 2, 10, 784])
@pytest.mark.parametrize("n", [1, 60])
def test_it_equals_scikit_learn(d, n):
    """With all samples in one leaf, where scikit-learn adds up every one of them. Smaller leaves let its tree prune,
    which in high dimension goes wrong (300 samples, leaves of 40, σ = .02: by 700 nats at d = 10, 150,000 at 784)."""
    images, samples = uniform(20, d, seed=1), uniform(n, d, seed=2)
    found = log_likelihood(images, samples, BANDWIDTHS)
    for row, sigma in zip(found, BANDWIDTHS, strict=True):
        density = KernelDensity(kernel="gaussian", bandwidth=sigma, leaf_size=n).fit(samples.double().numpy())
        assert_close(row, torch.from_numpy(density.score_samples(images.double().numpy())))


@settings(deadline=None, max_examples=40)
@given(distance=st.floats(1, 1e3), n=st.integers(1, 20), d=st.sampled_from([1, 10, 784]), sigma=bandwidths, seed=seeds)
def test_far_images_have_a_finite_and_right_log_likelihood(distance, n, d, sigma, seed):
    """At 100 and σ = .02 every exponent is below −10⁷, where exp is 0 in any precision."""
    images, samples = uniform(5, d, seed=seed) + distance, uniform(n, d, seed=seed + 1)
    found = log_likelihood(images, samples, [sigma])
    assert bool(found.isfinite().all())
    assert_close(found, closed_form(images, samples, [sigma]))


def test_samples_at_very_different_distances_are_added_up_in_any_order_of_blocks():
    """The nearest sample first, in the middle and last, and a far block between near ones."""
    images = uniform(3, 2, seed=1)
    far, middle, near = (uniform(SAMPLES_PER_BLOCK, 2, seed=2) + offset for offset in (50.0, 3.0, 0.0))
    for order in ([far, middle, near], [near, far, middle], [middle, near, far]):
        samples = torch.cat(order)
        assert_close(log_likelihood(images, samples, BANDWIDTHS), closed_form(images, samples, BANDWIDTHS))


@pytest.mark.parametrize("m", [1, IMAGES_PER_BLOCK - 1, IMAGES_PER_BLOCK, IMAGES_PER_BLOCK + 1])
@pytest.mark.parametrize("n", [1, SAMPLES_PER_BLOCK - 1, SAMPLES_PER_BLOCK, SAMPLES_PER_BLOCK + 1])
def test_sizes_around_a_block_are_no_special_case(m, n):
    images, samples = uniform(m, 3, seed=1), uniform(n, 3, seed=2)
    assert_close(log_likelihood(images, samples, [0.1, 1.0]), closed_form(images, samples, [0.1, 1.0]))


def test_an_image_that_is_a_sample_has_the_densitys_peak():
    """log N(0; 0, σ²I) = −d·log(σ√(2π)); a second, far sample halves it."""
    image = uniform(1, 784, seed=1)
    peak = -784 * math.log(0.2 * math.sqrt(2 * math.pi))
    assert float(log_likelihood(image, image, [0.2])) == pytest.approx(peak, abs=1e-6)
    both = torch.cat([image, image + 10])
    assert float(log_likelihood(image, both, [0.2])) == pytest.approx(peak - math.log(2), abs=1e-6)


def test_it_is_a_density_that_integrates_to_1():
    grid = torch.linspace(-4, 5, 9001).double()
    density = log_likelihood(grid.unsqueeze(1), uniform(7, 1, seed=1), [0.05, 0.5]).exp()
    assert torch.trapezoid(density, grid).tolist() == pytest.approx([1, 1], abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(m=st.integers(1, 10), n=st.integers(1, 30), d=dimensions, sigma=bandwidths, seed=seeds)
def test_the_order_of_samples_does_not_matter(m, n, d, sigma, seed):
    images, samples = uniform(m, d, seed=seed), uniform(n, d, seed=seed + 1)
    shuffled = samples[torch.randperm(n, generator=torch.Generator().manual_seed(seed))]
    assert_close(log_likelihood(images, shuffled, [sigma]), log_likelihood(images, samples, [sigma]))


@settings(deadline=None, max_examples=40)
@given(m=st.integers(1, 10), n=st.integers(1, 30), d=dimensions, sigma=bandwidths, shift=st.floats(-100, 100),
       seed=seeds)
def test_moving_images_and_samples_together_does_not_matter(m, n, d, sigma, shift, seed):
    """In float64, so that the shift itself is exact to 1e-14."""
    images, samples = uniform(m, d, seed=seed).double(), uniform(n, d, seed=seed + 1).double()
    assert_close(log_likelihood(images + shift, samples + shift, [sigma]), log_likelihood(images, samples, [sigma]))


@settings(deadline=None, max_examples=30)
@given(n=st.integers(1, 20), copies=st.integers(2, 4), sigma=bandwidths, seed=seeds)
def test_repeating_every_sample_does_not_matter(n, copies, sigma, seed):
    images, samples = uniform(5, 10, seed=seed), uniform(n, 10, seed=seed + 1)
    assert_close(log_likelihood(images, samples.repeat(copies, 1), [sigma]), log_likelihood(images, samples, [sigma]))


def test_each_image_and_each_bandwidth_is_scored_on_its_own():
    images, samples = uniform(5, 4, seed=1), uniform(20, 4, seed=2)
    together = log_likelihood(images, samples, BANDWIDTHS)
    for k, sigma in enumerate(BANDWIDTHS):
        for i in range(5):
            assert_close(log_likelihood(images[i:i + 1], samples, [sigma])[0], together[k, i:i + 1])


def test_inputs_are_left_alone_and_may_have_any_dtype():
    images, samples = uniform(5, 4, seed=1).mul(255).byte(), uniform(20, 4, seed=2).double()
    before = images.clone(), samples.clone()
    assert_close(log_likelihood(images, samples, [50.0]), closed_form(images, samples, [50.0]))
    assert torch.equal(images, before[0])
    assert torch.equal(samples, before[1])


def test_progress_adds_up_to_the_images():
    done = []
    log_likelihood(uniform(2 * IMAGES_PER_BLOCK + 3, 1, seed=1), uniform(3 * SAMPLES_PER_BLOCK + 1, 1, seed=2), [1.0],
                   done.append)
    assert sum(done) == 2 * IMAGES_PER_BLOCK + 3
    assert len(done) == 4
    done.clear()
    search(uniform(7, 1, seed=1), uniform(2, 1, seed=2), [Grid(0.1, 1, 3)], done.append)
    assert sum(done) == 7


ONES = torch.ones(3, 4)


@pytest.mark.parametrize(("images", "samples", "message"), [
    (ONES, torch.ones(3, 5), r"\[3, 4\], \[3, 5\]"),
    (torch.ones(4), ONES, r"\[4\], \[3, 4\]"),
    (ONES, torch.ones(3, 2, 2), r"\[3, 4\], \[3, 2, 2\]"),
    (torch.ones(0, 4), ONES, "at least one image and one sample are needed: 0, 3"),
    (ONES, torch.ones(0, 4), "at least one image and one sample are needed: 3, 0"),
    (ONES.clone().index_fill_(0, torch.tensor(1), math.nan), ONES, "finite"),
    (ONES, ONES.clone().index_fill_(0, torch.tensor(1), math.nan), "finite"),
    (ONES, ONES.clone().index_fill_(0, torch.tensor(1), math.inf), "finite"),
])
def test_images_and_samples_that_cannot_be_compared_are_refused(images, samples, message):
    with pytest.raises(ValueError, match=message):
        log_likelihood(images, samples, [0.1])
    with pytest.raises(ValueError, match=message):
        search(images, samples, [Grid(0.1, 1, 3)])


@pytest.mark.parametrize("sigmas", [[], [0.0], [-0.1], [math.nan], [math.inf], [0.1, 0.0]])
def test_bandwidths_that_are_not_above_0_are_refused(sigmas):
    with pytest.raises(ValueError, match="bandwidths must be finite and above 0"):
        log_likelihood(ONES, ONES, sigmas)


# --- the search ---


def test_the_papers_grid_is_numpys_logspace():
    assert Grid(0.1, 1.0, 10).bandwidths() == pytest.approx(np.logspace(-1, 0, 10).tolist(), rel=1e-14)


@settings(deadline=None, max_examples=40)
@given(lowest=st.floats(1e-3, 1), factor=st.floats(1.01, 1e3), points=st.integers(2, 100))
def test_a_grid_is_evenly_spaced_by_its_logarithm(lowest, factor, points):
    found = Grid(lowest, lowest * factor, points).bandwidths()
    assert len(found) == points
    assert found[0] == lowest
    assert found == pytest.approx(np.geomspace(lowest, lowest * factor, points).tolist(), rel=1e-12)


@pytest.mark.parametrize(("make", "key"), [
    (lambda: Grid(0, 1, 10), "lowest"),
    (lambda: Grid(-1, 1, 10), "lowest"),
    (lambda: Grid(1, 1, 10), "lowest"),
    (lambda: Grid(1, 0.5, 10), "lowest"),
    (lambda: Grid(math.nan, 0.5, 10), "lowest"),
    (lambda: Grid(0.1, math.nan, 10), "lowest"),
    (lambda: Grid(0.1, 1, 1), "points"),
])
def test_grids_out_of_range_name_their_key(make, key):
    with pytest.raises(ValueError, match=f"^{key} must be "):
        make()


@settings(deadline=None, max_examples=20)
@given(seed=seeds, points=st.lists(st.integers(2, 12), min_size=1, max_size=4))
def test_searching_several_grids_equals_searching_each_alone(seed, points):
    images, samples = uniform(9, 5, seed=seed), uniform(30, 5, seed=seed + 1)
    grids = [Grid(0.05 * (i + 1), 1.0 + i, n) for i, n in enumerate(points)]
    together = search(images, samples, grids)
    assert len(together) == len(grids)
    for grid, found in zip(grids, together, strict=True):
        alone, = search(images, samples, [grid])
        assert found.bandwidths == alone.bandwidths == grid.bandwidths()
        assert found.log_likelihoods == pytest.approx(alone.log_likelihoods, rel=1e-12)
        assert found.chosen == alone.chosen


@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_the_search_chooses_the_bandwidth_of_the_best_mean(seed):
    images, samples, grid = uniform(9, 5, seed=seed), uniform(30, 5, seed=seed + 1), Grid(0.02, 2, 9)
    found, = search(images, samples, [grid])
    means = closed_form(images, samples, grid.bandwidths()).mean(1)
    assert found.log_likelihoods == pytest.approx(means.tolist(), abs=2e-6)
    assert found.chosen == grid.bandwidths()[int(means.argmax())]
    assert found.validation_log_likelihood == pytest.approx(float(means.max()), abs=2e-6)


@pytest.mark.parametrize(("log_likelihoods", "edge"), [
    ([3.0, 2.0, 1.0], True), ([1.0, 2.0, 3.0], True), ([1.0, 3.0, 2.0], False), ([-3.0, -1.0, -2.0], False)])
def test_a_best_bandwidth_at_the_grids_edge_is_said_to_be_there(log_likelihoods, edge):
    found = Search([0.1, 0.2, 0.3], log_likelihoods)
    assert found.at_the_edge is edge
    assert found.validation_log_likelihood == max(log_likelihoods)
    assert found.chosen == found.bandwidths[log_likelihoods.index(max(log_likelihoods))]


@settings(deadline=None, max_examples=50)
@given(values=st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=100))
def test_mean_and_standard_error_are_numpys(values):
    mean, error = mean_and_standard_error(torch.tensor(values, dtype=torch.float64))
    assert mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert error == pytest.approx(np.std(values) / np.sqrt(len(values)), rel=1e-9, abs=1e-9)  # population, as released
