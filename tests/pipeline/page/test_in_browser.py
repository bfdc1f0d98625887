"""The page as a browser shows it. Where there is no Chromium these tests are skipped, and the summary says so."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, Browser, chromium
from recorded_run import make_recorded
from short_lessons import write_parameters

from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.plan import Plan
from pipeline.stages import configure, lesson, report

COMMITTED = Path(__file__).parents[3] / "reports/index.html"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to show the page")

CONTRAST = """(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const found = channels(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("script") || !element.checkVisibility()) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))].sort();
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) poor.push(`${text.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return poor;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(finished: Path, wider: Path) -> dict[str, Path]:
    """The full pages of both folders, and the short one of the first."""
    here = Path.cwd()
    try:
        for root in (finished, wider):
            os.chdir(root)
            report.main()
    finally:
        os.chdir(here)
    return {"finished": finished / "reports/full.html", "wider": wider / "reports/full.html",
            "short": finished / "reports/index.html"}


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with three lessons, one of them with an animation, all with a game."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lessons"))
        patch.setenv("GAN_TRACKING", "off")
        write_parameters()
        configure.main()
        for name in ("figure_1", "non_convergence", "mode_collapse"):
            lesson.main(name)
        plan = Plan.read()
        page = Path("index.html").absolute()
        page.write_text(render({}, plan, [], Provenance.read(plan), chapter()))
    return page


@pytest.fixture(scope="module")
def long_run(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short page with a recorded long run, and neighbours of its samples."""
    root = tmp_path_factory.mktemp("long-run") / "root"
    shutil.copytree(finished, root)
    folder = make_recorded(root / "reports/recorded")
    np.savez_compressed(folder / "neighbours.npz", seed=2, images=np.full((100, 6), 77, np.uint8),
                        training_images=np.arange(100), distances=np.ones(100, np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        report.main()
    return root / "reports/index.html"


def unfold(browser: Browser) -> None:
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def box(browser: Browser, selector: str, number: int = 0) -> list[float]:
    """Left, top, width and height of an element in the middle of the window."""
    found: list[float] = browser.run(f"""(() => {{
        const element = document.querySelectorAll({selector!r})[{number}];
        element.scrollIntoView({{block: "center"}});
        const {{x, y, width, height}} = element.getBoundingClientRect();
        return [x, y, width, height];
    }})()""")
    return found


def visible_pairs(browser: Browser) -> list[int]:
    """The cells of the first grid whose pair is shown large."""
    found: list[int] = browser.run(
        "[...document.querySelector('.cells').querySelectorAll('.pair')]"
        ".flatMap((pair, i) => getComputedStyle(pair).visibility === 'visible' ? [i] : [])")
    return found


def middle(place: list[float], across: float = 0.5) -> tuple[float, float]:
    return place[0] + across * place[2], place[1] + place[3] / 2


@pytest.mark.parametrize("name", ["finished", "wider", "short"])
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (820, "light"), (1600, "dark")])
def test_no_complaint_no_request_no_overflow_and_enough_contrast(
        browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    browser.open(pages[name], width, scheme=scheme, touch=width == 360)
    assert browser.run("document.documentElement.scrollWidth") <= width
    unfold(browser)
    assert browser.complaints() == []
    assert browser.requests() == [pages[name].as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
def test_the_lessons_fit_and_can_be_read(browser: Browser, lessons: Path, width: int, scheme: str) -> None:
    browser.open(lessons, width, scheme=scheme, touch=width == 360)
    unfold(browser)
    assert browser.complaints() == []
    assert browser.requests() == [lessons.as_uri()]
    assert browser.run("document.querySelectorAll('.lesson img').length") == 3
    assert browser.run("[...document.querySelectorAll('.game')].every((one) => one.checkVisibility())")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_recorded_long_run_fits_and_can_be_read(browser: Browser, long_run: Path, width: int, scheme: str) -> None:
    browser.open(long_run, width, scheme=scheme, touch=width == 390)
    unfold(browser)
    assert browser.complaints() == []
    assert browser.requests() == [long_run.as_uri()]
    assert browser.run("document.querySelectorAll('.sheets img').length") == 2
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CONTRAST) == []


def test_the_check_of_contrast_finds_grey_on_grey(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    browser.run("document.querySelector('h1').style.color = '#888'")
    assert browser.run(CONTRAST) == ["Generative Adversarial Nets, reproduced: 3.48"]


@pytest.mark.parametrize("scripts", [True, False])
def test_pointing_at_a_sample_shows_it_large_beside_its_neighbour(browser: Browser, pages: dict[str, Path],
                                                                  scripts: bool) -> None:
    browser.open(pages["finished"], scripts=scripts)
    unfold(browser)
    assert visible_pairs(browser) == [0]
    browser.hover(*middle(box(browser, ".cell", 7)))
    assert visible_pairs(browser) == [7]
    small, large = box(browser, ".cell", 7), box(browser, ".cells .pair img", 2 * 7)
    assert large[2] > 2 * small[2]
    assert browser.run("document.querySelectorAll('.pair')[7].getBoundingClientRect().bottom"
                       " <= document.querySelector('figure:has(.cells) figcaption').getBoundingClientRect().top + 1")


def test_a_tap_shows_the_pair_on_a_telephone(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"], 360, 800, touch=True)
    unfold(browser)
    x, y = middle(box(browser, ".cell", 3))
    browser.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.run("new Promise((done) => setTimeout(done, 400))")  # a tap becomes a click once it is no double tap
    assert visible_pairs(browser) == [3]


def test_the_arrow_keys_go_from_sample_to_sample(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    unfold(browser)
    browser.hover(1, 1)
    assert browser.run("[...document.querySelector('.cells').querySelectorAll('.cell')]"
                       ".filter((cell) => cell.tabIndex === 0).length") == 1
    browser.run("document.querySelector('.cell').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowDown")  # five columns
    assert visible_pairs(browser) == [6]


def chart_of(browser: Browser, title: str) -> int:
    """The number of the first chart with this title."""
    number: int = browser.run("[...document.querySelectorAll('.chart-title')]"
                              f".findIndex((one) => one.textContent.startsWith({title!r}))")
    assert number >= 0
    return number


def reading(browser: Browser, number: int) -> str:
    """What stands below a chart while a curve is read; empty while none is."""
    found: str = browser.run(f"((one) => one.hidden ? '' : one.textContent)"
                             f"(document.querySelectorAll('.chart')[{number}].querySelector('output'))")
    return found


def heights(browser: Browser) -> list[float]:
    found: list[float] = browser.run("[...document.querySelectorAll('.chart')]"
                                     ".map((one) => one.getBoundingClientRect().height)")
    return found


def view(browser: Browser, number: int) -> list[float]:
    text: str = browser.run(f"document.querySelectorAll('.chart .canvas svg')[{number}].getAttribute('viewBox')")
    return [float(part) for part in text.split()]


def test_pointing_at_a_curve_reads_its_values_and_moves_nothing(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    unfold(browser)
    number = chart_of(browser, "Losses")
    before = heights(browser)
    browser.hover(*middle(box(browser, ".chart .canvas", number), 0.001))
    # The fabricated run's first epoch: both seeds' discriminator 0.7 − 0.2, generator 0.7 + seed.
    assert reading(browser, number) == "epoch 1: discriminator 0.50; generator 2.20"
    assert heights(browser) == before
    browser.hover(1, 1)
    assert reading(browser, number) == ""


def test_names_stand_at_their_lines_and_apart(browser: Browser, pages: dict[str, Path]) -> None:
    for name in pages:
        browser.open(pages[name])
        unfold(browser)
        places: list[list[list[float]]] = browser.run(
            "[...document.querySelectorAll('.canvas')].map((canvas) => [...canvas.querySelectorAll('.ends span')]"
            ".map((one) => one.getBoundingClientRect()).map((box) => [box.left - canvas.getBoundingClientRect().right,"
            " box.top, box.bottom, box.right - canvas.closest('figure').getBoundingClientRect().right]))")
        assert places
        for labels in places:
            assert all(0 < left < 20 and right <= 1 for left, _, _, right in labels)
            ordered = sorted(labels, key=lambda label: label[1])
            assert all(one[2] <= other[1] + 1 for one, other in itertools.pairwise(ordered))


def test_dragging_zooms_and_ticks_and_names_follow(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    unfold(browser)
    number = chart_of(browser, "Losses")
    place = box(browser, ".chart .canvas", number)
    chart = f"document.querySelectorAll('.chart')[{number}]"
    ticks = f"[...{chart}.querySelectorAll('.x span')].map((one) => one.textContent)"
    names = f"[...{chart}.querySelectorAll('.ends span')].map((one) => one.style.bottom)"
    before, at = browser.run(ticks), browser.run(names)
    assert view(browser, number) == [0, 0, 1000, 1000]
    browser.drag(middle(place, 0.2), middle(place, 0.6))
    left, _, width, height = view(browser, number)
    assert left == pytest.approx(200, abs=10)
    assert width == pytest.approx(400, abs=10)
    assert height < 1000
    assert browser.run(ticks) != before
    assert browser.run(names) != at
    browser.run(f"document.querySelectorAll('.chart')[{number}].querySelector('.cursor').focus()")
    browser.press("0")
    assert view(browser, number) == [0, 0, 1000, 1000]
    assert browser.run(ticks) == before  # the script and the server agree on ticks
    assert browser.run(names) == at


def test_a_curve_is_read_and_zoomed_by_keys(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    number = chart_of(browser, "Test log-likelihood against the number of samples")
    browser.run(f"document.querySelectorAll('.cursor')[{number}].focus()")
    browser.press("End")
    attribute = f"document.querySelectorAll('.cursor')[{number}].getAttribute('aria-valuetext')"
    assert browser.run(attribute) == ("number of samples 100,000: Adversarial nets 120.3 ± 2.5; Adversarial nets, "
                                      "averaged weights 161.0 ± 2.5")
    browser.press("ArrowLeft")
    assert browser.run(attribute).startswith("number of samples 10,000: Adversarial nets 84.5 ± 2.5")
    browser.press("+")
    assert view(browser, number)[2] == pytest.approx(500)


def test_every_chart_of_the_script_has_the_servers_ticks(browser: Browser, pages: dict[str, Path]) -> None:
    for name in pages:
        texts = []
        for scripts in (False, True):
            browser.open(pages[name], scripts=scripts)
            if scripts:
                browser.run("document.querySelectorAll('.zoom button:last-child').forEach((button) => button.click())")
            texts.append(browser.run("[...document.querySelectorAll('.canvas .x span, .canvas .y span')].map((span) =>"
                                     " [span.textContent, parseFloat(span.style.left || span.style.bottom)])"))
        assert [text for text, _ in texts[0]] == [text for text, _ in texts[1]]
        assert [place for _, place in texts[0]] == pytest.approx([place for _, place in texts[1]], abs=0.01)
        assert len(texts[0]) > 20


def test_without_scripts_every_curve_is_there(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"], scripts=False)
    unfold(browser)
    charts: list[dict[str, Any]] = browser.run("""[...document.querySelectorAll('.chart')].map((chart) => ({
        lines: chart.querySelectorAll('.canvas .mean').length,
        drawn: [...chart.querySelectorAll('.canvas .mean')].every((line) => line.getBoundingClientRect().width > 50),
        ticks: chart.querySelectorAll('.x span').length,
        controls: chart.querySelectorAll('button, .cursor').length}))""")
    assert len(charts) == 1 + 2 * 3 + 4 * 2
    for chart in charts:
        assert chart["lines"] >= 1
        assert chart["drawn"]
        assert chart["ticks"] >= 2
        assert chart["controls"] == 0


@pytest.mark.parametrize("name", ["finished", "short"])
def test_it_prints_whole(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """What is folded on the screen is not on paper."""
    browser.open(pages[name], scripts=False)
    folded = printed_pages(browser)
    unfold(browser)
    assert printed_pages(browser) == folded
    assert 3 <= folded <= 40


def printed_pages(browser: Browser) -> int:
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    return printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ")


def test_a_link_into_a_fold_opens_it(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["short"])
    assert not browser.run("document.querySelector('#claims details').open")
    browser.run("document.querySelector('.first-table a').click()")
    browser.run("new Promise((done) => setTimeout(done, 100))")
    assert browser.run("document.querySelector('#claims details').open")
    top = browser.run("document.querySelector(location.hash).getBoundingClientRect().top")
    assert -1 <= top < 900


# What a reader has five minutes for.

VISIBLE_WORDS = """(() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let words = 0;
  for (let text; (text = texts.nextNode());)
    if (!text.parentElement.closest("script, style") && text.parentElement.checkVisibility())
      words += text.data.split(/\\s+/).filter(Boolean).length;
  return words;
})()"""
WORDS, HEIGHT, SIZE = 6_000, 20_000, 1_500_000
"""Of the page as it opens at 1280 pixels, and of the file in bytes"""


@pytest.fixture(params=["a recorded run", "nothing recorded", "committed"])
def short(request: pytest.FixtureRequest, long_run: Path, pages: dict[str, Path]) -> Path:
    """A page as it goes into git, and the one that is there."""
    return {"a recorded run": long_run, "nothing recorded": pages["short"], "committed": COMMITTED}[request.param]


def test_the_short_page_is_short(browser: Browser, short: Path) -> None:
    assert short.stat().st_size <= SIZE
    browser.open(short, 1280)
    opened, height = browser.run(VISIBLE_WORDS), browser.run("document.documentElement.scrollHeight")
    assert 300 < opened <= WORDS
    assert height <= HEIGHT
    unfold(browser)
    assert browser.run(VISIBLE_WORDS) > opened  # the count sees what is unfolded


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 900, "light"), (390, 844, "dark")])
def test_the_first_screen_has_the_answer_a_picture_and_the_first_table(browser: Browser, short: Path, width: int,
                                                                       height: int, scheme: str) -> None:
    browser.open(short, width, height, scheme, touch=width == 390)
    assert browser.run("document.querySelectorAll('.first-table tbody tr').length") == 8
    assert browser.run("document.querySelector('img').getBoundingClientRect().bottom") <= height
    assert browser.run("document.querySelector('.first-table').getBoundingClientRect().top") <= height
    assert browser.run("document.documentElement.scrollWidth") <= width
    words = browser.run("document.querySelector('#answer').innerText")
    for part in ("the paper claims 225\xa0±\xa02 nats", "seed", "The estimate says whether"):
        assert part in words
    assert browser.run(CONTRAST) == []


def test_no_cell_of_the_first_table_is_cut_off_on_a_telephone(browser: Browser, short: Path) -> None:
    browser.open(short, 390, 844, touch=True)
    edges: list[float] = browser.run("[...document.querySelectorAll('.first-table th, .first-table td')]"
                                     ".map((cell) => cell.getBoundingClientRect().right)")
    assert max(edges) <= 390 - 15
