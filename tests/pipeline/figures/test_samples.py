"""Nearest training images, and how samples are laid out."""

from __future__ import annotations

import pytest
import torch

from pipeline.figures import samples


@pytest.mark.parametrize("block", [1, 64, 500, 2**22])
def test_nearest_is_what_comparing_with_every_image_finds(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "BLOCK_ELEMENTS", block)
    stream = torch.Generator().manual_seed(3)
    train, drawn = torch.rand(57, 16, generator=stream), torch.rand(9, 16, generator=stream)
    assert samples.nearest(drawn, train).tolist() == [
        min(range(len(train)), key=lambda i: float(((one - train[i]).double() ** 2).sum())) for one in drawn]


def test_nearest_takes_the_first_of_equals_and_survives_large_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "BLOCK_ELEMENTS", 8)
    train = torch.tensor([[0.0, 1.0], [5.0, 5.0], [0.0, 1.0], [5.0, 5.0]])
    assert samples.nearest(torch.tensor([[0.0, 0.9], [9.0, 9.0]]), train).tolist() == [0, 1]
    far = torch.tensor([[1e4, 0.0], [1e4 + 0.01, 0.0]])
    assert samples.nearest(torch.tensor([[1e4 + 0.01, 0.0]]), far).tolist() == [1]


@pytest.mark.parametrize(("scale", "largest", "expected"), [
    (None, 1.0, None),  # data in [0, 1]
    (4.0, 3.0, 4.0), (4.0, 4.0, 4.0), (4.0, 2.0, 4.0),  # contrasts compare with the samples'
    (4.0, 5.0, 5.0),  # would be cut off
    (4.0, 1.5, 1.5),  # would be hardly seen
])
def test_neighbours_share_the_samples_scale_where_they_can_be_seen_on_it(
        scale: float | None, largest: float, expected: float | None) -> None:
    assert samples.neighbour_scale(scale, torch.tensor([[0.5, -largest], [0.0, 0.1]])) == expected


@pytest.mark.parametrize(("images", "about", "expected"), [
    (40, {"interpolation": [4, 10]}, (4, 10)), (40, {}, (5, 8)), (40, {"interpolation": [3, 3]}, (5, 8)),
    (7, {}, (1, 7))])
def test_grid_of_an_interpolation(images: int, about: dict[str, list[int]], expected: tuple[int, int]) -> None:
    assert samples.grid_shape(images, about) == expected
