"""In what two files of one kind differ, for people: keys of JSON, cells of CSV, tensors of safetensors."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from gan.errors import DataError
from pipeline.runtime import files

SHOWN = 5
"""Keys or tensors that are named one by one"""
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "path", "source", "wbr"}


def same(ours: Path, theirs: Path) -> bool:
    """Whether two files are the same to the byte; of a page, without what it marks as varying from run to run."""
    if ours.stat().st_size == theirs.stat().st_size and files.sha256(ours) == files.sha256(theirs):
        return True
    return ours.suffix == ".html" and _page(ours) == _page(theirs)


def difference(ours: Path, theirs: Path) -> str:
    """What differs between two files that are not the `same`, in one line."""
    kinds = {".json": _json, ".csv": _csv, ".safetensors": _tensors, ".html": _html}
    try:
        return kinds.get(ours.suffix, _bytes)(ours, theirs)
    except (DataError, ValueError, OSError, csv.Error, safetensors.SafetensorError):
        return _bytes(ours, theirs)  # not what its name says


def without_varying(source: str) -> str:
    """A page without the content of the elements that it marks by the attribute `data-varies`."""
    kept, depth, at = [], 0, 0
    for tag in re.finditer(r"<(/?)([a-z0-9]+)([^>]*)>", source):
        closing, name, attributes = tag.groups()
        if depth == 0:
            if "data-varies" in attributes and name not in VOID:
                kept.append(source[at:tag.end()])
                depth = 1
        elif closing:
            depth -= 1
            at = tag.start()
        elif name not in VOID and not attributes.endswith("/"):
            depth += 1
    return "".join([*kept, source[at:] if depth == 0 else ""])


def _json(ours: Path, theirs: Path) -> str:
    return _listed([f"{key}: {_short(one)}, {_short(other)}" for key, one, other in _unequal(
        json.loads(ours.read_text()), json.loads(theirs.read_text()))]) or "written differently, equal in content"


def _unequal(ours: Any, theirs: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Keys, such as `seeds[0].epoch`, whose values differ, with both; a key that is missing has the value `...`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            yield from _unequal(ours.get(name, ...), theirs.get(name, ...), f"{key}.{name}" if key else str(name))
    elif isinstance(ours, list) and isinstance(theirs, list):
        for i, (one, other) in enumerate(itertools.zip_longest(ours, theirs, fillvalue=...)):
            yield from _unequal(one, other, f"{key}[{i}]")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield key or "all of it", ours, theirs


def _csv(ours: Path, theirs: Path) -> str:
    one, other = (list(csv.reader(io.StringIO(path.read_text()))) for path in (ours, theirs))
    nothing: list[str] = []
    for i, (row, its) in enumerate(itertools.zip_longest(one, other, fillvalue=nothing)):
        for j, (cell, that) in enumerate(itertools.zip_longest(row, its)):
            if cell != that:
                column = one[0][j] if one and j < len(one[0]) else f"column {j + 1}"
                return f"line {i + 1}, {column}: {_short(... if cell is None else cell)}, " \
                       f"{_short(... if that is None else that)}"
    return "written differently, equal in content"


def _tensors(ours: Path, theirs: Path) -> str:
    (one, about), (other, its) = files.read_tensors(ours), files.read_tensors(theirs)
    found = [f"header {key}: {_short(a)}, {_short(b)}" for key, a, b in _unequal(about, its)]
    for name in [*one, *(name for name in other if name not in one)]:
        if name not in one or name not in other:
            found.append(f"{name}: {'here' if name in one else 'there'} alone")
        elif (one[name].shape, one[name].dtype) != (other[name].shape, other[name].dtype):
            found.append(f"{name}: {_kind(one[name])}, {_kind(other[name])}")
        elif not torch.equal(one[name], other[name]):
            largest = (one[name].double() - other[name].double()).abs().max().item()
            found.append(f"{name}: by {largest:.3g} at most")
    return _listed(found) or "written differently, equal in content"


def _html(ours: Path, theirs: Path) -> str:
    one, other = (_page(path).splitlines() for path in (ours, theirs))
    for i, (line, its) in enumerate(itertools.zip_longest(one, other, fillvalue="")):
        if line != its:
            at = next((j for j, (a, b) in enumerate(zip(line, its, strict=False)) if a != b), min(len(line), len(its)))
            start = max(at - 20, 0)
            return f"outside what varies, line {i + 1}: {_short(line[start:at + 20])}, {_short(its[start:at + 20])}"
    return "outside what varies"


def _bytes(ours: Path, theirs: Path) -> str:
    one, other = (np.frombuffer(path.read_bytes(), np.uint8) for path in (ours, theirs))
    common = min(len(one), len(other))
    unequal = np.flatnonzero(one[:common] != other[:common])
    at = unequal[0] if len(unequal) else common
    return f"from byte {at:,} on; {len(one):,} bytes, {len(other):,} bytes"


def _page(path: Path) -> str:
    return without_varying(path.read_text(errors="replace"))


def _listed(found: list[str]) -> str:
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "; ".join([*found[:SHOWN], *more])


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _short(value: Any, length: int = 60) -> str:
    text = "nothing" if value is ... else json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= length else f"{text[:length]}…"
