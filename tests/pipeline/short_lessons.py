"""params.yaml and a plan of all lessons, so short that their numbers mean nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ruamel.yaml import YAML

from gan.lessons.catalogue import LESSONS
from pipeline.settings.plan import Plan

COMMITTED = Path(__file__).parents[2] / "params.yaml"
SHORT = {
    "figure_1": {"seeds": [1, 2], "alone": 20, "between": 3, "rounds": 12, "frames": 6},
    "optimal_discriminator": {"seeds": [1, 2], "batch": 128, "steps": 20},
    "global_optimum": {"seeds": [1, 2], "points": 5, "batch": 64, "steps": 20, "rounds": 12},
    "convergence": {"rounds": 40},
    "non_saturating": {"seeds": [1], "batch": 20, "frozen": 4, "narrower": 12, "steps": 3, "looks": 2, "judged": 20},
    "self_play": {"seeds": [1, 2], "rounds": 6},
    "robust_optimisation": {"seeds": [1, 2], "radii": [0.1, 0.3], "steps": 60, "cautions": [2.0],
                            "portfolio_steps": 60},
    "adversarial_examples": {"seeds": [1, 2], "batch": 20, "steps": 4, "attack": 3, "judged": 20},
    "vector_arithmetic": {"seeds": [1, 2], "batch": 16, "steps": 4, "pool": 100, "judged": 40, "averaged": [1, 3],
                          "trials": 6},
    "non_convergence": {"steps": 300},
    "mode_collapse": {"seeds": [1, 2], "batch": 32, "steps": 6, "unrolled": 2, "inner": 2},
    "minibatch_features": {"ring_seeds": [1, 2], "batch": 16, "ring_steps": 6, "digit_seeds": [1], "digit_batch": 16,
                           "digit_steps": 4, "judged": 50},
    "minibatch_gan": {"seeds": [1, 2], "channels": 4, "batch": 8, "steps": 3, "judged": 60},
    "minibatch_gan_at_128": {"seeds": [1, 2], "channels": 2, "batch": 4, "steps": 2, "judged": 20},
    "honest_pictures": {"seeds": [1, 2], "batch": 16, "steps": 4, "drawn": 60, "shown": 10},
    "problems_measured": {"seeds": [1, 2], "pictures": 200, "steps": 6, "looks": 2, "judged": 60, "looked": 20},
    "image_to_image": {"seeds": [1, 2], "width": 4, "batch": 2, "digit_steps": 3, "colour_steps": 3, "judged": 20},
    "plug_and_play": {"seeds": [1], "batch": 16, "classifier_steps": 4, "steps": 4, "denoiser_steps": 4, "chains": 2,
                      "moves": 4, "later": 2, "walk": 3, "cells": 20},
    "many_answers": {"seeds": [1, 2], "steps": 20, "judged": 100},
    "next_frame": {"seeds": [1, 2], "batch": 16, "steps": 4, "judged": 20},
    "markets": {"turns": 2, "steps": 300, "seeds": [1, 2], "auctions": 60},
}
ALL = {name: dataclasses.asdict(entry.settings()) for name, entry in LESSONS.items()}


def write_parameters(**changes: object) -> None:
    """params.yaml with all lessons, short in profile smoke, and no experiment; `changes` replace its blocks. Beside
    it a plan of the lessons."""
    lessons = {**ALL, "profiles": {"smoke": SHORT}}
    committed = YAML(typ="safe").load(COMMITTED.read_text())
    content = committed | {"profile": "smoke", "experiments": {}, "lessons": lessons} | changes
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(content, file)
    on_data = {name: lesson.data for name, lesson in LESSONS.items() if lesson.data}
    Plan(list(dict.fromkeys(on_data.values())), lessons=[name for name in LESSONS if name not in on_data],
         lessons_on_data=on_data).write()
