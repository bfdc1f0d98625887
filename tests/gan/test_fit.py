"""Models behind their one interface, and the choice of an epoch on validation images."""

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.adversarial.model import AdversarialNetsModel
from gan.adversarial.networks import draw_noise
from gan.adversarial.settings import (
    AdversarialNets,
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    MaxoutLayer,
    Pretraining,
)
from gan.baselines.settings import KMeans, TrainingImages
from gan.evaluation import parzen
from gan.evaluation.settings import Monitor
from gan.fit import Fit
from gan.linear_algebra import random_stream
from gan.registry import create

GRID = parzen.Grid(0.1, 1.0, 5)
VALIDATION = torch.zeros(8, 2)


def monitor(every=1, patience=100, samples=3, images=8):
    return Monitor(every, patience, samples, images, GRID)


class Scripted:
    """A model whose samples lie at a scripted distance from the validation images in each epoch: the less, the better.

    `raw` and `ema` have distances of their own; nothing else about it changes.
    """

    variants = ("raw", "ema")
    selects_epoch = True
    can_be_scored = True

    def __init__(self, raw, ema=None):
        self.distances = {"raw": raw, "ema": raw if ema is None else ema}
        self.epochs, self.epoch = len(raw), 0
        self.offset = {variant: torch.zeros(1) for variant in self.variants}
        self.streams = []

    def fit_epoch(self, between_updates):
        self.epoch += 1
        for variant, offset in self.offset.items():
            offset.fill_(self.distances[variant][self.epoch - 1])  # in place, as training moves weights
        return {"loss": 1.0 / self.epoch}

    def weights(self, variant):
        return {"offset": self.offset[variant]}

    def sample(self, weights, n, stream):
        self.streams.append(stream.get_state())
        return torch.full((n, 2), float(weights["offset"]))

    def state(self):
        return {"epoch": torch.tensor(self.epoch)}

    def restore(self, state):
        self.epoch = int(state["epoch"])


def score(distance):
    """By the closed form: identical samples in two dimensions."""
    squares = 2 * distance**2
    return max(-squares / (2 * sigma**2) - 2 * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in GRID.bandwidths())


distances = st.lists(st.floats(0, 3), min_size=1, max_size=12)


# --- the choice of an epoch ---


@settings(deadline=None, max_examples=50)
@given(raw=distances, data=st.data(), every=st.integers(1, 4))
def test_each_variants_best_measured_epoch_is_chosen_with_its_weights(raw, data, every):
    """Measured are every `every`-th epoch and the last; of equals the first is chosen."""
    ema = data.draw(st.lists(st.floats(0, 3), min_size=len(raw), max_size=len(raw)))
    fit = Fit(Scripted(raw, ema), VALIDATION, 1, monitor(every=every))
    rows = list(fit.run())
    measured = [e for e in range(1, len(raw) + 1) if e % every == 0 or e == len(raw)]
    for variant, scripted in (("raw", raw), ("ema", ema)):
        scores = {e: score(torch.tensor(scripted[e - 1]).item()) for e in measured}  # as float32 has it
        choice = fit.choices[variant]
        assert choice.epoch in measured
        assert choice.validation_log_likelihood == pytest.approx(max(scores.values()), abs=1e-6)
        assert choice.validation_log_likelihood == pytest.approx(scores[choice.epoch], abs=1e-6)
        assert float(choice.weights["offset"]) == pytest.approx(scripted[choice.epoch - 1], rel=1e-6)
        column = "validation_log_likelihood" + ("" if variant == "raw" else "_ema")
        assert {row["epoch"]: row[column] for row in rows if column in row} == pytest.approx(scores, abs=1e-6)
    assert [row["epoch"] for row in rows] == list(range(1, len(raw) + 1))
    assert [row["loss"] for row in rows] == [1 / e for e in range(1, len(raw) + 1)]
    assert {row["seed"] for row in rows} == {1}


def test_of_equally_good_epochs_the_first_is_chosen():
    fit = Fit(Scripted([2, 1, 1, 1]), VALIDATION, 1, monitor())
    list(fit.run())
    assert fit.choices["raw"].epoch == 2


