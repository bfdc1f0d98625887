"""What other measures than the Parzen estimate say of the rows, gathered from files, and how they rank them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan.evaluation.measures import MEASURES, Measure
from pipeline.artifacts.assessments import assessment_file, references_file
from pipeline.results.metrics import Entry, by_variant, mean_and_deviation, nested_variants
from pipeline.runtime.files import read_json

DIGITS = 5
"""significant ones, in metrics.json"""
PARZEN = Measure("parzen", "Parzen", "highest", 1, "The paper’s own estimate, in nats", "Breuleux et al. 2011")
COLUMNS = (PARZEN, *MEASURES)
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Row:
    """A variant of an experiment, by the seed that validation chose for it; or a reference of a data set."""

    experiment: str
    """empty for a reference"""
    variant: str
    title: str
    values: Mapping[str, Mapping[str, Any]]
    """by measure: `value` and `standard_error`, or `why` there is none; `parzen` is one of them"""
    about: Mapping[str, Any]
    """all that was measured of it"""

    @property
    def is_held_out(self) -> bool:
        return not self.experiment and self.variant == HELD_OUT

    def value(self, measure: str) -> float | None:
        found: float | None = self.values.get(measure, {}).get("value")
        return found


def read_assessment(experiment: str) -> dict[str, Any] | None:
    """None where there is none yet."""
    path = assessment_file(experiment)
    return dict(read_json(path)) if path.is_file() else None


def read_references(dataset: str) -> dict[str, Any] | None:
    path = references_file(dataset)
    return dict(read_json(path)) if path.is_file() else None


def of_seed(assessment: Mapping[str, Any], seed: int, variant: str) -> dict[str, Any]:
    """What was measured of one variant of one seed; empty where nothing was."""
    return next((dict(entry["variants"][variant]) for entry in assessment["seeds"]
                 if entry["seed"] == seed and variant in entry["variants"]), {})


def measured(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of what was measured of a set of samples, the measures alone."""
    return {measure.name: dict(content[measure.name]) for measure in MEASURES if measure.name in content}


def summary(metrics: Mapping[str, Entry]) -> dict[str, dict[str, dict[str, float]]]:
    """By experiment, variant and measure, the value of the seed that validation chose; what has none is left out."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, entry in metrics.items():
        if (assessment := read_assessment(name)) is not None:
            found[name] = {variant: _values(of_seed(assessment, row["seed"], variant))
                           for variant, row in by_variant(entry).items()}
    return found


def _values(content: Mapping[str, Any]) -> dict[str, float]:
    values = {name: float(one["value"]) for name, one in measured(content).items() if "value" in one}
    if "likelihood" in content:
        values["likelihood"] = float(content["likelihood"]["test"]["value"])
    values |= {name: float(one["value"]) for name, one in content.get("abilities", {}).items()}
    return {name: rounded(value) for name, value in values.items()}


def with_assessments(metrics: Mapping[str, Entry]) -> dict[str, Entry]:
    """The content of metrics.json with the key `assessment` in each variant's entry: measures with their errors, mean
    and deviation over seeds, and what else was found, rounded."""
    found = {}
    for name, entry in metrics.items():
        assessment = read_assessment(name)
        found[name] = entry if assessment is None else _with_assessment(entry, assessment)
    return found


def _with_assessment(entry: Entry, assessment: Mapping[str, Any]) -> Entry:
    nested = {variant: row | {"assessment": _assessment(row["seed"], variant, assessment)}
              for variant, row in nested_variants(entry).items()}
    return entry | nested | {"assessment": _assessment(entry["seed"], "raw", assessment)}


def _assessment(seed: int, variant: str, assessment: Mapping[str, Any]) -> Entry:
    content = of_seed(assessment, seed, variant)
    everything: Entry = {"features": assessment["features"]["digest"][:16], **_rounded(content)}
    for name, values in over_seeds(assessment, variant).items():
        mean, deviation = mean_and_deviation(values)
        if deviation is not None and "value" in everything.get(name, {}):
            everything[name] |= {"seed_mean": rounded(mean), "seed_sd": rounded(deviation)}
    for name, values in over_seeds(assessment, variant, abilities=True).items():
        mean, deviation = mean_and_deviation(values)
        if deviation is not None and name in everything.get("abilities", {}):
            everything["abilities"][name] |= {"seed_mean": rounded(mean), "seed_sd": rounded(deviation)}
    return everything


def over_seeds(assessment: Mapping[str, Any], variant: str, abilities: bool = False) -> dict[str, list[float]]:
    """By measure, or by ability, the values of all seeds that have one."""
    values: dict[str, list[float]] = {}
    for entry in assessment["seeds"]:
        content = entry["variants"].get(variant, {})
        for name, one in (content.get("abilities", {}) if abilities else measured(content)).items():
            if "value" in one:
                values.setdefault(name, []).append(one["value"])
    return values


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _rounded(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return rounded(content) if isinstance(content, float) else content


# Ranks.

def rows(dataset: str, metrics: Mapping[str, Entry]) -> list[Row]:
    """The rows of a data set that other measures than Parzen's have seen: held-out real images first, then experiments
    in their order, then the other references."""
    found: list[Row] = []
    for name, entry in metrics.items():
        assessment = read_assessment(name) if entry["dataset"] == dataset else None
        for variant, row in by_variant(entry).items() if assessment is not None else ():
            content = of_seed(assessment or {}, row["seed"], variant)
            if content:
                parzen = {"value": row["test_log_likelihood"], "standard_error": row["standard_error"]}
                found.append(Row(name, variant, str(row["title"]), {"parzen": parzen, **measured(content)}, content))
    references = (read_references(dataset) or {"rows": {}})["rows"]
    others = [Row("", key, content["title"], {"parzen": content["parzen"], **measured(content)}, content)
              for key, content in references.items()]
    return [*(row for row in others if row.is_held_out), *found, *(row for row in others if not row.is_held_out)]


def ranks(rows: Sequence[Row], measure: Measure) -> list[int | None]:
    """The place of each row under a measure, from 1; None where it has no value. Equal values share a place."""
    values = [None if (value := row.value(measure.name)) is None else measure.worse_by(value) for row in rows]
    return [None if value is None else 1 + sum(other is not None and other < value for other in values)
            for value in values]


def shown_columns(rows: Iterable[Row]) -> list[Measure]:
    """The measures that have a value for at least two rows."""
    rows = list(rows)
    return [measure for measure in COLUMNS if sum(row.value(measure.name) is not None for row in rows) > 1]


def is_first(rows: Sequence[Row], measure: Measure) -> bool | None:
    """Whether held-out real images come first under a measure, or are no worse than the first by more than three
    standard errors; None where they have no value."""
    held_out = next((row for row in rows if row.is_held_out and row.value(measure.name) is not None), None)
    others = [row for row in rows if not row.is_held_out and row.value(measure.name) is not None]
    if held_out is None or not others:
        return None

    def worse(row: Row) -> float:
        return measure.worse_by(float(row.values[measure.name]["value"]))
    best = min(others, key=worse)
    errors = [float(row.values[measure.name]["standard_error"]) for row in (held_out, best)]
    return worse(held_out) - worse(best) <= 3 * math.hypot(*errors)
