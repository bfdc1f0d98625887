"""The stages sample, bandwidth and evaluate on digits: their files, and which images each of them looks at."""

from __future__ import annotations

import dataclasses
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.errors import DataError, ParameterError
from gan.evaluation import parzen
from gan.registry import create
from pipeline.artifacts.configuration import configuration, configuration_file
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import model_settings
from pipeline.runtime import files
from pipeline.stages import bandwidth, configure, evaluate, sample

VARIANTS = {"digits": ["raw", "ema"], "digits_training_images": ["raw"], "digits_kmeans": ["raw"]}
SEEDS = {"digits": [1, 2], "digits_training_images": [1], "digits_kmeans": [1]}


def read(experiment: str, name: str) -> Any:
    return files.read_json(Path("artifacts") / experiment / name)


def samples_of(experiment: str, seed: int = 1) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return files.read_tensors(Path(f"artifacts/{experiment}/samples/seed-{seed}.safetensors"))


def by_seed(experiment: str, name: str) -> dict[int, Any]:
    return {entry["seed"]: entry["variants"] for entry in read(experiment, name)["seeds"]}


def closed_form(images: torch.Tensor, samples: torch.Tensor, sigma: float) -> list[float]:
    """log of the mean of Gaussians on the samples, for each image, straight from the definition."""
    d = images.shape[1]
    squares = (images.double().unsqueeze(1) - samples.double().unsqueeze(0)).square().sum(2)
    return (torch.logsumexp(-squares / (2 * sigma**2), 1) - math.log(len(samples))
            - d * math.log(sigma * math.sqrt(2 * math.pi))).tolist()


def poisoned(split: str):
    """`read_dataset` with one split of NaN, so that whatever looks at it fails."""
    def read_poisoned(path: Path):
        dataset = read_dataset(path)
        return dataclasses.replace(dataset, **{split: torch.full_like(getattr(dataset, split), torch.nan)})
    return read_poisoned


@pytest.fixture(params=list(VARIANTS))
def scored(request, digits):
    """An experiment whose stages have all run."""
    digits.train(request.param)
    digits.score(request.param)
    return request.param


@pytest.fixture
def trained(digits):
    """`digits`, trained."""
    digits.train("digits")
    return digits


# Files.

def test_samples_are_of_each_variant_in_the_scale_of_the_data(scored):
    for seed in SEEDS[scored]:
        tensors, about = samples_of(scored, seed)
        lines = {"interpolation", "interpolation_ema"} if scored == "digits" else set()
        assert tensors.keys() == set(VARIANTS[scored]) | lines
        assert about == ({"interpolation": [4, 10]} if lines else {})
        for name, tensor in tensors.items():
            assert tensor.dtype == torch.float32
            assert list(tensor.shape) == [40 if name in lines else 60, 64]
            assert 0 <= tensor.min() < tensor.max() <= 1


def test_bandwidths_are_searched_on_both_grids_for_every_row(scored):
    content = read(scored, "bandwidth.json")
    assert content.keys() == {"seeds"}
    assert [entry["seed"] for entry in content["seeds"]] == SEEDS[scored]
    grids = configuration(scored, "bandwidth")
    for variants in by_seed(scored, "bandwidth.json").values():
        assert list(variants) == VARIANTS[scored]
        for searches in variants.values():
            assert searches.keys() == {"paper_grid", "refined"}
            for name, found in searches.items():
                grid = parzen.Grid(**grids["paper_grid" if name == "paper_grid" else "refined_grid"])
                assert found["bandwidths"] == grid.bandwidths()
                assert len(found["log_likelihoods"]) == grid.points
                best = max(range(grid.points), key=found["log_likelihoods"].__getitem__)
                assert found["chosen"] == found["bandwidths"][best]
                assert found["validation_log_likelihood"] == found["log_likelihoods"][best]


