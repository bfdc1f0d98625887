"""The committed params.yaml is right, and whatever is wrong in one is named before any work."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import difflib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from changed_lines import changed_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gan.errors import ParameterError, ReproductionError
from gan.lessons.catalogue import LESSONS
from pipeline.settings import parameters
from pipeline.settings.inheritance import PROFILES, expanded, plain
from pipeline.settings.parameters import check, load, write_profile

COMMITTED = Path(__file__).parents[3] / "params.yaml"
AS_WRITTEN: dict[str, Any] = YAML(typ="safe").load(COMMITTED.read_text())
RAW: dict[str, Any] = {key: plain(expanded(AS_WRITTEN, key, "params.yaml")) for key in AS_WRITTEN}
"""All that a block takes over by `like` written out in its place"""
FEW: dict[str, Any] = RAW | {
    "datasets": {name: RAW["datasets"][name] for name in ("mnist", "digits", "faces")},
    "experiments": {
        "mnist": RAW["experiments"]["mnist"] | {"profile": None, "runs_in": ["paper", "cpu"], "note": "a note"},
        "mnist_kmeans": RAW["experiments"]["mnist_kmeans"],
        "digits": RAW["experiments"]["digits"] | {"figures": {"rows": 3, "steps": 5}}},
    "parzen": RAW["parzen"] | {"datasets": {"digits": {"samples": 200, "refined_grid": {"points": 71}}}},
    "monitor": RAW["monitor"] | {"datasets": {"digits": {"grid": {"lowest": 0.2}}}},
    "assess": RAW["assess"] | {"datasets": {"digits": {"features": {"units": 16}}}}}
"""Every kind of block, and quicker to check"""

STAGES = {"train", "sample", "bandwidth", "evaluate", "sample_size", "figures", "assess"}

# Blocks whose keys are names that the user chooses, and profiles: neither belongs to a dataclass.
NAMES = re.compile(r"((parzen\.|monitor\.|assess\.)?datasets|experiments)(\.\w+)?"
                   r"|(.*\.)?profiles(\.\w+)?")

KeyPath = tuple[str | int, ...]


def at(content: Any, path: KeyPath) -> Any:
    for part in path:
        content = content[part]
    return content


def changed(changes: dict[str, Any], content: Any = FEW) -> Any:
    """A copy of params.yaml's content with other values under dotted names."""
    content = copy.deepcopy(content)
    for name, value in changes.items():
        *parents, last = [int(part) if part.isdecimal() else part for part in name.split(".")]
        at(content, tuple(parents))[last] = value
    return content


def dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))


def keys(content: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every key, at any depth."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(
            content if isinstance(content, list) else ()):
        if isinstance(key, str):
            yield (*path, key)
        yield from keys(value, (*path, key))


def may_be_left_out(path: KeyPath) -> bool:
    return path[-1] in MAY_BE_LEFT_OUT or (path[0] == "experiments" and path[-1] == "profile")


def is_override(path: KeyPath) -> bool:
    return "profiles" in path or "datasets" in path[1:] or "figures" in path[1:]


def without_overrides(path: KeyPath) -> KeyPath:
    """Where a key of an override is named: at the place that it overrides."""
    parts = list(path)
    for word in ("profiles", "datasets"):
        while word in parts[1:]:
            start = parts.index(word, 1)
            del parts[start:start + 2]
    return tuple(parts)


# A `kind` or `loader` decides which keys stand beside it, and has tests of its own.
MAY_BE_LEFT_OUT = {"precision", "note", "chosen_epoch", "runs_in"}
FIXED_KEYS = [path for path in keys(FEW) if not NAMES.fullmatch(dotted(path)) and path[-1] not in ("kind", "loader")]


@st.composite
def misspelt(draw: st.DrawFn, word: str) -> str:
    """The word with a letter lost, doubled or swapped with the next."""
    where = draw(st.integers(0, len(word) - 2))
    kind = draw(st.sampled_from(["lost", "doubled", "swapped"]))
    if kind == "lost" and len(word) > 3:
        return word[:where] + word[where + 1:]
    if kind == "swapped" and word[where] != word[where + 1]:
        return word[:where] + word[where + 1] + word[where] + word[where + 2:]
    return word[:where] + word[where] + word[where:]


# The committed file.

def test_the_committed_file_is_valid_for_every_experiment_in_every_profile():
    checked = load(COMMITTED)
    for profile in PROFILES:
        in_profile = check(AS_WRITTEN | {"profile": profile})
        for name in RAW["experiments"]:
            assert in_profile.experiment(name).title == RAW["experiments"][name]["title"]
            assert in_profile.configuration(name).keys() == STAGES
        for dataset in RAW["datasets"]:
            assert checked.parzen(profile, dataset).samples >= 1
            assert checked.monitor(profile, dataset).samples >= 1


