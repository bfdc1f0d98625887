"""pipeline.cluster.watch: what runs where, as a table in a terminal and as lines in a log."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from gan.errors import ReproductionError
from pipeline.cluster import watch
from pipeline.cluster.watch import ROWS, SECONDS_BETWEEN_LINES, Line, Watch, summary, table


def console(terminal=False, width=120):
    return Console(file=io.StringIO(), width=width, height=50, force_terminal=terminal, color_system=None)


def shown(lines):
    """The rows of the table, without its head."""
    found = console()
    found.print(table(lines))
    head, *rows = [line.rstrip() for line in found.file.getvalue().splitlines()]
    assert head.split() == ["stage", "node", "state", "progress", "time"]
    return rows


@pytest.fixture
def clock(monkeypatch):
    """The time as `watch` sees it, to be set."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.mark.parametrize(("counts", "seconds", "expected"), [
    ({}, 0, "0 of 0 stages done; 0 s"),
    ({"done": 3}, 45, "3 of 3 stages done; 45 s"),
    ({"waiting": 79, "submitted": 4, "done": 12}, 200,
     "12 of 95 stages done, 4 submitted, 79 still to come; 3 min 20 s"),
    ({"seeds": 1, "ready": 2, "failed": 3, "left out": 4, "waiting": 0}, 7500,
     "0 of 10 stages done, 1 by seeds, 2 ready, 3 failed, 4 left out; 2 h 05 min")])
def test_the_summary_counts_what_there_is_and_names_nothing_else(counts, seconds, expected):
    assert summary(counts, seconds) == expected


def test_what_runs_stands_first_and_longest_of_it_first():
    rows = shown([Line("train@waits", "", "waiting, job 3", "", 900),
                  Line("train@short", "n1", "running, job 1", "", 5),
                  Line("train@long", "n2", "running, job 2", "12/40 epochs (30 %)", 65),
                  Line("train@waits-longer", "", "waiting, job 4", "", 1000)])
    assert [row.split()[0] for row in rows] == ["train@long", "train@short", "train@waits-longer", "train@waits"]
    assert "n2" in rows[0]
    assert "running, job 2" in rows[0]
    assert "12/40 epochs (30 %)" in rows[0]
    assert rows[0].endswith("1 min 05 s")


def test_the_table_is_cut_and_says_by_how_many():
    lines = [Line(f"train@{i}", "n1", "running", "", i) for i in range(ROWS + 3)]
    rows = shown(lines)
    assert len(rows) == ROWS + 1
    assert rows[0].startswith(f"train@{ROWS + 2} ")
    assert rows[-1] == "and 3 more"
    assert len(shown(lines[:ROWS])) == ROWS
    assert shown([]) == []


def test_words_in_brackets_are_shown_as_they_are():
    [row] = shown([Line("train@a", "n[1]", "waiting, job 12_[3]", "1/4 epochs (25 %) [red] [/x]", 1)])
    for words in ("n[1]", "12_[3]", "[red] [/x]"):
        assert words in row


def test_a_log_has_lines_now_and_then_and_of_what_runs_alone(clock):
    written = console()
    lines = [Line("train@a", "n1", "running", "12/40 epochs (30 %), 5 s/epoch", 65),
             Line("train@b", "n2", "running", "", 5), Line("train@c", "", "waiting", "", 7)]
    with Watch(written) as found:
        found.show(lines, {"done": 1, "submitted": 3}, 70)
        first = written.file.getvalue()
        clock.seconds += SECONDS_BETWEEN_LINES - 1
        found.show(lines, {"done": 2, "submitted": 2}, 129)
        assert written.file.getvalue() == first
        clock.seconds += 1
        found.show(lines[:1], {"done": 3, "submitted": 1}, 130)
    assert first == ("1 of 4 stages done, 3 submitted; 1 min 10 s\n"
                     "  train@a on n1, 1 min 05 s: 12/40 epochs (30 %), 5 s/epoch\n  train@b on n2, 5 s\n")
    assert written.file.getvalue()[len(first):].startswith("3 of 4 stages done, 1 submitted; 2 min 10 s\n")


def test_what_happens_is_said_at_once_and_as_it_is(clock):
    written = console()
    with Watch(written) as found:
        found.say("failed       train@[bold]a[/bold]: [/no]")
        found.say("done         train@b")
    assert written.file.getvalue() == "failed       train@[bold]a[/bold]: [/no]\ndone         train@b\n"


def test_a_log_is_written_to_the_standard_output_without_line_breaks_of_its_own(clock, capsys, monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    with Watch() as found:
        found.say("submitted    " + "train@mnist " * 20)
    assert capsys.readouterr().out == "submitted    " + "train@mnist " * 20 + "\n"


def test_a_terminal_has_a_table_that_is_drawn_anew(clock):
    written = console(terminal=True)
    with Watch(written) as found:
        found.show([Line("train@a", "n1", "running, job 7", "", 5)], {"submitted": 1}, 5)
        found.say("done         train@a")
        found.show([], {"done": 1}, 6)
    text = written.file.getvalue()
    for words in ("train@a", "running, job 7", "0 of 1 stages done, 1 submitted; 5 s", "done         train@a",
                  "1 of 1 stages done; 6 s"):
        assert words in text
    assert "\x1b[?25h" in text  # the cursor is back


def fail(found):
    found.show([Line("train@a", "n1", "running", "", 5)], {"submitted": 1}, 5)
    raise ReproductionError("of a coordinator")


def test_a_terminal_is_left_in_order_when_the_work_fails(clock):
    written = console(terminal=True)
    found = Watch(written)
    with pytest.raises(ReproductionError, match="of a coordinator"), found:
        fail(found)
    assert written.file.getvalue().rindex("\x1b[?25h") > written.file.getvalue().rindex("\x1b[?25l")
