"""pipeline.cluster.sweep: grids, where their settings go, and what is told of the points."""

from __future__ import annotations

import copy
import csv
import io
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from dvc.repo.experiments.refs import ExpRefInfo
from finished_page import Page
from PIL import Image
from ruamel.yaml import YAML

from gan.errors import ParameterError, ReproductionError
from pipeline.cluster import sweep as sweeps
from pipeline.cluster.sweep import Point, Sweep, changed, changes, rank, table, write
from pipeline.runtime.files import write_json
from pipeline.settings.inheritance import PROFILES, plain, resolve

GRID = """\
name: rates
experiment: toy
over:
  train.model.rate: [0.05, 0.1]
  train.seeds: [[1], [1, 2]]
set:
  train.model.units: 7
by: ema
"""
HARDWARE = {"processor": "A processor", "logical_cores": 2, "memory_gib": 24, "accelerator": None, "threads": 1,
            "torch": "2.14.1+cpu", "python": "3.11.9"}
RATE = "train.model.rate"


def grid(content):
    path = Path("grid.yaml")
    path.write_text(content)
    return Sweep.read(path)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Grids.

def test_a_grid_is_read_and_gives_every_combination_the_last_name_changing_fastest():
    found = grid(GRID)
    assert (found.name, found.experiment, found.by, found.set) == ("rates", "toy", "ema", {"train.model.units": 7})
    assert list(found.points()) == [{RATE: rate, "train.seeds": seeds}
                                    for rate in (0.05, 0.1) for seeds in ([1], [1, 2])]


def test_what_may_be_left_out_of_a_grid_is():
    found = grid("name: a\nexperiment: toy\nover: {x: [null, true, 1]}\n")
    assert (found.set, found.by) == ({}, "raw")
    assert [point["x"] for point in found.points()] == [None, True, 1]


@pytest.mark.parametrize(("content", "words"), [
    ("name: [", "is no grid"),
    ("", "is no grid"),
    ("- a\n- b\n", "is no grid"),
    ("name: a\nexperiment: toy\n", "over"),
    (GRID + "seeds: [1]\n", "unexpected keyword argument 'seeds'"),
    (GRID.replace("name: rates", "name: 7 rates"), "name is to be a name for branches and files"),
    (GRID.replace("name: rates", "name: ../rates"), "found: ../rates"),
    (GRID.replace("name: rates", "name: 12"), "found: 12"),
    (GRID.replace("name: rates", "name: rates.lock"), "a letter, then letters, digits, _ and -"),
    ("name: a\nexperiment: toy\nover: {}\n", "over is to have lists of values"),
    ("name: a\nexperiment: toy\nover: {x: []}\n", "over is to have lists of values"),
    ("name: a\nexperiment: toy\nover: {x: 1}\n", "found: {'x': 1}"),
    ("name: a\nexperiment: toy\nover: [x]\n", "over is to have lists of values"),
    ("name: a\nexperiment: toy\nover:\n", "over is to have lists of values"),
    ("name: a\nexperiment: toy\nover: {x: [1]}\nset: [y]\n", "found: ['y']")])
def test_what_is_no_grid_is_told_by_its_file(content, words):
    with pytest.raises(ParameterError) as raised:
        grid(content)
    assert words in str(raised.value)
    assert "grid.yaml" in str(raised.value)


@pytest.mark.parametrize("content", ["name: a\nexperiment: [toy]\nover: {x: [1]}\n",
                                     "name: a\nexperiment: toy\nover: {1: [1]}\n",
                                     "name: a\nexperiment: toy\nover: {x: [1]}\nset: {1: 2}\n",
                                     "name: a\nexperiment: toy\nover: {x: [1]}\nby: [raw]\n"])
def test_names_that_are_no_text_are_told(content):
    with pytest.raises(ParameterError, match=r"grid\.yaml"):
        grid(content)


