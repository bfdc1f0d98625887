#!/usr/bin/env bash
# venv --clear, given a symbolic link, empties the folder behind the link, and only then refuses the link.
#
# Guess: venv makes no environment where a symbolic link is: it fails with "Unable to create directory", before it
#   touches anything. So `python -m venv --clear .venv` is safe in a checkout whose .venv links to a shared environment.
# Versions: CPython 3.11.7, its own venv.
# Seen: it fails with that message, after it has removed everything in the folder that the link leads to, with or without
#   being part of an environment.
# Output seen:
#   before: bin include lib lib64 pyvenv.cfg thesis.tex
#   Error: Unable to create directory 'checkout/.venv'
#   after:
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv --without-pip shared
echo "years of work" > shared/thesis.tex
mkdir checkout
ln -s ../shared checkout/.venv

echo "before: $(ls shared | xargs)"
if python3 -m venv --without-pip --clear checkout/.venv 2> log; then
    echo "the behaviour has changed: it makes an environment there" >&2
    exit 1
fi
sed "s|$work/||" log
echo "after:  $(ls -A shared | xargs)"
if ! grep -q "Unable to create directory" log || [ -n "$(ls -A shared)" ]; then
    echo "the behaviour has changed" >&2
    exit 1
fi
