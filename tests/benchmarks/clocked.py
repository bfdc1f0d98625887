"""Run the stage `train` in this process and keep what its parts took.

    python -m tests.benchmarks.clocked FILE -m MODULE …

`tests/benchmarks/around.py` puts it in the place of `python`. Parts are functions; one that is called within another
stops the other's clock, so that the seconds add up. Seconds go to FILE as JSON when the process ends.
"""

from __future__ import annotations

import atexit
import functools
import json
import runpy
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil


class Clock:
    """Seconds of the main thread, by part; and of other threads the processor's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._running = ["start"]
        self._since = time.time()
        self.seconds["start"] = self._since - psutil.Process().create_time()

    def part(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*arguments, **named)
            self.calls[name] += 1
            self._switch()
            self._running.append(name)
            try:
                return function(*arguments, **named)
            finally:
                self._switch()
                self._running.pop()

        return timed

    def beside(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """For what runs in a thread of its own: the processor's seconds."""
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[name] += time.thread_time() - start

        return timed

    @property
    def running(self) -> str:
        """The part whose clock runs."""
        return self._running[-1]

    def begin_rest(self) -> None:
        """The start is over; what is no part is the rest."""
        self._switch()
        self._running[0] = "rest"

    def _switch(self) -> None:
        now = time.time()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def write(self, path: Path) -> None:
        self._switch()
        path.write_text(json.dumps({"seconds": self.seconds, "calls": self.calls}))


def install(clock: Clock) -> None:
    """Put the clock around the parts of `pipeline.stages.train`, before it is run."""
    from gan.adversarial.training import Training
    from gan.fit import Fit
    from pipeline.artifacts import prepared
    from pipeline.runtime import machine
    from pipeline.runtime.checkpoints import Checkpoint
    from pipeline.runtime.progress import Progress
    from pipeline.tracking import runs

    parts: list[tuple[Any, str, str]] = [
        (prepared, "read_dataset", "data"), (Training, "run_epochs", "training"), (Fit, "_choose", "looks"),
        (Progress, "advance", "progress"), (Fit, "state", "checkpoints"), (Checkpoint, "save", "checkpoints"),
        (Checkpoint, "candidates", "checkpoints"), *((runs, name, "mlflow") for name in ("start", "describe")),
        *((runs.Tracker, name, "mlflow") for name in ("metrics", "picture", "finish"))]
    for owner, name, part in parts:
        setattr(owner, name, clock.part(part, getattr(owner, name)))
    runs._Worker.run = clock.beside("mlflow_thread", runs._Worker.run)  # type: ignore[method-assign]

    reuse = machine.reuse_freed_memory

    def first_of_main() -> None:
        clock.begin_rest()
        reuse()

    machine.reuse_freed_memory = first_of_main


def main(path: str, dash_m: str, module: str, *words: str) -> None:
    clock = Clock()
    install(clock)
    atexit.register(clock.write, Path(path))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
