"""The long run: adversarial nets with several seeds in step, to the end of the annealing.

Validation images choose the epoch of raw and of averaged weights among the looks. Patience ends nothing here: while the
step lr/(1 − m) still falls, later epochs may be better than any so far, so the run goes to the last epoch that was
planned, or to the end of its time.

**Why 200 and not 225.** From the states at epochs 40 and 300 a branch goes on for 20 epochs with the rate × .05; the
run itself is the other branch. If what raw weights lack against averaged ones is the noise of a step that is still
large, the short annealing gives it to them.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gan.adversarial.collapse import START, has_collapsed
from gan.adversarial.settings import AdversarialNets
from gan.adversarial.training import Training
from gan.errors import TrainingDiverged
from pipeline.bare import output
from pipeline.bare.clock import Share
from pipeline.bare.output import Output
from pipeline.bare.starts import CURVES
from pipeline.bare.training import seconds_per_update, start, values, weights
from pipeline.bare.workload import Workload, with_recipe

VARIANTS = ("raw", "ema")
MEASURED = (1, 3, 5, 10)
LOOK_EVERY = (10, 20, 50, 100)
LOOKS_SHARE = 0.05
"""of the long run's time at most, unless looks are as rare as they may be"""

BRANCHES_AT, BRANCH_EPOCHS, BRANCH_RATE = (40, 300), 20, 0.05
GRID = 100
"""samples of each seed and variant that are kept as pictures"""


@dataclass
class Choice:
    epoch: int
    validation_log_likelihood: float
    weights: list[Tensor]


@dataclass
class Costs:
    """Seconds, measured here."""

    update: dict[int, float]
    """of so many seeds in step"""
    look: float
    """of one seed, both variants"""
    score: float
    """of one seed, one variant"""

    def of_update(self, seeds: int) -> float:
        """Between measured numbers of seeds by straight lines."""
        known = sorted(self.update.items())
        if seeds <= known[0][0] or len(known) == 1:
            return known[0][1]
        for (low, first), (high, second) in itertools.pairwise(known):
            if seeds <= high:
                return first + (second - first) * (seeds - low) / (high - low)
        return known[-1][1] * seeds / known[-1][0]


