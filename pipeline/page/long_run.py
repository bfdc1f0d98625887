"""The recorded long runs: how validation rose as the step annealed, what a short annealing tells, every seed's score,
how often a start collapses, and what each seed draws."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from gan.adversarial.collapse import EPOCHS_IN_A_ROW, START, SURE
from pipeline.artifacts.sheet import COLUMNS, sheet
from pipeline.page.charts import Axis, Chart, Key, Line, Mark, around
from pipeline.page.claims import verdict
from pipeline.page.embedding import Strip, image_source, smaller, strip
from pipeline.page.formatting import anchor, nats, signed, value_text
from pipeline.page.pictures import BLUE, GREY, STRIP, VERMILION, Figure, Numbering
from pipeline.results.long_run import (
    ANNEALING,
    COLLAPSE,
    CURVES,
    GRIDS,
    STARTS,
    VARIANTS,
    Annealing,
    Branch,
    Estimate,
    LongRun,
    Starts,
)
from pipeline.results.metrics import Entry
from pipeline.results.published import dataset_name, published_score, published_text
from pipeline.results.recorded import Recorded
from pipeline.results.text import listed, plain, with_error

WEIGHTS = {"raw": "trained weights", "ema": "averaged weights"}
LABELS = {"raw": "trained", "ema": "averaged"}
DRAWN = 150
"""lines of one chart at most: all starts that collapsed, and the first of the others"""
NAMED_EPOCH = 1000
"""one of those whose step is named, where a run got so far"""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLLAPSE_RULE = (
    f"The rule: a start of {START} epochs has collapsed if D was sure in each of the last {EPOCHS_IN_A_ROW}, that is "
    f"if its mean output was at least {SURE:g} on training images and at most {1 - SURE:.2g} on samples, as D is "
    "trained, dropout on. Neither test images nor the Parzen estimate has a say.")


@dataclass(frozen=True)
class Cell:
    """Mean ± standard deviation over seeds, and each seed's value."""

    text: str
    seeds: str


@dataclass(frozen=True)
class BranchRow:
    epoch: str
    weights: str
    cells: Sequence[Cell]
    """Before, after, and after as many epochs of the run itself"""


@dataclass(frozen=True)
class ShortAnnealing:
    rows: Sequence[BranchRow]
    said: str
    average_said: str
    rate: str


@dataclass(frozen=True)
class Validation:
    """Validation log-likelihood while the step anneals."""

    heading: str
    said: str
    curve: Figure
    short: ShortAnnealing | None


@dataclass(frozen=True)
class ScoreRow:
    """Of a seed, or of all: for each variant the epoch chosen, and the test estimates by both grids."""

    label: str
    remark: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Picture:
    label: str
    source: str
    width: int


@dataclass(frozen=True)
class Samples:
    number: int
    pictures: Sequence[Picture]
    caption: str
    data: str

    @property
    def id(self) -> str:
        return f"figure-{self.number}"


@dataclass(frozen=True)
class StartsRow:
    kind: str
    remark: str
    counts: str
    percent: str
    interval: str
    validation: str
    agree: str


@dataclass(frozen=True)
class Collapse:
    rule: str
    rows: Sequence[StartsRow]
    figures: Sequence[Figure]


@dataclass(frozen=True)
class LongRunSection:
    """What the page shows of one recorded long run, in this order; parts that it does not have are None or empty."""

    id: str
    heading: str
    facts: str
    judged: str
    strip: Figure | None
    validation: Validation | None
    scores: Sequence[ScoreRow]
    samples: Samples | None
    collapse: Collapse | None


def strip_of(run: LongRun, recorded: Sequence[Recorded], numbers: Numbering) -> Figure | None:
    """The first samples of the run's seed that is judged, if it has any."""
    return _strip(run, _entry(run, recorded), numbers)


def long_run_sections(runs: Sequence[LongRun], recorded: Sequence[Recorded], numbers: Numbering,
                      strips: Mapping[str, Figure] | None = None, full: bool = False) -> list[LongRunSection]:
    """One for each long run; `recorded` has its row of Table 1, `strips` by a run's folder those that stand elsewhere
    already. The `full` page draws all starts, the other one those of a run's own recipe."""
    return [_section(run, _entry(run, recorded), numbers, (strips or {}).get(run.folder), full) for run in runs]


def _entry(run: LongRun, recorded: Sequence[Recorded]) -> Entry | None:
    return next((one.metrics for one in recorded if (one.experiment, one.profile) == (run.experiment, run.profile)),
                None)


