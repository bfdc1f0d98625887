#!/usr/bin/env bash
# torch.set_flush_denormal holds for the thread that calls it, and for others only if they begin after it.
#
# Guess: a setting of torch's that stands among its global ones, and answers True, holds for an operation whichever of
#   torch's threads compute it.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6); x86-64 Linux, two threads.
# Seen: the mode is a register of each thread. Threads of the pool have that of the thread which began them, and the
#   pool begins with the first operation that is large enough: once there was one, half of a product of two threads is
#   flushed and half is not. Set before it, all of it is; set back, the caller alone changes, and the others go on
#   flushing. So it is to be called first of all, and switching it on around what needs it is no use.
# Output seen, denormal numbers that are left of 1,000,000:
#   set before the pool began 0, set back 500000
#   set after the pool began 500000
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > left.py <<'EOF'
import sys

import torch

torch.set_num_threads(2)


def tiny() -> torch.Tensor:
    """Made large at once, by both threads; of bits, as flushing takes a small number for 0."""
    return torch.full((1_000_000,), 700_000, dtype=torch.int32).view(torch.float32)


def left(numbers: torch.Tensor) -> int:
    return int((numbers * 1.0).view(torch.int32).count_nonzero())


if sys.argv[1] == "before":
    torch.set_flush_denormal(True)
    first = left(tiny())
    torch.set_flush_denormal(False)
    found = first, left(tiny())
    print(f"set before the pool began {found[0]}, set back {found[1]}")
    same = found == (0, 500_000)
else:
    numbers = tiny()
    torch.set_flush_denormal(True)
    found = left(numbers)
    print(f"set after the pool began {found}")
    same = found == 500_000
if not same:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python left.py before
venv/bin/python left.py after
