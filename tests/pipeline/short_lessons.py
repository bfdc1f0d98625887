"""params.yaml and a plan of all ten lessons, so short that their numbers mean nothing."""

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
    "non_convergence": {"steps": 300},
    "mode_collapse": {"seeds": [1, 2], "batch": 32, "steps": 6, "unrolled": 2, "inner": 2},
    "minibatch_features": {"ring_seeds": [1, 2], "batch": 16, "ring_steps": 6, "digit_seeds": [1], "digit_batch": 16,
                           "digit_steps": 4, "judged": 50},
    "many_answers": {"seeds": [1, 2], "steps": 20, "judged": 100},
    "honest_pictures": {"batch": 16, "steps": 4, "drawn": 60, "shown": 10},
}
ALL = {name: dataclasses.asdict(entry.settings()) for name, entry in LESSONS.items()}


def write_parameters(**changes: object) -> None:
    """params.yaml with all ten lessons, short in profile smoke, and no experiment; `changes` replace its blocks. Beside
    it a plan of the lessons."""
    lessons = {**ALL, "profiles": {"smoke": SHORT}}
    committed = YAML(typ="safe").load(COMMITTED.read_text())
    content = committed | {"profile": "smoke", "experiments": {}, "lessons": lessons} | changes
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe").dump(content, file)
    Plan(["mnist"], lessons=[name for name, lesson in LESSONS.items() if not lesson.needs_digits],
         lessons_on_mnist=[name for name, lesson in LESSONS.items() if lesson.needs_digits]).write()
