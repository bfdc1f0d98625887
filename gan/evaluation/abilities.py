"""What models can do beside drawing samples (section 7 of the paper), how it is measured, and what others published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Published:
    value: float
    error: float
    source: str
    differs: str
    """in what the source's protocol is another than ours"""


@dataclass(frozen=True)
class Ability:
    name: str
    """as in assessment.json"""
    title: str
    best: Literal["lowest", "highest"]
    unit: Literal["share", "distance"]
    """`share` from 0 to 1, shown in percent; `distance` between images, the root of the mean square over pixels"""
    question: str
    published: Published | None = None


ABILITIES: tuple[Ability, ...] = ()
BY_NAME: Mapping[str, Ability] = {ability.name: ability for ability in ABILITIES}
