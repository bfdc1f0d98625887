"""The answer: each claim of the paper beside what was measured, with a verdict by a rule that stands on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.page.experiments import Section
from pipeline.page.formatting import (
    REDUCED,
    Notes,
    anchor,
    in_words,
    over_seeds,
    remarks,
    sentence,
    signed,
    starts_text,
    takes_restarts,
    value_text,
    variant_text,
)
from pipeline.page.pictures import PAPER_FIGURES
from pipeline.results.long_run import LongRun
from pipeline.results.metrics import Entry, by_variant
from pipeline.results.plan import Plan
from pipeline.results.published import (
    PAPER_DATASETS,
    PAPER_TABLE,
    Published,
    dataset_name,
    published_score,
    published_text,
)
from pipeline.results.recorded import Recorded
from pipeline.results.text import listed, with_error

ERRORS = 2
"""How many standard errors a difference may have"""
WIDEST = 10
"""Of the paper's standard errors: with a wider margin any value would pass, and nothing is decided"""

RULE = (
    f"A number is judged by its distance from the paper’s: reproduced if it is at most {ERRORS}·√(s² + e² + d²), where "
    "s is the paper’s standard error, e ours over test images, and d the standard deviation of our seeds (0 for a "
    f"single seed, whose spread is unknown). If that margin is more than {WIDEST} times s, a value within it is "
    "undecided. What is judged is the seed that validation chose, with the paper’s own numbers (profile paper), the "
    "weights as trained, and one chain where the paper has one. Everything else stands beside with its distance. "
    "Samples are for the eye: no number here can judge them.")
NOT_THE_PAPERS = {"ema": "Averaged weights are not the paper’s.", "parallel": "Parallel chains are not the paper’s."}


@dataclass(frozen=True)
class Verdict:
    kind: str
    """`yes`, `no`, `open` (undecided), `beside` (not judged), `eye` or `none` (not run)"""
    word: str
    reason: str = ""
    """What decided, with its numbers"""
    note: str = ""
    """Why it is not judged, in words that many results share"""


@dataclass(frozen=True)
class Finding:
    """One result that bears on a claim."""

    ours: str
    verdict: Verdict
    detail: str = ""
    """Which weights, and how many seeds"""
    how: Sequence[str] = ()
    """Profile, epoch, whether it was recorded"""
    link: str = ""
    """The id of the element that shows it"""
    link_text: str = ""
    brief: str = ""
    """What the table on the first screen says: mean over seeds where there are several"""
    seeds: int = 0
    marks: str = ""
    """Letters of notes that hold for it"""


@dataclass(frozen=True)
class Claim:
    """A row of the table: `paper` is what the paper says, `missing` why nothing is set beside it and what to do."""

    claim: str
    paper: str
    findings: Sequence[Finding] = ()
    missing: str = ""
    group: str = "The paper’s Table 1: test log-likelihood in nats"
    id: str = ""
    cell: tuple[str, str] | None = None
    """Of the paper's Table 1: what its model and its data set are called"""
    state: str = "not run"
    """Where nothing stands beside it: `not run`, `not run yet` or `left out`"""


@dataclass(frozen=True)
class Row:
    """A row of the table on the first screen: a cell of the paper's Table 1."""

    model: str
    dataset: str
    paper: str
    ours: str
    seeds: str
    verdict: Verdict
    link: str


def judge(value: float, error: float, deviation: float | None, paper: tuple[float, float]) -> Verdict:
    """The rule above, for a run that may be judged by it; everything in nats."""
    difference = value - paper[0]
    margin = ERRORS * math.sqrt(paper[1] ** 2 + error ** 2 + (deviation or 0.0) ** 2)
    reason = f"{signed(difference)} nats, margin {margin:.1f}" + (", one seed" if deviation is None else "")
    if abs(difference) > margin:
        return Verdict("no", "not reproduced", reason)
    if margin > WIDEST * paper[1]:
        return Verdict("open", "undecided: the seeds spread too widely", reason)
    return Verdict("yes", "reproduced", reason)


