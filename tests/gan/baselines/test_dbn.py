"""Deep belief net: free energy, gradients and chains of tiny RBMs against exact enumeration."""

import itertools
import math
from dataclasses import replace
from functools import partial

import pytest
import scipy.stats
import torch
from resuming import assert_resumes_to_the_same_bytes

from gan.baselines.dbn import RBM, DeepBeliefNetModel, Velocity, down, up, update
from gan.baselines.settings import BoltzmannLayer, DeepBeliefNet
from gan.errors import TrainingDiverged

CPU = torch.device("cpu")
LAYER = BoltzmannLayer(units=5, gibbs_steps=1, persistent=False, learning_rate=0.05, momentum=0.5, weight_decay=1e-4,
                       epochs=2)
SMALL = DeepBeliefNet("dbn", visible="bernoulli", batch_size=20, burn_in=3, starts=4,
                      layers=[LAYER, replace(LAYER, units=4, gibbs_steps=2, persistent=True, epochs=3)])
ONE = replace(SMALL, layers=[LAYER])


def model(images, settings=SMALL, seed=1):
    return DeepBeliefNetModel(settings, images, seed, CPU)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def rbm(d=4, units=3, gaussian=False, seed=1, deviation=0.7):
    source = stream(seed)
    return RBM(*(torch.empty(*shape).normal_(0, deviation, generator=source) for shape in ((d, units), (d,), (units,))),
               gaussian)


def binary(n):
    """All states of n units: [2ⁿ, n]"""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)))


def negative_energy(net, v, h):
    """−E of each v with each h, in float64: [n, 2ᵐ]"""
    W, b, c, v, h = (t.double() for t in (net.W, net.b, net.c, v, h))
    visible = -(v - b).square().sum(1) / 2 if net.gaussian else v @ b
    return visible.unsqueeze(1) + v @ W @ h.t() + h @ c


def log_likelihood(net, v):
    """Mean of log p(v): all hidden states summed over, and of Z all visible ones too, or integrated."""
    W, b, c, h = net.W.double(), net.b.double(), net.c.double(), binary(net.W.shape[1]).double()
    if net.gaussian:  # ∫ exp(−‖v − b‖²/2 + v·Wh) dv = (2π)^(d/2)·exp(‖Wh‖²/2 + b·Wh)
        wh = h @ W.t()
        log_z = len(b) / 2 * math.log(2 * math.pi) + (wh.square().sum(1) / 2 + wh @ b + h @ c).logsumexp(0)
    else:
        log_z = negative_energy(net, binary(len(b)), h).logsumexp((0, 1))
    return (negative_energy(net, v, h).logsumexp(1) - log_z).mean()


def exact_gradient(net, v):
    free = RBM(*(t.double().requires_grad_() for t in (net.W, net.b, net.c)), net.gaussian)
    log_likelihood(free, v).backward()
    return [t.grad.float() for t in (free.W, free.b, free.c)]


def climbed(net, v, chains, **changes):
    """What `update` adds to parameters at a learning rate of 1."""
    settings = replace(LAYER, learning_rate=1.0, momentum=0.0, weight_decay=0.0, **changes)
    after = RBM(*(t.clone() for t in (net.W, net.b, net.c)), net.gaussian)
    update(after, Velocity(*map(torch.zeros_like, (net.W, net.b, net.c))), v, chains, settings, stream(7))
    return [b - a for a, b in zip((net.W, net.b, net.c), (after.W, after.b, after.c), strict=True)]


def data(net, n=200_000):
    """Few patterns, often: [n, d]"""
    few = torch.rand(5, len(net.b), generator=stream(9))
    few = few * 3 - 1 if net.gaussian else few.round()
    return few[torch.arange(n) % 5]


# --- training ---


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_free_energy_is_the_sum_over_hidden_states(gaussian):
    net = rbm(gaussian=gaussian)
    v = data(net, 5)
    expected = -negative_energy(net, v, binary(3)).logsumexp(1)
    torch.testing.assert_close(net.free_energy(v).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("persistent", [False, True])
def test_with_many_gibbs_steps_the_gradient_is_the_likelihoods(gaussian, persistent):
    """CD-k → the exact gradient as k grows; persistent chains get there from wherever they start."""
    net = rbm(gaussian=gaussian)
    v = data(net)
    chains = torch.zeros(len(v), 3) if persistent else None
    found = climbed(net, v, chains, gibbs_steps=40, persistent=persistent)
    exact = exact_gradient(net, v)
    for mine, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=0.02 if gaussian else 0.01)
    assert float(exact[0].abs().max()) > 0.1


