"""The page as a browser shows it. Where there is no Chromium these tests are skipped, and the summary says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser, chromium
from recorded_run import make_recorded
from short_lessons import write_parameters

from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.plan import Plan
from pipeline.stages import configure, lesson, report

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
    """The pages of both folders."""
    here = Path.cwd()
    try:
        for root in (finished, wider):
            os.chdir(root)
            report.main()
    finally:
        os.chdir(here)
    return {root: folder / "reports/index.html" for root, folder in (("finished", finished), ("wider", wider))}


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two lessons, one of them with an animation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lessons"))
        patch.setenv("GAN_TRACKING", "off")
        write_parameters()
        configure.main()
        for name in ("figure_1", "non_convergence"):
            lesson.main(name)
        plan = Plan.read()
        page = Path("index.html").absolute()
        page.write_text(render({}, plan, [], Provenance.read(plan), chapter()))
    return page


@pytest.fixture(scope="module")
def long_run(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a recorded long run."""
    root = tmp_path_factory.mktemp("long-run") / "root"
    shutil.copytree(finished, root)
    make_recorded(root / "reports/recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        report.main()
    return root / "reports/index.html"


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


@pytest.mark.parametrize("name", ["finished", "wider"])
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (820, "light"), (1600, "dark")])
def test_no_complaint_no_request_no_overflow_and_enough_contrast(
        browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    browser.open(pages[name], width, scheme=scheme, touch=width == 360)
    assert browser.complaints() == []
    assert browser.requests() == [pages[name].as_uri()]
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1600, "light")])
def test_the_lessons_fit_and_can_be_read(browser: Browser, lessons: Path, width: int, scheme: str) -> None:
    browser.open(lessons, width, scheme=scheme, touch=width == 360)
    assert browser.complaints() == []
    assert browser.requests() == [lessons.as_uri()]
    assert browser.run("document.querySelectorAll('.lesson img').length") == 2
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_recorded_long_run_fits_and_can_be_read(browser: Browser, long_run: Path, width: int, scheme: str) -> None:
    browser.open(long_run, width, scheme=scheme, touch=width == 390)
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
    assert visible_pairs(browser) == [0]
    browser.hover(*middle(box(browser, ".cell", 7)))
    assert visible_pairs(browser) == [7]
    small, large = box(browser, ".cell", 7), box(browser, ".cells .pair img", 2 * 7)
    assert large[2] > 2 * small[2]
    assert browser.run("document.querySelectorAll('.pair')[7].getBoundingClientRect().bottom"
                       " <= document.querySelector('figure:has(.cells) figcaption').getBoundingClientRect().top + 1")


def test_a_tap_shows_the_pair_on_a_telephone(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"], 360, 800, touch=True)
    x, y = middle(box(browser, ".cell", 3))
    browser.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
    browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.run("new Promise((done) => setTimeout(done, 400))")  # a tap becomes a click once it is no double tap
    assert visible_pairs(browser) == [3]


def test_the_arrow_keys_go_from_sample_to_sample(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
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


def readings(browser: Browser, number: int) -> list[str]:
    found: list[str] = browser.run(f"[...document.querySelectorAll('.chart')[{number}].querySelectorAll('output')]"
                                   ".map((one) => one.textContent.trim())")
    return found


def view(browser: Browser, number: int) -> list[float]:
    text: str = browser.run(f"document.querySelectorAll('.chart .canvas svg')[{number}].getAttribute('viewBox')")
    return [float(part) for part in text.split()]


def test_pointing_at_a_curve_reads_its_values(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    number = chart_of(browser, "Losses")
    browser.hover(*middle(box(browser, ".chart .canvas", number), 0.001))
    # The fabricated run's first epoch: both seeds' discriminator 0.7 − 0.2, generator 0.7 + seed.
    assert readings(browser, number) == ["at epoch 1", "0.50 (0.50 to 0.50)", "2.20 (1.70 to 2.70)"]
    browser.hover(1, 1)
    assert readings(browser, number) == ["", "", ""]


def test_dragging_zooms_and_the_ticks_follow(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    number = chart_of(browser, "Losses")
    place = box(browser, ".chart .canvas", number)
    ticks = f"[...document.querySelectorAll('.chart')[{number}].querySelectorAll('.x span')].map((s) => s.textContent)"
    before = browser.run(ticks)
    assert view(browser, number) == [0, 0, 1000, 1000]
    browser.drag(middle(place, 0.2), middle(place, 0.6))
    left, _, width, height = view(browser, number)
    assert left == pytest.approx(200, abs=10)
    assert width == pytest.approx(400, abs=10)
    assert height < 1000
    assert browser.run(ticks) != before
    browser.run(f"document.querySelectorAll('.chart')[{number}].querySelector('.cursor').focus()")
    browser.press("0")
    assert view(browser, number) == [0, 0, 1000, 1000]
    assert browser.run(ticks) == before  # the script and the server agree on ticks


def test_a_curve_is_read_and_zoomed_by_keys(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    number = chart_of(browser, "Test log-likelihood against the number of samples")
    browser.run(f"document.querySelectorAll('.cursor')[{number}].focus()")
    browser.press("End")
    attribute = f"document.querySelectorAll('.cursor')[{number}].getAttribute('aria-valuetext')"
    assert browser.run(attribute) == ("number of samples 100,000: Adversarial nets 120.3 ± 2.5; Adversarial nets, "
                                      "averaged weights (EMA), not in the paper 161.0 ± 2.5")
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


def test_it_prints(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["finished"])
    printed = browser.pdf()
    assert printed.startswith(b"%PDF")
    assert 5 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 40
