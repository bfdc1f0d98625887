"""What all lessons share: their members, texts, settings and criteria."""

import ast
import dataclasses
import inspect
import math

import pytest

from gan.lessons import settings as lesson_settings
from gan.lessons.catalogue import LESSONS, lesson, module_of
from gan.lessons.lesson import Criterion, Rows, texts

NAMES = list(LESSONS)


@pytest.mark.parametrize(("measured", "relation", "holds"), [
    (0.01, "<", True), (0.02, "<", False), (0.03, ">", True), (0.02, ">", False), (math.nan, "<", False),
    (math.nan, ">", False), (math.inf, "<", False)])
def test_a_criterion_holds_strictly_and_never_without_a_number(measured, relation, holds):
    assert Criterion("", measured, relation, 0.02).holds is holds


def test_the_lessons_stand_in_the_order_in_which_they_are_read():
    assert NAMES == ["figure_1", "optimal_discriminator", "global_optimum", "convergence", "non_saturating",
                     "self_play", "robust_optimisation", "adversarial_examples", "vector_arithmetic",
                     "non_convergence", "mode_collapse", "minibatch_features", "minibatch_gan",
                     "minibatch_gan_at_128", "honest_pictures", "problems_measured", "image_to_image", "plug_and_play",
                     "many_answers", "next_frame", "markets"]


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_runs_with_the_settings_and_the_data_that_the_catalogue_names(name):
    module = lesson(name)
    assert module.__name__ == module_of(name)
    settings, *others = (parameter for parameter in inspect.signature(module.run).parameters.values()
                         if parameter.default is parameter.empty)
    assert settings.annotation == LESSONS[name].settings.__name__
    given = {"": [], "mnist": ["digits"], "cifar10": ["pictures"], "imagenet": ["pictures"]}
    assert [parameter.name for parameter in others] == ["start", *given[LESSONS[name].data]]


def test_settings_hold_fields_and_checks_alone():
    """A stage's code digest need not follow them, nor the catalogue: their values are in its configuration."""
    module = ast.parse(inspect.getsource(lesson_settings))
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    assert {node.name for node in classes} == {
        "LessonSettings", *(entry.settings.__name__ for entry in LESSONS.values())}
    assert all(isinstance(node, ast.ClassDef | ast.ImportFrom | ast.Expr) for node in module.body)
    for statement in (statement for node in classes for statement in node.body):
        is_check = isinstance(statement, ast.FunctionDef) and statement.name == "__post_init__"
        assert is_check or isinstance(statement, ast.AnnAssign | ast.Expr), ast.unparse(statement)


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_filled_in(name):
    found = {"title": LESSONS[name].title, **texts(lesson(name), LESSONS[name].settings())}
    assert set(found) == {"title", "source", "statement", "experiment", "takeaway"}
    assert all(text and text == text.strip() and not set("{}<>") & set(text) - {"<", ">"} for text in found.values())
    assert all(text.endswith((".", "”", "?")) for key, text in found.items() if key not in ("title", "source"))


def test_texts_show_the_settings_that_were_run():
    settings = dataclasses.replace(LESSONS["honest_pictures"].settings(), drawn=12345)
    assert "12,345 samples are drawn" in texts(lesson("honest_pictures"), settings)["experiment"]


@pytest.mark.parametrize(("name", "change"), [
    ("figure_1", {"seeds": []}), ("figure_1", {"seeds": [1, 1]}), ("figure_1", {"seeds": [-1]}),
    ("figure_1", {"between": 5000}), ("convergence", {"shown": [500]}), ("convergence", {"eta": 0.0}),
    ("honest_pictures", {"shown": 2000}), ("honest_pictures", {"seeds": [-1]}), ("many_answers", {"steps": 0}),
    ("non_convergence", {"eta": math.nan}), ("plug_and_play", {"chains": 1}), ("plug_and_play", {"prior": 1.5}),
    ("plug_and_play", {"looks": 80}), ("vector_arithmetic", {"digit": 10}),
    ("vector_arithmetic", {"averaged": [1, 2]}), ("image_to_image", {"weight": math.inf}),
    ("minibatch_features", {"batch": 1}), ("minibatch_features", {"digit_batch": 1}), ("minibatch_gan", {"batch": 1}),
    ("minibatch_gan_at_128", {"batch": 1})])
def test_settings_out_of_range_are_refused_by_name(name, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(LESSONS[name].settings(), **change)


def test_rows_find_their_numbers():
    rows = Rows("game", "seed", "value")
    rows.add("with", 1, 2.0)
    rows.add("with", 2, None)
    rows.add("without", 1, 5)
    assert rows.table == {"game": ["with", "with", "without"], "seed": [1, 2, 1], "value": [2.0, None, 5]}
    assert rows.numbers("value", game="with") == [2.0]
    assert rows.numbers("value", seed=1) == [2.0, 5.0]