def test_cd_1_is_the_difference_to_one_step_from_the_data():
    net, h, ends = rbm(deviation=2.5), binary(3), binary(4)
    v = data(net)
    few = v[:5].double()
    p_h = negative_energy(net, few, h).softmax(1)  # [5, 2ᵐ]
    p_end = negative_energy(net, ends, h).softmax(0)  # p(end | h): [2ᵈ, 2ᵐ]
    reached = (p_h @ p_end.t()).mean(0)
    q = net.hidden_probability(ends).double()
    expected = few.t() @ net.hidden_probability(few.float()).double() / 5 - (ends.double() * reached[:, None]).t() @ q
    found, *_ = climbed(net, v, None)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=0.01)
    assert float((exact_gradient(net, v)[0] - expected).abs().max()) > 0.03  # which the likelihood's is not


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("persistent", [False, True])
def test_the_gap_is_the_difference_of_the_free_energies_before_the_step(gaussian, persistent):
    net = rbm(gaussian=gaussian)
    v, chains = data(net, 10), torch.ones(15, 3) if persistent else None
    twin, still = stream(7), Velocity(*map(torch.zeros_like, (net.W, net.b, net.c)))
    h = net.draw_hidden(v, twin) if chains is None else chains
    expected = net.free_energy(v).mean() - net.free_energy(net.draw_visible(h, twin)).mean()
    settings = replace(LAYER, persistent=persistent)
    after = RBM(net.W.clone(), net.b.clone(), net.c.clone(), gaussian)
    gap, _ = update(after, still, v, chains, settings, stream(7))
    torch.testing.assert_close(gap, expected)
    gap, _ = update(after, still, v, chains, settings, stream(7), measures_gap=False)
    assert float(gap) == 0


def test_momentum_and_weight_decay():
    net, v = rbm(), data(rbm(), 10)
    velocity = Velocity(*(torch.full_like(t, -0.3) for t in (net.W, net.b, net.c)))  # it points down the energy
    [plain, *_] = climbed(net, v, None)
    after = RBM(*(t.clone() for t in (net.W, net.b, net.c)))
    settings = replace(LAYER, learning_rate=0.1, momentum=0.5, weight_decay=0.2)
    update(after, velocity, v, None, settings, stream(7))
    torch.testing.assert_close(after.W, net.W + 0.1 * (0.5 * 0.3 + plain - 0.2 * net.W))
    torch.testing.assert_close(velocity.W, -(0.5 * 0.3 + plain - 0.2 * net.W))


def test_persistent_chains_go_on_where_they_were():
    net, v = rbm(), data(rbm(), 10)
    still = Velocity(*map(torch.zeros_like, (net.W, net.b, net.c)))
    settings = replace(LAYER, persistent=True, learning_rate=1e-30, weight_decay=0.0)
    chains, seen = torch.zeros(20_000, 3), []
    for i in range(30):
        _, chains = update(net, still, v, chains, settings, stream(i))
        seen.append(chains)
    marginal = negative_energy(net, binary(4), binary(3)).logsumexp(0).softmax(0)
    index = (chains @ torch.tensor([4.0, 2.0, 1.0])).long()
    expected = (marginal * len(chains)).numpy()
    assert scipy.stats.chisquare(torch.bincount(index, minlength=8).numpy(), expected).pvalue > 0.01


def test_training_raises_the_likelihood():
    v = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]).repeat(50, 1)
    net = model(v, replace(ONE, layers=[replace(LAYER, epochs=60, learning_rate=0.2, gibbs_steps=3)]))
    before = float(log_likelihood(net.layers[0], v))
    for _ in range(60):
        net.fit_epoch()
    assert before < -2.5
    assert float(log_likelihood(net.layers[0], v)) > -1.2  # log 2 = .69 is the best


def test_layers_are_trained_one_after_another_each_on_the_probabilities_below(images):
    net = model(images)
    assert net.epochs == 5
    rows, looked = [], []
    for i in range(5):
        rows.append(net.fit_epoch())
        looked.append(net.can_be_scored)
        if i == 1:
            below = [t.clone() for t in (net.layers[0].W, net.layers[0].b, net.layers[0].c)]
    assert [row["layer"] for row in rows] == ["layer 1"] * 2 + ["layer 2"] * 3
    assert [row["learning_rate"] for row in rows] == pytest.approx(
        [0.05, 0.025, 0.05, 0.05 * 2 / 3, 0.05 / 3])  # linearly down to 0, anew for each layer
    assert looked == [False, False, True, True, True]
    assert all(map(torch.equal, below, (net.layers[0].W, net.layers[0].b, net.layers[0].c)))
    torch.testing.assert_close(net._inputs_of(1), (images @ below[0] + below[2]).sigmoid())


# --- the chain ---


@pytest.mark.parametrize("gaussian", [False, True])
def test_gibbs_steps_have_the_exact_distribution(gaussian):
    net, n, source = rbm(gaussian=gaussian), 20_000, stream(3)
    h = torch.zeros(n, 3)
    for _ in range(60):
        h = net.gibbs(h, source)
    states = binary(3)
    if gaussian:
        wh = states.double() @ net.W.double().t()
        marginal = (wh.square().sum(1) / 2 + wh @ net.b.double() + states.double() @ net.c.double()).softmax(0)
    else:
        marginal = negative_energy(net, binary(4), states).logsumexp(0).softmax(0)
    found = torch.bincount((h @ torch.tensor([4.0, 2.0, 1.0])).long(), minlength=8)
    assert scipy.stats.chisquare(found.numpy(), (marginal * n).numpy()).pvalue > 0.01


