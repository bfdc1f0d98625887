"""What happens in a collapse: which factor of G's gradient vanishes, and which change brings the start back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gan.adversarial.collapse import SURE
from pipeline.page.charts import Axis, Chart, Line, around
from pipeline.page.formatting import anchor
from pipeline.page.pictures import BLUE, BROWN, GREEN, GREY, OCHRE, PURPLE, SLATE, VERMILION, Figure, Numbering
from pipeline.results.mechanism import FACTORS, Change, Mechanism
from pipeline.results.published import dataset_name
from pipeline.results.text import listed

SAID = {"asked": "how far its loss still asks for a change (1 − D(G(z)))",
        "slope_of_d": "how steep D is where the samples lie (|∂o/∂x|)",
        "slope_of_output": "how far its pixels follow its weights (the sigmoids’ y(1 − y))"}
VANISHES = {"asked": "the loss itself, which no longer asks for anything",
            "slope_of_d": "D’s slope: D says no more in which direction to go",
            "slope_of_output": "the slope of G’s own output: its pixels are all but 0 or 1 and follow no weight"}
LINES = {"asked": ("asked by the loss", SLATE), "slope_of_d": ("slope of D", BLUE),
         "slope_of_output": ("slope of G’s pixels", VERMILION), "gradient_of_g": ("gradient of G’s weights", GREY)}
CHANGES = {"hold_discriminator": ("D makes no step for {0.held_updates} updates", "D held", GREEN),
           "hold_generator": ("G makes no step for {0.held_updates} updates", "G held", PURPLE),
           "soften_output": ("G’s output layer is multiplied by {0.factor:g}", "softer", OCHRE),
           "new_discriminator": ("D begins anew, with its first weights", "new D", BLUE),
           "revive_dead_units": ("G’s dead units are drawn anew", "revived", BROWN)}
"""What each change is in words, of a `Mechanism`; its name at a line's end, and its colour"""
LOWEST = 1e-6
"""of the logarithmic chart"""


@dataclass(frozen=True)
class Row:
    what: str
    cells: Sequence[tuple[str, bool]]
    """by epoch at which it was done: D's mean on training images at the end, and whether the start came back"""


@dataclass(frozen=True)
class MechanismSection:
    id: str
    said: Sequence[str]
    figures: Sequence[Figure]
    at: Sequence[int]
    epochs: int
    rows: Sequence[Row]
    facts: str


def mechanism_sections(found: Sequence[Mechanism], numbers: Numbering) -> list[MechanismSection]:
    return [_section(one, numbers) for one in found]


def _section(one: Mechanism, numbers: Numbering) -> MechanismSection:
    at = sorted({change.at for change in one.changes})
    epochs = one.changes[0].epochs if one.changes else 0
    figures = [_factors(one, numbers), *([_after(one, at, numbers)] if at else [])]
    return MechanismSection(
        anchor("mechanism", f"{one.experiment}-{one.profile}"),
        [_chain(one), *([_brought_back(one, at)] if at else [])], figures, at, epochs, _rows(one, at, epochs),
        f"{one.hardware}; commit {one.commit[:10]}; recorded {one.date}; {one.experiment}, profile {one.profile}, "
        f"seed {one.seed}.")


def words(one: Mechanism, name: str) -> str:
    """What a change is, in words."""
    return CHANGES[name][0].format(one) if name in CHANGES else name


def vanishing(one: Mechanism) -> str:
    """The factor that fell most from the first epoch to the last."""
    last = len(one.d_on_data)
    return min(FACTORS, key=lambda name: one.of_epoch(name, last) / max(one.of_epoch(name, 1), LOWEST))