def test_what_is_taken_over_is_as_if_it_were_written_out():
    as_written, written_out = check(AS_WRITTEN), check(RAW)
    for name in RAW["experiments"]:
        assert as_written.configuration(name) == written_out.configuration(name)


def test_the_committed_file_says_which_profiles_run_which_experiments():
    checked = load(COMMITTED)
    for name in RAW["experiments"]:
        entry = checked.experiment(name)
        assert set(entry.runs_in) <= set(PROFILES), name
        assert entry.runs_in or entry.dataset == "digits", name  # tiny ones may run by name alone


def test_profile_profiles_and_note_have_defaults():
    content = copy.deepcopy(FEW)
    for name in ("profile", "runs_in", "note"):
        del content["experiments"]["mnist"][name]
    entry = check(content).experiment("mnist")
    assert (entry.profile, entry.runs_in, entry.note, entry.figures) == (None, ["paper", "cpu"], "", {})


BASELINES = ("dbn", "stacked_cae", "deep_gsn")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("baseline", BASELINES)
def test_other_faces_are_fitted_by_the_settings_of_tfd(baseline, profile):
    tfd, others = (load(COMMITTED).entry(f"{dataset}_{baseline}", profile) for dataset in ("tfd", "faces_five_folds"))
    assert tfd["train"] == others["train"]
    assert (tfd["dataset"], others["dataset"]) == ("tfd", "faces_five_folds")
    assert "not TFD" in others["note"]


@pytest.mark.parametrize(("baseline", "units"), [
    ("dbn", [512, 1024]), ("stacked_cae", [1000, 1000]), ("deep_gsn", [1500, 1500])])
def test_the_layers_on_tfd_are_those_of_the_baselines_papers(baseline, units):
    model = load(COMMITTED).entry(f"tfd_{baseline}", "paper")["train"]["model"]
    assert [layer if baseline == "deep_gsn" else layer["units"] for layer in model["layers"]] == units
    assert model.get("visible", "gaussian") == "gaussian"
    assert model["burn_in"] == 1000


def test_an_unknown_experiment_is_named_with_the_nearest():
    with pytest.raises(ParameterError, match=r"unknown experiment 'digit'[\s\S]*did you mean 'digits'"):
        load(COMMITTED).experiment("digit")


# Keys.

@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_misspelt_key_anywhere_is_named_by_its_path_with_the_right_one(data):
    path = data.draw(st.sampled_from(FIXED_KEYS))
    *parents, right = path
    siblings = at(FEW, tuple(parents))
    wrong = data.draw(misspelt(right).filter(lambda word: word not in siblings))
    nearest = difflib.get_close_matches(wrong, [right, *siblings], n=1, cutoff=0)
    content = copy.deepcopy(FEW)
    block = at(content, tuple(parents))
    renamed = {wrong if key == right else key: value for key, value in block.items()}
    block.clear()
    block.update(renamed)
    with pytest.raises(ParameterError) as caught:
        check(content)
    message = str(caught.value)
    if len(path) == 1:
        assert f"params.yaml: unknown key {wrong!r}" in message
    else:
        assert f"params.yaml: {dotted(without_overrides((*parents, wrong)))}: unknown key" in message
    if nearest == [right]:
        assert f"did you mean {right!r}?" in message


@pytest.mark.parametrize(("misspelt", "right"), [
    ("recision", "precision"), ("maximum_nrom", "maximum_norm"), ("choosen_epoch", "chosen_epoch")])
def test_a_misspelt_key_that_may_be_left_out_is_named_with_the_right_one(misspelt, right):
    recipe = "experiments.mnist.train.model.recipe"
    content = changed({f"{recipe}.{misspelt}": 1})
    at(content, tuple(recipe.split("."))).pop(right, None)
    with pytest.raises(ParameterError, match=rf"{recipe}\.{misspelt}: unknown key[\s\S]*did you mean '{right}'\?"):
        check(content)


def test_a_key_of_another_loader_is_not_proposed_as_itself():
    with pytest.raises(ParameterError, match=r"images_per_class: unknown key\n  what to do: remove it"):
        check(changed({"datasets.faces.images_per_class": 10}))


