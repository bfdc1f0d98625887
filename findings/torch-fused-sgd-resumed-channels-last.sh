#!/usr/bin/env bash
# Fused SGD resumed in another memory format trains a different network, silently.
#
# Guess: an optimizer's state is a tensor like any other, its strides are its own affair. A convolution trained in
#   the default layout, then resumed as channels_last with its momentum, goes on as before; fused=True is only faster.
# Versions: torch 2.14.1 on a CPU (numpy 2.4.6).
# Seen: load_state_dict keeps the strides the momentum was saved with, and the fused CPU kernel walks parameter,
#   gradient and momentum by their place in memory. Each weight is then moved by another weight's momentum: no error,
#   no warning, another result. The foreach kernel and a resume in the saved layout agree with each other.
# Output seen:
#   largest difference of a weight from the plain resume, after five updates
#   foreach, contiguous    0.0e+00
#   foreach, channels_last 2.6e-08
#   fused,   contiguous    0.0e+00
#   fused,   channels_last 1.9e-01
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check torch==2.14.1 numpy==2.4.6

cat > resume.py <<'EOF'
import copy
import sys

import torch

torch.set_num_threads(1)
batch = torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(1))


def network() -> torch.nn.Conv2d:
    torch.manual_seed(0)
    return torch.nn.Conv2d(8, 8, 3)


def update(net, optimizer) -> None:
    optimizer.zero_grad()
    net(batch).square().mean().backward()
    optimizer.step()


first = network()
sgd = torch.optim.SGD(first.parameters(), lr=0.5, momentum=0.9)
for _ in range(2):
    update(first, sgd)
weights, state = copy.deepcopy((first.state_dict(), sgd.state_dict()))


def resume(kernel: str, layout: torch.memory_format) -> torch.Tensor:
    net = network().to(memory_format=layout)
    net.load_state_dict(weights)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    optimizer.load_state_dict(copy.deepcopy(state))
    for group in optimizer.param_groups:  # what load_state_dict took from the saved groups
        group.update(foreach=kernel == "foreach", fused=kernel == "fused")
    for _ in range(5):
        update(net, optimizer)
    return net.weight.detach().contiguous()


plain = resume("foreach", torch.contiguous_format)
print("largest difference of a weight from the plain resume, after five updates")
off = {}
for kernel in ("foreach", "fused"):
    for name, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        off[kernel, name] = (resume(kernel, layout) - plain).abs().max().item()
        print(f"{kernel + ',':8} {name:13} {off[kernel, name]:.1e}")
wrong = off.pop(("fused", "channels_last"))
if wrong < 1e-2 or max(off.values()) > 1e-5:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python resume.py
