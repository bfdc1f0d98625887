"""Matrix products in full precision, by the fastest kernel at hand.

On a CPU, torch.mm goes to MKL, which on processors of other makers than Intel takes a slow path: on an AMD EPYC with
AVX-512 the products of the paper's MNIST networks ran 2.1 to 2.4 times faster through oneDNN, which is part of every
torch CPU build. oneDNN is reached by the operator that torch's own compiler emits for linear layers; where a build
lacks it, torch.mm is used. On a GPU, TF32 is off, so that every product is in full float32.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

_onednn = (getattr(torch.ops.mkldnn, "_linear_pointwise", None)
           if torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled else None)


def product(a: Tensor, b: Tensor) -> Tensor:
    """a·b for a [n, k] and b [k, m]; either may be a transposed view, which costs nothing."""
    if _onednn is not None and a.is_cpu and a.dtype == torch.float32 and a.shape[1] == b.shape[0] > 0:
        return _onednn(a, b.t(), None, "none", [], "")  # type: ignore[no-any-return]
    return a @ b


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x·weight + bias for x [n, k], weight [k, m] and bias [m]."""
    if _onednn is not None and x.is_cpu and x.dtype == torch.float32:
        return _onednn(x, weight.t(), bias, "none", [], "")  # type: ignore[no-any-return]
    return torch.addmm(bias, x, weight)


def random_stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator of its own for each seed and purpose.

    Initial weights, data order, noise and dropout, validation and test samples come from separate streams: none of
    them changes when another draws more or less, and seed k never depends on which other seeds are run.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little", signed=True))
