#!/usr/bin/env bash
# `dvc repro --keep-going`: Ctrl-C ends the running stage, and DVC begins the next one.
#
# Guess: Ctrl-C on a terminal ends a command with all that it runs; `--keep-going`, as make's --keep-going, is about
#   stages that fail, and make itself ends at Ctrl-C whether the option is given or not.
# Versions: dvc 3.67.1, on a terminal.
# Seen: DVC ignores the key while a stage's command runs. The stage, which the key has reached, counts as failed, and
#   what does not depend on it is run: a graph of a hundred stages takes a hundred Ctrl-C. Without the option it ends,
#   with 255 as after any failure, not with 130 or by the signal.
# Output seen:
#   dvc repro: began a; exit status 255
#   dvc repro --keep-going: began a b; exit status 255
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check dvc==3.67.1

export PATH="$work/venv/bin:$PATH" DVC_NO_ANALYTICS=true DVC_SITE_CACHE_DIR="$work/site" SHELL=/bin/sh
export XDG_CONFIG_HOME="$work/configuration" XDG_CACHE_HOME="$work/cache"
mkdir project
cd project
dvc init --quiet --no-scm
dvc config core.check_update false
cat > stage.py <<'EOF'
import pathlib
import sys
import time

pathlib.Path(f"began-{sys.argv[1]}").touch()
for _ in range(100):
    time.sleep(0.1)
    if sys.argv[1] == "b":
        break
pathlib.Path(f"out-{sys.argv[1]}").touch()
EOF
cat > dvc.yaml <<'EOF'
stages:
  a: {cmd: python stage.py a, outs: [out-a]}
  b: {cmd: python stage.py b, outs: [out-b]}
EOF
cat > press.py <<'EOF'
import fcntl
import os
import pathlib
import pty
import subprocess
import sys
import termios
import threading
import time

seen = {}
for words in (["dvc", "repro"], ["dvc", "repro", "--keep-going"]):
    for path in pathlib.Path().glob("began-*"):
        path.unlink()
    terminal, end = pty.openpty()
    process = subprocess.Popen(words, stdin=end, stdout=end, stderr=end, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(end)
    said = []
    def read(terminal=terminal, said=said):
        try:
            while part := os.read(terminal, 65536):
                said.append(part)
        except OSError:
            pass
    threading.Thread(target=read, daemon=True).start()
    while not pathlib.Path("began-a").exists():
        if process.poll() is not None:
            sys.exit(b"".join(said).decode())
        time.sleep(0.01)
    time.sleep(0.5)
    os.write(terminal, b"\x03")  # Ctrl-C
    status = process.wait(60)
    began = " ".join(sorted(path.name.removeprefix("began-") for path in pathlib.Path().glob("began-*")))
    seen[" ".join(words)] = (began, status)
    print(f"{' '.join(words)}: began {began}; exit status {status}")
if seen != {"dvc repro": ("a", 255), "dvc repro --keep-going": ("a b", 255)}:
    sys.exit("the behaviour has changed")
EOF
python press.py
