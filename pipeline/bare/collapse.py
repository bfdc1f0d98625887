"""The rate of collapse over starts of 20 epochs, as released and with one thing changed, by `gan.adversarial.collapse`.

Batches of starts are computed in step, each with a seed of its own. A batch that the time cuts off is not counted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from gan.adversarial import game
from gan.adversarial.collapse import START, has_collapsed
from gan.adversarial.settings import AdversarialNets
from gan.adversarial.training import Training
from gan.errors import TrainingDiverged
from pipeline.bare import output
from pipeline.bare.annealing import LongRun, look
from pipeline.bare.clock import Share
from pipeline.bare.output import Output
from pipeline.bare.training import CURVES, code_of_tests, seconds_per_update, start, values
from pipeline.bare.workload import Workload, with_recipe

RELEASED, INDEPENDENT = "as released", "independent implementation"
MAXIMUM_NORM = 1.9365
"""of the recipe's older ancestors, on every layer of both nets"""

FEWEST_IN_STEP = 5
INDEPENDENT_CODE = "tests/independent/adversarial_nets.py"


class WithoutHalf(Training):
    """D's loss as the paper's equation has it: twice the released code's."""

    def _discriminator_gradient(self, logits: Tensor, n: int) -> Tensor:
        gradient: Tensor = game.discriminator_logit_gradient(logits, n).mul_(2)
        return gradient


def variants(nets: AdversarialNets) -> dict[str, tuple[AdversarialNets, type[Training]]]:
    """By what is changed: the settings, and what trains them."""
    return {
        "N(0, 1) noise": (dataclasses.replace(nets, noise=dataclasses.replace(nets.noise, distribution="normal")),
                          Training),
        "D's loss without the ½": (nets, WithoutHalf),
        f"column norms {MAXIMUM_NORM}": (with_recipe(nets, maximum_norm=MAXIMUM_NORM), Training),
        "alternating updates": (with_recipe(nets, updates="alternating"), Training),
        "tf32": (with_recipe(nets, precision="tf32"), Training),
    }


@dataclass
class Starts:
    """What is known of the starts of one kind."""

    seeds: list[int] = field(default_factory=list)
    curves: list[list[list[float]]] = field(default_factory=list)
    """[start][epoch][CURVES], or of [epoch][D on data, D on samples]"""
    validation: list[float] = field(default_factory=list)
    names: Sequence[str] = CURVES
    diverged_batches: int = 0

    def collapsed(self) -> list[bool]:
        data, samples = self.names.index("d_on_data"), self.names.index("d_on_samples")
        return [has_collapsed([row[data] for row in curve], [row[samples] for row in curve]) for curve in self.curves]

    def summary(self) -> dict[str, Any]:
        """Counts, the rate, and its exact (Clopper–Pearson) 95 % interval."""
        flags = self.collapsed()
        found: dict[str, Any] = {"epochs": START, "starts": len(flags), "collapsed": sum(flags),
                                 "collapsed_seeds": [s for s, flag in zip(self.seeds, flags, strict=True) if flag]}
        if self.diverged_batches:
            found["batches_that_diverged"] = self.diverged_batches
        if flags:
            low, high = interval(sum(flags), len(flags))
            found |= {"rate": sum(flags) / len(flags), "interval_95": [low, high]}
        if self.validation:
            found["validation_below_0"] = sum(not score >= 0 for score in self.validation)
            found["rule_and_validation_agree"] = sum(
                flag is (not score >= 0) for flag, score in zip(flags, self.validation, strict=True))
        return found


def interval(collapsed: int, starts: int) -> tuple[float, float]:
    """The exact (Clopper–Pearson) 95 % interval of a binomial rate."""
    found = binomtest(collapsed, starts).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def of_long_run(run: LongRun) -> Starts:
    """The first epochs of the long run's seeds are starts as well."""
    looks = dict(run.looks)
    if len(run.curves) < START or START not in looks:
        return Starts()
    seeds = run.training.seeds
    return Starts(list(seeds), [[epoch[k] for epoch in run.curves[:START]] for k in range(len(seeds))],
                  [scores[0] for scores in looks[START]])


