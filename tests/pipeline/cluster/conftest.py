"""The small graph as the current folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_graph import GRAPH, SIDE, Repository


@pytest.fixture
def repository(made_once: Callable[[str, Callable[[Path], object]], Path], tmp_path: Path, own_git: None,
               monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The current folder, in which nothing has run."""
    return _as_the_current_folder(made_once("small graph", _make), tmp_path, monkeypatch)


@pytest.fixture
def reproduced(made_once: Callable[[str, Callable[[Path], object]], Path], tmp_path: Path, own_git: None,
               monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The same, in which `dvc repro` has run; not committed."""

    def make(folder: Path) -> None:
        shutil.copytree(made_once("small graph", _make), folder, dirs_exist_ok=True)
        Repository(folder).dvc("repro")

    return _as_the_current_folder(made_once("small graph reproduced", make), tmp_path, monkeypatch)


def _make(folder: Path) -> None:
    repository = Repository(folder)
    repository.run("git", "init", "--quiet")
    repository.dvc("init", "--quiet")
    for name, content in {"dvc.yaml": GRAPH, "input.txt": "in\n", "side.sh": SIDE, "params.yaml": "a: 1\n",
                          "plan.yaml": "run: {}\n",
                          ".gitignore": "/one.txt\n/two.txt\n/side.txt\n/.cluster/\n"}.items():
        repository.write(name, content)
    repository.commit()


def _as_the_current_folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    shutil.copytree(template, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return Repository(tmp_path / "repository")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between looks, nor for files that come late."""
    monkeypatch.setattr("pipeline.cluster.coordinator.SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr("pipeline.cluster.coordinator.SECONDS_FOR_AN_OUTCOME", 0.0)
