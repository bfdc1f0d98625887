#!/usr/bin/env bash
# MLflow: of two models that were logged with their code, the one that is loaded second runs the code of the first.
#
# Guess: code_paths puts a model's code into the model, so that an old model keeps its old code. Two versions loaded in
#   one process, to compare them, give each its own answer.
# Versions: mlflow 3.17.2, numpy 2.4.6.
# Seen: loading puts the model's folder of code first on sys.path and imports. A module of that name that the process has
#   imported already, from the other model or from the working folder, is taken as it is. No warning. In another order the
#   answers change places.
# Output seen:
#   alone:          old 1, new 2
#   old, then new:  old 1, new 1
#   new, then old:  old 2, new 2
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check mlflow==3.17.2 numpy==2.4.6

export MLFLOW_DISABLE_TELEMETRY=true

for pair in old:1 new:2; do
    mkdir -p "${pair%:*}"
    cat > "${pair%:*}/answers.py" <<EOF2
class Model:
    def predict(self, model_input, params=None):
        return ${pair#*:}


def _load_pyfunc(path):
    return Model()
EOF2
done

cat > save.py <<'EOF2'
import sys

import mlflow

for name in sys.argv[1:]:
    mlflow.pyfunc.save_model(f"model-{name}", loader_module="answers", code_paths=[f"{name}/answers.py"],
                             pip_requirements=["mlflow==3.17.2"])
EOF2
cat > load.py <<'EOF2'
import sys

import mlflow

answers = {name: mlflow.pyfunc.load_model(f"model-{name}").predict([[0]]) for name in sys.argv[1:]}
print(", ".join(f"{name} {answers[name]}" for name in sorted(answers, reverse=True)))
EOF2
venv/bin/python save.py old new > log 2>&1 || { cat log >&2; exit 1; }
seen="$(venv/bin/python load.py old 2> log), $(venv/bin/python load.py new 2> log)"
echo "alone:          $seen"
one=$(venv/bin/python load.py old new 2> log)
echo "old, then new:  $one"
other=$(venv/bin/python load.py new old 2> log)
echo "new, then old:  $other"
if [ "$seen; $one; $other" != "old 1, new 2; old 1, new 1; old 2, new 2" ]; then
    cat log >&2
    echo "the behaviour has changed" >&2
    exit 1
fi
