"""The paper's theory and the slides of 2016 as experiments, each with numbers that can fail.

A lesson is a module with the members of `Lesson`; LESSONS has them in the order in which they are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from gan.lessons import (
    convergence,
    figure_1,
    global_optimum,
    honest_pictures,
    many_answers,
    minibatch_features,
    mode_collapse,
    non_convergence,
    non_saturating,
    optimal_discriminator,
)
from gan.lessons.lesson import Criterion, Lesson, Outcome, Table, texts

__all__ = ["LESSONS", "Criterion", "Lesson", "Outcome", "Table", "texts"]

LESSONS: Mapping[str, Lesson] = {
    "figure_1": figure_1,
    "optimal_discriminator": optimal_discriminator,
    "global_optimum": global_optimum,
    "convergence": convergence,
    "non_saturating": non_saturating,
    "non_convergence": non_convergence,
    "mode_collapse": mode_collapse,
    "minibatch_features": minibatch_features,
    "many_answers": many_answers,
    "honest_pictures": honest_pictures,
}
