"""Models that do more than draw samples, through the stages and on the page: what each file holds, and refusals."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan.datasets.digits import Digits
from gan.errors import ParameterError, ReproductionError
from gan.evaluation import abilities
from gan.generator import Generator
from pipeline.artifacts.assessments import assessment_file
from pipeline.page.abilities import beyond_the_paper
from pipeline.page.claims import verdict
from pipeline.page.experiments import Section
from pipeline.page.formatting import Notes
from pipeline.page.pictures import Numbering
from pipeline.results.assessment import with_assessments
from pipeline.results.metrics import by_variant, gather
from pipeline.runtime import files
from pipeline.runtime.progress import Progress
from pipeline.stages import assess, bandwidth, configure, evaluate, figures, sample, train

MODEL = "experiments.digits.train.model"
RECIPE = {"epochs": 3, "batch_size": 300, "updates": "simultaneous", "discriminator_steps": 1,
          "objective": "non_saturating", "learning_rate": {"initial": 0.1, "decay": 1.0, "minimum": 0.01},
          "momentum": {"initial": 0.5, "final": 0.7, "saturates": 3}, "average_decay": 0.9, "chosen_epoch": "last"}
HIDDEN = [{"units": 12, "activation": "relu", "irange": 0.3}]
MAXOUT = [{"units": 12, "pieces": 2, "irange": 0.3, "keep": 0.8}]
PLAYERS = {"noise": {"dimensions": 5, "distribution": "uniform"},
           "generator": {"hidden": HIDDEN, "output": {
               "activation": "sigmoid", "irange": 0.3, "bias": "marginal_logit"}},
           "discriminator": {"hidden": MAXOUT, "output": {"irange": 0.3, "keep": 0.8}}}
KINDS = {
    "bidirectional_nets": {
        "kind": "bidirectional_nets", **PLAYERS, "encoder": {"hidden": [*map(dict, HIDDEN)], "output": {"irange": 0.3}},
        "recipe": RECIPE, "afterwards_epochs": 2, "afterwards_learning_rate": 0.01, "afterwards_momentum": 0.5},
    "semi_supervised_nets": {
        "kind": "semi_supervised_nets", **PLAYERS, "batch_normalised": True, "input_noise": 0.1, "hidden_noise": 0.1,
        "weight_norm": 1.5, "classes": 10, "labels": [20, 100], "epochs": 3, "batch_size": 300, "learning_rate": 0.003,
        "beta1": 0.5, "average_decay": 0.9}}
CONDITIONS = {"class": {f"{MODEL}.condition": {"given": "class", "classes": 10}},
              "visible_pixels": {f"{MODEL}.condition": {"given": "visible_pixels", "nothing": 0.25}}}
MODELS = CONDITIONS | {kind: {MODEL: block} for kind, block in KINDS.items()}
PICTURES = {"class": ["classes"], "visible_pixels": ["completed_from_the_left", "completed_from_the_top"],
            "bidirectional_nets": ["interpolation_of_test_images", "reconstructions"],
            "semi_supervised_nets": ["samples_by_class"]}
ABILITIES = {"class": {"as_asked"},
             "visible_pixels": {name for name in abilities.BY_NAME if name.startswith("completion_")},
             "bidirectional_nets": {name for name in abilities.BY_NAME if name.startswith(
                 ("reconstruction_", "class_kept_", "code_recovered_"))},
             "semi_supervised_nets": {f"error_{n}_labels{alone}" for n in (20, 100) for alone in ("", "_alone")}}


def interrupt_training(monkeypatch) -> None:
    """Begin to train, and stop after a few minibatches or epochs."""
    advance, left = Progress.advance, [4]

    def stop(self, *given):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return advance(self, *given)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Progress, "advance", stop)
        with pytest.raises(KeyboardInterrupt):
            train.main("digits")


@pytest.mark.parametrize("given", MODELS)
def test_they_go_through_every_stage_to_the_page(featured, given):
    featured.train("digits", MODELS[given])
    for stage in (sample, bandwidth, evaluate, assess, figures):
        stage.main("digits")
    tensors, about = files.read_tensors(Path("artifacts/digits/samples/seed-1.safetensors"))
    assert {name for name in tensors if name.startswith("picture_ema_")} == {
        f"picture_ema_{name}" for name in PICTURES[given]}
    assert len(tensors["raw"]) == 60
    for name in PICTURES[given]:
        shown, said = tensors[f"picture_ema_{name}"], about[f"picture_ema_{name}"]
        with Image.open(f"reports/figures/digits/ability-ema-{name}.png") as image:
            assert image.size == (8 * said["columns"], 8 * len(shown) // said["columns"])
    measured = files.read_json(assessment_file("digits"))["seeds"]
    for entry in measured:
        for content in entry["variants"].values():
            assert content["abilities"].keys() == ABILITIES[given]
            assert all(one["value"] >= 0 and one["standard_error"] >= 0 for one in content["abilities"].values())
            assert "likelihood" not in content  # of what they are told, too, there is no one decoder

    metrics = gather(["digits"])
    whole = with_assessments(metrics)["digits"]["assessment"]["abilities"]
    assert whole.keys() == ABILITIES[given]
    assert all(one.keys() == {"value", "standard_error", "seed_mean", "seed_sd"} for one in whole.values())
    section = Section.read("digits", metrics["digits"], Numbering(), Notes(), True)
    [shown] = beyond_the_paper([section], Numbering(), False)
    assert len(shown.pictures) == len(PICTURES[given])
    assert len(shown.lines) == 1 + len(ABILITIES[given])
    assert "over 2 seeds" in shown.lines[1].over_seeds[0]


def test_a_published_figure_stands_beside_ours_with_the_settings_that_differ(labelled):
    labelled.train("digits", CONDITIONS["class"])
    labelled.score("digits")
    metrics = gather(["digits"])
    section = Section.read("digits", metrics["digits"], Numbering(), Notes(), True)
    on_mnist = replace(section, entry=metrics["digits"] | {"dataset": "mnist"})
    [shown] = beyond_the_paper([on_mnist], Numbering(), True)
    [likelihood] = shown.lines
    assert likelihood.published == (
        "132 ± 1.8 (Mirza and Osindero 2014, Conditional Generative Adversarial Nets, Table 1)")
    difference = metrics["digits"]["seed_mean"] - 132
    assert likelihood.differs[0] == f"Trained weights, mean over seeds: {difference:+.1f} from it.".replace("-", "−")
    assert "noise, dimensions: there 100, here 20." in likelihood.differs
    assert "learning rate, decay: there 1.00004, here 1.000004." in likelihood.differs
    assert "batch size: there 100, here 300." in likelihood.differs
    assert not any("distribution" in said for said in likelihood.differs)
    [elsewhere] = beyond_the_paper([section], Numbering(), True)
    assert (elsewhere.lines[0].published, elsewhere.lines[0].differs) == ("", [])


def test_no_figure_of_the_paper_is_held_against_them(featured):
    featured.train("digits", {f"{MODEL}.recipe.penalty": {"weight": 0.1, "on": "data"}})
    featured.score("digits")
    entry = gather(["digits"])["digits"] | {"dataset": "mnist", "profile": "paper"}
    assert entry["model"] == "stabilised_nets"
    assert verdict(by_variant(entry)["raw"], "raw").kind == "beside"


@pytest.mark.parametrize("given", MODELS)
def test_training_is_the_same_each_time_and_resumes_with_the_same_bytes(labelled, monkeypatch, given):
    labelled.train("digits", MODELS[given])
    first = labelled.outputs("digits")
    interrupt_training(monkeypatch)
    train.main("digits")
    assert labelled.outputs("digits") == first


def test_a_class_can_be_asked_for_from_the_file_of_weights(labelled):
    labelled.train("digits", CONDITIONS["class"])
    generator = Generator.load("artifacts/digits/models/seed-1.safetensors", "ema")
    ones, twos = generator.sample_class(1, 5), generator.sample_class(2, 5)
    assert ones.shape == (5, 1, 8, 8)
    assert not torch.equal(ones, twos)


@pytest.mark.parametrize("given", ["class", "semi_supervised_nets"])
def test_data_without_labels_are_refused_before_anything_is_trained(labelled, monkeypatch, given):
    monkeypatch.setattr("pipeline.artifacts.labels.Labelled", type("Nothing", (), {}))
    with pytest.raises(ReproductionError, match=r"digits is trained on labels, and digits has none[\s\S]*another data"):
        labelled.train("digits", MODELS[given])
    assert not Path("artifacts/digits/models").exists()


def test_more_classes_in_the_data_than_the_nets_are_told_are_refused(labelled):
    with pytest.raises(ParameterError, match=r"condition\.classes is 3 and there are 1,197 images"):
        labelled.train("digits", {f"{MODEL}.condition": {"given": "class", "classes": 3}})


@pytest.mark.parametrize(("condition", "said"), [
    ({"given": "weather"}, r"condition\.given is not right\n  expected: class or visible_pixels\n  found: 'weather'"),
    ({"classes": 10}, r"condition\.given is not right\n  expected: class or visible_pixels"),
    ({"given": "class"}, r"condition\.classes is missing"),
    ({"given": "class", "clases": 10}, r"condition\.clases: unknown key\n  what to do: did you mean 'classes'"),
    ({"given": "class", "classes": 0}, "expected: classes must be at least 1, not 0"),
    ({"given": "visible_pixels", "nothing": 2}, "expected: nothing must be above 0 and at most 1, not 2")])
def test_a_condition_that_is_none_is_named_as_params_yaml_has_it(digits, condition, said):
    with pytest.raises(ParameterError, match=said):
        digits.train("digits", {f"{MODEL}.condition": condition})


def test_other_labels_of_the_same_images_are_another_training(labelled, monkeypatch):
    """Its checkpoints are not gone on from."""
    labelled.train("digits", CONDITIONS["class"])
    first = labelled.outputs("digits")["models/seed-1.safetensors"]
    interrupt_training(monkeypatch)
    known = Digits.labels
    monkeypatch.setattr(Digits, "labels", lambda self, folder: {
        split: 9 - each for split, each in known(self, folder).items()})
    train.main("digits")
    other = labelled.outputs("digits")["models/seed-1.safetensors"]
    assert other != first
    shutil.rmtree("artifacts/digits")
    train.main("digits")
    assert labelled.outputs("digits")["models/seed-1.safetensors"] == other


def test_what_reads_labels_depends_on_the_code_that_reads_them(labelled):
    labelled.change(CONDITIONS["class"])
    configure.main()
    for stage in ("train", "assess"):
        code = files.read_json(Path(f"artifacts/configuration/digits/{stage}.json"))
        assert "gan.datasets.digits" in code["code"]["modules"]
        assert "gan.adversarial.model" in code["code"]["modules"]
    plain = files.read_json(Path("artifacts/configuration/digits_kmeans/train.json"))
    assert "gan.datasets.digits" not in plain["code"]["modules"]
    assert "loader" not in plain
