"""What runs where: a live table in a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.runtime.progress import duration

SECONDS_BETWEEN_LINES = 60.0
ROWS = 24
ORDER = ("done", "submitted", "seeds", "ready", "waiting", "failed", "left out")
WORDS = {"seeds": "by seeds", "waiting": "still to come", "left out": "left out"}


@dataclass(frozen=True)
class Line:
    """One task that was submitted."""

    stage: str
    node: str
    state: str
    progress: str
    seconds: float


class Watch:
    """`say` for what happens, `show` for how things stand; both may be called often.

    >>> with Watch() as watch:
    ...     watch.say("submitted    train@mnist")
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        self._last = 0.0

    def say(self, line: str) -> None:
        self._console.print(Text(line))

    def is_due(self) -> bool:
        """Whether `show` would show anything now."""
        return self._live is not None or time.monotonic() - self._last >= SECONDS_BETWEEN_LINES

    def show(self, lines: Sequence[Line], counts: Mapping[str, int], seconds: float) -> None:
        if self._live is not None:
            self._live.update(Group(table(lines), Text(summary(counts, seconds))), refresh=True)
        elif self.is_due():
            self._last = time.monotonic()
            self.say(summary(counts, seconds))
            for line in lines:
                if line.node:
                    self.say(f"  {line.stage} on {line.node}, {duration(line.seconds)}"
                             f"{f': {line.progress}' if line.progress else ''}")

    def __enter__(self) -> Watch:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


def table(lines: Sequence[Line]) -> Table:
    """Those that run first, and as many of the others as fit."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "node", "state", "progress", "time"):
        found.add_column(title, overflow="fold", justify="right" if title == "time" else "left")
    ranked = sorted(lines, key=lambda line: (not line.node, -line.seconds))
    for line in ranked[:ROWS]:
        found.add_row(*map(Text, (line.stage, line.node, line.state, line.progress, duration(line.seconds))))
    if len(ranked) > ROWS:
        found.add_row(f"and {len(ranked) - ROWS} more", "", "", "", "")
    return found


def summary(counts: Mapping[str, int], seconds: float) -> str:
    """"12 of 95 stages done, 4 submitted, 79 still to come; 3 min 20 s"."""
    total = sum(counts.values())
    rest = ", ".join(f"{counts[name]} {WORDS.get(name, name)}" for name in ORDER[1:] if counts.get(name))
    return f"{counts.get('done', 0)} of {total} stages done{f', {rest}' if rest else ''}; {duration(seconds)}"
