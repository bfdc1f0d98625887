"""Matrix products in full precision, by the fastest kernel available.

On a CPU, torch.mm goes to MKL, which on processors of other makers than Intel takes a slow path: on an AMD EPYC with
AVX-512 the products of the paper's MNIST networks ran 2.1 to 2.4 times faster through oneDNN, which is part of every
torch CPU build. oneDNN is reached by the operator that torch's own compiler emits for linear layers; where a build
lacks it, torch.mm is used. On a GPU, TF32 is off, so that every product is in full float32.

Training may ask for less (`products_in`): factors rounded to TF32 on a GPU, to bfloat16 on a processor that multiplies
it (AMX, AVX512-BF16). Sums, results and everything that is not a product stay float32.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from gan.errors import ParameterError
from gan.streams import seed_of

Precision = Literal["float32", "tf32", "bfloat16"]

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

_onednn = (getattr(torch.ops.mkldnn, "_linear_pointwise", None)
           if torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled else None)


def product(a: Tensor, b: Tensor) -> Tensor:
    """a·b for a [n, k] and b [k, m], or for each of S pairs [S, n, k], [S, k, m]; either may be a transposed view."""
    if _fits_onednn(a, b):
        return _onednn(a, b.t(), None, "none", [], "")  # type: ignore[misc, no-any-return]
    return a @ b


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x·weight + bias for x [n, k], weight [k, m] and bias [m], or for each of S of them."""
    if x.ndim == 3:
        return torch.baddbmm(bias.unsqueeze(1), x, weight)
    if _fits_onednn(x, weight):
        return _onednn(x, weight.t(), bias, "none", [], "")  # type: ignore[misc, no-any-return]
    return torch.addmm(bias, x, weight)


def _fits_onednn(a: Tensor, b: Tensor) -> bool:
    """Vectors are not worth its set-up."""
    return (_onednn is not None and a.is_cpu and a.ndim == 2 and a.dtype == torch.float32
            and a.shape[1] == b.shape[0] > 1 and b.shape[1] > 1)


@contextlib.contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Within it, matrix products may round their factors: on a GPU to "tf32", on a processor to "bfloat16"; and nothing
    else is rounded, whatever was set outside, as by torch.set_float32_matmul_precision.

    oneDNN decides by a product's shape whether bfloat16 is worth it: with 16 rows or fewer some stay float32.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    kinds = [getattr(torch.backends.mkldnn, name) for name in ("matmul", "conv")]
    before = [kind.fp32_precision for kind in kinds]
    wanted = "bf16" if precision == "bfloat16" else "ieee"
    changed = wanted == "bf16" or not {"none", "ieee"}.issuperset(before)
    try:
        if changed:
            for kind in kinds:
                kind.fp32_precision = wanted
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        if changed:
            for kind, precision_before in zip(kinds, before, strict=True):
                kind.fp32_precision = precision_before


def require_precision(precision: Precision, device: torch.device) -> None:
    """ParameterError where `device` has no products in `precision`. On a processor tf32 is float32."""
    if precision == "bfloat16" and (device.type != "cpu" or not multiplies_bfloat16()):
        raise ParameterError(
            "recipe.precision: bfloat16 cannot be had here", expected="a processor with AMX or AVX512-BF16",
            found="a GPU" if device.type != "cpu" else "one that has neither, or a torch without oneDNN",
            remedy="set it to float32" + ("" if device.type == "cpu" else ", or to tf32"))


def multiplies_bfloat16() -> bool:
    """Whether `products_in("bfloat16")` changes anything here: oneDNN takes float32 where the processor cannot."""
    if not torch.backends.mkldnn.is_available():
        return False
    with products_in("bfloat16"):
        return bool((product(torch.full((64, 64), 1 + 2**-12), torch.eye(64)) == 1).all())


def random_stream(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator for each seed and purpose, seeded by 64 bits of their SHA-256.

    Initial weights, data order, noise and dropout, validation and test samples come from separate streams: none of
    them changes when another draws more or less, and seed k never depends on which other seeds are run. A CPU's
    generator keeps the low 32 of these bits; seeds of an experiment for which two would be the same are refused.
    """
    return torch.Generator(device).manual_seed(seed_of(seed, purpose))


def random_int16(shape: Sequence[int], stream: torch.Generator) -> Tensor:
    """16 random bits an element, as int16: four elements for a draw, of which a CPU makes one after the other."""
    draws = torch.empty((math.prod(shape) + 3) // 4, dtype=torch.int64, device=stream.device)
    draws.random_(-2**63, None, generator=stream)
    return draws.view(torch.int16)[:math.prod(shape)].view(*shape)
