"""How the page puts numbers and names into words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.results.metrics import Entry
from pipeline.results.published import CHAIN_MODELS
from pipeline.results.text import setting_text, with_error

SAID = 3  # of what was reduced, in running text; the whole list stands with the experiment
VARIANTS = {"raw": "trained weights", "ema": "averaged weights", "parallel": "parallel chains"}
"""What the paper does not have is said once, beside the table"""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def nats(value: float) -> str:
    return with_error(value, None)


def value_text(entry: Mapping[str, Any]) -> str:
    """"84.0 ± 2.2": test log-likelihood ± standard error."""
    return with_error(entry["test_log_likelihood"], entry["standard_error"])


def over_seeds(entry: Entry) -> str:
    """"177.9 ± 0.6 over 2 seeds"."""
    number = len(entry["seeds"])
    return f"{with_error(entry['seed_mean'], entry['seed_sd'])} over {number} seeds" if number > 1 else "one seed"


def sentence(text: str) -> str:
    """With a full stop at its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def breakable(name: str) -> Markup:
    """A name that may be broken after its underscores and dots."""
    return Markup("<wbr>").join(re.split(r"(?<=[_.])", name))


def anchor(kind: str, name: str) -> str:
    """An id of an element, from a name that may hold anything; different names give different ids."""
    return kind + "-" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" if c != "_" else "_"
                                for c in name)


def remarks(entry: Entry) -> list[str]:
    """What has to be said of every number of an experiment: what its ± is over, that it was reduced, and its note."""
    return [*([f"The ± is over {entry['folds']} folds."] if entry["folds"] > 1 else []),
            *([starts_text(entry)] if takes_restarts(entry) else []),
            *([REDUCED] if entry["differences"] else []),
            *([sentence(entry["note"])] if entry["note"] else [])]


def takes_restarts(entry: Entry) -> bool:
    """Whether starts that collapsed were given up, which the paper does not do."""
    return any("start" in seed for seed in entry.get("seeds", ()))


def starts_text(entry: Entry) -> str:
    """As "Starts that collapsed were given up …: four starts for three seeds"."""
    starts, seeds = sum(seed.get("start", 1) for seed in entry["seeds"]), len(entry["seeds"])
    return (f"Starts that collapsed were given up, which the paper does not do: {in_words(starts)} "
            f"{'start' if starts == 1 else 'starts'} for {in_words(seeds)} {'seed' if seeds == 1 else 'seeds'}.")


def row_label(name: str, variant: str) -> str:
    """The variant that the paper has goes without a name."""
    return name if variant == "raw" else f"{name}, {VARIANTS.get(variant, variant)}"


def variant_text(model: str, variant: str) -> str:
    """"trained weights", "averaged weights", "one chain", "parallel chains"."""
    return "one chain" if model in CHAIN_MODELS and variant == "raw" else VARIANTS.get(variant, variant)


def in_words(number: int) -> str:
    """"three", "72"."""
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def signed(value: float) -> str:
    """"+3.0", "−28.2"."""
    return f"{value:+.1f}".replace("-", "−")


REDUCED = "Reduced by its profile: fewer updates or narrower layers than the paper’s, listed with the experiment."


class Notes:
    """What has to be said of several rows, once: each remark has a letter."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def mark(self, remark: str) -> str:
        """The letter of a remark; the next one free for one that is new."""
        return self._letters.setdefault(remark, _letter(len(self._letters)))

    @property
    def said(self) -> list[tuple[str, str]]:
        """Letters with their remarks, in order."""
        return [(letter, remark) for remark, letter in self._letters.items()]


def _letter(number: int) -> str:
    """"a" to "z", then "aa"."""
    rest, place = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + "abcdefghijklmnopqrstuvwxyz"[place]


def first_of(differences: Sequence[str]) -> str:
    """The first of what was reduced, and how many more there are."""
    more = len(differences) - SAID
    return "; ".join(differences[:SAID]) + (f"; and {more} more, listed with the experiment" if more > 0 else "")


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as (dotted name, value) in their own order; lists of plain values stay on one line."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{prefix}[{number}]")
    else:
        yield prefix, setting_text(value)


def lookup(settings: Any, key: str) -> Any:
    """The first value named `key` at any depth of `settings`, or None."""
    if isinstance(settings, dict):
        if key in settings:
            return settings[key]
        settings = list(settings.values())
    if isinstance(settings, list):
        return next((value for inner in settings if (value := lookup(inner, key)) is not None), None)
    return None
