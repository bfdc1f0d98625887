"""Stage `report`: reports/metrics.json and reports/index.html, from whatever has been measured so far.

    python -m pipeline.stages.report          write both
    python -m pipeline.stages.report table    print the table from reports/metrics.json

The page is one file with its pictures, style and script inside; its parts are in pipeline/page/ and reports/page/.
What may differ between two identical runs (commit, durations, names of runs) stands in elements with the attribute
`data-varies`, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gan.errors import ParameterError
from pipeline.artifacts.files import write_json, write_text
from pipeline.page import words
from pipeline.page.claims import RULE, answer, claims, counts
from pipeline.page.differences import differences
from pipeline.page.experiments import Section
from pipeline.page.lessons import RULE as LESSON_RULE
from pipeline.page.lessons import lesson_claims
from pipeline.page.pictures import Numbering
from pipeline.page.provenance import Provenance, reduced
from pipeline.page.scores import Estimate, dot_plots, measurements, not_measured, reference_sentence
from pipeline.page.sizes import sample_sizes
from pipeline.results import results
from pipeline.results.results import Entry, Plan, Recorded
from pipeline.runtime.stage import run
from pipeline.stages.lesson import chapter

TEMPLATES = Path(__file__).parents[2] / "reports"


def main(what: str = "page") -> None:
    plan, recorded = Plan.read(), results.recorded_runs()
    if what == "table":
        results.print_table(results.read_metrics(), plan, recorded)
    elif what == "page":
        metrics = results.gather(plan.experiments)
        page = render(metrics, plan, recorded, Provenance.read(plan), chapter())
        write_json(results.METRICS, metrics)
        write_text(results.PAGE, page)
    else:
        raise ParameterError(f"unknown word {what!r}", expected="`table`, or nothing for the page", found=what,
                             remedy="python -m pipeline.stages.report table")


def render(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], provenance: Provenance,
           lessons: Sequence[Mapping[str, Any]] = ()) -> str:
    """The page. Everything in it is escaped but the templates themselves, their style and their script.

    `lessons` is the chapter as `pipeline.stages.lesson` reads it; none of it is shown where no lesson has been run.
    """
    numbers = Numbering()
    sizes = sample_sizes(plan, numbers)
    experiments = [Section.read(name, metrics.get(name), numbers) for name in plan.experiments]
    measured = measurements(metrics, recorded)
    shown = lessons if any(one["status"] == "done" for one in lessons) else ()
    found = claims(metrics, plan, recorded, experiments, list(lesson_claims(shown, plan.left_out)))
    style, script, script_digest = style_and_script()
    return environment().get_template("template.html").render(
        plan=plan, answer=answer(metrics, recorded), counts=counts(found), claims=found,
        rule=f"{RULE} {LESSON_RULE}" if shown else RULE,
        plots=dot_plots(metrics, recorded), measurements=measured, experiments=experiments, recorded=recorded,
        in_folds={one.entry["dataset"] for one in measured if one.entry["folds"] > 1},
        unit_scale=results.UNIT_SCALE, references=reference_sentence(metrics), sizes=sizes,
        not_measured=not_measured(metrics, plan, recorded), differences=differences(experiments),
        provenance=provenance, reduced=reduced(metrics), parzen=Estimate.of(experiments),
        profiles=list(dict.fromkeys(entry["profile"] for entry in metrics.values())),
        paper_source=results.PAPER_SOURCE, style=style, script=script, script_digest=script_digest, lessons=shown)


def environment() -> jinja2.Environment:
    """What pages are rendered in, with their filters: all values are escaped, and a missing one is an error."""
    found = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                               undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                               keep_trailing_newline=True)
    found.filters.update(nats=words.nats, value=words.value_text, over_seeds=words.over_seeds,
                         sentence=words.sentence, breakable=words.breakable, flat=words.flatten,
                         setting=results.setting_text, short=results.short_setting)
    found.globals.update(anchor=words.anchor)
    return found


def style_and_script(*more: str) -> tuple[Markup, Markup, str]:
    """Both as they go into a page, with `more` files of style, and the digest by which it allows its own script and no
    other."""
    script = _text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup().join(map(_text, ("page.css", "lessons.css", *more))), script, digest


def _text(name: str) -> Markup:
    return Markup((TEMPLATES / "page" / name).read_text())


if __name__ == "__main__":
    run(main, optional=["what"])