def test_chosen_weights_do_not_move_when_training_goes_on():
    fit = Fit(Scripted([1, 2, 3]), VALIDATION, 1, monitor())
    run = fit.run()
    next(run)
    assert float(fit.choices["raw"].weights["offset"]) == 1
    list(run)
    assert fit.choices["raw"].epoch == 1
    assert float(fit.choices["raw"].weights["offset"]) == 1


def test_patience_ends_a_fit_that_no_longer_gets_better():
    fit = Fit(Scripted([3, 1, 2, 2, 2, 2, 2, 0]), VALIDATION, 1, monitor(patience=4))
    assert [row["epoch"] for row in fit.run()] == [1, 2, 3, 4, 5, 6]
    assert fit.choices["raw"].epoch == 2
    assert list(fit.run()) == []


def test_patience_begins_anew_with_a_better_epoch():
    fit = Fit(Scripted([3, 2, 2, 1, 2, 2, 2, 2]), VALIDATION, 1, monitor(patience=3))
    assert len(list(fit.run())) == 7


def test_patience_waits_for_the_variant_that_still_gets_better():
    fit = Fit(Scripted([1, 2, 2, 2, 2, 2], ema=[3, 2.5, 2, 1.5, 1, 0.5]), VALIDATION, 1, monitor(patience=2))
    assert len(list(fit.run())) == 6
    assert {variant: choice.epoch for variant, choice in fit.choices.items()} == {"raw": 1, "ema": 6}


def test_variants_and_epochs_are_scored_with_the_same_noise_and_published_samples_with_other():
    model = Scripted([1, 2, 3])
    list(Fit(model, VALIDATION, 7, monitor()).run())
    assert len(model.streams) == 6
    for state in model.streams:
        assert torch.equal(state, random_stream(7, "validation samples").get_state())
        assert not torch.equal(state, random_stream(7, "samples").get_state())


def test_another_seed_is_scored_with_other_noise():
    streams = []
    for seed in (1, 2):
        model = Scripted([1])
        list(Fit(model, VALIDATION, seed, monitor()).run())
        streams.append(model.streams[0])
    assert not torch.equal(*streams)


def test_only_the_asked_validation_images_are_looked_at():
    """What lies behind them, test images for one, may be anything: NaN would be refused if it were read."""
    beyond = torch.cat([VALIDATION, torch.full((5, 2), math.nan)])
    plain, fit = (Fit(Scripted([2, 1, 3]), images, 1, monitor()) for images in (VALIDATION, beyond))
    assert list(plain.run()) == list(fit.run())
    assert plain.choices == fit.choices


# --- adversarial nets ---


def nets_monitor(**changes):
    return Monitor(**{"every": 2, "patience": 100, "samples": 30, "images": 20, "grid": GRID} | changes)


@pytest.fixture(scope="module")
def validation():
    return torch.rand(30, 6, generator=torch.Generator().manual_seed(8))


def assert_same_choices(choices, others):
    assert choices.keys() == others.keys()
    for variant, choice in choices.items():
        other = others[variant]
        assert (choice.epoch, choice.validation_log_likelihood) == (other.epoch, other.validation_log_likelihood)
        assert choice.weights.keys() == other.weights.keys()
        assert all(torch.equal(choice.weights[name], other.weights[name]) for name in choice.weights)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_a_fit_that_was_stopped_goes_on_with_the_same_bits(small_nets, images, validation, stop):
    """From tensors and JSON, in new objects, at, before and after an epoch that was measured."""
    settings = small_nets(updates="alternating", discriminator_steps=2)
    whole = Fit(create(settings, images, 3), validation, 3, nets_monitor())
    rows = list(whole.run())
    first = Fit(create(settings, images, 3), validation, 3, nets_monitor())
    run = first.run()
    for _ in range(stop):
        next(run)
    tensors, about = first.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    about = json.loads(json.dumps(about))
    list(run)  # what happens to the first afterwards must not matter
    second = Fit(create(settings, images, 3), validation, 3, nets_monitor())
    second.restore(tensors, about)
    assert second.rows == rows[:stop]
    assert list(second.run()) == rows[stop:]
    assert second.rows == rows
    assert_same_choices(second.choices, whole.choices)
    ends = [fit.model.state() for fit in (whole, second)]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_saved_state_does_not_grow_with_later_epochs():
    fit = Fit(Scripted([1, 2, 3]), VALIDATION, 1, monitor())
    run = fit.run()
    next(run)
    _, about = fit.state()
    list(run)
    assert len(about["rows"]) == 1


