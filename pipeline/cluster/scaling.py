"""How long ten experiments with a hundred seeds each take on so many workers, from the times of one that was measured.

    python -m pipeline scaling                print the table from reports/cluster/measured.json
    python -m pipeline scaling mnist          take the times from this checkout's last cluster run first; a second word
                                              is a note beside them

Computed, not measured: the coordinator's rule (what the rest waits for longest goes first) on the graph of so many
experiments like the measured one, without waiting for a cluster's queue. Tasks last as long as they did, with all that
a worker does around its stage; a stage that goes through seeds one after another lasts in proportion to them.
"""

from __future__ import annotations

import heapq
import io
import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gan.errors import ReproductionError
from pipeline.artifacts.paths import ARTIFACTS
from pipeline.cluster import FOLDER
from pipeline.cluster.coordinator import HISTORY
from pipeline.cluster.times import longest_paths
from pipeline.figures.style import BLUE, DPI, GREY, STYLE, VERMILION, WIDTH
from pipeline.runtime import files, machine
from pipeline.runtime.progress import duration

REPORTS = Path("reports/cluster")
MEASURED, TEXT, PICTURE = REPORTS / "measured.json", REPORTS / "README.md", REPORTS / "scaling.png"
EXPERIMENTS, SEEDS = 10, 100
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NAMED = (1, 8, 64)
NO_MORE = 0.05
"""Twice the workers that save less than this share of the time are no gain"""
CHAIN = ("configure", "train", "sample", "bandwidth", "evaluate")
AFTER = ("sample_size", "figures")
THROUGH_SEEDS = ("sample", "bandwidth", "evaluate")
"""Stages that go through the seeds one after another; `sample_size` and `figures` look at the chosen one"""


@dataclass(frozen=True)
class Measured:
    """Seconds of the tasks of one experiment."""

    experiment: str
    profile: str
    seeds: int
    hardware: dict[str, Any]
    commit: str
    around: float
    """what a worker does around a stage"""
    seed: float
    """one seed's training, with that"""
    tasks: dict[str, float]
    """each stage, with that, for so many seeds"""
    note: str = ""
    """what else to know of the run"""

    def task(self, verb: str, seeds: int) -> float:
        """Seconds of a stage for another number of seeds."""
        whole = self.tasks[verb]
        if verb not in THROUGH_SEEDS:
            return whole
        return self.around + max(0.0, whole - self.around) * seeds / self.seeds

    @classmethod
    def of_the_last_run(cls, experiment: str, note: str = "") -> Measured:
        """ReproductionError if this checkout has no whole cluster run of that experiment."""
        found: dict[tuple[str, int | None], float] = {}
        try:
            lines = (FOLDER / HISTORY).read_text().splitlines()
        except OSError:
            lines = []
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:  # torn by a coordinator that was killed
                continue
            verb, _, name = line["stage"].partition("@")
            if line["event"] == "done" and name == experiment and verb in (*CHAIN, *AFTER):  # no point of a sweep
                found[verb, line["seed"]] = float(line["seconds"])
        trained = [one["seed"] for one in _training(experiment).get("seeds", ())]
        seeds = [took for (verb, seed), took in found.items() if verb == "train" and seed in trained]
        tasks = {verb: took for (verb, seed), took in found.items() if seed is None}
        lacking = [verb for verb in (*CHAIN, *AFTER) if verb not in tasks]
        if lacking or not seeds:
            raise ReproductionError(f"no whole cluster run of {experiment} is on record here",
                                    expected=f"{FOLDER / HISTORY} with all its stages, and its seeds apart",
                                    found=f"none of {', '.join(lacking) or 'its seeds'}",
                                    remedy=f"make reproduce CLUSTER=local EXPERIMENTS={experiment}")
        training = _training(experiment)
        commit, _ = machine.commit()
        return cls(experiment, training["profile"], len(training["seeds"]), training["hardware"], commit,
                   tasks["configure"], statistics.fmean(seeds), tasks, note)

    @classmethod
    def read(cls) -> Measured:
        return cls(**files.read_json(MEASURED))


def _training(experiment: str) -> dict[str, Any]:
    path = ARTIFACTS / experiment / "training.json"
    return dict(files.read_json(path)) if path.is_file() else {}


@dataclass(frozen=True)
class Graph:
    """Tasks, each after what it needs, and their seconds."""

    needs: Mapping[str, Sequence[str]]
    seconds: Mapping[str, float]

    @property
    def work(self) -> float:
        return sum(self.seconds.values())

    @property
    def longest(self) -> float:
        """No number of workers is faster."""
        return max(longest_paths(list(self.needs), self.needs, self.seconds).values())


def graph(measured: Measured, experiments: int, seeds: int, apart: bool = False) -> Graph:
    """Of so many experiments; `apart`: as if all that goes through seeds were a task for each."""
    needs: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}

    def add(name: str, took: float, after: list[str]) -> str:
        needs[name], seconds[name] = after, took
        return name

    for e in range(experiments):
        before = [add(f"configure@{e}", measured.task("configure", seeds), [])]
        trained = [add(f"train@{e} seed {s}", measured.seed, before) for s in range(seeds)]
        before = [add(f"train@{e}", measured.task("train", seeds), trained)]
        for verb in CHAIN[2:]:
            if apart:
                before = [add(f"{verb}@{e} seed {s}", measured.task(verb, 1), before) for s in range(seeds)]
            else:
                before = [add(f"{verb}@{e}", measured.task(verb, seeds), before)]
        for verb in AFTER:
            add(f"{verb}@{e}", measured.task(verb, seeds), before)
    return Graph(needs, seconds)


