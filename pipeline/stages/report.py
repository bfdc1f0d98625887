"""Stage `report`: reports/metrics.json and reports/index.html, from whatever has been measured so far.
"""

from __future__ import annotations

from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.assessment import with_assessments
from pipeline.results.long_run import long_runs
from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.runtime.files import write_json, write_text
from pipeline.runtime.stage import run


def main() -> None:
    write(Plan.read())


def write(plan: Plan) -> None:
    """Of what `plan` names and has been measured."""
    metrics = gather(plan.experiments)
    page = render(metrics, plan, recorded_runs(), Provenance.read(plan), chapter(), long_runs())
    write_json(plan.metrics, with_assessments(metrics))
    write_text(plan.page, page)


if __name__ == "__main__":
    run(main)
