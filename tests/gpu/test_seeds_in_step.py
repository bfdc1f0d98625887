"""Ten seeds in step on a GPU, captured: what each of them would be alone, and as quick as promised."""

import itertools
from dataclasses import replace

import pytest
import torch

from gan.adversarial.training import Training

SEEDS = tuple(range(1, 11))


@pytest.mark.parametrize("changes", [{}, {"updates": "alternating"}, {"maximum_norm": 1.2}],
                         ids=["simultaneous", "alternating", "norms"])
def test_captured_ten_seeds_in_step_are_single_seeds_to_rounding(nets, images, changes):
    nets = replace(nets, recipe=replace(nets.recipe, **changes))
    together = Training(nets, images, SEEDS, "cuda")
    rows = [together.run_epochs() for _ in range(4)]
    for k in (0, 4, 9):
        alone = Training(nets, images, SEEDS[k], "cuda")
        for row in rows:
            assert vars(row[k]) == pytest.approx(vars(alone.run_epoch()), rel=1e-3, abs=1e-4)
        state, expected = together.state(k), alone.state()
        assert torch.equal(state["stream.noise"], expected["stream.noise"])
        for name, tensor in expected.items():
            if tensor.is_floating_point():
                torch.testing.assert_close(state[name], tensor, rtol=1e-2, atol=1e-3, msg=name)


def test_captured_ten_seeds_have_the_bits_of_eager_ones(nets, images):
    captured, eager = (Training(nets, images, SEEDS, "cuda", captured=graph) for graph in (True, False))
    for _ in range(4):
        assert captured.run_epochs() == eager.run_epochs()
    for k in range(len(SEEDS)):
        for name, tensor in eager.state(k).items():
            assert torch.equal(captured.state(k)[name], tensor), name


def test_a_captured_training_gives_the_same_bits_each_time(nets, images):
    first, second = (Training(nets, images, SEEDS, "cuda") for _ in range(2))
    for _ in range(4):
        assert first.run_epochs() == second.run_epochs()
    assert torch.equal(first.logits, second.logits)


def test_training_on_a_gpu_draws_every_update_anew(nets, images):
    """Noise and masks of a replay go on where the last one ended."""
    training = Training(nets, images, SEEDS, "cuda")
    offsets = []
    for _ in range(3):
        training.run_epochs()
        offsets.append([stream.get_offset() for stream in training.noises])
    assert all(earlier < later for before, after in itertools.pairwise(offsets)
               for earlier, later in zip(before, after, strict=True))
