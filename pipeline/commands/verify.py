"""Run the graph of the last commit once more, in a temporary clone, and compare every output of every stage.

`python -m pipeline verify`, by profile `smoke` unless GAN_PROFILE names another; GAN_EXPERIMENTS and
GAN_LESSONS choose as for `make plan`. It compares with what this checkout holds where all of that is up to date, else
two clones with each other. Raw data is taken from this checkout's DVC cache where it would have to be downloaded.
Nothing here is changed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import ReproductionError
from pipeline.artifacts.file_differences import difference, same
from pipeline.artifacts.raw import local_folders
from pipeline.commands.unfinished import changed_stages
from pipeline.runtime import git, machine
from pipeline.runtime.progress import Progress
from pipeline.settings import parameters
from pipeline.settings import plan as plan_file
from pipeline.settings.inheritance import SMOKE

PARAMETERS, PLAN, LOCK = Path(parameters.FILE), plan_file.FILE, Path("dvc.lock")
CHOICES = ("GAN_PROFILE", "GAN_EXPERIMENTS", "GAN_LESSONS")
TAIL = 30
"""Lines of a failed run that are shown"""


def main() -> None:
    profile = os.environ.get("GAN_PROFILE", "").strip() or SMOKE
    device = machine.choose_device()
    commit = git.clean_commit("what is verified")
    here = Checkout(Path.cwd(), "this checkout")
    hardware = machine.hardware(device)
    print(f"commit       {commit}, profile {profile}\nmachine      {machine.describe(hardware)}; "
          f"{hardware['threads']} thread{'s' if hardware['threads'] != 1 else ''}, {device}", flush=True)
    ours = _is_comparable(profile)
    print(f"comparing    {'this checkout with a clone' if ours else 'two clones: this checkout has no such results'}",
          flush=True)
    with _temporary_folder() as folder:
        clone = Checkout(folder / "clone", "a clone")
        make_clone(here, clone, commit, profile, planned_by=here if ours else None)
        clone.reproduce()
        other = here
        if not ours:
            other = Checkout(folder / "second", "a second clone")
            make_clone(here, other, commit, profile, planned_by=clone)
            other.reproduce()
        compared = [compare(name, other, clone) for name in clone.stages()]
        report(compared, f"{other.name} and {clone.name}", folder)


@dataclass(frozen=True)
class Checkout:
    """A working tree of this repository."""

    root: Path
    name: str

    def run(self, *words: str, **settings: str) -> str:
        """What a Python module, run in it, prints. ReproductionError with its end if it fails."""
        ended = subprocess.run([sys.executable, "-m", *words], cwd=self.root, env=self.environment() | settings,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if ended.returncode:
            raise _failed(" ".join(words), self.name, ended.stdout)
        return ended.stdout

    def stages(self) -> list[str]:
        return [line for line in self.run("dvc", "stage", "list", "--name-only", "--quiet").splitlines() if line]

    def reproduce(self) -> None:
        """Run its graph, and show which stage is at work. ReproductionError if one fails."""
        lines: list[str] = []
        process = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], cwd=self.root, env=self.environment(),
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            with Progress(self.name, len(self.stages()), "stage") as progress:
                for line in process.stdout or []:
                    lines.append(line)
                    if line.startswith(("Running stage", "Stage '")):
                        progress.advance(1, line.split("'")[1])
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # its stage too
            raise
        finally:
            process.wait()
        if process.returncode:
            raise _failed("dvc repro", self.name, "".join(lines))

    def outputs(self, name: str) -> dict[str, str]:
        """Of a stage's outputs the digests in dvc.lock, by path; none if it has not run."""
        entry = (_yaml(self.root / LOCK).get("stages") or {}).get(name) or {}
        return {out["path"]: out["md5"] for out in entry.get("outs", [])}

    def environment(self) -> dict[str, str]:
        """No choice of the caller's but those that decide how the machine computes."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("DVC_", "GIT_")) and name not in CHOICES}
        local = os.pathsep.join(str(path.absolute()) for path in local_folders())
        return kept | ({LOCAL_FOLDERS: local} if local else {}) | {
            "GAN_TRACKING": "off", "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{self.root}.site",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def make_clone(origin: Checkout, clone: Checkout, commit: str, profile: str, planned_by: Checkout | None) -> None:
    """Make `clone` of `origin`, in which nothing but downloads has run; planned for `profile` or as `planned_by` is."""
    git.git("clone", "--quiet", "--no-checkout", str(origin.root), str(clone.root))
    git.git("-C", str(clone.root), "checkout", "--quiet", "--detach", commit)
    (clone.root / LOCK).unlink(missing_ok=True)
    if planned_by:
        for name in (PARAMETERS, PLAN):
            shutil.copy(planned_by.root / name, clone.root / name)
        for folder in ("artifacts", "data/raw", "reports/figures"):
            (clone.root / folder).mkdir(parents=True, exist_ok=True)
    else:
        chosen = {name: os.environ[name] for name in CHOICES if name in os.environ}
        clone.run("pipeline", "plan", **chosen | {"GAN_PROFILE": profile})
    take_raw_data(origin, clone)


def take_raw_data(origin: Checkout, clone: Checkout) -> None:
    """Have `clone` take from `origin`'s DVC cache the raw files that it would have to download."""
    datasets = (_yaml(clone.root / PLAN).get("run") or {}).get("datasets") or []
    known = parameters.load(plan=False).datasets if datasets else {}
    entries = _yaml(origin.root / LOCK).get("stages") or {}
    wanted = [f"download@{name}" for name in datasets
              if known[name].availability(local_folders(), probe=False).state != "found"]
    if not (kept := {name: entries[name] for name in wanted if name in entries}):
        return
    with (clone.root / LOCK).open("w") as file:
        YAML(typ="safe").dump({"schema": "2.0", "stages": kept}, file)
    cache = origin.run("dvc", "cache", "dir").strip()
    clone.run("dvc", "remote", "add", "--local", "--default", "--quiet", "origin", str(origin.root / cache))
    for name in kept:
        try:
            clone.run("dvc", "pull", "--quiet", name)
            print(f"raw data     {name}: from this checkout's DVC cache", flush=True)
        except ReproductionError:
            print(f"raw data     {name}: not in this checkout's DVC cache, runs again", flush=True)


