"""Sweeps: an experiment with every combination of some settings, on the cluster, as DVC experiments and one page.

    make sweep GRID=rates.yaml                                      on this machine's cores or GPUs
    make sweep GRID=rates.yaml CLUSTER=slurm OPTIONS="--gpus 1"

A grid is a small YAML file:

    name: rates                      of the sweep: its experiments are rates-1, rates-2, …
    experiment: mnist                of params.yaml
    over:                            every combination of these; names as below experiments.<experiment>
      train.model.recipe.learning_rate.initial: [0.05, 0.1, 0.2]
      train.model.recipe.discriminator_steps: [1, 2]
    set:                             the same in all of them; may be left out
      train.seeds: [1, 2]
    by: raw                          the variant that decides; may be left out

Each point is a clone of the last commit with its settings in params.yaml; the workers of all points share one run
cache, so that what points have in common is run once. The best point is that of the highest validation log-likelihood,
a mean over seeds; test scores are told of it alone. Where the profile overrides a setting, the override is set.
"""

from __future__ import annotations

import copy
import csv
import io
import itertools
import json
import math
import os
import re
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.utils.serialize import dumps_yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import ParameterError, ReproductionError
from gan.settings import ParameterBlock
from pipeline.artifacts.paths import ARTIFACTS, FIGURES
from pipeline.cluster import FOLDER
from pipeline.cluster import run as runs
from pipeline.cluster.coordinator import Work, settings_of
from pipeline.cluster.graph import Graph
from pipeline.cluster.local import CLONED
from pipeline.cluster.options import ClusterOptions
from pipeline.cluster.worker import ini
from pipeline.page.charts import Axis, Chart, Line, around
from pipeline.page.embedding import picture_source
from pipeline.page.environment import environment, style_and_script
from pipeline.results.text import setting_text, with_error
from pipeline.runtime import dvc_adapter, files, git, machine, process_lock, site_cache
from pipeline.runtime.names import require_known
from pipeline.runtime.progress import duration
from pipeline.settings import parameters
from pipeline.settings.explain import changed, place_of
from pipeline.settings.parameters import Parameters
from pipeline.settings.plan import Plan

PAGES = Path("comparison")
TEMPLATE = "sweep.html"
STAGES = ("evaluate", "figures")
"""What a point is run for"""
PLAIN = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
"""Without what a user has git do at each commit: the same commit each time, and no questions"""
COLOURS = 5
"""of curves, in turn"""


@dataclass(frozen=True)
class Sweep(ParameterBlock):
    """The content of a grid file."""

    name: str
    experiment: str
    over: dict[str, list[Any]]
    set: dict[str, Any] = field(default_factory=dict)
    by: str = "raw"

    @classmethod
    def read(cls, path: Path) -> Sweep:
        """ParameterError if the file is missing, or is no grid."""
        try:
            content = YAML(typ="safe").load(path.read_text())
            found = cls(**content)
        except (OSError, UnicodeDecodeError, YAMLError, TypeError, AttributeError) as error:
            raise ParameterError(f"{path} is no grid", expected="name, experiment and over, as docs/training.md shows",
                                 found=str(error).splitlines()[0],
                                 remedy=f"correct {path}, or name another: make sweep GRID=…") from error
        if not re.fullmatch(r"[A-Za-z][\w-]*", str(found.name)):
            raise ParameterError(f"{path}: name is to be a name for branches and files",
                                 expected="a letter, then letters, digits, _ and -", found=str(found.name))
        for what, value in (("experiment", found.experiment), ("by", found.by)):
            if not isinstance(value, str):
                raise ParameterError(f"{path}: {what} is to be a name", expected="text", found=str(value))
        lists = isinstance(found.over, dict) and found.over and all(
            isinstance(values, list) and values for values in found.over.values())
        if not isinstance(found.set, dict) or not all(isinstance(name, str) for name in found.set):
            raise ParameterError(f"{path}: set is to have values by the names of settings",
                                 expected="train.seeds: [1, 2]", found=str(found.set))
        if not lists or not all(isinstance(name, str) for name in found.over):
            raise ParameterError(f"{path}: over is to have lists of values by the names of settings",
                                 expected="train.model.recipe.learning_rate.initial: [0.05, 0.1]",
                                 found=str(found.over))
        return found

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last name's values changing fastest."""
        for values in itertools.product(*self.over.values()):
            yield dict(zip(self.over, values, strict=True))


