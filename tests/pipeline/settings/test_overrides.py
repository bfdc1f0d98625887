"""Every effective value of every experiment can be set by `dvc exp run -S`, in the words of `settings EXPERIMENT`, and
exactly that one changes: for the experiment, and for those that are `like` it and have no value of their own.

The overrides go through DVC's own function. tests/end_to_end has it by `dvc exp run` itself.
"""

from __future__ import annotations

import copy
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import InvalidArgumentError
from dvc.utils import hydra, serialize

from gan.errors import ParameterError
from pipeline.settings import explain, parameters
from pipeline.settings.explain import Setting
from pipeline.settings.inheritance import LIKE, PROFILES, Value, plain
from pipeline.settings.parameters import Parameters

ROOT = Path(__file__).parents[3]
Key = tuple[str, str, str]
"""Experiment, profile, the setting's name"""
BOUND_TO_OTHERS = {"discriminator_steps": "simultaneous updates", "pool_stride": "at most pool",
                   "noise.dimensions": "the pretrained one's noise", "hidden.1.units": "the pretrained one's noise"}
"""Numbers that cannot be changed alone in every experiment, and what is said then"""


@pytest.fixture(scope="module")
def known() -> Parameters:
    return parameters.check(parameters.read_yaml(ROOT / parameters.FILE))


@pytest.fixture
def apply(known: Parameters, monkeypatch: pytest.MonkeyPatch) -> Any:
    """params.yaml's content after `-S`, by DVC. DVC is given the one entry that the path leads into, as its time goes
    with the size of the file."""
    here: dict[str, Any] = {}

    @contextmanager
    def in_memory(path: object) -> Iterator[dict[str, Any]]:
        yield here

    monkeypatch.setitem(serialize.MODIFIERS, ".yaml", in_memory)

    def apply(override: str) -> dict[str, Any]:
        raw = known.raw
        block, entry = override.lstrip("+").split(".")[:2]
        here.clear()
        here[block] = copy.deepcopy({entry: raw[block][entry]} if block == "experiments" else raw[block])
        hydra.apply_overrides("params.yaml", [override])
        return {**raw, block: {**raw[block], **here[block]}}

    return apply


def words(setting: Setting, text: str) -> str:
    """The override as a shell hands it to DVC."""
    return setting.override.removeprefix("-S '").removesuffix("'").replace("…", text)


def another(value: Any) -> tuple[Any, str]:
    """A value of the same kind that is in range wherever the first one is, and how it is written in an override."""
    match value:
        case bool():
            new: Any = not value
        case int():
            new = value + 1
        case float():
            new = value * (1.0625 if value > 1 else 0.9375)
        case []:
            return ["paper"], "[paper]"
        case list():
            return [another(each)[0] for each in value], f"[{','.join(another(each)[1] for each in value)}]"
        case None:
            new = 0.25
        case str():
            new = next((other for other in PROFILES if value in PROFILES and other != value), "another")
    return new, str(new).lower() if isinstance(new, bool) else str(new)


def test_lists_and_texts_have_another_value_too():
    assert another([1, 0.5, True]) == ([2, 0.46875, False], "[2,0.46875,false]")
    assert another("smoke") == ("paper", "paper")
    assert another(None) == (0.25, "0.25")


