"""pipeline.runtime.stage_time: a stage that was stopped and resumed took as long as all its parts."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gan.errors import DataError
from pipeline.runtime import inputs, run_log, stage, stage_time
from pipeline.runtime.checkout import EXPERIMENTS
from pipeline.runtime.inputs import Inputs
from pipeline.runtime.stage_time import StageTime

STAGE, INPUTS = "train@digits", "a" * 64


class Clock:
    """The monotonic clock, by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch, tmp_path) -> Clock:
    clock = Clock()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(stage_time.CHECKPOINTS, raising=False)
    monkeypatch.setattr(stage_time, "time", SimpleNamespace(monotonic=clock))  # and no other clock
    monkeypatch.setattr(stage_time, "SECONDS_BETWEEN_NOTES", 3600.0)
    return clock


def keep_a_checkpoint(folder: str = "checkpoints/digits") -> Path:
    path = Path(folder) / "seed-1-abc.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def stopped(clock: Clock, seconds: float, name: str = STAGE, digest: str = INPUTS) -> None:
    def work() -> None:
        with StageTime(name, digest):
            clock.now += seconds
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


def ended(clock: Clock, seconds: float, name: str = STAGE, digest: str = INPUTS) -> tuple[float, int]:
    with StageTime(name, digest) as spent:
        clock.now += seconds
    return spent.seconds, spent.parts


def test_all_parts_of_a_training_add_up_and_are_forgotten_at_its_end(clock):
    stopped(clock, 100)
    keep_a_checkpoint()
    stopped(clock, 20)
    assert ended(clock, 3) == (123, 3)
    assert not Path("checkpoints/.times").exists()
    assert ended(clock, 3) == (3, 1)


def test_what_left_nothing_to_resume_from_does_not_count(clock):
    stopped(clock, 100)
    assert ended(clock, 3) == (3, 1)


def test_parts_of_other_code_data_or_settings_do_not_count(clock):
    keep_a_checkpoint()
    stopped(clock, 100, digest="b" * 64)
    assert ended(clock, 3) == (3, 1)
    stopped(clock, 20, digest="b" * 64)
    assert ended(clock, 3, digest="b" * 64) == (123, 3)  # whose checkpoint is still there


def test_a_stage_that_begins_anew_each_time_took_as_long_as_its_last_run(clock):
    keep_a_checkpoint()
    stopped(clock, 100, name="evaluate@digits")
    assert ended(clock, 3, name="evaluate@digits") == (3, 1)
    assert not Path("checkpoints/.times").exists()


def test_a_search_resumes_as_well(clock):
    keep_a_checkpoint("checkpoints/searches/mnist_dbn")
    stopped(clock, 100, name="reports/searches/dvc.yaml:search@mnist_dbn")
    assert ended(clock, 3, name="reports/searches/dvc.yaml:search@mnist_dbn") == (103, 2)


def test_seeds_that_were_trained_elsewhere_are_parts_of_the_training(clock, tmp_path, monkeypatch):
    """By a cluster's workers, in clones of their own, which see the same checkpoints."""
    monkeypatch.setenv(stage_time.CHECKPOINTS, str(tmp_path / "shared"))
    for seed in (1, 2):
        with StageTime(STAGE, INPUTS, whole=False):
            clock.now += 10 * seed
    keep_a_checkpoint(str(tmp_path / "shared/digits"))
    assert ended(clock, 3) == (33, 3)


def test_a_part_that_is_killed_has_noted_its_time(clock, monkeypatch):
    monkeypatch.setattr(stage_time, "SECONDS_BETWEEN_NOTES", 0.01)
    keep_a_checkpoint()
    killed = StageTime(STAGE, INPUTS)
    killed.__enter__()
    clock.now += 50
    wait_for_a_note_of(50)
    killed._ended.set()  # as `kill -9` does, with all else
    assert ended(clock, 3) == (53, 2)


def wait_for_a_note_of(seconds: float) -> None:
    for _ in range(1000):
        notes = [stage_time._read(folder) for folder in Path("checkpoints/.times").glob("*/*")]
        if [seconds] in notes:
            return
        threading.Event().wait(0.01)
    pytest.fail("nothing was noted")


def test_a_torn_note_and_a_folder_that_cannot_be_written_harm_nothing(clock):
    keep_a_checkpoint()
    stopped(clock, 100)
    (note,) = Path("checkpoints/.times").rglob("*.json")
    note.with_name("torn.json").write_text('{"sec')
    assert ended(clock, 3) == (103, 2)
    Path("checkpoints/.times").write_text("a file where the folder should be")
    stopped(clock, 100)
    assert ended(clock, 3) == (3, 1)


def test_an_experiment_in_a_folder_of_dvc_s_keeps_its_time_in_the_checkout(clock, tmp_path, monkeypatch):
    place = tmp_path / EXPERIMENTS / "tmpx4"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    keep_a_checkpoint(str(tmp_path / "checkpoints/digits"))
    stopped(clock, 100)
    monkeypatch.chdir(tmp_path)
    assert ended(clock, 3) == (103, 2)


# Within a stage.

@pytest.fixture
def graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", STAGE)
    monkeypatch.delenv(stage_time.CHECKPOINTS, raising=False)
    Path("dvc.yaml").write_text("stages:\n  train:\n    foreach: [digits]\n    do:\n      cmd: train\n"
                                "      deps: [settings.json, images]\n")
    Path("settings.json").write_text("{}")
    Path("images").write_bytes(b"i" * (inputs.HASHED + 1))


def train(succeeds: bool, whole: bool = True) -> None:
    with stage.recorded(whole):
        time.sleep(0.06)
        keep_a_checkpoint()
        if not succeeds:
            raise DataError("torn")


def test_the_run_log_has_the_time_of_all_parts_and_how_many_they_were(graph):
    with pytest.raises(DataError):
        train(succeeds=False)
    train(succeeds=True, whole=False)
    assert run_log.read("stages") == {}
    train(succeeds=True)
    kept = run_log.read("stages")[STAGE]
    assert kept["parts"] == 3
    assert kept["seconds"] >= 0.15


def test_the_digest_of_inputs_is_of_their_content_wherever_and_whenever_they_lie(graph, tmp_path, monkeypatch):
    def digest() -> str:
        return Inputs.of(STAGE).digest()

    before = digest()
    for path in (Path("settings.json"), Path("images")):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)  # another inode, another time
    assert digest() == before
    for path, content in ((Path("settings.json"), b'{"epochs": 2}'), (Path("images"), b"j" * (inputs.HASHED + 1))):
        old = path.read_bytes()
        path.write_bytes(content)
        assert digest() != before
        path.write_bytes(old)
        assert digest() == before
    assert Inputs.of("train@other").digest() != before
