"""A second opinion on every row: how other measures than the paper's rank them, and whether these can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.evaluation.measures import BY_NAME, Measure
from gan.evaluation.nearest_window import NearestWindow
from pipeline.artifacts.assessments import assessment_file, references_file, references_picture
from pipeline.artifacts.paths import ARTIFACTS, FIGURES
from pipeline.page.charts import Axis, Chart, Line, around
from pipeline.page.embedding import image_source
from pipeline.page.formatting import anchor, row_label
from pipeline.page.pictures import Numbering, colour_of, cut
from pipeline.results.assessment import (
    Row,
    is_first,
    over_seeds,
    ranks,
    read_assessment,
    read_references,
    rows,
    shown_columns,
)
from pipeline.results.bandwidth import BandwidthCurves
from pipeline.results.metrics import Entry
from pipeline.results.published import REFERENCES, SMOKE_DATASETS, dataset_name
from pipeline.results.text import listed, with_error
from pipeline.runtime.files import read_json

WU = {"10": (329, "GAN-10"), "50": (627, "GAN-50")}
"""Wu et al. 2017, Table 2, test log-likelihood of continuous MNIST in nats by annealed importance sampling, of
adversarial nets with so many latent dimensions"""
Places = Mapping[str, Sequence[int | None]]
"""By measure, the place of each row"""
SAMPLES = 5
"""of each row"""
STEP, ROW, LEFT, RIGHT, TOP = 53, 30, 232, 232, 40
"""of the picture of ranks, in its own units"""


@dataclass(frozen=True)
class Place:
    """Where a row's line is at one measure."""

    x: float
    y: float
    rank: int


@dataclass(frozen=True)
class RankLine:
    label: str
    kind: str
    """`held-out`, `model`, `model variant` (sampled in another way than the paper) or `reference`"""
    colour: int
    places: Sequence[Place]
    path: str
    first: Place
    last: Place


@dataclass(frozen=True)
class RankChart:
    """Rows by their places under each measure, joined by lines."""

    width: int
    height: int
    lines: Sequence[RankLine]
    heads: Sequence[tuple[float, str]]
    alt: str


@dataclass(frozen=True)
class Cell:
    text: str
    note: str
    best: bool
    error: str = ""


@dataclass(frozen=True)
class TableRow:
    label: str
    details: str
    samples: Sequence[str]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Checked:
    what: str
    measure: str
    held_out: str
    bad: str
    verdict: str
    """`yes`, `no` or `none`"""


@dataclass(frozen=True)
class LikelihoodRow:
    label: str
    test: str
    below: str
    above: str
    gap: str
    sigma: str
    effort: str


@dataclass(frozen=True)
class Opinion:
    """What the page says of one data set."""

    id: str
    heading: str
    said: Sequence[str]
    """three sentences"""
    ranks: RankChart
    number: int
    columns: Sequence[Measure]
    rows: Sequence[TableRow]
    width: int
    """of a sample, in pixels"""
    facts: str
    checks: Sequence[Checked]
    failing: str
    """the measures that do not put held-out images first; empty where all do"""
    likelihoods: Sequence[LikelihoodRow]
    wu: str
    chart: Chart | None
    """the closed form beside the curve"""
    chart_number: int
    chart_said: str
    data: Sequence[str]


def second_opinions(metrics: Mapping[str, Entry], numbers: Numbering) -> list[Opinion]:
    """One for each data set of which at least two rows have been measured, those that only test the pipeline last."""
    datasets = sorted(dict.fromkeys(entry["dataset"] for entry in metrics.values()),
                      key=lambda name: name in SMOKE_DATASETS)
    found = [(name, rows(name, metrics)) for name in datasets]
    return [_opinion(name, there, metrics, numbers) for name, there in found if len(there) > 1 and shown_columns(there)]


