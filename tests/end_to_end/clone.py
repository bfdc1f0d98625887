"""A clone of this repository's working tree, and how commands run in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
EXPERIMENTS = ("digits", "digits_training_images", "digits_kmeans", "digits_deep_gsn")
"""Those of the profile `smoke`"""
STAGES = ("train", "sample", "bandwidth", "evaluate", "sample_size", "figures", "assess")
"""Those of each experiment"""
GATHERED = {"collect", "report"}
LESSONS = ("convergence", "non_convergence")
"""Two that take a second"""
OFFLINE = {name: "http://127.0.0.1:9" for word in ("http_proxy", "https_proxy", "all_proxy")
           for name in (word, word.upper())} | {"no_proxy": "", "NO_PROXY": "", "PIP_NO_INDEX": "1",
                                                "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
"""No network: whoever asks for a file from elsewhere gets none"""
REPORTS = "reports/smoke"
IN_GIT = {"params.yaml", "plan.yaml", "dvc.lock", *(f"{REPORTS}/{name}" for name in ("index.html", "metrics.json")),
          *(f"{REPORTS}/{folder}/{name}.json" for folder in ("summary", "assessment") for name in EXPERIMENTS)}
"""All that a plan and a run of `smoke` write of it"""


def stages(names: Sequence[str], experiments: Sequence[str] = EXPERIMENTS) -> set[str]:
    return {f"{name}@{experiment}" for name in names for experiment in experiments}


WHOLE_GRAPH = {"configure", *stages(("download", "prepare", "features", "references"), ["digits"])} | GATHERED | stages(
    STAGES) | stages(("lesson",), LESSONS)


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

    def verb(self, *words: str, **settings: str) -> str:
        """`python -m pipeline VERB`."""
        return self.run("python", "-m", "pipeline", *words, **settings)

    def repro(self, *words: str, **settings: str) -> set[str]:
        """The stages that `dvc repro` runs."""
        return stages_run(self.run("dvc", "repro", *words, **settings))

    def plan_for(self, experiments: Sequence[str], lessons: Sequence[str] = ()) -> None:
        """What `make plan` writes for experiments on digits in the profile `smoke`, without a look at the machine."""
        yaml = YAML()
        with (self.root / "plan.yaml").open("w") as file:
            yaml.dump({"run": {"datasets": ["digits"], "experiments": dict.fromkeys(experiments, "digits"),
                               "lessons": list(lessons), "lessons_on_data": {}, "reports": REPORTS}, "left_out": {}},
                      file)
        path = self.root / "params.yaml"
        path.write_text(re.sub(r"^profile: \w+", "profile: smoke", path.read_text(), count=1, flags=re.M))
        for folder in ("artifacts", "data/raw", "reports/figures"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    def change(self, name: str, by: int, file: str = "params.yaml") -> tuple[int, int]:
        """Add to a number in params.yaml, comments and all else left as they are; what it was and what it is."""
        *parents, last = name.split(".")
        with self.edited(file) as block:
            for parent in parents:
                block = block[parent]
            old = block[last]
            block[last] = old + by
        return old, old + by

    @contextlib.contextmanager
    def edited(self, file: str = "params.yaml") -> Iterator[Any]:
        """Its content, written when it has been changed, comments and all else left as they are."""
        yaml, path = YAML(), self.root / file
        content = yaml.load(path.read_text())
        yield content
        with path.open("w") as stream:
            yaml.dump(content, stream)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def git_clone(self, root: Path, **settings: str) -> Clone:
        """What git has of it: nothing that DVC made, and empty caches. Further settings are of its environment."""
        self.run("git", "clone", "--quiet", ".", str(root))
        return Clone(root, {**self.environment, "DVC_SITE_CACHE_DIR": f"{root}.site", **settings})

    def copy(self, root: Path) -> Clone:
        """All of it, to be changed. What DVC's cache and git's store hold, which nobody changes, is linked."""

        def put(source: str, target: str) -> None:
            is_stored = "/.dvc/cache/files/" in source or "/.git/objects/" in source
            (os.link if is_stored else shutil.copy2)(source, target)

        shutil.copytree(self.root, root, symlinks=True, copy_function=put)
        return replace(self, root=root, environment={**self.environment, "DVC_SITE_CACHE_DIR": f"{root}.site"})

    def forget(self, *names: str) -> None:
        """As if these stages had never run, here or by DVC's run cache."""
        yaml, path = YAML(), self.root / "dvc.lock"
        lock = yaml.load(path.read_text())
        for name in names:
            for out in lock["stages"].pop(name)["outs"]:
                place = self.root / out["path"]
                shutil.rmtree(place) if place.is_dir() else place.unlink()
        with path.open("w") as file:
            yaml.dump(lock, file)
        shutil.rmtree(self.root / ".dvc/cache/runs")

    def metrics(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.root / REPORTS / "metrics.json").read_text())
        return content

    def locked(self, stage: str) -> dict[str, str]:
        """The digests of a stage's outputs in dvc.lock."""
        lock = YAML(typ="safe").load((self.root / "dvc.lock").read_text())
        return {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}

    def configurations(self) -> dict[str, bytes]:
        """What each stage reads, by "<experiment, data set, lessons or all>/<stage>"."""
        folder = self.root / "artifacts/configuration"
        return {str(path.relative_to(folder).with_suffix("")): path.read_bytes() for path in folder.rglob("*.json")}


def stages_run(output: str) -> set[str]:
    """Those that a command of DVC's says it has run."""
    return set(re.findall(r"^Running stage '(.+?)':$", output, re.M))


def differing(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> set[str]:
    """The names under which there is now something else, or nothing, or for the first time something."""
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}


def make_clone(root: Path) -> Clone:
    """The working tree as it is, committed or not, as the only commit of a new repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not one that was deleted and not yet committed
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    clone = Clone(root, environment(root))
    clone.run("git", "init", "--quiet")
    if not (root / ".dvc/config").exists():
        clone.run("dvc", "init", "--quiet")
    clone.commit("the working tree")
    return clone


def environment(root: Path) -> dict[str, str]:
    """Of commands in a clone: nothing of ours, and nothing kept elsewhere."""
    ours = {name: value for name, value in os.environ.items()
            if not name.startswith(("GAN_", "MLFLOW_", "GIT_", "DVC_", "PYTHONPATH"))}
    return ours | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "GAN_TRACKING": "off",
        "GAN_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{root}.site",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
