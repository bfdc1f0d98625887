"""The Parzen estimate

The whole of what scores one row of the report: σ chosen among 91 values (both grids) on 1,000 validation images, then
the 10,000 test images at that σ, under 10,000 samples; here training images of MNIST stand for the samples. *The
distances' products* are the matrix products of the same blocks, in the estimator's own precision and, as a lower floor
that its accuracy rules out, in float32. *The published algorithm* takes differences image by image, pixel by pixel,
anew for every σ (`parzen_ll.py`, released with the paper; written anew here, for torch, in float32). *KernelDensity* is
scikit-learn's, again anew for every σ, with `leaf_size` as large as the number of samples: with smaller leaves its
tree's bounds drop samples that count, and in 784 dimensions it is wrong by hundreds of nats. These two are timed on a
slice, stated in the notes, and scaled by what they took for each image, sample and σ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from sklearn.neighbors import KernelDensity
from torch import Tensor

from gan.evaluation import parzen
from gan.evaluation.settings import Grid
from pipeline.settings import parameters
from tests.benchmarks import workload
from tests.benchmarks.table import Effort, Row, faster, slower
from tests.benchmarks.timing import Comparison, compare, synchronised

ORDER = 3
PUBLISHED_BATCH = 10
"""images at a time, as the published scorer's default"""


@dataclass(frozen=True)
class Score:
    """What is scored: σ on validation images, then test images."""

    validation: Tensor
    test: Tensor
    samples: Tensor
    grids: list[Grid]

    @property
    def bandwidths(self) -> list[float]:
        return [sigma for grid in self.grids for sigma in grid.bandwidths()]

    @property
    def terms(self) -> int:
        """Images × samples × values of σ"""
        return len(self.samples) * (len(self.bandwidths) * len(self.validation) + len(self.test))

    def ours(self) -> tuple[float, Tensor]:
        """σ and the test images' log-likelihoods"""
        searches = parzen.search(self.validation, self.samples, self.grids)
        sigma = searches[-1].chosen
        return sigma, parzen.log_likelihood(self.test, self.samples, [sigma])[0]

    def products(self, precision: torch.dtype) -> Callable[[], None]:
        """The matrix products of `ours`, block by block, of factors that have the precision already."""
        samples = self.samples.to(precision).split(parzen.SAMPLES_PER_BLOCK)
        norms = [torch.zeros(len(block), dtype=precision, device=block.device) for block in samples]
        both = [images.to(precision).split(parzen.IMAGES_PER_BLOCK) for images in (self.validation, self.test)]

        def run() -> None:
            for images in both:
                for block, norm in zip(samples, norms, strict=True):
                    for some in images:
                        torch.addmm(norm, some, block.t(), alpha=-2)

        return run


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    score = to_score(effort, device)
    what = "σ chosen and test images scored"
    ours = synchronised(score.ours, device)
    for precision, floor, target in ((torch.float64, "the distances' products in float64", 1.5),
                                     (torch.float32, "the distances' products in float32", None)):
        yield slower(what, floor, compare(
            ours, synchronised(score.products(precision), device), effort), target)

    sigma, _ = score.ours()
    images = workload.few(effort, 2 * PUBLISHED_BATCH, PUBLISHED_BATCH, 4)
    yield _scaled(what, "the published algorithm", score, images, compare(
        ours, synchronised(lambda: published(score.test[:images], score.samples, [sigma]), device), effort,
        scale=_scale(score, images)), 100)
    images = workload.few(effort, 50, 20, 4)
    yield _scaled(what, "scikit-learn's KernelDensity", score, images, compare(
        ours, lambda: kernel_density(score.test[:images], score.samples, [sigma]), effort,
        scale=_scale(score, images)), 40)


def to_score(effort: Effort, device: torch.device) -> Score:
    data, settings = workload.dataset(effort), parameters.load().parzen("paper", "mnist")
    samples, searched, scored = ((60, 20, 25) if effort.tiny else
                                 (settings.samples, settings.validation_images, len(data.test)) if effort.full else
                                 (2000, 200, 2000))
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:samples]
    return Score(data.validation[:searched].to(device), data.test[:scored].to(device), data.train[order].to(device),
                 [settings.paper_grid, settings.refined_grid])


def _scale(score: Score, images: int) -> float:
    return score.terms / (images * len(score.samples))


def _scaled(what: str, against: str, score: Score, images: int, measured: Comparison, target: float) -> Row:
    slice_seconds = measured.other / _scale(score, images)
    per_term = slice_seconds / (images * len(score.samples))
    return faster(what, against, measured, target,
                  note=f"{against}: timed on {images} images, {len(score.samples):,} samples and one σ, "
                       f"{slice_seconds:.2f} s or {per_term * 1e9:.0f} ns for each image, sample and σ, of which the "
                       f"whole has {score.terms:,}")


def published(images: Tensor, samples: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Log-likelihoods [k, m] by differences: each batch of images against all samples, each σ for itself."""
    result = []
    for sigma in bandwidths:
        batches = []
        for batch in images.split(PUBLISHED_BATCH):
            scaled = (batch.unsqueeze(1) - samples) / sigma
            exponents = -0.5 * scaled.square().sum(2)
            largest = exponents.max(1, keepdim=True).values
            batches.append((largest + (exponents - largest).exp().mean(1, keepdim=True).log()).squeeze(1))
        result.append(torch.cat(batches) - images.shape[1] * math.log(sigma * math.sqrt(2 * math.pi)))
    return torch.stack(result)


def kernel_density(images: Tensor, samples: Tensor, bandwidths: Sequence[float]) -> Tensor:
    """Log-likelihoods [k, m] by scikit-learn, exact because its tree is one leaf."""
    images, samples = images.cpu(), samples.cpu()
    return torch.stack([torch.from_numpy(
        KernelDensity(kernel="gaussian", bandwidth=sigma, leaf_size=len(samples)).fit(samples.numpy())
        .score_samples(images.numpy())) for sigma in bandwidths])
