"""What the lessons measured, as text: each criterion beside its bound, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.lessons.catalogue import LESSONS
from pipeline.artifacts.paths import LESSON_RESULTS
from pipeline.runtime.files import read_json


def result_file(name: str, folder: Path = LESSON_RESULTS) -> Path:
    """Where a lesson's result is once it has been run."""
    return folder / name / "lesson.json"


def criteria_text(result: Mapping[str, Any]) -> str:
    """Each criterion of a finished lesson with its measured value, and whether it holds."""
    lines = [f"{result['lesson']}: {result['title']} (profile {result['profile']})"]
    for criterion in result["criteria"]:
        lines.append(f"  {verdict(criterion):<13} {criterion['statement']}: {measured_text(criterion)}, "
                     f"bound {bound_text(criterion)}")
    return "\n".join(lines)


def table() -> list[str]:
    """What every lesson measured, and a last line that counts."""
    paths = map(result_file, LESSONS)
    results = [read_json(path) for path in paths if path.is_file()]
    criteria = [criterion for result in results for criterion in result["criteria"]]
    failed = sum(not criterion["holds"] for criterion in criteria)
    count = f"{len(results)} of {len(LESSONS)} lessons run, {len(criteria)} criteria: {len(criteria) - failed} hold, " \
            f"{failed} {'does' if failed == 1 else 'do'} not"
    return [*map(criteria_text, results), count]


def verdict(criterion: Mapping[str, Any]) -> str:
    return "holds" if criterion["holds"] else "does not hold"


def measured_text(criterion: Mapping[str, Any]) -> str:
    return f"{number(criterion['measured'])} {criterion['unit']}".rstrip()


def bound_text(criterion: Mapping[str, Any]) -> str:
    return f"{criterion['relation']} {number(criterion['bound'])} {criterion['unit']}".rstrip()


def number(value: float | None) -> str:
    """Four digits: "0.0146", "−1.386", "3.2 × 10⁻¹⁵"."""
    if value is None:
        return "not a number"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        mantissa = mantissa.removesuffix(".0")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{power}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")