def _opinion(dataset: str, there: Sequence[Row], metrics: Mapping[str, Entry], numbers: Numbering) -> Opinion:
    columns = shown_columns(there)
    places = {measure.name: ranks(there, measure) for measure in columns}
    references = read_references(dataset) or {}
    number = numbers.next()
    likelihoods = [_likelihood(row) for row in there if "likelihood" in row.about]
    chart, said = _closed_form(dataset, there)
    experiments = list(dict.fromkeys(row.experiment for row in there if row.experiment))
    return Opinion(
        anchor("second-opinion", dataset), dataset_name(dataset), [*_sentences(there, columns, places)],
        _rank_chart(there, columns, places, dataset, metrics), number, columns,
        [_table_row(row, columns, {name: of_rows[i] for name, of_rows in places.items()}, dataset)
         for i, row in enumerate(there)], _sample_width(there),
        _facts(experiments, references), [_checked(check) for check in references.get("checks", ())],
        _failing(there, columns), likelihoods, _beside_wu(dataset) if likelihoods else "", chart,
        numbers.next() if chart else 0, said,
        [*(assessment_file(name).as_posix() for name in experiments),
         *([references_file(dataset).as_posix()] if references else [])])


def label(row: Row) -> str:
    return row_label(row.title, row.variant if row.experiment else "raw")


# In words.

def _sentences(there: Sequence[Row], columns: Sequence[Measure], places: Places) -> Iterator[str]:
    """Three that need no knowledge of the field, with this page's numbers."""
    blurred = next((row for row in there if not row.experiment and row.variant == "blurred"), None)
    sharp = next((row for row in there if row.title == REFERENCES["training_images"]), None)
    example = ""
    if blurred is not None and sharp is not None and (blurred.value("parzen") or 0) > (sharp.value("parzen") or 0):
        example = (f": real training images score {_nats(sharp)} nats, and the same images made less sharp "
                   f"{_nats(blurred)}")
    yield ("The paper’s number only says how near the nearest sample comes to each real image, so it rewards whatever "
           f"lies in between, such as blurred images{example}.")
    others = [measure for measure in columns if measure.name != "parzen"]
    first = [is_first(there, measure) for measure in others]
    trusted = [measure for measure, verdict in zip(others, first, strict=True) if verdict is not False]
    if any(verdict is not None for verdict in first):
        yield (f"{len(others)} measures that were made since ask other questions, and a good one puts real images that "
               f"no model has seen first: {sum(verdict is True for verdict in first)} of them do.")
    models = [i for i, row in enumerate(there) if row.experiment and row.title not in REFERENCES.values()]
    if models and trusted:
        scores = {i: _mean_place([places[measure.name][i] for measure in trusted]) for i in models}
        best = min(models, key=lambda i: scores[i])
        by_parzen = max(models, key=lambda i: there[i].value("parzen") or -math.inf)
        yield (f"Of the models, {label(there[best])} does best by these {len(trusted)} (place {scores[best]:.1f} of "
               f"{len(there)} on average)" + (", as it does by the paper’s number." if best == by_parzen else
                  f", while the paper’s number prefers {label(there[by_parzen])} "
                  f"(place {scores[by_parzen]:.1f} on average)."))


def _nats(row: Row) -> str:
    return with_error(row.value("parzen") or math.nan, None)


def _mean_place(places: Sequence[int | None]) -> float:
    """Of a row, over the measures that have a value for it."""
    taken = [place for place in places if place is not None]
    return math.fsum(taken) / max(1, len(taken))


def _facts(experiments: Sequence[str], references: Mapping[str, Any]) -> str:
    described = next((content["features"] for name in experiments if (content := read_assessment(name))), None) \
        or references.get("features")
    if not described:
        return ""
    right = "" if described["test_accuracy"] is None else \
        f"of a classifier that is right on {described['test_accuracy']:.2%} of test images"
    return (f"Features: {right or 'of random convolutions, as the data have no labels'} "
            f"(digest {described['digest'][:12]}). Distances in them compare with no published FID or KID, which are "
            "taken in Inception’s.")


def _failing(there: Sequence[Row], columns: Sequence[Measure]) -> str:
    names = [measure.title for measure in columns if measure.name != "parzen" and is_first(there, measure) is False]
    if not names:
        return ""
    return (f"{'This measure fails' if len(names) == 1 else 'These measures fail'} the test that held-out real images "
            f"come first, beyond three standard errors: {listed(names)}. A high place there is no praise.")


