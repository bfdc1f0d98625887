"""Digits, prepared once, and a repository of their small experiments in a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from finished_page import make_finished, make_wider
from finished_run import FinishedRun
from ruamel.yaml import YAML

from gan.datasets.dataset import Dataset
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.settings.explain import changed
from pipeline.settings.inheritance import expanded, plain
from pipeline.settings.plan import Plan
from pipeline.stages import bandwidth, configure, download, evaluate, prepare, sample, train

COMMITTED = Path(__file__).parents[2] / "params.yaml"
EXPERIMENTS = ("digits", "digits_training_images", "digits_kmeans")


@dataclass(frozen=True)
class DigitsRepository:
    """The current folder: prepared digits, a params.yaml with the three digits experiments, small, and their plan."""

    root: Path

    def change(self, values: Mapping[str, Any]) -> None:
        """Set values of params.yaml by their dotted names."""
        if not values:
            return
        path, yaml = self.root / "params.yaml", YAML(typ="safe")
        content = changed(yaml.load(path.read_text()), values)
        with path.open("w") as file:
            yaml.dump(content, file)

    def train(self, experiment: str, changes: Mapping[str, Any] | None = None) -> None:
        """`configure`, with changed parameters, and `train`."""
        self.change(changes or {})
        configure.main()
        train.main(experiment)

    def score(self, experiment: str) -> None:
        """The stages from `sample` to `evaluate`."""
        for stage in (sample, bandwidth, evaluate):
            stage.main(experiment)

    def dataset(self) -> Dataset:
        return read_dataset(self.root / prepared_file("digits"))

    def outputs(self, experiment: str) -> dict[str, bytes]:
        """Everything below artifacts/<experiment>, by its path there."""
        folder = self.root / "artifacts" / experiment
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
                if path.is_file()}

    def checkpoints(self) -> list[Path]:
        """The newest of each training."""
        return [path for path in sorted((self.root / "checkpoints").rglob("*.safetensors"))
                if ".previous." not in path.name]


def small_parameters() -> dict[str, Any]:
    """The committed params.yaml cut to digits, at a size that trains in a fraction of a second."""
    content: dict[str, Any] = YAML(typ="safe").load(COMMITTED.read_text())
    content |= {
        "profile": "smoke", "datasets": {"digits": content["datasets"]["digits"]},
        "experiments": {name: plain(expanded(content, f"experiments.{name}", "params.yaml")) for name in EXPERIMENTS}}
    for block, images in (("parzen", "validation_images"), ("monitor", "images")):
        del content[block]["profiles"], content[block]["datasets"]
        content[block] |= {"samples": 60, images: 40}
    del content["assess"]["datasets"]
    content["parzen"]["sample_sizes"] = {"sizes": [20, 60], "validation_images": 30, "test_images": 50}
    content["monitor"]["every"] = 2
    del content["experiments"]["digits"]["profiles"]
    model = content["experiments"]["digits"]["train"]["model"]
    model["recipe"] |= {"epochs": 5, "batch_size": 300}
    for layer in model["generator"]["hidden"] + model["discriminator"]["hidden"]:
        layer["units"] = 12
    content["experiments"]["digits_kmeans"]["train"]["model"] |= {"clusters": 80, "iterations": 3}
    return content


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """params.yaml with the small experiments, beside a plan of all of them."""
    path = tmp_path_factory.mktemp("parameters") / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(small_parameters(), file)
    Plan(["digits"], dict.fromkeys(EXPERIMENTS, "digits")).write(path.with_name("plan.yaml"))
    return path


@pytest.fixture(scope="session")
def prepared_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/prepared/digits.safetensors, made by the stages that make it."""
    root, here = tmp_path_factory.mktemp("digits"), Path.cwd()
    shutil.copy(COMMITTED, root)
    os.chdir(root)
    try:
        Plan(["digits"]).write()
        configure.main()
        download.main("digits")
        prepare.main("digits")
    finally:
        os.chdir(here)
    return root / prepared_file("digits")


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the user's GAN_ settings, and no tracking."""
    for name in [name for name in os.environ if name.startswith("GAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GAN_TRACKING", "off")
    monkeypatch.setenv("GAN_DEVICE", "cpu")


@pytest.fixture
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A git that knows nobody's settings, a DVC that keeps nothing elsewhere, and workers that find this code."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "SLURM_", "SUBMITIT_", "GAN_"))]:
        monkeypatch.delenv(name)
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
                        "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
                        "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
                        "PYTHONPATH": str(COMMITTED.parent)}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def new_repository(tmp_path_factory: pytest.TempPathFactory, prepared_digits: Path, small_file: Path,
                   monkeypatch: pytest.MonkeyPatch, own_settings: None) -> Callable[[], DigitsRepository]:
    """Makes a repository and goes there."""
    def make() -> DigitsRepository:
        root = tmp_path_factory.mktemp("repository")
        (root / "data/prepared").mkdir(parents=True)
        shutil.copy(prepared_digits, root / "data/prepared")
        for file in (small_file, small_file.with_name("plan.yaml")):
            shutil.copy(file, root)
        monkeypatch.chdir(root)
        return DigitsRepository(root)
    return make


@pytest.fixture
def digits(new_repository: Callable[[], DigitsRepository]) -> DigitsRepository:
    return new_repository()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four finished experiments; see finished_page."""
    root = tmp_path_factory.mktemp("finished")
    make_finished(root)
    return root


@pytest.fixture(scope="session")
def wider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with finished experiments on other data than MNIST; see finished_page."""
    root = tmp_path_factory.mktemp("wider")
    make_wider(root)
    return root


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the first to change, as the current folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def elsewhere(wider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the second to change, as the current folder."""
    shutil.copytree(wider, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    monkeypatch.chdir(tmp_path)
    return FinishedRun(tmp_path)
