"""pipeline.commands.plan: what this machine can do, said and written into params.yaml and plan.yaml; no network."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dvc.repo import Repo

from gan.datasets.sources import Availability
from gan.errors import DataError, ParameterError, ReproductionError
from gan.lessons.catalogue import LESSONS
from pipeline.artifacts.raw import data_availability
from pipeline.commands import plan, timing
from pipeline.commands.plan import measure, seconds_of_chains, seconds_per_image, seconds_per_update
from pipeline.settings import parameters
from pipeline.settings.plan import Plan

ROOT = Path(__file__).parents[3]
FOUND, DOWNLOADABLE = Availability("found", "data/raw"), Availability("downloadable", "a mirror")
BY_DEFAULT = [name for name, lesson in LESSONS.items() if not lesson.by_name]
BY_NAME = [name for name, lesson in LESSONS.items() if lesson.by_name]
ON_DATA = {name: LESSONS[name].data for name in BY_DEFAULT if LESSONS[name].data}
ON_MNIST = [name for name, data in ON_DATA.items() if data == "mnist"]
ON_CIFAR = [name for name, data in ON_DATA.items() if data == "cifar10"]
WITHOUT_DATA = [name for name in BY_DEFAULT if name not in ON_DATA]
UNAVAILABLE = Availability("unavailable", "a mirror: no answer", "connect to the network, or set GAN_DATA: a folder")


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch, own_settings):
    """The committed params.yaml in a folder of its own, on a machine without a GPU, where all data can be had."""
    monkeypatch.delenv("GAN_DEVICE")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    have_gpus(0, monkeypatch)
    have_data(monkeypatch)
    monkeypatch.setattr(timing.Others, "share", lambda self: 0.0)
    monkeypatch.setattr(plan, "measure", lambda d, bandwidths, device: plan.Speed(1e-9, 2e-9))
    monkeypatch.setattr(plan, "seconds_per_update", lambda model, d, device: 0.01)
    monkeypatch.setattr(plan, "seconds_per_image", lambda model, shape, device: 0.0001)
    monkeypatch.setattr(plan, "seconds_of_chains", lambda model, images, shape, device: (0.001, 60.0))


def have_gpus(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "NVIDIA H200")


def have_data(monkeypatch: pytest.MonkeyPatch, **states: Availability) -> None:
    """The named data sets are as said, all others found."""
    monkeypatch.setattr(plan, "data_availability", lambda name, loader: states.get(name, FOUND))


def runs_in(profile: str) -> list[str]:
    known = parameters.load(ROOT / "params.yaml", plan=False)
    return [name for name in known.raw["experiments"] if profile in known.entry(name, "paper")["runs_in"]]


def prepare_dvc() -> None:
    shutil.copy(ROOT / "dvc.yaml", ".")
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")


def graph() -> set[str]:
    """The stages that DVC makes of dvc.yaml with the params.yaml and the plan.yaml here."""
    prepare_dvc()
    listed = subprocess.run([sys.executable, "-m", "dvc", "stage", "list", "--name-only"], capture_output=True,
                            text=True, timeout=60)
    assert listed.returncode == 0, listed.stderr
    return set(listed.stdout.split())


# Before anything is changed.

def test_where_dvc_cannot_work_nothing_is_changed(tmp_path, monkeypatch):
    """Its site cache is another user's, say."""
    prepare_dvc()
    (tmp_path / "a file").write_text("")
    before = Path("params.yaml").read_bytes()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "a file/site"))
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    with pytest.raises(ReproductionError, match=r"DVC cannot work in this checkout[\s\S]*unset DVC_SITE_CACHE_DIR"):
        plan.main()
    assert Path("params.yaml").read_bytes() == before
    assert not Path("plan.yaml").exists()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    plan.main()
    assert Path("plan.yaml").exists()


# The profile.

