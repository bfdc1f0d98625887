"""Stage `report`: reports/metrics.json and reports/index.html, from whatever has been measured so far.

    python -m pipeline.report          write both
    python -m pipeline.report table    print the table from reports/metrics.json

The page is one file with its pictures inside. What may differ between two identical runs (commit, state of the tree)
stands in elements with the attribute `data-varies`, and nowhere else.
"""

from __future__ import annotations

import base64
import csv
import importlib.metadata
import platform
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gan.errors import ParameterError
from pipeline import machine, results
from pipeline.files import read_json, write_json, write_text
from pipeline.results import ARTIFACTS, FIGURES, Entry, Plan, Recorded, with_error
from pipeline.stage import run

TEMPLATE = Path(__file__).parents[1] / "reports" / "template.html"
LOCK = Path("dvc.lock")
RAW = Path("data/raw")
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "dvc", "mlflow")

STAGE_FILES = ("training.json", "bandwidth.json", "evaluation.json")
PAPER_FIGURES = {"mnist": "2a", "tfd": "2b", "cifar10_fully_connected": "2c", "cifar10_convolutional": "2d"}
"""Which part of the paper's figure 2 an experiment's samples are to be compared with"""

PAPER_DATA = (*results.PAPER_DATASETS, "cifar10")
OTHER_TABLE, ALL_TABLE = "1b", "2"
SAID = 3  # of what was reduced, in running text; the whole list stands with the experiment


def main(what: str = "page") -> None:
    plan, recorded = Plan.read(), results.recorded_runs()
    if what == "table":
        results.print_table(results.read_metrics(), plan, recorded)
    elif what == "page":
        metrics = results.gather(plan.experiments)
        page = render(metrics, plan, recorded, Provenance.read(plan))
        write_json(results.METRICS, metrics)
        write_text(results.PAGE, page)
    else:
        raise ParameterError(f"unknown word {what!r}", expected="`table`, or nothing for the page", found=what,
                             remedy="python -m pipeline.report table")


def render(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded], provenance: Provenance) -> str:
    """The page. Everything in it is escaped but the template itself."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True, keep_trailing_newline=True)
    numbers = Numbering()
    environment.filters.update(nats=_nats, value=value_text, over_seeds=over_seeds, sentence=sentence,
                               breakable=breakable, flat=flatten, setting=results.setting_text,
                               short=results.short_setting)
    experiments = [Section.read(name, metrics.get(name), numbers) for name in plan.experiments]
    measured = measurements(metrics, recorded)
    return environment.from_string(TEMPLATE.read_text()).render(
        plan=plan, answers=answers(metrics, recorded), groups=table_groups(metrics, plan, recorded),
        measurements=measured, others=other_data(measured), experiments=experiments, recorded=recorded,
        reduced=any(one.entry["differences"] for one in measured),
        in_folds={one.entry["dataset"] for one in measured if one.entry["folds"] > 1},
        other_table=OTHER_TABLE, all_table=ALL_TABLE, unit_scale=results.UNIT_SCALE,
        references=reference_sentence(metrics), not_measured=not_measured(metrics, plan, recorded),
        differences=differences(experiments), provenance=provenance, parzen=estimate(experiments),
        profiles=list(dict.fromkeys(entry["profile"] for entry in metrics.values())),
        paper_source=results.PAPER_SOURCE)


# The answer, and Table 1.

@dataclass(frozen=True)
class Measured:
    """One result as it is shown: text, and what is needed to place it."""

    value: str
    detail: str = ""


@dataclass(frozen=True)
class Cell:
    paper: str
    measured: Measured | None
    missing: str = ""


@dataclass(frozen=True)
class TableRow:
    name: str
    cells: Mapping[str, Cell]


@dataclass
class Group:
    title: str
    rows: list[TableRow] = field(default_factory=list)

    def add(self, row: TableRow) -> None:
        """Put `row` in, into one of the same name where that one has nothing in its data set."""
        for i, other in enumerate(self.rows):
            shared = [name for name, cell in row.cells.items() if cell.measured and other.cells[name].measured]
            if other.name == row.name and not shared:
                filled = {name: cell for name, cell in row.cells.items() if cell.measured}
                self.rows[i] = TableRow(row.name, {**other.cells, **filled})
                return
        self.rows.append(row)


def answers(metrics: Mapping[str, Entry], recorded: Sequence[Recorded]) -> list[str]:
    """For each run of the paper's own model on a data set of its table: the paper's figure and the one measured."""
    found = [*((None, entry) for entry in metrics.values()), *((run, run.metrics) for run in recorded)]
    return [_answer(entry, run) for run, entry in found
            if results.published(entry["model"], entry["dataset"]) and entry["model"] == "adversarial_nets"]


def _answer(entry: Entry, run: Recorded | None) -> str:
    dataset = results.dataset_name(entry["dataset"])
    paper = results.published_text(entry["model"], entry["dataset"])
    who = f"This run, profile {entry['profile']}," if run is None else \
        f"The recorded run of {run.date}, profile {run.profile} on {run.hardware},"
    folds = f" over {entry['folds']} folds" if entry["folds"] > 1 else ""
    said = [f"{dataset}: the paper reports {paper} nats. {who} measured {value_text(entry)}{folds} "
            f"({over_seeds(entry)})."]
    if entry["differences"]:
        said.append(f"It was reduced: {_first(entry['differences'])}.")
    return " ".join([*said, *([sentence(entry["note"])] if entry["note"] else [])])


def _first(differences: Sequence[str]) -> str:
    """The first of what was reduced, and how many more there are."""
    more = len(differences) - SAID
    return "; ".join(differences[:SAID]) + (f"; and {more} more, listed with the experiment" if more > 0 else "")


def remarks(entry: Entry) -> list[str]:
    """What stands beside every number of an experiment: what its ± is over, that it was reduced, and its note."""
    return [*([f"± over {entry['folds']} folds"] if entry["folds"] > 1 else []),
            *(["reduced"] if entry["differences"] else []),
            *([entry["note"]] if entry["note"] else [])]


def _nats(value: float) -> str:
    return with_error(value, None)


def value_text(entry: Mapping[str, Any]) -> str:
    return with_error(entry["test_log_likelihood"], entry["standard_error"])


def over_seeds(entry: Entry) -> str:
    """"177.9 ± 0.6 over 2 seeds"."""
    number = len(entry["seeds"])
    return f"{with_error(entry['seed_mean'], entry['seed_sd'])} over {number} seeds" if number > 1 else "one seed"


def sentence(text: str) -> str:
    """With a full stop at its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def breakable(name: str) -> Markup:
    """A name that may be broken after its underscores and dots."""
    return Markup("<wbr>").join(re.split(r"(?<=[_.])", name))


