"""What a user typed, looked at before anything else is: variables of make and of the environment, and names in them.

    python3 -m pipeline.commands.typed TARGET … -- VARIABLE …    what make is to do, and what its command line sets
    python3 -m pipeline.commands.typed target WORD TARGET …      make has no target WORD, but these

A misspelt `PROFLE=smoke` would be taken for another program's, and a whole run be begun. This needs Python's own
library alone, so that make can ask before there is an environment; params.yaml is read by its indentation, and what
that does not find is left for the settings to judge.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gan.errors import ParameterError, ReproductionError
from pipeline.commands import clone_check
from pipeline.runtime.names import nearest, require_known

PARAMETERS = Path("params.yaml")

ENVIRONMENT = {
    "GAN_PROFILE": "the profile, instead of what suits the machine: paper, cpu or smoke",
    "GAN_EXPERIMENTS": "experiments, instead of all that the profile runs",
    "GAN_LESSONS": "lessons, or all or none",
    "GAN_DATA": "folders that hold data sets, with : between",
    "GAN_DEVICE": "cpu, cuda or cuda:<number>, instead of the first GPU",
    "GAN_TRACKING": "off: no runs in MLflow",
    "GAN_CHECKPOINTS": "the folder of checkpoints (default: checkpoints)",
    "GAN_CHECKPOINT_SECONDS": "how far apart they are (default: 60)",
    "GAN_TEST_SLURM": "all: the whole graph in the tests on Slurm",
}
"""Every variable of the environment that is ours, and what it says"""

PROFILES = ("paper", "cpu", "smoke")
CHOICES = ("PROFILE", "EXPERIMENTS", "LESSONS")
CLUSTER = ("CLUSTER", "OPTIONS")
TARGETS = {
    "plan": CHOICES, "reproduce": (*CHOICES, *CLUSTER), "lessons": CHOICES, "verify": CHOICES,
    "sweep": ("GRID", *CLUSTER), "search": ("EXPERIMENT",), "settings": ("EXPERIMENT", "PROFILE"),
    "collapse": ("EXPERIMENT", "SEED", "AT"),
    "record": ("EXPERIMENT", "FROM", "WEIGHTS"), "assess-folder": ("FROM", "DATASET"), "compare": ("A", "B"),
    "samples": ("FROM", "COUNT", "OUT", "CLASS"), "complete": ("IMAGE", "GIVEN", "FROM", "COUNT", "OUT"),
    "crate": ("MODELS", "OUT"), "pdf": ("OUT",), "ui": ("PORT",),
    "mlflow-gc": ("YES",),
    "bench": ("QUICK", "AGAINST"),
    "bare-run": ("MINUTES", "DATA", "WHEELS", "OUT", "OPTIONS"),
}
"""The variables of make that a target heeds, beside EVERY_TARGET and ENVIRONMENT"""
WITHOUT_GIT = {"bare-run"}
"""Targets that run where the code is no clone"""
EVERY_TARGET = ("PYTHON", "VENV")
OF_OTHERS = ("CUDA_", "DVC_", "GIT_", "MAKE", "MKL_", "MLFLOW_", "OMP_", "PIP_", "PYTHON", "XDG_")
"""Beginnings of variables that other programs heed, and that may be set on make's command line"""
VERY_NEAR = 0.85
"""How like one of ours a variable of the environment must be to be taken for it: LESSOPEN is none"""
SHORT = 5
"""Names of fewer letters are near to too many others"""


def check(targets: Sequence[str] = (), variables: Sequence[str] = (),
          spelling: Mapping[str, str] | None = None) -> None:
    """ParameterError if a variable or what it names is misspelt.

    `variables` are what make's command line sets for `targets`; `spelling` says how else than by its own name a
    variable of ours was given: {"GAN_PROFILE": "--profile"}.
    """
    heeded = [*ENVIRONMENT, *(EVERY_TARGET if targets else ()),
              *(name for target in targets for name in TARGETS.get(target, ()))]
    of = f"`make {' '.join(targets)}`" if targets else "this program"
    for name in variables:
        if name not in heeded and not name.startswith(OF_OTHERS):
            _refuse(name, heeded, of, f"for other programs, set it before: {name}=… make {' '.join(targets)}")
    for name in os.environ:
        if name not in heeded and name not in variables and _is_meant(name, heeded):
            _refuse(name, heeded, of, f"unset {name}")
    for name, what, known in (("GAN_PROFILE", "profile", [*PROFILES]), ("GAN_LESSONS", "lesson", lessons()),
                              ("GAN_EXPERIMENTS", "experiment", experiments())):
        more = ["all", "none"] if name == "GAN_LESSONS" and known else []
        for word in os.environ.get(name, "").replace(",", " ").split():
            require(word, known + more, what, (spelling or {}).get(name) or spelled(name))


def require(name: str, known: Sequence[str], what: str, where: str) -> None:
    """As `require_known`; but nothing is refused where params.yaml could not be read by its indentation."""
    if known:
        require_known(name, known, what, where, f"see {PARAMETERS}")


def spelled(name: str) -> str:
    """How a variable of ours was given: the Makefile makes GAN_PROFILE of PROFILE."""
    short = name.replace("GAN_", "", 1)
    return short if "MAKELEVEL" in os.environ and os.environ.get(short) else name


def _is_meant(name: str, heeded: Sequence[str]) -> bool:
    """Whether a variable of the environment, none of ours, was to be one."""
    long = [each for each in heeded if len(each) >= SHORT and each != "PYTHON"]
    return name.startswith("GAN_") or (len(name) >= SHORT and bool(nearest(name, long, VERY_NEAR)))


def _refuse(name: str, heeded: Sequence[str], of: str, otherwise: str) -> None:
    close = nearest(name, heeded, 0.6)
    raise ParameterError(f"{of} heeds no variable {name}", found=f"{name}={os.environ.get(name, '')}",
                         expected=f"one of {', '.join(sorted(heeded))}",
                         remedy=f"did you mean {close}?" if close else otherwise)


# params.yaml.

def experiments() -> list[str]:
    return _keys("experiments")


def lessons() -> list[str]:
    return [name for name in _keys("lessons") if name != "profiles"]


def _keys(block: str) -> list[str]:
    """The keys below a block at the left margin."""
    found = re.search(rf"^{block}:[^\n]*\n((?:[ #][^\n]*\n|\n)*)", _text(), re.MULTILINE)
    return re.findall(r"^  ([\w-]+):", found[1], re.MULTILINE) if found else []


def _text() -> str:
    try:
        return PARAMETERS.read_text(encoding="utf-8") + "\n"
    except (OSError, UnicodeDecodeError):
        return ""


def main(words: list[str]) -> None:
    """What make asks."""
    if words[:1] == ["target"]:
        require_known(words[1], words[2:], "target", "make", "`make help` lists them")
        return
    place = words.index("--") if "--" in words else len(words)
    targets, variables = words[:place], words[place + 1:]
    check(targets, variables)
    if set(targets) - WITHOUT_GIT:
        clone_check.require()
    name = os.environ.get("EXPERIMENT", "")
    if name and any("EXPERIMENT" in TARGETS.get(target, ()) for target in targets):
        require(name, experiments(), "experiment", "EXPERIMENT")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReproductionError as error:
        sys.exit(f"\nerror: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
