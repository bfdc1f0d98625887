"""k-means against scikit-learn, training images as samples, and a chain's draws and autocorrelation against SciPy."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import sklearn.cluster
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.baselines.chains import autocorrelation, bernoulli, salt_and_pepper
from gan.baselines.settings import KMeans, TrainingImages
from gan.linear_algebra import random_stream
from gan.registry import create

sizes = {"n": st.integers(2, 60), "d": st.integers(1, 8), "seed": st.integers(0, 2**32)}


def uniform(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def kmeans(train, clusters, iterations=4, seed=1):
    return create(KMeans("kmeans", clusters, iterations), train, seed)


def squared_distances(train, centroids):
    return torch.stack([(train.double() - c.double()).square().sum(1) for c in centroids], 1)


# --- k-means ---


@pytest.mark.parametrize(("n", "d", "clusters"), [(60, 2, 4), (200, 6, 10), (2500, 3, 20)])
def test_an_iteration_is_scikit_learns(n, d, clusters):
    """2,500 images are more than two blocks of them. Float32 against float64: 1e-6."""
    train = uniform(n, d, seed=2)
    model = kmeans(train, clusters)
    for _ in range(4):
        start = model.centroids.double().numpy()
        assert len(np.unique(squared_distances(train, model.centroids).argmin(1))) == clusters  # none is empty
        reference = sklearn.cluster.KMeans(clusters, init=start, n_init=1, max_iter=1, algorithm="lloyd")
        reference.fit(train.double().numpy())
        model.fit_epoch()
        np.testing.assert_allclose(model.centroids.numpy(), reference.cluster_centers_, rtol=0, atol=1e-6)


def test_the_objective_is_the_mean_squared_distance_before_the_iteration():
    train = uniform(80, 5, seed=3)
    model = kmeans(train, 7)
    for _ in range(3):
        expected = float(squared_distances(train, model.centroids).min(1).values.mean())
        assert model.fit_epoch() == {"mean_squared_distance": pytest.approx(expected, rel=1e-5)}


@settings(deadline=None, max_examples=40)
@given(**sizes, share=st.floats(0, 1))
def test_the_objective_never_rises(n, d, seed, share):
    train = uniform(n, d, seed=seed)
    model = kmeans(train, max(1, round(share * n)), seed=seed)
    objective = [model.fit_epoch()["mean_squared_distance"] for _ in range(6)]
    assert all(after <= before + 1e-6 for before, after in pairwise(objective))
    assert model.epoch == 6


@settings(deadline=None, max_examples=30)
@given(**sizes)
def test_centroids_begin_as_distinct_training_images(n, d, seed):
    train = uniform(n, d, seed=seed)
    train[:, 0] += torch.arange(n)  # no two alike
    start = kmeans(train, n, seed=seed).centroids
    assert sorted(start.tolist()) == sorted(train.tolist())


def test_a_cluster_of_every_image_stays_as_it_is():
    train = uniform(20, 3, seed=4)
    model = kmeans(train, 20)
    before = model.centroids.clone()
    assert model.fit_epoch()["mean_squared_distance"] == pytest.approx(0, abs=1e-6)
    assert torch.equal(model.centroids, before)


def test_a_cluster_that_loses_its_images_stays_in_place():
    train = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.9, 1.0], [1.0, 1.0]])
    model = kmeans(train, 3)
    model.centroids = torch.tensor([[0.0, 0.0], [1.0, 1.0], [-5.0, 7.0]])
    for _ in range(2):
        model.fit_epoch()
        torch.testing.assert_close(model.centroids, torch.tensor([[0.05, 0.0], [0.95, 1.0], [-5.0, 7.0]]))


def test_k_means_leaves_the_training_images_alone():
    train = uniform(30, 3, seed=5)
    before = train.clone()
    model = kmeans(train, 10)
    model.fit_epoch(), model.fit_epoch()
    assert torch.equal(train, before)


def test_more_clusters_than_images_are_refused():
    with pytest.raises(ValueError, match="clusters must be at most the 5 training images, not 6"):
        kmeans(torch.rand(5, 2), 6)


def test_samples_of_k_means_are_its_first_centroids():
    model = kmeans(uniform(30, 3, seed=6), 10)
    model.fit_epoch()
    samples = model.sample(model.weights("raw"), 4, random_stream(1, "samples"))
    assert torch.equal(samples, model.centroids[:4])
    assert torch.equal(model.sample(model.weights("raw"), 10, random_stream(1, "samples")), model.centroids)
    with pytest.raises(ValueError, match="11 samples were asked for, but there are only 10 centroids"):
        model.sample(model.weights("raw"), 11, random_stream(1, "samples"))


def test_seeds_of_k_means_begin_with_other_centroids_and_the_same_seed_with_the_same():
    train = uniform(30, 3, seed=7)
    assert torch.equal(kmeans(train, 10, seed=1).centroids, kmeans(train, 10, seed=1).centroids)
    assert not torch.equal(kmeans(train, 10, seed=1).centroids, kmeans(train, 10, seed=2).centroids)


def test_a_saved_state_of_k_means_is_a_copy_and_goes_on_with_the_same_bits():
    train = uniform(50, 3, seed=8)
    model, other = kmeans(train, 9), kmeans(train, 9, seed=2)
    model.fit_epoch()
    state = model.state()
    kept = state["centroids"].clone()
    model.fit_epoch()
    assert torch.equal(state["centroids"], kept)
    other.restore(state)
    other.fit_epoch()
    assert other.epoch == model.epoch == 2
    assert torch.equal(other.centroids, model.centroids)


@pytest.mark.parametrize("key", ["clusters", "iterations"])
def test_settings_of_k_means_out_of_range_name_their_key(key):
    with pytest.raises(ValueError, match=f"^{key} must be at least 1, not 0"):
        KMeans(**{"kind": "kmeans", "clusters": 3, "iterations": 3} | {key: 0})


# --- training images ---


def training_images(train, seed=1):
    return create(TrainingImages("training_images"), train, seed)


@settings(deadline=None, max_examples=40)
@given(**sizes, share=st.floats(0, 1))
def test_samples_are_distinct_training_images(n, d, seed, share):
    train, count = uniform(n, d, seed=seed), max(1, round(share * n))
    train[:, 0] += torch.arange(n)  # no two alike
    model = training_images(train, seed)
    samples = model.sample(model.weights("raw"), count, random_stream(seed, "samples")).tolist()
    assert len(samples) == count
    rows = train.tolist()
    where = [rows.index(sample) for sample in samples]
    assert len(set(where)) == count


def test_the_seed_shuffles_the_training_images():
    train = uniform(100, 2, seed=9)
    orders = [m.sample(m.weights("raw"), 100, random_stream(1, "samples"))
              for m in (training_images(train, 1), training_images(train, 1), training_images(train, 2))]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], train)


def test_more_samples_than_training_images_are_refused():
    model = training_images(torch.rand(5, 2))
    with pytest.raises(ValueError, match="6 samples were asked for, but there are only 5 training images"):
        model.sample(model.weights("raw"), 6, random_stream(1, "samples"))


def test_there_is_nothing_to_fit_to_training_images():
    model = training_images(torch.rand(5, 2))
    assert (model.epochs, model.epoch, model.state()) == (0, 0, {})
    model.restore({})
    with pytest.raises(RuntimeError, match="nothing to fit"):
        model.fit_epoch()


# --- Bernoulli draws ---


def test_draws_have_their_probabilities():
    """The last is between multiples of 2⁻¹⁶, which the words of a draw resolve."""
    p = torch.tensor([0.1, 0.5, 0.99, 1 / 3]).repeat(50_000, 1)
    drawn = bernoulli(p, torch.Generator().manual_seed(1))
    assert drawn.unique().tolist() == [0, 1]
    for ones, of in zip(drawn.sum(0).tolist(), p[0].tolist(), strict=True):
        assert scipy.stats.binomtest(int(ones), 50_000, of).pvalue > 0.01
    assert float(np.abs(np.corrcoef(drawn.numpy().T) - np.eye(4)).max()) < 0.02


def test_a_probability_below_the_resolution_of_a_word_is_met():
    """One of a quarter of 2⁻¹⁶: draws of 16 bits alone know 0 and 2⁻¹⁶. The fraction is one for all of a call."""
    stream, p = torch.Generator().manual_seed(2), torch.full((100, 1000), 2.0**-18)
    ones = [int(bernoulli(p, stream).sum()) for _ in range(1000)]
    deviation = np.std(ones) / len(ones)**0.5
    assert np.mean(ones) == pytest.approx(100_000 * 2.0**-18, abs=3 * deviation)
    assert deviation < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3,), (1, 1), (7, 11), (2, 3, 5)])
def test_certain_draws(dtype, shape):
    stream = torch.Generator().manual_seed(3)
    for p in (torch.zeros(shape, dtype=dtype), torch.ones(shape, dtype=dtype)):
        drawn = bernoulli(p, stream)
        assert drawn.dtype == dtype
        assert torch.equal(drawn, p)


@pytest.mark.parametrize("corruption", [2.0**-16, 0.1, 0.4, 0.9, 1.0])
def test_salt_and_pepper_is_as_frequent_as_it_should_be_and_independent_from_pixel_to_pixel(corruption):
    """Also where half of the corruption is less than one value of a word: then the fraction decides, call by call."""
    grey, stream = torch.full((500, 80), 0.3), torch.Generator().manual_seed(6)
    calls = [salt_and_pepper(grey, corruption, stream) for _ in range(100)]
    drawn = torch.cat(calls)
    for value, share in ((0.0, corruption / 2), (1.0, corruption / 2), (grey[0, 0], 1 - corruption)):
        count = int((drawn == value).sum())
        deviation = (len(calls) + drawn.numel() * share * (1 - share))**0.5  # of the fractions, and of the words
        assert count == pytest.approx(drawn.numel() * share, abs=3.5 * deviation)
    if 2.0**-16 < corruption < 1:
        corrupted = (drawn != grey[0, 0]).double().numpy()
        assert float(np.abs(np.corrcoef(corrupted.T) - np.eye(80)).max()) < 4.5 / len(corrupted)**0.5


def test_no_corruption_leaves_images_as_they_are():
    images = uniform(50, 30, seed=4)
    assert torch.equal(salt_and_pepper(images, 0.0, torch.Generator().manual_seed(5)), images)


# --- the autocorrelation of a chain ---


@given(n=st.integers(2, 400), d=st.sampled_from([1, 3, 300]), last=st.floats(0, 1), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_autocorrelation_is_scipys(n, d, last, seed):
    """A random walk's, to 1e-12; 300 dimensions are more than one block of them."""
    states, lags = uniform(n, d, seed=seed).sub(0.5).cumsum(0), int(last * (n - 1))
    deviations = states.double().numpy() - states.double().numpy().mean(0)
    products = sum(scipy.signal.correlate(column, column, method="direct") for column in deviations.T)
    expected = products[n - 1:][:lags + 1] / products[n - 1]
    np.testing.assert_allclose(autocorrelation(states, lags).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("states", "said"), [(torch.rand(5, 2), "5 lags need more than 5"),
                                              (torch.full((9, 2), 0.1), "do not vary")])
def test_of_too_few_states_or_one_that_stands_still_there_is_no_autocorrelation(states, said):
    with pytest.raises(ValueError, match=said):
        autocorrelation(states, 5)
