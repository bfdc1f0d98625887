"""Settings and remarks as text."""

from __future__ import annotations

import pytest
from finished_run import REDUCED

from pipeline.results.text import change_in_words, duplicates_text


def test_change_in_words() -> None:
    assert [change_in_words(one) for one in REDUCED] == [
        "generator, hidden layer 1, units: 1200 (paper: 8000)",
        "generator, hidden layer 2, activation: relu (paper: sigmoid)",
        "discriminator, hidden layer 1, convolution, pool stride: 2 (paper: none)",
        "recipe, epochs: 12 (paper: 500)", "seeds: 1, 2 (paper: 1, 2, 3)"]


@pytest.mark.parametrize(("duplicates", "expected"), [
    ({}, ""), ({"test": 0}, ""), ({"test": 1}, "1 test image is also among the training images"),
    ({"validation": 3, "test": 1200}, "3 validation and 1,200 test images are also among the training images"),
    ({"train": 2}, "2 training images repeat an earlier one")])
def test_duplicates_in_words(duplicates: dict[str, int], expected: str) -> None:
    assert duplicates_text(duplicates) == expected