def table_groups(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded]) -> list[Group]:
    """Table 1: the paper's rows, then what it does not have. Other data sets than its own stand elsewhere."""
    shown = {name: entry for name, entry in metrics.items() if entry["dataset"] in results.PAPER_DATASETS}
    own, used = _paper_rows(shown, plan)
    groups = [Group("The models of the paper’s Table 1", own), Group("Measured here, not in the paper"),
              Group("References: real images and averages of them, no generative models"),
              Group("Recorded runs, made earlier or elsewhere")]
    for name, metric in results.in_order(shown).items():
        is_reference = metric["model"] in results.REFERENCES
        for variant, entry in results.rows(metric).items():
            if is_reference:
                groups[2].add(_extra_row(results.row_name(name, metric), variant, entry))
            elif variant != "raw" or name not in used:
                groups[1].add(_extra_row(results.row_name(name, metric), variant, entry))
    for one in recorded:
        if one.metrics["dataset"] in results.PAPER_DATASETS:
            for variant, entry in results.rows(one.metrics).items():
                groups[3].add(_recorded_row(one, variant, entry))
    return [group for group in groups if group.rows]


def _paper_rows(metrics: Mapping[str, Entry], plan: Plan) -> tuple[list[TableRow], set[str]]:
    """The paper's four rows and the experiments that fill their cells: the first with that model and data set."""
    rows, used = [], set()
    for published in results.PAPER_TABLE:
        cells = {}
        for dataset in results.PAPER_DATASETS:
            name = next((name for name, entry in metrics.items()
                         if (entry["model"], entry["dataset"]) == (published.model, dataset)), None)
            if name is not None:
                used.add(name)
            cells[dataset] = Cell(
                results.published_text(published.model, dataset),
                None if name is None else _measured(metrics[name], name),
                "" if name is not None else _why_missing(published.model, dataset, plan))
        rows.append(TableRow(published.name, cells))
    return rows, used


def _why_missing(model: str, dataset: str, plan: Plan) -> str:
    name = dataset if model == "adversarial_nets" else f"{dataset}_{model}"
    if name in plan.left_out:
        return "left out"
    return "not run" if name in plan.experiments else "not measured yet"


