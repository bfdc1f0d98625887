"""The whole graph of the profile `smoke`, run once from nothing for all workers, and copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clone import LESSONS, OFFLINE, WHOLE_GRAPH, Clone, environment, make_clone


@pytest.fixture(scope="session")
def finished_graph(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Clone:
    """The whole graph has run once from nothing, without a network, and its results are committed. Not to be changed:
    all workers have the same one."""
    root = made_once("finished", build)
    return Clone(root, environment(root))


def build(root: Path) -> None:
    clone = make_clone(root)
    clone.verb("plan", GAN_PROFILE="smoke", GAN_LESSONS=" ".join(LESSONS), **OFFLINE)
    assert clone.repro(**OFFLINE) == WHOLE_GRAPH
    clone.commit("results")


@pytest.fixture(scope="session")
def clone(finished_graph: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of this worker's, for commands that leave it as it is."""
    return finished_graph.copy(tmp_path_factory.mktemp("clone") / "clone")


@pytest.fixture
def other_clone(finished_graph: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy to spoil."""
    yield finished_graph.copy(tmp_path / "clone")
    shutil.rmtree(tmp_path / "clone")
