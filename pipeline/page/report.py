"""The page, from its parts.

It is one file with its pictures, style and script inside. What may differ between two identical runs (commit,
durations, names of runs) stands in elements with the attribute `data-varies`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.page.claims import RULE, answer, claims, counts
from pipeline.page.differences import differences
from pipeline.page.environment import environment, style_and_script
from pipeline.page.experiments import Section
from pipeline.page.lessons import RULE as LESSON_RULE
from pipeline.page.lessons import lesson_claims
from pipeline.page.long_run import long_run_sections
from pipeline.page.pictures import Numbering
from pipeline.page.provenance import Provenance, reduced
from pipeline.page.scores import Estimate, dot_plots, measurements, not_measured, reference_sentence
from pipeline.page.second_opinion import second_opinions
from pipeline.page.sizes import sample_sizes
from pipeline.results.long_run import LongRun
from pipeline.results.metrics import UNIT_SCALE, Entry
from pipeline.results.plan import Plan
from pipeline.results.published import PAPER_SOURCE
from pipeline.results.recorded import Recorded

TEMPLATE = "report.html"


def render(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], provenance: Provenance,
           lessons: Sequence[Mapping[str, Any]] = (), long_runs: Sequence[LongRun] = ()) -> str:
    """The page. Everything in it is escaped but the templates themselves, their style and their script.

    `lessons` is the chapter as `pipeline.page.lessons` reads it; none of it is shown where no lesson has been run.
    `long_runs` are what bare runs measured beside their scores.
    """
    numbers = Numbering()
    opinions = second_opinions(metrics, numbers)
    runs = long_run_sections(long_runs, recorded, numbers)
    sizes = sample_sizes(plan, numbers)
    experiments = [Section.read(name, metrics.get(name), numbers) for name in plan.experiments]
    measured = measurements(metrics, recorded)
    shown = lessons if any(lesson["status"] == "done" for lesson in lessons) else ()
    rows = claims(metrics, plan, recorded, experiments, list(lesson_claims(shown, plan.left_out)))
    style, script, script_digest = style_and_script()
    return environment().get_template(TEMPLATE).render(
        plan=plan, answer=answer(metrics, recorded), counts=counts(rows), claims=rows,
        rule=f"{RULE} {LESSON_RULE}" if shown else RULE,
        plots=dot_plots(metrics, recorded), measurements=measured, experiments=experiments, recorded=recorded,
        in_folds={row.entry["dataset"] for row in measured if row.entry["folds"] > 1},
        unit_scale=UNIT_SCALE, references=reference_sentence(metrics), sizes=sizes,
        not_measured=not_measured(metrics, plan, recorded), differences=differences(experiments),
        provenance=provenance, reduced=reduced(metrics), parzen=Estimate.of(experiments),
        profiles=list(dict.fromkeys(entry["profile"] for entry in metrics.values())),
        paper_source=PAPER_SOURCE, style=style, script=script, script_digest=script_digest, lessons=shown,
        long_runs=runs, opinions=opinions)
