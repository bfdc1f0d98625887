"""Which images stand for a set where all of them would take too long."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly_spaced(images: Tensor, n: int) -> Tensor:
    """n of `images` [m, d] at even distances, the first of all included; all of them where there are no more than n.

    Not the first n: a set may not be mixed. MNIST's first 1,000 test images score below the rest of them.
    """
    if n >= len(images):
        return images
    return images[torch.arange(n, device=images.device) * len(images) // n]
