"""Write what each stage of an experiment reads to a file of its own, profile and overrides applied.

Stages depend on these files, so that they run again when a value they read has changed, and not when another has. Of
models in `gan/baselines` the digest of their code goes with the values: only the experiments with that model run again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan import kinds
from pipeline import files, parameters, stage

ROOT = Path(__file__).parent.parent
CODE = "code"
"""key of the digests in a configuration"""


def folder(experiment: str) -> Path:
    return Path("artifacts") / experiment


def configuration_file(experiment: str, stage_name: str) -> Path:
    return folder(experiment) / "configuration" / f"{stage_name}.json"


def configuration(experiment: str, stage_name: str) -> dict[str, Any]:
    """What `configure` wrote for a stage; DataError if it has not run."""
    content: dict[str, Any] = files.read_json(configuration_file(experiment, stage_name))
    content.pop(CODE, None)
    return content


def main(experiment: str) -> None:
    checked = parameters.load()
    kind = checked.experiment(experiment).train.model.kind
    digests = {path.relative_to(ROOT).as_posix(): files.sha256(path) for path in kinds.code(kind)}
    for stage_name, content in checked.configuration(experiment).items():
        if digests and stage_name in ("train", "sample", "sample_size"):
            content[CODE] = digests
        files.write_json(configuration_file(experiment, stage_name), content)


if __name__ == "__main__":
    stage.run(main)
