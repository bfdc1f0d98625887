"""What it writes is whole or not there, and what it reads is whole or an error that names the cure."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import DataError, ReproductionError
from pipeline.runtime import files

OLD = b"what was there before"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with old content, alone in its folder."""
    path = tmp_path / "folder" / "file.json"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def assert_untouched(target: Path) -> None:
    assert target.read_bytes() == OLD
    assert names(target.parent) == [target.name]


def write_half(path: Path, error: type[BaseException]) -> None:
    with files.writing(path) as temporary:
        temporary.write_bytes(b"half of it")
        raise error("in between")


def fail_with(number: int):
    def fail(*arguments: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))
    return fail


# Whole or not there.

def test_new_content_replaces_the_old_in_one_step(target):
    with files.writing(target) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == target.parent
        assert target.read_bytes() == OLD
    assert target.read_bytes() == b"new"
    assert names(target.parent) == [target.name]


def test_folders_on_the_way_are_made(tmp_path):
    files.write_text(tmp_path / "a/b/c.txt", "×")
    assert (tmp_path / "a/b/c.txt").read_text(encoding="utf-8") == "×"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_while_writing_leaves_the_old_file_and_nothing_beside_it(target, error):
    with pytest.raises(error, match="in between"):
        write_half(target, error)
    assert_untouched(target)


def test_an_exception_leaves_no_file_where_there_was_none(tmp_path):
    with pytest.raises(ValueError, match="in between"):
        write_half(tmp_path / "new", ValueError)
    assert names(tmp_path) == []


@pytest.mark.parametrize("operation", ["pathlib.Path.write_bytes", "os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_is_an_error_with_a_cure_and_the_old_content_stays(target, monkeypatch, operation):
    monkeypatch.setattr(operation, fail_with(errno.ENOSPC))
    with pytest.raises(ReproductionError, match=r"cannot write .*file\.json[\s\S]*No space left on device"
                                                r"[\s\S]*free disk space[\s\S]*unharmed"):
        files.write_json(target, {"new": 1})
    monkeypatch.undo()
    assert_untouched(target)


def test_a_read_only_file_system_is_an_error_with_a_cure_and_the_old_content_stays(target, monkeypatch):
    monkeypatch.setattr("tempfile.mkstemp", fail_with(errno.EROFS))
    with pytest.raises(ReproductionError, match=r"cannot write[\s\S]*Read-only file system[\s\S]*mend the folder's"):
        files.write_json(target, {"new": 1})
    assert_untouched(target)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_an_error_with_a_cure_and_the_old_content_stays(target):
    target.parent.chmod(0o555)
    try:
        with pytest.raises(ReproductionError, match=r"cannot write[\s\S]*Permission denied[\s\S]*permissions"):
            files.write_json(target, {"new": 1})
        assert_untouched(target)
    finally:
        target.parent.chmod(0o755)


def test_a_file_in_the_place_of_a_folder_is_an_error_with_a_cure(target):
    with pytest.raises(ReproductionError, match=r"cannot write .*inner[\s\S]*what to do"):
        files.write_text(target / "inner", "new")
    assert_untouched(target)


def test_two_writers_of_one_file_leave_the_whole_content_of_one(target):
    contents = [bytes([number]) * 300_000 for number in range(8)]
    writers = [threading.Thread(target=files.write_bytes, args=(target, content)) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert target.read_bytes() in contents
    assert names(target.parent) == [target.name]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
@pytest.mark.parametrize("there", [True, False])
def test_files_have_the_mode_that_the_umask_gives(tmp_path, umask, there):
    path = tmp_path / "file"
    if there:
        path.touch(0o600)
    before = os.umask(umask)
    try:
        files.write_text(path, "content")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


# JSON.

@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
                    | st.text(st.characters(exclude_categories=["Cs"])),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)))
def test_json_is_read_as_it_was_written(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    files.write_json(path, value)
    assert files.read_json(path) == value


def test_json_is_readable_and_ends_with_a_newline(tmp_path):
    files.write_json(tmp_path / "a.json", {"σ": [0.1, None, True]})
    assert (tmp_path / "a.json").read_bytes() == '{\n  "σ": [\n    0.1,\n    null,\n    true\n  ]\n}\n'.encode()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_with_numbers_that_it_does_not_have_is_refused_and_the_old_file_stays(target, number):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(target, {"deep": [{"down": number}]})
    assert_untouched(target)


def test_missing_json_says_what_makes_it(tmp_path):
    with pytest.raises(DataError, match=r"training\.json is missing[\s\S]*run `dvc repro`"):
        files.read_json(tmp_path / "training.json")


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"a: 1"])
def test_torn_json_says_what_to_do(tmp_path, content):
    path = tmp_path / "training.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"training\.json cannot be read[\s\S]*delete .*training\.json"):
        files.read_json(path)


