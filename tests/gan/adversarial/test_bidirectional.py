"""Learned inference against the textbook: the game of three players by autograd in float64, with the same noise, masks
and minibatches; a linear generator that an encoder must learn to invert; what is resumed, shown and measured."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gan.adversarial.bidirectional import (
    BidirectionalNetsModel,
    EncoderTraining,
    PairsTraining,
    encoder_logit_gradient,
)
from gan.adversarial.bidirectional_settings import BidirectionalNets, EncoderNetwork, EncoderOutput
from gan.adversarial.layers import Dense, Dropout, Network
from gan.adversarial.networks import draw_noise
from gan.adversarial.settings import (
    Convolution,
    Deconvolution,
    DiscriminatorNetwork,
    GeneratorLayer,
    GeneratorOutput,
    GradientPenalty,
    Momentum,
    Objective,
    Restarts,
)
from gan.datasets.dataset import Dataset
from gan.datasets.digits import Digits
from gan.errors import TrainingDiverged
from gan.evaluation.abilities import BY_NAME
from gan.evaluation.assessment_settings import FeatureSettings
from gan.evaluation.features import Features, train
from gan.evaluation.settings import Grid, Monitor
from gan.fit import Fit
from gan.linear_algebra import random_stream
from gan.model import Examination, Examined, Illustrated, Interpolates
from gan.registry import create

CPU = torch.device("cpu")
TOLERANCE = 2e-6
"""of float32 against float64, absolute and relative, over 21 updates"""


@pytest.fixture(scope="module")
def pair_nets(small_nets):
    """Makes small nets with an encoder, with some of their recipe changed."""
    def make(afterwards_epochs=2, **changes):
        small = small_nets(**{"chosen_epoch": "last", **changes})
        encoder = EncoderNetwork([GeneratorLayer(8, "relu", 0.5), GeneratorLayer(7, "relu", 0.5)], EncoderOutput(0.5))
        return BidirectionalNets("bidirectional_nets", small.noise, small.generator, encoder, small.discriminator,
                                 small.recipe, afterwards_epochs, 0.02, 0.5)
    return make


class Textbook:
    """The game written down from Donahue et al. 2016, equation 3, and the protocol, with losses and autograd.

    It takes over the weights of `start`, an untouched training of the same seed, and draws noise, dropout masks and
    order as it will. Everything is in float64.
    """

    def __init__(self, start, nets, seed):
        self.nets, self.recipe, self.train = nets, nets.recipe, start.train
        self.g, self.e, self.d = ([p.double().requires_grad_() for p in network.parameters]
                                  for network in (start.generator, start.encoder, start.discriminator))
        self.velocity = {id(p): torch.zeros_like(p) for p in self.g + self.e + self.d}
        self.averages = [p.detach().clone() for p in self.g + self.e]
        self.order, self.stream = random_stream(seed, "order of the data"), random_stream(seed, "noise and dropout")
        self.t = 0

    def mask(self, n, width, keep):
        return Dropout(keep, self.stream).forward(torch.ones(n, width)).double()

    def generate(self, z):
        for i in (0, 2):
            z = torch.relu(z @ self.g[i] + self.g[i + 1])
        return torch.sigmoid(z @ self.g[4] + self.g[5])

    def encode(self, x):
        for i in (0, 2):
            x = torch.relu(x @ self.e[i] + self.e[i + 1])
        return x @ self.e[4] + self.e[5]

    def discriminate(self, pairs):
        for i, layer in enumerate(self.nets.discriminator.hidden):
            pairs = pairs * self.mask(len(pairs), pairs.shape[1], layer.keep)
            sums = pairs @ self.d[2 * i] + self.d[2 * i + 1]
            pairs = torch.stack(sums.chunk(layer.pieces, 1)).max(0).values
        keep = self.nets.discriminator.output.keep
        return pairs * self.mask(len(pairs), pairs.shape[1], keep) @ self.d[4] + self.d[5]

    def losses(self, on_data, on_noise):
        """Of D, of G, of E."""
        d_data, d_noise = torch.sigmoid(on_data), torch.sigmoid(on_noise)
        of_d = -0.5 * (d_data.log().mean() + (1 - d_noise).log().mean())
        if self.recipe.objective is Objective.MINIMAX:
            return of_d, (1 - d_noise).log().mean(), d_data.log().mean()
        return of_d, -d_noise.log().mean(), -(1 - d_data).log().mean()

    def gradients(self, data):
        z = draw_noise(self.nets.noise, len(data), self.stream).double()
        of_data, of_noise = torch.cat([data, self.encode(data)], 1), torch.cat([self.generate(z), z], 1)
        pairs = torch.cat([of_data, of_noise])
        logits = self.discriminate(pairs)
        on_data, on_noise = logits.split(len(data))
        of_d, *of_others = self.losses(on_data, on_noise)
        if self.recipe.penalty is not None:
            [slopes] = torch.autograd.grad(logits.sum(), pairs, create_graph=True)
            of_d = of_d + self.recipe.penalty.weight / 2 * slopes[:len(data)].square().sum(1).mean()
        gradients = [torch.autograd.grad(loss, player, retain_graph=True) for loss, player in zip(
            (of_d, *of_others), (self.d, self.g, self.e), strict=True)]
        return gradients, on_data, on_noise

    def run_epoch(self, epoch):
        momentum, rate = self.recipe.momentum.during(epoch), self.recipe.learning_rate
        logits = []
        for rows in torch.randperm(len(self.train), generator=self.order).split(self.recipe.batch_size):
            gradients, *on_pairs = self.gradients(self.train[rows].double())
            logits.append(on_pairs)
            with torch.no_grad():
                for player, of_player in zip((self.d, self.g, self.e), gradients, strict=True):
                    for p, gradient in zip(player, of_player, strict=True):
                        own = rate.after(self.t) * (1 if player is self.d else self.recipe.generator_rate)
                        self.velocity[id(p)] = momentum * self.velocity[id(p)] - own * gradient
                        p += self.velocity[id(p)]
                        if self.recipe.maximum_norm is not None and p.ndim == 2:
                            p *= (self.recipe.maximum_norm / p.norm(dim=0)).clamp(max=1)
            self.t += 1
            if self.t % 10 == 0:
                share = self.recipe.average_decay**10
                self.averages = [share * a + (1 - share) * p.detach()
                                 for a, p in zip(self.averages, self.g + self.e, strict=True)]
        return [float(loss) for loss in self.losses(*(torch.cat(half).detach() for half in zip(*logits, strict=True)))]


def both(nets, train, seed):
    """A training and the textbook's form of it; D's biases do not start at 0, where pieces of a maxout unit may tie."""
    training = PairsTraining(nets, train, seed)
    for bias in training.discriminator.parameters[1::2]:
        bias.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(seed))
    return training, Textbook(training, nets, seed)


def assert_close(found, expected):
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.double(), wanted.detach(), rtol=TOLERANCE, atol=TOLERANCE)


GAMES = {"non-saturating": {}, "minimax": {"objective": Objective.MINIMAX}, "norms": {"maximum_norm": 0.8},
         "no momentum": {"momentum": Momentum(0, 0, 2)}, "two rates": {"generator_rate": 0.3},
         "a penalty on pairs of data": {"penalty": GradientPenalty(0.5, "data")}}
OBJECTIVES = [Objective.NON_SATURATING, Objective.MINIMAX]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_players_gradient_is_that_of_its_loss(pair_nets, images, objective):
    """One update without a past: the velocity is the rate times the gradient."""
    nets = pair_nets(objective=objective)
    training, textbook = both(nets, images, seed=2)
    gradients, *_ = textbook.gradients(images[:20].double())
    with torch.no_grad():
        training.update(torch.arange(20), 0.25, 0.5)
    for network, expected in zip((training.discriminator, training.generator, training.encoder), gradients,
                                 strict=True):
        found = [velocity / 0.25 for layer in network.layers for velocity in training._velocities[layer]]
        assert_close(found, expected)
        assert max(float(gradient.abs().max()) for gradient in expected) > 1e-3  # far more than the tolerance


@pytest.mark.parametrize("game", GAMES)
def test_the_game_is_the_textbooks(pair_nets, images, game):
    """Weights, averages and losses of 21 updates; every third minibatch is a smaller one."""
    nets = pair_nets(**GAMES[game])
    training, textbook = both(nets, images, seed=3)
    start = [p.clone() for p in training.encoder.parameters]
    for epoch in range(1, 8):
        statistics, losses = training.run_epoch(), textbook.run_epoch(epoch)
        assert [statistics.discriminator_loss, statistics.generator_loss, training.encoder_loss()] == pytest.approx(
            losses, rel=1e-5)
        assert_close(training.generator.parameters, textbook.g)
        assert_close(training.encoder.parameters, textbook.e)
        assert_close(training.discriminator.parameters, textbook.d)
        assert_close([*training.average, *training.encoder_average], textbook.averages)
    assert training.updates == 21
    assert all(float((p - first).abs().max()) > 1e-3
               for p, first in zip(training.encoder.parameters, start, strict=True))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_encoders_logit_gradient_keeps_its_digits_where_d_is_sure(objective):
    logits = torch.tensor([[-40.0], [-1.0], [0.0], [3.0], [40.0]])
    exact = logits.double().requires_grad_()
    softplus = torch.nn.functional.softplus
    (softplus(exact) if objective is Objective.NON_SATURATING else -softplus(-exact)).mean().backward()
    torch.testing.assert_close(encoder_logit_gradient(logits, objective).double(), exact.grad, rtol=1e-6, atol=0)


# --- after the game ---


def test_an_encoder_recovers_z_of_a_linear_generator():
    """G(z) = z·A + b with orthogonal rows of A: E′ without hidden layers can invert it exactly, and does."""
    stream = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 3, generator=stream)).Q.t().contiguous()
    shift = torch.randn(6, generator=stream)
    nets = TypeAdapter(BidirectionalNets).validate_python({**MINIMAL, "noise": {"dimensions": 3,
                                                                                "distribution": "normal"},
                                                           "encoder": {"hidden": [], "output": {"irange": 0.1}}})
    afterwards = EncoderTraining(nets, [Network([Dense(turn, shift, "linear")])], 2000, 6, 1, CPU)
    errors = [afterwards.run_epoch()[0] for _ in range(4)]
    assert errors[0] > 0.02  # the mean of an epoch that begins at about 1
    assert errors[-1] < 1e-8
    weight, bias = afterwards.encoders[0].parameters
    torch.testing.assert_close(turn @ weight, torch.eye(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(shift @ weight + bias, torch.zeros(3), atol=1e-3, rtol=0)


def test_the_encoder_afterwards_descends_its_squared_error(pair_nets, images):
    """Two updates with momentum against autograd in float64."""
    model = BidirectionalNetsModel(pair_nets(), images, 1, CPU)
    afterwards = model.afterwards
    expected = [p.double().requires_grad_() for p in afterwards.encoders[1].parameters]
    velocity = [torch.zeros_like(p) for p in expected]
    for seed in (1, 2):
        z = draw_noise(model.nets.noise, 20, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            x = model.transform(model.weights("ema"), z).double()
            sums = afterwards.update(z)
        for i in (0, 2):
            x = torch.relu(x @ expected[i] + expected[i + 1])
        squares = (x @ expected[4] + expected[5] - z.double()).square().sum(1)
        assert float(sums[1]) == pytest.approx(float(squares.detach().sum()) / 4, rel=1e-5)
        gradients = torch.autograd.grad(squares.mean(), expected)
        with torch.no_grad():
            for k, (p, gradient) in enumerate(zip(expected, gradients, strict=True)):
                velocity[k] = 0.5 * velocity[k] - 0.02 * gradient
                p += velocity[k]
    assert_close(afterwards.encoders[1].parameters, expected)


def test_the_encoder_afterwards_leaves_the_game_as_it_is(pair_nets, images):
    nets = pair_nets(epochs=2)
    model = BidirectionalNetsModel(nets, images, 1, CPU)
    rows = [model.fit_epoch() for _ in range(2)]
    before = {variant: {name: p.clone() for name, p in model.weights(variant).items()} for variant in model.variants}
    rows += [model.fit_epoch() for _ in range(2)]
    assert [row["game"] for row in rows] == ["training", "training", "encoder", "encoder"]
    assert model.epoch == model.epochs == 4
    assert model.updates == 12
    for variant in model.variants:
        for name, tensor in model.weights(variant).items():
            assert torch.equal(tensor, before[variant][name]) != name.startswith("afterwards"), (variant, name)


def test_each_variant_has_an_encoder_of_its_own_generator(pair_nets, images):
    model = fitted(pair_nets(epochs=2), images)
    raw, ema = model.weights("raw"), model.weights("ema")
    assert raw.keys() == ema.keys()
    assert all(not torch.equal(raw[name], ema[name]) for name in raw)


# --- seeds and saved states ---


def fitted(nets, train, seed=1):
    model = BidirectionalNetsModel(nets, train, seed, CPU)
    while model.epoch < model.epochs:
        model.fit_epoch()
    return model


def assert_same_bits(state, other):
    assert state.keys() == other.keys()
    for name in state:
        assert torch.equal(state[name], other[name]), name


class Stop(Exception):
    pass


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(1, 9), max_size=4))
def test_going_on_at_any_update_gives_the_same_bits(pair_nets, images, stops):
    """Whole epochs of both phases against a fit that is stopped after so many updates, and gone on with by another."""
    nets = pair_nets(epochs=2)
    whole = BidirectionalNetsModel(nets, images, 5, CPU)
    expected = [whole.fit_epoch() for _ in range(4)]
    model, rows, left = BidirectionalNetsModel(nets, images, 5, CPU), [], [0]

    def stop_after_so_many():
        left[0] -= 1
        if not left[0]:
            raise Stop
    for stop in [*stops, 1000]:
        left[0] = stop
        try:
            while model.epoch < model.epochs:
                rows.append(model.fit_epoch(stop_after_so_many))
        except Stop:
            state = model.state()
            model = BidirectionalNetsModel(nets, images, 6, CPU)
            model.restore(state)
    assert rows == expected
    assert_same_bits(model.state(), whole.state())


def test_the_same_seed_gives_the_same_bits_and_another_one_others(pair_nets, images):
    nets = pair_nets(epochs=2)
    torch.manual_seed(1)
    one = fitted(nets, images)
    torch.manual_seed(2)
    again, other = fitted(nets, images), fitted(nets, images, seed=2)
    assert_same_bits(one.state(), again.state())
    for name in ("0", "encoder.0", "afterwards.0"):
        assert not torch.equal(one.weights("raw")[name], other.weights("raw")[name])


def test_a_saved_state_is_a_copy(pair_nets, images):
    model = BidirectionalNetsModel(pair_nets(epochs=1), images, 1, CPU)
    state = model.state()
    copies = {name: tensor.clone() for name, tensor in state.items()}
    model.fit_epoch(), model.fit_epoch()
    assert_same_bits(state, copies)


def test_a_state_of_other_networks_is_refused(pair_nets, images):
    nets = pair_nets()
    other = replace(nets, encoder=EncoderNetwork([GeneratorLayer(8, "relu", 0.5)], EncoderOutput(0.5)))
    state = BidirectionalNetsModel(other, images, 1, CPU).state()
    with pytest.raises(ValueError, match="of other networks"):
        BidirectionalNetsModel(nets, images, 1, CPU).restore(state)


def test_a_fit_scores_the_game_and_once_more_its_end(pair_nets, images):
    """Through `gan.fit`, with a checkpoint between the phases: the weights kept are the last ones, with E′ trained."""
    nets = pair_nets(epochs=2, afterwards_epochs=3)
    monitor = Monitor(1, 1, 50, 20, Grid(0.1, 1.0, 4))
    fit = Fit(create(nets, images, 1), images[:20], 1, monitor)
    run = fit.run()
    rows = [next(run) for _ in range(3)]
    other = Fit(create(nets, images, 1), images[:20], 1, monitor)
    other.restore(*fit.state())
    rows += list(other.run())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert ["validation_log_likelihood_ema" in row for row in rows] == [True, True, False, False, True]
    assert rows[1]["validation_log_likelihood"] == rows[4]["validation_log_likelihood"]
    model = other.model
    assert model.can_be_scored
    for variant in model.variants:
        assert other.choices[variant].epoch == 5
        assert_same_bits(other.choices[variant].weights, model.weights(variant))


def test_divergence_after_the_game_is_told_with_its_epoch(pair_nets, images):
    nets = replace(pair_nets(epochs=1, batch_size=1), afterwards_learning_rate=1e30)
    model = BidirectionalNetsModel(nets, images, 1, CPU)
    model.fit_epoch()
    with pytest.raises(TrainingDiverged, match=r"epoch 2[\s\S]*afterwards_learning_rate"):
        model.fit_epoch()


# --- settings ---


MINIMAL = {
    "kind": "bidirectional_nets", "noise": {"dimensions": 4, "distribution": "uniform"},
    "generator": {"hidden": [], "output": {"activation": "sigmoid", "irange": 0.5, "bias": "zero"}},
    "encoder": {"hidden": [{"units": 5, "activation": "relu", "irange": 0.5}], "output": {"irange": 0.5}},
    "discriminator": {"hidden": [{"units": 5, "pieces": 2, "irange": 0.5, "keep": 0.8}],
                      "output": {"irange": 0.5, "keep": 0.5}},
    "recipe": {"epochs": 2, "batch_size": 20, "updates": "simultaneous", "discriminator_steps": 1,
               "objective": "non_saturating", "learning_rate": {"initial": 0.1, "decay": 1.0, "minimum": 0.0},
               "momentum": {"initial": 0.5, "final": 0.7, "saturates": 4}, "average_decay": 0.9,
               "chosen_epoch": "last"},
    "afterwards_epochs": 2, "afterwards_learning_rate": 0.05, "afterwards_momentum": 0.5}


def test_settings_are_read_from_plain_values(images):
    nets = TypeAdapter(BidirectionalNets).validate_python(MINIMAL)
    assert isinstance(create(nets, images, 1), BidirectionalNetsModel)
    with pytest.raises(ValidationError, match="pretraining"):
        TypeAdapter(BidirectionalNets).validate_python({**MINIMAL, "pretraining": None})


@pytest.mark.parametrize(("changes", "words"), [
    ({"updates": "alternating"}, r"recipe.updates must be simultaneous"),
    ({"restarts": Restarts(5, 2), "epochs": 10}, r"recipe.restarts must be null"),
    ({"chosen_epoch": "best_on_validation"}, r"recipe.chosen_epoch must be last"),
    ({"objective": Objective.RELATIVISTIC}, r"recipe.objective must be non_saturating or minimax"),
    ({"afterwards_epochs": 0}, "afterwards_epochs must be at least 1, not 0")])
def test_a_recipe_for_other_games_is_refused(pair_nets, changes, words):
    with pytest.raises(ValueError, match=words):
        pair_nets(**changes)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_rates_and_momenta_out_of_range_are_refused(pair_nets, rate):
    with pytest.raises(ValueError, match="afterwards_learning_rate must be finite and above 0"):
        replace(pair_nets(), afterwards_learning_rate=rate)
    with pytest.raises(ValueError, match="irange must be finite and above 0"):
        EncoderOutput(rate)
    with pytest.raises(ValueError, match="afterwards_momentum must be from 0 to below 1"):
        replace(pair_nets(), afterwards_momentum=rate or 1.0)


def test_convolutions_and_pretraining_are_refused(pair_nets):
    nets = pair_nets()
    with pytest.raises(ValueError, match="have dense layers only"):
        replace(nets, generator=replace(nets.generator, output=GeneratorOutput(
            "sigmoid", 0.5, "zero", deconvolution=Deconvolution(2, 2, 1, 1))))
    [first, *others] = nets.discriminator.hidden
    convolutional = [replace(first, convolution=Convolution(1, 0, 1, 1)), *others]
    with pytest.raises(ValueError, match="have dense layers only"):
        replace(nets, discriminator=DiscriminatorNetwork(convolutional, nets.discriminator.output))
    with pytest.raises(ValueError, match="have no pretraining"):
        replace(nets, generator=replace(nets.generator, output=None))


# --- what it shows and is measured by ---


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """scikit-learn's 8×8 digits, their labels, a classifier of them, and a model that has learned a little."""
    folder, loader = tmp_path_factory.mktemp("digits"), Digits("digits")
    loader.fetch(folder, [], print, None)
    data = Dataset("digits", loader.shape, **{name: pixels.float() / 16
                                              for name, pixels in loader.splits(folder).items()})
    labels = loader.labels(folder)
    features = FeatureSettings([8], 16, 2, 50, 0.1, 0, False)
    judge = Features(features, data.shape, 10, train(features, data.shape, data.train, labels["train"], 1))
    nets = TypeAdapter(BidirectionalNets).validate_python(MINIMAL)
    return fitted(nets, data.train), data, labels, judge


