"""A real Slurm of two nodes: trainings of twenty seeds through every kind of fault, the whole graph, and bad input.

Made and ended here, where Slurm is installed; the whole graph only by `make test-slurm`, for it takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import two_nodes
from clone import WHOLE_GRAPH, Clone, make_clone

if why := two_nodes.missing():
    pytest.skip(why, allow_module_level=True)
pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("one clone"), pytest.mark.timeout(1500)]
SEEDS = 20
TRAINED = {f"{stage}@digits" for stage in ("download", "prepare", "configure", "train", "sample", "bandwidth",
                                           "evaluate")}
COMMAND = ("python", "-m", "pipeline", "reproduce", "--planned", "--cluster", "slurm", "--cpus", "1", "--memory", "1")


@pytest.fixture(scope="module")
def slurm() -> Iterator[two_nodes.Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short, as paths of sockets must be
    try:
        with two_nodes.running(folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on(slurm: two_nodes.Cluster, clone: Clone, tmp_path: Path, name: str) -> Clone:
    """A clone of `clone` by git, with empty caches and a remote, where this Slurm is found."""
    made = Clone(tmp_path / name, {**clone.environment, **slurm.environment, "PATH": f"{clone.environment['PATH']}"
                                   f"{os.pathsep}/usr/sbin", "DVC_SITE_CACHE_DIR": str(tmp_path / f"{name}.site")})
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "as it is")
    clone.run("git", "clone", "--quiet", ".", str(made.root))
    made.run("dvc", "remote", "add", "--local", "--default", "shared", str(tmp_path / f"{name}.remote"))
    return made


def history(root: Path) -> list[dict[str, Any]]:
    path = root / ".cluster/history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[bytes], what: str, seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, f"it ended before {what}"
        assert time.monotonic() < until, f"no {what} in {seconds} s"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which twenty seeds of `digits` have been trained and scored by plain `dvc repro`, and committed."""
    clone = make_clone(tmp_path_factory.mktemp("twenty"))
    path = clone.root / "params.yaml"
    text = path.read_text()
    block = text.index("\n  digits:\n")
    seeds = f"seeds: [{', '.join(map(str, range(1, SEEDS + 1)))}]"
    path.write_text(text[:block] + text[block:].replace("seeds: [1, 2]", seeds, 1))
    clone.change("experiments.digits.profiles.smoke.train.model.recipe.epochs", by=8)
    clone.run("python", "-m", "pipeline", "plan", GAN_PROFILE="smoke", GAN_EXPERIMENTS="digits",
              GAN_LESSONS="none")
    assert clone.repro("evaluate@digits") == TRAINED
    clone.commit("planned and trained")
    return clone


def test_twenty_seeds_through_a_cancelled_a_killed_a_preempted_job_and_a_drained_node(slurm, twenty, tmp_path):
    made = on(slurm, twenty, tmp_path, "cluster")
    tasks = made.root / ".cluster/tasks"
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(COMMAND, cwd=made.root, stdout=said, stderr=subprocess.STDOUT,
                                   env={**made.environment, "GAN_CHECKPOINT_SECONDS": "0"})
        struck: set[str] = set()

        def training() -> Path | None:
            """A seed that is being trained, has a checkpoint, and was not struck before."""
            for started in tasks.glob("*-seed-*/started.json"):
                folder, seed = started.parent, started.parent.name.split("-seed-")[1].split("-")[0]
                kept = list((made.root / "checkpoints/digits").glob(f"seed-{seed}-*.safetensors"))
                if kept and not (folder / "outcome.json").exists() and folder.name not in struck:
                    struck.add(folder.name)
                    return folder
            return None

        def job(folder: Path) -> str:
            return str(json.loads((folder / "job.json").read_text())["number"])

        faults: list[Callable[[Path], object]] = [
            lambda folder: slurm.run("scancel", job(folder)),
            lambda folder: os.kill(json.loads((folder / "started.json").read_text())["pid"], signal.SIGKILL),
            lambda folder: slurm.signal("USR2", job(folder)),
            lambda folder: slurm.run("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=test"),
        ]
        try:
            for strike in faults:
                strike(wait_for(training, process, "training to strike"))
            drained = time.time()
            assert process.wait(1200) == 0, (tmp_path / "said").read_text()[-6000:]
        finally:
            process.kill()
            slurm.run("scontrol", "update", "NodeName=n1", "State=RESUME")
    assert {stage: made.locked(stage) for stage in TRAINED} == {stage: twenty.locked(stage) for stage in TRAINED}
    events = history(made.root)
    done = [event for event in events if event["event"] == "done"]
    counted = Counter((event["stage"], event["seed"]) for event in done)
    assert set(counted.values()) == {1}  # nothing is done twice
    assert {seed for stage, seed in counted if stage == "train@digits" and seed} == set(range(1, SEEDS + 1))
    again = [event["seed"] for event in events if event["event"] == "interrupted"]
    assert len(again) == len(set(again)) == 3  # a node that drains lets its job end
    assert len([event for event in events if event["event"] == "submitted" and event["seed"]]) == SEEDS + 3
    assert len([event for event in done if event["node"] == "n1" and event["time"] > drained]) <= 1
    assert len({event["node"] for event in done if event["executor"] == "slurm"}) == 2


def test_a_node_without_the_environment_is_named(slurm, twenty, tmp_path):
    made = on(slurm, twenty, tmp_path, "cluster")
    with pytest.raises(AssertionError, match=r"its worker never began[\s\S]*environment"):
        made.run(*COMMAND, "--retries", "0", "--python", "/no/such/python")


def test_a_partition_that_there_is_not_is_refused_with_those_that_there_are(slurm, twenty, tmp_path):
    made = on(slurm, twenty, tmp_path, "cluster")
    with pytest.raises(AssertionError, match=rf"no partition 'gpu'[\s\S]*expected: {two_nodes.PARTITION}"):
        made.run(*COMMAND, "--partition", "gpu")
    with pytest.raises(AssertionError, match=r"Slurm does not take the job[\s\S]*found: .*"):
        made.run(*COMMAND, "--sbatch", "nodelist=n7")


def test_a_full_shared_disk_is_told_and_what_was_done_is_kept(slurm, twenty, tmp_path):
    """The remote is a file system of 200 KiB."""
    made = on(slurm, twenty, tmp_path, "cluster")
    place = tmp_path / "cluster.remote"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(AssertionError, match=r"No space left on device|failed to (push|upload)"):
            made.run(*COMMAND, "--retries", "0")
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert made.locked("configure@digits") == twenty.locked("configure@digits")


@pytest.mark.skipif(os.environ.get("GAN_TEST_SLURM") != "all", reason="takes minutes: make test-slurm")
def test_the_whole_graph_gives_the_bytes_of_one_machine(slurm, clone, tmp_path):
    made = on(slurm, clone, tmp_path, "cluster")
    said = made.run(*COMMAND)
    by_workers = WHOLE_GRAPH - {"collect", "report"}
    assert {stage: made.locked(stage) for stage in by_workers} == {stage: clone.locked(stage) for stage in by_workers}
    assert made.locked("collect") == clone.locked("collect")
    assert "Running stage 'train" not in said.partition("workers  ")[2]
    done = Counter((event["stage"], event["seed"]) for event in history(made.root) if event["event"] == "done")
    assert set(done.values()) == {1}
