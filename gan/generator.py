"""The public way to a trained generator: load it from its file of weights and sample from it.

>>> from gan.generator import Generator
>>> images = Generator.load("artifacts/mnist/models/seed-1.safetensors", "ema").sample(16, seed=0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor

from gan.adversarial.bidirectional_settings import BidirectionalNets
from gan.adversarial.conditions import Told, class_codes, even_told, generate, of_classes, of_pixels
from gan.adversarial.layers import Network
from gan.adversarial.networks import draw_noise, load, whole_generator
from gan.adversarial.settings import AdversarialNets, OnClass, OnVisiblePixels, Shape
from gan.errors import DataError, ReproductionError
from gan.linear_algebra import random_stream
from gan.weights import read_description, read_weights


class Generator:
    """G of trained adversarial nets, or of bidirectional ones, with the weights of one variant, on the CPU."""

    def __init__(self, nets: AdversarialNets, shape: Shape, weights: Mapping[str, Tensor]) -> None:
        """`weights` by the names "0", "1", … in the order of G's layers. ValueError if they are of other networks."""
        self.nets, self.shape = nets, shape
        names = [str(i) for i in range(len(weights))]
        if set(names) != set(weights):
            raise ValueError(f"the weights are named {', '.join(weights)}, not 0, 1, …")
        images = torch.zeros(1, math.prod(shape))  # initial weights may depend on images; they are replaced
        self._network = Network(whole_generator(nets, images, shape, random_stream(0, "replaced weights")))
        load(self._network.layers, [weights[name] for name in names])

    @classmethod
    def load(cls, path: Path | str, variant: str = "ema") -> Generator:
        """From a file of weights, `artifacts/<experiment>/models/seed-<n>.safetensors`, in float32 or in less.

        `variant` is `raw` for the trained weights or `ema` for their exponential moving average. DataError if the file
        is missing, damaged, not a file of weights or of a model without a generator; ReproductionError for another
        variant.
        """
        description = read_description(path)
        if (kind := description.model["kind"]) not in ("adversarial_nets", "bidirectional_nets"):
            raise DataError(f"{path} holds no generator that can be loaded",
                            expected="weights of adversarial_nets or bidirectional_nets", found=kind,
                            remedy="name a file of an experiment with such nets")
        weights = {name: tensor.float() for name, tensor in read_weights(path, variant).items()}
        try:
            if kind == "bidirectional_nets":
                pairs = TypeAdapter(BidirectionalNets).validate_python(description.model)
                nets = AdversarialNets("adversarial_nets", pairs.noise, pairs.generator, pairs.discriminator,
                                       pairs.recipe)
                weights = {name: tensor for name, tensor in weights.items() if "." not in name}  # without the encoders'
            else:
                nets = TypeAdapter(AdversarialNets).validate_python(description.model)
            return cls(nets, description.shape, weights)
        except ValueError as error:  # pydantic's are ValueErrors, too
            raise DataError(f"{path}: its settings and its weights do not fit each other",
                            expected="a file as the stage `train` wrote it", found=str(error),
                            remedy="delete it and run `dvc repro`") from error

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n samples, float32 [n, C, H, W] on the CPU, in the data's scale: [0, 1], or normalised as the data were.

        They are the same for the same `seed`, that of the noise, of which torch keeps 32 bits. Of nets that are told a
        class, class after class and around again. ReproductionError if n is below 1.
        """
        return self._drawn(n, seed, even_told(self.nets, n, math.prod(self.shape)) if n > 0 else None)

    def sample_class(self, number: int, n: int, seed: int = 0) -> Tensor:
        """As `sample`, all of one class, from 0. ReproductionError if these nets are told no class, or have none of
        that number."""
        condition = self.nets.condition
        if not isinstance(condition, OnClass):
            raise ReproductionError("this generator cannot be asked for a class",
                                    expected="weights of nets that are told a class",
                                    found=f"a condition on {self._given}",
                                    remedy="name a file of such an experiment, mnist_conditional for instance")
        if not 0 <= number < condition.classes:
            raise ReproductionError("there is no such class", expected=f"0 to {condition.classes - 1}",
                                    found=str(number), remedy="name one of these")
        return self._drawn(n, seed, of_classes(class_codes(condition.classes), torch.full((max(n, 0),), number)))

    def complete(self, image: Tensor, visible: Tensor, n: int, seed: int = 0) -> Tensor:
        """n answers to an image [C, H, W] of which the pixels are given where `visible` [H, W] is true: [n, C, H, W].

        ReproductionError if these nets are told no pixels, or the image is of another size.
        """
        if not isinstance(self.nets.condition, OnVisiblePixels):
            raise ReproductionError("this generator cannot complete an image",
                                    expected="weights of nets that are told which pixels are given",
                                    found=f"a condition on {self._given}",
                                    remedy="name a file of such an experiment, mnist_completion for instance")
        if tuple(image.shape) != self.shape or tuple(visible.shape) != self.shape[1:]:
            raise ReproductionError("the image is of another size than those the generator was trained on",
                                    expected=" × ".join(map(str, self.shape)),
                                    found=" × ".join(map(str, image.shape)), remedy="cut or scale it to that size")
        rows = (max(n, 0), math.prod(self.shape))
        given = visible.float().expand(self.shape).reshape(1, -1).expand(rows)
        return self._drawn(n, seed, of_pixels(image.reshape(1, -1).expand(rows), given))

    @property
    def _given(self) -> str:
        return "nothing" if self.nets.condition is None else self.nets.condition.given.replace("_", " ")

    @torch.no_grad()
    def _drawn(self, n: int, seed: int, told: Told | None) -> Tensor:
        if n < 1:
            raise ReproductionError("this is no number of samples", expected="one whole number from 1", found=str(n),
                                    remedy="for instance: sample(16)")
        z = draw_noise(self.nets.noise, n, torch.Generator().manual_seed(seed))
        return generate(self._network, z, told).view(-1, *self.shape)