# Ranks.

def _rank_chart(there: Sequence[Row], columns: Sequence[Measure], table: Places, dataset: str,
                metrics: Mapping[str, Entry]) -> RankChart:
    lines = []
    for i, row in enumerate(there):
        model = metrics[row.experiment]["model"] if row.experiment else ""
        kind = "held-out" if row.is_held_out else "reference" if not model or model in REFERENCES else \
            "model" if row.variant == "raw" else "model variant"
        places = [Place(LEFT + STEP * column, TOP + ROW * _height(table[measure.name], i), place)
                  for column, measure in enumerate(columns) if (place := table[measure.name][i]) is not None]
        if places:
            path = "L".join(f"{place.x:g} {place.y:g}" for place in places)
            name = label(row).replace(", averaged weights", ", averaged")  # there is room for some 40 letters
            lines.append(RankLine(name, kind, colour_of(model) if kind.startswith("model") else 6, places,
                                  f"M{path}", places[0], places[-1]))
    heads = [(float(LEFT + STEP * column), measure.title) for column, measure in enumerate(columns)]
    first = "; ".join(f"{measure.title}: {label(there[table[measure.name].index(1)])}" for measure in columns)
    return RankChart(LEFT + STEP * (len(columns) - 1) + RIGHT, TOP + ROW * len(there), lines, heads,
                     f"Places of {len(there)} rows of {dataset_name(dataset)} under {len(columns)} measures, best on "
                     f"top. First under each: {first}.")


def _height(places: Sequence[int | None], i: int) -> int:
    """The rows with one place stand below each other, in their order."""
    return (places[i] or 0) - 1 + sum(place == places[i] for place in places[:i])


# The table.

def _table_row(row: Row, columns: Sequence[Measure], places: Mapping[str, int | None], dataset: str) -> TableRow:
    """`places` are the row's own, by measure."""
    assessment = read_assessment(row.experiment) if row.experiment else None
    seeds = over_seeds(assessment, row.variant) if assessment else {}
    cells = []
    for measure in columns:
        found = row.values.get(measure.name, {"why": "not measured"})
        if "value" not in found:
            cells.append(Cell("–", str(found["why"]), False))
            continue
        many = seeds.get(measure.name, [])
        note = f"seeds {_number(min(many), measure)} to {_number(max(many), measure)}" if len(many) > 1 else ""
        cells.append(Cell(_number(found["value"], measure), note, places[measure.name] == 1,
                          _number(found["standard_error"], measure)))
    details = row.experiment or ("reference" if not row.is_held_out else "the yardstick")
    return TableRow(label(row), details, _samples(row, dataset), cells)


def _number(value: float, measure: Measure) -> str:
    return with_error(value, None, measure.decimals)


def _samples(row: Row, dataset: str) -> list[str]:
    """The first ones drawn, as addresses of pictures; none where there is no picture of them."""
    if not row.experiment:
        picture, header = references_picture(dataset), references_file(dataset)
        content = read_json(header)
        if not picture.is_file() or row.variant not in content["rows"]:
            return []
        columns = content["shown"]
        start = list(content["rows"]).index(row.variant) * columns
        return [image_source(each) for each in cut(picture, content["shape"], columns)[start:start + SAMPLES]]
    folder = FIGURES / row.experiment
    picture, about = folder / f"pairs-{row.variant}.png", folder / f"pairs-{row.variant}.json"
    if not picture.is_file() or not about.is_file():
        return []
    return [image_source(each) for each in cut(picture, read_json(about)["shape"], 2)[:2 * SAMPLES:2]]


def _sample_width(there: Sequence[Row]) -> int:
    for row in there:
        about = FIGURES / row.experiment / f"pairs-{row.variant}.json"
        if row.experiment and about.is_file():
            return int(read_json(about)["shape"][2])
    return 28