def makespan(tasks: Graph, workers: int) -> float:
    """Seconds until all is done by list scheduling: a free worker takes the ready task with the longest path."""
    paths = longest_paths(list(tasks.needs), tasks.needs, tasks.seconds)
    waiting = {name: len(set(needed)) for name, needed in tasks.needs.items()}
    followers: dict[str, list[str]] = {name: [] for name in tasks.needs}
    for name, needed in tasks.needs.items():
        for need in set(needed):
            followers[need].append(name)
    ready = [(-paths[name], name) for name, count in waiting.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + tasks.seconds[name], name))
        now, name = heapq.heappop(running)
        for follower in followers[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, (-paths[follower], follower))
    return now


@dataclass(frozen=True)
class Row:
    workers: int
    seconds: float
    apart: float
    """as if nothing went through seeds one after another"""


def table(measured: Measured, experiments: int = EXPERIMENTS, seeds: int = SEEDS) -> list[Row]:
    as_is, apart = graph(measured, experiments, seeds), graph(measured, experiments, seeds, apart=True)
    return [Row(workers, makespan(as_is, workers), makespan(apart, workers)) for workers in WORKERS]


def stops_at(rows: Sequence[Row]) -> int:
    """The first number of workers of which twice as many save less than NO_MORE of the time."""
    for one, twice in itertools.pairwise(rows):
        if twice.seconds > (1 - NO_MORE) * one.seconds:
            return one.workers
    return rows[-1].workers


def text(measured: Measured, rows: Sequence[Row]) -> str:
    tasks = graph(measured, EXPERIMENTS, SEEDS)
    whole = rows[0].seconds
    lines = [f"""# On more than one machine

Written by `make scaling`. **On paper**: computed from measured times of tasks, for {EXPERIMENTS} experiments like
`{measured.experiment}` (profile `{measured.profile}`) with {SEEDS} seeds each, by the coordinator's own rule, without
the waiting of a queue. Measured on {machine.describe(measured.hardware)};
{measured.hardware["threads"]} thread a worker, commit {measured.commit[:7]}: one seed's training takes
{duration(measured.seed)}, what a worker does around a stage {measured.around:.1f} s. No GPU was measured: a *worker*
is one of these. With a GPU for each worker the same rule holds for its times, which
`python -m pipeline scaling mnist` takes after a run there.{f" {measured.note}" if measured.note else ""}

| workers | time | times as fast | of what so many could give | with every seed a task of its own in all stages |
|---|---|---|---|---|"""]
    for row in rows:
        mark = "**" if row.workers in NAMED else ""
        lines.append(f"| {mark}{row.workers:,}{mark} | {duration(row.seconds)} | {whole / row.seconds:.1f} | "
                     f"{100 * whole / row.seconds / row.workers:.0f} % | {duration(row.apart)} |")
    stop, chain = stops_at(rows), tasks.longest
    used = max(row.workers for row in rows if whole / row.seconds > 0.5 * row.workers)
    serial = sum(measured.task(verb, SEEDS) for verb in THROUGH_SEEDS)
    lines.append(f"""
More than half of what the workers could give is used up to {used:,} of them. It stops scaling at about {stop:,}
workers, twice of which would save less than {100 * NO_MORE:.0f} %, or which are the most that were computed: no number
of them is faster than {duration(chain)}, the longest chain of tasks, one seed's training and then `sample`,
`bandwidth` and `evaluate` of one experiment, which go through its {SEEDS} seeds one after another and take
{duration(serial)} of it. The last column is what splitting these too would give, which is not built.

![Time against workers]({PICTURE.name})
""")
    return "\n".join(lines)


def picture(rows: Sequence[Row]) -> bytes:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        drawn = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axes = drawn.add_subplot()
        x = [row.workers for row in rows]
        axes.plot(x, [rows[0].seconds / row.workers / 3600 for row in rows], ":", color=GREY, label="in proportion")
        axes.plot(x, [row.seconds / 3600 for row in rows], "o-", color=BLUE, markersize=3, label="as it is")
        axes.plot(x, [row.apart / 3600 for row in rows], "s--", color=VERMILION, markersize=3,
                  label="every seed a task of its own in all stages")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(x, [f"{n:,}" for n in x])
        ticks = [tick for tick in (0.1, 0.3, 1, 3, 10, 30, 100, 300) if
                 min(row.apart for row in rows) / 3600 * 0.5 <= tick <= rows[0].seconds / 3600 * 2]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("workers")
        axes.set_ylabel("hours")
        axes.legend(frameon=False)
        raw = io.BytesIO()
        drawn.savefig(raw, format="png", dpi=DPI, metadata={"Software": None})
    return raw.getvalue()


def main(experiment: str = "", note: str = "") -> None:
    if experiment:
        files.write_json(MEASURED, asdict(Measured.of_the_last_run(experiment, note)))
    measured = Measured.read()
    rows = table(measured)
    files.write_bytes(PICTURE, picture(rows))
    files.write_text(TEXT, text(measured, rows))
    for row in rows:
        times = rows[0].seconds / row.seconds
        print(f"{row.workers:6,} workers  {duration(row.seconds):>12}  {times:7.1f} times as fast")
    print(f"written: {TEXT}", flush=True)
