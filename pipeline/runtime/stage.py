"""What every stage shares: its command line, and what is kept of its run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import click

from pipeline.runtime import git, process, run_log
from pipeline.runtime.inputs import Inputs
from pipeline.runtime.process import STAGE
from pipeline.runtime.stage_time import StageTime


def run(main: Callable[..., None], *arguments: str, optional: Sequence[str] = ()) -> None:
    """Call `main` with the words of the command line by the names of its arguments, as a process of its own.

    >>> if __name__ == "__main__":
    ...     stage.run(main, "experiment", optional=["seed"])

    Ends as `process.ending` says.
    """
    parameters: list[click.Parameter] = [*(click.Argument([name]) for name in arguments),
                                         *(click.Argument([name], required=False) for name in optional)]

    def begin(**given: str | None) -> None:
        with recorded(whole=all(given[name] is None for name in optional)):
            main(**{name: value for name, value in given.items() if value is not None})

    module = sys.modules[main.__module__]
    with process.ending(read_by_someone=False):
        command = click.Command(None, params=parameters, callback=begin, help=module.__doc__)
        name = module.__spec__.name if module.__spec__ else sys.argv[0]
        process.call(command, f"python -m {name}", sys.argv[1:])


@contextlib.contextmanager
def recorded(whole: bool = True) -> Iterator[None]:
    """Around the work of a stage of the graph, which fails when what it reads was edited meanwhile.

    How long it took, in all parts where it was resumed, goes into the run log, under the name that DVC gives it; of the
    host a digest of its name, which tells machines apart on a page that is passed on and names none. Nothing of what
    DVC did not start. Of a part that is not the `whole` stage, a seed of a training, only the time is kept, for the
    stage.
    """
    name = os.environ.get(STAGE)
    if name is None:
        yield
        return
    started = datetime.now(UTC)
    commit, clean = git.commit()
    inputs = Inputs.of(name)
    with StageTime(name, inputs.digest(), whole) as spent:
        yield
        inputs.require_unchanged()
    if whole:
        run_log.record("stages", name, {
            "seconds": round(spent.seconds, 1), "parts": spent.parts, "started": started.isoformat(timespec="seconds"),
            "host": hashlib.sha256(platform.node().encode()).hexdigest()[:8], "commit": commit, "clean": clean})
