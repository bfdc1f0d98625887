"""What all lessons share: their members, texts, settings and criteria."""

import dataclasses
import math

import pytest

from gan.lessons import LESSONS, Criterion, texts
from gan.lessons.lesson import Rows

NAMES = list(LESSONS)


@pytest.mark.parametrize(("measured", "relation", "holds"), [
    (0.01, "<", True), (0.02, "<", False), (0.03, ">", True), (0.02, ">", False), (math.nan, "<", False),
    (math.nan, ">", False), (math.inf, "<", False)])
def test_a_criterion_holds_strictly_and_never_without_a_number(measured, relation, holds):
    assert Criterion("", measured, relation, 0.02).holds is holds


def test_the_lessons_stand_in_the_order_in_which_they_are_read():
    assert NAMES == ["figure_1", "optimal_discriminator", "global_optimum", "convergence", "non_saturating",
                     "non_convergence", "mode_collapse", "minibatch_features", "many_answers", "honest_pictures"]


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_filled_in(name):
    lesson = LESSONS[name]
    found = texts(lesson, lesson.Settings())
    assert set(found) == {"title", "source", "statement", "experiment", "takeaway"}
    assert all(text and text == text.strip() and not set("{}<>") & set(text) - {"<", ">"} for text in found.values())
    assert all(text.endswith((".", "”", "?")) for key, text in found.items() if key not in ("title", "source"))


def test_texts_show_the_settings_that_were_run():
    lesson = LESSONS["honest_pictures"]
    settings = dataclasses.replace(lesson.Settings(), drawn=12345)
    assert "12,345 samples are drawn" in texts(lesson, settings)["experiment"]


@pytest.mark.parametrize(("name", "change"), [
    ("figure_1", {"seeds": []}), ("figure_1", {"seeds": [1, 1]}), ("figure_1", {"seeds": [-1]}),
    ("figure_1", {"between": 5000}), ("convergence", {"shown": [500]}), ("convergence", {"eta": 0.0}),
    ("honest_pictures", {"shown": 2000}), ("honest_pictures", {"seed": -1}), ("many_answers", {"steps": 0}),
    ("non_convergence", {"eta": math.nan})])
def test_settings_out_of_range_are_refused_by_name(name, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(LESSONS[name].Settings(), **change)


def test_rows_find_their_numbers():
    rows = Rows("game", "seed", "value")
    rows.add("with", 1, 2.0)
    rows.add("with", 2, None)
    rows.add("without", 1, 5)
    assert rows.table == {"game": ["with", "with", "without"], "seed": [1, 2, 1], "value": [2.0, None, 5]}
    assert rows.numbers("value", game="with") == [2.0]
    assert rows.numbers("value", seed=1) == [2.0, 5.0]
