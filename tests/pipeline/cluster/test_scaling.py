"""pipeline.cluster.scaling: list scheduling, and what is written of it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.errors import ReproductionError
from pipeline.cluster import scaling
from pipeline.cluster.scaling import CHAIN, Graph, Measured, Row, graph, makespan, stops_at
from pipeline.runtime.files import write_json
from pipeline.runtime.progress import duration

TASKS = {"configure": 5.0, "train": 8.0, "sample": 11.0, "bandwidth": 65.0, "evaluate": 35.0, "sample_size": 20.0,
         "figures": 9.0}
HARDWARE = {"processor": "A processor", "logical_cores": 2, "memory_gib": 24, "accelerator": None, "threads": 1,
            "torch": "2.14.1+cpu", "python": "3.11.9"}
MEASURED = Measured("mnist", "cpu", 3, HARDWARE, "0123456789abcdef", 5.0, 1000.0, TASKS)


# How long it takes.

@st.composite
def graphs(draw):
    """Tasks of whole seconds, each after some of those before it."""
    count = draw(st.integers(1, 12))
    needs = {f"t{i}": [f"t{j}" for j in sorted(draw(st.sets(st.integers(0, i - 1), max_size=3)))] if i else []
             for i in range(count)}
    return Graph(needs, {name: float(draw(st.integers(0, 20))) for name in needs})


@settings(deadline=None)
@given(graphs(), st.integers(1, 14))
def test_the_time_lies_within_grahams_bounds(tasks, workers):
    found = makespan(tasks, workers)
    assert max(tasks.longest, tasks.work / workers) <= found + 1e-9
    assert found <= tasks.work / workers + tasks.longest * (workers - 1) / workers + 1e-9


@settings(deadline=None)
@given(graphs())
def test_one_worker_does_one_after_another_and_enough_wait_for_the_longest_path_alone(tasks):
    assert makespan(tasks, 1) == tasks.work
    assert makespan(tasks, len(tasks.needs)) == tasks.longest


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 6))
def test_of_independent_tasks_the_longest_goes_first(lengths, workers):
    names = [f"t{i}" for i in range(len(lengths))]
    free = [0] * workers
    for length in sorted(lengths, reverse=True):
        free.sort()
        free[0] += length
    assert makespan(Graph(dict.fromkeys(names, ()), dict(zip(names, lengths, strict=True))), workers) == max(free)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 30))
def test_equal_tasks_go_in_rounds_and_more_workers_are_never_slower(count, workers):
    tasks = Graph({f"t{i}": () for i in range(count)}, {f"t{i}": 3.0 for i in range(count)})
    assert makespan(tasks, workers) == 3.0 * -(-count // workers)
    assert makespan(tasks, workers + 1) <= makespan(tasks, workers)


def test_a_chain_is_as_long_with_any_number_of_workers():
    tasks = Graph({"a": [], "b": ["a"], "c": ["b"]}, {"a": 1.0, "b": 2.0, "c": 4.0})
    assert [makespan(tasks, workers) for workers in (1, 2, 100)] == [7.0] * 3


def test_what_the_rest_waits_for_longest_goes_first():
    needs = {"short": [], "begins": [], "goes on": ["begins"]}
    tasks = Graph(needs, {"short": 5.0, "begins": 3.0, "goes on": 5.0})
    assert makespan(tasks, 2) == 8.0
    assert makespan(Graph(needs, {"short": 9.0, "begins": 3.0, "goes on": 5.0}), 2) == 9.0


def test_a_task_begins_only_when_all_that_it_needs_is_done():
    tasks = Graph({"a": [], "b": [], "c": ["a", "b", "a"]}, {"a": 1.0, "b": 6.0, "c": 2.0})
    assert makespan(tasks, 3) == 8.0


# The graph.

def test_stages_that_go_through_seeds_last_in_proportion_and_others_as_long():
    assert MEASURED.task("bandwidth", 3) == 65.0
    assert MEASURED.task("bandwidth", 6) == 5.0 + 2 * 60.0
    assert MEASURED.task("sample", 1) == pytest.approx(5.0 + 2.0)
    for verb in ("configure", "train", "sample_size", "figures"):
        assert MEASURED.task(verb, 100) == TASKS[verb]


def test_a_stage_shorter_than_what_is_around_it_has_no_negative_part():
    quick = Measured(**asdict(MEASURED) | {"tasks": TASKS | {"sample": 4.0}})
    assert quick.task("sample", 1000) == 5.0


def test_experiments_do_not_wait_for_each_other_and_their_longest_chain_is_known():
    one, ten = graph(MEASURED, 1, 3), graph(MEASURED, 10, 3)
    chain = 5.0 + 1000.0 + 8.0 + 11.0 + 65.0 + 35.0 + 20.0
    assert one.longest == ten.longest == makespan(ten, len(ten.needs)) == pytest.approx(chain)
    assert len(ten.needs) == 10 * len(one.needs) == 10 * (len(TASKS) + 3)
    assert ten.work == pytest.approx(10 * (sum(TASKS.values()) + 3 * 1000.0))


def test_with_a_task_for_each_seed_everywhere_only_the_work_around_it_is_more():
    whole, apart = graph(MEASURED, 1, 100), graph(MEASURED, 1, 100, apart=True)
    assert apart.work - whole.work == pytest.approx(3 * 99 * 5.0)
    assert apart.longest == pytest.approx(5.0 + 1000.0 + 8.0 + 7.0 + 25.0 + 15.0 + 20.0)
    assert makespan(apart, 100) < makespan(whole, 100)


def test_scaling_stops_where_twice_as_many_workers_are_no_gain():
    def rows(*seconds):
        return [Row(2**i, took, took) for i, took in enumerate(seconds)]
    assert stops_at(rows(100.0, 50.0, 25.0, 24.9, 24.9)) == 4
    assert stops_at(rows(100.0, 94.0, 90.0)) == 2
    assert stops_at(rows(100.0, 100.0)) == 1
    assert stops_at(rows(100.0, 50.0)) == 2


# Where the times come from.

def history(*lines):
    folder = Path(".cluster")
    folder.mkdir(exist_ok=True)
    with (folder / "history.jsonl").open("a") as file:
        for stage, seed, seconds, *event in lines:
            file.write(json.dumps({"time": 1.0, "event": (event or ["done"])[0], "stage": stage, "seed": seed,
                                   "attempt": 1, "job": "7", "executor": "local", "node": "n1", "seconds": seconds,
                                   "error": ""}) + "\n")


def finished_run(*lines):
    """A checkout with a whole run of `mnist`."""
    history(*((f"{verb}@mnist", None, took) for verb, took in TASKS.items()), ("train@mnist", 1, 900.0),
            ("train@mnist", 2, 1100.0), *lines)
    write_json(Path("artifacts/mnist/training.json"), {"profile": "cpu", "hardware": HARDWARE,
                                                      "seeds": [{"seed": 1}, {"seed": 2}]})


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_times_are_those_of_the_last_run(here):
    finished_run(("train@mnist", 1, 1300.0), ("evaluate@mnist", None, 1e9, "failed"),
                 ("sample@mnist", None, 1e9, "submitted"), ("evaluate@mnist_kmeans", None, 1e9),
                 ("train@other_mnist", 1, 1e9))
    found = Measured.of_the_last_run("mnist")
    assert found.tasks == TASKS
    assert (found.seeds, found.seed, found.around, found.profile) == (2, 1200.0, 5.0, "cpu")
    assert found.hardware == HARDWARE


def test_points_of_a_sweep_are_another_matter(here):
    finished_run(("rates-1: evaluate@mnist", None, 1e9), ("rates-1: train@mnist", 1, 1e9))
    found = Measured.of_the_last_run("mnist")
    assert found.tasks == TASKS
    assert found.seed == 1000.0


def test_a_line_that_was_not_written_whole_is_passed_over(here):
    finished_run()
    with Path(".cluster/history.jsonl").open("a") as file:
        file.write('{"time": 1.0, "event": "do')
    assert Measured.of_the_last_run("mnist").tasks == TASKS


@pytest.mark.parametrize(("lines", "lacking"), [
    ([], "none of configure, train, sample, bandwidth, evaluate, sample_size, figures"),
    ([(f"{verb}@mnist", None, 1.0) for verb in CHAIN] + [("train@mnist", 1, 1.0)], "none of sample_size, figures"),
    ([(f"{verb}@mnist", None, 1.0) for verb in TASKS], "none of its seeds"),
    ([(f"{verb}@other", None, 1.0) for verb in TASKS], "none of configure")])
def test_a_run_that_is_not_whole_is_told_with_what_it_lacks(here, lines, lacking):
    history(*lines)
    with pytest.raises(ReproductionError, match="no whole cluster run of mnist is on record here") as raised:
        Measured.of_the_last_run("mnist")
    assert lacking in str(raised.value)
    assert "make reproduce CLUSTER=local EXPERIMENTS=mnist" in str(raised.value)


def test_a_checkout_without_a_cluster_run_is_told_the_same(here):
    with pytest.raises(ReproductionError, match="no whole cluster run of mnist"):
        scaling.main("mnist")
    assert not Path("reports").exists()


# What is written.

@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with what `make scaling` writes from a file of times."""
    root = tmp_path_factory.mktemp("scaling")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_json(scaling.MEASURED, asdict(MEASURED))
        patch.setattr(scaling, "EXPERIMENTS", 3)
        patch.setattr(scaling, "SEEDS", 8)
        patch.setattr(scaling, "table", lambda measured: TABLE(measured, 3, 8))
        scaling.main()
        return root


