"""The table in plain text, line by line; the whole of it is tested with the stage `report`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from finished_run import FinishedRun

from pipeline.results.plan import Plan
from pipeline.results.recorded import recorded_runs
from pipeline.results.table import table_text


def test_remarks_tell_an_experiments_records_apart_by_profile(place: Path) -> None:
    [run] = recorded_runs()
    runs = [dataclasses.replace(run, profile=profile, metrics=run.metrics | {"note": f"By {profile}."})
            for profile in ("cpu", "paper")]
    lines = table_text({}, Plan.read(), runs).splitlines()
    assert {"  mnist (cpu, recorded): By cpu.", "  mnist (paper, recorded): By paper."} <= set(lines)


def test_long_reasons_are_wrapped(empty: FinishedRun) -> None:
    plan = Plan("cpu", (), (), {"tfd": "because " * 40})
    assert max(map(len, table_text({}, plan).splitlines())) <= 100
