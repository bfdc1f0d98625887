"""Numbers, settings and remarks as text: the same on the page, in the printed table and in metrics.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def plain(value: float) -> str:
    """A published figure as published: "225", "1.6"."""
    return f"{value:g}"


def with_error(value: float, error: float | None, decimals: int = 1) -> str:
    """"178.2 ± 2.1", with a true minus sign; the value alone where there is no error."""
    text = f"{value:.{decimals}f}".replace("-", "−")
    return text if error is None else f"{text} ± {error:.{decimals}f}"


def seeds_text(entry: Mapping[str, Any]) -> str:
    """"177.9 ± 0.6 (2)": mean ± standard deviation over seeds, and how many."""
    return f"{with_error(entry['seed_mean'], entry['seed_sd'])} ({len(entry['seeds'])})"


def change_text(difference: Mapping[str, Any]) -> str:
    """"generator.hidden[0].units 1200 (paper: 8000)"."""
    return f"{short_setting(difference['setting'])} {_values(difference)}"


def change_in_words(difference: Mapping[str, Any]) -> str:
    """"generator, hidden layer 1, units: 1200 (paper: 8000)"."""
    parts = short_setting(difference["setting"]).replace("_", " ").split(".")
    counted = [re.sub(r"^(.+)\[(\d+)\]$", _counted, part) for part in parts]
    return f"{', '.join(counted)}: {_values(difference)}"


def short_setting(setting: str) -> str:
    """Without what all settings of training models share."""
    return setting.removeprefix("train.").removeprefix("model.")


def _counted(item: re.Match[str]) -> str:
    return f"{'hidden layer' if item[1] == 'hidden' else item[1]} {int(item[2]) + 1}"


def _values(difference: Mapping[str, Any]) -> str:
    return f"{setting_text(difference['here'])} (paper: {setting_text(difference['paper'])})"


def setting_text(value: Any) -> str:
    """A setting's value as it is shown: "1, 2, 3", "yes", "none", "weight 0.1, on data"."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(setting_text(inner) for inner in value)
    return str(value)


def listed(items: Sequence[str]) -> str:
    """"a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def duplicates_text(duplicates: Mapping[str, int]) -> str:
    """"3 validation and 12 test images are also among the training images"; empty if there are none."""
    by_split = [f"{number:,} {split}" for split, number in duplicates.items() if number and split != "train"]
    copies = duplicates.get("train", 0)
    several = sum(duplicates.values()) - copies > 1
    sentences = [f"{listed(by_split)} {'images are' if several else 'image is'} also among the training images"] \
        if by_split else []
    if copies:
        sentences.append(f"{copies:,} training {'image repeats' if copies == 1 else 'images repeat'} an earlier one")
    return "; ".join(sentences)