def test_a_machine_without_a_gpu_gets_the_profile_cpu(capsys):
    plan.main()
    assert parameters.load().profile == "cpu"
    assert re.search(r"^profile +cpu \(there is no CUDA GPU", capsys.readouterr().out, re.M)


def test_a_machine_with_a_gpu_gets_the_profile_paper(monkeypatch, capsys):
    have_gpus(1, monkeypatch)
    plan.main()
    assert parameters.load().profile == "paper"
    said = capsys.readouterr().out
    assert re.search(r"^machine .*NVIDIA H200", said, re.M)
    assert re.search(r"^device +cuda$", said, re.M)
    assert re.search(r"^profile +paper \(there is a CUDA GPU", said, re.M)


@pytest.mark.parametrize(("gpus", "profile"), [(0, "paper"), (1, "cpu"), (1, "smoke")])
def test_a_profile_that_is_named_is_taken_whatever_the_machine(monkeypatch, capsys, gpus, profile):
    have_gpus(gpus, monkeypatch)
    monkeypatch.setenv("GAN_PROFILE", f" {profile} ")
    plan.main()
    assert parameters.load().profile == profile
    assert list(parameters.load().plan.experiments) == runs_in(profile)
    assert f"{profile} (named by GAN_PROFILE)" in capsys.readouterr().out


def test_a_gpu_that_is_not_to_be_used_is_as_none(monkeypatch):
    have_gpus(1, monkeypatch)
    monkeypatch.setenv("GAN_DEVICE", "cpu")
    plan.main()
    assert parameters.load().profile == "cpu"


def test_an_empty_setting_is_as_none(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "")
    monkeypatch.setenv("GAN_EXPERIMENTS", " ")
    plan.main()
    assert (parameters.load().profile, list(parameters.load().plan.experiments)) == ("cpu", runs_in("cpu"))


def test_an_unknown_profile_is_named_with_the_nearest_and_nothing_changes(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "papr")
    with pytest.raises(ParameterError, match=r"GAN_PROFILE: unknown profile 'papr'[\s\S]*paper, cpu, smoke"
                                             r"[\s\S]*did you mean 'paper'"):
        plan.main()
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_device_that_is_not_there_is_named_and_nothing_changes(monkeypatch):
    monkeypatch.setenv("GAN_DEVICE", "cuda:3")
    with pytest.raises(ReproductionError, match="GAN_DEVICE=cuda:3"):
        plan.main()
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


# The experiments.

@pytest.mark.parametrize("text", ["digits_kmeans mnist", "mnist,digits_kmeans", " mnist , digits_kmeans,mnist"])
def test_experiments_that_are_named_run_in_the_order_of_the_file(monkeypatch, text):
    monkeypatch.setenv("GAN_EXPERIMENTS", text)
    plan.main()
    chosen = parameters.load().plan
    assert chosen.experiments == {"mnist": "mnist", "digits_kmeans": "digits"}
    assert list(chosen.experiments) == ["mnist", "digits_kmeans"]
    assert chosen.datasets == ["mnist", "digits"]


def test_experiments_that_are_not_named_are_left_out_with_that_reason(monkeypatch, capsys):
    monkeypatch.setenv("GAN_EXPERIMENTS", "mnist")
    plan.main()
    left_out = parameters.load().plan.left_out
    assert set(left_out) == (set(runs_in("cpu")) - {"mnist"}) | {f"lesson {name}" for name in LESSONS}
    assert all("GAN_EXPERIMENTS" in reason for name, reason in left_out.items()
               if name.removeprefix("lesson ") not in BY_NAME)
    assert re.search(r"^left out +mnist_kmeans: not among those that GAN_EXPERIMENTS named$",
                     capsys.readouterr().out, re.M)


