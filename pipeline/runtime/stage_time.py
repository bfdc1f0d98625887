"""How long a stage took in all, where it was stopped and resumed: the time of every part adds up.

Each process that works on a stage that can resume keeps how long it has been at it beside the checkpoints, now and
then, as `kill -9` tells nobody. A part counts for those that read the same, as long as something is kept that they
resume from. Seconds are those of the monotonic clock: a host that sleeps, or whose clock is set, adds none.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType

from gan.errors import ReproductionError
from pipeline.runtime import files
from pipeline.runtime.checkout import main_checkout

CHECKPOINTS = "GAN_CHECKPOINTS"
"""environment variable: where checkpoints lie, as `pipeline.runtime.checkpoints` has it, which imports torch"""
RESUMES = {"train": "{item}", "search": "searches/{item}"}
"""The stages that resume, and where below the checkpoints they keep what they resume from"""
TIMES = ".times"
SECONDS_BETWEEN_NOTES = 10.0


class StageTime:
    """Of the stage `name` ("train@mnist") on inputs with the digest `inputs`, from entering it on.

    >>> with StageTime("train@mnist", digest) as spent:
    ...     work()
    >>> spent.seconds, spent.parts

    Left by an error, or made for a part alone (`whole=False`, one seed of a training), it keeps its part for whoever
    goes on; else all parts are forgotten.
    """

    def __init__(self, name: str, inputs: str, whole: bool = True) -> None:
        verb, _, item = name.rpartition(":")[2].partition("@")
        root = Path(os.environ.get(CHECKPOINTS) or main_checkout() / "checkpoints").absolute()
        self._kept = root / RESUMES[verb].format(item=item) if verb in RESUMES else None
        self._folder = root / TIMES / f"{verb}@{item}" / inputs[:16]
        self._note = self._folder / f"{uuid.uuid4().hex[:12]}.json"
        self._whole = whole
        self._earlier: list[float] = []
        self._ended = threading.Event()
        self._own = 0.0

    @property
    def seconds(self) -> float:
        """Of all parts; after the end of this one."""
        return self._own + sum(self._earlier)

    @property
    def parts(self) -> int:
        return 1 + len(self._earlier)

    def __enter__(self) -> StageTime:
        self._began = time.monotonic()
        if self._kept is not None and self._whole:
            if self._kept.is_dir() and any(self._kept.iterdir()):
                self._earlier = _read(self._folder)
            else:
                self._forget()
        if self._kept is not None:
            threading.Thread(target=self._keep_noting, name="time of the stage", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._ended.set()
        self._own = time.monotonic() - self._began
        if self._kept is None:
            return
        if kind is None and self._whole:
            self._forget()
        else:
            self._write(self._own)

    def _keep_noting(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_NOTES):
            self._write(time.monotonic() - self._began)

    def _write(self, seconds: float) -> None:
        with contextlib.suppress(ReproductionError):  # no result may fail for want of it
            files.write_json(self._note, {"seconds": round(seconds, 1)})

    def _forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for parent in (self._folder.parent, self._folder.parent.parent):
            with contextlib.suppress(OSError):
                parent.rmdir()


def _read(folder: Path) -> list[float]:
    found = []
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(ReproductionError, OSError, KeyError, TypeError, ValueError):
            found.append(float(files.read_json(path)["seconds"]))
    return found
