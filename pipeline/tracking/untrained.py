"""Samples of a model before its training, from the noise that pictures of training are drawn from.

They are drawn by a model made anew, with random streams of its own: training's bytes are the same with and without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where needed: torch takes seconds
    import torch

    from gan.datasets.dataset import Dataset

STREAM = "pictures of training"
"""as the stage `train` calls it"""


def samples(settings: Mapping[str, Any], seed: int, dataset: Dataset, n: int, start: int = 1
            ) -> list[tuple[str, torch.Tensor]]:
    """n samples [n, d] of each variant, on the CPU; none where the model cannot be had or has none yet."""
    try:
        return _samples(settings["model"], seed, dataset, n, start)
    except Exception:  # a picture less; training will say what is wrong, if anything is
        return []


def _samples(content: Any, seed: int, dataset: Dataset, n: int, start: int) -> list[tuple[str, torch.Tensor]]:
    import torch

    from gan.linear_algebra import random_stream
    from gan.registry import create
    from pipeline.artifacts.trained import model_settings
    from pipeline.runtime import machine

    settings, device = model_settings(content), machine.choose_device()
    with torch.no_grad():
        if settings.kind == "adversarial_nets" and len(settings.games()) > 1:
            return [(variant, drawn) for drawn in [_whole(settings, seed, dataset, n)] for variant in ("raw", "ema")]
        model = create(settings, dataset.train, seed, device, dataset.shape, start)
        return [(variant, model.sample(model.weights(variant), n, random_stream(seed, STREAM, device)).to(
            "cpu", copy=True)) for variant in model.variants]


def _whole(settings: Any, seed: int, dataset: Dataset, n: int) -> torch.Tensor:
    """Of G as it is after pretraining, which trains another one: with initial weights of its own."""
    from gan.adversarial.layers import Network
    from gan.adversarial.networks import draw_noise, whole_generator
    from gan.linear_algebra import random_stream

    layers = whole_generator(settings, dataset.train, dataset.shape, random_stream(seed, "untrained generator"))
    return Network(layers).forward(draw_noise(settings.noise, n, random_stream(seed, STREAM)))
