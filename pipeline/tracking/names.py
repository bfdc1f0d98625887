"""Names and values in the characters and lengths that MLflow and its databases admit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

# MLflow's limits; for values those of its older servers, which are lower.
LONGEST_NAME, LONGEST_PARAMETER, LONGEST_TAG = 250, 500, 5000
LONGEST_DATASET_NAME, LONGEST_DATASET_DIGEST = 500, 36

T = TypeVar("T")


class Point(NamedTuple):
    """One value of a metric; the time in milliseconds."""

    name: str
    value: float
    time: int
    step: int


def points(values: Mapping[str, float | None], step: int, time: int) -> list[Point]:
    """What may be logged of `values`: finite numbers, as Python has them.

    MLflow would keep a NaN of a logged model as 0.0, and a NumPy integer as a step of eight bytes that no later step
    can be compared with.
    """
    return [Point(as_name(name), value, int(time), int(step)) for name, value in finite(values)]


def finite(values: Mapping[str, float | None]) -> Iterator[tuple[str, float]]:
    """The values that are finite numbers, with their names."""
    for name, value in values.items():
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if value is not None and math.isfinite(number := float(value)):
                yield name, number


def flat(values: Any, prefix: str = "") -> dict[str, str]:
    """Nested mappings with dotted names, all else as text: {"a": {"b": [1, None]}} gives {"a.b": "[1, null]"}."""
    named: dict[str, str] = {}
    for name, value in (values or {}).items():
        if isinstance(value, Mapping) and value:
            named |= flat(value, f"{prefix}{name}.")
        else:
            named[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(
                value, ensure_ascii=False, default=str)
    return named


def labels(values: Mapping[str, Any], longest: int) -> dict[str, str]:
    """Names and values that MLflow admits; two names that become the same get different ones. None is left out."""
    admitted: dict[str, str] = {}
    for name, value in values.items():
        if value is not None:
            key = as_name(str(name))
            while key in admitted:
                key = f"{key[:LONGEST_NAME - 1]}_"
            admitted[key] = as_text(json.dumps(value) if isinstance(value, bool) else str(value), longest)
    return admitted


def as_name(name: str) -> str:
    """The name in the characters and the length that MLflow admits: letters, digits, spaces and `_ - . /`, no part of
    a path empty or leading upwards."""
    parts = re.sub(r"[^\w\-. /]", "_", name).split("/")
    admitted = "/".join(part for part in parts if part not in ("", ".", "..")) or "_"
    if admitted.startswith(".."):
        admitted = f"_{admitted[1:]}"
    if len(admitted) > LONGEST_NAME:
        digest = hashlib.sha256(as_text(name).encode()).hexdigest()[:10]
        admitted = f"{admitted[:LONGEST_NAME - 11]}-{digest}"
    return admitted


def as_text(value: str, longest: int = sys.maxsize) -> str:
    """The text without what databases refuse (halves of characters, NUL), cut to a length."""
    text = value.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= longest else f"{text[:longest - 1]}…"


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in lists of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin:begin + size]
