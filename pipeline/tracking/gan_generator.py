"""Loads a generator that was logged to MLflow and draws samples from it.

>>> images = mlflow.pyfunc.load_model("models:/mnist-generator@best").predict(16, params={"variant": "ema", "seed": 0})

This file and what it needs of `gan/` lie beside the weights in every logged model, in a package whose name carries the
digest of its code: it loads where this repository is not, and beside others of other code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan.errors import ReproductionError

if TYPE_CHECKING:  # imported when a model is loaded: torch takes seconds, and logging one does without
    from gan.generator import Generator

DESCRIPTION = "generator.json"
ALL = -1
"""Of parameter `class`: none is asked for"""


class LoggedGenerator:
    """`gan.generator.Generator` as MLflow calls it: one for each variant."""

    def __init__(self, generators: Mapping[str, Generator]) -> None:
        self._generators = generators

    def predict(self, n: Any, params: Mapping[str, Any] | None = None) -> NDArray[np.float32]:
        """n samples [n, C, H, W] in the data's scale, the same for the same `params`.

        `params` may hold `variant` (`ema` unless given), `seed` (0 unless given), that of the noise, and for nets that
        are told a class `class`, from 0; unless given, samples go round all classes.
        `n` is a number, or an array or table with one number in it, as requests to a served model are.
        ReproductionError if there are no such samples.
        """
        wanted = {"variant": "ema", "seed": 0, "class": ALL, **(params or {})}
        if wanted["variant"] not in self._generators:
            raise ReproductionError("the generator has no such weights", expected=" or ".join(self._generators),
                                    found=f"variant {wanted['variant']}", remedy="name one of these as `variant`")
        generator, number, seed = self._generators[wanted["variant"]], int(wanted["class"]), int(wanted["seed"])
        if number == ALL:
            return generator.sample(_number(n), seed).numpy()
        return generator.sample_class(number, _number(n), seed).numpy()


def _number(n: Any) -> int:
    value = np.asarray(n)
    if value.size == 1 and np.issubdtype(value.dtype, np.number) and value.item() >= 1 and value.item() % 1 == 0:
        return int(value.item())
    raise ReproductionError("this is no number of samples", expected="one whole number from 1", found=str(n)[:100],
                            remedy="for instance: predict(16)")


def _load_pyfunc(data_path: str) -> LoggedGenerator:
    """What MLflow calls with the folder of the logged files."""
    from gan.generator import Generator

    folder = Path(data_path)
    variants = json.loads((folder / DESCRIPTION).read_text())["variants"]
    return LoggedGenerator({variant: Generator.load(folder / where["file"], variant)
                            for variant, where in variants.items()})
