"""The stages of dvc.yaml, one module each: they read files, call `gan`, write files."""

import os

# Threads of torch's OpenMP wait for each other awake, by default for longer than parts of an update last. Where other
# programs want the processor, too, each wait lasts until the thread that is waited for gets it: updates took up to 20
# times as long. After so many turns a thread sleeps. libgomp reads this when torch is imported, which is later.
SPINS = "10000"
if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
    os.environ["GOMP_SPINCOUNT"] = SPINS
