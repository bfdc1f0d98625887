"""Products of less than float32: where they can be had, what they round, and that nothing else is rounded."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan import linear_algebra
from gan.errors import ParameterError
from gan.evaluation import parzen
from gan.linear_algebra import affine, multiplies_bfloat16, product, products_in, require_precision

CPUINFO = Path("/proc/cpuinfo")
needs_bfloat16 = pytest.mark.skipif(not multiplies_bfloat16(), reason="this processor does not multiply bfloat16")


def factors(n, k, m):
    stream = torch.Generator().manual_seed(0)
    return torch.randn(n, k, generator=stream), torch.randn(k, m, generator=stream)


@pytest.mark.skipif(not CPUINFO.is_file() or "vendor_id" not in CPUINFO.read_text(), reason="not an x86 Linux")
def test_it_is_had_where_the_processor_says_so():
    flags = set(CPUINFO.read_text().split())
    assert multiplies_bfloat16() == bool(flags & {"amx_bf16", "avx512_bf16"})


@needs_bfloat16
@given(n=st.integers(17, 70), k=st.integers(17, 300), m=st.integers(17, 70))
def test_factors_are_rounded_to_bfloat16_and_sums_are_not(n, k, m):
    """The reference has factors of 8 bits, multiplied and summed in float64. oneDNN leaves some products of 16 rows or
    fewer in float32."""
    a, b = factors(n, k, m)
    bias = torch.linspace(-1, 1, m)
    expected = a.bfloat16().double() @ b.bfloat16().double()
    with products_in("bfloat16"):
        found, with_bias = product(a, b), affine(a, b, bias)
    scale = float(a.norm(dim=1).max() * b.norm(dim=0).max())
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6 * scale)
    torch.testing.assert_close(with_bias.double(), expected + bias, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_a_processor_has_float32_unless_bfloat16_is_asked_for(precision):
    a, b = factors(50, 60, 70)
    with products_in(precision):
        found = product(a, b)
    torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_what_was_set_outside_does_not_round_training(precision):
    """torch.set_float32_matmul_precision, meant for GPUs, rounds products and convolutions on such a processor."""
    a, b = factors(50, 60, 70)
    images, kernels = torch.linspace(0, 1, 2048).view(1, 8, 16, 16), torch.linspace(-1, 1, 576).view(8, 8, 3, 3)
    expected = torch.nn.functional.conv2d(images.double(), kernels.double())
    try:
        torch.set_float32_matmul_precision("medium")
        before = torch.backends.mkldnn.matmul.fp32_precision
        with products_in(precision):
            found, convolved = product(a, b), torch.nn.functional.conv2d(images, kernels)
        assert torch.backends.mkldnn.matmul.fp32_precision == before
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.mkldnn.matmul.fp32_precision = "none"
    torch.testing.assert_close(found.double(), a.double() @ b.double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(convolved.double(), expected, rtol=0, atol=1e-4)


@needs_bfloat16
def test_outside_of_it_products_are_float32_again_also_after_an_error():
    a, b = factors(50, 60, 70)
    before = product(a, b)
    with pytest.raises(KeyError), products_in("bfloat16"):
        raise KeyError
    assert torch.equal(product(a, b), before)


@needs_bfloat16
def test_the_estimate_is_never_rounded():
    images, samples = factors(30, 40, 40)
    expected = parzen.log_likelihood(images, samples.t().contiguous(), [0.5])
    with products_in("bfloat16"):
        assert torch.equal(parzen.log_likelihood(images, samples.t().contiguous(), [0.5]), expected)


def test_where_it_cannot_be_had_it_is_refused(monkeypatch):
    monkeypatch.setattr(linear_algebra, "multiplies_bfloat16", lambda: False)
    with pytest.raises(ParameterError, match=r"precision: bfloat16 cannot be had here\n +expected: .*AMX"):
        require_precision("bfloat16", torch.device("cpu"))
    for precision in ("float32", "tf32"):
        require_precision(precision, torch.device("cpu"))


def test_a_gpu_has_tf32_for_it(monkeypatch):
    monkeypatch.setattr(linear_algebra, "multiplies_bfloat16", lambda: True)
    require_precision("bfloat16", torch.device("cpu"))
    with pytest.raises(ParameterError, match=r"found: +a GPU\n.*or to tf32"):
        require_precision("bfloat16", torch.device("cuda"))
