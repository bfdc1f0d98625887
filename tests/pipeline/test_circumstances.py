from pathlib import Path

import pytest

from pipeline import circumstances


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_was_recorded_last_is_read_by_its_name() -> None:
    circumstances.record("stages", "train@a/b <c>", {"seconds": 3.5})
    circumstances.record("stages", "train@a/b <c>", {"seconds": 4.5})
    circumstances.record("runs", "other", {"id": "x"})
    assert circumstances.read("stages") == {"train@a/b <c>": {"name": "train@a/b <c>", "seconds": 4.5}}


def test_a_torn_file_is_left_out_and_a_missing_folder_is_empty() -> None:
    assert circumstances.read("stages") == {}
    circumstances.record("stages", "good", {})
    (circumstances.FOLDER / "stages" / "torn.json").write_text('{"name": "to')
    (circumstances.FOLDER / "stages" / "list.json").write_text("[]")
    assert list(circumstances.read("stages")) == ["good"]


def test_nothing_fails_where_nothing_can_be_written() -> None:
    circumstances.FOLDER.write_text("a file where the folder should be")
    circumstances.record("stages", "train", {"seconds": 1})
    circumstances.record("stages", "train", {"seconds": object()})
    assert circumstances.read("stages") == {}
