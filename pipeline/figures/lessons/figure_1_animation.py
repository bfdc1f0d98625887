"""Figure 1 as it moves: an SVG for the page, without scripts; the figure itself is the still."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from gan.lessons.lesson import Outcome, Table

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, FLOOR, LINE, CLOCK = 24, 616, 34, 268, 340, 378
"""Of the picture: its edges, the foot of the curves, the line of x, the line of time"""
REACH = 4.0
"""x from −4 to 4"""
SECONDS, TURNS, LAST = 16.0, 3.5, 13.0
"""Length, when G begins to move, and when the game is over"""


def animation(outcome: Outcome) -> str:
    """The curves and arrows of every frame, and a clock."""
    curves, frames, arrows = (outcome.tables[name] for name in ("curves", "frames", "frame_arrows"))
    times = _times(max(int(float(cell or 0)) for cell in frames["frame"]) + 1)
    data = _path(curves["x"], curves["p_data"])
    parts = [
        f'<svg class="lesson-animation" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Animation of the game: the discriminator learns, then the generator’s density moves to the data’s '
        'while the discriminator flattens to one half.">',
        _STYLE,
        f'<path class="axis" d="M{LEFT} {FLOOR}H{RIGHT}M{LEFT} {LINE}H{RIGHT}"/>',
        f'<path class="half" d="M{LEFT} {_height(0.5)}H{RIGHT}"/>',
        f'<text x="{LEFT}" y="{_height(0.5) - 5:g}">½</text>',
        f'<path class="data" d="{data}"/>',
        _moving_path("model", frames, "p_g", times), _moving_path("judge", frames, "d", times),
        *_moving_lines(arrows, times), *_legend(), *_clock(), "</svg>"]
    return "\n".join(parts) + "\n"


_STYLE = """<style>
.lesson-animation { --p-g: #009e73; --d: #0072b2; }
@media (prefers-color-scheme: dark) { .lesson-animation { --p-g: #3ccf9f; --d: #6cb9f0; } }
.lesson-animation path { fill: none; }
.lesson-animation .axis { stroke: currentColor; stroke-width: 1; opacity: .5; }
.lesson-animation .half { stroke: currentColor; stroke-width: 1; stroke-dasharray: 2 4; opacity: .4; }
.lesson-animation .data { stroke: currentColor; stroke-width: 2.5; stroke-dasharray: 2 3; }
.lesson-animation .model { stroke: var(--p-g); stroke-width: 2.5; }
.lesson-animation .judge { stroke: var(--d); stroke-width: 2.5; stroke-dasharray: 9 4; }
.lesson-animation line { stroke: var(--p-g); stroke-width: 1.2; opacity: .8; }
.lesson-animation text { fill: currentColor; font: 14px system-ui, sans-serif; }
.lesson-animation circle { fill: currentColor; }
</style>"""


def _times(frames: int) -> list[float]:
    """When each frame is reached, as a share of the whole; the last one twice, so that it stays."""
    moving = [TURNS + (LAST - TURNS) * i / (frames - 2) for i in range(1, frames - 1)]
    return [moment / SECONDS for moment in (0.0, TURNS, *moving, SECONDS)]


def _values(each: Sequence[str], times: Sequence[float]) -> str:
    """SMIL's attributes for values that pass through `each` and stay at the last."""
    keys = ";".join(f"{time:.4g}" for time in times)
    return (f'values="{";".join([*each, each[-1]])}" keyTimes="{keys}" dur="{SECONDS:g}s" '
            'repeatCount="indefinite"')


def _across(x: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * (x + REACH) / (2 * REACH), 1)


def _height(value: float) -> float:
    return round(FLOOR - (FLOOR - TOP) * value, 1)


def _path(x: Sequence[object], y: Sequence[object]) -> str:
    points = [(float(str(a)), float(str(b))) for a, b in zip(x, y, strict=True)]
    return "M" + "L".join(f"{_across(a):g} {_height(b):g}" for a, b in points if abs(a) <= REACH)


def _moving_path(kind: str, frames: Table, column: str, times: Sequence[float]) -> str:
    rows = zip(frames["frame"], frames["x"], frames[column], strict=True)
    paths = [_path(*zip(*((x, y) for _, x, y in group), strict=True))
             for _, group in itertools.groupby(rows, key=lambda row: row[0])]
    return f'<path class="{kind}" d="{paths[-1]}"><animate attributeName="d" {_values(paths, times)}/></path>'


def _moving_lines(arrows: Table, times: Sequence[float]) -> list[str]:
    """From evenly spaced z, above, to G(z), below."""
    ends: dict[object, list[str]] = {}
    for z, x in zip(arrows["z"], arrows["x"], strict=True):
        ends.setdefault(z, []).append(f"{_across(float(x or 0)):g}")
    return [f'<line x1="{_across(-3 + 6 * float(str(z))):g}" y1="{FLOOR + 14}" x2="{x[-1]}" y2="{LINE}">'
            f'<animate attributeName="x2" {_values(x, times)}/></line>' for z, x in ends.items()]


def _legend() -> list[str]:
    entries = (("data", "data, p_data"), ("model", "generator, p_g"), ("judge", "discriminator, D"))
    return [f'<path class="{kind}" d="M{LEFT + 190 * i} 14h34"/><text x="{LEFT + 190 * i + 42}" y="19">{name}</text>'
            for i, (kind, name) in enumerate(entries)] + [
        f'<text x="{LEFT}" y="{FLOOR + 19}">z</text>', f'<text x="{LEFT}" y="{LINE - 5}">x</text>']


def _clock() -> list[str]:
    """A dot that runs along what happens when."""
    marks = ((0.0, "D learns alone"), (TURNS, "G and D take turns"), (LAST, "the end"))
    places = [LEFT + (RIGHT - LEFT) * moment / SECONDS for moment, _ in marks]
    ticks = "".join(f"M{at:g} {CLOCK - 5}v10" for at in places)
    return [f'<path class="axis" d="M{LEFT} {CLOCK}H{RIGHT}{ticks}"/>',
            *(f'<text x="{at:g}" y="{CLOCK + 19}">{text}</text>' for at, (_, text) in zip(places, marks, strict=True)),
            f'<circle cx="{RIGHT}" cy="{CLOCK}" r="5"><animate attributeName="cx" values="{LEFT};{RIGHT}" '
            f'dur="{SECONDS:g}s" repeatCount="indefinite"/></circle>']
