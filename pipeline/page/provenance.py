"""Where the page comes from: commit, stages with digests, settings that were changed, versions, hardware, runs.

What differs between two identical runs (commit, durations, host, names of runs, what git has to compare with) is kept
in `Varying`, and the page marks it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import ARTIFACTS, PARAMETERS, PLAN
from pipeline.page.formatting import first_of, flatten
from pipeline.results.metrics import Entry
from pipeline.results.plan import Plan
from pipeline.runtime import git, machine, run_log
from pipeline.runtime.files import read_json, read_yaml
from pipeline.runtime.progress import duration

LOCK = Path("dvc.lock")
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "dvc", "mlflow")
LESSON_STAGES = ("lesson", "lesson_on_data")
BRIEF = 10  # seconds, below which tenths are told
DIGITS = 10  # of a digest, where the whole one stands elsewhere on the page


@dataclass(frozen=True)
class StageOutput:
    stage: str
    path: str
    digest: str


@dataclass(frozen=True)
class Step:
    """A stage with one digest over all its outputs."""

    name: str
    verb: str
    digest: str


@dataclass(frozen=True)
class Chain:
    """The stages of one data set or experiment; or all lessons, which do not feed each other.

    Those of a column read nothing of each other, and something of the column before.
    """

    item: str
    kind: str
    columns: Sequence[Sequence[Step]]

    @property
    def shape(self) -> tuple[str, Sequence[Sequence[str]]]:
        """What several chains have in common, which then stand in one table."""
        return self.kind, tuple(tuple(step.verb for step in column) for column in self.columns)


@dataclass(frozen=True)
class StageRun:
    """When and where a stage last ran, as far as this checkout knows."""

    duration: str
    started: str
    host: str
    commit: str


@dataclass(frozen=True)
class TrackedRun:
    """A run in MLflow that trained one seed of what this page shows."""

    experiment: str
    seed: str
    name: str
    store: str
    url: str
    """Empty unless it is a web address"""


@dataclass(frozen=True)
class Change:
    setting: str
    before: str
    now: str


@dataclass(frozen=True)
class Varying:
    """All that varies."""

    commit: str
    tree: str
    command: str
    changed_since_commit: Sequence[Change] | None
    """None where git cannot tell"""
    changed_by_commit: Sequence[Change] | None
    stages: Mapping[str, StageRun]
    runs: Sequence[TrackedRun]


@dataclass(frozen=True)
class Provenance:
    versions: Mapping[str, str]
    outputs: Sequence[StageOutput]
    chains: Sequence[Chain]
    """Data sets, experiments, lessons, and last what runs once over everything"""
    hardware: Sequence[str]
    varying: Varying

    @property
    def tables(self) -> list[list[Chain]]:
        """Chains of one shape together; lessons, which have none, by themselves."""
        alike: dict[Any, list[Chain]] = {}
        for chain in self.chains:
            alike.setdefault(chain.shape, []).append(chain)
        return list(alike.values())

    @classmethod
    def read(cls, plan: Plan) -> Provenance:
        stages = _stages(plan)
        return cls(_versions(), _outputs(stages), _chains(stages), _hardware(plan), _varying(plan))


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _hardware(plan: Plan) -> list[str]:
    """The machines that trained or evaluated what this page shows, each once."""
    files = [ARTIFACTS / name / file for name in plan.experiments for file in ("training.json", "evaluation.json")]
    return list(dict.fromkeys(machine.describe(read_json(path)["hardware"]) for path in files if path.is_file()))


# Stages, from dvc.lock.

def _stages(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """Every stage of this graph but the report, whose output is this page."""
    if not LOCK.is_file():
        return {}
    stages = read_yaml(LOCK).get("stages") or {}
    return {str(name): stage for name, stage in stages.items() if _belongs(str(name), plan)}


def _belongs(stage: str, plan: Plan) -> bool:
    """dvc.lock keeps stages of what is no longer asked for; they have no part in this page."""
    verb, _, item = stage.partition("@")
    asked = plan.lessons if verb in LESSON_STAGES else (*plan.datasets, *plan.experiments)
    return verb != "report" and (not item or item in asked)


def _outputs(stages: Mapping[str, Mapping[str, Any]]) -> list[StageOutput]:
    return [StageOutput(name, output["path"], output.get("md5") or output.get("hash") or "")
            for name, stage in stages.items() for output in stage.get("outs") or ()]


def _chains(stages: Mapping[str, Mapping[str, Any]]) -> list[Chain]:
    """One for each data set and each experiment, in the lock's order; the lessons; what belongs to none comes last."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in stages:
        verb, _, item = name.partition("@")
        paths = _made(stages[name])
        kind = "lessons" if verb in LESSON_STAGES else \
            "data" if item and paths and all(path.startswith("data/") for path in paths) else \
            "experiment" if item else "once"
        groups.setdefault(("", kind) if kind in ("lessons", "once") else (item, kind), []).append(name)
    feeds, order = _feeds(stages), ("data", "experiment", "lessons", "once")
    return [Chain(item, kind, _columns(names, feeds, stages, kind)) for (item, kind), names in sorted(
        groups.items(), key=lambda entry: order.index(entry[0][1]))]