def test_the_evaluation_says_what_was_measured_and_with_what(scored):
    content = read(scored, "evaluation.json")
    training = read(scored, "training.json")
    assert content.keys() == {"title", "note", "model", "dataset", "dimensions", "scale", "duplicates", "profile",
                              "differences", "samples", "test_images", "folds", "hardware", "seeds"}
    assert (content["dimensions"], content["scale"], content["folds"]) == (64, "[0, 1]", 1)
    assert {name: content[name] for name in ("model", "dataset", "profile", "hardware")} == {
        name: training[name] for name in ("model", "dataset", "profile", "hardware")}
    assert (content["samples"], content["test_images"]) == (60, 300)
    searches, trained = by_seed(scored, "bandwidth.json"), by_seed(scored, "training.json")
    assert [entry["seed"] for entry in content["seeds"]] == SEEDS[scored]
    for seed, variants in by_seed(scored, "evaluation.json").items():
        assert list(variants) == VARIANTS[scored]
        for variant, scores in variants.items():
            assert scores.keys() == {"epoch", "paper_grid", "refined"}
            assert scores["epoch"] == trained[seed][variant]["epoch"]
            for name in ("paper_grid", "refined"):
                search = searches[seed][variant][name]
                assert scores[name].keys() == {
                    "bandwidth", "validation_log_likelihood", "test_log_likelihood", "standard_error", "test_images"}
                assert scores[name]["bandwidth"] == search["chosen"]
                assert scores[name]["validation_log_likelihood"] == search["validation_log_likelihood"]


def test_a_second_run_gives_the_same_bytes(digits, scored):
    first = digits.outputs(scored)
    digits.score(scored)
    assert digits.outputs(scored) == first


# Numbers.

def test_both_log_likelihoods_are_those_of_a_direct_computation(digits, scored):
    dataset = digits.dataset()
    searches = by_seed(scored, "bandwidth.json")
    for seed, variants in by_seed(scored, "evaluation.json").items():
        samples, _ = samples_of(scored, seed)
        for variant, scores in variants.items():
            for name in ("paper_grid", "refined"):
                score, search = scores[name], searches[seed][variant][name]
                direct = closed_form(dataset.test, samples[variant], score["bandwidth"])
                assert score["test_log_likelihood"] == pytest.approx(statistics.fmean(direct), abs=1e-3)
                assert score["standard_error"] == pytest.approx(
                    statistics.pstdev(direct) / math.sqrt(len(direct)), rel=1e-5)
                for sigma, found in list(zip(search["bandwidths"], search["log_likelihoods"], strict=True))[::9]:
                    direct = closed_form(dataset.validation[:40], samples[variant], sigma)
                    assert found == pytest.approx(statistics.fmean(direct), abs=1e-3)


def test_samples_are_what_the_chosen_weights_make_and_both_variants_get_the_same_noise(trained):
    sample.main("digits")
    weights, about = files.read_tensors(Path("artifacts/digits/models/seed-1.safetensors"))
    own = {variant: {str(i): weights[f"{variant}.{i}"] for i in range(6)} for variant in ("raw", "ema")}
    model = create(model_settings(configuration("digits", "train")["model"]),
                   trained.dataset().train, 1)
    samples, _ = samples_of("digits")
    for variant in ("raw", "ema"):
        stream = sample.random_stream(1, "samples")
        assert torch.equal(samples[variant], model.sample(own[variant], 60, stream))
    assert not torch.equal(samples["raw"], samples["ema"])
    same = {f"{variant}.{name}": tensor.clone() for variant in own for name, tensor in own["raw"].items()}
    files.write_tensors(Path("artifacts/digits/models/seed-1.safetensors"), same, about)
    sample.main("digits")
    samples, _ = samples_of("digits")
    assert torch.equal(samples["raw"], samples["ema"])


def test_more_samples_begin_with_the_same_ones(trained):
    sample.main("digits")
    few, _ = samples_of("digits")
    trained.change({"parzen.samples": 90})
    configure.main()
    sample.main("digits")
    many, _ = samples_of("digits")
    assert len(many["raw"]) == 90
    assert torch.equal(many["interpolation"], few["interpolation"])


def test_interpolations_are_straight_lines_that_end_in_draws_of_their_own(trained):
    trained.change({"experiments.digits.figures.interpolations": 2, "experiments.digits.figures.steps": 3})
    configure.main()
    sample.main("digits")
    tensors, about = samples_of("digits")
    assert about == {"interpolation": [2, 3]}
    rows = tensors["interpolation"].view(2, 3, 64)
    assert not torch.equal(rows[0, 0], rows[1, 0])
    assert not torch.equal(rows[0, 0], rows[0, 2])


