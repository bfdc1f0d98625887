"""pipeline.runtime.interruption: signals that wait for the end of an update."""

from __future__ import annotations

import os
import signal

import pytest

from pipeline.runtime import interruption
from pipeline.runtime.interruption import Interruption


@pytest.fixture(autouse=True)
def same_handlers():
    before = {number: signal.getsignal(number) for number in (*interruption.SIGNALS, signal.SIGALRM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which these tests may be told to ignore
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def work(*numbers: int, reached: list[str]) -> None:
    """Work that is sent signals, goes on for a while, and comes to a place where it can be stopped."""
    with Interruption() as asked:
        assert not asked.requested
        for number in numbers:
            send(number)
        assert asked.requested
        reached.append("went on")
        asked.check()
        reached.append("went on for ever")


@pytest.mark.parametrize(("number", "error", "status"), [
    (signal.SIGINT, KeyboardInterrupt, None), (signal.SIGTERM, SystemExit, 143), (signal.SIGHUP, SystemExit, 129)])
def test_a_signal_is_raised_where_the_work_can_be_stopped(number, error, status):
    reached: list[str] = []
    with pytest.raises(error) as raised:
        work(number, reached=reached)
    assert getattr(raised.value, "code", None) == status
    assert reached == ["went on"]


def test_one_that_comes_at_the_very_end_is_raised_as_well():
    with pytest.raises(SystemExit), Interruption():
        send(signal.SIGTERM)


def test_a_second_ctrl_c_is_raised_at_once():
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(signal.SIGINT, signal.SIGINT, reached=reached)
    assert reached == []


def test_a_second_sigterm_is_not_as_a_cluster_sends_it_to_every_process_and_so_does_a_worker():
    reached: list[str] = []
    with pytest.raises(SystemExit):
        work(signal.SIGTERM, signal.SIGTERM, reached=reached)
    assert reached == ["went on"]


def test_work_that_cannot_be_stopped_is_stopped_before_sigkill_comes(monkeypatch):
    def sleep_for_ever() -> None:
        with Interruption():
            send(signal.SIGTERM)
            signal.pause()
            pytest.fail("went on")

    monkeypatch.setattr(interruption, "SECONDS_TO_STOP", 0.05)
    with pytest.raises(SystemExit):
        sleep_for_ever()


def test_what_is_ignored_stays_ignored():
    """SIGHUP under nohup, Ctrl-C in a stage that another process stops."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with Interruption() as asked:
        send(signal.SIGHUP)
        send(signal.SIGINT)
        assert not asked.requested
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_handlers_are_as_before_afterwards():
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    with Interruption():
        assert all(signal.getsignal(number) != handler for number, handler in before.items())
    assert {number: signal.getsignal(number) for number in interruption.SIGNALS} == before
