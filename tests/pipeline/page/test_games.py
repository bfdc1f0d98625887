"""The games of the page: their numbers against those of the lessons, and their panels as a reader drives them.

Where there is no Chromium these tests are skipped, and the summary says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browser import CHROMIUM, Browser, chromium
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtri
from short_lessons import write_parameters
from torch import Tensor
from torch.nn.functional import softplus

from gan.lessons import non_convergence, ring
from gan.lessons.batched import Adam, Mlp, Noise, gradient
from gan.lessons.one_dimension import Game, Grid, jensen_shannon, normal
from gan.lessons.ring import RingGame
from gan.lessons.settings import Figure1, ModeCollapse, NonConvergence
from pipeline.page.environment import TEMPLATES
from pipeline.page.games import SCRIPTS, STYLE, panel
from pipeline.page.lessons import chapter
from pipeline.page.provenance import Provenance
from pipeline.page.report import render
from pipeline.results.plan import Plan
from pipeline.stages import configure, lesson

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here to run the scripts")

NAMES = ("figure_1", "non_convergence", "mode_collapse")
ROUNDING = 1e-9
"""Of a few steps in float64, here and there, whose sums are taken in another order"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The games' scripts in a page without a panel."""
    empty = tmp_path_factory.mktemp("scripts") / "empty.html"
    empty.write_text("<!DOCTYPE html><title>empty</title>")
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        found.open(empty)
        for name in SCRIPTS:
            found.run((TEMPLATES / name).read_text())
        found.run("globalThis.floats = (values) => Float64Array.from(values)")
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three lessons, short, and their panels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("lessons"))
        patch.setenv("GAN_TRACKING", "off")
        write_parameters()
        configure.main()
        for name in NAMES:
            lesson.main(name)
        plan = Plan.read()
        path = Path("index.html").absolute()
        path.write_text(render({}, plan, [], Provenance.read(plan), chapter(), full=False))
    return path


def call(browser: Browser, body: str, **values: Any) -> Any:
    """What a function of `values` with this body returns. Lists arrive as lists; typed arrays come back as lists."""
    found = browser.run(f"""JSON.stringify((({{ {", ".join(values)} }}) => {{ {body} }})({json.dumps(values)}),
                            (_, value) => ArrayBuffer.isView(value) ? [...value] : value)""")
    return json.loads(found)


def flat(values: Tensor) -> list[float]:
    found: list[float] = values.detach().double().flatten().tolist()
    return found


def doubles(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# Networks and optimiser, against gan/lessons/batched.py.

@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 6), st.sampled_from(["tanh", "relu"]),
       st.integers(0, 2**16))
def test_networks_and_their_slopes_are_those_of_the_lessons(scripts: Browser, inputs: int, units: int, outputs: int,
                                                            rows: int, activation: str, seed: int) -> None:
    network = Mlp((inputs, units, units + 1, outputs), activation)
    theta = doubles(1, sum((a + 1) * b for a, b in network.shapes), seed=seed).requires_grad_()
    x, pull = doubles(1, rows, inputs, seed=seed + 1).requires_grad_(), doubles(1, rows, outputs, seed=seed + 2)
    found = call(scripts, """
        const network = new Mlp(sizes, activation), weights = floats(theta), slope = floats(pull);
        const values = network.forward(weights, floats(x)), zeros = new Float64Array(network.count);
        return { count: network.count, y: values.at(-1), ofX: network.backward(weights, values, slope),
                 ofTheta: network.backward(weights, values, slope, zeros) };""",
                 sizes=network.sizes, activation=activation, theta=flat(theta), x=flat(x), pull=flat(pull))
    y = network(theta, x)
    assert found["count"] == theta.numel()
    assert found["y"] == pytest.approx(flat(y), rel=1e-12, abs=1e-12)
    for ours, theirs in (("ofX", x), ("ofTheta", theta)):
        slope = gradient((y * pull).sum(), theirs, through=True)
        assert found[ours] == pytest.approx(flat(slope), rel=1e-12, abs=1e-12)


