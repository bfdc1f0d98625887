"""The stages features, references and assess on digits: their files, which images each looks at, what they refuse."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from gan.datasets.digits import Digits
from gan.errors import DataError
from gan.evaluation.measures import CHECKS, MEASURES
from pipeline.artifacts.assessments import assessment_file, features_file, references_file, references_picture
from pipeline.runtime import files
from pipeline.stages import assess, bandwidth, configure, features, references, sample

NAMES = {measure.name for measure in MEASURES}


def assessed(digits: Any, experiment: str) -> Any:
    digits.train(experiment)
    sample.main(experiment)
    bandwidth.main(experiment)
    assess.main(experiment)
    return files.read_json(assessment_file(experiment))


def test_features_are_a_classifier_of_the_digits_and_the_same_each_time(featured):
    tensors, about = files.read_tensors(features_file("digits"))
    first = features_file("digits").read_bytes()
    assert (about["kind"], about["classes"], about["shape"]) == ("classifier", 10, [1, 8, 8])
    assert about["test_accuracy"] > 0.85
    assert len(about["digest"]) == 64
    assert tensors["labels"].shape == (1197,)
    assert tensors["reference/test"].shape == (300, 32)
    features.main("digits")
    assert features_file("digits").read_bytes() == first


def test_classes_without_a_training_image_are_told(featured, monkeypatch, capsys):
    known = Digits.labels

    def lacking(self, folder):
        labels = known(self, folder)
        return {**labels, "train": torch.where(labels["train"] >= 8, 0, labels["train"])}

    monkeypatch.setattr(Digits, "labels", lacking)
    features.main("digits")
    assert "digits: 2 classes have no training image" in capsys.readouterr().out


def test_data_without_labels_get_random_features(featured, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.labels.Labelled", type("Nothing", (), {}))
    features.main("digits")
    _, about = files.read_tensors(features_file("digits"))
    assert (about["kind"], about["classes"], about["test_accuracy"]) == ("random", 0, None)
    references.main("digits")
    content = files.read_json(references_file("digits"))
    assert content["rows"].keys() == {"held_out", "blurred"}
    assert content["rows"]["held_out"]["sure"] == {"why": "the data have no labels"}


def test_references_measure_real_images_and_check_each_measure(featured):
    references.main("digits")
    content = files.read_json(references_file("digits"))
    assert content["rows"].keys() == {"held_out", "blurred", "without_a_class"}
    assert content["rows"]["blurred"]["title"] == "Training images blurred by .7 pixels"
    assert content["rows"]["without_a_class"]["class_shares"][8] < 0.05
    for row in content["rows"].values():
        assert row.keys() >= NAMES | {"parzen", "title", "nearest_sample"}
    assert [(check["samples"], check["measure"]) for check in content["checks"]] == [
        (check.samples, check.measure) for check in CHECKS]
    caught = {check["measure"]: check["caught"] for check in content["checks"] if check["samples"] in (
        "training_images", "one_image", "collapsed")}
    assert caught == {"copying": True, "recall": True, "coverage": True, "different_bins": True}
    before = references_file("digits").read_bytes(), references_picture("digits").read_bytes()
    references.main("digits")
    assert (references_file("digits").read_bytes(), references_picture("digits").read_bytes()) == before


@pytest.mark.parametrize(("experiment", "variants"), [("digits", ["raw", "ema"]), ("digits_training_images", ["raw"])])
def test_every_variant_of_every_seed_is_assessed(featured, experiment, variants):
    content = assessed(featured, experiment)
    assert content.keys() == {"dataset", "profile", "features", "seeds"}
    assert content["features"]["digest"] == files.read_tensors(features_file("digits"))[1]["digest"]
    assert [entry["seed"] for entry in content["seeds"]] == ([1, 2] if experiment == "digits" else [1])
    for entry in content["seeds"]:
        assert list(entry["variants"]) == variants
        for measured in entry["variants"].values():
            assert measured.keys() >= NAMES
            assert measured["samples"] == 60
    before = assessment_file(experiment).read_bytes()
    assess.main(experiment)
    assert assessment_file(experiment).read_bytes() == before
    if experiment == "digits_training_images":
        assert content["seeds"][0]["variants"]["raw"]["nearest_training_image"]["median"] == 0
        assert not any("likelihood" in measured for measured in content["seeds"][0]["variants"].values())


def test_adversarial_nets_get_a_likelihood_of_the_seed_that_validation_chose(featured):
    content = assessed(featured, "digits")
    searches = files.read_json(Path("artifacts/digits/bandwidth.json"))["seeds"]
    for variant in ("raw", "ema"):
        nats = {entry["seed"]: entry["variants"][variant]["refined"]["validation_log_likelihood"] for entry in searches}
        best = max(nats, key=nats.__getitem__)
        of_seeds = {entry["seed"]: entry["variants"][variant] for entry in content["seeds"]}
        assert {seed: "likelihood" in measured for seed, measured in of_seeds.items()} == {
            seed: seed == best for seed in of_seeds}
        found = of_seeds[best]["likelihood"]
        above, below = found["simulated_above"]["value"], found["simulated_below"]["value"]
        assert found["gap"]["value"] == pytest.approx(above - below)
        assert math.isfinite(found["test"]["value"])
        assert found["images"] == 4
    featured.change({"assess.profiles.smoke.likelihood.images": 0})
    configure.main()
    assess.main("digits")
    content = files.read_json(assessment_file("digits"))
    assert not any("likelihood" in measured for entry in content["seeds"] for measured in entry["variants"].values())


def test_samples_that_are_not_finite_are_refused_by_their_file(featured):
    featured.train("digits_kmeans")
    sample.main("digits_kmeans")
    bandwidth.main("digits_kmeans")
    path = Path("artifacts/digits_kmeans/samples/seed-1.safetensors")
    files.write_tensors(path, {"raw": torch.full((60, 64), torch.nan)})
    with pytest.raises(DataError, match=rf"{path}: the samples of raw[\s\S]*must hold finite numbers"):
        assess.main("digits_kmeans")
    assert not assessment_file("digits_kmeans").exists()


@pytest.mark.parametrize("change", ["missing", "torn", "another file"])
def test_features_that_are_missing_or_something_else_are_refused(featured, change):
    path = features_file("digits")
    if change == "missing":
        path.unlink()
    elif change == "torn":
        path.write_bytes(path.read_bytes()[:-10])
    else:
        files.write_tensors(path, {"a": torch.zeros(1)})
    with pytest.raises(DataError, match=rf"{path}[\s\S]*dvc repro"):
        references.main("digits")


def test_labels_that_do_not_fit_the_images_are_refused(featured, monkeypatch):
    whole = Digits.labels
    monkeypatch.setattr(Digits, "labels", lambda self, folder: {
        split: labels[1:] for split, labels in whole(self, folder).items()})
    with pytest.raises(DataError, match=r"does not fit[\s\S]*as many labels as images"):
        features.main("digits")


def test_more_bins_than_images_are_refused(featured):
    featured.change({"assess.profiles.smoke.measures.bins": 5000})
    configure.main()
    with pytest.raises(DataError, match=r"too few images[\s\S]*5,000"):
        features.main("digits")
