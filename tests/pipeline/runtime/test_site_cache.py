"""pipeline.runtime.site_cache: what DVC remembers lies in the checkout, by real DVC."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.runtime import site_cache
from pipeline.runtime.site_cache import FOLDER, LOCAL, VARIABLE, keep_in_checkout, require_working

GRAPH = "stages:\n  work:\n    cmd: echo done > out.txt\n    outs: [out.txt]\n"


@pytest.fixture
def root(tmp_path, monkeypatch, own_git) -> Path:
    """A checkout of DVC's, without a user's or a machine's configuration."""
    (tmp_path / "a file").write_text("")
    root = tmp_path / "checkout"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "dvc.yaml").write_text(GRAPH)
    for name, place in (("DVC_GLOBAL_CONFIG_DIR", "global"), ("DVC_SYSTEM_CONFIG_DIR", "system")):
        monkeypatch.setenv(name, str(tmp_path / place))
    (tmp_path / "system").mkdir()
    monkeypatch.delenv(VARIABLE)
    monkeypatch.chdir(root)
    return root


def dvc(*words: str, folder: Path = Path()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, capture_output=True, text=True, timeout=60)


def test_any_dvc_that_works_in_the_checkout_keeps_it_there_from_whatever_folder_it_is_called(root):
    keep_in_checkout()
    below = root / "reports"
    below.mkdir()
    ended = dvc("repro", "../dvc.yaml", folder=below)
    assert ended.returncode == 0, ended.stderr
    assert (root / "out.txt").exists()
    assert list((root / FOLDER / "repo").iterdir())
    assert not list(below.iterdir())


def test_asked_again_nothing_is_written_and_dvc_is_not_imported(root, monkeypatch):
    keep_in_checkout()
    before = LOCAL.stat()
    for name in [name for name in sys.modules if name.partition(".")[0] == "dvc"]:
        monkeypatch.delitem(sys.modules, name)
    keep_in_checkout()
    assert LOCAL.stat() == before
    assert not [name for name in sys.modules if name.partition(".")[0] == "dvc"]


def test_what_else_is_configured_stays(root, tmp_path):
    LOCAL.write_text(f"[cache]\n    dir = {tmp_path}/cache\n['remote \"shared\"']\n    url = {tmp_path}/remote\n")
    keep_in_checkout()
    assert dvc("cache", "dir").stdout.strip() == f"{tmp_path}/cache"
    assert "shared" in dvc("remote", "list").stdout


def test_a_checkout_that_was_moved_or_copied_keeps_its_own(root, monkeypatch):
    keep_in_checkout()
    moved = root.with_name("moved")
    root.rename(moved)
    monkeypatch.chdir(moved)
    keep_in_checkout()
    assert dvc("config", "core.site_cache_dir").stdout.strip() == str(moved / FOLDER)


@pytest.mark.parametrize("level", ["--global", "--local", "--project"])
def test_a_place_that_the_user_has_configured_is_heeded(root, tmp_path, level):
    assert dvc("config", level, "core.site_cache_dir", str(tmp_path / "own")).returncode == 0
    keep_in_checkout()
    assert dvc("config", "core.site_cache_dir").stdout.strip() == str(tmp_path / "own")


def test_so_is_one_in_the_environment(root, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    keep_in_checkout()
    assert not LOCAL.exists()


def test_where_there_is_no_checkout_of_dvc_s_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keep_in_checkout()
    require_working()
    assert not list(tmp_path.iterdir())


# Before anything is changed.

def test_a_site_cache_that_cannot_be_made_is_told_with_what_to_do(root, tmp_path, monkeypatch):
    keep_in_checkout()
    require_working()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "a file/site"))
    with pytest.raises(ReproductionError, match=rf"DVC cannot work[\s\S]*a file/site[\s\S]*unset {VARIABLE}"):
        require_working()
    monkeypatch.delenv(VARIABLE)
    LOCAL.write_text(f"[core]\n    site_cache_dir = {tmp_path}/a file/site\n")
    with pytest.raises(ReproductionError, match=r"a file/site[\s\S]*dvc config --local core.site_cache_dir"):
        require_working()


def test_a_cache_that_cannot_be_written_is_told(root, monkeypatch):
    keep_in_checkout()
    monkeypatch.setattr(site_cache.os, "access", lambda path, mode: "site_cache" in str(path))
    with pytest.raises(ReproductionError, match=r"cannot be written"):
        require_working()
