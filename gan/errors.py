"""Errors that a user can act on."""

from __future__ import annotations


class ReproductionError(Exception):
    """Something the user can mend: names the thing, what was expected, what was found, what to do.

    Stages print it as it is, without a traceback, and exit with status 1.
    """

    def __init__(self, what: str, *, expected: str = "", found: str = "", remedy: str = "") -> None:
        lines = [what]
        lines += [f"  {label}: {text}" for label, text in
                  (("expected", expected), ("found", found), ("what to do", remedy)) if text]
        super().__init__("\n".join(lines))
        self.what, self.found, self.remedy = what, found, remedy


class DataError(ReproductionError):
    """A data file is missing, truncated, altered or malformed."""


class SourceUnavailable(DataError):
    """A source of a data set cannot be reached or does not have it; the next one may."""


class ParameterError(ReproductionError):
    """params.yaml holds an unknown key or a value out of range."""


class TrainingDiverged(ReproductionError):
    """A loss or a weight stopped being a finite number."""

    def __init__(self, epoch: int, what: str, remedy: str) -> None:
        super().__init__(f"training diverged in epoch {epoch}", expected="finite losses and weights",
                         found=what, remedy=remedy)
        self.epoch = epoch
