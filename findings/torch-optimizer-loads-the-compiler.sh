#!/usr/bin/env bash
# The first torch optimizer of a process loads torch.compile's machinery, whether anything is compiled or not.
#
# Guess: the compiler is lazy. A program that calls neither torch.compile nor torch.export never imports
#   torch._dynamo, and making an SGD or Adam object costs microseconds.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6).
# Seen: Optimizer.add_param_group is wrapped so that the compiler leaves it alone, and the wrapper imports
#   torch._dynamo when it is first called, which the constructor does: some 900 modules, SymPy among them, 160 MB of
#   memory, 1.6 s with bytecode at hand and 5 s without (pip --no-compile and PYTHONDONTWRITEBYTECODE, as in many
#   containers). A second optimizer takes .1 ms. The functions behind the classes (torch.optim.adamw.adamw) load
#   nothing and give the same bits, which matters where each of many short processes makes one optimizer.
# Output seen:
#   by the function: 0 more modules, compiler loaded: False
#   by the class: 898 more modules, compiler loaded: True, sympy loaded: True
#   the same bits: True
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > optimizer.py <<'EOF'
import sys

import torch
import torch.optim
from torch.optim.adamw import adamw


def loaded():
    return "torch._dynamo" in sys.modules


slopes = [torch.randn(5, generator=torch.Generator().manual_seed(step)) for step in range(20)]
weight = torch.ones(5)
mean, square, steps = torch.zeros(5), torch.zeros(5), torch.tensor(0.0)
before = len(sys.modules)
for slope in slopes:
    adamw([weight], [slope], [mean], [square], [], [steps], amsgrad=False, beta1=0.9, beta2=0.999, lr=0.1,
          weight_decay=0.01, eps=1e-8, maximize=False)
by_function, loaded_by_function = len(sys.modules) - before, loaded()
print(f"by the function: {by_function} more modules, compiler loaded: {loaded_by_function}")

parameter = torch.nn.Parameter(torch.ones(5))
before = len(sys.modules)
optimizer = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.01)
by_class = len(sys.modules) - before
print(f"by the class: {by_class} more modules, compiler loaded: {loaded()}, sympy loaded: {'sympy' in sys.modules}")
for slope in slopes:
    parameter.grad = slope
    optimizer.step()
same = torch.equal(weight, parameter.detach())
print(f"the same bits: {same}")
if loaded_by_function or by_function > 5 or by_class < 500 or not loaded() or not same:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python optimizer.py
