"""The lessons' pictures: each shows every seed, and what theory says beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from gan.lessons.lesson import Outcome, Table
from gan.lessons.one_dimension import LOG_4
from gan.lessons.ring import RADIUS, centres
from pipeline.stages.figures import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION, WIDTH

Array = NDArray[np.float64]
FILL = 0.16  # opacity of areas
SEED = {"linewidth": 0.8, "alpha": 0.75}
SKY = "#56b4e9"


@dataclass(frozen=True)
class Drawing:
    figure: Figure
    alt: str
    caption: str
    """What is to be seen, in full sentences"""


def draw(name: str, outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    """The figure of lesson `name`, from its tables and images alone."""
    return FIGURES[name](outcome, settings)


# Help.

def _column(table: Table, name: str) -> Array:
    return np.array([math.nan if cell is None else cell for cell in table[name]], dtype=np.float64)


def _where(table: Table, column: str, **wanted: Any) -> Array:
    """A column's cells in the rows where others hold the values asked for."""
    rows = [all(table[name][i] == value for name, value in wanted.items()) for i in range(len(table[column]))]
    return np.asarray(_column(table, column)[np.array(rows, dtype=bool)], dtype=np.float64)


def _panel_title(axes: Axes, text: str, colour: str = BLACK) -> None:
    axes.set_title(text, loc="left", color=colour, pad=4)


