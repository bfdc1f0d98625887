"""`python -m pipeline collapse`: what it writes, and what the page makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from finished_page import rendered

from gan.adversarial.training import Training
from gan.errors import DataError, ParameterError, ReproductionError
from pipeline.commands import collapse
from pipeline.page.mechanism import came_back, mechanism_sections, vanishing
from pipeline.page.pictures import Numbering
from pipeline.results.mechanism import FILE, mechanisms, read_mechanism
from pipeline.runtime.files import write_json

CHANGES = ["hold_discriminator", "hold_generator", "soften_output", "new_discriminator", "revive_dead_units"]


def test_a_start_is_watched_and_changed_at_each_of_the_epochs(digits):
    digits.change({"experiments.digits.train.model.recipe.learning_rate.initial": 2.0})
    collapse.main("digits", 2, [3, 2, 2], 2, "smoke")
    found = read_mechanism(digits.root / "reports/recorded/digits-smoke" / FILE)
    assert (found.experiment, found.profile, found.seed, found.dataset) == ("digits", "smoke", 2, "digits")
    assert len(found.d_on_data) == 5
    assert [(change.at, change.name) for change in found.changes] == [(at, name) for at in (2, 3) for name in CHANGES]
    assert all(len(change.d_on_data) == 2 for change in found.changes)
    assert [reading["update"] for reading in found.readings] == list(range(1, 21))  # all 4 of each of 5 epochs
    # Unchanged it is the training of that seed; with D held, another.
    from pipeline.bare.settings import Settings
    training = Training(Settings.read("digits", "smoke").nets, digits.dataset().train, 2, shape=digits.dataset().shape)
    assert found.d_on_data == [pytest.approx(training.run_epoch().d_on_data, abs=1e-6) for _ in range(5)]
    assert all(change.d_on_data != found.d_on_data[2:4] for change in found.changes if change.at == 2
               and "hold" in change.name)


@pytest.mark.parametrize(("at", "epochs"), [([], 1), ([0], 1), ([4], 2)])
def test_epochs_that_are_none_are_refused(digits, at, epochs):
    with pytest.raises(ParameterError, match="epochs from 1 to 5"):
        collapse.main("digits", 1, at, epochs, "smoke")


def test_starts_that_would_be_given_up_are_not_watched(digits):
    digits.change({"experiments.digits.train.model.recipe.epochs": 9,
                   "experiments.digits.train.model.recipe.restarts": {"after": 5, "starts": 3}})
    with pytest.raises(ParameterError, match="without pretraining, convolutions, restarts and condition"):
        collapse.main("digits", 1, [1], 1, "smoke")


def test_data_that_are_not_prepared_are_named_with_what_prepares_them(digits):
    shutil.rmtree(digits.root / "data")
    with pytest.raises(ReproductionError, match="dvc repro prepare@digits"):
        collapse.main("digits", 1, [1], 1, "smoke")


# On the page.

def content(**changes: Any) -> dict[str, Any]:
    """A start of four epochs of two updates whose pixels die, and which comes back where D was held in time."""
    readings = [{"update": update, "d_on_data": 0.99, "d_on_samples": 0.01, "asked": 0.99, "slope_of_d": 5.0,
                 "slope_of_output": 0.08 / 4**update, "gradient_of_g": 2.0 / 4**update, "variety": 0.1, "dead": [0.0]}
                for update in range(1, 9)]
    branches = [{"at": at, "change": name, "epochs": 2, "d_on_samples": [0.01, 0.01], "last": readings[-1],
                 "d_on_data": [0.97, 0.8 if at == 1 and name == "hold_discriminator" else 0.99]}
                for at in (1, 2) for name in CHANGES]
    return {"experiment": "mnist", "profile": "cpu", "seed": 3, "dataset": "mnist", "commit": "c0ffee" * 6,
            "recorded": "2026-01-02", "hardware": {"processor": "AMD EPYC"}, "updates_per_epoch": 2,
            "held_updates": 50, "factor": 0.25, "d_on_data": [0.9, 0.97, 0.99, 0.999], "readings": readings,
            "branches": branches} | changes


@pytest.fixture
def recorded(place: Path) -> Path:
    path = place / "reports/recorded/mnist-cpu" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content())
    return path


def test_the_page_names_what_vanishes_and_what_brings_it_back(recorded: Path) -> None:
    page = rendered()
    assert "What happens in a collapse" in page.text
    assert "What vanishes is the slope of G’s own output" in page.text
    assert "The gradient of G’s weights falls from 0.31 to 7.6e-05." in page.text
    assert ("after epoch 1, the start comes back if D makes no step for 50 updates; after epoch 2, none of the changes "
            "brings it back.") in page.text
    assert page.row("D makes no step for 50 updates")[1:] == ["0.8000", "comes back", "0.9900", "stays"]
    branches = content()["branches"]
    branches[0]["d_on_data"] = []
    write_json(recorded, content(branches=branches))
    assert rendered().row("D makes no step for 50 updates")[1:3] == ["diverged", "stays"]
    assert page.row("nothing is changed")[1:] == ["0.9900", "stays", "0.9990", "stays"]
    assert "#mechanism-mnist_2d_cpu" in {attributes.get("href") for attributes in page.all("a")}


def test_what_vanishes_follows_the_readings(recorded: Path) -> None:
    [one] = mechanisms(recorded.parents[1])
    assert vanishing(one) == "slope_of_output"
    assert [came_back(change) for change in one.changes].count(True) == 1
    readings = content()["readings"]
    for reading in readings:
        reading |= {"slope_of_output": 0.08, "asked": 1.0 / 10**reading["update"]}
    write_json(recorded, content(readings=readings))
    [one] = mechanisms(recorded.parents[1])
    assert vanishing(one) == "asked"
    assert "the loss itself" in mechanism_sections([one], Numbering())[0].said[0]


@pytest.mark.parametrize("broken", [{"readings": []}, {"readings": [{"update": 1}]}, {"d_on_data": None}])
def test_a_file_that_is_not_one_is_named(recorded: Path, broken: dict[str, Any]) -> None:
    write_json(recorded, content(**broken))
    with pytest.raises(DataError, match=r"mechanism\.json cannot be read"):
        mechanisms(recorded.parents[1])


def test_without_one_the_page_has_no_such_section(place: Path) -> None:
    assert "What happens in a collapse" not in rendered().text