def _measured(entry: Entry, experiment: str) -> Measured:
    parts = [f"experiment {experiment}", f"profile {entry['profile']}"]
    if entry["epoch"] is not None:
        parts.append(f"epoch {entry['epoch']}")
    return Measured(value_text(entry), "; ".join([over_seeds(entry), ", ".join(parts), *remarks(entry)]))


def _extra_row(name: str, variant: str, entry: Entry, made: str = "") -> TableRow:
    detail = f"{over_seeds(entry)}; profile {entry['profile']}"
    detail += "" if entry["epoch"] is None else f", epoch {entry['epoch']}"
    detail = "; ".join([detail + made, *remarks(entry)])
    paper = results.published_text(entry["model"], entry["dataset"]) if variant == "raw" else "–"
    return TableRow(_label(name, variant), {dataset: Cell(paper, Measured(value_text(entry), detail))
                                            if dataset == entry["dataset"] else Cell("–", None)
                                            for dataset in results.PAPER_DATASETS})


def _label(name: str, variant: str) -> str:
    return name if variant == "raw" else f"{name}, {results.VARIANT_NAMES.get(variant, variant)}"


def _recorded_row(run: Recorded, variant: str, entry: Entry) -> TableRow:
    return _extra_row(results.row_name(run.experiment, run.metrics), variant, entry,
                      f"; commit {run.commit[:10]}, {run.date}; {run.hardware}")


# Every measurement, and what the estimate is worth.

@dataclass(frozen=True)
class Measurement:
    """A line of the table that holds every number."""

    experiment: str
    variant: str
    entry: Entry
    recorded: Recorded | None

    @property
    def dataset(self) -> str:
        return results.dataset_name(self.entry["dataset"])

    @property
    def smoke(self) -> bool:
        return self.entry["dataset"] in results.SMOKE_DATASETS

    @property
    def label(self) -> str:
        """The row's name where the experiment's stands beside it."""
        return _label(self.entry["title"], self.variant)

    @property
    def remarks(self) -> list[str]:
        return [*([f"recorded {self.recorded.date}"] if self.recorded else []),
                *(["comparable with nothing"] if self.smoke else []), *remarks(self.entry)]

    @property
    def refined(self) -> str:
        return value_text(self.entry)

    @property
    def seeds(self) -> str:
        return results.seeds_text(self.entry)

    @property
    def paper_grid(self) -> str:
        return value_text(self.entry["paper_grid"])


def measurements(metrics: Mapping[str, Entry], recorded: Sequence[Recorded]) -> list[Measurement]:
    """Every measurement by data set: models, then the references that they are judged by, then recorded runs."""
    found: list[tuple[str, Entry, Recorded | None]] = [
        (name, entry, None) for name, entry in results.in_order(metrics).items()]
    found += [(run.experiment, run.metrics, run) for run in recorded]
    return [Measurement(name, variant, entry, run) for dataset in results.datasets(metrics, recorded)
            for name, metric, run in found if metric["dataset"] == dataset
            for variant, entry in results.rows(metric).items()]


@dataclass(frozen=True)
class OtherData:
    """A data set that the paper's table does not have."""

    heading: str
    """Name, dimension, scale, folds; and why no published figure is beside it"""
    rows: Sequence[Measurement]


def other_data(measured: Sequence[Measurement]) -> list[OtherData]:
    """What is measured on data sets outside the paper's table, those aside that only test the pipeline."""
    names = [one.entry["dataset"] for one in measured
             if one.entry["dataset"] not in results.PAPER_DATASETS and not one.smoke]
    by_name = {name: [one for one in measured if one.entry["dataset"] == name] for name in dict.fromkeys(names)}
    return [OtherData(f"{results.dataset_heading(name, [one.entry for one in rows])}: {results.comparison(name)}", rows)
            for name, rows in by_name.items()]


def reference_sentence(metrics: Mapping[str, Entry]) -> str:
    """What this page's own reference rows say, with their numbers; empty without them."""
    said: list[str] = []
    for dataset in dict.fromkeys(entry["dataset"] for entry in metrics.values()):
        shown = {name: entry for name, entry in metrics.items() if entry["dataset"] == dataset}
        if dataset not in results.SMOKE_DATASETS:
            said += _reference_sentences(results.dataset_name(dataset), shown)
    return " ".join(said)


