"""The configure stage: each stage gets a file of the values that it reads, and of no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gan.errors import DataError, ParameterError, ReproductionError
from pipeline.artifacts.configuration import CODE, FOLDER, configuration, configuration_file
from pipeline.runtime import code
from pipeline.settings.plan import Plan
from pipeline.stages import configure

STAGES = ("assess", "bandwidth", "evaluate", "figures", "sample", "sample_size", "train")
OF_DATA = ("download", "features", "prepare", "references")
RECIPE = "experiments.digits.train.model.recipe"


def configured(experiment: str) -> dict[str, bytes]:
    """By stage, the bytes that `configure` writes."""
    configure.main()
    return {path.stem: path.read_bytes() for path in sorted((FOLDER / experiment).iterdir())
            if path.stem not in OF_DATA}  # of the data set of that name


@pytest.mark.parametrize("experiment", ["digits", "digits_training_images", "digits_kmeans"])
def test_every_stage_gets_a_file_of_its_own(digits, experiment):
    written = configured(experiment)
    assert tuple(written) == STAGES
    for stage, text in written.items():
        content = json.loads(text)
        assert content.pop(CODE).keys() == {"modules", "digest"}
        assert content["experiment"] == experiment
        assert configuration(experiment, stage) == content


def test_everything_that_the_plan_names_is_configured_and_nothing_else(digits):
    Plan(["digits"], {"digits_kmeans": "digits"}, ["convergence"]).write()
    configure.main()
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")} == {
        *(f"digits/{stage}.json" for stage in OF_DATA), "lessons/convergence.json", "all/collect.json",
        "all/report.json", *(f"digits_kmeans/{stage}.json" for stage in STAGES)}
    Plan(["digits"], {"digits": "digits"}).write()
    configure.main()
    assert not (FOLDER / "digits_kmeans").exists()


def test_data_sets_and_lessons_get_what_they_read(digits):
    Plan(["digits"], lessons=["convergence"]).write()
    configure.main()
    for stage in ("download", "prepare"):
        assert configuration("digits", stage) == {"name": "digits", "settings": {"loader": "digits"}}
    features, references = configuration("digits", "features"), configuration("digits", "references")
    assert (features["settings"], features["profile"]) == ({"loader": "digits"}, "smoke")
    assert features["assess"] == references["assess"]
    assert features["assess"]["features"]["units"] == 32
    assert (references["samples"], references["validation_images"]) == (60, 40)
    lesson = configuration("lessons", "convergence")
    assert (lesson["lesson"], lesson["profile"], lesson["settings"]["rounds"]) == ("convergence", "smoke", 40)
    assert configuration("all", "report") == {}


def test_the_roots_of_the_code_are_the_stage_and_what_it_is_about(digits):
    Plan(["digits"], {"digits": "digits", "digits_kmeans": "digits"}, ["convergence"]).write()
    configure.main()

    def modules(name: str, stage: str) -> list[str]:
        found: list[str] = json.loads(configuration_file(name, stage).read_text())[CODE]["modules"]
        return found
    assert modules("digits", "train") == ["pipeline.stages.train", "gan.adversarial.model"]
    assert modules("digits_kmeans", "sample")[0] == "pipeline.stages.sample"
    assert modules("digits_kmeans", "sample")[1].startswith("gan.baselines.")
    assert modules("digits", "evaluate") == ["pipeline.stages.evaluate"]
    assert modules("digits", "prepare") == ["pipeline.stages.prepare", "gan.datasets.digits"]
    assert modules("digits", "features") == ["pipeline.stages.features", "gan.datasets.digits"]
    assert modules("digits", "references") == ["pipeline.stages.references"]
    assert modules("digits", "assess") == ["pipeline.stages.assess"]
    assert modules("lessons", "convergence") == [
        "pipeline.stages.lesson", "gan.lessons.convergence", "pipeline.figures.lessons.convergence"]
    assert modules("all", "collect") == ["pipeline.stages.collect"]


def test_a_stage_whose_code_was_edited_since_is_refused(digits, monkeypatch):
    configure.main()
    assert configuration("digits", "train")
    parsed = code._parsed

    def edited(path: Path) -> tuple[str, tuple[str, ...]]:
        digest, imported = parsed(path)
        return (digest[::-1] if path.name == "parzen.py" else digest), imported
    monkeypatch.setattr(code, "_parsed", edited)
    for stage in ("train", "bandwidth", "evaluate", "sample_size"):
        with pytest.raises(ReproductionError, match=rf"the code of {stage} is not what .*{stage}\.json says[\s\S]*"
                                                    r"run `dvc repro` again, which runs `configure` first"):
            configuration("digits", stage)
    assert configuration("digits", "download")
    configure.main()
    assert configuration("digits", "train")


def test_the_files_hold_what_the_stages_read(digits):
    configured("digits")
    train = configuration("digits", "train")
    assert (train["dataset"], train["profile"], train["seeds"]) == ("digits", "smoke", [1, 2])
    assert train["model"]["recipe"]["epochs"] == 5
    assert train["monitor"]["images"] == 40
    assert configuration("digits", "sample")["samples"] == 60
    assert configuration("digits", "bandwidth")["validation_images"] == 40
    assert configuration("digits", "evaluate")["title"] == "Adversarial nets"
    assert configuration("digits", "sample_size")["sizes"] == [20, 60]
    assert configuration("digits", "figures")["rows"] == 4


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
    ({"profile": "cpu"}, {"train", "assess", "evaluate", "sample_size", "figures"}),  # which name it
    ({"assess.measures.sure": 0.8}, {"assess"}),
    ({"assess.profiles.smoke.likelihood.chains": 3}, {"assess"}),
    ({"figures.rows": 3}, {"figures"}),
    ({"figures.interpolations": 3}, {"sample", "figures"}),
    ({"experiments.digits_kmeans.train.seeds": [3], "experiments.digits.runs_in": ["cpu"]}, set()),
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
    # What measures samples is the data set's, by the profile of the whole graph: rows are compared with each other.
    assert {**configured("digits"), "assess": b""} == {**before, "assess": b""}
    assert configured("digits_kmeans") != other_before
    assert configuration("digits", "train")["profile"] == "paper"
    assert configuration("digits", "sample")["samples"] == 60
    assert configuration("digits_kmeans", "sample")["samples"] == 50


def test_a_plan_of_an_unknown_experiment_is_named_with_the_nearest_and_nothing_is_written(digits):
    Plan(["digits"], {"digit_kmeans": "digits"}).write()
    with pytest.raises(ParameterError, match=r"unknown experiment 'digit_kmeans'[\s\S]*did you mean 'digits_kmeans'"):
        configure.main()
    assert not Path("artifacts").exists()


def test_an_error_anywhere_in_the_parameters_stops_before_anything_is_written(digits):
    digits.change({"experiments.digits_kmeans.train.model.cluster": 4})
    with pytest.raises(ParameterError, match=r"digits_kmeans\.train\.model\.cluster: unknown key"):
        configure.main()
    assert not Path("artifacts").exists()


def test_a_stage_whose_configuration_is_missing_says_what_makes_it(digits):
    with pytest.raises(DataError, match=r"configuration/digits/train\.json is missing[\s\S]*dvc repro"):
        configuration("digits", "train")
