"""The estimate against the number of samples it rests on: what it says changes, though the model stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.artifacts.paths import ARTIFACTS
from pipeline.page.charts import Axis, Chart, Key, Line, Mark, around
from pipeline.page.formatting import row_label
from pipeline.page.pictures import Numbering
from pipeline.results.plan import Plan
from pipeline.results.published import PAPER_DATASETS, SMOKE_DATASETS, dataset_name
from pipeline.results.text import listed, with_error
from pipeline.runtime.files import read_json

COLOURS = 6
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
    title = read_json(evaluation).get("title") if evaluation.is_file() else None
    several = len(document["variants"]) > 1
    return [_Curve(experiment, row_label(str(title or experiment), variant if several else "raw"), result["seed"],
                   document, sorted(result["sizes"], key=lambda size: size["samples"]))
            for variant, result in document["variants"].items() if len(result["sizes"]) > 1]


def _figure(dataset: str, curves: Sequence[_Curve], numbers: Numbering) -> Sizes:
    sizes = [point["samples"] for curve in curves for point in curve.points]
    lines = [_line(curve, number) for number, curve in enumerate(curves)]
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
        f"{document['test_images']:,} test images. Drawn from {seeds}; {profiles}.",
        f"On {dataset_name(dataset)} the same models, estimated from more samples, go up: {'; '.join(changes)}."
        if all(_rises(curve) for curve in curves) else
        f"On {dataset_name(dataset)} the same models, estimated from more samples: {'; '.join(changes)}.",
        [(ARTIFACTS / name / "sample_sizes.json").as_posix()
         for name in dict.fromkeys(one.experiment for one in curves)])


def _line(curve: _Curve, number: int) -> Line:
    values = [point["test_log_likelihood"] for point in curve.points]
    errors = [point["standard_error"] for point in curve.points]
    return Line(curve.label, number % COLOURS + 1, [point["samples"] for point in curve.points], values,
                [value - error for value, error in zip(values, errors, strict=True)],
                [value + error for value, error in zip(values, errors, strict=True)],
                dashed=number % 2 == 1, dots=True, bars=True)


def _rises(curve: _Curve) -> bool:
    return bool(curve.points[-1]["test_log_likelihood"] > curve.points[0]["test_log_likelihood"])


def _change(curve: _Curve) -> str:
    """"from 190.1 with 1,000 to 240.4 with 100,000"."""
    first, last = curve.points[0], curve.points[-1]
    return (f"from {with_error(first['test_log_likelihood'], None)} with {first['samples']:,} "
            f"to {with_error(last['test_log_likelihood'], None)} with {last['samples']:,}")
