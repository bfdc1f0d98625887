"""pipeline.runtime.git: the commit of a checkout, and what differs from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.runtime.git import clean_code, clean_commit, code_other_than, git


@pytest.fixture
def committed(tmp_path, monkeypatch, own_git):
    """A small repository with code, as the current folder; its commit."""
    monkeypatch.chdir(tmp_path)
    for name in ("gan/a.py", "pipeline/b.py", "reports/metrics.json", "README.md"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("1\n")
    Path("params.yaml").write_text("profile: cpu\nparzen: 1\n")
    Path("plan.yaml").write_text("run: {}\n")
    Path(".gitignore").write_text("__pycache__/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return git("rev-parse", "HEAD")


def test_what_workers_do_not_need_may_lie_about(committed):
    Path("gan/__pycache__").mkdir()
    for name in ("notes.txt", "reports/own.txt", "gan/__pycache__/a.pyc", "reports/metrics.json", "README.md"):
        Path(name).write_text("2\n")
    Path("params.yaml").write_text("profile: smoke\nparzen: 1\n")
    Path("plan.yaml").write_text("run: {more: 1}\n")
    assert clean_code("what workers clone") == committed


def test_results_that_git_has_may_be_newer(committed):
    for name in ("reports/smoke/index.html", "reports/index.html"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "results")
    for name in ("reports/smoke/index.html", "reports/index.html"):
        Path(name).write_text("2\n")
    assert clean_commit("what workers clone") == git("rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["gan/new.py", "pipeline/new/c.py"])
def test_code_that_git_does_not_know_is_named(committed, name):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("")
    with pytest.raises(ReproductionError, match="what workers clone is the last commit") as raised:
        clean_code("what workers clone")
    assert f"found: {name}\n" in str(raised.value)
    git("add", name)
    git("commit", "--quiet", "--message", "second")
    assert clean_code("what workers clone") != committed


@pytest.mark.parametrize(("name", "check"), [("gan/a.py", clean_code), ("params.yaml", clean_code),
                                             ("gan/a.py", clean_commit), ("README.md", clean_commit)])
def test_what_differs_from_the_commit_is_named(committed, name, check):
    Path(name).write_text("profile: cpu\nparzen: 2\n")
    with pytest.raises(ReproductionError, match="tracked files here differ") as raised:
        check("what workers clone")
    assert name in str(raised.value)


def test_code_that_git_does_not_know_is_no_edit_of_the_commit(committed):
    Path("gan/new.py").write_text("")
    assert clean_commit("what is verified") == committed


def test_a_commit_has_the_code_that_is_here_until_that_is_edited_committed_or_not(committed):
    Path("README.md").write_text("2\n")
    git("commit", "--quiet", "--all", "--message", "words")
    assert code_other_than(committed) == []
    Path("gan/a.py").write_text("2\n")
    assert code_other_than(committed) == ["gan/a.py"]
    git("commit", "--quiet", "--all", "--message", "code")
    assert code_other_than(committed) == ["gan/a.py"]
    Path("gan/a.py").write_text("1\n")
    assert code_other_than(committed) == []


def test_outside_a_repository_it_says_where_to_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ReproductionError, match="expected: a clone of this repository"):
        clean_commit("what is verified")
