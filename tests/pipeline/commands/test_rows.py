"""pipeline.commands.rows: the order of experiments, and what is told of a run whose stages go side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.commands import rows
from pipeline.commands.rows import Following, in_order
from pipeline.results.plan import Plan
from pipeline.runtime import process

ROOT = Path(__file__).parents[3]


def test_real_images_come_first_then_the_headline_then_its_data_then_the_rest():
    plan = Plan("cpu", (), ("cifar", "mnist", "mnist_kmeans", "cifar_training_images", "mnist_training_images",
                            "mnist_dbn"), {}, {
        "cifar": ("adversarial_nets", "cifar10"), "mnist": ("adversarial_nets", "mnist"),
        "mnist_kmeans": ("kmeans", "mnist"), "mnist_dbn": ("dbn", "mnist"),
        "mnist_training_images": ("training_images", "mnist"),
        "cifar_training_images": ("training_images", "cifar10")})
    assert in_order(plan, plan.experiments) == ["cifar_training_images", "cifar", "mnist", "mnist_kmeans",
                                                "mnist_training_images", "mnist_dbn"]
    assert in_order(plan, {"mnist_dbn", "mnist"}) == ["mnist", "mnist_dbn"]


def test_the_committed_plan_has_mnist_s_table_first(monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = Plan.read()
    order = in_order(plan, plan.experiments)
    assert order[:2] == ["mnist_training_images", "mnist"]
    assert sorted(order) == sorted(plan.experiments)
    of_mnist = [name for name in plan.experiments if plan.kinds[name][1] == "mnist"]
    assert set(order[:len(of_mnist)]) == set(of_mnist)


def test_without_adversarial_nets_the_order_is_that_of_the_plan():
    kinds = {"a": ("dbn", "x"), "b": ("kmeans", "x")}
    assert in_order(Plan("cpu", (), ("a", "b"), {}, kinds), ["b", "a"]) == ["a", "b"]
    assert in_order(Plan("cpu", (), ("a", "b"), {}), ["b", "a"]) == ["a", "b"]


# Side by side.

PLAN = Plan("cpu", ("d", "e"), ("a", "b", "c"), {}, {"a": ("adversarial_nets", "d"), "b": ("kmeans", "d"),
                                                    "c": ("dbn", "e")})


class Writing:
    """A page that is being written until it has `ended`."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words, self.status, self.terminated = words, None, False

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.terminated = True

    def wait(self) -> int:
        return self.status or 0


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(rows.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def pages(monkeypatch):
    """Those that were begun."""
    begun: list[Writing] = []

    def quietly(*words: str) -> Writing:
        begun.append(Writing(words))
        return begun[-1]

    monkeypatch.setattr(process, "quietly", quietly)
    monkeypatch.setattr(rows, "gather", lambda names: names)
    monkeypatch.setattr(rows, "rows_text", lambda names: f"the row of {', '.join(names)}")
    return begun


def whole(following: Following, name: str, now: bool = True) -> None:
    for stage in ("evaluate", "sample_size", "figures"):
        following.done(f"{stage}@{name}", now)


def test_a_row_is_told_when_it_is_scored_and_not_if_it_was_before(pages, clock):
    following = Following(PLAN)
    assert following.done("evaluate@b", now=False) == ""
    assert following.done("train@a", now=True) == ""
    said = following.done("evaluate@a", now=True)
    assert "the row of a" in said
    assert "2 of 3 experiments scored, 1 to come" in said
    assert "3 of 3 experiments scored\n" in following.done("evaluate@c", now=True)


def test_the_page_is_begun_with_the_first_that_is_whole_and_then_every_five_minutes(pages, clock):
    following = Following(PLAN)
    following.done("evaluate@a", now=True)
    assert pages == []
    whole(following, "b")
    assert [page.words for page in pages] == [("page", "b")]
    pages[-1].status = 0
    clock[0] += rows.SECONDS_BETWEEN_PAGES - 1
    following.done("figures@a", now=True)
    following.done("sample_size@a", now=True)
    assert len(pages) == 1
    clock[0] += 1
    following.done("assess@a", now=True)
    assert [page.words for page in pages[1:]] == [("page", "a", "b")]


def test_no_page_is_begun_while_one_is_written_or_nothing_is_new(pages, clock):
    following = Following(PLAN)
    whole(following, "a", now=False)
    assert pages == []
    whole(following, "b")
    clock[0] += 10 * rows.SECONDS_BETWEEN_PAGES
    whole(following, "c")
    assert len(pages) == 1
    pages[-1].status = 0
    following.done("lesson@convergence", now=True)
    assert len(pages) == 2
    pages[-1].status = 0
    clock[0] += 10 * rows.SECONDS_BETWEEN_PAGES
    following.done("lesson@self_play", now=True)
    assert len(pages) == 2


def test_at_the_end_no_earlier_page_is_written_any_more(pages, clock):
    following = Following(PLAN)
    following.end()
    whole(following, "b")
    following.ended([])
    assert pages[0].terminated


def test_what_has_failed_stands_on_the_last_page_and_what_is_not_whole_neither(pages, clock, monkeypatch):
    written = []
    monkeypatch.setattr(process, "verb", lambda *words: written.append(words))
    following = Following(PLAN)
    whole(following, "a")
    following.done("evaluate@b", now=True)
    following.ended(["figures@b", "prepare@e", "lesson@convergence"])
    assert written == [("page", "a", "--failed", "b", "--failed", "c")]
    assert pages[0].terminated