def test_the_pass_down_draws_between_and_ends_in_means():
    """With two layers, the pixels' means tell which of the 2³ states the layer between was in."""
    bottom, top, n, source = rbm(6, 3, seed=1), rbm(3, 4, seed=2), 20_000, stream(3)
    h = torch.zeros(n, 4)
    for _ in range(60):
        h = top.gibbs(h, source)
    pixels = down([bottom, top], h, source)
    states = binary(3)
    distances = torch.cdist(pixels, bottom.visible_mean(states))
    assert float(distances.min(1).values.max()) < 1e-3
    expected = (-top.free_energy(states)).double().softmax(0) * n
    found = torch.bincount(distances.argmin(1), minlength=8)
    assert scipy.stats.chisquare(found.numpy(), expected.numpy()).pvalue > 0.01


def test_gaussian_units_have_unit_variance_about_their_mean():
    net = rbm(gaussian=True)
    h = torch.tensor([[1.0, 0, 1]]).expand(50_000, -1)
    v = net.draw_visible(h, stream(5))
    whitened = v - (net.b + net.W[:, 0] + net.W[:, 2])
    assert scipy.stats.kstest(whitened.flatten().numpy(), "norm").pvalue > 0.01


def test_pixels_of_gaussian_units_are_standardised_and_put_back(images):
    images = images * 0.3 + 0.4
    net = model(images, replace(SMALL, visible="gaussian"))
    torch.testing.assert_close(net._train, (images - images.mean(0)) / images.std(0))
    still = replace(ONE, visible="gaussian", burn_in=50, starts=50)
    samples = model(images, still)
    torch.testing.assert_close(samples.sample(samples.weights("parallel"), 50, stream()).mean(0), images.mean(0),
                               rtol=0, atol=0.02)  # nothing is learned yet: weights of .01


@pytest.mark.parametrize("settings", [ONE, SMALL, replace(SMALL, visible="gaussian")])
@pytest.mark.parametrize("variant", ["raw", "parallel"])
def test_samples_depend_on_weights_and_stream_alone(images, settings, variant):
    net = model(images, settings)
    net.fit_epoch()
    kept = {name: tensor.clone() for name, tensor in net.weights(variant).items()}
    samples = net.sample(kept, 9, stream(3))
    assert samples.shape == (9, 6)
    net.fit_epoch()
    assert torch.equal(model(images, settings, seed=9).sample(kept, 9, stream(3)), samples)
    assert not torch.equal(net.sample(kept, 9, stream(4)), samples)


def test_chains_start_at_training_images(images):
    net = model(images)
    starts = net.weights("parallel")["starts"]
    assert len(starts) == 4
    assert all((images == start).all(1).any() for start in starts)
    assert len(net.weights("raw")["starts"]) == 1
    torch.testing.assert_close(up(net.layers[:1], starts), net.layers[0].hidden_probability(starts))


# --- resuming from a saved state ---


@pytest.mark.parametrize("updates", [1, 2, 3, 5, 6, 10])
def test_training_goes_on_from_any_update_to_the_same_bytes(images, updates):
    """50 images in minibatches of 20: an epoch has three updates, and `between_updates` is called twice."""
    assert_resumes_to_the_same_bytes(
        partial(model, images), lambda net: [layer.W for layer in net.layers], updates, epochs=5)


def test_a_state_of_other_layers_is_refused(images):
    other = replace(SMALL, layers=[LAYER, replace(LAYER, units=7)])
    with pytest.raises(ValueError, match="other layers"):
        model(images).restore(model(images, other).state())


def test_the_gap_of_an_epoch_is_the_mean_of_every_tenth_minibatchs(monkeypatch):
    gaps = iter([3.0] + [0.0] * 9 + [5.0] + [0.0] * 9 + [7.0])
    watched = []

    def known(rbm, velocity, v, chains, settings, stream, seen):
        watched.append(seen)
        return torch.tensor(next(gaps)), chains

    monkeypatch.setattr("gan.baselines.dbn.update", known)
    net = model(torch.rand(206, 6, generator=stream()), replace(SMALL, batch_size=10))
    assert net.fit_epoch()["free_energy_gap"] == pytest.approx((3 * 10 + 5 * 10 + 7 * 6) / 26)
    assert [i for i, seen in enumerate(watched) if seen] == [0, 10, 20]


def test_a_free_energy_that_is_no_number_stops_training(images):
    net = model(images)
    net.layers[0].W.fill_(math.nan)
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        net.fit_epoch()


@pytest.mark.parametrize(("block", "key", "value"), [
    (LAYER, "units", 0), (LAYER, "gibbs_steps", 0), (LAYER, "learning_rate", 0.0), (LAYER, "learning_rate", math.inf),
    (LAYER, "momentum", 1.0), (LAYER, "weight_decay", -1.0), (LAYER, "epochs", 0), (SMALL, "layers", []),
    (SMALL, "batch_size", 0), (SMALL, "burn_in", 0), (SMALL, "starts", 0)])
def test_settings_out_of_range_are_refused(block, key, value):
    with pytest.raises(ValueError, match=key):
        replace(block, **{key: value})
