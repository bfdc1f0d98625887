"""Stacked contractive autoencoder: the penalty and its gradient against autograd's Jacobian, the chain's noise."""

import math
from dataclasses import replace
from functools import partial

import pytest
import scipy.stats
import torch
from resuming import assert_resumes_to_the_same_bytes
from torch.func import jacrev, vmap
from torch.nn.functional import binary_cross_entropy

from gan.baselines.activations import cross_entropy_, softplus_
from gan.baselines.settings import ContractiveLayer, StackedCAE
from gan.baselines.stacked_cae import Autoencoder, StackedCAEModel, encode, update
from gan.errors import TrainingDiverged

CPU = torch.device("cpu")
LAYER = ContractiveLayer(units=5, contraction=0.1, learning_rate=0.05, epochs=2)
SMALL = StackedCAE("stacked_cae", layers=[LAYER, replace(LAYER, units=4, epochs=3)], batch_size=20, noise=0.7,
                   burn_in=3, starts=4)
ONE = replace(SMALL, layers=[LAYER])


def model(images, settings=SMALL, seed=1):
    return StackedCAEModel(settings, images, seed, CPU)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def autoencoder(d=6, units=5):
    return Autoencoder(torch.empty(d, units).normal_(0, 0.8, generator=stream(1)),
                       torch.empty(units).normal_(0, 0.5, generator=stream(2)),
                       torch.empty(d).normal_(0, 0.5, generator=stream(3)))


def jacobians(layer, x):
    """∂h/∂x by autograd: [n, units, d]"""
    return vmap(jacrev(lambda one: (one @ layer.W + layer.b).sigmoid()))(x)


# --- training ---


