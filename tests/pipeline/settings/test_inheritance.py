"""`like`, `profiles` and overrides of single entries: what a block of params.yaml holds in the end, and from where."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gan.errors import ParameterError
from pipeline.settings import parameters
from pipeline.settings.inheritance import PROFILES, Value, expanded, merged, plain, resolve
from pipeline.settings.parameters import check, read_yaml

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "params.yaml"
RAW: dict[str, Any] = YAML(typ="safe").load(COMMITTED.read_text())
FILE = "params.yaml"


def taken_over(content: Any, path: str) -> Any:
    return plain(expanded(content, path, FILE))


def resolved(block: Any, profile: str) -> Any:
    return plain(resolve({"block": block}, "block", profile, PROFILES, FILE))


def values(tree: Any) -> Iterator[Value]:
    if isinstance(tree, Value):
        yield tree
    else:
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from values(each)


def at(content: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(content, list):
            content = content[int(part)]
        else:
            content = content[part] if part in content else content[int(part)]
    return content


# Profiles.

def test_a_profile_changes_what_it_names_and_nothing_else():
    block = {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "list": [1, 2],
             "profiles": {"cpu": {"b": {"d": {"f": 5}}, "list": [3]}}}
    assert resolved(block, "cpu") == {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 5}}, "list": [3]}
    for other in ("paper", "smoke"):
        assert resolved(block, other) == {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "list": [1, 2]}


def test_profiles_may_stand_in_any_block():
    block = {"inner": {"a": 1, "profiles": {"cpu": {"a": 2}}}, "profiles": {"smoke": {"inner": {"a": 3}}}}
    assert [resolved(block, name)["inner"] for name in PROFILES] == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_profiles_may_stand_in_entries_of_a_list():
    block = {"layers": [{"units": 8, "profiles": {"cpu": {"units": 4}}}, {"units": 2}]}
    assert resolved(block, "cpu") == {"layers": [{"units": 4}, {"units": 2}]}


def test_resolving_leaves_the_block_as_it_was():
    block = {"a": {"b": 1}, "list": [{"c": 1}], "profiles": {"cpu": {"a": {"b": 2}, "list": {0: {"c": 2}}}}}
    before = copy.deepcopy(block)
    resolved(block, "cpu")["a"]["b"] = 3
    assert block == before


def test_a_profile_without_overrides_is_as_none():
    assert resolved({"a": 1, "profiles": {"cpu": None}}, "cpu") == resolved({"a": 1, "profiles": None}, "cpu") == {
        "a": 1}


@pytest.mark.parametrize(("profiles", "named"), [
    (["cpu"], r"block\.profiles is not right[\s\S]*a mapping"), (3, r"block\.profiles is not right"),
    ({"cpu": 5}, r"block\.profiles\.cpu is not right[\s\S]*a mapping"),
    ({"cpu": [5]}, r"block\.profiles\.cpu is not right"),
    ({"cup": {"a": 2}}, r"block\.profiles: unknown profile 'cup'[\s\S]*paper, cpu, smoke[\s\S]*did you mean 'cpu'")])
def test_profiles_that_are_not_right_are_named(profiles, named):
    with pytest.raises(ParameterError, match=named):
        resolved({"a": 1, "profiles": profiles}, "paper")


# like.

BASE: dict[str, Any] = {"a": 1, "b": {"c": 2, "d": 3}, "layers": [{"units": 8, "rate": 0.1}, {"units": 4, "rate": 0.2}],
                        "profiles": {"cpu": {"b": {"c": 20}, "layers": {"1": {"units": 40}}}}}


def test_a_block_is_like_another_but_for_what_stands_beside():
    content = {"base": BASE, "other": {"like": "base", "b": {"d": 30}, "e": 5}}
    assert taken_over(content, "other") == BASE | {"b": {"c": 2, "d": 30}, "e": 5}
    assert taken_over(content, "base") == BASE


def test_like_alone_is_the_same_block():
    assert taken_over({"base": BASE, "other": {"like": "base"}}, "other") == BASE


def test_like_may_stand_in_any_block_and_name_any_block():
    content = {"base": BASE, "other": {"x": {"y": {"like": "base.b", "d": 4}}}}
    assert taken_over(content, "other") == {"x": {"y": {"c": 2, "d": 4}}}


def test_like_may_name_an_entry_of_a_list():
    content = {"base": BASE, "other": {"like": "base.layers.1", "units": 5}}
    assert taken_over(content, "other") == {"units": 5, "rate": 0.2}


def test_a_list_is_taken_over_whole_or_with_entries_overridden():
    content = {"base": BASE, "whole": {"layers": {"like": "base.layers"}},
               "part": {"layers": {"like": "base.layers", 1: {"units": 5}}}}
    assert taken_over(content, "whole.layers") == BASE["layers"]
    assert taken_over(content, "part.layers") == [BASE["layers"][0], {"units": 5, "rate": 0.2}]


def test_a_block_may_be_like_one_that_is_like_a_third():
    content = {"base": BASE, "second": {"like": "base", "b": {"d": 30}}, "third": {"like": "second", "a": 7}}
    assert taken_over(content, "third") == BASE | {"a": 7, "b": {"c": 2, "d": 30}}


def test_a_block_within_one_that_is_like_another_is_found_whole():
    """second.b stands in the file with one value, and has two."""
    content = {"base": BASE, "second": {"like": "base", "b": {"d": 30}}, "third": {"like": "second.b"},
               "fourth": {"like": "second.layers.0"}, "fifth": {"inner": {"like": "second.b", "c": 9}}}
    assert taken_over(content, "third") == {"c": 2, "d": 30}
    assert taken_over(content, "fourth") == BASE["layers"][0]
    assert taken_over(content, "fifth.inner") == {"c": 9, "d": 30}


def test_a_block_within_overrides_of_a_list_is_found_whole():
    content = {"base": BASE, "second": {"like": "base", "layers": {0: {"units": 9}}},
               "third": {"like": "second.layers.0"}}
    assert taken_over(content, "third") == {"units": 9, "rate": 0.1}


@pytest.mark.parametrize("path", [f"experiments.{name}" for name in RAW["experiments"]] + [
    "experiments.faces_five_folds_dbn.train.model", "experiments.cifar10_convolutional.train.model.recipe",
    "experiments.tfd_stacked_cae.train.model.layers.1", "parzen.datasets.faces_five_folds"])
def test_a_path_below_a_block_gives_what_the_block_has_there(path):
    """By whatever way: of the expanded whole, the part."""
    whole = {key: plain(expanded(RAW, key, FILE)) for key in ("experiments", "parzen")}
    assert taken_over(RAW, path) == at(whole, path)


def test_profiles_are_taken_over_and_overridden_key_by_key():
    content = {"base": BASE, "other": {"like": "base", "profiles": {"cpu": {"b": {"d": 30}}, "smoke": {"a": 0}}}}
    cpu, smoke, paper = (plain(resolve(content, "other", name, PROFILES, FILE)) for name in ("cpu", "smoke", "paper"))
    assert cpu["b"] == {"c": 20, "d": 30}
    assert cpu["layers"] == [BASE["layers"][0], {"units": 40, "rate": 0.2}]
    assert (smoke["a"], smoke["b"]) == (0, BASE["b"])
    assert paper == {key: BASE[key] for key in ("a", "b", "layers")}


def test_profiles_of_the_base_go_before_plain_values_of_the_block_that_takes_over():
    """What `cpu` changes in the base it changes here too; to keep a value from it, override it in the profile."""
    content = {"base": BASE, "other": {"like": "base", "b": {"c": 5}}}
    assert plain(resolve(content, "other", "cpu", PROFILES, FILE))["b"]["c"] == 20
    assert plain(resolve(content, "other", "paper", PROFILES, FILE))["b"]["c"] == 5


@pytest.mark.parametrize("profiles", [None, {"cpu": None}])
def test_null_takes_out_what_profiles_change(profiles):
    content = {"base": BASE, "other": {"like": "base", "profiles": profiles}}
    assert plain(resolve(content, "other", "cpu", PROFILES, FILE)) == {key: BASE[key] for key in ("a", "b", "layers")}


def test_null_overrides_a_block():
    content = {"base": BASE, "other": {"like": "base", "b": None}}
    assert taken_over(content, "other") == BASE | {"b": None}
    with pytest.raises(ParameterError, match=r"b\.c"):
        expanded(content, "other.b.c", FILE)


def test_a_whole_list_overrides_a_list_and_nothing_shows_through():
    content = {"base": BASE, "other": {"like": "base", "layers": [{"units": 1}]}}
    assert taken_over(content, "other.layers") == [{"units": 1}]
    assert taken_over(content, "other.layers.0") == {"units": 1}
    with pytest.raises(ParameterError, match=r"layers\.1"):
        expanded(content, "other.layers.1", FILE)


def test_a_profile_may_be_like_another():
    profiles = {"cpu": {"a": 3}, "smoke": {"like": "block.profiles.cpu", "b": 4}}
    content = {"block": {"a": 1, "b": 2, "profiles": profiles}}
    assert plain(resolve(content, "block", "smoke", PROFILES, FILE)) == {"a": 3, "b": 4}


def test_a_block_may_be_like_a_part_of_one_that_takes_over_from_it():
    """As tfd's pretraining, which is like the discriminator beside it."""
    content = {"base": {"x": {"k": 1}, "y": {"like": "base.x", "m": 2}}, "other": {"like": "base", "x": {"k": 3}}}
    assert taken_over(content, "base.y") == {"k": 1, "m": 2}
    assert taken_over(content, "other") == {"x": {"k": 3}, "y": {"k": 1, "m": 2}}


