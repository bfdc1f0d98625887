"""What the runs measured, gathered: the paper's table, reports/metrics.json and the table in plain text."""

from __future__ import annotations

import contextlib
import csv
import itertools
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import DataError, ParameterError
from pipeline.runtime.files import read_json
from pipeline.runtime.machine import describe
from pipeline.settings.inheritance import plain as plain_values
from pipeline.settings.inheritance import resolve
from pipeline.settings.plan import FILE as PLAN
from pipeline.settings.schema import PROFILES

PARAMETERS = Path("params.yaml")
ARTIFACTS = Path("artifacts")
FIGURES = Path("reports/figures")
METRICS = Path("reports/metrics.json")
PAGE = Path("reports/index.html")
RECORDED = Path("reports/recorded")

DECIMALS = 4  # of nats: a hundredth of the smallest standard error met, and still readable in a diff
BANDWIDTH_DECIMALS = 6

Entry = dict[str, Any]
"""One variant's results, as in metrics.json."""

ENTRY_KEYS = ("test_log_likelihood", "standard_error", "bandwidth", "seed_mean", "seed_sd", "seeds", "epoch", "profile",
              "seed", "paper_grid", "title", "model", "dataset", "hardware")
"""What every variant's entry holds."""

UNIT_SCALE = "[0, 1]"
ABOUT: Mapping[str, Any] = {"note": "", "scale": UNIT_SCALE, "dimensions": None, "folds": 1, "differences": [],
                            "duplicates": {}}
"""What an experiment's entry says once for all its variants, and what it means where an older file lacks it"""


@dataclass(frozen=True)
class Published:
    """A row of the paper's Table 1: mean test log-likelihood and its error in nats, by data set."""

    model: str
    name: str
    values: Mapping[str, tuple[float, float]]


PAPER_SOURCE = "Goodfellow et al. 2014, Generative Adversarial Nets, Table 1"
PAPER_TABLE = (
    Published("dbn", "DBN", {"mnist": (138, 2), "tfd": (1909, 66)}),
    Published("stacked_cae", "Stacked CAE", {"mnist": (121, 1.6), "tfd": (2110, 50)}),
    Published("deep_gsn", "Deep GSN", {"mnist": (214, 1.1), "tfd": (1890, 29)}),
    Published("adversarial_nets", "Adversarial nets", {"mnist": (225, 2), "tfd": (2057, 26)}),
)
PAPER_DATASETS = ("mnist", "tfd")
DATASET_NAMES = {"mnist": "MNIST", "tfd": "TFD", "cifar10": "CIFAR-10", "faces": "faces (image folder)",
                 "faces_five_folds": "FER-2013 faces, five folds (not TFD)", "digits": "digits (8 × 8)"}
REFERENCES = {"training_images": "Training images", "kmeans": "k-means centroids"}
"""Rows that are no generative models: they show what the estimate rewards."""

MODEL_NAMES = {row.model: row.name for row in PAPER_TABLE} | REFERENCES
CHAIN_MODELS = ("dbn", "stacked_cae", "deep_gsn")
"""Those whose samples are states of Markov chains, and whose variants are ways to take them"""

VARIANT_NAMES = {"raw": "trained weights", "ema": "averaged weights (EMA), not in the paper",
                 "parallel": "parallel chains, not in the paper"}
ONE_CHAIN = "one chain, as published"
SMOKE_DATASETS = ("digits",)
"""Data sets that only show that the pipeline works; nobody has published a figure to compare with."""

COMPARISONS = {"cifar10": "the paper shows figures 2c and 2d and reports no log-likelihood"} | dict.fromkeys(
    SMOKE_DATASETS, "a test of the pipeline, comparable with nothing")


def model_name(model: str) -> str:
    return MODEL_NAMES.get(model, model)


def variant_name(model: str, variant: str) -> str:
    return ONE_CHAIN if model in CHAIN_MODELS and variant == "raw" else VARIANT_NAMES.get(variant, variant)


def dataset_name(dataset: str) -> str:
    return DATASET_NAMES.get(dataset, dataset)


def comparison(dataset: str) -> str:
    """Why no published figure stands beside a data set's rows; empty for those of the paper's table."""
    return "" if dataset in PAPER_DATASETS else COMPARISONS.get(dataset, "comparable with no published number")


def published(model: str, dataset: str) -> tuple[float, float] | None:
    """The paper's (log-likelihood, error) of one cell of Table 1, or None where it has no such cell."""
    return next((row.values[dataset] for row in PAPER_TABLE if row.model == model and dataset in row.values), None)


# Metrics.