@pytest.mark.parametrize("block", ["parzen", "experiments.digits"])
def test_misspelt_profiles_are_named_with_the_right_word(block):
    content = changed({f"{block}.profils": {"cpu": {}}})
    del at(content, tuple(block.split(".")))["profiles"]
    with pytest.raises(ParameterError, match=rf"{block}\.profils: unknown key[\s\S]*did you mean 'profiles'\?"):
        check(content)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([path for path in FIXED_KEYS if not is_override(path) and not may_be_left_out(path)]))
def test_a_missing_key_is_named_by_its_path(path):
    content = copy.deepcopy(FEW)
    del at(content, path[:-1])[path[-1]]
    with pytest.raises(ParameterError) as caught:
        check(content)
    message = str(caught.value)
    assert str(path[-1]) in message
    assert "is missing" in message
    assert dotted(path[:-1]) in message


def test_a_model_without_its_kind_is_named_with_the_kinds_there_are():
    content = copy.deepcopy(FEW)
    del content["experiments"]["mnist"]["train"]["model"]["kind"]
    with pytest.raises(ParameterError, match=r"mnist\.train\.model(\.kind)? is missing|model\.kind"):
        check(content)


def test_a_misspelt_kind_is_named_with_the_right_word():
    content = copy.deepcopy(FEW)
    model = content["experiments"]["mnist"]["train"]["model"]
    model["knid"] = model.pop("kind")
    with pytest.raises(ParameterError, match=r"mnist\.train\.model\.knid: unknown key[\s\S]*did you mean 'kind'\?"):
        check(content)


def test_a_misspelt_key_of_an_override_is_named_with_its_profile():
    content = changed({"experiments.mnist.profiles": {"cpu": {"train": {"model": {"recipe": {"epoch": 4}}}}}})
    with pytest.raises(ParameterError, match=r"experiments\.mnist\.train\.model\.recipe\.epoch: unknown key "
                                             r"\(profile cpu\)[\s\S]*did you mean 'epochs'\?"):
        check(content)


def test_an_override_of_a_shared_block_is_named_with_its_profile():
    with pytest.raises(ParameterError, match=r"parzen\.sampels: unknown key \(profile smoke\)[\s\S]*'samples'"):
        check(changed({"parzen.profiles.smoke.sampels": 4}))


@pytest.mark.parametrize("key", [5, None, True, 0.5])
@pytest.mark.parametrize("block", ["", "parzen", "experiments.digits.train.model"])
def test_keys_that_are_no_words_are_errors_too(block, key):
    content = copy.deepcopy(FEW)
    at(content, tuple(filter(None, block.split("."))))[key] = 1
    with pytest.raises(ParameterError, match=f"(?i){key}" if key is not None else "None|null"):
        check(content)


# Values.

