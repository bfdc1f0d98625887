"""A run of the graph's stages on a cluster or on all cores and GPUs of this machine: `python -m pipeline reproduce`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan.baselines.settings import KMeans, TrainingImages
from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import ReproductionError
from pipeline.artifacts.raw import local_folders
from pipeline.cluster import FOLDER, local
from pipeline.cluster.coordinator import HISTORY, JOB, Coordinator, Follower, Options, Work, dvc_repro, settings_of
from pipeline.cluster.executors import Executor, Local, Slurm, SlurmOptions
from pipeline.cluster.graph import Graph
from pipeline.cluster.local import CLONED, counted
from pipeline.cluster.options import ClusterOptions
from pipeline.cluster.task import OUTCOME
from pipeline.cluster.times import Times
from pipeline.cluster.watch import Watch
from pipeline.runtime import checkpoints, git, process_lock
from pipeline.runtime.files import read_json
from pipeline.runtime.progress import duration
from pipeline.settings import parameters
from pipeline.settings.parameters import Parameters
from pipeline.tracking import store as stores

CLONES = "clones"
"""of workers on this machine, in FOLDER"""
SCORING = ("sample", "bandwidth", "evaluate")
"""Stages that take seconds, after which an experiment has its row"""


def reproduce(asked: ClusterOptions, first: str = "", follower: Follower | None = None, only: Sequence[str] = ()
              ) -> None:
    """Everything that params.yaml asks for, or `only` these stages and what they need; the experiment `first` before
    all others, and `follower` told as it goes. ReproductionError at the end if a stage has failed, or at once if
    another cluster run works in this checkout."""
    with process_lock.holding(process_lock.CLUSTER, "a cluster run of this checkout"):
        _reproduce(asked, first, follower, only)


def _reproduce(asked: ClusterOptions, first: str, follower: Follower | None, only: Sequence[str]) -> None:
    commit = git.clean_code(CLONED)
    planned = parameters.load()
    executor, options, on_gpus = prepare(asked)
    graph = Graph(Path.cwd(), remote=options.data == "remote")
    if options.data == "remote":
        graph.take_run_cache()
    wanted = {*only, *(need for name in only for need in graph.ancestors(name))} or set(graph)
    seeds = {stage: each for stage, each in seeds_apart(planned, asked, executor, on_gpus).items() if stage in wanted}
    work = Work(graph, "", commit, settings_of(Path()), seeds, checkpoint_folder(), wanted - graph.here,
                soon=rows_first(graph, first))
    coordinator = coordinate([work], executor, options, follower)
    print(f"workers      {coordinator.finished} tasks done, {coordinator.restarted} started again "
          f"({FOLDER / HISTORY} says where)", flush=True)
    collect(work, options.data == "remote", follower, only)


def collect(work: Work, remote: bool, follower: Follower | None = None, only: Sequence[str] = ()) -> None:
    """What workers did into dvc.lock, and the stages that git has outputs of, if they are wanted; ReproductionError if
    one has failed."""
    if edited := git.code_other_than(work.commit):
        raise ReproductionError("the checkout has other code than its jobs had", expected=f"that of {work.commit[:10]}",
                                found=f"other {', '.join(edited)}",
                                remedy="go back to it, then run the same command again")
    work.graph.enter(work.names("done"))
    failed, out = work.names("failed"), work.names("left out")
    if follower is not None:
        follower.ended([*failed, *out])
    if failed:
        said = "\n".join(f"    {name}: {(work.errors[name].splitlines() or [''])[0]}" for name in failed)
        raise ReproductionError(f"{len(failed)} of {len(work.targets)} stages failed", found=f"\n{said}",
                                expected="each to end well" + (f"; {len(out)} that need them were left out" if out
                                                               else ""),
                                remedy="see what each said above; mend it, commit, and run the same command again: "
                                       "what is done is not done again")
    ran = dvc_repro(*(["--pull"] if remote else []), *only)
    if again := [name for name in ran if name in work.targets]:
        raise ReproductionError("stages ran here that workers had done", expected="the run cache to have them",
                                found=", ".join(again), remedy="their results are right, but please report this")
    clear()


def rows_first(graph: Graph, experiment: str) -> set[str]:
    """Stages that go before longer ones: what scores a model, and all that the row of `experiment` needs."""
    row = f"evaluate@{experiment}"
    return {name for name in graph if name.partition("@")[0] in SCORING} | (
        graph.ancestors(row) if row in graph.needs else set())


def coordinate(works: Sequence[Work], executor: Executor, options: Options, follower: Follower | None = None
               ) -> Coordinator:
    """Have them done, shown as it goes."""
    with Watch() as watch:
        coordinator = Coordinator(works, executor, beside(), options, Times.of_this_checkout(), watch,
                                  follower=follower)
        coordinator.run()
    return coordinator


def clear(*more: str) -> None:
    """Remove what only a run that did not end well leaves a use for."""
    for name in ("tasks", "submitit", CLONES, *more):
        shutil.rmtree(FOLDER / name, ignore_errors=True)


def prepare(asked: ClusterOptions) -> tuple[Executor, Options, bool]:
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
        each = [counted(asked.cpus, "core"), *([counted(asked.gpus, "GPU")] if asked.gpus else []),
                f"{asked.memory:g} GiB", duration(60 * asked.time)]
        where = f"Slurm, partition {asked.partition}" if asked.partition else "Slurm"
        print(f"cluster      {where}: {', '.join(each)} for each task", flush=True)
        return executor, Options(asked.data or "remote", asked.retries, asked.cpus, asked.scratch,
                                 environment=environment), asked.gpus > 0
    places = local.places(asked)
    if places.gpus and os.environ.get("GAN_DEVICE"):
        environment["GAN_DEVICE"] = "cuda"  # a worker sees one, and calls it the first
    store = stores.store_uri()
    if not stores.is_server(store):
        scheme, found, path = store.partition(":///")
        is_file = found and scheme.partition("+")[0] == "sqlite" and path
        environment["MLFLOW_TRACKING_URI"] = f"{scheme}:///{Path(path).absolute()}" if is_file else store
    print(f"cluster      this machine: {places}", flush=True)
    return (Local(FOLDER.absolute() / "submitit", places.slots, places.gpus),
            Options(asked.data or "cache", asked.retries, places.threads,
                    asked.scratch or str(FOLDER.absolute() / CLONES), not asked.scratch, environment),
            bool(places.gpus))


def beside() -> Local:
    return Local(FOLDER.absolute() / "submitit", 1, name="here")


def checkpoint_folder() -> Path:
    """Where a plain `dvc repro` here would have its checkpoints: what one began, the other goes on with."""
    return Path(os.environ.get(checkpoints.FOLDER) or "checkpoints").absolute()


def _places() -> Mapping[str, str]:
    """Settings that name places, as a process elsewhere finds them."""
    return {LOCAL_FOLDERS: os.pathsep.join(str(path.absolute()) for path in local_folders())}


def seeds_apart(planned: Parameters, asked: ClusterOptions, executor: Executor, on_gpus: bool
                ) -> dict[str, Sequence[int]]:
    """The trainings whose seeds are tasks of their own. On a GPU an experiment's seeds are one computation."""
    if asked.split_seeds == "no" or (asked.split_seeds == "auto" and (on_gpus or executor.slots == 1)):
        return {}
    found: dict[str, Sequence[int]] = {}
    for name in planned.plan.experiments:
        train = planned.experiment(name).train
        if len(train.seeds) > 1 and not isinstance(train.model, KMeans | TrainingImages):
            found[f"train@{name}"] = train.seeds
    return found


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
