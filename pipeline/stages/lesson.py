"""Stage `lesson`: one lesson's experiment, its criteria, its figure and the numbers behind it.

A run writes artifacts/lessons/<name>/lesson.json and reports/figures/lessons/<name>/, on one thread, so that a second
run gives the same bytes. A criterion that does not hold is printed and shown as such; it is a result, not an error.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from gan.datasets.image_folder import places_of
from gan.datasets.sources import LOCAL_FOLDERS
from gan.errors import DataError
from gan.lessons import catalogue
from gan.lessons.catalogue import LESSONS
from gan.lessons.digits import Digits, Judge
from gan.lessons.lesson import Criterion, Lesson, Outcome, texts
from gan.lessons.pictures import Pictures, require_playable
from gan.lessons.settings import LessonSettings
from pipeline.artifacts.assessed import read_features, read_labels
from pipeline.artifacts.assessments import features_file
from pipeline.artifacts.configuration import configuration
from pipeline.artifacts.paths import LESSON_FIGURES, PAGE, prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.raw import local_folders
from pipeline.artifacts.tables import write_csv
from pipeline.figures import lessons as drawings
from pipeline.figures.files import save_figure
from pipeline.figures.style import house_style
from pipeline.results.lessons import criteria_text, result_file
from pipeline.runtime import machine
from pipeline.runtime.files import write_json, write_text
from pipeline.runtime.names import require_known
from pipeline.runtime.progress import Progress
from pipeline.runtime.stage import run
from pipeline.settings.parameters import CIFAR10, IMAGENET, MNIST
from pipeline.tracking import runs
from pipeline.tracking.heading import NOTE


def main(name: str) -> None:
    """Run the lesson of that name as params.yaml has it."""
    lesson = lesson_of(name)
    settings, profile = read_settings(name)
    data = [DATA[LESSONS[name].data]()] if LESSONS[name].data else []
    data += [own_place(folder)] if (folder := getattr(settings, "folder", "")) else []
    with one_thread(), torch.backends.cudnn.flags(enabled=True, deterministic=True), _told_of_memory(name):
        outcome = lesson.run(settings, Progress, *data)
    content = {
        "lesson": name, "profile": profile, "title": configuration("lessons", name)["title"], **texts(lesson, settings),
        "settings": vars(settings),
        "criteria": [_criterion(criterion) for criterion in outcome.criteria],
        "numbers": {label: _finite(value) for label, value in outcome.numbers.items()},
        "figure": draw(name, outcome, settings)}
    write_json(result_file(name), content)
    print(criteria_text(content), flush=True)
    track(content)


def track(content: Mapping[str, Any]) -> None:
    """Log a finished lesson as a run of its own in MLflow: criteria by their numbers, and the figure."""
    name, criteria = content["lesson"], content["criteria"]
    inputs = hashlib.sha256(json.dumps(content["settings"], sort_keys=True).encode()).hexdigest()
    statements = {f"criterion {i}": criterion["statement"] for i, criterion in enumerate(criteria, 1)}
    with runs.resume(
            f"lesson {name}", None, inputs, profile=content["profile"],
            parameters={**content["settings"], **statements},
            tags={NOTE: f"{content['title']}. Results: the page `{PAGE}`, section `#lesson-{name}`."}
    ) as tracker:
        measured = {f"criterion {i}": criterion["measured"] for i, criterion in enumerate(criteria, 1)}
        holding = sum(criterion["holds"] for criterion in criteria)
        tracker.metrics({**measured, "criteria": len(criteria), "criteria that hold": holding}, step=0)
        tracker.figure(content["figure"]["file"])


def lesson_of(name: str) -> Lesson:
    """The lesson of that name; ParameterError if there is none."""
    require_known(name, LESSONS, "lesson", "python -m pipeline.stages.lesson")
    return catalogue.lesson(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: sums over several are rounded in an order that depends on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _told_of_memory(name: str) -> Iterator[None]:
    """DataError where a GPU's memory does not suffice."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DataError(f"lesson {name} needs more memory than the GPU has free", found=str(error).splitlines()[0],
                        remedy=f"lower channels or batch under lessons.{name} in params.yaml, or set GAN_DEVICE=cpu"
                        ) from error


