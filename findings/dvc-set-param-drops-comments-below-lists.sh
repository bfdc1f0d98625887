#!/usr/bin/env bash
# One value set by `dvc exp run -S` takes away comments elsewhere in params.yaml, and lays out every list anew.
#
# Guess: DVC edits params.yaml by a parser that keeps comments and layout (ruamel.yaml's round trip), so that `-S` changes
#   the line of its value, and `git diff` shows that line.
# Versions: dvc 3.67.1 (ruamel.yaml 0.19.1).
# Seen: what hydra made of the file is merged into it mapping by mapping, but every list is replaced by a plain one, changed
#   or not. With it go its layout ([1, 2] becomes an item a line) and the comments that ruamel.yaml keeps at its end: those
#   between it and the next key. Lists within braces stay as they were.
# Output seen:
#   -a: [1, 2]
#   +a:
#   +- 1
#   +- 2
#    b:
#    - 3
#   -# about c: why it is 4
#   -c: 4
#   +c: 5
#    d: {e: [6, 7]}  # about d
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check dvc==3.67.1 ruamel.yaml==0.19.1

export PATH="$work/venv/bin:$PATH" DVC_NO_ANALYTICS=true DVC_SITE_CACHE_DIR="$work/site"
export XDG_CONFIG_HOME="$work/configuration" XDG_CACHE_HOME="$work/cache"
mkdir project
cd project
git init --quiet
git config user.name somebody
git config user.email somebody@example.com
dvc init --quiet
dvc config core.check_update false
cat > params.yaml <<'EOF'
a: [1, 2]
b:
- 3
# about c: why it is 4
c: 4
d: {e: [6, 7]}  # about d
EOF
cat > dvc.yaml <<'EOF'
stages:
  train:
    cmd: grep ^c params.yaml > out.txt
    params: [c]
    outs: [out.txt]
EOF
git add --all
git commit --quiet --message "a project"
dvc exp run -S c=5 > ../log 2>&1 || { cat ../log >&2; exit 1; }
git diff --unified=9 params.yaml | tail -n +6 | tee ../seen
cat > ../expected <<'EOF'
-a: [1, 2]
+a:
+- 1
+- 2
 b:
 - 3
-# about c: why it is 4
-c: 4
+c: 5
 d: {e: [6, 7]}  # about d
EOF
if ! diff ../expected ../seen > /dev/null; then
    echo "the behaviour has changed" >&2
    exit 1
fi