def verdict(entry: Entry, variant: str) -> Verdict:
    """Of one variant's result on a cell of the paper's table."""
    paper = published_score(entry["model"], entry["dataset"])
    if paper is None:
        return Verdict("beside", "not judged", note="The paper has no such number.")
    away = f"{signed(entry['test_log_likelihood'] - paper[0])} nats"
    if takes_restarts(entry):
        return Verdict("beside", "not judged", away, starts_text(entry))
    if entry["differences"]:
        return Verdict("beside", "not judged", away, REDUCED)
    if entry["profile"] != "paper":
        return Verdict("beside", "not judged", away, f"Profile {entry['profile']}, not paper.")
    judged = judge(entry["test_log_likelihood"], entry["standard_error"], entry["seed_sd"], paper)
    if variant == "raw":
        return judged
    within = {"yes": "within the margin", "no": "outside the margin"}.get(
        judged.kind, "within a margin too wide to decide")
    return Verdict("beside", "not judged", f"{within}: {judged.reason}",
                   NOT_THE_PAPERS.get(variant, f"Variant {variant} is not the paper’s."))


def claims(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], sections: Sequence[Section],
           notes: Notes, extra: Sequence[Claim] = ()) -> list[Claim]:
    """The cells of the paper's Table 1, its figures 2 and 3, then `extra` rows; by data set, the paper's own model
    first."""
    cells = [_cell(row.model, row.name, dataset, metrics, plan, recorded, notes)
             for dataset in PAPER_DATASETS for row in papers_own_first() if dataset in row.values]
    return _shortened([*cells, *_figure_claims(plan, sections), *extra])


def papers_own_first() -> list[Published]:
    return sorted(PAPER_TABLE, key=lambda row: row.model != "adversarial_nets")


def first_table(rows: Sequence[Claim]) -> list[Row]:
    """The cells of the paper's Table 1 in short: of each what was judged, else what was measured first."""
    short = []
    for row in rows:
        if row.cell is None:
            continue
        first = row.findings[0] if row.findings else None
        short.append(Row(*row.cell, row.paper, first.brief if first else "–",
                         f"{in_words(first.seeds)} {'seeds' if first.seeds > 1 else 'seed'}" if first else "",
                         first.verdict if first else Verdict("none", row.state), row.id))
    return short


def _shortened(rows: Sequence[Claim]) -> list[Claim]:
    """Each reason why something is missing once; later rows name the first with the same."""
    first: dict[str, str] = {}
    return [replace(claim, missing=f"as {first[claim.missing]}")
            if claim.missing and first.setdefault(claim.missing, claim.claim) != claim.claim else claim
            for claim in rows]


def _cell(model: str, name: str, dataset: str, metrics: Mapping[str, Entry], plan: Plan,
          recorded: Sequence[Recorded], notes: Notes) -> Claim:
    runs: list[tuple[str, Entry, Recorded | None]] = [(name, entry, None) for name, entry in metrics.items()]
    runs += [(run.experiment, run.metrics, run) for run in recorded]
    found = [(experiment, variant, entry, run) for experiment, metric, run in runs
             if (metric["model"], metric["dataset"]) == (model, dataset)
             for variant, entry in by_variant(metric).items()]
    found.sort(key=lambda one: (verdict(one[2], one[1]).kind == "beside", one[2]["profile"] != "paper"))
    missing = "" if found else why_missing(model, dataset, plan)
    return Claim(f"{name} on {dataset_name(dataset)}", published_text(model, dataset),
                 [_finding(*one, notes) for one in found], missing, id=anchor("claim", f"{model}-{dataset}"),
                 cell=(name, dataset_name(dataset)), state=missing.partition(":")[0])


