"""The lessons' rows in the table of claims."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import Markup

from gan.lessons.catalogue import LESSONS
from pipeline.page.lessons import lesson_claims


def chapter(**changes: Any) -> list[dict[str, Any]]:
    """All lessons run and right, but for what `changes` say of the first."""
    criterion = {"statement": Markup("distance from p<sub>g</sub>"), "measured": "0.01 nats", "bound": "< 0.02 nats",
                 "holds": True}
    lessons: list[dict[str, Any]] = [
        {"number": i, "name": name, "status": "done", "profile": "cpu", "smoke": False, "criteria": [criterion] * 3}
        for i, name in enumerate(LESSONS, 1)]
    lessons[0] |= changes
    return lessons


def test_every_lesson_has_a_row_that_leads_to_it() -> None:
    rows = list(lesson_claims(chapter(), {}))
    assert {row.findings[0].link for row in rows} == {f"lesson-{name}" for name in LESSONS}
    assert {(row.findings[0].ours, row.findings[0].verdict.word) for row in rows} == {("all 3 criteria hold", "holds")}


def test_no_lesson_no_rows() -> None:
    assert list(lesson_claims([], {})) == []


def test_a_criterion_that_fails_is_named_with_its_value() -> None:
    criteria = chapter()[0]["criteria"]
    failed = {**criteria[0], "measured": "0.03 nats", "holds": False}
    finding = next(lesson_claims(chapter(criteria=[*criteria, failed]), {})).findings[0]
    assert finding.ours == "3 of 4 criteria hold"
    assert (finding.verdict.kind, finding.verdict.reason) == ("no", "distance from pg: 0.03 nats, bound < 0.02 nats")


def test_smoke_judges_nothing() -> None:
    assert next(lesson_claims(chapter(profile="smoke", smoke=True), {})).findings[0].verdict.kind == "beside"


@pytest.mark.parametrize(("left_out", "said"), [
    ({}, "not run: make lessons"), ({"lesson figure_1": "not asked for"}, "left out: not asked for")])
def test_what_was_not_run_says_why(left_out: dict[str, str], said: str) -> None:
    row = next(lesson_claims([{"number": 1, "name": "figure_1", "status": "not run"}, *chapter()[1:]], left_out))
    assert (list(row.findings), row.missing) == ([], said)
