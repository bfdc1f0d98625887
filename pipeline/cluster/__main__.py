"""Run the graph's stages on a cluster or on all cores and GPUs of this machine.

    python -m pipeline.cluster slurm --partition gpu --gpus 1 --time 120
    python -m pipeline.cluster local
    python -m pipeline.cluster cancel       end the jobs that a run before this one has left

`make reproduce CLUSTER=slurm OPTIONS="--partition gpu"` plans first and prints the table at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gan.adversarial.settings import AdversarialNets
from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import ReproductionError
from pipeline.artifacts.raw import local_folders
from pipeline.cluster import FOLDER, LOCK
from pipeline.cluster.coordinator import HISTORY, JOB, Coordinator, Options, Work, dvc_repro, settings_of
from pipeline.cluster.executors import DAY, Executor, Local, Slurm, SlurmOptions
from pipeline.cluster.graph import Graph
from pipeline.cluster.task import OUTCOME
from pipeline.cluster.times import Times
from pipeline.cluster.watch import Watch
from pipeline.commands import verify
from pipeline.commands.plan import ChainModel
from pipeline.runtime import checkpoints, machine, process_lock, stage
from pipeline.runtime.files import read_json
from pipeline.runtime.progress import duration
from pipeline.settings import parameters
from pipeline.settings.parameters import Parameters
from pipeline.tracking import store as stores

CODE = ("gan", "pipeline")


def main(*words: str) -> None:
    asked = parser().parse_args(words)
    FOLDER.mkdir(exist_ok=True)
    if asked.cluster == "cancel":
        cancel()
        return
    with process_lock.holding(LOCK, "a cluster run of this checkout"):
        reproduce(asked)


def reproduce(asked: argparse.Namespace) -> None:
    """Everything that params.yaml asks for. ReproductionError at the end if a stage has failed."""
    commit = clean_commit()
    planned = parameters.load()
    executor, options, on_gpus = prepare(asked)
    graph = Graph(Path.cwd(), remote=options.data == "remote")
    if options.data == "remote":
        graph.take_run_cache()
    work = Work(graph, "", commit, settings_of(Path()), seeds_apart(planned, asked, executor, on_gpus),
                checkpoint_folder(), set(graph) - graph.here)
    coordinator = coordinate([work], executor, options)
    print(f"workers      {coordinator.finished} tasks done, {coordinator.restarted} started again "
          f"({FOLDER / HISTORY} says where)", flush=True)
    collect(work, options.data == "remote")


def collect(work: Work, remote: bool) -> None:
    """What workers did into dvc.lock, and the stages that git has outputs of; ReproductionError if one has failed."""
    if verify.clean_commit() != work.commit:
        raise ReproductionError("the checkout is at another commit than its jobs were", expected=work.commit[:10],
                                found="another", remedy="go back to it, then run the same command again")
    work.graph.enter(work.names("done"))
    if failed := work.names("failed"):
        said = "\n".join(f"    {name}: {(work.errors[name].splitlines() or [''])[0]}" for name in failed)
        out = work.names("left out")
        raise ReproductionError(f"{len(failed)} of {len(work.targets)} stages failed", found=f"\n{said}",
                                expected="each to end well" + (f"; {len(out)} that need them were left out" if out
                                                               else ""),
                                remedy="see what each said above; mend it, commit, and run the same command again: "
                                       "what is done is not done again")
    ran = dvc_repro(*(["--pull"] if remote else []))
    if again := [name for name in ran if name in work.targets]:
        raise ReproductionError("stages ran here that workers had done", expected="the run cache to have them",
                                found=", ".join(again), remedy="their results are right, but please report this")
    clear()


def coordinate(works: Sequence[Work], executor: Executor, options: Options) -> Coordinator:
    """Have them done, shown as it goes."""
    with Watch() as watch:
        coordinator = Coordinator(works, executor, beside(), options, Times.of_this_checkout(), watch)
        coordinator.run()
    return coordinator


def clear(*more: str) -> None:
    """Remove what only a run that did not end well leaves a use for."""
    for name in ("tasks", "submitit", *more):
        shutil.rmtree(FOLDER / name, ignore_errors=True)


def prepare(asked: argparse.Namespace) -> tuple[Executor, Options, bool]:
    """What runs the tasks, how, and whether on GPUs."""
    environment = {name: value for name, value in _places().items() if value}
    if asked.cluster == "slurm":
        executor: Executor = Slurm(FOLDER.absolute() / "submitit", SlurmOptions(
            asked.partition, asked.account, asked.gpus, asked.cpus, asked.memory, asked.time, asked.at_once,
            asked.array_size, tuple(asked.sbatch)), asked.python)
        if not stores.is_server(os.environ.get("MLFLOW_TRACKING_URI", "")):
            environment["GAN_TRACKING"] = "off"
            print("MLflow       off on the nodes: they share no database file; for runs, start a server and name it: "
                  "MLFLOW_TRACKING_URI=http://…", flush=True)
        each = [_count(asked.cpus, "core"), *([_count(asked.gpus, "GPU")] if asked.gpus else []),
                f"{asked.memory:g} GiB", duration(60 * asked.time)]
        where = f"Slurm, partition {asked.partition}" if asked.partition else "Slurm"
        print(f"cluster      {where}: {', '.join(each)} for each task", flush=True)
        return executor, Options(asked.data or "remote", asked.retries, asked.cpus, asked.scratch, environment
                                 ), asked.gpus > 0
    gpus = visible_gpus()
    if gpus and os.environ.get("GAN_DEVICE"):
        environment["GAN_DEVICE"] = "cuda"  # a worker sees one, and calls it the first
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slots = asked.workers or len(gpus) or cores
    if gpus and slots > len(gpus):
        raise ReproductionError(f"--workers {slots} are more than this machine's GPUs", expected=f"at most {len(gpus)}",
                                found=str(slots), remedy="leave --workers out, or GAN_DEVICE=cpu")
    threads = asked.threads or max(1, cores // slots)
    store = stores.store_uri()
    if not stores.is_server(store):
        scheme, found, path = store.partition(":///")
        is_file = found and scheme.partition("+")[0] == "sqlite" and path
        environment["MLFLOW_TRACKING_URI"] = f"{scheme}:///{Path(path).absolute()}" if is_file else store
    print(f"cluster      this machine: {_count(slots, 'worker')}, {_count(threads, 'thread')} each"
          f"{', a GPU each' if gpus else ''}", flush=True)
    return (Local(FOLDER.absolute() / "submitit", slots, gpus),
            Options(asked.data or "cache", asked.retries, threads, asked.scratch, environment), bool(gpus))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES has to name them to a worker."""
    device = machine.choose_device()
    if device.type == "cpu":
        return []
    named = [word.strip() for word in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if word.strip()]
    found = (named or [str(i) for i in range(torch.cuda.device_count())])[:torch.cuda.device_count()]
    if not all(name.isdecimal() for name in found):
        raise ReproductionError("CUDA_VISIBLE_DEVICES names GPUs in a way that workers cannot be given one each",
                                expected="numbers, such as 0,1", found=",".join(found),
                                remedy="name them by their numbers")
    return found if device.index is None else [found[device.index]]


