"""The page's section on recorded long runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_page import Page, rendered
from recorded_run import make_recorded
from test_embedding import decoded

from gan.adversarial.collapse import EPOCHS_IN_A_ROW, SURE
from gan.errors import DataError
from pipeline.page.long_run import COLLAPSE_RULE, DRAWN, long_run_sections
from pipeline.page.pictures import STRIP, Numbering
from pipeline.results.long_run import long_runs
from pipeline.results.recorded import recorded_runs
from pipeline.runtime.files import read_json, write_json

COMMITTED = Path(__file__).parents[3] / "reports/recorded"
ID = "long-run-mnist_2d_paper"


@pytest.fixture
def folder(place: Path) -> Path:
    """A recorded run beside the finished experiments."""
    (place / "reports/recorded/run.json").unlink()
    return make_recorded(place / "reports/recorded")


def inside(page: Page, tag: str) -> list[dict[str, str]]:
    """The elements `tag` of the section."""
    return [attributes for name, attributes, around in page.nested()
            if name == tag and any(one.get("id") == ID for _, one in around)]


def test_without_a_folder_there_is_no_section(place: Path) -> None:
    assert not any(element.get("id", "").startswith("long-run") for element in rendered().all("section"))


def test_the_section_stands_after_the_scores_and_is_named_where_the_verdict_is(folder: Path) -> None:
    page = rendered()
    ids = [element["id"] for element in page.all("section") if "id" in element]
    assert ids[:4] == ["answer", ID, "scores", "estimate"]
    assert sum(one.get("href") == f"#{ID}" for one in page.all("a")) == 1  # contents
    assert "Reproduced: the paper claims 225\xa0±\xa02 nats for adversarial nets on MNIST; its recipe gives 222.0" in \
        "".join(page.words)


def test_the_numbers_are_those_of_the_files(folder: Path) -> None:
    page = rendered()
    assert ("At epoch 2, where the step lr/(1 − m) is still 0.200, trained weights have 101.5 nats on validation; at "
            "epoch 7, with a step of 0.199, 116.5. Averaged weights go from 151.5 to 154.5 meanwhile.") in page.text
    assert ("A smaller step alone gives trained weights part of what they lack against averaged ones on validation: "
            "from epoch 2, +23.0 nats in 2 epochs against +5.0 in the run itself, where averaged weights were 50.0 "
            "above them.") in page.text
    assert "after 2 epochs, 1,000 updates, 81.9 % of the average (decay 0.9998)" in page.text
    assert page.row("2, for 2 epochs", "trained")[2:] == [
        "101.5 ± 0.7101.0, 102.0", "124.5 ± 2.1123.0, 126.0", "106.5 ± 0.7106.0, 107.0"]
    assert page.row("1", "6")[2:] == ["221.0 ± 1.5", "214.0 ± 2.5", "4", "226.0 ± 1.5", "219.0 ± 2.5"]
    assert page.row("2collapsed", "6")[2] == "223.0 ± 1.5"
    assert page.row("mean ± standard deviationover 2 seeds")[1:] == [
        "–", "222.0 ± 1.4", "215.0 ± 1.4", "–", "226.5 ± 0.7", "219.5 ± 0.7"]
    assert ("refined search 223.0 ± 1.5, reproduced (−2.0 nats, margin 5.7); the paper’s grid 216.0 ± 2.5, not "
            "reproduced (−9.0 nats, margin 7.0)") in page.text
    assert page.row("as <released>")[1:] == ["1 of 4", "25.0 %", "0.6 to 80.6 %", "56.3 ± 49.9", "3 of 4"]
    assert ("Example GPU <b>; torch 2.14.1, Python 3.11; commit c0ffee1111; recorded 2026-11-27; 2 seeds in step, 7 of "
            "2,000 epochs planned in 561 s; 701 µs an update of 2 seeds in step; 460 µs an update of 1 seed.") \
        in page.text


def test_a_smaller_step_that_gives_nothing_is_said_to_give_nothing(folder: Path) -> None:
    content = read_json(folder / "annealing.json")
    for one in content["annealing"]["short_annealing"][0]["seeds"]:
        one["after"]["raw"] = one["before"]["raw"] + 4.0
    write_json(folder / "annealing.json", content)
    assert "A smaller step alone does not give trained weights what they lack" in rendered().text


def test_the_rule_in_words_has_the_rules_numbers() -> None:
    assert f"in each of the last {EPOCHS_IN_A_ROW}" in COLLAPSE_RULE
    assert f"at least {SURE:g} on training images and at most 0.05 on samples" in COLLAPSE_RULE


def test_collapsed_starts_have_a_colour_of_their_own(folder: Path) -> None:
    seeds = [path["class"] for path in inside(rendered(), "path") if path["class"].startswith("seed")]
    looks = 2  # of each colour, in the chart of validation
    assert seeds.count("seed c1 points") == 2 * looks + 2 * 3  # both variants, both charts of starts
    assert seeds.count("seed c2 points") == 2 * 1


def test_samples_are_eight_bit_grey_at_their_own_pixels(folder: Path) -> None:
    images = inside(rendered(), "img")
    assert [image["width"] for image in images] == ["30", "30"]
    image = decoded(images[1]["src"]).convert("L")
    assert image.size == (30, 20)
    assert np.asarray(image)[:2, 3:6].tolist() == [[8, 9, 10], [11, 12, 13]]  # of the second image of seed 2


def first_screen(page: Page) -> list[dict[str, str]]:
    return [attributes for name, attributes, around in page.nested()
            if name == "img" and any(one.get("class") == "strip" for _, one in around)
            and any(one.get("id") == "answer" for _, one in around)]


def test_the_judged_seeds_first_samples_are_on_the_first_screen(folder: Path) -> None:
    for full in (True, False):
        (image,) = first_screen(rendered(full))
        assert (image["width"], image["height"]) == (str(STRIP * 4 - 1), "2")
        first = np.asarray(decoded(image["src"]).convert("L"))[:, :3]
        assert first.tolist() == [[2, 3, 4], [5, 6, 7]]  # of seed 2, which validation chose


def test_neighbours_of_the_judged_seed_stand_below_its_samples(folder: Path) -> None:
    near = np.full((100, 6), 77, np.uint8)
    np.savez_compressed(folder / "neighbours.npz", seed=2, images=near, training_images=np.arange(100),
                        distances=np.ones(100, np.float32))
    page = rendered(full=False)
    assert [image.get("class", "") for image in first_screen(page)] == ["", "near"]
    assert "below each, framed, the nearest of all training images" in page.text
    assert (np.asarray(decoded(first_screen(page)[1]["src"]).convert("L"))[:, :3] == 77).all()
    np.savez_compressed(folder / "neighbours.npz", seed=1, images=near, training_images=np.arange(100),
                        distances=np.ones(100, np.float32))
    assert len(first_screen(rendered(full=False))) == 1  # another seed's
    np.savez_compressed(folder / "neighbours.npz", seed=2, images=near, training_images=np.arange(3),
                        distances=np.ones(100, np.float32))
    with pytest.raises(DataError, match=r"neighbours\.npz does not fit"):
        rendered()


@pytest.mark.parametrize(("lacking", "heading"), [
    ("collapse.json", "How often a start collapses"), ("annealing.json", "Every seed’s score"),
    ("annealing.json", "The recorded run:"), ("grids.npz", "none picked.")])
def test_a_part_that_was_not_run_is_not_shown(folder: Path, lacking: str, heading: str) -> None:
    assert heading in section_text(rendered())
    (folder / lacking).unlink()
    assert heading not in section_text(rendered())


def section_text(page: Page) -> str:
    return page.source[page.source.index(f'<section id="{ID}"'):page.source.index('<section id="scores"')]


def test_one_chart_draws_no_more_than_so_many_starts(folder: Path) -> None:
    many = 2 * DRAWN
    content = read_json(folder / "collapse.json")
    next(iter(content["collapse"].values())).update(starts=many, collapsed=3, collapsed_seeds=[1, 2, many])
    write_json(folder / "collapse.json", content)
    curves = np.full((many, 20, 4), 0.5, np.float32)
    np.savez(folder / "starts.npz", **{"0_seeds": np.arange(1, many + 1), "0_curves": curves,
                                        "0_validation": []})
    [section] = long_run_sections(long_runs(), recorded_runs(), Numbering())
    assert section.collapse is not None
    [figure] = section.collapse.figures
    assert [len(line.seeds) for line in figure.charts[0].lines] == [DRAWN - 3, 3]
    assert f"Drawn are {DRAWN} of {many}." in figure.caption


def test_the_committed_run(place: Path) -> None:
    shutil.rmtree("reports/recorded")
    shutil.copytree(COMMITTED, "reports/recorded")
    page = rendered()
    row = read_json(COMMITTED / "mnist-paper.json")["metrics"]
    number: Any = "{:.1f}".format
    mean = f"{number(row['seed_mean'])} ± {number(row['seed_sd'])}"
    assert f"{mean} over {len(row['seeds'])} seeds: reproduced" in page.row("Adversarial nets on MNIST")[2]
    assert page.row("MNIST", "Adversarial nets")[3] == f"{mean} three seeds"
    assert page.row("mean ± standard deviationover")[2:4] == [
        f"{number(of['seed_mean'])} ± {number(of['seed_sd'])}" for of in (row, row["paper_grid"])]
    starts = read_json(COMMITTED / "mnist-paper/collapse.json")["collapse"]["as released"]
    assert page.row("as released")[1] == f"{starts['collapsed']} of {starts['starts']}"
    assert len(section_text(page)) < 250_000
    assert len(first_screen(page)) == 2  # samples, and their neighbours
