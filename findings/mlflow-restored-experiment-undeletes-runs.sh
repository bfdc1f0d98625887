#!/usr/bin/env bash
# MLflow: deleting and restoring an experiment brings back the runs that had been thrown away before.
#
# Guess: restore_experiment undoes delete_experiment. A run that was deleted by itself, earlier and for its own
#   reasons, was deleted before and after, as a file in the bin does not return with its folder.
# Versions: mlflow 3.17.2, sqlalchemy 2.1.9, numpy 2.4.6, SQLite.
# Seen: every run of the experiment is active, the discarded one too, and its deletion time is gone, so that
#   `mlflow gc` no longer removes it. Searches, means and rankings over the experiment count it again.
# Output seen:
#   before:                    kept active, discarded deleted; the best loss 0.5
#   after delete and restore:  kept active, discarded active; the best loss 0.0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check mlflow==3.17.2 sqlalchemy==2.1.9 numpy==2.4.6

export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="sqlite:///$work/mlflow.db"

cat > restore.py <<'EOF'
import sys

from mlflow import MlflowClient

client = MlflowClient()
experiment = client.create_experiment("scores")
runs = {}
for name, loss in (("kept", 0.5), ("discarded", 0.0)):
    runs[name] = client.create_run(experiment).info.run_id
    client.log_metric(runs[name], "loss", loss)
client.delete_run(runs["discarded"])


def show(moment: str) -> tuple[str, str, float]:
    stages = [client.get_run(run).info.lifecycle_stage for run in runs.values()]
    (best,) = client.search_runs([experiment], order_by=["metrics.loss ASC"], max_results=1)
    loss = best.data.metrics["loss"]
    print(f"{moment + ':':26} kept {stages[0]}, discarded {stages[1]}; the best loss {loss}")
    return (*stages, loss)


before = show("before")
client.delete_experiment(experiment)
client.restore_experiment(experiment)
after = show("after delete and restore")
if before != ("active", "deleted", 0.5) or after != ("active", "active", 0.0):
    sys.exit("the behaviour has changed")
EOF
venv/bin/python restore.py 2> log || { cat log >&2; exit 1; }
