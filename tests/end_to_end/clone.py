"""A clone of this repository's working tree, and how commands run in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ("digits", "digits_training_images", "digits_kmeans", "digits_deep_gsn")
"""Those of the profile `smoke`"""
STAGES = ("configure", "train", "sample", "bandwidth", "evaluate", "sample_size", "figures")
"""Those of each experiment"""
GATHERED = {"collect", "report"}


def stages(names: tuple[str, ...], experiments: tuple[str, ...] = EXPERIMENTS) -> set[str]:
    return {f"{name}@{experiment}" for name in names for experiment in experiments}


LESSONS = ("convergence", "non_convergence")
"""Two that take a second"""
WHOLE_GRAPH = {"download@digits", "prepare@digits"} | GATHERED | stages(STAGES) | stages(("lesson",), LESSONS)


@dataclass(frozen=True)
class Clone:
    """A clone of this repository, and how commands run in it."""

    root: Path
    environment: Mapping[str, str]

    def run(self, *command: str, **settings: str) -> str:
        """What a command prints; AssertionError with all of it if it fails."""
        ended = subprocess.run(command, cwd=self.root, env={**self.environment, **settings}, text=True, timeout=600,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert ended.returncode == 0, f"{' '.join(command)}: {ended.returncode}\n{ended.stdout}"
        return ended.stdout

    def repro(self, *words: str, **settings: str) -> set[str]:
        """The stages that `dvc repro` runs."""
        return set(re.findall(r"^Running stage '(.+?)':$", self.run("dvc", "repro", *words, **settings), re.M))

    def change(self, name: str, by: int) -> tuple[int, int]:
        """Add to a number in params.yaml, comments and all else left as they are; what it was and what it is."""
        yaml, path = YAML(), self.root / "params.yaml"
        content = yaml.load(path.read_text())
        *parents, last = name.split(".")
        block = content
        for parent in parents:
            block = block[parent]
        old = block[last]
        block[last] = old + by
        with path.open("w") as file:
            yaml.dump(content, file)
        return old, old + by

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def metrics(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.root / "reports/metrics.json").read_text())
        return content

    def locked(self, stage: str) -> dict[str, str]:
        """The digests of a stage's outputs in dvc.lock."""
        lock = YAML(typ="safe").load((self.root / "dvc.lock").read_text())
        return {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}


def make_clone(root: Path) -> Clone:
    """The working tree as it is, committed or not, as the only commit of a new repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not one that was deleted and not yet committed
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    ours = {name: value for name, value in os.environ.items()
            if not name.startswith(("GAN_", "MLFLOW_", "GIT_", "DVC_", "PYTHONPATH"))}
    clone = Clone(root, ours | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "GAN_TRACKING": "off",
        "GAN_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{root}.site",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"})
    clone.run("git", "init", "--quiet")
    if not (root / ".dvc/config").exists():
        clone.run("dvc", "init", "--quiet")
    clone.commit("the working tree")
    return clone
