"""Which checkout a stage works for, where DVC runs it in a folder of its own."""

from __future__ import annotations

import pytest

from pipeline.runtime.checkout import EXPERIMENTS, ROOT, main_checkout


@pytest.fixture(autouse=True)
def no_dvc(monkeypatch):
    monkeypatch.delenv(ROOT, raising=False)


def enter(folder, monkeypatch):
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


def test_it_is_the_current_folder_elsewhere_whatever_checkout_dvc_names(tmp_path, monkeypatch):
    """DVC names the checkout itself for a stage of `dvc repro`; a clone within a stage's tests inherits the name."""
    clone = enter(tmp_path / "clone", monkeypatch)
    assert main_checkout() == clone
    for named in (clone, tmp_path):
        monkeypatch.setenv(ROOT, str(named))
        assert main_checkout() == clone


@pytest.mark.parametrize("place", ["tmpx4", "standalone/tmpx4"])
def test_it_is_the_one_whose_experiment_runs_in_the_current_folder(tmp_path, monkeypatch, place):
    """Of `--queue` and of `--temp`."""
    enter(tmp_path / "clone" / EXPERIMENTS / place, monkeypatch)
    assert main_checkout() == tmp_path / "clone"


def test_the_folder_of_dvc_may_be_a_link_to_another_disk(tmp_path, monkeypatch):
    (tmp_path / "clone/.dvc").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "clone/.dvc/tmp").symlink_to(tmp_path / "scratch")
    monkeypatch.setenv(ROOT, str(tmp_path / "clone"))
    enter(tmp_path / "clone" / EXPERIMENTS / "standalone/tmpx4", monkeypatch)
    assert main_checkout() == tmp_path / "clone"


def test_an_experiment_of_an_experiment_belongs_to_the_outermost(tmp_path, monkeypatch):
    inner = tmp_path / "clone" / EXPERIMENTS / "tmpx4" / EXPERIMENTS / "tmpy5"
    monkeypatch.setenv(ROOT, str(tmp_path / "clone" / EXPERIMENTS / "tmpx4"))
    enter(inner, monkeypatch)
    assert main_checkout() == tmp_path / "clone"
