"""Whether this folder is a git clone that the pipeline can work in, asked before anything is set up or run.

DVC needs one, and every result names the commit that made it. What a clone lacks would be told minutes later, in the
words of another program. Needs Python's own library alone, as make asks before there is an environment.

Shallow clones, partial clones, worktrees and submodules are clones like others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from gan.errors import ReproductionError

NOT_NEEDED = ("docs/", "findings/", "tests/")
"""Folders that a sparse checkout may leave out"""
OTHERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
"""Environment variables by which git takes another repository than the current folder's"""
CURE = ("clone it: `git clone <address> gan && cd gan`; or make these files a repository of their own: `git init && "
        "git add --all && git commit --message 'as downloaded'`")


def require() -> None:
    """ReproductionError, with the cure, if the current folder is no such clone."""
    if shutil.which("git") is None:
        raise ReproductionError("git is not installed", expected="git, which DVC needs, and by which results name the "
                                "commit that made them", remedy="install it (Debian and Ubuntu: apt install git), then "
                                "run the same command again")
    status, root = _git("rev-parse", "--show-toplevel")
    if status and "dubious ownership" in root:
        raise ReproductionError("git does not trust this clone: it belongs to another user", found=str(Path.cwd()),
                                expected="a folder of this user's", remedy="clone it as this user, or, if you trust "
                                f"its owner: `git config --global --add safe.directory {Path.cwd()}`")
    if status:
        raise ReproductionError("this folder is no git clone", expected="a clone of the repository", remedy=CURE,
                                found="files without their history, such as an unpacked ZIP")
    _require_no_other_repository()
    if Path(root).resolve() != Path.cwd().resolve():
        raise ReproductionError("this folder is a part of another git repository", found=f"the repository {root}",
                                expected="a clone of its own, whose root it is", remedy=CURE)
    if _git("rev-parse", "--verify", "--quiet", "HEAD")[0]:
        raise ReproductionError("this git repository has no commit yet", expected="a commit, which results name",
                                remedy="git add --all && git commit --message 'as downloaded'")
    _require_files()


def _require_no_other_repository() -> None:
    """As in a git hook of another repository, whose commit results would name."""
    named = [name for name in OTHERS if os.environ.get(name)]
    own = {name: value for name, value in os.environ.items() if name not in OTHERS}
    if named and _places() != _places(own):
        raise ReproductionError("the environment names another git repository than this folder's",
                                expected="none, or this one", found=", ".join(f"{n}={os.environ[n]}" for n in named),
                                remedy=f"unset {' '.join(named)}, then run the same command again")


def _places(environment: dict[str, str] | None = None) -> list[Path]:
    """Where git keeps what it knows of the current folder."""
    _, said = _git("rev-parse", "--absolute-git-dir", "--git-path", "objects", "--git-path", "index",
                   environment=environment)
    return [Path(line).resolve() for line in said.splitlines()]


def _require_files() -> None:
    """None of those that git knows may be left out, as in a sparse checkout."""
    status, listed = _git("ls-files", "-t", "-z")
    left_out = [line[2:] for line in listed.split("\0") if line.startswith("S ") and not Path(line[2:]).exists()]
    lacking = [name for name in left_out if not name.startswith(NOT_NEEDED)]
    if not status and lacking:
        folders = dict.fromkeys(name.rpartition("/")[0] or name for name in lacking)
        raise ReproductionError("this sparse checkout lacks files of the pipeline", expected="all but "
                                f"{', '.join(NOT_NEEDED)}", found=f"without {', '.join([*folders][:6])}",
                                remedy="git sparse-checkout disable, then run the same command again")


def _git(*words: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit status, and what it prints, to stderr where it fails."""
    try:
        ended = subprocess.run(["git", *words], capture_output=True, text=True, errors="surrogateescape", timeout=60,
                               env=(environment or dict(os.environ)) | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.SubprocessError) as error:
        return 1, str(error)
    return ended.returncode, (ended.stderr if ended.returncode else ended.stdout).strip()
