"""pipeline.runtime.progress: a line now and then in a log, a bar in a terminal."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.runtime import progress
from pipeline.runtime.progress import Progress, duration

ROOT = Path(__file__).parents[3]


class Clock:
    """A clock that stands until it is set forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Progress sees this clock, and no terminal."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: False)))
    return clock


def test_a_log_gets_a_line_with_what_how_far_how_fast_and_how_long_still(clock, capsys):
    with Progress("mnist, seed 1", total=50, unit="epoch") as bar:
        clock.now += 20
        bar.advance(10, "best 3.1")
    captured = capsys.readouterr()
    assert captured.out == "mnist, seed 1: 10/50 epochs (20 %), 2 s/epoch, 1 min 20 s left | best 3.1\n"
    assert captured.err == ""


def test_speed_above_one_a_second_is_given_in_units_a_second(clock, capsys):
    with Progress("mnist, test", total=30_000, unit="image") as bar:
        clock.now += 2
        bar.advance(10_000)
    assert re.fullmatch(r"mnist, test: 10,000/30,000 images \(33 %\), 5,000 images?/s, 4 s left\n",
                        capsys.readouterr().out)


def test_a_log_gets_the_first_line_then_one_every_twenty_seconds_and_the_last(clock, capsys):
    with Progress("work", total=100, unit="step") as bar:
        for _ in range(100):
            clock.now += 1
            bar.advance(1)
    done = [int(re.search(r"(\d+)/100", line)[1]) for line in capsys.readouterr().out.splitlines()]
    assert done == [1, 21, 41, 61, 81, 100]


def test_the_last_line_says_nothing_of_time_left(clock, capsys):
    with Progress("work", total=2, unit="step") as bar:
        clock.now += 4
        bar.advance(2)
    assert capsys.readouterr().out == "work: 2/2 steps (100 %), 2 s/step\n"


def test_work_that_goes_on_counts_what_was_done_but_not_into_the_speed(clock, capsys):
    with Progress("work", total=100, unit="epoch", done=90) as bar:
        clock.now += 10
        bar.advance(5)
    assert capsys.readouterr().out == "work: 95/100 epochs (95 %), 2 s/epoch, 10 s left\n"


def test_a_clock_that_stands_still_breaks_nothing(clock, capsys):
    with Progress("work", total=2, unit="step") as bar:
        bar.advance(1)
    assert capsys.readouterr().out == "work: 1/2 steps (50 %)\n"


def test_work_without_a_total_breaks_nothing(clock, capsys):
    with Progress("work", total=0, unit="step") as bar:
        clock.now += 1
        bar.advance(0)
    assert "0/0 steps" in capsys.readouterr().out


def test_work_goes_on_where_nobody_can_read_how_far_it_is(monkeypatch):
    """Its terminal was closed, or the program that read its output has ended."""
    for is_terminal in (False, True):
        gone = Gone(is_terminal)
        monkeypatch.setattr(sys, "stdout", gone)
        monkeypatch.setattr(sys, "stderr", gone)
        with Progress("work", total=2, unit="step") as bar:
            bar.advance(1, "a note")
            bar.advance(1, "another")
        monkeypatch.undo()
        assert bar.done == 2


class Gone(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: is_terminal

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def flush(self) -> None:
        self.write("")


def test_an_error_inside_is_passed_on(clock):
    with pytest.raises(ValueError, match="inside"), Progress("work", total=1, unit="step"):
        raise ValueError("inside")


@pytest.mark.parametrize(("seconds", "text"), [
    (-7, "0 s"), (0, "0 s"), (0.4, "0 s"), (45.2, "45 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
    (3599.4, "59 min 59 s"), (3599.6, "1 h 00 min"), (7500, "2 h 05 min"), (100 * 3600, "100 h 00 min")])
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_a_terminal_gets_a_bar_and_no_lines():
    script = ("from pipeline.runtime.progress import Progress\n"
              "with Progress('mnist, seed 1', total=4, unit='epoch') as bar:\n"
              "    for i in range(4): bar.advance(1, 'best 3.1')\n")
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # 24 lines of 100 columns
    try:
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=end)
        os.close(end)
        shown = b""
        while True:
            try:
                part = os.read(terminal, 10_000)
            except OSError:  # Linux says so when the other end has been closed
                break
            if not part:
                break
            shown += part
        output, _ = process.communicate(timeout=60)
    finally:
        os.close(terminal)
    assert process.returncode == 0
    assert output == b""
    for piece in ("mnist, seed 1", "4/4", "100%", "best 3.1", "\r"):
        assert piece in shown.decode()