MODEL = "experiments.mnist.train.model"


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("parzen.samples", 0, r"parzen is not right[\s\S]*samples must be at least 1, not 0"),
    ("parzen.validation_images", 0, r"parzen is not right[\s\S]*validation_images must be at least 1, not 0"),
    ("parzen.sample_sizes.sizes", [], r"sample_sizes is not right[\s\S]*sizes must be at least 1 and ascend: \[\]"),
    ("parzen.sample_sizes.sizes", [0, 5], r"sample_sizes is not right[\s\S]*sizes must be at least 1 and ascend"),
    ("parzen.sample_sizes.sizes", [5, 5], r"sample_sizes is not right[\s\S]*sizes must be at least 1 and ascend"),
    ("parzen.sample_sizes.test_images", 0, r"sample_sizes is not right[\s\S]*test_images must be at least 1, not 0"),
    ("parzen.paper_grid.lowest", 2.0, r"parzen\.paper_grid is not right[\s\S]*lowest must be above 0 and below high"),
    ("parzen.refined_grid.points", 1, r"parzen\.refined_grid is not right[\s\S]*points must be at least 2, not 1"),
    ("monitor.every", 0, r"monitor is not right[\s\S]*every must be at least 1, not 0"),
    ("monitor.profiles.smoke.every", 0, r"monitor is not right[\s\S]*every must be at least 1, not 0"),
    ("experiments.mnist.train.seeds", [], r"experiments\.mnist\.train is not right[\s\S]*at least one seed"),
    ("experiments.mnist.train.seeds", [1, 1], r"seeds must differ from each other: \[1, 1\]"),
    ("experiments.mnist.train.seeds", [-1], r"seeds must not be negative: \[-1\]"),
    (f"{MODEL}.noise.dimensions", 0, r"mnist\.train\.model\.noise is not right[\s\S]*dimensions must be at least 1"),
    (f"{MODEL}.generator.hidden.0.units", 0, r"model\.generator\.hidden\.0 is not right[\s\S]*units must be at least"),
    (f"{MODEL}.discriminator.hidden.1.keep", 1.5, r"hidden\.1 is not right[\s\S]*keep must be above 0 and at most 1"),
    (f"{MODEL}.recipe.batch_size", 0, r"model\.recipe is not right[\s\S]*batch_size must be at least 1, not 0"),
    (f"{MODEL}.recipe.average_decay", 1, r"recipe is not right[\s\S]*average_decay must be from 0 to below 1"),
    (f"{MODEL}.recipe.discriminator_steps", 2, r"discriminator_steps must be 1 with simultaneous updates, not 2"),
    (f"{MODEL}.recipe.learning_rate.initial", -0.1, r"learning_rate is not right[\s\S]*initial must be finite"),
    (f"{MODEL}.recipe.momentum.final", 1.0, r"recipe\.momentum is not right[\s\S]*final must be from 0 to below 1"),
    ("experiments.mnist.profiles.cpu.train.model.recipe.epochs", 0,
     r"mnist\.train\.model\.recipe is not right \(profile cpu\)[\s\S]*epochs must be at least 1, not 0"),
    ("experiments.mnist_kmeans.train.model.clusters", 0, r"mnist_kmeans\.train\.model is not right[\s\S]*clusters"),
    ("figures.rows", 0, r"params\.yaml: figures is not right[\s\S]*rows must be from 1 to 100, not 0"),
    ("figures.steps", 1, r"params\.yaml: figures is not right[\s\S]*steps must be from 2 to 100, not 1"),
    ("experiments.digits.figures.rows", 0, r"digits\.figures is not right[\s\S]*rows must be from 1 to 100, not 0"),
    ("experiments.mnist.figures", {"steps": 1}, r"mnist\.figures is not right[\s\S]*steps must be from 2 to 100"),
])
def test_a_value_out_of_range_is_named_with_its_range(name, value, expected):
    with pytest.raises(ParameterError, match=expected):
        check(changed({name: value}))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", [
    "monitor.grid.highest", f"{MODEL}.recipe.learning_rate.initial", f"{MODEL}.recipe.learning_rate.decay",
    f"{MODEL}.generator.hidden.0.irange", f"{MODEL}.discriminator.output.irange"])
def test_numbers_that_are_not_finite_are_refused(name, number):
    with pytest.raises(ParameterError, match=dotted(tuple(name.split(".")[:-1]))):
        check(changed({name: number}))


@pytest.mark.parametrize(("name", "value", "named"), [
    ("parzen", None, r"params\.yaml: parzen is not right"),
    ("parzen.samples", "many", r"parzen\.samples is not right[\s\S]*valid integer[\s\S]*'many'"),
    ("parzen.samples", 0.5, r"parzen\.samples is not right[\s\S]*integer[\s\S]*0\.5"),
    ("parzen.samples", [1], r"parzen\.samples is not right[\s\S]*integer[\s\S]*\[1\]"),
    ("parzen.paper_grid", 3, r"parzen\.paper_grid is not right"),
    ("figures", [4, 5], r"params\.yaml: figures is not right[\s\S]*a mapping"),
    ("experiments.mnist.figures", [4, 5], r"experiments\.mnist\.figures is not right"),
    ("experiments.mnist.figures", {"rows": "4"}, r"experiments\.mnist\.figures\.rows is not right[\s\S]*integer"),
    ("datasets", ["mnist"], r"params\.yaml: datasets[\s\S]*a mapping"),
    ("datasets.mnist", "mnist", r"datasets\.mnist is not right"),
    ("experiments", None, r"params\.yaml: experiments[\s\S]*a mapping"),
    ("experiments", ["mnist"], r"params\.yaml: experiments[\s\S]*a mapping"),
    ("experiments", 3, r"params\.yaml: experiments[\s\S]*a mapping"),
    ("experiments.mnist", None, r"experiments\.mnist[\s\S]*a mapping"),
    ("experiments.mnist.title", None, r"mnist\.title is not right[\s\S]*string"),
    ("experiments.mnist.title", datetime.date(2014, 6, 10), r"mnist\.title is not right[\s\S]*string"),
    ("experiments.mnist.train", [], r"mnist\.train is not right"),
    ("experiments.mnist.train.seeds", 3, r"train\.seeds is not right[\s\S]*list[\s\S]*3"),
    ("experiments.mnist.train.seeds", ["one"], r"train\.seeds\.0 is not right[\s\S]*integer[\s\S]*'one'"),
    ("experiments.mnist.runs_in", "cpu", r"mnist\.runs_in is not right[\s\S]*list[\s\S]*'cpu'"),
    ("experiments.mnist.profiles", ["cpu"], r"experiments\.mnist\.profiles"),
    ("experiments.mnist.profiles", {"cpu": 5}, r"experiments\.mnist"),
    ("experiments.mnist.profiles", {"cpu": {"train": 5}}, r"mnist\.train is not right \(profile cpu\)"),
    ("parzen.profiles", {"smoke": [5]}, r"parzen"),
    (f"{MODEL}.recipe.updates", "simultanous", r"recipe\.updates is not right[\s\S]*'simultaneous' or 'alternating'"),
    (f"{MODEL}.recipe.objective", "max",
     r"recipe\.objective is not right[\s\S]*'non_saturating', 'minimax' or 'relativistic'"),
    (f"{MODEL}.generator.output.bias", "marginal", r"output\.bias is not right[\s\S]*'zero' or 'marginal_logit'"),
])
def test_a_value_of_the_wrong_kind_is_named(name, value, named):
    with pytest.raises(ParameterError, match=named):
        check(changed({name: value}))