def _reference_sentences(dataset: str, metrics: Mapping[str, Entry]) -> Iterator[str]:
    """One sentence, and what has to be said of the results in it; nothing without training images."""
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
        against = results.listed([f"{value_text(entry)} of {name}" for name, entry in nets.items()])
        yield (f"On {dataset}, real training images in place of samples score {value_text(real)} nats"
               f"{', against ' + against if against else ''}.")
    yield from dict.fromkeys(sentence(entry["note"]) for entry in metrics.values() if entry["note"])


def not_measured(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded]) -> list[str]:
    """What the paper has and nothing here has measured."""
    entries = [*metrics.values(), *(run.metrics for run in recorded)]
    models = {entry["model"] for entry in entries}
    names = [row.name for row in results.PAPER_TABLE if row.model not in models | {"adversarial_nets"}]
    said = []
    if names:
        said.append(f"{results.listed(names)}: not measured yet. No experiment with these models has been run.")
    for dataset in results.PAPER_DATASETS:
        if not any(entry["dataset"] == dataset for entry in entries) and dataset not in plan.left_out:
            asked = dataset in plan.experiments
            said.append(f"{results.dataset_name(dataset)}: not measured yet"
                        + ("." if asked else "; no experiment on it is asked for in params.yaml."))
    if not any(entry["dataset"] == "tfd" for entry in entries):
        said.append("TFD, the Toronto Face Database, is not public: its owners grant it on request.")
    return [*said, *_not_at_full_size(metrics, plan, recorded)]


def _not_at_full_size(metrics: Mapping[str, Entry], plan: Plan, recorded: Sequence[Recorded]) -> list[str]:
    """The paper's experiments that need a GPU and have no result with the paper's numbers."""
    done = {run.experiment for run in recorded if run.profile == "paper"}
    done |= {name for name, entry in metrics.items() if entry["profile"] == "paper"}
    lacking = [name for name in PAPER_FIGURES if name != "mnist" and name not in done]
    if plan.profile == "paper" or not lacking:
        return []
    return [f"{results.listed(lacking)} at the paper’s size (profile paper): still to be measured, on a GPU."]


# Experiments.

class Numbering:
    """Counts the page's figures."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last += 1
        return self._last


@dataclass(frozen=True)
class Picture:
    number: int
    source: str
    width: int
    height: int
    alt: str
    caption: str
    data: Sequence[str]

    @classmethod
    def read(cls, path: Path, numbers: Numbering, alt: str, caption: str, data: Sequence[str]) -> Picture:
        content = path.read_bytes()
        width, height = struct.unpack(">II", content[16:24])  # PNG's first chunk begins with them
        return cls(numbers.next(), "data:image/png;base64," + base64.b64encode(content).decode(),
                   width // 2, height // 2, alt, caption, data)


@dataclass(frozen=True)
class Section:
    """One experiment's part of the page."""

    name: str
    status: str
    """`done`, `unfinished` or `not run`"""
    missing: str
    entry: Entry | None
    variants: Mapping[str, Entry]
    training: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    title: str
    dataset: str
    smoke: bool
    hardware: str
    note: str
    facts: Sequence[str]
    """Dimension, scale and folds"""
    reduced: Sequence[Mapping[str, Any]]
    """`setting`, `paper` and `here` of every number in which the profile departs from the paper's"""
    duplicates: str
    folds: Mapping[str, Sequence[Mapping[str, Any]]]
    """By variant, each fold's result from the headline's seed"""
    edges: Sequence[str]
    """Searches whose best bandwidth was their first or last, so that a better one may lie outside"""
    pictures: Sequence[Sequence[Picture]]
    """What belongs side by side"""
    parameters: Mapping[str, Sequence[tuple[str, str]]]
    """By stage: dotted name and value"""

    @classmethod
    def read(cls, name: str, entry: Entry | None, numbers: Numbering) -> Section:
        folder = ARTIFACTS / name
        there = {file: read_json(folder / file) for file in STAGE_FILES if (folder / file).is_file()}
        evaluation = there.get("evaluation.json", {})
        about = evaluation or there.get("training.json", {})
        dataset = str(about.get("dataset", ""))
        lacking = [file.removesuffix(".json") for file in STAGE_FILES if file not in there]
        return cls(
            name=name, status="done" if entry is not None else "unfinished" if there else "not run",
            missing=", ".join(lacking), entry=entry, variants={} if entry is None else results.rows(entry),
            training=there.get("training.json", {}), evaluation=evaluation,
            title=str(about.get("title") or results.model_name(str(about.get("model", "")))),
            dataset=results.dataset_name(dataset), smoke=dataset in results.SMOKE_DATASETS,
            hardware=machine.describe(about["hardware"]) if about else "",
            note=str(evaluation.get("note", "")), facts=_facts(entry), reduced=evaluation.get("differences", []),
            duplicates=results.duplicates_text(evaluation.get("duplicates", {})), folds=_folds(evaluation),
            edges=_edges(there.get("bandwidth.json", {})),
            pictures=[] if entry is None else _pictures(name, evaluation, numbers),
            parameters=_parameters(folder / "configuration"))