@dataclass
class Point:
    """One combination, and where it is run."""

    name: str
    """of the DVC experiment"""
    settings: dict[str, Any]
    root: Path
    work: Work

    def evaluation(self, experiment: str) -> dict[str, Any] | None:
        if self.work.status[f"evaluate@{experiment}"] != "done":
            return None
        return dict(files.read_json(self.root / ARTIFACTS / experiment / "evaluation.json"))


def main(grid: Path, cluster: ClusterOptions) -> None:
    """The sweep of a grid file. ReproductionError at the end if a stage has failed."""
    sweep = Sweep.read(grid)
    with process_lock.holding(process_lock.CLUSTER, "a cluster run of this checkout"):
        run(sweep, cluster)


def run(sweep: Sweep, asked: ClusterOptions) -> None:
    commit = git.clean_code(CLONED)
    planned = parameters.load()
    require_known(sweep.experiment, planned.plan.experiments, "planned experiment",
                             "the grid (make plan EXPERIMENTS=… plans others)")
    executor, options, on_gpus = runs.prepare(asked)
    remote = options.data == "remote"
    here = Graph(Path.cwd(), remote)
    if remote:
        here.take_run_cache()
    profile = planned.profile_of(sweep.experiment)
    wanted = [(settings, parameters.check(changed(planned.raw, changes(
        planned.raw, profile, sweep.experiment, sweep.set | settings)))) for settings in sweep.points()]
    points = []
    for number, (settings, content) in enumerate(wanted, 1):  # all were checked before any is run
        name = f"{sweep.name}-{number}"
        root = make_clone(name, commit, content.raw, here.settings(), here.cache)
        graph = Graph(root, remote)
        targets = {f"{verb}@{sweep.experiment}" for verb in STAGES}
        targets |= {need for target in targets for need in graph.ancestors(target)}
        split = runs.seeds_apart(content, asked, executor, on_gpus)
        work = Work(graph, name, _head(root), settings_of(root),
                    {key: seeds for key, seeds in split.items() if key in targets},
                    runs.checkpoint_folder() / "sweeps" / name, targets - graph.here)
        points.append(Point(name, settings, root, work))
    print(f"sweep        {sweep.name}: {len(points)} points of {sweep.experiment}", flush=True)
    runs.coordinate([point.work for point in points], executor, options)
    for point in points:
        if point.evaluation(sweep.experiment) is not None:
            keep(point, commit)
    ranked = rank(points, sweep)
    write(ranked, sweep, profile, commit)
    print(table(ranked, sweep), flush=True)
    failed = [f"{point.name}: {name}" for point in points for name in point.work.names("failed")]
    if failed:
        raise ReproductionError(f"{len(failed)} stages failed", found=", ".join(failed), expected="each to end well",
                                remedy="see what each said above; the other points are on the page; the same command "
                                       "runs again only what is not done")
    runs.clear(f"sweeps/{sweep.name}")


# Points.

