"""pipeline.cluster.times: seconds of stages, and the longest path that waits for each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline.cluster.times import OTHERWISE, USUAL, Times, longest_paths
from pipeline.runtime import run_log


class Graph(SimpleNamespace):
    def __iter__(self):
        return iter(self.needs)


def test_a_chain_waits_for_its_first_stage_longest():
    needs = {"a": [], "b": ["a"], "c": ["b"]}
    assert longest_paths("abc", needs, {"a": 1.0, "b": 2.0, "c": 4.0}) == {"a": 7.0, "b": 6.0, "c": 4.0}


def test_of_two_ways_the_longer_counts():
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "alone": []}
    seconds = {"a": 1.0, "b": 10.0, "c": 2.0, "d": 3.0, "alone": 5.0}
    assert longest_paths(list(needs), needs, seconds) == {"a": 14.0, "b": 13.0, "c": 5.0, "d": 3.0, "alone": 5.0}


def test_a_need_that_is_named_twice_counts_once():
    assert longest_paths("ab", {"a": [], "b": ["a", "a"]}, {"a": 1.0, "b": 2.0}) == {"a": 3.0, "b": 2.0}


def test_no_stages_have_no_paths():
    assert longest_paths([], {}, {}) == {}


def test_what_a_stage_took_here_counts_before_what_is_usual():
    times = Times({"train@a": 3.5})
    assert times["train@a"] == 3.5
    assert times["train@b"] == USUAL["train"]
    assert times["evaluate@a"] == times["report"] == OTHERWISE


def test_paths_are_of_each_graph_by_itself():
    times = Times({"train@a": 100.0, "evaluate@a": 7.0, "figures@a": 9.0})
    one = Graph(needs={"train@a": [], "evaluate@a": ["train@a"]})
    other = Graph(needs={"train@a": [], "figures@a": ["train@a"]})
    assert [times.path(one, name) for name in one] == [107.0, 7.0]
    assert [times.path(other, name) for name in other] == [109.0, 9.0]
    assert times.path(one, "train@a") == 107.0


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_times_of_a_checkout_are_those_that_its_stages_took_last(here):
    run_log.record("stages", "train@a", {"seconds": 1.5})
    run_log.record("stages", "train@a", {"seconds": 2})
    run_log.record("stages", "train@b", {"seconds": "long"})
    run_log.record("stages", "train@c", {"other": 1})
    run_log.record("runs", "train@d", {"seconds": 1})
    times = Times.of_this_checkout()
    assert times["train@a"] == 2.0
    assert [times[f"train@{name}"] for name in "bcd"] == [USUAL["train"]] * 3


def test_a_checkout_in_which_nothing_was_run_has_the_usual_times(here):
    assert Times.of_this_checkout()["download@mnist"] == USUAL["download"]
