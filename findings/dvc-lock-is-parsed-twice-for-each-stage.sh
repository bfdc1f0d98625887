#!/usr/bin/env bash
# `dvc repro` parses the whole of dvc.lock twice for each stage that ends: the bytes it reads grow with the square of the
# number of stages.
#
# Guess: dvc.lock is parsed once when the command begins; each stage that ends adds its entry, and the file is written.
# Versions: dvc 3.67.1 (ruamel.yaml 0.19.1).
# Seen: for each stage but the first, the file is parsed once for checks and once more with its layout, by parsers written
#   in Python, before it is written whole. Twice as many stages parse four times as many bytes: of a first run of some
#   hundred real stages, whose entries are longer, that is most of DVC's own time.
# Output seen:
#   10 stages: parsed 18 times, 9 times the last file
#   20 stages: parsed 38 times, 19 times the last file
#   40 stages: parsed 78 times, 39 times the last file
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check dvc==3.67.1 ruamel.yaml==0.19.1

export PATH="$work/venv/bin:$PATH" DVC_NO_ANALYTICS=true DVC_SITE_CACHE_DIR="$work/site"
export XDG_CONFIG_HOME="$work/configuration" XDG_CACHE_HOME="$work/cache"
cat > repro.py <<'EOF'
"""Run `dvc repro` on n stages, each of which writes a file, and count what is parsed of dvc.lock."""
import os
import sys
from pathlib import Path

from dvc.cli import main
from dvc.utils.serialize import _yaml

parsed = []


def counted(parse):
    def counting(text, path, *more, **named):
        if str(path).endswith("dvc.lock"):
            parsed.append(len(text.encode()))
        return parse(text, path, *more, **named)
    return counting


n = int(sys.argv[1])
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
main(["init", "--no-scm", "--quiet"])
Path("dvc.yaml").write_text("stages:\n" + "".join(
    f"  stage_{i:02}:\n    cmd: echo {i:02} > out_{i:02}\n    outs: [out_{i:02}]\n" for i in range(n)))
for name in ("parse_yaml", "parse_yaml_for_update"):
    setattr(_yaml, name, counted(getattr(_yaml, name)))
assert main(["repro", "--quiet"]) == 0
whole = Path("dvc.lock").stat().st_size
print(f"{n} stages: parsed {len(parsed)} times, {sum(parsed) / whole:.0f} times the last file")
EOF
for n in 10 20 40; do
    python repro.py "$n"
done | tee seen
cat > expected <<'EOF'
10 stages: parsed 18 times, 9 times the last file
20 stages: parsed 38 times, 19 times the last file
40 stages: parsed 78 times, 39 times the last file
EOF
if ! diff expected seen > /dev/null; then
    echo "the behaviour has changed" >&2
    exit 1
fi
