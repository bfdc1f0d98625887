"""Deep GSN: loss and gradients against a hand-written unrolled one, the chain against exact distributions."""

import itertools
import math
from dataclasses import replace
from functools import partial

import pytest
import scipy.stats
import torch
from resuming import assert_resumes_to_the_same_bytes
from torch.nn.functional import binary_cross_entropy

from gan.baselines.chains import bernoulli, salt_and_pepper
from gan.baselines.deep_gsn import Chain, DeepGSNModel, walkback
from gan.baselines.settings import DeepGSN
from gan.errors import TrainingDiverged
from gan.linear_algebra import random_stream

CPU = torch.device("cpu")
SMALL = DeepGSN("deep_gsn", layers=[7, 5], noise=0.6, corruption=0.4, walkback=4, batch_size=20, epochs=3,
                learning_rate=0.25, learning_rate_decay=0.9, momentum=0.5, burn_in=3, starts=4)


def model(images, seed=1, **changes):
    return DeepGSNModel(replace(SMALL, **changes), images, seed, CPU)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def unrolled_loss(x, weights, biases, settings, random):
    """The walkback loss, layer by layer as the paper tells it. `weights[i]` are [layer i, layer i + 1] units.

    Bernoulli and salt and pepper are one draw, as in the model; another test shows that it is the same as two.
    """
    c, last = settings.corruption, len(weights)
    h = [salt_and_pepper(x, c, random)]
    h += [torch.zeros(len(x), w.shape[1]) for w in weights]
    loss = 0.0

    def update(i):
        total = biases[i].expand(len(x), -1)
        if i > 0:
            total = total + h[i - 1] @ weights[i - 1]
        if i < last:
            total = total + h[i + 1] @ weights[i].t()
        if i == 0:
            return total.sigmoid()
        sigma = settings.noise if i > 1 else 0.0
        if not sigma:
            return total.tanh()
        tanh = (total + sigma * torch.empty_like(total).normal_(generator=random)).tanh()
        return tanh + sigma * torch.empty_like(total).normal_(generator=random)

    for step in range(settings.walkback):
        for i in range(1, last + 1, 2):
            h[i] = update(i)
        p = update(0)
        loss = loss + binary_cross_entropy(p, x)
        if step < settings.walkback - 1:
            drawn = bernoulli(p.detach() * (1 - c) + c / 2, random)
            evens = {i: update(i) for i in range(2, last + 1, 2)}
            h[0] = drawn
            for i, state in evens.items():
                h[i] = state
    return loss


