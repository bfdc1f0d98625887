"""The variants of the released recipe, captured on a GPU: the bits of their eager updates."""

import pytest
import torch

from pipeline.bare.options import VARIANTS
from pipeline.bare.variants import variants

SEEDS = (1, 2, 3)


@pytest.mark.parametrize("key", sorted(set(VARIANTS) - {"independent", "plain"}))
def test_a_captured_variant_has_the_bits_of_eager_updates(nets, images, key):
    _, changed, kind = variants(nets)[key]
    captured, eager = (kind(changed, images, SEEDS, "cuda", captured=graph) for graph in (True, False))
    for _ in range(4):
        assert captured.run_epochs() == eager.run_epochs()
    for a, b in zip(captured.generator.parameters, eager.generator.parameters, strict=True):
        assert torch.equal(a, b)


def test_float64_on_a_gpu_is_the_processors(nets, images):
    _, changed, kind = variants(nets)["float64"]
    cpu, gpu = kind(changed, images, 1), kind(changed, images, 1, "cuda", draws_on="cpu")
    for _ in range(4):
        assert vars(gpu.run_epoch()) == pytest.approx(vars(cpu.run_epoch()), rel=1e-6)
    assert gpu.logits.dtype == torch.float64
