"""params.yaml is laid out as DVC writes it: `dvc exp run -S` changes the lines of the values that it sets, and git
shows no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from changed_lines import changed_lines
from dvc.utils import hydra
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

from pipeline.settings import parameters

COMMITTED = Path(__file__).parents[3] / parameters.FILE
TEXT = COMMITTED.read_text()
WIDEST = 80
"""characters after which DVC's writer breaks a line"""


def longer(value: Any) -> Any:
    """Another value of the same kind, of up to two characters more."""
    match value:
        case bool():
            return not value
        case int():
            return 10 * value + 1
        case float():
            return float(f"{value:f}5")
        case None:
            return 0.25
        case str():
            return value + "s"


def scalars(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each container of a scalar, and the key or index that it has there."""
    for key, each in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(each, dict | list):
            yield from scalars(each)
        else:
            yield tree, key


def test_dvc_writes_the_file_as_it_is():
    assert dumps_yaml(parse_yaml_for_update(TEXT, COMMITTED)) == TEXT


def test_what_dvc_has_set_is_written_as_it_was(tmp_path):
    """Setting a value makes lists and what is new ones of DVC's own, in blocks."""
    path = tmp_path / parameters.FILE
    path.write_text(TEXT)
    hydra.apply_overrides(path, [f"profile={parse_yaml_for_update(TEXT, COMMITTED)['profile']}"])
    assert path.read_text() == TEXT


@pytest.mark.parametrize("block", parse_yaml_for_update(TEXT, COMMITTED))
def test_another_value_changes_its_own_line(block):
    """Every scalar of the file. DVC's writer is given one entry at a time, for its time goes with the size."""
    content = parse_yaml_for_update(TEXT, COMMITTED)[block]
    entries = [{block: {key: content[key]}} for key in content] if isinstance(content, dict) else [{block: content}]
    for entry in entries:
        before = dumps_yaml(entry)
        for parent, key in scalars(entry):
            value = parent[key]
            parent[key] = longer(value)
            changed = changed_lines(before, dumps_yaml(entry))
            parent[key] = value
            broken = isinstance(value, str) and len(value) > WIDEST / 2  # over two lines, which both may change
            assert len(changed) == 2 or (broken and len(changed) == 4), (block, key, changed)
        assert dumps_yaml(entry) == before


@pytest.mark.parametrize(("override", "line"), [
    ("experiments.mnist.train.model.recipe.epochs=30", "          epochs: 30    # the step"),
    ("lessons.figure_1.discriminator_rate=0.02", "    discriminator_rate: 0.02"),
    ("experiments.mnist.train.model.generator.hidden.1.units=800", "          - units: 800"),
    ("experiments.mnist.train.seeds.2=4", "      - 4")])
def test_an_override_of_dvc_changes_one_line(tmp_path, override, line):
    path = tmp_path / parameters.FILE
    path.write_text(TEXT)
    hydra.apply_overrides(path, [override])
    removed, added = changed_lines(TEXT, path.read_text())
    assert added.startswith(f"+{line}")
    assert removed[0] == "-"
