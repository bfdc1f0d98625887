"""The git checkout of the current folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import ReproductionError
from pipeline.runtime import machine
from pipeline.runtime.inputs import PARAMETERS

CODE = ("gan", "pipeline")
MORE_RESULTS = ("reports/summary", "reports/assessment", "reports/smoke")
"""What a run rewrites beside `machine.RESULTS`, which is code of every training and is left as it is"""
WRITTEN_BY_PLAN = ("profile",)
RUN_BY_STAGES = (*CODE, "dvc.yaml", ".dvc/config", ".dvcignore")
"""What a worker's clone has from git, beside the parameters: an edit of anything else changes no result"""


def git(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command of git's prints, without the end of its last line. ReproductionError if it fails."""
    try:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True,
                              env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"} | dict(environment or {})).stdout.rstrip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise ReproductionError(f"`git {' '.join(words[:4])}` failed", expected="a clone of this repository",
                                found=str(getattr(error, "stderr", "") or error).strip(),
                                remedy="run it in the clone's root") from error


def checkout() -> tuple[str, str]:
    """As `machine.checkout`, without MORE_RESULTS."""
    identity, changes = machine.checkout()
    return identity, "\n".join(line for line in changes.splitlines()
                               if not line.split(maxsplit=1)[-1].startswith(tuple(f"{name}/" for name in MORE_RESULTS)))


def commit() -> tuple[str, bool]:
    """As `machine.commit`, to which MORE_RESULTS do not matter."""
    try:
        identity, changes = checkout()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return "", False
    return identity, not changes


def clean_commit(what: str, within: Sequence[str] = (":/",)) -> str:
    """The commit of this checkout, which is `what`. ReproductionError if tracked files `within` differ from it, or
    parameters do, in more than `make plan` and runs write into them."""
    head = git("rev-parse", "HEAD")
    changes = git("status", "--porcelain", "--untracked-files=no", "--", *within, f":(top,exclude){PARAMETERS}",
                  *(f":(top,exclude){name}" for name in (*machine.RESULTS, *MORE_RESULTS))).splitlines()
    if _claims(Path(PARAMETERS).read_text()) != _claims(git("show", f"HEAD:{PARAMETERS}")):
        changes.append(f" M {PARAMETERS}")
    if changes:
        raise ReproductionError(f"{what} is a commit, and tracked files here differ from it",
                                expected=f"files as in {head[:10]}", found=", ".join(line[3:] for line in changes),
                                remedy="commit them, or put them away by `git stash`, then run the same command again")
    return head


def clean_code(what: str) -> str:
    """The commit whose code is `what`. ReproductionError if what stages run, or their parameters, are not as committed,
    or there is code that git does not know, which a clone would lack."""
    commit = clean_commit(what, RUN_BY_STAGES)
    if unknown := git("ls-files", "--others", "--exclude-standard", "--", *CODE).split():
        raise ReproductionError(f"{what} is the last commit, and it lacks files that are here",
                                expected="code that git has", found=", ".join(unknown[:6]),
                                remedy="commit them (git add …), or delete them, then run the same command again")
    return commit


def code_other_than(commit: str) -> list[str]:
    """The files that stages run of which this checkout has other content than `commit`."""
    return git("diff", "--name-only", commit, "--", *RUN_BY_STAGES).splitlines()


def _claims(text: str) -> dict[str, Any]:
    """The content of a params.yaml without what the plan writes into it; empty if it cannot be read."""
    try:
        content = YAML(typ="safe").load(text)
        return {key: value for key, value in content.items() if key not in WRITTEN_BY_PLAN}
    except (YAMLError, AttributeError):
        return {}
