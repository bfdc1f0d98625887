"""reports/metrics.json: every experiment's result, gathered from what the stage `evaluate` wrote."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts.choice import best_seed
from pipeline.artifacts.paths import ARTIFACTS, METRICS
from pipeline.results.published import REFERENCES, model_name
from pipeline.results.text import change_text
from pipeline.runtime.files import read_json
from pipeline.runtime.machine import describe

DECIMALS = 4  # of nats: a hundredth of the smallest standard error met, and still readable in a diff
BANDWIDTH_DECIMALS = 6

Entry = dict[str, Any]
"""One variant's results, as in metrics.json."""

ENTRY_KEYS = ("test_log_likelihood", "standard_error", "bandwidth", "seed_mean", "seed_sd", "seeds", "epoch", "profile",
              "seed", "paper_grid", "title", "model", "dataset", "hardware")
"""What every variant's entry holds."""

UNIT_SCALE = "[0, 1]"
SHARED: Mapping[str, Any] = {"note": "", "scale": UNIT_SCALE, "dimensions": None, "folds": 1, "differences": [],
                            "duplicates": {}}
"""What an experiment's entry says once for all its variants, and what it means where an older file lacks it"""


def variants_of(evaluation: Mapping[str, Any]) -> list[str]:
    """The variants measured, `raw` first, in the order of the first seed."""
    names = [name for seed in evaluation["seeds"] for name in seed["variants"]]
    return sorted(dict.fromkeys(names), key=lambda name: name != "raw")


def headline(evaluation: Mapping[str, Any]) -> Entry:
    """An experiment's object in metrics.json, from its evaluation.json.

    The values at the top are the `raw` variant's; every other variant is nested under its name with the same keys,
    but those of SHARED, which hold for all.
    """
    first, *others = variants_of(evaluation)
    return _entry(evaluation, first) | _shared(evaluation) | {name: _entry(evaluation, name) for name in others}


def _shared(evaluation: Mapping[str, Any]) -> Entry:
    known = {key: evaluation.get(key, default) for key, default in SHARED.items()}
    return known | {"differences": [change_text(change) for change in known["differences"]]}


def with_defaults(entry: Entry) -> Entry:
    """An entry that an earlier version may have written, with what it lacks of SHARED."""
    return entry | {key: default for key, default in SHARED.items() if key not in entry}


def read_metrics(path: Path = METRICS) -> dict[str, Entry]:
    """The content of metrics.json."""
    return {name: with_defaults(entry) for name, entry in read_json(path).items()}


def _entry(evaluation: Mapping[str, Any], variant: str) -> Entry:
    measured = {seed["seed"]: seed["variants"][variant] for seed in evaluation["seeds"]
                if variant in seed["variants"]}
    starts = {seed["seed"]: {"start": seed["start"]} for seed in evaluation["seeds"] if "start" in seed}
    seed = best_seed(evaluation, variant)
    chosen = measured[seed]
    return {
        **_search(chosen["refined"]),
        **_over_seeds([result["refined"] for result in measured.values()]),
        "seeds": [{"seed": number, **starts.get(number, {}), **_search(result["refined"]), "epoch": result["epoch"],
                   "validation_log_likelihood": round(result["refined"]["validation_log_likelihood"], DECIMALS)}
                  for number, result in measured.items()],
        "epoch": chosen["epoch"],
        "profile": evaluation["profile"],
        "seed": seed,
        "paper_grid": {**_search(chosen["paper_grid"]),
                       **_over_seeds([result["paper_grid"] for result in measured.values()])},
        "title": evaluation.get("title") or model_name(evaluation["model"]),
        "model": evaluation["model"],
        "dataset": evaluation["dataset"],
        "hardware": describe(evaluation["hardware"]),
    }


def _search(result: Mapping[str, Any]) -> Entry:
    return {"test_log_likelihood": round(result["test_log_likelihood"], DECIMALS),
            "standard_error": round(result["standard_error"], DECIMALS),
            "bandwidth": round(result["bandwidth"], BANDWIDTH_DECIMALS)}


def _over_seeds(results: Sequence[Mapping[str, Any]]) -> Entry:
    """What `mean_and_deviation` gives over seeds."""
    mean, deviation = mean_and_deviation([result["test_log_likelihood"] for result in results])
    return {"seed_mean": round(mean, DECIMALS),
            "seed_sd": None if deviation is None else round(deviation, DECIMALS)}


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n − 1); one value has no deviation."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def gather(experiments: Iterable[str]) -> dict[str, Entry]:
    """The content of metrics.json: every experiment that has been evaluated, in the order given."""
    paths = {name: ARTIFACTS / name / "evaluation.json" for name in experiments}
    return {name: headline(read_json(path)) for name, path in paths.items() if path.is_file()}


def nested_variants(metrics: Mapping[str, Any]) -> dict[str, Entry]:
    """The variants beside `raw`, as an experiment's entry holds them."""
    return {name: value for name, value in metrics.items()
            if isinstance(value, dict) and "test_log_likelihood" in value and name != "paper_grid"}


def by_variant(metrics: Mapping[str, Any]) -> dict[str, Entry]:
    """An experiment's entry taken apart, by variant: `raw` and whatever is nested beside it; each with SHARED."""
    nested = nested_variants(metrics)
    shared = {key: metrics[key] for key in SHARED}
    return {"raw": {key: value for key, value in metrics.items() if key not in nested}} | {
        name: value | shared for name, value in nested.items()}


def models_first(metrics: Mapping[str, Entry]) -> dict[str, Entry]:
    """Generative models first, then the references that they are judged by, each kind in the order given."""
    order = list(REFERENCES)
    return dict(sorted(metrics.items(), key=lambda item: order.index(item[1]["model"]) + 1
                       if item[1]["model"] in order else 0))
