"""A repository with a graph of four small stages, which real `dvc` and real workers run, and an executor for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.cluster.executors import JobState
from pipeline.cluster.task import Outcome, Task

ROOT = Path(__file__).parents[3]
GRAPH = """\
stages:
  one:
    cmd: cp input.txt one.txt
    deps: [input.txt]
    outs: [one.txt]
  two:
    cmd: cat one.txt one.txt > two.txt
    deps: [one.txt]
    outs: [two.txt]
  side:
    cmd: sh side.sh
    deps: [side.sh]
    outs: [side.txt]
  gathered:
    cmd: cat two.txt side.txt > gathered.txt
    deps: [two.txt, side.txt]
    outs:
      - gathered.txt:
          cache: false
"""
SIDE = "mkdir -p .run_log && echo '{\"name\": \"side\"}' > .run_log/side.json && echo side > side.txt\n"


@dataclass(frozen=True)
class Repository:
    """A checkout, and how commands run in it."""

    root: Path

    def run(self, *words: str) -> str:
        ended = subprocess.run(words, cwd=self.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert ended.returncode == 0, f"{' '.join(words)}\n{ended.stdout}"
        return ended.stdout

    def dvc(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *words)

    def write(self, name: str, content: str) -> None:
        (self.root / name).write_text(content)

    def commit(self) -> str:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "as it is")
        return self.run("git", "rev-parse", "HEAD").strip()

    def clone(self, root: Path) -> Repository:
        self.run("git", "clone", "--quiet", ".", str(root))
        return Repository(root)


@dataclass(eq=False)
class Scripted:
    """An executor that does with each task what `plan` says at that attempt: "run" (the default), "lose" (the job ends
    without a word), "interrupt", "hang"; it counts what it was given."""

    plan: dict[str, Sequence[str]] = field(default_factory=dict)
    slots: int | None = None
    name: str = "scripted"
    seconds_between: float = 0.0
    given: list[str] = field(default_factory=list)
    waves: list[list[str]] = field(default_factory=list)
    hanging: set[str] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)

    def submit(self, folders: Sequence[Path], slots: Sequence[int]) -> list[str]:
        tasks = [Task.read(folder) for folder in folders]
        self.waves.append([task.stage for task in tasks])
        for folder, task in zip(folders, tasks, strict=True):
            self.given.append(task.stage)
            steps = self.plan.get(task.stage, ())
            step = steps[task.attempt - 1] if task.attempt <= len(steps) else "run"
            if step == "run":
                run_worker(folder)
            elif step == "interrupt":
                Outcome("interrupted", "n1", 1.0, "stopped by SIGTERM").write(folder)
            elif step == "hang":
                self.hanging.add(folder.name)
        return [folder.name for folder in folders]

    def states(self, jobs: Sequence[str]) -> dict[str, JobState]:
        return {job: JobState("running" if job in self.hanging else "ended", "n1", "NODE_FAIL") for job in jobs}

    def cancel(self, jobs: Sequence[str]) -> None:
        self.cancelled += jobs


def run_worker(folder: Path) -> None:
    """In a process of its own, as a node does."""
    subprocess.run([sys.executable, "-c", "import sys; from pipeline.cluster.worker import work; work(sys.argv[1])",
                    str(folder)], check=True, cwd=folder)