def beside() -> Local:
    return Local(FOLDER.absolute() / "submitit", 1, name="here")


def checkpoint_folder() -> Path:
    """Where a plain `dvc repro` here would have its checkpoints: what one began, the other goes on with."""
    return Path(os.environ.get(checkpoints.FOLDER) or "checkpoints").absolute()


def _places() -> Mapping[str, str]:
    """Settings that name places, as a process elsewhere finds them."""
    return {LOCAL_FOLDERS: os.pathsep.join(str(path.absolute()) for path in local_folders())}


def seeds_apart(planned: Parameters, asked: argparse.Namespace, executor: Executor, on_gpus: bool
                ) -> dict[str, Sequence[int]]:
    """The trainings whose seeds are tasks of their own. On a GPU an experiment's seeds are one computation."""
    if asked.split_seeds == "no" or (asked.split_seeds == "auto" and (on_gpus or executor.slots == 1)):
        return {}
    found: dict[str, Sequence[int]] = {}
    for name in planned.plan.experiments:
        train = planned.experiment(name).train
        if len(train.seeds) > 1 and isinstance(train.model, AdversarialNets | ChainModel):
            found[f"train@{name}"] = train.seeds
    return found


def clean_commit() -> str:
    """As `verify.clean_commit`; nor may there be code that git does not know, which a worker's clone would lack."""
    commit = verify.clean_commit("what workers clone")
    listed = subprocess.run(["git", "ls-files", "--others", "--exclude-standard", "--", *CODE], capture_output=True,
                            text=True, check=True).stdout.split()
    if listed:
        raise ReproductionError("workers clone the last commit, and it lacks files that are here",
                                expected="code that git has", found=", ".join(listed[:6]),
                                remedy="commit them (git add …), or delete them, then run the same command again")
    return commit