def stream():
    return torch.Generator().manual_seed(1)


def test_it_is_all_that_the_protocols_ask_for(world):
    model, *_ = world
    assert isinstance(model, Interpolates)
    assert isinstance(model, Illustrated)
    assert isinstance(model, Examined)
    weights = model.weights("ema")
    assert list(weights) == ["0", "1", *(f"{of}.{i}" for of in ("encoder", "afterwards") for i in range(4))]
    assert model.sample(weights, 3, stream()).shape == (3, 64)
    z = draw_noise(model.nets.noise, 4, stream())
    ways = model.interpolate(weights, 2, 5, stream()).view(2, 5, 64)
    for column, ends in ((0, z[:2]), (4, z[2:])):
        torch.testing.assert_close(ways[:, column], model.transform(weights, ends))


def test_pictures_show_the_first_test_images(world):
    model, data, *_ = world
    weights = model.weights("raw")
    pictures = model.pictures(weights, data, stream())
    assert list(pictures) == ["reconstructions", "interpolation_of_test_images"]
    shown = pictures["reconstructions"]
    rows = shown.images.view(4, 10, 64)
    assert shown.columns == 10
    assert torch.equal(rows[0], data.test[:10])
    for row, encoder in ((1, "encoder"), (2, "afterwards")):
        torch.testing.assert_close(rows[row], model.reconstruct(weights, data.test[:10], encoder))
    by_hand = torch.cdist(data.test[:10].double(), data.train.double()).argmin(1)
    assert torch.equal(rows[3], data.train[by_hand])
    lines = pictures["interpolation_of_test_images"]
    rows = lines.images.view(5, 12, 64)
    assert lines.columns == 12
    for column, ends in ((0, data.test[:10:2]), (11, data.test[1:10:2])):
        assert torch.equal(rows[:, column], ends)
    for column, ends in ((1, rows[:, 0]), (10, rows[:, 11])):
        torch.testing.assert_close(rows[:, column], model.reconstruct(weights, ends, "afterwards"))


