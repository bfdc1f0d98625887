"""What was measured by epoch, and what of it is a curve."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from finished_run import FinishedRun, Scores

from gan.errors import DataError
from pipeline.results.curves import TrainingCurves, mean_curve, phase_ends, seed_range


def test_a_band_goes_from_the_lowest_to_the_highest_seed_where_there_are_two() -> None:
    low, high = seed_range({1: {1: 1.0, 2: 5.0, 3: 9.0}, 2: {1: 3.0, 2: 4.0}})
    assert (low, high) == ({1: 1.0, 2: 4.0}, {1: 3.0, 2: 5.0})
    assert seed_range({}) == ({}, {})


def test_mean_curve_has_only_epochs_that_all_seeds_have() -> None:
    assert mean_curve({1: {1: 1.0, 2: 2.0, 3: 9.0}, 2: {1: 3.0, 2: 4.0}}) == {1: 2.0, 2: 3.0}
    assert mean_curve({}) == {}


@pytest.mark.parametrize(("content", "ends"), [
    ("seed,epoch,game\n1,1,pretraining\n1,2,pretraining\n1,3,training\n2,1,pretraining\n", {2: "pretraining"}),
    ("seed,epoch,layer\n1,1,layer 1\n1,2,layer 2\n1,3,layer 3\n2,1,layer 1\n2,2,layer 2\n",
     {1: "layer 1", 2: "layer 2"}),
    ("seed,epoch\n1,1\n1,2\n", {})])
def test_a_phase_ends_where_another_follows(content: str, ends: dict[int, str]) -> None:
    assert phase_ends(list(csv.DictReader(io.StringIO(content)))) == ends


def test_a_training_that_is_still_to_be_done_has_no_curves(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    assert TrainingCurves.read_if_there(path) == TrainingCurves()
    assert TrainingCurves().tables() == {}
    with pytest.raises(DataError, match=r"(?s)curves\.csv is missing.*dvc repro"):
        TrainingCurves.read(path)


def test_a_single_value_is_no_curve_and_one_seed_no_range(empty: FinishedRun) -> None:
    path = empty.root / "artifacts/mnist/curves.csv"
    empty.add("mnist", scores=Scores({"raw": {1: (100.0, 90.0)}}))
    tables = TrainingCurves.read(path).tables()
    assert list(tables["losses"]) == ["epoch", "discriminator", "generator", "discriminator_seed_1",
                                      "generator_seed_1"]
    assert list(tables["validation"]) == ["epoch", "raw", "raw_seed_1"]
    header, first, *_ = path.read_text().splitlines()
    columns = first.split(",")
    path.write_text("\n".join([header, ",".join([*columns[:2], *[""] * 6, "100.5", ""])]) + "\n")
    assert TrainingCurves.read(path).tables() == {}
