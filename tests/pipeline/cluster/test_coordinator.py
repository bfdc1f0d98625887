"""What is submitted when, and what becomes of jobs that end badly, by an executor that follows a script."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console
from small_graph import Scripted, run_worker

from gan.errors import ReproductionError
from pipeline.cluster import FOLDER
from pipeline.cluster.coordinator import HISTORY, Coordinator, Options, Work, progress, settings_of
from pipeline.cluster.executors import JobState, Local, NoAnswer
from pipeline.cluster.graph import Graph
from pipeline.cluster.task import Outcome
from pipeline.cluster.times import Times
from pipeline.cluster.watch import Watch

pytestmark = pytest.mark.usefixtures("at_once")


class Run:
    """A coordinator over the repository in the current folder, and what it said."""

    def __init__(self, executor, retries=3, roots=(Path(),), soon=(), follower=None):
        self.said = io.StringIO()
        (Path(FOLDER)).mkdir(exist_ok=True)
        self.works = []
        for i, root in enumerate(roots):
            graph = Graph(root.absolute(), remote=False)
            self.works.append(Work(graph, f"point-{i}" if len(roots) > 1 else "", graph.repo.scm.get_rev(),
                                   settings_of(root), {}, Path("checkpoints").absolute(),
                                   set(graph) - graph.here, soon))
        self.coordinator = Coordinator(
            self.works, executor, Local(FOLDER.absolute() / "submitit", 1, name="here"),
            Options("cache", retries, 1, str(Path.cwd().parent / "scratch")), Times({}),
            Watch(Console(file=self.said, width=200)), follower=follower)

    def go(self):
        self.coordinator.run()
        return self

    @property
    def status(self):
        return {name: status for name, status in self.works[0].status.items() if status != "here"}


def events():
    return [json.loads(line) for line in (FOLDER / HISTORY).read_text().splitlines()]


def test_waves_follow_the_graph_and_dvc_repro_then_runs_only_what_no_worker_can(repository, tmp_path):
    executor = Scripted()
    run = Run(executor).go()
    assert run.status == dict.fromkeys(("one", "side", "two"), "done")
    assert [sorted(wave) for wave in executor.waves] == [["one", "side"], ["two"]]
    run.works[0].graph.enter(run.works[0].names("done"))
    assert "Running stage 'gathered'" in (said := repository.dvc("repro"))
    assert said.count("Running stage") == 1
    plain = repository.clone(tmp_path / "plain")
    plain.dvc("repro")
    assert (repository.root / "dvc.lock").read_bytes() == (plain.root / "dvc.lock").read_bytes()
    assert json.loads((repository.root / ".run_log/side.json").read_text()) == {"name": "side"}


def test_what_another_machine_made_of_the_same_is_replaced_and_not_run_again_here(repository):
    """dvc.lock has other outputs for the same dependencies, and their data is not to be had."""
    repository.write("side.sh", "echo $RANDOM_BY_MACHINE > side.txt\n")
    repository.commit()
    repository.run("env", "RANDOM_BY_MACHINE=theirs", sys.executable, "-m", "dvc", "repro")
    repository.run("rm", "-r", ".dvc/cache", "one.txt", "two.txt", "side.txt")
    executor = Scripted()
    run = Run(executor).go()
    assert run.status == dict.fromkeys(("one", "side", "two"), "done")
    assert sorted(executor.given) == ["one", "side", "two"]
    again = Scripted()
    assert Run(again).go().status == dict.fromkeys(("one", "side", "two"), "done")  # dvc.lock is still theirs
    assert again.given == []
    run.works[0].graph.enter(run.works[0].names("done"))
    ran = [line.split("'")[1] for line in repository.dvc("repro").splitlines() if line.startswith("Running stage")]
    assert ran == ["gathered"]


def test_what_is_up_to_date_is_not_submitted(reproduced):
    reproduced.write("side.sh", "echo other > side.txt\n")
    reproduced.commit()
    executor = Scripted()
    Run(executor).go()
    assert executor.given == ["side"]


def test_a_stage_whose_inputs_came_out_as_they_were_is_not_submitted(reproduced):
    reproduced.write("dvc.yaml", (reproduced.root / "dvc.yaml").read_text().replace("cp input.txt one.txt",
                                                                                  "cat input.txt > one.txt"))
    reproduced.commit()
    executor = Scripted()
    assert Run(executor).go().status == dict.fromkeys(("one", "side", "two"), "done")
    assert executor.given == ["one"]


@pytest.mark.parametrize("end", ["lose", "interrupt"])
def test_a_job_that_is_killed_is_started_again_and_nothing_is_done_twice(repository, end):
    executor = Scripted({"one": [end, end]})
    run = Run(executor).go()
    assert run.status == dict.fromkeys(("one", "side", "two"), "done")
    assert executor.given.count("one") == 3
    assert [event["attempt"] for event in events() if event["stage"] == "one" and event["event"] == "done"] == [3]
    assert run.coordinator.restarted == 2


def test_after_so_many_times_it_is_given_up_and_what_does_not_need_it_goes_on(repository):
    executor = Scripted({"one": ["lose"] * 9})
    run = Run(executor, retries=2).go()
    assert run.status == {"one": "failed", "two": "left out", "side": "done"}
    assert executor.given.count("one") == 3
    assert "NODE_FAIL" in run.works[0].errors["one"]
    assert "its worker never began" in run.works[0].errors["one"]


def test_a_stage_that_fails_by_itself_is_not_tried_again_and_its_log_is_shown(repository):
    repository.write("side.sh", "echo no such luck; exit 3\n")
    repository.commit()
    executor = Scripted()
    run = Run(executor).go()
    assert run.status == {"one": "done", "two": "done", "side": "failed"}
    assert executor.given.count("side") == 1
    assert "exit status 3" in run.said.getvalue()
    assert "no such luck" in run.said.getvalue()


def test_a_coordinator_that_was_killed_finds_its_jobs_again(repository, monkeypatch):
    executor = Scripted({"one": ["hang"]})
    first = Run(executor)

    def killed():
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(first.coordinator, "_look", killed)
        with pytest.raises(KeyboardInterrupt):
            first.go()
    assert "1 job of the cluster go on" in first.said.getvalue().replace("2 jobs", "1 job")
    assert executor.cancelled == []

    second = Run(executor)
    look = second.coordinator._look

    def ends_meanwhile():
        for name in list(executor.hanging):
            executor.hanging.remove(name)
            run_worker(FOLDER.absolute() / "tasks" / name)
        return look()
    monkeypatch.setattr(second.coordinator, "_look", ends_meanwhile)
    second.go()
    assert second.status == dict.fromkeys(("one", "side", "two"), "done")
    assert sorted(executor.given) == ["one", "side", "two"]
    assert "of an earlier run" in second.said.getvalue()


def test_an_edit_while_jobs_run_is_refused_and_what_they_did_is_found_afterwards(repository):
    class Editing(Scripted):
        def submit(self, folders, slots):
            numbers = super().submit(folders, slots)
            repository.write("params.yaml", "a: 2\n")
            return numbers
    executor = Editing()
    with pytest.raises(ReproductionError, match=r"edited while its stages ran[\s\S]*take the edit back"):
        Run(executor).go()
    repository.write("params.yaml", "a: 1\n")
    after = Scripted()
    assert Run(after).go().status == dict.fromkeys(("one", "side", "two"), "done")
    assert after.given == ["two"]


def test_work_that_two_graphs_have_in_common_is_done_once(repository, tmp_path):
    roots = []
    for name in ("first", "second"):
        clone = repository.clone(tmp_path / name)
        clone.dvc("cache", "dir", "--local", str(repository.root / ".dvc/cache"))
        if name == "second":
            clone.write("side.sh", "echo other > side.txt\n")
            clone.commit()
        roots.append(clone.root)
    executor = Scripted()
    run = Run(executor, roots=roots).go()
    assert all(set(work.names("done")) == {"one", "two", "side"} for work in run.works)
    assert sorted(executor.given) == ["one", "side", "side", "two"]


def test_slots_are_filled_by_what_the_rest_waits_for(repository):
    executor = Scripted(slots=1)
    Run(executor).go()
    assert executor.waves[0] == ["one"]
    assert all(len(wave) == 1 for wave in executor.waves)


def test_what_is_wanted_soon_goes_first_however_short(repository):
    executor = Scripted(slots=1)
    Run(executor, soon={"side"}).go()
    assert executor.given == ["side", "one", "two"]


class Told:
    """A follower, and what it was told."""

    def __init__(self):
        self.stages = []

    def done(self, stage, now):
        self.stages.append((stage, now))
        return f"there is {stage}" if now else ""


def test_who_follows_is_told_of_each_stage_once_its_outputs_are_here(repository):
    class Looking(Told):
        def done(self, stage, now):
            assert Path(f"{stage}.txt").exists()
            return super().done(stage, now)

    looking = Looking()
    run = Run(Scripted(), follower=looking).go()
    assert sorted(looking.stages) == [("one", True), ("side", True), ("two", True)]
    assert run.said.getvalue().count("there is ") == 3
    again = Told()
    Run(Scripted(), follower=again).go()
    assert sorted(again.stages) == [("one", False), ("side", False), ("two", False)]


def test_an_edit_of_words_stops_nothing_and_one_of_code_is_named(repository):
    class Editing(Scripted):
        def submit(self, folders, slots):
            numbers = super().submit(folders, slots)
            repository.write(edited, "other\n")
            return numbers

    (repository.root / "gan").mkdir()
    for name in ("README.md", "gan/code.py"):
        repository.write(name, "first\n")
    repository.commit()
    edited = "README.md"
    assert Run(Editing()).go().status == dict.fromkeys(("one", "side", "two"), "done")
    repository.run("rm", "-r", ".dvc/cache/runs", "one.txt", "two.txt", "side.txt")
    edited = "gan/code.py"
    with pytest.raises(ReproductionError, match=r"edited while its stages ran[\s\S]*found: other gan/code.py"):
        Run(Editing()).go()


def test_a_cluster_that_does_not_answer_for_a_while_is_asked_again(repository):
    class Silent(Scripted):
        asked = 0

        def states(self, jobs):
            self.asked += 1
            if self.asked < 4:
                raise NoAnswer("Slurm does not answer `squeue`")
            self.hanging.clear()
            return {job: JobState("ended", "n1", "FAILED") for job in jobs}
    executor = Silent({"side": ["hang"]})
    run = Run(executor).go()
    assert run.status == dict.fromkeys(("one", "side", "two"), "done")
    assert run.said.getvalue().count("does not answer") == 1


def test_a_result_of_other_inputs_is_not_taken(repository, monkeypatch):
    class Elsewhere(Scripted):
        def submit(self, folders, slots):
            for folder in folders:
                Outcome("done", "n1", 1.0).write(folder)
            self.given += [folder.name for folder in folders]
            return [folder.name for folder in folders]
    run = Run(Elsewhere()).go()
    assert run.status == {"one": "failed", "two": "left out", "side": "failed"}
    assert "not what this checkout asks for" in run.works[0].errors["one"]


def test_progress_is_the_newest_line_that_says_how_far():
    assert progress(["mnist, seed 1: 3/40 epochs (8 %), 6 s/epoch, 3 min left | best 1", "> python -m x"]) == (
        "3/40 epochs (8 %), 6 s/epoch, 3 min left")
    assert progress(["a", "b"]) == ""
