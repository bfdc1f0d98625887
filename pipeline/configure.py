"""Write what each stage of an experiment reads to a file of its own, profile and overrides applied.

Stages depend on these files, so that they run again when a value they read has changed, and not when another has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import files, parameters, stage


def folder(experiment: str) -> Path:
    return Path("artifacts") / experiment


def configuration_file(experiment: str, stage_name: str) -> Path:
    return folder(experiment) / "configuration" / f"{stage_name}.json"


def configuration(experiment: str, stage_name: str) -> dict[str, Any]:
    """What `configure` wrote for a stage; DataError if it has not run."""
    content: dict[str, Any] = files.read_json(configuration_file(experiment, stage_name))
    return content


def main(experiment: str) -> None:
    checked = parameters.load()
    checked.experiment(experiment)
    for stage_name, content in checked.configuration(experiment).items():
        files.write_json(configuration_file(experiment, stage_name), content)


if __name__ == "__main__":
    stage.run(main)
