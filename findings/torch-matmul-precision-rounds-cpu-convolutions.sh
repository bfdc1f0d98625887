#!/usr/bin/env bash
# torch.set_float32_matmul_precision("medium") rounds on a CPU, and rounds convolutions, which have a setting of their own.
#
# Guess: the call, as tutorials give it, is about the tensor cores of GPUs: on a CPU float32 stays float32. Whoever sets
#   oneDNN's precision for each kind of operation finds convolutions under torch.backends.mkldnn.conv, and products under
#   torch.backends.mkldnn.matmul.
# Versions: torch 2.14.1 on x86 (numpy 2.4.6); Intel Xeon of family 6, model 207.
# Seen: on a processor with AMX or AVX512-BF16 "medium" rounds the factors of float32 products to bfloat16, from 17 rows
#   and columns on; products of 2 x 2 stay float32. Convolutions are rounded with them. Their own setting is read by none:
#   conv "bf16" with matmul "ieee" leaves a convolution exact, conv "ieee" with matmul "bf16" rounds it. On a processor
#   without these instructions everything is accepted and nothing is rounded.
# Output seen (relative errors; the last line on the Xeon):
#   highest                    product 0e+00  2x2 0e+00  convolution 1e-07
#   medium                     product 2e-04  2x2 0e+00  convolution 2e-03
#   conv bf16, matmul ieee     product 0e+00  2x2 0e+00  convolution 1e-07
#   conv ieee, matmul bf16     product 2e-04  2x2 0e+00  convolution 2e-03
#   multiplies bfloat16: True
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > precision.py <<'EOF'
import sys
from pathlib import Path

import torch
from torch.nn.functional import conv2d

torch.manual_seed(0)
near_one, unit = torch.full((64, 64), 1 + 2**-12), torch.eye(64)
images, kernels = torch.randn(1, 8, 16, 16), torch.randn(8, 8, 3, 3)
exact = conv2d(images.double(), kernels.double())
onednn = torch.backends.mkldnn


def errors(name):
    product = float((near_one @ unit - near_one).abs().max())
    small = float((near_one[:2, :2] @ unit[:2, :2] - near_one[:2, :2]).abs().max())
    convolution = float((conv2d(images, kernels) - exact).norm() / exact.norm())
    print(f"{name:26} product {product:.0e}  2x2 {small:.0e}  convolution {convolution:.0e}")
    return product > 1e-5, small > 1e-5, convolution > 1e-5


found = [errors("highest")]
torch.set_float32_matmul_precision("medium")
found.append(errors("medium"))
onednn.conv.fp32_precision, onednn.matmul.fp32_precision = "bf16", "ieee"
found.append(errors("conv bf16, matmul ieee"))
onednn.conv.fp32_precision, onednn.matmul.fp32_precision = "ieee", "bf16"
found.append(errors("conv ieee, matmul bf16"))
has = bool({"amx_bf16", "avx512_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
print(f"multiplies bfloat16: {has}")
none, rounded = (False, False, False), (has, False, has)
if found != [none, rounded, none, rounded]:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python precision.py
