"""The command line of a bare run, checked without torch."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from gan.errors import ReproductionError

PARTS = {"tests": 0.1, "annealing": 0.62, "starts": 0.15, "benchmarks": 0.13, "variants": 0.1}
"""In order; the weight by which each shares the time that is left when it begins with the parts after it"""

OF_THE_RECIPE = ("released_start", "normal_noise", "norms", "alternating", "without_half", "tf32", "independent",
                 "float64")
IN_STEP = ("plain", "two_steps", "two_rates", "r1", "relativistic", "r3", "spectral_norm")
VARIANTS = (*OF_THE_RECIPE, *IN_STEP)
"""What starts of the last part have that the released recipe has not, in the order in which they are run; `independent`
is the recipe by another implementation. The later ones are ways to keep the players in step, `plain` is none of them"""

TEST_SECONDS = 60.0
"""at most, for the tests"""

FEWEST_MINUTES = 0.2
BEGAN = "BARE_RUN_BEGAN"
"""Environment variable: time.time() when the command was called, from which its minutes count"""


@dataclass(frozen=True)
class Options:
    minutes: float
    data: Path
    """the prepared data set, or the folder that holds it"""
    wheels: Path | None
    out: Path
    experiment: str
    profile: str
    epochs: int | None
    """None: as many as params.yaml has"""
    precision: str | None
    """float32 or tf32; None: as params.yaml has it"""
    seeds: tuple[int, int]
    """fewest and most seeds in step of the long run"""
    starts: int
    batch: int
    """starts in step"""
    first_seed: int
    """of the starts that no long run has made"""
    variants: tuple[str, ...]
    """in order"""
    commit: str
    parts: dict[str, float]
    """in order, each with its weight"""
    largest: int
    """most samples that the benchmark of the estimate scores"""
    began: float


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ReproductionError("the command line does not fit", found=message, remedy=self.format_usage().strip())


def parse(words: Sequence[str]) -> Options:
    """ReproductionError if an option is missing, unknown or out of range."""
    parser = _Parser(prog="python -m pipeline.commands.bare_run", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="from the start of the command to its end")
    parser.add_argument("--data", type=Path, default=Path("data/prepared"), help="the prepared data set, or its folder")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels for the packages that are missing")
    parser.add_argument("--out", type=Path, default=Path("bare-run"), help="where results go")
    parser.add_argument("--experiment", default="mnist")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--epochs", type=int, help="of the long run; default: as params.yaml has it")
    parser.add_argument("--precision", choices=("float32", "tf32"), help="default: as params.yaml has it")
    parser.add_argument("--seeds", default="3-10", help="fewest and most seeds in step of the long run")
    parser.add_argument("--starts", type=int, default=100, help="how many starts are wanted for a rate of collapse")
    parser.add_argument("--batch", type=int, default=20, help="starts in step")
    parser.add_argument("--first-seed", type=int, default=1, help="of the starts, where earlier runs have made some")
    parser.add_argument("--variants", default=",".join(OF_THE_RECIPE), help="which, by name, in this order")
    parser.add_argument("--commit", default="", help="of this checkout, where git cannot tell")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, by name; name=weight to give one more time")
    parser.add_argument("--largest", type=int, default=10**7, help="most samples scored by the benchmark")
    found = parser.parse_args(words)
    if not found.minutes >= FEWEST_MINUTES:
        raise ReproductionError(f"--minutes {found.minutes:g} is too few",
                                expected=f"at least {FEWEST_MINUTES:g}; for the whole on a GPU, 8",
                                remedy="give it more time, or name fewer --parts")
    for name in ("starts", "batch", "first_seed", "largest"):
        if getattr(found, name) < 1:
            raise ReproductionError(f"--{name.replace('_', '-')} must be at least 1", found=str(getattr(found, name)))
    if found.epochs is not None and found.epochs < 1:
        raise ReproductionError("--epochs must be at least 1", found=str(found.epochs))
    return Options(found.minutes, found.data, found.wheels, found.out, found.experiment, found.profile, found.epochs,
                   found.precision, _seeds(found.seeds), found.starts, found.batch, found.first_seed,
                   _variants(found.variants), found.commit,
                   _parts(found.parts), found.largest, float(os.environ.get(BEGAN) or time.time()))


def _seeds(text: str) -> tuple[int, int]:
    fewest, _, most = text.partition("-")
    try:
        found = int(fewest), int(most or fewest)
    except ValueError:
        found = 0, 0
    if not 1 <= found[0] <= found[1]:
        raise ReproductionError(f"--seeds {text} names no numbers of seeds", expected="3-10, or 3")
    return found


def _variants(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise ReproductionError(f"--variants: {unknown[0]!r} is none" if unknown else "--variants names none",
                                expected=f"some of {', '.join(VARIANTS)}")
    return names


def _parts(text: str) -> dict[str, float]:
    parts = {}
    for word in filter(None, text.split(",")):
        name, _, weight = word.partition("=")
        try:
            parts[name] = float(weight) if weight else PARTS[name]
        except (KeyError, ValueError):
            raise ReproductionError(f"--parts: {word!r} is not a part of the run",
                                    expected=f"some of {', '.join(PARTS)}, perhaps with =weight") from None
        if name not in PARTS or not parts[name] > 0:
            raise ReproductionError(f"--parts: {word!r} is not a part of the run",
                                    expected=f"some of {', '.join(PARTS)}, with weights above 0")
    return {name: parts[name] for name in PARTS if name in parts}
