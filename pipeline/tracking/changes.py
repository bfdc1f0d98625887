"""In what a run's parameters differ, in words short enough for its name: "learning_rate.initial 0.05"."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ruamel.yaml.error import YAMLError

from gan.errors import ReproductionError
from pipeline.results.text import setting_text
from pipeline.runtime import git
from pipeline.settings import parameters
from pipeline.settings.parameters import Parameters, differences

SHOWN = 3  # changes; of more, their number
LONGEST_VALUE = 20
SWEEP = "sweep@localhost"
"""author of the commit that a point of a sweep is: what it changes is in that commit"""


def from_commit(experiment: str, profile: str, settings: Mapping[str, Any]) -> str:
    """What differs in an experiment's `settings` for its training from the committed params.yaml under `profile`.

    Committed is what a DVC experiment or a point of a sweep was made from. Empty where nothing differs or it cannot be
    told: no git, an experiment that is not committed.
    """
    try:
        known = _committed(*_baseline())
        base = replace(known, profile=profile).configuration(experiment)["train"]
    except (ReproductionError, OSError, subprocess.SubprocessError, YAMLError, KeyError, TypeError, ValueError):
        return ""
    return _words((each["setting"].lstrip("."), each["here"]) for each in differences(base, dict(settings))
                  if each["setting"] != ".profile")


def between(others: Mapping[str, str], own: Mapping[str, str]) -> str:
    """What differs in a run's parameters from another's, both flat and as text, as MLflow has them."""
    return _words((name, own.get(name)) for name in dict.fromkeys([*own, *others]) if own.get(name) != others.get(name))


def _words(changed: Iterator[tuple[str, Any]]) -> str:
    found = [f"{short(name)} {_text(value)}" for name, value in changed]
    more = [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ", ".join([*found[:SHOWN], *more])


def short(name: str) -> str:
    """The last two parts of a setting's name, of a list's entry three: "hidden[0].units"."""
    parts = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", name).split(".")
    return ".".join(parts[-2:])


def _text(value: Any) -> str:
    text = setting_text(value) if not isinstance(value, dict) else "other"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE - 1]}…"


def _baseline() -> tuple[str, str]:
    """The commit that this run's parameters were made from, and its params.yaml."""
    commit = os.environ.get("DVC_EXP_BASELINE_REV", "").strip() or "HEAD"
    if git.git("show", "--no-patch", "--format=%ae", commit) == SWEEP:
        commit = f"{commit}~1"
    return commit, git.git("show", f"{commit}:./{parameters.FILE}")


@functools.cache
def _committed(commit: str, text: str) -> Parameters:
    from ruamel.yaml import YAML

    return parameters.check(YAML(typ="safe").load(text))
