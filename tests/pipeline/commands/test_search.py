"""pipeline.commands.search: settings tried on validation images alone."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from gan.baselines.stacked_cae import StackedCAEModel
from gan.errors import ParameterError, TrainingDiverged
from pipeline.commands import search
from pipeline.runtime import files

ROOT = Path(__file__).parents[3]
TINY = {"note": "", "seed": 1, "samples": 50, "select_by": "raw",
        "settings": {"layers.0.units": 9, "layers.1.units": 8, "layers.0.epochs": 1, "layers.1.epochs": 1, "burn_in": 2,
                     "starts": 5},
        "over": {"layers.0.contraction": [0.1, 1.0], "noise": [0.5, 2.0]}}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a search of small networks on noise that stands for MNIST."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_DEVICE", "cpu")
    searches(mnist_stacked_cae=TINY)
    images = {split: torch.randint(256, (n, 36), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
              for split, n in (("train", 60), ("validation", 30), ("test", 40))}
    files.write_tensors(Path("data/prepared/mnist.safetensors"), images,
                        {"name": "mnist", "shape": [1, 6, 6], "divisor": 255})


def searches(**entries):
    """The committed params.yaml, and a searches.yaml with these searches."""
    shutil.copy(ROOT / "params.yaml", ".")
    with Path("searches.yaml").open("w") as file:
        YAML(typ="safe").dump(entries, file)


def rows():
    with Path("reports/searches/mnist_stacked_cae.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_combination_is_scored_and_the_best_is_told(capsys):
    search.main("mnist_stacked_cae")
    found = rows()
    assert [(row["layers.0.contraction"], row["noise"]) for row in found] == [
        ("0.1", "0.5"), ("0.1", "2.0"), ("1.0", "0.5"), ("1.0", "2.0")]
    scores = [float(row["validation_log_likelihood_raw"]) for row in found]
    assert len(set(scores)) == 4
    best = found[scores.index(max(scores))]
    assert (f"best by raw, {max(scores):.1f} nats: layers.0.contraction {best['layers.0.contraction']}, "
            f"noise {best['noise']}\n") in capsys.readouterr().out
    assert {row["bandwidth_parallel"] for row in found} - {""}


def test_one_fit_serves_settings_that_differ_in_sampling_alone(monkeypatch):
    fitted = []
    fit_epoch = StackedCAEModel.fit_epoch
    monkeypatch.setattr(StackedCAEModel, "fit_epoch", lambda self: fitted.append(1) or fit_epoch(self))
    search.main("mnist_stacked_cae")
    assert len(fitted) == 2 * 2  # two contractions, two layers of one epoch
    together = rows()
    shutil.rmtree("checkpoints")
    alone = TINY | {"over": {"layers.0.contraction": [1.0], "noise": [2.0]}}
    searches(mnist_stacked_cae=alone)
    search.main("mnist_stacked_cae")
    assert rows() == together[-1:]


def test_a_search_that_was_killed_goes_on_and_ends_with_the_same_bytes(monkeypatch):
    search.main("mnist_stacked_cae")
    path = Path("reports/searches/mnist_stacked_cae.csv")
    whole = path.read_bytes()
    path.unlink()
    shutil.rmtree("checkpoints")
    scored, scores = [], search._scores

    def killed(*arguments):
        scored.append(1)
        if len(scored) == 3:
            raise KeyboardInterrupt
        return scores(*arguments)

    monkeypatch.setattr(search, "_scores", killed)
    with pytest.raises(KeyboardInterrupt):
        search.main("mnist_stacked_cae")
    assert not path.exists()
    search.main("mnist_stacked_cae")
    assert len(scored) == 3 + 2  # the first two are not scored again
    assert path.read_bytes() == whole


def test_what_is_kept_of_other_settings_or_data_is_not_used(monkeypatch):
    search.main("mnist_stacked_cae")
    before = rows()
    searches(mnist_stacked_cae=TINY | {"seed": 2})
    search.main("mnist_stacked_cae")
    assert rows() != before


def test_test_images_play_no_part():
    search.main("mnist_stacked_cae")
    before = rows()
    shutil.rmtree("checkpoints")
    path = Path("data/prepared/mnist.safetensors")
    tensors, about = files.read_tensors(path)
    files.write_tensors(path, tensors | {"test": 255 - tensors["test"]}, about)
    search.main("mnist_stacked_cae")
    assert rows() == before


def test_a_setting_under_which_training_diverges_has_no_score(monkeypatch):
    fit_epoch = StackedCAEModel.fit_epoch

    def diverging(self):
        if self.settings.layers[0].contraction == 1.0:
            raise TrainingDiverged(1, "nan", "lower it")
        return fit_epoch(self)

    monkeypatch.setattr(StackedCAEModel, "fit_epoch", diverging)
    search.main("mnist_stacked_cae")
    assert [bool(row["validation_log_likelihood_raw"]) for row in rows()] == [True, True, False, False]
    searches(mnist_stacked_cae=TINY | {"over": {"layers.0.contraction": [1.0]}})
    with pytest.raises(ParameterError, match="can choose nothing") as raised:
        search.main("mnist_stacked_cae")
    assert "all settings diverged" in str(raised.value)


@pytest.mark.parametrize(("change", "words"), [
    ({"over": {"layers.0.contractoin": [1.0]}}, "mnist_stacked_cae names a setting that the model"),
    ({"over": {"layers.7.contraction": [1.0]}}, "layers.7.contraction"),
    ({"over": {"noise": [-1.0]}}, "noise must be finite and at least 0"),
    ({"over": {"noise": []}}, "over must name settings"),
    ({"samples": 0}, "samples must be at least 1"),
    ({"sample": 5}, "unknown key")])
def test_a_wrong_search_is_told_before_any_work(change, words):
    searches(mnist_stacked_cae=TINY | change)
    with pytest.raises(ParameterError) as raised:
        search.main("mnist_stacked_cae")
    assert words in str(raised.value)


def test_a_search_that_there_is_not_is_told():
    with pytest.raises(ParameterError, match="mnist_stacked"):
        search.main("mnist_stacked")
    with pytest.raises(ParameterError, match=r"searches\.yaml has no search for mnist") as raised:
        search.main("mnist")
    assert "expected: one of mnist_stacked_cae" in str(raised.value)
    searches(mnist_stacked_cae=TINY | {"select_by": "ema"})
    with pytest.raises(ParameterError, match="can choose nothing by 'ema'"):
        search.main("mnist_stacked_cae")