def test_pictures_of_fewer_test_images_show_those_there_are(world):
    model, data, *_ = world
    pictures = model.pictures(model.weights("raw"), replace(data, test=data.test[:3]), stream())
    assert pictures["reconstructions"].images.shape == (4 * 3, 64)
    assert pictures["interpolation_of_test_images"].images.shape == (12, 64)


def test_measures_are_those_computed_by_hand(world):
    model, data, labels, judge = world
    weights = model.weights("raw")
    found = model.examine(weights, Examination(data, labels, judge, 200), stream())
    assert all(name in BY_NAME for name in found)
    assert len(found) == 7
    rows = torch.arange(200) * len(data.test) // 200
    test, z = data.test[rows], draw_noise(model.nets.noise, 200, stream())
    expected = {"reconstruction_nearest": torch.cdist(test.double(), data.train.double()).amin(1) / 8}
    for encoder, suffix in (("encoder", "joint"), ("afterwards", "afterwards")):
        images = model.reconstruct(weights, test, encoder)
        expected[f"reconstruction_{suffix}"] = (images - test).norm(dim=1) / 8
        expected[f"class_kept_{suffix}"] = judge(images).probabilities.argmax(1) == labels["test"][rows]
        errors = model.encode(weights, model.transform(weights, z), encoder) - z
        expected[f"code_recovered_{suffix}"] = errors.square().mean(1)
    for name, values in expected.items():
        values = values.double()
        assert found[name].value == pytest.approx(float(values.mean()), rel=1e-5), name
        assert found[name].standard_error == pytest.approx(float(values.std()) / 200**0.5, rel=1e-5), name


def test_without_labels_or_a_judge_no_class_is_told(world):
    model, data, labels, judge = world
    for known, classifier in ((None, judge), (labels, None)):
        found = model.examine(model.weights("raw"), Examination(data, known, classifier, 20), stream())
        assert not any(name.startswith("class_kept") for name in found)
        assert len(found) == 5


def test_looking_changes_nothing_of_the_model(world):
    model, data, labels, judge = world
    before = model.state()
    model.pictures(model.weights("ema"), data, stream())
    model.examine(model.weights("ema"), Examination(data, labels, judge, 50), stream())
    assert_same_bits(model.state(), before)