def test_adam_is_that_of_the_lessons(scripts: Browser) -> None:
    theta, slopes = doubles(1, 7), doubles(12, 1, 7, seed=2)
    slopes[:, :, 0] = 0.0  # a dead unit
    slopes[:, :, 1] *= 1e-9  # beside ε
    found = call(scripts, """
        const x = floats(theta), adam = new Adam(x.length);
        for (const slope of slopes) adam.step(x, floats(slope), 0.005);
        return x;""", theta=flat(theta), slopes=[flat(slope) for slope in slopes])
    adam = Adam(0.005)
    moments = adam.start(theta)
    for slope in slopes:
        theta, moments = adam.step(theta, slope, moments)
    assert found == pytest.approx(flat(theta), rel=1e-13, abs=1e-13)


# The games, with weights and minibatches handed to both sides.

class HandedRing(RingGame):
    """With these minibatches, one after the other."""

    batches: Iterator[tuple[Tensor, Tensor]]

    def _minibatch(self) -> tuple[Tensor, Tensor]:
        return next(self.batches)


class Handed:
    """In place of the noise and of the data on the line."""

    def __init__(self, values: Sequence[Tensor]) -> None:
        self._values = iter(values)

    def normal(self, n: int, d: int) -> Tensor:
        return next(self._values)

    def draw(self, n: int, noise: Noise) -> Tensor:
        return next(self._values)


ORDER = "DDGDGGDDDG" * 2
REPLAY = """
    game.d.theta.set(d);
    game.g.theta.set(g);
    const losses = [...order].map((player, i) => player === "D"
        ? game.discriminatorStep(floats(x[i]), floats(z[i]), rateD) : game.generatorStep(floats(z[i]), rateG));
    return { d: game.d.theta, g: game.g.theta, losses };"""


def in_float64(game: Any) -> None:
    """Random weights in all layers, also where the lesson starts with zeros."""
    game.theta_d, game.theta_g = (theta.double() + 0.1 * doubles(*theta.shape, seed=seed)
                                  for seed, theta in enumerate((game.theta_d, game.theta_g), 5))


@pytest.mark.parametrize(("units", "batch", "noise"), [(5, 7, 3), (64, 128, 64)])
def test_steps_on_the_ring_are_those_of_the_lesson(scripts: Browser, units: int, batch: int, noise: int) -> None:
    settings = ModeCollapse()
    game = HandedRing([1], Mlp((2, units, units, 1), "relu"), Mlp((noise, units, units, 2), "relu"), 0.05, batch,
                      Adam(settings.discriminator_rate), Adam(settings.generator_rate))
    in_float64(game)
    x, z = doubles(len(ORDER), 1, batch, 2, seed=2), doubles(len(ORDER), 1, batch, noise, seed=3)
    game.batches = iter(zip(x, z, strict=True))
    found = call(scripts, f"""
        const game = new RingGame({{ units: {units}, batch: {batch}, noise: {noise}, deviation: 0.05 }}, 1);{REPLAY}""",
                 d=flat(game.theta_d), g=flat(game.theta_g), x=[flat(one) for one in x], z=[flat(one) for one in z],
                 order=ORDER, rateD=settings.discriminator_rate, rateG=settings.generator_rate)
    losses = []
    for player, data, at in zip(ORDER, x, z, strict=True):
        samples = game.generator(game.theta_g, at)
        v = ring.value(game.discriminator, game.theta_d, data, samples)
        on_data = -softplus(-game.discriminator(game.theta_d, data)).mean()
        losses.append(float(-v if player == "D" else v - on_data))
        game.discriminator_step() if player == "D" else game.generator_step()
    assert found["losses"] == pytest.approx(losses, rel=ROUNDING, abs=ROUNDING)
    assert found["d"] == pytest.approx(flat(game.theta_d), rel=ROUNDING, abs=ROUNDING)
    assert found["g"] == pytest.approx(flat(game.theta_g), rel=ROUNDING, abs=ROUNDING)


