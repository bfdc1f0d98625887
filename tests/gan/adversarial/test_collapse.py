"""The rule of collapse on made curves."""

import math

import pytest

from gan.adversarial.collapse import has_collapsed


def curves(*on_data, on_samples=None):
    return list(on_data), [1 - value for value in on_data] if on_samples is None else on_samples


HEALTHY = [0.85, 0.9, 0.88, 0.8, 0.78, 0.76, 0.75]


@pytest.mark.parametrize(("on_data", "collapsed"), [
    (HEALTHY, False),
    ([0.8, 0.9, 0.95, 0.97, 0.99, 0.99, 0.99], True),
    ([0.96, 0.98, 0.99, 0.96, 0.97, 0.9, 0.8, 0.78], False),  # came near and turned back
    ([0.9] * 10 + [0.96] * 4, False),  # four epochs do not tell
    ([0.9] * 10 + [0.96] * 5, True),
    ([0.95] * 5, True),
    ([0.5] + [math.nan] * 5, True),
])
def test_d_that_is_sure_in_five_epochs_running_has_won(on_data, collapsed):
    assert has_collapsed(*curves(*on_data)) is collapsed


def test_d_must_be_sure_of_samples_as_well():
    assert not has_collapsed([0.99] * 5, [0.1] * 5)
    assert has_collapsed([0.99] * 5, [0.01] * 5)


@pytest.mark.parametrize(("on_data", "on_samples"), [([], []), ([0.99] * 4, [0.01] * 4), ([0.99] * 5, [0.01] * 6)])
def test_curves_that_cannot_tell_are_refused(on_data, on_samples):
    with pytest.raises(ValueError, match="at least 5 epochs"):
        has_collapsed(on_data, on_samples)
