"""The train stage on digits: its outputs, and that no kill, torn file or divergence gives other ones."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.adversarial.model import AdversarialNetsModel
from gan.adversarial.training import Training
from gan.errors import DataError, ParameterError, ReproductionError, TrainingDiverged
from pipeline.artifacts.configuration import CODE, FOLDER, configuration, configuration_file, inputs_digest
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.runtime import checkpoints, code, files, interruption, machine
from pipeline.stages import configure, train

pytestmark = pytest.mark.usefixtures("checkpoint_at_every_update")

MODEL = "experiments.digits.train.model"


class Killed(KeyboardInterrupt):
    """Ctrl-C, or a machine that goes down."""


@pytest.fixture(scope="session")
def uninterrupted():
    """What an undisturbed run of an experiment wrote; filled by the first test that asks."""
    return {}


@pytest.fixture
def expected(new_repository, uninterrupted, digits, monkeypatch):
    """The outputs of an undisturbed run of the small experiments, made in another folder."""
    def outputs(experiment: str) -> dict[str, bytes]:
        if experiment not in uninterrupted:
            other = new_repository()
            other.train(experiment)
            uninterrupted[experiment] = other.outputs(experiment)
            monkeypatch.chdir(digits.root)
        return uninterrupted[experiment]
    return outputs


def assert_same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        if name.endswith(".safetensors"):
            assert hashlib.sha256(found[name]).digest() == hashlib.sha256(content).digest(), name
        else:
            assert found[name].decode().splitlines() == content.decode().splitlines(), name


def kill_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop training at the end of so many epochs, before anything is saved of the last one."""
    advance, left = train.Progress.advance, [epochs]

    def advance_and_die(self: train.Progress, amount: int, note: str = "") -> None:
        left[0] -= amount
        if left[0] < 0:
            raise Killed
        advance(self, amount, note)
    monkeypatch.setattr(train.Progress, "advance", advance_and_die)


def run_and_be_killed(experiment: str, epochs: int) -> None:
    if not configuration_file(experiment, "train").exists():
        configure.main()
    with pytest.MonkeyPatch.context() as patch:
        kill_after(epochs, patch)
        with pytest.raises(Killed):
            train.main(experiment)


# Outputs.

def test_the_outputs_are_those_of_the_contract(digits):
    digits.train("digits")
    written = digits.outputs("digits")
    assert set(written) == {
        "models/seed-1.safetensors", "models/seed-2.safetensors", "curves.csv", "training.json"}
    training = json.loads(written["training.json"])
    assert training.keys() == {"model", "dataset", "profile", "settings", "hardware", "seeds"}
    assert (training["model"], training["dataset"], training["profile"]) == ("adversarial_nets", "digits", "smoke")
    assert training["settings"] == configuration("digits", "train")
    assert CODE not in training["settings"]
    assert training["hardware"] == machine.hardware(torch.device("cpu"))
    assert re.fullmatch("[0-9a-f]{64}", inputs_digest("digits", "digits"))
    assert [entry["seed"] for entry in training["seeds"]] == [1, 2]
    for entry in training["seeds"]:
        assert entry.keys() == {"seed", "updates", "variants"}
        assert entry["updates"] == 5 * 4  # 1,197 images in batches of 300
        assert list(entry["variants"]) == ["raw", "ema"]


