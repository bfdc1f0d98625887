"""Stage `report`: reports/metrics.json and both pages, from whatever has been measured so far.

reports/index.html is short and goes into git; reports/full.html has every picture, parameter and digest.
"""

from __future__ import annotations

from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.assessment import with_assessments
from pipeline.results.long_run import long_runs
from pipeline.results.mechanism import mechanisms
from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.runtime.files import write_json, write_text
from pipeline.runtime.stage import run


def main() -> None:
    write(Plan.read())


def write(plan: Plan) -> None:
    """Of what `plan` names and has been measured."""
    metrics, recorded, provenance = gather(plan.experiments), recorded_runs(), Provenance.read(plan)
    runs, collapses = long_runs(), mechanisms()
    pages = {path: render(metrics, plan, recorded, provenance, chapter(full=full), runs, collapses, full)
             for path, full in ((plan.page, False), (plan.full_page, True))}
    write_json(plan.metrics, with_assessments(metrics))
    for path, page in pages.items():
        write_text(path, page)


if __name__ == "__main__":
    run(main)