def test_a_grid_that_there_is_not_is_told_and_so_are_bytes_that_are_no_text():
    with pytest.raises(ParameterError, match=r"nothing\.yaml is no grid") as raised:
        Sweep.read(Path("nothing.yaml"))
    assert "make sweep GRID=" in str(raised.value)
    Path("bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (Path("bytes.yaml"), Path()):
        with pytest.raises(ParameterError, match="is no grid"):
            Sweep.read(path)


# Where settings go.

RAW = {"experiments": {"toy": {
    "train": {"seeds": [1, 2, 3], "model": {"rate": 0.1, "units": 5, "hidden": [{"units": 4}, {"units": 8}]}},
    "profiles": {"cpu": {"train": {"model": {"rate": 0.2}}}, "smoke": None}}, "plain": {"train": {"seeds": [1]}}}}


def test_a_setting_goes_where_the_profile_has_it_and_into_the_base_otherwise():
    settings = {RATE: 0.5, "train.model.units": 9, "train.model.hidden.1.units": 3}
    base = {"experiments.toy.train.model.units": 9, "experiments.toy.train.model.hidden.1.units": 3}
    assert changes(RAW, "cpu", "toy", settings) == {
        "experiments.toy.profiles.cpu.train.model.rate": 0.5} | base
    for profile in ("paper", "smoke"):
        assert changes(RAW, profile, "toy", settings) == {"experiments.toy.train.model.rate": 0.5} | base
    assert changes(RAW, "cpu", "plain", {"train.seeds": [4]}) == {"experiments.plain.train.seeds": [4]}


@pytest.mark.parametrize("name", ["train.model.rat", "train.model.hidden.2.units", "train.model.hidden.x.units",
                                  "train.model.rate.initial", "seeds", ""])
def test_a_setting_that_the_experiment_does_not_have_is_named(name):
    with pytest.raises(ParameterError, match="the experiment toy has no setting") as raised:
        changes(RAW, "cpu", "toy", {name: 1})
    assert repr(name) in str(raised.value)


@pytest.mark.parametrize("override", [None, [{"units": 2}]])
def test_a_setting_that_the_profile_has_done_away_with_is_named_too(override):
    raw = {"experiments": {"toy": {"train": {"hidden": [{"units": 4}, {"units": 8}]},
                                   "profiles": {"cpu": {"train": {"hidden": override}}}}}}
    assert changes(raw, "paper", "toy", {"train.hidden.1.units": 3}) == {"experiments.toy.train.hidden.1.units": 3}
    with pytest.raises(ParameterError, match=r"no setting 'train\.hidden\.1\.units'"):
        changes(raw, "cpu", "toy", {"train.hidden.1.units": 3})


def test_changed_content_is_a_copy():
    raw = {"a": {"n": 1, "hidden": [{"units": 2}]}, "b": {"n": 1, "hidden": [{"units": 2}]}}
    before = copy.deepcopy(raw)
    found = changed(raw, {"a.n": 5, "a.hidden.0.units": [3, None]})
    assert found == {"a": {"n": 5, "hidden": [{"units": [3, None]}]}, "b": {"n": 1, "hidden": [{"units": 2}]}}
    assert raw == before


def test_a_change_is_what_the_profile_then_has():
    for profile in ("paper", "cpu"):
        change = changes(RAW, profile, "toy", {RATE: 0.7, "train.seeds": [9]})
        toy = plain(resolve(changed(RAW, change), "experiments.toy", profile, PROFILES, "params.yaml"))
        assert (toy["train"]["model"]["rate"], toy["train"]["seeds"]) == (0.7, [9])


# Where points are run.

def git(*words, root=None):
    return subprocess.run(["git", *(["-C", str(root)] if root else []), *words], check=True, capture_output=True,
                          text=True).stdout.strip()


@pytest.fixture
def commit(here, own_git):
    """The only one of a repository that is the current folder."""
    for name, content in {"params.yaml": "a: 1\n", "dvc.lock": "old\n", "code.py": "1\n",
                          ".gitignore": "/.cluster/\n/points/\n", ".dvc/.gitignore": "/config.local\n",
                          ".dvc/config": ""}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return git("rev-parse", "HEAD")


def clone(name, commit, content):
    return sweeps.make_clone(name, commit, content, {"core": {"remote": "shared"}, "remote": {"shared": {"url": "/s"}}},
                             "/the/cache")


def test_a_point_is_a_clone_of_the_commit_with_its_own_parameters(here, commit):
    Path("code.py").write_text("edited since\n")
    content = {"a": 2, "b": [0.1, None, True, "relu", "1"], "c": {"d": "größer: x"}}
    root = clone("my-rates-12", commit, content)
    assert root == here / ".cluster/sweeps/my-rates/my-rates-12"
    assert YAML(typ="safe").load((root / "params.yaml").read_text()) == content
    assert (root / "code.py").read_text() == "1\n"
    assert git("rev-parse", "HEAD~", root=root) == commit
    assert git("status", "--porcelain", root=root) == ""
    assert git("log", "-1", "--format=%s", root=root) == "my-rates-12"
    settings = (root / ".dvc/config.local").read_text()
    for words in ("dir = /the/cache", "remote = shared", "url = /s"):
        assert words in settings
    for folder in ("artifacts", "data/raw", "reports/figures"):
        assert (root / folder).is_dir()
    assert git("rev-parse", "HEAD") == commit
    assert git("status", "--porcelain") == "M code.py"


def test_a_point_that_is_begun_again_is_at_the_same_commit(here, commit, monkeypatch):
    first = git("rev-parse", "HEAD", root=clone("rates-1", commit, {"a": 2}))
    (here / ".cluster/sweeps/rates/rates-1/left over").write_text("")
    for name, value in {"GIT_AUTHOR_NAME": "B", "GIT_COMMITTER_DATE": "2001-01-01T00:00:00+00:00"}.items():
        monkeypatch.setenv(name, value)
    root = clone("rates-1", commit, {"a": 2})
    assert git("rev-parse", "HEAD", root=root) == first
    assert not (root / "left over").exists()
    assert git("rev-parse", "HEAD", root=clone("rates-2", commit, {"a": 3})) != first
    same_as_here = clone("rates-3", commit, {"a": 1})
    assert git("rev-parse", "HEAD~", root=same_as_here) == commit


def test_a_user_who_signs_commits_or_has_hooks_is_not_asked(here, commit, monkeypatch):
    expected = git("rev-parse", "HEAD", root=clone("rates-1", commit, {"a": 2}))
    hooks = here / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (here / "gitconfig").write_text(
        f"[commit]\n gpgsign = true\n[gpg]\n program = false\n[core]\n hooksPath = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(here / "gitconfig"))
    assert git("rev-parse", "HEAD", root=clone("rates-1", commit, {"a": 2})) == expected


def test_a_commit_that_there_is_not_is_told_in_gits_words(commit):
    with pytest.raises(ReproductionError, match="`git -C") as raised:
        clone("rates-1", "f" * 40, {"a": 2})
    assert "f" * 40 in str(raised.value)


class Entering:
    """A graph that writes into its dvc.lock what is done."""

    def __init__(self, root):
        self.root = root

    def enter(self, names):
        (self.root / "dvc.lock").write_text(" ".join(names))


def test_a_point_that_is_done_becomes_an_experiment_of_dvcs_upon_its_commit(here, commit):
    ref = f"refs/exps/{commit[:2]}/{commit[2:]}/rates-1"
    for value in (2, 3):  # the second in place of the first
        root = clone("rates-1", commit, {"a": value})
        work = SimpleNamespace(graph=Entering(root), names=lambda status: [f"train@toy is {status}"])
        sweeps.keep(Point("rates-1", {RATE: value}, root, work), commit)
        assert git("show", f"{ref}:params.yaml") == f"a: {value}"
        assert git("show", f"{ref}:dvc.lock") == "train@toy is done"
        assert git("rev-parse", f"{ref}~") == commit
    assert ExpRefInfo.from_ref(ref) == ExpRefInfo(commit, "rates-1")
    assert git("for-each-ref", "--format=%(refname)", "refs/exps") == ref
    assert (git("rev-parse", "HEAD"), git("status", "--porcelain")) == (commit, "")


# What came out.

def score(validation, test, error=2.0):
    return {"validation_log_likelihood": validation, "test_log_likelihood": test, "standard_error": error}


def point(here, name, rate, seeds=None, curves="", state="done"):
    """A point of which `seeds` are the scores: by variant, (validation, test) of each."""
    root = here / "points" / name
    folder = root / "artifacts/toy"
    folder.mkdir(parents=True)
    if seeds is not None:
        write_json(folder / "evaluation.json", {"hardware": HARDWARE, "seeds": [
            {"seed": i, "variants": {variant: {"refined": score(*values), "paper_grid": score(-1e6, -1e6)}
                                     for variant, values in one.items()}} for i, one in enumerate(seeds, 1)]})
    if curves:
        (folder / "curves.csv").write_text(curves)
    status = {"train@toy": state if seeds is None else "done", "evaluate@toy": state if seeds is None else "done"}
    return Point(name, {RATE: rate}, root, SimpleNamespace(status=status))


def curves(*levels):
    lines = ["seed,epoch,loss,validation_log_likelihood,validation_log_likelihood_ema"]
    for seed, level in enumerate(levels, 1):
        for epoch in range(1, 7):
            scores = f"{level + epoch},{level + 100 + epoch}" if epoch % 2 == 0 else ","
            lines.append(f"{seed},{epoch},0.5,{scores}")
    return "\n".join(lines) + "\n"


def a_sweep(by="raw", name="rates", experiment="toy", over=(0.05, 0.1, 0.2), **more):
    return Sweep(name, experiment, {RATE: list(over)}, by=by, **more)


@pytest.fixture
def points(here):
    """The second is the best by `raw`, the first by `ema`, the third has failed."""
    return [point(here, "rates-1", 0.05, [{"raw": (100.0, 97.31), "ema": (230.0, 229.13)},
                                          {"raw": (104.0, 101.42), "ema": (231.0, 228.24)}], curves(90.0, 94.0)),
            point(here, "rates-2", 0.1, [{"raw": (120.0, 118.53), "ema": (210.0, 207.35)},
                                         {"raw": (124.5, 113.64), "ema": (209.0, 208.46)}], curves(110.0, 120.0)),
            point(here, "rates-3", 0.2, state="failed")]


SECRET = ("97.3", "101.4", "229.1", "228.2")
"""Test scores of the first"""


def test_the_best_is_that_of_the_highest_mean_over_seeds_on_validation_images(here, points):
    assert [one.point.name for one in rank(points, a_sweep())] == ["rates-2", "rates-1", "rates-3"]
    assert [one.point.name for one in rank(points, a_sweep(by="ema"))] == ["rates-1", "rates-2", "rates-3"]
    luckier = point(here, "rates-4", 0.3, [{"raw": (170.0, 1.0), "ema": (0.0, 0.0)},
                                           {"raw": (60.0, 999.0), "ema": (0.0, 0.0)}])
    assert [one.point.name for one in rank([luckier, *points], a_sweep())] == [
        "rates-2", "rates-4", "rates-1", "rates-3"]


def test_scores_below_zero_are_ranked_too_and_a_failed_point_is_last(here):
    failed, low, high = (point(here, "a-1", 1, state="left out"), point(here, "a-2", 2, [{"raw": (-1200.0, -1.0)}]),
                         point(here, "a-3", 3, [{"raw": (-0.0, -1.0)}]))
    assert [one.point.name for one in rank([failed, low, high], a_sweep())] == ["a-3", "a-2", "a-1"]
    assert rank([failed, low], a_sweep())[0].text("raw") == "−1200.0"


def test_test_scores_are_those_of_the_seed_that_validation_chose(points):
    best = rank(points, a_sweep())[0]
    assert best.test["raw"] == (113.64, 2.0)
    assert best.test["ema"] == (207.35, 2.0)
    assert best.text("raw") == "122.2 ± 3.2 (2 seeds)"
    assert rank(points, a_sweep())[-1].text("raw") == "–"
    assert rank(points, a_sweep())[-1].mean("raw") is None


def test_a_variant_that_no_point_has_is_told(points):
    with pytest.raises(ParameterError, match="emma") as raised:
        rank(points, a_sweep(by="emma"))
    assert "ema" in str(raised.value).replace("emma", "")


def test_where_all_points_failed_there_is_a_table_and_a_page_all_the_same(here, capsys):
    failed = [point(here, f"rates-{i}", i, state="failed") for i in (1, 2)]
    ranked = rank(failed, a_sweep())
    assert [one.point.name for one in ranked] == ["rates-1", "rates-2"]
    assert "best by" not in table(ranked, a_sweep())
    write(ranked, a_sweep(), "cpu", "0" * 40)
    assert "Not drawn: a stage of this point failed or was left out." in page().text


def test_the_table_has_validation_of_all_and_test_of_the_best(points):
    text = table(rank(points, a_sweep()), a_sweep())
    lines = text.splitlines()
    assert re.split(r" {2,}", lines[0].strip()) == ["model.rate", "raw, validation", "ema, validation"]
    assert re.split(r" {2,}", lines[1]) == ["rates-2", "0.1", "122.2 ± 3.2 (2 seeds)", "209.5 ± 0.7 (2 seeds)"]
    assert re.split(r" {2,}", lines[3]) == ["rates-3", "0.2", "–", "–"]
    assert "best by validation (raw): rates-2; on test images raw 113.6 ± 2.0, ema 207.3 ± 2.0 nats" in text
    assert "comparison/sweep-rates.html" in text
    advice = text[text.index("take it"):]
    assert advice.index("git commit --all") < advice.index("dvc exp apply rates-2") < advice.index("git restore")
    assert "undo it      git restore --staged --worktree . && dvc checkout" in text
    assert not any(secret in text for secret in SECRET)


def page(name="rates"):
    return Page(Path(f"comparison/sweep-{name}.html").read_text())


def test_the_page_has_test_scores_of_the_best_alone(points):
    write(rank(points, a_sweep()), a_sweep(), "cpu", "0123456789abcdef")
    found = page()
    assert found.row("rates-2") == ["rates-2", "0.1", "122.2 ± 3.2 (2 seeds)", "209.5 ± 0.7 (2 seeds)", "113.6 ± 2.0",
                                    "207.3 ± 2.0"]
    assert found.row("rates-1")[-2:] == ["not looked at", "not looked at"]
    assert found.row("rates-3")[1:] == ["0.2", "–", "–", "not looked at", "not looked at"]
    assert not any(secret in found.source for secret in SECRET)
    for words in ("3 points", "0123456789", "profile cpu", "A processor, 2 cores", "raw decides",
                  "dvc exp apply rates-2", "git commit --all first", "dvc checkout undoes it"):
        assert words in found.text


def test_the_numbers_are_in_a_table_beside_the_page_and_no_test_scores_with_them(points):
    write(rank(points, a_sweep()), a_sweep(), "cpu", "0" * 40)
    text = Path("comparison/sweep-rates.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["point"], row[RATE], row["seed"], row["validation_log_likelihood_raw"],
             row["validation_log_likelihood_ema"]) for row in rows] == [
        ("rates-2", "0.1", "1", "120", "210"), ("rates-2", "0.1", "2", "124.5", "209"),
        ("rates-1", "0.05", "1", "100", "230"), ("rates-1", "0.05", "2", "104", "231")]
    assert "test" not in text


def test_the_page_draws_the_curves_of_the_variant_that_decides(points):
    write(rank(points, a_sweep()), a_sweep(), "cpu", "0" * 40)
    raw = page()
    write(rank(points, a_sweep(by="ema")), a_sweep(by="ema"), "cpu", "0" * 40)
    ema = page()
    assert "Validation log-likelihood while training (raw)" in raw.text
    assert "Validation log-likelihood while training (ema)" in ema.text
    [chart] = sweeps.charts(rank(points, a_sweep()), a_sweep())
    assert [(line.name, list(line.x), list(line.y)) for line in chart.lines] == [
        ("rates-2", [2.0, 4.0, 6.0], [117.0, 119.0, 121.0]), ("rates-1", [2.0, 4.0, 6.0], [94.0, 96.0, 98.0])]
    [chart] = sweeps.charts(rank(points, a_sweep(by="ema")), a_sweep(by="ema"))
    assert [list(line.y) for line in chart.lines] == [[194.0, 196.0, 198.0], [217.0, 219.0, 221.0]]


def test_points_without_curves_have_no_chart(here):
    alone = rank([point(here, "a-1", 1, [{"raw": (1.0, 2.0)}], "seed,epoch,validation_log_likelihood\n1,5,3.0\n"),
                  point(here, "a-2", 2, [{"raw": (1.0, 2.0)}], "seed,epoch,loss\n1,1,3.0\n1,2,3.0\n"),
                  point(here, "a-3", 3, [{"raw": (1.0, 2.0)}])], a_sweep())
    assert sweeps.charts(alone, a_sweep()) == []
    write(alone, a_sweep(), "cpu", "0" * 40)


def test_many_curves_can_be_told_apart(here):
    count = sweeps.COLOURS + 2
    many = rank([point(here, f"a-{i}", i, [{"raw": (-float(i), 2.0)}], curves(float(i))) for i in range(count)],
                a_sweep())
    [chart] = sweeps.charts(many, a_sweep())
    assert len({(line.colour, line.dashed) for line in chart.lines}) == len(chart.lines) == count


def draw(point, *variants):
    """Pictures of samples, each other bytes."""
    for number, variant in enumerate(variants):
        raw = io.BytesIO()
        Image.fromarray(torch.full((4, 4), number, dtype=torch.uint8).numpy()).save(raw, format="png")
        folder = point.root / "reports/figures/toy"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"samples-{variant}.png").write_bytes(raw.getvalue())


