"""Starts of one kind and what became of them: counted, kept beside results.json in starts.npz, joined over runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gan.adversarial.collapse import START, has_collapsed

CURVES = ("discriminator_loss", "generator_loss", "d_on_data", "d_on_samples")


@dataclass
class Starts:
    """What is known of the starts of one kind."""

    seeds: list[int] = field(default_factory=list)
    curves: list[list[list[float]]] = field(default_factory=list)
    """[start][epoch][names]"""
    validation: list[float] = field(default_factory=list)
    """Log-likelihoods in nats after the last epoch; empty where they were not measured"""
    names: Sequence[str] = CURVES
    diverged_batches: int = 0
    runs: list[dict[str, Any]] = field(default_factory=list)
    """Once recorded, which run each of them comes from: its commit, date, hardware and data, and the seeds"""

    def collapsed(self) -> list[bool]:
        data, samples = self.names.index("d_on_data"), self.names.index("d_on_samples")
        return [has_collapsed([row[data] for row in curve], [row[samples] for row in curve]) for curve in self.curves]

    def summary(self) -> dict[str, Any]:
        """Counts, the rate, and its exact (Clopper–Pearson) 95 % interval."""
        flags = self.collapsed()
        found: dict[str, Any] = {"epochs": START, "starts": len(flags), "collapsed": sum(flags),
                                 "collapsed_seeds": [s for s, flag in zip(self.seeds, flags, strict=True) if flag]}
        if self.runs:
            found["runs"] = self.runs
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

    def without(self, seeds: set[int]) -> Starts:
        """The others; a run of which none is left is not named any more."""
        kept = [k for k, seed in enumerate(self.seeds) if seed not in seeds]
        runs = [run | {"seeds": [seed for seed in run["seeds"] if seed not in seeds]} for run in self.runs]
        return dataclasses.replace(
            self, seeds=[self.seeds[k] for k in kept], curves=[self.curves[k] for k in kept],
            validation=[self.validation[k] for k in kept] if self.validation else [],
            runs=[run for run in runs if run["seeds"]])

    def joined(self, others: Starts) -> Starts:
        """These and, where a seed is in both, the others'."""
        mine = self.without(set(others.seeds))
        return Starts(mine.seeds + others.seeds, mine.curves + others.curves, mine.validation + others.validation,
                      self.names, self.diverged_batches + others.diverged_batches, mine.runs + others.runs)


def interval(collapsed: int, starts: int) -> tuple[float, float]:
    """The exact (Clopper–Pearson) 95 % interval of a binomial rate."""
    from scipy.stats import binomtest  # starts slowly, and most who record have no starts

    found = binomtest(collapsed, starts).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def packed(kinds: Mapping[str, Starts]) -> tuple[dict[str, Any], dict[str, Any]]:
    """For JSON, by kind; and the arrays that go with it."""
    import numpy as np

    section: dict[str, Any] = {}
    arrays: dict[str, Any] = {}
    for i, (name, starts) in enumerate(kinds.items()):
        section[name] = {"arrays": i, "names": list(starts.names), **starts.summary()}
        arrays |= {f"{i}_seeds": starts.seeds, f"{i}_curves": np.asarray(starts.curves, np.float32),
                   f"{i}_validation": starts.validation}
    return section, arrays


def unpacked(section: Mapping[str, Any], arrays: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Starts]:
    """What `packed` made; `run` is what the starts come from where they do not say it themselves."""
    kinds = {}
    for name, found in section.items():
        seeds, curves, validation = (arrays[f"{found['arrays']}_{part}"].tolist()
                                     for part in ("seeds", "curves", "validation"))
        runs = found.get("runs", [{**run, "seeds": seeds}] if seeds else [])
        kinds[name] = Starts(seeds, curves, validation, found["names"], found.get("batches_that_diverged", 0), runs)
    return kinds
