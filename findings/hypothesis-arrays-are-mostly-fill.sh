#!/usr/bin/env bash
# Hypothesis: an array of 784 "arbitrary" floats is mostly one number repeated.
#
# Guess: arrays(float64, 784, elements=floats(0, 1)) draws each element by the strategy given, as lists() does. Within
#   200 examples there are arrays whose 784 elements all, or nearly all, differ, so that a property of whole images
#   is tried on something like noise.
# Versions: hypothesis 6.170.15, numpy 2.4.6.
# Seen: some tens of places are drawn and all others take one fill value. In 200 examples no array has more than 85
#   different numbers, and half of them have 7 or fewer. A mistake that shows only if many elements differ is not
#   found. With fill=nothing() each element is drawn, and of 100 up to 98 differ; at 784 a health check refuses that
#   as too large.
# Output seen:
#   784 elements:           at most 85 differ, half of the arrays 7 or fewer
#   100 elements:           at most 31 differ
#   100 elements, no fill:  at most 98 differ
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check hypothesis==6.170.15 numpy==2.4.6

cat > distinct.py <<'EOF'
import statistics
import sys

import numpy as np
from hypothesis import given, settings, strategies
from hypothesis.extra.numpy import arrays


def distinct(size: int, **options) -> list[int]:
    """How many different numbers each of 200 examples holds."""
    counts = []

    @settings(max_examples=200, derandomize=True, database=None, deadline=None)
    @given(arrays(np.float64, size, elements=strategies.floats(0, 1), **options))
    def look(image) -> None:
        counts.append(len(np.unique(image)))

    look()
    return counts


large, small, full = distinct(784), distinct(100), distinct(100, fill=strategies.nothing())
median = int(statistics.median(large))
print(f"784 elements:           at most {max(large)} differ, half of the arrays {median} or fewer")
print(f"100 elements:           at most {max(small)} differ")
print(f"100 elements, no fill:  at most {max(full)} differ")
if max(large) > 784 // 4 or median > 50 or max(small) > 60 or max(full) < 80:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python distinct.py