def test_an_unknown_experiment_is_named_with_the_nearest_and_nothing_changes(monkeypatch):
    monkeypatch.setenv("GAN_EXPERIMENTS", "mnist mnist_kmaens")
    with pytest.raises(ParameterError, match=r"GAN_EXPERIMENTS: unknown experiment 'mnist_kmaens'"
                                             r"[\s\S]*did you mean 'mnist_kmeans'"):
        plan.main()
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_an_experiment_with_a_profile_of_its_own_says_so(capsys):
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("\n  mnist_kmeans:\n", "\n  mnist_kmeans:\n    profile: paper\n", 1))
    plan.main()
    assert re.search(r"^experiment +mnist_kmeans: .*, profile paper, about ", capsys.readouterr().out, re.M)
    assert parameters.load().profile_of("mnist_kmeans") == "paper"
    assert parameters.load().profile_of("mnist_training_images") == "cpu"


# Data.

@pytest.mark.parametrize(("state", "text"), [
    (FOUND, r"mnist: found in data/raw"), (DOWNLOADABLE, r"mnist: to be downloaded from a mirror"),
    (UNAVAILABLE, r"mnist: unavailable: a mirror: no answer\n +connect to the network, or set GAN_DATA")])
def test_the_state_of_each_data_set_is_said(monkeypatch, capsys, state, text):
    have_data(monkeypatch, mnist=state)
    plan.main()
    assert re.search(rf"^data +{text}", capsys.readouterr().out, re.M)


def test_experiments_whose_data_cannot_be_had_are_left_out_with_reason_and_cure_and_others_run(monkeypatch, capsys):
    have_data(monkeypatch, mnist=UNAVAILABLE)
    monkeypatch.setenv("GAN_EXPERIMENTS", "mnist mnist_kmeans digits digits_kmeans")
    plan.main()
    chosen = parameters.load().plan
    assert chosen.experiments == {"digits": "digits", "digits_kmeans": "digits"}
    assert chosen.datasets == ["digits"]
    for name in ("mnist", "mnist_kmeans"):
        assert "no data set mnist" in chosen.left_out[name]
        assert UNAVAILABLE.remedy in chosen.left_out[name]
    said = capsys.readouterr().out
    assert re.search(r"^left out +mnist: no data set mnist", said, re.M)
    assert re.search(r"^experiment +digits: ", said, re.M)
    assert graph() == {"configure", "collect", "report", *(
        f"{stage}@digits" for stage in ("download", "prepare", "features", "references"))} | {
        f"{stage}@{name}" for name in chosen.experiments
        for stage in ("train", "sample", "bandwidth", "evaluate", "sample_size", "assess", "figures")}


def test_where_no_data_can_be_had_the_graph_is_still_one(monkeypatch):
    have_data(monkeypatch, **dict.fromkeys(parameters.load(plan=False).datasets, UNAVAILABLE))
    plan.main()
    chosen = parameters.load().plan
    assert (chosen.datasets, chosen.experiments) == ([], {})
    assert set(chosen.left_out) == {*runs_in("cpu"), *(f"lesson {name}" for name in [*ON_DATA, *BY_NAME])}
    assert graph() == {"configure", "collect", "report", *(f"lesson@{name}" for name in WITHOUT_DATA)}


# The lessons.

def test_all_lessons_run_where_their_data_can_be_had(capsys):
    plan.main()
    chosen = parameters.load().plan
    assert (chosen.lessons, chosen.lessons_on_data) == (WITHOUT_DATA, ON_DATA)
    assert set(chosen.lesson_stages.values()) == {stage for stage in graph() if stage.startswith("lesson")}
    count = len(BY_DEFAULT)
    assert re.search(rf"^lessons +{count}: {count} to do, about \d+ min", capsys.readouterr().out, re.M)


def test_lessons_on_mnist_are_left_out_without_it_with_reason_and_cure(monkeypatch):
    have_data(monkeypatch, mnist=UNAVAILABLE)
    plan.main()
    chosen = parameters.load().plan
    assert (chosen.lessons, chosen.lessons_on_data) == (WITHOUT_DATA, dict.fromkeys(ON_CIFAR, "cifar10"))
    for name in ON_MNIST:
        assert chosen.left_out[f"lesson {name}"] == f"no data set mnist: {UNAVAILABLE.remedy}"


