"""reports/recorded/<experiment>-<profile>/: what a bare run measured beside its scores, kept in git by `make record`.

Read without torch; NumPy is imported where its files are read.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.adversarial.settings import LearningRate, Momentum
from gan.errors import DataError, ParameterError
from pipeline.artifacts.paths import RECORDED
from pipeline.runtime.files import read_json
from pipeline.runtime.machine import describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANNEALING, COLLAPSE, CURVES, STARTS, GRIDS = "annealing.json", "collapse.json", "curves.npz", "starts.npz", "grids.npz"
NEIGHBOURS = "neighbours.npz"
VARIANTS = ("raw", "ema")
Arrays = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Branch:
    """A short annealing: from the state at `epoch`, `epochs` more with the rate times `rate`.

    Validation log-likelihoods in nats by variant, one for each seed. `unchanged` are those of the run itself after the
    same number of epochs; empty where it was not looked at there.
    """

    epoch: int
    epochs: int
    rate: float
    before: Mapping[str, Sequence[float]]
    after: Mapping[str, Sequence[float]]
    unchanged: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Estimate:
    """By one grid of bandwidths, in nats; the error over test images."""

    test_log_likelihood: float
    standard_error: float


@dataclass(frozen=True)
class Score:
    """Of one seed and variant, at the epoch that validation chose."""

    epoch: int
    refined: Estimate
    paper_grid: Estimate


@dataclass(frozen=True)
class SeedScores:
    seed: int
    collapsed: bool | None
    """None for a run too short to tell"""
    variants: Mapping[str, Score]


@dataclass(frozen=True)
class Annealing:
    """The run of several seeds in step towards the end of the annealing."""

    seeds: Sequence[int]
    epochs: int
    epochs_planned: int
    updates_per_epoch: int
    seconds: float | None
    """of training, looks included; None where the run was cut off"""
    microseconds: Mapping[int, float]
    """An update's, by the number of seeds in step"""
    learning_rate: LearningRate
    momentum: Momentum
    average_decay: float
    look_epochs: Sequence[int]
    looks: Mapping[str, Sequence[Sequence[float]]]
    """Validation log-likelihood in nats by variant: [seed][look]"""
    branches: Sequence[Branch]
    scores: Sequence[SeedScores]

    def step(self, epoch: int) -> float:
        """The effective step lr/(1 − m) at the end of an epoch, counted from 1."""
        return self.learning_rate.after(epoch * self.updates_per_epoch) / (1 - self.momentum.during(epoch))

    def look(self, variant: str, epoch: int) -> list[float]:
        """Each seed's validation log-likelihood at an epoch; empty where nobody looked."""
        if epoch not in self.look_epochs:
            return []
        at = self.look_epochs.index(epoch)
        return [of_seed[at] for of_seed in self.looks[variant]]


@dataclass(frozen=True)
class Starts:
    """Starts of one kind, each trained for the same few epochs."""

    kind: str
    seeds: Sequence[int]
    collapsed: Sequence[bool]
    interval: tuple[float, float]
    """95 % interval of the rate, exact for a binomial (Clopper–Pearson)"""
    agree: int | None
    """In how many the sign of the validation log-likelihood says the same; None where it was not measured"""
    validation: Sequence[float]
    """Log-likelihoods in nats after the last epoch, trained weights; empty where they were not measured"""
    diverged_batches: int
    commits: Mapping[str, int]
    """How many of them each commit made"""
    d_on_data: Sequence[Sequence[float]]
    d_on_samples: Sequence[Sequence[float]]
    """D's mean outputs: [start][epoch]"""


@dataclass(frozen=True)
class Neighbours:
    """The training images nearest in L2 to the first samples of one seed's raw weights, in the samples' order."""

    seed: int
    images: NDArray[np.uint8]
    """[n, C·H·W]"""
    training_images: Sequence[int]
    """Their numbers"""
    distances: Sequence[float]