def _facts(entry: Entry | None) -> list[str]:
    if entry is None:
        return []
    scale = "pixels in [0, 1]" if entry["scale"] == results.UNIT_SCALE else entry["scale"]
    return [*([f"d = {entry['dimensions']}"] if entry["dimensions"] else []), scale,
            *([f"{entry['folds']} folds, ± over them"] if entry["folds"] > 1 else [])]


def _folds(evaluation: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    if evaluation.get("folds", 1) == 1:
        return {}
    return {variant: _result(evaluation, variant)["refined"]["folds"] for variant in results.variants(evaluation)}


def _result(evaluation: Mapping[str, Any], variant: str) -> Mapping[str, Any]:
    """A variant's result from the headline's seed."""
    seed = results.best_seed(evaluation, variant)
    found: Mapping[str, Any] = next(one for one in evaluation["seeds"] if one["seed"] == seed)["variants"][variant]
    return found


def _edges(bandwidth: Mapping[str, Any]) -> list[str]:
    """"seed 1, ema", "seed 1, raw, fold 3": the searches that ended at their first or last bandwidth."""
    return [f"seed {seed['seed']}, {variant}{where}" for seed in bandwidth.get("seeds", ())
            for variant, found in seed["variants"].items() for where in _places_at_the_edge(found["refined"])]


def _places_at_the_edge(search: Mapping[str, Any]) -> list[str]:
    if "folds" in search:
        return [f", fold {number}" for number, fold in enumerate(search["folds"], 1) if fold.get("at_the_edge")]
    return [""] if search.get("at_the_edge") else []


def _parameters(folder: Path) -> dict[str, list[tuple[str, str]]]:
    files = {path.stem: path for path in folder.glob("*.json")}
    order = ["train", "sample", "bandwidth", "evaluate", "figures"]
    names = [name for name in order if name in files] + sorted(set(files) - set(order))
    return {name: list(flatten(read_json(files[name]))) for name in names}


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as (dotted name, value) in their own order; lists of plain values stay on one line."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{prefix}[{number}]")
    else:
        yield prefix, results.setting_text(value)


def lookup(settings: Any, key: str) -> Any:
    """The first value named `key` at any depth of `settings`, or None."""
    if isinstance(settings, dict):
        if key in settings:
            return settings[key]
        settings = list(settings.values())
    if isinstance(settings, list):
        return next((found for inner in settings if (found := lookup(inner, key)) is not None), None)
    return None


def _pictures(name: str, evaluation: Mapping[str, Any], numbers: Numbering) -> list[list[Picture]]:
    """The figures that exist, in the order of the paper."""
    settings = read_json(ARTIFACTS / name / "configuration" / "figures.json")
    variants = results.variants(evaluation)
    kinds = [[(f"samples-{variant}", _samples, variant) for variant in variants],
             [(f"interpolation-{variant}", _interpolation, variant) for variant in variants],
             [("training", _training, ""), ("bandwidth", _bandwidth, "")]]
    found = [[make(path, name, variant, evaluation, settings, numbers) for file, make, variant in kind
              if (path := FIGURES / name / f"{file}.png").is_file()] for kind in kinds]
    return [row for row in found if row]


def _made_by(evaluation: Mapping[str, Any], variant: str) -> tuple[str, str]:
    """"Seed 1, epoch 40, profile cpu.", the note with it, and the file of that seed's samples."""
    seed, epoch = results.best_seed(evaluation, variant), _result(evaluation, variant)["epoch"]
    parts = [f"Seed {seed}", *([] if epoch is None else [f"epoch {epoch}"]), _profile(evaluation)]
    return f"{', '.join(parts)}.{_note(evaluation)}", f"samples/seed-{seed}.safetensors"


def _profile(evaluation: Mapping[str, Any]) -> str:
    reduced = " (reduced, see the list above)" if evaluation.get("differences") else ""
    return f"profile {evaluation['profile']}{reduced}"


def _note(evaluation: Mapping[str, Any]) -> str:
    return f" {sentence(evaluation['note'])}" if evaluation.get("note") else ""