def test_training_images_are_drawn_without_repetition_from_the_training_split(digits):
    digits.train("digits_training_images")
    sample.main("digits_training_images")
    (drawn,) = samples_of("digits_training_images")[0].values()
    images = digits.dataset().train
    rows = [int((images == image).all(1).nonzero()[0]) for image in drawn]
    assert len(set(rows)) == 60


# Which images each stage looks at.

def test_sampling_looks_at_neither_validation_nor_test_images(digits, trained, monkeypatch):
    sample.main("digits")
    before = digits.outputs("digits")
    for split in ("validation", "test"):
        monkeypatch.setattr(sample, "read_dataset", poisoned(split))
        sample.main("digits")
    assert digits.outputs("digits") == before


def test_the_bandwidth_is_chosen_on_validation_images_alone(digits, trained, monkeypatch):
    sample.main("digits")
    bandwidth.main("digits")
    before = digits.outputs("digits")
    for split in ("train", "test"):
        monkeypatch.setattr(bandwidth, "read_dataset", poisoned(split))
        bandwidth.main("digits")
    assert digits.outputs("digits") == before
    monkeypatch.setattr(bandwidth, "read_dataset", poisoned("validation"))
    with pytest.raises(ValueError, match="finite"):
        bandwidth.main("digits")


def test_the_bandwidth_is_chosen_on_the_first_validation_images(digits, trained, monkeypatch):
    sample.main("digits")
    bandwidth.main("digits")
    before = digits.outputs("digits")

    def others_poisoned(path: Path):
        dataset = read_dataset(path)
        dataset.validation[40:] = torch.nan
        return dataset
    monkeypatch.setattr(bandwidth, "read_dataset", others_poisoned)
    bandwidth.main("digits")
    assert digits.outputs("digits") == before


def test_where_there_are_fewer_validation_images_than_asked_for_all_are_used(digits, trained):
    found = []
    for images in (300, 301):
        digits.change({"parzen.validation_images": images})
        configure.main()
        digits.score("digits")
        found.append(by_seed("digits", "bandwidth.json"))
    assert found[0] == found[1]


def test_the_evaluation_looks_at_test_images_alone_and_at_all_of_them(digits, trained, monkeypatch):
    digits.score("digits")
    before = digits.outputs("digits")
    for split in ("train", "validation"):
        monkeypatch.setattr(evaluate, "read_dataset", poisoned(split))
        evaluate.main("digits")
    assert digits.outputs("digits") == before

    def last_poisoned(path: Path):
        dataset = read_dataset(path)
        dataset.test[-1] = torch.nan
        return dataset
    monkeypatch.setattr(evaluate, "read_dataset", last_poisoned)
    with pytest.raises(ValueError, match="finite"):
        evaluate.main("digits")


def test_the_order_of_variants_in_the_training_file_does_not_change_a_score(digits, trained):
    digits.score("digits")
    before = by_seed("digits", "evaluation.json")
    training = read("digits", "training.json")
    for entry in training["seeds"]:
        entry["variants"] = dict(reversed(entry["variants"].items()))
    files.write_json(Path("artifacts/digits/training.json"), training)
    digits.score("digits")
    assert by_seed("digits", "evaluation.json") == before


# What cannot be.


@pytest.mark.parametrize(("experiment", "number", "there_are"), [
    ("digits_kmeans", 81, "80 centroids"), ("digits_training_images", 1198, "1197 training images")])
def test_more_samples_than_a_model_can_give_is_a_parameter_to_mend(digits, experiment, number, there_are):
    digits.train(experiment)
    digits.change({"parzen.samples": number})
    configure.main()
    with pytest.raises(ParameterError, match=rf"{number}[\s\S]*{there_are}"):
        sample.main(experiment)


@pytest.mark.parametrize(("stage", "lost"), [
    (sample, "training.json"), (sample, "models/seed-2.safetensors"),
    (bandwidth, "samples/seed-2.safetensors"), (bandwidth, "training.json"),
    (evaluate, "bandwidth.json"), (evaluate, "samples/seed-2.safetensors")])
