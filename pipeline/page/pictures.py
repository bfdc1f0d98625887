"""The figures of an experiment: sample grids, interpolations, training curves and the choice of the bandwidth."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from gan.errors import DataError
from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.paths import ARTIFACTS, FIGURES
from pipeline.page.charts import BREAK, FEW_SEEDS, Axis, Chart, Key, Line, Mark, Rule, around
from pipeline.page.embedding import Strip, image_source, strip
from pipeline.page.formatting import variant_text
from pipeline.results.bandwidth import BandwidthCurves, around_the_choice, read_searches
from pipeline.results.curves import TrainingCurves
from pipeline.results.metrics import UNIT_SCALE, variants_of
from pipeline.results.published import BEYOND, CHAIN_MODELS, model_name
from pipeline.results.text import listed, with_error
from pipeline.runtime.files import read_json

PAPER_FIGURES = {"mnist": "2a", "tfd": "2b", "cifar10_fully_connected": "2c", "cifar10_convolutional": "2d"}
"""Which part of the paper's figure 2 an experiment's samples are to be compared with"""

Table = Mapping[str, Sequence[float | None]]
"""Columns of a CSV file by name; None where a cell is empty"""

BLUE, VERMILION, GREEN, PURPLE, OCHRE, GREY, BROWN, SLATE = range(1, 9)
MODEL_COLOURS = {"adversarial_nets": BLUE, "stacked_cae": GREEN, "deep_gsn": PURPLE, "dbn": OCHRE,
                 "training_images": GREY, "kmeans": BROWN}
"""A colour is a model's wherever it is drawn, BLUE that of all kinds of adversarial nets; dashes tell variants apart.
SLATE is the discriminator, VERMILION what went wrong."""

STRIP = 12
"""Samples that the short page shows of each variant"""
PATHS = 4
"""Of the straight lines in z, those that the short page shows"""
LEAST_POINTS = 3
"""Of a curve: fewer are numbers, which a table says better"""


class Numbering:
    """Counts the page's figures, or its tables."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self) -> int:
        self._last += 1
        return self._last


@dataclass(frozen=True)
class Pair:
    """A generated image, and the training image nearest to it."""

    sample: str
    nearest: str
    training_image: int
    distance: float


@dataclass(frozen=True)
class Figure:
    """What all figures have: `kind` is `grid`, `strip`, `lines` or `charts`."""

    kind: str
    number: int
    variant: str
    alt: str
    caption: str
    data: Sequence[str]
    columns: int = 1
    pixels: int = 0
    """Width of one image in the data"""
    pairs: Sequence[Pair] = ()
    images: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    strip: Strip | None = None

    @property
    def id(self) -> str:
        return f"figure-{self.number}"


def pictures(name: str, evaluation: Mapping[str, Any], numbers: Numbering, full: bool = True) -> list[Figure]:
    """Every figure that there is, in the order: samples, lines in z, mixing, training, bandwidth.

    The short page has of these a strip of samples for each variant, the paper's figure 3, and the training; of models
    beyond the paper, which have pictures of their own, a strip of the last variant.
    """
    folder, drawn = FIGURES / name, []
    shown = variants_of(evaluation)
    if not full and evaluation["model"] in BEYOND:
        shown = shown[-1:]
    paths = full or PAPER_FIGURES.get(name) == "2a"
    for make, stem in ((_grid if full else _strip, "pairs"), *([(_lines, "lines")] if paths else [])):
        drawn += [make(name, variant, evaluation, numbers, full) for variant in shown if full or stem == "pairs" or
                  variant == "raw" if (folder / f"{stem}-{variant}.json").is_file()]
    if full:
        drawn += [_states(name, stem, evaluation, numbers) for stem in STATES
                  if (folder / f"states-{stem}.json").is_file()]
        if (folder / "autocorrelation.csv").is_file():
            drawn.append(_autocorrelation(name, evaluation, numbers))
    curves = TrainingCurves.read_if_there(ARTIFACTS / name / "curves.csv")
    charts = training_charts(name, evaluation, curves)
    if charts:
        drawn.append(_training(name, evaluation, charts, curves.phase_ends, numbers))
    if full and (folder / "bandwidth.csv").is_file():
        drawn.append(_bandwidth(name, evaluation, numbers))
    return drawn


