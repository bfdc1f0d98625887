"""MLflow's pages on this checkout's runs, in a browser on this machine: `python -m pipeline ui [port]`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import IO, Any

import psutil

from gan.errors import ReproductionError
from pipeline.tracking import heading, schema
from pipeline.tracking import store as stores

PATIENCE = 300.0
"""Seconds that the server may take to answer: on two busy cores it has taken 40"""
SECONDS_TO_END = 10.0
LINES_SHOWN = 15
"""of what a server said that did not start"""


def main(port: int = stores.PORT_OF_THE_UI) -> None:
    """Serve the pages on 127.0.0.1 until Ctrl-C, and print their address when they are there. ReproductionError if that
    cannot be."""
    store = stores.store_uri()
    if stores.is_server(store):
        print(f"runs are logged to a server: open {stores.without_password(store)}/#/?{stores.MODE} in a browser")
        return
    _require_free(port)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # a server may speak
    stores.prepare_environment()
    experiment = _experiment(store)
    print(f"MLflow's server starts, which takes up to a minute; it shows {stores.shown(store)}", flush=True)
    with tempfile.TemporaryFile() as said:
        server = _start(store, port, said)
        try:
            _wait_for(server, port, said)
            print("\n".join(addresses(f"http://127.0.0.1:{port}", experiment)), flush=True)
            status = server.wait()
        except KeyboardInterrupt:  # it has reached the server too, from a terminal
            return
        finally:
            _end(server)
        if status:
            raise ReproductionError("MLflow's server has ended by itself", expected="it to serve until Ctrl-C",
                                    found=_last(said) or f"exit status {status}", remedy="start it again")


def addresses(server: str, experiment: Any) -> list[str]:
    """What to open: the runs with their scores, and the registered generators."""
    if experiment is None:
        return [f"MLflow: {server}/#/experiments?{stores.MODE} answers; nothing has been logged yet; Ctrl-C ends it"]
    runs = f"{server}/#/experiments/{experiment.experiment_id}/runs?viewStateShareKey={heading.VIEW}&{stores.MODE}"
    return [f"MLflow answers, Ctrl-C ends it:  {runs}",
            f"registered generators:           {server}/#/models?{stores.MODE}"]


def _experiment(store: str) -> Any:
    """The one that runs are under, with what our links need; None if nothing has been logged."""
    try:
        client = stores.connect(store)
        experiment = heading.find(client)
        if experiment is not None:
            heading.find_or_create(client, None, lambda function, *words: function(*words))  # its view of scores
        return experiment
    except schema.OtherVersion:
        raise
    except Exception as error:
        raise ReproductionError(f"MLflow cannot open {stores.without_password(store)}",
                                expected="a database it can use", found=stores.reason(error),
                                remedy="move the file elsewhere and keep it, or name another store: "
                                       f"{schema.OTHER_STORE}; runs are logs, no result needs them") from error


def _start(store: str, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    words = ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", store,
             "--default-artifact-root", str(stores.artifact_location()), "--workers", "1",
             "--uvicorn-opts", "--log-level warning"]
    # Nothing here needs its helper processes.
    return subprocess.Popen([sys.executable, "-m", "mlflow", "server", *words], stdout=said, stderr=said,
                            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})


def _wait_for(server: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    """ReproductionError if the server ends, or does not answer for too long."""
    until = time.monotonic() + PATIENCE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        if (status := server.poll()) is not None or time.monotonic() > until:
            raise ReproductionError("MLflow's server does not start", expected="an answer on 127.0.0.1",
                                    found=_last(said) or (f"exit status {status}" if status is not None else "none"),
                                    remedy="mend what it says, or take another port: make ui PORT=…")
        with contextlib.suppress(OSError), direct.open(f"http://127.0.0.1:{port}/health", timeout=5):
            return
        time.sleep(0.2)


def _end(server: subprocess.Popen[bytes]) -> None:
    """It and the processes that do its work."""
    all_of_it: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        here = psutil.Process(server.pid)
        all_of_it = [*here.children(recursive=True), here]
    for each in all_of_it:
        with contextlib.suppress(psutil.Error):
            each.terminate()
    _, left = psutil.wait_procs(all_of_it, timeout=SECONDS_TO_END)
    for each in left:
        with contextlib.suppress(psutil.Error):
            each.kill()
    server.wait()


def _last(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return "".join(f"\n    {line}" for line in lines[-LINES_SHOWN:])


def _require_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise ReproductionError(
                f"port {port} is in use", expected="a free port on 127.0.0.1",
                found=f"a program that listens there, perhaps this same UI: http://127.0.0.1:{port}",
                remedy=f"stop it, or take another port: make ui PORT={port + 1}") from error
