"""What is timed: the networks of the experiment `mnist` under the profile `paper`, on MNIST; or tiny ones."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gan.adversarial.settings import (
    AdversarialNets,
    DiscriminatorNetwork,
    DiscriminatorOutput,
    GeneratorLayer,
    GeneratorNetwork,
    GeneratorOutput,
    MaxoutLayer,
    Noise,
)
from gan.datasets.dataset import Dataset
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.runtime import files
from pipeline.settings import parameters
from tests.benchmarks.timing import Effort


def nets(effort: Effort) -> AdversarialNets:
    """The paper's, or the same kind with a few units."""
    model = parameters.load().experiment("mnist").train.model
    assert isinstance(model, AdversarialNets)
    if not effort.tiny:
        return model
    return replace(
        model, noise=Noise(4, "uniform"),
        generator=GeneratorNetwork([GeneratorLayer(9, "relu", 0.5), GeneratorLayer(8, "relu", 0.5)],
                                   GeneratorOutput("sigmoid", 0.5, "marginal_logit")),
        discriminator=DiscriminatorNetwork([MaxoutLayer(7, 3, 0.5, 0.8), MaxoutLayer(5, 2, 0.5, 0.5)],
                                           DiscriminatorOutput(0.5, 0.5)),
        recipe=replace(model.recipe, batch_size=20))


def dataset(effort: Effort) -> Dataset:
    """MNIST, which `dvc repro prepare@mnist` prepares; or 6 × 6 pixels of noise."""
    if not effort.tiny:
        return read_dataset(prepared_file("mnist"))
    noise = torch.rand(300, 36, generator=torch.Generator().manual_seed(0))
    return Dataset("noise", (1, 6, 6), noise[:200], noise[200:250], noise[250:])


def pixels(effort: Effort) -> Tensor:
    """The training images as a file has them: uint8 [N, H, W]."""
    if not effort.tiny:
        tensors, about = files.read_tensors(prepared_file("mnist"))
        return tensors["train"].view(-1, *about["shape"][1:])
    return (dataset(effort).train * 255).to(torch.uint8).view(-1, 6, 6)


def few(effort: Effort, full: int, quick: int, tiny: int) -> int:
    """A size by how much effort is to be made."""
    return full if effort.full else tiny if effort.tiny else quick