def variants(evaluation: Mapping[str, Any]) -> list[str]:
    """The variants measured, `raw` first, in the order of the first seed."""
    names = [name for seed in evaluation["seeds"] for name in seed["variants"]]
    return sorted(dict.fromkeys(names), key=lambda name: name != "raw")


def best_seed(evaluation: Mapping[str, Any], variant: str) -> Any:
    """The seed with the highest *validation* log-likelihood (refined search); test images have no say."""
    measured = [seed for seed in evaluation["seeds"] if variant in seed["variants"]]
    best = max(measured, key=lambda seed: seed["variants"][variant]["refined"]["validation_log_likelihood"])
    return best["seed"]


def headline(evaluation: Mapping[str, Any]) -> Entry:
    """An experiment's object in metrics.json, from its evaluation.json.

    The values at the top are the `raw` variant's; every other variant is nested under its name with the same keys,
    but those of ABOUT, which hold for all.
    """
    first, *others = variants(evaluation)
    return _entry(evaluation, first) | _about(evaluation) | {name: _entry(evaluation, name) for name in others}


def _about(evaluation: Mapping[str, Any]) -> Entry:
    known = {key: evaluation.get(key, default) for key, default in ABOUT.items()}
    return known | {"differences": [change_text(one) for one in known["differences"]]}


def complete(entry: Entry) -> Entry:
    """An entry that an earlier version may have written, with what it lacks of ABOUT."""
    return entry | {key: default for key, default in ABOUT.items() if key not in entry}


def read_metrics(path: Path = METRICS) -> dict[str, Entry]:
    """The content of metrics.json."""
    return {name: complete(entry) for name, entry in read_json(path).items()}


def _entry(evaluation: Mapping[str, Any], variant: str) -> Entry:
    measured = {seed["seed"]: seed["variants"][variant] for seed in evaluation["seeds"]
                if variant in seed["variants"]}
    seed = best_seed(evaluation, variant)
    chosen = measured[seed]
    return {
        **_search(chosen["refined"]),
        **_over_seeds([one["refined"] for one in measured.values()]),
        "seeds": [{"seed": number, **_search(one["refined"]), "epoch": one["epoch"],
                   "validation_log_likelihood": round(one["refined"]["validation_log_likelihood"], DECIMALS)}
                  for number, one in measured.items()],
        "epoch": chosen["epoch"],
        "profile": evaluation["profile"],
        "seed": seed,
        "paper_grid": {**_search(chosen["paper_grid"]),
                       **_over_seeds([one["paper_grid"] for one in measured.values()])},
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
    """Mean and sample standard deviation (n − 1) over seeds; one seed has no deviation."""
    values = [result["test_log_likelihood"] for result in results]
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) \
        if len(values) > 1 else None
    return {"seed_mean": round(mean, DECIMALS),
            "seed_sd": None if deviation is None else round(deviation, DECIMALS)}


def gather(experiments: Iterable[str]) -> dict[str, Entry]:
    """The content of metrics.json: every experiment that has been evaluated, in the order given."""
    found = ((name, ARTIFACTS / name / "evaluation.json") for name in experiments)
    return {name: headline(read_json(path)) for name, path in found if path.is_file()}


def rows(metrics: Mapping[str, Any]) -> dict[str, Entry]:
    """An experiment's entry taken apart, by variant: `raw` and whatever is nested beside it; each with ABOUT's keys."""
    nested = {name: value for name, value in metrics.items()
              if isinstance(value, dict) and "test_log_likelihood" in value and name != "paper_grid"}
    about = {key: metrics[key] for key in ABOUT}
    return {"raw": {key: value for key, value in metrics.items() if key not in nested}} | {
        name: value | about for name, value in nested.items()}


def in_order(metrics: Mapping[str, Entry]) -> dict[str, Entry]:
    """Generative models first, then the references that they are judged by, each kind in the order given."""
    order = list(REFERENCES)
    return dict(sorted(metrics.items(), key=lambda item: order.index(item[1]["model"]) + 1
                       if item[1]["model"] in order else 0))


# What a profile reduced, and other remarks.

def change_text(difference: Mapping[str, Any]) -> str:
    """"generator.hidden[0].units 1200 (paper: 8000)"."""
    return f"{short_setting(difference['setting'])} {_values(difference)}"


def change_in_words(difference: Mapping[str, Any]) -> str:
    """"generator, hidden layer 1, units: 1200 (paper: 8000)"."""
    parts = short_setting(difference["setting"]).replace("_", " ").split(".")
    counted = [re.sub(r"^(.+)\[(\d+)\]$", _counted, part) for part in parts]
    return f"{', '.join(counted)}: {_values(difference)}"


