"""`settings EXPERIMENT`: what holds, where it stands, and that a change where it says changes that and nothing else."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gan.errors import ParameterError
from pipeline.settings import explain, parameters
from pipeline.settings.inheritance import PROFILES, plain, resolve
from pipeline.settings.parameters import Parameters
from pipeline.settings.plan import Plan

ROOT = Path(__file__).parents[3]
KNOWN = parameters.load(ROOT / "params.yaml", plan=False)
EXPERIMENTS = list(KNOWN.raw["experiments"])
OTHER = 77


@functools.cache
def rows(experiment: str, profile: str) -> list[explain.Setting]:
    return explain.settings(KNOWN, experiment, profile)


def effective(raw: dict[str, Any], experiment: str, profile: str) -> dict[str, Any]:
    """Scalars by their dotted names."""
    def flat(value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            return {key: each for part, inner in items for key, each in flat(inner, f"{name}.{part}").items()}
        return {name.lstrip("."): value}
    return flat(plain(resolve(raw, f"experiments.{experiment}", profile, PROFILES, "params.yaml")), "")


def takes_over(experiment: str, other: str) -> bool:
    """Whether an experiment, or a block in it, is like another or a part of it."""
    def likes(block: Any) -> list[str]:
        if isinstance(block, dict):
            return [*([block["like"]] if "like" in block else []), *(each for inner in block.values()
                                                                     for each in likes(inner))]
        return [each for inner in block for each in likes(inner)] if isinstance(block, list) else []
    bases = {path.split(".")[1] for path in likes(KNOWN.raw["experiments"][experiment])}
    return other in bases or any(takes_over(base, other) for base in bases - {experiment})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_setting_that_is_changed_at_its_place_changes_alone(data):
    name, profile = data.draw(st.sampled_from(EXPERIMENTS)), data.draw(st.sampled_from(PROFILES))
    row = data.draw(st.sampled_from(rows(name, profile)))
    raw = explain.changed(KNOWN.raw, {row.place: OTHER})
    before, after = (effective(content, name, profile) for content in (KNOWN.raw, raw))
    within = {key for key in before if key == row.name or key.startswith(f"{row.name}.")}  # lists are one setting
    taken_over = {each.name for each in rows(name, profile) if each.path.startswith(row.path)}  # by `like`, within it
    for key in taken_over - within - {row.name}:
        before.pop(key, None), after.pop(key, None)
    assert after == {key: value for key, value in before.items() if key not in within} | {row.name: OTHER}
    for other in EXPERIMENTS:
        if other != name and not takes_over(other, name):
            assert all(effective(raw, other, each) == effective(KNOWN.raw, other, each) for each in PROFILES), other


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_dvc_changes_it_by_the_override_that_is_printed(tmp_path_factory, data):
    name, profile = data.draw(st.sampled_from(EXPERIMENTS)), data.draw(st.sampled_from(PROFILES))
    row = data.draw(st.sampled_from(rows(name, profile)))
    changed_by_dvc(tmp_path_factory.mktemp("dvc"), name, profile, row)


@pytest.mark.parametrize(("experiment", "profile", "setting"), [
    ("mnist_dbn", "paper", "train.model.layers.1.epochs"), ("mnist_dbn", "cpu", "train.model.layers.1.epochs"),
    ("tfd_dbn", "paper", "train.model.layers.0.units"), ("tfd_dbn", "paper", "train.model.layers.1.units"),
    ("cifar10_fully_connected", "paper", "title"), ("digits", "smoke", "train.model.recipe.momentum.final")])
def test_dvc_changes_settings_in_lists_and_in_overrides_of_lists(tmp_path, experiment, profile, setting):
    row = next(row for row in rows(experiment, profile) if row.name == setting)
    changed_by_dvc(tmp_path, experiment, profile, row)


def changed_by_dvc(folder: Path, experiment: str, profile: str, row: explain.Setting) -> None:
    file = folder / "params.yaml"
    shutil.copy(ROOT / "params.yaml", file)
    override = row.override.removeprefix("-S '").removesuffix("'").replace("…", str(OTHER))
    apply_overrides(file, [override])
    before, after = (effective(content, experiment, profile)
                     for content in (KNOWN.raw, YAML(typ="safe").load(file.read_text())))
    # A block of the experiment itself that is `like` this one has the value from the same place, and changes with it.
    same = {each.name for each in rows(experiment, profile) if each.path == row.path}
    changed = {key for key in before if after.get(key) != before[key]}
    assert after == effective(explain.changed(KNOWN.raw, {row.place: OTHER}), experiment, profile)
    assert row.name in {key for key in after if after[key] == OTHER} <= same
    assert all(any(key == name or key.startswith(f"{name}.") for name in same) for key in changed)
    assert after.keys() - before.keys() <= same


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_all_effective_values_are_listed(name):
    profile = KNOWN.profile_of(name)
    listed = {row.name: row.value for row in explain.settings(KNOWN, name)}
    assert listed == {row.name: row.value for row in rows(name, profile)}
    entry = KNOWN.entry(name, profile)
    for setting, value in listed.items():
        found: Any = entry
        for part in setting.split("."):
            found = found[int(part) if isinstance(found, list) else part]
        assert found == value
    for setting in effective(KNOWN.raw, name, profile):
        assert any(setting == each or setting.startswith(f"{each}.") for each in listed), setting


def test_each_says_where_it_stands():
    paths = {row.name: (row.path, row.place, row.needs_plus) for row in rows("tfd_dbn", "cpu")}
    assert paths["train.model.layers.1.epochs"] == (
        "experiments.tfd_dbn.profiles.cpu.train.model.layers.1.epochs",
        "experiments.tfd_dbn.profiles.cpu.train.model.layers.1.epochs", True)
    assert paths["train.model.burn_in"] == ("experiments.mnist_dbn.profiles.cpu.train.model.burn_in",
                                            "experiments.tfd_dbn.profiles.cpu.train.model.burn_in", True)
    assert paths["train.seeds"] == ("experiments.mnist_dbn.train.seeds", "experiments.tfd_dbn.train.seeds", True)
    assert paths["train.model.visible"] == ("experiments.tfd_dbn.train.model.visible",
                                            "experiments.tfd_dbn.train.model.visible", False)


# What decides.

def of(experiments: dict[str, Any]) -> Parameters:
    return Parameters({"experiments": experiments}, "cpu", {}, Plan())


@pytest.mark.parametrize(("entry", "name", "place"), [
    ({"a": {"b": 1}}, "a.b", "a.b"),
    ({"a": {"b": 1}, "profiles": {"cpu": {"a": {"b": 2}}}}, "a.b", "profiles.cpu.a.b"),
    ({"a": {"b": 1}, "profiles": {"smoke": {"a": {"b": 2}}}}, "a.b", "a.b"),
    ({"a": {"b": 1, "profiles": {"cpu": {"b": 2}}}}, "a.b", "a.profiles.cpu.b"),
    ({"a": {"b": 1, "profiles": {"cpu": {"b": 2}}}, "profiles": {"cpu": {"a": {"b": 3}}}}, "a.b", "a.profiles.cpu.b"),
    ({"a": [{"b": 1}, {"b": 2}], "profiles": {"cpu": {"a": {1: {"b": 3}}}}}, "a.1.b", "profiles.cpu.a.1.b"),
    ({"a": [{"b": 1}, {"b": 2}], "profiles": {"cpu": {"a": {1: {"b": 3}}}}}, "a.0.b", "a.0.b"),
    ({"a": [{"b": 1}], "profiles": {"cpu": {"a": [{"b": 3}, {"b": 4}]}}}, "a.1.b", "profiles.cpu.a.1.b"),
    ({"a": {"b": 1}, "profiles": {"cpu": {"like": "experiments.base"}}}, "a.b", "profiles.cpu.a.b")])
def test_the_place_is_in_the_profile_where_that_decides(entry, name, place):
    known = of({"base": {"a": {"b": 5}}, "own": entry, "other": {"like": "experiments.own"}})
    for experiment in ("own", "other"):
        found = explain.place_of(known, experiment, name, "cpu")
        assert found == f"experiments.{experiment}.{place}"
        raw = explain.changed(known.raw, {found: OTHER})
        assert effective(raw, experiment, "cpu") == effective(known.raw, experiment, "cpu") | {name: OTHER}


@pytest.mark.parametrize("name", ["train.model.recipe.epoch", "train.model.layers.2.epochs", "trian", "", "title.x",
                                  "train.model.layers.first.epochs"])
def test_a_setting_that_there_is_not_is_named(name):
    with pytest.raises(ParameterError, match=r"mnist_dbn has no setting[\s\S]*pipeline settings mnist_dbn"):
        explain.place_of(KNOWN, "mnist_dbn", name, "paper")
    with pytest.raises(ParameterError, match=r"unknown experiment 'mnist_dnb'[\s\S]*did you mean 'mnist_dbn'"):
        explain.place_of(KNOWN, "mnist_dnb", "title", "paper")


# Changing.

def test_changing_leaves_the_content_as_it_was_and_makes_blocks_on_the_way():
    raw = {"a": {"b": 1}, "list": [{"c": 1}, {"c": 2}], "places": {0: {"d": 1}}, "none": None}
    before = YAML(typ="safe").load("{a: {b: 1}, list: [{c: 1}, {c: 2}], places: {0: {d: 1}}, none: null}")
    changes = {"a.x.y": 3, "list.1.c": 4, "places.0.d": 5, "places.1.d": 6, "none.e": 7, "a.b": 8}
    assert explain.changed(raw, changes) == {
        "a": {"b": 8, "x": {"y": 3}}, "list": [{"c": 1}, {"c": 4}], "places": {0: {"d": 5}, "1": {"d": 6}},
        "none": {"e": 7}}
    assert raw == before


def test_it_is_printed_with_an_example_of_a_change(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    explain.main("tfd_dbn", "cpu")
    said = capsys.readouterr().out
    assert "tfd_dbn under profile cpu" in said
    assert "experiments.mnist_dbn.profiles.cpu.train.model.burn_in" in said
    for block in ("parzen.samples", "monitor.every", "figures.rows"):
        assert block in said
    assert "dvc exp run -S 'experiments.tfd_dbn." in said
    assert "dvc exp run -S '+experiments.tfd_dbn." in said
