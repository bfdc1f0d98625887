"""Round numbers for the axes of the page's charts and of matplotlib's figures."""

from __future__ import annotations

import math

LOG_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
"""The multiples of powers of ten that an axis may have, from few to many"""


def linear_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 · 10ⁿ from `low` to `high`, roughly as many as are `wanted`; `low` < `high`."""
    step = nice_step((high - low) / wanted)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def nice_step(step: float) -> float:
    """The smallest of 1, 2 and 5 · 10ⁿ that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def log_ticks(low: float, high: float, least: int = 3) -> list[float]:
    """Round numbers from `low` to `high` for a logarithmic axis: powers of ten, and more where they are fewer than
    `least`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in LOG_STEPS:
        ticks = [float(f"{step * 10.0 ** decade:.3g}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) >= least:
            return ticks
    return (linear_ticks(low, high) if low < high else ticks) or [low, high]
