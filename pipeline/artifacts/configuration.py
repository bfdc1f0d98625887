"""What each stage reads of params.yaml, and which code it runs, as `configure` wrote it: artifacts/configuration/."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan.errors import ReproductionError
from pipeline.artifacts.paths import prepared_file
from pipeline.runtime import code, files

FOLDER = Path("artifacts/configuration")
CODE = "code"
"""key of what stands beside the values: `modules`, the roots of the stage's code, and its `digest`"""


def folder(experiment: str) -> Path:
    return Path("artifacts") / experiment


def configuration_file(name: str, stage: str) -> Path:
    """Of a stage (as dvc.yaml names it) for an experiment, a data set or a lesson."""
    return FOLDER / name / f"{stage}.json"


def write_configuration(name: str, stage: str, content: dict[str, Any], modules: Sequence[str]) -> None:
    """`modules` are those whose code the stage runs, by their dotted names, without what they import."""
    files.write_json(configuration_file(name, stage), {
        **content, CODE: {"modules": list(modules), "digest": code.digest(modules)}})


def configuration(name: str, stage: str) -> dict[str, Any]:
    """What `configure` wrote for a stage; DataError if it has not run, ReproductionError if the stage's code has been
    edited since."""
    path = configuration_file(name, stage)
    content: dict[str, Any] = files.read_json(path)
    written = content.pop(CODE)
    if code.digest(written["modules"]) != written["digest"]:
        raise ReproductionError(f"the code of {stage} is not what {path} says", expected="the code that was configured",
                                found="code that has been edited since",
                                remedy="run `dvc repro` again, which runs `configure` first")
    return content


def inputs_digest(experiment: str, dataset: str) -> str:
    """SHA-256 of all that a training reads: its configuration, with the digest of its code, and its data. By it
    checkpoints and runs in MLflow are found again."""
    read = [configuration_file(experiment, "train"), prepared_file(dataset)]
    return hashlib.sha256("\n".join(f"{path} {files.sha256(path)}" for path in read).encode()).hexdigest()