def short_setting(setting: str) -> str:
    """Without what all settings of training models share."""
    return setting.removeprefix("train.").removeprefix("model.")


def _counted(item: re.Match[str]) -> str:
    return f"{'hidden layer' if item[1] == 'hidden' else item[1]} {int(item[2]) + 1}"


def _values(difference: Mapping[str, Any]) -> str:
    return f"{setting_text(difference['here'])} (paper: {setting_text(difference['paper'])})"


def setting_text(value: Any) -> str:
    """A setting's value as it is shown: "1, 2, 3", "yes", "none"."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(setting_text(inner) for inner in value)
    return str(value)


def listed(items: Sequence[str]) -> str:
    """"a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def duplicates_text(duplicates: Mapping[str, int]) -> str:
    """"3 validation and 12 test images are also among the training images"; empty if there are none."""
    found = [f"{number:,} {split}" for split, number in duplicates.items() if number and split != "train"]
    copies = duplicates.get("train", 0)
    one = sum(duplicates.values()) - copies == 1
    said = [f"{listed(found)} {'image is' if one else 'images are'} also among the training images"] if found else []
    if copies:
        said.append(f"{copies:,} training {'image repeats' if copies == 1 else 'images repeat'} an earlier one")
    return "; ".join(said)


def phase_ends(curves: Path) -> dict[int, str]:
    """From curves.csv, the last epochs of a game or a layer that another followed, of any seed, and what ends there."""
    if not curves.is_file():
        return {}
    with curves.open(newline="") as file:
        phases = [(row["seed"], int(row["epoch"]), row.get("game") or row.get("layer") or "")
                  for row in csv.DictReader(file)]
    return dict(sorted({epoch: phase for (seed, epoch, phase), (other, _, later) in itertools.pairwise(phases)
                        if seed == other and phase != later}.items()))


# What was to run.

