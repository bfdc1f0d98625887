#!/usr/bin/env bash
# DVC does not see that a parameter changed from 1 to true, or to 1.0.
#
# Guess: params.yaml is compared by what it says. 1 and true are different YAML values, a program does different
#   things with them, so `dvc status` shows the edit and `dvc repro` runs the stage.
# Versions: dvc 3.67.1.
# Seen: the values are compared as Python's, where 1 == True == 1.0. The stage counts as up to date, `dvc repro` skips
#   it, its output stays that of the old value, and dvc.lock keeps the old value. A change to "1" or 2 is seen.
# Output seen:
#   layers: 1     ran, output 1
#   layers: true  skipped, output 1
#   layers: 1.0   skipped, output 1
#   layers: "1"   ran, output "1"
#   layers: 2     ran, output 2
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check dvc==3.67.1

export PATH="$work/venv/bin:$PATH" DVC_NO_ANALYTICS=true DVC_SITE_CACHE_DIR="$work/site"
export XDG_CONFIG_HOME="$work/configuration" XDG_CACHE_HOME="$work/cache"
mkdir project
cd project
dvc init --quiet --no-scm
dvc config core.check_update false
cat > dvc.yaml <<'EOF'
stages:
  train:
    cmd: sed -n 's/^layers. //p' params.yaml > seen.txt; echo run >> ../runs
    params: [layers]
    outs: [seen.txt]
EOF
touch ../runs
seen=""
for value in 1 true 1.0 '"1"' 2; do
    echo "layers: $value" > params.yaml
    before=$(wc -l < ../runs)
    dvc repro > ../log 2>&1 || { cat ../log >&2; exit 1; }
    did=skipped
    if [ "$(wc -l < ../runs)" -gt "$before" ]; then did=ran; fi
    printf 'layers: %-5s %s, output %s\n' "$value" "$did" "$(cat seen.txt)"
    seen+="$did "
done
if [ "$seen" != "ran skipped skipped ran ran " ]; then
    echo "the behaviour has changed" >&2
    exit 1
fi
