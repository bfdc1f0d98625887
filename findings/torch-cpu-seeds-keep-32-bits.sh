#!/usr/bin/env bash
# torch.manual_seed takes 64 bits and a CPU generator forgets the upper 32.
#
# Guess: manual_seed accepts any 64-bit integer, and initial_seed() gives it back, so two different seeds are two
#   different streams. "experiment << 32 | run" is then a safe way to seed every run of every experiment.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6).
# Seen: only seed % 2**32 reaches the generator. Run 7 of every experiment draws the same numbers; initial_seed()
#   still tells them apart. NumPy's generators and Python's random use all bits of the same seeds.
# Output seen:
#   experiment 0: torch's initial_seed 7
#   experiment 1: torch's initial_seed 4294967303
#   experiment 2: torch's initial_seed 8589934599
#   different streams of 3 seeds: torch 1, numpy 3, random 3
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > seeds.py <<'EOF'
import random
import sys

import numpy
import torch

run = 7
seeds = [experiment << 32 | run for experiment in range(3)]
streams = {"torch": set(), "numpy": set(), "random": set()}
kept = []
for experiment, seed in enumerate(seeds):
    torch.manual_seed(seed)
    kept.append(torch.initial_seed())
    print(f"experiment {experiment}: torch's initial_seed {kept[-1]}")
    own = torch.Generator().manual_seed(seed)
    streams["torch"].add((*torch.randn(8).tolist(), *torch.randperm(100, generator=own).tolist()))
    streams["numpy"].add(tuple(numpy.random.default_rng(seed).random(8)))
    streams["random"].add(random.Random(seed).random())
counts = {library: len(found) for library, found in streams.items()}
print("different streams of 3 seeds: " + ", ".join(f"{library} {count}" for library, count in counts.items()))
if kept != seeds or counts != {"torch": 1, "numpy": 3, "random": 3}:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python seeds.py