@dataclass(frozen=True)
class Plan:
    """What plan.yaml asked for, of what params.yaml offers."""

    profile: str
    datasets: tuple[str, ...]
    experiments: tuple[str, ...]
    left_out: Mapping[str, str]
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Model and data set of every experiment that there could be"""
    lessons: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path = PARAMETERS) -> Plan:
        parameters = read_yaml(path)
        content = read_yaml(path.with_name(PLAN.name))
        run = content.get("run") or {}
        return cls(profile=str(parameters.get("profile", "")),
                   datasets=tuple(str(name) for name in run.get("datasets") or ()),
                   experiments=tuple(str(name) for name in run.get("experiments") or ()),
                   left_out={str(name): str(reason) for name, reason in (content.get("left_out") or {}).items()},
                   kinds=_kinds(parameters),
                   lessons=tuple(str(name) for key in ("lessons", "lessons_on_mnist") for name in run.get(key) or ()))

    @property
    def left_out_together(self) -> dict[str, list[str]]:
        """By reason, the experiments that it keeps out."""
        together: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            together.setdefault(reason, []).append(name)
        return together


def _kinds(parameters: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What params.yaml offers; an entry that is not well formed is for `configure` to complain of."""
    found: dict[str, tuple[str, str]] = {}
    for name in parameters.get("experiments") or {}:
        with contextlib.suppress(KeyError, TypeError, ParameterError):
            entry: Any = plain_values(resolve(parameters, f"experiments.{name}", "paper", PROFILES, str(PARAMETERS)))
            found[str(name)] = (str(entry["train"]["model"]["kind"]), str(entry["dataset"]))
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; ParameterError if it is missing or anything else."""
    try:
        content = YAML(typ="safe").load(path.read_text())
    except FileNotFoundError as error:
        raise ParameterError(f"{path} is missing", expected="a file of this repository",
                             remedy=f"run the command in the repository's root, or `git checkout {path}`") from error
    except YAMLError as error:
        raise ParameterError(f"{path} cannot be read", expected="YAML", found=str(error),
                             remedy=f"mend {path}; `git diff {path}` shows what was changed") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path} cannot be used", expected="keys and values", found=type(content).__name__,
                             remedy=f"`git checkout {path}` restores it")
    return content


@dataclass(frozen=True)
class Recorded:
    """A long run made elsewhere or earlier, from reports/recorded/."""

    path: str
    experiment: str
    profile: str
    commit: str
    date: str
    hardware: str
    metrics: Entry
    settings: Mapping[str, Any]
    note: str


def recorded_runs(folder: Path = RECORDED) -> list[Recorded]:
    """Every committed result, in the order of their file names."""
    return [_recorded(path) for path in sorted(folder.glob("*.json"))]


def _recorded(path: Path) -> Recorded:
    content = read_json(path)
    lacking = [key for key in ("experiment", "profile", "commit", "recorded", "hardware", "metrics")
               if not isinstance(content, dict) or key not in content] or \
        [f"metrics.{key}" for key in ENTRY_KEYS if key not in content["metrics"]]
    if lacking:
        raise DataError(f"{path} is not a recorded run", expected="what `make record` writes",
                        found=f"nothing under {', '.join(lacking)}", remedy=f"record it again, or remove {path}")
    return Recorded(path=path.as_posix(), experiment=content["experiment"], profile=content["profile"],
                    commit=content["commit"], date=content["recorded"], hardware=describe(content["hardware"]),
                    metrics=complete(content["metrics"]), settings=content.get("settings", {}),
                    note=content.get("note") or "")


# Numbers as text.

def plain(value: float) -> str:
    """A published figure as published: "225", "1.6"."""
    return f"{value:g}"


def with_error(value: float, error: float | None, decimals: int = 1) -> str:
    """"178.2 ± 2.1", with a true minus sign; the value alone where there is no error."""
    text = f"{value:.{decimals}f}".replace("-", "−")
    return text if error is None else f"{text} ± {error:.{decimals}f}"


def published_text(model: str, dataset: str) -> str:
    cell = published(model, dataset)
    return "–" if cell is None else f"{plain(cell[0])} ± {plain(cell[1])}"


def seeds_text(entry: Entry) -> str:
    """"177.9 ± 0.6 (2)": mean ± standard deviation over seeds, and how many."""
    return f"{with_error(entry['seed_mean'], entry['seed_sd'])} ({len(entry['seeds'])})"


# The table in plain text.

_COLUMNS = ("", "paper", "measured", "over seeds", "σ", "epoch", "profile")
_WIDTHS = (31, 9, 16, 19, 6, 6, 7)
LINE_WIDTH = 100
REDUCED = "*"
Line = tuple[str, ...]


def table_text(metrics: Mapping[str, Any], plan: Plan, recorded: Sequence[Recorded] = ()) -> str:
    """Table 1, the paper's figures beside ours with both errors; what was reduced and is missing; the report's place.

    At most 100 columns wide.
    """
    lines = ["Log-likelihood of the test images by Parzen windows, in nats; more is better", "", *_aligned(_COLUMNS)]
    for dataset in datasets(metrics, recorded):
        lines += ["", *_heading_lines(dataset, metrics, recorded)]
        lines += [text for line in _dataset_lines(dataset, metrics, recorded) for text in _aligned(line)]
    lines += ["", *_note("paper", PAPER_SOURCE),
              *_note("measured", "seed with the best validation log-likelihood, ± standard error over test images"
                                 + ("; over the folds where there are some" if _any_folds(metrics, recorded) else "")),
              *_note("over seeds", "mean ± standard deviation (number of seeds)"),
              *_note("σ", "bandwidth of the windows, by the refined search on validation images")]
    for run in recorded:
        lines += _note("recorded", f"{run.path}: commit {run.commit[:10]}, {run.date}, {run.hardware}")
    lines += _remark_lines(metrics, recorded)
    lines += _missing_lines(metrics, plan)
    return "\n".join([*(line.rstrip() for line in lines), "", f"report: {PAGE}"])


def _note(label: str, text: str) -> list[str]:
    """A line under the table, wrapped beside its label."""
    return textwrap.wrap(text, LINE_WIDTH, initial_indent=f"{label:<12}", subsequent_indent=" " * 12,
                         break_long_words=False, break_on_hyphens=False)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, LINE_WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)


def print_table(metrics: Mapping[str, Any], plan: Plan, recorded: Sequence[Recorded] = ()) -> None:
    print(table_text(metrics, plan, recorded))


def _entries(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[tuple[str, Entry]]:
    """Every experiment's entry with its name, those of recorded runs last."""
    return [*metrics.items(), *((f"{run.experiment} ({run.profile}, recorded)", run.metrics) for run in recorded)]


