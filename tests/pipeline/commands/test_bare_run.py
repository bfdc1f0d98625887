"""A bare run rehearsed on the processor with digits, in a folder without git, DVC, MLflow and pydantic."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gan.errors import ReproductionError
from pipeline.bare import options, wheels, workload
from pipeline.bare.annealing import Costs
from pipeline.bare.clock import Clock
from pipeline.bare.output import plain
from pipeline.bare.starts import interval
from pipeline.commands import record
from pipeline.results.long_run import long_runs
from pipeline.results.recorded import recorded_runs
from pipeline.runtime import files

ROOT = Path(__file__).parents[3]
HIDDEN = ("dvc", "mlflow", "pydantic", "pydantic_core", "ruamel", "annotated_types", "typing_inspection")
BLOCKER = f"""
import sys
from importlib.machinery import PathFinder

class Hide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in {HIDDEN!r}:
            return None
        found = PathFinder.find_spec(name, [p for p in path or sys.path if "site-packages" not in p])
        if found is None:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return found

sys.meta_path.insert(0, Hide)
"""
RUN = ("--minutes", "1", "--experiment", "digits", "--profile", "smoke", "--epochs", "22", "--seeds", "2-2",
       "--starts", "3", "--batch", "3", "--parts", "annealing,starts,variants",
       "--variants", "released_start,independent,float64")


def wheel(folder, package, tag="py3-none-any"):
    """What is installed here, as a wheel."""
    spec = importlib.util.find_spec(package)
    source = Path(spec.origin).parent
    top = package.partition(".")[0]
    with zipfile.ZipFile(folder / f"{package.replace('.', '_')}-1.0-{tag}.whl", "w") as archive:
        for path in source.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                below = path.relative_to(source.parent if "." not in package else source.parent.parent)
                assert below.parts[0] == top
                archive.write(path, below)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of the code without git, prepared digits, wheels, and packages hidden."""
    root = tmp_path_factory.mktemp("machine")
    code = root / "code"
    for name in ("gan", "pipeline", "tests/benchmarks", "tests/independent"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, code / name)
    digits = torch.from_numpy(load_digits().data).to(torch.uint8)
    files.write_tensors(root / "data/digits.safetensors",
                        {"train": digits[:1197].clone(), "validation": digits[1197:1497].clone(),
                         "test": digits[1497:].clone()}, {"name": "digits", "shape": [1, 8, 8], "divisor": 16})
    (root / "wheels").mkdir()
    for package in ("pydantic", "annotated_types", "typing_inspection", "ruamel.yaml"):
        wheel(root / "wheels", package)
    wheel(root / "wheels", "pydantic_core", f"cp{sys.version_info.major}{sys.version_info.minor}-none-any")
    (root / "hidden").mkdir()
    (root / "hidden/sitecustomize.py").write_text(BLOCKER)
    return root


def bare_run(place, *words, device="cpu", **environment):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GAN_", "GIT_"))}
    return subprocess.run([sys.executable, "-m", "pipeline.commands.bare_run", *words], cwd=place / "code", text=True,
                          env=env | {"PYTHONPATH": str(place / "hidden"), "OMP_NUM_THREADS": "1", "GAN_DEVICE": device,
                                     "GIT_CEILING_DIRECTORIES": str(place.parent)} | environment,
                          capture_output=True, timeout=200, check=False)


def folders(place, out="out"):
    return ("--data", str(place / "data"), "--wheels", str(place / "wheels"), "--out", str(place / out))


@pytest.fixture(scope="module")
def finished(place):
    ended = bare_run(place, *RUN, *folders(place))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return place / "out"


def test_the_run_leaves_results_of_every_part(finished):
    content = json.loads((finished / "results.json").read_text())
    assert {name: part["ended"] for name, part in content["parts"].items()} == {
        "annealing": "in time", "starts": "in time", "variants": "in time"}
    assert {name: kind["starts"] for name, kind in content["collapse"].items()} == {
        "as released": 3, "the released code’s own initial weights and orders": 3, "independent implementation": 3,
        "float64": 3}
    annealing = content["annealing"]
    assert annealing["epochs"] == annealing["epochs_planned"] == 22
    assert [one["seed"] for one in annealing["scores"]] == [1, 2]
    for one in annealing["scores"]:
        assert set(one["variants"]) == {"raw", "ema"}
        for variant in one["variants"].values():
            assert variant["refined"]["test_images"] == variant["paper_grid"]["test_images"] == 300
            assert variant["epoch"] in (10, 20, 22)
    released = content["collapse"]["as released"]
    assert released["starts"] == 3
    assert released["interval_95"][0] <= released["rate"] <= released["interval_95"][1]


