"""pipeline.commands.who: who works in a checkout, said by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.commands import who
from pipeline.runtime import dvc_adapter, process_lock
from pipeline.runtime.process_lock import CLUSTER

ROOT = Path(__file__).parents[3]
GRAPH = """
stages:
  train:
    foreach: [mnist]
    do:
      cmd: python -u -c "import pathlib, time; pathlib.Path('begun').touch(); time.sleep(120)"
      outs: [models]
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))} | {
        "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
        "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return tmp_path, environment


def test_a_checkout_in_which_nothing_runs_is_free(checkout, capsys):
    who.free()
    assert capsys.readouterr().out == ""
    who.main()
    assert capsys.readouterr().out == "no dvc and no cluster run works in this checkout\n"


def test_a_cluster_run_is_told_and_nothing_is_free_beside_it(checkout, capsys):
    with process_lock.holding(CLUSTER, "a cluster run"):
        who.main()
        assert capsys.readouterr().out.startswith(f"a cluster run: process {os.getpid()} (")
        with pytest.raises(ReproductionError, match="a cluster run works in this checkout") as raised:
            who.free()
        assert f"process {os.getpid()} (" in str(raised.value)
    who.free()


def test_a_cluster_run_that_was_killed_holds_nothing(checkout, capsys):
    CLUSTER.parent.mkdir()
    CLUSTER.with_name(f"{CLUSTER.name}.json").write_text(
        json.dumps({"pid": os.getpid(), "command": "python -m pipeline"}))
    who.free()
    who.main()
    assert capsys.readouterr().out == "no dvc and no cluster run works in this checkout\n"


def test_a_second_run_is_told_of_the_first_its_stage_and_since_when(checkout):
    folder, environment = checkout
    subprocess.run(["dvc", "init", "--quiet", "--no-scm"], env=environment, check=True, timeout=60)
    (folder / "dvc.yaml").write_text(GRAPH)
    first = subprocess.Popen(["dvc", "repro"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while not (folder / "begun").exists():
            assert first.poll() is None
        with pytest.raises(ReproductionError) as raised:
            who.free()
        second = subprocess.run(["dvc", "repro"], env=environment, text=True, capture_output=True, timeout=60)
    finally:
        os.killpg(first.pid, 9)
        first.wait()
    message = str(raised.value)
    assert message.startswith("another dvc works in this checkout\n")
    assert f"process {first.pid} (dvc repro), for " in message
    assert "; stage train@mnist, for " in message
    assert f"`kill -- -{first.pid}`" in message  # a group of its own
    assert second.returncode != 0  # which is what CONTRIBUTING.md says of dvc itself
    assert f"(PID {first.pid})" in second.stderr
    who.free()


def held_by(pid: int, command: str = "/opt/bin/dvc repro") -> None:
    who.FOLDER.mkdir(parents=True)
    entry = {"pid": pid, "cmd": command}
    (who.FOLDER / "rwlock").write_text(json.dumps({
        "write": {str(Path("artifacts/mnist/models").absolute()): entry}, "read": {"gan": [entry]}}))


def test_a_number_that_another_process_has_by_now_is_told_from_a_run(checkout):
    held_by(os.getpid())
    with pytest.raises(ReproductionError, match="names a process that has ended") as raised:
        who.free()
    assert f"process {os.getpid()} (dvc repro)" in str(raised.value)
    assert "delete .dvc/tmp/rwlock" in str(raised.value)


def test_a_run_whose_stage_cannot_be_asked_is_told_by_what_it_writes(checkout):
    held_by(os.getpid())
    (holder,) = who.holders()
    assert str(holder).endswith("; writes artifacts/mnist/models")


def test_a_process_that_has_ended_holds_nothing(checkout):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    held_by(ended.pid)
    who.free()


def test_a_process_that_has_ended_and_that_nobody_has_asked_after_holds_nothing(checkout, capsys):
    """Killed with its parent in a container whose first process asks late, or never."""
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    held_by(zombie.pid)
    assert who.holders() == []
    who.free()
    assert capsys.readouterr().out == ".dvc/tmp/rwlock named a dvc that was killed, and is deleted\n"
    assert not (who.FOLDER / "rwlock").exists()
    zombie.wait()


@pytest.mark.parametrize("content", ["", "[]", '{"write": {"a": 1}}', "\0"])
def test_a_lock_that_names_nobody_holds_nothing(checkout, content):
    who.FOLDER.mkdir(parents=True)
    (who.FOLDER / "rwlock").write_text(content)
    assert who.holders() == []


@pytest.mark.parametrize("content", ["", '{"write": {"artifacts/mnist'])
def test_a_torn_list_of_holders_is_deleted(finished, capsys, content):
    folder, run = finished
    (folder / "wanted").write_text("thrice")
    (folder / ".dvc/tmp/rwlock").write_text(content)
    with pytest.raises(subprocess.CalledProcessError):
        run("dvc", "repro")
    who.free()
    assert ".dvc/tmp/rwlock was half written when a dvc was killed, and is deleted" in capsys.readouterr().out
    run("dvc", "repro")
    assert (folder / "counted").read_text() == "thrice"


def test_the_lock_on_the_graph_is_waited_for_then_told(checkout):
    _, environment = checkout
    who.FOLDER.mkdir(parents=True)
    held = "import time, zc.lockfile as z; l = z.LockFile('.dvc/tmp/lock'); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", held], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ReproductionError, match=f"process {holder.pid} "):
            who.require_none(who.holders(patience=0.2))
    finally:
        holder.kill()
        holder.communicate()
    assert who.holders() == []


COUNTED = """
stages:
  count:
    cmd: echo run >> ran && cp wanted counted
    deps: [wanted]
    outs: [counted]
"""


@pytest.fixture
def finished(checkout):
    """A checkout whose dvc.lock is committed, and newer by one run than the commit."""
    folder, environment = checkout

    def run(*command):
        return subprocess.run(command, env=environment, check=True, text=True, capture_output=True, timeout=60).stdout

    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    (folder / "dvc.yaml").write_text(COUNTED)
    for wanted in ("once", "twice"):
        (folder / "wanted").write_text(wanted)
        run("dvc", "repro")
        if wanted == "once":
            run("git", "add", "dvc.lock")
            run("git", "-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", "once")
    assert (folder / "ran").read_text() == "run\nrun\n"
    return folder, run


@pytest.mark.parametrize("share", [0, 0.3])
def test_a_torn_dvc_lock_becomes_the_last_commits_and_no_stage_runs_again(finished, capsys, share):
    folder, run = finished
    whole = (folder / "dvc.lock").read_bytes()
    torn = whole[:int(share * len(whole))]
    (folder / "dvc.lock").write_bytes(torn)
    with pytest.raises(subprocess.CalledProcessError):
        run("dvc", "repro")  # which is what CONTRIBUTING.md says of dvc itself
    who.free()
    assert "dvc.lock was half written when a dvc was killed: it is the last commit" in capsys.readouterr().out
    assert (folder / ".dvc/tmp/dvc.lock.torn").read_bytes() == torn
    assert (folder / "dvc.lock").read_text() == run("git", "show", "HEAD:dvc.lock")
    run("dvc", "repro")
    assert (folder / "ran").read_text() == "run\nrun\n"
    assert (folder / "dvc.lock").read_bytes() == whole
    assert (folder / "counted").read_text() == "twice"


def test_a_dvc_lock_that_can_be_read_though_its_end_is_missing_needs_no_mending(finished, capsys):
    folder, run = finished
    whole = (folder / "dvc.lock").read_bytes()
    (folder / "dvc.lock").write_bytes(whole[:int(0.6 * len(whole))])
    who.free()
    assert capsys.readouterr().out == ""
    run("dvc", "repro")
    assert (folder / "ran").read_text() == "run\nrun\n"
    assert (folder / "dvc.lock").read_bytes() == whole


def test_a_torn_dvc_lock_that_no_commit_has_is_deleted(finished, capsys):
    folder, run = finished
    run("git", "rm", "--quiet", "--cached", "dvc.lock")
    run("git", "-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", "none")
    whole = (folder / "dvc.lock").read_bytes()
    (folder / "dvc.lock").write_bytes(whole[:30])
    who.free()
    assert "it is deleted" in capsys.readouterr().out
    run("dvc", "repro")
    assert (folder / "dvc.lock").read_bytes() == whole
    assert (folder / "ran").read_text() == "run\nrun\n"


@pytest.mark.parametrize("content", [None, "<<<<<<< HEAD\nschema: '1.0'\n=======\nschema: '2.0'\n>>>>>>> other\n"])
def test_a_whole_dvc_lock_and_an_unfinished_merge_are_left_alone(finished, capsys, content):
    folder, _ = finished
    if content is not None:
        (folder / "dvc.lock").write_text(content)
    before = (folder / "dvc.lock").read_bytes()
    who.free()
    assert (folder / "dvc.lock").read_bytes() == before
    assert capsys.readouterr().out == ""


def lock_of(stages: int) -> bytes:
    """A dvc.lock as DVC writes it."""
    entries = "".join(f"""  train@mnist_{number}:
    cmd: python -m pipeline.stages.train mnist_{number}
    deps:
    - path: artifacts/configuration/mnist_{number}/train.json
      hash: md5
      md5: {number:032x}
      size: 1234
    - path: data/prepared/mnist.safetensors
      hash: md5
      md5: {number + 1:032x}
      size: 54880424
    outs:
    - path: artifacts/mnist_{number}/models
      hash: md5
      md5: {number + 2:032x}.dir
      size: 2345678
      nfiles: 3
    - path: artifacts/mnist_{number}/training.json
      hash: md5
      md5: {number + 3:032x}
      size: 3456
""" for number in range(stages))
    return f"schema: '2.0'\nstages:\n{entries}".encode()


def test_a_lock_whose_end_is_whole_is_told_without_asking_dvc(monkeypatch):
    whole = lock_of(stages=9)
    asked = []
    monkeypatch.setattr(dvc_adapter, "is_lock", lambda content: asked.append(len(content)) or False)
    assert who.is_whole(whole)
    assert asked == []
    for length in (0, 30, len(whole) // 2, len(whole) - 1):
        assert not who.is_whole(whole[:length]) or whole[:length].endswith(b"\n")
    assert asked
