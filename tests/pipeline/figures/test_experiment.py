"""Titles of figures: everything that tells a picture from a like one."""

from __future__ import annotations

from finished_run import NOTE, REDUCED, REFERENCE, FinishedRun

from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.style import wrapped


def test_titles_name_experiment_profile_seed_and_epoch(empty: FinishedRun) -> None:
    empty.add("mnist")
    empty.add("mnist_kmeans", model="kmeans", scores=REFERENCE, epochs=None)
    shown = FinishedExperiment.read("mnist")
    assert shown.title("samples", "raw") == "mnist: samples\nprofile cpu, seed 2, epoch 9"
    assert shown.title("samples", "ema") == "mnist: samples\nprofile cpu, seed 1, epoch 12"
    assert FinishedExperiment.read("mnist_kmeans").title("samples", "raw").endswith("profile cpu, seed 1")


def test_titles_say_that_the_profile_was_reduced_and_the_note(empty: FinishedRun) -> None:
    empty.add("faces", dataset="faces", about={"differences": REDUCED, "note": NOTE})
    shown = FinishedExperiment.read("faces")
    assert shown.title("samples", "raw").splitlines() == [
        "faces: samples", "profile cpu (reduced), seed 2, epoch 9", NOTE]
    assert shown.title("curves", more=["seed 3"]).splitlines()[1] == "profile cpu (reduced), seed 3"


def test_long_titles_are_wrapped() -> None:
    assert wrapped("a: b\none two three", 8) == "a: b\none two\nthree"