def test_the_weights_of_each_variant_are_those_of_a_generator(digits):
    digits.train("digits")
    shapes = [[20, 12], [12], [12, 12], [12], [12, 64], [64]]
    for seed in (1, 2):
        tensors, about = files.read_tensors(Path(f"artifacts/digits/models/seed-{seed}.safetensors"))
        settings = configuration("digits", "train")["model"]
        assert about == {"format": "gan weights 1", "model": settings, "shape": [1, 8, 8], "variants": ["raw", "ema"]}
        assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {
            f"{variant}.{i}": shape for variant in ("raw", "ema") for i, shape in enumerate(shapes)}
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def test_the_curves_have_a_row_for_each_epoch_with_empty_cells_where_nothing_was_measured(digits):
    digits.train("digits")
    text = Path("artifacts/digits/curves.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.splitlines()[0] == (
        "seed,epoch,discriminator_loss,generator_loss,d_on_data,d_on_samples,learning_rate,momentum,"
        "validation_log_likelihood,validation_log_likelihood_ema")
    assert [(row["seed"], row["epoch"]) for row in rows] == [(str(s), str(e)) for s in (1, 2) for e in range(1, 6)]
    for row in rows:
        measured = int(row["epoch"]) in (2, 4, 5)  # every second, and after the last
        for name, cell in row.items():
            assert bool(cell) == (measured or not name.startswith("validation")), (row, name)
        assert all(cell == "" or abs(float(cell)) < 1e6 for cell in row.values())


def test_the_epoch_is_the_best_of_the_curves(digits):
    digits.train("digits")
    rows = list(csv.DictReader(io.StringIO(Path("artifacts/digits/curves.csv").read_text())))
    for entry in files.read_json(Path("artifacts/digits/training.json"))["seeds"]:
        for variant, chosen in entry["variants"].items():
            column = "validation_log_likelihood" + ("" if variant == "raw" else f"_{variant}")
            scores = {int(row["epoch"]): float(row[column]) for row in rows
                      if row["seed"] == str(entry["seed"]) and row[column]}
            best = max(scores, key=scores.__getitem__)
            assert chosen["epoch"] == best
            assert chosen["validation_log_likelihood"] == pytest.approx(scores[best], rel=1e-5)


def test_each_variant_keeps_the_weights_of_its_own_best_epoch(digits, new_repository, monkeypatch):
    by_epoch = {2: (1.0, 2.0), 4: (9.0, 3.0), 5: (4.0, 5.0)}  # raw and ema, at the epochs that are scored
    scores = iter(score for pair in by_epoch.values() for score in pair)
    with monkeypatch.context() as patch:
        patch.setattr("gan.evaluation.parzen.search",
                      lambda *arguments: [SimpleNamespace(validation_log_likelihood=next(scores))])
        digits.train("digits", {"experiments.digits.train.seeds": [1]})
    variants = files.read_json(Path("artifacts/digits/training.json"))["seeds"][0]["variants"]
    assert variants == {"raw": {"epoch": 4, "validation_log_likelihood": 9.0},
                        "ema": {"epoch": 5, "validation_log_likelihood": 5.0}}
    kept, _ = files.read_tensors(digits.root / "artifacts/digits/models/seed-1.safetensors")
    for epochs, variant in ((4, "raw"), (5, "ema")):
        other = new_repository()
        other.train("digits", {"experiments.digits.train.seeds": [1], f"{MODEL}.recipe.epochs": epochs})
        last, _ = files.read_tensors(other.root / "artifacts/digits/models/seed-1.safetensors")
        assert all(torch.equal(kept[f"{variant}.{i}"], last[f"{variant}.{i}"]) for i in range(6))


def test_test_images_have_no_part_in_training(digits, expected, monkeypatch):
    monkeypatch.setattr(train, "read_dataset", without_test_images)
    digits.train("digits")
    assert_same(digits.outputs("digits"), expected("digits"))


def without_test_images(path: Path):
    dataset = read_dataset(path)
    return type(dataset)(dataset.name, dataset.shape, dataset.train, dataset.validation,
                         torch.full_like(dataset.test, torch.nan))


def test_training_images_have_nothing_to_fit(digits):
    digits.train("digits_training_images")
    written = digits.outputs("digits_training_images")
    assert written["curves.csv"].decode().splitlines() == [",".join(train.CURVES)]
    training = json.loads(written["training.json"])
    assert training["model"] == "training_images"
    assert [(entry["seed"], entry["updates"], list(entry["variants"])) for entry in training["seeds"]] == [
        (1, None, ["raw"])]
    assert training["seeds"][0]["variants"]["raw"]["epoch"] is None
    order = files.read_tensors(Path("artifacts/digits_training_images/models/seed-1.safetensors"))[0]["raw.order"]
    assert sorted(order.tolist()) == list(range(1197))


