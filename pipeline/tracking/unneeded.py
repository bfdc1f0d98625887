"""What an MLflow store holds that nothing needs any more, and how many bytes that frees.

`mlflow gc` removes what is in MLflow's stage `deleted`: runs and experiments that were deleted, with their files. A
generator that was logged to such a run is an entity of its own, stays active and is never freed; nor is one whose
upload was interrupted, or that a later one in the same run took the place of.
"""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.tracking.logged_model import DIGEST, MODEL

SECONDS_OF_AN_UPLOAD = 3600.0
"""A generator that is not whole may be on its way for so long"""


@dataclass(frozen=True)
class Generator:
    """A logged model that may go."""

    model_id: str
    name: str
    why: str
    size: int
    versions: Sequence[tuple[str, str]] = ()
    """registered model and version that go with it"""
    is_marked: bool = False
    """whether it is in the stage `deleted` already"""


@dataclass(frozen=True)
class Kept:
    """A logged model that would go, if no alias named it."""

    name: str
    why: str
    alias: str


@dataclass
class Unneeded:
    generators: list[Generator] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    """names of deleted runs, and bytes of their files"""
    experiments: list[str] = field(default_factory=list)
    """deleted ones, by name"""

    @property
    def size(self) -> int:
        return sum(each.size for each in self.generators) + sum(self.runs.values())

    def __bool__(self) -> bool:
        return bool(self.generators or self.runs or self.experiments)


def find(client: Any) -> Unneeded:
    """Everything in a store that can go. Nothing is changed."""
    from mlflow.entities import ViewType

    found = Unneeded()
    experiments = list(_pages(client.search_experiments, view_type=ViewType.ALL))
    gone = {each.experiment_id: each.name for each in experiments if each.lifecycle_stage == "deleted"}
    found.experiments = list(gone.values())
    ids = [each.experiment_id for each in experiments]
    runs = {run.info.run_id: run for run in _pages(client.search_runs, ids, run_view_type=ViewType.ALL)} if ids else {}
    deleted = {run_id for run_id, run in runs.items()
               if run.info.lifecycle_stage == "deleted" or run.info.experiment_id in gone}
    for number, run_id in enumerate(sorted(deleted), 1):
        info = runs[run_id].info
        found.runs[f"{number} {info.run_name}"] = size_of(info.artifact_uri)
    aliases, versions = _registered(client)
    for model in _pages(client.search_logged_models, ids) if ids else ():
        if why := _why(model, runs, deleted, gone):
            own = versions.get(model.model_id, [])
            if named := next((aliases[each] for each in own if each in aliases), None):
                found.kept.append(Kept(model.name, why, named))
            else:
                found.generators.append(Generator(model.model_id, model.name, why, size_of(model.artifact_location),
                                                  own))
    found.generators += _marked(client)
    return found


def delete(client: Any, found: Unneeded) -> None:
    """Put the generators, and the versions that name them, into the stage from which `mlflow gc` removes."""
    for generator in found.generators:
        for name, version in generator.versions:
            client.delete_model_version(name, version)
        if not generator.is_marked:
            client.delete_logged_model(generator.model_id)


def size_of(address: str | None) -> int:
    """Bytes of the files below an address on this machine; 0 for any other."""
    parts = urllib.parse.urlsplit(address or "")
    folder = Path(urllib.request.url2pathname(parts.path))
    if parts.scheme not in ("", "file") or not parts.path or not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _why(model: Any, runs: dict[str, Any], deleted: set[str], gone: dict[str, str]) -> str:
    """Why a logged model can go; empty if it is needed, or none of ours."""
    digest = model.tags.get(DIGEST)
    if digest is None:
        return ""
    if model.experiment_id in gone:
        return f"its experiment {gone[model.experiment_id]!r} is deleted"
    run = runs.get(model.source_run_id)
    if run is None:
        return "its run is gone"
    if model.source_run_id in deleted:
        return f"its run {run.info.run_name!r} is deleted"
    if str(model.status) != "READY":
        age = time.time() - model.creation_timestamp / 1000
        return f"its upload to {run.info.run_name!r} was interrupted" if age > SECONDS_OF_AN_UPLOAD else ""
    if run.data.tags.get(DIGEST) != digest:
        return f"the run {run.info.run_name!r} has a newer one"
    return ""


def _marked(client: Any) -> Iterator[Generator]:
    """Those that were deleted on MLflow's pages. Its interface does not list them, so that its store is asked as
    `mlflow gc` asks it; a server's cannot be."""
    store = client._tracking_client.store
    for model_id in getattr(store, "_get_deleted_logged_models", list)():
        model = store.get_logged_model(model_id, allow_deleted=True)
        yield Generator(model_id, model.name, "deleted in MLflow", size_of(model.artifact_location), is_marked=True)


def _registered(client: Any) -> tuple[dict[tuple[str, str], str], dict[str, list[tuple[str, str]]]]:
    """By registered model and version its alias, and by logged model the versions that name it."""
    aliases: dict[tuple[str, str], str] = {}
    versions: dict[str, list[tuple[str, str]]] = {}
    for model in _pages(client.search_registered_models):
        for alias, version in (model.aliases or {}).items():
            aliases[model.name, str(version)] = f"{model.name}@{alias}"
    for each in _pages(client.search_model_versions):
        named = each.tags.get(MODEL) or each.source.removeprefix("models:/")
        versions.setdefault(named, []).append((each.name, str(each.version)))
    return aliases, versions


def _pages(search: Any, *words: Any, **named: Any) -> Iterator[Any]:
    """All that a search finds."""
    token = None
    while True:
        page = search(*words, **named, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
