"""Whole runs: the plan, then the graph by workers or by DVC alone, then the table.

Each part that needs much to start is a process of its own, so that what waits for the graph holds no memory that its
stages need.
"""

from __future__ import annotations

import os
from dataclasses import replace

from pipeline.cluster.options import ClusterOptions
from pipeline.commands import graph, table
from pipeline.commands.rows import Following, in_order
from pipeline.results.lessons import table as table_of_lessons
from pipeline.results.plan import Plan
from pipeline.runtime import process
from pipeline.settings import parameters


def reproduce(cluster: ClusterOptions, planned: bool) -> None:
    """Everything that the plan chose; a new plan unless what was `planned` is to be done."""
    if not planned:
        process.verb("plan")
    if (chosen := _choose(cluster)) is None:
        graph.run()
    else:
        from pipeline.cluster import run as clusters  # which imports torch and DVC

        plan = Plan.read()
        rows = Following(plan)
        try:
            clusters.reproduce(chosen, next(iter(in_order(plan, plan.experiments)), ""), rows)
        finally:
            rows.end()
    table.main()


def lessons(cluster: ClusterOptions) -> None:
    """Only the lessons; experiments stay as they are, and the page is written with whatever there is of them."""
    os.environ["GAN_LESSONS"] = os.environ.get("GAN_LESSONS", "").strip() or "all"
    process.verb("plan")
    stages = list(parameters.load().plan.lesson_stages.values())
    if (chosen := _choose(cluster)) is None or not stages:
        process.dvc("repro", "--keep-going", *stages)
    else:
        from pipeline.cluster import run as clusters

        clusters.reproduce(chosen, only=stages)
    report()
    print("\n\n".join(table_of_lessons()))


def _choose(cluster: ClusterOptions) -> ClusterOptions | None:
    """Where stages go side by side; None where they go one after another, and why is said if nobody asked for it."""
    if cluster.cluster != "auto":
        return None if cluster.cluster == "none" else cluster
    from pipeline.cluster import local

    if reason := local.why_not(cluster, parameters.load().profile):
        print(f"workers      none, one stage after another: {reason}", flush=True)
        return None
    return replace(cluster, cluster="local")


def report() -> None:
    """The page, whether anything has changed or not."""
    process.dvc("repro", "--single-item", "--force", "report")
