"""Whole runs: the plan, then the graph by DVC or by a cluster's workers, then the table.

Each part that needs much to start is a process of its own, so that what waits for the graph holds no memory that its
stages need.
"""

from __future__ import annotations

import os

from pipeline.cluster.options import ClusterOptions
from pipeline.commands import graph, table
from pipeline.results.lessons import table as table_of_lessons
from pipeline.runtime import process
from pipeline.settings import parameters


def reproduce(cluster: ClusterOptions | None, planned: bool) -> None:
    """Everything that the plan chose; a new plan unless what was `planned` is to be done."""
    if not planned:
        process.verb("plan")
    if cluster is None:
        graph.run()
    else:
        from pipeline.cluster import run as clusters  # which imports torch and DVC

        clusters.reproduce(cluster)
    table.main()


def lessons() -> None:
    """Only the lessons; experiments stay as they are, and the page is written with whatever there is of them."""
    os.environ["GAN_LESSONS"] = os.environ.get("GAN_LESSONS", "").strip() or "all"
    process.verb("plan")
    process.dvc("repro", "--keep-going", *parameters.load().plan.lesson_stages.values())
    report()
    print("\n\n".join(table_of_lessons()))


def report() -> None:
    """The page, whether anything has changed or not."""
    process.dvc("repro", "--single-item", "--force", "report")
