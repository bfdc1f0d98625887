"""The real graph by real DVC, on digits, in temporary clones of this working tree.

All workers share one that has run once from nothing (see conftest.py). A test that only looks uses `clone`, a test that
changes something a copy of its own, so that each may run alone and in any order. Nothing here needs a network.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
from clone import EXPERIMENTS, GATHERED, IN_GIT, LESSONS, OFFLINE, REPORTS, ROOT, differing, stages, stages_run
from documentation import blocks
from ruamel.yaml import YAML

from pipeline.artifacts import prepared
from pipeline.results.text import with_error
from pipeline.runtime import files

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

KEYS = {"test_log_likelihood", "standard_error", "bandwidth", "seed_mean", "seed_sd", "seeds", "epoch", "profile"}


# A first run, and a second.

def test_the_whole_graph_runs_from_nothing(clone):
    """All of its stages, once, and without a network (see `build` in conftest.py); it leaves nothing for git but what
    belongs into it."""
    assert clone.run("git", "status", "--porcelain") == ""
    assert set(clone.run("git", "show", "--name-only", "--format=", "HEAD").split()) == IN_GIT


def test_a_second_run_and_another_plan_do_nothing(clone):
    before = {name: (clone.root / name).read_bytes() for name in IN_GIT}
    assert clone.repro() == set()
    plan = YAML(typ="safe").load((clone.root / "plan.yaml").read_text())["run"]
    assert tuple(plan["experiments"]) == EXPERIMENTS
    said = clone.verb("plan", GAN_PROFILE="smoke", GAN_LESSONS=" ".join(LESSONS))  # it asks `dvc status`
    assert "everything is done" in said
    assert re.findall("^experiment +(.+?): .*, done$", said, re.M) == list(EXPERIMENTS)
    assert re.search(r"^lessons +2: done$", said, re.M)
    assert re.search("^plan +as it was$", said, re.M)
    assert {name: (clone.root / name).read_bytes() for name in IN_GIT} == before


# What came out.

def log_likelihoods(images: torch.Tensor, samples: torch.Tensor, sigma: float) -> list[float]:
    """From the definition: log of the mean of Gaussians of width sigma on the samples, in nats for each image."""
    squares = torch.cdist(images.double(), samples.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    d = images.shape[1]
    return (torch.logsumexp(-squares / (2 * sigma**2), 1) - math.log(len(samples))
            - d * math.log(sigma * math.sqrt(2 * math.pi))).tolist()


def test_metrics_hold_every_key_of_the_contract_for_every_experiment(clone):
    metrics = clone.metrics()
    assert tuple(metrics) == EXPERIMENTS
    for name, entry in metrics.items():
        assert entry.keys() >= KEYS
        assert entry["profile"] == "smoke"
        assert ("ema" in entry) == (name == "digits")
        assert ("parallel" in entry) == (name == "digits_deep_gsn")
    assert metrics["digits"]["ema"].keys() >= KEYS
    settings = json.loads((clone.root / "artifacts/digits/training.json").read_text())["settings"]
    assert [seed["seed"] for seed in metrics["digits"]["seeds"]] == settings["seeds"]
    assert len(settings["seeds"]) > 1
    assert 1 <= metrics["digits"]["epoch"] <= settings["model"]["recipe"]["epochs"]
    for name in ("digits_training_images", "digits_kmeans"):
        assert (metrics[name]["seed_sd"], metrics[name]["epoch"], len(metrics[name]["seeds"])) == (None, None, 1)


def test_metrics_are_what_the_samples_score_when_computed_anew_from_the_definition(clone):
    test = prepared.read_dataset(clone.root / "data/prepared/digits.safetensors").test
    assert list(test.shape) == [300, 64]
    rows = [(name, "raw", entry) for name, entry in clone.metrics().items()]
    for name, variant, entry in [*rows, ("digits", "ema", clone.metrics()["digits"]["ema"])]:
        means = {}
        for seed in entry["seeds"]:
            samples, _ = files.read_tensors(clone.root / f"artifacts/{name}/samples/seed-{seed['seed']}.safetensors")
            each = log_likelihoods(test, samples[variant], seed["bandwidth"])
            means[seed["seed"]] = statistics.fmean(each)
            assert seed["test_log_likelihood"] == pytest.approx(statistics.fmean(each), abs=2e-3)
            assert seed["standard_error"] == pytest.approx(statistics.pstdev(each) / math.sqrt(300), abs=2e-3)
        best = max(entry["seeds"], key=lambda seed: seed["validation_log_likelihood"])
        for key in ("test_log_likelihood", "standard_error", "bandwidth", "epoch"):
            assert entry[key] == best[key]
        assert entry["seed_mean"] == pytest.approx(statistics.fmean(means.values()), abs=2e-3)
        if len(means) > 1:
            assert entry["seed_sd"] == pytest.approx(statistics.stdev(means.values()), abs=2e-3)


def test_real_images_score_above_a_generator_that_has_hardly_trained(clone):
    metrics = clone.metrics()
    assert metrics["digits_training_images"]["test_log_likelihood"] > metrics["digits"]["test_log_likelihood"]


def test_the_page_stands_alone_and_shows_every_number(clone):
    for name in ("index.html", "full.html"):
        page = (clone.root / REPORTS / name).read_text()
        for experiment, entry in clone.metrics().items():
            assert experiment in page
            assert with_error(entry["test_log_likelihood"], entry["standard_error"]) in page
        assert re.search(r'src="data:image/(png|webp);base64,', page)
        assert not re.search(r"<(img|script|link)[^>]+(src|href)=\"(?!data:)", page)


def test_the_table_is_printed_with_the_place_of_the_report(clone):
    table = clone.verb("table")
    for entry in clone.metrics().values():
        assert with_error(entry["test_log_likelihood"], entry["standard_error"]) in table
    assert table.rstrip().endswith(f"report: {REPORTS}/index.html")


def test_the_picture_of_the_graph_in_the_readme_is_what_dvc_says(clone):
    """Of each stage its verb, and of the arrows those that do not follow from others."""
    picture = clone.run("dvc", "dag", "--mermaid")
    names = {node: name.partition("@")[0].rpartition(":")[2] for node, name in re.findall(
        r'(node\d+)\["(.+?)"\]', picture)}
    drawn = re.findall(r"(node\d+)-->(node\d+)", picture)
    graph = networkx.DiGraph((names[a], names[b]) for a, b in drawn)
    (block,) = re.findall(r"^ *```mermaid\n(.*?)^ *```$", (ROOT / "docs/training.md").read_text(), re.S | re.M)
    chains = [re.findall(r"\w+", line.replace("-->", " ")) for line in block.splitlines() if "-->" in line]
    in_the_text = {pair for chain in chains for pair in itertools.pairwise(chain)}
    graph.add_edges_from([("features", "lesson_on_data"), ("lesson_on_data", "collect")])  # which smoke leaves out
    assert in_the_text == set(networkx.transitive_reduction(graph).edges)


def test_plots_have_titles_and_axes_and_lack_nothing(clone):
    shown = json.loads(clone.run("sh", "-c", "dvc plots show --json 2>/dev/null"))
    assert "errors" not in shown
    pictures = {name for name in shown["data"] if name.endswith(".png")}
    assert {f"reports/plots/pictures/{name}-bandwidth.png" for name in EXPERIMENTS} <= pictures
    assert shown["data"].keys() - pictures == {
        "losses", "discriminator", "validation", "bandwidth", "sample_sizes", "ranks"}
    for name in shown["data"].keys() - pictures:
        content = shown["data"][name][0]["content"]
        axes = content["spec"]["encoding"]
        assert content["title"]["text"]
        assert axes["x"]["title"]
        assert axes["y"]["title"]
        assert {axes["x"]["field"], axes["y"]["field"], "experiment", "curve"} <= content["data"]["values"][0].keys()


def test_the_metrics_of_dvc_are_a_row_for_each_experiment_with_one_number_for_each_variant(clone):
    (revision,) = json.loads(clone.run("dvc", "metrics", "show", "--json")).values()
    numbers = {Path(path).stem: metrics["data"] for path, metrics in revision["data"].items()
               if Path(path).parent.name == "summary"}
    expected = {name: {"raw": entry["test_log_likelihood"]} for name, entry in clone.metrics().items()}
    for name, variant in (("digits", "ema"), ("digits_deep_gsn", "parallel")):
        expected[name][variant] = clone.metrics()[name][variant]["test_log_likelihood"]
    assert numbers == {name: pytest.approx(rows, abs=0.01) for name, rows in expected.items()}


# One thing changed.

def test_another_number_of_samples_runs_scoring_again_and_no_training_and_the_difference_can_be_read(other_clone):
    """Set by `dvc exp run -S`. All experiments are told; one of them runs."""
    before, told = other_clone.metrics(), other_clone.configurations()
    trained = other_clone.locked("train@digits_kmeans")
    said = other_clone.run("dvc", "exp", "run", "-S", "parzen.profiles.smoke.samples=250", "configure")
    assert stages_run(said) == {"configure"}
    assert differing(told, other_clone.configurations()) == {f"{name}/sample" for name in EXPERIMENTS} | {
        "digits/references"}
    other_clone.plan_for(["digits_kmeans"])
    assert other_clone.repro() == {"configure", "references@digits"} | stages(
        ("sample", "bandwidth", "evaluate", "sample_size", "figures", "assess"), ["digits_kmeans"]) | GATHERED
    assert other_clone.locked("train@digits_kmeans") == trained
    rows = [line.split() for line in other_clone.run("dvc", "params", "diff", "HEAD").splitlines()[1:]]
    assert [row for row in rows if row[0] != "plan.yaml"] == [
        ["params.yaml", "parzen.profiles.smoke.samples", "300", "250"]]
    assert all(row[1].startswith("run.") for row in rows if row[0] == "plan.yaml")
    found = {line.split()[0]: line.split()[2:]
             for line in other_clone.run("dvc", "metrics", "diff", "HEAD").splitlines()}
    scores = [each["digits_kmeans"]["test_log_likelihood"] for each in (before, other_clone.metrics())]
    cells = found[f"{REPORTS}/summary/digits_kmeans.json"][:2]
    assert [float(cell) for cell in cells] == pytest.approx(scores, abs=0.01)
    other_clone.commit("fewer samples")
    assert other_clone.run("dvc", "params", "diff", "HEAD").strip() == ""
    assert "parzen.profiles.smoke.samples" in other_clone.run("dvc", "params", "diff", "HEAD~1")
    assert f"{REPORTS}/summary/digits_kmeans.json" in other_clone.run("dvc", "metrics", "diff", "HEAD~1")


def test_another_number_of_rows_draws_that_figure_again_and_reaches_the_tracking_store(other_clone):
    """An inherited value, set for one experiment by `dvc exp run -S +`."""
    metrics, told = other_clone.metrics(), other_clone.configurations()
    said = other_clone.run("dvc", "exp", "run", "-S", "+experiments.digits.figures.rows=3", GAN_TRACKING="on")
    assert stages_run(said) == {"configure", "figures@digits"} | GATHERED
    assert differing(told, other_clone.configurations()) == {"digits/figures"}
    assert other_clone.metrics() == metrics
    with sqlite3.connect(other_clone.root / "mlflow.db") as store:
        tags = store.execute("select run_uuid, value from tags where key = 'gan.seed'").fetchall()
        scores = dict(store.execute("select run_uuid, value from latest_metrics where key = 'test_log_likelihood'"))
        statuses = {status for (status,) in store.execute("select status from runs")}
        assert store.execute("select count(*) from runs where name = 'digits · smoke'").fetchone() == (1,)
    assert {int(seed): round(scores[run], 4) for run, seed in tags} == {
        seed["seed"]: seed["test_log_likelihood"] for seed in metrics["digits"]["seeds"]}
    assert statuses == {"FINISHED"}
    (snippet,) = [block.text for block in blocks("python") if block.text.startswith("import mlflow")]
    snippet = snippet.replace("models:/mnist-generator", "models:/digits-generator")
    said = other_clone.run("python", "-c", f"{snippet}\nprint(samples.dtype, list(samples.shape))")
    assert said.splitlines()[-1] == "float32 [16, 1, 8, 8]"
    assert set(other_clone.run("git", "status", "--porcelain").split()[1::2]) == {
        "dvc.lock", "params.yaml", f"{REPORTS}/index.html"}


def test_an_experiment_left_out_changes_the_report_alone_and_comes_back_without_work(other_clone):
    metrics = other_clone.metrics()
    other_clone.verb("plan", GAN_PROFILE="smoke", GAN_EXPERIMENTS="digits digits_kmeans")
    assert other_clone.repro() == {"configure"} | GATHERED
    assert other_clone.metrics() == {name: metrics[name] for name in ("digits", "digits_kmeans")}
    assert "GAN_EXPERIMENTS" in (other_clone.root / f"{REPORTS}/index.html").read_text()
    other_clone.run("git", "checkout", "--quiet", "params.yaml", "plan.yaml")
    assert other_clone.repro() <= {"configure"} | GATHERED
    assert other_clone.metrics() == metrics


def test_a_search_is_run_when_asked_for_and_entered_in_its_lock(other_clone):
    """`reports/searches/dvc.yaml` is frozen, so that `dvc repro` alone does not run it."""
    yaml, path = YAML(), other_clone.root / "searches.yaml"
    content = yaml.load(path.read_text())
    content["digits_stacked_cae"] = {
        "note": "", "seed": 1, "samples": 100, "select_by": "raw",
        "settings": {"layers.0.epochs": 1, "layers.1.epochs": 1, "burn_in": 2}, "over": {"noise": [0.5, 1.0]}}
    with path.open("w") as file:
        yaml.dump(content, file)
    graph = other_clone.root / "reports/searches/dvc.yaml"
    graph.write_text(graph.read_text().replace("foreach:\n", "foreach:\n      digits_stacked_cae: digits\n"))
    said = other_clone.run("make", "--old-file=setup", "search", "EXPERIMENT=digits_stacked_cae")
    assert "best by raw" in said
    table = other_clone.root / "reports/searches/digits_stacked_cae.csv"
    assert [row.partition(",")[0] for row in table.read_text().splitlines()] == ["noise", "0.5", "1.0"]
    stages = YAML(typ="safe").load((other_clone.root / "reports/searches/dvc.lock").read_text())["stages"]
    locked = stages["search@digits_stacked_cae"]
    assert [out["path"] for out in locked["outs"]] == ["reports/searches/digits_stacked_cae.csv"]
    assert "data/prepared/digits.safetensors" in [dependency["path"] for dependency in locked["deps"]]
    assert other_clone.repro() == {"report"}


# Bad days.

def wait_for(condition: Any, process: subprocess.Popen[str], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_run_stopped_by_ctrl_c_resumes_and_ends_with_the_digests_of_an_undisturbed_one(clone, other_clone):
    other_clone.forget("train@digits")
    process = subprocess.Popen(["dvc", "repro", "train@digits"], cwd=other_clone.root, text=True,
                               env={**other_clone.environment, "GAN_CHECKPOINT_SECONDS": "0"}, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        checkpoints = other_clone.root / "checkpoints/digits"
        wait_for(lambda: list(checkpoints.glob("seed-1-*.safetensors")), process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert re.search("stopped; the same command .* from the last checkpoint", output)
    assert "Traceback" not in output
    assert not (other_clone.root / "artifacts/digits/training.json").exists()
    assert list(checkpoints.glob("seed-1-*.safetensors"))

    output = other_clone.run("dvc", "repro", "train@digits")
    assert stages_run(output) == {"train@digits"}
    assert re.search(r"^(going on|resumes|resuming) from epoch", output, re.M)
    assert other_clone.locked("train@digits") == clone.locked("train@digits")
    assert not checkpoints.exists()


def test_a_wrong_parameter_stops_the_run_with_its_name_and_no_traceback(other_clone):
    path = other_clone.root / "params.yaml"
    path.write_text(path.read_text().replace("validation_images:", "validation_image:", 1))
    ended = subprocess.run(["dvc", "repro"], cwd=other_clone.root, env=other_clone.environment, text=True, timeout=600,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ended.returncode != 0
    assert "parzen.validation_image: unknown key" in ended.stdout
    assert "did you mean 'validation_images'?" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_without_a_network_and_without_data_what_can_be_run_is_and_the_report_says_what_is_missing(other_clone):
    missing = {"mnist": "mnist", "cifar10_training_images": "cifar10", "tfd": "tfd", "faces": "faces"}
    other_clone.forget("download@digits", "prepare@digits", "train@digits_training_images")
    said = other_clone.verb("plan", GAN_PROFILE="smoke", **OFFLINE,
                            GAN_EXPERIMENTS=" ".join([*missing, "digits_training_images"]))
    for dataset in missing.values():
        assert re.search(rf"^data +{dataset}: unavailable: .*\n +.*GAN_DATA=", said, re.M)
    assert re.search("^data +digits: found in ", said, re.M)
    assert other_clone.repro(**OFFLINE) == {"configure", "download@digits", "prepare@digits",
                                            "train@digits_training_images"} | GATHERED
    assert other_clone.metrics().keys() == {"digits_training_images"}
    page = (other_clone.root / f"{REPORTS}/index.html").read_text()
    table = other_clone.verb("table")
    for experiment, dataset in missing.items():
        for text in (page, table):
            assert re.search(rf"\b{experiment}\b", text)
            assert f"no data set {dataset}" in text
