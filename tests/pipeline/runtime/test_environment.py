"""pipeline.runtime.environment: of every variable that the programs used here read, what becomes of it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.runtime import environment
from pipeline.runtime.environment import RULES, rule_of

ROOT = Path(__file__).parents[3]
READING = re.compile(rb"""(?:environ(?:\.get|\.setdefault|\.pop)?\s*[\[(]|getenv\()\s*["']([A-Za-z][A-Za-z0-9_]*)["']"""
                     rb"""|EnvironmentVariable\(\s*["'](_?[A-Z][A-Z0-9_]*)["']""")
OF_THE_SYSTEM = {
    "APPVEYOR", "CC", "CI", "CONDA_EXE", "CONDA_PREFIX", "CXX", "HOME", "HOST", "LD_LIBRARY_PATH", "LOCALAPPDATA",
    "NO_COLOR", "PATH", "PYTHONPATH", "SYSTEMROOT", "TERM", "TF_BUILD", "TMPDIR", "USER", "USERNAME", "VIRTUAL_ENV",
    "WINDIR", "PIP_NO_INPUT", "SPARK_DIST_CLASSPATH", "JAVA_HOME", "HADOOP_HOME", "PYSPARK_PYTHON",
    "PYSPARK_DRIVER_PYTHON", "DOCKER_HOST", "MSYSTEM", "LS_COLORS", "PRE_COMMIT_CHECKOUT_TYPE", "PROGRAMFILES",
    "FORKED_BY_MULTIPROCESSING"}
"""Read by programs of any kind; nothing here depends on them"""


def sources(module: str) -> list[Path]:
    """The files of a package that a stage, or what logs it, imports."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    return [path for path in folder.rglob("*.py") if "tests" not in path.parts]


def read_by(paths: list[Path]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        for match in READING.finditer(path.read_bytes()):
            found.add((match[1] or match[2]).decode())
    return found


def undecided(names: set[str]) -> set[str]:
    return {name for name in names if rule_of(name) is None} - OF_THE_SYSTEM


# Everything that is read has its line.

def test_of_matplotlib():
    names = read_by(sources("matplotlib"))
    assert {"MPLBACKEND", "MATPLOTLIBRC", "MPLCONFIGDIR"} <= names
    assert undecided(names) <= {"MPL_TEST_EXPENSIVE", "PICKLE_FILE_PATH", "TEST_SAVEFIG_PATH"}  # of its own tests


def test_of_dvc():
    spec = importlib.util.find_spec("dvc")
    assert spec is not None
    assert spec.origin is not None
    names = set(re.findall(r'^(\w+) = "', Path(spec.origin).with_name("env.py").read_text(), re.M))
    assert "DVC_SITE_CACHE_DIR" in names
    names |= {name for package in ("dvc", "scmrepo", "dvc_data", "dvc_task") for name in read_by(sources(package))}
    assert undecided(names) == set()


def test_of_mlflow():
    spec = importlib.util.find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    names = read_by([Path(spec.origin).with_name("environment_variables.py"),
                     *(path for folder in ("tracking", "store", "utils", "system_metrics") for path in
                       Path(spec.origin).with_name(folder).rglob("*.py"))])
    assert len([name for name in names if name.startswith("MLFLOW_")]) > 200
    assert {name for name in undecided(names) if name.startswith(("MLFLOW", "_MLFLOW"))} == set()


def test_of_torch_as_far_as_a_stage_imports_it():
    """Of the rest (compilers, tests) stages import nothing."""
    listing = ("import sys, pipeline.stages.train, pipeline.stages.figures\n"
               "print('\\n'.join(m.__file__ for n, m in list(sys.modules.items())\n"
               "                if n.partition('.')[0] in ('torch', 'torchvision') and getattr(m, '__file__', None)))")
    listed = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [Path(line) for line in listed.stdout.splitlines()]
    names = read_by([file for file in files if file.suffix == ".py" and file.is_file()])
    assert "PYTORCH_NVML_BASED_CUDA_CHECK" in names
    assert undecided(names) == set()


@pytest.mark.parametrize(("name", "decision"), [
    ("SLURM_CONF", "heeded"), ("SLURM_JOB_ID", "overridden"), ("SLURM_CPU_BIND", "overridden"),
    ("SBATCH_ACCOUNT", "heeded"), ("SQUEUE_PARTITION", "overridden"), ("MPLBACKEND", "overridden"),
    ("NVIDIA_TF32_OVERRIDE", "refused"), ("NVIDIA_VISIBLE_DEVICES", "heeded"), ("MLFLOW_RUN_ID", "overridden"),
    ("MLFLOW_TRACKING_URI", "heeded"), ("OMP_NUM_THREADS", "heeded"), ("DVC_SITE_CACHE_DIR", "heeded")])
def test_the_first_line_that_fits_holds(name, decision):
    rule = rule_of(name)
    assert rule is not None
    assert rule.decision == decision


def test_what_is_none_of_theirs_has_no_line():
    assert rule_of("EDITOR") is None


def test_every_line_is_the_first_for_something():
    for i, rule in enumerate(RULES):
        names = [name.replace("*", "X") for name in rule.names.split()]
        assert any(not any(other.is_of(name) for other in RULES[:i]) for name in names), rule


def test_the_document_has_the_table():
    assert environment.table() in (ROOT / "docs/environment.md").read_text()


# What is done.

@pytest.fixture
def bare(monkeypatch):
    for name in [name for name in os.environ if rule_of(name) is not None and name not in ("PATH", "SHELL")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MPLBACKEND", "")  # so that it is put back
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "")


@pytest.mark.usefixtures("bare")
def test_what_a_notebook_and_another_run_have_set_is_set_aside(monkeypatch):
    for name, value in {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MLFLOW_RUN_ID": "a" * 32,
                        "MLFLOW_EXPERIMENT_ID": "3", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
                        "MLFLOW_ENABLE_ASYNC_LOGGING": "true", "OMP_NUM_THREADS": "3",
                        "MLFLOW_TRACKING_URI": "http://server"}.items():
        monkeypatch.setenv(name, value)
    environment.settle()
    assert (os.environ["MPLBACKEND"], os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"]) == ("agg", "false")
    assert not {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"} & os.environ.keys()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MLFLOW_TRACKING_URI"]) == ("3", "http://server")


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("name", "value"), [("NVIDIA_TF32_OVERRIDE", "0"), ("PYTORCH_NO_CUDA_MEMORY_CACHING", "1")])
def test_what_would_change_results_without_a_word_is_refused_with_what_to_do(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ReproductionError, match=rf"{name} is set\n[\s\S]*unset {name}: "):
        environment.settle()
    monkeypatch.setenv(name, "")
    environment.settle()


def test_a_verb_and_a_stage_refuse_it_in_one_line():
    for module, words in (("pipeline", ["who"]), ("pipeline.stages.configure", [])):
        ended = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True,
                               env={**os.environ, "NVIDIA_TF32_OVERRIDE": "1"}, timeout=60)
        assert ended.returncode == 1
        assert ended.stderr.startswith("\nerror: NVIDIA_TF32_OVERRIDE is set\n")
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "inline", "nbagg", "no such one"])
def test_figures_are_drawn_whatever_backend_a_notebook_names(tmp_path, backend):
    """To import matplotlib alone fails with some of them."""
    draw = ("from pathlib import Path\nfrom pipeline.figures.files import save_figure\n"
            "from pipeline.figures.style import house_style\nfrom matplotlib.figure import Figure\n"
            "with house_style():\n    save_figure(Figure((1, 1)), Path('figure.png'))\n")
    (tmp_path / "matplotlibrc").write_text(f"backend: {backend}\nfont.family: Comic Sans MS\n")
    pictures = []
    for settings in ({"MPLBACKEND": ""}, {"MPLBACKEND": backend}, {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}):
        subprocess.run([sys.executable, "-c", draw], cwd=tmp_path, check=True, timeout=60, capture_output=True, env={
            **os.environ, "PYTHONPATH": str(ROOT), **settings})
        pictures.append((tmp_path / "figure.png").read_bytes())
    assert pictures[1:] == pictures[:1] * 2


# Threads that wait.

@pytest.mark.parametrize(("given", "spins"), [
    ({}, "10000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "passive"}, "0")])
def test_torch_s_threads_sleep_after_a_while_unless_the_user_says_otherwise(given, spins):
    """As libgomp itself says when torch is imported by a stage."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    said = subprocess.run([sys.executable, "-c", "import pipeline.stages.evaluate"], cwd=ROOT, capture_output=True,
                          text=True, check=True, env=known | {"OMP_DISPLAY_ENV": "VERBOSE"} | given).stderr
    assert f"GOMP_SPINCOUNT = '{spins}'" in said
