#!/usr/bin/env bash
# MLflow: `mlflow gc --logged-model-ids` with one model's id removes every deleted run and experiment as well.
#
# Guess: an option that names ids limits what is removed to them, as `--run-ids` limits the runs. A run that was deleted a
#   moment ago, by mistake perhaps, can still be restored after somebody has freed one model.
# Versions: mlflow 3.17.2, sqlalchemy 2.1.9, numpy 2.4.6, SQLite.
# Seen: each kind has its own list of ids, and a list that is not given means all that is deleted. Besides the model, the
#   run and the experiment are gone for good, with their files. Exit code 0.
# Output seen:
#   before: run deleted, experiment deleted
#   after:  run gone, experiment gone
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check mlflow==3.17.2 sqlalchemy==2.1.9 numpy==2.4.6

export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="sqlite:///$work/mlflow.db"

cat > gc.py <<'EOF2'
import subprocess
import sys

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()
kept = client.create_experiment("kept")
model = client.create_logged_model(kept, name="old").model_id
run = client.create_run(kept).info.run_id
experiment = client.create_experiment("deleted")
client.delete_logged_model(model)
client.delete_run(run)
client.delete_experiment(experiment)


def stage(get, key: str) -> str:
    try:
        found = get(key)
    except MlflowException:
        return "gone"
    return getattr(found, "info", found).lifecycle_stage


def show(moment: str) -> tuple[str, str]:
    found = stage(client.get_run, run), stage(client.get_experiment, experiment)
    print(f"{moment + ':':7} run {found[0]}, experiment {found[1]}")
    return found


before = show("before")
subprocess.run([sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", sys.argv[1], "--logged-model-ids", model],
               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
after = show("after")
if before != ("deleted", "deleted") or after != ("gone", "gone"):
    sys.exit("the behaviour has changed")
EOF2
venv/bin/python gc.py "$MLFLOW_TRACKING_URI" 2> log || { cat log >&2; exit 1; }