# Tensors.

TENSORS = {"bytes": torch.arange(6, dtype=torch.uint8).view(2, 3), "floats": torch.tensor([0.1, -1e-30, 3e38]),
           "double": torch.tensor(1 / 3, dtype=torch.float64), "empty": torch.empty(0, 4),
           "transposed": torch.arange(6.0).view(2, 3).t(), "counts": torch.tensor([2**62, -1])}
ABOUT = {"name": "σ", "shape": [1, 8, 8], "nested": {"b": 1, "a": None}, "number": 0.1}


def test_tensors_and_what_is_said_about_them_come_back_as_they_were(tmp_path):
    files.write_tensors(tmp_path / "a.safetensors", TENSORS, ABOUT)
    tensors, about = files.read_tensors(tmp_path / "a.safetensors")
    assert about == ABOUT
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_tensors_that_need_gradients_are_written_without_them(tmp_path):
    files.write_tensors(tmp_path / "a.safetensors", {"weights": torch.ones(2, requires_grad=True)})
    tensors, about = files.read_tensors(tmp_path / "a.safetensors")
    assert about == {}
    assert not tensors["weights"].requires_grad


def test_what_was_read_does_not_change_with_the_file(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write_tensors(path, {"weights": torch.ones(1000)})
    tensors, _ = files.read_tensors(path)
    files.write_tensors(path, {"weights": torch.zeros(1000)})
    assert bool((tensors["weights"] == 1).all())


def test_equal_tensors_give_equal_bytes_every_time(tmp_path):
    path, turned = tmp_path / "a.safetensors", dict(reversed(ABOUT.items()))
    files.write_tensors(path, TENSORS, ABOUT)
    first = path.read_bytes()
    for _ in range(20):
        files.write_tensors(path, dict(reversed(TENSORS.items())), turned)
        assert path.read_bytes() == first


def test_equal_json_gives_equal_bytes_every_time(tmp_path):
    files.write_json(tmp_path / "a.json", ABOUT)
    first = (tmp_path / "a.json").read_bytes()
    files.write_json(tmp_path / "a.json", json.loads(first))
    assert (tmp_path / "a.json").read_bytes() == first


def test_missing_tensors_say_what_makes_them(tmp_path):
    with pytest.raises(DataError, match=r"seed-1\.safetensors is missing[\s\S]*run `dvc repro`"):
        files.read_tensors(tmp_path / "seed-1.safetensors")


def torn(tmp_path: Path) -> bytes:
    files.write_tensors(tmp_path / "whole.safetensors", TENSORS, ABOUT)
    return (tmp_path / "whole.safetensors").read_bytes()


@pytest.mark.parametrize("damage", [
    pytest.param(lambda content: b"", id="empty"),
    pytest.param(lambda content: content[:5], id="cut in the length"),
    pytest.param(lambda content: content[:60], id="cut in the header"),
    pytest.param(lambda content: content[:-1], id="last byte missing"),
    pytest.param(lambda content: content + b"\0", id="a byte too many"),
    pytest.param(lambda content: b"\xff" * 8 + content[8:], id="absurd length"),
    pytest.param(lambda content: b"\x80\x04\x95garbage" * 50, id="garbage"),
    pytest.param(lambda content: safetensors.torch.save({"a": torch.ones(1)}, {"about": "{half"}), id="about torn"),
])
def test_torn_tensors_are_an_error_with_a_cure(tmp_path, damage):
    path = tmp_path / "seed-1.safetensors"
    path.write_bytes(damage(torn(tmp_path)))
    with pytest.raises(DataError, match=r"seed-1\.safetensors cannot be read[\s\S]*delete .*safetensors and run"):
        files.read_tensors(path)


def test_a_folder_in_the_place_of_tensors_is_an_error_with_a_cure(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        files.read_tensors(tmp_path)


def test_tensors_of_other_makers_without_a_header_are_read(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(safetensors.torch.save({"a": torch.ones(1)}))
    assert files.read_tensors(tmp_path / "a.safetensors")[1] == {}


def test_digests_are_those_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
