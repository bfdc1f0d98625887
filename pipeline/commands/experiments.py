"""DVC's experiments, what was changed in each and which results differ: `python -m pipeline experiments`.

`dvc exp show` has a column for every parameter and every score, and cuts those that do not fit the terminal.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from gan.errors import ReproductionError
from pipeline.artifacts.paths import PLAN, SUMMARY
from pipeline.results.text import setting_text, with_error

SHORT = 7  # characters of a commit, as git shows
DONE = ("", "success")


@dataclass(frozen=True)
class State:
    """The workspace, a commit or a DVC experiment."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """by their dotted names, those of plan.yaml with the file's name"""
    scores: Mapping[str, float] = field(default_factory=dict)
    """test log-likelihood in nats by experiment and variant: "mnist ema\""""
    experiments: Sequence[State] = ()
    """made from it"""


def main() -> None:
    """Print them. ReproductionError if DVC cannot say which there are."""
    print("\n".join(lines(read(_shown_by_dvc()))))


def read(content: Any) -> list[State]:
    """What `dvc exp show --json` says."""
    return [_state(one, [_state(experiment["revs"][0], (), (experiment.get("executor") or {}).get("state") or "")
                         for experiment in one.get("experiments") or () if experiment.get("revs")])
            for one in content]


def lines(states: Sequence[State]) -> Iterator[str]:
    """The workspace against the last commit, then each commit with its experiments against it."""
    workspace = next((state for state in states if state.name == "workspace"), None)
    commits = [state for state in states if state is not workspace]
    if workspace is not None and commits:
        yield from _against(workspace, commits[0])
    for commit in commits:
        yield f"from {commit.name}:" if commit.experiments else f"no experiments from {commit.name}"
        for experiment in commit.experiments:
            yield from _against(experiment, commit)
    yield ("commit before `dvc exp apply NAME`, which overwrites uncommitted edits; `dvc exp list --all-commits` lists "
           "those of earlier commits")


def _against(state: State, base: State) -> Iterator[str]:
    yield f"  {state.name}"
    if not state.parameters:  # it has not run, or cannot be read
        return
    parameters, scores = _changed(state.parameters, base.parameters), _changed(state.scores, base.scores)
    plan = [name for name in parameters if name.startswith(f"{PLAN}: ")]
    rows = [(name, f"{_setting(old)} → {_setting(new)}") for name, (old, new) in parameters.items()
            if name not in plan]
    yield from _block("changed", rows + ([(str(PLAN), "another plan")] if plan else []), "no parameter")
    yield from _block("results", [(name, _score(old, new)) for name, (old, new) in scores.items()],
                      "the same" if state.scores else "none yet")


def _block(title: str, rows: Sequence[tuple[str, str]], otherwise: str) -> Iterator[str]:
    width = max((len(name) for name, _ in rows), default=0)
    for i, (name, text) in enumerate(rows):
        yield f"    {title if i == 0 else '':<8} {name:<{width}}  {text}"
    if not rows:
        yield f"    {title:<8} {otherwise}"


def _changed(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Old and new value by name; None where there is none."""
    return {name: (old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)}


def _setting(value: Any) -> str:
    return "–" if value is None else setting_text(value)


def _score(old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return f"{_nats(old)} → {_nats(new)}"
    return f"{_nats(old)} → {_nats(new)}  ({'+' if new > old else ''}{_nats(new - old)})"


def _nats(value: float | None) -> str:
    return "not measured" if value is None else with_error(value, None, 2)


def _state(content: Mapping[str, Any], experiments: Sequence[State], status: str = "") -> State:
    rev, name, data = str(content["rev"]), content.get("name"), content.get("data") or {}
    shown = rev if rev == "workspace" else f"{name} ({rev[:SHORT]})" if name else rev[:SHORT]
    error = (content.get("error") or {}).get("msg") if isinstance(content.get("error"), dict) else content.get("error")
    notes = [str(note) for note in (status if status.lower() not in DONE else "", error) if note]
    return State(" – ".join([shown, *notes]), dict(_parameters(data.get("params") or {})),
                 dict(_scores(data.get("metrics") or {})), experiments)


def _parameters(files: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for file, content in files.items():
        prefix = "" if file == "params.yaml" else f"{file}: "
        yield from ((f"{prefix}{name}", value) for name, value in _flat(content.get("data")))


def _scores(files: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Of the files in the folder of the summary; commits before it have one file."""
    for file, content in files.items():
        path, data = PurePath(file), content.get("data")
        nested = {path.stem: data} if path.parent == PurePath(SUMMARY.with_suffix("")) else data
        yield from ((name.replace(".", " "), float(value)) for name, value in _flat(nested)
                    if isinstance(value, int | float))


def _flat(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(content, list) and any(isinstance(each, Mapping) for each in content):
        for i, each in enumerate(content):
            yield from _flat(each, f"{prefix}[{i}]")
    elif prefix:
        yield prefix, content


def _shown_by_dvc() -> Any:
    ended = subprocess.run([sys.executable, "-m", "dvc", "exp", "show", "--json"], capture_output=True, text=True)
    try:
        return json.loads(ended.stdout)
    except ValueError as error:
        raise ReproductionError("`dvc exp show` failed", expected="DVC's experiments as JSON",
                                found=(ended.stderr.strip() or ended.stdout.strip())[-500:] or "nothing",
                                remedy="mend what it says; `make who` tells whether another dvc is at work") from error
