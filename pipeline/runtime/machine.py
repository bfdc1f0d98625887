"""The machine that makes a result: what it is, which device to use, and from which commit."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import DataError, ReproductionError

if TYPE_CHECKING:  # imported where a device is asked for: torch takes seconds, and most of this does without
    import torch

GIB = 2**30

# What a run of the pipeline itself rewrites: a change there is no change of what made the result.
RESULTS = ("plan.yaml", "dvc.lock", "reports/metrics.json", "reports/summary.json", "reports/index.html")


def hardware(device: torch.device) -> dict[str, Any]:
    """What made a result on `device`: processor, cores, memory in GiB, accelerator or None, threads, versions.

    The same on each call on one machine; holds no host name, path or time. `accelerator` is None when `device` is the
    processor, whatever else the machine has.
    """
    import numpy as np
    import torch

    on_gpu = device.type == "cuda"
    return {
        "processor": _processor(),
        "physical_cores": _physical_cores(),
        "logical_cores": len(_available()),
        "memory_gib": _memory_gib(),
        "accelerator": torch.cuda.get_device_name(device) if on_gpu else None,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "cuda": torch.version.cuda if on_gpu else None,
    }


def describe(hardware: Mapping[str, Any]) -> str:
    """One line, such as "AMD EPYC, 2 cores, 24 GiB, no GPU; torch 2.14.1, Python 3.11"."""
    cores = hardware.get("logical_cores")
    memory = hardware.get("memory_gib")
    parts = [hardware.get("processor") or "unknown processor",
             f"{cores} core{'' if cores == 1 else 's'}" if cores else "",
             f"{memory} GiB" if memory else "",
             hardware.get("accelerator") or "no GPU"]
    versions = [f"torch {str(hardware['torch']).partition('+')[0]}" if hardware.get("torch") else "",
                f"Python {'.'.join(str(hardware['python']).split('.')[:2])}" if hardware.get("python") else ""]
    return "; ".join(", ".join(filter(None, group)) for group in (parts, versions) if any(group))


def reuse_freed_memory() -> None:
    """Have glibc keep freed blocks for itself instead of returning the large ones to the system.

    Each of those would be cleared and mapped page by page when it is asked for again, which took a quarter of an update
    of the convolutional networks. Without glibc nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


@contextlib.contextmanager
def flushing_denormals() -> Iterator[None]:
    """Have the processor take numbers below 1.2e-38 for 0, in this thread and in those that torch begins within it.

    Momentum of a weight that has no gradient any more, such as that of a pixel that is hardly ever lit, shrinks until
    it is such a number, and stays one: on MNIST that is a tenth of all after 800 updates, which then take half as long
    again. A training ends as by another rounding: of `mnist` the weights are the same to the byte for four epochs.
    """
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def choose_device() -> torch.device:
    """The device that GAN_DEVICE names (`cpu`, `cuda` or `cuda:<number>`), else a CUDA GPU if there is one, else the
    processor. Raises ReproductionError when GAN_DEVICE names something else or a GPU that is not there."""
    import torch

    wanted = os.environ.get("GAN_DEVICE", "").strip().lower()
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not wanted:
        return torch.device("cuda" if count else "cpu")
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", wanted):
        raise ReproductionError(f"GAN_DEVICE={wanted} is not a device", expected="cpu, cuda, or cuda:<number>",
                                found=wanted, remedy="set GAN_DEVICE to one of these, or leave it unset")
    index = int(wanted.partition(":")[2] or 0)
    if wanted != "cpu" and index >= count:
        there = ", ".join(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count))
        raise ReproductionError(f"GAN_DEVICE={wanted}, but this machine has no such GPU",
                                expected="a CUDA GPU that torch can use",
                                found=there or f"none (torch {torch.__version__})",
                                remedy="unset GAN_DEVICE, or set it to cpu" + (" or one of these" if there else ""))
    return torch.device(wanted)


def commit() -> tuple[str, bool]:
    """The git commit of the current folder, and whether its tracked files are as committed; ("", False) without git.

    Files that the pipeline itself rewrites while it runs are left out of the comparison.
    """
    try:
        identity, changes = checkout()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return "", False
    return identity, not changes


def checkout() -> tuple[str, str]:
    """The git commit of the current folder, and the tracked files that are not as committed, a line each, without those
    that the pipeline rewrites. OSError or SubprocessError without git."""
    return _git("rev-parse", "HEAD").strip(), _git(
        "status", "--porcelain", "--untracked-files=no", "--", ":/",
        *(f":(top,exclude){name}" for name in RESULTS)).strip()


def _git(*words: str) -> str:
    # Without optional locks: a status that refreshes the index would get in the way of the user's own git.
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=20,
                          env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"}).stdout


def _processor() -> str:
    """The processor's model, as its maker calls it where the system tells.

    Hosts of virtual machines shorten it, to "AMD EPYC", under which one generation multiplies twice as fast as another:
    a name without a number gets those of family and model.
    """
    with contextlib.suppress(OSError):
        first, _, _ = Path("/proc/cpuinfo").read_text(errors="replace").partition("\n\n")
        told = {key.strip().lower(): " ".join(value.split())
                for key, _, value in (line.partition(":") for line in first.splitlines())}
        name = told.get("model name") or told.get("cpu model")
        if name:
            family, model = told.get("cpu family"), told.get("model")
            return f"{name} family {family} model {model}" if family and model and not re.search(r"\d", name) else name
    if platform.system() == "Darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True,
                                  check=True, timeout=5).stdout.strip()
    return platform.processor() or platform.machine() or "unknown processor"


def _available() -> list[int]:
    """The logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _physical_cores() -> int | None:
    """How many physical cores lie under the available logical ones; None where the system does not tell."""
    try:
        return len({Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text()
                    for number in _available()})
    except OSError:
        return None


def require_memory(needed: int, what: str, remedy: str) -> None:
    """DataError if `what` takes more bytes than this machine's whole memory."""
    there = memory()
    if there is not None and needed > there:
        raise DataError(f"{what} takes more memory than this machine has", expected=f"at least {needed / 1e9:.1f} GB",
                        found=f"{there / 1e9:.1f} GB", remedy=remedy)


def _memory_gib() -> int | None:
    """`memory` rounded to whole GiB (it varies by kilobytes)."""
    amount = memory()
    return None if amount is None else round(amount / GIB)


def memory() -> int | None:
    """Bytes of physical memory, or a container's limit where that is lower; None where the system does not tell."""
    amounts = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            amounts.append(int(Path(limit).read_text()))
    return min(amounts, default=None)
