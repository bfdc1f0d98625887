"""Print the table from reports/metrics.json, beside the paper's and what is recorded: `python -m pipeline table`."""

from __future__ import annotations

from pipeline.results.metrics import read_metrics
from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.results.table import print_table


def main() -> None:
    plan = Plan.read()
    print_table(read_metrics(plan.metrics), plan, recorded_runs())
