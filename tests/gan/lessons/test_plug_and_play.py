"""The chain of a plug and play model where closed forms say what it must do, and its parts."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.lessons import plug_and_play
from gan.lessons.batched import Mlp, Noise
from gan.lessons.digits import Digits
from gan.lessons.parts.plug_and_play_chain import (
    Codes,
    Decoders,
    Rates,
    Trained,
    chain,
    class_slope,
    train_classifier,
    train_denoiser,
)
from gan.lessons.settings import PlugAndPlay
from pipeline.runtime.progress import Progress


def quiet(n):
    """Nobody looks at the progress."""


def nothing(h):
    raise AssertionError("asked for what has no weight")


def gaussian_denoiser(mean, deviation, corruption):
    """E[h | h + σN] of h ~ N(mean, deviation²)."""
    kept = deviation ** 2 / (deviation ** 2 + corruption ** 2)
    return lambda h: mean + kept * (h - mean)


# The chain.

@settings(max_examples=25, deadline=None)
@given(prior=st.floats(0.1, 1.0), corruption=st.floats(0.2, 1.5), deviation=st.floats(0.3, 2.0),
       mean=st.floats(-3, 3), noise=st.floats(0.01, 2.0), push=st.floats(-1, 1), condition=st.floats(0.01, 2.0))
def test_the_stationary_law_of_a_gaussian_is_that_of_its_step_size(prior, corruption, deviation, mean, noise, push,
                                                                   condition):
    """h ← a·h + const + ε₃·N with a = 1 − ε₁σ²/(s² + σ²): variance ε₃²/(1 − a²), mean moved by ε₂·g/(1 − a)."""
    back = prior * corruption ** 2 / (deviation ** 2 + corruption ** 2)
    variance = noise ** 2 / (1 - (1 - back) ** 2)
    centre = mean + condition * push / back
    n = 20_000
    start = centre + math.sqrt(variance) * Noise([1], "start").normal(n, 1).double()  # the law that must not change
    h = chain(start, Rates(prior, condition, noise), gaussian_denoiser(mean, deviation, corruption),
              lambda h: torch.full_like(h, push), Noise([1], "chain"), 5, quiet)
    assert float(h.mean()) == pytest.approx(centre, abs=5 * math.sqrt(variance / n))
    assert float(h.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / n))


def test_a_chain_forgets_where_it_started():
    rates = Rates(0.5, 0.0, 0.4)
    start = torch.stack((torch.full((4000, 1), -30.0), torch.full((4000, 1), 30.0))).double()
    h = chain(start, rates, gaussian_denoiser(1.0, 1.0, 1.0), nothing, Noise([1, 2], "chain"), 100, quiet)
    variance = 0.4 ** 2 / (1 - 0.75 ** 2)
    assert h.mean((1, 2)).tolist() == pytest.approx([1.0, 1.0], abs=5 * math.sqrt(variance / 4000))
    assert h.var((1, 2)).tolist() == pytest.approx([variance, variance], rel=0.12)


@settings(max_examples=25, deadline=None)
@given(prior=st.floats(0.05, 0.2), corruption=st.floats(0.5, 1.0), deviation=st.floats(0.5, 1.5),
       weight=st.floats(0.0, 2.0))
def test_langevin_steps_have_the_blurred_density_times_the_condition(prior, corruption, deviation, weight):
    """With log p(y | h) = −h²/2, the density p_σ(h)·p(y | h)^w is Gaussian, of precision 1/(s² + σ²) + w.

    Steps of size η have 1/(1 − η·precision/4) of its variance, which is 1 for small ones.
    """
    rates = Rates.langevin(prior, corruption, weight)
    precision = 1 / (deviation ** 2 + corruption ** 2) + weight
    n, eta = 10_000, 2 * prior * corruption ** 2
    h = chain(torch.zeros(1, n, 1).double(), rates, gaussian_denoiser(0.0, deviation, corruption), lambda h: -h,
              Noise([1], "chain"), 400, quiet)
    assert float(h.var()) == pytest.approx(1 / (precision * (1 - eta * precision / 4)),
                                           rel=5 * math.sqrt(2 / n) + math.exp(-400 * eta * precision))


def test_each_ingredient_can_be_left_out():
    start = torch.tensor([[[1.0], [-2.0]]])
    asked = {"h": start, "noise": Noise([1], "chain"), "steps": 1, "advance": quiet}
    assert torch.equal(chain(rates=Rates(0, 0, 0), denoise=nothing, slope=nothing, **asked), start)
    assert torch.equal(chain(rates=Rates(0.5, 0, 0), denoise=torch.zeros_like, slope=nothing, **asked), start / 2)
    assert torch.equal(chain(rates=Rates(0, 2, 0), denoise=nothing, slope=torch.ones_like, **asked), start + 2)
    drawn = chain(rates=Rates(0, 0, 3), denoise=nothing, slope=nothing, **asked)
    torch.testing.assert_close(drawn, start + 3 * Noise([1], "chain").normal(2, 1))


# The denoiser.

def test_the_denoiser_learns_the_slope_of_the_log_density():
    """R(h) − h = σ²·∇ log p_σ(h), for a Gaussian −σ²·(h − m)/(s² + σ²) (Alain and Bengio 2014; Miyasawa 1961)."""
    corruption, deviations, means = 0.5, torch.tensor([0.7, 1.5]), torch.tensor([1.0, -0.5])
    codes = means + deviations * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1))
    denoiser = train_denoiser(codes, [1, 2], 32, corruption, 256, 600, 0.005, quiet)
    at = means + deviations * torch.randn(2, 500, 2, generator=torch.Generator().manual_seed(2))
    expected = -corruption ** 2 * (at - means) / (deviations ** 2 + corruption ** 2)
    error = (denoiser(at) - at - expected).square().mean().sqrt() / expected.square().mean().sqrt()
    assert float(error) < 0.15


def test_the_denoiser_goes_to_the_nearer_of_two_clusters():
    """For two narrow Gaussians at ±1 the slope is that of log(N(h; 1, s² + σ²) + N(h; −1, s² + σ²))."""
    stream, corruption, width = torch.Generator().manual_seed(1), 0.4, 0.1
    codes = (torch.randint(2, (20_000, 1), generator=stream) * 2.0 - 1) + width * torch.randn(20_000, 1,
                                                                                              generator=stream)
    denoiser = train_denoiser(codes, [1], 32, corruption, 256, 1000, 0.005, quiet)
    at = torch.linspace(-1.4, 1.4, 29).view(1, -1, 1)
    variance = width ** 2 + corruption ** 2
    expected = corruption ** 2 * (torch.tanh(at / variance) - at) / variance
    assert float((denoiser(at) - at - expected).abs().max()) < 0.15


# Codes, classifier, decoders.

def test_codes_are_white_and_their_own_inverse_on_their_plane():
    stream = torch.Generator().manual_seed(1)
    images = torch.randn(500, 6, generator=stream) @ torch.randn(6, 20, generator=stream) + 3
    codes = Codes.fit(images, 6)
    h = codes(images)
    torch.testing.assert_close(h.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(h.T), torch.eye(6), atol=1e-3, rtol=0)
    again = torch.linalg.lstsq(torch.cat((h, torch.ones(500, 1)), 1), images).solution
    torch.testing.assert_close(torch.cat((h, torch.ones(500, 1)), 1) @ again, images, atol=1e-2, rtol=0)


@pytest.mark.parametrize("d", [7, 21])
def test_more_codes_than_directions_are_refused(d):
    stream = torch.Generator().manual_seed(1)
    flat = torch.randn(500, 6, generator=stream) @ torch.randn(6, 20, generator=stream)
    with pytest.raises(ValueError, match=f"at least {d} directions were expected; found 6"):
        Codes.fit(flat, d)


def test_the_slope_of_a_class_agrees_with_finite_differences():
    decoder = Trained(Mlp((3, 5, 8), "tanh"), Mlp((3, 5, 8), "tanh").initial([1, 2], "decoder").double())
    classifier = Trained(Mlp((8, 6, 10), "tanh"), Mlp((8, 6, 10), "tanh").initial([1, 2], "classifier").double())
    asked, h = torch.tensor([4, 0, 9]), torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1)).double()

    def log_p(h):
        return classifier(decoder(h).sigmoid()).log_softmax(2)[:, torch.arange(3), asked].sum()

    slope = class_slope(decoder, classifier, asked)(h)
    for place in ((0, 0, 0), (1, 1, 2), (0, 2, 1)):
        shift = torch.zeros_like(h)
        shift[place] = 1e-5
        assert float(slope[place]) == pytest.approx(float(log_p(h + shift) - log_p(h - shift)) / 2e-5, abs=1e-8)


def labelled(n=600):
    """Images whose brighter part tells the label, in a plane of 3 directions."""
    stream = torch.Generator().manual_seed(1)
    labels = torch.randint(10, (n,), generator=stream)
    shapes = torch.rand(10, 12, generator=stream)
    return (shapes[labels] + 0.05 * torch.randn(n, 12, generator=stream)).clamp(0, 1), labels


def test_the_classifier_learns_the_labels():
    images, labels = labelled()
    classifier = train_classifier(images, labels, [1, 2], 32, 64, 200, 0.01, quiet)
    found = classifier(images.expand(2, -1, -1)).argmax(2)
    assert float((found == labels).double().mean(1).min()) > 0.95


@pytest.mark.parametrize(("adversary", "features"), [(True, True), (False, True), (True, False), (False, False)])
def test_every_decoder_learns_to_restore_images(adversary, features):
    images, labels = labelled()
    codes = Codes.fit(images, 9)(images)
    classifier = train_classifier(images, labels, [1, 2], 16, 64, 50, 0.01, quiet)
    game = Decoders(images, codes, classifier, [1, 2], 32, 64, 0.005, 0.001)
    restored = game.train(adversary, features, 200, quiet)(codes.expand(2, -1, -1)).sigmoid()
    error = (restored - images).square().mean((1, 2)) / images.var(0).mean()
    assert float(error.max()) < 0.3  # 1 for the mean image
    blind = game.train(adversary, features, 1, quiet)(codes.expand(2, -1, -1)).sigmoid()
    assert float(((blind - images).square().mean((1, 2)) / images.var(0).mean()).min()) > 0.7


def test_a_decoder_does_not_depend_on_which_others_are_trained():
    images, labels = labelled()
    codes = Codes.fit(images, 9)(images)

    def trained(seeds):
        classifier = train_classifier(images, labels, seeds, 16, 64, 5, 0.01, quiet)
        return Decoders(images, codes, classifier, seeds, 16, 32, 0.005, 0.001).train(True, True, 5, quiet).theta

    torch.testing.assert_close(trained([1, 2])[1:], trained([2]), atol=1e-5, rtol=1e-3)


# The whole lesson.

SHORT = PlugAndPlay(seeds=[1, 2], codes=4, units=8, batch=16, classifier_steps=3, steps=3, denoiser_units=8,
                    denoiser_steps=3, chains=3, moves=2, later=2, walk=5, looks=2, cells=10)


class ByBrightness:
    """A judge that takes the brightness of an image for its class."""

    accuracy = 0.5

    def __call__(self, images):
        return torch.nn.functional.one_hot((images.mean(1) * 10).long().clamp(max=9), 10).float()


@pytest.fixture(scope="module")
def digits():
    stream = torch.Generator().manual_seed(1)
    scale = torch.linspace(0, 1, 200)[:, None]
    train, test = (scale[torch.randperm(200, generator=stream)] * torch.rand(200, 784, generator=stream)
                   for _ in range(2))
    return Digits(train, test, ByBrightness(), torch.arange(200) % 10)


@pytest.fixture(scope="module")
def outcome(digits):
    return plug_and_play.run(SHORT, Progress, digits)


def test_a_run_gives_the_same_twice(digits, outcome):
    again = plug_and_play.run(SHORT, Progress, digits)
    assert again.tables == outcome.tables
    assert again.criteria == outcome.criteria
    assert all(torch.equal(image, outcome.images[name]) for name, image in again.images.items())


def test_each_variant_is_judged_by_class_and_the_walk_asks_for_each_in_turn(outcome):
    variants, classes = outcome.tables["variants"], outcome.tables["classes"]
    assert variants["variant"] == [name for name in plug_and_play.VARIANTS for _ in SHORT.seeds]
    for name in plug_and_play.VARIANTS:
        for seed in SHORT.seeds:
            shares = [classes["asked_for"][i] for i, row in enumerate(zip(classes["variant"], classes["seed"],
                                                                         strict=True)) if row == (name, seed)]
            drawn = [classes["drawn"][i] for i, row in enumerate(zip(classes["variant"], classes["seed"],
                                                                    strict=True)) if row == (name, seed)]
            place = list(zip(variants["variant"], variants["seed"], strict=True)).index((name, seed))
            assert sum(shares) / 10 == pytest.approx(variants["asked_for"][place])
            assert sum(drawn) == pytest.approx(1)
        assert outcome.images[name].shape == (10 * len(SHORT.seeds), 784)
    assert outcome.images["walk, seed 2"].shape == (10 * SHORT.looks, 784)


def test_chains_without_noise_and_slopes_stand_still(digits):
    """Weights so small that neither the denoiser nor the classifier moves anything."""
    still = plug_and_play.run(dataclasses.replace(SHORT, prior=1e-12, condition=1e-12), Progress, digits)
    rows = dict(zip(still.tables["variants"]["variant"], still.tables["variants"]["moved"], strict=True))
    assert rows["neither"] == pytest.approx(0, abs=1e-4)
    assert rows["no noise"] == pytest.approx(0, abs=1e-4)


def test_grey_is_between_ink_and_paper():
    assert plug_and_play.grey(torch.tensor([[0.0, 0.1, 0.2, 0.21], [0.5, 0.79, 0.8, 1.0]])) == pytest.approx(3 / 8)


@pytest.mark.parametrize(("labels", "found"), [(None, "none"), (torch.zeros(7).long(), "7")])
def test_digits_without_a_label_each_are_refused(digits, labels, found):
    with pytest.raises(ValueError, match=f"a label for each of 200 training images, found {found}"):
        plug_and_play.run(SHORT, Progress, dataclasses.replace(digits, labels=labels))