@dataclass(frozen=True)
class LongRun:
    """One folder. Parts that the run did not have, or did not finish, are None or empty."""

    folder: str
    experiment: str
    profile: str
    commit: str
    date: str
    hardware: str
    annealing: Annealing | None
    starts: Sequence[Starts]
    shape: Sequence[int] = ()
    """(C, H, W) of the samples"""
    grids: Mapping[int, Mapping[str, NDArray[np.uint8]]] = field(default_factory=dict)
    """Samples [n, C·H·W] by seed and variant, none picked"""
    neighbours: Neighbours | None = None


def long_runs(folder: Path = RECORDED) -> list[LongRun]:
    """Every one that was recorded, in the order of the folders' names; DataError for a folder that does not fit."""
    return [read_long_run(path) for path in sorted(folder.glob("*/"))
            if (path / ANNEALING).is_file() or (path / COLLAPSE).is_file()]


def read_long_run(folder: Path) -> LongRun:
    """DataError that names the file which is not as `make record` writes it."""
    annealing, about = _read(folder / ANNEALING, lambda path: _annealing(path, folder / CURVES))
    starts, also = _read(folder / COLLAPSE, lambda path: _all_starts(path, folder / STARTS))
    grids, _ = _read(folder / GRIDS, _grids)
    neighbours, _ = _read(folder / NEIGHBOURS, _neighbours)
    about = about or also
    shape, images = grids or ((), {})
    return LongRun(folder.as_posix(), about["experiment"], about["profile"], about["commit"], about["recorded"],
                   describe(about["hardware"]), annealing, starts or [], shape, images, neighbours)


def _read(path: Path, read: Any) -> tuple[Any, dict[str, Any]]:
    """What `read` makes of a file, and what the file says of its run; nothing where it is missing."""
    if not path.is_file():
        return None, {}
    try:
        return read(path)  # type: ignore[no-any-return]
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile,
            ParameterError) as error:
        found = f"nothing under {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path} does not fit what a recorded run holds", expected="what `make record` writes",
                        found=found, remedy=f"record the run again, or remove {path.parent}") from error


def _arrays(path: Path) -> Arrays:
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _require(fits: bool, found: str) -> None:
    if not fits:
        raise ValueError(found)


def _about(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: content[key] for key in ("experiment", "profile", "commit", "recorded", "hardware")}


def _number(value: float | None) -> float:
    """JSON has null for what is not finite."""
    return math.nan if value is None else float(value)


# The long run.

def _annealing(path: Path, curves: Path) -> tuple[Annealing | None, dict[str, Any]]:
    content = read_json(path)
    about, part = _about(content), content["annealing"]
    _require(isinstance(part, dict), f"annealing {part!r}")
    if "epochs" not in part:
        return None, about  # ended before its first look
    recipe = part["settings"]["model"]["recipe"]
    seeds, epochs, looks = _looks(curves)
    _require(seeds == part["seeds"], f"seeds {part['seeds']}, and {seeds} in {curves.name}")
    return Annealing(
        seeds, part["epochs"], part["epochs_planned"], content["updates_per_epoch"], part.get("seconds_of_training"),
        {int(n): float(time) for n, time in part["microseconds_per_update"].items()},
        LearningRate(**recipe["learning_rate"]), Momentum(**recipe["momentum"]), recipe["average_decay"], epochs, looks,
        [_branch(branch, seeds, epochs, looks) for branch in part.get("short_annealing", [])],
        [_seed_scores(score) for score in part.get("scores", [])]), about


def _looks(path: Path) -> tuple[list[int], list[int], dict[str, list[list[float]]]]:
    """Seeds, epochs, and validation log-likelihoods by variant [seed][look]."""
    arrays = _arrays(path)
    looks, variants = arrays["looks"], arrays["look_variants"].tolist()
    expected = (len(arrays["look_epochs"]), len(arrays["seeds"]), len(variants))
    _require(looks.shape == expected, f"looks {looks.shape} in {path.name}, not {expected}")
    return (arrays["seeds"].tolist(), arrays["look_epochs"].tolist(),
            {variant: looks[:, :, variants.index(variant)].T.tolist() for variant in VARIANTS})


