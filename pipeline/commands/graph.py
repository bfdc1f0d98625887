"""The graph on this machine, experiment by experiment: first what the headline is read by, then the rest.

DVC by itself would go through the graph in an order of its own, and write the page at the end of it. Here the first
row comes within minutes: that of real images, which nothing is trained for. Then come the adversarial nets of the same
data, then the other rows of these data, then everything else. Each row is printed as soon as it is scored, and the page
is written after each experiment; those that are to come stand on it as such.
"""

from __future__ import annotations

from collections.abc import Sequence

from gan.errors import ReproductionError
from pipeline.commands.rows import MORE, Rows, dataset_of
from pipeline.commands.unfinished import changed_stages, unfinished
from pipeline.results.plan import Plan
from pipeline.runtime import process
from pipeline.settings import plan as plan_file


def run() -> None:
    """ReproductionError if stages fail; everything that does not need them has been run by then."""
    process.dvc("repro", "configure")
    plan, planned = Plan.read(), plan_file.Plan.read()
    rows = Rows(plan, unfinished(planned, changed_stages()))
    for name in rows.to_do:
        if not _reproduces(f"evaluate@{name}"):
            rows.failed.append(name)
            continue
        print(rows.scored(name), flush=True)
        if not _reproduces("--keep-going", *(f"{stage}@{name}" for stage in MORE)):
            rows.failed.append(name)
        if rows.left:
            rows.write_page()
    if not rows.failed:
        process.dvc("repro", "--keep-going")
        return
    sound = [name for name in rows.finished if name not in rows.failed]
    others = [*planned.lesson_stages.values(), *_measures(plan, sound)]
    if others and not _reproduces("--keep-going", *others):
        rows.failed.append("lessons or measures")
    rows.write_page()
    raise ReproductionError(f"stages of {', '.join(rows.failed)} failed", found=f"{plan.page} shows what there is",
                            remedy="see above what each said, and mend it; the same command runs them again, and "
                                   "nothing that is done")


def _measures(plan: Plan, experiments: Sequence[str]) -> list[str]:
    """The stages of the second opinion on these experiments, which else come with the rest of the graph."""
    datasets = dict.fromkeys(filter(None, (dataset_of(plan, name) for name in experiments)))
    return [*(f"references@{name}" for name in datasets), *(f"assess@{name}" for name in experiments)]


def _reproduces(*words: str) -> bool:
    """Whether DVC could run these stages and what they need; it has said why not."""
    try:
        process.dvc("repro", *words)
    except ReproductionError:
        return False
    return True