def datasets(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[str]:
    """The paper's data sets, then whatever else was measured."""
    return list(dict.fromkeys([*PAPER_DATASETS, *(entry["dataset"] for _, entry in _entries(metrics, recorded))]))


def _any_folds(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> bool:
    return any(entry["folds"] > 1 for _, entry in _entries(metrics, recorded))


def dataset_heading(dataset: str, entries: Iterable[Entry]) -> str:
    """"CIFAR-10, d = 3072, each image: mean 0, L2 norm 55": with the scale unless it is [0, 1], and with folds."""
    facts = []
    for entry in entries:
        facts += [f"d = {entry['dimensions']}"] if entry["dimensions"] else []
        facts += [entry["scale"]] if entry["scale"] != UNIT_SCALE else []
        facts += [f"± over {entry['folds']} folds"] if entry["folds"] > 1 else []
    return ", ".join([dataset_name(dataset), *dict.fromkeys(facts)])


def _heading_lines(dataset: str, metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[str]:
    measured = [entry for _, entry in _entries(metrics, recorded) if entry["dataset"] == dataset]
    return [*textwrap.wrap(dataset_heading(dataset, measured), LINE_WIDTH), *_indented(comparison(dataset))]


def _dataset_lines(dataset: str, metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[Line]:
    measured = {name: entry for name, entry in metrics.items() if entry["dataset"] == dataset}
    lines: list[Line] = []
    for row in PAPER_TABLE if dataset in PAPER_DATASETS else ():
        of_row = {name: entry for name, entry in measured.items() if entry["model"] == row.model}
        lines += [line for name, entry in of_row.items() for line in _experiment_lines(name, entry)]
        if not of_row:
            lines.append((row.name, published_text(row.model, dataset), "not measured", "", "", "", ""))
    in_table = {row.model for row in PAPER_TABLE} if dataset in PAPER_DATASETS else set()
    for name, entry in in_order(measured).items():
        if entry["model"] not in in_table:
            lines += _experiment_lines(name, entry)
    for run in recorded:
        if run.metrics["dataset"] == dataset:
            lines += _experiment_lines(run.experiment, run.metrics, "recorded: ")
    return lines


def _experiment_lines(experiment: str, metrics: Entry, prefix: str = "") -> list[Line]:
    return [_entry_line(prefix + row_name(experiment, metrics) if variant == "raw" else f"  {prefix}{variant}",
                        entry, published_text(entry["model"], entry["dataset"]) if variant == "raw" else "–")
            for variant, entry in rows(metrics).items()]


def row_name(experiment: str, entry: Mapping[str, Any]) -> str:
    """The experiment's title; with its name where the title only names the model and others may share it."""
    model, dataset, title = entry["model"], entry["dataset"], str(entry["title"])
    own = title != model_name(model) or experiment in (dataset, f"{dataset}_{model}")
    return title if own else f"{title}, {experiment}"


def _entry_line(name: str, entry: Entry, paper: str) -> Line:
    return (name, paper, with_error(entry["test_log_likelihood"], entry["standard_error"]), seeds_text(entry),
            f"{entry['bandwidth']:.3f}", "–" if entry["epoch"] is None else str(entry["epoch"]),
            entry["profile"] + (REDUCED if entry["differences"] else ""))


def _aligned(line: Line) -> list[str]:
    """The line in columns; a long name goes on below."""
    first, *others = line
    name, *rest = textwrap.wrap(first, _WIDTHS[0], subsequent_indent="  ", break_on_hyphens=False) or [""]
    cells = (f"{cell:>{width}}" for cell, width in zip(others, _WIDTHS[1:], strict=True))
    return [" ".join([f"{name:<{_WIDTHS[0]}}", *cells]), *rest]


def _remark_lines(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[str]:
    """What each mark stands for, and what has to be said of an experiment beside its numbers."""
    entries = _entries(metrics, recorded)
    reduced = [f"{name}: {'; '.join(entry['differences'])}" for name, entry in entries if entry["differences"]]
    lines = ["", f"{REDUCED} reduced by the profile: what it changed, the paper's value in brackets"] if reduced else []
    lines += [line for text in reduced for line in _indented(text)]
    said: dict[str, list[str]] = {}
    for name, entry in entries:
        for remark in filter(None, (entry["note"], duplicates_text(entry["duplicates"]))):
            said.setdefault(remark, []).append(name)
    lines += [""] if said else []
    return lines + [line for remark, names in said.items() for line in _indented(f"{', '.join(names)}: {remark}")]


def not_run(metrics: Iterable[str], plan: Plan) -> list[str]:
    """Experiments that were to run and have no result."""
    done = set(metrics)
    return [name for name in plan.experiments if name not in done]


def _missing_lines(metrics: Mapping[str, Any], plan: Plan) -> list[str]:
    lines: list[str] = []
    if plan.left_out:
        lines += ["", "left out"]
        for reason, names in plan.left_out_together.items():
            lines += _indented(f"{', '.join(names)}: {reason}")
    missing = not_run(metrics, plan)
    if missing:
        lines += ["", "not run yet (`dvc repro` runs them)"]
        lines += [f"  {name}" for name in missing]
    return lines
