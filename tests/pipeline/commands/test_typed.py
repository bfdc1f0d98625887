"""pipeline.commands.typed: what is misspelt is refused at once, in the words that were typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gan.errors import ParameterError
from gan.lessons.catalogue import LESSONS
from pipeline.commands import typed
from pipeline.commands.command_line import VERBS
from pipeline.settings import parameters

ROOT = Path(__file__).parents[3]
COMMON = ("HOME", "PATH", "LESSOPEN", "LESSCLOSE", "PROFILEREAD", "PROFILEHOME", "AWS_PROFILE", "NIX_PROFILES",
          "PYTHONPATH", "PYTHONHOME", "CLUSTER_NAME", "LANG",
          "KUBERNETES_PORT", "PORT", "A", "B", "GIT_AUTHOR_NAME", "MLFLOW_RUN_ID", "DISPLAY",
          "GRIDENGINE", "PORTS")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in list(os.environ):
        if name.startswith(("GAN_", "MAKE")) or name in (*typed.CHOICES, "EXPERIMENT"):
            monkeypatch.delenv(name)


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make`, which must not get as far as making an environment."""
    return subprocess.run(["make", *words], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
                          timeout=20)


# Variables.

@pytest.mark.parametrize(("name", "close"), [
    ("GAN_PROFLE", "GAN_PROFILE"), ("GAN_EXPERIMENT", "GAN_EXPERIMENTS"), ("GAN_CHECKPOINT", "GAN_CHECKPOINTS"),
    ("GNA_PROFILE", "GAN_PROFILE"), ("GAN_TRACKNG", "GAN_TRACKING")])
def test_a_variable_like_one_of_ours_is_refused_with_that_one(monkeypatch, name, close):
    monkeypatch.setenv(name, "smoke")
    with pytest.raises(ParameterError) as raised:
        typed.check()
    assert f"no variable {name}\n" in str(raised.value)
    assert f"found: {name}=smoke\n" in str(raised.value)
    assert f"did you mean {close}?" in str(raised.value)


def test_a_variable_that_begins_like_ours_and_is_like_none_is_refused_too(monkeypatch):
    monkeypatch.setenv("GAN_XYZZYX", "1")
    with pytest.raises(ParameterError, match="heeds no variable GAN_XYZZYX"):
        typed.check()


@pytest.mark.parametrize("targets", [(), *[(target,) for target in typed.TARGETS]])
def test_what_other_programs_heed_is_left_alone(monkeypatch, targets):
    for name in COMMON:
        monkeypatch.setenv(name, "1")
    typed.check(targets)


@pytest.mark.parametrize(("words", "close"), [
    (("reproduce", "PROFLE=smoke"), "PROFILE"), (("reproduce", "profile=smoke"), "PROFILE"),
    (("lessons", "LESSON=figure_1"), "LESSONS"), (("reproduce", "EXPERIMENT=mnist"), "EXPERIMENTS"),
    (("reproduce", "CLUSTR=local"), "CLUSTER"), (("search", "EXPERIMENTS=mnist_dbn"), "EXPERIMENT"),
    (("ui", "PRT=5001"), "PORT"), (("plan", "table", "EXPERIMNTS=mnist"), "EXPERIMENTS")])
def test_make_refuses_a_misspelt_variable_before_it_makes_anything(words, close):
    began = time.monotonic()
    ended = make(*words)
    assert time.monotonic() - began < 5  # a fraction of a second on a machine with nothing else to do
    name, _, value = words[-1].partition("=")
    assert ended.returncode == 2
    assert f"`make {' '.join(words[:-1])}` heeds no variable {name}\n" in ended.stderr
    assert f"found: {name}={value}\n" in ended.stderr
    assert f"did you mean {close}?" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(("name", "close"), [("PROFLE", "PROFILE"), ("EXPERIMENT", "EXPERIMENTS"),
                                             ("LESSON", "LESSONS"), ("GAN_DEVCE", "GAN_DEVICE")])
def test_make_refuses_one_of_the_environment_too(name, close):
    ended = make("reproduce", **{name: "smoke"})
    assert ended.returncode == 2
    assert f"heeds no variable {name}\n" in ended.stderr
    assert f"did you mean {close}?" in ended.stderr


def test_a_variable_that_is_like_none_is_refused_with_the_way_to_set_it_for_others():
    assert "for other programs, set it before: SEED=… make reproduce" in make("reproduce", "SEED=3").stderr


def test_a_target_that_there_is_not_is_refused_with_the_nearest():
    ended = make("reprodce")
    assert ended.returncode == 2
    assert "unknown target 'reprodce'" in ended.stderr
    assert "did you mean 'reproduce'?" in ended.stderr


