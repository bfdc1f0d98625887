#!/usr/bin/env bash
# Momentum of a weight that has no gradient any more never becomes 0, and the optimizer's steps take longer and longer.
#
# Guess: momentum of .7 or .9 shrinks a buffer without gradients to 0 within some hundred updates, and a weight that
#   rests costs what any other costs.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6); x86-64.
# Seen: the smallest float32, 1.4e-45, times .7 rounds to itself, and four times it, times .9, too: the buffer stays
#   there for ever, denormal, and so does every one that is below 1.2e-38 on its way. Processors take many times as
#   long for such numbers: of the momentum of a layer on bags of words, most of them rare, 7 % are denormal after 2,000
#   updates, and the optimizer's step takes four times as long. torch.set_flush_denormal(True) takes them for 0, and
#   here changes no bit of any weight (in longer trainings it may, as another rounding does). With .5 the buffer does
#   end at 0. The time depends on the processor: only the numbers are compared here.
# Output seen:
#   momentum 0.5: 1.0 without gradients is 0.0e+00 after 5,000 updates
#   momentum 0.7: 1.0 without gradients is 1.4e-45 after 5,000 updates
#   momentum 0.9: 1.0 without gradients is 5.6e-45 after 5,000 updates
#   bags of words: 7% of the momentum is denormal; flushed 0%
#   the same weights: True; a step took 3.97 ms, flushed 1.02 ms
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > momentum.py <<'EOF'
import sys
import time

import torch
from torch import nn
from torch.nn.functional import cross_entropy

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
WORDS, DOCUMENTS, LENGTH, UPDATES, LAST = 5000, 2000, 40, 2000, 200
torch.set_num_threads(1)

resting = {}
for momentum in (0.5, 0.7, 0.9):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=momentum)
    for update in range(5000):
        parameter.grad = torch.full((1,), float(update == 0))
        optimizer.step()
    resting[momentum] = optimizer.state[parameter]["momentum_buffer"].item()
    print(f"momentum {momentum}: 1.0 without gradients is {resting[momentum]:.1e} after 5,000 updates")

stream = torch.Generator().manual_seed(0)
frequencies = 1 / torch.arange(1.0, WORDS + 1)  # Zipf's law
words = torch.multinomial(frequencies.expand(DOCUMENTS, -1), LENGTH, replacement=True, generator=stream)
bags = torch.zeros(DOCUMENTS, WORDS).scatter_add_(1, words, torch.ones(DOCUMENTS, LENGTH))
labels = torch.randint(10, (DOCUMENTS,), generator=stream)


def train(flush: bool) -> tuple[float, torch.Tensor, float]:
    """The share of the first layer's momentum that is denormal, all weights, and milliseconds of a late step."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(WORDS, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.7)
    torch.set_flush_denormal(flush)
    spent = 0.0
    for update in range(UPDATES):
        rows = torch.randint(DOCUMENTS, (10,))
        optimizer.zero_grad()
        cross_entropy(net(bags[rows]), labels[rows]).backward()
        began = time.perf_counter()
        optimizer.step()
        spent += (time.perf_counter() - began) * (update >= UPDATES - LAST)
    torch.set_flush_denormal(False)
    buffer = optimizer.state[net[0].weight]["momentum_buffer"]
    denormal = (buffer != 0) & (buffer.abs() < SMALLEST_NORMAL)
    return denormal.float().mean().item(), nn.utils.parameters_to_vector(net.parameters()), spent / LAST * 1000


share, weights, took = train(flush=False)
flushed_share, flushed, took_flushed = train(flush=True)
same = torch.equal(weights, flushed)
print(f"bags of words: {share:.0%} of the momentum is denormal; flushed {flushed_share:.0%}")
print(f"the same weights: {same}; a step took {took:.2f} ms, flushed {took_flushed:.2f} ms")
if not (resting[0.5] == 0 < resting[0.7] < resting[0.9] < SMALLEST_NORMAL and share > 0.03 and flushed_share < 0.01
        and same):
    sys.exit("the behaviour has changed")
EOF
venv/bin/python momentum.py
