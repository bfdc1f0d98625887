"""params.yaml is laid out as DVC writes it: `dvc exp run -S` changes one value, which git shows as one line, and every
scalar of the file can be set by it.

DVC's own function sets them, in the one entry of the file that a value is in: its time goes with the size of the file.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dvc.utils import hydra, serialize
from dvc.utils.serialize import dumps_yaml
from ruamel.yaml import YAML

from pipeline.settings.parameters import FILE, write_profile

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / FILE).read_text()
OF_MANY_ENTRIES = ("datasets", "experiments", "lessons")
AS_DVC_WRITES_IT = ("lay the file out by: python -c \"from dvc.utils.hydra import apply_overrides; "
                    "apply_overrides('params.yaml', [])\"")


def entries() -> Iterator[str]:
    """The file in parts, each with the lines of one entry below its block's name."""
    for block in re.findall(r"^\w.*\n(?:(?!\w).*\n)*", TEXT, re.M):
        name, _, rest = block.partition("\n")
        if name.partition(":")[0] in OF_MANY_ENTRIES:
            yield from (f"{name}\n{entry}" for entry in re.findall(r"^  \w.*\n(?:(?!  \w).*\n)*", rest, re.M))
        else:
            yield block


def scalars(block: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(block, dict | list):
        for key, each in block.items() if isinstance(block, dict) else enumerate(block):
            yield from scalars(each, f"{path}.{key}".lstrip("."))
    else:
        yield path, block


def another(value: Any) -> Any:
    """A value of the same kind, written in as many characters."""
    match value:
        case bool():
            return not value
        case int():
            return int(str(value)[:-1] + ("2" if str(value)[-1] != "2" else "3"))
        case float():
            text = f"{value:.6f}".rstrip("0") if 0 < value < 1e-4 else repr(value)
            return float(text[:-1] + ("2" if text[-1] != "2" else "3"))
        case None:
            return 0.25
    return "x" * max(1, len(value))


@pytest.mark.parametrize(("value", "other"), [
    (3, 2), (2, 3), (1200, 1202), (0.1, 0.2), (1.0, 1.2), (-2.0, -2.2), (0.000001, 0.000002), (True, False),
    ("relu", "xxxx"), ("", "x"), (None, 0.25)])
def test_other_values_are_as_long(value, other):
    assert another(value) == other


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
            if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.fixture
def set_by_dvc(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A part of the file after an override."""
    before, after = "", ""

    @contextmanager
    def in_memory(path: object) -> Iterator[Any]:
        nonlocal after
        content = YAML().load(before)  # as DVC reads a file to change it
        yield content
        after = dumps_yaml(content)

    monkeypatch.setitem(serialize.MODIFIERS, ".yaml", in_memory)

    def set_by_dvc(text: str, override: str) -> str:
        nonlocal before
        before = text
        hydra.apply_overrides("params.yaml", [override])
        return after

    return set_by_dvc


def test_dvc_leaves_the_file_as_it_is(tmp_path):
    path = Path(shutil.copy(ROOT / FILE, tmp_path))
    hydra.apply_overrides(path, [])
    assert changed_lines(TEXT, path.read_text()) == [], AS_DVC_WRITES_IT
    assert path.read_text() == TEXT, AS_DVC_WRITES_IT


def test_what_the_plan_writes_is_so_too(tmp_path):
    path = Path(shutil.copy(ROOT / FILE, tmp_path))
    assert write_profile("smoke", path) is True
    planned = path.read_text()
    assert changed_lines(TEXT, planned)[1:] == ["+profile: smoke"]
    hydra.apply_overrides(path, [])
    assert path.read_text() == planned


def test_each_scalar_is_set_by_an_override_that_changes_its_line_and_nothing_else(set_by_dvc):
    """A third of them each day; all by HYPOTHESIS_PROFILE=thorough."""
    thorough, day = os.environ.get("HYPOTHESIS_PROFILE") == "thorough", datetime.now(UTC).toordinal()
    number = 0
    for part in entries():
        before = dict(scalars(YAML(typ="safe").load(part)))
        for path, value in before.items():
            number += 1
            if not thorough and (number + day) % 3:
                continue
            new = another(value)
            text = str(new).lower() if isinstance(new, bool) else f"{new:.6f}" if new == 2e-6 else str(new)
            after = set_by_dvc(part, f"{path}={text}")
            assert dict(scalars(YAML(typ="safe").load(after))) == before | {path: new}, path
            assert [line[0] for line in changed_lines(part, after)] == ["-", "+"], (path, text)
    assert number > 500


@pytest.mark.parametrize(("override", "lines"), [
    ("experiments.mnist.train.seeds=[1]", ["-      - 2", "-      - 3"]),
    ("experiments.mnist.train.seeds=[1,2,3,4]", ["+      - 4"]),
    ("experiments.mnist.train.model.recipe.learning_rate.initial=0.0625",
     ["-          learning_rate: {initial: 0.1, decay: 1.000004, minimum: 0.000001}",
      "+          learning_rate: {initial: 0.0625, decay: 1.000004, minimum: 0.000001}"]),
    ("experiments.mnist_kmeans.train.seeds=[5]",
     ["-    train: {seeds: [1], model: {kind: kmeans, clusters: 10000, iterations: 8}}",
      "+    train: {seeds: [5], model: {kind: kmeans, clusters: 10000, iterations: 8}}"]),
    ("+experiments.mnist.figures.rows=6", ["+    figures:", "+      rows: 6"]),
    ("~experiments.tfd_deep_gsn", ["-  tfd_deep_gsn: {like: experiments.mnist_deep_gsn, dataset: tfd}"]),
])
def test_lists_additions_and_removals_change_their_own_lines(tmp_path, override, lines):
    path = Path(shutil.copy(ROOT / FILE, tmp_path))
    hydra.apply_overrides(path, [override])
    assert changed_lines(TEXT, path.read_text()) == lines


def test_comments_are_still_where_they_were(tmp_path):
    path = Path(shutil.copy(ROOT / FILE, tmp_path))
    hydra.apply_overrides(path, ["experiments.digits.dataset=mnist"])
    assert re.findall(r"#.*", path.read_text()) == re.findall(r"#.*", TEXT)
    assert len(re.findall(r"#.*", TEXT)) > 30