def first_strip(names: Sequence[str], numbers: Numbering) -> Figure | None:
    """Samples of the first experiment that has any drawn, for a page without a recorded run."""
    for name in names:
        path = ARTIFACTS / name / "evaluation.json"
        if path.is_file() and (FIGURES / name / "pairs-raw.json").is_file():
            figure = _strip(name, "raw", read_json(path), numbers, False)
            assert figure.strip
            alt = f"The answer in pictures: {figure.alt}"
            return replace(figure, alt=alt, strip=replace(figure.strip, alt=alt))
    return None


def takes_last_epoch(training: Mapping[str, Any]) -> bool:
    """Whether the recipe fixes how long to train, so that validation chooses nothing."""
    model = training.get("settings", {}).get("model", {})
    return model.get("kind") == "semi_supervised_nets" or bool(model.get("recipe", model).get("chosen_epoch") == "last")


def result_of(evaluation: Mapping[str, Any], variant: str) -> Mapping[str, Any]:
    """A variant's result from the headline's seed."""
    return _variant_of(evaluation, best_seed(evaluation, variant), variant)


def _variant_of(document: Mapping[str, Any], seed: Any, variant: str) -> Mapping[str, Any]:
    result: Mapping[str, Any] = next(entry for entry in document["seeds"] if entry["seed"] == seed)["variants"][variant]
    return result


# What captions have in common.

def made_by(evaluation: Mapping[str, Any], variant: str) -> str:
    """"Seed 2, epoch 9, profile cpu.": everything that tells this figure from a like one."""
    epoch = result_of(evaluation, variant)["epoch"]
    parts = [f"Seed {best_seed(evaluation, variant)}", *([f"epoch {epoch}"] if epoch is not None else []),
             _profile(evaluation)]
    return f"{', '.join(parts)}."


def _samples_file(name: str, evaluation: Mapping[str, Any], variant: str) -> str:
    return (ARTIFACTS / name / f"samples/seed-{best_seed(evaluation, variant)}.safetensors").as_posix()


def _profile(evaluation: Mapping[str, Any]) -> str:
    reduced = " (reduced)" if evaluation.get("differences") else ""
    return f"profile {evaluation['profile']}{reduced}"


def _weights(evaluation: Mapping[str, Any], variant: str) -> str:
    """Which weights drew the samples, or by which chains; nothing to say where there is no choice."""
    several = len(variants_of(evaluation)) > 1
    return f", {variant_text(evaluation['model'], variant)}" if several else ""


def _colours(header: Mapping[str, Any]) -> str:
    """How values outside [0, 1] became colours."""
    scale, beside = header["black_to_white"], header.get("nearest_black_to_white")
    if scale is None:
        return ""
    own = f"; training images from {_to_white(beside)}, as they would not be seen on that scale" \
        if beside not in (None, scale) else ""
    return f" Colours: black to white are values from {_to_white(scale)}, the largest of all generated images " \
           f"shown{own}."


def _to_white(scale: float) -> str:
    return f"−{scale:.3g} to {scale:.3g}"


# Images.

def cut(path: Path, shape: Sequence[int], columns: int) -> list[Image.Image]:
    """The images of a file without gaps, row by row."""
    channels, height, width = shape
    try:
        with Image.open(path) as image:
            whole = image.convert("L" if channels == 1 else "RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path} cannot be read", expected="an image that the stage `figures` wrote", found=str(error),
                        remedy=f"delete {path} and run `dvc repro`") from error
    return [whole.crop((left, top, left + width, top + height)) for top in range(0, whole.height, height)
            for left in range(0, columns * width, width)]


