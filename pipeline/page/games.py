"""The panels in which a reader plays three lessons' games: what they are set to, and the choices that they offer.

The games themselves are scripts, in templates/games; without scripts nothing of a panel is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

STYLE = "games/games.css"
SCRIPTS = tuple(f"games/{name}.js" for name in ("networks", "players", "rules", "pictures", "panel"))
"""In their order: each uses those before it"""

TURNS = (1, 2, 5, 10)
"""Steps of one player for each of the other; a lesson's own number is added"""
FACTORS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
"""Step sizes that are offered, as multiples of the lesson's"""
ETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Slider:
    """A choice from `values`, each with its text; it begins at the one with the number `start`."""

    name: str
    label: str
    values: Sequence[Any]
    texts: Sequence[str]
    start: int

    @property
    def values_json(self) -> str:
        return json.dumps(self.values)

    @property
    def texts_json(self) -> str:
        return json.dumps(self.texts, ensure_ascii=False)

    @property
    def widest(self) -> int:
        """Characters for which there is room, so that nothing moves when another value is chosen."""
        return max(map(len, self.texts))


@dataclass(frozen=True)
class Panel:
    """What the template game.html asks for. `keys` are the legend: kind, colour (a number, or "path") and words."""

    name: str
    title: str
    hint: str
    alt: str
    keys: Sequence[tuple[str, str, str]]
    settings: Mapping[str, Any]
    sliders: Sequence[Slider]
    rules: Mapping[str, str]
    round: str
    """what one press of “Step” plays"""

    @property
    def settings_json(self) -> str:
        return json.dumps(self.settings)


def assets(lessons: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], Sequence[str]]:
    """The files of style and of scripts that a page with these lessons needs; none where nothing can be played."""
    return ((STYLE,), SCRIPTS) if any(lesson.get("game") for lesson in lessons) else ((), ())


def panel(lesson: str, settings: Mapping[str, Any]) -> Panel | None:
    """That of a lesson with these settings; None for a lesson without one."""
    make = _PANELS.get(lesson)
    return None if make is None else make(settings)


def _figure_1(settings: Mapping[str, Any]) -> Panel:
    return Panel(
        "figure_1", "Play the game of figure 1",
        "Begin with “D alone” and watch D come to lie on D*; then let both take a step in turn. With ten steps of G "
        "for each of D, G runs ahead of what D knows, and does not settle.",
        "The densities of the data and of G, the discriminator D and the best one, D*, over x from −4 to 4; below, "
        "lines from evenly spaced z to x = G(z). The numbers are beside the picture.",
        [("dashed", "0", Markup("p<sub>data</sub>")), ("line", "3", Markup("p<sub>g</sub>")), ("line", "1", "D"),
         ("dashed", "1", "D*, the best D")],
        {"units": settings["units"], "batch": settings["batch"], "seed": settings["seeds"][0]},
        [_turns(TURNS), *_step_sizes(settings)], {}, "round")


def _non_convergence(settings: Mapping[str, Any]) -> Panel:
    etas = sorted({*ETAS, settings["eta"]})
    return Panel(
        "non_convergence", "Play V = xy",
        "Another rule goes on from where the last one came to: let simultaneous steps spiral outwards, then see which "
        "rule brings them back, and up to which step size.",
        "The path of the points (x, y) around the equilibrium at (0, 0). The numbers are beside the picture.",
        [("line", "path", "path by the rule chosen"), ("line", "0", "where the slopes lead x and y")],
        {}, [Slider("eta", "Step size η", etas, list(map(_decimal, etas)), etas.index(settings["eta"]))],
        {"simultaneous": "simultaneous: both at once", "alternating": "alternating: y sees the new x",
         "average": "average of the alternating points", "optimistic": "optimistic: with the last slope"}, "step")


def _mode_collapse(settings: Mapping[str, Any]) -> Panel:
    return Panel(
        "mode_collapse", "Play on the ring",
        "With many steps of G for each of D, all samples crowd on the point that D likes best; D learns to refuse it, "
        "and they move on. Taking turns may spread them after a thousand rounds, or not: try other seeds. Looking "
        "ahead is too much work for this page.",
        "Samples of G as dots among the eight modes of the data, which are circles. The colour of the ground says what "
        "D takes a point there for, and how surely. The numbers are beside the picture.",
        [("ring", "0", "modes of the data, 3 standard deviations"), ("dot", "0", "400 samples; at the edge: beyond it"),
         ("square", "1", "D above ½: data"), ("square", "2", "D below ½: samples")],
        {**{name: settings[name] for name in ("units", "batch", "noise", "deviation")}, "seed": settings["seeds"][0]},
        [_turns({*TURNS, settings["inner"]}), *_step_sizes(settings)], {}, "round")


def _turns(numbers: Sequence[int] | set[int]) -> Slider:
    """How many steps of D, and then how many of G, make a round."""
    more = sorted({*numbers} - {1})
    values = [(0, 1), *((1, n) for n in reversed(more)), (1, 1), *((n, 1) for n in more), (1, 0)]
    texts = ["G alone", *(f"{d} of D, {g} of G" for d, g in values[1:-1]), "D alone"]
    return Slider("turns", "Steps in a round", values, texts, values.index((1, 1)))


def _step_sizes(settings: Mapping[str, Any]) -> list[Slider]:
    """Of D and of G."""
    sliders = []
    for player, key in (("D", "discriminator_rate"), ("G", "generator_rate")):
        values = [float(f"{settings[key] * factor:.6g}") for factor in FACTORS]
        texts = list(map(_decimal, values))
        sliders.append(Slider(f"rate{player}", f"Learning rate of {player}", values, texts, FACTORS.index(1)))
    return sliders


def _decimal(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")


_PANELS: dict[str, Callable[[Mapping[str, Any]], Panel]] = {
    "figure_1": _figure_1, "non_convergence": _non_convergence, "mode_collapse": _mode_collapse}
