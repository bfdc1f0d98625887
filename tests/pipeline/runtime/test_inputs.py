"""A stage whose code, data or parameters were edited meanwhile fails, and DVC keeps nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from gan.errors import ReproductionError
from pipeline.runtime import inputs
from pipeline.runtime.inputs import Inputs

ROOT = Path(__file__).parents[3]
GRAPH = """
vars: [plan.yaml]
stages:
  train:
    foreach: ${run.experiments}
    do:
      cmd: python work.py ${key}
      params:
        - parzen
        - experiments.${key}
        - other.yaml:
            - a.b
      deps:
        - work.py
        - code
        - data/${item}.bin
      outs:
        - out/${key}.txt
  prepare:
    foreach: ${run.datasets}
    do:
      cmd: python work.py ${item}
      deps: ["raw/${item}"]
      outs: ["data/${item}.bin"]
  report:
    cmd: python work.py
    deps: [work.py, "${run.reports}/summary.json"]
    params: [parzen]
    outs: [report.txt]
  configure:
    cmd: python work.py
    deps: [code, params.yaml, plan.yaml]
    outs: [configuration]
"""
PLAN = "run: {datasets: [digits], experiments: {first: digits}, reports: reports/smoke}\n"
PARAMETERS = """
parzen: {samples: 10}
experiments: {first: {epochs: 1}, second: {epochs: 1}}
"""
WORK = """
import time
from pathlib import Path
from pipeline.runtime import stage

def main(name):
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(.01)
    Path("out").mkdir(exist_ok=True)
    Path(f"out/{name}.txt").write_text("result")