@pytest.mark.parametrize(("units", "batch"), [(5, 7), (32, 256)])
def test_steps_of_figure_1_are_those_of_the_lesson(scripts: Browser, units: int, batch: int) -> None:
    settings = Figure1()
    x, z = doubles(len(ORDER), 1, batch, 1, seed=2), doubles(len(ORDER), 1, batch, 1, seed=3)
    data: Any = Handed([one for one, player in zip(x, ORDER, strict=True) if player == "D"])
    game = Game(data, [1], units, batch, settings.discriminator_rate, settings.generator_rate,
                start_mean=-1.5, start_deviation=0.7)
    game._noise = Handed(z)  # type: ignore[assignment]
    in_float64(game)
    found = call(scripts, f"const game = new LineGame({{ units: {units}, batch: {batch} }}, 1);{REPLAY}",
                 d=flat(game.theta_d), g=flat(game.theta_g), x=[flat(one) for one in x], z=[flat(one) for one in z],
                 order=ORDER, rateD=settings.discriminator_rate, rateG=settings.generator_rate)
    losses = []
    for player, data_now, at in zip(ORDER, x, z, strict=True):
        logits = game.discriminator(game.theta_d, game.generate(game.theta_g, at))
        on_data = game.discriminator(game.theta_d, data_now)
        losses.append(float((softplus(-on_data) + softplus(logits)).mean() if player == "D" else
                            softplus(-logits).mean()))
        game.discriminator_step() if player == "D" else game.generator_step()
    assert found["losses"] == pytest.approx(losses, rel=ROUNDING, abs=ROUNDING)
    assert found["d"] == pytest.approx(flat(game.theta_d), rel=ROUNDING, abs=ROUNDING)
    assert found["g"] == pytest.approx(flat(game.theta_g), rel=ROUNDING, abs=ROUNDING)


@pytest.mark.parametrize("rule", ["simultaneous", "alternating", "average", "optimistic"])
@given(eta=st.floats(0.01, 1.0), steps=st.integers(1, 120))
def test_paths_of_xy_are_those_of_the_lesson(scripts: Browser, rule: str, eta: float, steps: int) -> None:
    found = call(scripts, """
        const game = new Plane();
        while (game.round < steps && !game.over) game.update({ rule, eta });
        return rule === "average" ? game.averages : game.points;""", rule=rule, eta=eta, steps=steps)
    if rule == "average":
        expected = non_convergence.alternating(eta, steps).cumsum(0) / np.arange(1, steps + 2)[:, None]
    else:
        expected = getattr(non_convergence, rule)(eta, steps)
    expected = expected[:len(found)]
    assert len(found) == steps + 1 or np.hypot(*found[-1]) > 1e6
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_another_rule_goes_on_from_the_last_point(scripts: Browser) -> None:
    """Simultaneous steps outwards, and optimistic ones back; an average begins where its rule is chosen."""
    out, back, average = call(scripts, """
        const game = new Plane(), play = (rule, steps) => {
            for (let i = 0; i < steps; i++) game.update({ rule, eta: 0.1 });
            return game.points.at(-1);
        };
        const out = play("simultaneous", 200), back = play("optimistic", 600);
        play("average", 1);
        return [out, back, game.averages];""")
    assert np.hypot(*out) == pytest.approx(1.01 ** 100)
    assert np.hypot(*back) == pytest.approx(1.01 ** 100 * non_convergence.optimistic_rate(0.1) ** 600, rel=0.02)
    assert average[0] == back
    assert len(average) == 2


def test_a_path_that_runs_away_ends(scripts: Browser) -> None:
    points = call(scripts, """
        const game = new Plane();
        for (let i = 0; i < 5000 && !game.over; i++) game.update({ rule: "simultaneous", eta: 1 });
        return game.points;""")
    assert 1e6 < np.hypot(*points[-1]) < 2e6


@pytest.mark.parametrize(("turns", "round_of"), [((1, 1), "DG"), ((3, 1), "DDDG"), ((1, 2), "DGG"), ((1, 0), "D"),
                                               ((0, 1), "G")])
def test_a_round_is_the_steps_that_were_chosen(scripts: Browser, turns: tuple[int, int], round_of: str) -> None:
    played = call(scripts, """
        const game = new LineGame({ units: 2, batch: 4 }, 1), played = [];
        game.discriminatorStep = () => played.push("D");
        game.generatorStep = () => played.push("G");
        while (game.round < 3) if (game.update({ turns })) played.push(" ");
        return played;""", turns=turns)
    assert "".join(played).split() == [round_of] * 3


def test_a_change_within_a_round_ends_it_in_time(scripts: Browser) -> None:
    rounds = call(scripts, """
        const game = new LineGame({ units: 2, batch: 4 }, 1);
        for (let i = 0; i < 7; i++) game.update({ turns: [1, 10] });
        game.update({ turns: [1, 1] });
        return [game.round, game.played];""")
    assert rounds == [1, 0]


