"""The two-player game: its value function and each player's loss (Goodfellow et al. 2014, equation 1 and section 3).

o is the discriminator's logit, so D = sigmoid(o); losses are written with softplus, which neither overflows nor loses
digits where D is near 0 or 1. The gradients with respect to the logits stand beside the losses because the training
step needs nothing else of them (see `gan.adversarial.training`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.adversarial.settings import Objective


def value(logits_on_data: Tensor, logits_on_samples: Tensor) -> Tensor:
    """V(D, G) = E log D(x) + E log(1 − D(G(z))) in nats (equation 1), from logits [n] and [m]."""
    return -softplus(-logits_on_data).mean() - softplus(logits_on_samples).mean()


def discriminator_loss(logits_on_data: Tensor, logits_on_samples: Tensor,
                       objective: Objective = Objective.NON_SATURATING) -> Tensor:
    """−V/2 in nats; the ½ is in the released code, not in the paper's equation. Of a relativistic D, −log of the
    probability that it gives to the real one of each pair."""
    if objective is Objective.RELATIVISTIC:
        return softplus(logits_on_samples - logits_on_data).mean()
    return -0.5 * value(logits_on_data, logits_on_samples)


def generator_loss(logits_on_samples: Tensor, objective: Objective, logits_on_data: Tensor | None = None) -> Tensor:
    """The generator's loss in nats, from logits [m]; where D is relativistic also those [m] on the pairs' images."""
    if objective is Objective.RELATIVISTIC:
        return softplus(_of_pairs(logits_on_data) - logits_on_samples).mean()
    if objective is Objective.MINIMAX:
        return -softplus(logits_on_samples).mean()
    return softplus(-logits_on_samples).mean()


def chances(logits_on_data: Tensor, logits_on_samples: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """D on data and on samples: how sure it is that each is real; of a relativistic D, each beside the other of its
    pair, as only differences of its logits mean anything."""
    if objective is Objective.RELATIVISTIC:
        difference = logits_on_data - logits_on_samples
        return difference.sigmoid(), (-difference).sigmoid()
    return logits_on_data.sigmoid(), logits_on_samples.sigmoid()


def discriminator_logit_gradient(logits: Tensor, data: int, objective: Objective = Objective.NON_SATURATING) -> Tensor:
    """∂(discriminator loss)/∂o, shape of `logits`: the first `data` of them on data, the rest on samples."""
    samples = logits.shape[0] - data
    if objective is Objective.RELATIVISTIC:
        doubts = torch.sigmoid(logits[data:] - logits[:data]).div_(samples)
        return torch.cat((-doubts, doubts))
    # −σ(−o) where σ(o) − 1 would lose its digits, and D is sure.
    gradient = torch.cat((-logits[:data], logits[data:])).sigmoid_()
    gradient[:data].mul_(-0.5 / max(data, 1))
    gradient[data:].mul_(0.5 / max(samples, 1))
    return gradient


def generator_logit_gradient(logits: Tensor, objective: Objective, logits_on_data: Tensor | None = None) -> Tensor:
    """∂(generator loss)/∂o, shape of `logits`, all of them on samples; `logits_on_data` as for the loss."""
    if objective is Objective.RELATIVISTIC:
        return torch.sigmoid(_of_pairs(logits_on_data) - logits).div_(-logits.shape[0])
    sign = -logits if objective is Objective.NON_SATURATING else logits
    return torch.sigmoid(sign).div_(-logits.shape[0])


def _of_pairs(logits_on_data: Tensor | None) -> Tensor:
    if logits_on_data is None:
        raise ValueError("the relativistic loss needs the logits on the images that samples are compared with")
    return logits_on_data
