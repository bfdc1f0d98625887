#!/usr/bin/env bash
# Once torch-fidelity is installed, a project's own tests/ is no longer what `import tests` and `python -m tests.…` find.
#
# Guess: the current folder comes first on Python's path, so that its folder tests/ is taken whatever else is installed;
#   and a package of metrics installs itself alone.
# Versions: torch-fidelity 0.4.0, Python 3.11.
# Seen: its wheel has a second package at the top, tests/ with an __init__.py. A folder without __init__.py is only a portion
#   of a namespace package, which Python takes if no entry of the path, the last included, has a package proper. So the
#   installed one wins over the folder in front of it, and modules below the project's tests/ are not found. With an
#   __init__.py in the project's folder, that one wins.
# Output seen:
#   before:                  own helper
#   torch-fidelity 0.4.0:    ModuleNotFoundError: No module named 'tests.helper'
#   with tests/__init__.py:  own helper
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
mkdir -p project/tests
echo 'print("own helper")' > project/tests/helper.py
cd project

found() {
    printf '%-25s' "$1"
    ../venv/bin/python -m tests.helper 2> ../error && return
    ../venv/bin/python -c 'import tests.helper' 2>&1 | tail -n 1 || true
}

found "before:" | tee ../seen
../venv/bin/pip install -qq --no-compile --no-deps --disable-pip-version-check torch-fidelity==0.4.0
found "torch-fidelity 0.4.0:" | tee -a ../seen
touch tests/__init__.py
found "with tests/__init__.py:" | tee -a ../seen

cat > ../expected <<'EOF'
before:                  own helper
torch-fidelity 0.4.0:    ModuleNotFoundError: No module named 'tests.helper'
with tests/__init__.py:  own helper
EOF
if ! diff ../expected ../seen > /dev/null; then
    echo "the behaviour has changed" >&2
    exit 1
fi
