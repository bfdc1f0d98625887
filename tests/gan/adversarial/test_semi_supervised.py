"""Semi-supervised nets against closed forms, against each net alone, and in what they refuse."""

import itertools
import math
from dataclasses import asdict, replace

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

from gan.adversarial.semi_supervised import (
    Discriminator,
    SemiSupervisedTraining,
    draw_labelled,
    feature_matching_loss,
    folded,
    generated,
    real_logit,
    supervised_loss,
    unsupervised_loss,
)
from gan.adversarial.semi_supervised_settings import SemiSupervisedNets
from gan.adversarial.settings import (
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    MaxoutLayer,
    Noise,
)
from gan.datasets.dataset import Dataset
from gan.evaluation.abilities import ability, differs, published
from gan.linear_algebra import random_stream
from gan.model import Examination, Examined, Illustrated, Interpolates, Restarts
from gan.registry import SETTINGS, create, create_together

CPU = torch.device("cpu")
NETS = SemiSupervisedNets(
    "semi_supervised_nets", Noise(4, "uniform"),
    GeneratorNetwork([GeneratorLayer(9, "relu", 0.5), GeneratorLayer(8, "relu", 0.5)],
                     GeneratorOutput("sigmoid", 0.5, "marginal_logit")),
    DiscriminatorNetwork([MaxoutLayer(7, 3, 0.5, 0.8), MaxoutLayer(5, 2, 0.5, 0.5)], DiscriminatorOutput(0.5, 0.5)),
    batch_normalised=True, input_noise=0.1, hidden_noise=0.2, weight_norm=1.5, classes=3, labels=[3, 7, 15],
    epochs=3, batch_size=20, learning_rate=0.01, beta1=0.5, average_decay=0.9)
"""Minibatches of 50 images: 20, 20, 10."""
LABELS = torch.arange(50) % 3


@pytest.fixture
def train(images):
    return images


def nets_model(images, seed=1, labels=LABELS, **changes):
    return create(replace(NETS, **changes), images, seed, labels=labels)


# --- Losses ---


def test_d_is_the_softmax_with_a_class_more_of_logit_0():
    """Z/(Z + 1), Z = Σ exp l_k: the chance of all classes but the last, which is a sample's."""
    of_classes = torch.randn(2, 11, 5, dtype=torch.float64, generator=random_stream(1, "test")) * 4
    whole = torch.cat((of_classes, torch.zeros(2, 11, 1, dtype=torch.float64)), 2).softmax(2)
    torch.testing.assert_close(real_logit(of_classes).sigmoid(), 1 - whole[..., -1], rtol=1e-12, atol=1e-14)


def test_losses_are_those_of_a_classifier_with_a_class_for_samples():
    """The unsupervised loss is half the cross entropy of "not a sample" on data and of "a sample" on samples; the
    supervised one is that of the real classes, given that it is one of these."""
    stream = random_stream(2, "test")
    on_data, on_samples = (torch.randn(2, n, 4, dtype=torch.float64, generator=stream) * 3 for n in (6, 9))
    targets = torch.randint(4, (2, 6), generator=stream)
    for k in range(2):
        data, samples = (torch.cat((of_classes[k], torch.zeros(n, 1, dtype=torch.float64)), 1).softmax(1)
                         for of_classes, n in ((on_data, 6), (on_samples, 9)))
        game = -0.5 * (1 - data[:, 4]).log().mean() - 0.5 * samples[:, 4].log().mean()
        torch.testing.assert_close(unsupervised_loss(real_logit(on_data), real_logit(on_samples))[k], game)
        given_real = data[:, :4] / data[:, :4].sum(1, keepdim=True)
        expected = -given_real[torch.arange(6), targets[k]].log().mean()
        torch.testing.assert_close(supervised_loss(on_data, targets)[k], expected)
        torch.testing.assert_close(supervised_loss(on_data, targets)[k], cross_entropy(on_data[k], targets[k]))


def test_feature_matching_is_the_squared_distance_of_means():
    data = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 2.0]]])
    samples = torch.tensor([[[0.0, 0.0]], [[3.0, 5.0]]])
    assert feature_matching_loss(data, samples).tolist() == [2**2 + 3**2, 3**2 + 4**2]


