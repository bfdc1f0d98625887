"""The numbers that shape each lesson's result; each lesson's module says what they mean.

Fields and their ranges alone: what is computed from them is in the lesson's module. The defaults are what is run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from re import fullmatch
from typing import Literal

from gan.settings import ParameterBlock, require


class LessonSettings(ParameterBlock):
    """Base of the lessons' settings: numbers are positive, but for a seed or a digit; lists name some, each once.

    What words may say is checked by the lesson's own settings.
    """

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, str):
                continue
            numbers = value if isinstance(value, list) else [value]
            from_0 = name in ("seed", "shown", "digit") or name.endswith("seeds")
            lowest = 0 if from_0 else 1 if isinstance(value, int) else None
            require(bool(numbers) and len(set(numbers)) == len(numbers), f"{name} must name values, each once: {value}")
            for number in numbers:
                require(isfinite(number), f"{name} must be finite, not {number}")
                require(number > 0 if lowest is None else number >= lowest,
                        f"{name} must be {'positive' if lowest is None else f'at least {lowest}'}, not {number}")


@dataclass(frozen=True)
class Figure1(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    units: int = 32
    batch: int = 256
    discriminator_rate: float = 0.01
    generator_rate: float = 0.001
    rough: int = 2
    alone: int = 600
    between: int = 100
    rounds: int = 2400
    frames: int = 48

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.between <= self.rounds, f"between must be at most {self.rounds}, the rounds, not {self.between}")


@dataclass(frozen=True)
class OptimalDiscriminator(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    units: int = 32
    batch: int = 1024
    steps: int = 3000
    learning_rate: float = 0.005


@dataclass(frozen=True)
class GlobalOptimum(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    points: int = 13
    units: int = 24
    batch: int = 512
    steps: int = 1000
    learning_rate: float = 0.01
    rounds: int = 2400
    game_units: int = 32
    game_batch: int = 256
    discriminator_rate: float = 0.01
    generator_rate: float = 0.001


@dataclass(frozen=True)
class Convergence(LessonSettings):
    bins: int = 60
    rounds: int = 400
    eta: float = 1.0
    alpha: float = 0.1
    inner: list[int] = field(default_factory=lambda: [1, 5, 20])
    shown: list[int] = field(default_factory=lambda: [0, 10, 20, 30])

    def __post_init__(self) -> None:
        super().__post_init__()
        require(max(self.shown) <= self.rounds, f"shown must be at most {self.rounds}, the rounds: {self.shown}")


@dataclass(frozen=True)
class NonSaturating(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    batch: int = 100
    learning_rate: float = 0.1
    momentum: float = 0.5
    frozen: int = 2400
    narrower: int = 4
    steps: int = 1500
    looks: int = 25
    judged: int = 500


@dataclass(frozen=True)
class VectorArithmetic(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    digit: int = 0
    noise: int = 32
    coarse: int = 32
    fine: int = 16
    batch: int = 64
    generator_rate: float = 0.002
    discriminator_rate: float = 0.002
    blur: float = 0.1
    steps: int = 600
    pool: int = 2000
    judged: int = 2000
    averaged: list[int] = field(default_factory=lambda: [1, 2, 3, 5, 9])
    trials: int = 100
    around: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.digit <= 9, f"digit must be at most 9, not {self.digit}")
        require({1, 3} <= set(self.averaged), f"averaged must name 1 and 3, which are compared: {self.averaged}")


@dataclass(frozen=True)
class NonConvergence(LessonSettings):
    eta: float = 0.1
    steps: int = 1000


@dataclass(frozen=True)
class ModeCollapse(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    deviation: float = 0.05
    noise: int = 64
    units: int = 64
    batch: int = 128
    discriminator_rate: float = 0.0005
    generator_rate: float = 0.005
    steps: int = 1500
    unrolled: int = 10
    inner: int = 10
    looks: int = 30


@dataclass(frozen=True)
class MinibatchFeatures(LessonSettings):
    features: int = 8
    width: int = 4
    ring_seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    deviation: float = 0.05
    noise: int = 64
    units: int = 64
    batch: int = 64
    discriminator_rate: float = 0.0005
    generator_rate: float = 0.005
    ring_steps: int = 1500
    digit_seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    digit_units: int = 128
    digit_batch: int = 64
    digit_discriminator_rate: float = 0.001
    digit_generator_rate: float = 0.003
    digit_steps: int = 1500
    judged: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, number in (("batch", self.batch), ("digit_batch", self.digit_batch)):
            require(number > 1, f"{name} must be at least 2, for samples are compared with each other, not {number}")


@dataclass(frozen=True)
class ManyAnswers(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    blur: float = 0.05
    near: float = 0.2
    units: int = 32
    batch: int = 256
    steps: int = 3000
    noise: int = 4
    learning_rate: float = 0.002
    discriminator_rate: float = 0.002
    generator_rate: float = 0.002
    judged: int = 4000


@dataclass(frozen=True)
class NextFrame(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    units: int = 192
    batch: int = 64
    steps: int = 1000
    noise: int = 8
    learning_rate: float = 0.001
    weight: float = 20.0
    blur: float = 0.1
    near: float = 0.35
    judged: int = 1000


@dataclass(frozen=True)
class HonestPictures(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    noise: int = 64
    units: int = 128
    batch: int = 64
    discriminator_rate: float = 0.001
    generator_rate: float = 0.003
    steps: int = 4000
    drawn: int = 1000
    shown: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.shown <= self.drawn, f"shown must be at most {self.drawn}, the samples drawn, not {self.shown}")


@dataclass(frozen=True)
class MinibatchGan(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    features: int = 16
    width: int = 4
    noise: int = 64
    channels: int = 16
    batch: int = 64
    discriminator_rate: float = 0.002
    generator_rate: float = 0.002
    steps: int = 600
    judged: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.batch > 1, f"batch must be at least 2, for samples are compared with each other, not {self.batch}")


@dataclass(frozen=True)
class MinibatchGanAt128(MinibatchGan):
    noise: int = 100
    channels: int = 64
    discriminator_rate: float = 0.0002
    generator_rate: float = 0.0002
    steps: int = 50000
    judged: int = 2000


@dataclass(frozen=True)
class SelfPlay(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    rounds: int = 2048
    at_once: int = 16
    explore: float = 0.2
    power: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.at_once % 2 == 0, f"at_once must be even, so that both sides are played, not {self.at_once}")
        require(self.explore < 1, f"explore must be below 1, not {self.explore}")
        require(0.5 < self.power <= 1, f"power must be above 0.5 and at most 1, not {self.power}")


@dataclass(frozen=True)
class Markets(LessonSettings):
    orbits: list[float] = field(default_factory=lambda: [0.01, 0.1, 0.2, 0.3])
    turns: int = 10
    eta: float = 0.1
    steps: int = 20000
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    levels: int = 100
    values: int = 20
    auctions: int = 20000

    def __post_init__(self) -> None:
        super().__post_init__()
        require(max(self.orbits) < 2 / 3, f"orbits must be below 2/3, so that shares are positive: {self.orbits}")


@dataclass(frozen=True)
class RobustOptimisation(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    rows: int = 60
    features: int = 10
    noise: float = 1.0
    radii: list[float] = field(default_factory=lambda: [0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    weight_rate: float = 0.02
    adversary_rate: float = 1.0
    steps: int = 4000
    assets: int = 8
    cautions: list[float] = field(default_factory=lambda: [1.5, 2.0, 4.0])
    portfolio_rate: float = 0.3
    slow_rate: float = 0.1
    portfolio_steps: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.features < self.rows, f"features must be fewer than {self.rows}, the rows, not {self.features}")
        require(self.assets > 1, f"assets must be at least 2, not {self.assets}")
        require(min(self.cautions) > 1, f"cautions must be above 1, where an optimum exists: {self.cautions}")


@dataclass(frozen=True)
class AdversarialExamples(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    units: int = 128
    batch: int = 50
    steps: int = 3000
    learning_rate: float = 0.1
    epsilon: float = 0.25
    inner: int = 4
    epsilons: list[float] = field(default_factory=lambda: [0.1, 0.2, 0.25, 0.3])
    wide: float = 0.5
    attack: int = 20
    judged: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.seeds) > 1, f"seeds must be at least two, for images to be passed on: {self.seeds}")
        require(self.epsilon in self.epsilons, f"epsilons must have {self.epsilon}, with which is trained: "
                f"{self.epsilons}")
        require(self.epsilons == sorted(self.epsilons), f"epsilons must rise: {self.epsilons}")
        require(max(self.epsilons) < self.wide <= 1, f"wide must be above {max(self.epsilons)} and at most 1, "
                f"not {self.wide}")
        require(self.inner > 1, f"inner must be at least 2, not {self.inner}: one step is FGSM")


@dataclass(frozen=True)
class ProblemsMeasured(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    counts: list[int] = field(default_factory=lambda: [2, 3])
    pictures: int = 20000
    noise: int = 16
    channels: int = 16
    batch: int = 16
    blur: float = 0.1
    discriminator_rate: float = 0.002
    generator_rate: float = 0.008
    steps: int = 1500
    looks: int = 6
    judged: int = 2000
    looked: int = 500
    shown: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        require(max(self.counts) <= 4, f"counts must be at most 4, or the discs have no room: {self.counts}")
        require(self.looks <= self.steps, f"looks must be at most {self.steps}, the steps, not {self.looks}")
        require(self.shown <= self.judged, f"shown must be at most {self.judged}, the samples judged, not {self.shown}")


@dataclass(frozen=True)
class ImageToImage(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    width: int = 16
    noise: int = 4
    batch: int = 8
    learning_rate: float = 0.002
    weight: float = 100.0
    lighter: float = 10.0
    digit_steps: int = 400
    colour_steps: int = 1000
    near: float = 0.15
    judged: int = 500
    folder: str = ""
    direction: Literal["A to B", "B to A"] = "A to B"
    side: int = 64
    levels: int = 3
    folder_steps: int = 400
    most: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        require(not self.folder or fullmatch(r"\w[\w .-]*", self.folder) is not None,
                f"folder must be the name of a folder, without a path, or empty, not {self.folder!r}")
        require(self.direction in ("A to B", "B to A"),
                f"direction must be 'A to B' or 'B to A', not {self.direction!r}")
        require(self.most > 1, f"most must be at least 2 pairs, some to train on and others to judge, not {self.most}")
        require(self.levels <= 7, f"levels must be at most 7, which halve 256 pixels to 2, not {self.levels}")
        lowest = max(8, 2 * 2 ** self.levels)  # batch statistics of a single image need 2 × 2 values of it
        require(self.side % 2 ** self.levels == 0 and lowest <= self.side <= 256,
                f"side must be a multiple of {2 ** self.levels} pixels, as levels is {self.levels}, and from {lowest} "
                f"to 256, not {self.side}")


@dataclass(frozen=True)
class PlugAndPlay(LessonSettings):
    seeds: list[int] = field(default_factory=lambda: [4, 5, 6])
    codes: int = 32
    units: int = 128
    batch: int = 64
    classifier_steps: int = 800
    classifier_rate: float = 0.002
    generator_rate: float = 0.002
    discriminator_rate: float = 0.001
    steps: int = 1000
    denoiser_units: int = 256
    denoiser_steps: int = 2000
    denoiser_rate: float = 0.001
    corruption: float = 0.5
    prior: float = 0.2
    condition: float = 10.0
    chains: int = 30
    moves: int = 150
    later: int = 50
    walk: int = 75
    looks: int = 2
    cells: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.chains > 1, f"chains must be at least 2, for a distance between two, not {self.chains}")
        require(self.prior <= 1, f"prior must be at most 1, a whole step to the denoised code, not {self.prior}")
        require(self.looks <= self.walk, f"looks must be at most {self.walk}, the steps of walk, not {self.looks}")
