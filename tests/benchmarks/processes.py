"""Processes that are timed together: started, and made ready, before the clock."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any


@contextlib.contextmanager
def serving(serve: Callable[..., None], arguments: Sequence[Sequence[Any]]) -> Iterator[Callable[[int], None]]:
    """A process for each of `arguments`, that calls `serve` with a connection and these; yields what sends all of them
    a number and waits for all answers. `serve` is to end when it receives 0."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit a thread pool without its threads
    pipes: list[tuple[Connection, Connection]] = [context.Pipe() for _ in arguments]
    processes = [context.Process(target=serve, args=(theirs, *each), daemon=True)
                 for (_, theirs), each in zip(pipes, arguments, strict=True)]
    for process in processes:
        process.start()

    def together(number: int) -> None:
        for ours, _ in pipes:
            ours.send(number)
        for ours, _ in pipes:
            ours.recv()

    try:
        yield together
    finally:
        for ours, _ in pipes:
            with contextlib.suppress(OSError):
                ours.send(0)
        for process in processes:
            process.join(10)
