"""All measures of one set of samples, against real images that are looked at once.

Samples are compared with test images; validation images decide whatever is to be decided, and stand for samples where
it is to be seen what a measure gives to real images that no one has trained on. A measure that cannot be taken, for
want of samples or of labels, leaves a reason in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from gan.evaluation import (
    bins,
    classes,
    copying,
    density_coverage,
    frechet,
    kernel_distance,
    neighbours,
    precision_recall,
    two_sample,
)
from gan.evaluation.assessment_settings import MeasureSettings
from gan.evaluation.estimates import Estimate, finite_rows
from gan.evaluation.features import Features, Seen
from gan.evaluation.subsets import evenly_spaced

BINS_FROM = 10_000
"""training images to which k-means is fitted; all of them are then assigned"""
UNLABELLED = "the data have no labels"


@dataclass(frozen=True)
class Images:
    """A data set's splits in its scale, each [n, d], on the device of the measures."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class Reference:
    """What the measures need of the real images: the same for all samples. On one device."""

    train: Tensor
    """features [n, u], as all that follow"""
    validation: Tensor
    test: Tensor
    class_shares: Tensor
    """[c] among training images; empty where the data have no labels"""
    bin_centres: Tensor
    """[bins, d]"""
    bin_counts: Tensor
    """of training images [bins]"""
    cell_centres: Tensor
    """[cells, u]"""
    held_out_distances: Tensor
    """from each test image to the nearest training image, in features [n]"""
    held_out_cells: Tensor
    """[n]"""
    held_out_pixel_distances: Tensor
    """the same in pixels, of some test images"""

    _radii: dict[tuple[int, ...], Tensor] = field(default_factory=dict, repr=False)
    """of balls around test images, squared: by how many there are, and k"""

    def radii(self, n: int, *k: int) -> Tensor:
        """Of balls around n of the test images to their k-th nearest: `neighbours.radii`, computed once."""
        if (n, *k) not in self._radii:
            self._radii[n, *k] = neighbours.radii(evenly_spaced(self.test, n), k)
        return self._radii[n, *k]

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in _TENSORS}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: torch.device | str = "cpu") -> Reference:
        own: dict[str, Any] = {name: tensors[name].to(device) for name in _TENSORS}
        return cls(**own)


_TENSORS = [each.name for each in fields(Reference) if not each.name.startswith("_")]


def reference(images: Images, labels: Tensor | None, features: Features, settings: MeasureSettings,
              advance: Callable[[int], None] = lambda images: None) -> Reference:
    """From the splits and the training images' labels, int64 [n]. `advance` is told of images whose features are done.

    Raises TooFew for fewer training images than bins.
    """
    train, validation, test = (features(each, advance).features for each in (
        images.train, images.validation, images.test))
    shares = classes.histogram(labels, features.classes) if labels is not None else torch.empty(0)
    centres = bins.fit_bins(evenly_spaced(images.train, BINS_FROM), settings.bins)
    cells = bins.fit_bins(evenly_spaced(train, BINS_FROM), settings.cells)
    distances, _ = neighbours.nearest(test, train)
    in_pixels, _ = neighbours.nearest(evenly_spaced(images.test, settings.pixel_distances), images.train)
    return Reference(train, validation, test, shares.to(train.device), centres,
                     torch.bincount(bins.assign(images.train, centres), minlength=settings.bins), cells,
                     distances.sqrt(), bins.assign(test, cells), in_pixels.sqrt())


