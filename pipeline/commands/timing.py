"""How long a step takes on this machine, as a range, and how much of the processors other programs use meanwhile.

A step is timed several times after a first one that gets it started. The range goes from the mean of the faster half to
that of the slower half. On a busy machine both are too long for an idle one, on which other programs' share would be
ours: the lower end is shortened by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import psutil
from numpy.typing import NDArray

from pipeline.runtime.progress import duration

Seconds = NDArray[np.float64]
"""[2]: of the faster and of the slower rounds. Sums and multiples are those of both"""

BUSY = 0.1
"""Share of the processors that other programs may use before the machine counts as busy"""
MOST = 0.95
"""What is left to us may be little; it is never nothing"""
CLOSE = 1.2
"""Ends of a range of which the upper is less than so many times the lower are told as one number"""
NOT_IDLE = ("user", "nice", "system", "irq", "softirq", "steal")
"""Kinds of time; the last is what its host takes from a virtual machine"""


def rounds(step: Callable[[], object], seconds: float = 1.0, least: int = 3, most: int = 20) -> Seconds:
    """Of one step: as many as take `seconds`, after one to get started."""
    step()
    times: list[float] = []
    while len(times) < least or (len(times) < most and sum(times) < seconds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return halves(times)


def halves(times: list[float]) -> Seconds:
    """The means of the faster and of the slower half; the middle one of an odd number is in both."""
    ordered, half = sorted(times), (len(times) + 1) // 2
    return np.array([np.mean(ordered[:half]), np.mean(ordered[-half:])])


class Others:
    """What other programs use of this machine's processors from now on."""

    def __init__(self) -> None:
        self.processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(
            range(os.cpu_count() or 1))
        self._began, self._busy, self._own = time.monotonic(), self._all_busy(), _own()

    def share(self) -> float:
        """From 0 to MOST, of all the processors that we may use."""
        elapsed = (time.monotonic() - self._began) * len(self.processors)
        used = (self._all_busy() - self._busy) - (_own() - self._own)
        return min(max(used / elapsed, 0.0), MOST) if elapsed > 0 else 0.0

    def _all_busy(self) -> float:
        """Seconds of all of them together that were not idle."""
        return sum(getattr(times, kind, 0.0) for number, times in enumerate(psutil.cpu_times(percpu=True))
                   if number in self.processors for kind in NOT_IDLE)


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def on_an_idle_machine(seconds: Seconds | float, share: float) -> Seconds:
    """The range with its lower end as it would be if nothing else ran here."""
    low, high = np.broadcast_to(seconds, 2)
    return np.array([low * (1 - share) if share > BUSY else low, high])


def span(seconds: Seconds | float) -> str:
    """"12 min 30 s", or "3 h 22 min to 7 h 58 min" where the ends differ by more than a little."""
    low, high = np.broadcast_to(seconds, 2).tolist()
    if high < CLOSE * low or duration(low) == duration(high):
        return duration((low + high) / 2)
    return f"{duration(low)} to {duration(high)}"
