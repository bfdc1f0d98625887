"""What git would show of a change."""

from __future__ import annotations

import difflib


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that went, with - before them, and those that came, with +."""
    return [line for line in difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
            if line[0] in "+-" and line[:3] not in ("+++", "---")]