@pytest.mark.parametrize(("name", "value"), [
    ("parzen.samples", "300"), ("parzen.samples", "10_000"), ("parzen.validation_images", True),
    ("experiments.digits.train.seeds", ["1"]), ("experiments.digits.train.seeds", [True]),
    ("experiments.digits.figures.rows", "4"), (f"{MODEL}.recipe.learning_rate.initial", "0.1")])
def test_a_number_in_quotes_or_a_truth_value_is_not_taken_for_a_number(name, value):
    """Stages read the file's own values, not what the check might make of them."""
    with pytest.raises(ParameterError, match=name):
        check(changed({name: value}))


def test_a_whole_number_serves_where_a_fraction_may_stand():
    checked = check(changed({f"{MODEL}.recipe.learning_rate.initial": 1}))
    assert checked.configuration("mnist")["train"]["model"]["recipe"]["learning_rate"]["initial"] == 1


@pytest.mark.parametrize(("name", "value", "named"), [
    ("profile", "papr", r"params\.yaml: profile: unknown profile 'papr'[\s\S]*paper, cpu, smoke[\s\S]*mean 'paper'"),
    ("profile", None, r"params\.yaml: profile: unknown profile None"),
    ("experiments.mnist.profile", "papr", r"experiments\.mnist: unknown profile 'papr'[\s\S]*did you mean 'paper'"),
    ("experiments.mnist.runs_in", ["cpu", "smok"], r"mnist: unknown profile 'smok'[\s\S]*did you mean 'smoke'"),
    ("experiments.mnist.profiles.cpuu", {}, r"experiments\.mnist\.profiles: unknown profile 'cpuu'[\s\S]*'cpu'"),
    ("parzen.profiles.smokes", {}, r"parzen\.profiles: unknown profile 'smokes'[\s\S]*did you mean 'smoke'"),
    ("monitor.profiles.papre", {}, r"monitor\.profiles: unknown profile 'papre'[\s\S]*did you mean 'paper'"),
    ("experiments.mnist.dataset", "mnsit", r"mnist\.dataset: unknown data set 'mnsit'[\s\S]*did you mean 'mnist'"),
    (f"{MODEL}.kind", "adverserial_nets", r"mnist\.train\.model[\s\S]*'adverserial_nets'[\s\S]*did you mean "
                                          r"'adversarial_nets'"),
])
def test_an_unknown_name_is_shown_with_the_nearest(name, value, named):
    with pytest.raises(ParameterError, match=named):
        check(changed({name: value}))


def test_every_number_of_every_lesson_is_in_the_file():
    for name, lesson in LESSONS.items():
        assert list(RAW["lessons"][name]) == [field.name for field in dataclasses.fields(lesson.settings)]


# The file.

@pytest.mark.parametrize(("content", "named"), [
    (b"", r"params\.yaml is empty or not a mapping[\s\S]*git checkout params\.yaml"),
    (b"# only words\n", r"params\.yaml is empty or not a mapping"),
    (b"- a\n- b\n", r"params\.yaml is empty or not a mapping"),
    (b"profile: [cpu\nrun: {", r"params\.yaml is not YAML[\s\S]*line 2[\s\S]*correct the line"),
    (b"profile: cpu\n\tparzen: 3\n", r"params\.yaml is not YAML[\s\S]*line"),
    (b"profile: cpu\nprofile: paper\n", r"params\.yaml is not YAML[\s\S]*duplicate key"),
    (b"profile: \xff\xfe\n", r"params\.yaml is not YAML"),
    (b"profile: \x00\n", r"params\.yaml is not YAML"),
    (b"profile: cpu\n", r"params\.yaml: datasets is missing"),
])
def test_a_file_that_is_not_the_parameters_is_an_error_with_a_cure(tmp_path, monkeypatch, content, named):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(content)
    with pytest.raises(ParameterError, match=named):
        load()


