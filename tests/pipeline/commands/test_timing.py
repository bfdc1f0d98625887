"""pipeline.commands.timing: ranges, and other programs' share of the processors; no clock is waited for."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands import timing
from pipeline.commands.timing import halves, on_an_idle_machine, rounds, span


@pytest.mark.parametrize(("times", "expected"), [([4.0], (4, 4)), ([1.0, 3.0], (1, 3)), ([5.0, 1.0, 2.0], (1.5, 3.5)),
                                                 ([4.0, 1.0, 3.0, 2.0], (1.5, 3.5))])
def test_halves(times, expected):
    assert tuple(halves(times)) == expected


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_the_mean_lies_between_the_halves(times):
    low, high = halves(times)
    assert low * (1 - 1e-12) <= np.mean(times) <= high * (1 + 1e-12)


def test_rounds_are_timed_after_one_to_get_started(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 14.0, 20.0, 26.0])
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    steps = []
    assert tuple(rounds(lambda: steps.append(1), seconds=1, least=3)) == (3.0, 5.0)
    assert len(steps) == 4


def test_rounds_are_no_more_than_asked_for():
    steps = []
    rounds(lambda: steps.append(1), seconds=1e9, least=1, most=5)
    assert len(steps) == 6


@pytest.fixture
def times(monkeypatch):
    """The clocks of a machine with two processors, in seconds, to be set by the test."""
    now = {"clock": 100.0, "user": [50.0, 60.0], "steal": [0.0, 0.0], "idle": [5.0, 5.0], "own": 7.0}
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: now["clock"]))
    monkeypatch.setattr(timing.psutil, "cpu_times", lambda percpu: [
        SimpleNamespace(user=user, system=1.0, steal=steal, idle=idle)
        for user, steal, idle in zip(now["user"], now["steal"], now["idle"], strict=True)])
    monkeypatch.setattr(timing.os, "times", lambda: os.times_result((now["own"], 0.0, 0.0, 0.0, 0.0)))
    return now


@pytest.mark.parametrize(("user", "steal", "own", "share"), [
    ((0, 0), (0, 0), 0, 0), ((10, 10), (0, 0), 20, 0), ((10, 10), (0, 0), 10, 0.5), ((10, 0), (0, 0), 0, 0.5),
    ((5, 5), (5, 5), 10, 0.5), ((10, 10), (0, 0), 0, timing.MOST), ((5, 0), (0, 0), 9, 0)])
def test_the_share_of_others_is_what_is_busy_and_not_ours(times, user, steal, own, share):
    others = timing.Others()
    times["clock"] += 10
    times["user"] = [before + more for before, more in zip(times["user"], user, strict=True)]
    times["steal"] = list(steal)
    times["own"] += own
    assert others.share() == pytest.approx(share)


def test_processors_that_are_not_ours_to_use_do_not_count(times, monkeypatch):
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    others = timing.Others()
    times["clock"] += 10
    times["user"] = [50.0, 70.0]
    assert others.share() == 0


def test_the_lower_end_is_for_an_idle_machine():
    assert tuple(on_an_idle_machine(np.array([10.0, 12.0]), 0.5)) == (5, 12)
    assert tuple(on_an_idle_machine(np.array([10.0, 12.0]), timing.BUSY)) == (10, 12)


@pytest.mark.parametrize(("seconds", "text"), [
    (90.0, "1 min 30 s"), (np.array([100.0, 110.0]), "1 min 45 s"), (np.array([12120.0, 28680.0]),
                                                                    "3 h 22 min to 7 h 58 min"), (0.0, "0 s")])
def test_ends_that_are_near_are_told_as_one(seconds, text):
    assert span(seconds) == text
