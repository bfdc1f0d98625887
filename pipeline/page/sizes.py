"""The estimate against the number of samples it rests on: what it says changes, though the model stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts.paths import ARTIFACTS
from pipeline.page.charts import Axis, Chart, Key, Line, Mark, around
from pipeline.page.formatting import VARIANTS, row_label
from pipeline.page.pictures import GREY, MODEL_COLOURS, SLATE, VERMILION, Numbering, colour_of
from pipeline.results.plan import Plan
from pipeline.results.published import PAPER_DATASETS, SMOKE_DATASETS, dataset_name
from pipeline.results.text import listed, with_error
from pipeline.runtime.files import read_json

MARGIN = 1.1  # of the axis of sizes, on both sides


@dataclass(frozen=True)
class Sizes:
    """The figure of one data set, and one sentence on it."""

    number: int
    dataset: str
    chart: Chart
    caption: str
    said: str
    data: Sequence[str]

    @property
    def id(self) -> str:
        return f"figure-{self.number}"


@dataclass(frozen=True)
class _Curve:
    experiment: str
    model: str
    variant: str
    label: str
    seed: int
    document: Mapping[str, Any]
    points: Sequence[Mapping[str, Any]]


def sample_sizes(plan: Plan, numbers: Numbering) -> list[Sizes]:
    """A figure for each data set on which any experiment was estimated from several numbers of samples."""
    curves = [curve for name in plan.experiments for curve in _curves(name)]
    there = {str(curve.document["dataset"]) for curve in curves}
    order = [*(name for name in PAPER_DATASETS if name in there),
             *sorted(there - set(PAPER_DATASETS), key=lambda name: (name in SMOKE_DATASETS, name))]
    return [_figure(name, [curve for curve in curves if curve.document["dataset"] == name], numbers) for name in order]


def _curves(experiment: str) -> list[_Curve]:
    path = ARTIFACTS / experiment / "sample_sizes.json"
    if not path.is_file():
        return []
    document = read_json(path)
    evaluation = ARTIFACTS / experiment / "evaluation.json"
    about = read_json(evaluation) if evaluation.is_file() else {}
    title, model = str(about.get("title") or experiment), str(about.get("model", ""))
    several = len(document["variants"]) > 1
    return [_Curve(experiment, model, variant, row_label(title, variant if several else "raw"), result["seed"],
                   document, sorted(result["sizes"], key=lambda size: size["samples"]))
            for variant, result in document["variants"].items() if len(result["sizes"]) > 1]


def _figure(dataset: str, curves: Sequence[_Curve], numbers: Numbering) -> Sizes:
    sizes = [point["samples"] for curve in curves for point in curve.points]
    colours = _colours(curves)
    lines = [_line(curve, colours[curve.experiment]) for curve in curves]
    edges = [Mark("cross", line.colour, point["samples"], point["test_log_likelihood"])
             for curve, line in zip(curves, lines, strict=True) for point in curve.points if point["at_the_edge"]]
    changes = [f"{curve.label}: {_change(curve)}" for curve in curves]
    chart = Chart(
        "Test log-likelihood against the number of samples, in nats",
        f"Test log-likelihood on {dataset_name(dataset)} against the number of samples of the same model. "
        f"{'; '.join(changes)}.", Axis("number of samples", min(sizes) / MARGIN, max(sizes) * MARGIN, log=True),
        Axis("test log-likelihood", *around([value for line in lines for value in line.values()], 0.06)), lines, edges,
        keys=[Key("cross", "σ at the edge of its search")] if edges else [], unit=" nats", decimals=1)
    document = curves[0].document
    profiles = listed(list(dict.fromkeys(f"profile {curve.document['profile']}" for curve in curves)))
    seeds = "; ".join(dict.fromkeys(f"{curve.experiment} seed {curve.seed}" for curve in curves))
    return Sizes(
        numbers.next(), dataset_name(dataset), chart,
        f"{dataset_name(dataset)}: the estimate from more and more samples of the same fitted models, each "
        f"with its own σ, chosen on {document['validation_images']:,} validation images; ± standard error over "
        f"{document['test_images']:,} test images. From {seeds}; {profiles}.",
        _said(dataset, curves),
        [(ARTIFACTS / name / "sample_sizes.json").as_posix()
         for name in dict.fromkeys(one.experiment for one in curves)])


def _colours(curves: Sequence[_Curve]) -> dict[str, int]:
    """By experiment, its model's; of several with one model the others take colours that no model here has."""
    colours: dict[str, int] = {}
    for curve in curves:
        free = [colour for colour in (colour_of(curve.model), SLATE, VERMILION, *MODEL_COLOURS.values())
                if colour not in colours.values()]
        colours.setdefault(curve.experiment, free[0] if free else GREY)
    return colours


def _line(curve: _Curve, colour: int) -> Line:
    values = [point["test_log_likelihood"] for point in curve.points]
    errors = [point["standard_error"] for point in curve.points]
    return Line(curve.label, colour, [point["samples"] for point in curve.points], values,
                [value - error for value, error in zip(values, errors, strict=True)],
                [value + error for value, error in zip(values, errors, strict=True)],
                dashed=curve.variant != "raw", dots=True, bars=True, label=_short(curve.label))


def _short(label: str) -> str:
    """For the end of a line, where colour tells the model: "averaged" of "DBN, averaged weights", "convolutional" of
    "Adversarial nets, convolutional"."""
    last = label.rpartition(", ")[2]
    return last.split()[0] if ", " in label and last in VARIANTS.values() else last


def _said(dataset: str, curves: Sequence[_Curve]) -> str:
    """How many of the curves rise, with the largest change."""
    largest = max(curves, key=lambda curve: abs(_ends(curve)[1] - _ends(curve)[0]))
    rising = sum(_rises(curve) for curve in curves)
    how = "all of them rise" if rising == len(curves) else f"{rising} of {len(curves)} rise"
    return f"On {dataset_name(dataset)}, estimated from more samples of the same models, {how}; most of all " \
           f"{largest.label}, {_change(largest)}."


def _ends(curve: _Curve) -> tuple[float, float]:
    return curve.points[0]["test_log_likelihood"], curve.points[-1]["test_log_likelihood"]


def _rises(curve: _Curve) -> bool:
    first, last = _ends(curve)
    return last > first


def _change(curve: _Curve) -> str:
    """"from 190.1 with 1,000 to 240.4 with 100,000"."""
    first, last = curve.points[0], curve.points[-1]
    return (f"from {with_error(first['test_log_likelihood'], None)} with {first['samples']:,} "
            f"to {with_error(last['test_log_likelihood'], None)} with {last['samples']:,}")