def measure(samples: Tensor, images: Images, real: Reference, features: Features, settings: MeasureSettings,
            held_out: bool = False) -> dict[str, Any]:
    """By name, the measures of `samples` [n, d] in the data's scale, as plain JSON values: `value` and
    `standard_error`, or `why` there is none; and what else is told of the samples.

    `held_out`: the samples are the validation images. ValueError for samples of another size, or not finite.
    """
    finite_rows("samples", samples)
    if samples.shape[1] != images.test.shape[1]:
        raise ValueError(f"samples must have {images.test.shape[1]} values each, as the data's images, not "
                         f"{samples.shape[1]}")
    n = min(settings.samples, len(samples), len(real.test), len(real.validation))
    samples, test = evenly_spaced(samples, n), evenly_spaced(real.test, n)
    seen = features(samples)
    found: dict[str, Any] = {"samples": n}
    found |= _taken(("frechet_distance",), lambda: [frechet.frechet_distance(test, seen.features)])
    found |= _taken(("kernel_distance",), lambda: [kernel_distance.kernel_distance(test, seen.features)])
    found |= _taken(("precision", "recall", "density", "coverage"),
                    lambda: _in_balls(real, test, seen.features, settings))
    found |= _classes(seen, real, settings)
    halves = _halves_of_real_images(real, n) if held_out else (
        two_sample.Halves(evenly_spaced(real.validation, n)[:n // 2], test[:n // 2]),
        two_sample.Halves(seen.features[:n // 2], seen.features[n // 2:]))
    found |= _taken(("two_sample_accuracy",), lambda: [
        two_sample.two_sample_test(*halves, settings.classifier_steps).accuracy])
    found |= _taken(("different_bins", "bin_divergence"), lambda: _bins(samples, real))
    found |= _copying(seen.features, real, settings)
    return found | _in_pixels(samples, images, real, settings)


def _taken(names: tuple[str, ...], take: Callable[[], list[Estimate]]) -> dict[str, Any]:
    try:
        return {name: asdict(estimate) for name, estimate in zip(names, take(), strict=True)}
    except ValueError as error:
        return {name: {"why": str(error)} for name in names}


def _in_balls(real: Reference, test: Tensor, samples: Tensor, settings: MeasureSettings) -> list[Estimate]:
    of_real = real.radii(len(test), settings.precision_neighbours, settings.density_neighbours)
    of_samples = neighbours.radii(samples, [settings.precision_neighbours])
    near = precision_recall.in_balls(test, samples, of_real[:, 0], of_samples[:, 0])
    dense = density_coverage.in_balls(test, samples, of_real[:, 1], settings.density_neighbours)
    return [near.precision, near.recall, dense.density, dense.coverage]


def _classes(seen: Seen, real: Reference, settings: MeasureSettings) -> dict[str, Any]:
    names = ("class_imbalance", "class_entropy", "sure")
    if seen.probabilities is None:
        return {name: {"why": UNLABELLED} for name in names}
    try:
        drawn = classes.classes_drawn(seen.probabilities, real.class_shares, settings.sure)
    except ValueError as error:
        return {name: {"why": str(error)} for name in names}
    return {"class_imbalance": asdict(drawn.imbalance), "class_entropy": asdict(drawn.entropy),
            "sure": asdict(drawn.sure), "class_shares": drawn.shares}


def _halves_of_real_images(real: Reference, n: int) -> tuple[two_sample.Halves, two_sample.Halves]:
    """Validation and test images, one half of each in the part of samples."""
    (one, other), (a, b) = (evenly_spaced(each, n // 2 * 2).tensor_split(2) for each in (real.validation, real.test))
    return two_sample.Halves(one, a), two_sample.Halves(other, b)


def _bins(samples: Tensor, real: Reference) -> list[Estimate]:
    drawn = bins.assign(samples, real.bin_centres)
    return [bins.share_of_different_bins(real.bin_counts, drawn), bins.divergence(real.bin_counts, drawn)]


def _copying(samples: Tensor, real: Reference, settings: MeasureSettings) -> dict[str, Any]:
    distances, _ = neighbours.nearest(samples, real.train)
    placed = copying.Placed(distances.sqrt().cpu(), bins.assign(samples, real.cell_centres).cpu())
    held_out = copying.Placed(real.held_out_distances.cpu(), real.held_out_cells.cpu())
    return _taken(("copying",), lambda: [copying.copying(held_out, placed, settings.cells)])


def _in_pixels(samples: Tensor, images: Images, real: Reference, settings: MeasureSettings) -> dict[str, Any]:
    """How near training images are in pixels, and the Parzen estimate's one number, r² (`nearest_window`)."""
    some = evenly_spaced(samples, settings.pixel_distances)
    distances = neighbours.nearest(some, images.train)[0].sqrt()
    windows = {}
    first = images.validation[:settings.pixel_distances]  # the first: so σ is chosen
    for name, asked in (("validation", first), ("test", evenly_spaced(images.test, settings.pixel_distances))):
        squares, _ = neighbours.nearest(asked, samples)
        windows[name] = float(squares.mean())
    return {"nearest_training_image": {
                "samples": len(some), "median": float(distances.median()),
                "held_out_median": float(real.held_out_pixel_distances.median()),
                "nearer_than_all_but_1_percent": copying.nearer_than(distances, real.held_out_pixel_distances)},
            "nearest_sample": {"samples": len(samples), "dimensions": samples.shape[1], "validation_images": len(first),
                               "mean_square_validation": windows["validation"], "mean_square_test": windows["test"]}}


# What each measure is made to catch.

def bad_samples(images: Images, labels: Tensor | None, n: int) -> dict[str, Tensor]:
    """Sets of n samples, or as many as there are, each wrong in one way that some measure is made for."""
    n = min(n, len(images.train))
    some = evenly_spaced(images.train, n)
    sets = {"training_images": some, "one_image": some[:1].expand(n, -1),
            "mean_image": images.train.mean(0, keepdim=True).expand(n, -1),
            "collapsed": _collapsed(images, n), "centroids": _centroids(images, n)}
    if labels is not None:
        kept = labels != int(labels.max() - 1 if labels.max() > 0 else 0)
        sets["without_a_class"] = evenly_spaced(images.train[kept], n)
    return sets


MODES = 10
"""that a collapsed generator is left with"""


def _collapsed(images: Images, n: int) -> Tensor:
    """A few training images over and over, each time a little different, as a generator that has collapsed draws."""
    modes = evenly_spaced(images.train, MODES)
    noise = torch.randn(n, modes.shape[1], generator=torch.Generator().manual_seed(0)).to(modes.device)
    spread = float(images.train[:1000].std())
    return modes[torch.arange(n, device=modes.device) % len(modes)] + 0.02 * spread * noise


def _centroids(images: Images, n: int) -> Tensor:
    """Averages of each training image's nearest four among some of them: what k-means makes of few images each."""
    some = evenly_spaced(images.train, 4 * n)
    starts = evenly_spaced(some, n)
    near = torch.cat([distances.topk(4, largest=False).indices
                      for _, distances in neighbours.squared_distances(starts, some)])
    return some[near].mean(1)