@dataclass
class Collapse:
    """All kinds of starts of one run, in starts.npz and under `collapse` in results.json."""

    work: Workload
    out: Output
    kinds: dict[str, Starts] = field(default_factory=dict)

    def released(self, share: Share, known: Starts) -> None:
        """As released, from the starts that are known on."""
        self._run(share, RELEASED, self.work.nets, Training, known)

    def variants(self, share: Share) -> None:
        """The independent implementation and each variant, with equal parts of the time."""
        kinds = variants(self.work.nets)
        left = 1 + len(kinds)
        self._independent(_part(share, left))
        for name, (nets, kind) in kinds.items():
            left -= 1
            self._run(_part(share, left), name, nets, kind, Starts())

    def _run(self, share: Share, name: str, nets: AdversarialNets, kind: type[Training], starts: Starts) -> None:
        self.kinds[name] = starts
        wanted, batch = self.work.options.starts, self.work.options.batch
        cost = START * self.work.updates_per_epoch / batch * seconds_per_update(
            self.work, batch, min(0.2, share.seconds / 20), minibatches=20, nets=nets)
        while len(starts.seeds) < wanted:
            most = min(batch, wanted - len(starts.seeds))
            n = min(most, math.floor(0.9 * share.left / cost))
            if n < min(FEWEST_IN_STEP, most):
                break
            begun = share.elapsed
            first = max(starts.seeds, default=0) + 1
            if not self._batch(share, nets, kind, range(first, first + n), starts):
                break
            cost = (share.elapsed - begun) / n
            self._write()
            found = starts.summary()
            share.say(f"{name}: {found['collapsed']} of {found['starts']} starts collapsed, {cost:.2f} s a start")
        self._write()

    def _batch(self, share: Share, nets: AdversarialNets, kind: type[Training], seeds: Sequence[int], starts: Starts
               ) -> bool:
        """Whether the batch was finished in time."""
        training = start(self.work, nets, seeds, kind=kind)
        rows = []
        try:
            for _ in range(START):
                rows.append([values(one) for one in training.run_epochs()])
                if share.left <= 0:
                    return False
        except TrainingDiverged:
            starts.diverged_batches += 1
            return False
        starts.curves += [[epoch[k] for epoch in rows] for k in range(len(seeds))]
        starts.validation += [scores[0] for scores in look(self.work, training, ("raw",))]
        starts.seeds += seeds
        return True

    def _independent(self, share: Share) -> None:
        code = code_of_tests(INDEPENDENT_CODE)
        recipe = _independent_recipe(code, self.work.nets)
        starts = self.kinds[INDEPENDENT] = Starts(names=("d_on_data", "d_on_samples"))
        batch = self.work.options.batch
        while len(starts.seeds) < self.work.options.starts:
            begun, rows = share.elapsed, []
            seed = max(starts.seeds, default=0) + 1
            for epoch in code.curves(self.work.train, batch, seed, recipe, START):
                rows.append(torch.stack(epoch, -1).tolist())
                needed = (share.elapsed - begun) / len(rows) * (START - len(rows))
                if needed > share.left:
                    break
            if len(rows) < START:
                share.say(f"{INDEPENDENT}: no time for {batch} more starts")
                break
            starts.curves += [[epoch[k] for epoch in rows] for k in range(batch)]
            starts.seeds += range(seed, seed + batch)
            self._write()
            found = starts.summary()
            share.say(f"{INDEPENDENT}: {found['collapsed']} of {found['starts']} starts collapsed, "
                      f"{(share.elapsed - begun) / batch:.2f} s a start")

    def _write(self) -> None:
        section = self.out.section("collapse")
        arrays: dict[str, Any] = {}
        for i, (name, starts) in enumerate(self.kinds.items()):
            section[name] = {"arrays": i, "names": list(starts.names), **starts.summary()}
            arrays |= {f"{i}_seeds": starts.seeds, f"{i}_curves": np.asarray(starts.curves, np.float32),
                       f"{i}_validation": starts.validation}
        self.out.arrays(output.STARTS, arrays)
        self.out.write()


def _part(share: Share, among: int) -> Share:
    return Share(share.part, share.clock, max(0.0, share.left) / among)


def _independent_recipe(code: Any, nets: AdversarialNets) -> Any:
    """The numbers of `nets` for the other implementation."""
    recipe, hidden = nets.recipe, nets.discriminator.hidden
    keeps = [*(layer.keep for layer in hidden), nets.discriminator.output.keep]
    return code.Recipe(
        noise=nets.noise.dimensions, generator=tuple(layer.units for layer in nets.generator.hidden),
        generator_irange=nets.generator.hidden[0].irange, units=tuple(layer.units for layer in hidden),
        pieces=hidden[0].pieces, discriminator_irange=hidden[0].irange, drop=tuple(1 - keep for keep in keeps),
        batch=recipe.batch_size, rate=recipe.learning_rate.initial, decay=recipe.learning_rate.decay,
        least_rate=recipe.learning_rate.minimum,
        momentum=(recipe.momentum.initial, recipe.momentum.final, recipe.momentum.saturates))