def test_a_missing_file_says_where_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=r"params\.yaml is missing[\s\S]*top of the repository"):
        load()


def test_a_python_object_in_the_file_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(f"profile: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(ParameterError):
        load()
    assert not Path("made").exists()


# Profiles.

def test_the_committed_overrides_reach_the_stages_that_read_them():
    content = changed({"profile": "cpu", "experiments.mnist.profile": None,
                       "experiments.mnist.profiles": {"cpu": {"train": {"model": {"recipe": {"epochs": 7}}}}},
                       "parzen.profiles": {"cpu": {"samples": 77}}, "monitor.profiles": {"cpu": {"every": 3}}})
    paper, cpu = (check(content | {"profile": name}).configuration("mnist") for name in ("paper", "cpu"))
    assert cpu["train"]["model"]["recipe"] == RAW["experiments"]["mnist"]["train"]["model"]["recipe"] | {"epochs": 7}
    assert cpu["train"]["monitor"] == paper["train"]["monitor"] | {"every": 3}
    assert cpu["sample"] == paper["sample"] | {"samples": 77}
    assert cpu["bandwidth"] == paper["bandwidth"]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_word_profiles_is_in_no_configuration(profile):
    checked = check(changed({"profile": profile}, RAW))
    for name in RAW["experiments"]:
        assert '"profiles"' not in json.dumps(checked.configuration(name))


def test_an_experiment_with_a_profile_of_its_own_has_it_whatever_the_other_is():
    content = changed({"profile": "smoke", "experiments.mnist.profile": "paper"})
    checked = check(content)
    assert checked.profile_of("mnist") == "paper"
    assert checked.profile_of("digits") == "smoke"
    alone = check(changed({"profile": "paper", "experiments.mnist.profile": None}))
    mixed, pure = checked.configuration("mnist"), alone.configuration("mnist")
    # Rows are compared with each other: what measures them is the data set's, of the whole graph's profile.
    of_mixed, of_pure = mixed.pop("assess"), pure.pop("assess")
    assert mixed == pure
    assert of_mixed["assess"]["likelihood"] == of_pure["assess"]["likelihood"]


def test_a_profile_cannot_give_an_experiment_another_data_set():
    """The graph takes the data set from plan.yaml, the stages from their configuration."""
    content = changed({"experiments.mnist.profiles": {"smoke": {"dataset": "digits"}}})
    with pytest.raises(ParameterError, match=r"experiments\.mnist"):
        check(content)


# Figures.

def test_an_experiment_overrides_the_shared_block_of_figures():
    checked = check(FEW)
    assert checked.figures("digits", "paper") == FEW["figures"] | {"rows": 3, "steps": 5}
    assert checked.figures("mnist", "paper") == FEW["figures"]
    assert checked.configuration("digits")["sample"]["steps"] == 5
    assert checked.configuration("mnist")["sample"]["steps"] == FEW["figures"]["steps"]
    assert checked.configuration("digits")["figures"].items() >= (FEW["figures"] | {"rows": 3, "steps": 5}).items()


def test_profiles_reach_the_figures():
    checked = check(changed({"figures.profiles": {"smoke": {"columns": 2}},
                             "experiments.digits.profiles": {"smoke": {"figures": {"rows": 1}}}}))
    assert checked.figures("digits", "smoke") == FEW["figures"] | {"rows": 1, "columns": 2, "steps": 5}
    assert checked.figures("digits", "cpu") == FEW["figures"] | {"rows": 3, "steps": 5}


# Writing the profile.

@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_bytes(COMMITTED.read_bytes())
    return path


OTHER = next(name for name in PROFILES if name != RAW["profile"])


def test_writing_what_the_file_says_already_changes_no_byte(file):
    assert write_profile(load(file).profile, file) is False
    assert file.read_bytes() == COMMITTED.read_bytes()


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != RAW["profile"]])
def test_the_second_of_two_equal_writings_changes_nothing(file, profile):
    assert write_profile(profile, file) is True
    first = file.read_bytes()
    assert write_profile(profile, file) is False
    assert file.read_bytes() == first
    assert load(file).profile == profile