def _colours(evaluation: Mapping[str, Any], neighbours: bool) -> str:
    """How values outside [0, 1] became colours."""
    if evaluation.get("scale", results.UNIT_SCALE) == results.UNIT_SCALE:
        return ""
    framed = "; framed images likewise, but by their own largest where they would be cut off or fill less than half " \
             "of the range" if neighbours else ""
    return " Colours: values divided by the largest |value| of all generated images shown, −1 black and +1 white" \
           f"{framed}. The line below the images gives the values."


def _variant_phrase(evaluation: Mapping[str, Any], variant: str) -> str:
    """Which weights drew the samples; nothing to say where there is no choice."""
    return "" if len(results.variants(evaluation)) == 1 else f", {results.VARIANT_NAMES.get(variant, variant)}"


def _samples(path: Path, name: str, variant: str, evaluation: Mapping[str, Any], settings: Mapping[str, Any],
             numbers: Numbering) -> Picture:
    made, file = _made_by(evaluation, variant)
    rows, columns = settings["rows"], settings["columns"]
    title = evaluation.get("title") or results.model_name(evaluation["model"])
    letter = PAPER_FIGURES.get(name)
    compare = f" Compare figure {letter} of the paper." if letter else ""
    return Picture.read(
        path, numbers,
        alt=f"Grid of {rows} rows with {columns} generated images each, from {name} ({variant}). At the end of each "
            "row, framed in yellow, the training image nearest to the row’s last generated image.",
        caption=f"{title}{_variant_phrase(evaluation, variant)}: the first {rows * columns} of "
                f"{evaluation['samples']:,} samples drawn, none picked. Framed in yellow: the training image nearest "
                f"(L2, over the whole training set) to the sample on its left.{_colours(evaluation, neighbours=True)} "
                f"{made}{compare}",
        data=[f"{ARTIFACTS / name / file}"])


def _interpolation(path: Path, name: str, variant: str, evaluation: Mapping[str, Any], settings: Mapping[str, Any],
                   numbers: Numbering) -> Picture:
    made, file = _made_by(evaluation, variant)
    compare = " Compare figure 3 of the paper." if evaluation["dataset"] == "mnist" else ""
    return Picture.read(
        path, numbers,
        alt=f"Rows of generated images from {name} ({variant}); along each row one image turns step by step into "
            "another.",
        caption=f"Along straight lines in z{_variant_phrase(evaluation, variant)}: both ends of each row are random "
                f"draws, none picked.{_colours(evaluation, neighbours=False)} {made}{compare}",
        data=[f"{ARTIFACTS / name / file}"])


def _training(path: Path, name: str, variant: str, evaluation: Mapping[str, Any], settings: Mapping[str, Any],
              numbers: Numbering) -> Picture:
    tables = [table for part in ("losses", "discriminator", "validation")
              if (table := path.with_name(f"{part}.csv")).is_file()]
    seeds = [one["seed"] for one in evaluation["seeds"]]
    who = f"Seeds {', '.join(map(str, seeds))}: each a thin line, their mean a thick one" if len(seeds) > 1 else \
        f"Seed {seeds[0]}"
    last = takes_last_epoch(read_json(ARTIFACTS / name / "training.json"))
    circle = " (circle: the last epoch, which is the one taken)" if last else " that chose the epoch (circle)"
    ends = results.pretraining_ends(ARTIFACTS / name / "curves.csv")
    pretraining = f" Pretraining ends after epoch {results.listed([str(end) for end in ends])} (vertical line); " \
                  "epochs count through both." if ends else ""
    return Picture.read(
        path, numbers, alt=f"Training of {name}, line plots by epoch. {_training_facts(tables)}",
        caption="Training: both players’ losses, the mean output of the discriminator on data and on samples (dropout "
                f"on, as trained), and the log-likelihood of validation images{circle}. "
                f"{who}; {_profile(evaluation)}.{pretraining}{_note(evaluation)}",
        data=[table.as_posix() for table in tables])


_FACTS = {("losses", "discriminator"): "discriminator loss", ("losses", "generator"): "generator loss",
          ("discriminator", "on_data"): "D on data", ("discriminator", "on_samples"): "D on samples",
          ("validation", "raw"): "validation log-likelihood (raw)",
          ("validation", "ema"): "validation log-likelihood (ema)"}