@pytest.mark.parametrize("layers", [[7], [7, 5], [7, 5, 6], [7, 5, 6, 4]])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_walkback_loss_and_gradients_are_those_of_the_unrolled_chain(images, layers, steps):
    """Against autograd, in float32; the hidden noise is carried through, the drawn image is not."""
    net = model(images, layers=layers, walkback=steps)
    for bias in net.chain.biases:
        bias.normal_(0, 0.3, generator=stream(2))
    x = images[:10]
    chain = Chain(net.settings, net.chain.weights, net.chain.biases, stream(5))
    loss, gradients = walkback(chain, x)

    upwards = [w if i % 2 == 0 else w.t() for i, w in enumerate(net.chain.weights)]
    upwards = [w.clone().requires_grad_() for w in upwards]
    biases = [b.clone().requires_grad_() for b in net.chain.biases]
    expected = unrolled_loss(x, upwards, biases, net.settings, stream(5))
    expected.backward()
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in (*upwards, *biases)]
    reference = [g.t() if i % 2 and i < len(layers) else g for i, g in enumerate(grads)]
    for mine, theirs in zip(gradients, reference, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_an_update_is_damped_momentum(images):
    """v ← m·v + (1 − m)·g, θ ← θ − lr·v, with the rate of the epoch."""
    net = model(images, batch_size=50)
    parameters = [p.clone() for p in net.parameters]
    velocities = [torch.zeros_like(p) for p in parameters]
    for epoch in range(2):
        twin = Chain(net.settings, parameters[:2], parameters[2:], stream())
        twin.stream.set_state(net.chain.stream.get_state())
        order = torch.Generator()
        order.set_state(net.state()["minibatches.stream"])
        _, gradients = walkback(twin, images[torch.randperm(50, generator=order)])
        velocities = [0.5 * v + 0.5 * g for v, g in zip(velocities, gradients, strict=True)]
        rate = 0.25 * 0.9**epoch
        parameters = [p - rate * v for p, v in zip(parameters, velocities, strict=True)]
        assert net.fit_epoch()["learning_rate"] == pytest.approx(rate)
        for mine, expected in zip(net.parameters, parameters, strict=True):
            torch.testing.assert_close(mine, expected)


def test_without_momentum_an_update_is_gradient_descent(images):
    net = model(images, batch_size=50, momentum=0.0)
    before = [p.clone() for p in net.parameters]
    net.fit_epoch()
    for old, new, gradient in zip(before, net.parameters, net.velocities, strict=True):
        torch.testing.assert_close(new, old - 0.25 * gradient)


def test_the_loss_falls(images):
    net = model(images.round(), noise=0.1, epochs=30)
    losses = [net.fit_epoch()["cross_entropy"] for _ in range(30)]
    assert losses[-1] < 0.9 * losses[0]


# --- corruption and noise ---


def test_salt_and_pepper_replaces_pixels_by_fair_coins():
    grey = torch.full((200, 500), 0.3)
    chain = Chain(SMALL, [], [], stream(1))
    corrupted = chain.salt_and_pepper(grey)
    counts = [int((corrupted == value).sum()) for value in (0.0, 1.0, grey[0, 0])]
    assert sum(counts) == grey.numel()
    assert scipy.stats.chisquare(counts, [20_000, 20_000, 60_000]).pvalue > 0.01


def test_the_visible_draw_is_bernoulli_then_salt_and_pepper():
    chain = Chain(SMALL, [], [], stream(2))
    p = torch.full((200, 500), 0.7)
    ones = int(chain.sample_visible(p).sum())
    expected = 100_000 * (0.6 * 0.7 + 0.4 * 0.5)
    assert scipy.stats.chisquare([ones, 100_000 - ones], [expected, 100_000 - expected]).pvalue > 0.01


def test_noise_is_before_and_after_tanh_above_the_first_layer():
    """Mean 0 and variance E tanh²(σε) + σ² for an input of 0; layer 1 has none."""
    chain = Chain(SMALL, [], [], stream(3))
    _, first = chain.activate(1, torch.zeros(1000, 100))
    tanh, second = chain.activate(2, torch.zeros(1000, 100))
    assert not first.any()
    normal = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = torch.exp(-normal**2 / 2) / math.sqrt(2 * math.pi)
    before = float(torch.trapezoid((0.6 * normal).tanh()**2 * density, normal))
    assert float(tanh.var()) == pytest.approx(before, rel=0.02)
    assert float(second.var()) == pytest.approx(before + 0.36, rel=0.02)
    assert float(second.mean()) == pytest.approx(0, abs=0.01)


# --- sampling ---


def transition_matrix(net):
    """P(x̃' | x̃) [8, 8] over the corrupted images of a GSN of one hidden layer, which has no noise."""
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)), dtype=torch.float64)
    (weight,), (visible, hidden) = ([t.double() for t in part] for part in (net.chain.weights, net.chain.biases))
    p = ((states @ weight + hidden).tanh() @ weight.t() + visible).sigmoid()
    drawn = p * 0.6 + 0.2
    return states, p, torch.stack([torch.where(s > 0, drawn, 1 - drawn).prod(1) for s in states], 1)


@pytest.fixture
def tiny():
    net = model(torch.rand(6, 3, generator=stream(4)), layers=[4], burn_in=25, starts=6)
    net.chain.weights[0].mul_(2)
    for bias in net.chain.biases:
        bias.normal_(0, 0.5, generator=stream(6))
    return net


