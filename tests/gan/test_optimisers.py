"""Optimisers against torch's classes, bit by bit, and what they do without."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from gan.optimisers import Adam, NesterovMomentum

OURS = {
    "adam": lambda parameters: Adam(parameters, betas=(0.5, 0.999)),
    "adamw": lambda parameters: Adam(parameters, decay=0.01),
    "momentum": lambda parameters: NesterovMomentum(parameters, 0.9, 5e-4)}
TORCHS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, betas=(0.5, 0.999)),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, weight_decay=0.01),
    "momentum": lambda parameters: torch.optim.SGD(parameters, momentum=0.9, nesterov=True, weight_decay=5e-4)}
STEPS = 20


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))


def loss_of(net, step):
    return net(torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(step))).square().mean()


def rate_of(step):
    return 0.05 * (1 - step / (2 * STEPS))


@pytest.mark.parametrize("name", list(OURS))
def test_the_steps_are_those_of_torchs_classes(name):
    ours, theirs = network(), network()
    optimiser, reference = OURS[name](ours.parameters()), TORCHS[name](theirs.parameters())
    for step in range(STEPS):
        optimiser.descend(loss_of(ours, step), rate_of(step))
        reference.param_groups[0]["lr"] = rate_of(step)
        reference.zero_grad()
        loss_of(theirs, step).backward()
        reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(ours[0].weight, network()[0].weight)


def test_no_other_tensor_gets_a_gradient():
    first, second = network(), nn.Linear(5, 1)
    OURS["adam"](second.parameters()).descend(second(first(torch.randn(4, 3, 8, 8))).mean(), 0.1)
    assert all(parameter.grad is None for net in (first, second) for parameter in net.parameters())


def test_the_compiler_is_not_imported():
    code = ("import sys, torch; from gan.optimisers import Adam; w = torch.ones(2, requires_grad=True); "
            "Adam([w]).descend(w.square().sum(), 0.1); print('torch._dynamo' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
