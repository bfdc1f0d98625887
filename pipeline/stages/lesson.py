"""Stage `lesson`: one lesson's experiment, its criteria, its figure and the numbers behind it.

    python -m pipeline.stages.lesson figure_1      run it
    python -m pipeline.stages.lesson table         print every lesson's criteria, as measured
    python -m pipeline.stages.lesson stages        print the stages that params.yaml asks for

A run writes artifacts/lessons/<name>/lesson.json and reports/figures/lessons/<name>/, on one thread, so that a second
run gives the same bytes. A criterion that does not hold is printed and shown as such; it is a result, not an error.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import torch
from markupsafe import Markup, escape

from gan.datasets.mnist import TEST_LABELS_FILE, TRAINING_LABELS_FILE, read_idx
from gan.errors import DataError
from gan.lessons import LESSONS, Criterion, Lesson, Outcome, texts
from gan.lessons.digits import Digits
from gan.lessons.lesson import LessonSettings
from pipeline.artifacts.files import read_json, write_json, write_text
from pipeline.artifacts.prepared import prepared_file, read_dataset
from pipeline.artifacts.raw import raw_folder
from pipeline.figures import lesson_animation, lesson_figures
from pipeline.results.results import ARTIFACTS, FIGURES, PAGE, PARAMETERS, read_yaml
from pipeline.runtime.progress import Progress
from pipeline.runtime.stage import run
from pipeline.settings.parameters import MNIST, lesson_settings, load, require_known
from pipeline.stages.figures import STYLE, save_figure, write_csv
from pipeline.tracking import runs

RESULTS = ARTIFACTS / "lessons"
PICTURES = FIGURES / "lessons"
SMOKE = "smoke"


def main(what: str) -> None:
    """Run the lesson of that name as params.yaml has it, or print what was asked for."""
    if what == "table":
        print("\n\n".join(table()))
    elif what == "stages":
        print(" ".join(load().run.lesson_stages.values()))
    else:
        run_lesson(what)


def run_lesson(name: str) -> None:
    lesson = lesson_of(name)
    settings, profile = read_settings(name)
    digits = [read_digits()] if lesson.NEEDS_DIGITS else []
    with one_thread():
        outcome = lesson.run(settings, Progress, *digits)
    content = {
        "lesson": name, "profile": profile, **texts(lesson, settings), "settings": vars(settings),
        "criteria": [_criterion(one) for one in outcome.criteria],
        "numbers": {label: _finite(value) for label, value in outcome.numbers.items()},
        "figure": draw(name, outcome, settings)}
    write_json(RESULTS / name / "lesson.json", content)
    print(in_words(content), flush=True)
    track(content)


def track(content: Mapping[str, Any]) -> None:
    """Log a finished lesson as a run of its own in MLflow: criteria by their numbers, and the figure."""
    name, criteria = content["lesson"], content["criteria"]
    inputs = hashlib.sha256(json.dumps(content["settings"], sort_keys=True).encode()).hexdigest()
    said = {f"criterion {i}": one["statement"] for i, one in enumerate(criteria, 1)}
    with runs.resume(
            f"lesson {name}", None, inputs, profile=content["profile"], parameters={**content["settings"], **said},
            tags={runs.NOTE: f"{content['title']}. Results: the page `{PAGE}`, section `#lesson-{name}`."}
    ) as tracker:
        measured = {f"criterion {i}": one["measured"] for i, one in enumerate(criteria, 1)}
        holding = sum(one["holds"] for one in criteria)
        tracker.metrics({**measured, "criteria": len(criteria), "criteria that hold": holding}, step=0)
        tracker.figure(content["figure"]["file"])


def lesson_of(name: str) -> Lesson:
    """The lesson of that name; ParameterError if there is none."""
    require_known(name, LESSONS, "lesson", "python -m pipeline.stages.lesson")
    return LESSONS[name]


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: sums over several are rounded in an order that depends on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# Settings and data.

def read_settings(name: str) -> tuple[LessonSettings, str]:
    """The lesson's settings from params.yaml, profile applied, and the profile's name."""
    content = read_yaml(PARAMETERS)
    profile = str(content.get("profile"))
    return lesson_settings(content.get("lessons"), name, profile), profile


def read_digits() -> Digits:
    """MNIST as it was prepared, with the labels of its raw files, which the paper's experiments have no use for."""
    dataset, folder = read_dataset(prepared_file(MNIST)), raw_folder(MNIST)
    train, test = (torch.from_numpy(read_idx(folder / name)).long()
                   for name in (TRAINING_LABELS_FILE, TEST_LABELS_FILE))
    train = train[:len(dataset.train)]
    for images, of, name in ((dataset.train, train, TRAINING_LABELS_FILE), (dataset.test, test, TEST_LABELS_FILE)):
        if of.shape != (len(images),):
            raise DataError(f"{folder / name} does not fit {prepared_file(MNIST)}",
                            expected=f"{len(images):,} labels", found=str(list(of.shape)),
                            remedy="run `dvc repro`, which prepares the data anew")
    return Digits(dataset.train, train, dataset.test, test)