def _branch(branch: Mapping[str, Any], seeds: Sequence[int], epochs: Sequence[int],
            looks: Mapping[str, Sequence[Sequence[float]]]) -> Branch:
    found = [one["seed"] for one in branch["seeds"]]
    _require(found == list(seeds), f"a short annealing of seeds {found}, not {list(seeds)}")

    def each(when: str) -> dict[str, list[float]]:
        return {variant: [_number(one[when][variant]) for one in branch["seeds"]] for variant in VARIANTS}

    end = branch["from_epoch"] + branch["epochs"]
    unchanged = {variant: [of_seed[epochs.index(end)] for of_seed in looks[variant]]
                 for variant in VARIANTS} if end in epochs else {}
    return Branch(branch["from_epoch"], branch["epochs"], branch["rate"], each("before"), each("after"), unchanged)


def _seed_scores(score: Mapping[str, Any]) -> SeedScores:
    return SeedScores(score["seed"], score["collapsed"], {
        variant: Score(score["variants"][variant]["epoch"],
                       *(_estimate(score["variants"][variant][grid]) for grid in ("refined", "paper_grid")))
        for variant in VARIANTS})


def _estimate(found: Mapping[str, Any]) -> Estimate:
    return Estimate(_number(found["test_log_likelihood"]), _number(found["standard_error"]))


# Starts.

def _all_starts(path: Path, starts: Path) -> tuple[list[Starts], dict[str, Any]]:
    content = read_json(path)
    arrays = _arrays(starts)
    about = _about(content)
    return [_starts(kind, found, arrays, about["commit"]) for kind, found in content["collapse"].items()
            if found["starts"]], about


def _starts(kind: str, found: Mapping[str, Any], arrays: Arrays, commit: str) -> Starts:
    names, number = found["names"], found["arrays"]
    seeds, curves = arrays[f"{number}_seeds"].tolist(), arrays[f"{number}_curves"]
    expected = (found["starts"], found["epochs"], len(names))
    _require(curves.shape == expected and len(seeds) == found["starts"],
             f"{len(seeds)} seeds and curves {curves.shape} of the starts {kind!r}, not {expected}")
    flags = [seed in found["collapsed_seeds"] for seed in seeds]
    _require(sum(flags) == found["collapsed"], f"{sum(flags)} seeds of the starts {kind!r}, not {found['collapsed']}")
    low, high = found["interval_95"]
    commits: dict[str, int] = {}
    for run in found.get("runs", [{"commit": commit, "seeds": seeds}]):
        commits[run["commit"]] = commits.get(run["commit"], 0) + len(run["seeds"])
    return Starts(kind, seeds, flags, (low, high), found.get("rule_and_validation_agree"),
                  arrays[f"{number}_validation"].tolist(), found.get("batches_that_diverged", 0), commits,
                  *(curves[:, :, names.index(name)].tolist() for name in ("d_on_data", "d_on_samples")))


# Samples.

def _grids(path: Path) -> tuple[tuple[list[int], dict[int, dict[str, NDArray[np.uint8]]]], dict[str, Any]]:
    arrays = _arrays(path)
    shape = arrays["shape"].tolist()
    grids: dict[int, dict[str, NDArray[np.uint8]]] = {}
    for name, images in arrays.items():
        if name == "shape":
            continue
        _, seed, variant = name.split("_")
        _require(images.dtype == "uint8" and images.shape[1:] == (math.prod(shape),),
                 f"{name} is {images.dtype} {images.shape}, not images of {shape}")
        grids.setdefault(int(seed), {})[variant] = images
    return (shape, grids), {}


def _neighbours(path: Path) -> tuple[Neighbours, dict[str, Any]]:
    arrays = _arrays(path)
    images, numbers, distances = (arrays[name] for name in ("images", "training_images", "distances"))
    _require(images.dtype == "uint8" and images.ndim == 2 and len(images) == len(numbers) == len(distances),
             f"images {images.dtype} {images.shape} with {len(numbers)} numbers and {len(distances)} distances")
    return Neighbours(int(arrays["seed"]), images, numbers.tolist(), distances.tolist()), {}
