"""How many samples lie among real images, and how many real images among samples.

Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019, Improved Precision and Recall Metric for Assessing Generative Models
(arXiv 1904.06991): around each point of a set lies a ball that reaches to its k-th nearest other one, and the balls
together stand for the set. Precision is the share of samples in the balls of real images, recall the share of real
images in the balls of samples. k is 3 in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gan.evaluation import neighbours
from gan.evaluation.estimates import Estimate, mean, mean_of_states, require_comparable


@dataclass(frozen=True)
class PrecisionAndRecall:
    precision: Estimate
    recall: Estimate


def precision_and_recall(real: Tensor, samples: Tensor, k: int = 3) -> PrecisionAndRecall:
    """Of features of real images [m, d] and of samples [n, d].

    Errors are those of a mean over the samples, for recall over the real images, the balls being what they are. Raises
    TooFew unless there are more than k of both, ValueError for shapes that do not fit or values that are not finite.
    """
    require_comparable(real, samples)
    return in_balls(real, samples, neighbours.radii(real, [k])[:, 0], neighbours.radii(samples, [k])[:, 0])


def in_balls(real: Tensor, samples: Tensor, of_real: Tensor, of_samples: Tensor) -> PrecisionAndRecall:
    """As `precision_and_recall`, with the squared radii of the balls around real images [m] and samples [n]."""
    precise = torch.zeros(len(samples), dtype=torch.bool, device=samples.device)
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, distances in neighbours.squared_distances(samples, real):
        precise[rows] = (distances <= of_real).any(1)
        recalled |= (distances <= of_samples[rows].unsqueeze(1)).any(0)
    return PrecisionAndRecall(mean_of_states(precise), mean(recalled))