TABLE = scaling.table


def test_the_text_has_the_numbers_of_the_table(written):
    text = (written / scaling.TEXT).read_text()
    rows = scaling.table(MEASURED, 3, 8)
    assert rows[0].seconds == pytest.approx(graph(MEASURED, 3, 8).work)
    for row in rows:
        mark = "**" if row.workers in scaling.NAMED else ""
        times = rows[0].seconds / row.seconds
        assert (f"| {mark}{row.workers:,}{mark} | {duration(row.seconds)} | {times:.1f} | "
                f"{100 * times / row.workers:.0f} % | {duration(row.apart)} |\n") in text
    assert f"stops scaling at about {stops_at(rows)} workers" in " ".join(text.split())
    assert f"faster than {duration(graph(MEASURED, 3, 8).longest)}, the longest chain" in " ".join(text.split())
    assert "3 experiments like\n`mnist` (profile `cpu`) with 8 seeds each" in text
    assert "On paper" in text
    assert "commit 0123456:" in text
    assert "A processor, 2 cores, 24 GiB, no GPU" in text


def test_the_table_is_one_of_markdown_and_shows_the_picture(written):
    lines = (written / scaling.TEXT).read_text().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(scaling.WORKERS)
    assert {line.count("|") for line in rows} == {rows[0].count("|")}
    first = lines.index(rows[0])
    assert lines[first:first + len(rows)] == rows
    assert lines[first - 1] == lines[first + len(rows)] == ""
    assert f"![Time against workers]({scaling.PICTURE.name})" in lines


def test_the_picture_is_a_png_that_is_the_same_each_time(written):
    content = (written / scaling.PICTURE).read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        image.verify()
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        assert image.width > 600
        assert len(image.convert("RGB").getcolors(1 << 20)) > 3
    assert scaling.picture(scaling.table(MEASURED, 3, 8)) == content


def test_times_can_be_taken_from_a_run_and_are_kept(here, monkeypatch, capsys):
    finished_run()
    monkeypatch.setattr(scaling, "table", lambda measured: TABLE(measured, 2, 4))
    monkeypatch.setattr(scaling, "graph", lambda measured, *_, apart=False: graph(measured, 2, 4, apart=apart))
    scaling.main("mnist")
    assert Measured.read() == Measured.of_the_last_run("mnist")
    printed = capsys.readouterr().out
    assert len(re.findall(r"^ *[\d,]+ workers ", printed, re.MULTILINE)) == len(scaling.WORKERS)
    assert "written: reports/cluster/README.md" in printed


def test_a_checkout_without_measured_times_is_told_so(here):
    with pytest.raises(ReproductionError, match=r"measured\.json is missing"):
        scaling.main()
