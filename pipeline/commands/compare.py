"""Two revisions side by side on one page: parameters, measurements, stages' outputs and figures.

    python -m pipeline compare HEAD workspace

Each is a git commit, branch or tag, a DVC experiment, or `workspace`. What differs in parameters and metrics is what
`dvc params diff` and `dvc metrics diff` say; figures are read by DVC from its cache or remote. Nothing is run or
checked out, and the page, comparison/index.html, is tracked by neither git nor DVC.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import resolve_rev
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import DataError, ReproductionError
from pipeline.artifacts.paths import FIGURES, METRICS
from pipeline.page.embedding import picture_source
from pipeline.page.environment import environment
from pipeline.results.metrics import Entry, by_variant, with_defaults
from pipeline.results.text import setting_text, with_error
from pipeline.runtime.files import write_text

TEMPLATE = "compare.html"
PAGE = Path("comparison/index.html")
WORKSPACE = "workspace"
DIGEST = 10  # characters of a digest that are shown
PARAMETERS_PRINTED = 10


def main(a: str = "HEAD", b: str = WORKSPACE) -> None:
    _say(f"looking up {a or '(no name)'} and {b or '(no name)'}; nothing is run or checked out")
    first, second = Revision.find(a), Revision.find(b)
    found = compare(first, second, _say)
    write_text(PAGE, render(found))
    print("\n".join([*lines(found), f"page         {PAGE} shows {first.title} beside {second.title}"]))


def _say(text: str) -> None:
    print(f"compare      {text}", flush=True)


# What is compared.

@dataclass(frozen=True)
class Revision:
    """A state of the repository, and its files as DVC sees them there: git's, and those of its cache and remote."""

    name: str
    commit: str
    """empty for the workspace"""
    date: str
    subject: str
    files: Any

    @classmethod
    def find(cls, name: str) -> Revision:
        """The revision that a user calls `name`. ReproductionError if there is none."""
        try:
            if name == WORKSPACE:
                return cls(name, "", "", "", DVCFileSystem())
            with Repo() as repo:
                commit = resolve_rev(repo.scm, name or "(no name)")  # which git takes for HEAD
            return cls(name, commit, *_describe(commit), DVCFileSystem(rev=commit))
        except (DvcException, OSError, subprocess.SubprocessError, ValueError) as error:
            raise ReproductionError(
                f"there is no revision {name!r} to compare", found=str(error),
                expected="a git commit, branch or tag, a DVC experiment, or `workspace`, of this repository",
                remedy="`git log --oneline --all` and `dvc exp list --all-commits` list them; then "
                       "`make compare A=… B=…`") from error

    @property
    def title(self) -> str:
        """"main (1a2b3c4d5e)"."""
        short = self.commit[:DIGEST]
        return f"{self.name} ({short})" if short and not self.commit.startswith(self.name) else short or self.name

    @property
    def rev(self) -> str:
        """As DVC's commands take it."""
        return self.commit or WORKSPACE

    def text(self, path: str) -> str:
        """A file's content; empty where there is no such file."""
        try:
            return str(self.files.cat(path).decode())
        except FileNotFoundError:
            return ""

    @property
    def metrics_file(self) -> str:
        """Where the plan of this revision has it."""
        try:
            folder = YAML(typ="safe").load(self.text("plan.yaml"))["run"]["reports"]
            return (Path(folder) / METRICS.name).as_posix()
        except (YAMLError, KeyError, TypeError, DvcException):  # none, or one of before there was a choice
            return METRICS.as_posix()

    def metrics(self) -> dict[str, Entry]:
        path = self.metrics_file
        try:
            return {str(name): with_defaults(entry) for name, entry in json.loads(self.text(path) or "{}").items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise self._unreadable(path, "what the report stage writes", error) from error

    def outputs(self) -> dict[tuple[str, str], str]:
        """The digest of every output in dvc.lock, by stage and path."""
        try:
            stages = (YAML(typ="safe").load(self.text("dvc.lock")) or {}).get("stages", {})
            return {(name, out["path"]): str(out.get("md5", "")) for name, content in stages.items()
                    for out in content.get("outs", ())}
        except (YAMLError, AttributeError, KeyError, TypeError) as error:
            raise self._unreadable("dvc.lock", "a lock file of DVC 3", error) from error

    def _unreadable(self, path: str, expected: str, error: Exception) -> DataError:
        return DataError(f"{path} of {self.title} cannot be read", expected=expected, found=str(error),
                         remedy="compare another revision, or mend the file there")

    def figures(self, folder: str) -> dict[str, bytes | None]:
        """The pictures in a folder by file name, None for those that cannot be had; empty if the list cannot either."""
        try:
            found = set(self.files.find(folder))
        except Exception:  # each kind of remote has errors of its own
            return {}
        # A JSON file beside it says that a picture holds images pixel for pixel, for the report to cut apart.
        names = sorted(name for name in found
                       if name.endswith(".png") and f"{name.removesuffix('.png')}.json" not in found)
        return {Path(name).name: self._bytes(name) for name in names}

    def _bytes(self, path: str) -> bytes | None:
        try:
            return bytes(self.files.cat(path))
        except Exception:  # as above
            return None


def _describe(commit: str) -> tuple[str, str]:
    """A commit's date and the first line of its message."""
    words = ["git", "show", "--no-patch", "--format=%cs%n%s", commit]
    date, _, subject = subprocess.run(words, capture_output=True, text=True, check=True).stdout.partition("\n")
    return date, subject.strip()


def dvc_diff(what: str, a: Revision, b: Revision, **targets: Any) -> dict[str, tuple[Any, Any]]:
    """What `dvc params diff` or `dvc metrics diff` finds: old and new value by name, null where there is none."""
    try:
        with Repo() as repo:
            found = getattr(repo, what).diff(a_rev=a.rev, b_rev=b.rev, **targets)
    except DvcException as error:
        raise _failed(what, a, b, error) from error
    if found.get("errors"):
        raise _failed(what, a, b, found["errors"])
    return {name: (change.get("old"), change.get("new")) for changes in found.get("diff", {}).values()
            for name, change in sorted(changes.items())}


def _failed(what: str, a: Revision, b: Revision, why: Any) -> ReproductionError:
    command = f"dvc {what} diff {a.rev} {b.rev}"
    return ReproductionError(f"`{command}` failed", found=str(why), remedy="mend what it names")


# What is shown.

@dataclass(frozen=True)
class Row:
    """One row of results in both revisions; None where it was not measured."""

    experiment: str
    variant: str
    a: Entry | None
    b: Entry | None

    @property
    def difference(self) -> float | None:
        """B − A in nats."""
        if self.a is None or self.b is None:
            return None
        return float(self.b["test_log_likelihood"] - self.a["test_log_likelihood"])

    @property
    def in_errors(self) -> float | None:
        """The difference in units of √(error of A² + error of B²); None where there are no errors."""
        if self.difference is None or self.a is None or self.b is None:
            return None
        error = math.hypot(self.a.get("standard_error") or 0, self.b.get("standard_error") or 0)
        return self.difference / error if error else None

    @property
    def size(self) -> float:
        """By which rows that differ are sorted: in errors where there are any, else in nats."""
        return abs(self.in_errors if self.in_errors is not None else self.difference or 0.0)


@dataclass(frozen=True)
class Output:
    stage: str
    path: str
    a: str
    b: str


@dataclass(frozen=True)
class Pair:
    """One picture as both revisions have it: a data URI, or why there is none."""

    name: str
    a: str
    b: str
    lacking_a: str
    lacking_b: str

    @property
    def same(self) -> bool:
        return bool(self.a) and self.a == self.b


@dataclass(frozen=True)
class Comparison:
    a: Revision
    b: Revision
    rows: Sequence[Row]
    parameters: Mapping[str, tuple[Any, Any]]
    metrics: Mapping[str, tuple[Any, Any]]
    """every value in metrics.json that differs, of experiments that both measured"""
    outputs: Sequence[Output]
    """those that differ"""
    same_outputs: int
    figures: Mapping[str, Sequence[Pair]] = field(default_factory=dict)
    """by experiment"""

    @property
    def differing(self) -> list[Row]:
        """Rows that both revisions measured and that differ, the largest difference first."""
        return sorted((row for row in self.rows if row.difference), key=lambda row: -row.size)

    @property
    def same(self) -> list[Row]:
        return [row for row in self.rows if row.difference == 0]

    @property
    def not_measured(self) -> list[Row]:
        """Rows that one revision lacks."""
        return [row for row in self.rows if row.difference is None]

    def drawn(self, alike: bool) -> dict[str, Sequence[Pair]]:
        """Figures of the experiments of which all are the same in both revisions, or of the others."""
        return {name: pairs for name, pairs in self.figures.items() if all(pair.same for pair in pairs) == alike}


def lines(comparison: Comparison) -> list[str]:
    """What is printed: what differs."""
    shown = [f"differs      {row.experiment} {row.variant}: {_nats(row.a)} and {_nats(row.b)} nats, "
             f"{_signed(row.difference)}" for row in comparison.differing]
    shown += [f"differs      {name}: {_setting(old)} and {_setting(new)}"
              for name, (old, new) in [*comparison.parameters.items()][:PARAMETERS_PRINTED]]
    if (more := len(comparison.parameters) - PARAMETERS_PRINTED) > 0:
        shown.append(f"             and {more} more parameters")
    return [*shown, f"the same     {len(comparison.same)} of {len(comparison.rows)} rows; measured in one revision "
                    f"only: {len(comparison.not_measured)}; outputs of stages: {len(comparison.outputs)} differ, "
                    f"{comparison.same_outputs} do not"]


def compare(a: Revision, b: Revision, say: Callable[[str], None] = lambda text: None) -> Comparison:
    """`say` is told what is being done, as it may take a minute."""
    metrics_a, metrics_b = a.metrics(), b.metrics()
    outputs_a, outputs_b = a.outputs(), b.outputs()
    outputs = [Output(*key, outputs_a.get(key, ""), outputs_b.get(key, ""))
               for key in dict.fromkeys([*outputs_a, *outputs_b])]
    differing = [out for out in outputs if out.a != out.b or not out.a]
    say("metrics and parameters, as `dvc metrics diff` and `dvc params diff` find them")
    in_one_place = metrics_a and metrics_b and a.metrics_file == b.metrics_file  # else DVC compares nothing
    changed = dvc_diff("metrics", a, b, targets=[a.metrics_file]) if in_one_place else {}
    parameters = dvc_diff("params", a, b)
    drawn = [{path for _, path in found} for found in (outputs_a, outputs_b)]
    return Comparison(
        a, b, rows(metrics_a, metrics_b), parameters,
        {name: values for name, values in changed.items() if name.partition(".")[0] in metrics_a.keys() & metrics_b},
        differing, len(outputs) - len(differing), dict(_figures(a, b, (metrics_a, metrics_b), drawn, say)))


def _figures(a: Revision, b: Revision, measured: Sequence[Mapping[str, Entry]], drawn: Sequence[set[str]],
             say: Callable[[str], None]) -> Iterator[tuple[str, Sequence[Pair]]]:
    folders = {name: (FIGURES / name).as_posix() for name in dict.fromkeys([*measured[0], *measured[1]])}
    there = {name: folder for name, folder in folders.items() if folder in drawn[0] | drawn[1]}
    for number, (name, folder) in enumerate(there.items(), 1):
        say(f"figures of {name} ({number} of {len(there)})")
        yield name, pairs((a, b), folder, (folder in drawn[0] and name in measured[0],
                                           folder in drawn[1] and name in measured[1]))


def rows(a: Mapping[str, Entry], b: Mapping[str, Entry]) -> list[Row]:
    """Every row that either revision measured, in the order of the first."""
    of_a, of_b = ({(name, variant): row for name, entry in metrics.items()
                   for variant, row in by_variant(entry).items()} for metrics in (a, b))
    order = {name: i for i, name in enumerate(dict.fromkeys([*a, *b]))}
    keys = sorted(dict.fromkeys([*of_a, *of_b]), key=lambda key: order[key[0]])
    return [Row(*key, of_a.get(key), of_b.get(key)) for key in keys]


def pairs(revisions: tuple[Revision, Revision], folder: str, drawn: tuple[bool, bool]) -> list[Pair]:
    """The figures in a folder, those of A and B with the same file name together; one pair if there is no list of them.

    `drawn` says whether each revision has any; dvc.lock alone may list those of an earlier run.
    """
    found = [revision.figures(folder) if there else {} for revision, there in zip(revisions, drawn, strict=True)]
    names = dict.fromkeys([*found[0], *found[1]]) or {"figures": None}
    return [Pair(name, *(picture_source(figures.get(name)) for figures in found), *(
        "" if figures.get(name) else _why_lacking(revision, folder, was_drawn, bool(figures) and name not in figures)
        for revision, figures, was_drawn in zip(revisions, found, drawn, strict=True))) for name in names]


def _why_lacking(revision: Revision, folder: str, drawn: bool, not_listed: bool) -> str:
    if not drawn or not_listed:
        return "not drawn in this revision"
    there = f"git checkout {revision.commit[:DIGEST]} && " if revision.commit else ""
    return (f"not in this clone’s cache: dvc fetch --all-commits {folder} fetches it from a remote, "
            f"{there}dvc repro makes it again")


def render(comparison: Comparison) -> str:
    """The page. Everything in it is escaped but the template itself."""
    pages = environment()
    pages.filters.update(nats=_nats, signed=_signed, setting=_setting, digest=lambda text: text[:DIGEST] or "–")
    return pages.get_template(TEMPLATE).render(both=comparison, a=comparison.a, b=comparison.b)


def _nats(entry: Entry | None) -> str:
    """"178.2 ± 2.1"."""
    if entry is None:
        return "not measured"
    return with_error(entry["test_log_likelihood"], entry.get("standard_error"))


def _signed(value: float | None) -> str:
    """"+1.5", "−0.3"; a dash where there is nothing."""
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")


def _setting(value: Any) -> str:
    return "–" if value is None else setting_text(value)