@pytest.mark.parametrize("content", [
    {"a": {"like": "a"}}, {"a": {"like": "b"}, "b": {"like": "a"}},
    {"a": {"like": "b"}, "b": {"like": "c"}, "c": {"like": "a"}},
    {"a": {"x": {"like": "a"}}}, {"a": {"like": "a.b"}}, {"a": {"like": "a.b.c"}},
    {"a": {"x": {"like": "b"}}, "b": {"y": {"like": "a"}}}, {"a": {"x": {"like": "c.d"}}, "c": {"like": "a.x"}},
    {"a": {"layers": [{"like": "a.layers"}]}}, {"a": {"profiles": {"cpu": {"like": "a"}}}},
    {"a": {"x": {"like": "c.x"}}, "c": {"like": "a"}}])
def test_a_block_that_takes_over_itself_is_named_with_the_way_round(content):
    with pytest.raises(ParameterError, match=r"params\.yaml: [\w.]+ is like itself[\s\S]* → [\s\S]*take one `like`"):
        expanded(content, "a", FILE)


@pytest.mark.parametrize(("like", "named"), [
    ("bsae", r"other is like bsae, which is not there[\s\S]*found: bsae[\s\S]*did you mean base\?"),
    ("base.layres", r"other is like base\.layres, which is not there[\s\S]*did you mean base\.layers\?"),
    ("second.layres", r"other is like second\.layres, which is not there[\s\S]*did you mean second\.layers\?"),
    ("base.layers.7", r"other is like base\.layers\.7, which is not there[\s\S]*name a block"),
    ("base.a.b", r"other is like base\.a\.b, which is not there"),
    ("xyz", r"other is like xyz, which is not there[\s\S]*name a block of this file"),
    ("", r"other is like , which is not there"),
    ("base.a", r"other is like base\.a, which is no block[\s\S]*found: 1"),
    (None, r"other\.like is not right[\s\S]*dotted path[\s\S]*None"), (3, r"other\.like is not right"),
    (["base"], r"other\.like is not right"), ({"base": None}, r"other\.like is not right")])
