"""MLflow's pages on this checkout's runs, in a browser on this machine: `python -m pipeline ui [port]`."""

from __future__ import annotations

import os
import socket
import sys

from gan.errors import ReproductionError
from pipeline.tracking import store as stores
from pipeline.tracking.runs import heading


def main(port: int = stores.PORT_OF_THE_UI) -> None:
    """Replace this process by MLflow's server on 127.0.0.1; ReproductionError if that cannot be."""
    store = stores.store_uri()
    if stores.is_server(store):
        print(f"runs are logged to a server: open {stores.without_password(store)} in a browser")
        return
    _require_free(port)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # a server may speak
    stores.prepare_environment()
    try:
        experiment = stores.connect(store).get_experiment_by_name(heading())
    except Exception as error:
        raise ReproductionError(f"MLflow cannot open {stores.without_password(store)}",
                                expected="a database it can use", found=stores.reason(error),
                                remedy="mend or remove it; it holds logs, no results") from error
    # MLflow itself opens on pages about language models.
    place = f"experiments/{experiment.experiment_id}/runs" if experiment is not None else "experiments"
    print(f"MLflow: http://127.0.0.1:{port}/#/{place} shows {stores.without_password(store)}; Ctrl-C ends it",
          flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # nothing here needs its helper processes
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
                              "--backend-store-uri", store,
                              "--default-artifact-root", str(stores.artifact_location()),
                              "--workers", "1", "--uvicorn-opts", "--log-level warning"])


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
