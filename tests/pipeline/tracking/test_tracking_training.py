"""What stages leave in MLflow while they run on digits, and that their outputs do not depend on it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finished_assessment import assess, measured
from PIL import Image

from gan.generator import Generator
from gan.linear_algebra import random_stream
from gan.registry import create
from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import prepared_file
from pipeline.commands import mlflow_gc
from pipeline.runtime import checkpoints, code, files, run_log
from pipeline.stages import configure, figures, train
from pipeline.tracking import assessments, gan_generator, logged_model, media, runs, store, unneeded, untrained

store.prepare_environment()  # MLflow reads some of it when it is imported
import mlflow  # noqa: E402


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAN_TRACKING", raising=False)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    monkeypatch.setattr(store, "given_up", set())


@pytest.fixture
def client(digits: Any, tracked: None, empty_database: Path) -> mlflow.MlflowClient:
    """A store in a repository of digits."""
    shutil.copy(empty_database, digits.root)
    return mlflow.MlflowClient(tracking_uri=store.store_uri())


def seed_runs(client: mlflow.MlflowClient) -> dict[str, Any]:
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def pictures(client: mlflow.MlflowClient, run: Any) -> dict[tuple[str, int], str]:
    """Paths below the run by name and step."""
    found = [(re.fullmatch(r"images/(\w+)\+step\+(\d+)\+.*\.png", file.path), file.path)
             for file in client.list_artifacts(run.info.run_id, "images")]
    return {(match[1], int(match[2])): path for match, path in found if match}


def test_training_leaves_a_run_per_seed_below_one_with_curves_and_pictures_and_the_same_bytes(
        client, digits, new_repository, monkeypatch):
    digits.train("digits")
    found = seed_runs(client)
    assert set(found) == {"digits · smoke", "seed 1 · digits · smoke", "seed 2 · digits · smoke"}
    parent = found["digits · smoke"]
    for seed in (1, 2):
        run = found[f"seed {seed} · digits · smoke"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert "reports/index.html" in run.data.tags["mlflow.note.content"]
        curve = client.get_metric_history(run.info.run_id, "discriminator_loss")
        assert [point.step for point in curve] == [1, 2, 3, 4, 5]
        looks = pictures(client, run)
        assert set(looks) == {(f"samples_{variant}", step) for variant in ("raw", "ema") for step in (0, 2, 4, 5)}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    written = digits.outputs("digits")
    other = new_repository()
    monkeypatch.setenv("GAN_TRACKING", "off")
    other.train("digits")
    assert other.outputs("digits") == written


def test_a_killed_training_draws_each_picture_once_and_counts_its_readings_on(client, digits, monkeypatch):
    class Killed(KeyboardInterrupt):
        pass

    advance = train.Progress.advance

    def die_after_a_look(self: train.Progress, amount: int, note: str = "") -> None:
        if amount and self.done == 3:
            raise Killed
        advance(self, amount, note)
    monkeypatch.setattr(checkpoints, "DEFAULT_SECONDS", 1e9)  # only the first epoch is kept
    monkeypatch.setattr(runs, "SHORTEST_READING", 0.0)
    monkeypatch.setattr(train.Progress, "advance", die_after_a_look)
    with pytest.raises(Killed):
        digits.train("digits", {"experiments.digits.train.seeds": [1]})
    run = seed_runs(client)["seed 1 · digits · smoke"]
    assert run.info.status == "KILLED"
    assert set(pictures(client, run)) == {(f"samples_{variant}", step) for variant in ("raw", "ema")
                                          for step in (0, 2, 4)}
    monkeypatch.setattr(train.Progress, "advance", advance)
    train.main("digits")
    again = seed_runs(client)["seed 1 · digits · smoke"]
    assert again.info.run_id == run.info.run_id
    paths = [file.path for file in client.list_artifacts(run.info.run_id, "images") if file.path.endswith(".png")]
    assert len(paths) == len(pictures(client, again)) == 8
    assert seed_runs(client)["digits · smoke"].info.status == "FINISHED"
    readings = client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in readings] == list(range(len(readings)))
    assert len(readings) >= 2


def test_seeds_that_were_trained_apart_get_the_scores_on_the_runs_that_have_their_curves(client, digits):
    digits.change({"experiments.digits.train.seeds": [1, 2]})
    configure.main()
    for seed in ("1", "2"):  # as the jobs of a cluster do
        train.main("digits", seed)
    apart = seed_runs(client)
    train.main("digits")  # finds them finished
    together = seed_runs(client)  # each name once
    assert {name: run.info.run_id for name, run in together.items()} == {
        name: run.info.run_id for name, run in apart.items()}
    digits.score("digits")
    figures.main("digits")
    for seed in (1, 2):
        run = seed_runs(client)[f"seed {seed} · digits · smoke"]
        assert run.info.run_id == apart[f"seed {seed} · digits · smoke"].info.run_id
        assert {"discriminator_loss", "test_log_likelihood"} <= set(run.data.metrics)


def test_the_machine_is_read_while_training_goes_on(client):
    with runs.start("mnist", 1, "5e" * 32) as tracker:
        while (run := seed_runs(client).get("seed 1 · mnist")) is None or (
                "system/cpu_utilization_percentage" not in run.data.metrics):
            assert tracker.active
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0


def test_models_without_epochs_have_no_pictures(client, digits):
    digits.train("digits_training_images")
    run = seed_runs(client)["seed 1 · digits_training_images · smoke"]
    assert not pictures(client, run)
    assert "mlflow.loggedImages" not in run.data.tags


def test_the_data_set_is_logged_with_its_digest_its_shape_and_the_size_of_its_splits(client, digits):
    digits.train("digits_training_images")
    for run in seed_runs(client).values():
        (logged,) = run.inputs.dataset_inputs
        path = digits.root / "data/prepared/digits.safetensors"
        assert logged.dataset.name == "digits"
        assert json.loads(logged.dataset.source) == {"sha256": files.sha256(path)}
        assert logged.dataset.digest == files.sha256(path)[:36]
        splits = digits.dataset()
        assert json.loads(logged.dataset.profile) == {
            "train_images": len(splits.train), "validation_images": len(splits.validation),
            "test_images": len(splits.test), "image_shape": [1, 8, 8], "contrast_norm": None}
        (tensor,) = json.loads(json.loads(logged.dataset.schema)["mlflow_tensorspec"]["features"])
        assert tensor["tensor-spec"] == {"dtype": "float32", "shape": [-1, 1, 8, 8]}


def test_where_a_run_is_is_kept_for_the_report(client, digits):
    digits.train("digits_training_images")
    found = seed_runs(client)
    run, parent = found["seed 1 · digits_training_images · smoke"], found["digits_training_images · smoke"]
    (kept,) = run_log.read("runs").values()
    page, mode = f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs", "workflowType=machine_learning"
    assert kept == {
        "name": "digits_training_images-seed-1", "experiment": "digits_training_images", "seed": 1,
        "inputs": inputs_digest("digits_training_images", "digits"),
        "run_id": run.info.run_id, "run_name": run.info.run_name, "experiment_id": run.info.experiment_id,
        "store": "sqlite:///mlflow.db", "url": f"{page}/{run.info.run_id}?{mode}",
        "parent_run_id": parent.info.run_id, "parent_url": f"{page}/{parent.info.run_id}?{mode}"}


# The generator as a model.

@pytest.fixture
def drawn(client: mlflow.MlflowClient, digits: Any) -> Any:
    """The run that holds those of the seeds, after all stages but the report."""
    digits.train("digits")
    digits.score("digits")
    figures.main("digits")
    return seed_runs(client)["digits · smoke"]


def test_the_first_picture_is_of_the_model_as_training_began_with_it(client, digits):
    digits.train("digits", {"experiments.digits.train.seeds": [3]})
    training, dataset = files.read_json(Path("artifacts/digits/training.json")), digits.dataset()
    model = create(train.model_settings(training["settings"]["model"]), dataset.train, 3, shape=dataset.shape)
    stream, images = random_stream(3, "pictures of training"), training["settings"]["monitor"]["samples"]
    assert images < train.IMAGES_IN_A_PICTURE
    expected = media.picture(model.sample(model.weights("raw"), images, stream), dataset)
    run = seed_runs(client)["seed 3 · digits · smoke"]
    path = client.download_artifacts(run.info.run_id, pictures(client, run)["samples_raw", 0])
    assert np.array_equal(np.asarray(Image.open(path).convert("RGB")), expected)


@pytest.mark.parametrize("settings", [{}, {"model": None}, {"model": {"kind": "no such"}}])
def test_a_model_that_cannot_be_had_has_no_first_picture(digits, settings):
    assert untrained.samples(settings, 1, digits.dataset(), 4) == []


def test_nets_that_are_pretrained_as_others_have_a_first_picture_too(digits):
    """Of TFD: the generator that samples is another one than the first that is trained."""
    content = files.read_yaml(digits.root / "params.yaml")["experiments"]["digits"]["train"]["model"]
    pretrained = {name: content[name] for name in ("generator", "discriminator", "recipe")}
    last = content["generator"]["hidden"][0] | {"units": content["noise"]["dimensions"]}
    content |= {"pretraining": pretrained, "generator": {"hidden": [last], "output": None}}
    assert len(train.model_settings(content).games()) == 2
    found = untrained.samples({"model": content}, 1, digits.dataset(), 4)
    assert [(variant, tuple(drawn.shape)) for variant, drawn in found] == [("raw", (4, 64)), ("ema", (4, 64))]


def test_the_run_above_the_seeds_has_scores_figures_and_the_generator(client, drawn):
    assert {"test_log_likelihood", "bandwidth", "test_log_likelihood_ema", "validation_score"} <= set(
        drawn.data.metrics)
    assert drawn.data.params["model.kind"] == "adversarial_nets"
    names = {file.path for file in client.list_artifacts(drawn.info.run_id, "figures")}
    assert {"figures/samples-raw.png", "figures/training.png", "figures/bandwidth.csv"} <= names
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    assert (model.name, model.source_run_id, str(model.status)) == ("digits-generator", drawn.info.run_id, "READY")
    assert [output.model_id for output in client.get_run(drawn.info.run_id).outputs.model_outputs] == [model.model_id]
    note = drawn.data.tags["mlflow.note.content"]
    assert "get-artifact?path=figures%2Fsamples-" in note
    assert f"run_uuid={drawn.info.run_id}" in note


def test_scores_are_the_models_too_and_those_of_the_headline(client, digits, drawn):
    evaluation = files.read_json(Path("artifacts/digits/evaluation.json"))
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    measured = {metric.key: metric.value for metric in model.metrics}
    for variant, suffix in (("raw", ""), ("ema", "_ema")):
        seed = best_seed(evaluation, variant)
        scores = next(each for each in evaluation["seeds"] if each["seed"] == seed)["variants"][variant]["refined"]
        assert measured[f"test_log_likelihood{suffix}"] == scores["test_log_likelihood"]
        assert drawn.data.metrics[f"test_log_likelihood{suffix}"] == scores["test_log_likelihood"]
    assert {metric.dataset_name for metric in model.metrics} == {"digits"}
    history = client.get_metric_history(drawn.info.run_id, "test_log_likelihood")
    assert len(history) == 1


def test_a_score_that_is_no_number_reaches_neither_model_nor_run(client, digits, drawn):
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    training = files.read_json(Path("artifacts/digits/training.json"))
    generator = logged_model.generator_of(Path("artifacts/digits"), training, [1, 8, 8], _seeds(model))
    logged_model.log(client, drawn.info.run_id, generator,
                     {"diverged": float("nan"), "endless": float("inf"), "none": None, "sound": np.float32(0.25)})
    assert len(client.search_logged_models([drawn.info.experiment_id])) == 1
    measured = {metric.key: metric.value for metric in client.get_logged_model(model.model_id).metrics}
    assert measured["sound"] == 0.25
    assert not {"diverged", "endless", "none"} & {*measured, *client.get_run(drawn.info.run_id).data.metrics}


def _seeds(model: Any) -> dict[str, int]:
    return {variant: int(model.params[f"{variant}_seed"]) for variant in ("raw", "ema")}


def register(client: mlflow.MlflowClient, scores: list[float], **tags: Any) -> list[str]:
    """The alias `best` after each of some runs with these validation scores."""
    best = []
    for number, score in enumerate(scores):
        inputs = f"{number}{json.dumps(tags)}".encode().hex().ljust(64, "0")[:64]
        weights = {1: Path(f"weights-{inputs[:20]}.safetensors")}
        weights[1].write_bytes(inputs.encode())
        generator = logged_model.GeneratorFiles("tried", [1, 8, 8], {"raw": 1}, weights, {"raw": score},
                                                {"gan.dataset_digest": "d", "gan.samples": 10, **tags})
        with runs.resume("tried", None, inputs, parameters={"try": inputs}) as tracker:
            tracker.generator(generator, {"validation_score": score})
        version = client.get_model_version_by_alias("tried-generator", "best")
        best.append(str(version.version))
        assert f"version {version.version}," in client.get_registered_model("tried-generator").description
    return best


def test_the_alias_names_the_best_by_validation_of_those_that_can_be_compared(client):
    assert register(client, [100.0, 300.0, 200.0]) == ["1", "2", "2"]
    assert register(client, [50.0], **{"gan.samples": 20}) == ["4"]  # the newest of its kind
    client.update_registered_model("tried-generator", "mine")
    with pytest.raises(AssertionError):
        register(client, [400.0], **{"gan.samples": 30})
    assert client.get_registered_model("tried-generator").description == "mine"  # a reader's words stay


def test_drawing_again_registers_no_second_version(client, digits, drawn):
    figures.main("digits")
    (version,) = client.search_model_versions("name = 'digits-generator'")
    evaluation = files.read_json(Path("artifacts/digits/evaluation.json"))
    validation = max(seed["variants"][variant]["refined"]["validation_log_likelihood"]
                     for variant in ("raw", "ema") for seed in evaluation["seeds"])
    assert float(version.tags["gan.validation_log_likelihood"]) == validation
    assert version.tags["gan.profile"] == "smoke"


# Code of its own.

def edited(root: Path, replace: str, by: str) -> Path:
    """The code of another commit, which differs from this one's in one place."""
    for name in ("gan", "pipeline/tracking"):
        shutil.copytree(code.ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = root / "gan/generator.py"
    text = file.read_text()
    assert text.count(replace) == 1
    file.write_text(text.replace(replace, by))
    return root


def test_generators_of_two_commits_run_their_own_code_in_one_process(digits, tmp_path):
    digits.train("digits", {"experiments.digits.train.seeds": [1]})
    training = files.read_json(Path("artifacts/digits/training.json"))
    generator = logged_model.generator_of(Path("artifacts/digits"), training, [1, 8, 8], {"raw": 1, "ema": 1})
    assert generator is not None
    drawn_by = "return generate(self._network, z, told)"
    other = edited(tmp_path / "other", drawn_by, drawn_by.replace("return ", "return 1 - "))
    folders = []
    for number, root in enumerate((code.ROOT, other, code.ROOT)):
        folders.append(tmp_path / str(number) / "model")
        folders[-1].parent.mkdir()
        data = logged_model.save(folders[-1], generator, "m-0", "0", root)
        shutil.copy(generator.weights[1], folders[-1] / data)
    first, second, third = (mlflow.pyfunc.load_model(str(folder)).predict(4) for folder in folders)
    ours = Generator.load(generator.weights[1], "ema").sample(4).numpy()  # beside this repository's own code
    assert np.array_equal(first, ours)
    assert np.allclose(second, 1 - ours, atol=1e-6)
    assert np.array_equal(third, ours)
    packages = [next(path.name for path in (folder / "code").iterdir()) for folder in folders]
    assert packages[0] == packages[2] != packages[1]
    assert all(re.fullmatch(r"gan_[0-9a-f]{16}", name) for name in packages)


def test_imports_are_renamed_and_nothing_else():
    source = "from gan.errors import A\nimport gan.x as x\nif y:\n    from gan import z\nfrom gander import b\n"
    assert logged_model.renamed(source, "gan_0") == (
        "from gan_0.errors import A\nimport gan_0.x as x\nif y:\n    from gan_0 import z\nfrom gander import b\n")


def test_no_module_that_goes_with_a_generator_says_gan_in_another_way():
    """`import gan.x` would be renamed and then not found by its old name."""
    for path in code.closure(["gan.generator"]).values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not [each.name for each in node.names if each.name.split(".")[0] == "gan" and not each.asname]
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.fullmatch(r"gan(\.\w+)+", node.value)


# What nothing needs any more.

def test_what_can_go_is_said_and_freed_and_nothing_else(client, digits, drawn, capsys):
    register(client, [100.0, 300.0])
    names = {run.info.run_name: run for run in seed_runs(client).values()}
    tried = [run for name, run in names.items() if name.startswith("tried")]
    (needed,) = [model for model in client.search_logged_models([drawn.info.experiment_id])
                 if model.name == "digits-generator"]
    mlflow_gc.main()
    assert "nothing can go" in capsys.readouterr().out
    for run in tried:
        client.delete_run(run.info.run_id)
    mlflow_gc.main()
    said = capsys.readouterr().out
    assert re.search(r"generator    tried-generator, 0\.\d MiB: its run 'tried[^']*' is deleted; with it goes "
                     r"tried-generator version 1", said)
    assert "kept         tried-generator: its run" in said
    assert "but tried-generator@best names it" in said
    assert said.count("run          tried") == 2
    assert "nothing has been removed" in said
    assert len(client.search_logged_models([drawn.info.experiment_id])) == 3
    before = {path for path in Path("mlartifacts").rglob("*") if path.is_file()}
    mlflow_gc.main(yes=True)
    assert "freed" in capsys.readouterr().out
    left = client.search_logged_models([drawn.info.experiment_id])
    assert sorted(model.name for model in left) == ["digits-generator", "tried-generator"]
    freed = before - {path for path in Path("mlartifacts").rglob("*") if path.is_file()}
    assert freed
    assert not any(needed.model_id in str(path) for path in freed)
    assert mlflow.pyfunc.load_model(uri(drawn)).predict(2).shape == (2, 1, 8, 8)
    mlflow_gc.main()
    assert "kept" in capsys.readouterr().out


def test_generators_that_are_replaced_interrupted_or_deleted_can_go(client, digits, drawn):
    experiment, (first,) = drawn.info.experiment_id, client.search_logged_models([drawn.info.experiment_id])
    client.delete_registered_model_alias("digits-generator", "best")
    stopped = client.create_logged_model(experiment, name="stopped", source_run_id=drawn.info.run_id,
                                         tags={logged_model.DIGEST: "?"})
    others = client.create_logged_model(experiment, name="somebody-elses", source_run_id="0" * 32)
    gone = client.create_logged_model(experiment, name="of-a-run-that-is-gone", source_run_id="0" * 32,
                                      tags={logged_model.DIGEST: "?"})
    deleted = client.create_logged_model(experiment, name="deleted", tags={logged_model.DIGEST: "?"})
    client.delete_logged_model(deleted.model_id)
    client.set_tag(drawn.info.run_id, logged_model.DIGEST, "of a newer one")
    found = {each.model_id: each.why for each in unneeded.find(client).generators}
    assert found == {first.model_id: "the run 'digits · smoke' has a newer one", gone.model_id: "its run is gone",
                     deleted.model_id: "deleted in MLflow"}
    assert others.model_id not in found
    assert stopped.model_id not in found  # it may be on its way
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unneeded, "SECONDS_OF_AN_UPLOAD", -1.0)
        assert "was interrupted" in {each.model_id: each.why for each in unneeded.find(client).generators}[
            stopped.model_id]
    client.delete_experiment(experiment)
    assert any("is deleted" in each.why for each in unneeded.find(client).generators if each.model_id == first.model_id)