def test_a_like_that_leads_nowhere_is_named_with_the_nearest(like, named):
    content = {"base": BASE, "second": {"like": "base", "z": 1}, "other": {"like": like}}
    with pytest.raises(ParameterError, match=named):
        expanded(content, "other", FILE)


def test_a_misspelt_like_of_an_experiment_is_named_by_the_check_of_the_file():
    content = copy.deepcopy(RAW)
    content["experiments"]["faces"]["like"] = "experiments.tdf"
    with pytest.raises(ParameterError, match=r"params\.yaml: experiments\.faces is like experiments\.tdf, which is not "
                                             r"there[\s\S]*did you mean experiments\.tfd\?"):
        check(content)


# Entries of lists.

def test_entries_of_a_list_are_overridden_by_their_places():
    assert merged([{"a": 1, "b": 2}, {"a": 3}], {0: {"a": 5}, "1": {"c": 6}}) == [{"a": 5, "b": 2}, {"a": 3, "c": 6}]
    assert merged([1, 2, 3], {1: 5}) == [1, 5, 3]
    assert merged({"x": [[1, 2], [3]]}, {"x": {0: {1: 9}}}) == {"x": [[1, 9], [3]]}
    assert merged([1, 2], {}) == [1, 2]


def test_a_list_overrides_a_list_whole():
    assert merged({"x": [1, 2, 3]}, {"x": [4]}) == {"x": [4]}
    assert merged({"x": [1, 2, 3]}, {"x": []}) == {"x": []}


