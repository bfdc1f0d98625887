"""Folders in which the pipeline can work, and those in which it cannot: told before anything is set up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.commands import clone_check

ROOT = Path(__file__).parents[3]
FILES = ("params.yaml", "gan/model.py", "docs/data.md")


@pytest.fixture(autouse=True)
def git_of_its_own(own_git, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "/tmp")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")


def git(*words: str, folder: Path = Path()) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def zipped(tmp_path, monkeypatch) -> Path:
    """Files without their history."""
    root = tmp_path / "gan"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("content\n")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def clone(zipped) -> Path:
    git("init", "--quiet")
    for message in ("first", "second"):
        Path("params.yaml").write_text(message)
        git("add", "--all")
        git("commit", "--quiet", "--message", message)
    return zipped


def refused(said: str, cure: str) -> None:
    with pytest.raises(ReproductionError) as raised:
        clone_check.require()
    assert raised.value.what.startswith(said)
    assert cure in str(raised.value)


# What is refused.

def test_a_zip_of_the_repository_is_told_how_to_become_a_clone(zipped):
    refused("this folder is no git clone", "git clone <address>")
    git("init")
    refused("this git repository has no commit yet", "git add --all && git commit")
    git("add", "--all")
    git("commit", "--quiet", "--message", "as downloaded")
    clone_check.require()  # by the cure that it is told


def test_a_zip_that_was_unpacked_within_another_repository_is_no_clone(zipped):
    git("init", "--quiet", folder=zipped.parent)
    refused("this folder is a part of another git repository", "git clone <address>")


def test_a_subfolder_of_the_clone_is_not_its_root(clone, monkeypatch):
    monkeypatch.chdir(clone / "gan")
    refused("this folder is a part of another git repository", "whose root it is")


def test_a_machine_without_git_is_told_how_to_get_it(clone, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    refused("git is not installed", "apt install git")


def test_a_clone_of_another_user_is_told_in_git_s_own_words_what_to_do(clone, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    refused("git does not trust this clone", f"safe.directory {clone}")


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_a_hook_of_another_repository_would_have_its_commit_named(clone, monkeypatch, tmp_path, name):
    other = tmp_path / "other"
    git("init", "--quiet", str(other))
    (other / "file").touch()
    git("add", "--all", folder=other)
    git("commit", "--quiet", "--message", "of another", folder=other)
    place = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}[name]
    monkeypatch.setenv(name, str(other / place))
    if name == "GIT_OBJECT_DIRECTORY":
        monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(clone / ".git/objects"))
    refused("the environment names another git repository", f"unset {name}")
    monkeypatch.setenv(name, str(clone / place))  # as a hook of this one has it
    clone_check.require()


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_a_sparse_checkout_may_lack_what_is_not_run_and_nothing_else(clone, cone):
    git("sparse-checkout", "set", cone, *(["gan"] if cone == "--cone" else ["/*", "!/docs"]))
    assert not Path("docs").exists()
    clone_check.require()
    git("sparse-checkout", "set", cone, *(["docs"] if cone == "--cone" else ["/*", "!/gan"]))
    refused("this sparse checkout lacks files", "git sparse-checkout disable")
    git("sparse-checkout", "disable")
    clone_check.require()


# What works.

def shallow(clone: Path, place: Path) -> None:
    git("clone", "--quiet", "--depth", "1", f"file://{clone}", str(place))


def partial(clone: Path, place: Path) -> None:
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "--quiet", "--filter=blob:none", f"file://{clone}", str(place))


def worktree(clone: Path, place: Path) -> None:
    git("worktree", "add", "--quiet", "--detach", str(place))


def submodule(clone: Path, place: Path) -> None:
    outer = place.with_name("outer")
    git("init", "--quiet", str(outer))
    git("submodule", "--quiet", "add", str(clone), "gan", folder=outer)
    place.symlink_to(outer / "gan")


def below_a_link(clone: Path, place: Path) -> None:
    place.symlink_to(clone)


@pytest.mark.parametrize("make", [shallow, partial, worktree, submodule, below_a_link])
def test_other_kinds_of_clones_are_clones(clone: Path, monkeypatch, make: Callable[[Path, Path], None]):
    place = clone.with_name("place")
    make(clone, place)
    monkeypatch.chdir(place)
    clone_check.require()


# Who asks.

@pytest.mark.parametrize("target", ["setup", "reproduce", "table"])
def test_make_asks_before_it_sets_anything_up(tmp_path, target):
    for name in ("Makefile", "params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("gan", "pipeline"):
        (tmp_path / name).symlink_to(ROOT / name)
    ended = subprocess.run(["make", target, f"PYTHON={sys.executable}"], cwd=tmp_path, capture_output=True, text=True,
                           env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}, timeout=60)
    assert ended.returncode == 2
    assert "this folder is no git clone" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / ".venv").exists()
