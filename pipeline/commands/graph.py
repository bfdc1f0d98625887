"""The graph on this machine, experiment by experiment: first what the headline is read by, then the rest.

DVC by itself would go through the graph in an order of its own, and write the page at the end of it. Here the first
row comes within minutes: that of real images, which nothing is trained for. Then come the adversarial nets of the same
data, then the other rows of these data, then everything else. Each row is printed as soon as it is scored, and the page
is written after each experiment; those that are to come stand on it as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gan.errors import ReproductionError
from pipeline.commands.unfinished import changed_stages, unfinished
from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.table import rows_text
from pipeline.runtime import process
from pipeline.settings import plan as plan_file

MORE = ("sample_size", "figures")
"""Stages of an experiment that come after its score"""


def run() -> None:
    """ReproductionError if stages fail; everything that does not need them has been run by then."""
    process.dvc("repro", "configure")
    plan, planned = Plan.read(), plan_file.Plan.read()
    to_do = in_order(plan, unfinished(planned, changed_stages()))
    finished = [name for name in plan.experiments if name not in to_do]
    failed: list[str] = []
    for name in to_do:
        if not _reproduces(f"evaluate@{name}"):
            failed.append(name)
            continue
        finished.append(name)
        left = len(plan.experiments) - len(finished) - len(failed)
        print(f"\n{rows_text(gather([name]))}\n\n{len(finished)} of {len(plan.experiments)} experiments scored"
              f"{f', {left} to come' if left else ''}\n", flush=True)
        if not _reproduces("--keep-going", *(f"{stage}@{name}" for stage in MORE)):
            failed.append(name)
        if left:
            _write_page(finished, failed)
    if not failed:
        process.dvc("repro", "--keep-going")
        return
    others = [*planned.lesson_stages.values(), *_measures(plan, [name for name in finished if name not in failed])]
    if others and not _reproduces("--keep-going", *others):
        failed.append("lessons or measures")
    _write_page(finished, failed)
    raise ReproductionError(f"stages of {', '.join(failed)} failed", found=f"{plan.page} shows what there is",
                            remedy="see above what each said, and mend it; the same command runs them again, and "
                                   "nothing that is done")


def in_order(plan: Plan, names: Iterable[str]) -> list[str]:
    """`names` in the order in which they are run, else in that of the plan."""
    headline = next((name for name in plan.experiments if _model(plan, name) == "adversarial_nets"), "")

    def rank(name: str) -> int:
        if name == headline:
            return 1
        beside = _dataset(plan, name) == _dataset(plan, headline)
        return 3 if not beside else 0 if _model(plan, name) == "training_images" else 2

    wanted = set(names)
    return sorted((name for name in plan.experiments if name in wanted), key=rank)


def _model(plan: Plan, name: str) -> str:
    return plan.kinds.get(name, ("", ""))[0]


def _dataset(plan: Plan, name: str) -> str:
    return plan.kinds.get(name, ("", ""))[1]


def _measures(plan: Plan, experiments: Sequence[str]) -> list[str]:
    """The stages of the second opinion on these experiments, which else come with the rest of the graph."""
    datasets = dict.fromkeys(filter(None, (_dataset(plan, name) for name in experiments)))
    return [*(f"references@{name}" for name in datasets), *(f"assess@{name}" for name in experiments)]


def _reproduces(*words: str) -> bool:
    """Whether DVC could run these stages and what they need; it has said why not."""
    try:
        process.dvc("repro", *words)
    except ReproductionError:
        return False
    return True


def _write_page(finished: Sequence[str], failed: Sequence[str]) -> None:
    """In a process of its own. Nothing depends on a page before the last one: the run goes on without it."""
    try:
        process.verb("page", *(name for name in finished if name not in failed),
                     *(word for name in failed for word in ("--failed", name)))
    except SystemExit as end:
        if end.code in (process.INTERRUPTED, process.TERMINATED):
            raise