# Names.

@pytest.mark.parametrize(("variable", "value", "what", "close"), [
    ("PROFILE", "smok", "profile 'smok'", "smoke"),
    ("EXPERIMENTS", "mnist, mnist_dnb", "experiment 'mnist_dnb'", "mnist_dbn"),
    ("LESSONS", "figure_1 convergense", "lesson 'convergense'", "convergence"),
    ("LESSONS", "al", "lesson 'al'", "all")])
def test_a_misspelt_name_is_told_in_the_words_that_were_typed(monkeypatch, variable, value, what, close):
    monkeypatch.setenv(f"GAN_{variable}", value)
    with pytest.raises(ParameterError) as raised:
        typed.check()
    assert str(raised.value).startswith(f"GAN_{variable}: unknown {what}\n")
    with pytest.raises(ParameterError, match=f"^--{variable.lower()}: "):
        typed.check(spelling={f"GAN_{variable}": f"--{variable.lower()}"})
    monkeypatch.delenv(f"GAN_{variable}")
    for ended in (make("plan", f"{variable}={value}"), make("plan", **{variable: value})):
        assert f"\nerror: {variable}: unknown {what}\n" in ended.stderr
        assert f"did you mean {close!r}?" in ended.stderr
    assert f"\nerror: GAN_{variable}: unknown {what}\n" in make("plan", **{f"GAN_{variable}": value}).stderr


@pytest.mark.parametrize("target", ["search", "record", "settings"])
def test_a_misspelt_experiment_of_a_target_is_told_too(target):
    ended = make(target, "EXPERIMENT=mnist_dnb")
    assert "\nerror: EXPERIMENT: unknown experiment 'mnist_dnb'\n" in ended.stderr
    assert "did you mean 'mnist_dbn'?" in ended.stderr


def test_names_that_there_are_pass(monkeypatch):
    for name, value in {"GAN_PROFILE": "paper", "GAN_EXPERIMENTS": "mnist,cifar10_convolutional mnist_dbn",
                        "GAN_LESSONS": "all", "GAN_DATA": "/anywhere"}.items():
        monkeypatch.setenv(name, value)
    typed.check()


# What is known.

def test_params_yaml_is_read_as_yaml_reads_it():
    content = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    assert typed.experiments() == list(content["experiments"])
    assert sorted(typed.lessons()) == sorted(LESSONS)
    assert typed.PROFILES == parameters.PROFILES


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"experiments: {mnist: 1}\n", b"", b"experiments:\n"])
def test_what_cannot_be_read_so_is_left_for_the_settings_to_judge(monkeypatch, tmp_path, content):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("params.yaml").write_bytes(content)
    monkeypatch.setenv("GAN_EXPERIMENTS", "anything")
    typed.check()


def test_every_variable_of_ours_that_the_sources_name_is_known():
    sources = [*ROOT.glob("gan/**/*.py"), *ROOT.glob("pipeline/**/*.py"), ROOT / "Makefile", ROOT / "README.md",
               *ROOT.glob("docs/*.md")]
    named = {name for path in sources for name in re.findall(r"\bGAN_[A-Z_]+\b", path.read_text())}
    assert named <= set(typed.ENVIRONMENT)


def test_every_target_is_in_the_help_and_every_verb_is_a_target():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^TARGETS := ((?:.*\\\n)*.*)$", text, re.MULTILINE)[1].replace("\\\n", " ").split()
    assert sorted(re.findall(r"^make ([\w-]+)  ?", make("help").stdout, re.MULTILINE)) == sorted(targets)
    assert set(VERBS) - {"free", "page"} <= set(targets)  # which other verbs and targets call
    assert set(typed.TARGETS) <= set(targets)


def test_every_variable_of_make_is_known_to_a_target():
    named = set(re.findall(r"\$\((?:or \$\(|call (?:given|option,--\w+),)?([A-Z]+)\b", (ROOT / "Makefile").read_text()))
    heeded = {*typed.EVERY_TARGET, *(name for names in typed.TARGETS.values() for name in names)}
    assert named - {"CURDIR", "MAKECMDGOALS", "PATH", "TARGETS", "TYPED", "WORDS"} == heeded


def test_python_s_own_library_is_enough():
    shown = subprocess.run([sys.executable, "-S", "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
                            "from pipeline.commands import typed; typed.main(['plan', '--'])"], cwd=ROOT,
                           capture_output=True, text=True, timeout=20)
    assert (shown.returncode, shown.stderr) == (0, "")
