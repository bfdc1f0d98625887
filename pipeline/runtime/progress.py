"""Progress of long work: a bar in a terminal, a line now and then in a log. Where nobody can read it any more, the work
goes on."""

from __future__ import annotations

import contextlib
import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 20.0


class Progress:
    """Says what, how far, how fast, and how long still.

    >>> with Progress("training mnist, seed 1", total=50, unit="epoch") as progress:
    ...     progress.advance(1, "D on data .61")
    """

    def __init__(self, what: str, total: int, unit: str, done: int = 0) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self._initial, self._start, self._last_line = done, time.monotonic(), 0.0
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            with contextlib.suppress(OSError):
                self._bar = tqdm(desc=what, total=total, initial=done, unit=f" {unit}", unit_scale=total > 100_000,
                                 dynamic_ncols=True, leave=True)

    def advance(self, amount: int, note: str = "") -> None:
        self.done += amount
        with contextlib.suppress(OSError):
            if self._bar is not None:
                self._bar.set_postfix_str(note, refresh=False)
                self._bar.update(amount)
            elif self.done >= self.total or time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
                self._last_line = time.monotonic()
                print(self._line(note), flush=True)

    def _line(self, note: str) -> str:
        elapsed = time.monotonic() - self._start
        rate = (self.done - self._initial) / elapsed if elapsed > 0 else 0.0
        fast = f"{rate:,.{0 if rate >= 100 else 1}f} {self.unit}/s"
        speed = f", {fast}" if rate >= 1 else f", {1 / rate:.3g} s/{self.unit}" if rate > 0 else ""
        left = f", {duration((self.total - self.done) / rate)} left" if rate > 0 and self.done < self.total else ""
        return (f"{self.what}: {self.done:,}/{self.total:,} {self.unit}s"
                f" ({100 * self.done / max(self.total, 1):.0f} %){speed}{left}{f' | {note}' if note else ''}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()


def duration(seconds: float) -> str:
    """"45 s", "3 min 20 s" or "2 h 05 min"."""
    seconds = max(0, round(seconds))  # by a clock that was set back since
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
