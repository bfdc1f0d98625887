"""Curves by epoch as they are drawn."""

from __future__ import annotations

import numpy as np

from pipeline.figures import curves


def test_a_line_is_broken_where_pretraining_ends() -> None:
    epochs, values = curves._broken({1: 0.5, 2: 0.4, 3: 0.9}, [2])
    assert epochs == [1, 2, 2.5, 3]
    assert np.isnan(values[2])
    assert curves._broken({1: 0.5, 2: 0.4}, []) == ([1, 2], [0.5, 0.4])
