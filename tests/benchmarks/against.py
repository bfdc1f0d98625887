"""Against another commit

What changed in speed since, or before: `make bench AGAINST=COMMIT`. Each side is a process of its own that has its
commit's `gan` and `pipeline`, this one those of the checkout as it is; both do the same work by turns, on the same
images, with networks of the same sizes, every other setting as the commit's own params.yaml has it. An update is one of
the networks of `mnist`; the estimate is that of one row of the report, σ chosen among both grids and the test images
scored. What both sides found is in the notes: where it is not the same they do not compute the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import pipeline
from gan.adversarial.settings import AdversarialNets
from gan.errors import ReproductionError
from pipeline.runtime.git import git
from tests.benchmarks import workload
from tests.benchmarks.one_side import PLACES, place
from tests.benchmarks.parzen import to_score
from tests.benchmarks.step import MINIBATCHES
from tests.benchmarks.table import Effort, Row, faster
from tests.benchmarks.timing import compare

ORDER = 9
ON_REQUEST = True
VARIABLE = "AGAINST"
ROOT = Path(__file__).parents[2]


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    commit = resolved(os.environ.get(VARIABLE, ""))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        extract(commit, folder / "commit")
        updates = _write_work(folder / "work.safetensors", effort)
        with _side(ROOT, "this build", folder, device) as ours, \
                _side(folder / "commit", commit[:7], folder, device) as theirs:
            for what, word, of, per in (("an update", "update", "D's loss in the first epoch", updates),
                                        ("σ chosen and test images scored", "estimate", "test log-likelihood", 1)):
                found = _Answers(), _Answers()
                measured = compare(partial(found[0].ask, ours, word), partial(found[1].ask, theirs, word), effort)
                yield faster(what, f"the same at {commit[:7]}", measured, per=per,
                             note=f"{of}: {found[0][0]:.6g} nats, at {commit[:7]} {found[1][0]:.6g}")


class _Answers(list[float]):
    """What a side has answered."""

    def ask(self, side: Callable[[str], float], word: str) -> None:
        self.append(side(word))


def resolved(name: str) -> str:
    """The commit that a user calls `name`. ReproductionError if there is none, or no git."""
    git("rev-parse", "--git-dir")
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except ReproductionError as error:
        raise ReproductionError(
            f"there is no commit {name!r} to compare with" if name else "no commit was named to compare with",
            expected="a commit, branch or tag of this repository", found=name or f"no {VARIABLE}",
            remedy=f"`git log --oneline --all` lists them; then `make bench {VARIABLE}=COMMIT`. A shallow clone has "
                   "few: git fetch --unshallow") from error


def extract(commit: str, folder: Path) -> None:
    """The files of a commit, beside the checkout and unknown to its git. ReproductionError if they are laid out in no
    way that is known here."""
    folder.mkdir()
    packed = folder.with_suffix(".tar")
    git("archive", "--format=tar", f"--output={packed}", commit)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    if missing := [" or ".join(paths) for name, paths in PLACES.items() if place(folder, name) is None]:
        raise ReproductionError(
            f"commit {commit[:7]} has no training and estimate that could be timed here", expected="; ".join(missing),
            found="none of these among its files",
            remedy=f"name a commit that has them: git log --oneline -- {' '.join(PLACES['training'])}")


def sizes(nets: AdversarialNets) -> dict[str, Any]:
    """As `one_side.resized` takes them."""
    return {"noise": nets.noise.dimensions, "batch_size": nets.recipe.batch_size,
            "generator": [{"units": layer.units} for layer in nets.generator.hidden],
            "discriminator": [{"units": layer.units, "pieces": layer.pieces} for layer in nets.discriminator.hidden]}


def _write_work(path: Path, effort: Effort) -> int:
    """What both sides are to do, as `one_side.Side` reads it; how many updates an epoch has."""
    nets, train, scored = workload.nets(effort), workload.dataset(effort).train, to_score(effort, torch.device("cpu"))
    updates = workload.few(effort, MINIBATCHES, MINIBATCHES, 3)
    tensors = {"train": train[:updates * nets.recipe.batch_size], "validation": scored.validation, "test": scored.test,
               "samples": scored.samples}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {
        "sizes": json.dumps(sizes(nets)), "bandwidths": json.dumps(scored.bandwidths),
        "chosen_among": str(len(scored.grids[-1].bandwidths()))})
    return updates


@contextlib.contextmanager
def _side(root: Path, name: str, folder: Path, device: torch.device) -> Iterator[Callable[[str], float]]:
    """A process with the code at `root`; yields what has it do something once. ReproductionError if it cannot."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    if environment.get("GOMP_SPINCOUNT") == pipeline.SPINS:
        del environment["GOMP_SPINCOUNT"]  # set by this process for itself; each commit has its own say
    errors = folder / f"{name}.txt"
    with errors.open("w") as said, subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests/benchmarks/one_side.py"), str(folder / "work.safetensors"),
             str(device)], cwd=root, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=said) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, answers = process.stdin.fileno(), process.stdout

        def do(word: str) -> float:
            with contextlib.suppress(BrokenPipeError):  # it has ended: its answer is none
                os.write(to, f"{word}\n".encode())
            if answer := answers.readline().strip():
                return float(answer)
            process.wait()
            lines = errors.read_text().strip().splitlines() or [f"exit status {process.returncode}"]
            raise ReproductionError(f"the code of {name} does not do what is timed here",
                                    expected="a training and an estimate that are called as those of this build",
                                    found=lines[-1], remedy="name a later commit")

        try:
            yield do
        finally:
            process.kill()