# What is written.

def draw(name: str, outcome: Outcome, settings: LessonSettings) -> dict[str, Any]:
    """Write the figure, the tables behind it and, where there is one, its animation; what the page needs of them."""
    folder = PICTURES / name
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a matplotlibrc on this machine says
        matplotlib.rcParams.update(STYLE)
        drawing = lesson_figures.draw(name, outcome, vars(settings))
        picture = save_figure(drawing.figure, folder / "figure.png")
    tables = [write_csv(folder / f"{table}.csv", list(columns), zip(*columns.values(), strict=True))
              for table, columns in outcome.tables.items()]
    animated = lesson_animation.draw(name, outcome)
    animation = folder / "animation.svg"
    if animated is not None:
        write_text(animation, animated)
    written = {picture, *tables, *([] if animated is None else [animation])}
    for old in set(folder.iterdir()) - written:
        old.unlink()
    return {"file": picture.as_posix(), "alt": drawing.alt, "caption": drawing.caption,
            "data": [path.as_posix() for path in tables],
            "animation": None if animated is None else animation.as_posix()}


def _criterion(criterion: Criterion) -> dict[str, Any]:
    return {"statement": criterion.statement, "measured": _finite(criterion.measured), "relation": criterion.relation,
            "bound": criterion.bound, "unit": criterion.unit, "holds": criterion.holds}


def _finite(value: float) -> float | None:
    """None for what JSON has no number for."""
    return value if math.isfinite(value) else None


def in_words(content: Mapping[str, Any]) -> str:
    """Each criterion of a finished lesson with its measured value, and whether it holds."""
    lines = [f"{content['lesson']}: {content['title']} (profile {content['profile']})"]
    for one in content["criteria"]:
        lines.append(f"  {verdict(one):<13} {one['statement']}: {measured_text(one)}, bound {bound_text(one)}")
    return "\n".join(lines)


def table() -> list[str]:
    """What every lesson measured, and a last line that counts."""
    paths = {name: RESULTS / name / "lesson.json" for name in LESSONS}
    done = [read_json(path) for path in paths.values() if path.is_file()]
    criteria = [one for content in done for one in content["criteria"]]
    failed = sum(not one["holds"] for one in criteria)
    count = f"{len(done)} of {len(LESSONS)} lessons run, {len(criteria)} criteria: {len(criteria) - failed} hold, " \
            f"{failed} {'does' if failed == 1 else 'do'} not"
    return [*map(in_words, done), count]


# Numbers as text.

def verdict(criterion: Mapping[str, Any]) -> str:
    return "holds" if criterion["holds"] else "does not hold"


def measured_text(criterion: Mapping[str, Any]) -> str:
    return f"{number(criterion['measured'])} {criterion['unit']}".rstrip()


def bound_text(criterion: Mapping[str, Any]) -> str:
    return f"{criterion['relation']} {number(criterion['bound'])} {criterion['unit']}".rstrip()


def number(value: float | None) -> str:
    """Four digits: "0.0146", "−1.386", "3.2 × 10⁻¹⁵"."""
    if value is None:
        return "not a number"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        mantissa = mantissa.removesuffix(".0")
        power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{mantissa} × 10{power}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


# The report's chapter.

def chapter(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Every lesson in the order in which they are read, for reports/lessons.html.

    `status` is "done" or "not run"; a lesson that has not been run has its title and number alone.
    """
    return [_section(i, name, lesson, folder / name / "lesson.json")
            for i, (name, lesson) in enumerate(LESSONS.items(), 1)]


def _section(place: int, name: str, lesson: Lesson, path: Path) -> dict[str, Any]:
    section: dict[str, Any] = {"number": place, "name": name, "title": typeset(lesson.TITLE),
                               "status": "not run"}
    if not path.is_file():
        return section
    content = read_json(path)
    figure = content["figure"]
    png = Path(figure["file"]).read_bytes()
    width, height = struct.unpack(">II", png[16:24])  # PNG's first chunk begins with them
    animation = figure["animation"]
    criteria = [{"statement": typeset(one["statement"]), "measured": measured_text(one), "bound": bound_text(one),
                 "holds": one["holds"], "verdict": verdict(one)} for one in content["criteria"]]
    return section | {
        "status": "done", "profile": content["profile"], "smoke": content["profile"] == SMOKE,
        **{key: typeset(content[key]) for key in ("title", "source", "statement", "experiment", "takeaway")},
        "criteria": criteria, "numbers": {label: number(value) for label, value in content["numbers"].items()},
        "image": "data:image/png;base64," + base64.b64encode(png).decode(), "width": width // 2, "height": height // 2,
        "alt": figure["alt"], "caption": typeset(figure["caption"]), "data": figure["data"],
        "animation": None if animation is None else Markup(Path(animation).read_text())}


def typeset(text: str) -> Markup:
    """Escaped, with the indices of p_g and p_data set as such."""
    return Markup(re.sub(r"\bp_(g|data)\b", r"p<sub>\1</sub>", str(escape(text))))


if __name__ == "__main__":
    run(main, "what")
