from pathlib import Path

import pytest

from pipeline.runtime import run_log


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_was_recorded_last_is_read_by_its_name() -> None:
    run_log.record("stages", "train@a/b <c>", {"seconds": 3.5})
    run_log.record("stages", "train@a/b <c>", {"seconds": 4.5})
    run_log.record("runs", "other", {"id": "x"})
    assert run_log.read("stages") == {"train@a/b <c>": {"name": "train@a/b <c>", "seconds": 4.5}}


def test_a_torn_file_is_left_out_and_a_missing_folder_is_empty() -> None:
    assert run_log.read("stages") == {}
    run_log.record("stages", "good", {})
    (run_log.FOLDER / "stages" / "torn.json").write_text('{"name": "to')
    (run_log.FOLDER / "stages" / "list.json").write_text("[]")
    assert list(run_log.read("stages")) == ["good"]


def test_nothing_fails_where_nothing_can_be_written() -> None:
    run_log.FOLDER.write_text("a file where the folder should be")
    run_log.record("stages", "train", {"seconds": 1})
    run_log.record("stages", "train", {"seconds": object()})
    assert run_log.read("stages") == {}


def test_what_an_experiment_in_a_folder_of_dvc_s_runs_is_kept_in_the_checkout_beside_its_own(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_log.record("stages", "train@mnist", {"seconds": 600})
    run_log.record("stages", "evaluate@mnist", {"seconds": 60})
    place = tmp_path / ".dvc/tmp/exps/standalone/tmpx4"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv(run_log.EXPERIMENT, "sad-bear")
    run_log.record("stages", "train@mnist", {"seconds": 3})
    assert list(place.iterdir()) == []
    here = run_log.read("stages")
    assert (here["train@mnist"]["seconds"], here["evaluate@mnist"]["seconds"]) == (3, 60)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(run_log.EXPERIMENT)
    kept = run_log.read("stages")
    assert (kept["train@mnist"]["seconds"], kept["train@mnist (sad-bear)"]["seconds"]) == (600, 3)
