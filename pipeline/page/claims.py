"""The answer: each claim of the paper beside what was measured, with a verdict by a rule that stands on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.page.experiments import Section
from pipeline.page.formatting import anchor, first_of, over_seeds, remarks, sentence, value_text
from pipeline.page.pictures import PAPER_FIGURES
from pipeline.results.metrics import Entry, by_variant
from pipeline.results.plan import Plan
from pipeline.results.published import (
    CHAIN_MODELS,
    PAPER_DATASETS,
    PAPER_TABLE,
    VARIANT_NAMES,
    dataset_name,
    published_score,
    published_text,
)
from pipeline.results.recorded import Recorded

ERRORS = 2
"""How many standard errors a difference may have"""
WIDEST = 10
"""Of the paper's standard errors: with a wider margin any value would pass, and nothing is decided"""

RULE = (
    f"A number is judged by its distance from the paper’s: reproduced if it is at most {ERRORS}·√(s² + e² + d²), where "
    "s is the paper’s standard error, e ours over test images, and d the standard deviation of our seeds (0 for a "
    f"single seed, whose spread is unknown). If that margin is more than {WIDEST} times s, a value within it is "
    "undecided. Only runs with the paper’s own numbers (profile paper) and the weights as trained are judged; others "
    "stand beside with their distance. Samples are for the eye: no number here can judge them.")


@dataclass(frozen=True)
class Verdict:
    kind: str
    """`yes`, `no`, `open` (undecided), `beside` (not judged), `eye` or `none` (not run)"""
    word: str
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """One result that bears on a claim."""

    ours: str
    verdict: Verdict
    detail: str = ""
    """Which weights, and how many seeds"""
    how: Sequence[str] = ()
    """Profile, epoch, hardware"""
    link: str = ""
    """The id of the element that shows it"""
    link_text: str = ""


@dataclass(frozen=True)
class Claim:
    """A row of the table: `paper` is what the paper says, `missing` why nothing is set beside it and what to do."""

    claim: str
    paper: str
    findings: Sequence[Finding] = ()
    missing: str = ""
    group: str = "Table 1: test log-likelihood in nats"


def judge(value: float, error: float, deviation: float | None, paper: tuple[float, float]) -> Verdict:
    """The rule above, for a run that may be judged by it; everything in nats."""
    difference = value - paper[0]
    margin = ERRORS * math.sqrt(paper[1] ** 2 + error ** 2 + (deviation or 0.0) ** 2)
    reason = f"{_signed(difference)} nats, margin {margin:.1f}" + (", one seed" if deviation is None else "")
    if abs(difference) > margin:
        return Verdict("no", "not reproduced", reason)
    if margin > WIDEST * paper[1]:
        return Verdict("open", "undecided: the seeds spread too widely", reason)
    return Verdict("yes", "reproduced", reason)


def verdict(entry: Entry, variant: str) -> Verdict:
    """Of one variant's result on a cell of the paper's table."""
    paper = published_score(entry["model"], entry["dataset"])
    if paper is None:
        return Verdict("beside", "not judged: the paper has no such number")
    away = f"{_signed(entry['test_log_likelihood'] - paper[0])} nats"
    if entry["differences"]:
        return Verdict("beside", "not judged: reduced", away)
    if entry["profile"] != "paper":
        return Verdict("beside", f"not judged: profile {entry['profile']}", away)
    judged = judge(entry["test_log_likelihood"], entry["standard_error"], entry["seed_sd"], paper)
    if variant != "raw":
        within = "within the margin" if judged.kind == "yes" else "outside the margin" if judged.kind == "no" else \
            "within a margin too wide to decide"
        what = "parallel chains" if variant == "parallel" else "averaged weights"
        return Verdict("beside", f"not judged: {what} are not the paper’s", f"{within}: {judged.reason}")
    return judged


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def claims(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], sections: Sequence[Section],
           extra: Sequence[Claim] = ()) -> list[Claim]:
    """Table 1's cells, figures 2 and 3, then `extra` rows; in the paper's order, the paper's own model first."""
    order = sorted(PAPER_TABLE, key=lambda row: row.model != "adversarial_nets")
    cells = [_cell(row.model, row.name, dataset, metrics, plan, recorded)
             for row in order for dataset in PAPER_DATASETS if dataset in row.values]
    return _shortened([*cells, *_figure_claims(plan, sections), *extra])