def test_another_profile_changes_one_line(file):
    assert write_profile(OTHER, file) is True
    assert changed_lines(COMMITTED.read_text(), file.read_text()) == [f"-profile: {RAW['profile']}",
                                                                      f"+profile: {OTHER}"]


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != RAW["profile"]])
def test_all_but_the_profile_stays_byte_for_byte(file, profile):
    write_profile(profile, file)
    line = f"\nprofile: {RAW['profile']}\n".encode()
    assert COMMITTED.read_bytes().count(line) == 1
    assert file.read_bytes() == COMMITTED.read_bytes().replace(line, f"\nprofile: {profile}\n".encode())


def test_there_and_back_is_the_same_file_with_its_comments(file):
    write_profile(OTHER, file)
    write_profile(RAW["profile"], file)
    assert file.read_bytes() == COMMITTED.read_bytes()


@pytest.mark.parametrize("layout", [
    pytest.param(lambda text: text.replace("\nprofile:", '\n"profile":'), id="a key in quotes"),
    pytest.param(lambda text: text.replace("\nprofile:", "\nprofile :"), id="a space before the colon"),
    pytest.param(lambda text: text.replace("\nprofile: ", "\nprofile:\n  "), id="the value on a line of its own"),
    pytest.param(lambda text: text.replace(f"\nprofile: {RAW['profile']}", f'\nprofile: "{RAW["profile"]}"'),
                 id="a value in quotes"),
    pytest.param(lambda text: text.replace("\n", "\r\n"), id="lines as Windows ends them"),
    pytest.param(lambda text: text.replace("\nprofile:", "\n# profile: paper, as a comment\nprofile:"),
                 id="the word in a comment before"),
    pytest.param(lambda text: text.replace(f"\nprofile: {RAW['profile']}\n", "\n") + f"profile: {RAW['profile']}",
                 id="at the end, without a last newline")])
def test_a_file_laid_out_otherwise_is_written_right_or_left_alone_with_a_clear_error(file, layout):
    file.write_bytes(layout(COMMITTED.read_text()).encode())
    before = file.read_bytes()
    assert load(file).profile == RAW["profile"]
    try:
        write_profile(OTHER, file)
    except ParameterError as error:
        assert "laid out so that the profile cannot be written" in str(error)  # noqa: PT017
        assert file.read_bytes() == before
    else:
        assert load(file).raw == AS_WRITTEN | {"profile": OTHER}
        assert write_profile(OTHER, file) is False


def test_a_comment_beside_the_profile_stays(file):
    file.write_text(COMMITTED.read_text().replace(f"\nprofile: {RAW['profile']}\n",
                                                  f"\nprofile: {RAW['profile']}  # mine\n"))
    write_profile("smoke", file)
    assert re.search(r"^profile: smoke +# mine$", file.read_text(), re.M)


def test_lines_keep_their_ends(file):
    file.write_bytes(COMMITTED.read_bytes().replace(b"\n", b"\r\n"))
    before = file.read_bytes()
    write_profile(OTHER, file)
    assert file.read_bytes() == before.replace(f"\nprofile: {RAW['profile']}\r".encode(),
                                               f"\nprofile: {OTHER}\r".encode())


def test_a_full_disk_leaves_the_file_as_it_was(file, monkeypatch):
    def full(path: Path, content: str) -> None:
        raise ReproductionError("cannot write")
    monkeypatch.setattr(parameters.files, "write_text", full)
    with pytest.raises(ReproductionError):
        write_profile("smoke", file)
    assert file.read_bytes() == COMMITTED.read_bytes()


def test_any_order_of_keys_is_the_same_file():
    def shuffled(value: Any, order: random.Random) -> Any:
        if isinstance(value, list):
            return [shuffled(inner, order) for inner in value]
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        order.shuffle(items)
        return {key: shuffled(inner, order) for key, inner in items}
    one, other = check(FEW), check(shuffled(FEW, random.Random(1)))
    for name in FEW["experiments"]:
        assert other.configuration(name) == one.configuration(name)


# What goes with a data set.

def test_overrides_of_a_data_set_reach_its_experiments_alone():
    parameters = check(FEW)
    assert parameters.parzen("paper", "digits").samples == 200
    assert parameters.parzen("paper", "digits").refined_grid.points == 71
    assert parameters.parzen("paper", "mnist").samples == FEW["parzen"]["samples"]
    assert parameters.monitor("paper", "digits").grid.lowest == 0.2
    assert parameters.configuration("digits")["bandwidth"]["refined_grid"]["points"] == 71
    assert parameters.configuration("digits")["train"]["monitor"]["grid"]["lowest"] == 0.2
    assert parameters.configuration("mnist")["sample"]["samples"] == FEW["parzen"]["samples"]


