"""What models can do beside drawing samples (section 7 of the paper), how it is measured, and what others published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Ability:
    name: str
    """as in assessment.json"""
    title: str
    best: Literal["lowest", "highest"]
    unit: Literal["share", "distance", "number"]
    """`share` from 0 to 1, shown in percent; `distance` between images, the root of the mean square over pixels"""
    question: str


@dataclass(frozen=True)
class Published:
    """A figure that others have published for something that is measured here, too."""

    what: str
    """the name of an ability, or `test_log_likelihood`"""
    model: str
    """as `gan.registry.model_of` has it"""
    dataset: str
    value: float
    error: float
    source: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """that the source gives, by their dotted names in a model's block; None for what it does not have"""
    otherwise: str = ""
    """in what else it is another experiment"""


ABILITIES: tuple[Ability, ...] = (
    Ability("as_asked", "of the class asked for", "highest", "share",
            "Of what share of samples does a classifier say the class that was asked for?"),
    Ability("completion_class", "completed to its class", "highest", "share",
            "Of half a test image: how often is what it is completed to of the image’s class?"),
    Ability("completion_class_nearest", "the same, by the nearest training image", "highest", "share",
            "Completed with the other half of the training image whose given half is nearest."),
    Ability("completion_distance", "completed pixels to the image’s own", "lowest", "distance",
            "How far are the completed pixels from the image’s own?"),
    Ability("completion_distance_nearest", "the same, by the nearest training image", "lowest", "distance",
            "Completed with the other half of the training image whose given half is nearest."),
    Ability("completion_variety", "between two answers", "highest", "distance",
            "How far apart are two answers for one half? 0 would be one answer for each."),
)
BY_NAME: Mapping[str, Ability] = {ability.name: ability for ability in ABILITIES}

PUBLISHED: tuple[Published, ...] = (
    Published("test_log_likelihood", "conditional_nets", "mnist", 132, 1.8,
              "Mirza and Osindero 2014, Conditional Generative Adversarial Nets, Table 1",
              {"noise.dimensions": 100, "noise.distribution": "uniform", "recipe.batch_size": 100,
               "recipe.learning_rate.initial": 0.1, "recipe.learning_rate.decay": 1.00004,
               "recipe.learning_rate.minimum": 1e-06, "recipe.momentum.initial": 0.5, "recipe.momentum.final": 0.7,
               "recipe.objective": "non_saturating", "recipe.penalty": None, "discriminator.spectral_norm": False},
              "There the class and the noise, or the image, have a layer of their own before they are joined, and G "
              "has dropout, too."),
)


def ability(name: str) -> Ability:
    """KeyError for an unknown name."""
    return BY_NAME[name]


def published(what: str, model: str, dataset: str) -> Published | None:
    return next((one for one in PUBLISHED if (one.what, one.model, one.dataset) == (what, model, dataset)), None)


def differs(one: Published, model: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings in which a model's block is another than the source's: name, theirs, ours."""
    found = []
    for name, theirs in one.settings.items():
        ours: Any = model
        for part in name.split("."):
            ours = ours.get(part) if isinstance(ours, Mapping) else None
        if ours != theirs:
            found.append((name, theirs, ours))
    return found
