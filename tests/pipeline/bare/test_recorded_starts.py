"""Starts of several runs are joined in a record, each kind with the commits that made it."""

import json

import numpy as np
import pytest

from gan.errors import DataError
from pipeline.bare.recorded_starts import recipe_digest, record
from pipeline.bare.starts import CURVES, Starts, interval, packed
from pipeline.results.long_run import read_long_run

MODEL = {"kind": "adversarial_nets", "recipe": {"epochs": 2000, "batch_size": 100, "maximum_norm": None}}
HARDWARE = {"processor": "Example", "physical_cores": 2, "logical_cores": 2, "memory_gib": 4, "threads": 2,
            "accelerator": "Example GPU", "system": "Linux", "python": "3.12", "torch": "2.11", "numpy": "2",
            "cuda": "13"}


def curves(collapsed):
    """[20][4]"""
    return [[0.5, 0.7, 0.99, 0.01] if collapsed and epoch > 5 else [0.5, 0.7, 0.75, 0.25] for epoch in range(20)]


def starts(seeds, collapsed=()):
    return Starts(list(seeds), [curves(seed in collapsed) for seed in seeds],
                  [-100.0 if seed in collapsed else 90.0 for seed in seeds])


def about(commit="1" * 40, **hardware):
    return {"experiment": "mnist", "profile": "paper", "commit": commit, "data": {"sha256": "d"},
            "hardware": HARDWARE | hardware, "tree_was_clean": True, "recorded": "2026-11-28"}


def run(folder, into, kinds, model=MODEL, **of):
    """Recorded: what a run leaves in `folder`."""
    folder.mkdir(exist_ok=True)
    section, arrays = packed(kinds)
    np.savez_compressed(folder / "starts.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    return record({"collapse": section, "settings": {"model": model}}, folder, into, about(**of))


@pytest.fixture
def into(tmp_path):
    (tmp_path / "record").mkdir()
    return tmp_path / "record"


def found(into):
    return {one.kind: one for one in read_long_run(into).starts}


def test_starts_of_two_runs_are_counted_together(tmp_path, into):
    run(tmp_path / "a", into, {"as released": starts(range(1, 73), {12, 22})})
    run(tmp_path / "b", into, {"as released": starts(range(73, 101), {80}), "tf32": starts([1, 2])}, commit="2" * 40)
    both = found(into)
    released = both["as released"]
    assert (released.seeds, sum(released.collapsed)) == (list(range(1, 101)), 3)
    assert released.interval == pytest.approx(interval(3, 100))
    assert dict(released.commits) == {"1" * 40: 72, "2" * 40: 28}
    assert released.agree == 100
    assert dict(both["tf32"].commits) == {"2" * 40: 2}
    assert released.d_on_data[11][-1] == pytest.approx(0.99)


def test_a_seed_that_was_run_again_counts_once(tmp_path, into):
    run(tmp_path / "a", into, {"as released": starts([1, 2, 3], {2})})
    run(tmp_path / "b", into, {"as released": starts([2, 3, 4])}, commit="2" * 40)
    [released] = found(into).values()
    assert (sorted(released.seeds), sum(released.collapsed)) == ([1, 2, 3, 4], 0)
    assert dict(released.commits) == {"1" * 40: 1, "2" * 40: 3}


@pytest.mark.parametrize("other", [{"accelerator": "Another GPU"}, {"torch": "2.12"}])
def test_starts_of_other_machines_replace_those_of_their_kind_alone(tmp_path, into, other):
    run(tmp_path / "a", into, {"as released": starts([1, 2, 3]), "tf32": starts([1, 2])})
    run(tmp_path / "b", into, {"as released": starts([4, 5])}, commit="2" * 40, **other)
    both = found(into)
    assert both["as released"].seeds == [4, 5]
    assert both["tf32"].seeds == [1, 2]


def test_starts_of_another_recipe_are_not_joined(tmp_path, into):
    run(tmp_path / "a", into, {"as released": starts([1, 2, 3])})
    run(tmp_path / "b", into, {"as released": starts([4, 5])}, {**MODEL, "recipe": {"batch_size": 50}})
    assert found(into)["as released"].seeds == [4, 5]


def test_earlier_records_take_their_recipe_from_the_long_run_beside_them(tmp_path, into):
    run(tmp_path / "a", into, {"as released": starts([1, 2])})
    content = json.loads((into / "collapse.json").read_text())
    del content["collapse"]["as released"]["runs"]
    (into / "collapse.json").write_text(json.dumps(content))
    settings = {"model": {"kind": "adversarial_nets", "recipe": {"epochs": 20, "batch_size": 100}}}
    (into / "annealing.json").write_text(json.dumps({**about(), "annealing": {"settings": settings}}))
    run(tmp_path / "b", into, {"as released": starts([3])}, commit="2" * 40)
    assert dict(found(into)["as released"].commits) == {"1" * 40: 2, "2" * 40: 1}


def test_the_number_of_epochs_and_what_is_off_are_not_of_the_recipe():
    shorter = {"kind": "adversarial_nets", "recipe": {"epochs": 1, "batch_size": 100}}
    assert recipe_digest(MODEL) == recipe_digest(shorter)
    assert recipe_digest(MODEL) != recipe_digest({"kind": "adversarial_nets", "recipe": {"batch_size": 50}})


def test_arrays_of_another_run_are_refused_and_nothing_is_changed(tmp_path, into):
    run(tmp_path / "a", into, {"as released": starts([1, 2])})
    before = (into / "collapse.json").read_bytes()
    section, _ = packed({"as released": starts([3, 4, 5])})
    with pytest.raises(DataError, match="of another run"):
        record({"collapse": section, "settings": {"model": MODEL}}, tmp_path / "a", into, about())
    (tmp_path / "a/starts.npz").unlink()
    with pytest.raises(DataError, match="does not hold the starts"):
        record({"collapse": section, "settings": {"model": MODEL}}, tmp_path / "a", into, about())
    assert (into / "collapse.json").read_bytes() == before


def test_a_batch_that_diverged_is_said(tmp_path, into):
    diverged = starts([1])
    diverged.diverged_batches = 2
    run(tmp_path / "a", into, {"float64": diverged})
    assert found(into)["float64"].diverged_batches == 2
    assert len(CURVES) == len(diverged.names)
