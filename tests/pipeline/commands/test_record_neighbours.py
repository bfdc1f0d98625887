"""neighbours.npz: the training image nearest to each sample that a record holds of the seed that is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finished_run import NORM, FinishedRun
from recorded_run import make_recorded

from pipeline.bare.record import write_neighbours
from pipeline.results.long_run import read_long_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    monkeypatch.chdir(tmp_path)
    return FinishedRun(tmp_path, shape=(1, 2, 3), train_images=40)


def test_they_are_the_nearest_of_all_training_images(run: FinishedRun) -> None:
    train = run.prepare("mnist")
    folder = make_recorded(Path("reports/recorded"))
    (path,) = write_neighbours(folder, "mnist")
    record = read_long_run(folder)
    found = record.neighbours
    assert found is not None
    assert found.seed == 2  # which validation chose
    samples = torch.from_numpy(record.grids[2]["raw"]).double() / 255
    distances = torch.cdist(samples, train.double(), compute_mode="donot_use_mm_for_euclid_dist")
    assert found.training_images == distances.argmin(1).tolist()
    assert found.distances == pytest.approx(distances.min(1).values.tolist(), rel=1e-6)
    assert (torch.from_numpy(found.images) == (train[list(found.training_images)] * 255).round()).all()
    first = path.read_bytes()
    write_neighbours(folder, "mnist")
    assert path.read_bytes() == first


def test_without_the_data_or_the_row_of_table_1_there_are_none(run: FinishedRun) -> None:
    folder = make_recorded(Path("reports/recorded"))
    assert write_neighbours(folder, "mnist") == []
    run.prepare("mnist")
    folder.with_suffix(".json").unlink()
    assert write_neighbours(folder, "mnist") == []


def test_images_in_a_scale_of_their_own_have_none(run: FinishedRun) -> None:
    run.prepare("mnist", contrast_norm=NORM)
    assert write_neighbours(make_recorded(Path("reports/recorded")), "mnist") == []
