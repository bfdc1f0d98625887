"""The rate of collapse over starts of 20 epochs, as released and with one thing changed, by `gan.adversarial.collapse`.

Batches of starts are computed in step, each with a seed of its own. A batch that the time cuts off is not counted.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from gan.adversarial.collapse import START
from gan.adversarial.settings import AdversarialNets
from gan.adversarial.training import Training
from gan.errors import TrainingDiverged
from pipeline.bare import output
from pipeline.bare.annealing import LongRun, look
from pipeline.bare.clock import Share
from pipeline.bare.output import Output
from pipeline.bare.starts import Starts, packed
from pipeline.bare.training import code_of_tests, few, seconds_per_update, start, values
from pipeline.bare.variants import in_step, variants
from pipeline.bare.workload import Workload

RELEASED, INDEPENDENT = "as released", "independent implementation"
OWN = "by its own recipe"
"""Starts of nets that keep the players in step in a way that the released recipe has not"""
FEWEST_IN_STEP = 5
PROBED_MINIBATCHES = 20
"""by which is measured what a start costs"""
INDEPENDENT_CODE = "tests/independent/adversarial_nets.py"


def name_of(nets: AdversarialNets) -> str:
    """What starts by the recipe of params.yaml are called."""
    return OWN if _beyond_the_independent(nets) else RELEASED


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
        """By the recipe of params.yaml, from the starts that are known on."""
        self._run(share, name_of(self.work.nets), self.work.nets, Training, known)

    def variants(self, share: Share) -> None:
        """The independent implementation and each variant that was asked for, with equal parts of the time.

        One that fails leaves the others their turn; then its error is raised.
        """
        kinds: dict[str, Callable[[Share], None]] = {"independent": self._independent}
        for key, (name, nets, kind) in variants(self.work.nets).items():
            kinds[key] = functools.partial(self._variant, name, nets, kind)
        asked = self.work.options.variants
        failed: list[Exception] = []
        for i, key in enumerate(asked):
            try:
                kinds[key](Share(share.part, share.clock, max(0.0, share.left) / (len(asked) - i)))
            except Exception as error:
                traceback.print_exc()
                failed.append(error)
        if failed:
            raise failed[0]

    def _variant(self, name: str, nets: AdversarialNets, kind: type[Training], share: Share) -> None:
        self._run(share, name, nets, kind, Starts())

    def _run(self, share: Share, name: str, nets: AdversarialNets, kind: type[Training], starts: Starts) -> None:
        self.kinds[name] = starts
        batch = self.work.options.batch
        cost = START * self.work.updates_per_epoch / batch * seconds_per_update(
            self.work, batch, min(0.2, share.seconds / 20), PROBED_MINIBATCHES, nets, kind)
        while n := self._batch_size(share, starts, cost):
            begun = share.elapsed
            first = max(starts.seeds, default=self.work.options.first_seed - 1) + 1
            if not self._batch(share, nets, kind, range(first, first + n), starts):
                break
            cost = (share.elapsed - begun) / n
            self._write()
            self._say(share, name, cost)
        self._write()

    def _batch_size(self, share: Share, starts: Starts, cost: float) -> int:
        """How many starts come next, each of which takes `cost` seconds; 0 where there is no time for a few."""
        most = min(self.work.options.batch, self.work.options.starts - len(starts.seeds))
        n = min(most, math.floor(0.95 * share.left / cost))
        return n if n >= min(FEWEST_IN_STEP, most) else 0

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
        if (why := _beyond_the_independent(self.work.nets)):
            share.say(f"{INDEPENDENT}: left out, it has the released recipe alone, and this one has {why}")
            return
        code = code_of_tests(INDEPENDENT_CODE)
        recipe = _independent_recipe(code, self.work.nets)
        starts = self.kinds[INDEPENDENT] = Starts(names=("d_on_data", "d_on_samples"))
        images, batch = few(self.work, PROBED_MINIBATCHES), self.work.options.batch
        probe = code.Starts(images, batch, 0, recipe)
        probe.run_epoch()
        seconds = self.work.median_seconds(probe.run_epoch, min(0.2, share.seconds / 20))
        cost = START * self.work.updates_per_epoch / batch * seconds / PROBED_MINIBATCHES
        while n := self._batch_size(share, starts, cost):
            begun = share.elapsed
            seed = max(starts.seeds, default=self.work.options.first_seed - 1) + 1
            rows = [torch.stack(epoch, -1).tolist() for epoch in code.curves(self.work.train, n, seed, recipe, START)]
            cost = (share.elapsed - begun) / n
            starts.curves += [[epoch[k] for epoch in rows] for k in range(n)]
            starts.seeds += range(seed, seed + n)
            self._write()
            self._say(share, INDEPENDENT, cost)

    def _say(self, share: Share, name: str, cost: float) -> None:
        found = self.kinds[name].summary()
        share.say(f"{name}: {found['collapsed']} of {found['starts']} starts collapsed, {cost:.2f} s a start")

    def _write(self) -> None:
        section, arrays = packed(self.kinds)
        self.out.section("collapse").update(section)
        self.out.arrays(output.STARTS, arrays)
        self.out.write()


def _beyond_the_independent(nets: AdversarialNets) -> str:
    """What the other implementation does not have of `nets`; empty where it has all."""
    plain = in_step(nets)["plain"][1]
    changed = [field.name for field in dataclasses.fields(nets.recipe)
               if getattr(nets.recipe, field.name) != getattr(plain.recipe, field.name)]
    return ", ".join([*changed, *(["spectral_norm"] if nets.discriminator.spectral_norm else [])])


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