def test_a_missing_input_says_what_makes_it(digits, trained, stage, lost):
    digits.score("digits")
    (Path("artifacts/digits") / lost).unlink()
    with pytest.raises(DataError, match=rf"artifacts/digits/{lost} is missing[\s\S]*dvc repro"):
        stage.main("digits")


def test_a_missing_configuration_says_what_makes_it(digits, trained):
    configuration_file("digits", "sample").unlink()
    with pytest.raises(DataError, match=r"artifacts/configuration/digits/sample\.json is missing[\s\S]*dvc repro"):
        sample.main("digits")


def test_torn_samples_say_what_to_do(digits, trained):
    sample.main("digits")
    path = Path("artifacts/digits/samples/seed-1.safetensors")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"seed-1\.safetensors cannot be read[\s\S]*delete .* and run `dvc repro`"):
        bandwidth.main("digits")


# Folds.

FOLDS = 3


@pytest.fixture
def folded(digits):
    """The digits' images in three folds of different sizes, scored against 50 of the training images."""
    whole, _ = files.read_tensors(prepared_file("digits"))
    sizes = {"validation": (20, 25, 30), "test": (40, 30, 50)}
    tensors = {"train": whole["train"], **{split: whole[split][:sum(n)] for split, n in sizes.items()}, **{
        f"{split}_fold": torch.repeat_interleave(torch.arange(FOLDS), torch.tensor(n)).to(torch.uint8)
        for split, n in sizes.items()}}
    files.write_tensors(prepared_file("digits"), tensors, {"name": "digits", "shape": [1, 8, 8], "divisor": 16})
    digits.change({"parzen.validation_images": 25, "parzen.samples": 50})  # of the smallest fold all, which are fewer
    digits.train("digits_training_images")
    digits.score("digits_training_images")
    samples, _ = files.read_tensors(digits.root / "artifacts/digits_training_images/samples/seed-1.safetensors")
    return digits, sizes, {split: tensors[split] / 16 for split in sizes}, samples["raw"]


def test_every_fold_has_a_bandwidth_of_its_own_and_the_score_is_the_mean_over_folds(folded):
    _, sizes, images, samples = folded
    searched = read("digits_training_images", "bandwidth.json")["seeds"][0]["variants"]["raw"]
    evaluation = read("digits_training_images", "evaluation.json")
    assert (evaluation["folds"], evaluation["test_images"]) == (FOLDS, 120)
    grids = configuration("digits_training_images", "bandwidth")
    for name, grid in (("paper_grid", "paper_grid"), ("refined", "refined_grid")):
        score = evaluation["seeds"][0]["variants"]["raw"][name]
        validation, test = (images[split].split(list(sizes[split])) for split in ("validation", "test"))
        means, curves = [], []
        for fold in range(FOLDS):
            search, = parzen.search(validation[fold][:25], samples, [parzen.Grid(**grids[grid])])
            curves.append(search.log_likelihoods)
            found = score["folds"][fold]
            assert searched[name]["folds"][fold] == {"chosen": search.chosen, "at_the_edge": search.at_the_edge,
                                                     "validation_log_likelihood": search.validation_log_likelihood}
            each, = parzen.log_likelihood(test[fold], samples, [search.chosen])
            means.append(float(each.mean()))
            assert (found["bandwidth"], found["test_images"]) == (search.chosen, sizes["test"][fold])
            assert found["test_log_likelihood"] == pytest.approx(means[-1], rel=1e-12)
            assert found["standard_error"] == pytest.approx(float(each.std(correction=0)) / sizes["test"][fold]**0.5)
        assert score["test_log_likelihood"] == pytest.approx(statistics.fmean(means), rel=1e-12)
        assert score["standard_error"] == pytest.approx(statistics.stdev(means) / FOLDS**0.5, rel=1e-9)
        assert score["bandwidth"] == pytest.approx(statistics.geometric_mean(
            fold["bandwidth"] for fold in score["folds"]))
        assert searched[name]["log_likelihoods"] == pytest.approx(
            [statistics.fmean(column) for column in zip(*curves, strict=True)])
