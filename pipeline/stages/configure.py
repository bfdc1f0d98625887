"""Write what each stage reads of params.yaml to a file of its own, profile applied, with the digest of its code.

Stages depend on these files, so that they run again when a value or a line of code has changed that they use, and not
when another has.
"""

from __future__ import annotations

import shutil

from gan import registry
from gan.datasets.registry import module_of as dataset_module
from gan.lessons.catalogue import module_of as lesson_module
from pipeline.artifacts.configuration import FOLDER, write_configuration
from pipeline.figures.lessons import module_of as drawing_module
from pipeline.runtime import stage
from pipeline.settings import parameters

FITTED = ("train", "sample", "sample_size")
"""Stages that run the model's own code"""
FROM_RAW = ("download", "prepare", "features")
"""Stages that run the data set's own code"""


def main() -> None:
    known = parameters.load()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in known.plan.datasets:
        loader = dataset_module(known.datasets[name].loader)
        for stage_name, content in known.dataset_configuration(name).items():
            write_configuration(name, stage_name, content, [
                f"pipeline.stages.{stage_name}", *([loader] if stage_name in FROM_RAW else [])])
    for name in known.plan.experiments:
        settings = known.experiment(name).train.model
        model, labels = registry.module_of(settings.kind), dataset_module(known.datasets[known.dataset_of(name)].loader)
        for stage_name, content in known.configuration(name).items():
            own = stage_name in FITTED or (stage_name == "assess" and registry.does_more(settings))
            write_configuration(name, stage_name, content, [
                f"pipeline.stages.{stage_name}", *([model] if own else []),
                *([labels] if content.get("loader") else [])])
    for name in known.plan.lesson_stages:
        write_configuration("lessons", name, known.lesson_configuration(name), [
            "pipeline.stages.lesson", lesson_module(name), drawing_module(name)])
    for stage_name in ("collect", "report"):
        write_configuration("all", stage_name, {}, [f"pipeline.stages.{stage_name}"])


if __name__ == "__main__":
    stage.run(main)
