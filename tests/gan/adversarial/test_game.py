"""The value function and the losses against their logarithms, and the written-out gradients against autograd."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.adversarial import game
from gan.adversarial.settings import Objective

OBJECTIVES = [Objective.NON_SATURATING, Objective.MINIMAX]
logits = st.lists(st.floats(-25, 25), min_size=1, max_size=20).map(lambda o: torch.tensor(o, dtype=torch.float64))


def log_d(o):
    """log D for D = 1 / (1 + exp(−o))."""
    return (1 / (1 + (-o).exp())).log()


def log_one_minus_d(o):
    """log(1 − D), where 1 − D = 1 / (1 + exp(o))."""
    return (1 / (1 + o.exp())).log()


@settings(deadline=None, max_examples=60)
@given(on_data=logits, on_samples=logits)
def test_value_and_losses_are_the_papers_logarithms(on_data, on_samples):
    """In float64; softplus drops what is below e⁻²⁰ = 2e-9."""
    value = log_d(on_data).mean() + log_one_minus_d(on_samples).mean()
    close = {"rel": 1e-9, "abs": 3e-9}
    assert float(game.value(on_data, on_samples)) == pytest.approx(float(value), **close)
    assert float(game.discriminator_loss(on_data, on_samples)) == pytest.approx(-float(value) / 2, **close)
    assert float(game.generator_loss(on_samples, Objective.NON_SATURATING)) == pytest.approx(
        -float(log_d(on_samples).mean()), **close)
    assert float(game.generator_loss(on_samples, Objective.MINIMAX)) == pytest.approx(
        float(log_one_minus_d(on_samples).mean()), **close)


@settings(deadline=None, max_examples=40)
@given(on_data=logits, on_samples=logits)
def test_float32_losses_equal_float64_ones(on_data, on_samples):
    on_data, on_samples = on_data.float(), on_samples.float()
    assert float(game.discriminator_loss(on_data, on_samples)) == pytest.approx(
        float(game.discriminator_loss(on_data.double(), on_samples.double())), rel=1e-6)
    for objective in OBJECTIVES:
        assert float(game.generator_loss(on_samples, objective)) == pytest.approx(
            float(game.generator_loss(on_samples.double(), objective)), rel=1e-6)


def test_the_value_at_equilibrium_is_minus_log_4():
    """D = ½ everywhere (section 4.1)."""
    zeros = torch.zeros(7)
    assert float(game.value(zeros, zeros)) == pytest.approx(-math.log(4))
    assert float(game.discriminator_loss(zeros, zeros)) == pytest.approx(math.log(2))
    assert float(game.generator_loss(zeros, Objective.NON_SATURATING)) == pytest.approx(math.log(2))
    assert float(game.generator_loss(zeros, Objective.MINIMAX)) == pytest.approx(-math.log(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_are_finite_and_exact_at_logits_of_1000(dtype):
    """There −log D is −o to the last digit, where the logarithm of a rounded D would be −inf."""
    high, low = torch.full((3,), 1000, dtype=dtype), torch.full((3,), -1000, dtype=dtype)
    assert float(game.value(high, low)) == 0
    assert float(game.value(low, high)) == -2000
    assert float(game.discriminator_loss(low, high)) == 1000
    assert float(game.discriminator_loss(low, low)) == 500
    assert float(game.generator_loss(low, Objective.NON_SATURATING)) == 1000
    assert float(game.generator_loss(high, Objective.NON_SATURATING)) == 0
    assert float(game.generator_loss(high, Objective.MINIMAX)) == -1000
    assert float(game.generator_loss(low, Objective.MINIMAX)) == 0


@settings(deadline=None, max_examples=40)
@given(on_data=st.floats(-10, 10), on_samples=st.floats(-10, 10), step=st.floats(0.1, 5))
def test_every_player_gains_by_what_the_paper_says(on_data, on_samples, step):
    """D by higher logits on data and lower ones on samples; G, under both objectives, by higher ones on samples."""
    x, y = torch.tensor([on_data]).double(), torch.tensor([on_samples]).double()
    assert game.value(x + step, y) > game.value(x, y)
    assert game.value(x, y - step) > game.value(x, y)
    for objective in OBJECTIVES:
        assert game.generator_loss(y + step, objective) < game.generator_loss(y, objective)


# --- gradients ---


def autograd(loss, o):
    o = o.clone().requires_grad_()
    return torch.autograd.grad(loss(o), o)[0]


sure = st.sampled_from([-1000.0, -104.0, -50.0, -20.0, 20.0, 50.0, 104.0, 1000.0])
columns = st.lists(st.floats(-30, 30) | sure, min_size=2, max_size=20).map(
    lambda o: torch.tensor(o, dtype=torch.float64).unsqueeze(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(deadline=None, max_examples=60)
@given(o=columns, split=st.floats(0, 1))
def test_the_discriminators_gradient_by_its_logits_is_autograds(dtype, o, split):
    """To 1e-7: float32's spacing below 1, and what torch's softplus drops above 20."""
    o = o.to(dtype)
    data = min(max(1, round(split * len(o))), len(o) - 1)
    found = game.discriminator_logit_gradient(o, data)
    assert found.shape == o.shape
    torch.testing.assert_close(
        found, autograd(lambda o: game.discriminator_loss(o[:data], o[data:]), o), rtol=0, atol=1e-7)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(deadline=None, max_examples=60)
@given(o=columns)
def test_the_generators_gradient_by_the_logits_is_autograds(objective, dtype, o):
    o = o.to(dtype)
    found = game.generator_logit_gradient(o, objective)
    assert found.shape == o.shape
    torch.testing.assert_close(found, autograd(lambda o: game.generator_loss(o, objective), o), rtol=1e-6, atol=1e-9)


def test_where_d_is_sure_of_samples_only_the_minimax_gradient_vanishes():
    """Section 3 of the paper. At −50, D is 2e-22; e⁻⁵⁰ is still there in float32, relatively."""
    o = torch.full((4, 1), -50.0)
    assert game.generator_logit_gradient(o, Objective.NON_SATURATING).tolist() == [[-0.25]] * 4
    assert game.generator_logit_gradient(o, Objective.MINIMAX).view(-1).tolist() == pytest.approx(
        [-math.exp(-50) / 4] * 4, rel=1e-5)


def test_where_d_is_wrong_at_50_its_gradient_is_whole_and_where_it_is_right_none_is_left():
    wrong, right = torch.tensor([[-50.0], [50.0]]), torch.tensor([[50.0], [-50.0]])
    assert game.discriminator_logit_gradient(wrong, 1).tolist() == [[-0.5], [0.5]]
    on_data, on_samples = game.discriminator_logit_gradient(right, 1).view(-1).tolist()
    assert on_data == pytest.approx(0, abs=1e-20)
    assert on_samples == pytest.approx(math.exp(-50) / 2, rel=1e-5)


def test_gradients_leave_the_logits_alone():
    o = torch.tensor([[1.0], [-2.0], [3.0]])
    game.discriminator_logit_gradient(o, 2)
    for objective in OBJECTIVES:
        game.generator_logit_gradient(o, objective)
    assert o.tolist() == [[1.0], [-2.0], [3.0]]


def test_objectives_are_named_as_in_params_yaml():
    assert [Objective("non_saturating"), Objective("minimax"), Objective("relativistic")] == list(Objective)
    with pytest.raises(ValueError, match="wasserstein"):
        Objective("wasserstein")
