#!/usr/bin/env bash
# binary_cross_entropy loses its gradient long before its loss is clamped, in float64 as in float32.
#
# Guess: a discriminator sure that a sample is false gives the generator -log D. torch documents that the logarithm
#   is clamped at -100; as long as the loss is below 100 and right, d loss / d logit is right too, D - 1, about -1.
#   If not, float64 mends it.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6).
# Seen: the backward pass divides by max(D (1 - D), 1e-12), whatever the type. From a logit of log(1e-12), about
#   -27.6, the loss goes on growing as it should and its gradient falls off exponentially: at -35 it is 1,600 times too
#   small. -log(sigmoid(x)) written out has the right one.
# Output seen (float64; float32 is the same to four digits):
#   logit  loss   gradient of binary_cross_entropy  of -log(sigmoid)
#     -20  20.00                        -1.000e+00        -1.000e+00
#     -28  28.00                        -6.914e-01        -1.000e+00
#     -35  35.00                        -6.305e-04        -1.000e+00
#     -60  60.00                        -8.757e-15        -1.000e+00
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > gradient.py <<'EOF'
import sys

import torch
from torch.nn.functional import binary_cross_entropy


def loss_and_gradient(logit: float, dtype: torch.dtype, written_out: bool) -> tuple[float, float]:
    x = torch.tensor([logit], dtype=dtype, requires_grad=True)
    d = torch.sigmoid(x)
    loss = -torch.log(d).sum() if written_out else binary_cross_entropy(d, torch.ones_like(d))
    loss.backward()
    return loss.item(), x.grad.item()


same = True
for dtype in (torch.float64, torch.float32):
    print(dtype)
    print("logit  loss   gradient of binary_cross_entropy  of -log(sigmoid)")
    for logit, expected in ((-20, -1.0), (-28, -6.914e-1), (-35, -6.305e-4), (-60, -8.757e-15)):
        loss, gradient = loss_and_gradient(logit, dtype, written_out=False)
        _, right = loss_and_gradient(logit, dtype, written_out=True)
        print(f"{logit:5}  {loss:5.2f}  {gradient:32.3e}  {right:16.3e}")
        same &= abs(loss + logit) < 1e-4 and abs(right + 1) < 1e-4 and abs(gradient / expected - 1) < 1e-2
if not same:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python gradient.py
