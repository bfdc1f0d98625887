"""pipeline.runtime.dvc_adapter: the names of DVC's own that are used here, and what is said when one has gone."""

from __future__ import annotations

import inspect

import pytest

from gan.errors import ReproductionError
from pipeline.runtime import dvc_adapter
from pipeline.runtime.dvc_adapter import OWN, own

PARAMETERS = {"entry": ["stage"], "can be hashed": ["stage"], "hash": ["stage"], "record": ["self", "stage"],
              "active graph": ["graph"], "order": ["graph", "stages"]}


@pytest.mark.parametrize("what", OWN)
def test_dvc_has_every_name_of_its_own_that_is_used_and_it_takes_what_it_is_given(what):
    found = own(what)  # ReproductionError says in words what has moved
    names = list(inspect.signature(found).parameters)[:len(PARAMETERS.get(what, []))]
    assert names == PARAMETERS.get(what, []), f"{OWN[what]} of this DVC takes other arguments: mend dvc_adapter.py"


@pytest.mark.parametrize("place", ["dvc.stage.cache:_moved", "dvc.moved:name", "dvc.stage.cache:StageCache._moved"])
def test_a_name_that_dvc_has_moved_is_told_with_its_version_and_the_remedy(monkeypatch, place):
    monkeypatch.setitem(OWN, "hash", place)
    with pytest.raises(ReproductionError) as raised:
        dvc_adapter.key(object())
    message = str(raised.value)
    assert message.startswith("DVC 3.")
    assert f"has moved {place.replace(':', '.')}, a name of its own" in message
    assert "requirements.lock" in message


@pytest.mark.parametrize(("content", "whole"), [
    ("schema: '2.0'\nstages:\n  a:\n    cmd: b\n", True), ("schema: '2.0'\n", True), ("", False),
    ("schema: '2.0'\nstages:\n  a:\n    deps: []\n", False), ("schema: '2.0'\nstages:\n  a:\n    cm", False),
    ("[", False)])
def test_what_dvc_reads_as_a_lock_is_one(content, whole):
    assert dvc_adapter.is_lock(content.encode()) is whole