def _strip(name: str, variant: str, evaluation: Mapping[str, Any], numbers: Numbering, full: bool) -> Figure:
    """The first samples in one picture, and below them the training images nearest to them."""
    header, images = _pairs(name, variant)
    samples, nearest = (strip(kind[:STRIP]) for kind in (images[::2], images[1::2]))
    shown = min(STRIP, len(images) // 2)
    alt = (f"{shown} generated images of {name} ({variant}) side by side, and below each the training image nearest to "
           f"it. {_spread(header)}")
    return Figure(
        "strip", numbers.next(), variant, alt=alt, data=_pair_files(name, variant, evaluation),
        strip=Strip(alt, image_source(samples), image_source(nearest), shown, *samples.size),
        caption=f"{_title(evaluation)}{_weights(evaluation, variant)}: the first {shown} of "
                f"{evaluation['samples']:,} samples, none picked; framed, the nearest training images."
                f"{_medians(header)} {made_by(evaluation, variant)}{_compared(name)}")


def _grid(name: str, variant: str, evaluation: Mapping[str, Any], numbers: Numbering, full: bool) -> Figure:
    header, images = _pairs(name, variant)
    pairs = [Pair(image_source(sample), image_source(nearest), pair["training_image"], pair["distance"])
             for sample, nearest, pair in zip(images[::2], images[1::2], header["pairs"], strict=True)]
    return Figure(
        "grid", numbers.next(), variant, columns=header["columns"], pixels=header["shape"][2], pairs=pairs,
        alt=f"{len(pairs)} generated images of {name} ({variant}), {header['columns']} in a row; beside each, when "
            f"chosen, the training image nearest to it. {_spread(header)}",
        caption=f"{_title(evaluation)}{_weights(evaluation, variant)}: the first {len(pairs)} of "
                f"{evaluation['samples']:,} samples, none picked. The last column, framed, and the large pair show the "
                f"training image nearest in L2 over the whole training set. {_spread(header)}{_colours(header)} "
                f"{made_by(evaluation, variant)}{_compared(name)}",
        data=_pair_files(name, variant, evaluation))


def _pairs(name: str, variant: str) -> tuple[Mapping[str, Any], list[Image.Image]]:
    """What is said of the samples shown, and the images: sample, nearest training image, sample, …"""
    folder = FIGURES / name
    header: Mapping[str, Any] = read_json(folder / f"pairs-{variant}.json")
    return header, cut(folder / f"pairs-{variant}.png", header["shape"], 2)


def _pair_files(name: str, variant: str, evaluation: Mapping[str, Any]) -> list[str]:
    return [_samples_file(name, evaluation, variant), (FIGURES / name / f"pairs-{variant}.json").as_posix()]


def _title(evaluation: Mapping[str, Any]) -> str:
    return str(evaluation.get("title") or model_name(evaluation["model"]))


def _compared(name: str) -> str:
    letter = PAPER_FIGURES.get(name)
    return f" Compare the paper’s figure {letter}." if letter else ""


def _medians(header: Mapping[str, Any]) -> str:
    samples = [pair["distance"] for pair in header["pairs"]]
    held_out = header["distances_of_validation_images"]
    return f" Median distance {statistics.median(samples):.2f}; of validation images " \
           f"{statistics.median(held_out):.2f}." if samples and held_out else ""


def _spread(header: Mapping[str, Any]) -> str:
    return _distances([pair["distance"] for pair in header["pairs"]], header["distances_of_validation_images"])


def _distances(samples: Sequence[float], held_out: Sequence[float]) -> str:
    if not samples or not held_out:
        return ""
    return (f"Median distance {statistics.median(samples):.2f}, smallest {min(samples):.2f}; of as many validation "
            f"images {statistics.median(held_out):.2f} and {min(held_out):.2f}.")


def _lines(name: str, variant: str, evaluation: Mapping[str, Any], numbers: Numbering, full: bool) -> Figure:
    folder = FIGURES / name
    header = read_json(folder / f"lines-{variant}.json")
    compare = " Compare the paper’s figure 3." if evaluation["dataset"] == "mnist" else ""
    rows = header["rows"] if full else min(PATHS, header["rows"])
    images = cut(folder / f"lines-{variant}.png", header["shape"], header["columns"])[:rows * header["columns"]]
    return Figure(
        "lines", numbers.next(), variant, columns=header["columns"], pixels=header["shape"][2],
        images=[image_source(image) for image in images],
        alt=f"{rows} rows of {header['columns']} generated images from {name} ({variant}); along each row "
            "one image turns step by step into another.",
        caption=f"Along straight lines in z{_weights(evaluation, variant)}: both ends of each row are random draws, "
                f"none picked.{_colours(header)} {made_by(evaluation, variant)}{compare}",
        data=[_samples_file(name, evaluation, variant)])


# Mixing.

STATES = {"consecutive": "the first {shown} states after the start, one step from one to the next",
          "apart": "{shown} states evenly over the whole chain of {samples:,}"}


def _states(name: str, stem: str, evaluation: Mapping[str, Any], numbers: Numbering) -> Figure:
    folder = FIGURES / name
    header = read_json(folder / f"states-{stem}.json")
    what = STATES[stem].format(shown=header["states"], samples=evaluation["samples"])
    return Figure(
        "lines", numbers.next(), "raw", columns=header["columns"], pixels=header["shape"][2],
        images=[image_source(image) for image in cut(
            folder / f"states-{stem}.png", header["shape"], header["columns"])[:header["states"]]],
        alt=f"Generated images of {name}, {header['columns']} in a row: {what}.",
        caption=f"Mixing: {what}, row by row. A chain that mixes goes through many kinds of images; one that does not "
                f"stays with its first.{_colours(header)} {made_by(evaluation, 'raw')}",
        data=[_samples_file(name, evaluation, "raw")])


def _autocorrelation(name: str, evaluation: Mapping[str, Any], numbers: Numbering) -> Figure:
    path = FIGURES / name / "autocorrelation.csv"
    table = read_table(path)
    points = [(lag, value) for lag, value in zip(table["lag"], table["raw"], strict=True)
              if lag and value is not None]
    lags, values = [lag for lag, _ in points], [value for _, value in points]
    below = next((f"falls below .1 after {lag:,.0f} {'step' if lag == 1 else 'steps'}" for lag, value in points
                  if value < 0.1), f"is still {values[-1]:.2f} after {lags[-1]:,.0f} steps")
    chart = Chart("Autocorrelation of one chain against the lag, in steps",
                  f"Autocorrelation of the states of one chain of {name} by lag: it {below}.",
                  Axis("lag", 1, max(2.0, lags[-1]), log=True), Axis("autocorrelation", *around([*values, 0, 1])),
                  [Line("one chain", colour_of(evaluation["model"]), lags, values)],
                  rules=[Rule(0, "independent states")])
    return Figure(
        "charts", numbers.next(), "raw", charts=[chart], alt=f"Autocorrelation of one chain of {name}.",
        caption=f"Autocorrelation of the {evaluation['samples']:,} consecutive states that are scored, over all pixels "
                f"together: it {below}. So many steps apart, states count as different samples. "
                f"{made_by(evaluation, 'raw')}",
        data=[path.as_posix()])


# Training.

@dataclass(frozen=True)
class _Curve:
    """What a column is called, and how it is drawn: in a colour of its own, or in the model's."""

    name: str
    colour: int | None = None
    dashed: bool = False
    label: str = ""


@dataclass(frozen=True)
class _Part:
    """One of the training charts: its table, and the columns drawn."""

    table: str
    title: str
    label: str
    columns: Mapping[str, _Curve]
    rule: Rule | None
    unit: str = ""
    decimals: int = 2


TRAINING = (
    _Part("losses", "Losses of both players, in nats", "loss",
          {"discriminator": _Curve("discriminator", SLATE), "generator": _Curve("generator")},
          Rule(math.log(2), "log 2: D cannot tell"), " nats"),
    _Part("discriminator", "Mean output of the discriminator", "mean output of D",
          {"on_data": _Curve("on data, D(x)", SLATE, label="on data"),
           "on_samples": _Curve("on samples, D(G(z))", SLATE, dashed=True, label="on samples")},
          Rule(0.5, "½: D cannot tell")),
    _Part("fit", "Cross-entropy, in nats", "cross-entropy", {"cross_entropy": _Curve("cross-entropy")}, None, " nats"),
    _Part("fit", "Squared norm of the code’s Jacobian", "‖J‖²", {"squared_jacobian_norm": _Curve("‖J‖²")}, None),
    _Part("fit", "Free energy of data less that of the chains, in nats", "difference",
          {"free_energy_gap": _Curve("F(data) − F(chains)", label="F − F")}, None, " nats"),
    _Part("validation", "Log-likelihood of validation images, in nats", "validation log-likelihood",
          {"raw": _Curve("trained weights", label="trained"),
           "ema": _Curve("averaged weights", dashed=True, label="averaged")}, None, " nats", 1),
)
OF_CHAINS = {"raw": _Curve("one chain"), "parallel": _Curve("parallel chains", dashed=True, label="parallel")}
"""The columns of `validation` where samples are states of chains"""


def colour_of(model: str) -> int:
    return MODEL_COLOURS.get(model, BLUE)


def read_table(path: Path) -> dict[str, list[float | None]]:
    """A CSV file of numbers, by column; empty if it is not there."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) if row[name] else None for row in rows] for name in rows[0]} if rows else {}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read", expected="one number or nothing per cell", found=str(error),
                        remedy=f"delete {path} and run `dvc repro`") from error


def training_charts(name: str, evaluation: Mapping[str, Any], curves: TrainingCurves) -> list[Chart]:
    """Losses, D's answers, what else was measured and validation log-likelihood by epoch, whatever there is of them."""
    tables = curves.tables()
    epochs = [epoch for table in tables.values() for epoch in table["epoch"] if epoch is not None]
    if len(set(epochs)) < 2:
        return []  # a single value is no curve
    x = Axis("epoch", *around(epochs, 0.03))
    training = read_json(ARTIFACTS / name / "training.json")
    chains = evaluation["model"] in CHAIN_MODELS
    parts = [replace(part, columns=OF_CHAINS) if chains and part.table == "validation" else part for part in TRAINING]
    return [_training_chart(name, part, tables[part.table], x, curves.phase_ends, training, colour_of(
                evaluation["model"]))
            for part in parts if part.table in tables and _is_curve(tables[part.table], part.columns)]


def _is_curve(table: Table, columns: Iterable[str]) -> bool:
    """Whether any of the columns has more values than a sentence would say as well."""
    return any(sum(value is not None for value in table.get(column, ())) >= LEAST_POINTS for column in columns)


def _training_chart(experiment: str, part: _Part, table: Table, x: Axis, ends: Mapping[int, str],
                    training: Mapping[str, Any], colour: int) -> Chart:
    chosen_by = part.table == "validation"
    lines = [_curve(table, column, curve, curve.colour or colour, () if chosen_by else [*ends])
             for column, curve in part.columns.items() if column in table]
    marks = _epochs_taken(training, colour) if chosen_by else []
    rules = [*([part.rule] if part.rule else []),
             *(Rule(end + 0.5, f"{what} ends", upright=True, dashed=False) for end, what in ends.items())]
    values = [value for line in lines for value in line.values()] + [mark.y for mark in marks]
    if part.rule:
        values.append(part.rule.at)
    facts = "; ".join(_from_to(line, part.decimals) for line in lines)
    return Chart(part.title, f"{part.title}, of {experiment} by epoch: {facts}.", x,
                 Axis(part.label, *around(values)), lines, marks, rules,
                 [Key("ring", "epoch taken")] if marks else [], part.unit, part.decimals)


def _curve(table: Table, column: str, curve: _Curve, colour: int, ends: Sequence[int]) -> Line:
    """A column's mean over seeds and each seed, of many their range, interrupted where pretraining ends."""
    epochs = [epoch or 0.0 for epoch in table["epoch"]]
    places = [sum(epoch <= end for epoch in epochs) for end in ends]
    prefix = f"{column}_seed_"
    seeds = [values for key, values in table.items() if key.startswith(prefix)]
    several = len(seeds) > 1
    ranged = len(seeds) > FEW_SEEDS
    together = [[value for value in at if value is not None] for at in zip(*seeds, strict=True)] if ranged else []
    low = [min(values) if len(values) > 1 else None for values in together]
    high = [max(values) if len(values) > 1 else None for values in together]
    xs = list(epochs)
    for place, end in sorted(zip(places, ends, strict=True), reverse=True):
        xs.insert(place, end + 0.5)
    few = len([value for value in table[column] if value is not None]) <= 25
    return Line(curve.name, colour, xs, _broken(table[column], places), _broken(low, places) if ranged else (),
                _broken(high, places) if ranged else (), [_broken(seed, places) for seed in seeds] if several else (),
                dashed=curve.dashed, dots=few and not several, label=curve.label)


def _broken(values: Sequence[float | None], places: Sequence[int]) -> list[float | None]:
    parts = list(values)
    for place in sorted(places, reverse=True):
        parts.insert(place, BREAK)
    return parts


def _epochs_taken(training: Mapping[str, Any], colour: int) -> list[Mark]:
    """One ring for each seed and variant, at the epoch whose weights were kept."""
    choices = [(choice["epoch"], choice["validation_log_likelihood"]) for seed in training["seeds"]
               for choice in seed["variants"].values()]
    return [Mark("ring", colour, epoch, value) for epoch, value in choices if epoch is not None and value is not None]


def _from_to(line: Line, decimals: int) -> str:
    """"discriminator from 0.50 to 0.68", and at the last epoch the range over seeds."""
    values = [value for value in line.y if value is not None and math.isfinite(value)]
    if not values:
        return f"{line.name}: seeds were measured at different epochs"
    return (f"{line.name} from {with_error(values[0], None, decimals)} to {with_error(values[-1], None, decimals)}"
            + (" in the mean" if line.seeds else ""))


def _training(name: str, evaluation: Mapping[str, Any], charts: Sequence[Chart], ends: Mapping[int, str],
              numbers: Numbering) -> Figure:
    seeds = [str(entry["seed"]) for entry in evaluation["seeds"]]
    each = "points or thin lines" if len(seeds) <= FEW_SEEDS else "thin lines, the band from the lowest to the highest"
    who = f"Seeds {', '.join(seeds)} ({each}) and their mean, as far as every seed goes" if len(seeds) > 1 else \
        f"Seed {seeds[0]}"
    last = takes_last_epoch(read_json(ARTIFACTS / name / "training.json"))
    circle = " Circle: the last epoch, which is the one taken." if last else " Circle: the epoch taken."
    phases = listed([f"{what} ends after epoch {end}" for end, what in ends.items()])
    phases = f" {phases[0].upper()}{phases[1:]} (vertical line); epochs count through both." if ends else ""
    tables = [path.as_posix() for part in dict.fromkeys(part.table for part in TRAINING)
              if (path := FIGURES / name / f"{part}.csv").is_file()]
    return Figure(
        "charts", numbers.next(), "", charts=charts, alt=f"Training of {name}.",
        caption=f"{name} in training. {who}; {_profile(evaluation)}."
                f"{circle if any(chart.marks for chart in charts) else ''}{phases}",
        data=tables)


# Bandwidth.

def _bandwidth(name: str, evaluation: Mapping[str, Any], numbers: Numbering) -> Figure:
    facts, made = [], []
    shown = variants_of(evaluation)
    for variant in shown:
        result = result_of(evaluation, variant)
        facts.append(f"{variant}: highest {with_error(result['refined']['validation_log_likelihood'], None)} nats at "
                     f"σ = {result['refined']['bandwidth']:.3f}, on the paper’s grid "
                     f"{with_error(result['paper_grid']['validation_log_likelihood'], None)} at "
                     f"{result['paper_grid']['bandwidth']:.3f}")
        made.append(f"{variant} seed {best_seed(evaluation, variant)}")
    folds = "Means over the folds; each fold’s choice by the refined search is a tick, and their geometric mean a " \
            "line. " if evaluation.get("folds", 1) > 1 else ""
    seeds = f"Drawn from {', '.join(made)}" if len(made) > 1 else made[0].removeprefix("raw ").capitalize()
    return Figure(
        "charts", numbers.next(), "", charts=bandwidth_charts(name, evaluation, "; ".join(facts)),
        alt=f"Choice of the bandwidth of {name}.",
        caption="Choice of the bandwidth: mean log-likelihood of validation images against σ, by the refined search "
                "(line) and on the paper’s grid of ten (squares); both whole, and the top with what the refined search "
                f"chose. {folds}{seeds}, {_profile(evaluation)}.",
        data=[(FIGURES / name / "bandwidth.csv").as_posix(), (ARTIFACTS / name / "bandwidth.json").as_posix()])


def bandwidth_charts(name: str, evaluation: Mapping[str, Any], facts: str) -> list[Chart]:
    """Both searches whole, and what is lost around the choice: variants far apart are drawn on one scale there."""
    searches = read_searches(read_json(ARTIFACTS / name / "bandwidth.json"), {
        variant: best_seed(evaluation, variant) for variant in variants_of(evaluation)})
    colour = colour_of(evaluation["model"])
    lines = [Line(variant, colour, list(curves.finite), list(curves.finite.values()), dashed=number > 0)
             for number, (variant, curves) in enumerate(searches.items())]
    sigmas = [sigma for line in lines for sigma in line.x]
    unit = "bandwidth σ" if evaluation.get("scale", UNIT_SCALE) == UNIT_SCALE else \
        f"bandwidth σ ({evaluation['scale']})"
    grid = [Mark("square", line.colour, sigma, value) for line, curves in zip(lines, searches.values(), strict=True)
            for sigma, value in curves.paper_grid.finite.items()]
    whole = Chart("Validation log-likelihood against σ, in nats",
                  f"Validation log-likelihood of {name} against bandwidth: it rises to one maximum and falls. {facts}.",
                  Axis(unit, min(sigmas) / 1.02, max(sigmas) * 1.02, log=True),
                  Axis("validation log-likelihood", *around([value for line in lines for value in line.values()])),
                  lines, grid, keys=[Key("square", "the paper’s grid")], unit=" nats", decimals=1)
    return [whole, _top_chart(name, searches, lines, unit)]


def _top_chart(name: str, searches: Mapping[str, BandwidthCurves], lines: Sequence[Line], unit: str) -> Chart:
    x = Axis(unit, *around_the_choice(searches.values()))
    losses, marks, rules, ticks = [], [], [], []
    for line, (variant, curves) in zip(lines, searches.items(), strict=True):
        within = _between(line, x.low, x.high)
        losses.append(Line(variant, line.colour, [sigma for sigma, _ in within], [v - curves.best for _, v in within],
                           dashed=line.dashed))
        rules.append(Rule(curves.refined.chosen, f"{variant}: σ = {curves.refined.chosen:.3f}", True, line.colour,
                          dashed=line.dashed))
        marks += [Mark("square", line.colour, sigma, value - curves.best)
                  for sigma, value in curves.paper_grid.finite.items() if x.low <= sigma <= x.high]
        ticks += [(line.colour, sigma) for sigma in curves.refined.of_folds]
    depth = max(1.0, -min(value for line in losses for value in line.values()))
    y = Axis("below the best", -1.06 * depth, 0.09 * depth)
    marks += [Mark("tick", colour, sigma, -depth) for colour, sigma in ticks]
    choices = "; ".join(f"{variant}: σ = {curves.refined.chosen:.3f} by the refined search, "
                        f"{curves.paper_grid.chosen:.3f} on the paper’s grid" for variant, curves in searches.items())
    return Chart("Around the choice: nats below the best", f"The top of the same curves of {name}, in nats below their "
                 f"best. {choices}.", x, y, losses, marks, rules,
                 [Key("tick", "each fold’s σ")] if ticks else [], unit=" nats")


def _between(line: Line, low: float, high: float) -> list[tuple[float, float]]:
    """The points from `low` to `high`, with those on both edges, where the curve goes on."""
    points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if y is not None]
    edges = [(edge, _interpolated(points, edge)) for edge in (low, high) if points[0][0] < edge < points[-1][0]]
    return sorted([*((x, y) for x, y in points if low <= x <= high), *edges])


def _interpolated(points: Sequence[tuple[float, float]], x: float) -> float:
    after = next(i for i, (place, _) in enumerate(points) if place >= x)
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
