"""Table 1 in plain text, the paper's figures beside ours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.results.metrics import UNIT_SCALE, Entry, by_variant, models_first
from pipeline.results.plan import Plan
from pipeline.results.published import (
    PAPER_DATASETS,
    PAPER_SOURCE,
    PAPER_TABLE,
    dataset_name,
    model_name,
    published_text,
    why_not_compared,
)
from pipeline.results.recorded import Recorded
from pipeline.results.text import duplicates_text, seeds_text, with_error

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
    for dataset in measured_datasets(metrics, recorded):
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
    return "\n".join([*(line.rstrip() for line in lines), "", f"report: {plan.page}"])


def _note(label: str, text: str) -> list[str]:
    """A line under the table, wrapped beside its label."""
    return textwrap.wrap(text, LINE_WIDTH, initial_indent=f"{label:<12}", subsequent_indent=" " * 12,
                         break_long_words=False, break_on_hyphens=False)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, LINE_WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)


def rows_text(metrics: Mapping[str, Entry]) -> str:
    """The rows of these experiments alone, under the table's heading."""
    lines = [text for name, entry in metrics.items() for line in _experiment_lines(name, entry)
             for text in _aligned(line)]
    return "\n".join(line.rstrip() for line in [*_aligned(_COLUMNS), *lines])


def print_table(metrics: Mapping[str, Any], plan: Plan, recorded: Sequence[Recorded] = ()) -> None:
    print(table_text(metrics, plan, recorded))


def _entries(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[tuple[str, Entry]]:
    """Every experiment's entry with its name, those of recorded runs last."""
    return [*metrics.items(), *((f"{run.experiment} ({run.profile}, recorded)", run.metrics) for run in recorded)]


def measured_datasets(metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[str]:
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
    return [*textwrap.wrap(dataset_heading(dataset, measured), LINE_WIDTH), *_indented(why_not_compared(dataset))]


def _dataset_lines(dataset: str, metrics: Mapping[str, Any], recorded: Sequence[Recorded]) -> list[Line]:
    measured = {name: entry for name, entry in metrics.items() if entry["dataset"] == dataset}
    lines: list[Line] = []
    for row in PAPER_TABLE if dataset in PAPER_DATASETS else ():
        of_row = {name: entry for name, entry in measured.items() if entry["model"] == row.model}
        lines += [line for name, entry in of_row.items() for line in _experiment_lines(name, entry)]
        if not of_row:
            lines.append((row.name, published_text(row.model, dataset), "not measured", "", "", "", ""))
    in_table = {row.model for row in PAPER_TABLE} if dataset in PAPER_DATASETS else set()
    for name, entry in models_first(measured).items():
        if entry["model"] not in in_table:
            lines += _experiment_lines(name, entry)
    for run in recorded:
        if run.metrics["dataset"] == dataset:
            lines += _experiment_lines(run.experiment, run.metrics, "recorded: ")
    return lines


def _experiment_lines(experiment: str, metrics: Entry, prefix: str = "") -> list[Line]:
    return [_entry_line(prefix + row_name(experiment, metrics) if variant == "raw" else f"  {prefix}{variant}",
                        entry, published_text(entry["model"], entry["dataset"]) if variant == "raw" else "–")
            for variant, entry in by_variant(metrics).items()]


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
    remarks: dict[str, list[str]] = {}
    for name, entry in entries:
        for remark in filter(None, (entry["note"], duplicates_text(entry["duplicates"]))):
            remarks.setdefault(remark, []).append(name)
    lines += [""] if remarks else []
    return lines + [line for remark, names in remarks.items() for line in _indented(f"{', '.join(names)}: {remark}")]


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