def _chain(one: Mechanism) -> str:
    last = len(one.d_on_data)
    each = listed([f"{SAID[name]}, {_short(one.of_epoch(name, 1))} and {_short(one.of_epoch(name, last))}"
                   for name in FACTORS])
    return (f"A start of {one.experiment} on {dataset_name(one.dataset)} that collapses, watched update by update. "
            f"What G learns from D is a product of three factors, here in the first epoch and in epoch {last}: {each}. "
            f"The gradient of G’s weights falls from {_short(one.of_epoch('gradient_of_g', 1))} to "
            f"{_short(one.of_epoch('gradient_of_g', last))}. What vanishes is {VANISHES[vanishing(one)]}.")


def _short(value: float) -> str:
    """Two digits that mean something: "4.6", "0.00021"."""
    return f"{value:.2g}"


def came_back(change: Change) -> bool:
    return change.end is not None and change.end < SURE


def _brought_back(one: Mechanism, at: Sequence[int]) -> str:
    """Which changes undo it, by the epoch at which they are made."""
    parts = []
    for epoch in at:
        names = [words(one, change.name) for change in one.changes if change.at == epoch and came_back(change)]
        came = f"the start comes back if {', or if '.join(names)}" if names else "none of the changes brings it back"
        parts.append(f"after epoch {epoch}, {came}")
    return f"What was changed between two epochs: {'; '.join(parts)}."


def _rows(one: Mechanism, at: Sequence[int], epochs: int) -> list[Row]:
    ends = [one.d_on_data[epoch + epochs - 1] for epoch in at]
    rows = [Row("nothing is changed", [(f"{end:.4f}", end < SURE) for end in ends])]
    for name in dict.fromkeys(change.name for change in one.changes):
        found = {change.at: change for change in one.changes if change.name == name}
        rows.append(Row(words(one, name), [(_end(found[epoch]), came_back(found[epoch])) for epoch in at]))
    return rows


def _end(change: Change) -> str:
    return "diverged" if change.end is None else f"{change.end:.4f}"


def _factors(one: Mechanism, numbers: Numbering) -> Figure:
    x = [reading["update"] / one.updates_per_epoch for reading in one.readings]
    lines = [Line(name, colour, x, [max(float(reading[key]), LOWEST) for reading in one.readings])
             for key, (name, colour) in LINES.items()]
    values = [value for line in lines for value in line.values()]
    chart = Chart("What G’s gradient is made of, against epochs",
                  f"Factors of G's gradient by epoch in a start that collapses; in the last epoch: "
                  f"{'; '.join(f'{line.name} {_short(line.end)}' for line in lines)}.",
                  Axis("epoch", *around(x, 0.03)), Axis("value", min(values) / 1.5, max(values) * 1.5, log=True), lines)
    return Figure("charts", numbers.next(), "raw", charts=[chart], alt=chart.alt, data=[one.path],
                  caption=f"{one.experiment}, profile {one.profile}, seed {one.seed}: one in "
                          f"{one.readings[0]['update']} updates.")


def _after(one: Mechanism, at: Sequence[int], numbers: Numbering) -> Figure:
    charts = []
    for epoch in at:
        x = list(range(1, len(one.d_on_data) + 1))
        lines = [Line("nothing is changed", GREY, x, one.d_on_data, label="unchanged")]
        for change in one.changes:
            if change.at == epoch:
                after = list(range(epoch, epoch + len(change.d_on_data) + 1))
                _, label, colour = CHANGES.get(change.name, ("", change.name, SLATE))
                lines.append(Line(words(one, change.name), colour, after,
                                  [one.d_on_data[epoch - 1], *change.d_on_data], label=label))
        values = [value for line in lines for value in line.values()]
        charts.append(Chart(f"D’s mean output on training images, changed after epoch {epoch}",
                            f"D's mean on training images by epoch; after a change at epoch {epoch}, in the end: "
                            f"{'; '.join(f'{line.name} {line.end:.3f}' for line in lines)}.",
                            Axis("epoch", *around(x, 0.03)), Axis("D(x)", *around(values)), lines))
    return Figure("charts", numbers.next(), "raw", charts=charts, alt="What brings a collapsed start back.",
                  data=[one.path], caption="The same start and the same later noise, with one thing changed between "
                                           "two epochs.")