def changes(raw: Mapping[str, Any], profile: str, experiment: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an experiment by their whole names in params.yaml: in the profile's overrides where it has them.

    ParameterError names one that the experiment does not have.
    """
    known = Parameters(dict(raw), profile, {}, Plan())
    return {place_of(known, experiment, name, profile): value for name, value in settings.items()}


def make_clone(name: str, commit: str, content: Any, settings: dict[str, Any], cache: str) -> Path:
    """A clone at `commit` with other parameters, committed there; the same commit each time."""
    sweep, _, _ = name.rpartition("-")
    root = (FOLDER / "sweeps" / sweep / name).absolute()
    shutil.rmtree(root, ignore_errors=True)
    git.git("clone", "--quiet", "--shared", "--no-checkout", str(Path.cwd()), str(root))
    git.git("-C", str(root), "checkout", "--quiet", "--detach", commit)
    files.write_text(root / parameters.FILE, str(dumps_yaml(copy.deepcopy(content))))
    for each in ("artifacts", "data/raw", "reports/figures"):
        (root / each).mkdir(parents=True, exist_ok=True)
    core = {**settings.get("core", {}), site_cache.OPTION: site_cache.folder(root)}
    files.write_text(root / ".dvc/config.local", ini({**settings, "core": core, "cache": {"dir": cache}}))
    git.git("-C", str(root), *PLAIN, "commit", "--quiet", "--allow-empty", "--all", "--message", name,
         environment=_author(root))
    return root


def keep(point: Point, commit: str) -> None:
    """Make a point that is done an experiment of DVC's here: a commit upon the one it came from, under DVC's name for
    it. `dvc exp run` would ask for all data of that commit."""
    point.work.graph.enter(point.work.names("done"))
    git.git("-C", str(point.root), *PLAIN, "commit", "--quiet", "--all", "--amend", "--no-edit",
         environment=_author(point.root))
    git.git("fetch", "--quiet", str(point.root), f"+HEAD:{dvc_adapter.experiment_ref(commit, point.name)}")


def _author(root: Path) -> dict[str, str]:
    """As whom, and when, a clone's commit is made: the same each time, so that earlier jobs are known by it."""
    date = git.git("-C", str(root), "show", "--no-patch", "--format=%cI", "HEAD")
    return {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "sweep"), ("EMAIL", "sweep@localhost"), ("DATE", date))}


# What came out.

@dataclass(frozen=True)
class Ranked:
    """A point with its scores in nats; None where it has none."""

    point: Point
    variants: Mapping[str, Sequence[float]]
    """validation log-likelihood of each seed"""
    test: Mapping[str, tuple[float, float]]
    """test log-likelihood, and its standard error, of the seed that validation chose"""

    def mean(self, variant: str) -> float | None:
        values = self.variants.get(variant)
        return statistics.fmean(values) if values else None

    def text(self, variant: str) -> str:
        """"212.3 ± 1.4 (3 seeds)": mean and standard deviation over seeds."""
        values = self.variants.get(variant)
        if not values:
            return "–"
        spread = f" ± {statistics.stdev(values):.1f} ({len(values)} seeds)" if len(values) > 1 else ""
        return f"{statistics.fmean(values):.1f}{spread}".replace("-", "−")

    def test_text(self, variant: str) -> str:
        return with_error(*self.test[variant]) if variant in self.test else "–"


def rank(points: Sequence[Point], sweep: Sweep) -> list[Ranked]:
    """The best by validation first; those without a score last. ParameterError if none has the variant that decides."""
    found = []
    for point in points:
        evaluation = point.evaluation(sweep.experiment)
        seeds = evaluation["seeds"] if evaluation else []
        names = list(seeds[0]["variants"]) if seeds else []
        scores = {name: [seed["variants"][name]["refined"] for seed in seeds] for name in names}
        best = {name: max(each, key=lambda score: float(score["validation_log_likelihood"]))
                for name, each in scores.items()}
        found.append(Ranked(point, {name: [float(score["validation_log_likelihood"]) for score in each]
                                    for name, each in scores.items()},
                            {name: (float(score["test_log_likelihood"]), float(score["standard_error"]))
                             for name, score in best.items()}))
    known = list(dict.fromkeys(name for each in found for name in each.variants))
    if known:
        require_known(sweep.by, known, "variant", "the grid: by")

    def order(ranked: Ranked) -> float:
        mean = ranked.mean(sweep.by)
        return math.inf if mean is None else -mean

    return sorted(found, key=order)


def variants(ranked: Sequence[Ranked]) -> list[str]:
    return list(dict.fromkeys(name for each in ranked for name in each.variants))


