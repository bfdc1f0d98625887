"""Loads a generator that was logged to MLflow and draws samples from it.

>>> images = mlflow.pyfunc.load_model("runs:/<id>/generator").predict(16, params={"variant": "ema", "seed": 0})

This file and `gan/` lie beside the weights in every logged model: it loads where this repository is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from gan.adversarial.layers import Network
from gan.adversarial.settings import AdversarialNets
from gan.errors import ReproductionError
from gan.linear_algebra import random_stream

DESCRIPTION = "generator.json"
SAMPLES_PER_BLOCK = 1000


class SampledGenerator:
    """G of adversarial nets, with the weights of each variant: `raw`, and `ema` for their average."""

    def __init__(self, settings: Any, shape: tuple[int, int, int], weights: Mapping[str, list[torch.Tensor]]) -> None:
        """`settings` is an entry `model` of params.yaml, `shape` (C, H, W); `weights` in the order of G's layers."""
        self._nets: AdversarialNets = TypeAdapter(AdversarialNets).validate_python(settings)
        self._shape, self._weights = shape, weights
        images = torch.zeros(1, math.prod(shape))  # initial weights may depend on images; these are replaced
        stream = random_stream(0, "thrown away")
        self._network = Network([layer for game in reversed(self._nets.games()) for layer in
                                 game.generator.build(self._nets.noise.dimensions, images, shape, stream)])

    @torch.no_grad()
    def predict(self, n: Any, params: Mapping[str, Any] | None = None) -> NDArray[np.float32]:
        """n samples [n, C, H, W] in the data's scale, the same for the same `params`.

        `params` may hold `variant` (`ema` unless given) and `seed` (0 unless given), that of the noise.
        `n` is a number, or an array or table with one number in it, as requests to a served model are.
        ReproductionError if there are no such samples.
        """
        wanted = {"variant": "ema", "seed": 0, **(params or {})}
        if wanted["variant"] not in self._weights:
            raise ReproductionError("the generator has no such weights", expected=" or ".join(self._weights),
                                    found=f"variant {wanted['variant']}", remedy="name one of these as `variant`")
        parameters = iter(self._weights[wanted["variant"]])
        for layer in self._network.layers:
            layer.parameters[:] = [next(parameters) for _ in layer.parameters]
        z = self._nets.noise.draw(_number(n), torch.Generator().manual_seed(int(wanted["seed"])))
        samples = torch.cat([self._network.forward(block) for block in z.split(SAMPLES_PER_BLOCK)])
        return samples.view(-1, *self._shape).numpy()


def _number(n: Any) -> int:
    given = np.asarray(n)
    if given.size == 1 and np.issubdtype(given.dtype, np.number) and given.item() >= 1 and given.item() % 1 == 0:
        return int(given.item())
    raise ReproductionError("this is no number of samples", expected="one whole number from 1", found=str(n)[:100],
                            remedy="for instance: predict(16)")


def _load_pyfunc(data_path: str) -> SampledGenerator:
    """What MLflow calls with the folder of the logged files."""
    folder = Path(data_path)
    description = json.loads((folder / DESCRIPTION).read_text())
    weights = {}
    for variant, where in description["variants"].items():
        tensors = safetensors.torch.load_file(folder / where["file"])
        own = {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.startswith(f"{variant}.")}
        weights[variant] = [own[str(i)] for i in range(len(own))]
    return SampledGenerator(description["model"], tuple(description["shape"]), weights)