def test_going_on_does_not_forget_patience():
    first = Fit(Scripted([1, 2, 2, 2, 2, 2]), VALIDATION, 1, monitor(patience=3))
    run = first.run()
    next(run), next(run)
    second = Fit(Scripted([1, 2, 2, 2, 2, 2]), VALIDATION, 1, monitor(patience=3))
    second.restore(*first.state())
    assert [row["epoch"] for row in second.run()] == [3, 4]


def test_a_fits_rows_hold_the_statistics_of_training(small_nets, images, validation):
    fit = Fit(create(small_nets(epochs=3), images, 1), validation, 1, nets_monitor())
    rows = list(fit.run())
    for row in rows:
        assert {"seed", "epoch", "discriminator_loss", "generator_loss", "d_on_data", "d_on_samples", "learning_rate",
                "momentum"} == row.keys() - {"validation_log_likelihood", "validation_log_likelihood_ema"}
    assert ["validation_log_likelihood" in row for row in rows] == [False, True, True]


def test_an_epochs_score_is_the_best_of_the_grid_for_samples_of_that_epoch(small_nets, images, validation):
    model = create(small_nets(epochs=1), images, 4)
    row, = Fit(model, validation, 4, nets_monitor()).run()
    samples = model.sample(model.weights("raw"), 30, random_stream(4, "validation samples"))
    expected = parzen.search(validation[:20], samples, [GRID])[0].validation_log_likelihood
    assert row["validation_log_likelihood"] == expected


def test_variants_are_drawn_from_the_same_noise(small_nets, images):
    """Where the average is the weights themselves, its samples are the same."""
    model = create(small_nets(batch_size=50, average_decay=0), images, 1)
    for _ in range(10):
        model.fit_epoch()
    raw, ema = (model.sample(model.weights(variant), 5, random_stream(1, "samples")) for variant in model.variants)
    assert torch.equal(raw, ema)
    model.fit_epoch()
    raw, ema = (model.sample(model.weights(variant), 5, random_stream(1, "samples")) for variant in model.variants)
    assert not torch.equal(raw, ema)
    assert torch.allclose(raw, ema, atol=0.3)


def test_samples_come_of_their_stream_and_weights_alone(small_nets, images):
    model = create(small_nets(), images, 1)
    weights = {name: tensor.clone() for name, tensor in model.weights("raw").items()}
    first = model.sample(weights, 5, random_stream(1, "samples"))
    assert first.shape == (5, 6)
    assert bool(((first >= 0) & (first <= 1)).all())
    model.fit_epoch()
    assert torch.equal(model.sample(weights, 5, random_stream(1, "samples")), first)
    assert torch.equal(create(small_nets(), images, 2).sample(weights, 5, random_stream(1, "samples")), first)
    assert not torch.equal(model.sample(model.weights("raw"), 5, random_stream(1, "samples")), first)
    assert not torch.equal(model.sample(weights, 5, random_stream(2, "samples")), first)


def test_sampling_does_not_disturb_training(small_nets, images):
    plain, sampled = create(small_nets(), images, 1), create(small_nets(), images, 1)
    for _ in range(3):
        plain.fit_epoch(), sampled.fit_epoch()
        sampled.sample(sampled.weights("ema"), 7, random_stream(1, "samples"))
        sampled.interpolate(sampled.weights("raw"), 2, 3, random_stream(1, "interpolation"))
    one, other = plain.state(), sampled.state()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("z", [torch.zeros(3, 4), torch.zeros(3, 5)], ids=["fits", "does not fit"])
def test_transform_leaves_the_networks_own_parameters_untouched(small_nets, images, z):
    model = create(small_nets(), images, 1)
    own = list(model.training.generator.parameters)
    values = [p.clone() for p in own]
    foreign = {name: torch.zeros_like(tensor) for name, tensor in model.weights("raw").items()}
    if z.shape[1] == 4:
        assert bool((model.transform(foreign, z) == 0.5).all())  # sigmoid(0)
    else:
        with pytest.raises(RuntimeError):
            model.transform(foreign, z)
    assert all(mine is before for mine, before in zip(model.training.generator.parameters, own, strict=True))
    assert all(map(torch.equal, own, values))
    assert not any(tensor.any() for tensor in foreign.values())