@pytest.mark.parametrize(("override", "named"), [
    ({2: {"units": 1}}, r"layers\.2 overrides an entry that is not there[\s\S]*from 0 to 1"),
    ({0: {}, 17: {}}, r"layers\.17 overrides an entry that is not there")])
def test_a_place_that_a_list_lacks_is_named(override, named):
    with pytest.raises(ParameterError, match=named):
        taken_over({"base": BASE, "other": {"like": "base", "layers": override}}, "other")
    with pytest.raises(ParameterError, match=named):
        resolved(BASE | {"profiles": {"cpu": {"layers": override}}}, "cpu")


@pytest.mark.parametrize("key", [-1, 0.5, "first"])
def test_what_is_no_place_does_not_pass_for_an_override(key):
    """The mapping then stands in place of the list, which the check refuses."""
    content = copy.deepcopy(RAW)
    content["experiments"]["tfd_dbn"]["train"]["model"]["layers"] = {key: {"units": 512}}
    with pytest.raises(ParameterError, match=r"experiments\.tfd_dbn\.train\.model\.layers is not right[\s\S]*list"):
        check(content)


blocks = st.recursive(st.integers() | st.none() | st.text("ab", max_size=2), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=10)


@given(blocks, blocks)
def test_merging_changes_neither_side_and_merging_again_changes_nothing(base, override):
    before = copy.deepcopy((base, override))
    once = merged(base, override)
    assert (base, override) == before
    assert merged(once, override) == once


@given(st.dictionaries(st.sampled_from("abcd"), blocks, max_size=4),
       st.dictionaries(st.sampled_from("abcd"), blocks, max_size=4))
def test_like_is_the_merging_of_what_stands_in_both(base, own):
    assert taken_over({"base": base, "other": {**own, "like": "base"}}, "other") == merged(base, own)


# Where each value stands.

def test_every_value_knows_where_it_stands():
    content = {"base": BASE, "second": {"like": "base", "b": {"d": 30}, "layers": {0: {"units": 9}}},
               "third": {"inner": {"like": "second"}}}
    tree = resolve(content, "third", "cpu", PROFILES, FILE)
    assert tree["inner"]["a"] == Value(1, "base.a")
    assert tree["inner"]["b"] == {"c": Value(20, "base.profiles.cpu.b.c"), "d": Value(30, "second.b.d")}
    assert tree["inner"]["layers"] == [
        {"units": Value(9, "second.layers.0.units"), "rate": Value(0.1, "base.layers.0.rate")},
        {"units": Value(40, "base.profiles.cpu.layers.1.units"), "rate": Value(0.2, "base.layers.1.rate")}]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", RAW["experiments"])