def table(ranked: Sequence[Ranked], sweep: Sweep) -> str:
    """What is printed: validation log-likelihood of all, the test's of the best."""
    names = variants(ranked)
    head = ["", *(short(name) for name in sweep.over), *(f"{name}, validation" for name in names)]
    rows = [[each.point.name, *(setting_text(each.point.settings[name]) for name in sweep.over),
             *(each.text(name) for name in names)] for each in ranked]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in [head, *rows]]
    best = ranked[0]
    if best.variants:
        lines.append(f"best by validation ({sweep.by}): {best.point.name}; on test images " + ", ".join(
            f"{name} {best.test_text(name)}" for name in names) + " nats")
    lines += [f"page         {page_of(sweep)}",
              f"take it      git commit --all   (the next overwrites uncommitted edits without a word)\n"
              f"             dvc exp apply {best.point.name}",
              "undo it      git restore --staged --worktree . && dvc checkout",
              "see all      make experiments; make compare A=… B=…"]
    return "\n".join(lines)


def short(name: str) -> str:
    """The last two parts of a setting's name."""
    return ".".join(name.split(".")[-2:])


def page_of(sweep: Sweep) -> Path:
    return PAGES / f"sweep-{sweep.name}.html"


def write(ranked: Sequence[Ranked], sweep: Sweep, profile: str, commit: str) -> None:
    """The page, and its table as CSV beside it."""
    names = variants(ranked)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["point", *sweep.over, "seed", *(f"validation_log_likelihood_{name}" for name in names)])
    for each in ranked:
        for i in range(max((len(values) for values in each.variants.values()), default=0)):
            writer.writerow([each.point.name, *(json.dumps(each.point.settings[name]) for name in sweep.over), i + 1,
                             *(f"{each.variants[name][i]:.6g}" for name in names)])
    files.write_text(page_of(sweep).with_suffix(".csv"), text.getvalue())
    style, script, digest = style_and_script("sweep.css")
    evaluation = next((found for each in ranked if (found := each.point.evaluation(sweep.experiment))), {})
    files.write_text(page_of(sweep), environment().get_template(TEMPLATE).render(
        sweep=sweep, ranked=ranked, names=names, short=short, profile=profile, commit=commit[:10], style=style,
        script=script, script_digest=digest, charts=charts(ranked, sweep),
        pictures={each.point.name: pictures(each, sweep) for each in ranked},
        hardware=machine.describe(evaluation["hardware"]) if evaluation else "", duration=duration))


def charts(ranked: Sequence[Ranked], sweep: Sweep) -> list[Chart]:
    """Validation log-likelihood over epochs of each point, for the variant that decides."""
    column = "validation_log_likelihood" + ("" if sweep.by == "raw" else f"_{sweep.by}")
    lines = []
    for number, each in enumerate(ranked):
        path = each.point.root / ARTIFACTS / sweep.experiment / "curves.csv"
        if each.point.work.status[f"train@{sweep.experiment}"] != "done" or not path.is_file():
            continue
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get(column)]
        epochs = sorted({int(row["epoch"]) for row in rows})
        means = [statistics.fmean(float(row[column]) for row in rows if int(row["epoch"]) == epoch) for epoch in epochs]
        if len(epochs) > 1:
            lines.append(Line(each.point.name, number % COLOURS + 1, [float(epoch) for epoch in epochs], means,
                              dots=len(epochs) <= 25, dashed=number >= COLOURS))
    if not lines:
        return []
    y = Axis("nats", *around(value for line in lines for value in line.values()))
    x = Axis("epoch", min(line.x[0] for line in lines), max(line.x[-1] for line in lines))
    return [Chart(f"Validation log-likelihood while training ({sweep.by}), mean over seeds, nats",
                  f"Validation log-likelihood by epoch of {len(lines)} points.", x, y, lines, unit=" nats", decimals=1)]


def pictures(ranked: Ranked, sweep: Sweep) -> dict[str, str]:
    """The samples of each variant as data URIs."""
    folder = ranked.point.root / FIGURES / sweep.experiment
    return {path.stem.partition("-")[2]: picture_source(path.read_bytes()) for path in sorted(
        folder.glob("samples-*.png"))}


def _head(root: Path) -> str:
    return git.git("-C", str(root), "rev-parse", "HEAD")
