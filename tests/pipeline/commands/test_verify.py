"""A graph that gives the same again is told from one that does not, by real git and real DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from gan.errors import ReproductionError
from pipeline.commands import verify
from pipeline.runtime import git
from pipeline.settings import parameters

GRAPH = """
stages:
  download:
    foreach: [mnist]
    do:
      cmd: mkdir -p data/raw/mnist && echo pixels > data/raw/mnist/images && echo fetched >> $ELSEWHERE/fetched
      outs: [data/raw/mnist]
  train:
    foreach: [mnist]
    do:
      cmd: mkdir -p models && cp data/raw/mnist/images models/a.bin && cp $ELSEWHERE/value.json models/value.json
      deps: [data/raw/mnist]
      outs: [models]
  report:
    cmd: mkdir -p reports && echo "<p data-varies>$PWD</p><p>constant</p>" > reports/index.html
    deps: [models]
    outs:
      - reports/index.html: {cache: false}
"""


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """A repository with a graph of three stages, of which one reads a file that nothing declares."""
    root = tmp_path_factory.mktemp("committed")
    (root / "pipeline").mkdir(parents=True)
    (root / "pipeline/__main__.py").write_text("")
    (root / "dvc.yaml").write_text(GRAPH)
    (root / "params.yaml").write_text("profile: smoke\nscience: 1\n")
    (root / "plan.yaml").write_text("run: {datasets: [mnist]}\n")
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for words in (["git", "init"], [sys.executable, "-m", "dvc", "init"], ["git", "add", "--all"],
                  ["git", "commit", "--message", "graph"]):
        subprocess.run([*words, "--quiet"] if "add" not in words else words, check=True, timeout=60, cwd=root,
                       env={name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
                       | names | {"DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull})
    return root


@pytest.fixture
def checkout(tmp_path, monkeypatch, committed):
    """A copy of it, as the current folder."""
    for name in [name for name in os.environ if name.startswith(("GAN_", "DVC_", "GIT_"))]:
        monkeypatch.delenv(name)
    settings = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "ELSEWHERE": str(tmp_path),
                "GIT_CONFIG_GLOBAL": os.devnull, "GAN_DEVICE": "cpu",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "value.json").write_text('{"score": 1}')
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    root = tmp_path / "checkout"
    shutil.copytree(committed, root)
    monkeypatch.chdir(root)
    far = SimpleNamespace(availability=lambda local, probe: SimpleNamespace(state="downloadable"))
    monkeypatch.setattr(parameters, "load", lambda plan: SimpleNamespace(datasets={"mnist": far}))
    return root


def command(*words: str) -> None:
    subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)


def left(checkout: Path) -> list[Path]:
    return list((checkout.parent / "temporary").iterdir())


def test_what_a_clone_gives_differently_is_named_with_its_stage_and_kept(checkout, capsys):
    command("dvc", "repro", "--quiet")
    (checkout.parent / "value.json").write_text('{"score": 2}')
    with pytest.raises(ReproductionError) as raised:
        verify.main()
    said = capsys.readouterr().out
    assert "this checkout with a clone" in said
    assert "raw data     download@mnist: from this checkout's DVC cache" in said
    assert (checkout.parent / "fetched").read_text() == "fetched\n"
    assert "download@mnist      1 file   identical\n" in said
    assert "train@mnist         2 files  1 differ\n    models/value.json: score: 1, 2\n" in said
    assert "report              1 file   identical\n" in said
    message = str(raised.value)
    assert message.startswith("1 of 4 files differ between this checkout and a clone")
    assert "found: train@mnist\n" in message
    (kept,) = left(checkout)
    assert str(kept) in message
    assert (kept / "clone/models/value.json").read_text() == '{"score": 2}'
    assert (checkout / "models/value.json").read_text() == '{"score": 1}'


def test_a_checkout_without_results_has_two_clones_compared(checkout, capsys):
    verify.main()
    said = capsys.readouterr().out
    assert "two clones: this checkout has no such results" in said
    assert "identical: 4 files of 3 stages in a second clone and a clone" in said
    assert not (checkout / "models").exists()
    assert left(checkout) == []


@pytest.mark.parametrize(("name", "content"), [
    ("dvc.yaml", f"{GRAPH}# edited\n"), ("params.yaml", "profile: smoke\nscience: 2\n")])
def test_what_is_not_committed_is_refused(checkout, name, content):
    (checkout / name).write_text(content)
    with pytest.raises(ReproductionError, match=f"found: {name}\n") as raised:
        verify.main()
    assert "git stash" in str(raised.value)


def test_what_the_plan_and_runs_write_is_no_edit(checkout):
    (checkout / "params.yaml").write_text("profile: cpu\nscience: 1\n")
    (checkout / "plan.yaml").write_text("run: {datasets: []}\n")
    (checkout / "dvc.lock").write_text("")
    assert len(git.clean_commit("what is verified")) == 40


def test_a_stage_that_fails_ends_it_with_what_was_said(checkout):
    (checkout.parent / "value.json").unlink()
    with pytest.raises(ReproductionError, match=r"`dvc repro` failed in a clone[\s\S]*value\.json"):
        verify.main()
    assert left(checkout) == []
