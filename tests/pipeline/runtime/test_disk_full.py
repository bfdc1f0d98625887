"""A disk that is full while a checkpoint or an output is written: a clear error, and the last good state is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import files_of_at_most

from gan.adversarial.training import Training
from gan.errors import ReproductionError
from pipeline.runtime import checkpoints, files
from pipeline.stages import configure, train


@pytest.fixture
def wanted(digits) -> dict[str, bytes]:
    """What an undisturbed training gives; nothing of it is left."""
    digits.train("digits")
    outputs = digits.outputs("digits")
    shutil.rmtree(digits.root / "artifacts/digits")
    configure.main()
    return outputs


def test_a_checkpoint_that_has_no_room_is_an_error_with_a_cure_and_the_one_before_is_gone_on_from(
        digits, wanted, monkeypatch, capsys):
    monkeypatch.setenv(checkpoints.SECONDS, "0")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "save", stopping_after(3, checkpoints.Checkpoint.save))
        with pytest.raises(KeyboardInterrupt):
            train.main("digits")
    (kept,) = digits.checkpoints()
    state = kept.read_bytes()
    with files_of_at_most(len(state) // 2), pytest.raises(ReproductionError, match=(
            r"cannot write checkpoints/digits/seed-1-\w+\.safetensors[\s\S]*free disk space[\s\S]*unharmed")):
        train.main("digits")
    left = list(kept.parent.rglob("*.safetensors"))
    assert any(path.read_bytes() == state for path in left)
    assert not list(kept.parent.glob(".*"))
    capsys.readouterr()
    train.main("digits")
    assert "resumes from epoch" in capsys.readouterr().out
    assert digits.outputs("digits") == wanted


def stopping_after(number: int, save):
    calls = []

    def save_and_count(*arguments):
        calls.append(save(*arguments))
        if len(calls) == number:
            raise KeyboardInterrupt
    return save_and_count


def test_an_output_that_has_no_room_is_an_error_and_nothing_is_trained_again(digits, wanted, monkeypatch, capsys):
    write = files.write_tensors

    def write_on_a_full_disk(path, *arguments):
        with files_of_at_most(100) if "models" in Path(path).parts else contextlib.nullcontext():
            write(path, *arguments)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_tensors", write_on_a_full_disk)
        with pytest.raises(ReproductionError, match=(
                r"cannot write artifacts/digits/models/seed-1\.safetensors[\s\S]*free disk space")):
            train.main("digits")
    assert not [path for path in (digits.root / "artifacts/digits").rglob("*") if path.name.endswith(".part")]
    monkeypatch.setattr(Training, "update", lambda *arguments: pytest.fail("trained again"))
    capsys.readouterr()
    train.main("digits")
    assert "resumes from epoch 5" in capsys.readouterr().out
    assert digits.outputs("digits") == wanted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)],
                                      capture_output=True).returncode:
        pytest.skip("only root, where it is allowed to, can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_disk_that_is_really_full_the_last_good_state_is_kept(digits, wanted, small_disk, monkeypatch, capsys):
    """Room for one checkpoint and not for a second."""
    monkeypatch.setenv(checkpoints.SECONDS, "0")
    monkeypatch.setenv(checkpoints.FOLDER, str(small_disk))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoint, "save", stopping_after(1, checkpoints.Checkpoint.save))
        with pytest.raises(KeyboardInterrupt):
            train.main("digits")
    (kept,) = small_disk.rglob("seed-1-*.safetensors")
    state = kept.read_bytes()
    used = sum(path.stat().st_blocks * 512 for path in small_disk.rglob("*")) // 1024
    subprocess.run(["mount", "-o", f"remount,size={used + 8}k", str(small_disk)], check=True)
    with pytest.raises(ReproductionError, match=r"cannot write[\s\S]*No space left on device[\s\S]*unharmed"):
        train.main("digits")
    assert any(path.read_bytes() == state for path in small_disk.rglob("*.safetensors"))
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    capsys.readouterr()
    train.main("digits")
    assert "resumes from epoch" in capsys.readouterr().out
    assert digits.outputs("digits") == wanted
