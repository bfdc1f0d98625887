"""The configure stage: each stage gets a file of the values that it reads, and of no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gan.errors import DataError, ParameterError
from pipeline.stages import configure

STAGES = ("bandwidth", "evaluate", "figures", "sample", "sample_size", "train")
RECIPE = "experiments.digits.train.model.recipe"


def configured(experiment: str) -> dict[str, bytes]:
    """By stage, the bytes that `configure` writes."""
    configure.main(experiment)
    folder = Path("artifacts") / experiment / "configuration"
    return {path.stem: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("experiment", ["digits", "digits_training_images", "digits_kmeans"])
def test_every_stage_gets_a_file_of_its_own(digits, experiment):
    written = configured(experiment)
    assert tuple(written) == STAGES
    for stage, content in written.items():
        content = json.loads(content)
        content.pop(configure.CODE, None)  # for DVC alone
        assert content["experiment"] == experiment
        assert configure.configuration(experiment, stage) == content


def test_the_files_hold_what_the_stages_read(digits):
    configured("digits")
    train = configure.configuration("digits", "train")
    assert (train["dataset"], train["profile"], train["seeds"]) == ("digits", "smoke", [1, 2])
    assert train["model"]["recipe"]["epochs"] == 5
    assert train["monitor"]["images"] == 40
    assert configure.configuration("digits", "sample")["samples"] == 60
    assert configure.configuration("digits", "bandwidth")["validation_images"] == 40
    assert configure.configuration("digits", "evaluate")["title"] == "Adversarial nets"
    assert configure.configuration("digits", "sample_size")["sizes"] == [20, 60]
    assert configure.configuration("digits", "figures")["rows"] == 4


def test_a_second_run_gives_the_same_bytes(digits):
    assert configured("digits") == configured("digits")


@pytest.mark.parametrize(("changes", "stages"), [
    ({f"{RECIPE}.epochs": 6}, {"train"}),
    ({"experiments.digits.train.seeds": [3]}, {"train"}),
    ({"monitor.every": 1}, {"train"}),
    ({"parzen.samples": 61}, {"sample"}),
    ({"parzen.validation_images": 41}, {"bandwidth"}),
    ({"parzen.refined_grid.points": 80}, {"bandwidth", "sample_size"}),
    ({"parzen.sample_sizes.sizes": [20, 30]}, {"sample_size"}),
    ({"parzen.sample_sizes.test_images": 51}, {"sample_size"}),
    ({"experiments.digits.figures.rows": 3}, {"figures"}),
    ({"experiments.digits.figures.columns": 3}, {"figures"}),
    ({"experiments.digits.figures.steps": 3}, {"sample", "figures"}),
    ({"experiments.digits.title": "Another"}, {"evaluate", "figures"}),
    ({"profile": "cpu"}, {"train", "evaluate", "sample_size", "figures"}),  # which name it
    ({"experiments.digits_kmeans.train.seeds": [3], "run.left_out": {"mnist": "no network"},
      "experiments.digits.runs_in": ["cpu"]}, set()),
])
def test_a_changed_value_changes_the_files_of_the_stages_that_read_it_and_no_others(digits, changes, stages):
    before = configured("digits")
    digits.change(changes)
    after = configured("digits")
    assert {stage for stage in STAGES if after[stage] != before[stage]} == stages


def test_an_experiment_with_a_profile_of_its_own_stays_the_same_when_the_other_changes(digits):
    digits.change({"experiments.digits.profile": "paper", "parzen.profiles": {"cpu": {"samples": 50}},
                   "experiments.digits.profiles": {"cpu": {"train": {"model": {"recipe": {"epochs": 3}}}}}})
    before, other_before = configured("digits"), configured("digits_kmeans")
    digits.change({"profile": "cpu"})
    assert configured("digits") == before
    assert configured("digits_kmeans") != other_before
    assert configure.configuration("digits", "train")["profile"] == "paper"
    assert configure.configuration("digits", "sample")["samples"] == 60
    assert configure.configuration("digits_kmeans", "sample")["samples"] == 50


def test_an_unknown_experiment_is_named_with_the_nearest_and_nothing_is_written(digits):
    with pytest.raises(ParameterError, match=r"unknown experiment 'digit_kmeans'[\s\S]*did you mean 'digits_kmeans'"):
        configure.main("digit_kmeans")
    assert not Path("artifacts").exists()


def test_an_error_anywhere_in_the_parameters_stops_before_anything_is_written(digits):
    digits.change({"experiments.digits_kmeans.train.model.cluster": 4})
    with pytest.raises(ParameterError, match=r"digits_kmeans\.train\.model\.cluster: unknown key"):
        configure.main("digits")
    assert not Path("artifacts").exists()


def test_a_stage_whose_configuration_is_missing_says_what_makes_it(digits):
    with pytest.raises(DataError, match=r"configuration/train\.json is missing[\s\S]*dvc repro"):
        configure.configuration("digits", "train")
