"""When a start has collapsed, from figures of its training alone.

In a collapse D wins for good: its mean on training images goes to 1 and its mean on samples to 0, epoch after epoch,
while the samples become one image. A start may come near and turn back: on MNIST D's mean on data was seen at .96 in
epoch 5 and at .78 in epoch 10. So one epoch says nothing, and several in a row must agree. Neither test images nor the
Parzen estimate has a say; the validation log-likelihood of a collapsed start, far below 0 where others have over 100,
is a check of the rule and not a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

EPOCHS_IN_A_ROW = 5
SURE = 0.95
"""D's mean on data from which, and on samples 1 − this up to which, D counts as sure"""

START = 20
"""Epochs after which a start is judged"""


def has_collapsed(d_on_data: Sequence[float], d_on_samples: Sequence[float]) -> bool:
    """Whether D was sure in each of the last five epochs: mean on data ≥ .95 and mean on samples ≤ .05.

    One mean over the minibatches for each epoch so far, D as trained, dropout on. NaN counts as collapsed. ValueError
    for fewer than five epochs, which cannot tell, or for curves that differ in length.
    """
    if len(d_on_data) != len(d_on_samples) or len(d_on_data) < EPOCHS_IN_A_ROW:
        raise ValueError(f"collapse is told from at least {EPOCHS_IN_A_ROW} epochs of both means, not from "
                         f"{len(d_on_data)} on data and {len(d_on_samples)} on samples")
    last = slice(-EPOCHS_IN_A_ROW, None)
    return not any(on_data < SURE or on_samples > 1 - SURE
                   for on_data, on_samples in zip(d_on_data[last], d_on_samples[last], strict=True))
