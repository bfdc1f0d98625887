"""How long the lessons will take, and what one on a folder of the user's own needs besides."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from gan.errors import ParameterError
from gan.evaluation import features
from gan.lessons.catalogue import LESSONS
from gan.lessons.minibatch_gan import GAMES
from gan.lessons.pictures import PictureGame, require_playable
from gan.lessons.settings import MinibatchGan
from pipeline.artifacts.prepared import bytes_read
from pipeline.artifacts.raw import local_folders, raw_folder
from pipeline.commands.timing import Seconds, rounds, span
from pipeline.settings.inheritance import SMOKE
from pipeline.settings.parameters import FILE as PARAMETERS
from pipeline.settings.parameters import Parameters, lesson_settings

SMOKE_SECONDS = 5
LESSON_SECONDS = {"figure_1": 10, "optimal_discriminator": 15, "global_optimum": 17, "convergence": 2,
                  "non_saturating": 110, "self_play": 15, "robust_optimisation": 5, "adversarial_examples": 80,
                  "vector_arithmetic": 75, "non_convergence": 2, "mode_collapse": 98, "minibatch_features": 50,
                  "minibatch_gan": 205, "honest_pictures": 110, "problems_measured": 75, "image_to_image": 79,
                  "plug_and_play": 85, "many_answers": 9, "next_frame": 50, "markets": 8}
"""What each took on two cores of an AMD EPYC; lessons are too unlike each other to be timed by a few steps. One that is
run by name alone is timed: its pictures are not known before."""


@dataclass(frozen=True)
class Needs:
    """Of a lesson on pictures; `images` is 0 where it cannot be told how many there are."""

    images: int
    shape: tuple[int, int, int]
    stored: int
    """bytes"""
    read: int
    """bytes of memory"""
    weights: tuple[int, int]
    """of G and of D"""
    on_gpu: int | None
    """bytes of its memory, while a step is made"""
    seconds: Seconds

    def __str__(self) -> str:
        generator, discriminator = (f"{count / 1e6:,.1f}" for count in self.weights)
        images = (f"{self.images:,} images of {'×'.join(map(str, self.shape))}, {_size(self.stored)} on disk and "
                  f"{_size(self.read)} of memory to read them" if self.images
                  else "how many images there are cannot be told, so the time is without their classifier’s")
        return (f"{images}; {generator} million weights of G and {discriminator} of D"
                + (f", {_size(self.on_gpu)} of the GPU’s memory" if self.on_gpu is not None else "")
                + f"; about {span(self.seconds)}")


def known_seconds(names: Iterable[str], profile: str) -> int:
    """Of the lessons among `names` whose time is known."""
    return sum(SMOKE_SECONDS if profile == SMOKE else LESSON_SECONDS[name]
               for name in names if not LESSONS[name].by_name)


def needs(planned: Parameters, name: str, device: torch.device) -> Needs:
    """What a lesson on pictures that is run by name needs, from a few steps of its games and of its classifier."""
    settings, data = lesson_settings(planned.raw, name, planned.profile), LESSONS[name].data
    if not isinstance(settings, MinibatchGan):
        raise ValueError(f"{name} is no game on pictures")
    loader = planned.datasets[data]
    try:
        require_playable(loader.shape)
    except ValueError as error:
        raise ParameterError(f"{PARAMETERS}: lesson {name} cannot be played on the data set {data}", found=str(error),
                             remedy=f"change datasets.{data}") from error
    sizes = loader.sizes(raw_folder(data), local_folders())
    images, values = sum(sizes.values()), sum(sizes.values()) * math.prod(loader.shape)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds: Seconds = np.zeros(2)
    weights = (0, 0)
    for game in GAMES:
        play = PictureGame(torch.randn(settings.batch, math.prod(loader.shape)), loader.shape[-1], 0, settings.noise,
                           settings.channels, settings.batch, settings.discriminator_rate, settings.generator_rate,
                           settings.features if game == "with" else 0, settings.width, device)
        seconds = seconds + len(settings.seeds) * settings.steps * rounds(play.play)
        weights = (_weights(play.generator), _weights(play.discriminator))
    seconds = seconds + _classifier(planned, data, sizes["train"], device)
    return Needs(images, loader.shape, values, bytes_read(values), weights,
                 torch.cuda.max_memory_allocated(device) if on_gpu else None, seconds)


def _classifier(planned: Parameters, data: str, images: int, device: torch.device) -> Seconds:
    """Seconds of training the network in whose features pictures are seen."""
    settings, shape = planned.assess(planned.profile, data).features, planned.datasets[data].shape
    batch = torch.randn(settings.batch_size, math.prod(shape))
    labels = torch.arange(settings.batch_size) % 2
    epoch = rounds(lambda: features.train(replace(settings, epochs=1), shape, batch, labels, 0, device))
    return epoch * settings.epochs * images / settings.batch_size


def _weights(network: torch.nn.Module) -> int:
    return sum(parameters.numel() for parameters in network.parameters())


def _size(amount: int) -> str:
    return f"{amount / 1e9:,.1f} GB" if amount >= 1e8 else f"{amount / 1e6:,.1f} MB"
