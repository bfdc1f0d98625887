"""Which classes samples show, as a classifier of real images takes them.

Santurkar, Schmidt, Mądry 2018, A Classification-Based Study of Covariate Shift in GAN Distributions (arXiv 1711.00970):
a model that has the data's distribution draws every class as often as the data have it. A mode that is left out is a
class that is not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation.estimates import Estimate, jackknifed, mean_of_states


@dataclass(frozen=True)
class ClassesDrawn:
    shares: list[float]
    """of each class among the samples, by the likeliest class of each"""
    entropy: Estimate
    """of `shares`, in nats; log of the number of classes where all are drawn equally often"""
    imbalance: Estimate
    """total variation between `shares` and the data's: the share of samples that would have to be of another class"""
    sure: Estimate
    """share of samples whose likeliest class has at least the probability asked for"""


def classes_drawn(probabilities: Tensor, of_data: Tensor, sure: float = 0.9) -> ClassesDrawn:
    """From a classifier's probabilities [n, c] of samples; `of_data` [c] are the classes' shares among real images.

    Raises TooFew for fewer samples than errors need, ValueError for shapes that do not fit, or for one class only, of
    which there is nothing to say.
    """
    if probabilities.ndim != 2 or of_data.shape != probabilities.shape[1:]:
        raise ValueError(f"probabilities and the classes' shares must be [n, c] and [c]: {list(probabilities.shape)}, "
                         f"{list(of_data.shape)}")
    if int((of_data > 0).sum()) < 2:
        raise ValueError("the data are all of one class: there is nothing to say of how often each is drawn")
    likeliest, drawn = probabilities.max(1)
    count, expected = len(of_data), (of_data / of_data.sum()).double().cpu()
    drawn = drawn.cpu()
    return ClassesDrawn(
        histogram(drawn, count).tolist(), jackknifed(lambda rows: entropy(histogram(rows, count)), drawn),
        jackknifed(lambda rows: total_variation(histogram(rows, count), expected), drawn),
        mean_of_states(likeliest >= sure))


def histogram(classes: Tensor, count: int) -> Tensor:
    """Shares, float64 [count], of classes [n]."""
    return torch.bincount(classes, minlength=count).double() / len(classes)


def entropy(shares: Tensor) -> float:
    """In nats."""
    return math.fsum(-share * math.log(share) for share in shares.tolist() if share > 0)


def total_variation(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().sum() / 2)
