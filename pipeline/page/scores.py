"""Every measurement: on one axis for each data set, as a table, and what the estimate behind it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.page.charts import FEW_SEEDS, Axis, Tick, around
from pipeline.page.experiments import Section
from pipeline.page.formatting import Notes, anchor, remarks, row_label, value_text, variant_text
from pipeline.page.pictures import PAPER_FIGURES, Numbering, colour_of
from pipeline.results.metrics import Entry, by_variant, models_first
from pipeline.results.plan import Plan
from pipeline.results.published import (
    PAPER_DATASETS,
    PAPER_TABLE,
    REFERENCES,
    SMOKE_DATASETS,
    dataset_name,
    published_score,
    why_not_compared,
)
from pipeline.results.recorded import Recorded
from pipeline.results.table import dataset_heading, measured_datasets
from pipeline.results.text import listed, seeds_text, with_error


@dataclass(frozen=True)
class Measurement:
    """A line of the table that holds every number."""

    experiment: str
    variant: str
    entry: Entry
    recorded: Recorded | None
    marks: str = ""
    """Letters of the notes that hold for it"""

    @property
    def dataset(self) -> str:
        return dataset_name(self.entry["dataset"])

    @property
    def smoke(self) -> bool:
        return self.entry["dataset"] in SMOKE_DATASETS

    @property
    def label(self) -> str:
        """The row's name where the experiment's stands beside it."""
        return row_label(self.entry["title"], self.variant)

    @property
    def published(self) -> tuple[float, float] | None:
        """The paper's figure for it; averaged weights and parallel chains have none."""
        return published_score(self.entry["model"], self.entry["dataset"]) if self.variant == "raw" else None

    @property
    def refined(self) -> str:
        return value_text(self.entry)

    @property
    def seeds(self) -> str:
        return seeds_text(self.entry)

    @property
    def paper_grid(self) -> str:
        return value_text(self.entry["paper_grid"])


def measurements(metrics: Mapping[str, Entry], recorded: Sequence[Recorded], notes: Notes) -> list[Measurement]:
    """Every measurement by data set: models, then the references that they are judged by, then recorded runs."""
    rows: list[tuple[str, Entry, Recorded | None]] = [
        (name, entry, None) for name, entry in models_first(metrics).items()]
    rows += [(run.experiment, run.metrics, run) for run in recorded]
    return [Measurement(name, variant, entry, run, " ".join(notes.mark(remark) for remark in remarks(entry)))
            for dataset in measured_datasets(metrics, recorded)
            for name, metric, run in rows if metric["dataset"] == dataset
            for variant, entry in by_variant(metric).items()]


# All rows of a data set on one axis.

@dataclass(frozen=True)
class Dot:
    """A point with its error bar, and its seeds: few as points of their own, of more a thin line from the lowest to the
    highest. All in % of the axis."""

    kind: str
    """`paper`, `ours`, `reference` or `recorded`"""
    colour: int
    at: str
    bar: tuple[str, str]
    """Where it begins, and how long it is"""
    points: Sequence[str] = ()
    range: tuple[str, str] | None = None


@dataclass(frozen=True)
class Row:
    label: str
    detail: str
    """Profile and number of seeds"""
    measured: str
    dots: Sequence[Dot]
    beyond: str
    """Seeds that lie outside the axis"""
    dashed: bool = False


@dataclass(frozen=True)
class DotPlot:
    id: str
    number: int
    heading: str
    note: str
    """Why no published figure is beside it; empty for the paper's data sets"""
    ticks: Sequence[Tick]
    rows: Sequence[Row]


def dot_plots(measured: Sequence[Measurement], numbers: Numbering) -> list[DotPlot]:
    """One for each data set that was measured, in that order, but those that only test the pipeline last."""
    names = sorted(dict.fromkeys(row.entry["dataset"] for row in measured), key=lambda name: name in SMOKE_DATASETS)
    return [_dot_plot(name, [row for row in measured if row.entry["dataset"] == name], numbers) for name in names]


def _dot_plot(dataset: str, measured: Sequence[Measurement], numbers: Numbering) -> DotPlot:
    there = {one.entry["model"] for one in measured}
    published = [row for row in PAPER_TABLE if dataset in row.values]
    ends = [end for one in measured for end in _ends(one.entry["test_log_likelihood"], one.entry["standard_error"])]
    ends += [end for row in published for end in _ends(*row.values[dataset])]
    axis = Axis("nats", *around(ends, 0.05, 1.0))
    rows = [(one.entry["test_log_likelihood"], _measured_row(one, axis)) for one in measured]
    rows += [(row.values[dataset][0], Row(row.name, "not measured", "–",
                                          [_dot("paper", 0, *row.values[dataset], axis)], ""))
             for row in published if row.model not in there]
    return DotPlot(anchor("scores", dataset), numbers.next(),
                   dataset_heading(dataset, [one.entry for one in measured]), why_not_compared(dataset), axis.ticks(),
                   [row for _, row in sorted(rows, key=lambda pair: -pair[0])])


def _ends(value: float, error: float) -> tuple[float, float]:
    return value - error, value + error


def _dot(kind: str, colour: int, value: float, error: float, axis: Axis, seeds: Sequence[float] = ()) -> Dot:
    few = 1 < len(seeds) <= FEW_SEEDS
    inside = [_percent(axis.share(seed)) for seed in sorted(seeds) if 0 <= axis.share(seed) <= 1] if few else []
    spread = _stretch(min(seeds), max(seeds), axis) if len(seeds) > FEW_SEEDS else None
    return Dot(kind, colour, _percent(axis.share(value)), _stretch(value - error, value + error, axis), inside, spread)


