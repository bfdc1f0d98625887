"""What holds for every baseline that is trained: it goes on from a saved state."""

import itertools

import pytest
import torch


class Stop(Exception):
    pass


def assert_resumes_to_the_same_bytes(create, weights, updates, epochs):
    """A model of `create(seed=…)` that is stopped after so many updates, saved, and restored in another one ends where
    one ends that nobody stopped. `weights` gives tensors of a model that training changes."""
    whole = create()
    expected = [whole.fit_epoch() for _ in range(epochs)]

    first, calls, saved = create(), itertools.count(1), {}

    def stop():
        if next(calls) == updates:
            saved.update(first.state())
            raise Stop

    with pytest.raises(Stop):
        list(iter(lambda: first.fit_epoch(stop), None))
    for tensor in weights(first):
        tensor.zero_()  # what was saved are copies
    second = create(seed=77)
    second.restore(saved)
    rows = [second.fit_epoch() for _ in range(epochs - second.epoch)]
    assert rows == expected[epochs - len(rows):]
    a, b = whole.state(), second.state()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