def test_an_override_for_an_unknown_data_set_is_named_with_the_nearest():
    with pytest.raises(ParameterError, match=r"parzen\.datasets: unknown data set 'digit'[\s\S]*mean 'digits'"):
        check(changed({"parzen.datasets": {"digit": {"samples": 3}}}))


def test_a_wrong_override_of_a_data_set_is_named():
    with pytest.raises(ParameterError, match=r"monitor\.grid\.lowst: unknown key[\s\S]*did you mean 'lowest'"):
        check(changed({"monitor.datasets.digits.grid": {"lowst": 0.2}}))


@pytest.mark.parametrize(("entry", "message"), [
    ({"loader": "mnits"}, r"datasets\.faces: unknown loader 'mnits'[\s\S]*did you mean 'mnist'"),
    ({"loadr": "mnist"}, r"datasets\.faces\.loadr: unknown key[\s\S]*did you mean 'loader'"),
    ({}, r"datasets\.faces\.loader is missing[\s\S]*mnist, digits, cifar10, tfd, image_folder"),
    (None, r"datasets\.faces is not right[\s\S]*a mapping"),
    ({"loader": "mnist", "size": 3}, r"datasets\.faces\.size: unknown key"),
    (RAW["datasets"]["faces"] | {"channels": 2}, r"datasets\.faces\.channels is not right[\s\S]*1 or 3"),
    (RAW["datasets"]["faces"] | {"test": 0.95}, r"datasets\.faces is not right[\s\S]*must leave images to train on"),
    (RAW["datasets"]["faces"] | {"folder": "../elsewhere"}, r"datasets\.faces is not right[\s\S]*without a path")])
def test_a_wrong_data_set_is_named(entry, message):
    with pytest.raises(ParameterError, match=message):
        check(changed({"datasets.faces": entry}))


def test_a_data_set_whose_name_cannot_be_a_files_is_refused():
    with pytest.raises(ParameterError, match=r"datasets\.\.\./up has a name that cannot be a file's"):
        check(changed({"datasets": FEW["datasets"] | {"../up": {"loader": "mnist"}}}))


# What a profile changes.

words = st.text(max_size=3)
values = st.recursive(st.integers() | words | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    words, inner, min_size=1, max_size=3), max_leaves=8)


@given(values)
def test_equal_blocks_do_not_differ(block):
    assert parameters.differences(block, copy.deepcopy(block), "train") == []


@given(st.dictionaries(words, values, max_size=4), st.dictionaries(words, values, max_size=4))
def test_unequal_blocks_differ(one, other):
    assert bool(parameters.differences(one, other)) == (one != other)


def test_every_difference_is_named_with_both_values():
    paper = {"seeds": [1, 2], "hidden": [{"units": 8000, "irange": 0.05}, {"units": 100}], "output": {"bias": "zero"},
             "pretraining": {"recipe": {"epochs": 50}}}
    here = {"seeds": [1], "hidden": [{"units": 800, "irange": 0.05}], "output": {"bias": "zero", "nonzero": None}}
    assert parameters.differences(paper, here, "train") == [
        {"setting": "train.seeds", "paper": [1, 2], "here": [1]},
        {"setting": "train.hidden[0].units", "paper": 8000, "here": 800},
        {"setting": "train.hidden[1].units", "paper": 100, "here": None},
        {"setting": "train.output.nonzero", "paper": None, "here": None},
        {"setting": "train.pretraining.recipe.epochs", "paper": 50, "here": None}]


def test_the_paper_profile_differs_in_nothing_and_another_in_what_it_overrides():
    shorter = {"setting": "train.model.recipe.epochs", "paper": 2000, "here": 40}
    for profile, found in (("paper", []), ("cpu", [shorter])):
        content = changed({"profile": profile, "experiments.mnist.profile": None})
        assert check(content).configuration("mnist")["evaluate"]["differences"] == found


def structure(value: Any) -> Any:
    """Everything that is no width, number of updates, seed, range of initial weights or size of a step."""
    free = {"units", "channels", "epochs", "seeds", "average_decay", "irange", "initial"}
    if isinstance(value, dict):
        return {key: structure(inner) for key, inner in value.items() if key not in free}
    return [structure(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["mnist", "cifar10_fully_connected", "cifar10_convolutional", "tfd"])
def test_the_cpu_profile_keeps_the_structure_of_the_papers_networks(name):
    paper, cpu = (load(COMMITTED).entry(name, profile)["train"] for profile in ("paper", "cpu"))
    assert cpu != paper
    assert structure(cpu) == structure(paper)