@dataclass
class LongRun:
    work: Workload
    share: Share
    out: Output
    curves: list[list[list[float]]] = field(default_factory=list)
    """[epoch][seed][CURVES]"""
    looks: list[tuple[int, list[list[float]]]] = field(default_factory=list)
    """(epoch, [seed][VARIANTS])"""
    choices: dict[tuple[int, str], Choice] = field(default_factory=dict)

    def run(self) -> None:
        section = self.out.section("annealing")
        costs = self._measure()
        seeds, every = self._plan(costs)
        self.training = start(self.work, self.work.nets, range(1, seeds + 1))
        section |= {"seeds": self.training.seeds, "looks_every": every, "epochs_planned": self.epochs,
                    "settings": self.work.settings.plain(self.work.options.experiment, self.training.seeds),
                    "stopping_rule": "none: the run goes on to the last epoch planned, or to the end of its time"}
        self.out.write()
        self._train(every, 2 * seeds * costs.score * 1.3 + 3)
        section |= {"epochs": self.training.epoch, "seconds_of_training": round(self.share.elapsed, 1)}
        self._score()

    @property
    def epochs(self) -> int:
        return self.work.nets.recipe.epochs

    # How many seeds.

    def _measure(self) -> Costs:
        most = self.work.options.seeds[1]
        counts = [n for n in MEASURED if n <= most] if self.work.device.type == "cuda" else [min(MEASURED[1], most)]
        seconds = min(1.0, 0.03 * self.share.seconds)
        update = {}
        for n in counts:
            update[n] = seconds_per_update(self.work, n, seconds)
            self.share.say(f"{n} seed{'s' * (n > 1)} in step: {1e6 * update[n]:.0f} µs an update")
        probe = start(self.work, self.work.nets, [1])
        self.work.look(weights(probe, 0), 1)
        look, score = (self.work.seconds(one) for one in (
            lambda: [self.work.look(weights(probe, 0, variant), 1) for variant in VARIANTS],
            lambda: self.work.score(weights(probe, 0), 1)))
        self.out.section("annealing").update(microseconds_per_update={
            str(n): round(1e6 * seconds, 1) for n, seconds in update.items()},
            seconds_per_look=look, seconds_per_score=score)
        self.out.write()
        return Costs(update, look, score)

    def _plan(self, costs: Costs) -> tuple[int, int]:
        """The most seeds that get to the last epoch in time, or the fewest; and how often validation is looked at."""
        fewest, most = self.work.options.seeds
        for n in range(most, fewest - 1, -1):
            training, every, needed = self._needed(n, costs)
            if needed <= self.share.left or n == fewest:
                self.share.say(f"{n} seeds, a look every {every} epochs: {needed:.0f} s for {self.epochs} epochs, "
                               f"{training:.0f} s of them training; {self.share.left:.0f} s are left")
                return n, every
        raise AssertionError("there is a fewest number")

    def _needed(self, n: int, costs: Costs) -> tuple[float, int, float]:
        per_epoch = self.work.updates_per_epoch * costs.of_update(n)
        branches = sum(BRANCH_EPOCHS for epoch in BRANCHES_AT if epoch < self.epochs)
        training = per_epoch * (self.epochs + branches)
        possible = min(self.epochs, max(1.0, self.share.left / per_epoch))
        every = next((every for every in LOOK_EVERY
                      if n * costs.look * possible / every <= LOOKS_SHARE * self.share.left), LOOK_EVERY[-1])
        return training, every, 1.03 * training + n * costs.look * self.epochs / every + 2.6 * n * costs.score + 5

    # Training.

    def _train(self, every: int, reserve: float) -> None:
        """Until the last epoch, or until only `reserve` seconds are left; the last one is always looked at."""
        looked_at = {epoch + more for epoch in BRANCHES_AT for more in (0, BRANCH_EPOCHS)} | {START}
        while self.training.epoch < self.epochs:
            begun = self.share.elapsed
            try:
                statistics = self.training.run_epochs()
            except TrainingDiverged as error:
                self.out.section("annealing")["ended_by"] = str(error)
                self.share.say(f"ended: {error.what}")
                return
            self.curves.append([values(one) for one in statistics])
            epoch, took = self.training.epoch, self.share.elapsed - begun
            if epoch == self.epochs or epoch % every == 0 or epoch in looked_at:
                self._look()
                self._write_curves()
            if epoch in BRANCHES_AT:
                self._branch(reserve)
            self._say_progress(took)
            if self.share.left - reserve < 2 * took:
                break
        if not self.looks or self.looks[-1][0] != self.training.epoch:
            self._look()
        self._write_curves()

    def _say_progress(self, took: float) -> None:
        remaining = (self.epochs - self.training.epoch) * took
        said = ", ".join(f"{variant} " + " ".join(
            f"{choice.validation_log_likelihood:.0f}" for (_, name), choice in self.choices.items() if name == variant)
            for variant in VARIANTS) if self.choices else ""
        self.share.say(f"epoch {self.training.epoch} of {self.epochs}, {1e3 * took:.0f} ms an epoch, {remaining:.0f} s "
                       f"to go, {self.share.left:.0f} s left" + (f"; best on validation: {said}" if said else ""),
                       now=False)

    def _look(self) -> None:
        scores = look(self.work, self.training)
        self.looks.append((self.training.epoch, scores))
        for k, of_seed in enumerate(scores):
            for variant, score in zip(VARIANTS, of_seed, strict=True):
                best = self.choices.get((k, variant))
                if best is None or score > best.validation_log_likelihood:
                    kept = [tensor.clone() for tensor in weights(self.training, k, variant)]
                    self.choices[k, variant] = Choice(self.training.epoch, score, kept)

    def _write_curves(self) -> None:
        self.out.arrays(output.CURVES, {
            "seeds": self.training.seeds, "names": CURVES, "curves": torch.tensor(self.curves).numpy(),
            "look_epochs": [epoch for epoch, _ in self.looks], "look_variants": VARIANTS,
            "looks": torch.tensor([scores for _, scores in self.looks]).numpy()})
        self.out.section("annealing").update(epochs=self.training.epoch, last_look=self._as_rows())
        self.out.write()

    def _as_rows(self) -> list[dict[str, Any]]:
        return [{"seed": seed, **{variant: {"epoch": choice.epoch,
                                            "validation_log_likelihood": choice.validation_log_likelihood}
                                  for variant in VARIANTS if (choice := self.choices.get((k, variant)))}}
                for k, seed in enumerate(self.training.seeds)]

    # The short annealing.

    def _branch(self, reserve: float) -> None:
        """From the state at this epoch, 20 epochs with a small rate. Without it they are the run's own next ones."""
        at = self.training.epoch
        if self.epochs < at + BRANCH_EPOCHS:
            return
        branch = start(self.work, annealed(self.work.nets), self.training.seeds)
        for k in range(len(self.training.seeds)):
            branch.restore(self.training.state(k), k)
        for _ in range(BRANCH_EPOCHS):
            if self.share.left < reserve:
                self.share.say(f"the short annealing from epoch {at} was cut off after {branch.epoch - at} epochs")
                break
            branch.run_epochs()
        before, after = self.looks[-1][1], look(self.work, branch)
        section = self.out.section("annealing").setdefault("short_annealing", [])
        section.append({"from_epoch": at, "epochs": branch.epoch - at, "rate": BRANCH_RATE, "seeds": [
            {"seed": seed, "before": dict(zip(VARIANTS, before[k], strict=True)),
             "after": dict(zip(VARIANTS, after[k], strict=True))} for k, seed in enumerate(self.training.seeds)]})
        self.out.write()
        middle = sorted(scores[0] for scores in after)[len(after) // 2]
        self.share.say(f"short annealing from epoch {at}: raw {middle:.1f} nats on validation, the seeds' middle")

    # Scores.

    def _score(self) -> None:
        section = self.out.section("annealing")
        seeds: list[dict[str, Any]] = []
        grids: dict[str, Any] = {"shape": self.work.dataset.shape}
        for k, seed in enumerate(self.training.seeds):
            variants: dict[str, Any] = {}
            for variant in VARIANTS:
                choice = self.choices[k, variant]
                scores, samples = self.work.score(choice.weights, seed)
                variants[variant] = {"epoch": choice.epoch, **scores}
                grids[f"seed_{seed}_{variant}"] = _pixels(samples[:GRID])
            seeds.append({"seed": seed, "collapsed": self.collapsed(k), "variants": variants})
            section["scores"] = seeds
            self.out.write()
            self.share.say(f"seed {seed}: " + ", ".join(
                f"{variant} {found['refined']['test_log_likelihood']:.1f} ± {found['refined']['standard_error']:.1f} "
                f"(epoch {found['epoch']})" for variant, found in variants.items())
                + (", collapsed" if seeds[-1]["collapsed"] else ""))
        self.out.arrays(output.GRIDS, grids)
        self._keep_best(seeds)

    def collapsed(self, k: int) -> bool | None:
        """By the curves' end; None where they are too short to tell."""
        curves = [epoch[k] for epoch in self.curves]
        try:
            return has_collapsed([row[CURVES.index("d_on_data")] for row in curves],
                                 [row[CURVES.index("d_on_samples")] for row in curves])
        except ValueError:
            return None

    def _keep_best(self, seeds: list[dict[str, Any]]) -> None:
        best = max(range(len(seeds)), key=lambda k: self.choices[k, "raw"].validation_log_likelihood)
        self.out.tensors(output.GENERATOR, {
            f"{variant}.{i}": tensor.half() for variant in VARIANTS
            for i, tensor in enumerate(self.choices[best, variant].weights)},
            {"seed": seeds[best]["seed"],
             "epochs": {variant: self.choices[best, variant].epoch for variant in VARIANTS},
             "dtype": "float16, of float32 weights",
             "settings": self.work.settings.plain(self.work.options.experiment, [seeds[best]["seed"]])})


def annealed(nets: AdversarialNets) -> AdversarialNets:
    """With a rate of a twentieth."""
    rate = nets.recipe.learning_rate
    return with_recipe(nets, learning_rate=dataclasses.replace(
        rate, initial=BRANCH_RATE * rate.initial, minimum=BRANCH_RATE * rate.minimum))


def look(work: Workload, training: Training, variants: tuple[str, ...] = VARIANTS) -> list[list[float]]:
    """Validation log-likelihoods, [seed][variant]"""
    return [[work.look(weights(training, k, variant), seed, training.nets) for variant in variants]
            for k, seed in enumerate(training.seeds)]


def _pixels(samples: Tensor) -> Any:
    """uint8 [n, d]"""
    return samples.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
