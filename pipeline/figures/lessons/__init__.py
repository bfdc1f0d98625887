"""The lessons' pictures: each shows every seed, and what theory says beside what was measured.

A module for each lesson, imported by the lesson's name, so that a change to one drawing runs one lesson again.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from gan.lessons.lesson import Outcome
    from pipeline.figures.lessons.panel import Drawing


def module_of(name: str) -> str:
    """The module that draws a lesson; with what that imports, it is what the lesson's picture depends on."""
    return f"{__name__}.{name}"


def draw(name: str, outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    """The figure of lesson `name`, from its tables and images alone."""
    return cast("Drawing", importlib.import_module(module_of(name)).draw(outcome, settings))
