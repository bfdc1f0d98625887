"""Captured updates: their bookkeeping on any machine, the graph itself where there is a GPU."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gan.adversarial.cuda_graph import CapturedUpdates
from gan.adversarial.settings import GradientPenalty, LearningRate, Momentum, Objective
from gan.adversarial.training import Training

GAMES = {
    "simultaneous": {},
    "alternating, k = 1": {"updates": "alternating"},
    "alternating, k = 2, minimax": {"updates": "alternating", "discriminator_steps": 2,
                                    "objective": Objective.MINIMAX},
    "a rate that falls to its minimum at once": {"learning_rate": LearningRate(0.05, 1e9, 0.01)},
    "norms": {"maximum_norm": 0.8},
    "R3GAN's loss": {"objective": Objective.RELATIVISTIC, "penalty": GradientPenalty(0.5, "data_and_samples")},
    "R1, alternating, two rates": {"updates": "alternating", "penalty": GradientPenalty(0.5, "data"),
                                   "generator_rate": 2.0},
}
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")


def assert_close(found, expected, rtol=1e-5, atol=1e-6):
    assert found.keys() == expected.keys()
    for name in expected:
        if expected[name].is_floating_point():
            torch.testing.assert_close(found[name], expected[name], rtol=rtol, atol=atol, msg=name)
        elif not name.startswith("stream"):
            assert torch.equal(found[name], expected[name]), name


class Replayed(CapturedUpdates):
    """What a graph does, done by the processor: the captured update is run anew at each replay."""

    captured = 0

    def _capture(self, moves_generator, momentum):
        self.captured += 1
        return SimpleNamespace(replay=lambda: self._update(moves_generator, momentum))


@pytest.mark.parametrize("seed", [1, [1, 2]])
@pytest.mark.parametrize("game", GAMES)
def test_replays_move_on_as_updates_do(small_nets, images, game, seed):
    """Minibatch, learning rate and place of the logits come from tensors; the last minibatch is smaller. Momentum,
    which rises until epoch 4, is each graph's own."""
    eager, replayed = (Training(small_nets(**GAMES[game]), images, seed) for _ in range(2))
    captured = replayed._captured = Replayed(replayed)
    for epoch in range(5):
        with torch.no_grad():
            for mine, wanted in zip(replayed.run_epochs(), eager.run_epochs(), strict=True):
                assert vars(mine) == pytest.approx(vars(wanted), rel=1e-5)
        if epoch == 2:  # a state from elsewhere
            for k in range(len(eager.seeds)):
                replayed.restore(eager.state(k), k)
    for k in range(len(eager.seeds)):
        assert_close(replayed.state(k), eager.state(k))
        assert torch.equal(replayed.state(k)["stream.noise"], eager.state(k)["stream.noise"])
    assert captured.captured == 4 * (2 if "k = 2" in game else 1)


class Stream:
    """A stream that notes whom it waits for; everything runs at once, in the order in which it is started."""

    device = torch.device("cpu")
    now = None

    def __init__(self):
        self.begun = False  # something was started on it that nobody waited for

    def wait_stream(self, other):
        if self is MAIN:
            assert other.begun, "a capture may not wait for a stream that is not part of it"
            other.begun = False
        else:
            self.begun = True


MAIN = Stream()


@pytest.mark.parametrize("seed", [1, [1, 2]])
@pytest.mark.parametrize("game", GAMES)
def test_what_runs_beside_on_a_gpu_is_waited_for_and_changes_no_bit(small_nets, images, game, seed, monkeypatch):
    """With streams that run at once: masks are drawn ahead, parameters moved after the other player's backward pass."""
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: MAIN)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    plain, beside = (Training(small_nets(**GAMES[game]), images, seed) for _ in range(2))
    streams = []
    for network in (beside.generator, beside.discriminator):
        network._beside = Stream()
        streams.append(network._beside)
    for _ in range(3):
        assert beside.run_epochs() == plain.run_epochs()
        assert not any(stream.begun for stream in streams)
    for k in range(len(plain.seeds)):
        for name, tensor in plain.state(k).items():
            assert torch.equal(beside.state(k)[name], tensor), name


@on_a_gpu
@pytest.mark.parametrize("seed", [1, [1, 2, 3]])
@pytest.mark.parametrize("game", GAMES)
def test_the_graph_replays_the_bits_of_eager_updates(small_nets, images, game, seed):
    nets = small_nets(**GAMES[game])
    eager, captured = (Training(nets, images, seed, "cuda", captured=graph) for graph in (False, True))
    for _ in range(5):
        assert [vars(row) for row in captured.run_epochs()] == [vars(row) for row in eager.run_epochs()]
    for k in range(len(eager.seeds)):
        for name, tensor in eager.state(k).items():
            assert torch.equal(captured.state(k)[name], tensor), name


@on_a_gpu
@pytest.mark.parametrize("game", GAMES)
def test_a_gpu_agrees_with_the_processor_on_the_same_random_numbers(small_nets, images, game):
    nets = small_nets(**GAMES[game])
    cpu, gpu = Training(nets, images, 1), Training(nets, images, 1, "cuda", draws_on="cpu")
    for _ in range(5):
        assert vars(gpu.run_epoch()) == pytest.approx(vars(cpu.run_epoch()), rel=1e-3)
    assert_close(gpu.state(), cpu.state(), rtol=1e-3, atol=1e-5)


@on_a_gpu
def test_going_on_from_a_state_gives_the_bits_of_an_undisturbed_training_on_a_gpu(small_nets, images):
    class Stop(Exception):
        pass

    def stop():
        raise Stop
    whole, first = (Training(small_nets(), images, 5, "cuda") for _ in range(2))
    statistics = [whole.run_epoch() for _ in range(4)]
    found = [first.run_epoch(), first.run_epoch()]
    with pytest.raises(Stop):
        first.run_epoch(stop)
    second = Training(small_nets(), images, 6, "cuda")
    second.restore(first.state())
    found += [second.run_epoch(), second.run_epoch()]
    assert found == statistics
    for name, tensor in whole.state().items():
        assert torch.equal(second.state()[name], tensor), name


@on_a_gpu
def test_tf32_is_for_the_training_that_asks_for_it(small_nets):
    images = torch.rand(200, 784, generator=torch.Generator().manual_seed(0))
    ends = [Training(replace(nets, recipe=replace(nets.recipe, momentum=Momentum(0.5, 0.5, 2))), images, 1, "cuda")
            for nets in (small_nets(), small_nets(precision="tf32"))]
    for training in ends:
        training.run_epoch()
        assert not torch.backends.cuda.matmul.allow_tf32
    first, second = (training.generator.parameters[-2] for training in ends)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, second, rtol=0.05, atol=0.005)
