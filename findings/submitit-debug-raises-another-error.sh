#!/usr/bin/env bash
# submitit: the error of a job has another type on cluster="debug" than on cluster="local".
#
# Guess: AutoExecutor is one interface for all clusters, after concurrent.futures: job.result() raises what the
#   function raised. An `except ValueError` that was tried on cluster="debug" holds for "local" and "slurm".
# Versions: submitit 1.5.4.
# Seen: only the debug executor, which runs the function in the same process, raises the ValueError. The local one
#   raises FailedJobError, a RuntimeError whose text holds the traceback; the ValueError is neither its cause nor its
#   context, and job.exception() gives the same FailedJobError. Type and attributes of the error are lost.
# Output seen:
#   debug: caught as ValueError;     job.exception() is a ValueError
#   local: caught as FailedJobError; job.exception() is a FailedJobError
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check submitit==1.5.4

cat > jobs.py <<'EOF'
import contextlib
import io
import sys

import submitit


def train() -> None:
    raise ValueError("a learning rate below zero")


seen = {}
for cluster in ("debug", "local"):
    executor = submitit.AutoExecutor(folder="jobs", cluster=cluster)
    executor.update_parameters(timeout_min=2)
    with contextlib.redirect_stdout(io.StringIO()):  # the debug executor opens a debugger; its input is empty
        job = executor.submit(train)
        try:
            job.result()
        except Exception as error:
            caught = error
        kept = job.exception()
    print(f"{cluster}: caught as {type(caught).__name__ + ';':15} job.exception() is a {type(kept).__name__}")
    hidden = any(isinstance(inner, ValueError) for inner in (caught.__cause__, caught.__context__))
    seen[cluster] = (type(caught), type(kept), hidden)
failed = submitit.core.utils.FailedJobError
if seen != {"debug": (ValueError, ValueError, False), "local": (failed, failed, False)}:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python jobs.py < /dev/null 2> log || { cat log >&2; exit 1; }