def test_drawing_again_logs_no_second_generator_unless_it_is_another_one(client, digits, drawn):
    figures.main("digits")
    assert len(client.search_logged_models([drawn.info.experiment_id])) == 1
    for seed in (1, 2):
        path = Path(f"artifacts/digits/models/seed-{seed}.safetensors")
        tensors, about = files.read_tensors(path)
        files.write_tensors(path, {name: tensor + 1 for name, tensor in tensors.items()}, about)
    figures.main("digits")
    assert len(client.search_logged_models([drawn.info.experiment_id])) == 2
    images = mlflow.pyfunc.load_model(uri(drawn)).predict(4)
    assert images.mean() > 0.95  # of the newer one: all sums are far above 0


def test_measures_are_on_the_runs_and_on_the_generator_whichever_stage_comes_first(client, digits, drawn):
    """So that models can be sorted by them."""
    values = {"raw": {1: measured(0.3), 2: measured(0.4)}, "ema": {1: measured(0.1), 2: measured(0.2)}}
    assess("digits", values, "digits")
    content, training = (files.read_json(Path(f"artifacts/digits/{name}.json")) for name in ("assessment", "training"))
    dataset = runs.describe(prepared_file("digits"))
    assessments.log("digits", content, inputs_digest("digits", "digits"), dataset, training, {"raw": 2, "ema": 1})
    everything = seed_runs(client)
    assert everything["seed 1 · digits · smoke"].data.metrics["frechet_distance"] == 0.3
    assert everything["seed 2 · digits · smoke"].data.metrics["frechet_distance_ema"] == 0.2
    assert everything["digits · smoke"].data.metrics["frechet_distance"] == 0.4
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    of_model = {metric.key: metric.value for metric in model.metrics}
    assert (of_model["frechet_distance"], of_model["frechet_distance_ema"], of_model["copying_ema"]) == (0.4, 0.1, 1.0)
    path = Path("artifacts/digits/models/seed-1.safetensors")
    tensors, about = files.read_tensors(path)
    for seed in (1, 2):
        files.write_tensors(path.with_name(f"seed-{seed}.safetensors"), {
            name: tensor + 1 for name, tensor in tensors.items()}, about)
    figures.main("digits")  # another generator, and the measures are there already
    newer = next(one for one in client.search_logged_models([drawn.info.experiment_id])
                 if one.model_id != model.model_id)
    assert {"frechet_distance", "recall_ema"} <= {metric.key for metric in newer.metrics}


