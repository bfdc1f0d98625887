"""The Parzen window estimate of a log-likelihood (Breuleux, Bengio, Vincent 2011), as the paper scores its models.

A Gaussian of width σ stands on each of n samples s_j drawn from a model; the log-likelihood of a d-dimensional x is

    log p(x) = log (1/n) Σ_j exp(−‖x − s_j‖² / 2σ²) − d·log(σ√(2π))        in nats,

in the scale that x and s_j have. σ is the one that makes validation images likeliest. Squared distances do not depend
on σ: they are computed once, block by block, for all values of σ together, and the sum over samples is folded into
the same pass, so that memory does not grow with the number of samples. Distances are in float64: in float32
a squared distance of 100 is off by 1e-5, which σ = .1 turns into 5e-4 nats; and precision policies set elsewhere, such
as TF32, do not reach it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation import folds
from gan.evaluation.settings import Grid

IMAGES_PER_BLOCK, SAMPLES_PER_BLOCK = 256, 2048
"""What a CPU's caches hold"""

GPU_IMAGES_PER_BLOCK, GPU_SAMPLES_PER_BLOCK = 2048, 16384
"""What keeps a GPU busy: a quarter of a GiB of distances, and two copies of them"""


def log_likelihood(images: Tensor, samples: Tensor, bandwidths: Sequence[float],
                   advance: Callable[[int], None] = lambda done: None) -> Tensor:
    """Log-likelihood in nats of each of `images` [m, d] under Parzen windows on `samples` [n, d]: float64 [k, m].

    One row for each of the k `bandwidths`. `advance` is called with the number of images finished since the last call.
    Raises ValueError for shapes that do not fit, an empty set, values that are not finite or a bandwidth ≤ 0.
    """
    _require_comparable(images, samples)
    size = GPU_SAMPLES_PER_BLOCK if samples.is_cuda else SAMPLES_PER_BLOCK
    done = 0

    def blocks() -> Iterator[Tensor]:
        nonlocal done
        for block in samples.split(size):
            yield block
            done += len(block)
            advance(len(images) * done // len(samples) - len(images) * (done - len(block)) // len(samples))

    return log_likelihood_of_blocks(images, blocks(), bandwidths)


def log_likelihood_of_blocks(images: Tensor, blocks: Iterable[Tensor], bandwidths: Sequence[float]) -> Tensor:
    """As `log_likelihood`, of samples that come in `blocks` [n_i, d] of any sizes, all on one device.

    Blocks may be drawn as they are asked for: memory does not grow with their number. Raises ValueError as there.
    """
    if not bandwidths or not all(0 < sigma < math.inf for sigma in bandwidths):
        raise ValueError(f"bandwidths must be finite and above 0: {list(bandwidths)}")
    blocks = iter(blocks)
    first = next(blocks, None)
    if first is None:
        raise ValueError("at least one image and one sample are needed: no samples")
    device = first.device
    images = images.double().to(device)
    # Distances are the same from any origin; near the images the squares cancel least.
    origin = images.mean(0)
    images = images - origin
    sigmas = torch.tensor(bandwidths, dtype=torch.float64, device=device)
    scales = -0.5 / sigmas.square().unsqueeze(1)
    factors = scales.flatten().tolist()
    nearest = torch.full((len(images), 1), math.inf, dtype=torch.float64, device=device)
    sums = torch.zeros(len(sigmas), len(images), dtype=torch.float64, device=device)
    n = 0
    for block in itertools.chain([first], blocks):
        n += len(block)
        block = block.double() - origin
        norms = block.square().sum(1)
        start = 0
        for some in images.split(GPU_IMAGES_PER_BLOCK if images.is_cuda else IMAGES_PER_BLOCK):
            rows = slice(start, start + len(some))
            _add_samples(sums[:, rows], nearest[rows], some, block, norms, scales, factors)
            start += len(some)
    # ‖x‖², which all distances of an image share, was left out.
    nearest.add_(images.square().sum(1, keepdim=True)).clamp_(min=0)
    d = images.shape[1]
    return sums.log_().add_(scales * nearest.t()) - math.log(n) - (
        d * (sigmas * math.sqrt(2 * math.pi)).log()).unsqueeze(1)


def _add_samples(sums: Tensor, nearest: Tensor, images: Tensor, samples: Tensor, norms: Tensor, scales: Tensor,
                 factors: Sequence[float]) -> None:
    """Add Σ_j exp(−(‖x − s_j‖² − nearest) / 2σ²) over a block of samples to `sums` [k, m].

    The largest term belongs to the nearest sample whatever σ is, so one running minimum of the distances, `nearest`
    [m, 1], keeps the sums of all σ from under- and overflowing. `factors` are the `scales` [k, 1] as numbers.
    """
    distances = torch.addmm(norms, images, samples.t(), alpha=-2)
    closer = torch.minimum(nearest, distances.amin(1, keepdim=True))
    sums.mul_((scales * (nearest - closer).t()).exp_())  # inf on the first block, where the sums are still 0
    nearest.copy_(closer)
    _add_terms(sums, distances.sub_(closer), factors)


# A term of e⁻⁸⁰ times the largest changes no sum, and exp of less is 10 times slower, as its result is denormal.
_NEGLIGIBLE = -80.0


def _add_terms(sums: Tensor, excess: Tensor, scales: Sequence[float]) -> None:
    """Add Σ_j exp(scale·excess_ij) to `sums` [k, m], for `excess` [m, n] over the nearest sample's squared distance.

    Relative to the nearest sample float32 is ample: an exponent of 80 is off by 5e-6. From the widest σ to the
    narrowest fewer and fewer samples count; on a CPU, the others are left out once most of them do not.
    """
    rows = None
    near = excess.float()
    for k in sorted(range(len(scales)), key=scales.__getitem__, reverse=True):
        reach = _NEGLIGIBLE / scales[k]
        if excess.is_cpu:
            counts = near < reach
            if int(torch.count_nonzero(counts)) < near.numel() / (8 if rows is None else 2):
                rows = counts.nonzero()[:, 0] if rows is None else rows[counts]
                near = near[counts]
        if rows is None:
            sums[k].add_((near * scales[k]).clamp_(min=_NEGLIGIBLE).exp_().sum(1))
        else:
            sums[k].index_add_(0, rows, (near * scales[k]).clamp_(min=_NEGLIGIBLE).exp_().double())


def _require_comparable(images: Tensor, samples: Tensor) -> None:
    if images.ndim != 2 or samples.ndim != 2 or images.shape[1] != samples.shape[1]:
        raise ValueError(f"images and samples must be [m, d] and [n, d]: {list(images.shape)}, {list(samples.shape)}")
    if not len(images) or not len(samples):
        raise ValueError(f"at least one image and one sample are needed: {len(images)}, {len(samples)}")
    for block in (*images.split(SAMPLES_PER_BLOCK), *samples.split(SAMPLES_PER_BLOCK)):
        if not bool(block.isfinite().all()):
            raise ValueError("images and samples must hold finite numbers")


@dataclass(frozen=True)
class Search:
    """The mean validation log-likelihood over a grid of bandwidths, and the best of them."""

    bandwidths: list[float]
    log_likelihoods: list[float]

    @property
    def chosen(self) -> float:
        return self.bandwidths[self._best]

    @property
    def validation_log_likelihood(self) -> float:
        return self.log_likelihoods[self._best]

    @property
    def at_the_edge(self) -> bool:
        """Whether the best is the grid's first or last, so that a better one may lie outside."""
        return self._best in (0, len(self.bandwidths) - 1)

    @property
    def _best(self) -> int:
        return max(range(len(self.bandwidths)), key=self.log_likelihoods.__getitem__)


def search(validation: Tensor, samples: Tensor, grids: Sequence[Grid],
           advance: Callable[[int], None] = lambda done: None) -> list[Search]:
    """Search several grids in one pass over the distances; one result for each of `grids`."""
    bandwidths = [grid.bandwidths() for grid in grids]
    means = log_likelihood(validation, samples, [*itertools.chain(*bandwidths)], advance).mean(1).tolist()
    return [Search(sigmas, [means.pop(0) for _ in sigmas]) for sigmas in bandwidths]


def mean_over_folds(searches: Sequence[Search]) -> Search:
    """The mean over folds at each of the bandwidths, which are the same for all."""
    columns = zip(*(search.log_likelihoods for search in searches), strict=True)
    return Search(searches[0].bandwidths, [*map(folds.mean, columns)])


def mean_and_standard_error(log_likelihoods: Tensor) -> tuple[float, float]:
    """Mean over images [m] and its standard error: population standard deviation / √m, as in the released scorer."""
    return (float(log_likelihoods.mean()),
            float(log_likelihoods.std(correction=0) / math.sqrt(len(log_likelihoods))))