def _finding(experiment: str, variant: str, entry: Entry, run: Recorded | None, notes: Notes) -> Finding:
    how = [experiment, f"profile {entry['profile']}"]
    how += [] if entry["epoch"] is None else [f"epoch {entry['epoch']:,}"]
    how += [f"recorded {run.date}"] if run else []
    judged, several = verdict(entry, variant), len(entry["seeds"]) > 1
    marks = [judged.note, *remarks(entry)]
    place = anchor("recorded", run.path) if run else anchor("experiment", experiment)
    return Finding(
        value_text(entry), judged, f"{variant_text(entry['model'], variant)}; {over_seeds(entry)}", how, place,
        "record" if run else "experiment",
        with_error(entry["seed_mean"], entry["seed_sd"]) if several else value_text(entry), len(entry["seeds"]),
        " ".join(notes.mark(mark) for mark in dict.fromkeys(sentence(mark) for mark in marks if mark)))


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


PICTURES = "pictures"
"""What the paper has in its figures 2 and 3"""


def _figure_claims(plan: Plan, sections: Sequence[Section]) -> Iterator[Claim]:
    by_name = {section.name: section for section in sections}
    for name, letter in PAPER_FIGURES.items():
        dataset = name.partition("_")[0]
        what = f"The paper’s figure {letter}: samples, {dataset_name(dataset)}"
        yield _figure_claim(f"{what}, {name.partition('_')[2].replace('_', ' ')}" if "_" in name else what,
                            by_name.get(name), name, ("grid", "strip"), _LOOK[name], plan)
    yield _figure_claim("The paper’s figure 3: digits along straight lines in z", by_name.get("mnist"), "mnist",
                        ("lines",), "Does every image on the way look like a digit?", plan)


def _figure_claim(claim: str, section: Section | None, name: str, kinds: Sequence[str], look: str,
                  plan: Plan) -> Claim:
    group = "The paper’s figures 2 and 3: samples"
    drawn = [figure for figure in section.figures if figure.kind in kinds] if section else []
    if section is None or section.entry is None or not drawn:
        why = f"left out: {sentence(plan.left_out[name])}" if name in plan.left_out else \
            f"not drawn yet: dvc repro figures@{name}" if name in plan.experiments else \
            f"not run: make reproduce PROFILE=paper EXPERIMENTS={name}"
        return Claim(claim, PICTURES, missing=why, group=group)
    findings = []
    for place, figure in enumerate(drawn):
        entry = section.variants[figure.variant]
        how = [f"profile {entry['profile']}" + (" (reduced)" if entry["differences"] else ""), f"seed {entry['seed']}"]
        how += [] if entry["epoch"] is None else [f"epoch {entry['epoch']:,}"]
        findings.append(Finding("drawn", Verdict("eye", "judge by eye", "" if place else look),
                                variant_text(entry["model"], figure.variant), how,
                                figure.id, f"Figure {figure.number}"))
    return Claim(claim, PICTURES, findings, group=group)


# In a few sentences.

@dataclass(frozen=True)
class Answer:
    """The first screen in words: whether the paper's own result is reproduced, how often a start collapses, what the
    estimate is worth, and what the other data set of the paper's Table 1 has."""

    headline: str
    collapse: str
    estimate: str
    elsewhere: str


def answer(metrics: Mapping[str, Entry], recorded: Sequence[Recorded], runs: Sequence[LongRun]) -> Answer:
    first, *others = PAPER_DATASETS
    run = judged_run(first, metrics, recorded)
    return Answer(_headline(first, run), _collapse(run, recorded, runs), _trust(first, metrics),
                  " ".join(_headline(name, judged_run(name, metrics, recorded)) for name in others))


def judged_run(dataset: str, metrics: Mapping[str, Entry], recorded: Sequence[Recorded]) -> Entry | None:
    """The run of the paper's own model that its claim is judged by; one that is not judged if there is no other."""
    runs = [entry for entry in [*metrics.values(), *(run.metrics for run in recorded)]
            if (entry["model"], entry["dataset"]) == ("adversarial_nets", dataset)]
    return min(runs, key=lambda entry: verdict(by_variant(entry)["raw"], "raw").kind == "beside", default=None)


