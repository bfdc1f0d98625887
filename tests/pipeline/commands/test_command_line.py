"""python -m pipeline: its verbs, what they are given, and what help costs."""

from __future__ import annotations

import dataclasses
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.cluster.options import ClusterOptions
from pipeline.commands import command_line, reproduce
from pipeline.commands.command_line import COMMAND, VERBS
from pipeline.runtime import process
from pipeline.settings import parameters
from pipeline.settings.plan import Plan

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "dvc", "mlflow", "matplotlib", "pandas", "sklearn", "numpy", "pydantic")
MEASURED = f"""
import runpy, sys, time
sys.argv = ["pipeline", *sys.argv[1:]]
try:
    runpy.run_module("pipeline", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("took", time.process_time())
print("heavy", [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture(autouse=True)
def settings(own_settings, monkeypatch):
    monkeypatch.chdir(ROOT)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=ROOT, env=os.environ | environment,
                          capture_output=True, text=True, timeout=60)


def called(*words: str) -> tuple[list[str], dict[str, object]]:
    """The functions that a command line calls, and what the last is given."""
    names, given = [], {}

    def function(name):
        def note(**arguments):
            names.append(name)
            given.clear()
            given.update(arguments)
        return note

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_function", function)
        process.call(COMMAND, "pipeline", list(words))
    return names, given


# What starting costs.

@pytest.mark.parametrize("words", [(), *[(verb,) for verb in VERBS if VERBS[verb].parameters != command_line.WORDS]])
def test_help_imports_nothing_that_takes_time(words):
    ended = subprocess.run([sys.executable, "-c", MEASURED, *words, "--help"], cwd=ROOT, capture_output=True, text=True,
                           timeout=60)
    assert ended.returncode == 0, ended.stderr
    *shown, took, heavy = ended.stdout.splitlines()
    assert shown[0].startswith("Usage: python -m pipeline")
    assert heavy == "heavy []"
    assert float(took.split()[1]) < 1


@pytest.mark.parametrize("words", [("who",), ("free",), ("table",)])
def test_what_only_looks_starts_without_what_takes_time(words):
    ended = subprocess.run([sys.executable, "-c", MEASURED, *words], cwd=ROOT, capture_output=True, text=True,
                           timeout=60)
    assert ended.stdout.splitlines()[-1] == "heavy []", ended.stdout + ended.stderr


# Verbs.

def test_the_help_has_every_verb_and_every_variable():
    shown = run("--help").stdout
    for name in (*VERBS, *command_line.typed.ENVIRONMENT):
        assert f"\n  {name} " in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_calls_what_there_is(verb):
    module, _, function = VERBS[verb].calls.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(("words", "function", "given"), [
    (["table"], "pipeline.commands.table:main", {}),
    (["search", "mnist_dbn"], "pipeline.commands.search:run", {"experiment": "mnist_dbn"}),
    (["settings", "mnist"], "pipeline.settings.explain:main", {"experiment": "mnist", "profile": ""}),
    (["settings", "mnist", "--profile", "smoke"], "pipeline.settings.explain:main",
     {"experiment": "mnist", "profile": "smoke"}),
    (["record", "mnist", "a note"], "pipeline.commands.record:main",
     {"experiment": "mnist", "note": "a note", "source": (), "weights": False}),
    (["record", "mnist", "--weights"], "pipeline.commands.record:main",
     {"experiment": "mnist", "note": "", "source": (), "weights": True}),
    (["record", "--from", "here", "--from", "there"], "pipeline.commands.record:main",
     {"experiment": "", "note": "", "source": (Path("here"), Path("there")), "weights": False}),
    (["samples"], "pipeline.commands.samples:main",
     {"source": None, "count": 100, "seed": 0, "variant": "", "out": Path("samples.png"), "of_class": None}),
    (["samples", "--from", "a", "--count", "9", "--seed", "-1", "--variant", "raw", "--out", "b"],
     "pipeline.commands.samples:main",
     {"source": Path("a"), "count": 9, "seed": -1, "variant": "raw", "out": Path("b"), "of_class": None}),
    (["samples", "--class", "7"], "pipeline.commands.samples:main",
     {"source": None, "count": 100, "seed": 0, "variant": "", "out": Path("samples.png"), "of_class": 7}),
    (["complete", "half.png", "--given", "top"], "pipeline.commands.complete:main",
     {"image": Path("half.png"), "given": "top", "source": None, "count": 8, "seed": 0, "variant": "",
      "out": Path("completed.png")}),
    (["page", "mnist", "digits", "--failed", "mnist_dbn"], "pipeline.commands.page:main",
     {"experiments": ("mnist", "digits"), "failed": ("mnist_dbn",)}),
    (["pdf"], "pipeline.commands.pdf:main", {"out": None}),
    (["crate", "--models"], "pipeline.commands.crate:main", {"models": True, "out": Path("crate.zip")}),
    (["compare"], "pipeline.commands.compare:main", {"a": "HEAD", "b": "workspace"}),
    (["compare", "HEAD~1", "main"], "pipeline.commands.compare:main", {"a": "HEAD~1", "b": "main"}),
    (["ui"], "pipeline.commands.ui:main", {"port": 5000}),
    (["ui", "5001"], "pipeline.commands.ui:main", {"port": 5001}),
    (["scaling"], "pipeline.cluster.scaling:main", {"experiment": "", "note": ""}),
    (["cancel"], "pipeline.cluster.run:cancel", {}), (["verify"], "pipeline.commands.verify:main", {}),
    (["bare-run", "--minutes", "9", "--help"], "pipeline.commands.bare_run:main",
     {"words": ("--minutes", "9", "--help")})])
def test_a_verb_is_given_what_was_said(words, function, given):
    names, arguments = called(*words)
    assert (names[-1], arguments) == (function, given)


@pytest.mark.parametrize("verb", ["plan", "reproduce", "lessons", "sweep"])
def test_what_writes_where_a_run_reads_asks_first_whether_one_works_here(verb):
    names, _ = called(verb, *(["grid.yaml"] if verb == "sweep" else []))
    assert names == ["pipeline.commands.clone_check:require", "pipeline.commands.who:free",
                     "pipeline.runtime.site_cache:keep_in_checkout", VERBS[verb].calls]


def test_a_cluster_is_given_as_one():
    _, given = called("reproduce")
    assert given == {"planned": False, "cluster": ClusterOptions("auto")}
    assert called("reproduce", "--cluster", "none")[1]["cluster"] == ClusterOptions("none")
    _, given = called("reproduce", "--planned", "--cluster", "local", "--workers", "2")
    assert given == {"planned": True, "cluster": ClusterOptions("local", workers=2)}
    _, given = called("sweep", "grid.yaml", "--cluster", "slurm", "--gpus", "1")
    assert given == {"grid": Path("grid.yaml"), "cluster": ClusterOptions("slurm", gpus=1)}
    assert called("sweep", "grid.yaml")[1]["cluster"] == ClusterOptions("local")


def test_choices_are_options_too(monkeypatch):
    for name in ("PROFILE", "EXPERIMENTS", "LESSONS"):
        monkeypatch.setenv(f"GAN_{name}", "")
    called("plan", "--profile", "smoke", "--experiments", "digits", "--lessons", "none")
    assert [os.environ[f"GAN_{name}"] for name in ("PROFILE", "EXPERIMENTS", "LESSONS")] == ["smoke", "digits", "none"]


# What does not fit.

@pytest.mark.parametrize(("words", "said"), [
    (["reprodce"], "Did you mean 'reproduce'?"), (["xyzzy"], "no verb 'xyzzy'."), (["ui", "99999"], "99999"),
    (["ui", "http"], "http"), (["search"], "Missing argument 'EXPERIMENT'"), (["who", "free"], "unexpected extra"),
    (["table", "tabel"], "unexpected extra"),
    (["reproduce", "--cluster", "pbs"], "pbs"), (["plan", "--prfile", "smoke"], "--prfile")])
def test_a_command_line_that_does_not_fit_is_told_by_its_words(words, said):
    ended = run(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: python -m pipeline ")
    assert said in ended.stderr


@pytest.mark.parametrize(("words", "environment", "said"), [
    (["plan", "--profile", "smok"], {}, "--profile: unknown profile 'smok'"),
    (["plan"], {"GAN_PROFILE": "smok"}, "GAN_PROFILE: unknown profile 'smok'"),
    (["table"], {"GAN_PROFLE": "smoke"}, "heeds no variable GAN_PROFLE"),
    (["search", "mnst"], {}, "python -m pipeline search: unknown experiment 'mnst'"),
    (["lessons", "--lessons", "figure_2"], {}, "--lessons: unknown lesson 'figure_2'")])
def test_a_misspelt_name_is_refused_before_anything_begins(words, environment, said):
    ended = run(*words, **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"\nerror: {said}\n" in ended.stderr or said in ended.stderr
    assert "did you mean" in ended.stderr


# Whole runs.

@pytest.fixture
def did(monkeypatch):
    """What a whole run does, in order."""
    found: list[str] = []
    monkeypatch.setattr(process, "verb", lambda *words: found.append(f"verb {' '.join(words)}"))
    monkeypatch.setattr(process, "dvc", lambda *words: found.append(f"dvc {' '.join(words)}"))
    monkeypatch.setattr(reproduce.graph, "run", lambda: found.append("graph"))
    monkeypatch.setattr(reproduce.table, "main", lambda: found.append("table"))
    return found


def test_reproduce_plans_then_runs_the_graph_then_prints_the_table(did):
    reproduce.reproduce(ClusterOptions("none"), planned=False)
    assert did == ["verb plan", "graph", "table"]


def test_what_is_planned_is_not_planned_anew_and_may_go_to_a_cluster(did, ran_by):
    reproduce.reproduce(ClusterOptions("slurm"), planned=True)
    assert did == ["cluster slurm", "table"]


@pytest.fixture
def ran_by(did, monkeypatch):
    from pipeline.cluster import run as clusters

    def by(asked, first="", follower=None, only=()):
        assert only or first in follower.plan.experiments
        did.append(" ".join(["cluster", asked.cluster, *only]))

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(clusters, "reproduce", by)


@pytest.mark.parametrize(("why_not", "expected"), [("", "cluster local"), ("there is one core", "graph")])
def test_stages_go_side_by_side_where_that_is_of_use_or_it_is_said_why_not(did, ran_by, monkeypatch, capsys, why_not,
                                                                           expected):
    from pipeline.cluster import local

    monkeypatch.setattr(local, "why_not", lambda asked, profile: why_not)
    reproduce.reproduce(ClusterOptions("auto"), planned=True)
    assert did == [expected, "table"]
    assert why_not in capsys.readouterr().out


@pytest.mark.parametrize(("why_not", "expected"), [
    ("", "cluster local lesson@figure_1 lesson_on_data@non_saturating"),
    ("there is one core", "dvc repro --keep-going lesson@figure_1 lesson_on_data@non_saturating")])
def test_lessons_do_likewise_alone(did, ran_by, monkeypatch, why_not, expected):
    from pipeline.cluster import local

    planned = parameters.load()
    monkeypatch.setattr(local, "why_not", lambda asked, profile: why_not)
    monkeypatch.setattr(reproduce.parameters, "load", lambda: dataclasses.replace(planned, plan=Plan(
        [], {}, ["figure_1"], {"non_saturating": "mnist"})))
    monkeypatch.setattr(reproduce, "table_of_lessons", list)
    monkeypatch.setenv("GAN_LESSONS", "all")
    reproduce.lessons(ClusterOptions("auto"))
    assert did == ["verb plan", expected, "dvc repro --single-item --force report"]


# Other processes.

STAGE = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("kept").touch(), sys.exit(143)))
pathlib.Path("begun").touch()
time.sleep(60)
"""


def test_a_command_of_dvc_s_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(process, "_status", lambda *words, **_: 255)
    with pytest.raises(process.ReproductionError, match="`dvc repro mnist` failed\n  found: exit status 255"):
        process.dvc("repro", "mnist")
    with pytest.raises(SystemExit) as ended:
        process.verb("plan")
    assert ended.value.code == 255


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_who_is_stopped_stops_what_it_began_and_its_stages_keep_their_state(tmp_path, number, status):
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "dvc.py").write_text("import subprocess, sys\nsubprocess.run([sys.executable, 'stage.py'])\n"
                                     "open('next', 'w')\n")  # as DVC goes on with the next stage
    began = subprocess.Popen([sys.executable, "-c", "from pipeline.runtime import process\nwith process.ending():\n"
                              "    process.dvc('repro')"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
                             env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
                             preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))  # as nohup ignores SIGHUP
    until = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    children = psutil.Process(began.pid).children(recursive=True)
    assert len(children) == 2
    began.send_signal(number)
    _, said = began.communicate(timeout=30)
    assert began.returncode == status
    assert "the same command resumes from the last checkpoint" in said
    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "next").exists()
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