# What is measured.

def test_quantiles_of_the_normal_distribution(scripts: Browser) -> None:
    p = [*((np.arange(1024) + 0.5) / 1024).tolist(), 1e-6, 0.999999, 0.5]
    found = call(scripts, "return p.map(quantile);", p=p)
    np.testing.assert_allclose(found, ndtri(p), rtol=1e-10, atol=1e-13)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=40), st.integers(0, 100))
def test_densities_and_their_divergence_are_those_of_the_lesson(scripts: Browser, samples: list[float],
                                                                seed: int) -> None:
    """Points on the edges of bins, equal ones and ones beyond the grid included."""
    samples = [*samples, samples[0], -6.0, 0.05 * (seed - 50)]
    grid = Grid(-6.0, 6.0, 240)
    q, divergence = call(scripts, """
        const q = density(floats(samples));
        return [q, jensenShannon(q.map((_, bin) => gauss(centre(bin))), q)];""", samples=samples)
    expected = grid.density_of(np.array(samples))
    np.testing.assert_allclose(q, expected, rtol=1e-9, atol=1e-9)
    theirs = jensen_shannon(normal(0, 1).density(grid.centres), expected, grid)
    assert divergence == pytest.approx(float(theirs), abs=1e-9)


@pytest.mark.parametrize("spread", [0.02, 0.3, 3.0])
def test_coverage_is_that_of_the_lesson(scripts: Browser, spread: float) -> None:
    samples = ring.centres().double()[torch.arange(400) ** 2 % 7] + spread * doubles(400, 2)
    found = call(scripts, "return coverage(floats(samples), 0.05);", samples=flat(samples))
    expected = ring.coverage(samples.float()[None], 0.05)
    assert found == {"modes": expected.modes[0], "good": pytest.approx(expected.good[0]),
                     "largest": pytest.approx(expected.largest[0])}


# Random numbers.

def test_a_stream_is_marsaglias_xorshift128(scripts: Browser) -> None:
    words = call(scripts, "const stream = new Stream(3, 'z'); return Array.from({ length: 40 }, () => stream.bits());")
    for x, _, _, w, after in zip(words, words[1:], words[2:], words[3:], words[4:], strict=False):
        t = (x ^ x << 11) & 0xffffffff
        assert after == w ^ w >> 19 ^ t ^ t >> 8
    assert len(set(words)) == 40


def test_streams_are_repeated_and_apart(scripts: Browser) -> None:
    found = call(scripts, "return [[1, 'z'], [1, 'z'], [2, 'z'], [1, 'data'], [11, 'z']].map(([seed, purpose]) =>"
                          " [...new Stream(seed, purpose).normals(500)]);")
    assert found[0] == found[1]
    apart = np.abs(np.corrcoef(found[1:]) - np.eye(4))
    assert apart.max() < 5 / np.sqrt(500)


def test_numbers_are_distributed_as_they_should_be(scripts: Browser) -> None:
    normals, uniforms = call(scripts, """
        const stream = new Stream(7, "test");
        return [stream.normals(20001), Array.from({ length: 20000 }, () => stream.uniform())];""")
    assert stats.kstest(normals, "norm").pvalue > 1e-3
    assert stats.kstest(uniforms, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(normals[:-1], normals[1:])[0, 1]) < 5 / np.sqrt(20000)


def test_games_start_as_the_lessons_do(scripts: Browser) -> None:
    """Weights uniform up to 1/√inputs, p_g a Gaussian about −1.5, data of the right moments."""
    line, weights, x, points = call(scripts, """
        const line = new LineGame({ units: 32, batch: 20000 }, 1);
        const ring = new RingGame({ units: 64, batch: 20000, noise: 64, deviation: 0.05 }, 1);
        const weights = ring.g.theta.subarray(0, 65 * 64);
        return [line.generate(floats([-1, 0, 2])).samples, weights, line.draw(), ring.draw()];""")
    assert line == pytest.approx([-2.2, -1.5, -0.1])
    assert stats.kstest(weights, "uniform", args=(-1 / 8, 1 / 4)).pvalue > 1e-3
    assert stats.kstest(x, "norm").pvalue > 1e-3
    away = np.array(points).reshape(-1, 1, 2) - ring.centres().numpy()
    nearest = np.hypot(*np.moveaxis(away, 2, 0)).argmin(1)
    assert stats.chisquare(np.bincount(nearest, minlength=8)).pvalue > 1e-3
    assert away[np.arange(len(nearest)), nearest].std() == pytest.approx(0.05, rel=0.02)


