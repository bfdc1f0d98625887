"""What was recorded of a bare run beside its scores."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_run import make_recorded

from gan.adversarial.collapse import has_collapsed
from gan.errors import DataError
from pipeline.results.long_run import Estimate, long_runs, read_long_run
from pipeline.results.metrics import headline
from pipeline.results.recorded import recorded_runs
from pipeline.runtime.files import read_json, write_json

COMMITTED = Path(__file__).parents[3] / "reports/recorded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_recorded(tmp_path)


def test_everything_is_read_from_its_file(folder: Path) -> None:
    [run] = long_runs(folder.parent)
    assert (run.experiment, run.profile, run.date) == ("mnist", "paper", "2026-11-27")
    assert "Example GPU" in run.hardware
    part = run.annealing
    assert part is not None
    assert (part.seeds, part.epochs, part.epochs_planned, part.microseconds) == ([1, 2], 7, 2000, {1: 460.4, 2: 700.6})
    assert part.looks["raw"] == [[101, 106, 111, 116], [102, 107, 112, 117]]
    assert part.look("ema", 6) == [153, 154]
    assert part.look("ema", 5) == []
    [branch] = part.branches
    assert (branch.before["raw"], branch.after["ema"]) == ([101, 102], [131, 132])
    assert branch.unchanged["raw"] == part.look("raw", 4)
    assert part.scores[1].collapsed
    assert part.scores[1].variants["raw"].paper_grid == Estimate(216.0, 2.5)
    [starts] = run.starts
    assert (starts.seeds, starts.collapsed, starts.agree) == ([1, 2, 3, 4], [False, True, False, False], 3)
    assert [has_collapsed(*both) for both in zip(starts.d_on_data, starts.d_on_samples, strict=True)] \
        == starts.collapsed
    assert run.shape == [1, 2, 3]
    assert run.grids[2]["raw"].shape == (100, 6)


def test_the_effective_step_is_the_recipes(folder: Path) -> None:
    part = read_long_run(folder).annealing
    assert part is not None
    assert part.step(300) == pytest.approx(0.1 / 1.000004**150_000 / 0.3)  # .183
    assert part.step(1) == pytest.approx(0.1 / 1.000004**500 / 0.5)


def test_without_folders_there_is_nothing(tmp_path: Path) -> None:
    assert long_runs(tmp_path) == []
    assert long_runs(tmp_path / "nowhere") == []
    make_recorded(tmp_path)
    shutil.rmtree(tmp_path / "mnist-paper")
    assert long_runs(tmp_path) == []


@pytest.mark.parametrize("lacking", ["collapse.json", "grids.npz", "annealing.json"])
def test_a_part_that_was_not_run_is_left_out(folder: Path, lacking: str) -> None:
    (folder / lacking).unlink()
    run = read_long_run(folder)
    assert (run.starts == [], run.grids == {}, run.annealing is None) == tuple(
        lacking == name for name in ("collapse.json", "grids.npz", "annealing.json"))


def test_a_long_run_that_ended_before_its_first_look_is_none(folder: Path) -> None:
    change("annealing.json", lambda content: content["annealing"].pop("epochs"))(folder)
    assert read_long_run(folder).annealing is None


def change(name: str, edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        content = read_json(folder / name)
        edit(content)
        write_json(folder / name, content)
    return changed


def arrays(name: str, **values: Any) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        with np.load(folder / name) as file:
            content = {key: file[key] for key in file.files}
        np.savez(folder / name, **content | values)
    return changed


@pytest.mark.parametrize(("spoil", "file", "found"), [
    (lambda folder: (folder / "curves.npz").unlink(), "annealing.json", "curves.npz"),
    (lambda folder: (folder / "grids.npz").write_bytes(b"PK no archive"), "grids.npz", ""),
    (lambda folder: (folder / "starts.npz").write_bytes(b""), "collapse.json", ""),
    (change("annealing.json", lambda content: content.pop("updates_per_epoch")), "annealing.json",
     "nothing under 'updates_per_epoch'"),
    (change("annealing.json", lambda content: content["annealing"].update(seeds=[1, 3])), "annealing.json",
     r"seeds \[1, 3\], and \[1, 2\] in curves.npz"),
    (change("annealing.json", lambda content: content.update(annealing=[])), "annealing.json", r"annealing \[\]"),
    (change("collapse.json", lambda content: content["collapse"]["as <released>"].update(starts=5)), "collapse.json",
     r"4 seeds and curves \(4, 20, 4\) of the starts 'as <released>', not \(5, 20, 4\)"),
    (change("collapse.json", lambda content: content["collapse"]["as <released>"].update(collapsed_seeds=[])),
     "collapse.json", "0 seeds of the starts 'as <released>', not 1"),
    (arrays("curves.npz", look_epochs=[1, 2]), "annealing.json", r"looks \(4, 2, 2\) in curves.npz, not \(2, 2, 2\)"),
    (arrays("grids.npz", shape=[1, 28, 28]), "grids.npz", r"not images of \[1, 28, 28\]"),
    (arrays("grids.npz", seed_1_raw=np.zeros((100, 6))), "grids.npz", "seed_1_raw is float64")])
def test_a_folder_that_does_not_fit_is_refused_with_the_file(folder: Path, spoil: Callable[[Path], None], file: str,
                                                             found: str) -> None:
    spoil(folder)
    with pytest.raises(DataError, match=rf"{file} does not fit what a recorded run holds\n(.*\n)*.*{found}") as error:
        read_long_run(folder)
    assert error.value.remedy == f"record the run again, or remove {folder}"


def test_the_committed_run_is_that_of_its_row() -> None:
    run = next(run for run in long_runs(COMMITTED) if run.folder.endswith("mnist-paper"))
    row = next(run for run in recorded_runs(COMMITTED) if run.path.endswith("mnist-paper.json"))
    content = read_json(COMMITTED / "mnist-paper/annealing.json")
    entry = headline({"seeds": content["annealing"]["scores"], "hardware": content["hardware"], "profile": "paper",
                      "model": "adversarial_nets", "dataset": "mnist"})
    for of in (entry, entry["ema"], entry["paper_grid"]):
        assert of["seed_mean"] is not None
    assert (entry["seed_mean"], entry["seed_sd"]) == (row.metrics["seed_mean"], row.metrics["seed_sd"])
    assert entry["paper_grid"] == row.metrics["paper_grid"]
    assert (run.commit, run.date) == (row.commit, row.date)
    assert all(has_collapsed(data, samples) == flag for starts in run.starts for data, samples, flag in zip(
        starts.d_on_data, starts.d_on_samples, starts.collapsed, strict=True))
