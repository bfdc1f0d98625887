"""Write what each stage reads of params.yaml to a file of its own, profile applied, with the digest of its code.

Stages depend on these files, so that they run again when a value or a line of code has changed that they use, and not
when another has.
"""

from __future__ import annotations

import shutil

from gan import registry
from gan.datasets.registry import module_of as dataset_module
from pipeline.artifacts.configuration import FOLDER, write_configuration
from pipeline.runtime import stage
from pipeline.settings import parameters

FITTED = ("train", "sample", "sample_size")
"""Stages that run the model's own code"""


def main() -> None:
    checked = parameters.load()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in checked.run.datasets:
        settings = checked.datasets[name]
        for stage_name in ("download", "prepare"):
            write_configuration(name, stage_name, {"name": name, "settings": checked.raw["datasets"][name]},
                                [f"pipeline.stages.{stage_name}", dataset_module(settings.loader)])
    for name in checked.run.experiments:
        kind = checked.experiment(name).train.model.kind
        for stage_name, content in checked.configuration(name).items():
            modules = [f"pipeline.stages.{stage_name}"]
            if stage_name in FITTED:
                modules.append(registry.module_of(kind))
            write_configuration(name, stage_name, content, modules)
    for name, content in checked.lesson_configurations().items():
        write_configuration("lessons", name, content, ["pipeline.stages.lesson", f"gan.lessons.{name}"])
    for name in ("collect", "report"):
        write_configuration("all", name, checked.of_everything(), [f"pipeline.stages.{name}"])


if __name__ == "__main__":
    stage.run(main)
