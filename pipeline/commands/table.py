"""Print the table from reports/metrics.json, beside the paper's and what is recorded: `python -m pipeline table`."""

from __future__ import annotations

from pipeline.results import results
from pipeline.results.results import Plan


def main() -> None:
    results.print_table(results.read_metrics(), Plan.read(), results.recorded_runs())
