"""Where tasks run: jobs of Slurm, or processes here. `submitit` makes both; what has become of them is asked here.

submitit asks Slurm's accounting, which not every cluster has; `squeue` knows what runs and, for some minutes, what has
ended.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import psutil
import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from gan.errors import ReproductionError
from pipeline.cluster.options import DAY
from pipeline.cluster.worker import work
from pipeline.runtime.process import keys_for_this_process_alone

State = Literal["waiting", "running", "ended"]
OF_AN_ALLOCATION = ("SLURM_", "SLURMD_", "SRUN_", "SUBMITIT_", "PMI_", "PMIX_")
"""Beginnings of variables that Slurm or submitit sets within a job. One that is submitted from there would have its
binding, its memory and its number of tasks."""
OF_A_QUESTION = ("SQUEUE_", "SINFO_", "SCANCEL_")
"""Beginnings of variables by which a user's own questions leave jobs out"""
DEVICES = ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
"""Set by Slurm within a job that has GPUs, and by users elsewhere"""
WHERE_SLURM_IS = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")
"""Kept: by them Slurm is found, and knows its user"""
PROGRAMS = ("sbatch", "squeue", "srun")
SECONDS_TO_STOP = 90  # before a time limit


def submission_environment() -> dict[str, str]:
    """This process's, as it would be outside of a Slurm job. A user's defaults for sbatch (SBATCH_…) stay."""
    dropped = DEVICES if "SLURM_JOB_ID" in os.environ else ()
    return {name: value for name, value in os.environ.items() if name in WHERE_SLURM_IS or not (
        name.startswith((*OF_AN_ALLOCATION, *OF_A_QUESTION)) or name in dropped)}


@contextlib.contextmanager
def outside_of_any_job() -> Iterator[None]:
    """For submitit, which hands this process's own environment on to sbatch."""
    before, clean = dict(os.environ), submission_environment()
    for name in before.keys() - clean.keys():
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


@dataclass(frozen=True)
class JobState:
    state: State
    node: str = ""
    detail: str = ""
    """how it ended, or why it waits, in the executor's words"""


class Executor(Protocol):
    """Runs `work` on folders of tasks."""

    name: str
    slots: int | None
    """tasks at once; None where the cluster decides"""
    seconds_between: float
    """questions for states"""

    def submit(self, folders: Sequence[Path], slots: Sequence[int]) -> list[str]:
        """Start what is in `folders`, as one array where there are arrays; the number of each job."""

    def states(self, jobs: Collection[str]) -> Mapping[str, JobState]:
        """Of each job."""

    def cancel(self, jobs: Collection[str]) -> None:
        """Stop them as a user would: trainings keep their state."""


@dataclass(frozen=True)
class SlurmOptions:
    """What is asked of Slurm for each task."""

    partition: str = ""
    account: str = ""
    gpus: int = 0
    cpus: int = 2
    memory: float = 16
    """GiB"""
    time: int = DAY
    """minutes"""
    at_once: int = 256
    """tasks of one array that run at a time"""
    array_size: int = 1000
    """tasks of one array"""
    more: tuple[str, ...] = ()
    """any other of sbatch's options, as NAME=VALUE"""


