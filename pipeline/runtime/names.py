"""Names that a user writes: the nearest of those that there are, where it is none of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from gan.errors import ParameterError


def require_known(name: Any, known: Iterable[str], what: str, where: str, otherwise: str = "") -> None:
    """Raise ParameterError naming the nearest of `known` unless `name` is one of them; `where` it stands in the user's
    words, and what to do `otherwise`, where none is near."""
    known = list(map(str, known))
    if name not in known:
        close = nearest(str(name), known)
        raise ParameterError(f"{where}: unknown {what} {name!r}", expected=f"one of {', '.join(known)}",
                             remedy=f"did you mean {close!r}?" if close else otherwise)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Of `known` the one that is most like `name`, whatever its case; empty where none is."""
    by_case = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=cutoff)
    return by_case[close[0]] if close else ""