def test_the_page_is_one_file_with_its_pictures_inside(points):
    draw(points[0], "raw", "ema")
    draw(points[1], "raw")
    ranked = rank(points, a_sweep())
    assert list(sweeps.pictures(ranked[1], a_sweep())) == ["ema", "raw"]
    write(ranked, a_sweep(), "cpu", "0" * 40)
    found = page()
    images = found.all("img")
    assert [image["alt"] for image in images] == ["Samples of rates-2, raw", "Samples of rates-1, ema",
                                                  "Samples of rates-1, raw"]
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert found.all("link") == []
    assert [name for script in found.all("script") for name in script if name == "src"] == []
    loaded = [value for _, attributes in found.elements for name, value in attributes.items()
              if name in ("src", "href", "srcset", "data", "action", "poster") and not value.startswith(("#", "data:"))]
    assert loaded == []
    assert not re.search(r"@import|url\((?!['\"]?data:)", found.source)
    [policy] = [meta["content"] for meta in found.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert {path.name for path in Path("comparison").iterdir()} == {"sweep-rates.html", "sweep-rates.csv"}


def test_text_from_elsewhere_stands_on_the_page_as_text(here):
    odd = "<script>alert('x & y')</script>"
    one = point(here, "a-1", odd, [{"<i>raw</i>": (1.0, 2.0)}])
    draw(one, "<i>raw")
    found = a_sweep(by="<i>raw</i>", name="a", over=[odd], set={"<u>name</u>": [odd, None]})
    write(rank([one], found), found, "<em>cpu</em>", "<b>commit")
    shown = page("a")
    for words in (odd, "<i>raw</i>, validation", "<u>name</u>", "<em>cpu</em>", "<b>commit"):
        assert words.replace(" ", "") in shown.text.replace(" ", "").replace("\u200b", "")
    assert odd not in shown.source
    assert not shown.all("i")
    assert not shown.all("u")
    assert len(shown.all("script")) == 1


def test_settings_are_shown_as_a_reader_writes_them(here):
    one = point(here, "a-1", None, [{"raw": (1.0, 2.0)}])
    one.settings |= {"train.seeds": [1, 2], "train.model.average": False}
    found = Sweep("a", "toy", {RATE: [None], "train.seeds": [[1, 2]], "train.model.average": [False]})
    write(rank([one], found), found, "cpu", "0" * 40)
    assert page("a").row("a-1")[1:4] == ["none", "1, 2", "no"]
    assert re.split(r" {2,}", table(rank([one], found), found).splitlines()[1])[1:4] == ["none", "1, 2", "no"]
    [row] = csv.DictReader(Path("comparison/sweep-a.csv").read_text().splitlines())
    assert (row[RATE], row["train.seeds"], row["train.model.average"]) == ("null", "[1, 2]", "false")