def test_kmeans_takes_its_last_centroids_and_no_epoch(digits):
    digits.train("digits_kmeans")
    written = digits.outputs("digits_kmeans")
    rows = list(csv.DictReader(io.StringIO(written["curves.csv"].decode())))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    distances = [float(row["mean_squared_distance"]) for row in rows]
    assert distances == sorted(distances, reverse=True)
    assert [bool(row["validation_log_likelihood"]) for row in rows] == [False, False, True]
    variant = json.loads(written["training.json"])["seeds"][0]["variants"]["raw"]
    assert variant["epoch"] is None
    centroids = files.read_tensors(Path("artifacts/digits_kmeans/models/seed-1.safetensors"))[0]["raw.centroids"]
    assert list(centroids.shape) == [80, 64]


def test_seeds_give_other_weights_and_do_not_depend_on_each_other(digits, expected):
    digits.train("digits", {"experiments.digits.train.seeds": [2]})
    alone, both = digits.outputs("digits"), expected("digits")
    assert alone["models/seed-2.safetensors"] == both["models/seed-2.safetensors"]
    assert both["models/seed-1.safetensors"] != both["models/seed-2.safetensors"]


@pytest.mark.parametrize("experiment", ["digits", "digits_training_images", "digits_kmeans"])
def test_two_runs_give_the_same_bytes(digits, expected, experiment):
    digits.train(experiment)
    assert_same(digits.outputs(experiment), expected(experiment))


@pytest.mark.parametrize(("name", "value"), [
    ("updates", "alternating"), ("objective", "minimax"), ("batch_size", 299)])
def test_the_recipe_shapes_the_weights(digits, expected, name, value):
    digits.train("digits", {f"{MODEL}.recipe.{name}": value})
    assert digits.outputs("digits")["models/seed-1.safetensors"] != expected("digits")["models/seed-1.safetensors"]


def test_a_seed_stops_when_its_best_epoch_lies_back_by_the_patience(digits, scripted_scores):
    scripted_scores([1.0, 0.5, 0.4, 9.0] * 4)
    digits.train("digits", {"monitor.every": 1, "monitor.patience": 2, "experiments.digits.train.seeds": [1],
                            f"{MODEL}.recipe.epochs": 10})
    training = files.read_json(Path("artifacts/digits/training.json"))
    assert training["seeds"][0]["variants"]["raw"]["epoch"] == 1
    assert len(Path("artifacts/digits/curves.csv").read_text().splitlines()) == 1 + 3


