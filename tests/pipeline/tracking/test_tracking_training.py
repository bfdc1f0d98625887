"""What stages leave in MLflow while they run on digits, and that their outputs do not depend on it."""

from __future__ import annotations

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

from gan.registry import create
from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.paths import prepared_file
from pipeline.runtime import checkpoints, files, run_log
from pipeline.stages import figures, train
from pipeline.tracking import assessments, gan_generator, logged_model, media, runs, store

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
    assert set(found) == {"digits · smoke", "digits · seed 1 · smoke", "digits · seed 2 · smoke"}
    parent = found["digits · smoke"]
    for seed in (1, 2):
        run = found[f"digits · seed {seed} · smoke"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert "reports/index.html" in run.data.tags["mlflow.note.content"]
        curve = client.get_metric_history(run.info.run_id, "discriminator_loss")
        assert [point.step for point in curve] == [1, 2, 3, 4, 5]
        looks = pictures(client, run)
        assert set(looks) == {(f"samples_{variant}", step) for variant in ("raw", "ema") for step in (2, 4, 5)}
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
    run = seed_runs(client)["digits · seed 1 · smoke"]
    assert run.info.status == "KILLED"
    assert set(pictures(client, run)) == {("samples_raw", 2), ("samples_ema", 2), ("samples_raw", 4),
                                          ("samples_ema", 4)}
    monkeypatch.setattr(train.Progress, "advance", advance)
    train.main("digits")
    again = seed_runs(client)["digits · seed 1 · smoke"]
    assert again.info.run_id == run.info.run_id
    paths = [file.path for file in client.list_artifacts(run.info.run_id, "images") if file.path.endswith(".png")]
    assert len(paths) == len(pictures(client, again)) == 6
    assert seed_runs(client)["digits · smoke"].info.status == "FINISHED"
    readings = client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in readings] == list(range(len(readings)))
    assert len(readings) >= 2


def test_the_machine_is_read_while_training_goes_on(client):
    with runs.start("mnist", 1, "5e" * 32) as tracker:
        while not (found := seed_runs(client)) or "system/cpu_utilization_percentage" not in (
                run := found["mnist · seed 1"]).data.metrics:
            assert tracker.active
            if "mnist · seed 1" not in found:
                continue
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0


def test_models_without_epochs_have_no_pictures(client, digits):
    digits.train("digits_training_images")
    run = seed_runs(client)["digits_training_images · seed 1 · smoke"]
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
    run, parent = found["digits_training_images · seed 1 · smoke"], found["digits_training_images · smoke"]
    (kept,) = run_log.read("runs").values()
    page = f"http://127.0.0.1:5000/#/experiments/{run.info.experiment_id}/runs"
    assert kept == {
        "name": "digits_training_images-seed-1", "experiment": "digits_training_images", "seed": 1,
        "inputs": inputs_digest("digits_training_images", "digits"),
        "run_id": run.info.run_id, "run_name": run.info.run_name, "experiment_id": run.info.experiment_id,
        "store": "sqlite:///mlflow.db", "url": f"{page}/{run.info.run_id}",
        "parent_run_id": parent.info.run_id, "parent_url": f"{page}/{parent.info.run_id}"}


# The generator as a model.

@pytest.fixture
def drawn(client: mlflow.MlflowClient, digits: Any) -> Any:
    """The run that holds those of the seeds, after all stages but the report."""
    digits.train("digits")
    digits.score("digits")
    figures.main("digits")
    return seed_runs(client)["digits · smoke"]


def test_the_run_above_the_seeds_has_scores_figures_and_the_generator(client, drawn):
    assert {"test_log_likelihood", "bandwidth", "test_log_likelihood_ema"} <= set(drawn.data.metrics)
    assert drawn.data.params["model.kind"] == "adversarial_nets"
    names = {file.path for file in client.list_artifacts(drawn.info.run_id, "figures")}
    assert {"figures/samples-raw.png", "figures/training.png", "figures/bandwidth.csv"} <= names
    (model,) = client.search_logged_models([drawn.info.experiment_id])
    assert (model.name, model.source_run_id, str(model.status)) == ("generator", drawn.info.run_id, "READY")
    assert [output.model_id for output in client.get_run(drawn.info.run_id).outputs.model_outputs] == [model.model_id]


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
    assert everything["digits · seed 1 · smoke"].data.metrics["frechet_distance"] == 0.3
    assert everything["digits · seed 2 · smoke"].data.metrics["frechet_distance_ema"] == 0.2
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
    return f"runs:/{run.info.run_id}/generator"


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
import gan
assert not gan.__file__.startswith(sys.argv[3]), gan.__file__
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
