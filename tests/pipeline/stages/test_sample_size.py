"""The stage sample_size on digits: which samples and images it looks at, and what it makes of them."""

from __future__ import annotations

import dataclasses
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.errors import DataError
from gan.evaluation import parzen
from gan.evaluation.subsets import evenly_spaced
from gan.linear_algebra import random_stream
from gan.registry import create
from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import configuration
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import model_settings
from pipeline.runtime import files
from pipeline.stages import configure, sample_size

VARIANTS = {"digits": ["raw", "ema"], "digits_training_images": ["raw"], "digits_kmeans": []}
KEYS = {"samples", "bandwidth", "validation_log_likelihood", "test_log_likelihood", "standard_error", "at_the_edge"}


def read(experiment: str, name: str = "sample_sizes.json") -> Any:
    return files.read_json(Path("artifacts") / experiment / name)


def finished(digits, experiment: str) -> Any:
    """What the stage writes after the stages before it."""
    digits.train(experiment)
    digits.score(experiment)
    sample_size.main(experiment)
    return read(experiment)


def samples(digits, experiment: str, seed: int, variant: str, n: int) -> torch.Tensor:
    """Drawn by the model itself, n and no more where that is the same."""
    weights, _ = files.read_tensors(Path(f"artifacts/{experiment}/models/seed-{seed}.safetensors"))
    own = {name.removeprefix(f"{variant}."): t for name, t in weights.items() if name.startswith(f"{variant}.")}
    settings = model_settings(configuration(experiment, "train")["model"])
    return create(settings, digits.dataset().train, seed).sample(own, n, random_stream(seed, "sample sizes"))


@pytest.mark.parametrize("experiment", VARIANTS)
def test_every_number_of_samples_is_scored_for_every_variant_and_a_second_run_gives_the_same_bytes(digits, experiment):
    content = finished(digits, experiment)
    assert {name: content[name] for name in ("profile", "dataset", "validation_images", "test_images")} == {
        "profile": "smoke", "dataset": "digits", "validation_images": 30, "test_images": 50}
    assert list(content["variants"]) == VARIANTS[experiment]
    for entry in content["variants"].values():
        assert [size["samples"] for size in entry["sizes"]] == [20, 60]
        assert all(size.keys() == KEYS for size in entry["sizes"])
    before = digits.outputs(experiment)
    sample_size.main(experiment)
    assert digits.outputs(experiment) == before


@pytest.mark.parametrize("experiment", ["digits", "digits_training_images"])
def test_the_numbers_are_those_of_the_first_samples_with_the_best_bandwidth_for_them(digits, experiment):
    content, data = finished(digits, experiment), digits.dataset()
    grid = parzen.Grid(**configuration(experiment, "bandwidth")["refined_grid"])
    for variant, entry in content["variants"].items():
        drawn = samples(digits, experiment, entry["seed"], variant, 60)
        for found in entry["sizes"]:
            search, = parzen.search(data.validation[:30], drawn[:found["samples"]], [grid])
            each, = parzen.log_likelihood(evenly_spaced(data.test, 50), drawn[:found["samples"]], [search.chosen])
            assert found["bandwidth"] == search.chosen
            assert found["at_the_edge"] == search.at_the_edge
            assert found["validation_log_likelihood"] == pytest.approx(search.validation_log_likelihood, rel=1e-9)
            assert found["test_log_likelihood"] == pytest.approx(float(each.mean()), rel=1e-9)
            assert found["standard_error"] == pytest.approx(statistics.pstdev(each.tolist()) / math.sqrt(50), rel=1e-6)


def test_real_images_score_higher_the_more_of_them_there_are(digits):
    few, many = finished(digits, "digits_training_images")["variants"]["raw"]["sizes"]
    assert many["test_log_likelihood"] > few["test_log_likelihood"]


def test_the_seed_is_the_one_that_heads_the_results_for_each_variant(digits):
    digits.train("digits")
    digits.score("digits")
    evaluation = read("digits", "evaluation.json")
    for better in ({"raw": 1, "ema": 2}, {"raw": 2, "ema": 1}):
        for entry in evaluation["seeds"]:
            for variant, scores in entry["variants"].items():
                scores["refined"]["validation_log_likelihood"] = 9.0 if better[variant] == entry["seed"] else 3.0
                scores["refined"]["test_log_likelihood"] = -scores["refined"]["validation_log_likelihood"]
        files.write_json(Path("artifacts/digits/evaluation.json"), evaluation)
        sample_size.main("digits")
        assert {variant: entry["seed"] for variant, entry in read("digits")["variants"].items()} == better
        assert {variant: best_seed(evaluation, variant) for variant in better} == better


