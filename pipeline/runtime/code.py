"""What a stage's code says: a digest of the modules that it runs, without comments, docstrings and blank lines.

A stage depends on its code by this digest, which `configure` writes into the stage's configuration. So a better comment
runs nothing again, and a changed operator always runs what uses it. Comments and docstrings are cut out of the source
by their positions, and nothing is written anew from a syntax tree: every version of Python finds the same digest.

The modules of a stage are those that its own module imports, and those that they import, inside functions too, except
under `TYPE_CHECKING`. Modules that are imported by a name that is put together at run time are named as roots (a
model's, a lesson's). Not followed are NOT_FOLLOWED.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("gan", "pipeline")
NOT_FOLLOWED = {
    "gan.registry": "says which models there are; the one that is fitted is a root of its own",
    "gan.datasets.registry": "says which data sets there are; the one that is read is a root of its own",
    "gan.lessons.catalogue": "says which lessons there are; the one that is run is a root of its own",
    "gan.lessons.settings": "checks values that stand in each lesson's configuration as they are",
    **dict.fromkeys([f"pipeline.runtime.{name}" for name in (
        "checkout", "code", "environment", "inputs", "interruption", "process", "process_lock", "progress",
        "run_log", "stage", "stage_time")], "watches over a run"),
    "pipeline.tracking": "looks on: no result waits for it or depends on it",
}
"""Modules, or packages with all that is in them, that a stage imports and that have no say in what it writes"""


def digest(roots: Iterable[str], root: Path = ROOT) -> str:
    """SHA-256 of the code of the modules `roots` (dotted names) and of all that they import of this repository."""
    whole = hashlib.sha256()
    for module, path in closure(roots, root).items():
        whole.update(f"{module} {_parsed(path)[0]}\n".encode())
    return whole.hexdigest()


def closure(roots: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """The modules `roots` and those that they import of this repository, sorted, each with its file."""
    found: dict[str, Path] = {}
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        path = _file(module, root)
        if path is None or module in found or _is_not_followed(module):
            continue
        found[module] = path
        waiting += [parent for parent in _parents(module) if parent not in found]
        waiting += _parsed(path)[1]
    return dict(sorted(found.items()))


def meaning(source: str, tree: ast.Module | None = None) -> str:
    """`source` without comments, docstrings, blank lines and spaces at the ends of lines, all else as it is.

    `tree`: what it was parsed to, where it has been.
    """
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def place(line: int, column: int) -> int:
        """Columns of a syntax tree count bytes."""
        text = lines[line - 1]
        return starts[line - 1] + (column if text.isascii() else len(text.encode()[:column].decode()))

    cuts = []
    for node in ast.walk(tree or ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            cuts += [(place(each.lineno, each.col_offset), place(each.end_lineno or 0, each.end_col_offset or 0))
                     for each in _docstrings(node)]
    pieces: list[str] = []
    strings: list[str] = []
    end = 0
    for start, stop in [*sorted(cuts), (len(source), len(source))]:
        for match in _STRING_OR_COMMENT.finditer(source, end, start):
            pieces.append(source[end:match.start()])
            if not match[0].startswith("#"):  # blank lines within a string are its own
                pieces.append(f"\0{len(strings)}\0")
                strings.append(match[0])
            end = match.end()
        pieces.append(source[end:start])
        end = stop
    code = "\n".join(line.rstrip() for line in "".join(pieces).splitlines() if line.strip())
    return re.sub("\0(\\d+)\0", lambda number: strings[int(number[1])], code)


_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^\\]|\\.)*?"""' r"|'''(?:[^\\]|\\.)*?'''"
    r'|"(?:[^"\\\n]|\\.)*"' r"|'(?:[^'\\\n]|\\.)*'" r"|#[^\n]*", re.S)


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """Strings that stand as statements: docstrings, and those below an attribute. None of them does anything."""
    for statement in node.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(
                statement.value.value, str):
            yield statement.value


def _parents(module: str) -> Iterator[str]:
    """The packages around a module: to import it runs them."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _is_not_followed(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NOT_FOLLOWED)


def _file(module: str, root: Path) -> Path | None:
    """None for what is no module of this repository, as a name that is imported from one."""
    if module.partition(".")[0] not in PACKAGES:
        return None
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _parsed(path: Path) -> tuple[str, tuple[str, ...]]:
    status = path.stat()
    return _parsed_as_it_was(path, status.st_mtime_ns, status.st_size)


@functools.cache
def _parsed_as_it_was(path: Path, mtime: int, size: int) -> tuple[str, tuple[str, ...]]:
    """SHA-256 of what a file says, and the names that it imports: `from a.b import c` may mean a.b and a.b.c."""
    source = path.read_text(encoding="utf-8")
    names, tree = [], ast.parse(source)
    for node in _running(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return (hashlib.sha256(meaning(source, tree).encode()).hexdigest(),
            tuple(name for name in names if name.partition(".")[0] in PACKAGES))


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
