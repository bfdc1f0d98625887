"""Benchmark rows on a GPU: updates beside idiomatic PyTorch and beside their matrix products; the estimate up to ten
million samples, which are drawn block by block while they are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gan.evaluation import parzen
from gan.linear_algebra import products_in, random_stream
from pipeline.bare.clock import Share
from pipeline.bare.output import Output
from pipeline.bare.training import code_of_tests, few, seconds_per_update, start, weights
from pipeline.bare.workload import Workload, with_recipe

SEEDS = (1, 10)
EPOCHS = 500
SIZES = (10**4, 10**5, 10**6, 10**7)
MINIBATCHES = 20
BLOCK = parzen.GPU_SAMPLES_PER_BLOCK


def run(work: Workload, share: Share, out: Output, generator: Sequence[Tensor] | None) -> None:
    """`generator`: weights to draw samples with; None: those of an untrained one."""
    section = out.section("benchmarks")
    for name, measure in (("update", _updates), ("idiomatic", _idiomatic), ("products", _products)):
        for row in measure(work, min(1.0, share.seconds / 60)):
            section.setdefault(name, []).append(row)
            out.write()
            share.say(f"{name}: {_text(row)}")
            if share.left <= 0:
                return
    drawing = generator or weights(start(work, work.nets, [1]), 0)
    for row in _estimates(work, share, drawing):
        section.setdefault("parzen", []).append(row)
        out.write()
        share.say(f"estimate: {_text(row)}")
    one = next(row for row in section["update"] if row["seeds"] == 1 and row["precision"] == "float32")
    section["epochs_500"] = {"extrapolated_seconds": EPOCHS * work.updates_per_epoch * one["microseconds"] / 1e6}
    if section["epochs_500"]["extrapolated_seconds"] * 1.1 < share.left:
        training = start(work, work.nets, [1])
        training.run_epoch()
        section["epochs_500"]["seconds"] = work.seconds(lambda: [training.run_epoch() for _ in range(EPOCHS)])
    out.write()
    share.say(f"{EPOCHS} epochs of one seed: {_text(section['epochs_500'])}")


def _text(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in row.items())


def _updates(work: Workload, seconds: float) -> Iterator[dict[str, Any]]:
    """As they are trained, captured where this run captures; and one by one from Python."""
    for precision in ("float32", "tf32"):
        nets = with_recipe(work.nets, precision=precision)
        for seeds in SEEDS:
            yield {"seeds": seeds, "precision": precision, "captured": work.captured,
                   "microseconds": 1e6 * seconds_per_update(work, seeds, seconds, nets=nets)}
    captured = work.captured
    if captured:
        try:
            work.captured = False
            yield {"seeds": 1, "precision": "float32", "captured": False,
                   "microseconds": 1e6 * seconds_per_update(work, 1, seconds)}
        finally:
            work.captured = captured


def _idiomatic(work: Workload, seconds: float) -> Iterator[dict[str, Any]]:
    """tests/benchmarks/idiomatic.py: with its loader of single images, and of images that are on the device already."""
    code = code_of_tests("tests/benchmarks/idiomatic.py")
    images = few(work, MINIBATCHES)
    side = work.dataset.shape[1:]
    pixels = images.mul(255).round().to(torch.uint8).cpu().view(-1, *side)
    for precision in ("float32", "tf32"):
        with products_in(precision):
            training = code.IdiomaticTraining(work.nets, pixels, work.device)
            batches = images.split(work.nets.recipe.batch_size)

            def without_loader(step: Callable[[Tensor], object] = training._step,
                               batches: Sequence[Tensor] = batches) -> None:
                for batch in batches:
                    step(batch)

            for name, epoch in (("with a DataLoader of images", training.run_epoch),
                                ("images on the device", without_loader)):
                epoch()
                yield {"what": name, "precision": precision, "microseconds":
                       1e6 * work.median_seconds(epoch, seconds) / MINIBATCHES}


def _products(work: Workload, seconds: float) -> Iterator[dict[str, Any]]:
    """tests/benchmarks/products.py: the matrix products of one update alone, of one seed and of ten at once."""
    code = code_of_tests("tests/benchmarks/products.py")
    products = code.StepProducts(work.nets, work.train.shape[1], work.device)
    for precision in ("float32", "tf32"):
        for seeds in SEEDS:
            pairs = [(_several(a, seeds), _several(b, seeds)) for a, b in products.pairs]

            def multiply(pairs: Sequence[tuple[Tensor, Tensor]] = pairs) -> None:
                for a, b in pairs:
                    torch.matmul(a, b)

            with torch.no_grad(), products_in(precision):
                took = work.median_seconds(_captured(work, multiply), seconds) / _CAPTURED
            yield {"seeds": seeds, "precision": precision, "microseconds": 1e6 * took,
                   "operations": seeds * products.operations, "tera_operations_per_second":
                       seeds * products.operations / took / 1e12}


_CAPTURED = 10


def _captured(work: Workload, action: Callable[[], None]) -> Callable[[], None]:
    """Ten of them, where this run captures as one graph: starting them from Python would be what is timed."""
    def ten() -> None:
        for _ in range(_CAPTURED):
            action()

    if not work.captured:
        return ten
    beside = torch.cuda.Stream(work.device)
    beside.wait_stream(torch.cuda.current_stream(work.device))
    with torch.cuda.stream(beside):
        action()
    torch.cuda.current_stream(work.device).wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        ten()
    return graph.replay


def _several(factor: Tensor, seeds: int) -> Tensor:
    """The factor itself, or one for each seed with the same layout."""
    if seeds == 1:
        return factor
    transposed = not factor.is_contiguous()
    rows = factor.t() if transposed else factor
    stacked = rows.expand(seeds, *rows.shape).contiguous()
    return stacked.mT if transposed else stacked


def _estimates(work: Workload, share: Share, generator: Sequence[Tensor]) -> Iterator[dict[str, Any]]:
    """σ on validation images over both grids, then all test images at both: samples drawn anew for each."""
    settings = work.settings.parzen
    validation = work.validation[:settings.validation_images]
    bandwidths = [*settings.paper_grid.bandwidths(), *settings.refined_grid.bandwidths()]
    took = 0.0
    for n in SIZES:
        if n > work.options.largest:
            return
        if 10 * took > share.left:
            share.say(f"estimate: no time for {n:,} samples")
            return
        if work.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(work.device)

        def blocks(n: int = n) -> Iterator[Tensor]:
            stream = random_stream(1, "samples of the benchmark", work.device)
            for begun in range(0, n, BLOCK):
                yield work.draw(generator, min(BLOCK, n - begun), stream)

        begun = time.perf_counter()
        means = parzen.log_likelihood_of_blocks(validation, blocks(), bandwidths).mean(1)
        chosen = int(means.argmax())
        searched = time.perf_counter() - begun
        row = parzen.log_likelihood_of_blocks(work.test, blocks(), [bandwidths[chosen]])[0]
        mean, error = parzen.mean_and_standard_error(row)
        took = time.perf_counter() - begun
        yield {"samples": n, "seconds_of_search": searched, "seconds_of_test": took - searched,
               "bandwidths": len(bandwidths), "validation_images": len(validation), "test_images": len(work.test),
               "bandwidth": bandwidths[chosen], "test_log_likelihood": mean, "standard_error": error,
               "peak_memory_gib": torch.cuda.max_memory_allocated(work.device) / 2**30
               if work.device.type == "cuda" else None}