def with_other_code(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As if a file of the repository had been edited."""
    parsed = code._parsed

    def edited(path: Path) -> tuple[str, tuple[str, ...]]:
        digest, imported = parsed(path)
        return ("other" if path == code.ROOT / name else digest), imported
    monkeypatch.setattr(code, "_parsed", edited)


def test_inputs_are_the_digest_of_settings_data_and_code(digits, monkeypatch):
    configure.main()
    digest = inputs_digest("digits", "digits")
    assert inputs_digest("digits", "digits") == digest
    digits.change({f"{MODEL}.recipe.epochs": 6})
    configure.main()
    assert inputs_digest("digits", "digits") != digest
    digits.change({f"{MODEL}.recipe.epochs": 5, "experiments.digits.figures.rows": 2})
    configure.main()
    assert inputs_digest("digits", "digits") == digest
    with_other_code(monkeypatch, "gan/adversarial/training.py")
    configure.main()
    assert inputs_digest("digits", "digits") != digest


def test_of_a_model_in_baselines_its_own_code_is_among_the_inputs_and_no_others(digits, monkeypatch):
    configure.main()
    def written() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (FOLDER / "digits_kmeans").iterdir()}
    digest, before = inputs_digest("digits_kmeans", "digits"), written()
    for changed, differs in (("training_images", False), ("kmeans", True)):
        with_other_code(monkeypatch, f"gan/baselines/{changed}.py")
        configure.main()
        assert (inputs_digest("digits_kmeans", "digits") != digest) is differs
        now = written()
        assert {name for name in now if now[name] != before[name]} == (
            {"train.json", "sample.json", "sample_size.json"} if differs else set())


# Going on after a kill.

@pytest.mark.parametrize("epochs", [0, 1, 3, 5, 8])
def test_a_killed_training_goes_on_and_ends_with_the_bytes_of_an_undisturbed_one(digits, expected, capsys, epochs):
    run_and_be_killed("digits", epochs)
    assert digits.outputs("digits") == {}
    capsys.readouterr()
    train.main("digits")
    assert f"resumes from epoch {epochs % 5}" in capsys.readouterr().out
    assert_same(digits.outputs("digits"), expected("digits"))
    assert not (digits.root / "checkpoints/digits").exists()


def test_a_training_killed_again_and_again_ends_with_the_same_bytes(digits, expected):
    for _ in range(8):  # of ten epochs
        run_and_be_killed("digits", 1)
    train.main("digits")
    assert_same(digits.outputs("digits"), expected("digits"))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(update=st.integers(0, 2 * 5 * 3 - 1))
def test_a_training_killed_at_any_update_ends_with_the_same_bytes(digits, expected, update):
    """Two seeds of five epochs of three minibatches; nothing is saved of the update before the kill."""
    wanted, update_of_training, left = expected("digits"), Training.update, [update]

    def update_or_die(*arguments):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return update_of_training(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "update", update_or_die)
        configure.main()
        with pytest.raises(Killed):
            train.main("digits")
    train.main("digits")
    assert_same(digits.outputs("digits"), wanted)
    shutil.rmtree(digits.root / "artifacts/digits")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_ends_training_after_the_running_update_whose_state_is_kept(digits, expected, monkeypatch, number,
                                                                            error):
    monkeypatch.setattr(checkpoints, "DEFAULT_SECONDS", 1e9)
    update, done = Training.update, []

    def update_and_be_told_to_stop(*arguments):
        logits = update(*arguments)
        done.append(1)
        if len(done) == 11:
            os.kill(os.getpid(), number)
        return logits
    configure.main()
    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", update_and_be_told_to_stop)
        with pytest.raises(error) as caught:
            train.main("digits")
    assert getattr(caught.value, "code", 143) == 143
    assert len(done) == 11
    (checkpoint,) = digits.checkpoints()
    assert int(files.read_tensors(checkpoint)[0]["1/model/updates"]) == 11
    train.main("digits")
    assert_same(digits.outputs("digits"), expected("digits"))


def test_work_that_cannot_be_stopped_between_updates_is_stopped_wherever_it_is(monkeypatch):
    monkeypatch.setattr(interruption, "SECONDS_TO_STOP", 0.05)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]

    def work():
        with interruption.Interruption():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
    with pytest.raises(SystemExit) as caught:
        work()
    assert caught.value.code == 143
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)] == before


def test_seeds_trained_one_by_one_are_collected_with_the_same_bytes(digits, expected, monkeypatch):
    configure.main()
    train.main("digits", "2")
    train.main("digits", "1")
    assert nothing_was_written(digits.root)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", None)  # nothing is left to be trained
        train.main("digits")
    assert_same(digits.outputs("digits"), expected("digits"))


def test_a_seed_that_the_experiment_does_not_have_is_refused(digits):
    configure.main()
    with pytest.raises(ReproductionError, match=r"digits has no seed 7[\s\S]*expected: *1, 2"):
        train.main("digits", "7")


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_seconds_between_checkpoints_that_are_none_are_refused(digits, monkeypatch, text):
    configure.main()
    monkeypatch.setenv(checkpoints.SECONDS, text)
    with pytest.raises(ReproductionError, match="GAN_CHECKPOINT_SECONDS is not right"):
        train.main("digits")


def test_checkpoints_lie_where_the_environment_says(digits, expected, monkeypatch, tmp_path):
    monkeypatch.setenv(checkpoints.FOLDER, str(tmp_path / "shared"))
    run_and_be_killed("digits", 2)
    assert [path.name for path in (tmp_path / "shared/digits").glob("seed-1-*[0-9a-f].safetensors")]
    assert digits.checkpoints() == []
    train.main("digits")
    assert_same(digits.outputs("digits"), expected("digits"))


def test_kmeans_goes_on_too(digits, expected, capsys):
    run_and_be_killed("digits_kmeans", 2)
    train.main("digits_kmeans")
    assert "resumes from epoch 2" in capsys.readouterr().out
    assert_same(digits.outputs("digits_kmeans"), expected("digits_kmeans"))


def test_a_seed_that_is_done_is_not_fitted_again(digits, expected, monkeypatch):
    monkeypatch.setattr(checkpoints, "DEFAULT_SECONDS", 1e9)  # first epochs and finished seeds are saved
    run_and_be_killed("digits", 7)
    assert [path.name.split("-")[1] for path in digits.checkpoints()] == ["1", "2"]
    epochs, fit_epoch = [], AdversarialNetsModel.fit_epoch

    def count(self: AdversarialNetsModel, between_updates):
        epochs.append(self.epoch)
        return fit_epoch(self, between_updates)
    monkeypatch.setattr(AdversarialNetsModel, "fit_epoch", count)
    train.main("digits")
    assert epochs == [1, 2, 3, 4]  # of the second seed
    assert_same(digits.outputs("digits"), expected("digits"))


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(digits, expected, monkeypatch, capsys):
    run_and_be_killed("digits", 2)
    kept = {path: path.read_bytes() for path in digits.checkpoints()}

    write_bytes = Path.write_bytes

    def half(self: Path, content: bytes) -> int:
        if ".safetensors" not in self.name:
            return write_bytes(self, content)
        with self.open("wb") as file:
            file.write(content[:len(content) // 2])
        raise Killed
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(Killed):
            train.main("digits")
    left = [path.read_bytes() for path in (digits.root / "checkpoints").rglob("*.safetensors*")]
    assert left == list(kept.values())  # as the previous one
    train.main("digits")
    assert "resumes from epoch 2" in capsys.readouterr().out
    assert_same(digits.outputs("digits"), expected("digits"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """One bit of a weight, as a disk may have it."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def rewrite(path: Path, tensors, about) -> None:
    """With a digest that is right."""
    files.write_tensors(path, tensors, about | {"digest": checkpoints._digest(tensors)})


def of_other_networks(path: Path) -> None:
    tensors, about = files.read_tensors(path)
    rewrite(path, {name: tensor[:1] if tensor.ndim == 2 else tensor for name, tensor in tensors.items()}, about)


def without(*lost: str):
    def damage(path: Path) -> None:
        tensors, about = files.read_tensors(path)
        state = {name: value for name, value in about["state"]["1"].items() if name not in lost}
        rewrite(path, {name: tensor for name, tensor in tensors.items() if name not in lost},
                about | {"state": {"1": state}})
    return damage


def of_a_gpu(path: Path) -> None:
    """The state of a CUDA generator is 16 bytes, of the processor's 5,056."""
    tensors, about = files.read_tensors(path)
    tensors["1/model/stream.noise"] = torch.zeros(16, dtype=torch.uint8)
    rewrite(path, tensors, about)


def test_what_a_kill_left_of_a_checkpoint_is_cleared_away_when_training_goes_on(digits):
    run_and_be_killed("digits", 3)
    (newest,) = digits.checkpoints()
    ours, another = (newest.with_name(f".{name}.abc.part") for name in (newest.name, "seed-7-0123456789abcdef"))
    for path in (ours, another):
        path.write_bytes(b"half")
    run_and_be_killed("digits", 1)
    assert not ours.exists()
    assert another.exists()  # its process may be writing it


@pytest.mark.parametrize("damage", [
    cut, garbage, empty, flipped, of_other_networks, of_a_gpu,
    pytest.param(without("1/model/stream.order"), id="without the order of the data"),
    pytest.param(without("1/model/epoch"), id="without its epoch"),
    pytest.param(without("rows"), id="without rows"),
    pytest.param(without("choices"), id="without choices")])
@pytest.mark.parametrize("both", [False, True])
def test_a_checkpoint_that_is_not_whole_is_not_used_and_the_outputs_are_the_same(digits, expected, capsys, damage,
                                                                               both):
    """The one before it is, if that is whole; else training starts anew."""
    run_and_be_killed("digits", 3)
    (newest,) = digits.checkpoints()
    previous = newest.with_suffix(".previous.safetensors")
    damage(newest)
    if both:
        damage(previous)
    capsys.readouterr()
    train.main("digits")
    said = capsys.readouterr().out
    assert "is not used" in said
    assert ("starts anew" in said) is both
    assert (f"resumes from epoch 3 (checkpoints/digits/{previous.name})" in said) is not both
    assert_same(digits.outputs("digits"), expected("digits"))
    assert not (digits.root / "checkpoints/digits").exists()


@pytest.mark.parametrize("changes", [
    {f"{MODEL}.recipe.learning_rate.initial": 0.05}, {"monitor.every": 1}, {f"{MODEL}.generator.hidden": []}])
def test_a_checkpoint_of_other_settings_is_not_used(digits, new_repository, capsys, changes):
    run_and_be_killed("digits", 3)
    assert len(digits.checkpoints()) == 1
    capsys.readouterr()
    digits.train("digits", changes)
    assert "going on" not in capsys.readouterr().out
    other = new_repository()
    other.train("digits", changes)
    assert_same(digits.outputs("digits"), other.outputs("digits"))


def test_a_checkpoint_of_other_data_is_not_used(digits, capsys):
    run_and_be_killed("digits", 3)
    tensors, about = files.read_tensors(prepared_file("digits"))
    files.write_tensors(prepared_file("digits"), tensors | {"train": tensors["train"].flip(0)}, about)
    capsys.readouterr()
    train.main("digits")
    assert "going on" not in capsys.readouterr().out


def test_a_checkpoint_of_another_experiment_is_not_used(digits, capsys):
    run_and_be_killed("digits", 3)
    shutil.copytree("checkpoints/digits", "checkpoints/digits_kmeans")
    capsys.readouterr()
    digits.train("digits_kmeans")
    assert "going on" not in capsys.readouterr().out


# Divergence.

def nothing_was_written(root: Path) -> bool:
    return not any(path.is_file() for path in (root / "artifacts/digits").rglob("*"))


@pytest.mark.parametrize("rate", [1e3, 1e8, 1e20, 1e38])
def test_a_rate_that_is_far_too_high_stops_with_the_epoch_named_or_trains_to_the_end(digits, rate):
    """Saturated units may well stay finite; what must not be is any other error."""
    try:
        digits.train("digits", {f"{MODEL}.recipe.learning_rate.initial": rate})
    except TrainingDiverged as error:
        assert re.search(r"diverged in epoch \d+[\s\S]*lower learning_rate\.initial", str(error))  # noqa: PT017
        assert nothing_was_written(digits.root)
    else:
        assert rate < 1e20
        assert "training.json" in digits.outputs("digits")


def poison_in(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_epoch = AdversarialNetsModel.fit_epoch

    def poisoned(self: AdversarialNetsModel, between_updates):
        if self.epoch + 1 == epoch:
            self.training.generator.parameters[0].fill_(torch.nan)
        return fit_epoch(self, between_updates)
    monkeypatch.setattr(AdversarialNetsModel, "fit_epoch", poisoned)


def test_nan_stops_training_with_its_epoch_and_the_last_good_state_is_kept_and_named(digits, expected, monkeypatch):
    configure.main()
    with monkeypatch.context() as patch:
        poison_in(4, patch)
        with pytest.raises(TrainingDiverged) as caught:
            train.main("digits")
    assert caught.value.epoch == 4
    assert "training diverged in epoch 4" in str(caught.value)
    (checkpoint,) = digits.checkpoints()
    named = re.search(r"the last good state is kept in (\S+\.safetensors)", str(caught.value))[1]
    assert (digits.root / named).samefile(checkpoint)
    tensors, about = files.read_tensors(checkpoint)
    assert int(tensors["1/model/epoch"]) == 3
    assert [row["epoch"] for row in about["state"]["1"]["rows"]] == [1, 2, 3]
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point())
    assert nothing_was_written(digits.root)
    train.main("digits")  # had it been a cosmic ray
    assert_same(digits.outputs("digits"), expected("digits"))


def test_nan_before_the_first_timed_checkpoint_keeps_the_last_good_state_too(digits, monkeypatch):
    monkeypatch.setattr(checkpoints, "DEFAULT_SECONDS", 60.0)
    configure.main()
    poison_in(4, monkeypatch)
    with pytest.raises(TrainingDiverged, match="the last good state is kept in"):
        train.main("digits")
    assert len(digits.checkpoints()) == 1


def test_nan_in_the_first_epoch_names_no_state_as_there_is_none(digits, monkeypatch):
    configure.main()
    poison_in(1, monkeypatch)
    with pytest.raises(TrainingDiverged, match="diverged in epoch 1") as caught:
        train.main("digits")
    assert "kept" not in str(caught.value)
    assert digits.checkpoints() == []
    assert nothing_was_written(digits.root)


def test_nan_in_one_seed_keeps_the_seeds_before_it(digits, monkeypatch):
    configure.main()
    fit_epoch = AdversarialNetsModel.fit_epoch

    def poisoned(self: AdversarialNetsModel, between_updates):
        if self.epoch == 1 and digits.checkpoints()[-1].name.startswith("seed-2"):
            self.training.generator.parameters[0].fill_(torch.nan)
        return fit_epoch(self, between_updates)
    monkeypatch.setattr(AdversarialNetsModel, "fit_epoch", poisoned)
    with pytest.raises(TrainingDiverged, match="diverged in epoch 2"):
        train.main("digits")
    assert [path.name[:6] for path in digits.checkpoints()] == ["seed-1", "seed-2"]


# What cannot be.

@pytest.mark.parametrize(("experiment", "changes", "named"), [
    ("digits_kmeans", {"experiments.digits_kmeans.train.model.clusters": 1198},
     r"experiments\.digits_kmeans[\s\S]*at most the 1197 training images, not 1198"),
    ("digits_kmeans", {"monitor.samples": 81}, r"81[\s\S]*80 centroids"),
    ("digits_training_images", {"monitor.samples": 1198}, r"1198[\s\S]*1197 training images"),
])
def test_numbers_that_the_data_does_not_have_are_parameters_to_mend(digits, experiment, changes, named):
    with pytest.raises(ParameterError, match=named):
        digits.train(experiment, changes)
    assert "training.json" not in digits.outputs(experiment)


def test_missing_data_says_what_makes_it(digits):
    prepared_file("digits").unlink()
    with pytest.raises(DataError, match=r"data/prepared/digits\.safetensors is missing[\s\S]*dvc repro"):
        digits.train("digits")


def test_missing_configuration_says_what_makes_it(digits):
    with pytest.raises(DataError, match=r"configuration/digits/train\.json is missing[\s\S]*dvc repro"):
        train.main("digits")


def test_outputs_hold_no_time_no_host_and_no_path(digits, expected):
    for name, content in expected("digits").items():
        for word in (str(digits.root), digits.root.name, socket.gethostname()):
            assert word.encode() not in content, name
