"""Pictures inside a page."""

from __future__ import annotations

import base64


def picture_source(picture: bytes | None) -> str:
    """A PNG as a data URI; empty if there is none."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}" if picture else ""
