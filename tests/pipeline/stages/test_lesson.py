"""The stage `lesson` on short lessons: what it writes, prints and refuses, and the chapter made of it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from short_lessons import ALL, SHORT, write_parameters

from gan.errors import DataError, ParameterError
from gan.evaluation.assessment_settings import FeatureSettings
from gan.evaluation.features import train
from gan.lessons.catalogue import LESSONS
from pipeline.artifacts.assessments import features_file
from pipeline.artifacts.paths import prepared_file
from pipeline.page.environment import environment
from pipeline.page.lessons import chapter, typeset
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.lessons import number
from pipeline.results.plan import Plan
from pipeline.runtime import files
from pipeline.stages import configure, lesson
from pipeline.tracking.heading import heading


def write_data(classes=10):
    """Prepared images of both data sets, and a judge that knows nothing of them."""
    for name, shape in (("mnist", (1, 28, 28)), ("cifar10", (3, 32, 32)), ("imagenet", (3, 128, 128))):
        stream = torch.Generator().manual_seed(0)
        images = {split: torch.randint(256, (n, math.prod(shape)), dtype=torch.uint8, generator=stream)
                  for split, n in (("train", 180), ("validation", 20), ("test", 60))}
        files.write_tensors(prepared_file(name), images, {"name": name, "shape": list(shape), "divisor": 255})
        settings = FeatureSettings([4], 8, 1, 60, 0.1, 0, False)
        network = train(settings, shape, images["train"] / 255, torch.arange(180) % classes if classes else None, 1)
        tensors = {"labels": torch.arange(180) % classes} if classes else {}
        tensors |= {f"network/{key}": tensor for key, tensor in network.items()}
        files.write_tensors(features_file(name), tensors, {
            "settings": dataclasses.asdict(settings), "shape": list(shape), "classes": classes, "test_accuracy": 0.125})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder where every lesson has run."""
    folder = tmp_path_factory.mktemp("lessons")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GAN_TRACKING", "off")
        write_parameters()
        configure.main()
        write_data()
        for name in LESSONS:
            lesson.main(name)
        yield folder


@pytest.fixture
def short_lessons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TRACKING", "off")
    write_parameters()
    configure.main()
    write_data()


