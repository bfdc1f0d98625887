#!/usr/bin/env bash
# MLflow: a diverged score, NaN, is a perfect 0.0 when asked of the logged model, and NaN when asked of its run.
#
# Guess: a metric logged with model_id belongs to the run and to the LoggedModel, and both give the number that was
#   logged. The database keeps NaN as a flag beside a placeholder; reading undoes that wherever a metric is read.
# Versions: mlflow 3.17.2, sqlalchemy 2.1.9, numpy 2.4.6, SQLite.
# Seen: the run gives nan. The model gives the placeholder, so a model whose loss diverged leads the models sorted by
#   loss. No warning on either side.
# Output seen:
#   the run's loss:       nan
#   the model's loss:     0.0
#   models by their loss: diverged 0.0, sound 0.25
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check mlflow==3.17.2 sqlalchemy==2.1.9 numpy==2.4.6

export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="sqlite:///$work/mlflow.db"

cat > loss.py <<'EOF'
import math
import sys

import mlflow

experiment = mlflow.create_experiment("scores")
mlflow.set_experiment(experiment_id=experiment)
models = {}
with mlflow.start_run() as run:
    for name, loss in (("sound", 0.25), ("diverged", math.nan)):
        models[name] = mlflow.create_external_model(name=name).model_id
        mlflow.log_metric("loss", loss, model_id=models[name])
of_run = mlflow.get_run(run.info.run_id).data.metrics["loss"]  # the last one logged
(of_model,) = [metric.value for metric in mlflow.get_logged_model(models["diverged"]).metrics]
ranked = mlflow.search_logged_models(
    experiment_ids=[experiment],
    order_by=[{"field_name": "metrics.loss", "ascending": True}],
    output_format="list",
)
order = [(model.name, model.metrics[0].value) for model in ranked]
print(f"the run's loss:       {of_run}")
print(f"the model's loss:     {of_model}")
print("models by their loss: " + ", ".join(f"{name} {value}" for name, value in order))
if not math.isnan(of_run) or of_model != 0 or order != [("diverged", 0.0), ("sound", 0.25)]:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python loss.py 2> log || { cat log >&2; exit 1; }
