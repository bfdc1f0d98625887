"""The page, from its parts.

It is one file with its pictures, style and script inside. What may differ between two identical runs (commit,
durations, names of runs) stands in elements with the attribute `data-varies`, and nowhere else. There are two of it: a
short one for git, and a full one with every picture, parameter and digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.page import games
from pipeline.page.abilities import beyond_the_paper
from pipeline.page.claims import RULE, answer, claims, counts, first_table, judged_run
from pipeline.page.differences import differences, in_short
from pipeline.page.environment import environment, style_and_script
from pipeline.page.experiments import Section
from pipeline.page.formatting import Notes
from pipeline.page.lessons import RULE as LESSON_RULE
from pipeline.page.lessons import lesson_claims
from pipeline.page.long_run import long_run_sections, strip_of
from pipeline.page.mechanism import mechanism_sections
from pipeline.page.pictures import Figure, Numbering, first_strip
from pipeline.page.provenance import Provenance, reduced
from pipeline.page.scores import Estimate, dot_plots, measurements, not_measured, reference_sentence
from pipeline.page.second_opinion import second_opinions
from pipeline.page.sizes import sample_sizes
from pipeline.results.long_run import LongRun
from pipeline.results.mechanism import Mechanism
from pipeline.results.metrics import UNIT_SCALE, Entry
from pipeline.results.plan import Plan
from pipeline.results.published import PAPER_DATASETS
from pipeline.results.recorded import Recorded

TEMPLATE = "report.html"


def render(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], provenance: Provenance,
           lessons: Sequence[Mapping[str, Any]] = (), long_runs: Sequence[LongRun] = (),
           mechanisms: Sequence[Mechanism] = (), full: bool = True) -> str:
    """The page. Everything in it is escaped but the templates themselves, their style and their script.

    `lessons` is the chapter as `pipeline.page.lessons` reads it; none of it is shown where no lesson has been run.
    `long_runs` are what bare runs measured beside their scores, `mechanisms` starts that were watched collapsing.
    """
    numbers, notes = Numbering(), Notes()
    strips = _first_strip(long_runs, recorded, numbers)
    lead = next(iter(strips.values()), None) or _own_strip(metrics, recorded, plan, numbers)
    opinions = second_opinions(metrics, numbers)
    runs = long_run_sections(long_runs, recorded, numbers, strips, full)
    collapses = mechanism_sections(mechanisms, numbers)
    measured = measurements(metrics, recorded, notes)
    plots = dot_plots(measured, numbers)
    sizes = sample_sizes(plan, numbers)
    experiments = [Section.read(name, metrics.get(name), numbers, notes, full) for name in plan.experiments]
    beyond = beyond_the_paper(experiments, numbers, full)
    departures = differences(experiments)
    shown = lessons if any(lesson["status"] == "done" for lesson in lessons) else ()
    rows = claims(metrics, plan, recorded, experiments, notes, list(lesson_claims(shown, plan.left_out)))
    more_style, more_script = games.assets(shown)
    style, script, script_digest = style_and_script(*more_style, scripts=more_script)
    return environment().get_template(TEMPLATE).render(
        full=full, plan=plan, answer=answer(metrics, recorded, long_runs), counts=counts(rows), claims=rows,
        first_table=first_table(rows), lead=lead, notes=notes, table=Numbering(1),
        rule=f"{RULE} {LESSON_RULE}" if shown else RULE,
        plots=plots, measurements=measured, experiments=experiments, recorded=recorded,
        in_folds={row.entry["dataset"] for row in measured if row.entry["folds"] > 1},
        unit_scale=UNIT_SCALE, references=reference_sentence(metrics, full), sizes=sizes,
        not_measured=not_measured(metrics, plan, recorded),
        differences=departures if full else in_short(departures),
        provenance=provenance, reduced=reduced(metrics), parzen=Estimate.of(experiments),
        profiles=list(dict.fromkeys(entry["profile"] for entry in metrics.values())),
        style=style, script=script, script_digest=script_digest, lessons=shown,
        beyond=beyond, long_runs=runs, opinions=opinions, mechanisms=collapses)


def _first_strip(runs: Sequence[LongRun], recorded: Sequence[Recorded], numbers: Numbering) -> dict[str, Figure]:
    """The first long run's that has one, by its folder: samples of the run that the paper's claim is judged by."""
    for run in runs:
        if (strip := strip_of(run, recorded, numbers)) is not None:
            return {run.folder: strip}
    return {}


def _own_strip(metrics: Mapping[str, Entry], recorded: Sequence[Recorded], plan: Plan, numbers: Numbering
               ) -> Figure | None:
    judged = judged_run(PAPER_DATASETS[0], metrics, recorded)
    own = [name for name, entry in metrics.items() if entry is judged]
    return first_strip([*own, *plan.experiments], numbers)
