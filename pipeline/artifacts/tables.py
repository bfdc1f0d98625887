"""Tables of numbers as CSV files: equal content gives equal bytes."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.files import write_text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], digits: int = 7) -> Path:
    """Numbers to so many digits; an empty cell where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value, digits) for value in row] for row in rows)
    write_text(path, text.getvalue())
    return path


def _cell(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
