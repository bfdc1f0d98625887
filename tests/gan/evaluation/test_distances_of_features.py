"""Fréchet and kernel distance: closed forms, well-kept implementations on the same features, and their errors."""

import math

import numpy as np
import pytest
import torch

from gan.evaluation.estimates import Estimate, TooFew, jackknifed, mean, mean_of_states
from gan.evaluation.frechet import between, frechet_distance
from gan.evaluation.kernel_distance import kernel_distance, squared_discrepancy


def normal(n: int, d: int, seed: int, mean: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + mean


def correlated(n: int, d: int, seed: int) -> torch.Tensor:
    """Features as a rectifier gives them: correlated, many of them 0, one never anything else."""
    mixing = normal(d, d, 99)
    features = (normal(n, d, seed) @ mixing / math.sqrt(d) + 0.3).relu()
    features[:, 0] = 0
    return features


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    one = torch.tensor([1.0, 2.0]), torch.diag(torch.tensor([4.0, 9.0]))
    other = torch.tensor([0.0, 2.0]), torch.diag(torch.tensor([1.0, 0.0]))  # one direction without any variance
    assert between(one, other) == pytest.approx(1 + (2 - 1) ** 2 + 9, rel=1e-6)
    assert between(one, one) == pytest.approx(0, abs=1e-5)


def test_the_frechet_distance_is_that_of_torch_fidelity_and_torchmetrics():
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    metrics = pytest.importorskip("torchmetrics.image.fid")
    real, samples = correlated(900, 24, 1), correlated(700, 24, 2) * 1.2 + 0.05
    ours = frechet_distance(real, samples).value
    statistics = [fidelity.fid_features_to_statistics(each.double()) for each in (real, samples)]
    theirs = fidelity.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert ours == pytest.approx(theirs, rel=1e-6)
    moments = [torch.as_tensor(each[name]) for each in statistics for name in ("mu", "sigma")]
    assert ours == pytest.approx(float(metrics._compute_fid(*moments)), rel=1e-6)


def test_the_kernel_distance_of_a_block_is_that_of_torch_fidelity_and_torchmetrics():
    fidelity = pytest.importorskip("torch_fidelity.metric_kid")
    metrics = pytest.importorskip("torchmetrics.image.kid")
    real, samples = correlated(300, 24, 1).double(), (correlated(300, 24, 2) * 1.1).double()
    ours = squared_discrepancy(real, samples)

    def kernel(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        return fidelity.kernel_poly(x.numpy(), y.numpy(), kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None,
                                    kid_kernel_poly_coef0=1)
    assert ours == pytest.approx(fidelity.mmd2(kernel(real, real), kernel(real, samples), kernel(samples, samples)),
                                 rel=1e-9)
    assert ours == pytest.approx(float(metrics.poly_mmd(real, samples)), rel=1e-9)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average_and_may_be_negative():
    values = torch.tensor([kernel_distance(normal(400, 8, 2 * seed), normal(400, 8, 2 * seed + 1)).value
                           for seed in range(30)])
    assert abs(float(values.mean())) < 3 * float(values.std()) / math.sqrt(len(values))
    assert bool((values < 0).any())


def test_the_kernel_distance_of_shifted_features_is_what_the_kernel_expects():
    # For d = 1, x ~ N(0, 1), y = x' + s: E k by the moments of (xy + 1)³.
    shift, n = 0.5, 20_000

    def expected(a: float, b: float) -> float:  # E (xy + 1)³, x ~ N(a, 1), y ~ N(b, 1) independent of each other
        first, second, third = (lambda m: m), (lambda m: m * m + 1), (lambda m: m**3 + 3 * m)
        return third(a) * third(b) + 3 * second(a) * second(b) + 3 * first(a) * first(b) + 1
    found = kernel_distance(normal(n, 1, 1), normal(n, 1, 2, mean=shift))
    exact = expected(0, 0) + expected(shift, shift) - 2 * expected(0, shift)
    assert found.value == pytest.approx(exact, abs=4 * found.standard_error)
    assert found.standard_error < exact / 4


def test_errors_are_as_wide_as_values_of_other_samples_lie_apart():
    real = correlated(2000, 6, 0)
    many = [frechet_distance(real, correlated(500, 6, seed)) for seed in range(1, 25)]
    spread = torch.tensor([each.value for each in many]).std().item()
    told = torch.tensor([each.standard_error for each in many]).mean().item()
    assert 0.5 < told / spread < 2


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = normal(1000, 1, 5)[:, 0]
    found = jackknifed(lambda rows: float(rows.double().mean()), values, blocks=1000 // 2)
    assert found.value == pytest.approx(mean(values).value)
    assert found.standard_error == pytest.approx(mean(values).standard_error, rel=0.15)


def test_the_error_of_a_chain_is_wider_than_that_of_independent_values():
    steps = normal(20_000, 1, 3)[:, 0]
    chain = torch.stack([steps[i:i + 200].mean() for i in range(19_800)])
    assert mean_of_states(chain).value == pytest.approx(mean(chain).value)
    assert mean_of_states(chain).standard_error > 4 * mean(chain).standard_error


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance])
def test_what_cannot_be_compared_is_refused(measure):
    good = normal(40, 3, 1)
    with pytest.raises(TooFew, match="needs 20 images, not 19"):
        measure(good, good[:19])
    with pytest.raises(ValueError, match="of one size: 3, 2"):
        measure(good, good[:, :2])
    with pytest.raises(ValueError, match="samples must hold finite numbers"):
        measure(good, torch.where(torch.arange(40).unsqueeze(1) == 7, math.nan, good))
    with pytest.raises(ValueError, match=r"real images must be \[n, d\]"):
        measure(good[:0], good)
    assert isinstance(measure(good, good), Estimate)
