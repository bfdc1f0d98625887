"""The time of a bare run, shared among its parts, and what is said while it goes by."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

MARGIN = 5.0
"""seconds kept back at the end, to write and to stop"""


@dataclass
class Clock:
    """`minutes` from `began` (time.time()), of which each part has a share by its weight in `parts`."""

    minutes: float
    began: float
    parts: Mapping[str, float]
    _begun: list[str] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        return time.time() - self.began

    @property
    def left(self) -> float:
        """Seconds until all must be over."""
        return 60 * self.minutes - MARGIN - self.elapsed

    def begin(self, part: str, at_most: float = math.inf) -> Share:
        """A part's share of what is left, with those that are still to come; time that others left over goes on."""
        self._begun.append(part)
        to_come = [weight for name, weight in self.parts.items() if name not in self._begun]
        weight = self.parts[part]
        share = Share(part, self, min(at_most, max(0.0, self.left) * weight / (weight + sum(to_come))))
        share.say(f"{share.seconds:.0f} s of the {max(0.0, self.left):.0f} s left")
        return share


class Share:
    """One part's time."""

    def __init__(self, part: str, clock: Clock, seconds: float) -> None:
        self.part, self.clock, self.seconds = part, clock, seconds
        self._began = time.time()
        self._said = 0.0

    @property
    def elapsed(self) -> float:
        return time.time() - self._began

    @property
    def left(self) -> float:
        return min(self.seconds - self.elapsed, self.clock.left)

    def say(self, line: str, *, now: bool = True) -> None:
        """A line of progress; where not `now`, only if the last one is ten seconds old."""
        if now or time.time() - self._said >= 10:
            self._said = time.time()
            print(f"[{self.clock.elapsed:5.0f} s] {self.part}: {line}", flush=True)
