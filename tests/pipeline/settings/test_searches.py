"""searches.yaml: every search makes models, and what it chose stands in params.yaml."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from gan.errors import ParameterError
from pipeline.settings import parameters, searches

ROOT = Path(__file__).parents[3]
CONTENT: dict[str, Any] = YAML(typ="safe").load((ROOT / "searches.yaml").read_text())
KNOWN = parameters.load(ROOT / "params.yaml", plan=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "searches.yaml"


def write(path: Path, **changes: Any) -> None:
    """The search for mnist_dbn, with other values."""
    with path.open("w") as file:
        YAML(typ="safe").dump({"mnist_dbn": CONTENT["mnist_dbn"] | changes}, file)


@pytest.mark.parametrize("name", CONTENT)
def test_what_a_search_chose_stands_in_its_experiment(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    search, model = searches.load(KNOWN, name), KNOWN.entry(name, "paper")["train"]["model"]
    with (ROOT / f"reports/searches/{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [[row[setting] for setting in search.over] for row in rows] == [
        [str(value) for value in point.values()] for point in search.points()]
    best = max(rows, key=lambda row: float(row[f"validation_log_likelihood_{search.select_by}"] or "-inf"))
    for setting in search.over:
        value = model
        for part in setting.split("."):
            value = value[int(part) if part.isdecimal() else part]
        assert str(value) == best[setting], setting


def test_each_search_has_a_stage_that_reads_its_own_data_set_and_its_own_entry():
    stages = YAML(typ="safe").load((ROOT / "reports/searches/dvc.yaml").read_text())["stages"]
    assert stages["search"]["foreach"] == {name: KNOWN.dataset_of(name) for name in CONTENT}
    assert stages["search"]["do"]["frozen"] is True
    assert stages["search"]["do"]["params"] == [{"searches.yaml": ["${key}"]}]


def test_a_search_begins_from_the_experiment_as_the_paper_has_it():
    start = searches.start(KNOWN, "mnist_dbn")
    assert start["train"] == KNOWN.entry("mnist_dbn", "paper")["train"] != KNOWN.entry("mnist_dbn", "cpu")["train"]
    assert start["dataset"] == "mnist"
    assert start["parzen"] == KNOWN.for_dataset("parzen", "paper", "mnist")


def test_all_combinations_are_tried_the_last_setting_fastest(place):
    write(place, over={"burn_in": [1, 2], "layers.0.epochs": [3, 4]})
    assert list(searches.load(KNOWN, "mnist_dbn").points()) == [
        {"burn_in": 1, "layers.0.epochs": 3}, {"burn_in": 1, "layers.0.epochs": 4},
        {"burn_in": 2, "layers.0.epochs": 3}, {"burn_in": 2, "layers.0.epochs": 4}]


@pytest.mark.parametrize(("change", "named"), [
    ({"over": {"layers.0.epcohs": [1]}}, r"mnist_dbn names a setting that the model does not have[\s\S]*0\.epcohs"),
    ({"settings": {"layers.7.epochs": 1}}, r"mnist_dbn names a setting that the model does not have[\s\S]*layers\.7"),
    ({"over": {"burn_in": [3, -1]}}, r"mnist_dbn\.model is not right[\s\S]*burn_in must be at least"),
    ({"over": {"burn_in": ["3"]}}, r"mnist_dbn\.model\.burn_in is not right[\s\S]*integer"),
    ({"over": {}}, r"mnist_dbn is not right[\s\S]*over must name settings"),
    ({"over": {"burn_in": []}}, r"mnist_dbn is not right[\s\S]*over must name settings"),
    ({"seed": -1}, r"mnist_dbn is not right[\s\S]*seed must not be negative"),
    ({"samples": 0}, r"mnist_dbn is not right[\s\S]*samples must be at least 1"),
    ({"sample": 5}, r"mnist_dbn\.sample: unknown key[\s\S]*did you mean 'samples'"),
    ({"note": None}, r"mnist_dbn\.note is not right[\s\S]*string")])
def test_a_wrong_search_is_named_by_its_place_in_the_file(place, change, named):
    write(place, **change)
    with pytest.raises(ParameterError, match=rf"searches\.yaml: {named}"):
        searches.load(KNOWN, "mnist_dbn")


@pytest.mark.parametrize("key", ["note", "seed", "samples", "select_by", "settings", "over"])
def test_a_missing_key_is_named(place, key):
    write(place)
    content = YAML(typ="safe").load(place.read_text())
    del content["mnist_dbn"][key]
    with place.open("w") as file:
        YAML(typ="safe").dump(content, file)
    with pytest.raises(ParameterError, match=rf"searches\.yaml: mnist_dbn\.{key} is missing[\s\S]*diff searches\.yaml"):
        searches.load(KNOWN, "mnist_dbn")


def test_an_experiment_without_a_search_is_named_with_those_that_have_one(place):
    write(place)
    with pytest.raises(ParameterError, match=r"searches\.yaml has no search for mnist[\s\S]*one of mnist_dbn"):
        searches.load(KNOWN, "mnist")
    with pytest.raises(ParameterError, match=r"unknown experiment 'mnist_dnb'[\s\S]*did you mean 'mnist_dbn'"):
        searches.load(KNOWN, "mnist_dnb")


@pytest.mark.parametrize(("content", "named"), [
    ("mnist_dbn: [", r"searches\.yaml is not YAML"), ("- mnist_dbn\n", r"searches\.yaml: [\s\S]*a mapping"),
    ("", r"searches\.yaml: [\s\S]*a mapping"), ("mnist_dbn: 3\n", r"searches\.yaml: mnist_dbn is not right"),
    ("a: &a {b: 1}\nmnist_dbn: *a\n", r"searches\.yaml has an anchor or alias in line 1")])
def test_a_file_that_holds_no_searches_is_named(place, content, named):
    place.write_text(content)
    with pytest.raises(ParameterError, match=named):
        searches.load(KNOWN, "mnist_dbn")


def test_a_missing_file_is_named(place):
    with pytest.raises(ParameterError, match=r"searches\.yaml is missing"):
        searches.load(KNOWN, "mnist_dbn")