class Differs(ReproductionError):
    """Two runs of one commit that are not the same to the byte."""


@dataclass(frozen=True)
class Compared:
    """A stage's outputs in two places: how many files, and in what they differ."""

    stage: str
    files: int
    differences: Sequence[str] = field(default_factory=list)


def compare(name: str, ours: Checkout, theirs: Checkout) -> Compared:
    """By digests, and file by file where those differ."""
    digests = ours.outputs(name), theirs.outputs(name)
    count, found = 0, []
    for path in dict.fromkeys([*digests[0], *digests[1]]):
        pairs = dict(_pairs(ours.root, theirs.root, path))
        count += len(pairs)
        if path in digests[0] and digests[0][path] == digests[1].get(path):
            continue
        for file, (one, other) in pairs.items():
            if not (one.is_file() and other.is_file()):
                found.append(f"{file}: in {ours.name if one.is_file() else theirs.name} alone")
            elif not same(one, other):
                found.append(f"{file}: {difference(one, other)}")
    return Compared(name, count, found)


def report(compared: Sequence[Compared], between: str, folder: Path) -> None:
    """Print a line for each stage. ReproductionError, the clones being kept, if anything differs."""
    width = max((len(each.stage) for each in compared), default=0)
    for each in compared:
        state = f"{len(each.differences)} differ" if each.differences else "identical" if each.files else "no outputs"
        print(f"{each.stage:<{width}}  {each.files:5,} file{'s' if each.files != 1 else ' '}  {state}")
        for line in each.differences:
            print(f"    {line}")
    files = sum(each.files for each in compared)
    differing = sum(len(each.differences) for each in compared)
    if differing or not files:
        raise Differs(
            f"{differing} of {files} files differ between {between}", expected="the same bytes everywhere",
            found=", ".join(each.stage for each in compared if each.differences) or "no outputs",
            remedy=f"see above; the files are kept in {folder}; the first stage that differs is where to look, and "
                   "CONTRIBUTING.md (Randomness) says what is promised")
    print(f"identical: {files:,} files of {len(compared)} stages in {between}", flush=True)


def _pairs(ours: Path, theirs: Path, path: str) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """Each file below an output, in either place."""
    below = {file.relative_to(root) for root in (ours, theirs) for file in [root / path, *(root / path).rglob("*")]
             if file.is_file()}
    yield from ((file.as_posix(), (ours / file, theirs / file)) for file in sorted(below))


def _is_comparable(profile: str) -> bool:
    """Whether this checkout has been run by `profile`, all of it, and no choice is made of what to run."""
    chosen = any(os.environ.get(name, "").strip() for name in CHOICES if name != "GAN_PROFILE")
    return not chosen and _yaml(PARAMETERS).get("profile") == profile and changed_stages() == set()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Removed afterwards, unless files in it differ."""
    folder = Path(tempfile.mkdtemp(prefix="verify-"))
    keep = False
    try:
        yield folder
    except Differs:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _failed(command: str, where: str, output: str) -> ReproductionError:
    end = "\n".join(f"    {line}" for line in output.rstrip().splitlines()[-TAIL:])
    return ReproductionError(f"`{command}` failed in {where}", found=f"\n{end}",
                             remedy="mend what it says; the same commit fails here as well")


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        return dict(YAML(typ="safe").load(path) or {})
    except (OSError, YAMLError, TypeError, ValueError):
        return {}
