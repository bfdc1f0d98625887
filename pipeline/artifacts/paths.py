"""Where the files between the stages are, from the repository's root."""

from __future__ import annotations

from pathlib import Path

PARAMETERS = Path("params.yaml")
PLAN = Path("plan.yaml")
SEARCHES_FILE = Path("searches.yaml")
LOCK = Path("dvc.lock")

ARTIFACTS = Path("artifacts")
"""A folder for each experiment"""
LESSON_RESULTS = ARTIFACTS / "lessons"

FIGURES = Path("reports/figures")
"""A folder for each experiment"""
LESSON_FIGURES = FIGURES / "lessons"

METRICS = Path("reports/metrics.json")
SUMMARY = Path("reports/summary.json")
PLOTS = Path("reports/plots")
PAGE = Path("reports/index.html")
RECORDED = Path("reports/recorded")
SEARCHES = Path("reports/searches")


def prepared_file(name: str) -> Path:
    """Where the prepared data set `name` is, from the repository's root."""
    return Path("data/prepared") / f"{name}.safetensors"
