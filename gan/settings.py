"""What the settings of models share: they are plain dataclasses that check their own ranges."""

from __future__ import annotations

from typing import ClassVar


class ParameterBlock:
    """Base of the dataclasses that stand for a block of params.yaml.

    pydantic, which fills them from YAML, reads the attribute: a key that a dataclass does not have is an error.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


def require(condition: bool, message: str) -> None:
    """Raise ValueError with `message`, which names the key and its range, unless `condition` holds."""
    if not condition:
        raise ValueError(message)