# How they play.

@pytest.mark.parametrize(("update", "picture"), [(0.1, 0.5), (3, 4), (5, 9), (9, 12), (4, 25), (16, 28)])
def test_a_frame_stays_short_and_neither_steps_nor_pictures_starve(scripts: Browser, update: float,
                                                                   picture: float) -> None:
    frames, updates, pictures = call(scripts, """
        let now = 0, updates = 0, pictures = 0, next = null;
        const player = new Player(() => { now += update; updates++; return true; },
                                  () => { now += picture; pictures++; },
                                  8, () => 0, () => now, (frame) => { next = frame; });
        player.play(Infinity);
        const frames = Array.from({ length: 60 }, () => { const begin = now; next(); return now - begin; });
        return [frames, updates, pictures];""", update=update, picture=picture)
    assert max(frames) <= 30
    assert updates >= 30
    assert pictures >= 20


def test_it_plays_the_rounds_asked_for_and_shows_the_last(scripts: Browser) -> None:
    log = call(scripts, """
        let next = null, taken = 0;
        const log = [], player = new Player(() => ++taken % 5 === 0, () => log.push(taken), 2, () => 0, () => 0,
                                            (frame) => { next = frame; });
        player.play(2);
        for (let frame; (frame = next);) { next = null; frame(); }
        return log;""")
    assert log == [2, 4, 6, 8, 10]


# The panels.

def game(name: str, rest: str = "") -> str:
    return f"document.querySelector('.game[data-game={name}]{' ' if rest else ''}{rest}')"


def unfold(browser: Browser) -> None:
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def pause(browser: Browser, seconds: float) -> None:
    browser.run(f"new Promise((done) => setTimeout(done, {1000 * seconds}))")


def until(browser: Browser, condition: str) -> None:
    browser.run(f"""new Promise((done, fail) => {{
        const end = performance.now() + 30000;
        const look = () => ({condition}) ? done() : performance.now() > end ? fail(new Error("never: " + {condition!r}))
            : setTimeout(look, 20);
        look();
    }})""")


def show(browser: Browser, page: Path, name: str, **options: Any) -> None:
    """Open the page with all unfolded and a game in the middle of the window, drawn."""
    browser.open(page, **options)
    unfold(browser)
    browser.run(f"{game(name)}.scrollIntoView({{ block: 'center' }})")
    until(browser, f"{game(name, '.game-state')}.textContent")
    pause(browser, 0.2)


def state(browser: Browser, name: str) -> str:
    found: str = browser.run(f"{game(name, '.game-state')}.textContent")
    return found


def picture(browser: Browser, name: str) -> str:
    found: str = browser.run(f"{game(name, 'canvas')}.toDataURL()")
    return found


def press(browser: Browser, name: str, act: str) -> None:
    browser.run(f"{game(name, f'[data-act={act}]')}.click()")


def played(browser: Browser, name: str) -> int:
    found: int = browser.run(f"Number({game(name, '.game-state')}.textContent.match(/\\d+/)[0])")
    return found


def at_rest(browser: Browser, name: str) -> bool:
    before = state(browser, name), picture(browser, name)
    pause(browser, 0.4)
    return before == (state(browser, name), picture(browser, name))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_before_it_is_asked_to_and_a_step_is_one_round(browser: Browser, page: Path, name: str) -> None:
    show(browser, page, name)
    assert browser.complaints() == []
    assert at_rest(browser, name)
    assert played(browser, name) == 0
    start = picture(browser, name)
    press(browser, name, "step")
    until(browser, f"/(Round|Step) 1\\b/.test({game(name, '.game-state')}.textContent)")
    assert at_rest(browser, name)
    assert picture(browser, name) != start
    press(browser, name, "reset")
    assert played(browser, name) == 0
    assert picture(browser, name) == start