def _checked(check: Mapping[str, Any]) -> Checked:
    measure = BY_NAME[check["measure"]]

    def text(found: Mapping[str, Any]) -> str:
        if "value" not in found:
            return str(found["why"])
        return with_error(found["value"], found["standard_error"], measure.decimals)
    verdict = {True: "yes", False: "no", None: "none"}[check["caught"]]
    return Checked(str(check["claim"]), measure.title, text(check["held_out"]), text(check["bad"]), verdict)


# A likelihood proper.

def _likelihood(row: Row) -> LikelihoodRow:
    found = row.about["likelihood"]

    def text(key: str) -> str:
        return with_error(found[key]["value"], found[key]["standard_error"])
    return LikelihoodRow(
        label(row), text("test"), text("simulated_below"), text("simulated_above"), text("gap"),
        f"{found['bandwidth']:.3f}" + (", the narrowest tried" if found["narrowest"] else ""),
        f"{found['images']} images, {found['chains']} chains, {found['temperatures']:,} temperatures, "
        f"{found['leapfrogs']} leapfrog steps")


def _beside_wu(dataset: str) -> str:
    if dataset != "mnist":
        return ""
    figures = listed([f"{nats} for nets with {dimensions} latent dimensions" for dimensions, (nats, _) in WU.items()])
    return f"Wu et al. report {figures}, of other networks on MNIST, with 10,000 temperatures."


# The closed form.

def _closed_form(dataset: str, there: Sequence[Row]) -> tuple[Chart | None, str]:
    """The estimate against σ on validation images, of the first model that has both, beside the nearest window's."""
    for row in there:
        path = ARTIFACTS / row.experiment / "bandwidth.json"
        near = row.about.get("nearest_sample")
        if row.experiment and near and path.is_file():
            curve = _searched(path, row)
            if curve is not None and len(curve.refined.finite) > 1:
                return _closed_form_of(dataset, row, curve, near)
    return None, ""


def _searched(path: Path, row: Row) -> BandwidthCurves | None:
    """The searches of the seed whose measures the row has; None for data in folds, where there is no one curve."""
    assessment = read_assessment(row.experiment) or {"seeds": []}
    for entry in assessment["seeds"]:
        if entry["variants"].get(row.variant) == row.about:
            searches = next(other for other in read_json(path)["seeds"] if other["seed"] == entry["seed"])
            curves = BandwidthCurves.read(searches["variants"][row.variant])
            return None if curves.refined.of_folds else curves
    return None


def _closed_form_of(dataset: str, row: Row, curve: BandwidthCurves, near: Mapping[str, Any]) -> tuple[Chart, str]:
    window = NearestWindow(near["mean_square_validation"], near["samples"], near["dimensions"])
    best = max(curve.refined.finite.values())
    points = {sigma: value for sigma, value in curve.refined.finite.items() if value > best - 100}
    form = [window.log_likelihood(sigma) for sigma in points]
    x = list(points)
    lines = [Line("the estimate", 1, x, list(points.values())),
             Line("by the nearest sample alone", 2, x, form, dashed=True)]
    at_best = window.log_likelihood(window.best_bandwidth)
    chart = Chart(f"Validation log-likelihood against σ, {label(row)}, in nats",
                  f"Log-likelihood of validation images on {dataset_name(dataset)} against the bandwidth: the "
                  f"estimate, best {with_error(best, None)}, and what the distance to the nearest sample alone gives, "
                  f"best {with_error(at_best, None)}.",
                  Axis("bandwidth σ", min(x), max(x), log=True),
                  Axis("log-likelihood", *around([*points.values(), *form], 0.05)), lines, unit=" nats", decimals=1)
    said = (f"{label(row)} ({row.experiment}) on {dataset_name(dataset)}: the Parzen estimate of the "
            f"{near['validation_images']:,} validation images that choose σ, and −r²/2σ² − log n − d·log σ√2π with "
            f"r² = {near['mean_square_validation']:.2f}, the mean squared distance to the nearest of "
            f"{near['samples']:,} samples. At their best they are {with_error(best, None)} and "
            f"{with_error(at_best, None)} nats.")
    return chart, said
