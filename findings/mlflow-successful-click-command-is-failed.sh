#!/usr/bin/env bash
# MLflow and click: a command that ends well, with exit code 0, is a FAILED run.
#
# Guess: `with mlflow.start_run():` around a call of a click command is FINISHED if the command succeeds and FAILED if
#   it raises an error. The command returned, the process ends with 0: FINISHED.
# Versions: mlflow 3.17.2, click 8.5.1, sqlalchemy 2.1.9, numpy 2.4.6, SQLite.
# Seen: a click command never returns; it ends by sys.exit(0), an exception on its way through the with statement.
#   MLflow takes any exception for a failure and does not look at the code. With standalone_mode=False, where the
#   command returns, the run is FINISHED. A run that is started without `with` is FINISHED as well.
# Output seen:
#   as a script calls it:  exit code 0, run FAILED
#   standalone_mode=False: exit code 0, run FINISHED
#   without with:          exit code 0, run FINISHED
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check \
    mlflow==3.17.2 sqlalchemy==2.1.9 numpy==2.4.6 click==8.5.1

export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_TRACKING_URI="sqlite:///$work/mlflow.db"

cat > command.py <<'EOF'
import sys

import click
import mlflow

how = sys.argv[1]


@click.command()
def train() -> None:
    mlflow.log_metric("loss", 0.25)


mlflow.set_experiment("commands")
if how == "script":
    with mlflow.start_run(run_name=how):
        train([])
elif how == "returns":
    with mlflow.start_run(run_name=how):
        train([], standalone_mode=False)
else:
    mlflow.start_run(run_name=how)
    train([])
EOF
cat > status.py <<'EOF'
import sys

import mlflow

(run,) = mlflow.search_runs(
    experiment_names=["commands"], filter_string=f"attributes.run_name = '{sys.argv[1]}'", output_format="list"
)
print(run.info.status)
EOF
seen=""
for how in script returns bare; do
    code=0
    venv/bin/python command.py "$how" > /dev/null 2> log || code=$?
    status=$(venv/bin/python status.py "$how" 2> /dev/null)
    case $how in
        script)  echo "as a script calls it:  exit code $code, run $status" ;;
        returns) echo "standalone_mode=False: exit code $code, run $status" ;;
        bare)    echo "without with:          exit code $code, run $status" ;;
    esac
    seen+="$code $status "
done
if [ "$seen" != "0 FAILED 0 FINISHED 0 FINISHED " ]; then
    cat log >&2
    echo "the behaviour has changed" >&2
    exit 1
fi