def test_transform_takes_any_number_of_rows(small_nets, images):
    model = create(small_nets(), images, 1)
    z = draw_noise(model.nets.noise, 2001, random_stream(1, "z"))
    whole = model.transform(model.weights("raw"), z)
    assert whole.shape == (2001, 6)
    torch.testing.assert_close(whole[995:1005], model.transform(model.weights("raw"), z[995:1005]), rtol=0, atol=1e-6)
    assert model.transform(model.weights("raw"), z[:0]).shape == (0, 6)


def test_interpolation_begins_and_ends_at_draws_of_noise(small_nets, images):
    model = create(small_nets(), images, 1)
    weights, rows, columns = model.weights("raw"), 3, 5
    found = model.interpolate(weights, rows, columns, random_stream(1, "interpolation"))
    assert found.shape == (rows * columns, 6)
    ends = model.transform(weights, draw_noise(model.nets.noise, 2 * rows, random_stream(1, "interpolation")))
    lines = found.view(rows, columns, 6)
    torch.testing.assert_close(lines[:, 0], ends[:rows], rtol=0, atol=1e-6)
    torch.testing.assert_close(lines[:, -1], ends[rows:], rtol=0, atol=1e-6)
    assert float((lines[:, 0] - lines[:, -1]).abs().amax(1).min()) > 0.01


def test_interpolation_lies_on_straight_lines_in_z(small_nets, images):
    """A generator that is the identity shows z itself: equal steps from the first draw to the second."""
    nets = small_nets()
    nets = AdversarialNets("adversarial_nets", nets.noise, GeneratorNetwork([], GeneratorOutput("linear", 1.0, "zero")),
                           nets.discriminator, nets.recipe)
    model = create(nets, images[:, :4], 1)
    z = model.interpolate({"0": torch.eye(4), "1": torch.zeros(4)}, 3, 6, random_stream(1, "z")).view(3, 6, 4)
    steps = z.diff(dim=1)
    torch.testing.assert_close(steps, ((z[:, -1:] - z[:, :1]) / 5).expand(3, 5, 4), rtol=0, atol=1e-6)
    draws = draw_noise(nets.noise, 6, random_stream(1, "z"))
    torch.testing.assert_close(z[:, 0], draws[:3], rtol=0, atol=1e-6)
    torch.testing.assert_close(z[:, -1], draws[3:], rtol=0, atol=1e-6)


# --- pretraining ---


@pytest.fixture(scope="module")
def pretrained_nets(small_nets):
    """3 epochs of pretraining with a 4 → 9 → 8 → 6 generator, then 4 with 4 → 7 → 4 below it."""
    nets = small_nets()
    return AdversarialNets(
        "adversarial_nets", nets.noise,
        GeneratorNetwork([GeneratorLayer(7, "relu", 0.5), GeneratorLayer(4, "sigmoid", 0.5)], None),
        nets.discriminator, replace(nets.recipe, epochs=4, chosen_epoch="last"),
        Pretraining(nets.generator, nets.discriminator, replace(nets.recipe, epochs=3)))


