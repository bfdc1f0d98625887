"""What runs again when code was edited after all has run: sentences run nothing, an operator what uses it."""

from __future__ import annotations

import ast
import json
import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from clone import EXPERIMENTS, GATHERED, Clone, differing, stages

from pipeline.runtime import code

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]
OPERATORS = {"+": "-", "-": "+", "*": "/", "/": "*", "<": ">", ">": "<", "==": "!=", "!=": "==", "+=": "-=", "|": "&"}
LINES = "# A better sentence, with `code` and \"quotes\" of ' two kinds.\n\n\n"


def modules(root: Path) -> list[Path]:
    return sorted(path for package in code.PACKAGES for path in (root / package).rglob("*.py"))


def sentences(tree: ast.Module) -> Iterator[ast.Constant]:
    """Strings that stand as statements: docstrings, and those below an attribute."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(
                    statement.value.value, str):
                yield statement.value


def reworded(source: str) -> str:
    """`source` with another docstring wherever there is one, comments and blank lines between all statements of the
    module, and a comment at the end of the lines that can have one."""
    tree = ast.parse(source)
    lines = source.encode().splitlines(keepends=True)
    plain = {number for number, line in enumerate(lines, 1) if line.rstrip().endswith(b":")}  # def …:, class …:
    for node in ast.walk(tree):  # not within a string of several lines
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno > node.lineno:
            plain -= set(range(node.lineno, node.end_lineno + 1))
    for number in plain:
        lines[number - 1] = lines[number - 1].rstrip() + b"  # as before\n"
    for text in sentences(tree):
        line = lines[text.lineno - 1]
        start = re.compile(rb'[rR]?("""|\'\'\'|"|\')').match(line, text.col_offset)
        assert start, line
        lines[text.lineno - 1] = line[:start.end()] + b"In other words. " + line[start.end():]
    for statement in reversed(tree.body):
        first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))])
        lines.insert(first - 1, LINES.encode())
    return b"".join(lines).decode() + "\n\n# The end."


def with_another_operator(source: str) -> str:
    """`source` with the last operator that has a counterpart replaced by that."""
    found = [token for token in tokenize.generate_tokens(StringIO(source).readline)
             if token.type == tokenize.OP and token.string in OPERATORS
             and "def " not in token.line and "__name__" not in token.line]
    (row, column), word = found[-1].start, found[-1].string
    lines = source.splitlines(keepends=True)
    line = lines[row - 1]
    lines[row - 1] = line[:column] + OPERATORS[word] + line[column + len(word):]
    return "".join(lines)


def edit(path: Path, change: object) -> None:
    path.write_text(change(path.read_text()))  # type: ignore[operator]


def digests(clone: Clone) -> dict[str, bytes]:
    """Of each stage's code as it is now, by the name of its configuration."""
    return {name: code.digest(json.loads(content)["code"]["modules"], clone.root).encode()
            for name, content in clone.configurations().items()}


def test_better_sentences_run_nothing_and_another_operator_what_uses_it(other_clone):
    told = other_clone.configurations()
    before = {path: path.read_text() for path in modules(other_clone.root)}
    for path in before:
        edit(path, reworded)
    assert sum(path.read_text() != text for path, text in before.items()) == len(before) > 80
    assert other_clone.repro() == {"configure"}
    assert other_clone.configurations() == told

    written = digests(other_clone)
    assert written == {name: json.loads(content)["code"]["digest"].encode() for name, content in told.items()}
    for module, used_by in {
            "gan/baselines/deep_gsn.py": {f"digits_deep_gsn/{stage}" for stage in ("train", "sample", "sample_size")},
            "pipeline/stages/bandwidth.py": {f"{name}/bandwidth" for name in EXPERIMENTS},
            "gan/lessons/convergence.py": {"lessons/convergence"}}.items():
        path = other_clone.root / module
        text = path.read_text()
        edit(path, with_another_operator)
        assert differing(written, digests(other_clone)) == used_by
        path.write_text(text)

    for module in ("gan/baselines/deep_gsn.py", "gan/lessons/convergence.py"):
        edit(other_clone.root / module, with_another_operator)
    assert other_clone.repro("configure") == {"configure"}
    status = json.loads(other_clone.run("sh", "-c", "dvc status --json 2>/dev/null"))
    assert {name for name in status if ":" not in name} - GATHERED == {"lesson@convergence"} | stages(
        ("train", "sample", "sample_size", "figures", "assess"), ["digits_deep_gsn"])