def counts_of(samples, p):
    """How many samples are each of the 8 rows of `p`: E[x | h] tells the state it came from."""
    distance = (samples.double().unsqueeze(1) - p).abs().amax(2)
    assert float(distance.min(1).values.max()) < 1e-5
    return torch.bincount(distance.argmin(1), minlength=8)


def test_parallel_chains_have_the_stationary_distribution(tiny):
    _, p, transition = transition_matrix(tiny)
    stationary = torch.linalg.matrix_power(transition, 200)[0]
    samples = tiny.sample(tiny.weights("parallel"), 20_000, stream(7))
    counts = counts_of(samples, p)
    assert scipy.stats.chisquare(counts.numpy(), (20_000 * stationary).numpy()).pvalue > 0.01


def test_one_chain_has_the_transitions_of_the_network(tiny):
    _, p, transition = transition_matrix(tiny)
    samples = tiny.sample(tiny.weights("raw"), 20_000, stream(8))
    distance = (samples.double().unsqueeze(1) - p).abs().amax(2).argmin(1)
    pairs = torch.bincount(distance[:-1] * 8 + distance[1:], minlength=64).view(8, 8).double()
    expected = transition * pairs.sum(1, keepdim=True)
    statistic = float(((pairs - expected)**2 / expected).sum())
    assert scipy.stats.chi2(8 * 7).sf(statistic) > 0.01


def test_the_one_chain_begins_after_a_training_image(images):
    net = model(images, corruption=0.0, noise=0.0)
    start = net.weights("raw")["starts"]
    assert len(start) == 1
    assert (images == start).all(1).any()
    first = net.sample(net.weights("raw"), 1, stream())
    x = bernoulli(start, stream())
    weight, visible, hidden = net.chain.weights[0], *net.chain.biases[:2]
    torch.testing.assert_close(first, ((x @ weight + hidden).tanh() @ weight.t() + visible).sigmoid())


@pytest.mark.parametrize("variant", ["raw", "parallel"])
def test_samples_depend_on_weights_and_stream_alone(images, variant):
    net = model(images)
    net.fit_epoch()
    kept = {name: tensor.clone() for name, tensor in net.weights(variant).items()}
    samples = net.sample(kept, 9, stream(3))
    assert samples.shape == (9, 6)
    assert 0 <= float(samples.min()) <= float(samples.max()) <= 1
    net.fit_epoch()
    assert torch.equal(model(images, seed=9).sample(kept, 9, stream(3)), samples)
    assert not torch.equal(net.sample(kept, 9, stream(4)), samples)


# --- resuming from a saved state ---


@pytest.mark.parametrize("updates", [1, 2, 4, 5])
@pytest.mark.parametrize("layers", [[7], [7, 5, 6]])
def test_training_goes_on_from_any_update_to_the_same_bytes(images, updates, layers):
    """50 images in minibatches of 20: an epoch has three updates, and `between_updates` is called twice."""
    assert_resumes_to_the_same_bytes(
        partial(model, images, layers=layers), lambda net: net.parameters[:1], updates, epochs=3)


def test_a_state_of_another_network_is_refused(images):
    with pytest.raises(ValueError, match="another network"):
        model(images).restore(model(images, layers=[7, 6]).state())


def test_a_loss_that_is_no_number_stops_training(images):
    net = model(images)
    net.parameters[0].fill_(math.nan)
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        net.fit_epoch()


@pytest.mark.parametrize(("key", "value"), [
    ("layers", []), ("layers", [0]), ("noise", -1.0), ("noise", math.inf), ("corruption", 1.1), ("corruption", -0.1),
    ("walkback", 0), ("batch_size", 0), ("epochs", 0), ("burn_in", 0), ("starts", 0), ("learning_rate", 0.0),
    ("learning_rate_decay", 1.1), ("learning_rate_decay", 0.0), ("momentum", 1.0), ("momentum", -0.1)])
def test_settings_out_of_range_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        replace(SMALL, **{key: value})


def test_different_seeds_start_from_different_weights(images):
    a, b = (random_stream(seed, "x").initial_seed() for seed in (1, 2))
    assert a != b
    assert not torch.equal(model(images, seed=1).parameters[0], model(images, seed=2).parameters[0])
