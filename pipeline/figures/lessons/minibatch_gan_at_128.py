"""Pictures of 128 × 128, fewer and larger than the small ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gan.lessons.lesson import Outcome
from pipeline.figures.lessons import minibatch_gan
from pipeline.figures.lessons.panel import Drawing


def draw(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    return minibatch_gan.draw(outcome, settings, rows_of_large=2)
