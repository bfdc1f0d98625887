"""The stages of a checkout as DVC has them: what each needs, whether it is done, what a worker must be told to run it.

DVC answers in this process, stage by stage. What a worker did comes in as DVC's own record of it, by which DVC restores
the outputs from its cache; nothing is run here. `dvc.lock` is written at the end, by `enter`: `dvc repro` alone would
run a stage again of which `dvc.lock` has other outputs, made on another machine, from the same dependencies.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.fs import HTTPFileSystem, LocalFileSystem
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError, RunCacheNotSupported
from dvc.utils.serialize import dumps_yaml

from gan.errors import ReproductionError
from pipeline.runtime import dvc_adapter, files

CURE_REMOTE = ("`dvc remote add --default shared /folder/that/all/nodes/see` (or s3://…, ssh://…), commit "
               ".dvc/config, then run the same command again")


class Graph:
    """Stages of dvc.yaml in `root`, by name ("train@mnist"), in an order in which each comes after what it needs.

    With `remote`, outputs that DVC's cache here lacks are taken from its default remote. ReproductionError if dvc.yaml
    cannot be read, or the remote cannot be the memory of several machines.
    """

    def __init__(self, root: Path, remote: bool) -> None:
        logging.getLogger("dvc").setLevel(logging.WARNING)  # it would name each stage that it restores
        try:
            self.repo = Repo(str(root))
            stages = self.repo.index.graph
        except DvcException as error:
            raise ReproductionError("DVC cannot read the graph", found=str(error),
                                    remedy="mend dvc.yaml or params.yaml; `dvc stage list` says more") from error
        self.root, self._remote = root.absolute(), remote
        ours = {stage.name: stage for stage in stages if Path(stage.path) == self.root / "dvc.yaml"}
        mine = set(ours.values())
        needs = {name: frozenset(need.name for need in stages.successors(stage) if need in mine)
                 for name, stage in ours.items()}
        position = {stage.name: i for i, stage in enumerate(self.repo.index.stages)}
        self._stages = {name: ours[name] for name in _in_order(needs, position)}
        self.needs: dict[str, frozenset[str]] = {name: needs[name] for name in self._stages}
        self.here = self._for_this_checkout()
        """Stages that no worker can run: git has outputs of theirs or of what they need"""
        if remote:
            self._require_remote()

    def __iter__(self) -> Iterator[str]:
        return iter(self._stages)

    def ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        rest = [name]
        while rest:
            new = self.needs[rest.pop()] - found
            found |= new
            rest += new
        return found

    def _for_this_checkout(self) -> set[str]:
        here: set[str] = set()
        for name, stage in self._stages.items():
            uncached = not stage.cmd or any(not out.use_cache or out.persist for out in stage.outs)
            if uncached or stage.frozen or stage.always_changed or self.needs[name] & here:
                here.add(name)
        return here

    @property
    def cache(self) -> str:
        """DVC's cache of this checkout."""
        return str(self.repo.cache.legacy.path)

    # What is done.

    def settle(self, name: str) -> bool:
        """Whether a stage is done, all that it needs being done: it is up to date here, or DVC can restore it, and has.

        DvcException or OSError if what it reads is missing or cannot be written.
        """
        stage = self._stages[name]
        with self._dvc():
            if not stage.changed():
                return True
            if not stage.changed(allow_missing=True) and self._restored(stage):  # as in dvc.lock, but for its data
                return True
            self._forget(stage)  # what dvc.lock says of it: made elsewhere, or of other dependencies
            return dvc_adapter.is_in_run_cache(self.repo, stage) and self._restored(stage)

    def _restored(self, stage: Any) -> bool:
        """Whether DVC has the outputs, which then are here."""
        stage.remove_outs()  # as DVC does; it would ask about what is not in its cache
        try:
            self.repo.stage_cache.restore(stage, pull=self._remote)
        except RunCacheNotFoundError:
            return False
        stage.save()
        return True

    def enter(self, names: Collection[str]) -> None:
        """Write what is done into dvc.lock, in the order in which `dvc repro` would."""
        with self._dvc():
            mine = {stage for name, stage in self._stages.items() if name in names}
            for stage in dvc_adapter.in_order_of_repro(self.repo, list(self._stages.values())):
                if stage in mine:
                    stage.dump(update_pipeline=False)

    @contextlib.contextmanager
    def _dvc(self) -> Iterator[None]:
        """DVC at work in the root, which it takes some paths from, and nowhere else at the time."""
        with contextlib.chdir(self.root), self.repo.lock:
            yield

    def _forget(self, stage: Any) -> None:
        """What a stage's outputs were: DVC would take them for those of the dependencies as they are now."""
        stage.save_deps()
        dvc_adapter.forget_outputs(stage)

    def key(self, name: str) -> str:
        """DVC's digest of a stage's command, dependencies and the names of its outputs; what it needs must be done."""
        with self._dvc():
            self._stages[name].save_deps()
            return dvc_adapter.key(self._stages[name])

    # What a worker is told.

    def inputs(self, name: str) -> list[str]:
        """Outputs of other stages that a stage reads, as paths from the root."""
        fs = self.repo.fs
        outs = [out.fs_path for need in self.ancestors(name) for out in self._stages[need].outs]
        return [dep.def_path for dep in self._stages[name].deps
                if any(fs.isin_or_eq(dep.fs_path, out) or fs.isin_or_eq(out, dep.fs_path) for out in outs)]

    def lock(self, name: str) -> str:
        """The content of a dvc.lock that has all that a stage builds on, and not the stage itself."""
        needed = self.ancestors(name)
        entries = {each: dvc_adapter.lock_entry(self._stages[each]) for each in self._stages if each in needed}
        return str(dumps_yaml({"schema": "2.0", "stages": entries}))

    def settings(self) -> dict[str, Any]:
        """DVC's configuration for a worker's clone."""
        if not self._remote:
            return {"cache": {"dir": self.cache}}
        name = self.repo.config["core"]["remote"]
        plain = {key: value for key, value in self.repo.config["remote"][name].items()
                 if isinstance(value, str | int | float | bool)}
        return {"core": {"remote": name}, "remote": {name: plain}}

    # What workers did.

    def take_run_cache(self) -> None:
        """All records of the remote, as `dvc repro --pull` takes them."""
        try:
            self.repo.stage_cache.pull(None)
        except (DvcException, OSError) as error:
            raise self._unreachable(error) from error

    def accept(self, records: Mapping[str, str]) -> None:
        """A worker's records of the run cache: content by path in the cache."""
        cache = Path(self.cache)
        for path, content in records.items():
            if not (target := cache / path).resolve().is_relative_to(cache.resolve() / "runs"):
                raise ReproductionError("a worker's record lies outside the run cache", expected="runs/…", found=path)
            files.write_text(target, content)

    def _require_remote(self) -> None:
        name = self.repo.config["core"].get("remote")
        if not name:
            raise ReproductionError("this checkout has no DVC remote through which nodes could share results",
                                    expected="a default remote", found="none", remedy=CURE_REMOTE)
        try:
            odb = self.repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
        except (DvcException, RunCacheNotSupported) as error:
            raise self._unreachable(error) from error
        if isinstance(odb.fs, HTTPFileSystem):
            raise ReproductionError(f"the remote {name!r} keeps no run cache", found=odb.path,
                                    expected="a remote of any other kind than HTTP: a folder, ssh://…, s3://…",
                                    remedy=CURE_REMOTE)
        if isinstance(odb.fs, LocalFileSystem):
            parent = Path(odb.path)
            while not parent.exists():
                parent = parent.parent
            if not os.access(parent, os.W_OK | os.X_OK):
                raise ReproductionError(f"the remote {name!r} cannot be written", found=odb.path,
                                        expected="a folder that this user may write", remedy=CURE_REMOTE)

    def _unreachable(self, error: Exception) -> ReproductionError:
        name = self.repo.config["core"].get("remote")
        return ReproductionError(f"the remote {name!r} cannot be used", expected="one that answers",
                                 found=str(error) or type(error).__name__,
                                 remedy="mend it (`dvc remote list`, `dvc status --cloud`), then run the same command "
                                        "again; what was done is kept")


def _in_order(needs: Mapping[str, Iterable[str]], position: Mapping[str, int]) -> list[str]:
    """Each after what it needs, and as in dvc.yaml where that leaves a choice."""
    generations: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        generations[name] = max((generations[need] + 1 for need in needs[name]), default=0)
    return sorted(needs, key=lambda name: (generations[name], position.get(name, 0)))
