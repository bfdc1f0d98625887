"""Neighbours, and the measures made of them: precision, recall, density, coverage."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.evaluation import neighbours
from gan.evaluation.density_coverage import density_and_coverage
from gan.evaluation.estimates import TooFew
from gan.evaluation.precision_recall import precision_and_recall


def points(n: int, d: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS", 7)
    monkeypatch.setattr(neighbours, "COLUMNS", 11)


@given(m=st.integers(1, 30), n=st.integers(1, 40), far=st.sampled_from([0.0, 100.0]), seed=st.integers(0, 2**31))
def test_the_nearest_is_the_nearest_of_all(m, n, far, seed):
    x, y = points(m, 5, seed) + far, points(n, 5, seed + 1) + far
    direct = torch.cdist(x.double(), y.double()).square()
    found, place = neighbours.nearest(x, y)
    assert torch.allclose(found, direct.min(1).values, rtol=1e-4, atol=1e-3)
    assert torch.allclose(found, direct.gather(1, place.unsqueeze(1))[:, 0], rtol=1e-6)


def test_blocks_change_nothing(small_blocks, monkeypatch):
    x, y = points(50, 5, 1), points(60, 5, 2)

    def found():
        return (neighbours.nearest(x, y), neighbours.radii(y, [1, 4]), precision_and_recall(x, y),
                density_and_coverage(x, y))
    small = found()
    monkeypatch.undo()
    whole = found()
    for one, other in zip(small[0], whole[0], strict=True):
        assert torch.equal(one, other)
    assert torch.allclose(small[1], whole[1], rtol=1e-4)
    assert small[2:] == whole[2:]


def test_a_copy_is_at_no_distance_at_all_and_every_point_is_reported_once():
    y, done = points(40, 300, 1) + 50, []
    found, place = neighbours.nearest(y[[3, 17]], y, done.append)
    assert found.tolist() == [0.0, 0.0]
    assert place.tolist() == [3, 17]
    assert sum(done) == 2


def test_radii_reach_to_the_kth_other_point():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert neighbours.radii(line, [1, 2]).tolist() == [[1, 9], [1, 4], [4, 9], [16, 36]]
    with pytest.raises(TooFew, match="needs 5 images, not 4"):
        neighbours.radii(line, [4])


@pytest.mark.parametrize("k", [3, 5])
def test_all_four_are_those_of_prdc(k, capsys):
    prdc = pytest.importorskip("prdc")
    real, samples = points(400, 16, 1), points(350, 16, 2, scale=0.9) + 0.1
    theirs = prdc.compute_prdc(real.double().numpy(), samples.double().numpy(), nearest_k=k)
    near, dense = precision_and_recall(real, samples, k), density_and_coverage(real, samples, k)
    ours = {"precision": near.precision, "recall": near.recall, "density": dense.density, "coverage": dense.coverage}
    for name, value in theirs.items():  # one image may lie on the edge of a ball by the rounding of float32
        assert ours[name].value == pytest.approx(value, abs=1 / 350), name


def test_precision_and_recall_are_those_of_torch_fidelity():
    fidelity = pytest.importorskip("torch_fidelity.metric_prc")
    real, samples = points(400, 16, 3), points(350, 16, 4, scale=0.8)
    theirs = fidelity.prc_features_to_metric(samples, real, prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False,
                                             verbose=False)
    ours = precision_and_recall(real, samples, 3)
    assert ours.precision.value == pytest.approx(theirs["precision"], abs=1 / 350)
    assert ours.recall.value == pytest.approx(theirs["recall"], abs=1 / 350)


def test_of_one_distribution_density_is_one_and_coverage_what_chance_gives():
    k = 5
    found = density_and_coverage(points(3000, 4, 1), points(3000, 4, 2), k)
    assert found.density.value == pytest.approx(1, abs=0.05)
    assert found.coverage.value == pytest.approx(1 - 2**-k, abs=0.02)


def test_samples_far_away_have_nothing_of_any_and_one_point_over_and_over_has_no_recall():
    real = points(200, 4, 1)
    far_near, far_dense = precision_and_recall(real, real + 100), density_and_coverage(real, real + 100)
    assert [far_near.precision.value, far_near.recall.value] == [0, 0]
    assert [far_dense.density.value, far_dense.coverage.value] == [0, 0]
    one = real[:1].expand(200, -1)
    near, dense = precision_and_recall(real, one), density_and_coverage(real, one)
    assert near.precision.value == 1
    assert near.recall.value <= 1 / 200  # at most the point itself
    assert dense.coverage.value < 0.1


def test_errors_are_those_of_means():
    real, samples = points(400, 4, 1), points(300, 4, 2, scale=1.5)
    found = precision_and_recall(real, samples)
    share = found.recall.value
    assert found.recall.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 399), rel=1e-6)
    share = found.precision.value
    assert found.precision.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 300), rel=0.7)


def test_too_few_and_unfit_are_refused():
    real = points(30, 3, 1)
    with pytest.raises(TooFew, match="needs 4 images, not 3"):
        precision_and_recall(real, real[:3])
    with pytest.raises(TooFew, match="needs 6 images, not 5"):
        density_and_coverage(real[:5], real)
    with pytest.raises(ValueError, match="of one size"):
        precision_and_recall(real, real[:, :2])
