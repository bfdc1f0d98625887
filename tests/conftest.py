"""What holds for every test: what is made once for all workers, in which order tests run, how long Hypothesis looks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

settings.register_profile("fast", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

BUILT_BY = "test_the_whole_graph_runs_from_nothing"
"""The test that makes what the fixture `finished_graph` gives"""


def pytest_make_parametrize_id(val, argname):
    """A file's content is no name: one made here may hold the second it was made in, and two workers that name a test
    differently run none."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The finished graph is made first, and what needs it comes after the tests of `gan`, so that no worker waits for
    another one to make it."""

    def place(item: pytest.Item) -> int:
        if item.name.partition("@")[0] == BUILT_BY:
            return 0
        if "finished_graph" in getattr(item, "fixturenames", ()):
            return 2
        return 1 if "tests/gan/" in item.nodeid else 3

    items.sort(key=place)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Makes a folder of this name for all workers of the run: the first that asks makes it, others wait. Nobody may
    change what is in it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, complete = shared / name, shared / f"{name}.complete"
        with FileLock(shared / f"{name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                complete.touch()
        return folder

    return made_once
