"""Global contrast normalisation, as the paper's CIFAR-10 experiments have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gan.settings import require

if TYPE_CHECKING:
    import torch

SMALLEST_DIVISOR = 1e-8
"""An image with less contrast is only centred (pylearn2's `global_contrast_normalize`, `min_divisor`)."""

_BLOCK = 2**23  # values at a time, so that float64 takes little memory


def require_contrast_norm(value: float | None) -> None:
    """ValueError unless `value` can be the `contrast_norm` of a data set."""
    require(value is None or 0 < value < math.inf, f"contrast_norm must be positive or null, not {value}")


def normalize_contrast(images: torch.Tensor, norm: float) -> torch.Tensor:
    """Each image less its mean and scaled to the L2 norm `norm`; a constant image becomes zero.

    `images` are [n, d] with values 0 to 255; returns float32 [n, d], computed in float64.
    """
    import torch  # here because settings are read without it

    normalized = torch.empty(images.shape, dtype=torch.float32)
    at_once = max(1, _BLOCK // images.shape[1])
    for start in range(0, len(images), at_once):
        block = images[start:start + at_once].to(torch.float64)
        block = block - block.mean(1, keepdim=True)
        divisor = block.norm(dim=1, keepdim=True) / norm
        divisor[divisor < SMALLEST_DIVISOR] = 1
        normalized[start:start + at_once] = block / divisor
    return normalized