def _headline(dataset: str, entry: Entry | None) -> str:
    """"Reproduced: the paper claims 225 ± 2 nats for adversarial nets on MNIST; its recipe gives …"""
    name, paper = dataset_name(dataset), published_text("adversarial_nets", dataset)
    if entry is None:
        why = ": its owners grant it on request" if dataset == "tfd" else ""
        return spaced(f"On {name} ({paper}) nothing was measured{why}.")
    judged, several = verdict(by_variant(entry)["raw"], "raw"), len(entry["seeds"]) > 1
    word = {"yes": "Reproduced", "no": "Not reproduced", "open": "Undecided"}.get(judged.kind, "Not decided")
    ours = with_error(entry["seed_mean"], entry["seed_sd"]) if several else value_text(entry)
    what = f"{ours} over {in_words(len(entry['seeds']))} seeds" if several else f"{ours} from one seed"
    averaged = by_variant(entry).get("ema")
    also = f" ({with_error(averaged['seed_mean'], None)} with averaged weights, which the paper does not have)" \
        if averaged else ""
    recipe = "its recipe gives" if judged.kind != "beside" else \
        f"only runs that are not judged were made, which give (profile {entry['profile']})"
    return spaced(f"{word}: the paper claims {paper} nats for adversarial nets on {name}; {recipe} {what}{also}.")


def _collapse(run: Entry | None, recorded: Sequence[Recorded], runs: Sequence[LongRun]) -> str:
    """How often a start collapses: of the starts that were watched, else of the run's own seeds."""
    whose = {(one.experiment, one.profile) for one in recorded if one.metrics is run}
    for long_run in runs:
        if (long_run.experiment, long_run.profile) in whose and long_run.starts:
            starts = long_run.starts[0]
            low, high = (f"{100 * end:.1f}" for end in starts.interval)
            gone, number = sum(starts.collapsed), len(starts.seeds)
            return f"{gone} of {number} starts collapse ({100 * gone / number:.1f} %, 95 % interval {low} to {high} %)."
    if run is None:
        return ""
    below, number = sum(seed["validation_log_likelihood"] < 0 for seed in run["seeds"]), len(run["seeds"])
    return f"{in_words(below).capitalize() if below else 'None'} of its {in_words(number)} " \
           f"{'seeds' if number > 1 else 'seed'} {'have' if below > 1 else 'has'} a validation score below 0, as " \
           "collapsed ones do."


def _trust(dataset: str, metrics: Mapping[str, Entry]) -> str:
    """Whether the estimate can be trusted, by the references on the same data."""
    there = {entry["model"]: entry for entry in metrics.values() if entry["dataset"] == dataset}
    scores = [f"{words} score {with_error(there[model]['test_log_likelihood'], None)}" for model, words in (
        ("kmeans", "k-means centroids"), ("training_images", "real training images")) if model in there]
    seen = f": in place of samples {listed(scores)}" if scores else ""
    return f"The estimate says whether a number is reached again, not which model is better{seen}."


def spaced(text: str) -> str:
    """With ± that stays with its numbers."""
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def counts(rows: Sequence[Claim]) -> str:
    """"Of the 8 numbers of Table 1, 1 is judged, …": how much of the paper this page covers."""
    cells = [claim for claim in rows if claim.cell]
    kinds = [{finding.verdict.kind for finding in claim.findings} for claim in cells]
    judged = sum(bool(kind & {"yes", "no", "open"}) for kind in kinds)
    beside = sum(kind == {"beside"} for kind in kinds)
    drawings = [claim for claim in rows if claim.paper == PICTURES]
    drawn = sum(bool(claim.findings) for claim in drawings)
    return (f"Of the {len(cells)} numbers in the paper’s Table 1, {judged} "
            f"{'is' if judged == 1 else 'are'} judged here, {beside} measured but not judged, and "
            f"{len(cells) - judged - beside} not measured. Of the {len(drawings)} parts of its figures 2 and 3, "
            f"{drawn} {'is' if drawn == 1 else 'are'} drawn anew.")