def _shortened(rows: Sequence[Claim]) -> list[Claim]:
    """Each reason why something is missing once; later rows name the first with the same."""
    first: dict[str, str] = {}
    return [replace(claim, missing=f"for the same reason as {first[claim.missing]}")
            if claim.missing and first.setdefault(claim.missing, claim.claim) != claim.claim else claim
            for claim in rows]


def _cell(model: str, name: str, dataset: str, metrics: Mapping[str, Entry], plan: Plan,
          recorded: Sequence[Recorded]) -> Claim:
    runs: list[tuple[str, Entry, Recorded | None]] = [(name, entry, None) for name, entry in metrics.items()]
    runs += [(run.experiment, run.metrics, run) for run in recorded]
    findings = [_finding(experiment, variant, entry, run) for experiment, metric, run in runs
                if (metric["model"], metric["dataset"]) == (model, dataset)
                for variant, entry in by_variant(metric).items()]
    findings.sort(key=lambda finding: (finding.verdict.kind == "beside", "profile paper" not in finding.how))
    return Claim(f"{name} on {dataset_name(dataset)}", published_text(model, dataset), findings,
                 "" if findings else why_missing(model, dataset, plan))


def _finding(experiment: str, variant: str, entry: Entry, run: Recorded | None) -> Finding:
    how = [experiment, f"profile {entry['profile']}"]
    how += [] if entry["epoch"] is None else [f"epoch {entry['epoch']}"]
    how += [f"recorded {run.date}, {run.hardware}"] if run else [str(entry["hardware"])]
    how += remarks(entry)
    how += [first_of(entry["differences"])] if entry["differences"] else []
    which = {"ema": "averaged weights; ", "parallel": "parallel chains; ",
             "raw": "one chain; " if entry["model"] in CHAIN_MODELS else ""}
    seeds = which.get(variant, f"{variant}; ") + over_seeds(entry)
    place = anchor("recorded", run.path) if run else anchor("experiment", experiment)
    return Finding(value_text(entry), verdict(entry, variant), seeds, how, place, "record" if run else "experiment")


def why_missing(model: str, dataset: str, plan: Plan) -> str:
    """Why a cell is empty, and the command that fills it."""
    names = [name for name, kind in plan.kinds.items() if kind == (model, dataset)]
    names = names or ([dataset] if model == "adversarial_nets" and dataset in (*plan.left_out, *plan.experiments)
                      else [])
    for name in names:
        if name in plan.left_out:
            return f"left out: {sentence(plan.left_out[name])}"
    asked = [name for name in names if name in plan.experiments]
    if asked:
        return f"not run yet: dvc repro evaluate@{asked[0]}"
    if names:
        return f"not run: make reproduce PROFILE=paper EXPERIMENTS={names[0]}"
    return "not run: params.yaml has no experiment with this model on these data; CONTRIBUTING.md tells how to add one"


# Figures 2 and 3: what to look for, and where.

_LOOK = {
    "mnist": "Are they digits, of all ten kinds, and not copies of the framed training images?",
    "tfd": "Are they faces, of many people, and not copies of the framed training images?",
    "cifar10_fully_connected": "Is anything to be recognised, and does it differ from the framed training images?",
    "cifar10_convolutional": "Is anything to be recognised, and does it differ from the framed training images?",
}


def _figure_claims(plan: Plan, sections: Sequence[Section]) -> Iterator[Claim]:
    by_name = {section.name: section for section in sections}
    for name, letter in PAPER_FIGURES.items():
        dataset = name.partition("_")[0]
        what = f"Figure {letter}: samples, {dataset_name(dataset)}"
        yield _figure_claim(f"{what}, {name.partition('_')[2].replace('_', ' ')}" if "_" in name else what,
                            f"figure {letter}", by_name.get(name), name, "grid", _LOOK[name], plan)
    yield _figure_claim("Figure 3: digits along straight lines in z", "figure 3", by_name.get("mnist"), "mnist",
                        "lines", "Does every image on the way look like a digit?", plan)