def test_losses_are_finite_where_d_is_sure():
    sure = torch.full((1, 4), 1e4)
    assert unsupervised_loss(sure, -sure).tolist() == [0]
    assert unsupervised_loss(-sure, sure).tolist() == [1e4]


# --- Networks ---


def test_maxout_is_the_maximum_over_pieces_and_nothing_is_drawn_where_nothing_is_trained():
    stream = random_stream(3, "test")
    network = Discriminator(replace(NETS, discriminator=DiscriminatorNetwork(
        [MaxoutLayer(4, 3, 0.5, 0.5)], DiscriminatorOutput(0.5, 0.5))))
    weight, bias = torch.randn(6, 12, generator=stream), torch.randn(12, generator=stream)
    out, shift = torch.randn(4, 3, generator=stream), torch.randn(3, generator=stream)
    x = torch.randn(5, 6, generator=stream)
    f = network.features([weight, bias, out, shift], x)
    pieces = torch.stack([x @ weight[:, 4 * p:4 * p + 4] + bias[4 * p:4 * p + 4] for p in range(3)])
    torch.testing.assert_close(f, pieces.max(0).values)
    torch.testing.assert_close(network.logits([weight, bias, out, shift], f), f @ out + shift)


def test_noise_is_added_before_dropout_and_is_the_same_for_all_networks():
    network = Discriminator(replace(NETS, discriminator=DiscriminatorNetwork(
        [MaxoutLayer(5, 1, 0.5, 0.5)], DiscriminatorOutput(0.5, 1.0))))
    identity = [torch.eye(5).expand(2, 5, 5), torch.zeros(2, 5), torch.eye(5).expand(2, 5, 5), torch.zeros(2, 5)]
    x = torch.rand(2, 1000, 5, generator=random_stream(1, "test"))
    one, two = network.features(identity, x, random_stream(2, "test"))
    kept = (one != 0) & (two != 0)
    assert abs(float(kept.float().mean()) - 0.5) < 0.03
    torch.testing.assert_close(one[kept] / 2 - x[0][kept], two[kept] / 2 - x[1][kept], rtol=0, atol=1e-5)
    assert float((one[kept] / 2 - x[0][kept]).std()) == pytest.approx(0.1, rel=0.05)
    seen = network.logits(identity, x, random_stream(3, "test")) - x
    assert float(seen.std()) == pytest.approx(0.2, rel=0.05)


def test_norms_of_weights_are_held_from_the_beginning_but_the_outputs(train):
    model = nets_model(train)
    for _ in range(2):
        weights = model.weights("raw")
        for name in ("classifier.7", "alone.15"):
            for i in (0, 2):
                torch.testing.assert_close(weights[f"{name}.{i}"].norm(dim=0),
                                           torch.full(weights[f"{name}.{i}"].shape[1:], 1.5))
            assert abs(float(weights[f"{name}.4"].norm(dim=0)[0]) - 1.5) > 1e-3
        model.fit_epoch()
    free = nets_model(train, weight_norm=None).weights("raw")["classifier.7.0"]
    assert float(free.norm(dim=0).std()) > 1e-3


def test_batch_normalisation_folds_into_dense_layers():
    """On the noise that the statistics are of, the dense network gives what the normalised one gives."""
    stream = random_stream(4, "test")
    activations = ["relu", "relu", "sigmoid"]
    parameters = [t.double() for i, o in ((4, 9), (9, 8), (8, 6))
                  for t in (torch.randn(i, o, generator=stream), torch.randn(o, generator=stream))]
    z = torch.randn(100, 4, generator=stream).double()
    dense = folded(activations, parameters, z)
    torch.testing.assert_close(generated(activations, dense, z), generated(activations, parameters, z, True),
                               rtol=1e-10, atol=1e-12)
    assert [t.shape for t in dense] == [t.shape for t in parameters]
    # What a sample is depends on no other sample.
    torch.testing.assert_close(generated(activations, dense, z[:3]), generated(activations, dense, z)[:3])
    assert not torch.allclose(generated(activations, parameters, z[:3], True), generated(activations, dense, z[:3]))


def doubled(training):
    """In float64, so that only the order of sums differs."""
    for player in (training.generator, training.discriminator, training.alone):
        player.parameters = [p.detach().double().requires_grad_() for p in player.parameters]
    training.train = training.train.double()
    return training