def test_every_value_of_every_experiment_stands_in_the_file_where_it_says(name, profile):
    for value in values(resolve(RAW, f"experiments.{name}", profile, PROFILES, FILE)):
        assert at(RAW, value.path) == value.value


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_value_that_is_changed_where_it_stands_is_changed_in_the_end(data):
    name, profile = data.draw(st.sampled_from(list(RAW["experiments"]))), data.draw(st.sampled_from(PROFILES))
    before = list(values(resolve(RAW, f"experiments.{name}", profile, PROFILES, FILE)))
    place = data.draw(st.integers(0, len(before) - 1))
    content = copy.deepcopy(RAW)
    parent, _, last = before[place].path.rpartition(".")
    block = at(content, parent)
    block[int(last) if isinstance(block, list) else last] = "another"
    after = list(values(resolve(content, f"experiments.{name}", profile, PROFILES, FILE)))
    assert after[place] == Value("another", before[place].path)
    assert [one.path for one in after] == [one.path for one in before]


# The file.

@pytest.mark.parametrize(("content", "line", "shown"), [
    ("a: &name {b: 1}\nc: *name\n", 1, "a: &name {b: 1}"), ("c: 1\nd:\n  e: &x [1]\n", 3, "e: &x [1]"),
    ("a: 1\nb: {<<: *x}\n", 2, "b: {<<: *x}")])
def test_anchors_and_aliases_are_refused_with_what_to_write_instead(tmp_path, content, line, shown):
    path = tmp_path / FILE
    path.write_text(content)
    with pytest.raises(ParameterError) as raised:
        read_yaml(path)
    message = str(raised.value)
    assert f"params.yaml has an anchor or alias in line {line}" in message
    assert shown in message
    assert "dvc exp run -S" in message
    assert "`like: dotted.path.of.the.block`" in message


def test_an_anchor_in_the_committed_file_is_refused(tmp_path):
    path = tmp_path / FILE
    path.write_text(COMMITTED.read_text().replace("    train:\n", "    train: &shared\n", 1))
    with pytest.raises(ParameterError, match="has an anchor or alias"):
        parameters.load(path, plan=False)


@pytest.mark.parametrize("content", ["a: 'x & y *z'  # &name *alias\n", 'a: "*b"\n', "a: x*y & z\n", "a: |\n  &b *c\n"])
def test_the_signs_of_anchors_within_words_are_words(tmp_path, content):
    path = tmp_path / FILE
    path.write_text(content)
    assert set(read_yaml(path)) == {"a"}


@pytest.mark.parametrize(("written", "read"), [("2014", 2014), ("true", True), ("2014-06-10", date(2014, 6, 10)),
                                               ("1e3", 1000.0), ("null", None), ("0x1f", 31)])
@pytest.mark.parametrize("block", ["experiments", "datasets", "lessons"])
def test_names_that_are_no_text_to_yaml_are_named_with_quotes_as_the_remedy(tmp_path, block, written, read):
    path = tmp_path / FILE
    entry = "{like: experiments.mnist}" if block == "experiments" else "{loader: mnist}"
    path.write_text(COMMITTED.read_text().replace(f"\n{block}:\n", f"\n{block}:\n  {written}: {entry}\n"))
    with pytest.raises(ParameterError) as raised:
        parameters.load(path, plan=False)
    message = str(raised.value)
    assert f"params.yaml: {block}.{read} has a name that is no text to YAML" in message
    assert f"put it in quotes: '{read}'" in message


def test_names_in_quotes_are_names(tmp_path):
    path = tmp_path / FILE
    text = COMMITTED.read_text().replace("\nexperiments:\n", "\nexperiments:\n  '2014': {like: experiments.mnist}\n")
    path.write_text(text.replace("\ndatasets:\n", "\ndatasets:\n  'true': {loader: mnist}\n"))
    checked = parameters.load(path, plan=False)
    assert checked.configuration("2014")["train"]["seeds"] == [1, 2, 3]
    assert "true" in checked.datasets


def test_a_place_in_a_list_is_the_same_as_a_number_and_as_text():
    for key in (1, "1"):
        override = {"cpu": {"layers": {key: {"units": 3}}}}
        content = {"block": {"layers": [{"units": 1}, {"units": 2}], "profiles": override}}
        assert plain(resolve(content, "block", "cpu", PROFILES, FILE)) == {"layers": [{"units": 1}, {"units": 3}]}
