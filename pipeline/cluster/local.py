"""What this machine has for workers, and whether stages side by side are of use on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from joblib import cpu_count

from gan.errors import ReproductionError
from pipeline.cluster.options import ClusterOptions
from pipeline.runtime import git, machine
from pipeline.settings.inheritance import SMOKE

CLONED = "what workers clone"
MEMORY = 3 * 2**30
"""bytes that each worker is to have; stages on the paper's data sets take up to half of it"""
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Places:
    """Of workers on this machine."""

    slots: int
    """workers"""
    threads: int
    """of each"""
    gpus: Sequence[str]
    """one for each worker, if there are any, as CUDA_VISIBLE_DEVICES names them"""

    def __str__(self) -> str:
        return (f"{counted(self.slots, 'worker')}, {counted(self.threads, 'thread')} each"
                f"{', a GPU each' if self.gpus else ''}")


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def places(asked: ClusterOptions) -> Places:
    """As many workers as there are GPUs; else as the physical cores that a container leaves us, the threads of a worker
    and memory allow. ReproductionError if more are asked for than there are GPUs."""
    gpus, cores = visible_gpus(), cpu_count(only_physical_cores=True)  # two threads of one core multiply no faster
    threads = asked.threads or (0 if asked.workers else _threads_of_the_user())
    memory = machine.memory()
    fit = cores // (threads or 1) if memory is None else min(cores // (threads or 1), memory // MEMORY)
    slots = asked.workers or len(gpus) or max(1, fit)
    if gpus and slots > len(gpus):
        raise ReproductionError(f"--workers {slots} are more than this machine's GPUs", expected=f"at most {len(gpus)}",
                                found=str(slots), remedy="leave --workers out, or GAN_DEVICE=cpu")
    return Places(slots, threads or max(1, cores // slots), gpus)


def _threads_of_the_user() -> int:
    first = os.environ.get(THREADS, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES has to name them to a worker."""
    device = machine.choose_device()
    if device.type == "cpu":
        return []
    import torch  # not before it is known to be of use: `reproduce` waits for hours

    named = [word.strip() for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
    found = (named or [str(i) for i in range(torch.cuda.device_count())])[:torch.cuda.device_count()]
    if not all(name.isdecimal() for name in found):
        raise ReproductionError("CUDA_VISIBLE_DEVICES names GPUs in a way that workers cannot be given one each",
                                expected="numbers, such as 0,1", found=",".join(found),
                                remedy="name them by their numbers")
    return found if device.index is None else [found[device.index]]


def why_not(asked: ClusterOptions, profile: str) -> str:
    """Why stages are better run one after another here; empty if they are not."""
    if profile == SMOKE:
        return f"the profile {SMOKE} is done sooner than workers have begun"
    try:
        git.clean_code(CLONED)
    except ReproductionError as error:
        return f"workers run what is committed, which this is not: {error.found}"
    found = places(asked)
    if found.slots > 1:
        return ""
    return "one GPU trains the seeds of an experiment together" if found.gpus else "there is room for one worker"