@pytest.mark.parametrize("name", NAMES)
def test_it_plays_until_it_is_paused(browser: Browser, page: Path, name: str) -> None:
    show(browser, page, name)
    press(browser, name, "play")
    assert browser.run(f"{game(name, '[data-act=play]')}.textContent") == "Pause"
    assert browser.run(f"{game(name, '.game-state')}.getAttribute('aria-live')") == "off"
    until(browser, f"Number({game(name, '.game-state')}.textContent.match(/\d+/)[0]) >= 12")
    press(browser, name, "play")
    pause(browser, 0.3)
    assert browser.run(f"{game(name, '[data-act=play]')}.textContent") == "Play"
    assert at_rest(browser, name)
    assert browser.complaints() == []


@pytest.mark.parametrize("leave", ["closest('details').open = false", "closest('.lesson').style.marginTop = '9000px'"])
def test_it_pauses_when_it_is_folded_or_out_of_sight(browser: Browser, page: Path, leave: str) -> None:
    show(browser, page, "figure_1")
    press(browser, "figure_1", "play")
    until(browser, f"Number({game('figure_1', '.game-state')}.textContent.match(/\d+/)[0]) >= 2")
    browser.run(f"{game('figure_1')}.{leave}")
    pause(browser, 0.3)
    assert browser.run(f"{game('figure_1', '[data-act=play]')}.textContent") == "Play"
    assert at_rest(browser, "figure_1")


def test_little_moves_for_those_who_want_less_motion(browser: Browser, page: Path) -> None:
    count = f"""new Promise((done) => {{
        let changes = 0;
        new MutationObserver(() => changes++).observe({game('non_convergence', '.game-state')}, {{ childList: true }});
        {game('non_convergence', '[data-act=play]')}.click();
        setTimeout(() => done(changes), 1500);
    }})"""
    show(browser, page, "non_convergence")
    assert browser.run(count) > 5
    show(browser, page, "non_convergence")
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert 1 <= browser.run(count) <= 3
    press(browser, "non_convergence", "play")
    until(browser, f"Number({game('non_convergence', '.game-state')}.textContent.match(/\d+/)[0]) > 3")


def test_choices_change_the_game(browser: Browser, page: Path) -> None:
    """A larger step size goes further; the rule decides between outwards and inwards."""
    def distance(eta: int, rule: str) -> float:
        show(browser, page, "non_convergence")
        browser.run(f"""for (const [name, value] of [["eta", {eta}], ["rule", {rule!r}]]) {{
            const control = {game("non_convergence")}.querySelector(`[name=${{name}}]`);
            control.value = value;
            control.dispatchEvent(new Event("input", {{ bubbles: true }}));
        }}""")
        for step in range(1, 13):
            press(browser, "non_convergence", "step")
            until(browser, f"{game('non_convergence', '.game-state')}.textContent.startsWith('Step {step}:')")
        return float(state(browser, "non_convergence").split("; ")[1].split(" from")[0])

    assert distance(3, "simultaneous") == pytest.approx(1.01 ** 6, abs=1e-3)
    assert distance(5, "simultaneous") == pytest.approx(1.25 ** 6, abs=1e-3)
    assert distance(4, "optimistic") < 0.95


def test_the_next_seed_is_another_game(browser: Browser, page: Path) -> None:
    show(browser, page, "mode_collapse")
    first = picture(browser, "mode_collapse")
    press(browser, "mode_collapse", "seed")
    assert "seed 2" in state(browser, "mode_collapse")
    assert picture(browser, "mode_collapse") != first