@dataclass(eq=False)
class Slurm:
    """ReproductionError if there is no Slurm here, it does not answer, or has no such partition."""

    folder: Path
    options: SlurmOptions
    python: str = sys.executable
    name: str = "slurm"
    slots: int | None = None
    seconds_between: float = 5.0

    def __post_init__(self) -> None:
        lacking = [name for name in PROGRAMS if shutil.which(name) is None]
        if lacking:
            raise ReproductionError("there is no Slurm on this machine", expected=f"{', '.join(PROGRAMS)} on the PATH",
                                    found=f"no {', '.join(lacking)}",
                                    remedy="run this where jobs are submitted, or use this machine's own cores: make "
                                           "reproduce CLUSTER=local")
        partitions = self._ask("sinfo", "--noheader", "--format=%R").split()
        if self.options.partition and self.options.partition not in partitions:
            raise ReproductionError(f"Slurm has no partition {self.options.partition!r}",
                                    expected=" or ".join(dict.fromkeys(partitions)) or "any", found="none of that name",
                                    remedy="name one of these by --partition, or none for Slurm's default")

    def submit(self, folders: Sequence[Path], slots: Sequence[int]) -> list[str]:
        asked, size = self.options, self.options.array_size
        executor = submitit.SlurmExecutor(folder=self.folder, python=self.python)
        more: dict[str, object] = dict(each.removeprefix("--").partition("=")[::2] for each in asked.more)
        executor.update_parameters(
            job_name="gan", time=asked.time, mem=f"{round(asked.memory * 1024)}MB", cpus_per_task=asked.cpus,
            array_parallelism=asked.at_once, signal_delay_s=min(SECONDS_TO_STOP, asked.time * 30),
            stderr_to_stdout=True, additional_parameters={"no-requeue": True, **{
                name: value or True for name, value in more.items()}},
            **({"partition": asked.partition} if asked.partition else {}),
            **({"account": asked.account} if asked.account else {}),
            **({"gpus_per_node": asked.gpus} if asked.gpus else {}))
        jobs: list[str] = []
        for i in range(0, len(folders), size):
            try:
                with outside_of_any_job():
                    jobs += [job.job_id for job in executor.map_array(work, [str(each) for each in
                                                                             folders[i:i + size]])]
            except (FailedJobError, FailedSubmissionError, subprocess.CalledProcessError) as error:
                said = str(getattr(error, "stderr", "") or error).strip().splitlines()
                self.cancel(jobs)  # nobody would know of them
                raise ReproductionError("Slurm does not take the job", found=said[-1] if said else "no reason given",
                                        remedy="correct the options (python -m pipeline reproduce --help); what runs "
                                               "already goes on, and the same command finds it") from error
        return jobs

    def states(self, jobs: Collection[str]) -> Mapping[str, JobState]:
        text = self._ask("squeue", "--noheader", "--array", "--states=all", f"--user={getpass.getuser()}",
                         "--format=%i|%T|%N|%r")
        found = {}
        for line in text.splitlines():
            number, state, node, reason = (*line.strip().split("|"), "", "", "")[:4]
            if number in jobs:
                waiting = state in ("PENDING", "CONFIGURING", "REQUEUED", "SUSPENDED")
                running = state in ("RUNNING", "COMPLETING", "STOPPED")
                kind: State = "waiting" if waiting else "running" if running else "ended"
                found[number] = JobState(kind, node, reason if waiting else state)
        return {job: found.get(job, JobState("ended", "", "left the queue")) for job in jobs}

    def cancel(self, jobs: Collection[str]) -> None:
        if jobs:
            subprocess.run(["scancel", *jobs], capture_output=True, env=submission_environment())

    def _ask(self, *words: str) -> str:
        try:
            return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60,
                                  env=submission_environment()).stdout
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", "") or error).strip()
            raise NoAnswer(f"Slurm does not answer `{words[0]}`", expected="a controller that answers", found=said,
                           remedy="try again when it does: jobs go on meanwhile, and the same command finds them"
                           ) from error


class NoAnswer(ReproductionError):
    """The cluster does not answer for now."""


@dataclass(eq=False)
class Local:
    """Processes on this machine, each with `threads` threads, or a GPU of its own where `gpus` names some."""

    folder: Path
    slots: int | None
    gpus: Sequence[str] = ()
    name: str = "local"
    seconds_between: float = 0.0
    _jobs: dict[str, submitit.Job[None]] = field(default_factory=dict)

    def submit(self, folders: Sequence[Path], slots: Sequence[int]) -> list[str]:
        executor = submitit.LocalExecutor(folder=self.folder)
        started = []
        for folder, slot in zip(folders, slots, strict=True):
            gpu = [int(self.gpus[slot])] if self.gpus else []
            executor.update_parameters(timeout_min=60 * DAY, visible_gpus=gpu, gpus_per_node=len(gpu),
                                       stderr_to_stdout=True)
            with keys_for_this_process_alone():  # which stops them
                job = executor.submit(work, str(folder))
            self._jobs[job.job_id] = job
            started.append(job.job_id)
        return started

    def states(self, jobs: Collection[str]) -> Mapping[str, JobState]:
        return {job: JobState("running" if self._is_alive(job) else "ended", detail="its process has ended")
                for job in jobs}

    def cancel(self, jobs: Collection[str]) -> None:
        for job in filter(self._is_alive, jobs):  # what submitit started passes it on
            with contextlib.suppress(OSError):
                os.kill(int(job), signal.SIGTERM)

    def kill(self, jobs: Collection[str]) -> None:
        """Stop them at once, with all that they have begun."""
        for job in filter(self._is_alive, jobs):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(int(job))
                for each in [process, *process.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        each.kill()

    def _is_alive(self, job: str) -> bool:
        if job in self._jobs:
            return not self._jobs[job].done()
        try:  # of a coordinator before this one
            process = psutil.Process(int(job))
            return any("submitit" in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError):
            return False