def _training_facts(tables: Sequence[Path]) -> str:
    """Where each curve starts and ends, for those who cannot see it."""
    facts = []
    for table in tables:
        with table.open(newline="") as file:
            lines = list(csv.DictReader(file))
        for (part, column), name in _FACTS.items():
            cells = [line[column] for line in lines if line.get(column)] if part == table.stem else []
            if cells:
                digits = 1 if part == "validation" else 2
                facts.append(f"{name} from {with_error(float(cells[0]), None, digits)} "
                             f"to {with_error(float(cells[-1]), None, digits)}")
    return f"First to last epoch: {'; '.join(facts)}." if facts else ""


def _bandwidth(path: Path, name: str, variant: str, evaluation: Mapping[str, Any], settings: Mapping[str, Any],
               numbers: Numbering) -> Picture:
    said, made = [], []
    for variant in results.variants(evaluation):
        found = _result(evaluation, variant)
        said.append(f"{variant}: highest {with_error(found['refined']['validation_log_likelihood'], None)} nats at "
                    f"σ = {found['refined']['bandwidth']:.3f}, on the paper’s grid "
                    f"{with_error(found['paper_grid']['validation_log_likelihood'], None)} at "
                    f"{found['paper_grid']['bandwidth']:.3f}")
        made.append(f"{variant} seed {results.best_seed(evaluation, variant)}")
    folds = "Means over the folds; each fold’s choice by the refined search is a solid mark at the bottom, by the " \
            "paper’s grid a dashed one, and their geometric mean a line. " if evaluation.get("folds", 1) > 1 else ""
    seeds = f"Drawn from {', '.join(made)}" if len(made) > 1 else made[0].removeprefix("raw ").capitalize()
    return Picture.read(
        path, numbers, alt=f"Validation log-likelihood of {name} against bandwidth: it rises to one maximum and falls. "
                           f"{'; '.join(said)}.",
        caption="Choice of the bandwidth: mean log-likelihood of validation images against σ, by the refined search "
                "(line) and on the paper’s grid of ten (squares); above both whole, below the top with both "
                f"choices. {folds}{seeds}, {_profile(evaluation)}.{_note(evaluation)}",
        data=[path.with_suffix(".csv").as_posix(), (ARTIFACTS / name / "bandwidth.json").as_posix()])


# What differs from the paper.

@dataclass(frozen=True)
class Difference:
    what: str
    effect: str
    reduced: Sequence[str] = ()


def differences(experiments: Sequence[Section]) -> list[Difference]:
    """Departures from the paper's protocol, from the settings that were used; with the effect where it is known."""
    done = [one for one in experiments if one.entry is not None and not one.smoke]
    compared = [one for one in done if one.entry and one.entry["model"] == "adversarial_nets"
                and one.entry["dataset"] in PAPER_DATA]
    found = [difference for one in done for difference in _reductions(one)]
    found += [
        *_recipe_differences(compared),
        *_order_differences(done),
        Difference("Where no stopping rule is known, the log-likelihood of validation images during training chooses "
                   "the epoch.",
                   "The released code records none for MNIST and CIFAR-10, so the epochs behind the paper’s figures "
                   "are unknown. Test images have no part in the choice."),
        Difference("The bandwidth is searched on a finer grid than the paper’s ten values from .1 to 1.",
                   "That grid jumps from .167 to .215 over the usual optimum. Results by both stand in table "
                   f"{ALL_TABLE}."),
    ]
    if any(len(one.entry["seeds"]) > 1 for one in compared if one.entry):
        found.append(Difference(
            "Training is repeated from several seeds; the headline is the one with the best validation "
            "log-likelihood.", "The paper reports one run. The mean over seeds stands beside the headline."))
    if any("ema" in one.variants for one in compared):
        found.append(Difference(
            "Rows marked EMA come from an exponential moving average of the generator’s weights.",
            "The paper has no such row, so they are not set against its figure."))
    found.append(Difference(
        "Random numbers, the order of the minibatches and the arithmetic are PyTorch’s, not Theano’s.",
        "No run can follow the paper’s step by step; the spread over seeds says what that is worth."))
    return found


def _order_differences(done: Sequence[Section]) -> Iterator[Difference]:
    """Data whose files had lost the official order, by which the paper splits them."""
    for dataset in dict.fromkeys(str(one.entry["dataset"]) for one in done if one.entry):
        source = RAW / dataset / "source.json"
        if source.is_file() and read_json(source).get("order") == "content":
            yield Difference(
                f"{results.dataset_name(dataset)}: the files had lost the official order, so the training images were "
                "sorted by their content, and the last of them taken for validation.",
                "It is another split of the same training images; the test images are the official ones.")