def test_smoke_asks_for_no_data_that_only_lessons_want(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    plan.main()
    chosen = parameters.load().plan
    assert (chosen.datasets, chosen.lessons, chosen.lessons_on_data) == (["digits"], WITHOUT_DATA, {})


@pytest.mark.parametrize(("named", "experiments", "lessons"), [
    ("honest_pictures, convergence", "", ["convergence", "honest_pictures"]), ("all", "digits", BY_DEFAULT),
    ("none", "", []), ("", "digits", []), ("figure_1", "digits", ["figure_1"]),
    ("figure_1, all", "digits", BY_DEFAULT), ("none, none", "", [])])
def test_lessons_that_are_named_run_in_the_order_in_which_they_are_read(monkeypatch, named, experiments, lessons):
    monkeypatch.setenv("GAN_LESSONS", named)
    monkeypatch.setenv("GAN_EXPERIMENTS", experiments)
    plan.main()
    chosen = parameters.load().plan
    assert [name for name in LESSONS if name in chosen.lesson_stages] == lessons
    assert ("mnist" in chosen.datasets) is (not experiments or "mnist" in chosen.lessons_on_data.values())
    assert {name for name in chosen.left_out if name.startswith("lesson ")} == {
        f"lesson {name}" for name in LESSONS if name not in lessons}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_lesson_that_takes_hours_runs_by_its_name_alone_and_the_plan_says_what_it_needs(monkeypatch, capsys, name):
    content, data = parameters.read_yaml(Path("params.yaml")), LESSONS[name].data
    content["lessons"][name] |= {"channels": 2, "batch": 4, "features": 1, "steps": 1000, "seeds": [1]}
    content["datasets"][data] |= {"size": 8}
    content["assess"]["datasets"][data]["features"] |= {"channels": [2], "units": 4, "epochs": 1}
    Path("params.yaml").write_text(json.dumps(content))  # JSON is YAML
    monkeypatch.setattr(type(parameters.load(plan=False).datasets[data]), "sizes", lambda self, folder, local: {
        "train": 2000, "validation": 40, "test": 200})
    plan.main()
    chosen = parameters.load().plan
    assert name not in chosen.lesson_stages
    assert data not in chosen.datasets
    assert f"GAN_LESSONS={name} runs it" in chosen.left_out[f"lesson {name}"]
    monkeypatch.setenv("GAN_LESSONS", name)
    capsys.readouterr()
    plan.main()
    assert [*parameters.load().plan.lesson_stages] == [name]
    # 3 · 8² bytes an image, as they are stored; four more for each to read it
    assert re.search(
        rf"^lesson +{name}: 2,240 images of 3×8×8, 0.4 MB on disk and 2.2 MB of memory to read them; 0.0 million "
        r"weights of G and 0.0 of D; about ", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_lesson_that_is_run_by_name_may_stand_beside_all(monkeypatch, name):
    monkeypatch.setattr(plan.lesson_time, "needs", lambda planned, name, device: SimpleNamespace(seconds=0))
    monkeypatch.setenv("GAN_LESSONS", f"all {name}")
    plan.main()
    assert {*parameters.load().plan.lesson_stages} == {*BY_DEFAULT, name}


def test_none_beside_lessons_is_refused(monkeypatch):
    monkeypatch.setenv("GAN_LESSONS", "none, figure_1")
    with pytest.raises(ParameterError, match=r"GAN_LESSONS names lessons and none[\s\S]*none, figure_1"):
        plan.main()
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize("change", [{"size": 100}, {"channels": 1}])
@pytest.mark.parametrize("name", BY_NAME)
def test_pictures_that_a_lesson_cannot_be_played_on_are_told_by_the_plan(monkeypatch, name, change):
    content, data = parameters.read_yaml(Path("params.yaml")), LESSONS[name].data
    content["datasets"][data] |= change
    Path("params.yaml").write_text(json.dumps(content))
    monkeypatch.setenv("GAN_LESSONS", name)
    with pytest.raises(ParameterError, match=rf"{name} cannot be played on the data set {data}[\s\S]*pictures must be"):
        plan.main()


def test_an_unknown_lesson_is_named_with_the_nearest_and_nothing_changes(monkeypatch):
    monkeypatch.setenv("GAN_LESSONS", "convergance")
    with pytest.raises(ParameterError, match=r"GAN_LESSONS: unknown lesson 'convergance'[\s\S]*mean 'convergence'"):
        plan.main()
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize(("changed", "todo"), [
    (None, set(BY_DEFAULT)), (set(), set()), ({"lesson@convergence", "train@mnist"}, {"convergence"}),
    ({"prepare@mnist"}, set(ON_MNIST)), ({"prepare@cifar10"}, set(ON_CIFAR))])
def test_lessons_are_done_when_dvc_has_nothing_to_run_for_them(changed, todo):
    plan.main()
    assert set(plan.unfinished_lessons(parameters.load().plan, changed)) == todo


def test_data_that_can_be_had_again_puts_the_file_back_as_it_was(monkeypatch):
    plan.main()
    before = Path("plan.yaml").read_text()
    have_data(monkeypatch, mnist=UNAVAILABLE)
    plan.main()
    assert Path("plan.yaml").read_text() != before
    have_data(monkeypatch, mnist=DOWNLOADABLE)
    plan.main()
    assert Path("plan.yaml").read_text() == before


def test_data_in_the_cache_of_dvc_counts_as_found(monkeypatch, capsys):
    have_data(monkeypatch, mnist=UNAVAILABLE)
    md5 = "0123456789abcdef" * 2
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  prepare@mnist:\n    outs:\n    - md5: {md5}\n")
    assert plan.availability("mnist", parameters.load(plan=False)) == UNAVAILABLE
    cached = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert plan.availability("mnist", parameters.load(plan=False)) == Availability("found", "DVC's cache")
    assert plan.availability("digits", parameters.load(plan=False)) == FOUND


@pytest.mark.parametrize("lock", [None, "", "torn: [", "stages: {}", "- 1", "stages: {prepare@mnist: {outs: [{}]}}"])
def test_a_lock_that_says_nothing_of_the_data_is_no_cache(monkeypatch, lock):
    have_data(monkeypatch, mnist=UNAVAILABLE)
    if lock is not None:
        Path("dvc.lock").write_text(lock)
    assert plan.availability("mnist", parameters.load(plan=False)) == UNAVAILABLE


def test_a_data_folder_that_does_not_exist_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "data_availability", data_availability)
    monkeypatch.setenv("GAN_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    with pytest.raises(DataError, match=r"GAN_DATA names a folder that cannot be opened: .*nowhere"):
        plan.main()


def test_digits_need_no_network(monkeypatch, capsys):
    monkeypatch.setattr(plan, "data_availability", data_availability)
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    plan.main()
    assert re.search(r"^data +digits: found in scikit-learn", capsys.readouterr().out, re.M)


# The estimate, and the file.

def test_each_experiment_and_the_whole_get_an_estimate(capsys):
    plan.main()
    said = capsys.readouterr().out
    seeds = len(parameters.load().experiment("mnist").train.seeds)
    assert re.search(rf"^experiment +mnist: Adversarial nets, {seeds} seeds?, about [\dhmins ]+$", said, re.M)
    assert re.search(r"^experiment +mnist_kmeans: k-means centroids, 1 seed, about [\dhmins ]+$", said, re.M)
    assert re.search(r"^time +about \d[\dhmins ]+ on this machine", said, re.M)


def test_where_others_use_the_processors_that_is_said_and_the_time_is_a_range(monkeypatch, capsys):
    monkeypatch.setattr(timing.Others, "share", lambda self: 0.5)
    plan.main()
    said = capsys.readouterr().out
    assert re.search(r"^busy machine other programs use \d+\.\d of \d+ processors?: ", said, re.M)
    low, high = (re.search(rf"^experiment +mnist: .*, about {pattern}$", said, re.M)[1]
                 for pattern in (r"(.*) to .*", r".* to (.*)"))
    assert low != high
    assert re.search(r"^time +about \d.* to \d.* on this machine", said, re.M)


def test_an_idle_machine_is_not_called_busy(capsys):
    plan.main()
    assert "busy" not in capsys.readouterr().out


@pytest.mark.parametrize(("profile", "place"), [("cpu", "reports"), ("paper", "reports"), ("smoke", "reports/smoke")])
def test_what_measures_nothing_is_kept_beside_what_git_has(monkeypatch, profile, place):
    monkeypatch.setenv("GAN_PROFILE", profile)
    plan.main()
    assert parameters.load().plan.reports == place
    prepare_dvc()
    with Repo(".") as repo:
        outputs = {str(out) for out in repo.index.outs}
    assert {f"{place}/{name}" for name in ("index.html", "metrics.json", "summary", "assessment")} <= outputs
    assert ("reports/index.html" in outputs) == (profile != "smoke")


def test_the_estimate_grows_with_epochs_seeds_and_time_a_step(monkeypatch):
    def seconds(changes) -> float:
        text = (ROOT / "params.yaml").read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        Path("params.yaml").write_text(text)
        one = plan.replace(parameters.load(plan=False), profile="paper")
        return plan.estimate(one, "mnist", one.experiment("mnist"), torch.device("cpu"), {})
    whole = seconds({})
    assert seconds({"epochs: 2000 ": "epochs: 1000 "}) < 0.6 * whole
    assert seconds({"      - 1\n      - 2\n      - 3\n      model:": "      - 1\n      model:"}) < 0.4 * whole
    monkeypatch.setattr(plan, "seconds_per_update", lambda model, d, device: 0.02)
    assert seconds({}) > 1.5 * whole


def test_the_estimate_is_measured_on_this_machine(monkeypatch):
    monkeypatch.setattr(timing.Others, "share", lambda self: 0.0)
    monkeypatch.setattr(plan, "measure", measure)
    monkeypatch.setattr(plan, "seconds_per_update", seconds_per_update)
    checked = parameters.load(plan=False)
    seconds = [plan.estimate(checked, name, checked.experiment(name), torch.device("cpu"), {})
               for name in ("digits", "digits_training_images", "digits_kmeans")]
    assert all(0 < low <= high < 3600 for low, high in seconds)


@pytest.mark.parametrize("name", [name for name, entry in parameters.load(plan=False).raw["experiments"].items()
                                  if "mnist" in name])
def test_the_time_of_every_experiment_on_mnist_can_be_measured(monkeypatch, name):
    """Each trains for a moment, whatever it is told and however many labels it needs."""
    known = dataclasses.replace(parameters.load(plan=False), profile="cpu")
    monkeypatch.setattr(plan, "seconds_per_update", seconds_per_update)
    monkeypatch.setattr(plan, "seconds_per_image", seconds_per_image)
    monkeypatch.setattr(plan, "seconds_of_chains", seconds_of_chains)

    def once(train, **limits):
        train()
        return np.ones(2)

    monkeypatch.setattr(plan, "rounds", once)
    assert np.min(plan.estimate(known, name, known.experiment(name), torch.device("cpu"), {})) > 0


def test_nothing_is_downloaded_made_or_trained(tmp_path):
    plan.main()
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["artifacts", "data", "params.yaml", "plan.yaml", "reports"]
    assert not any(path.is_file() for name in ("artifacts", "data", "reports") for path in (tmp_path / name).rglob("*"))


def test_a_second_plan_changes_nothing_and_says_so(monkeypatch, capsys):
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    plan.main()
    assert re.search(r"^plan +written into params.yaml and plan.yaml: `git diff` shows how$", capsys.readouterr().out,
                     re.M)
    first = Path("params.yaml").read_bytes(), Path("plan.yaml").read_bytes()
    plan.main()
    assert re.search(r"^plan +as it was$", capsys.readouterr().out, re.M)
    assert (Path("params.yaml").read_bytes(), Path("plan.yaml").read_bytes()) == first


@pytest.mark.parametrize("experiments", [{"mnist": "digits"}, {"gone": "mnist"}, {"digits": "digits"}])
def test_a_plan_mends_the_file_that_it_writes(experiments):
    """An experiment was renamed, or got another data set: the error says to run `make plan`."""
    Plan(["mnist"], experiments).write()
    with pytest.raises(ParameterError, match=r"plan\.yaml: run\.experiments"):
        parameters.load()
    plan.main()
    assert list(parameters.load().plan.experiments) == runs_in("cpu")


def test_an_error_in_the_parameters_is_named_before_anything_else(monkeypatch):
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("batch_size: 100", "batch_sise: 100", 1))
    with pytest.raises(ParameterError, match=r"batch_sise: unknown key[\s\S]*did you mean 'batch_size'"):
        plan.main()


# What is done already.

@pytest.mark.parametrize("name", ["digits_dbn", "digits_stacked_cae", "digits_deep_gsn"])
def test_the_time_of_chains_grows_with_epochs_and_burn_in(name):
    model = parameters.load(plan=False).experiment(name).train.model
    longer = plan.replace(model, burn_in=1000 * model.burn_in)
    drawing, fitting = seconds_of_chains(model, 1000, (1, 8, 8), torch.device("cpu"))
    assert 0 < drawing[0] <= drawing[1]
    assert 0 < fitting[0] <= fitting[1]
    assert seconds_of_chains(longer, 1000, (1, 8, 8), torch.device("cpu"))[0][0] > 10 * drawing[0]
    assert seconds_of_chains(model, 1_000_000, (1, 8, 8), torch.device("cpu"))[1][0] > 10 * fitting[0]


def test_what_is_done_is_neither_measured_nor_counted(monkeypatch, capsys):
    measured = []

    def seconds_per_update(model, shape, device):
        measured.append(shape)
        return 0.01
    monkeypatch.setattr(plan, "seconds_per_update", seconds_per_update)
    monkeypatch.setattr(plan, "changed_stages", lambda: {"figures@mnist_kmeans", "prepare@cifar10", "report"})
    plan.main()
    said = capsys.readouterr().out
    assert re.search(r"^experiment +mnist: Adversarial nets, 3 seeds, done$", said, re.M)
    for name in ("mnist_kmeans", "cifar10_fully_connected", "cifar10_training_images"):
        assert re.search(rf"^experiment +{name}: .*, about ", said, re.M)
    assert set(measured) == {(3, 32, 32)}
    assert re.search(r"^time +about ", said, re.M)


def test_where_everything_is_done_that_is_said(monkeypatch, capsys):
    monkeypatch.setattr(plan, "changed_stages", lambda: {"report"})
    plan.main()
    said = capsys.readouterr().out
    assert re.search(r"^time +everything is done$", said, re.M)
    assert "about" not in said


@pytest.mark.parametrize("lock", [None, "", "torn: ["])
def test_where_dvc_cannot_say_nothing_counts_as_done(lock):
    if lock is not None:
        Path("dvc.lock").write_text(lock)
    assert plan.changed_stages() is None  # there is no repository here
    chosen = Plan(["mnist"], {"mnist": "mnist", "mnist_kmeans": "mnist"})
    assert plan.unfinished(chosen, None) == {"mnist", "mnist_kmeans"}
