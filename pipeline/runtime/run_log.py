"""What differs between two identical runs (durations, host, commit, names of runs), kept apart from stage outputs.

Small JSON files in `.run_log/`, which neither git nor DVC tracks: the page shows them where it marks that they
vary, and everything else on it is the same to the byte. Nothing depends on them; where they are missing, the page says
so.

What `dvc exp run --temp` or `--queue` runs is recorded in the checkout, as DVC deletes the folder in which it ran, and
beside what the checkout itself ran: its page tells no times of other settings.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.errors import ReproductionError
from pipeline.runtime import files
from pipeline.runtime.checkout import is_temporary, main_checkout

FOLDER = Path(".run_log")
EXPERIMENT = "DVC_EXP_NAME"
"""environment variable that DVC sets for what `dvc exp run` runs"""


def record(kind: str, name: str, content: Mapping[str, Any]) -> None:
    """Keep `content` (plain JSON values) under a name, in place of what was there; never raises, as no result may fail
    for want of it."""
    with contextlib.suppress(ReproductionError, ValueError, TypeError):
        name += _suffix()
        file = re.sub(r"[^\w@.-]", "_", name)
        files.write_json(main_checkout() / FOLDER / kind / f"{file}.json", {"name": name, **content})


def read(kind: str) -> dict[str, dict[str, Any]]:
    """All that was recorded of a kind, by name; what cannot be read is left out. In an experiment's own folder its
    records come under the plain names, in place of the checkout's."""
    found = {}
    for path in sorted((main_checkout() / FOLDER / kind).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text())
            found[str(content["name"])] = content
    if suffix := _suffix():
        found |= {name.removesuffix(suffix): content for name, content in found.items() if name.endswith(suffix)}
    return found


def _suffix() -> str:
    """By which the records of an experiment in a folder of its own are told from those of the checkout."""
    return f" ({os.environ.get(EXPERIMENT) or Path.cwd().name})" if is_temporary() else ""