def outputs(folder, name):
    """Everything a lesson wrote, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for top in ("artifacts/lessons", "reports/figures/lessons")
        for path in sorted((folder / top / name).rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", list(LESSONS))
def test_a_lesson_writes_its_criteria_its_figure_and_the_numbers_behind_it(finished, name):
    found = outputs(finished, name)
    content = json.loads(found[f"artifacts/lessons/{name}/lesson.json"])
    assert content["lesson"] == name
    assert content["profile"] == "smoke"
    assert content["settings"] == dataclasses.asdict(dataclasses.replace(LESSONS[name].settings(), **SHORT[name]))
    assert content["criteria"]
    for criterion in content["criteria"]:
        holds = {"<": criterion["measured"] < criterion["bound"], ">": criterion["measured"] > criterion["bound"]}
        assert criterion["holds"] is holds[criterion["relation"]]
    figure = content["figure"]
    assert found[figure["file"]].startswith(b"\x89PNG")
    assert figure["alt"]
    assert figure["caption"].endswith(".")
    assert figure["data"]
    for path in figure["data"]:
        header, *rows = found[path].decode().splitlines()
        assert rows
        assert all(row.count(",") == header.count(",") for row in rows)
    assert set(found) == {f"artifacts/lessons/{name}/lesson.json", figure["file"], *figure["data"],
                          *([figure["animation"]] if figure["animation"] else [])}


@pytest.mark.parametrize("name", list(LESSONS))
def test_a_second_run_gives_the_same_bytes(finished, name):
    folder = finished
    first = outputs(folder, name)
    lesson.main(name)
    assert outputs(folder, name) == first


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 16), (3, 33, 33)])
def test_pictures_that_no_convolutional_game_can_draw_are_refused(short_lessons, shape):
    images = {split: torch.zeros(4, math.prod(shape), dtype=torch.uint8) for split in ("train", "validation", "test")}
    files.write_tensors(prepared_file("cifar10"), images, {"name": "cifar10", "shape": list(shape), "divisor": 255})
    with pytest.raises(DataError, match=r"cannot be drawn by a convolutional game[\s\S]*datasets\.cifar10"):
        lesson.main("minibatch_gan")


def test_a_gpu_with_too_little_memory_is_told_with_the_cure(short_lessons, monkeypatch):
    def run(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")

    monkeypatch.setattr("gan.lessons.minibatch_gan.run", run)
    with pytest.raises(DataError, match=r"more memory than the GPU has[\s\S]*2.00 GiB\n[\s\S]*lower channels or batch"):
        lesson.main("minibatch_gan_at_128")


def test_the_number_of_threads_outside_changes_nothing(finished):
    folder = finished
    first, threads = outputs(folder, "many_answers"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        lesson.main("many_answers")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert outputs(folder, "many_answers") == first


def test_every_criterion_is_printed_with_its_value_and_verdict(short_lessons, capsys):
    lesson.main("non_convergence")
    said = capsys.readouterr().out
    assert "  holds         alternating: largest radius: 1.026, bound < 1.051" in said
    assert "  does not hold optimistic: last radius: 0.2203, bound < 0.01" in said


def test_what_an_earlier_run_left_is_removed(short_lessons):
    stale = Path("reports/figures/lessons/non_convergence/old.csv")
    files.write_text(stale, "old\n")
    lesson.main("non_convergence")
    assert not stale.exists()


def test_a_lesson_is_a_run_in_mlflow(short_lessons, monkeypatch):
    monkeypatch.setenv("GAN_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd() / 'runs.db'}")
    lesson.main("non_convergence")
    from mlflow import MlflowClient
    client = MlflowClient(tracking_uri=f"sqlite:///{Path.cwd() / 'runs.db'}")
    experiment = client.get_experiment_by_name(heading())
    run, = client.search_runs([experiment.experiment_id])
    content = json.loads(Path("artifacts/lessons/non_convergence/lesson.json").read_text())
    assert run.info.run_name == "lesson non_convergence · smoke"
    assert run.data.metrics["criterion 2"] == content["criteria"][1]["measured"]
    assert run.data.params["criterion 2"] == content["criteria"][1]["statement"]
    assert run.data.metrics["criteria that hold"] == sum(one["holds"] for one in content["criteria"])
    assert [file.path for file in client.list_artifacts(run.info.run_id, "figures")] == ["figures/figure.png"]


# The animation.

def test_the_animation_is_a_small_picture_without_scripts(finished):
    text = (finished / "reports/figures/lessons/figure_1/animation.svg").read_text()
    assert len(text.encode()) < 300_000
    root = ElementTree.fromstring(text)
    assert root.tag == "svg"
    assert root.get("aria-label")
    assert not [element for element in root.iter() if element.tag == "script" or "href" in "".join(element.keys())]
    animated = [element for element in root.iter() if element.tag == "animate"]
    assert animated
    for element in animated:
        values = element.get("values").split(";")
        keys = [float(key) for key in (element.get("keyTimes") or "0;1").split(";")]
        assert len(keys) == len(values)
        assert keys[0] == 0
        assert keys[-1] == 1
        assert keys == sorted(keys)


def test_the_full_animation_stays_small():
    """As many frames as are run, of the widest numbers."""
    settings = LESSONS["figure_1"].settings()
    points, curves, bytes_a_point = 67, 2, len("616.0 268.0L")
    assert (settings.frames + 3) * points * curves * bytes_a_point < 200_000


# The chapter.

def rendered_chapter(lessons):
    return environment().get_template("lessons.html").render(lessons=lessons, full=True)


def test_the_chapter_reads_every_lesson_in_order(finished):
    lessons = chapter()
    assert [one["name"] for one in lessons] == list(LESSONS)
    assert [one["number"] for one in lessons] == list(range(1, 1 + len(LESSONS)))
    assert {one["status"] for one in lessons} == {"done"}
    page = rendered_chapter(lessons)
    for one in lessons:
        assert f'id="lesson-{one["name"]}"' in page
        assert page.count(one["image"]) == 1
    assert page.count("<figure>") == page.count("alt=") == len(LESSONS)
    assert "does not hold" in page
    assert page.count('<svg class="lesson-animation"') == 1
    assert "<script" not in page


def test_the_short_chapter_has_smaller_figures_and_nothing_that_moves(finished):
    for short, whole in zip(chapter(full=False), chapter(), strict=True):
        assert short["animation"] is None
        assert len(short["image"]) < len(whole["image"])
        assert whole["caption"].startswith(short["caption_brief"])


def test_the_page_has_the_chapter_and_a_row_for_each_lesson(finished, monkeypatch):
    monkeypatch.chdir(finished)
    plan = Plan.read()
    page = render({}, plan, [], Provenance.read(plan), chapter())
    for name in LESSONS:
        assert f'<section class="lesson" id="lesson-{name}"' in page
        assert f'<a href="#lesson-{name}">lesson ' in page
    assert "A claim of the theory or of a slide holds if" in page
    without = render({}, plan, [], Provenance.read(plan))
    assert "No lesson has been run" in without
    assert "lesson-figure_1" not in without


def test_the_chapter_says_what_has_not_been_run(short_lessons):
    lesson.main("non_convergence")
    lessons = chapter()
    assert [one["name"] for one in lessons if one["status"] == "done"] == ["non_convergence"]
    page = rendered_chapter(lessons)
    assert page.count("This lesson has not been run.") == len(LESSONS) - 1
    assert page.count("<code>make lessons</code>") == len(LESSONS) - 1


def test_indices_are_set_as_such_and_all_else_is_escaped():
    assert typeset("p_g = p_data < 1, (p_g + p_data)/2, grasp_go") == (
        "p<sub>g</sub> = p<sub>data</sub> &lt; 1, (p<sub>g</sub> + p<sub>data</sub>)/2, grasp_go")


def test_what_a_lesson_says_is_escaped(finished):
    lessons = chapter()
    lessons[0]["statement"] = "a < b & c"
    assert "a &lt; b &amp; c" in rendered_chapter(lessons)


# Numbers as text.

@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (7, "7"), (0.0146, "0.0146"), (-1.38629, "−1.386"), (0.05, "0.05"), (1e-9, "1 × 10⁻⁹"),
    (3.22e-15, "3.2 × 10⁻¹⁵"), (-4.9e-17, "−4.9 × 10⁻¹⁷"), (1234567, "1.2 × 10⁶"), (None, "not a number")])
def test_numbers_are_readable(value, text):
    assert number(value) == text


# What is refused.

@pytest.mark.parametrize(("changes", "said"), [
    ({"lessons": None}, "lessons is not right"),
    ({"lessons": {"figure_1": {}}}, "optimal_discriminator is missing"),
    ({"lessons": {**ALL, "convergance": {}}}, r"convergance: unknown key[\s\S]*did you mean 'convergence'"),
    ({"lessons": {**ALL, "convergence": ALL["convergence"] | {"round": 3}}}, "lessons.convergence.round: unknown key"),
    ({"lessons": {**ALL, "convergence": {"rounds": 3}}}, "lessons.convergence.bins is missing"),
    ({"lessons": {**ALL, "convergence": ALL["convergence"] | {"rounds": "3"}}}, "lessons.convergence.rounds"),
    ({"lessons": {**ALL, "convergence": ALL["convergence"] | {"rounds": True}}}, "lessons.convergence.rounds"),
    ({"lessons": {**ALL, "convergence": ALL["convergence"] | {"rounds": 0}}}, "rounds must be at least 1"),
    ({"lessons": {**ALL, "profiles": {"smok": {}}}}, "did you mean 'smoke'"),
    ({"profile": "fast"}, "unknown profile 'fast'")])
def test_wrong_parameters_are_named(short_lessons, changes, said):
    write_parameters(**changes)
    with pytest.raises(ParameterError, match=said):
        configure.main()


def test_a_profile_may_change_a_lesson(short_lessons):
    convergence = ALL["convergence"] | {"profiles": {"cpu": {"rounds": 60}}}
    write_parameters(profile="cpu", lessons={**ALL, "convergence": convergence})
    configure.main()
    lesson.main("convergence")
    assert json.loads(Path("artifacts/lessons/convergence/lesson.json").read_text())["settings"]["rounds"] == 60


def test_an_unknown_lesson_is_refused(short_lessons):
    with pytest.raises(ParameterError, match="did you mean 'convergence'"):
        lesson.main("convergense")


def test_a_judge_without_labels_and_a_missing_one_are_refused(short_lessons):
    write_data(classes=0)
    with pytest.raises(DataError, match=r"cannot judge digits[\s\S]*without labels"):
        lesson.main("honest_pictures")
    features_file("mnist").unlink()
    with pytest.raises(DataError, match=r"features\.safetensors is missing"):
        lesson.main("honest_pictures")


@pytest.mark.parametrize("name", ["minibatch_gan", "minibatch_gan_at_128"])
def test_pictures_without_labels_are_refused(short_lessons, name):
    write_data(classes=0)
    with pytest.raises(DataError, match=r"cannot judge pictures[\s\S]*without labels[\s\S]*class_folders"):
        lesson.main(name)


def test_the_accuracy_told_is_that_of_the_judge_that_samples_are_assessed_by(short_lessons):
    lesson.main("honest_pictures")
    numbers = json.loads(Path("artifacts/lessons/honest_pictures/lesson.json").read_text())["numbers"]
    assert numbers["accuracy of the judge on test images"] == 0.125


# A folder of the user's own.

def own_pairs(folder, name="facades"):
    (folder / name / "train").mkdir(parents=True)
    (folder / name / "val").mkdir()
    for part, count in (("train", 3), ("val", 2)):
        for i in range(count):
            Image.new("RGB", (64, 32), (40 * i, 100, 0)).save(folder / name / part / f"{i}.jpg")


def translate(**changes):
    own = SHORT["image_to_image"] | {"folder": "facades", "side": 32, "folder_steps": 2} | changes
    write_parameters(lessons={**ALL, "profiles": {"smoke": {**SHORT, "image_to_image": own}}})
    configure.main()
    lesson.main("image_to_image")


def test_a_folder_of_pairs_in_a_folder_of_gan_data_is_translated_too(short_lessons, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    own_pairs(tmp_path / "mine")
    monkeypatch.setenv("GAN_DATA", f"{tmp_path / 'empty'}{os.pathsep}{tmp_path / 'mine'}")
    translate(direction="B to A")
    found = outputs(Path(), "image_to_image")
    assert len(found["reports/figures/lessons/image_to_image/own.csv"].splitlines()) == 1 + 4 * 2
    content = json.loads(found["artifacts/lessons/image_to_image/lesson.json"])
    assert content["numbers"]["own pairs, trained on"] == 3
    assert content["numbers"]["own pairs, judged"] == 2
    assert "facades" in content["figure"]["caption"]


@pytest.mark.parametrize(("named", "found"), [("", "GAN_DATA names none"), ("mine", "mine")])
def test_a_folder_of_pairs_that_is_nowhere_is_named_with_what_was_expected(short_lessons, tmp_path, monkeypatch, named,
                                                                         found):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("GAN_DATA", named and str(tmp_path / named))
    with pytest.raises(DataError, match=rf"no folder facades[\s\S]*expected: facades or facades\.zip[\s\S]*{found}"):
        translate()


def test_missing_digits_are_named(short_lessons):
    prepared_file("mnist").unlink()
    with pytest.raises(DataError, match=r"mnist\.safetensors is missing"):
        lesson.main("honest_pictures")
