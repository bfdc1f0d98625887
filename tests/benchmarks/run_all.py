"""Run the sections, print their rows as they come, and write the table."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from gan.errors import ReproductionError
from pipeline.runtime import files, machine
from tests import benchmarks
from tests.benchmarks import pictures, table
from tests.benchmarks.table import Row
from tests.benchmarks.timing import FULL, QUICK, Effort

FOLDER = Path("reports/benchmarks")
TEXT = FOLDER / "README.md"
INTRODUCTION = """# Benchmarks

Written by `make bench`; a table for each machine on which it was run. Both sides of a row run by turns, in one process
unless the section says otherwise, after one run of each to get started. A ratio is the median over repeats of the ratio
within each, with the quartiles in brackets: *×* says how many times as long ours takes, *× faster* how many times as
long the other one takes, *%* what share of the time. Seconds are medians, ours first. A curve is about proportional to
a power of x, whose exponent is the slope of the least squares line through its points, both axes logarithmic.
"""


@dataclass(frozen=True)
class Section:
    heading: str
    text: str
    rows: list[Row]


def sections() -> dict[str, ModuleType]:
    """Every module here that has rows, in order."""
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith(
        ("_", "test_"))]
    modules = {name: importlib.import_module(f"tests.benchmarks.{name}") for name in names}
    found = [name for name in names if hasattr(modules[name], "rows")]
    return {name: modules[name] for name in sorted(found, key=lambda name: (order(modules[name]), name))}


def order(module: ModuleType) -> int:
    return int(getattr(module, "ORDER", 100))


def on_request(module: ModuleType) -> bool:
    """Whether a section is run only where it is named."""
    return bool(getattr(module, "ON_REQUEST", False))


def run(names: Sequence[str], quick: bool = False) -> None:
    """All sections but those on request, or those named. After a full run the table is written; what was not run keeps
    the rows of before."""
    known = sections()
    for name in names:
        if name not in known:
            raise ReproductionError(f"there is no benchmark {name}", expected=", ".join(known), found=name,
                                    remedy="name one of these, or none for all of them")
    device = machine.choose_device()
    hardware = machine.hardware(device)
    effort = QUICK if quick else FULL
    print(f"{machine.describe(hardware)}; {hardware['threads']} threads", flush=True)
    start = time.monotonic()
    done = [measure(module, effort, device) for name, module in known.items()
            if (name in names if names else not on_request(module))]
    print(f"\n{time.monotonic() - start:.0f} s", flush=True)
    if effort.full:
        write(done, hardware, whole=not names)
        print(f"written: {TEXT}")


def measure(module: ModuleType, effort: Effort, device: torch.device) -> Section:
    """One section, its rows printed as they come."""
    heading, _, text = (module.__doc__ or module.__name__).strip().partition("\n")
    print(f"\n{heading}", flush=True)
    return Section(heading, text.strip(), list(_printed(module.rows(effort, device))))


def _printed(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        print(table.line(row), flush=True)
        yield row


def write(done: Sequence[Section], hardware: Mapping[str, Any], whole: bool = True) -> None:
    """The data and curves of this machine, and the text for all machines. Sections that were not done now stay as they
    are; of those before a `whole` run, only the ones on request."""
    path = FOLDER / f"{slug(hardware)}.json"
    commit, clean = machine.commit()
    now = {section.heading: {"heading": section.heading, "text": section.text, "commit": commit, "clean": clean,
                             "rows": [table.as_json(row) for row in section.rows]} for section in done}
    requested = [_heading(module) for module in sections().values() if on_request(module)]
    before = {section["heading"]: section for section in (files.read_json(path)["sections"] if path.exists() else [])
              if not whole or section["heading"] in requested}
    ordered = [heading for module in sections().values() for heading in [_heading(module)] if heading in before | now]
    content = [(before | now)[heading] for heading in dict.fromkeys([*ordered, *before, *now])]
    files.write_json(path, {"hardware": dict(hardware), "sections": content})
    rows = [table.from_json(row) for section in content for row in section["rows"]]
    if curves := [row for row in rows if row.points]:
        files.write_bytes(path.with_suffix(".png"), pictures.curves(curves))
    if parts := [row for row in rows if row.part_of]:
        files.write_bytes(_parts_picture(path), pictures.bars(parts))
    files.write_text(TEXT, text(FOLDER))


def _parts_picture(path: Path) -> Path:
    return path.with_name(f"{path.stem}-parts.png")


def _heading(module: ModuleType) -> str:
    return (module.__doc__ or module.__name__).strip().partition("\n")[0]


def slug(hardware: Mapping[str, Any]) -> str:
    """"amd-epyc-2-cores", "nvidia-h200": a file's name for a machine."""
    name = hardware["accelerator"] or f"{hardware['processor']} {hardware['logical_cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def text(folder: Path) -> str:
    """The tables of all machines whose data lie in `folder`."""
    parts = [INTRODUCTION]
    for path in sorted(folder.glob("*.json")):
        content = files.read_json(path)
        parts.append(f"## {machine.describe(content['hardware'])}\n\n{content['hardware']['threads']} threads. "
                     f"The same as data: [{path.name}]({path.name}).\n")
        for section in content["sections"]:
            rows = [table.from_json(row) for row in section["rows"]]
            state = "" if section["clean"] else ", with changes that are not committed"
            parts.append(f"### {section['heading']}\n\n{section['text']} Measured at commit "
                         f"{section['commit'][:7] or 'unknown'}{state}.\n\n{table.markdown(rows)}")
            if curves := [row for row in rows if row.points]:
                parts.append("\n".join(["| curve | exponent | points |", "|---|---|---|",
                                        *map(_points, curves)]) + "\n")
                parts.append(f"![Cost against what it grows with]({path.stem}.png)\n")
            if any(row.part_of for row in rows):
                parts.append(f"![Parts of a whole, in percent]({_parts_picture(path).name})\n")
    return "\n".join(parts)


def _points(row: Row) -> str:
    listed = ", ".join(f"{x:,.0f}: {table.duration(y) if row.y == 'seconds' else f'{y:.2f} {row.y}'}"
                       for x, y in row.points)
    return f"| {row.y} against {row.x} | {row.exponent:.2f} | {listed} |"
