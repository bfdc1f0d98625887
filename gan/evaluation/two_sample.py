"""Whether a classifier can tell samples from real images that it has not seen.

Lopez-Paz and Oquab 2017, Revisiting Classifier Two-Sample Tests (arXiv 1610.06545), section 3: a classifier is trained
on one half of both sets, and its accuracy on the other half is ½ where both are from one distribution, with variance
1/4n. As they advise for images, it sees features. It is a network of one hidden layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gan.evaluation.estimates import Estimate, mean, require, require_comparable
from gan.linear_algebra import random_stream
from gan.optimisers import Adam

UNITS, BATCH, RATE, DECAY = 64, 200, 3e-3, 1e-2


@dataclass(frozen=True)
class TwoSampleTest:
    accuracy: Estimate
    """on features that the classifier was not trained on; ½ is chance"""
    p_value: float
    """probability of at least this accuracy where both sets are from one distribution"""


@dataclass(frozen=True)
class Halves:
    """Features of real images or of samples: [n, d] to train on, [m, d] to test on."""

    train: Tensor
    test: Tensor


def two_sample_test(real: Halves, samples: Halves, steps: int) -> TwoSampleTest:
    """Equally many of both are trained and tested on: the first ones, where one side has more.

    Raises TooFew for fewer than ten of either, ValueError for shapes that do not fit or values that are not finite.
    """
    trained, tested = (min(len(getattr(each, half)) for each in (real, samples)) for half in ("train", "test"))
    require(min(trained, tested), 10, "each half of the two-sample test")
    for one, other in ((real.train, samples.train), (real.test, samples.test)):
        require_comparable(one, other)
    x = torch.cat((real.train[:trained], samples.train[:trained])).float()
    middle, spread = x.mean(0), x.std(0).clamp(min=1e-6)
    logits = _classifier((x - middle) / spread, trained, steps)
    right = torch.cat([logits((real.test[:tested].float() - middle) / spread) > 0,
                       logits((samples.test[:tested].float() - middle) / spread) <= 0])
    accuracy = mean(right)
    z = (accuracy.value - 0.5) * math.sqrt(4 * len(right))
    return TwoSampleTest(accuracy, math.erfc(z / math.sqrt(2)) / 2)


class _classifier:  # noqa: N801 (it is a function that remembers)
    """Trained on x [2n, d], whose first n rows are real: logits [m] of being real."""

    def __init__(self, x: Tensor, real: int, steps: int) -> None:
        stream = random_stream(0, "two-sample test")
        d = x.shape[1]
        with torch.enable_grad():
            self._weights = [torch.randn(d, UNITS, generator=stream) * math.sqrt(2 / d), torch.zeros(UNITS),
                             torch.randn(UNITS, 1, generator=stream) / math.sqrt(UNITS), torch.zeros(1)]
            self._weights = [weight.to(x.device).requires_grad_() for weight in self._weights]
            adam = Adam(self._weights, decay=DECAY)
            for step in range(steps):
                rows = torch.randint(len(x), (BATCH,), generator=stream).to(x.device)
                loss = binary_cross_entropy_with_logits(self(x[rows]), (rows < real).float())
                adam.descend(loss, RATE * (1 - step / steps))
            self._weights = [weight.detach() for weight in self._weights]

    def __call__(self, x: Tensor) -> Tensor:
        first, bias, second, offset = self._weights
        return torch.addmm(offset, torch.addmm(bias, x, first).relu(), second)[:, 0]
