#!/usr/bin/env bash
# MLflow: a step that is a NumPy integer is stored as eight bytes, and is the last of its metric.
#
# Guess: log_metric turns value and step into Python numbers. A NumPy float as the value works, so a NumPy integer as
#   the step, from np.arange over the epochs, works as well, or is refused as "4" is.
# Versions: mlflow 3.17.2, sqlalchemy 2.1.9, numpy 2.4.6, SQLite.
# Seen: the first call succeeds. SQLite has no adapter for the type and keeps its buffer as a BLOB in the integer
#   column, where it reads back as bytes. The next call compares its step with those bytes and raises, for a NumPy step
#   an error about ufuncs. The run takes no further value of that metric, not even at a step that is a plain int.
# Output seen:
#   step read back: b'\x01\x00\x00\x00\x00\x00\x00\x00'
#   SQLite's type:  blob
#   then np.int64:  ufunc 'greater' did not contain a loop with signature matching types ...
#   then int:       '>' not supported between instances of 'int' and 'bytes'
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check mlflow==3.17.2 sqlalchemy==2.1.9 numpy==2.4.6

export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="sqlite:///$work/mlflow.db"

cat > steps.py <<'EOF'
import contextlib
import sqlite3
import sys

import mlflow
import numpy as np

mlflow.set_experiment("steps")
client = mlflow.MlflowClient()
first, second = np.arange(1, 3)
with mlflow.start_run() as run:
    mlflow.log_metric("loss", np.float32(0.5), step=first)
    raised = []
    for step in (second, int(second)):
        try:
            mlflow.log_metric("loss", np.float32(0.25), step=step)
            raised.append("no error")
        except mlflow.MlflowException as error:
            raised.append(str(error).splitlines()[0])
(step,) = [metric.step for metric in client.get_metric_history(run.info.run_id, "loss")]
with contextlib.closing(sqlite3.connect("mlflow.db")) as database:
    (kind,) = database.execute("SELECT typeof(step) FROM metrics WHERE key = 'loss'").fetchone()
print(f"step read back: {step!r}")
print(f"SQLite's type:  {kind}")
print(f"then np.int64:  {raised[0]}")
print(f"then int:       {raised[1]}")
if step != first.tobytes() or kind != "blob" or "ufunc" not in raised[0] or "bytes" not in raised[1]:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python steps.py 2> log || { cat log >&2; exit 1; }
