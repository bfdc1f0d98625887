"""A command on a terminal of its own, as a user has it: keys are pressed, the window is closed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

CTRL_C = b"\x03"


class Terminal:
    """The command leads the terminal's session, so that keys and the end of the terminal reach all that it begins."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=_as_a_shell_would)
        os.close(theirs)
        self._said = bytearray()
        self._is_closing = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return self._said.decode(errors="replace").replace("\r\n", "\n")

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def close(self) -> None:
        """As a user who closes the window, or whose connection breaks."""
        self._is_closing = True
        self._reader.join()

    def wait_for(self, condition: Callable[[], object], seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.said}"
            assert time.monotonic() < until, self.said
            time.sleep(0.01)

    def wait(self, seconds: float = 60) -> int:
        """The exit status, negative for a signal."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it goes on\n{self.said}") from None
        self._reader.join(10)
        return status

    def end(self) -> None:
        """Kill what is left."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        self._is_closing = True
        self._reader.join()

    def _read(self) -> None:
        """Not while it is closed: a read that waits would keep it open."""
        while not self._is_closing:
            if not select.select([self._ours], [], [], 0.05)[0]:
                continue
            try:
                self._said += os.read(self._ours, 65536)
            except OSError:  # all at the other end have gone
                break
        os.close(self._ours)


def _as_a_shell_would() -> None:
    """On the terminal, and heeding its signals, also where these tests run in the background and ignore them."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