stage.run(main, "name")
"""


@pytest.fixture
def graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"dvc.yaml": GRAPH, "params.yaml": PARAMETERS, "plan.yaml": PLAN,
                       "other.yaml": "a: {b: 1, c: 1}\n", "work.py": WORK,
                       "code/one.py": "1\n", "code/deep/two.py": "2\n", "data/digits.bin": "data",
                       "raw/digits/images": "raw", "reports/smoke/summary.json": "{}"}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    return tmp_path


def edit(name: str, old: str, new: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(Path(name).read_text().replace(old, new))


@pytest.mark.parametrize("stage", ["train@first", "prepare@digits", "report", "configure"])
def test_a_stage_whose_inputs_stay_as_they_are_passes(graph, stage):
    before = Inputs.of(stage)
    assert before.marks
    before.require_unchanged()


def test_a_place_that_the_plan_names_is_found(graph):
    before = Inputs.of("report")
    assert Path("reports/smoke/summary.json") in before.marks
    Path("reports/smoke/summary.json").write_text("{1: 2}")
    with pytest.raises(ReproductionError, match=r"reports/smoke/summary\.json"):
        before.require_unchanged()


@pytest.mark.parametrize(("change", "named"), [
    (edit("work.py", "result", "resu1t"), "work.py"),
    (edit("code/deep/two.py", "2", "3"), "code/deep/two.py"),
    (lambda: Path("code/three.py").touch(), "code/three.py (new)"),
    (lambda: Path("code/one.py").unlink(), "code/one.py (gone)"),
    (edit("data/digits.bin", "data", "dat4"), "data/digits.bin"),
    (edit("params.yaml", "samples: 10", "samples: 20"), "parzen in params.yaml"),
    (edit("params.yaml", "first: {epochs: 1}", "first: {epochs: 2}"), "experiments.first in params.yaml"),
    (edit("params.yaml", "parzen: {samples: 10}", ""), "parzen in params.yaml"),
    (edit("other.yaml", "b: 1", "b: 2"), "a.b in other.yaml")])
def test_an_edit_is_named(graph, change, named):
    before = Inputs.of("train@first")
    change()
    with pytest.raises(ReproductionError, match="what train@first reads was edited while it ran") as raised:
        before.require_unchanged()
    assert f"found: {named}\n" in str(raised.value)
    assert "run `dvc repro` again" in str(raised.value)


@pytest.mark.parametrize("change", [
    lambda: os.utime("work.py", (1, 1)),
    lambda: Path("new").write_text(WORK) and Path("new").replace("work.py"),
    edit("params.yaml", "second: {epochs: 1}", "second: {epochs: 2}"),
    edit("params.yaml", "parzen:", "# more than before\nparzen:"),
    edit("other.yaml", "c: 1", "c: 2"),
    lambda: (Path("code/__pycache__").mkdir(), Path("code/__pycache__/one.pyc").touch())])
def test_what_changes_no_content_that_the_stage_reads_is_no_edit(graph, change):
    before = Inputs.of("train@first")
    change()
    before.require_unchanged()


@pytest.mark.parametrize("stage", ["train@first", "prepare@digits"])
def test_what_a_stage_is_about_may_stand_in_the_file_of_the_plan_or_in_the_parameters(graph, stage):
    planned = inputs._reads(stage)
    Path("params.yaml").write_text(PARAMETERS + PLAN)
    edit("dvc.yaml", "vars: [plan.yaml]\n", "")()
    Path("plan.yaml").unlink()
    assert inputs._reads(stage) == planned
    assert Path("data/digits.bin") in planned[0] or Path("raw/digits") in planned[0]


def test_an_edited_file_of_parameters_is_an_edit_where_all_of_it_is_read(graph):
    before = Inputs.of("configure")
    edit("plan.yaml", "first: digits", "second: digits")()
    with pytest.raises(ReproductionError, match=r"found: plan\.yaml\n"):
        before.require_unchanged()


def test_of_many_changes_the_first_are_named(graph):
    before = Inputs.of("train@first")
    for number in range(20):
        Path(f"code/{number}.py").touch()
    with pytest.raises(ReproductionError, match="and 14 more"):
        before.require_unchanged()


def test_a_large_file_written_anew_counts_as_another(graph, monkeypatch):
    monkeypatch.setattr(inputs, "HASHED", 3)
    before = Inputs.of("train@first")
    before.require_unchanged()
    os.utime("data/digits.bin", (1, 1))
    with pytest.raises(ReproductionError, match=r"found: data/digits\.bin\n"):
        before.require_unchanged()


def test_a_module_edited_between_its_import_and_the_record_is_an_edit(graph, monkeypatch):
    module = ModuleType("pipeline.one")
    module.__file__ = str(graph / "code/one.py")
    monkeypatch.setitem(sys.modules, "pipeline.one", module)
    os.utime("code/one.py", (1, 1))
    Inputs.of("train@first")
    os.utime("code/one.py")
    with pytest.raises(ReproductionError, match=r"found: code/one\.py\n"):
        Inputs.of("train@first")
    Inputs.of("report")  # which does not read it
    with pytest.raises(ReproductionError, match=r"found: code/one\.py\n"):
        Inputs.of("configure")


def test_a_time_that_is_still_to_come_is_no_edit(graph, monkeypatch):
    """The clock was set back since the files were written, or they lie on a machine whose clock is ahead: no stage
    could begin before the time had come."""
    module = ModuleType("pipeline.one")
    module.__file__ = str(graph / "code/one.py")
    monkeypatch.setitem(sys.modules, "pipeline.one", module)
    os.utime("code/one.py", (time.time() + 3600, time.time() + 3600))
    before = Inputs.of("train@first")
    before.require_unchanged()
    Path("code/one.py").write_text("edited")
    with pytest.raises(ReproductionError, match=r"found: code/one\.py\n"):
        before.require_unchanged()


def test_without_a_graph_there_is_nothing_to_compare(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Inputs.of("train@first").require_unchanged()


def test_what_is_read_is_what_dvc_says_for_one_stage_of_each_kind_of_the_real_graph(monkeypatch):
    """dvc.yaml is resolved here a second time, because to ask DVC would take every stage most of a second."""
    monkeypatch.chdir(ROOT)
    from dvc.repo import Repo

    with Repo(".") as repo:
        kinds = {stage.addressing.partition("@")[0]: stage for stage in repo.index.stages}
        assert len(kinds) > 10
        for stage in kinds.values():
            paths, keys = inputs._reads(stage.addressing)
            deps = {dep.def_path for dep in stage.deps if not hasattr(dep, "params")}
            params = {(dep.def_path, key) for dep in stage.deps if hasattr(dep, "params") for key in dep.params}
            assert {str(path) for path in paths} == deps
            assert set(keys) == params


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(12000):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pytest.fail(f"no {path}")


def test_dvc_keeps_nothing_of_a_stage_that_was_edited_and_all_of_the_next_run(graph):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))} | {
        "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(graph / "site"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["dvc", "init", "--quiet", "--no-scm"], env=environment, check=True, timeout=60)
    command = ["dvc", "repro", "--single-item", "train@first"]
    process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(Path("begun"), process)
        edit("params.yaml", "samples: 10", "samples: 20")()
        Path("go").touch()
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "error: what train@first reads was edited while it ran\n" in output
    assert "found: parzen in params.yaml\n" in output
    assert "Traceback" not in output
    assert not Path("dvc.lock").exists()
    assert not list(Path(".dvc/cache").rglob("*"))

    again = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=60)
    assert again.returncode == 0, again.stdout
    lock = YAML(typ="safe").load(Path("dvc.lock"))["stages"]["train@first"]
    assert lock["params"]["params.yaml"]["parzen"] == {"samples": 20}
    assert "out/first.txt" in [out["path"] for out in lock["outs"]]