def test_numbers_that_the_training_images_do_not_reach_are_left_out(digits):
    there_are = len(digits.dataset().train)
    digits.change({"parzen.sample_sizes.sizes": [20, there_are, there_are + 1]})
    sizes = finished(digits, "digits_training_images")["variants"]["raw"]["sizes"]
    assert [size["samples"] for size in sizes] == [20, there_are]
    digits.change({"parzen.sample_sizes.sizes": [there_are + 1]})
    assert finished(digits, "digits_training_images")["variants"] == {}


def test_only_the_first_validation_images_and_evenly_spaced_test_images_are_looked_at(digits, monkeypatch):
    before = finished(digits, "digits")

    def others_poisoned(path: Path):
        dataset = read_dataset(path)
        dataset.validation[30:] = torch.nan
        kept = evenly_spaced(dataset.test, 50).clone()
        dataset.test.fill_(torch.nan)
        places = torch.arange(50) * len(dataset.test) // 50
        dataset.test[places] = kept
        return dataclasses.replace(dataset)
    monkeypatch.setattr(sample_size, "read_dataset", others_poisoned)
    sample_size.main("digits")
    assert read("digits") == before


def test_another_number_changes_no_other_number_and_no_other_file(digits):
    before = finished(digits, "digits")
    others = {name: content for name, content in digits.outputs("digits").items() if "sample_size" not in name}
    digits.change({"parzen.sample_sizes.sizes": [20, 30, 60]})
    configure.main()
    sample_size.main("digits")
    for variant, entry in read("digits")["variants"].items():
        kept = [size for size in entry["sizes"] if size["samples"] != 30]
        assert kept == before["variants"][variant]["sizes"]
    assert {name: content for name, content in digits.outputs("digits").items() if "sample_size" not in name} == others


def test_of_folds_it_is_the_mean_over_them_each_with_a_bandwidth_of_its_own(digits):
    whole, _ = files.read_tensors(prepared_file("digits"))
    sizes = {"validation": (20, 35, 40), "test": (40, 55, 60)}
    tensors = {"train": whole["train"], **{split: whole[split][:sum(n)] for split, n in sizes.items()}, **{
        f"{split}_fold": torch.repeat_interleave(torch.arange(3), torch.tensor(n)).to(torch.uint8)
        for split, n in sizes.items()}}
    files.write_tensors(prepared_file("digits"), tensors, {"name": "digits", "shape": [1, 8, 8], "divisor": 16})
    content = finished(digits, "digits_training_images")
    assert (content["validation_images"], content["test_images"]) == (20 + 30 + 30, 40 + 50 + 50)
    entry = content["variants"]["raw"]
    drawn = samples(digits, "digits_training_images", entry["seed"], "raw", 60)
    grid = parzen.Grid(**configuration("digits_training_images", "bandwidth")["refined_grid"])
    validation, test = ((tensors[split] / 16).split(list(n)) for split, n in sizes.items())
    for found in entry["sizes"]:
        searches = [parzen.search(fold[:30], drawn[:found["samples"]], [grid])[0] for fold in validation]
        means = [float(parzen.log_likelihood(evenly_spaced(fold, 50), drawn[:found["samples"]], [search.chosen]).mean())
                 for fold, search in zip(test, searches, strict=True)]
        assert found["bandwidth"] == pytest.approx(statistics.geometric_mean(search.chosen for search in searches))
        assert found["test_log_likelihood"] == pytest.approx(statistics.fmean(means), rel=1e-9)
        assert found["standard_error"] == pytest.approx(statistics.stdev(means) / math.sqrt(3), rel=1e-6)


@pytest.mark.parametrize("lost", [
    "digits_training_images/training.json", "digits_training_images/evaluation.json",
    "digits_training_images/models/seed-1.safetensors", "configuration/digits_training_images/sample_size.json"])
def test_a_missing_input_says_what_makes_it(digits, lost):
    finished(digits, "digits_training_images")
    (Path("artifacts") / lost).unlink()
    with pytest.raises(DataError, match=rf"artifacts/{lost} is missing[\s\S]*dvc repro"):
        sample_size.main("digits_training_images")


def test_the_curve_meets_the_table_within_its_standard_error(digits):
    """As many samples as the table's, scored on a part of the test images: the two differ by chance alone."""
    digits.change({"parzen.sample_sizes.sizes": [20, 60], "parzen.samples": 60})
    configure.main()
    content, table = finished(digits, "digits_training_images"), read("digits_training_images", "evaluation.json")
    at, = (size for size in content["variants"]["raw"]["sizes"] if size["samples"] == table["samples"])
    scored = table["seeds"][0]["variants"]["raw"]["refined"]
    error = math.hypot(at["standard_error"], scored["standard_error"])
    assert abs(at["test_log_likelihood"] - scored["test_log_likelihood"]) < 2 * error
