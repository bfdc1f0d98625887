"""Functions that are faster on a CPU than torch's own. Each overwrites one argument instead of allocating memory:
`softplus_` its input x, `cross_entropy_` the logits.
"""

from __future__ import annotations

from torch import Tensor


def softplus_(x: Tensor, sigmoid: Tensor) -> Tensor:
    """log(1 + exp(x)) in x's place, to 1e-7 of 1 in float32, given σ(x): torch's takes five times as long on a CPU.

    With p = σ(x) it is max(x, 0) − log max(p, 1 − p), and max(p, 1 − p) = |p − ½| + ½.
    """
    return x.clamp_(min=0).sub_((sigmoid - 0.5).abs_().add_(0.5).log_())


def cross_entropy_(x: Tensor, logits: Tensor, p: Tensor) -> Tensor:
    """−Σ x·log p + (1 − x)·log(1 − p) for p = σ(logits), all [n, d]: a scalar. It overwrites the logits."""
    linear = x.flatten().dot(logits.flatten())
    return softplus_(logits, p).sum() - linear
