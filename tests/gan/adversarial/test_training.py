"""Training against the textbook: the same game by autograd in float64, with the same noise, masks and minibatches."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.adversarial.conditions import Told, draw_visible, of_pixels
from gan.adversarial.layers import Dropout, TransposedConvolution, stack
from gan.adversarial.networks import draw_noise
from gan.adversarial.settings import (
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GradientPenalty,
    LearningRate,
    Momentum,
    Objective,
    OnClass,
    OnVisiblePixels,
    Recipe,
)
from gan.adversarial.training import Training
from gan.errors import ReproductionError, TrainingDiverged
from gan.linear_algebra import multiplies_bfloat16, random_stream


class Textbook:
    """Algorithm 1 and its simultaneous form, written down from the paper and the protocol with losses and autograd.

    It takes over the weights of `start`, an untouched training of the same seed, and draws noise, dropout masks and
    order as it will. Everything is in float64.
    """

    def __init__(self, start, seed):
        self.nets, self.recipe, self.train = start.nets, start.recipe, start.train
        self.g = [p.double().requires_grad_() for p in start.generator.parameters]
        self.d = [p.double().requires_grad_() for p in start.discriminator.parameters]
        self.velocity = {id(p): torch.zeros_like(p) for p in self.g + self.d}
        self.average = [p.detach().clone() for p in self.g]
        self.u = [u.double() for u in start.discriminator.vectors]
        self.order, self.stream = random_stream(seed, "order of the data"), random_stream(seed, "noise and dropout")
        self.t = 0

    def noise(self, n):
        return draw_noise(self.nets.noise, n, self.stream).double()

    def mask(self, n, width, keep):
        return Dropout(keep, self.stream).forward(torch.ones(n, width)).double()

    def generate(self, z, told=None):
        z = z if told is None else torch.cat((z, told.generator.double()), 1)
        for i in (0, 2):
            z = torch.relu(z @ self.g[i] + self.g[i + 1])
        made = torch.sigmoid(z @ self.g[4] + self.g[5])
        if told is None or told.visible is None:
            return made
        return torch.where(told.visible == 1, told.image.double(), made)

    def weight(self, i):
        """Of the i-th layer of D, divided by what one power iteration takes for its largest singular value."""
        weight = self.d[2 * i]
        if not self.u:
            return weight
        with torch.no_grad():
            v = weight.t() @ self.u[i]
            v /= v.norm()
            self.u[i] = weight @ v / (weight @ v).norm()
        return weight / (self.u[i].t() @ weight @ v)

    def discriminate(self, x, told=None):
        """Logits, and for each example half its squared slope."""
        x = x.detach().requires_grad_() if not x.requires_grad else x
        layers, y = self.nets.discriminator.hidden, x
        if told is not None:
            y = torch.cat((x, told.discriminator.double().repeat(len(x) // len(told.discriminator), 1)), 1)
        whole = y
        for i, layer in enumerate(layers):
            y = y * self.mask(len(y), y.shape[1], layer.keep)
            sums = y @ self.weight(i) + self.d[2 * i + 1]
            y = torch.stack(sums.chunk(layer.pieces, 1)).max(0).values
        logits = y * self.mask(len(y), y.shape[1], self.nets.discriminator.output.keep) @ self.weight(2) + self.d[5]
        if self.recipe.penalty is None:
            return logits, None
        [slope] = torch.autograd.grad(logits.sum(), whole, create_graph=True)
        return logits, slope[:, :x.shape[1]].square().sum(1) / 2  # not of what is told

    def loss_of_d(self, on_data, on_samples, slopes=None):
        if self.recipe.objective == "relativistic":
            loss = -torch.sigmoid(on_data - on_samples).log().mean()
        else:
            loss = -0.5 * (torch.sigmoid(on_data).log().mean() + (1 - torch.sigmoid(on_samples)).log().mean())
        if slopes is not None:
            of_data, of_samples = slopes.chunk(2)
            both = self.recipe.penalty.on == "data_and_samples"
            loss = loss + self.recipe.penalty.weight * (of_data.mean() + (of_samples.mean() if both else 0))
        return loss

    def loss_of_g(self, on_samples, on_data=None):
        if self.recipe.objective == "relativistic":
            return -torch.sigmoid(on_samples - on_data).log().mean()
        if self.recipe.objective == "minimax":
            return (1 - torch.sigmoid(on_samples)).log().mean()
        return -torch.sigmoid(on_samples).log().mean()

    def step(self, parameters, gradients, momentum):
        rate = max(self.recipe.learning_rate.minimum,
                   self.recipe.learning_rate.initial / self.recipe.learning_rate.decay**self.t)
        rate *= self.recipe.generator_rate if parameters is self.g else 1
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                self.velocity[id(p)] = momentum * self.velocity[id(p)] - rate * gradient
                p += self.velocity[id(p)]

    def tell(self, rows):
        condition = self.nets.condition
        if condition is None:
            return None
        if isinstance(condition, OnClass):
            classes = torch.eye(condition.classes)[self.labels[rows]]
            told = (classes - 1 / condition.classes) / math.sqrt((1 - 1 / condition.classes) / condition.classes)
            return Told(told, told)
        return of_pixels(self.train[rows], draw_visible(condition, len(rows), (1, 1, self.train.shape[1]), self.stream))

    def simultaneous(self, data, told, momentum):
        samples = self.generate(self.noise(len(data)), told)
        logits, slopes = self.discriminate(torch.cat([data, samples]), told)
        on_data, on_samples = logits.split(len(data))
        by_d = torch.autograd.grad(self.loss_of_d(on_data, on_samples, slopes), self.d, retain_graph=True)
        by_g = torch.autograd.grad(self.loss_of_g(on_samples, on_data), self.g)
        self.step(self.d, by_d, momentum)
        self.step(self.g, by_g, momentum)
        return on_data, on_samples

    def alternating(self, data, told, momentum):
        logits, slopes = self.discriminate(torch.cat([data, self.generate(self.noise(len(data)), told)]), told)
        on_data, on_samples = logits.split(len(data))
        self.step(self.d, torch.autograd.grad(self.loss_of_d(on_data, on_samples, slopes), self.d), momentum)
        if (self.t + 1) % self.recipe.discriminator_steps == 0:
            fresh = self.generate(self.noise(len(data)), told)
            if self.recipe.objective == "relativistic":
                on_images, judged = self.discriminate(torch.cat([data, fresh]), told)[0].split(len(data))
            else:
                on_images, judged = None, self.discriminate(fresh, told)[0]
            self.step(self.g, torch.autograd.grad(self.loss_of_g(judged, on_images), self.g), momentum)
        return on_data, on_samples

    def run_epoch(self, epoch):
        m = self.recipe.momentum
        momentum = m.initial + (m.final - m.initial) * min(1, (epoch - 1) / (m.saturates - 1))
        play = self.simultaneous if self.recipe.updates == "simultaneous" else self.alternating
        logits = []
        for rows in torch.randperm(len(self.train), generator=self.order).split(self.recipe.batch_size):
            logits.append(play(self.train[rows].double(), self.tell(rows), momentum))
            self.t += 1
            if self.t % 10 == 0:
                share = self.recipe.average_decay**10
                self.average = [share * a + (1 - share) * p.detach() for a, p in zip(self.average, self.g, strict=True)]
        on_data, on_samples = (torch.cat(half).detach() for half in zip(*logits, strict=True))
        other = (on_samples, on_data) if self.recipe.objective == "relativistic" else (0, 0)
        return {"discriminator_loss": float(self.loss_of_d(on_data, on_samples)),
                "generator_loss": float(self.loss_of_g(on_samples, on_data)),
                "d_on_data": float((on_data - other[0]).sigmoid().mean()),
                "d_on_samples": float((on_samples - other[1]).sigmoid().mean()),
                "momentum": momentum}


LABELS = torch.arange(50) % 3


def training_of(nets, train, seed):
    return Training(nets, train, seed, labels=LABELS if nets.needs_labels else None)


def both(nets, train, seed):
    """A training and the textbook's form of it.

    The discriminator's biases do not start at 0: where dropout leaves none of these few inputs, all pieces of a maxout
    unit would be equal, and the gradient is a matter of convention.
    """
    training = training_of(nets, train, seed)
    for bias in training.discriminator.parameters[1::2]:
        bias.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(seed))
    textbook = Textbook(training, seed)
    textbook.labels = LABELS
    return training, textbook


def assert_close(found, expected, tolerance=2e-6):
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.double(), wanted.detach(), rtol=tolerance, atol=tolerance)


GAMES = {
    "simultaneous": {},
    "simultaneous, minimax": {"objective": Objective.MINIMAX},
    "simultaneous, no momentum, constant rate": {"momentum": Momentum(0, 0, 2),
                                                 "learning_rate": LearningRate(0.1, 1, 0)},
    "alternating, k = 1": {"updates": "alternating"},
    "alternating, k = 2": {"updates": "alternating", "discriminator_steps": 2},
    "alternating, k = 2, minimax": {"updates": "alternating", "discriminator_steps": 2,
                                    "objective": Objective.MINIMAX},
    "two rates": {"generator_rate": 0.3},
    "relativistic": {"objective": Objective.RELATIVISTIC},
    "relativistic, alternating": {"objective": Objective.RELATIVISTIC, "updates": "alternating"},
    "penalty on data": {"penalty": GradientPenalty(0.5, "data")},
    "penalty on data, alternating": {"penalty": GradientPenalty(0.5, "data"), "updates": "alternating"},
    "R3GAN's loss": {"objective": Objective.RELATIVISTIC, "penalty": GradientPenalty(0.5, "data_and_samples")},
    "spectral norm": {"spectral_norm": True},
    "spectral norm, alternating": {"spectral_norm": True, "updates": "alternating"},
    "spectral norm, penalty": {"spectral_norm": True, "penalty": GradientPenalty(0.5, "data_and_samples")},
    "given a class": {"condition": OnClass("class", 3)},
    "given a class, penalty": {"condition": OnClass("class", 3), "penalty": GradientPenalty(0.5, "data")},
    "given a class, alternating": {"condition": OnClass("class", 3), "updates": "alternating"},
    "given pixels": {"condition": OnVisiblePixels("visible_pixels", 0.25)},
    "given pixels, R3GAN's loss": {"condition": OnVisiblePixels("visible_pixels", 0.25),
                                   "objective": Objective.RELATIVISTIC,
                                   "penalty": GradientPenalty(0.5, "data_and_samples")},
}


def made_for(small_nets, condition=None, spectral_norm=False, **recipe):
    """Small nets with these settings, wherever they belong."""
    nets = small_nets(**recipe)
    return replace(nets, condition=condition, discriminator=replace(nets.discriminator, spectral_norm=spectral_norm))


@pytest.mark.parametrize("game", GAMES)
def test_training_is_the_textbooks(small_nets, images, game):
    """Weights, averages and statistics of 21 updates; every third minibatch is a smaller one."""
    nets = made_for(small_nets, **GAMES[game])
    training, textbook = both(nets, images, seed=3)
    start = [p.clone() for p in training.generator.parameters + training.discriminator.parameters]
    for epoch in range(1, 8):
        statistics, expected = vars(training.run_epoch()), textbook.run_epoch(epoch)
        assert statistics["epoch"] == epoch
        assert {name: statistics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
        assert_close(training.generator.parameters, textbook.g)
        assert_close(training.discriminator.parameters, textbook.d)
        assert_close(training.average, textbook.average)
    assert training.updates == 21
    moved = zip(training.generator.parameters + training.discriminator.parameters, start, strict=True)
    for p, first in [*moved][:-1 if nets.recipe.objective == "relativistic" else None]:  # only differences of logits
        assert float((p - first).abs().max()) > 1e-3  # far more than the tolerance


@pytest.mark.parametrize("batch_size", [1, 20, 25, 50, 1000])
def test_the_whole_data_is_seen_whatever_the_size_of_minibatches(small_nets, images, batch_size):
    nets = small_nets(batch_size=batch_size, learning_rate=LearningRate(0.01, 1, 0))
    training, textbook = both(nets, images, seed=1)
    for epoch in (1, 2):
        statistics = training.run_epoch()
        assert statistics.d_on_data == pytest.approx(textbook.run_epoch(epoch)["d_on_data"], rel=1e-5)
    assert training.updates == 2 * math.ceil(50 / batch_size)
    assert_close(training.generator.parameters, textbook.g)


def test_with_k_of_2_the_generator_moves_at_every_second_update_only(small_nets, images):
    """Three minibatches an epoch: G moves once in the first, twice in the second, counted across epochs."""
    nets = small_nets(updates="alternating", discriminator_steps=2, batch_size=50)
    training = Training(nets, images, seed=1)
    moved = []
    for _ in range(6):
        before = [p.clone() for p in training.generator.parameters]
        training.run_epoch()
        moved.append(not all(map(torch.equal, before, training.generator.parameters)))
    assert moved == [False, True] * 3


def test_simultaneous_and_alternating_updates_differ(small_nets, images):
    ends = []
    for updates in ("simultaneous", "alternating"):
        training = Training(small_nets(updates=updates), images, seed=1)
        training.run_epoch()
        ends.append(training.generator.parameters[0])
    assert not torch.allclose(*ends, atol=1e-4)


def test_training_runs_without_dropout(small_nets, images):
    nets = small_nets()
    layers = [replace(layer, keep=1.0) for layer in nets.discriminator.hidden]
    nets = replace(nets, discriminator=DiscriminatorNetwork(layers, DiscriminatorOutput(0.5, 1.0)))
    training, textbook = both(nets, images, seed=1)
    textbook.mask = lambda n, width, keep: torch.ones(n, width).double()
    for epoch in (1, 2):
        training.run_epoch(), textbook.run_epoch(epoch)
    assert_close(training.discriminator.parameters, textbook.d)


def test_training_leaves_the_images_alone(small_nets, images):
    before = images.clone()
    Training(small_nets(), images, seed=1).run_epoch()
    assert torch.equal(images, before)


# --- schedules ---


@settings(deadline=None, max_examples=50)
@given(t=st.integers(0, 10**7))
def test_the_papers_learning_rate(t):
    """max(1e-6, 0.1 / 1.000004^t), by its logarithm; the minimum is reached after 2.88 million updates."""
    expected = max(1e-6, math.exp(math.log(0.1) - t * math.log1p(4e-6)))
    assert LearningRate(0.1, 1.000004, 1e-6).after(t) == pytest.approx(expected, rel=1e-7)


def test_the_learning_rate_starts_at_its_initial_value_and_ends_at_its_minimum():
    rate = LearningRate(0.1, 1.000004, 1e-6)
    assert rate.after(0) == 0.1
    assert rate.after(1) == 0.1 / 1.000004
    assert rate.after(10_000_000) == 1e-6


def test_a_quickly_falling_learning_rate_stays_at_its_minimum():
    assert LearningRate(0.1, 1.01, 1e-6).after(80_000) == 1e-6  # 160 epochs of MNIST


def test_the_papers_momentum():
    """0.5 in the first epoch, 0.5 + 0.2·(e − 1)/249 in epoch e, 0.7 from epoch 250 on."""
    momentum = Momentum(0.5, 0.7, 250)
    assert momentum.during(1) == 0.5
    assert momentum.during(2) == pytest.approx(0.5 + 0.2 / 249)
    assert momentum.during(125) == pytest.approx(0.5 + 0.2 * 124 / 249)
    assert momentum.during(249) == pytest.approx(0.7 - 0.2 / 249)
    for epoch in (250, 251, 1000):
        assert momentum.during(epoch) == pytest.approx(0.7)


def test_statistics_report_the_schedules(small_nets, images):
    training = Training(small_nets(), images, seed=1)
    epochs = [training.run_epoch() for _ in range(6)]
    assert [s.epoch for s in epochs] == [1, 2, 3, 4, 5, 6]
    assert [s.learning_rate for s in epochs] == pytest.approx(
        [max(0.075, 0.1 / 1.02**t) for t in (0, 3, 6, 9, 12, 15)])
    assert [s.momentum for s in epochs] == pytest.approx([0.5, 0.5 + 0.2 / 3, 0.5 + 0.4 / 3, 0.7, 0.7, 0.7])


# --- the moving average ---


def test_the_average_moves_at_every_tenth_update_with_the_decays_tenth_power(small_nets, images):
    training = Training(small_nets(batch_size=50, average_decay=0.95), images, seed=1)
    average = [p.clone() for p in training.generator.parameters]
    for update in range(1, 31):
        training.run_epoch()  # of one update
        if update % 10 == 0:
            average = [0.95**10 * a + (1 - 0.95**10) * p
                       for a, p in zip(average, training.generator.parameters, strict=True)]
        assert_close(training.average, [a.double() for a in average], tolerance=1e-6)


def test_an_average_without_memory_is_the_weights_themselves(small_nets, images):
    training = Training(small_nets(batch_size=50, average_decay=0), images, seed=1)
    for _ in range(10):
        training.run_epoch()
    assert all(map(torch.equal, training.average, training.generator.parameters))
    training.run_epoch()
    assert not any(map(torch.equal, training.average, training.generator.parameters))


# --- seeds and saved states ---


def assert_same_bits(state, other):
    assert state.keys() == other.keys()
    for name in state:
        assert torch.equal(state[name], other[name]), name


RESUMED = ["simultaneous", "alternating, k = 2", "R3GAN's loss", "spectral norm, penalty", "given a class",
           "given pixels"]


@pytest.mark.parametrize("game", RESUMED)
def test_going_on_from_a_saved_state_gives_the_same_bits(small_nets, images, game):
    nets = made_for(small_nets, **GAMES[game])
    whole = training_of(nets, images, seed=5)
    statistics = [whole.run_epoch() for _ in range(4)]
    first = training_of(nets, images, seed=5)
    halves = [first.run_epoch() for _ in range(2)]
    second = training_of(nets, images, seed=6)  # whose own start must not matter
    second.restore(first.state())
    halves += [second.run_epoch() for _ in range(2)]
    assert halves == statistics
    assert second.epoch == 4
    assert_same_bits(second.state(), whole.state())


class Stop(Exception):
    pass


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(game=st.sampled_from(RESUMED), stops=st.lists(st.integers(1, 9), max_size=3))
def test_going_on_within_an_epoch_gives_the_same_bits(small_nets, images, game, stops):
    """Whole epochs against a training that is stopped after so many updates, and gone on with by another, each time."""
    nets = made_for(small_nets, **GAMES[game], batch_size=20)
    whole = training_of(nets, images, seed=5)
    statistics = [whole.run_epoch() for _ in range(4)]
    training, found, left = training_of(nets, images, seed=5), [], [0]

    def stop_after_so_many():
        left[0] -= 1
        if not left[0]:
            raise Stop
    for stop in [*stops, 1000]:
        left[0] = stop
        try:
            while training.epoch < 4:
                found.append(training.run_epoch(stop_after_so_many))
        except Stop:
            state = training.state()
            training = training_of(nets, images, seed=6)
            training.restore(state)
    assert found == statistics
    assert_same_bits(training.state(), whole.state())


# --- several seeds as one computation ---


@pytest.mark.parametrize("game", [*GAMES, "norms"])
def test_seeds_computed_together_are_those_computed_alone(small_nets, images, game):
    """To rounding: batched products add in another order. The streams are the same to the bit."""
    nets = made_for(small_nets, **GAMES.get(game, {"maximum_norm": 0.8}), average_decay=0.9)
    together = training_of(nets, images, seed=[3, 1, 4])
    alone = [training_of(nets, images, seed) for seed in (3, 1, 4)]
    for _ in range(4):
        found, expected = together.run_epochs(), [training.run_epoch() for training in alone]
        for mine, wanted in zip(found, expected, strict=True):
            assert vars(mine) == pytest.approx(vars(wanted), rel=1e-4)
    for k, training in enumerate(alone):
        mine, wanted = together.state(k), training.state()
        assert mine.keys() == wanted.keys()
        for name in wanted:
            if wanted[name].is_floating_point():
                torch.testing.assert_close(mine[name], wanted[name], rtol=2e-5, atol=2e-6, msg=name)
            else:
                assert torch.equal(mine[name], wanted[name]), name


def test_a_seeds_state_goes_from_alone_to_together_and_back(small_nets, images):
    alone = [Training(small_nets(), images, seed) for seed in (1, 2)]
    for training in alone:
        training.run_epoch()
    together = Training(small_nets(), images, seed=[7, 8])
    for k, training in enumerate(alone):
        together.restore(training.state(), k)
        assert_same_bits(together.state(k), training.state())
    together.run_epochs()
    alone[1].restore(together.state(1))
    assert_same_bits(alone[1].state(), together.state(1))


def test_a_seed_does_not_depend_on_those_it_is_computed_with(small_nets, images):
    some, others = (Training(small_nets(), images, seed=seeds) for seeds in ([1, 2, 3], [9, 2, 8]))
    some.run_epochs(), others.run_epochs()
    assert_same_bits(some.state(1), others.state(1))


def test_convolutions_are_not_computed_together(small_nets):
    convolution = TransposedConvolution(torch.zeros(1, 1, 2, 2), torch.zeros(4), 1, 1, "linear")
    with pytest.raises(ValueError, match="TransposedConvolution cannot be computed for several networks"):
        stack([[convolution], [convolution]])


def test_a_saved_state_is_a_copy(small_nets, images):
    training = Training(small_nets(), images, seed=5)
    state = training.state()
    copies = {name: tensor.clone() for name, tensor in state.items()}
    training.run_epoch()
    assert_same_bits(state, copies)
    training.restore(state)
    training.run_epoch()
    assert_same_bits(state, copies)


def test_the_same_seed_gives_the_same_bits_whatever_else_is_run(small_nets, images):
    """Not another seed before, between or after; not the global generator."""
    torch.manual_seed(1)
    alone = Training(small_nets(), images, seed=2)
    alone.run_epoch(), alone.run_epoch()
    torch.manual_seed(2)
    other = Training(small_nets(), images, seed=1)
    among = Training(small_nets(), images, seed=2)
    other.run_epoch(), among.run_epoch(), torch.rand(5), other.run_epoch(), among.run_epoch()
    assert_same_bits(among.state(), alone.state())


def test_another_seed_gives_other_weights_order_and_noise(small_nets, images):
    one, other = (Training(small_nets(), images, seed).state() for seed in (1, 2))
    for name in ("generator.0", "discriminator.0", "stream.order", "stream.noise"):
        assert not torch.equal(one[name], other[name])


def test_every_epoch_has_an_order_of_its_own(small_nets, images):
    training = Training(small_nets(), images, seed=1)
    orders = []
    for _ in range(2):
        stream = torch.Generator()
        stream.set_state(training.state()["stream.order"])
        orders.append(torch.randperm(50, generator=stream).tolist())
        training.run_epoch()
    assert orders[0] != orders[1]


def test_a_state_of_other_networks_is_refused_and_nothing_is_changed(small_nets, images):
    training = Training(small_nets(), images, seed=1)
    before = training.state()
    nets = small_nets()
    wider = replace(nets, generator=replace(nets.generator, hidden=[GeneratorLayer(9, "relu", 0.5),
                                                                    GeneratorLayer(10, "relu", 0.5)]))
    shallower = replace(nets, generator=replace(nets.generator, hidden=nets.generator.hidden[:1]))
    for other in (Training(wider, images, seed=1), Training(shallower, images, seed=1),
                  Training(nets, torch.rand(50, 7), seed=1)):
        with pytest.raises(ValueError, match="other networks"):
            training.restore(other.state())
        with pytest.raises(ValueError, match="other networks"):
            other.restore(before)
    assert_same_bits(training.state(), before)


# --- divergence ---


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("which", [0, -1])
def test_a_weight_that_is_not_finite_ends_training_and_names_the_epoch(small_nets, images, player, which, poison):
    training = Training(small_nets(), images, seed=1)
    training.run_epoch(), training.run_epoch()
    getattr(training, player).parameters[which].view(-1)[0] = poison
    with pytest.raises(TrainingDiverged, match="diverged in epoch 3") as raised:
        training.run_epoch()
    assert raised.value.epoch == 3
    assert isinstance(raised.value, ReproductionError)
    assert "learning_rate" in str(raised.value)


def test_a_loss_that_is_not_finite_ends_training_while_all_weights_still_are(small_nets, images):
    """Logits of 3e38: finite each, their sum is not, and gradients by logits never exceed 1."""
    training = Training(small_nets(learning_rate=LearningRate(1e-30, 1, 0)), images, seed=1)
    training.discriminator.parameters[-1].fill_(3e38)
    with pytest.raises(TrainingDiverged, match=r"losses inf \(D\)"):
        training.run_epoch()
    assert all(bool(p.isfinite().all()) for p in training.discriminator.parameters + training.generator.parameters)


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_a_huge_learning_rate_ends_training(small_nets, images, updates):
    nets = small_nets(updates=updates, learning_rate=LearningRate(1e30, 1, 0))
    with pytest.raises(TrainingDiverged, match="diverged in epoch 1"):
        Training(nets, images, seed=1).run_epoch()


def test_an_image_that_is_not_finite_ends_training(small_nets, images):
    poisoned = images.clone()
    poisoned[7, 2] = math.nan
    with pytest.raises(TrainingDiverged, match="diverged in epoch 1"):
        Training(small_nets(), poisoned, seed=1).run_epoch()


# --- settings ---


@pytest.mark.parametrize(("make", "key"), [
    (lambda: LearningRate(0, 1, 0), "initial"),
    (lambda: LearningRate(math.nan, 1, 0), "initial"),
    (lambda: LearningRate(0.1, 0.99, 0), "decay"),
    (lambda: LearningRate(0.1, 1, -1), "minimum"),
    (lambda: LearningRate(0.1, 1, 0.2), "minimum"),
    (lambda: Momentum(1, 0.7, 250), "initial"),
    (lambda: Momentum(-0.1, 0.7, 250), "initial"),
    (lambda: Momentum(0.5, 1, 250), "final"),
    (lambda: Momentum(0.5, -0.1, 250), "final"),
    (lambda: Momentum(0.5, 0.7, 1), "saturates"),
])
def test_schedules_out_of_range_name_their_key(make, key):
    with pytest.raises(ValueError, match=f"^{key} must be "):
        make()


@pytest.mark.parametrize(("changes", "key"), [
    ({"epochs": 0}, "epochs"),
    ({"batch_size": 0}, "batch_size"),
    ({"discriminator_steps": 0}, "discriminator_steps"),
    ({"discriminator_steps": 2}, "discriminator_steps"),  # with simultaneous updates
    ({"average_decay": 1}, "average_decay"),
    ({"average_decay": -0.1}, "average_decay"),
    ({"maximum_norm": 0}, "maximum_norm"),
    ({"maximum_norm": math.inf}, "maximum_norm"),
])
def test_recipes_out_of_range_name_their_key(small_nets, changes, key):
    with pytest.raises(ValueError, match=f"^{key} must be "):
        small_nets(**changes)


def test_several_discriminator_steps_are_for_alternating_updates(small_nets):
    assert isinstance(small_nets(updates="alternating", discriminator_steps=3).recipe, Recipe)


# --- limited norms ---


@pytest.mark.parametrize("updates", ["simultaneous", "alternating"])
def test_no_norm_into_a_unit_exceeds_its_maximum_before_the_first_update_and_after_each(small_nets, images, updates):
    """pylearn2 projects when training starts and after every update; the averages start from projected weights."""
    def largest(training: Training) -> float:
        weights = [*training.generator.parameters[::2], *training.discriminator.parameters[::2], *training.average[::2]]
        return max(float(weight.norm(dim=0).max()) for weight in weights)

    limit = 0.9
    assert largest(Training(small_nets(updates=updates), images, 1)) > limit
    training = Training(small_nets(updates=updates, maximum_norm=limit), images, 1)
    assert largest(training) <= limit * (1 + 1e-6)
    training.run_epoch()
    assert largest(training) <= limit * (1 + 1e-6)


def test_a_maximum_that_is_never_reached_changes_nothing(small_nets, images):
    free, limited = Training(small_nets(), images, 1), Training(small_nets(maximum_norm=1e6), images, 1)
    free.run_epoch(), limited.run_epoch()
    one, other = free.state(), limited.state()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not multiplies_bfloat16(), reason="this processor does not multiply bfloat16")
def test_training_in_bfloat16_is_the_same_twice_and_near_float32(small_nets):
    """Wide enough that oneDNN rounds."""
    images = torch.rand(120, 64, generator=torch.Generator().manual_seed(0))
    nets = small_nets()
    nets = replace(
        nets, generator=replace(nets.generator, hidden=[replace(layer, units=64) for layer in nets.generator.hidden]),
        discriminator=replace(nets.discriminator, hidden=[replace(layer, units=32) for layer in
                                                          nets.discriminator.hidden]))

    def trained(precision):
        training = Training(replace(nets, recipe=replace(nets.recipe, precision=precision)), images, 3)
        return [training.run_epoch() for _ in range(3)], training.state()

    (rows, state), (again, same) = (trained("bfloat16") for _ in range(2))
    assert rows == again
    assert all(torch.equal(tensor, same[name]) for name, tensor in state.items())
    exact, exact_state = trained("float32")
    assert vars(rows[-1]) == pytest.approx(vars(exact[-1]), rel=0.05)
    assert {tensor.dtype for name, tensor in state.items() if name.startswith("generator")} == {torch.float32}
    assert not torch.equal(state["discriminator.0"], exact_state["discriminator.0"])
