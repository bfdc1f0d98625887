"""Code blocks and commands of README.md, CONTRIBUTING.md and docs/."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PROGRAMS = ("make", "python", "python3", "dvc", "git")
"""Those whose commands in the text are taken for commands of ours"""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, and what is in it, not indented."""

    place: str
    language: str
    text: str


def blocks(language: str | None = None) -> list[Block]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.S | re.M):
            place = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
            if language in (None, match[2]):
                found.append(Block(place, match[2], textwrap.dedent(match[3])))
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of a console block, and in the text what begins like one of PROGRAMS; each with its place."""
    for block in blocks("console"):
        lines = block.text.splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        if not typed and lines[0].split()[0] in PROGRAMS:
            typed = lines
        for line in typed:
            yield from _split(block.place, line)
    for path in DOCUMENTS:
        prose = re.sub(r"^( *)```.*?^\1```$", "", path.read_text(), flags=re.S | re.M)
        for span in re.findall(r"`([^`]+)`", prose):
            line = " ".join(span.split())
            first = next((word for word in line.split() if not re.match(r"\w+=", word)), "")
            if first in PROGRAMS and len(line.split()) > 1:
                yield from _split(path.name, line)


def _split(place: str, line: str) -> Iterator[tuple[str, list[str]]]:
    """Commands apart, without settings of the environment, redirections and words that stand for others."""
    for command in re.split(r" && |; | \| ", re.sub(r"\s#.*", "", line)):
        words = shlex.split(re.sub(r"<[^>]*>", "…", command))
        while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] == "time"):
            words = words[1:]
        if words:
            yield place, words