def cancel() -> None:
    """End what was submitted and has left no outcome."""
    found: dict[str, list[str]] = {}
    for path in (FOLDER / "tasks").glob(f"*/{JOB}"):
        if not (path.parent / OUTCOME).exists():
            about = read_json(path)
            found.setdefault(str(about["executor"]), []).append(str(about["number"]))
    for name, numbers in found.items():
        executor: Any = Slurm(FOLDER, SlurmOptions()) if name == "slurm" else Local(FOLDER, None)
        alive = [number for number, state in executor.states(numbers).items() if state.state != "ended"]
        executor.cancel(alive)
        print(f"{len(alive)} of {name} cancelled", flush=True)
    if not found:
        print("no jobs are left", flush=True)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m pipeline.cluster", description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("cluster", choices=("slurm", "local", "cancel"))
    add_options(found)
    return found


def add_options(found: argparse.ArgumentParser) -> None:
    every = found.add_argument_group("every cluster")
    every.add_argument("--retries", type=int, default=3, metavar="N",
                       help="how often a task whose job was killed is started again (default: %(default)s)")
    every.add_argument("--split-seeds", choices=("auto", "yes", "no"), default="auto",
                       help="a task for each seed of a training: by default on processors, not on GPUs, where seeds "
                            "are computed together")
    every.add_argument("--data", choices=("remote", "cache"),
                       help="how results travel: DVC's default remote (Slurm's default), or this checkout's cache, "
                            "which all workers must see (the default of local)")
    every.add_argument("--scratch", default="", metavar="FOLDER",
                       help="where workers clone (default: the temporary folder of each node)")
    slurm = found.add_argument_group("slurm, for each task")
    slurm.add_argument("--partition", default="", metavar="NAME")
    slurm.add_argument("--account", default="", metavar="NAME")
    slurm.add_argument("--gpus", type=int, default=0, metavar="N", help="default: %(default)s")
    slurm.add_argument("--cpus", type=int, default=2, metavar="N", help="cores, and threads (default: %(default)s)")
    slurm.add_argument("--memory", type=float, default=16, metavar="GIB", help="default: %(default)s")
    slurm.add_argument("--time", type=int, default=DAY, metavar="MINUTES", help="default: %(default)s")
    slurm.add_argument("--array-size", type=int, default=1000, metavar="N",
                       help="tasks of one array at most (default: %(default)s)")
    slurm.add_argument("--at-once", type=int, default=256, metavar="N",
                       help="tasks of one array that run at a time (default: %(default)s)")
    slurm.add_argument("--sbatch", action="append", default=[], metavar="NAME=VALUE",
                       help="any other option of sbatch; may be given several times")
    slurm.add_argument("--python", default=sys.executable, metavar="COMMAND",
                       help="Python on the nodes, with this checkout's environment (default: this one)")
    local = found.add_argument_group("local")
    local.add_argument("--workers", type=int, default=0, metavar="N", help="default: one for each GPU, or core")
    local.add_argument("--threads", type=int, default=0, metavar="N", help="of each (default: cores / workers)")


if __name__ == "__main__":
    stage.run(main)
