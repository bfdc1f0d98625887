"""One clone in which the whole graph of the profile `smoke` has run, for every module that can use it."""

from __future__ import annotations

import pytest
from clone import LESSONS, WHOLE_GRAPH, Clone, make_clone


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The whole graph has run once from nothing, and its results are committed."""
    clone = make_clone(tmp_path_factory.mktemp("clone"))
    clone.run("python", "-m", "pipeline", "plan", GAN_PROFILE="smoke", GAN_LESSONS=" ".join(LESSONS))
    assert clone.repro() == WHOLE_GRAPH
    clone.commit("results")
    return clone