def _reductions(section: Section) -> Iterator[Difference]:
    """What the profile took from the training of one experiment."""
    profile, epochs = section.evaluation["profile"], _total_epochs(section.training.get("settings", {}))
    chosen = section.entry["epoch"] if section.entry else None
    reduced = [results.change_in_words(one) for one in section.reduced]
    if profile != "paper" and epochs and chosen is not None:
        effect = f"Validation log-likelihood was highest in epoch {chosen}."
        if takes_last_epoch(section.training):
            effect = "The last of them was taken, not one chosen on validation."
        elif chosen == epochs:
            effect = "Validation log-likelihood was highest in the last of them: longer training would still gain."
        yield Difference(f"{section.name} was trained for {epochs} epochs, by the profile {profile}.", effect, reduced)
    elif reduced:
        yield Difference(f"{section.name} was reduced by the profile {profile}.", "", reduced)


def _total_epochs(settings: Any) -> int:
    """Of pretraining and training together, as the curves count them."""
    if isinstance(settings, dict):
        own = settings.get("epochs")
        return (own if isinstance(own, int) else 0) + sum(map(_total_epochs, settings.values()))
    return sum(map(_total_epochs, settings)) if isinstance(settings, list) else 0


def takes_last_epoch(training: Mapping[str, Any]) -> bool:
    """Whether the recipe fixes how long to train, so that validation chooses nothing."""
    recipe = training.get("settings", {}).get("model", {}).get("recipe", {})
    return bool(recipe.get("chosen_epoch") == "last")


_RECIPE_DIFFERENCES = (
    ("updates", "simultaneous", "both players step at once, from the old parameters.",
     "That is what the released code does; the paper’s Algorithm 1 alternates."),
    ("objective", "non_saturating", "the generator minimises −log D(G(z)).",
     "As in the released code and section 3 of the paper; equation 1 has log(1 − D(G(z)))."),
)


def _recipe_differences(sections: Sequence[Section]) -> Iterator[Difference]:
    for key, value, what, effect in _RECIPE_DIFFERENCES:
        names = [one.name for one in sections if lookup(one.training.get("settings", {}), key) == value]
        if names:
            yield Difference(f"{results.listed(names)}: {what}", effect)


@dataclass(frozen=True)
class Estimate:
    samples: str
    images: str


def estimate(experiments: Sequence[Section]) -> Estimate:
    """How many samples and test images the estimates on this page rest on."""
    def said(key: str) -> str:
        numbers = {one.evaluation[key] for one in experiments if one.evaluation and not one.smoke}
        return " or ".join(f"{number:,}" for number in sorted(numbers))
    return Estimate(said("samples"), said("test_images"))


# Provenance.

@dataclass(frozen=True)
class StageOutput:
    stage: str
    path: str
    digest: str


@dataclass(frozen=True)
class Provenance:
    commit: str
    tree: str
    versions: Mapping[str, str]
    outputs: Sequence[StageOutput]
    hardware: Sequence[str]

    @classmethod
    def read(cls, plan: Plan) -> Provenance:
        commit, clean = machine.commit()
        tree = "as committed" if clean else "tracked files differ from the commit" if commit else "unknown"
        return cls(commit or "unknown: no git repository", tree, _versions(), _stage_outputs(plan), _hardware(plan))


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _hardware(plan: Plan) -> list[str]:
    """The machines that trained or evaluated what this page shows, each once."""
    files = [ARTIFACTS / name / file for name in plan.experiments for file in ("training.json", "evaluation.json")]
    return list(dict.fromkeys(machine.describe(read_json(path)["hardware"]) for path in files if path.is_file()))


def _stage_outputs(plan: Plan) -> list[StageOutput]:
    """Digests from dvc.lock, of every stage of this graph but the report, whose output is this page."""
    if not LOCK.is_file():
        return []
    stages = results.read_yaml(LOCK).get("stages") or {}
    return [StageOutput(name, output["path"], output.get("md5") or output.get("hash") or "")
            for name, stage in stages.items() if _belongs(name, plan)
            for output in stage.get("outs") or ()]


def _belongs(stage: str, plan: Plan) -> bool:
    """dvc.lock keeps stages of what is no longer asked for; they have no part in this page."""
    verb, _, item = stage.partition("@")
    return verb != "report" and (not item or item in plan.datasets or item in plan.experiments)


if __name__ == "__main__":
    run(main)
