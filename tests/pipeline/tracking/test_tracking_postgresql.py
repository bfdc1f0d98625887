"""pipeline.tracking.runs against a real `mlflow server` on a real PostgreSQL, both started for these tests alone."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime import run_log
from pipeline.stages import figures
from pipeline.tracking import runs, store
from pipeline.tracking.heading import EXPERIMENT

store.prepare_environment()  # MLflow reads some of it when it is imported
import mlflow  # noqa: E402

INPUTS = "5e" * 32


def program(name: str) -> Path | None:
    """A program of PostgreSQL: on the PATH, or where Debian keeps its newest version."""
    found = shutil.which(name)
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return debian[-1] if debian else Path(found) if found else None


pytest.importorskip("psycopg2", reason="psycopg2 is not installed: make setup")
if program("initdb") is None or program("postgres") is None:
    pytest.skip("PostgreSQL is not installed; on Debian and Ubuntu: apt install postgresql", allow_module_level=True)


def owner() -> dict[str, Any]:
    """PostgreSQL does not run as root: then as nobody."""
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of an empty database, reached by a socket in a folder: no port of the machine is used."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short, as paths of sockets must be
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    if owner():
        os.chown(folder, owner()["user"], owner()["group"])
    process = None
    try:
        subprocess.run([str(program("initdb")), "--pgdata", str(folder / "data"), "--username", "gan",
                        "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
                       check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, **owner())
        process = subprocess.Popen(
            [str(program("postgres")), "-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses=",
             "-c", "fsync=off"], cwd=folder, env=environment, stderr=subprocess.DEVNULL, **owner())
        wait_for(lambda: (folder / ".s.PGSQL.5432").exists(), process)
        yield f"postgresql+psycopg2://gan@/postgres?host={folder}"
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's server on that database."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", database, "--artifacts-destination", (folder / "artifacts").as_uri()],
            cwd=folder, env=environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, stdout=log, stderr=log,
            start_new_session=True)
    try:
        wait_for(lambda: answers(port), process)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def wait_for(ready: Any, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < until, "it does not start"
        time.sleep(0.05)


@pytest.fixture
def client(server: str, own_settings: None, monkeypatch: pytest.MonkeyPatch) -> mlflow.MlflowClient:
    for name in ("GAN_TRACKING", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    monkeypatch.setattr(store, "given_up", set())
    return mlflow.MlflowClient(tracking_uri=server)


def seed_runs(client: mlflow.MlflowClient, experiment: str) -> dict[str, Any]:
    """Those of an experiment of the pipeline, by name."""
    heading = client.get_experiment_by_name(EXPERIMENT)
    assert heading is not None
    found = client.search_runs([heading.experiment_id])
    named = {run.info.run_name: run for run in found if run.data.tags["gan.experiment"] == experiment}
    assert len(named) == sum(run.data.tags["gan.experiment"] == experiment for run in found)
    return named


def test_a_whole_experiment(client, server, digits, monkeypatch, capsys):
    digits.train("digits")
    digits.score("digits")
    figures.main("digits")
    assert "MLflow:" not in capsys.readouterr().err
    found = seed_runs(client, "digits")
    assert set(found) == {"digits · smoke", "seed 1 · digits · smoke", "seed 2 · digits · smoke"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    parent, run = found["digits · smoke"], found["seed 2 · digits · smoke"]
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    curve = client.get_metric_history(run.info.run_id, "generator_loss")
    assert [point.step for point in curve] == [1, 2, 3, 4, 5]
    images = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    assert sum(path.endswith(".png") for path in images) == 8
    assert run.inputs.dataset_inputs[0].dataset.name == "digits"
    assert "figures/samples-ema.png" in {file.path for file in client.list_artifacts(parent.info.run_id, "figures")}
    mlflow.set_tracking_uri(server)
    model = mlflow.pyfunc.load_model("models:/digits-generator@best")
    assert model.predict(16).shape == (16, 1, 8, 8)
    kept = run_log.read("runs")["digits-seed-2"]
    assert kept["url"] == f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}?{store.MODE}"


def test_a_run_that_was_killed_goes_on_and_one_that_is_finished_is_added_to(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def training() -> None:
        with runs.start("killed", 1, INPUTS, parameters={"a": 1}) as tracker:
            for epoch in range(10):
                tracker.metrics({"loss": epoch}, step=epoch)
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        training()
    left = seed_runs(client, "killed")
    assert {run.info.status for run in left.values()} == {"KILLED"}
    with runs.start("killed", 1, INPUTS, parameters={"a": 1, "b": 2}) as tracker:
        for epoch in range(8, 15):  # from a checkpoint
            tracker.metrics({"loss": epoch}, step=epoch)
    with runs.resume("killed", 1, INPUTS) as tracker:
        tracker.metrics({"test_log_likelihood": 225.0}, step=0)
    found = seed_runs(client, "killed")
    assert {name: run.info.run_id for name, run in found.items()} == {
        name: run.info.run_id for name, run in left.items()}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    run = found["seed 1 · killed"]
    loss = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in loss] == [(epoch, epoch) for epoch in range(15)]
    assert run.data.metrics["test_log_likelihood"] == 225.0
    assert found["killed"].data.params == {"a": "1", "b": "2"}


@pytest.mark.parametrize("name", ["it's", 'a "b" `c`', "naïve ζ 生成", "a@b:c#d?e%f", "nul\0", "half \ud800", "🎲",
                                  "; DROP TABLE runs; --"], ids=range(8))
def test_hostile_names(client, name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with runs.resume(name, 1, INPUTS + name, profile=name, parameters={name: {name: name}}, tags={name: name},
                             dataset={"name": name, "digest": name}) as tracker:
            tracker.metrics({name: 1.0}, step=0)
            tracker.text(name, name)
    assert capsys.readouterr().err == ""


def test_the_database_itself_as_the_store(client, database, server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.replace("gan@", f"gan:{getpass.getuser()}-secret@"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "without a server")
    with runs.start("direct", 1, INPUTS, parameters={"a": 1}) as tracker:
        tracker.metrics({"loss": 0.5}, step=1)
        tracker.text("note.txt", "a note")
    assert capsys.readouterr().err == ""
    heading = client.get_experiment_by_name("without a server")
    assert heading is not None
    assert {run.info.status for run in client.search_runs([heading.experiment_id])} == {"FINISHED"}
    kept = run_log.read("runs")["direct-seed-1"]
    assert "secret" not in str(kept)
    assert len(list((tmp_path / "mlartifacts").glob("*/artifacts/note.txt"))) == 1