def _section(run: LongRun, entry: Entry | None, numbers: Numbering, strip: Figure | None, full: bool
             ) -> LongRunSection:
    paper = published_score(entry["model"], entry["dataset"]) if entry else None
    name = dataset_name(entry["dataset"]) if entry else run.experiment
    pictures = strip or _strip(run, entry, numbers)
    validation = _validation(run, run.annealing, paper, numbers) if run.annealing else None
    collapse = Collapse(COLLAPSE_RULE, [_starts_row(starts, run.commit) for starts in run.starts],
                        [_starts_figure(run, starts, numbers) for starts in (run.starts if full else run.starts[:1])]
                        ) if run.starts else None
    return LongRunSection(
        anchor("long-run", f"{run.experiment}-{run.profile}"),
        f"{'The recorded run' if run.annealing else 'Recorded starts'}: {name}, profile {run.profile}", _facts(run),
        _judged(entry) if entry and paper else "", pictures, validation,
        _scores(run.annealing) if run.annealing else [], _samples(run, numbers), collapse)


def _facts(run: LongRun) -> str:
    """Where and how far it ran, and how fast, in one line."""
    said = [run.hardware, f"commit {run.commit[:10]}", f"recorded {run.date}"]
    if part := run.annealing:
        said.append(f"{len(part.seeds)} seeds in step, {part.epochs:,} of {part.epochs_planned:,} epochs planned"
                    + (f" in {part.seconds:,.0f} s" if part.seconds else ""))
        times = {n: part.microseconds[n] for n in dict.fromkeys((len(part.seeds), 1)) if n in part.microseconds}
        said += [f"{time:,.0f} µs an update of {n} {'seed' if n == 1 else 'seeds in step'}"
                 for n, time in times.items()]
    return "; ".join(said) + "."


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def _deviation(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _cell(values: Sequence[float]) -> Cell:
    return Cell(with_error(_mean(values), _deviation(values)), ", ".join(map(nats, values)) if len(values) > 1 else "")


# Validation while the step anneals.

def _validation(run: LongRun, part: Annealing, paper: tuple[float, float] | None, numbers: Numbering) -> Validation:
    curve = _curve(run, part, numbers)
    if not part.branches:
        return Validation("Validation while the step anneals", "", curve, None)
    last = part.branches[-1]
    return Validation(
        f"Why it is not {f'{plain(paper[0])} nats' if paper else 'there'} yet at epoch {last.epoch:,}",
        _annealing_said(part, last), curve,
        ShortAnnealing([_branch_row(branch, variant) for branch in part.branches for variant in VARIANTS],
                       _branches_said(part.branches), _average_said(part, last), plain(last.rate)))


def _curve(run: LongRun, part: Annealing, numbers: Numbering) -> Figure:
    lines = [_look_line(part, variant) for variant in VARIANTS]
    ends = [Mark("ring", BLUE, branch.epoch + branch.epochs, _mean(branch.after[variant]))
            for branch in part.branches for variant in VARIANTS]
    last = ", ".join(f"{WEIGHTS[variant]} {nats(_mean(part.look(variant, part.look_epochs[-1])))}"
                     for variant in VARIANTS)
    chart = Chart(
        "Log-likelihood of validation images against epochs, in nats",
        f"Validation log-likelihood of {run.experiment}, mean over {len(part.seeds)} seeds, by epoch; at epoch "
        f"{part.look_epochs[-1]:,}: {last} nats.",
        Axis("epoch", *around(part.look_epochs, 0.03)),
        Axis("validation log-likelihood", *around([
            *(value for line in lines for value in line.values()), *(mark.y for mark in ends)])),
        lines, ends, keys=[Key("ring", "after a short annealing", GREY)] if ends else [], unit=" nats", decimals=1)
    named = [epoch for epoch in (1, *(branch.epoch for branch in part.branches), NAMED_EPOCH) if epoch < part.epochs]
    steps = [f"{part.step(epoch):.3f} at epoch {epoch:,}" for epoch in (*named, part.epochs)]
    several = f"Mean over {len(part.seeds)} seeds, and each of them. " if len(part.seeds) > 1 else ""
    return Figure(
        "charts", numbers.next(), "raw", charts=[chart], alt=chart.alt,
        caption=f"Validation log-likelihood in training. {several}The recipe’s effective step lr/(1 − m) is "
                f"{listed(steps)}.",
        data=[f"{run.folder}/{CURVES}", f"{run.folder}/{ANNEALING}"])


def _look_line(part: Annealing, variant: str) -> Line:
    seeds = part.looks[variant]
    return Line(WEIGHTS[variant], BLUE, part.look_epochs,
                [_mean(values) for values in zip(*seeds, strict=True)], seeds=seeds if len(seeds) > 1 else (),
                dashed=variant != "raw", label=LABELS[variant])


def _annealing_said(part: Annealing, branch: Branch) -> str:
    """The trained weights at the last branch and at the end, beside the averaged ones."""
    first, last = branch.epoch, part.look_epochs[-1]

    def at(variant: str, epoch: int) -> str:
        values = branch.before[variant] if epoch == first else part.look(variant, epoch)
        return nats(_mean(values))

    return (f"At epoch {first}, where the step lr/(1 − m) is still {part.step(first):.3f}, trained weights have "
            f"{at('raw', first)} nats on validation; at epoch {last:,}, with a step of {part.step(last):.3f}, "
            f"{at('raw', last)}. Averaged weights go from {at('ema', first)} to {at('ema', last)} meanwhile. All are "
            f"means over {_seeds(part.seeds)}.")


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"


# The short annealing.

def _branch_row(branch: Branch, variant: str) -> BranchRow:
    return BranchRow(f"{branch.epoch:,}, for {branch.epochs} epochs", WEIGHTS[variant], [
        _cell(values[variant]) if values else Cell("–", "")
        for values in (branch.before, branch.after, branch.unchanged)])


def _branches_said(branches: Sequence[Branch]) -> str:
    """One sentence on what the smaller step gave trained weights, of what they lacked against averaged ones."""
    parts, helps = [], []
    for branch in branches:
        before = _mean(branch.before["raw"])
        gained = _mean(branch.after["raw"]) - before
        lacking = _mean(branch.before["ema"]) - before
        unchanged = _mean(branch.unchanged["raw"]) - before if branch.unchanged else 0.0
        helps.append(0 < gained > unchanged)
        against = f" against {signed(unchanged)} in the run itself" if branch.unchanged else ""
        parts.append(f"from epoch {branch.epoch:,}, {signed(gained)} nats in {branch.epochs} epochs{against}, where "
                     f"averaged weights were {nats(abs(lacking))} {'above' if lacking >= 0 else 'below'} them")
    gives = "gives trained weights part of" if all(helps) else "does not give trained weights"
    return f"A smaller step alone {gives} what they lack against averaged ones on validation: {'; '.join(parts)}."


def _average_said(part: Annealing, branch: Branch) -> str:
    """Why averaged weights come close to the trained ones in a branch."""
    updates = branch.epochs * part.updates_per_epoch
    kept = part.average_decay ** updates
    return (f"Averaged weights forget: after {branch.epochs} epochs, {updates:,} updates, {_percent(kept)} of the "
            f"average (decay {part.average_decay:g}) is older than the short annealing, and the rest of it a path that "
            "hardly moves.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# Scores.

def _scores(part: Annealing) -> list[ScoreRow]:
    """A row for each seed, and one over seeds where there are several."""
    rows = [ScoreRow(str(one.seed), "collapsed" if one.collapsed else "", [
        text for score in (one.variants[variant] for variant in VARIANTS)
        for text in (f"{score.epoch:,}", _estimate(score.refined), _estimate(score.paper_grid))])
        for one in part.scores]
    if len(rows) < 2:
        return rows
    cells = []
    for scores in ([one.variants[variant] for one in part.scores] for variant in VARIANTS):
        cells += ["–", _over_seeds([score.refined for score in scores]),
                  _over_seeds([score.paper_grid for score in scores])]
    return [*rows, ScoreRow("mean ± standard deviation", f"over {len(rows)} seeds", cells)]


def _judged(entry: Entry) -> str:
    """The verdict on both grids by the rule, which takes the refined search."""
    found = [f"{grid} {value_text(row)}, {judged.word}{f' ({judged.reason})' if judged.reason else ''}"
             for grid, row in {"refined search": entry, "the paper’s grid": entry | entry["paper_grid"]}.items()
             for judged in [verdict(row, "raw")]]
    return f"Judged is seed {entry['seed']}, the best on validation, against the paper’s " \
           f"{published_text(entry['model'], entry['dataset'])}: {'; '.join(found)}."


def _estimate(estimate: Estimate) -> str:
    return with_error(estimate.test_log_likelihood, estimate.standard_error)


def _over_seeds(estimates: Sequence[Estimate]) -> str:
    values = [estimate.test_log_likelihood for estimate in estimates]
    return with_error(_mean(values), _deviation(values))


# Samples.

def _strip(run: LongRun, entry: Entry | None, numbers: Numbering) -> Figure | None:
    """The first samples of the seed that is judged, for the first screen."""
    near = run.neighbours
    seed = entry["seed"] if entry else near.seed if near else min(run.grids, default=None)
    images = run.grids.get(seed, {}).get("raw") if seed is not None else None
    if images is None:
        return None
    samples = strip([_image(row, run.shape) for row in images[:STRIP]])
    found = near if near and near.seed == seed else None
    nearest = strip([_image(row, run.shape) for row in found.images[:STRIP]]) if found else None
    shown = min(STRIP, len(images))
    epochs = {one.seed: one.variants["raw"].epoch for one in run.annealing.scores} if run.annealing else {}
    made = f"seed {seed}" + (f", epoch {epochs[seed]:,}" if seed in epochs else "")
    below = "; below each, framed, the nearest of all training images" if found else ""
    alt = f"{shown} generated images of {run.experiment}, {made}, side by side{below}."
    return Figure("strip", numbers.next(), "raw", alt=alt, data=(),
                  caption=f"The first {shown} samples of the judged run ({made}), none picked{below}.",
                  strip=Strip(alt, image_source(samples), image_source(nearest) if nearest else "", shown,
                              *samples.size))


def _image(row: NDArray[np.uint8], shape: Sequence[int]) -> Image.Image:
    """uint8 [C·H·W] as a grey or coloured image."""
    channels, height, width = shape
    pixels = row.reshape(channels, height, width)
    if channels == 1:
        return Image.frombytes("L", (width, height), pixels[0].tobytes())
    return Image.frombytes("RGB", (width, height), pixels.transpose(1, 2, 0).tobytes())


def _samples(run: LongRun, numbers: Numbering) -> Samples | None:
    grids = {seed: of_seed["raw"] for seed, of_seed in sorted(run.grids.items()) if "raw" in of_seed}
    if not grids:
        return None
    epochs = {one.seed: one.variants["raw"].epoch for one in run.annealing.scores} if run.annealing else {}
    pictures = [Picture(f"seed {seed}" + (f", epoch {epochs[seed]:,}" if seed in epochs else ""),
                        smaller(sheet(images, run.shape)), COLUMNS * run.shape[2])
                for seed, images in grids.items()]
    return Samples(numbers.next(), pictures, f"The first {max(map(len, grids.values()))} samples of each seed, trained "
                   "weights, none picked.", f"{run.folder}/{GRIDS}")


# Starts.

def _starts_row(starts: Starts, commit: str) -> StartsRow:
    """`commit` is named above the table."""
    number, collapsed = len(starts.seeds), sum(starts.collapsed)
    low, high = starts.interval
    remarks = [f"{made} by commit {other[:10]}" for other, made in starts.commits.items() if other != commit]
    if starts.diverged_batches:
        remarks.append(f"and {starts.diverged_batches} batches that diverged")
    return StartsRow(starts.kind, "; ".join(remarks), f"{collapsed} of {number}", _percent(collapsed / number),
                     f"{100 * low:.1f} to {100 * high:.1f} %", _spread_of(starts),
                     "–" if starts.agree is None else f"{starts.agree} of {number}")


def _spread_of(starts: Starts) -> str:
    """Validation log-likelihoods of the starts that did not collapse."""
    scores = [score for score, gone in zip(starts.validation, starts.collapsed, strict=False) if not gone]
    return with_error(statistics.fmean(scores), statistics.stdev(scores) if scores[1:] else None) if scores else "–"


def _starts_figure(run: LongRun, starts: Starts, numbers: Numbering) -> Figure:
    number, collapsed = len(starts.seeds), sum(starts.collapsed)
    gone = [k for k in range(number) if starts.collapsed[k]][:DRAWN]
    others = [k for k in range(number) if not starts.collapsed[k]][:DRAWN - len(gone)]
    groups = [(f"not collapsed ({number - collapsed})", BLUE, others), (f"collapsed ({collapsed})", VERMILION, gone)]
    charts = [_starts_chart(title, label, values, groups) for title, label, values in (
        ("Mean output of D on training images", "D(x)", starts.d_on_data),
        ("Mean output of D on samples", "D(G(z))", starts.d_on_samples))]
    shown = "" if len(gone) + len(others) == number else f" Drawn are {len(gone) + len(others)} of {number}."
    return Figure(
        "charts", numbers.next(), "raw", charts=charts,
        alt=f"D on training images and on samples over {START} epochs of {number} starts, {collapsed} of them "
            "collapsed.",
        caption=f"{number} starts, {starts.kind}: D’s mean output by epoch. Thin: each start; thick: the mean of its "
                f"kind.{shown}",
        data=[f"{run.folder}/{STARTS}", f"{run.folder}/{COLLAPSE}"])


def _starts_chart(title: str, label: str, values: Sequence[Sequence[float]],
                  groups: Sequence[tuple[str, int, Sequence[int]]]) -> Chart:
    epochs = list(range(1, len(values[0]) + 1))
    lines = [Line(name, colour, epochs, [_mean([values[k][epoch - 1] for k in members]) for epoch in epochs],
                  seeds=[values[k] for k in members], label=name.partition(" (")[0])
             for name, colour, members in groups if members]
    ends = [f"{line.name}: {line.y[-1]:.2f}" for line in lines]
    return Chart(title, f"{title} by epoch, in the last epoch on average {'; '.join(ends)}.",
                 Axis("epoch", *around(epochs, 0.03)),
                 Axis(label, *around([value for line in lines for value in line.values()])), lines)