def _above(axes: Axes, columns: int = 3) -> None:
    """A legend above the axes, where it hides no line."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.6,
                columnspacing=1.2)


def _bound(axes: Axes, height: float, label: str) -> None:
    axes.axhline(height, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label=label, zorder=1)


def _logarithmic(axes: Axes, *names: str) -> None:
    """Log scales with powers of ten in plain characters: the style has no mathematics in dollar signs."""
    for name in names:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axes.set(**{f"{name}scale": "log"})
        axis.set_major_locator(LogLocator(10, numticks=8))
        axis.set_major_formatter(FuncFormatter(lambda value, place: _power(value)))
        axis.set_minor_formatter(NullFormatter())


def _power(value: float) -> str:
    """"100", ".01" or "10⁻⁴"."""
    exponent = round(math.log10(value))
    if 0 <= exponent <= 3:
        return str(10 ** exponent)
    if -2 <= exponent < 0:
        return f"{value:.{-exponent}f}".removeprefix("0")
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


# Lesson 1.

MOMENTS = {"a": "D still a rough judge", "b": "D trained: D = D*", "c": "G follows the slope of D",
           "d": "the end: D = ½"}


def _figure_1(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    curves, arrows = outcome.tables["curves"], outcome.tables["arrows"]
    x, p, z = _column(curves, "x"), _column(curves, "p_data"), _column(arrows, "z")
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    grid = figure.add_gridspec(5, 2, height_ratios=(3, 1, 0.02, 3, 1), hspace=0.0)
    for place, (moment, title) in enumerate(MOMENTS.items()):
        row, column = 3 * (place // 2), place % 2
        top = figure.add_subplot(grid[row, column])
        below = figure.add_subplot(grid[row + 1, column], sharex=top)
        top.plot(x, p, color=BLACK, linestyle=(0, (1, 1.2)), label="data, p_data")
        top.fill_between(x, _column(curves, f"p_g_{moment}"), color=GREEN, alpha=FILL, linewidth=0)
        top.plot(x, _column(curves, f"p_g_{moment}"), color=GREEN, label="generator, p_g")
        top.plot(x, _column(curves, f"d_{moment}"), color=BLUE, linestyle=(0, (4, 1.5)), label="discriminator, D")
        top.set(xlim=(-4, 4), ylim=(0, 1.03), yticks=(0, 0.5, 1))
        top.tick_params(labelbottom=False, length=0)
        _panel_title(top, f"({moment}) {title}")
        _arrows(below, z, _column(arrows, f"x_{moment}"))
        if column == 0:
            below.set_ylabel("z → x", rotation=0, ha="right", va="center")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handlelength=2.2)
    first = settings["seeds"][0]
    return Drawing(
        figure,
        "Four panels. In (a) the generator's density stands left of the data's and the discriminator is nearly flat. "
        "In (b) the discriminator rises from 0 on the left to 1 on the right between the two densities. In (c) the "
        "generator's density has moved to the data's. In (d) both densities coincide and the discriminator is flat at "
        "one half. Below each, lines lead from evenly spaced z to G(z).",
        f"The game of seed {first} at four moments, as in the paper’s figure 1: p_data dotted, p_g green, D dashed. "
        "Below, lines lead from evenly spaced z (upper edge) to x = G(z) (lower edge); where they crowd, p_g is high.")


def _arrows(axes: Axes, z: Array, x: Array) -> None:
    """Lines from z, spread over the axis, to G(z)."""
    for start, end in zip(-3 + 6 * z, x, strict=True):
        axes.plot([start, end], [1, 0], color=GREEN, linewidth=0.7, alpha=0.8, solid_capstyle="round")
    axes.plot(x, np.zeros_like(x), linestyle="none", marker="v", markersize=2.4, color=GREEN, clip_on=False)
    axes.plot(-3 + 6 * z, np.ones_like(z), linestyle="none", marker="o", markersize=1.8, color=BLACK, clip_on=False)
    axes.set(ylim=(-0.02, 1.02), xlim=(-4, 4), yticks=())
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


# Lesson 2.

def _optimal_discriminator(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    curves, training = outcome.tables["curves"], outcome.tables["training"]
    x, inside = _column(curves, "x"), _column(curves, "inside") > 0
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    top.fill_between(x, _column(curves, "p"), color=BLACK, alpha=FILL, linewidth=0, label="p, data")
    top.fill_between(x, _column(curves, "q"), color=GREEN, alpha=2 * FILL, linewidth=0, label="q, model")
    for i, seed in enumerate(settings["seeds"]):
        top.plot(x, _column(curves, f"d_seed_{seed}"), color=BLUE, **SEED, label="" if i else "D, every seed")
        bottom.plot(_column(training, "step"), _column(training, f"error_seed_{seed}"), color=BLUE, **SEED)
    top.plot(x, _column(curves, "optimum"), color=VERMILION, linestyle=(0, (3, 2)), label="p/(p + q)")
    low, high = x[inside][0], x[inside][-1]
    for outside in ((x[0], low), (high, x[-1])):
        top.axvspan(*outside, color=GREY, alpha=0.13, linewidth=0)
    top.set(xlim=(-5, 5.5), ylim=(0, 1.03), xlabel="x")
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    _bound(bottom, 0.02, "bound, .02")
    _logarithmic(bottom, "y")
    bottom.set(xlabel="step of D", ylabel="largest |D − p/(p + q)|")
    bottom.legend(loc="upper right")
    return Drawing(
        figure,
        "Top: two densities as areas, and the curves of the trained discriminators lying on the dashed curve of the "
        "ratio p/(p + q) except in the grey margins. Bottom: the largest difference falls with the training steps to "
        "below the dashed line at .02.",
        f"Top: D of seeds {_listed(settings['seeds'])} on the ratio that it was never shown. The margins outside the "
        "region that holds 99 % of the samples are grey. Bottom: the largest difference within the region while D "
        "learns.")


# Lesson 3.

def _global_optimum(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    family, game = outcome.tables["family"], outcome.tables["game"]
    figure = Figure(figsize=(WIDTH, 5.0), layout="constrained")
    (by_mean, by_deviation), (values, halves) = figure.subplots(2, 2)
    for axes, moved, label in ((by_mean, "mean", "μ of p_g = N(μ, 1)"),
                               (by_deviation, "deviation", "s of p_g = N(0, s²)")):
        at = _where(family, moved, moved=moved)
        axes.plot(at, _where(family, "predicted", moved=moved), color=VERMILION, label="−log 4 + 2·JSD")
        axes.plot(at, _where(family, "reached", moved=moved), color=BLUE, linestyle="none", marker="o", markersize=4,
                  markerfacecolor="none", label="V with D trained")
        axes.set(xlabel=label, ylim=(-1.46, 0))
        _bound(axes, -LOG_4, "−log 4")
    by_deviation.set_xscale("log")
    by_deviation.set_xticks([1 / 3, 1, 3], ["⅓", "1", "3"])
    by_deviation.minorticks_off()
    by_mean.set_ylabel("nats")
    by_deviation.legend(loc="upper center", borderaxespad=0.1)
    for i, seed in enumerate(settings["seeds"]):
        rounds = _where(game, "round", seed=seed) + 1
        values.plot(rounds, -LOG_4 + 2 * _where(game, "jsd", seed=seed), color=VERMILION, **SEED,
                    label="" if i else "C(G)")
        values.plot(rounds, _where(game, "value", seed=seed), color=BLUE, **SEED, label="" if i else "V(D, G)")
        halves.plot(rounds, _where(game, "to_half", seed=seed), color=BLUE, **SEED)
    _bound(values, -LOG_4, "−log 4")
    for axes in (values, halves):
        _logarithmic(axes, "x")
        axes.set_xlabel("round of the game + 1")
    values.set(ylabel="nats", ylim=(-1.56, -0.4))
    values.legend(loc="upper right")
    halves.set(ylabel="largest |D − ½|", ylim=(0, 0.52))
    _bound(halves, 0.05, "bound, .05")
    halves.legend(loc="upper right")
    return Drawing(
        figure,
        "Four panels. Above, the value reached by trained discriminators lies on the curve of minus log 4 plus twice "
        "the Jensen–Shannon divergence, with its lowest point where the model equals the data. Below, in the trained "
        "game C and V come together at minus log 4, and the discriminator's distance from one half falls below .05.",
        "Above: C(G) by integration (line) and V as a D trained on samples reaches it (circles), as p_g is moved and "
        f"stretched. Below: the game of seeds {_listed(settings['seeds'])}; the dashed line on the left is −log 4. "
        "At first V lies near it because D knows nothing yet.")


# Lesson 4.

K_COLOURS = (VERMILION, PURPLE, SKY, GREEN)


def _convergence(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    course, shown = outcome.tables["course"], outcome.tables["histograms"]
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    rounds = settings["shown"][:4]
    ks = settings["inner"]
    grid = figure.add_gridspec(3, len(rounds), height_ratios=(3, 1, 1))
    top = figure.add_subplot(grid[0, :])
    for k, colour in zip(ks, K_COLOURS, strict=False):
        top.plot(_column(course, "round"), np.maximum(_column(course, f"k_{k}"), 1e-16), color=colour, label=f"k = {k}")
    top.plot(_column(course, "round"), np.maximum(_column(course, "optimal"), 1e-16), color=BLACK,
             label="D at its optimum")
    _logarithmic(top, "y")
    top.set(xlabel="round", ylabel="C(G) + log 4 / nats", ylim=(1e-13, 2), xlim=(0, settings["rounds"]))
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper left", ncols=4)
    drawn = ("p_data", *(f"{name}_round_{at}" for name in ("optimal", f"k_{ks[0]}") for at in rounds))
    highest = max(float(_column(shown, name).max()) for name in drawn)
    first = None
    for row, (name, label, colour) in enumerate((("optimal", "D optimal", BLACK),
                                                 (f"k_{ks[0]}", f"k = {ks[0]}", VERMILION))):
        for column, at in enumerate(rounds):
            axes = figure.add_subplot(grid[row + 1, column], sharey=first, sharex=first)
            first = first or axes
            axes.fill_between(_column(shown, "x"), _column(shown, "p_data"), color=GREY, alpha=0.35, linewidth=0,
                              step="mid")
            axes.step(_column(shown, "x"), _column(shown, f"{name}_round_{at}"), color=colour, where="mid", linewidth=1)
            axes.set(yticks=(), xticks=(), ylim=(0, 1.05 * highest))
            axes.spines["left"].set_visible(False)
            axes.grid(False)
            if row == 0:
                _panel_title(axes, f"round {at}")
            if column == 0:
                axes.set_ylabel(label, color=colour, fontsize=8)
    return Drawing(
        figure,
        "Top: the criterion's distance from its minimum by round, on a logarithmic scale. With D at its optimum it "
        "falls in a straight line; with few steps of D it falls in waves. Bottom: histograms of the model over that "
        "of the data at four rounds; with k = 1 they overshoot.",
        "Top: how far C(G) is above its minimum. Bottom: p_g (lines) on p_data (grey) at four rounds, with D at its "
        f"optimum and with k = {ks[0]}.")


# Lesson 5.

LOSS_NAMES = {"minimax": "log(1 − D)", "non_saturating": "−log D"}
LOSS_COLOURS = {"minimax": VERMILION, "non_saturating": BLUE}


def _non_saturating(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    frozen, trained = outcome.tables["frozen"], outcome.tables["training"]
    figure = Figure(figsize=(WIDTH, 6.0), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(3, 3, 2.6))
    norms, sure = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    rejected, energy = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    for i, seed in enumerate(settings["seeds"]):
        steps = _where(frozen, "step", seed=seed) + 1
        for loss, colour in LOSS_COLOURS.items():
            label = "" if i else LOSS_NAMES[loss]
            norms.plot(steps, _where(frozen, loss, seed=seed), color=colour, linewidth=1.1, label=label)
            rounds = _where(trained, "round", seed=seed, loss=loss)
            rejected.plot(rounds, _where(trained, "d_on_samples", seed=seed, loss=loss), color=colour, linewidth=1.1)
            energy.plot(rounds, _where(trained, "energy_distance", seed=seed, loss=loss), color=colour, linewidth=1.1)
        sure.plot(steps, _where(frozen, "d_on_samples", seed=seed), color=BLACK, linewidth=1.1)
    for axes in (norms, sure):
        _logarithmic(axes, "x", "y")
        axes.set_xlabel("step of D + 1, G frozen")
    norms.set_ylabel("norm of G’s gradient")
    sure.set_ylabel("mean D(G(z))")
    _logarithmic(rejected, "y")
    rejected.set(xlabel="round, both trained", ylabel="mean D(G(z))")
    energy.set(xlabel="round, both trained", ylabel="energy distance", ylim=(0, None))
    handles, labels = norms.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, title="G minimises", alignment="left")
    pictures = figure.add_subplot(grid[2, :])
    rows = [(LOSS_NAMES[name], outcome.images[f"{name}, seed {seed}"])
            for name in LOSS_NAMES for seed in settings["seeds"]]
    _strips(pictures, rows)
    return Drawing(
        figure,
        "Four panels and a grid of samples. With the generator frozen, the gradient norm under log(1 − D) rises and "
        "then falls with D(G(z)); under −log D it goes on rising. Below, rows of samples after training with each.",
        f"Above: G frozen while D gets sure. Middle: both trained, seeds {_listed(settings['seeds'])}. Below: the "
        "first samples at the end, a row for each loss and seed; nothing chosen.")


def _strips(axes: Axes, rows: Sequence[tuple[str, torch.Tensor]], gap: int = 3) -> None:
    """Rows of digits, each with its name on the left."""
    count = max(len(images) for _, images in rows)
    side = math.isqrt(rows[0][1].shape[1])
    canvas = np.ones((len(rows) * (side + gap) - gap, count * (side + gap) - gap))
    for i, (_, images) in enumerate(rows):
        for j, image in enumerate(images):
            top, left = i * (side + gap), j * (side + gap)
            canvas[top:top + side, left:left + side] = 1 - image.view(side, side).numpy()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_yticks([i * (side + gap) + side / 2 for i in range(len(rows))], [name for name, _ in rows])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


# Lesson 6.

RULES = {"simultaneous": ("at once", VERMILION), "alternating": ("in turn", BLUE),
         "average": ("average", PURPLE), "optimistic": ("optimistic", GREEN)}


def _non_convergence(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    paths = outcome.tables["paths"]
    steps, eta = _column(paths, "step"), settings["eta"]
    seen = steps <= 2.6 * 2 * math.pi / eta
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(2, 3))
    reach = 1.08 * max(float(np.abs(_column(paths, f"simultaneous_{axis}")[seen]).max()) for axis in "xy")
    radii = figure.add_subplot(grid[1, :])
    for place, (rule, (name, colour)) in enumerate(RULES.items()):
        x, y = _column(paths, f"{rule}_x"), _column(paths, f"{rule}_y")
        axes = figure.add_subplot(grid[0, place])
        axes.plot(x[seen], y[seen], color=colour, linewidth=1)
        axes.plot([0], [0], marker="+", color=BLACK, markersize=6)
        axes.plot(x[:1], y[:1], marker="o", color=colour, markersize=3)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
        axes.tick_params(labelleft=place == 0)
        _panel_title(axes, name, colour)
        radii.plot(steps, np.hypot(x, y), color=colour, label=name)
    radii.plot(steps, (1 + eta * eta) ** (steps / 2), color=BLACK, linewidth=1, linestyle=(0, (2, 3)),
               label="(1 + η²)^(step/2)")
    _logarithmic(radii, "y")
    radii.set(xlabel="step", ylabel="distance from the equilibrium")
    _above(radii, columns=3)
    return Drawing(
        figure,
        "Above, four paths in the plane: at once spirals outwards, in turn closes to a ring, the average of in turn "
        "and the optimistic path go to the centre. Below, their distances from the centre by step: growing on the "
        "dashed line of theory, constant, and falling.",
        f"V = xy with η = {eta:g}. Above: the paths in (x, y) of the first {int(seen.sum()) - 1} steps; the cross is "
        "the equilibrium. Below: the distance from it, and what theory says of simultaneous steps (dotted).")


# Lesson 7.

PLAYS = {"in_turn": ("in turn", BLUE), "unrolled": ("looking ahead", GREEN), "d_inner": ("D inner", PURPLE),
         "g_inner": ("G inner", VERMILION)}


def _mode_collapse(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    points, course = outcome.tables["samples"], outcome.tables["course"]
    seeds = settings["seeds"]
    width = WIDTH / len(seeds)
    figure = Figure(figsize=(WIDTH, 4 * width + 1.9), layout="constrained")
    grid = figure.add_gridspec(5, 2 * len(seeds), height_ratios=(1, 1, 1, 1, 1.9))
    for row, (play, (name, colour)) in enumerate(PLAYS.items()):
        for column, seed in enumerate(seeds):
            axes = figure.add_subplot(grid[row, 2 * column:2 * column + 2])
            x, y = _where(points, "x", play=play, seed=seed), _where(points, "y", play=play, seed=seed)
            _ring_panel(axes, x, y, colour, 3 * settings["deviation"])
            if row == 0:
                _panel_title(axes, f"seed {seed}")
            if column == 0:
                axes.set_ylabel(name, color=colour)
    left, right = figure.add_subplot(grid[4, :len(seeds)]), figure.add_subplot(grid[4, len(seeds):])
    for axes, measure, label in ((left, "modes", "modes covered"), (right, "good", "share of good samples")):
        for play, (_, colour) in PLAYS.items():
            each = np.stack([_where(course, measure, play=play, seed=seed) for seed in seeds])
            rounds = _where(course, "round", play=play, seed=seeds[0])
            axes.plot(rounds, each.T, color=colour, linewidth=0.6, alpha=0.45)
            axes.plot(rounds, each.mean(0), color=colour)
        axes.set(xlabel="round", title=label)
    left.set_ylim(-0.3, 8.3)
    right.set_ylim(-0.03, 1.03)
    return Drawing(
        figure,
        "A grid of scatter plots, a row for each way of play and a column for each seed, each with the eight modes of "
        "the ring marked, above curves of modes covered and of the share of good samples by round.",
        "Samples of every seed at the end (dots; crosses at the edge are samples that lie beyond it) and the eight "
        "modes (circles, 3 standard deviations), for the four ways of play. Below: seeds thin, their mean thick, in "
        "the rows’ colours.")


def _ring_panel(axes: Axes, x: Array, y: Array, colour: str, radius: float) -> None:
    """Samples, and the modes as circles around what counts as good."""
    for centre in centres().tolist():
        axes.add_patch(Circle((centre[0], centre[1]), radius, fill=False, edgecolor=GREY, linewidth=0.5))
    reach = RADIUS * 1.45
    outside = np.maximum(np.abs(x), np.abs(y)) / (0.97 * reach)
    x, y = x / np.maximum(outside, 1), y / np.maximum(outside, 1)
    for which, marker, size in ((outside <= 1, ".", 1.6), (outside > 1, "x", 2.5)):
        axes.plot(x[which], y[which], linestyle="none", marker=marker, markersize=size, color=colour, alpha=0.8,
                  markeredgewidth=0.5 if marker == "x" else 0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=(), yticks=())
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#d0d0d0")


# Lesson 8.

FEATURES = {"without": ("without", VERMILION), "with": ("with", BLUE)}


def _minibatch_features(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    ring, digits = outcome.tables["ring"], outcome.tables["digits"]
    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    grid = figure.add_gridspec(3, 4, height_ratios=(2, 2.2, 1.7))
    dots = [figure.add_subplot(grid[0, i]) for i in range(4)]
    _paired(dots[0], ring, "modes", "ring: modes\ncovered")
    _paired(dots[1], ring, "largest", "ring: share nearest\nthe same mode")
    _paired(dots[2], digits, "entropy", "MNIST: entropy\nof classes / nats")
    _paired(dots[3], digits, "diversity", "MNIST: diversity\n(data = 1)")
    dots[0].set_ylim(-0.4, 8.4)
    dots[1].set_ylim(0, 1.05)
    dots[2].set_ylim(0, 2.45)
    dots[2].axhline(math.log(10), color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    dots[3].set_ylim(0, 1.15)
    dots[3].axhline(1, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _class_bars(figure.add_subplot(grid[1, :]), digits)
    for half, (game, (name, colour)) in enumerate(FEATURES.items()):
        axes = figure.add_subplot(grid[2, 2 * half:2 * half + 2])
        images = [outcome.images[f"{game}, seed {seed}"] for seed in settings["digit_seeds"]]
        _strips(axes, [("", part) for one in images for part in one.split(12)])
        axes.set_yticks([])
        _panel_title(axes, f"{name}: first samples", colour)
    return Drawing(
        figure,
        "Dots that compare the game with and without minibatch features, seed by seed: modes covered and share at the "
        "same mode on the ring, entropy of classes and diversity on MNIST. Below, class histograms, and samples.",
        "Above: a dot for each seed, its pair joined; dashed, the most there can be and the data’s own. Middle: the "
        "share of each digit among the samples, seeds pooled. Below: the first samples of each seed, nothing chosen, "
        f"{len(images[0])} to a seed.")


def _paired(axes: Axes, table: Table, column: str, title: str) -> None:
    """The same seed without and with, joined."""
    without, having = _where(table, column, game="without"), _where(table, column, game="with")
    for i, pair in enumerate(zip(without, having, strict=True)):
        shift = 0.05 * (i - (len(without) - 1) / 2)
        axes.plot([shift, 1 + shift], pair, color=GREY, linewidth=0.7, zorder=2)
        for place, (value, (_, colour)) in enumerate(zip(pair, FEATURES.values(), strict=True)):
            axes.plot([place + shift], [value], marker="o", markersize=4, color=colour, linestyle="none", zorder=3)
    axes.set_xticks([0, 1], ["without", "with"])
    axes.set_xlim(-0.45, 1.45)
    axes.grid(visible=False, axis="x")
    axes.set_title(title, loc="left", fontsize=8, pad=4)


def _class_bars(axes: Axes, digits: Table) -> None:
    classes = np.arange(10)
    for i, (game, (name, colour)) in enumerate(FEATURES.items()):
        shares = np.array([float(_where(digits, str(digit), game=game).mean()) for digit in range(10)])
        axes.bar(classes + 0.4 * (i - 0.5), shares, width=0.38, color=colour, label=name)
    _bound(axes, 0.1, "all alike")
    axes.set(xlabel="digit, as the judge takes it", ylabel="share of samples")
    axes.set_xticks(classes)
    axes.grid(visible=False, axis="x")
    _above(axes, columns=3)


# Lesson 9.

def _many_answers(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    answers = outcome.tables["answers"]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    panels = figure.subplots(2, 3, sharex="row", sharey="row", height_ratios=(3, 2))
    bins = np.linspace(-1.6, 1.6, 49)
    for place, (column, title, colour) in enumerate((("data", "data", BLACK), ("mse", "squared error", VERMILION),
                                                     ("gan", "conditional GAN", BLUE))):
        dots, counts = panels[0, place], panels[1, place]
        dots.plot(_column(answers, "x"), _column(answers, column), linestyle="none", marker=".", markersize=2,
                  markeredgewidth=0, color=colour, alpha=0.6)
        for seed in settings["seeds"]:
            heights, _ = np.histogram(_where(answers, column, seed=seed), bins)
            counts.stairs(heights / heights.sum(), bins, color=colour, linewidth=0.8, alpha=0.8)
        _panel_title(dots, title, colour)
        dots.set(ylim=(-1.6, 1.6), xlabel="question x")
        counts.set_xlabel("answer y")
    panels[0, 0].set_ylabel("answer y")
    panels[1, 0].set_ylabel("share")
    panels[1, 0].set_yscale("symlog", linthresh=0.1)
    panels[1, 0].set_yticks([0, 0.1, 1], ["0", ".1", "1"])
    return Drawing(
        figure,
        "Three columns. The data's answers lie on two lines at plus and minus one. Those of the network trained on "
        "squared error lie on one line at zero, where no data are. Those of the conditional GAN lie on both lines.",
        f"Questions and answers: all of seeds {_listed(settings['seeds'])} above, and below how often each answer is "
        "given, a line for each seed (from .1 up the scale is logarithmic).")


# Lesson 10.

GRIDS = {"first": "the first {shown} of {drawn:,} drawn:\nnothing chosen",
         "best": "the {shown} of {drawn:,} drawn\nthat D scores highest",
         "worst": "the {shown} of {drawn:,} drawn\nthat D scores lowest"}


def _honest_pictures(outcome: Outcome, settings: Mapping[str, Any]) -> Drawing:
    table = outcome.tables["grids"]
    figure = Figure(figsize=(WIDTH, 3.45), layout=ConstrainedLayoutEngine(wspace=0.06))
    panels = figure.subplots(1, len(GRIDS))
    for i, (axes, (name, text)) in enumerate(zip(panels, GRIDS.items(), strict=True)):
        _strips(axes, [("", part) for part in outcome.images[name].split(5)])
        axes.set_yticks([])
        axes.set_title(text.format(**settings), loc="left", fontsize=7.5, pad=5)
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color("#c8c8c8")
        axes.set_xlabel(f"mean D {_column(table, 'score')[i]:.2f}\njudge {_column(table, 'probability')[i]:.2f}\n"
                        f"mean distance {_column(table, 'mean_distance')[i]:.1f}", fontsize=7.5, loc="left")
    return Drawing(
        figure,
        "Three grids of digits side by side: the first drawn, those that D scores highest, and those it scores lowest.",
        f"All three from the same {settings['drawn']:,} draws of seed {settings['seed']}. Under each: the mean score "
        "by D, the mean probability that the judge gives its own answer, and the mean distance between two pictures.")


FIGURES: Mapping[str, Callable[[Outcome, Mapping[str, Any]], Drawing]] = {
    "figure_1": _figure_1, "optimal_discriminator": _optimal_discriminator, "global_optimum": _global_optimum,
    "convergence": _convergence, "non_saturating": _non_saturating, "non_convergence": _non_convergence,
    "mode_collapse": _mode_collapse, "minibatch_features": _minibatch_features, "many_answers": _many_answers,
    "honest_pictures": _honest_pictures}
