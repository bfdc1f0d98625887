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


def discriminator_loss(logits_on_data: Tensor, logits_on_samples: Tensor) -> Tensor:
    """−V/2 in nats. The ½ is in the released code, not in the paper's equation."""
    return -0.5 * value(logits_on_data, logits_on_samples)


def generator_loss(logits_on_samples: Tensor, objective: Objective) -> Tensor:
    """The generator's loss in nats, from logits [m]."""
    if objective is Objective.MINIMAX:
        return -softplus(logits_on_samples).mean()
    return softplus(-logits_on_samples).mean()


def discriminator_logit_gradient(logits: Tensor, data: int) -> Tensor:
    """∂(discriminator loss)/∂o, shape of `logits`: the first `data` of them on data, the rest on samples."""
    samples = logits.shape[0] - data
    # −σ(−o) where σ(o) − 1 would lose its digits, and D is sure.
    gradient = torch.cat((-logits[:data], logits[data:])).sigmoid_()
    gradient[:data].mul_(-0.5 / max(data, 1))
    gradient[data:].mul_(0.5 / max(samples, 1))
    return gradient


def generator_logit_gradient(logits: Tensor, objective: Objective) -> Tensor:
    """∂(generator loss)/∂o, shape of `logits`, all of them on samples."""
    sign = -logits if objective is Objective.NON_SATURATING else logits
    return torch.sigmoid(sign).div_(-logits.shape[0])