# Settings and data.

def read_settings(name: str) -> tuple[LessonSettings, str]:
    """The lesson's settings, profile applied, and the profile's name."""
    content = configuration("lessons", name)
    settings: LessonSettings = TypeAdapter(LESSONS[name].settings).validate_python(content["settings"])
    return settings, str(content["profile"])


def read_digits() -> Digits:
    """MNIST as it was prepared, with the classifier that the stage `features` has trained on its labels."""
    dataset = read_dataset(prepared_file(MNIST))
    features, about = read_features(MNIST, torch.device("cpu"))
    try:
        judge = Judge(features, about["test_accuracy"])
    except ValueError as error:
        raise DataError(f"{features_file(MNIST)} cannot judge digits", found=str(error),
                        remedy=f"delete {features_file(MNIST)} and run `dvc repro`") from error
    return Digits(dataset.train, dataset.test, judge, read_labels(MNIST))


def read_pictures(name: str) -> Pictures:
    """A data set of colour pictures as it was prepared, with the network whose features the stage `features` has made
    of it, on a GPU where there is one. DataError for others."""
    dataset = read_dataset(prepared_file(name))
    try:
        require_playable(dataset.shape)
    except ValueError as error:
        raise DataError(f"{prepared_file(name)} cannot be drawn by a convolutional game", found=str(error),
                        remedy=f"change datasets.{name} in params.yaml") from error
    device = machine.choose_device()
    features, about = read_features(name, device)
    if not features.classes:
        raise DataError(f"{features_file(name)} cannot judge pictures", expected="a classifier of their labels",
                        found="features of data without labels, or of one class alone",
                        remedy=f"choose a loader with labels, such as class_folders, in datasets.{name} in params.yaml")
    return Pictures(dataset.train, dataset.test, dataset.shape[-1], features, about["test_accuracy"], device,
                    dataset.contrast_norm)


def own_place(name: str) -> Path:
    """Where the user has a folder or zip archive of that name, in the folders of GAN_DATA. DataError if nowhere.

    As with a data set from such a folder, DVC watches the name, not what is in it.
    """
    folders = local_folders()
    for place in places_of(name, folders):
        return place
    raise DataError(f"no folder {name} to translate", expected=f"{name} or {name}.zip in a folder that "
                    f"{LOCAL_FOLDERS} names", found=", ".join(map(str, folders)) or f"{LOCAL_FOLDERS} names none",
                    remedy=f"{LOCAL_FOLDERS}=/path/to/folder dvc repro, or folder: \"\" in params.yaml")


DATA: dict[str, Callable[[], Any]] = {
    MNIST: read_digits, **{name: functools.partial(read_pictures, name) for name in (CIFAR10, IMAGENET)}}


# What is written.

def draw(name: str, outcome: Outcome, settings: LessonSettings) -> dict[str, Any]:
    """Write the figure, the tables behind it and, where there is one, its animation; what the page needs of them."""
    folder = LESSON_FIGURES / name
    with house_style():
        drawing = drawings.draw(name, outcome, vars(settings))
        picture = save_figure(drawing.figure, folder / "figure.png")
    tables = [write_csv(folder / f"{table}.csv", list(columns), zip(*columns.values(), strict=True))
              for table, columns in outcome.tables.items()]
    animation = folder / "animation.svg"
    if drawing.animation is not None:
        write_text(animation, drawing.animation)
    written = {picture, *tables, *([] if drawing.animation is None else [animation])}
    for old in set(folder.iterdir()) - written:
        old.unlink()
    return {"file": picture.as_posix(), "alt": drawing.alt, "caption": drawing.caption,
            "data": [path.as_posix() for path in tables],
            "animation": None if drawing.animation is None else animation.as_posix()}


def _criterion(criterion: Criterion) -> dict[str, Any]:
    return {"statement": criterion.statement, "measured": _finite(criterion.measured), "relation": criterion.relation,
            "bound": criterion.bound, "unit": criterion.unit, "holds": criterion.holds}


def _finite(value: float) -> float | None:
    """None for what JSON has no number for."""
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    run(main, "name")
