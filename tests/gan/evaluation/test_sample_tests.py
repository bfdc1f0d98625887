"""Classes drawn, the two-sample test, bins, copying and the nearest window."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.evaluation import bins, copying, parzen
from gan.evaluation.classes import classes_drawn
from gan.evaluation.estimates import TooFew
from gan.evaluation.measures import COPIES
from gan.evaluation.nearest_window import NearestWindow
from gan.evaluation.two_sample import Halves, two_sample_test


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# Classes.

def certain(classes: torch.Tensor, count: int, probability: float = 1.0) -> torch.Tensor:
    """Probabilities with this one on each of `classes`, and the rest on the next."""
    rows = torch.zeros(len(classes), count)
    rows.scatter_(1, classes.unsqueeze(1), probability)
    return rows.scatter_(1, ((classes + 1) % count).unsqueeze(1), 1 - probability) if probability < 1 else rows


def test_every_class_equally_often_is_balanced_and_one_left_out_is_missed_by_its_share():
    even = classes_drawn(certain(torch.arange(1000) % 10, 10), torch.full((10,), 0.1))
    assert even.entropy.value == pytest.approx(math.log(10))
    assert even.imbalance.value == pytest.approx(0, abs=1e-6)
    left_out = classes_drawn(certain(torch.arange(900) % 9, 10), torch.full((10,), 0.1))
    assert left_out.imbalance.value == pytest.approx(0.1)
    assert left_out.entropy.value == pytest.approx(math.log(9))
    assert left_out.shares[9] == 0
    one = classes_drawn(certain(torch.zeros(100, dtype=torch.int64), 10), torch.full((10,), 0.1))
    assert (one.entropy.value, one.imbalance.value) == (0, pytest.approx(0.9))


def test_sure_is_the_share_at_or_above_the_probability():
    rows = torch.cat((certain(torch.arange(50) % 10, 10, 0.95), certain(torch.arange(150) % 10, 10, 0.6)))
    assert classes_drawn(rows, torch.ones(10)).sure.value == pytest.approx(0.25)


def test_the_error_of_the_entropy_is_that_of_its_delta_method():
    drawn = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 5000, True, generator=torch.Generator().manual_seed(1))
    found = classes_drawn(certain(drawn, 3), torch.ones(3))
    shares = torch.tensor(found.shares)
    variance = float((shares * shares.log().square()).sum() - (shares * shares.log()).sum().square())
    assert found.entropy.standard_error == pytest.approx(math.sqrt(variance / 5000), rel=0.6)


def test_one_class_only_is_refused():
    with pytest.raises(ValueError, match="all of one class"):
        classes_drawn(certain(torch.zeros(50, dtype=torch.int64), 3), torch.tensor([1.0, 0, 0]))
    with pytest.raises(ValueError, match=r"\[n, c\] and \[c\]"):
        classes_drawn(torch.ones(50, 3) / 3, torch.ones(2))
    with pytest.raises(TooFew):
        classes_drawn(certain(torch.arange(19) % 3, 3), torch.ones(3))


# The two-sample test.

def halves(values: torch.Tensor) -> Halves:
    return Halves(*values.tensor_split(2))


def test_of_one_distribution_the_classifier_is_right_by_chance():
    found = [two_sample_test(halves(normal(1600, 5, 2 * seed)), halves(normal(1600, 5, 2 * seed + 1)), 100)
             for seed in range(8)]
    assert all(abs(each.accuracy.value - 0.5) < 4 * math.sqrt(0.25 / 1600) for each in found)
    assert sum(each.p_value < 0.05 for each in found) <= 2


def test_of_shifted_gaussians_it_comes_near_the_best_that_is_possible():
    shift = 1.0
    samples = normal(8000, 3, 2)
    samples[:, 0] += shift
    found = two_sample_test(halves(normal(8000, 3, 1)), halves(samples), 300)
    best = 0.5 * (1 + math.erf(shift / 2 / math.sqrt(2)))
    assert best - 0.03 < found.accuracy.value < best + 3 * found.accuracy.standard_error
    assert found.p_value < 1e-6


def test_what_a_classifier_remembers_of_its_training_half_is_no_difference():
    # 30 images in 200 dimensions can be told apart by heart; others cannot.
    found = two_sample_test(Halves(normal(30, 200, 1), normal(500, 200, 3)), Halves(normal(30, 200, 2),
                                                                                    normal(500, 200, 4)), 300)
    assert abs(found.accuracy.value - 0.5) < 4 * math.sqrt(0.25 / 1000)


def test_it_is_the_same_each_time_and_too_few_are_refused():
    real, samples = halves(normal(100, 3, 1)), halves(normal(100, 3, 2))
    assert two_sample_test(real, samples, 30) == two_sample_test(real, samples, 30)
    with pytest.raises(TooFew, match="needs 10 images, not 9"):
        two_sample_test(real, halves(normal(18, 3, 2)), 30)


# Bins.

def test_of_one_distribution_so_many_bins_differ_as_the_significance_says():
    train = normal(20_000, 2, 1)
    centres = bins.fit_bins(train[:2000], 50)
    counts = torch.bincount(bins.assign(train, centres), minlength=50)
    shares = [bins.share_of_different_bins(counts, bins.assign(normal(4000, 2, seed), centres)).value
              for seed in range(2, 22)]
    assert sum(shares) / len(shares) == pytest.approx(bins.SIGNIFICANCE, abs=0.02)


def test_the_test_in_each_bin_is_the_one_of_two_proportions():
    expected, drawn = torch.tensor([500, 300, 200]), torch.tensor([130, 50, 20])
    contingency = [[500, 300, 200], [130, 50, 20]]
    p_values = [scipy.stats.chi2_contingency([[row[i], sum(row) - row[i]] for row in contingency], correction=False)[1]
                for i in range(3)]
    share = sum(p < bins.SIGNIFICANCE for p in p_values) / 3
    assert 0 < share < 1
    assert bins.statistically_different_bins(expected, drawn) == pytest.approx(share)


def test_a_bin_that_is_never_hit_differs_and_the_divergence_is_scipys():
    expected = torch.tensor([100, 100, 100, 100])
    drawn = torch.arange(300) % 3
    assert bins.share_of_different_bins(expected, drawn).value == 1
    found = bins.divergence(expected, drawn)
    theirs = scipy.spatial.distance.jensenshannon([0.25] * 4, [1 / 3, 1 / 3, 1 / 3, 0]) ** 2
    assert found.value == pytest.approx(theirs, rel=1e-6)
    assert bins.divergence(expected, torch.arange(400) % 4).value == pytest.approx(0, abs=1e-12)
    with pytest.raises(TooFew):
        bins.share_of_different_bins(expected, drawn[:3])


def test_bins_are_k_means_and_the_same_each_time():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    images = centres.repeat(50, 1) + 0.1 * normal(150, 2, 1)
    fitted = bins.fit_bins(images, 3, seed=1)
    assert torch.equal(fitted, bins.fit_bins(images, 3, seed=1))
    own = bins.assign(centres, fitted)
    assert sorted(own.tolist()) == [0, 1, 2]
    assert torch.equal(bins.assign(images, fitted), own.repeat(50))
    with pytest.raises(TooFew):
        bins.fit_bins(images[:2], 3)


# Copying.

def placed(distances: torch.Tensor, cells: int = 1) -> copying.Placed:
    return copying.Placed(distances, torch.arange(len(distances)) % cells)


@given(m=st.integers(1, 40), n=st.integers(1, 40), levels=st.sampled_from([3, 1000]), seed=st.integers(0, 2**31))
def test_mann_whitney_is_scipys_with_ties_by_halves(m, n, levels, seed):
    stream = torch.Generator().manual_seed(seed)
    ours, theirs = (torch.randint(levels, (k,), generator=stream).float() for k in (m, n))
    u = scipy.stats.mannwhitneyu(ours.double().numpy(), theirs.double().numpy()).statistic
    z = (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)
    assert copying.mann_whitney(ours, theirs) == pytest.approx(z, abs=1e-9)


def test_real_images_do_not_copy_copies_do_and_bad_fits_lie_far():
    held_out = normal(2000, 1, 1)[:, 0].abs()
    fresh = copying.copying(placed(held_out, 4), placed(normal(2000, 1, 2)[:, 0].abs(), 4), 4)
    assert abs(fresh.value) < 3
    assert 0.15 < fresh.standard_error < 1  # Z has variance 1 in each of four cells, half of it by the samples
    copies = copying.copying(placed(held_out, 4), placed(torch.zeros(2000), 4), 4)
    assert copies.value < -20
    half = torch.cat((torch.zeros(500), normal(1500, 1, 3)[:, 0].abs()))
    assert copying.copying(placed(held_out, 4), placed(half, 4), 4).value < COPIES
    assert copying.copying(placed(held_out, 4), placed(held_out + 1, 4), 4).value > 10


def test_copying_in_one_region_is_seen_although_samples_elsewhere_lie_far():
    cells = torch.arange(1000) // 500
    held_out = copying.Placed(torch.tensor([1.0, 9.0])[cells] + normal(1000, 1, 1)[:, 0] / 9, cells)
    samples = copying.Placed(torch.tensor([0.0, 9.0])[cells] + normal(1000, 1, 2)[:, 0] / 9, cells)
    assert copying.copying(held_out, samples, 2).value < COPIES


def test_a_cell_with_too_few_samples_has_no_say_and_none_at_all_is_refused():
    held_out = copying.Placed(torch.ones(200).cumsum(0), torch.arange(200) % 2)
    samples = copying.Placed(torch.cat((torch.ones(100).cumsum(0) * 2, torch.zeros(5))),
                             torch.cat((torch.zeros(100), torch.ones(5))).long())
    alone = copying.Placed(samples.distances[:100], samples.cells[:100])
    assert copying.statistic(held_out, samples, 2) == copying.statistic(held_out, alone, 2)
    with pytest.raises(TooFew, match="the test of copying"):
        copying.copying(held_out, copying.Placed(torch.zeros(50), torch.full((50,), 7)), 2)
    with pytest.raises(TooFew, match="needs 20 images, not 5"):
        copying.copying(held_out, copying.Placed(torch.zeros(5), torch.zeros(5).long()), 2)


def test_so_many_are_nearer_than_the_nearest_held_out_images():
    held_out = torch.arange(1.0, 1001.0)
    assert copying.nearer_than(held_out, held_out) == pytest.approx(0.01)
    assert copying.nearer_than(torch.cat((torch.zeros(30), held_out[30:])), held_out) == pytest.approx(0.03)


# The nearest window.

def test_at_the_best_bandwidth_the_estimate_is_the_mean_squared_distance_to_the_nearest_sample():
    images, samples = normal(50, 300, 1), normal(200, 300, 2)
    squares = torch.cdist(images.double(), samples.double()).square().min(1).values
    window = NearestWindow(float(squares.mean()), 200, 300)
    sigma = window.best_bandwidth
    assert sigma == pytest.approx(math.sqrt(float(squares.mean()) / 300))
    for bandwidth in (0.9 * sigma, 1.1 * sigma):
        assert window.log_likelihood(bandwidth) < window.log_likelihood(sigma)
    narrow = sigma / 10  # one window counts
    estimate = float(parzen.log_likelihood(images, samples, [narrow])[0].mean())
    assert window.log_likelihood(narrow) == pytest.approx(estimate, rel=1e-6)
