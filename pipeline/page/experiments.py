"""One experiment's part of the page."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.errors import DataError
from pipeline.artifacts import configuration
from pipeline.artifacts.paths import ARTIFACTS, SEARCHES, SEARCHES_FILE
from pipeline.page.formatting import Notes, anchor, flatten, remarks, value_text, variant_text
from pipeline.page.pictures import Figure, Numbering, pictures, result_of
from pipeline.results.metrics import UNIT_SCALE, Entry, by_variant, variants_of
from pipeline.results.published import SMOKE_DATASETS, dataset_name, model_name
from pipeline.results.text import duplicates_text, with_error
from pipeline.runtime import machine
from pipeline.runtime.files import read_json, read_yaml

SCORE, SIGMA = "validation_log_likelihood_", "bandwidth_"
"""Columns of a search's table, by variant; all others are settings"""
STAGE_FILES = ("training.json", "bandwidth.json", "evaluation.json")


@dataclass(frozen=True)
class Tried:
    """Settings that a paper leaves open, best first by the variant that decided, with validation log-likelihoods."""

    settings: Sequence[str]
    variants: Sequence[str]
    rows: Sequence[tuple[Sequence[str], Sequence[str]]]
    """Values of the settings, and of each variant nats and σ"""
    note: str
    select_by: str
    data: str


@dataclass(frozen=True)
class Section:
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
    marks: str
    """Letters of the notes that hold for its results"""
    gist: str
    """Its results in a few words"""
    facts: Sequence[str]
    """Dimension, scale and folds"""
    reduced: Sequence[Mapping[str, Any]]
    """`setting`, `paper` and `here` of every number in which the profile departs from the paper's"""
    duplicates: str
    folds: Mapping[str, Sequence[Mapping[str, Any]]]
    """By variant, each fold's result from the headline's seed"""
    edges: Sequence[str]
    """Searches whose best bandwidth was their first or last, so that a better one may lie outside"""
    figures: Sequence[Figure]
    parameters: Mapping[str, Sequence[tuple[str, str]]]
    """By stage: dotted name and value"""
    tried: Tried | None

    @classmethod
    def read(cls, name: str, entry: Entry | None, numbers: Numbering, notes: Notes, full: bool = True) -> Section:
        folder = ARTIFACTS / name
        there = {file: read_json(folder / file) for file in STAGE_FILES if (folder / file).is_file()}
        evaluation = there.get("evaluation.json", {})
        described = evaluation or there.get("training.json", {})
        dataset = str(described.get("dataset", ""))
        lacking = [file.removesuffix(".json") for file in STAGE_FILES if file not in there]
        return cls(
            name=name, status="done" if entry is not None else "unfinished" if there else "not run",
            missing=", ".join(lacking), entry=entry, variants={} if entry is None else by_variant(entry),
            training=there.get("training.json", {}), evaluation=evaluation,
            title=str(described.get("title") or model_name(str(described.get("model", "")))),
            dataset=dataset_name(dataset), smoke=dataset in SMOKE_DATASETS,
            hardware=machine.describe(described["hardware"]) if described else "",
            marks="" if entry is None else " ".join(notes.mark(remark) for remark in remarks(entry)),
            gist="" if entry is None else _gist(entry), facts=_facts(entry), reduced=evaluation.get("differences", []),
            duplicates=duplicates_text(evaluation.get("duplicates", {})), folds=_folds(evaluation),
            edges=_edges(there.get("bandwidth.json", {})),
            figures=[] if entry is None else pictures(name, evaluation, numbers, full),
            parameters=_parameters(configuration.FOLDER / name), tried=tried(name))

    @property
    def id(self) -> str:
        return anchor("experiment", self.name)

    def figure(self, kind: str, variant: str = "raw") -> Figure | None:
        return next((figure for figure in self.figures if (figure.kind, figure.variant) == (kind, variant)), None)


def tried(experiment: str) -> Tried | None:
    """What reports/searches has of an experiment; None if searches.yaml has no search of its settings."""
    path = SEARCHES / f"{experiment}.csv"
    if not path.is_file():
        return None
    search = read_yaml(SEARCHES_FILE).get(experiment) if SEARCHES_FILE.is_file() else None
    if search is None:
        return None
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        variants = [name.removeprefix(SCORE) for name in rows[0] if name.startswith(SCORE)]
        settings = [name for name in rows[0] if not name.startswith((SCORE, SIGMA))]
        rows.sort(key=lambda row: -float(row[SCORE + search["select_by"]] or "-inf"))
        points = [([row[name] for name in settings], [_nats_and_sigma(row, name) for name in variants]) for row in rows]
    except (IndexError, KeyError, ValueError) as error:
        raise DataError(f"{path} cannot be read", expected="what `make search` writes", found=str(error),
                        remedy=f"`git checkout {path}`, or make search EXPERIMENT={experiment}") from error
    return Tried(settings, variants, points, str(search["note"]), str(search["select_by"]), path.as_posix())


def _nats_and_sigma(row: Mapping[str, str], variant: str) -> str:
    if not row[SCORE + variant]:
        return "diverged"
    return f"{with_error(float(row[SCORE + variant]), None)} (σ {float(row[SIGMA + variant]):.3f})"


def _gist(entry: Entry) -> str:
    """"84.0 ± 2.2; averaged weights 129.0 ± 2.2"."""
    return "; ".join(value_text(one) if variant == "raw" else f"{variant_text(one['model'], variant)} {value_text(one)}"
                     for variant, one in by_variant(entry).items())


def _facts(entry: Entry | None) -> list[str]:
    if entry is None:
        return []
    scale = "pixels in [0, 1]" if entry["scale"] == UNIT_SCALE else entry["scale"]
    return [*([f"d = {entry['dimensions']}"] if entry["dimensions"] else []), scale,
            *([f"{entry['folds']} folds, ± over them"] if entry["folds"] > 1 else [])]


def _folds(evaluation: Mapping[str, Any]) -> dict[str, Sequence[Mapping[str, Any]]]:
    if evaluation.get("folds", 1) == 1:
        return {}
    return {variant: result_of(evaluation, variant)["refined"]["folds"] for variant in variants_of(evaluation)}


def _edges(bandwidth: Mapping[str, Any]) -> list[str]:
    """"seed 1, ema", "seed 1, raw, fold 3": the searches that ended at their first or last bandwidth."""
    return [f"seed {seed['seed']}, {variant}{where}" for seed in bandwidth.get("seeds", ())
            for variant, searches in seed["variants"].items() for where in _places_at_the_edge(searches["refined"])]


def _places_at_the_edge(search: Mapping[str, Any]) -> Iterator[str]:
    if "folds" in search:
        yield from (f", fold {number}" for number, fold in enumerate(search["folds"], 1) if fold.get("at_the_edge"))
    elif search.get("at_the_edge"):
        yield ""


def _parameters(folder: Path) -> dict[str, list[tuple[str, str]]]:
    files = {path.stem: path for path in folder.glob("*.json")}
    order = ["train", "sample", "bandwidth", "evaluate", "figures"]
    names = [name for name in order if name in files] + sorted(set(files) - set(order))
    return {name: list(flatten(_settings(files[name]))) for name in names}


def _settings(path: Path) -> dict[str, Any]:
    """A stage's configuration without what it says of code."""
    return {key: value for key, value in read_json(path).items() if key != configuration.CODE}
