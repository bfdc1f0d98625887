"""A stand-in for the progress that reading a data set tells."""

from __future__ import annotations


class Meter:
    """Progress that must reach its total."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.left = total

    def advance(self, amount: int, note: str = "") -> None:
        self.left -= amount

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        assert kind or self.left == 0
