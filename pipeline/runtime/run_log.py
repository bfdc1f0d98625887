"""What differs between two identical runs (durations, host, commit, names of runs), kept apart from stage outputs.

Small JSON files in `.run_log/`, which neither git nor DVC tracks: the page shows them where it marks that they
vary, and everything else on it is the same to the byte. Nothing depends on them; where they are missing, the page says
so.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.errors import ReproductionError
from pipeline.runtime import files

FOLDER = Path(".run_log")


def record(kind: str, name: str, content: Mapping[str, Any]) -> None:
    """Keep `content` (plain JSON values) under a name, in place of what was there; never raises, as no result may fail
    for want of it."""
    with contextlib.suppress(ReproductionError, ValueError, TypeError):
        file = re.sub(r"[^\w@.-]", "_", name)
        files.write_json(FOLDER / kind / f"{file}.json", {"name": name, **content})


def read(kind: str) -> dict[str, dict[str, Any]]:
    """All that was recorded of a kind, by name; what cannot be read is left out."""
    found = {}
    for path in sorted((FOLDER / kind).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text())
            found[str(content["name"])] = content
    return found