def _figure_claim(claim: str, paper: str, section: Section | None, name: str, kind: str, look: str,
                  plan: Plan) -> Claim:
    group = "Figures 2 and 3: samples"
    drawn = [figure for figure in section.figures if figure.kind == kind] if section else []
    if section is None or section.entry is None or not drawn:
        why = f"left out: {sentence(plan.left_out[name])}" if name in plan.left_out else \
            f"not drawn yet: dvc repro figures@{name}" if name in plan.experiments else \
            f"not run: make reproduce PROFILE=paper EXPERIMENTS={name}"
        return Claim(claim, paper, missing=why, group=group)
    findings = []
    for figure in drawn:
        entry = section.variants[figure.variant]
        how = [f"profile {entry['profile']}" + (" (reduced)" if entry["differences"] else ""), f"seed {entry['seed']}"]
        how += [] if entry["epoch"] is None else [f"epoch {entry['epoch']}"]
        findings.append(Finding("drawn", Verdict("eye", "judge by eye", look),
                                VARIANT_NAMES.get(figure.variant, figure.variant), [*how, section.hardware],
                                figure.id, f"figure {figure.number}"))
    return Claim(claim, paper, findings, group=group)


# In one sentence.

def answer(metrics: Mapping[str, Entry], recorded: Sequence[Recorded]) -> str:
    """Whether the paper's own result, that of its own model on its data sets, is reproduced."""
    parts = [_answer_on(dataset, metrics, recorded) for dataset in PAPER_DATASETS]
    first, *others = parts
    whole = sentence("; ".join([first[0].upper() + first[1:], *others]))
    return whole.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def counts(rows: Sequence[Claim]) -> str:
    """"Of the 8 numbers of Table 1, 1 is judged, …": how much of the paper this page covers."""
    cells = [claim for claim in rows if claim.paper != "–" and not claim.paper.startswith("figure")
             and claim.group == Claim("", "").group]
    kinds = [{finding.verdict.kind for finding in claim.findings} for claim in cells]
    judged = sum(bool(kind & {"yes", "no", "open"}) for kind in kinds)
    beside = sum(kind == {"beside"} for kind in kinds)
    drawings = [claim for claim in rows if claim.paper.startswith("figure")]
    drawn = sum(bool(claim.findings) for claim in drawings)
    return (f"Of the {len(cells)} numbers in the paper’s Table 1, {judged} "
            f"{'is' if judged == 1 else 'are'} judged here, {beside} measured but not judged, and "
            f"{len(cells) - judged - beside} not measured. Of the {len(drawings)} parts of its figures 2 and 3, "
            f"{drawn} {'is' if drawn == 1 else 'are'} drawn anew.")


def _answer_on(dataset: str, metrics: Mapping[str, Entry], recorded: Sequence[Recorded]) -> str:
    name, paper = dataset_name(dataset), published_text("adversarial_nets", dataset)
    runs = [entry for entry in [*metrics.values(), *(run.metrics for run in recorded)]
            if (entry["model"], entry["dataset"]) == ("adversarial_nets", dataset)]
    judged = [(entry, kind) for entry in runs
              if (kind := verdict(by_variant(entry)["raw"], "raw")).kind in ("yes", "no", "open")]
    if judged:
        entry, kind = judged[0]
        earlier = "in a recorded run, " if any(entry is run.metrics for run in recorded) else ""
        number = f"{earlier}{value_text(entry)} nats against its {paper}, {over_seeds(entry)}"
        outcome = {"yes": "the paper’s result is reproduced", "no": "the paper’s result is not reproduced",
                   "open": "whether the paper’s result is reproduced is undecided"}[kind.kind]
        return f"on {name} {outcome} ({number}{_averaged(entry)})"
    if runs:
        return f"on {name} nothing is decided: only runs that are not judged were made ({value_text(runs[0])} nats " \
               f"against the paper’s {paper}, profile {runs[0]['profile']})"
    return f"on {name} nothing was measured"


def _averaged(entry: Entry) -> str:
    averaged = by_variant(entry).get("ema")
    return f"; {value_text(averaged)} with averaged weights, which the paper does not have" if averaged else ""
