"""Images in a data set's scale as pixels."""

from __future__ import annotations

import torch

from pipeline.artifacts.pixels import pixel_scale, to_pixels


def test_centred_data_are_scaled_by_the_largest_value_shown() -> None:
    shown = torch.tensor([[-2.0, 0.0, 1.0, 4.0]])
    scale = pixel_scale(torch.tensor([[-9.0, 9.0]]), shown)
    assert scale == 4
    assert to_pixels(shown, (1, 2, 2), scale)[0, :, :, 0].flatten().tolist() == [64, 128, 159, 255]
    assert pixel_scale(torch.tensor([[0.0, 1.0]]), shown) is None


def test_colour_pixels_keep_their_channels() -> None:
    image = torch.tensor([[1.0, 0.0, 0.0]])  # C×H×W = 3×1×1
    assert to_pixels(image, (3, 1, 1), None).tolist() == [[[[255, 0, 0]]]]
