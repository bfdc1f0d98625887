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