@pytest.mark.parametrize("contraction", [0.0, 0.1, 3.0])
def test_an_update_descends_cross_entropy_and_autograds_jacobian(images, contraction):
    layer, x, rate = autoencoder(), images[:10], 0.3
    free = Autoencoder(*(t.clone().requires_grad_() for t in (layer.W, layer.b, layer.c)))
    h = (x @ free.W + free.b).sigmoid()
    cross_entropy = binary_cross_entropy((h @ free.W.t() + free.c).sigmoid(), x, reduction="sum") / 10
    norm = jacobians(free, x).square().sum((1, 2)).mean()
    (cross_entropy + contraction * norm).backward()
    expected = [t.detach() - rate * t.grad for t in (free.W, free.b, free.c)]

    losses = update(layer, x, contraction, rate)
    assert float(losses.cross_entropy) == pytest.approx(cross_entropy.item(), rel=1e-5)
    assert float(losses.contraction) == pytest.approx(norm.item(), rel=1e-5)
    for mine, theirs in zip((layer.W, layer.b, layer.c), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_layers_are_trained_one_after_another_each_on_the_codes_below(images):
    net = model(images)
    assert net.epochs == 5
    rows, looked = [], []
    for _ in range(2):
        rows.append(net.fit_epoch())
        looked.append(net.can_be_scored)
    below = [t.clone() for t in vars(net.layers[0]).values()]
    twin = Autoencoder(*(t.clone() for t in vars(net.layers[1]).values()))
    order = torch.Generator()
    order.set_state(net.state()["minibatches.stream"])
    codes = encode(net.layers[:1], images)
    for rows_of_batch in torch.randperm(50, generator=order).split(20):
        update(twin, codes[rows_of_batch], 0.1, 0.05)
    for _ in range(3):
        rows.append(net.fit_epoch())
        looked.append(net.can_be_scored)
        if len(rows) == 3:
            for mine, theirs in zip(vars(net.layers[1]).values(), vars(twin).values(), strict=True):
                torch.testing.assert_close(mine, theirs)
    assert [row["layer"] for row in rows] == ["layer 1"] * 2 + ["layer 2"] * 3
    assert looked == [False, False, True, True, True]
    assert all(map(torch.equal, below, vars(net.layers[0]).values()))


def test_a_stronger_penalty_contracts_more(images):
    norms = []
    for contraction in (0.0, 1.0):
        layer = replace(LAYER, contraction=contraction, epochs=30)
        net = model(images, replace(ONE, layers=[layer]))
        norms.append([net.fit_epoch() for _ in range(30)][-1]["squared_jacobian_norm"])
    assert norms[1] < 0.5 * norms[0]


# --- the chain ---


def test_the_noise_goes_along_j_jt():
    layer, x = autoencoder(), torch.rand(8, 6, generator=stream(4))
    epsilon = torch.randn(8, 5, generator=stream(5))
    J = jacobians(layer, x)
    torch.testing.assert_close(layer.along_the_code(layer.encode(x), epsilon),
                               (J @ J.mT @ epsilon.unsqueeze(2)).squeeze(2), rtol=1e-5, atol=1e-6)


def test_a_step_has_the_exact_conditional_distribution():
    """Codes behind the next x are N(h, σ²·(JJᵀ)²): whitened, each is standard normal, and χ² in sum."""
    layer, x, sigma = autoencoder(), torch.rand(1, 6, generator=stream(4)), 0.7
    h = layer.encode(x)
    after = layer.step(x.expand(20_000, -1), sigma, stream(6)).double()
    codes = torch.linalg.lstsq(layer.W.double(), (after.logit() - layer.c.double()).t()).solution.t()
    J = jacobians(layer, x)[0].double()
    white = torch.linalg.solve(sigma * J @ J.t(), (codes - h.double()).t()).t()
    counts = torch.histc(torch.distributions.Normal(0.0, 1.0).cdf(white[:, 0]), 20, 0, 1)
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 0.01
    squares = torch.histc(torch.tensor(scipy.stats.chi2(5).cdf(white.square().sum(1).numpy())), 20, 0, 1)
    assert scipy.stats.chisquare(squares.numpy()).pvalue > 0.01


def test_the_chain_runs_in_the_codes_below_and_is_read_in_pixels(images):
    net = model(images, replace(SMALL, noise=0.0))
    for _ in range(5):
        net.fit_epoch()
    bottom, top = net.layers
    start = net.weights("raw")["starts"]
    assert len(start) == 1
    assert (images == start).all(1).any()
    u, expected = bottom.encode(start), []
    for _ in range(3):
        u = top.decode(top.encode(u))
        expected.append(bottom.decode(u))
    torch.testing.assert_close(net.sample(net.weights("raw"), 3, stream()), torch.cat(expected))

    parallel = net.weights("parallel")
    u = bottom.encode(parallel["starts"])
    for _ in range(SMALL.burn_in):
        u = top.decode(top.encode(u))
    samples = net.sample(parallel, 6, stream())  # of 4 start images, two begin a second chain
    torch.testing.assert_close(samples, bottom.decode(u)[[0, 1, 2, 3, 0, 1]])


@pytest.mark.parametrize("settings", [ONE, SMALL])
@pytest.mark.parametrize("variant", ["raw", "parallel"])
def test_samples_depend_on_weights_and_stream_alone(images, settings, variant):
    net = model(images, settings)
    net.fit_epoch()
    kept = {name: tensor.clone() for name, tensor in net.weights(variant).items()}
    samples = net.sample(kept, 9, stream(3))
    assert samples.shape == (9, 6)
    assert 0 <= float(samples.min()) <= float(samples.max()) <= 1
    net.fit_epoch()
    assert torch.equal(model(images, settings, seed=9).sample(kept, 9, stream(3)), samples)
    assert not torch.equal(net.sample(kept, 9, stream(4)), samples)


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


def test_a_loss_that_is_no_number_stops_training(images):
    net = model(images)
    net.layers[0].W.fill_(math.nan)
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        net.fit_epoch()


@pytest.mark.parametrize(("block", "key", "value"), [
    (LAYER, "units", 0), (LAYER, "contraction", -0.1), (LAYER, "contraction", math.inf), (LAYER, "learning_rate", 0.0),
    (LAYER, "epochs", 0), (SMALL, "layers", []), (SMALL, "batch_size", 0), (SMALL, "noise", -1.0),
    (SMALL, "noise", math.inf), (SMALL, "burn_in", 0), (SMALL, "starts", 0)])
def test_settings_out_of_range_are_refused(block, key, value):
    with pytest.raises(ValueError, match=key):
        replace(block, **{key: value})


# --- the losses' functions ---


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_is_torchs(dtype):
    x = torch.cat((torch.linspace(-40, 40, 4001), torch.tensor([-1e4, 0.0, 1e4]))).to(dtype)
    expected = torch.nn.functional.softplus(x.double()).to(dtype)
    torch.testing.assert_close(softplus_(x, x.sigmoid()), expected, rtol=2e-7, atol=1e-7)


def test_cross_entropy_is_torchs():
    x, logits = torch.rand(50, 7, generator=stream(1)), 9 * torch.randn(50, 7, generator=stream(2))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), x.double(), reduction="sum")
    assert float(cross_entropy_(x, logits, logits.sigmoid())) == pytest.approx(float(expected), rel=1e-6)