def test_it_is_driven_by_keys(browser: Browser, page: Path) -> None:
    show(browser, page, "figure_1")
    browser.run(f"{game('figure_1', '[data-act=step]')}.focus()")
    browser.press(" ")
    until(browser, f"{game('figure_1', '.game-state')}.textContent.startsWith('Round 1,')")
    slider = game("figure_1", "[name=turns]")
    browser.run(f"{slider}.focus()")
    said = f"[{slider}.getAttribute('aria-valuetext'), {slider}.parentElement.querySelector('output').textContent]"
    assert browser.run(said) == ["1 of D, 1 of G"] * 2
    browser.press("ArrowRight")
    assert browser.run(said) == ["2 of D, 1 of G"] * 2
    browser.press("End")
    assert browser.run(said) == ["D alone"] * 2
    assert browser.run(f"getComputedStyle({slider}).outlineStyle") == "solid"
    assert browser.run(f"{slider}.matches(':focus-visible')")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_controls_have_names_and_room_for_a_finger_and_stay_where_they_are(browser: Browser, page: Path, name: str,
                                                                          width: int) -> None:
    show(browser, page, name, width=width, height=844, touch=width == 390)
    controls = f"[...{game(name)}.querySelectorAll('button, input, select')]"
    names: list[str] = browser.run(f"{controls}.map((one) => one.ariaLabel || one.labels[0]?.textContent"
                                   " || one.textContent)")
    assert all(names)
    assert len(set(names)) == len(names)
    places = f"{controls}.map((one) => one.getBoundingClientRect()).map((box) => [box.x, box.y, box.width, box.height])"
    before: list[list[float]] = browser.run(places)
    assert all(x >= 0 and x + w <= width and w >= 40 and h >= 40 for x, _, w, h in before)
    assert browser.run("document.documentElement.scrollWidth") <= width
    press(browser, name, "play")
    until(browser, f"Number({game(name, '.game-state')}.textContent.match(/\d+/)[0]) >= 3")
    assert browser.run(places) == before
    for end in ("min", "max"):
        browser.run(f"""{controls}.filter((one) => one.type === "range").forEach((one) => {{
            one.value = one[{end!r}];
            one.dispatchEvent(new Event("input"));
        }})""")
        assert browser.run(places) == before


def test_it_follows_the_scheme_of_the_page(browser: Browser, page: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        show(browser, page, "non_convergence", scheme=scheme)
        colours.append(picture(browser, "non_convergence"))
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    pause(browser, 0.2)
    assert [picture(browser, "non_convergence"), colours[1]] == colours


def test_without_scripts_the_figure_stands_alone(browser: Browser, page: Path) -> None:
    browser.open(page, scripts=False)
    unfold(browser)
    assert browser.run("document.querySelectorAll('.lesson img').length") == len(NAMES)
    assert browser.run("[...document.querySelectorAll('.game')].map((one) => one.checkVisibility())") == [False] * 3
    assert browser.run("document.querySelectorAll('canvas').length") == len(NAMES)


# What is rendered.

def test_the_scripts_are_small_and_reach_for_nothing() -> None:
    texts = {name: (TEMPLATES / name).read_text() for name in SCRIPTS}
    assert sum(len(text.encode()) for text in texts.values()) <= 25_600
    for name, text in texts.items():
        assert max(map(len, text.splitlines())) <= 140, name
        assert not re.search(r"</|fetch|XMLHttp|Socket|Beacon|Storage|import\b|eval\(|innerHTML|https?:", text), name
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgba?\(|url\(|@import", (TEMPLATES / STYLE).read_text())


def test_a_page_without_these_lessons_has_neither_panels_nor_their_scripts(tmp_path: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TRACKING", "off")
    write_parameters()
    configure.main()
    lesson.main("convergence")
    plan = Plan.read()
    found = render({}, plan, [], Provenance.read(plan), chapter())
    assert "lesson-convergence-criteria" in found
    assert "Marsaglia" not in found
    assert "game" not in re.findall(r'class="(.*?)"', found)


def test_no_attribute_of_a_panel_is_a_script(page: Path) -> None:
    found = page.read_text()
    assert found.count('class="game"') == len(NAMES)
    assert not re.search(r"<[^>]*\son\w+=", found)


def test_a_panel_is_set_to_the_lessons_own_settings() -> None:
    ring_panel = panel("mode_collapse", vars(ModeCollapse(units=48, inner=7, generator_rate=0.003)))
    assert ring_panel is not None
    assert ring_panel.settings["units"] == 48
    chosen = {slider.name: slider.texts[slider.start] for slider in ring_panel.sliders}
    assert chosen == {"turns": "1 of D, 1 of G", "rateD": "0.0005", "rateG": "0.003"}
    turns = ring_panel.sliders[0]
    assert (7, 1) in turns.values
    assert (1, 7) in turns.values
    xy = panel("non_convergence", vars(NonConvergence(eta=0.07)))
    assert xy is not None
    assert xy.sliders[0].values == [0.01, 0.02, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0]
    assert xy.sliders[0].texts[xy.sliders[0].start] == "0.07"
    assert panel("convergence", {}) is None
