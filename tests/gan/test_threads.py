"""What CONTRIBUTING.md (Randomness) promises across numbers of threads: the same bytes for one, a tolerance for two."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gan.adversarial.settings import DiscriminatorNetwork, GeneratorLayer, GeneratorNetwork, LearningRate, MaxoutLayer
from gan.adversarial.training import Training
from gan.evaluation.parzen import log_likelihood

UPDATES, TOLERANCE = 10, 1e-5
WIDE = 400
"""Units with which a matrix product is large enough to be shared among threads"""


@pytest.fixture(autouse=True)
def as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def wide_nets(small_nets):
    nets = small_nets(batch_size=100, epochs=1, learning_rate=LearningRate(0.01, 1.0001, 0.001))
    return replace(
        nets, generator=GeneratorNetwork([GeneratorLayer(WIDE, "relu", 0.05)] * 2, nets.generator.output),
        discriminator=DiscriminatorNetwork([MaxoutLayer(WIDE, 3, 0.05, 0.8), MaxoutLayer(WIDE, 2, 0.05, 0.5)],
                                           nets.discriminator.output))


@pytest.fixture(scope="module")
def pictures():
    """[1000, 784] in [0, 1]"""
    return torch.rand(100 * UPDATES, 784, generator=torch.Generator().manual_seed(0))


def trained(nets, pictures, threads):
    torch.set_num_threads(threads)
    training = Training(nets, pictures, 1)
    with torch.no_grad():
        training.run_epochs()
    assert training.updates == UPDATES
    return training.state()


def test_one_number_of_threads_gives_the_same_bytes(wide_nets, pictures):
    one, other = trained(wide_nets, pictures, 2), trained(wide_nets, pictures, 2)
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_another_number_of_threads_gives_the_same_draws_and_weights_within_the_tolerance(wide_nets, pictures):
    one, other = trained(wide_nets, pictures, 1), trained(wide_nets, pictures, 2)
    for name in one:
        if one[name].is_floating_point():
            torch.testing.assert_close(one[name], other[name], rtol=TOLERANCE, atol=TOLERANCE, msg=name)
        else:
            assert torch.equal(one[name], other[name]), name


def test_the_estimate_is_the_same_within_the_tolerance(pictures):
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(log_likelihood(pictures[:200], pictures[200:], [0.2, 2.0]))
    torch.testing.assert_close(*found, rtol=TOLERANCE, atol=0)
