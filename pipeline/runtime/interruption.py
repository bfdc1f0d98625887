"""Signals to stop while training: put off to the end of the running update, so that its state can be kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

SECONDS_TO_STOP = 5.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""`kill`, Ctrl-C, and a terminal that is closed"""


class Interruption:
    """Within it, a signal to stop is remembered, and raised by `check`, which long work calls where it can be stopped.

    If that takes more than `SECONDS_TO_STOP`, it is raised wherever the work is: whoever sent it may soon send SIGKILL.
    So it is when Ctrl-C is pressed again; SIGTERM comes from more than one sender where a cluster stops a job. A signal
    that is ignored stays so: of a process that another one stops, or under `nohup`. Does nothing outside the main
    thread, where Python handles no signals.
    """

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._by: int | None = None
        self._before: dict[signal.Signals, object] = {}

    @property
    def requested(self) -> bool:
        return self._error is not None

    def check(self) -> None:
        """Raises KeyboardInterrupt after Ctrl-C, SystemExit(143) after SIGTERM, SystemExit(129) after SIGHUP."""
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: self._remember for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}
            for number, handler in (handlers | {signal.SIGALRM: self._insist}).items():
                self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if error is None:
            self.check()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._error is None:
            self._error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
            self._by = number
            signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_STOP)
        elif number == self._by == signal.SIGINT:
            self.check()

    def _insist(self, number: int, frame: FrameType | None) -> None:
        self.check()