def _columns(names: Sequence[str], feeds: Mapping[str, set[str]], stages: Mapping[str, Mapping[str, Any]],
             kind: str) -> list[list[Step]]:
    """Stages by how many of the others come before them at most; in a column by name."""
    columns: dict[int, list[Step]] = {}
    for name in sorted(names):
        verb, _, item = name.partition("@")
        columns.setdefault(_depth(name, set(names), feeds, frozenset()), []).append(
            Step(name, item if kind == "lessons" else verb, _digest(stages[name])))
    return [columns[depth] for depth in sorted(columns)]


def _depth(name: str, among: set[str], feeds: Mapping[str, set[str]], above: frozenset[str]) -> int:
    return max((1 + _depth(one, among, feeds, above | {name})
                for one in feeds[name] & among if one not in above and one != name), default=0)


def _feeds(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """By stage, those whose outputs it reads: as they are, a file in one, or a folder with one."""
    makers = [(path, name) for name, stage in stages.items() for path in _made(stage)]
    return {name: {maker for read in stage.get("deps") or () for path, maker in makers
                   if _within(str(read.get("path")), path)} for name, stage in stages.items()}


def _within(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _made(stage: Mapping[str, Any]) -> list[str]:
    return [str(output["path"]) for output in stage.get("outs") or ()]


def _digest(stage: Mapping[str, Any]) -> str:
    """Of a stage's only output as DVC has it; of several, SHA-256 over their names and digests."""
    outputs = [f"{output['path']} {output.get('md5') or output.get('hash') or ''}"
               for output in stage.get("outs") or ()]
    if len(outputs) == 1:
        return outputs[0].rpartition(" ")[2][:DIGITS]
    return hashlib.sha256("\n".join(sorted(outputs)).encode()).hexdigest()[:DIGITS]


# What varies.

def _varying(plan: Plan) -> Varying:
    commit, clean = git.commit()
    tree = "as committed" if clean else "tracked files differ from the commit" if commit else "unknown"
    return Varying(
        commit or "unknown: no git repository", tree, _command(plan, commit),
        _changes(_committed("HEAD") if commit else None, _here()),
        _changes(_committed("HEAD~1") if commit else None, _committed("HEAD") if commit else None),
        {name: _stage_run(content) for name, content in run_log.read("stages").items()}, _tracked(plan))


def _command(plan: Plan, commit: str) -> str:
    """What makes this page again from a clone."""
    names, lessons = shlex.quote(" ".join(plan.experiments)), shlex.quote(" ".join(plan.lessons) or "none")
    words = ["make reproduce", *([f"PROFILE={shlex.quote(plan.profile)}"] if plan.profile else []),
             *([f"EXPERIMENTS={names}"] if plan.experiments else []), f"LESSONS={lessons}"]
    return " ".join([*([f"git checkout {commit} &&"] if commit else []), *words])


def _committed(revision: str) -> dict[str, str] | None:
    """params.yaml and plan.yaml of a commit, flat; None if either is missing there or cannot be read."""
    try:
        texts = [subprocess.run(["git", "show", f"{revision}:./{file}"], capture_output=True, text=True, check=True,
                                timeout=20, env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"}).stdout
                 for file in (PARAMETERS, PLAN)]
        return {name: value for text in texts for name, value in flatten(YAML(typ="safe").load(text))}
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError, YAMLError):
        return None


def _here() -> dict[str, str]:
    return dict(flatten(read_yaml(PARAMETERS))) | dict(flatten(read_yaml(PLAN)))


def _changes(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[Change] | None:
    if before is None or now is None:
        return None
    return [Change(name, before.get(name, "not there"), now.get(name, "not there"))
            for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]


def _stage_run(content: Mapping[str, Any]) -> StageRun:
    took = ""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        seconds = float(content["seconds"])
        took = f"{seconds:.1f} s" if seconds < BRIEF else duration(seconds)
        parts = int(content.get("parts", 1))
        took += f" in {parts} parts" if parts > 1 else ""
    return StageRun(took, str(content.get("started", "")), str(content.get("host", "")),
                    str(content.get("commit", ""))[:DIGITS] + ("" if content.get("clean", True) else ", changed"))


def _tracked(plan: Plan) -> list[TrackedRun]:
    """The runs that trained from the very inputs of the results shown; others were of something else."""
    inputs = {}
    for name in plan.experiments:
        path = ARTIFACTS / name / "training.json"
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):  # data that are not here: results from elsewhere
                inputs[name] = inputs_digest(name, read_json(path)["dataset"])
    runs = []
    for content in run_log.read("runs").values():
        experiment, url = str(content.get("experiment", "")), str(content.get("url") or "")
        if experiment in inputs and content.get("inputs") == inputs[experiment]:
            runs.append(TrackedRun(experiment, str(content.get("seed", "")), str(content.get("run_name", "")),
                                   str(content.get("store", "")),
                                   url if url.startswith(("http://", "https://")) else ""))
    return sorted(runs, key=lambda run: (list(inputs).index(run.experiment), len(run.seed), run.seed))


def reduced(metrics: Mapping[str, Entry]) -> dict[str, str]:
    """By experiment, the first numbers in which its profile departs from the paper's, and how many there are."""
    return {name: first_of(entry["differences"]) for name, entry in metrics.items() if entry["differences"]}
