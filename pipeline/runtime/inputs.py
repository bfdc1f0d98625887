"""What a stage reads, by dvc.yaml: recorded when it begins, compared when it ends.

DVC hashes dependencies before and after the command and keeps the later digests, so that an edit in between would be
entered as what made a result that it did not make. A stage that sees such an edit fails, and DVC keeps nothing of it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import ReproductionError

DEFINITION, PARAMETERS = Path("dvc.yaml"), "params.yaml"
HASHED = 2**20
"""Bytes; a larger file is known by its time of change, size and inode alone: to hash gigabytes would delay the stage"""
NAMED = 6
"""Changes that an error names one by one"""


@dataclass(frozen=True)
class Mark:
    """A file at one moment: (time of change, size, inode), and for a small one SHA-256 of its bytes."""

    status: tuple[int, int, int]
    digest: str

    @classmethod
    def of(cls, path: Path) -> Mark:
        status = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if status.st_size <= HASHED else ""
        return cls((status.st_mtime_ns, status.st_size, status.st_ino), digest)

    def still(self, path: Path) -> bool:
        """Whether `path` is as it was; a large one that was written anew counts as another."""
        status = path.stat()
        if (status.st_mtime_ns, status.st_size, status.st_ino) == self.status:
            return True
        return bool(self.digest) and status.st_size == self.status[1] and Mark.of(path).digest == self.digest


@dataclass(frozen=True)
class Inputs:
    """What the stage `stage` ("train@mnist") of the graph in the current folder reads, as it is now."""

    stage: str
    paths: list[Path]
    marks: Mapping[Path, Mark]
    parameters: Mapping[tuple[str, str], Any]

    @classmethod
    def of(cls, stage: str) -> Inputs:
        """Where the graph or the stage cannot be read, of nothing: DVC itself refuses such a graph.

        Raises ReproductionError when a module has been edited since the process began: what is there may not be what
        was imported.
        """
        paths, keys = _reads(stage)
        inputs = cls(stage, paths, {path: Mark.of(path) for path in _files(paths)}, _values(keys))
        inputs._require_none(sorted(str(path) for path in _edited_since_the_process_began() & inputs.marks.keys()))
        return inputs

    def digest(self) -> str:
        """Of what is read, the same in every clone that has it: of a large file its size and how it begins.

        What cannot be read counts as it is: DVC or the stage will say why.
        """
        whole = hashlib.sha256(self.stage.encode())
        for path in sorted(self.marks):
            whole.update(f"\n{path} {self.marks[path].digest or _beginning(path)}".encode())
        for key, value in sorted(self.parameters.items()):
            whole.update(f"\n{key} {value!r}".encode())
        return whole.hexdigest()

    def require_unchanged(self) -> None:
        """Raises ReproductionError that names what is no longer as it was."""
        now = set(_files(self.paths))
        values = _values(list(self.parameters))
        self._require_none([
            *(f"{path} (gone)" for path in sorted(self.marks.keys() - now)),
            *(f"{path} (new)" for path in sorted(now - self.marks.keys())),
            *(str(path) for path in sorted(now & self.marks.keys()) if not _still(path, self.marks[path])),
            *(f"{key} in {file}".lstrip() for (file, key), old in self.parameters.items() if values[file, key] != old)])

    def _require_none(self, changed: list[str]) -> None:
        if changed:
            more = [f"and {len(changed) - NAMED} more"] if len(changed) > NAMED else []
            raise ReproductionError(
                f"what {self.stage} reads was edited while it ran", expected="the same at its beginning and its end",
                found=", ".join([*changed[:NAMED], *more]),
                remedy="run `dvc repro` again; of this run nothing is kept, as no one version of these files made it")


def _reads(stage: str) -> tuple[list[Path], list[tuple[str, str]]]:
    """Dependencies, and parameters as (file, key; "" for all of it), of a stage of dvc.yaml, or of another such file:
    "reports/searches/dvc.yaml:search@mnist_dbn"."""
    definition, _, address = stage.rpartition(":")
    name, _, key = address.partition("@")
    graph = _yaml(Path(definition or DEFINITION))
    entry = _mapping(_mapping(graph.get("stages")).get(name))
    words = {"key": key, "item": key} | {f"run.{name}": value for name, value in _mapping(
        _variables(graph).get("run")).items() if isinstance(value, str)}
    if "foreach" in entry:
        items = entry["foreach"]
        if isinstance(items, str):
            items = _value(_variables(graph), items.strip().removeprefix("${").removesuffix("}"))
        if isinstance(items, dict) and isinstance(items.get(key), str | int | float):
            words["item"] = str(items[key])
        entry = _mapping(entry.get("do"))
    names = [next(iter(each)) if isinstance(each, dict) else each for each in entry.get("deps") or []]
    keys: list[tuple[str, str]] = []
    for each in entry.get("params") or []:
        if isinstance(each, dict):
            keys += [(_filled(file, words), _filled(one, words)) for file, ones in each.items() for one in ones or [""]]
        else:
            keys.append((PARAMETERS, _filled(each, words)))
    return [Path(_filled(each, words)) for each in names], keys


def _variables(graph: Mapping[Any, Any]) -> dict[Any, Any]:
    """What `${}` in a graph may name: params.yaml, and the files under `vars`."""
    files = [PARAMETERS, *(each for each in graph.get("vars") or [] if isinstance(each, str))]
    return {key: value for file in files for key, value in _yaml(Path(file)).items()}


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _files(paths: list[Path]) -> Iterator[Path]:
    """All files below, without the bytecode that Python writes while the stage runs."""
    for path in paths:
        if path.is_file():
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = [each for each in folders if each != "__pycache__"]
            yield from (file for file in (Path(folder) / name for name in names) if file.is_file())


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return f"{path.stat().st_size} {hashlib.sha256(file.read(HASHED)).hexdigest()}"
    except OSError as error:
        return type(error).__name__


def _still(path: Path, mark: Mark) -> bool:
    try:
        return mark.still(path)
    except OSError:
        return False


def _values(keys: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    contents = {file: _yaml(Path(file)) for file in {file for file, _ in keys}}
    return {(file, key): _value(contents[file], key) for file, key in keys}


def _value(content: Any, key: str) -> Any:
    """The value under a dotted key; None where there is none."""
    for part in key.split(".") if key else []:
        content = _mapping(content).get(part)
    return content


def _yaml(path: Path) -> dict[Any, Any]:
    try:
        return _mapping(YAML(typ="safe").load(path))
    except (OSError, YAMLError, UnicodeDecodeError):
        return {}


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _edited_since_the_process_began() -> set[Path]:
    """Files of imported modules, as paths from the current folder.

    The system tells the beginning to about a second; an edit within it, before the module is imported, is what runs.
    A time of change that is still to come tells nothing: the clock was set back since, or is another machine's.
    """
    began, now = psutil.Process().create_time() + 1, time.time()
    modules = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    files = {Path(file) for name, file in modules if file and name.partition(".")[0] in ("gan", "pipeline")}
    return {file.relative_to(Path.cwd()) for file in files
            if file.is_relative_to(Path.cwd()) and file.is_file() and began < file.stat().st_mtime <= now}
