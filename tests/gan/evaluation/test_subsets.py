"""Part of a set that stands for the whole."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from gan.evaluation.subsets import evenly_spaced


def test_a_thousand_of_ten_thousand_are_every_tenth():
    images = torch.arange(10_000).view(-1, 1)
    assert evenly_spaced(images, 1000).flatten().tolist() == list(range(0, 10_000, 10))


@given(st.integers(1, 400), st.integers(1, 400))
def test_as_many_as_asked_for_are_taken_in_order_each_once_and_never_from_one_part_alone(m, n):
    taken = evenly_spaced(torch.arange(m), n)
    assert len(taken) == min(m, n)
    assert torch.equal(taken, taken.unique())
    gaps = torch.diff(taken, prepend=torch.tensor([0]), append=torch.tensor([m]))
    assert int(gaps.max()) <= -(-m // min(m, n))


def test_a_set_that_is_ordered_by_difficulty_keeps_its_mean():
    """The first ones would be off by half of the spread."""
    scores = torch.linspace(100, 300, 10_000)
    assert abs(float(evenly_spaced(scores, 1000).mean() - scores.mean())) < 0.1