@pytest.mark.parametrize("normalised", [False, True])
def test_gradients_in_step_are_those_of_each_net_alone(train, normalised):
    """In float64 to 1e-10; both see the same images, noise and masks."""
    nets = replace(NETS, batch_normalised=normalised, weight_norm=None)
    together = doubled(SemiSupervisedTraining(nets, train, 5, CPU, LABELS))
    stream = random_stream(6, "test")
    for player in (together.generator, together.discriminator, together.alone):  # not the same in all of them
        for p in player.parameters:
            p.data += 0.2 * torch.randn(p.shape, dtype=torch.float64, generator=stream)
    labelled = torch.stack([own[torch.arange(20) % len(own)] for own in together.drawn])
    z = torch.randn(20, 4, dtype=torch.float64, generator=stream)

    def slopes(training, rows):
        training._noise.manual_seed(8)
        training._noise_alone.manual_seed(9)
        images, targets = training.train[rows], training.labels[rows]
        of_g, of_d, _ = training.losses(images, targets, training.train[:20], z)
        alone = training.loss_alone(images, targets)
        return [torch.autograd.grad(loss.sum(), player.parameters, retain_graph=True) for loss, player in (
            (of_g, training.generator), (of_d, training.discriminator), (alone, training.alone))]

    found = slopes(together, labelled)
    for k, n in enumerate(nets.labels):
        single = doubled(SemiSupervisedTraining(replace(nets, labels=[n]), train, 5, CPU, LABELS))
        for mine, theirs in zip((single.generator, single.discriminator, single.alone),
                                (together.generator, together.discriminator, together.alone), strict=True):
            mine.parameters = [p[k:k + 1].detach().clone().requires_grad_() for p in theirs.parameters]
        for expected, mine in zip(slopes(single, labelled[k:k + 1]), found, strict=True):
            assert any(bool(g.abs().max() > 1e-6) for g in expected)
            for one, of_all in zip(expected, mine, strict=True):
                torch.testing.assert_close(of_all[k:k + 1], one, rtol=1e-10, atol=1e-10)


def test_a_step_is_adams_down_each_players_own_loss(train):
    """The first step of Adam moves each weight by the rate against the sign of its gradient: G's of feature matching,
    with real features as they are, and D's of its whole loss."""
    nets = replace(NETS, weight_norm=None)
    training, again = (SemiSupervisedTraining(nets, train, 3, CPU, LABELS) for _ in range(2))
    rows, labelled = torch.arange(20), torch.stack([own[torch.arange(20) % len(own)] for own in training.drawn])
    z = torch.rand(20, 4, generator=again._noise).mul_(2 * math.sqrt(3)).sub_(math.sqrt(3))
    of_g, of_d, _ = again.losses(train[labelled], LABELS[labelled], train[rows], z)
    training.update(rows, labelled)
    for loss, player, moved in ((of_g, again.generator, training.generator),
                                (of_d, again.discriminator, training.discriminator)):
        for slope, before, after in zip(torch.autograd.grad(loss.sum(), player.parameters, retain_graph=True),
                                        player.parameters, moved.parameters, strict=True):
            clear = slope.abs() > 1e-4
            step = (after - before).detach()
            torch.testing.assert_close(step[clear], -0.01 * slope[clear].sign(), rtol=2e-3, atol=1e-6)


# --- Labelled images ---


def test_labels_are_drawn_equally_from_all_classes_and_nested():
    labels = torch.randint(4, (400,), generator=random_stream(1, "test"))
    numbers = [4, 10, 25, 40, 101]
    drawn = draw_labelled(labels, numbers, 4, 1)
    for n, own in zip(numbers, drawn, strict=True):
        assert len(own.unique()) == n
        counts = torch.bincount(labels[own], minlength=4)
        assert int(counts.max() - counts.min()) <= 1
    for less, more in itertools.pairwise(drawn):
        assert set(less.tolist()) < set(more.tolist())


