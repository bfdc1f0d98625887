"""What the settings of models share: they are plain dataclasses that check their own ranges."""

from __future__ import annotations

from typing import TypedDict


class Strict(TypedDict):
    extra: str


STRICT: Strict = {"extra": "forbid"}
"""Read by pydantic where settings come from params.yaml: a key that a dataclass does not have is an error."""


def require(condition: bool, message: str) -> None:
    """Raise ValueError with `message`, which names the key and its range, unless `condition` holds."""
    if not condition:
        raise ValueError(message)
