"""Which trained generator a command draws from: a file that is named, else the best one in git, else one trained here.

And what the commands that draw have in common: which of its weights, and what is said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import DataError, ReproductionError
from gan.weights import read_description
from pipeline.artifacts.paths import ARTIFACTS, RECORDED
from pipeline.results.recorded_generator import recorded_generators

if TYPE_CHECKING:
    from gan.generator import Generator

NAMES = {"ema": "averaged weights (EMA)", "raw": "trained weights"}


@dataclass(frozen=True)
class Chosen:
    """A generator, and where it is from."""

    generator: Generator
    file: Path
    variant: str
    about: str
    """empty where nothing but the file is known"""

    def say(self) -> None:
        print(f"weights      {self.file}, {NAMES.get(self.variant, self.variant)}")
        if self.about:
            print(f"             {self.about}")


@dataclass(frozen=True)
class Kind:
    """What a generator must be able to do."""

    what: str
    """in words"""
    fits: Callable[[Mapping[str, Any]], bool]
    """by its model's settings, as a file of weights has them"""
    experiment: str
    """one that trains such a generator"""


def _given(model: Mapping[str, Any]) -> str:
    return str((model.get("condition") or {}).get("given", ""))


WHOLE = Kind("draws images", lambda model: not _given(model), "mnist")
OF_A_CLASS = Kind("is told a class", lambda model: _given(model) == "class", "mnist_conditional")
COMPLETES = Kind("completes images", lambda model: _given(model) == "visible_pixels", "mnist_completion")


def choose(source: Path | None, variant: str, kind: Kind) -> Chosen:
    """From a file, or, without one, the best recorded generator of a kind, else one trained in this checkout.

    ReproductionError if there is none, or it lacks the variant; `variant` "" stands for the averaged weights, where
    there are any.
    """
    about = ""
    if source is None:
        source, about = _found(kind)
    from gan.generator import Generator  # which imports torch

    has = read_description(source).variants
    variant = variant or ("ema" if "ema" in has else has[0])
    return Chosen(Generator.load(source, variant), source, variant, about)


def _found(kind: Kind) -> tuple[Path, str]:
    for recorded in recorded_generators():
        if kind.fits(read_description(recorded.weights).model):
            return recorded.weights, recorded.text()
    for path in sorted(ARTIFACTS.glob("*/models/seed-*.safetensors")):
        try:
            model = read_description(path).model
        except DataError:
            continue  # of another version
        if model["kind"] == "adversarial_nets" and kind.fits(model):
            return path, "trained in this checkout"
    raise ReproductionError(
        f"there is no trained generator that {kind.what}",
        expected=f"one that `make record` took into git ({RECORDED}), or one trained here ({ARTIFACTS}/*/models)",
        remedy=f"train one, make reproduce EXPERIMENTS={kind.experiment}, or name its file: "
               f"FROM=artifacts/{kind.experiment}/models/seed-1.safetensors")
