"""What one clone has pushed to a remote another need not run, and pages about revisions read what it brought."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clone import Clone

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]


@pytest.fixture
def other(other_clone: Clone, tmp_path: Path) -> Clone:
    """A new clone by git, with the same folder as its remote, to which the first one has pushed."""
    second = other_clone.git_clone(tmp_path / "second")
    for one in (other_clone, second):
        one.run("dvc", "remote", "add", "--local", "--default", "shared", str(tmp_path / "remote"))
    other_clone.run("dvc", "push")
    return second


FOLDERS = ("artifacts/digits", "reports/figures/digits", "data/prepared")


def results(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for folder in FOLDERS for path in (root / folder).rglob("*")
            if path.is_file()}


def test_a_second_clone_takes_results_from_the_remote_and_runs_nothing(finished_graph, other):
    said = other.run("dvc", "repro", "--pull", "figures@digits", "sample_size@digits", "assess@digits")
    assert "Pulling data for stage: 'train@digits'" in said
    assert not re.search("Running stage", said)
    assert results(other.root) == results(finished_graph.root)
    assert len(results(other.root)) > 20
    assert other.run("git", "status", "--porcelain") == ""
    other.verb("compare", "HEAD", "workspace")
    pictures = len(list((other.root / "reports/figures/digits").glob("*.png")))
    assert (other.root / "comparison/index.html").read_text().count('src="data:image/png;base64,') >= pictures > 0
    assert other.run("git", "status", "--porcelain") == ""
