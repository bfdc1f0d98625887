"""The small graph as the current folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_graph import GRAPH, ROOT, SIDE, Repository


@pytest.fixture
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A git that knows nobody's settings, a DVC that keeps nothing elsewhere, and workers that find this code."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "SLURM_", "SUBMITIT_", "GAN_"))]:
        monkeypatch.delenv(name)
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
                        "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
                        "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
                        "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)


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