def test_the_pretrained_generator_goes_on_below_which_new_layers_begin(pretrained_nets, images):
    model = create(pretrained_nets, images, 1)
    assert model.epochs == 7
    assert [model.fit_epoch()["game"] for _ in range(3)] == ["pretraining"] * 3
    assert [tuple(p.shape) for p in model.training.generator.parameters] == [(4, 9), (9,), (9, 8), (8,), (8, 6), (6,)]
    pretrained = [p.clone() for p in model.training.generator.parameters]
    discriminator, updates = [p.clone() for p in model.training.discriminator.parameters], model.updates
    model._games.next_game()
    assert (model.epoch, model.updates, model.training.epoch) == (3, updates, 0)
    below, above = model.training.generator.parameters[:4], model.training.generator.parameters[4:]
    assert [tuple(p.shape) for p in below] == [(4, 7), (7,), (7, 4), (4,)]
    assert all(map(torch.equal, above, pretrained))
    assert all(map(torch.equal, model.training.average, model.training.generator.parameters))
    assert not any(map(torch.equal, model.training.discriminator.parameters[::2], discriminator[::2]))
    assert [model.fit_epoch()["game"] for _ in range(4)] == ["training"] * 4
    assert (model.epoch, model.updates) == (7, 7 * updates // 3)
    assert not any(map(torch.equal, model.training.generator.parameters[4:], pretrained))  # nothing is frozen


def test_both_games_have_the_schedules_of_their_own_epochs(pretrained_nets, images):
    model = create(pretrained_nets, images, 1)
    rows = [model.fit_epoch() for _ in range(7)]
    assert [row["momentum"] for row in rows[3:6]] == [row["momentum"] for row in rows[:3]]
    assert [row["learning_rate"] for row in rows[3:6]] == [row["learning_rate"] for row in rows[:3]]


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_a_fit_with_pretraining_that_was_stopped_goes_on_with_the_same_bits(pretrained_nets, images, validation, stop):
    whole = Fit(create(pretrained_nets, images, 1), validation, 1, nets_monitor(every=2))
    list(whole.run())
    stopped = Fit(create(pretrained_nets, images, 1), validation, 1, nets_monitor(every=2))
    rows = stopped.run()
    for _ in range(stop):
        next(rows)
    tensors, about = stopped.state()
    again = Fit(create(pretrained_nets, images, 1), validation, 1, nets_monitor(every=2))
    again.restore(tensors, json.loads(json.dumps(about)))
    list(again.run())
    assert again.rows == whole.rows
    assert_same_choices(again.choices, whole.choices)


def test_pretraining_is_not_scored_and_of_training_the_last_epoch_is_taken(pretrained_nets, images, validation):
    fit = Fit(create(pretrained_nets, images, 1), validation, 1, nets_monitor(every=1, patience=1))
    rows = list(fit.run())
    assert [("validation_log_likelihood" in row, "validation_log_likelihood_ema" in row) for row in rows] == \
        [(False, False)] * 3 + [(True, True)] * 4
    assert {choice.epoch for choice in fit.choices.values()} == {7}
    assert fit.choices["raw"].validation_log_likelihood == rows[-1]["validation_log_likelihood"]


def test_an_untrained_model_draws_the_trained_ones_samples_from_its_weights(pretrained_nets, images):
    model = create(pretrained_nets, images, 1)
    for _ in range(5):
        model.fit_epoch()
    weights = {name: tensor.clone() for name, tensor in model.weights("ema").items()}
    drawn = model.sample(weights, 6, random_stream(1, "samples"))
    untrained = create(pretrained_nets, images, 2)
    before = untrained.state()
    assert torch.equal(untrained.sample(weights, 6, random_stream(1, "samples")), drawn)
    after = untrained.state()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_pretraining_and_an_output_exclude_each_other(small_nets, pretrained_nets):
    nets = small_nets()
    with pytest.raises(ValueError, match="output must be null with pretraining"):
        replace(pretrained_nets, generator=nets.generator)
    with pytest.raises(ValueError, match="output must be null with pretraining"):
        replace(nets, generator=pretrained_nets.generator)
    with pytest.raises(ValueError, match="has 4 dimensions, and must have as many units, not 5"):
        replace(pretrained_nets, generator=GeneratorNetwork([GeneratorLayer(5, "sigmoid", 0.5)], None))


# --- convolutions ---


@pytest.fixture(scope="module")
def convolutional_nets(small_nets):
    """For images of 2 × 7 × 7."""
    nets = small_nets()
    convolution = Convolution(kernel=3, padding=1, pool=3, pool_stride=2)
    return replace(
        nets, generator=GeneratorNetwork([GeneratorLayer(12, "sigmoid", 0.5)], GeneratorOutput(
            "linear", 0.5, "zero", deconvolution=Deconvolution(channels=3, size=2, kernel=4, stride=3))),
        discriminator=DiscriminatorNetwork([MaxoutLayer(3, 2, 0.5, 0.8, convolution), MaxoutLayer(5, 2, 0.5, 0.5)],
                                           DiscriminatorOutput(0.5, 0.5)))


def test_convolutional_nets_train_and_go_on_with_the_same_bits(convolutional_nets):
    train = torch.rand(50, 98, generator=torch.Generator().manual_seed(1))
    model, other = (create(convolutional_nets, train, 1, shape=(2, 7, 7)) for _ in range(2))
    first = [model.fit_epoch()["discriminator_loss"] for _ in range(4)]
    for _ in range(2):
        other.fit_epoch()
    restored = create(convolutional_nets, train, 1, shape=(2, 7, 7))
    restored.restore(other.state())
    assert [restored.fit_epoch()["discriminator_loss"] for _ in range(2)] == first[2:]
    one, two = model.state(), restored.state()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert model.sample(model.weights("raw"), 3, random_stream(1, "samples")).shape == (3, 98)


@pytest.mark.parametrize(("shape", "message"), [
    ((2, 8, 8), "deconvolution makes images of 7 × 7, but the data's are 8 × 8"),
    (None, "deconvolution makes images of 7 × 7, but the data's are 1 × 98")])
def test_convolutions_that_do_not_fit_the_images_are_refused(convolutional_nets, shape, message):
    with pytest.raises(ValueError, match=message):
        create(convolutional_nets, torch.rand(5, 128 if shape else 98), 1, shape=shape)


def test_a_deconvolution_needs_as_many_units_as_its_maps_have(convolutional_nets):
    nets = replace(convolutional_nets, generator=replace(
        convolutional_nets.generator, hidden=[GeneratorLayer(11, "sigmoid", 0.5)]))
    with pytest.raises(ValueError, match="3 maps of 2 × 2, 12 units, but the layer below has 11"):
        create(nets, torch.rand(5, 98), 1, shape=(2, 7, 7))


# --- models without a choice of epoch ---


def test_a_model_without_epochs_is_scored_once(images, validation):
    fit = Fit(create(TrainingImages("training_images"), images, 1), validation, 1, nets_monitor())
    assert list(fit.run()) == fit.rows == []
    choice = fit.choices["raw"]
    assert fit.choices.keys() == {"raw"}
    assert choice.epoch == 0
    samples = fit.model.sample(choice.weights, 30, random_stream(1, "validation samples"))
    assert choice.validation_log_likelihood == parzen.search(validation[:20], samples, [GRID])[0] \
        .validation_log_likelihood
    again = Fit(create(TrainingImages("training_images"), images, 1), validation, 1, nets_monitor())
    tensors, about = fit.state()
    again.restore(tensors, json.loads(json.dumps(about)))
    assert list(again.run()) == []
    assert_same_choices(again.choices, fit.choices)


def test_of_k_means_the_last_iteration_is_taken_and_only_it_is_scored(images, validation):
    """Patience does not stop it either."""
    settings = KMeans("kmeans", 30, 6)
    fit = Fit(create(settings, images, 1), validation, 1, nets_monitor(every=1, patience=1))
    rows = list(fit.run())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert ["validation_log_likelihood" in row for row in rows] == [False] * 5 + [True]
    assert fit.choices["raw"].epoch == 6
    assert torch.equal(fit.choices["raw"].weights["centroids"], fit.model.centroids)


@pytest.mark.parametrize("stop", [1, 3])
def test_k_means_that_was_stopped_goes_on_with_the_same_bits(images, validation, stop):
    settings = KMeans("kmeans", 30, 4)
    whole, first, second = (Fit(create(settings, images, 1), validation, 1, nets_monitor()) for _ in range(3))
    rows = list(whole.run())
    run = first.run()
    for _ in range(stop):
        next(run)
    second.restore(*first.state())
    assert list(second.run()) == rows[stop:]
    assert_same_choices(second.choices, whole.choices)


def test_create_makes_what_the_settings_are_of(small_nets, images):
    assert isinstance(create(small_nets(), images, 1), AdversarialNetsModel)
    assert create(small_nets(epochs=9), images, 1).epochs == 9
    assert create(KMeans("kmeans", 3, 2), images, 1).epochs == 2
    assert create(TrainingImages("training_images"), images, 1).epochs == 0


@pytest.mark.parametrize("key", ["every", "patience", "samples", "images"])
def test_a_monitor_out_of_range_names_its_key(key):
    with pytest.raises(ValueError, match=f"^{key} must be at least .*not 0$"):
        monitor(**{key: 0})