def test_curves_and_pictures_are_kept(finished):
    curves = np.load(finished / "curves.npz", allow_pickle=False)
    assert curves["curves"].shape == (22, 2, 4)
    assert curves["looks"].shape == (len(curves["look_epochs"]), 2, 2)
    grids = np.load(finished / "grids.npz", allow_pickle=False)
    assert grids["seed_2_ema"].shape == (100, 64)
    assert grids["seed_2_ema"].dtype == np.uint8
    starts = np.load(finished / "starts.npz", allow_pickle=False)
    assert starts["0_curves"].shape == (3, 20, 4)
    assert starts["0_seeds"].tolist() == [1, 2, 3]
    tensors, about = files.read_tensors(finished / "generator.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert about["settings"]["model"]["kind"] == "adversarial_nets"


def test_the_files_are_few_and_small(finished):
    sizes = [path.stat().st_size for path in finished.iterdir()]
    assert len(sizes) <= 8
    assert max(sizes) < 15 * 2**20


def test_the_first_starts_are_the_long_runs_own(finished):
    curves, starts = (np.load(finished / name, allow_pickle=False) for name in ("curves.npz", "starts.npz"))
    assert np.array_equal(starts["0_curves"][:2], curves["curves"][:20].transpose(1, 0, 2))


def test_time_that_ends_in_the_middle_keeps_what_was_finished(place):
    words = list(RUN)
    words[words.index("--epochs") + 1] = "100000"
    ended = bare_run(place, *words, *folders(place, "cut"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    annealing = json.loads((place / "cut/results.json").read_text())["annealing"]
    assert 0 < annealing["epochs"] < annealing["epochs_planned"]
    assert len(annealing["scores"]) == 2


# Recording.

@pytest.fixture
def clone(place, finished, tmp_path, monkeypatch):
    """The code as a git repository, whose params.yaml has the run's epochs, and the run's results of its commit."""
    for name in ("gan", "pipeline", "tests", "params.yaml"):
        source = place / "code" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    results = tmp_path / "bare-run"
    shutil.copytree(finished, results)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    git("add", "gan", "pipeline", "tests", "params.yaml")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "all")
    change(results, commit=git("rev-parse", "HEAD"))
    yaml = tmp_path / "params.yaml"
    found = yaml.read_text()
    at = found.index("\n  digits:\n")
    assert "recipe: {epochs: 4}" in found[at:]
    yaml.write_text(found[:at] + found[at:].replace("recipe: {epochs: 4}", "recipe: {epochs: 22}", 1))
    return tmp_path


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def change(results, **values):
    content = json.loads((results / "results.json").read_text())
    (results / "results.json").write_text(json.dumps(content | values))


def test_results_are_recorded_as_the_page_reads_them(clone):
    record.main(source=[Path("bare-run")])
    [run] = recorded_runs()
    assert (run.experiment, run.profile) == ("digits", "smoke")
    assert [one["seed"] for one in run.metrics["seeds"]] == [1, 2]
    assert run.metrics["seed_sd"] is not None
    assert run.metrics["ema"]["paper_grid"]["seed_mean"]
    content = json.loads((clone / "reports/recorded/digits-smoke.json").read_text())
    assert content["tree_was_clean"] is True
    kept = {path.name for path in (clone / "reports/recorded/digits-smoke").iterdir()}
    assert {"collapse.json", "annealing.json", "curves.npz", "starts.npz", "grids.npz",
            "samples.png"} <= kept
    [long_run] = long_runs()
    assert (list(long_run.annealing.seeds), long_run.annealing.epochs) == ([1, 2], content["epochs"])
    assert (list(long_run.grids), len(long_run.starts) > 0) == ([1, 2], True)


@pytest.mark.parametrize(("values", "message"), [
    ({"commit": ""}, "names no commit"),
    ({"commit": "0" * 40}, "does not have"),
    ({"code": {"params.yaml": "0" * 64}}, "not made by the code of commit"),
    ({"code": {"gan/gone.py": "0" * 64}}, "gan/gone.py"),
])
def test_results_that_are_not_of_this_repository_are_refused(clone, values, message):
    change(clone / "bare-run", **values)
    with pytest.raises(ReproductionError, match=message):
        record.main(source=[Path("bare-run")])
    assert not (clone / "reports").exists()


def test_results_of_other_settings_are_refused(clone):
    yaml = clone / "params.yaml"
    yaml.write_text(yaml.read_text().replace("recipe: {epochs: 22}", "recipe: {epochs: 23}"))
    with pytest.raises(ReproductionError, match=r"expected: model.recipe.epochs 23\n +found: 22"):
        record.main(source=[Path("bare-run")])


def test_results_of_other_data_are_refused(clone):
    (clone / "data/prepared").mkdir(parents=True)
    (clone / "data/prepared/digits.safetensors").write_bytes(b"others")
    with pytest.raises(ReproductionError, match="of other data"):
        record.main(source=[Path("bare-run")])


# Bad input.

def test_without_wheels_the_lacking_packages_are_named(place):
    ended = bare_run(place, *RUN, "--data", "data", "--out", "out")
    assert ended.returncode == 1
    assert "this Python has no pydantic, ruamel.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_data_of_another_digest_are_refused(place):
    (place / "code/dvc.lock").write_text("  - path: data/prepared/digits.safetensors\n    hash: md5\n    md5: "
                                         + "0" * 32 + "\n")
    try:
        ended = bare_run(place, *RUN, *folders(place, "other"))
    finally:
        (place / "code/dvc.lock").unlink()
    assert ended.returncode == 1
    assert "is not the data set of dvc.lock" in ended.stderr
    assert not (place / "other").exists()


def test_data_that_are_missing_are_named(place):
    ended = bare_run(place, *RUN, "--data", str(place / "nowhere"), "--wheels", str(place / "wheels"), "--out", "o")
    assert ended.returncode == 1
    assert "the prepared data set digits is not in" in ended.stderr


@pytest.mark.parametrize(("name", "message"), [
    ("some-1.0-cp27-cp27mu-manylinux1_x86_64.whl", "another Python or platform"),
    ("some-1.0-py3-none-manylinux2014_riscv64.whl", "another Python or platform"),
    ("some-1.0-py3-none-any.whl", "cannot be unpacked"),
    ("some.whl", "says not what it is for"),
])
def test_wheels_that_will_not_do_are_named(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"torn")
    with pytest.raises(ReproductionError, match=message):
        wheels.unpack(tmp_path, tmp_path / "into")


@pytest.mark.parametrize("folder", ["empty", "none"])
def test_a_folder_without_wheels_is_named(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReproductionError, match="there are no wheels"):
        wheels.unpack(tmp_path / folder, tmp_path / "into")


@pytest.mark.parametrize(("words", "message"), [
    (["--minutes", "0.05"], "too few"), (["--seeds", "5-3"], "no numbers of seeds"), (["--seeds", "x"], "no numbers"),
    (["--parts", "tests,more"], "not a part"), (["--starts", "0"], "at least 1"), (["--epochs", "0"], "at least 1"),
    (["--what"], "does not fit"), (["--variants", "tf32,tf64"], "'tf64' is none"), (["--variants", ""], "names none"),
    (["--first-seed", "0"], "--first-seed must be at least 1"),
])
def test_options_out_of_range_are_named(words, message):
    with pytest.raises(ReproductionError, match=message):
        options.parse(["--minutes", "9", "--data", "d", "--out", "o", *words])


def test_a_gpu_is_asked_for_unless_it_is_a_rehearsal(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("GAN_DEVICE", raising=False)
    with pytest.raises(ReproductionError, match="needs a CUDA GPU"):
        workload._device()
    monkeypatch.setenv("GAN_DEVICE", "cpu")
    assert workload._device().type == "cpu"


def test_a_gpu_with_too_little_memory_is_refused(monkeypatch):
    monkeypatch.setattr(workload.machine, "choose_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
    with pytest.raises(ReproductionError, match="too little free memory"):
        workload._device()


# Small parts.

def test_shares_of_time_pass_on_what_is_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("pipeline.bare.clock.time.time", lambda: now[0])
    clock = Clock(1.0 + 5 / 60, 100.0, {"tests": 1.0, "annealing": 2.0, "starts": 1.0})
    assert clock.begin("tests").seconds == pytest.approx(15)
    now[0] += 5
    assert clock.begin("annealing").seconds == pytest.approx(55 * 2 / 3)
    now[0] += 50
    last = clock.begin("starts")
    assert last.seconds == pytest.approx(5)
    now[0] += 6
    assert last.left < 0


def test_the_cost_of_an_update_lies_between_those_measured():
    costs = Costs({1: 1.0, 3: 2.0, 5: 4.0}, 0.0, 0.0)
    assert [costs.of_update(n) for n in (1, 2, 3, 4, 5, 10)] == [1.0, 1.5, 2.0, 3.0, 4.0, 8.0]


def test_the_interval_of_a_rate_is_exact():
    assert interval(0, 100) == (0.0, pytest.approx(1 - 0.025**0.01))
    low, high = interval(1, 3)
    assert (low, high) == (pytest.approx(0.0084, abs=1e-4), pytest.approx(0.9057, abs=1e-4))


def test_numbers_that_json_lacks_become_null():
    assert plain({"a": [float("nan"), 1.0, (float("inf"),)]}) == {"a": [None, 1.0, [None]]}
