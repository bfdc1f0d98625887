"""The small graph as the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_graph import GRAPH, SIDE, Repository


@pytest.fixture
def repository(tmp_path: Path, own_git: None, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The current folder, in which nothing has run."""
    found = Repository(tmp_path / "repository")
    found.root.mkdir()
    found.run("git", "init", "--quiet")
    found.dvc("init", "--quiet")
    for name, content in {"dvc.yaml": GRAPH, "input.txt": "in\n", "side.sh": SIDE, "params.yaml": "a: 1\n",
                          ".gitignore": "/one.txt\n/two.txt\n/side.txt\n/.cluster/\n"}.items():
        found.write(name, content)
    found.commit()
    monkeypatch.chdir(found.root)
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between looks, nor for files that come late."""
    monkeypatch.setattr("pipeline.cluster.coordinator.SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr("pipeline.cluster.coordinator.SECONDS_FOR_AN_OUTCOME", 0.0)