def likes(block: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each block that takes over another, with that one."""
    if isinstance(block, dict):
        if LIKE in block:
            yield path, block[LIKE]
        for key, each in block.items():
            yield from likes(each, f"{path}.{key}" if path else str(key))


def taken_over(place: str, pairs: list[tuple[str, str]]) -> set[str]:
    """A path, and those at which blocks take it over, directly or by way of others."""
    found: set[str] = set()
    waiting = [place]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [block + path[len(base):] for block, base in pairs if path.startswith(f"{base}.")]
    return found


def places(known: Parameters, place: str, pairs: list[tuple[str, str]]) -> set[Key]:
    """Where a value at this path of params.yaml may hold."""
    found = set()
    for path in taken_over(place, pairs):
        _, experiment, *parts = path.split(".")
        of_profile = parts[:1] == ["profiles"]
        for profile in [parts[1]] if of_profile else PROFILES:
            found.add((experiment, profile, ".".join(parts[2:] if of_profile else parts)))
    return found


def leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any, str]]:
    """Scalars and lists of scalars of a tree: name, value, where it stands in the file."""
    if isinstance(tree, Value):
        yield name, tree.value, tree.path
    elif isinstance(tree, list) and all(isinstance(each, Value) for each in tree):
        yield name, plain(tree), tree[0].path.rpartition(".")[0] if tree else name
    else:
        for part, each in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(each, f"{name}.{part}".lstrip("."))


def own(known: Parameters) -> dict[tuple[str, str], Any]:
    """The tree of each experiment in each profile."""
    return {(name, profile): known.tree(name, profile)
            for name, profile in itertools.product(known.raw["experiments"], PROFILES)}


def shared(known: Parameters) -> dict[tuple[str, str], Any]:
    """The blocks that experiments share, as each of them has them in each profile."""

    @functools.cache
    def of_data(block: str, profile: str, dataset: str) -> Any:
        return known.shared(block, profile, dataset)

    return {(name, profile): {**{block: of_data(block, profile, tree["dataset"].value) for block in (
        "parzen", "monitor")}, "figures": known.figures_tree(name, profile)} for (name, profile), tree in own(
            known).items()}


class Watch:
    """What is effective for every experiment in every profile, and what changes."""

    def __init__(self, known: Parameters, trees: Callable[[Parameters], dict[tuple[str, str], Any]]) -> None:
        self.known, self.trees, self.before = known, trees, trees(known)
        self.values = {key: {name: (value, path) for name, value, path in leaves(tree)}
                       for key, tree in self.before.items()}

    def changes(self, raw: dict[str, Any]) -> dict[Key, Any]:
        """The values that are not what they were."""
        found = {}
        for key, tree in self.trees(replace(self.known, raw=raw)).items():
            if tree != self.before[key]:
                now = {name: value for name, value, _ in leaves(tree)}
                assert now.keys() == self.values[key].keys()
                found |= {(*key, name): value for name, value in now.items() if value != self.values[key][name][0]}
        return found

    def readers(self, setting: Setting) -> set[Key]:
        """Who has the value that stands where the setting's stands."""
        return {(*key, name) for key, values in self.values.items() for name, (_, path) in values.items()
                if path == setting.path}


def refusal(known: Parameters, experiment: str, profile: str) -> str:
    """Why an experiment's values cannot be used; empty where they can."""
    try:
        known.entry(experiment, profile)
    except ParameterError as error:
        return str(error)
    return ""


def due(known: Parameters, settings: Callable[[Parameters, str, str], list[Setting]]) -> list[tuple[Key, Setting]]:
    """What is set: one setting for each place at which there is something to set. A sixth of them each day: of each
    experiment one profile, and of that every second place; all at once by HYPOTHESIS_PROFILE=thorough."""
    thorough, day = os.environ.get("HYPOTHESIS_PROFILE") == "thorough", datetime.now(UTC).toordinal()
    by_override = {}
    for i, name in enumerate(known.raw["experiments"]):
        for profile in PROFILES if thorough else [PROFILES[(i + day) % len(PROFILES)]]:
            by_override |= {setting.override: ((name, profile, setting.name), setting)
                            for setting in settings(known, name, profile)}
    assert len(by_override) > 100
    every = list(by_override.values())
    return every if thorough else every[day // len(PROFILES) % 2::2]


def test_each_is_set_by_one_override_and_changes_there_and_where_it_is_taken_over(known, apply):
    watch, pairs = Watch(known, own), list(likes(known.raw))
    for (name, profile, _), setting in due(known, explain.settings):
        value, text = another(setting.value)
        raw = apply(words(setting, text))
        changed = watch.changes(raw)
        where = f"{words(setting, text)}, for {name} in {profile}"
        assert (name, profile, setting.name) in changed, where
        assert changed.keys() == places(known, setting.place, pairs) & watch.readers(setting), where
        assert all(each == value for each in changed.values()), where
        if isinstance(setting.value, int | float):
            refused = refusal(replace(known, raw=raw), name, profile)
            assert not refused or any(setting.name.endswith(end) and why in refused
                                      for end, why in BOUND_TO_OTHERS.items()), where


def test_what_experiments_share_changes_for_whoever_reads_it_there(known, apply):
    """`parzen` and `monitor` by their place in the file; `figures` for one experiment and those that are like it."""
    watch, pairs = Watch(known, shared), list(likes(known.raw))
    for key, setting in due(known, explain.shared_settings):
        value, text = another(setting.value)
        readers = watch.readers(setting)
        if setting.name.startswith("figures"):
            readers &= places(known, setting.place, pairs)
        assert watch.changes(apply(words(setting, text))) == dict.fromkeys(readers, value), setting
        assert key in readers


def test_an_override_in_the_other_form_is_refused_by_dvc(known, apply):
    """So that a `+` too many or too few is told, and never lost."""
    rows = {setting.name: setting for setting in explain.settings(known, "digits", "smoke")}
    own, inherited = rows["train.model.noise.dimensions"], rows["train.model.recipe.batch_size"]
    below_a_number = rows["train.model.generator.hidden.0.units"]
    assert [row.needs_plus for row in (own, inherited, below_a_number)] == [False, True, True]
    for row in (own, inherited, below_a_number):
        text = words(row, another(row.value)[1])
        with pytest.raises(InvalidArgumentError):
            apply(text.removeprefix("+") if row.needs_plus else f"+{text}")


def test_an_override_of_one_that_another_is_like_leaves_what_that_one_has_of_its_own(known, apply):
    """tfd_dbn has its own learning rate of the first layer, mnist_dbn's is another."""
    raw = apply("experiments.mnist_dbn.train.model.layers.0.learning_rate=0.5")
    now = replace(known, raw=raw)
    rates = {name: now.entry(name, "paper")["train"]["model"]["layers"][0]["learning_rate"]
             for name in ("mnist_dbn", "tfd_dbn", "digits_dbn")}
    assert rates == {"mnist_dbn": 0.5, "tfd_dbn": 0.003, "digits_dbn": 0.5}
