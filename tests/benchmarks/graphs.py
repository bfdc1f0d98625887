"""Graphs whose size can be chosen, and what `dvc repro` takes over them."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from ruamel.yaml import YAML

from pipeline.artifacts.paths import PLAN
from pipeline.settings.plan import Plan
from pipeline.stages import configure, download, prepare
from tests.benchmarks.timing import seconds
from tests.end_to_end.clone import ROOT, Clone, environment, make_clone

DATASET = "digits"
EXPERIMENT = "digits"
DIRECTORIES = ("gan", "pipeline/page/templates", "reports/recorded", "reports/searches", "configuration")
"""What stages depend on, or copy, and no stage makes"""


@dataclass(frozen=True)
class Reproduced:
    """Seconds over a graph of trivial stages."""

    stages: int
    whole: float
    """`dvc repro` of all of them"""
    commands: float
    """the commands of the stages, without DVC"""
    nothing: float
    """`dvc repro` again, with nothing to do: DVC's start, and the graph read and found up to date"""

    @property
    def entering(self) -> float:
        """What DVC takes for stages that have ended: their outputs stored, and dvc.lock written."""
        return self.whole - self.commands - self.nothing

    @property
    def of_each(self) -> float:
        """Seconds for each stage, without what DVC takes once."""
        return (self.whole - self.nothing) / self.stages


class Trivial:
    """A graph with the stages of ours for so many experiments, each of which only writes its outputs."""

    def __init__(self, root: Path, experiments: int) -> None:
        self.stages = _write_trivial(root, experiments)
        self.clone = Clone(root, environment(root))
        self.clone.run("dvc", "init", "--no-scm", "--quiet")

    def reproduce(self, longest: float) -> Reproduced | int:
        """All stages for the first time. How many had ended, where that took longer than so many seconds."""
        said = self.clone.root.with_suffix(".txt")
        with said.open("w") as file:
            def repro() -> None:
                ended = subprocess.run(["dvc", "repro"], cwd=self.clone.root, env=self.clone.environment,
                                       timeout=longest, stdout=file, stderr=subprocess.STDOUT)
                assert ended.returncode == 0, said.read_text()

            try:
                whole = seconds(repro)
            except subprocess.TimeoutExpired:
                return said.read_text().count("Updating lock file")
        nothing = seconds(lambda: self.clone.run("dvc", "repro"))
        commands = re.findall(r"^> (.*)$", said.read_text(), re.M)
        assert len(commands) == self.stages, said.read_text()
        alone = seconds(lambda: [self.clone.run("sh", "-c", command) for command in commands])
        return Reproduced(self.stages, whole, alone, nothing)


def _write_trivial(root: Path, experiments: int) -> int:
    """dvc.yaml as ours, with other commands, and what its stages read; how many stages it has."""
    yaml = YAML(typ="safe")
    content: dict[str, Any] = yaml.load((ROOT / "dvc.yaml").read_text())
    stages = content["stages"]
    plan = Plan(datasets=[DATASET], experiments={f"experiment_{k}": DATASET for k in range(1, experiments + 1)})
    number = 0
    for name, stage in stages.items():
        over = stage.get("foreach")
        number += 1 if over is None else len(getattr(plan, over.removeprefix("${run.").removesuffix("}")))
        one = stage.get("do", stage)
        one["cmd"] = _writing([_path(out) for key in ("outs", "metrics") for out in one.get(key, [])], name)
    stages["configure"]["cmd"] = "mkdir -p artifacts/configuration && cp -r configuration/. artifacts/configuration"
    for folder in DIRECTORIES:
        (root / folder).mkdir(parents=True)
        (root / folder / "file").write_text(folder)
    for owner in (*plan.datasets, *plan.experiments):
        (root / "configuration" / owner).mkdir()
        for name in stages:
            (root / "configuration" / owner / f"{name}.json").write_text(json.dumps({"of": owner, "stage": name}))
    (root / "params.yaml").touch()
    plan.write(root / PLAN)
    with (root / "dvc.yaml").open("w") as file:
        yaml.dump({"vars": content["vars"], "stages": stages}, file)
    return number


def _path(out: str | dict[str, Any]) -> str:
    return out if isinstance(out, str) else next(iter(out))


def _writing(outs: list[str], name: str) -> str:
    folders = dict.fromkeys(str(PurePosixPath(out).parent) for out in outs)
    return " && ".join([f"mkdir -p {' '.join(folders)}", *(f"echo {name} > {out}" for out in outs)])


class Trainings:
    """A clone in which short trainings on digits are reproduced: of several experiments, or of several seeds."""

    def __init__(self, root: Path, numbers: Sequence[int], epochs: int, device: torch.device) -> None:
        """With so many experiments of one seed, and one with each of these numbers of seeds; of one seed the first."""
        self.clone = make_clone(root)
        self.environment = {"GAN_DEVICE": str(device), "OMP_NUM_THREADS": str(torch.get_num_threads())}
        seeds = {f"experiment_{k}": [k] for k in range(1, max(numbers) + 1)} | {
            f"seeds_{n}": list(range(1, n + 1)) for n in numbers if n > 1}
        with self.clone.edited() as content:
            content["profile"] = "smoke"
            for name, of_one in seeds.items():
                content["experiments"][name] = {"like": f"experiments.{EXPERIMENT}", "train": {
                    "seeds": of_one, "model": {"recipe": {"epochs": epochs}}}}
        Plan(datasets=[DATASET], experiments=dict.fromkeys(seeds, DATASET)).write(root / PLAN)
        with contextlib.chdir(root), contextlib.redirect_stdout(io.StringIO()):
            configure.main()
            download.main(DATASET)
            prepare.main(DATASET)

    def experiments(self, number: int) -> float:
        """Seconds of `dvc repro` for so many experiments."""
        return self._repro(*(f"train@experiment_{k}" for k in range(1, number + 1)))

    def seeds(self, number: int) -> float:
        """Seconds of `dvc repro` for so many seeds."""
        return self.experiments(1) if number == 1 else self._repro(f"train@seeds_{number}")

    def _repro(self, *stages: str) -> float:
        return seconds(lambda: self.clone.run("dvc", "repro", "--single-item", "--force", *stages, **self.environment))
