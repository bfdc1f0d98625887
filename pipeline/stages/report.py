"""Stage `report`: reports/metrics.json and reports/index.html, from whatever has been measured so far.

    python -m pipeline.stages.report          write both
    python -m pipeline.stages.report table    print the table from reports/metrics.json
"""

from __future__ import annotations

from gan.errors import ParameterError
from pipeline.artifacts.files import write_json, write_text
from pipeline.artifacts.paths import METRICS, PAGE
from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.metrics import gather, read_metrics
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.results.table import print_table
from pipeline.runtime.stage import run


def main(what: str = "page") -> None:
    plan, recorded = Plan.read(), recorded_runs()
    if what == "table":
        print_table(read_metrics(), plan, recorded)
    elif what == "page":
        metrics = gather(plan.experiments)
        page = render(metrics, plan, recorded, Provenance.read(plan), chapter())
        write_json(METRICS, metrics)
        write_text(PAGE, page)
    else:
        raise ParameterError(f"unknown word {what!r}", expected="`table`, or nothing for the page", found=what,
                             remedy="python -m pipeline.stages.report table")


if __name__ == "__main__":
    run(main)