def test_each_seed_draws_other_labels_and_always_the_same():
    one, again, other = (draw_labelled(LABELS, [7], 3, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_what_is_drawn_for_a_number_does_not_depend_on_the_others():
    assert torch.equal(draw_labelled(LABELS, [3, 7, 15], 3, 1)[1], draw_labelled(LABELS, [7], 3, 1)[0])


# --- Resuming ---


class Stop(Exception):
    pass


@pytest.mark.parametrize("updates", range(1, 9))
def test_training_resumes_at_any_update_to_the_same_bytes(train, updates):
    whole = nets_model(train)
    expected = [whole.fit_epoch() for _ in range(NETS.epochs)]
    first, calls, saved = nets_model(train), itertools.count(1), {}

    def stop():
        if next(calls) + first.epoch == updates:  # none is called between epochs
            saved.update(first.state())
            raise Stop

    try:
        for _ in range(NETS.epochs):
            first.fit_epoch(stop)
            if first.epoch * 3 == updates:
                saved.update(first.state())
                raise Stop
    except Stop:
        pass
    assert int(saved["updates"]) == updates
    for tensor in first.weights("raw").values():
        tensor.zero_()  # what was saved are copies
    second = nets_model(train, seed=77)
    second.restore(saved)
    rows = [second.fit_epoch() for _ in range(NETS.epochs - second.epoch)]
    assert rows == expected[NETS.epochs - len(rows):]
    a, b = whole.state(), second.state()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_training_is_deterministic_and_seeds_differ(train):
    def fitted(seed):
        model = nets_model(train, seed)
        return model.fit_epoch(), model.weights("raw")

    (row, weights), (same_row, same), (other_row, _) = fitted(1), fitted(1), fitted(2)
    assert row == same_row != other_row
    assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_a_state_of_other_networks_is_refused(train):
    state = nets_model(train).state()
    for changes in ({"labels": [3, 7]}, {"labels": [3, 7, 16]}, {"noise": Noise(5, "uniform")}):
        with pytest.raises(ValueError, match="the saved state is of other networks"):
            create(replace(NETS, **changes), train, 1, labels=LABELS).restore(state)


# --- The model ---


def test_the_average_is_of_both_players(train):
    """Updates 10, 20: the average moves by 1 − decay¹⁰ of the way."""
    model = nets_model(train, epochs=7, batch_normalised=False, weight_norm=None)
    before = {name: tensor.clone() for name, tensor in model.weights("ema").items()}
    for _ in range(3):
        model.fit_epoch()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.weights("ema").items())

    after_ten = {}

    def watch():
        if model.updates == 10 and not after_ten:
            after_ten.update({name: tensor.clone() for name, tensor in model.weights("raw").items()})
    model.fit_epoch(watch)
    for name, tensor in model.weights("ema").items():
        torch.testing.assert_close(tensor, before[name] * 0.9**10 + after_ten[name] * (1 - 0.9**10))


def test_weights_have_the_shown_generator_first_and_every_classifier(train):
    model = nets_model(train)
    weights = model.weights("raw")
    assert list(weights)[:6] == ["0", "1", "2", "3", "4", "5"]
    assert set(list(weights)[6:]) == {f"{name}.{n}.{i}" for name in ("classifier", "alone") for n in (3, 7, 15)
                                      for i in range(6)}
    assert weights["classifier.7.4"].shape == (5, 3)
    assert model.labels_of_samples == 15
    numbers = replace(NETS, labels=[50, 90, 110, 1000]).labels
    assert min(numbers, key=lambda n: (abs(n - 100), n)) == 90
    samples = model.sample(weights, 1234, random_stream(1, "samples"))
    assert samples.shape == (1234, 6)
    assert bool(((samples >= 0) & (samples <= 1)).all())
    other = nets_model(train, seed=9)
    assert torch.equal(other.sample({name: weights[name] for name in "012345"}, 1234, random_stream(1, "samples")),
                       samples)


def test_curves_are_those_of_the_shown_number(train):
    row = nets_model(train).fit_epoch()
    assert set(row) == {"discriminator_loss", "feature_distance", "d_on_data", "d_on_samples", "learning_rate",
                        "supervised_loss", "supervised_loss_alone"}
    alone = create(replace(NETS, labels=[15]), train, 1, labels=LABELS).fit_epoch()
    assert alone == pytest.approx(row, rel=1e-4)


def test_what_the_model_can_do(train):
    model = nets_model(train)
    assert isinstance(model, Illustrated)
    assert isinstance(model, Examined)
    assert not isinstance(model, Restarts)
    assert not isinstance(model, Interpolates)
    assert (model.epochs, model.epoch, model.selects_epoch, model.can_be_scored) == (3, 0, False, True)
    assert SETTINGS["semi_supervised_nets"] is SemiSupervisedNets
    one, two = create_together(NETS, train, [1, 2], labels=LABELS)
    assert one.fit_epoch() == nets_model(train, 1).fit_epoch()
    assert two.fit_epoch() == nets_model(train, 2).fit_epoch()


def dataset(images):
    return Dataset("test", (1, 2, 3), images, images[:20], images[20:])


def test_the_picture_has_a_row_for_each_class_and_is_black_where_samples_are_missing(train):
    model = nets_model(train)
    weights = {name: tensor.clone() for name, tensor in model.weights("raw").items()}
    weights["classifier.15.5"] += torch.tensor([0.0, -1e6, 0.0])  # no sample is of class 1
    [(name, picture)] = model.pictures(weights, dataset(train), random_stream(1, "picture")).items()
    assert name == "samples_by_class"
    assert picture.columns == 10
    assert picture.images.shape == (30, 6)
    assert not picture.images[10:20].any()
    samples = model.sample(weights, 1000, random_stream(1, "picture"))
    classes = model.classify(weights, "classifier.15", samples)
    for k in (0, 2):
        own = samples[classes == k][:10]
        assert torch.equal(picture.images[10 * k:10 * k + len(own)], own)
    assert int((classes == 1).sum()) == 0


def test_errors_are_shares_of_test_images(train):
    model = nets_model(train)
    weights = {name: tensor.clone() for name, tensor in model.weights("raw").items()}
    for name in weights:
        if name.split(".")[0] in ("classifier", "alone"):
            weights[name].zero_()
    weights["alone.7.5"] += torch.tensor([0.0, 1.0, 0.0])  # always says class 1
    data = dataset(train)
    labels = {"train": LABELS, "validation": LABELS[:20], "test": LABELS[20:]}
    found = model.examine(weights, Examination(data, labels, None, 1000), random_stream(1, "test"))
    assert list(found) == ["error_3_labels", "error_3_labels_alone", "error_7_labels", "error_7_labels_alone",
                           "error_15_labels", "error_15_labels_alone"]
    wrong = (LABELS[20:] != 1).double()
    assert found["error_7_labels_alone"].value == pytest.approx(float(wrong.mean()))
    assert found["error_7_labels_alone"].standard_error == pytest.approx(float(wrong.std()) / math.sqrt(30))
    few = model.examine(weights, Examination(data, labels, None, 6), random_stream(1, "test"))
    assert few["error_7_labels_alone"].value == pytest.approx(float(wrong[:6].mean()))
    assert model.examine(weights, Examination(data, None, None, 1000), random_stream(1, "test")) == {}


def test_errors_are_known_for_any_number_of_labels():
    assert (ability("error_17_labels").best, ability("error_17_labels").unit) == ("lowest", "share")
    assert "alone" in ability("error_17_labels_alone").title
    for unknown in ("error_labels", "error_01_labels", "errors", ""):
        with pytest.raises(KeyError):
            ability(unknown)


def test_the_source_s_errors_stand_beside_ours_with_what_differs():
    source = published("error_100_labels", "semi_supervised_nets", "mnist")
    assert source.value == pytest.approx(0.0093)
    assert source.error == pytest.approx(0.00065)
    assert published("error_1000_labels", "semi_supervised_nets", "mnist") is None
    assert published("error_100_labels_alone", "semi_supervised_nets", "mnist") is None
    assert published("error_100_labels", "semi_supervised_nets", "cifar10") is None
    found = {name: (theirs, ours) for name, theirs, ours in differs(source, asdict(NETS))}
    assert found["epochs"] == (300, NETS.epochs)
    assert "noise.distribution" not in found
    same = replace(NETS, epochs=300, batch_size=100, learning_rate=0.003, input_noise=0.3, hidden_noise=0.5,
                   noise=replace(NETS.noise, dimensions=100), batch_normalised=True, beta1=0.5)
    assert differs(source, asdict(same)) == []


# --- Learning ---


def test_digits_are_learnt_from_few_labels_and_better_from_more():
    """scikit-learn's digits, 1,200 to train on and the others to be told apart, where chance is wrong in 9 of 10."""
    digits = load_digits()
    images, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    nets = replace(NETS, classes=10, labels=[50, 300], epochs=4, batch_size=50, weight_norm=2.0,
                   discriminator=DiscriminatorNetwork([MaxoutLayer(32, 3, 0.1, 1.0), MaxoutLayer(32, 3, 0.1, 1.0)],
                                                      DiscriminatorOutput(0.1, 1.0)))
    model = create(nets, images[:1200], 1, labels=labels[:1200])
    losses = [model.fit_epoch() for _ in range(nets.epochs)]
    assert losses[-1]["supervised_loss_alone"] < losses[0]["supervised_loss_alone"] / 2
    for variant in model.variants:
        for name in ("classifier", "alone"):
            few, more = (float((model.classify(model.weights(variant), f"{name}.{n}", images[1200:])
                                != labels[1200:]).float().mean()) for n in (50, 300))
            assert more < few < 0.4
            assert more < 0.2


# --- Refusals ---


@pytest.mark.parametrize(("changes", "message"), [
    ({"labels": []}, "labels must name at least one number of labelled images"),
    ({"labels": [2, 7]}, "labels must be at least as many as classes, which are 3, not 2"),
    ({"labels": [7, 7]}, "labels must increase, not be 7, 7"),
    ({"classes": 1}, "classes must be at least 2, not 1"),
    ({"epochs": 0}, "epochs must be at least 1, not 0"),
    ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
    ({"input_noise": -0.1}, "input_noise must be finite and not negative, not -0.1"),
    ({"hidden_noise": math.inf}, "hidden_noise must be finite and not negative, not inf"),
    ({"weight_norm": 0.0}, "weight_norm must be finite and above 0, or null, not 0.0"),
    ({"learning_rate": 0.0}, "learning_rate must be finite and above 0, not 0.0"),
    ({"beta1": 1.0}, "beta1 must be from 0 to below 1, not 1.0"),
    ({"average_decay": 1.0}, "average_decay must be from 0 to below 1, not 1.0"),
    ({"generator": replace(NETS.generator, output=None)},
     "generator.output must be given: semi-supervised nets have no pretraining"),
    ({"generator": replace(NETS.generator, output=GeneratorOutput("sigmoid", 0.5, "zero", None,
                                                                  Deconvolution(1, 2, 2, 2)))},
     "generator.output must have no deconvolution: semi-supervised nets are dense"),
    ({"discriminator": DiscriminatorNetwork([MaxoutLayer(4, 2, 0.5, 0.5, Convolution(2, 0, 1, 1))],
                                            DiscriminatorOutput(0.5, 0.5))},
     "discriminator.hidden must have no convolution: semi-supervised nets are dense"),
    ({"discriminator": replace(NETS.discriminator, spectral_norm=True)},
     "discriminator.spectral_norm must be false: the weights of semi-supervised nets have weight_norm"),
    ({"discriminator": DiscriminatorNetwork([], DiscriminatorOutput(0.5, 0.5))},
     "discriminator.hidden must have a layer, whose activations the generator matches"),
])
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the whole message is compared)
        replace(NETS, **changes)
    assert str(refusal.value) == message


def test_without_labels_they_can_be_sampled_and_not_trained(train):
    model = create(NETS, train, 1)
    assert model.sample(model.weights("ema"), 3, random_stream(1, "test")).shape == (3, train.shape[1])
    with pytest.raises(ValueError, match="the data have no labels, which semi-supervised nets need"):
        model.fit_epoch()


@pytest.mark.parametrize(("labels", "changes", "message"), [
    (LABELS[:7], {}, "there must be a label for each of 50 training images, not [7]"),
    (LABELS + 1, {}, "labels of the data must be from 0 to below 3, the number of classes, not from 1 to 3"),
    (LABELS, {"labels": [3, 51]}, "51 labels are asked for, but there are only 50 training images"),
    (torch.arange(50).clamp(max=2), {}, "3 labels need"),
    (LABELS.clamp(max=1), {}, "3 labels need 1 training images of class 2, which has 0"),
])
def test_data_that_do_not_fit_are_refused(train, labels, changes, message):
    if message == "3 labels need":  # two images of the first two classes: 7 labels are the first that are too many
        message = "7 labels need 2 training images of class"
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        create(replace(NETS, **changes), train, 1, labels=labels)
    assert str(refusal.value).startswith(message)