def uri(run: Any) -> str:
    mlflow.set_tracking_uri(store.store_uri())
    return f"runs:/{run.info.run_id}/digits-generator"


def test_the_generator_samples_where_this_repository_is_not(client, drawn, tmp_path):
    """In another process, another folder, with nothing of ours to import."""
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    code = """
import sys
import mlflow
import numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
images = model.predict(16)
assert images.shape == (16, 1, 8, 8) and images.dtype == np.float32, images.shape
assert not (model.predict(16, params={"seed": 1}) == images).all()
assert (model.predict(16, params={"variant": "ema", "seed": 0}) == images).all()
ours = [name for name in sys.modules if name.startswith("gan")]
assert ours and all(name.startswith("gan_") for name in ours), ours
assert not any(str(getattr(sys.modules[name], "__file__", "")).startswith(sys.argv[3]) for name in ours)
np.save("images.npy", model.predict(1500, params={"variant": "raw", "seed": 5}))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-I", "-c", code, store.store_uri(), f"models:/{model.model_id}",
                    str(Path(train.__file__).parents[2])], cwd=tmp_path, env=environment, check=True)
    training = files.read_json(Path("artifacts/digits/training.json"))
    seed = json.loads((Path(model.artifact_location.removeprefix("file://")) / "data/data/generator.json").read_text())[
        "variants"]["raw"]["seed"]
    weights, _ = files.read_tensors(Path(f"artifacts/digits/models/seed-{seed}.safetensors"))
    raw = {name.removeprefix("raw."): tensor for name, tensor in weights.items() if name.startswith("raw.")}
    ours = create(train.model_settings(training["settings"]["model"]), torch.zeros(1200, 64), 1)
    expected = ours.sample(raw, 1500, torch.Generator().manual_seed(5)).view(-1, 1, 8, 8)
    assert np.allclose(np.load(tmp_path / "images.npy"), expected.numpy(), atol=1e-6)


def test_nothing_in_the_logged_generator_is_a_pickle(client, drawn, tmp_path):
    folder = Path(mlflow.artifacts.download_artifacts(uri(drawn), dst_path=str(tmp_path)))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()} - {".py", ".pyc"}
    assert kinds <= {"", ".json", ".safetensors", ".yaml", ".txt"}
    assert {path.name for path in folder.iterdir()} >= {"MLmodel", "code", "data", "requirements.txt"}
    text = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in ("", ".json", ".yaml", ".txt")
                   and path.is_file())
    assert str(Path(train.__file__).parents[2]) not in text
    assert str(Path.cwd()) not in text.replace((folder / "MLmodel").read_text(), "")


@pytest.mark.parametrize(("n", "params", "said"), [
    (0, {}, "no number of samples"), (-1, {}, "found: -1"), ([1, 2], {}, "one whole number"), (2.5, {}, "found: 2.5"),
    ("ten", {}, "found: ten"), (True, {}, "found: True"), (1, {"variant": "best"}, "expected: raw or ema"),
    (1, {"class": 7}, "cannot be asked for a class"),
])
def test_samples_that_cannot_be_had(digits, n, params, said):
    digits.train("digits", {"experiments.digits.train.seeds": [1]})
    generator = loaded(digits.root)
    with pytest.raises(Exception, match=said):
        generator.predict(n, params)


@pytest.mark.parametrize("n", [3, np.int64(3), np.array([[3]]), [3], 3.0])
def test_numbers_of_samples_as_requests_have_them(digits, n):
    digits.train("digits", {"experiments.digits.train.seeds": [1]})
    assert loaded(digits.root).predict(n).shape == (3, 1, 8, 8)


def loaded(root: Path) -> gan_generator.LoggedGenerator:
    training = files.read_json(root / "artifacts/digits/training.json")
    generator = logged_model.generator_of(root / "artifacts/digits", training, [1, 8, 8], {"raw": 1, "ema": 1})
    assert generator is not None
    (root / "artifacts/digits/models/generator.json").write_text(generator.description())
    return gan_generator._load_pyfunc(str(root / "artifacts/digits/models"))


def test_other_models_are_no_generators(digits):
    digits.train("digits_kmeans")
    training = files.read_json(digits.root / "artifacts/digits_kmeans/training.json")
    assert logged_model.generator_of(digits.root, training, [1, 8, 8], {"raw": 1}) is None


# Pictures.

def test_a_picture_shows_samples_row_by_row(digits):
    dataset = digits.dataset()
    samples = torch.zeros(5, 64)
    samples[4, 0] = 1
    image = media.picture(samples, dataset)
    assert image.shape[1] >= 512
    times = image.shape[1] // 30  # three images of 8 pixels and a frame
    small = image[::times, ::times]
    assert small.shape == (20, 30, 3)
    assert (small[0] == 255).all()  # the frame
    assert (small[1:9, 1:9] == 0).all()
    assert (small[11, 11] == 255).all()
    assert (small[11, 12:19] == 0).all()
    assert (small[11:19, 21:29] == 255).all()  # no sixth sample


def test_pictures_of_centred_data_keep_the_scale_of_training_images(digits):
    dataset = digits.dataset()
    centred = type(dataset)("centred", (3, 4, 4), *(torch.linspace(-2, 4, 480).view(10, 48),) * 3, contrast_norm=1.0)
    image = media.picture(torch.tensor([[0.0] * 16 + [4.0] * 16 + [-4.0] * 16]), centred)
    assert image[image.shape[0] // 2, image.shape[1] // 2].tolist() == [128, 255, 0]
