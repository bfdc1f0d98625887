"""The page and the numbers while a run is under way: of experiments that are finished.

    python -m pipeline page mnist mnist_kmeans [--failed mnist_dbn]

Others that the plan has stand on it as left out, with the reason, whatever an earlier run has left of them. At the end
of a run the stage `report` writes the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.results.plan import Plan
from pipeline.stages import report

TO_COME = "this run has not come to it yet"
FAILED = "failed in this run, which says why"


def main(experiments: Sequence[str] = (), failed: Sequence[str] = ()) -> None:
    plan = Plan.read()
    missing = {name: FAILED if name in failed else TO_COME for name in plan.experiments if name not in experiments}
    shown = tuple(name for name in plan.experiments if name in experiments)
    report.write(replace(plan, experiments=shown, left_out={**missing, **plan.left_out}))
    print(f"page         {plan.page} has {len(shown)} of {len(plan.experiments)} experiments", flush=True)