def _stretch(low: float, high: float, axis: Axis) -> tuple[str, str]:
    """From `low` to `high`, as far as the axis goes."""
    start, end = (min(1.0, max(0.0, axis.share(value))) for value in (low, high))
    return _percent(start), _percent(end - start)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _measured_row(one: Measurement, axis: Axis) -> Row:
    entry, paper = one.entry, one.published
    kind = "recorded" if one.recorded else "reference" if entry["model"] in REFERENCES else "ours"
    each = [seed["test_log_likelihood"] for seed in entry["seeds"]]
    dots = [_dot(kind, colour_of(entry["model"]), entry["test_log_likelihood"], entry["standard_error"], axis, each)]
    dots += [_dot("paper", 0, *paper, axis)] if paper else []
    outside = [with_error(value, None) for value in sorted(each) if not 0 <= axis.share(value) <= 1]
    seeds = f", {len(each)} seeds" if len(each) > 1 else ""
    return Row(one.label, f"{entry['profile']}{seeds}", value_text(entry), dots,
               f"{'seed' if len(outside) == 1 else 'seeds'} at {listed(outside)}" if outside else "",
               one.variant != "raw")


# What the estimate is worth.

@dataclass(frozen=True)
class Estimate:
    """How many samples and test images the estimates on this page rest on."""

    samples: str
    images: str

    @classmethod
    def of(cls, experiments: Sequence[Section]) -> Estimate:
        def numbers_of(key: str) -> str:
            numbers = {section.evaluation[key] for section in experiments if section.evaluation and not section.smoke}
            return " or ".join(f"{number:,}" for number in sorted(numbers))
        return cls(numbers_of("samples"), numbers_of("test_images"))


def reference_sentence(metrics: Mapping[str, Entry], full: bool = True) -> str:
    """What this page's own reference rows say, with their numbers, in short of the first data set; empty without
    them."""
    sentences: list[str] = []
    for dataset in dict.fromkeys(entry["dataset"] for entry in metrics.values()):
        shown = {name: entry for name, entry in metrics.items() if entry["dataset"] == dataset}
        if dataset not in SMOKE_DATASETS and (full or not sentences):
            sentences += _reference_sentences(dataset_name(dataset), shown)
    return " ".join(sentences)


def _reference_sentences(dataset: str, metrics: Mapping[str, Entry]) -> Iterator[str]:
    """One sentence, and which models outscore real images; nothing without training images."""
    by_model = {entry["model"]: entry for entry in metrics.values()}
    real, averages = by_model.get("training_images"), by_model.get("kmeans")
    nets = {name: entry for name, entry in metrics.items() if entry["model"] == "adversarial_nets"}
    if real is None:
        return
    if averages is not None:
        relation = "above" if averages["test_log_likelihood"] > real["test_log_likelihood"] else "against"
        yield (f"On {dataset}, k-means centroids score {value_text(averages)} nats, "
               f"{relation} the {value_text(real)} of real training images.")
    else:
        against = listed([f"{value_text(entry)} of {name}" for name, entry in nets.items()])
        yield (f"On {dataset}, real training images in place of samples score {value_text(real)} nats"
               f"{', against ' + against if against else ''}.")
    yield from _above_real(real, metrics)


def _above_real(real: Entry, metrics: Mapping[str, Entry]) -> Iterator[str]:
    """Models that outscore real images, any of their variants."""
    rows = [(name, variant, entry) for name, metric in metrics.items() if metric["model"] not in REFERENCES
            for variant, entry in by_variant(metric).items()]
    above = [f"{name} ({variant_text(entry['model'], variant)}, {value_text(entry)})" for name, variant, entry in rows
             if entry["test_log_likelihood"] > real["test_log_likelihood"]]
    if above:
        yield f"Above real images {'stands' if len(above) == 1 else 'stand'} {listed(above)}."


def not_measured(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded]) -> list[str]:
    """What the paper has and nothing here has measured."""
    entries = [*metrics.values(), *(run.metrics for run in recorded)]
    models = {entry["model"] for entry in entries}
    names = [row.name for row in PAPER_TABLE if row.model not in models | {"adversarial_nets"}]
    lines = []
    if names:
        lines.append(f"{listed(names)}: not measured yet. No experiment with these models has been run.")
    for dataset in PAPER_DATASETS:
        if not any(entry["dataset"] == dataset for entry in entries) and dataset not in plan.left_out:
            asked = dataset in plan.experiments
            lines.append(f"{dataset_name(dataset)}: not measured yet"
                         + ("." if asked else "; no experiment on it is asked for in params.yaml."))
    if not any(entry["dataset"] == "tfd" for entry in entries):
        lines.append("TFD, the Toronto Face Database, is not public: its owners grant it on request.")
    return [*lines, *_not_at_full_size(metrics, plan, recorded)]


def _not_at_full_size(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded]) -> list[str]:
    """The paper's experiments that need a GPU and have no result with the paper's numbers."""
    done = {run.experiment for run in recorded if run.profile == "paper"}
    done |= {name for name, entry in metrics.items() if entry["profile"] == "paper"}
    lacking = [name for name in PAPER_FIGURES if name != "mnist" and name not in done]
    if plan.profile == "paper" or not lacking:
        return []
    return [f"{listed(lacking)} at the paper’s size (profile paper): still to be measured, on a GPU."]
