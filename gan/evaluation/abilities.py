"""What models can do beside drawing samples (section 7 of the paper), how it is measured, and what others published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Ability:
    name: str
    """as in assessment.json"""
    title: str
    best: Literal["lowest", "highest"]
    unit: Literal["share", "distance", "variance"]
    """`share` from 0 to 1, shown in percent; `distance` between images, the root of the mean square over pixels;
    `variance`: a mean squared error by the variance of what is predicted, 1 where the mean would do as well"""
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
    Ability("reconstruction_joint", "image to G(E(x)), E trained with G", "lowest", "distance",
            "How far is a test image from what G makes of its code?"),
    Ability("reconstruction_afterwards", "image to G(E′(x)), E′ trained after G", "lowest", "distance",
            "The same, by an encoder that learned z from G(z) when the game was over."),
    Ability("reconstruction_nearest", "image to the nearest training image", "lowest", "distance",
            "What a reconstruction is to be compared with."),
    Ability("class_kept_joint", "class kept in G(E(x))", "highest", "share",
            "How often does a classifier see a test image’s own class in its reconstruction?"),
    Ability("class_kept_afterwards", "class kept in G(E′(x))", "highest", "share",
            "The same, by the encoder that was trained after G."),
    Ability("code_recovered_joint", "error of E(G(z))", "lowest", "variance",
            "How far from z is the code of the sample G(z)? Who knows nothing and says the mean has 1."),
    Ability("code_recovered_afterwards", "error of E′(G(z))", "lowest", "variance",
            "The same, by the encoder that learned just this after the game."),
)
"""Those whose name holds no number"""
BY_NAME: Mapping[str, Ability] = {ability.name: ability for ability in ABILITIES}
_ERROR = re.compile(r"error_([1-9][0-9]*)_labels(_alone)?")

_SALIMANS = "Salimans et al. 2016, Improved Techniques for Training GANs, Table 1"
_MISCLASSIFIED = {20: (1677, 452), 50: (221, 136), 100: (93, 6.5), 200: (90, 4.2)}
"""By the number of labels, of 10,000 test images of MNIST, and the standard deviation over draws of labelled images"""

PUBLISHED: tuple[Published, ...] = (
    Published("test_log_likelihood", "conditional_nets", "mnist", 132, 1.8,
              "Mirza and Osindero 2014, Conditional Generative Adversarial Nets, Table 1",
              {"noise.dimensions": 100, "noise.distribution": "uniform", "recipe.batch_size": 100,
               "recipe.learning_rate.initial": 0.1, "recipe.learning_rate.decay": 1.00004,
               "recipe.learning_rate.minimum": 1e-06, "recipe.momentum.initial": 0.5, "recipe.momentum.final": 0.7,
               "recipe.objective": "non_saturating", "recipe.penalty": None, "discriminator.spectral_norm": False},
              "There the class and the noise, or the image, have a layer of their own before they are joined, and G "
              "has dropout, too."),
    *(Published(f"error_{labels}_labels", "semi_supervised_nets", "mnist", value / 10_000, error / 10_000, _SALIMANS,
                {"epochs": 300, "batch_size": 100, "learning_rate": 0.003, "beta1": 0.5, "noise.dimensions": 100,
                 "noise.distribution": "uniform", "batch_normalised": True, "input_noise": 0.3, "hidden_noise": 0.5},
                "Mean and standard deviation over 10 draws of labels. Its D has five hidden layers of rectifiers with "
                "data-dependent initial scales, its G softplus units; the players step one after the other; its images "
                "without labels are all 60,000 of the training file.")
      for labels, (value, error) in _MISCLASSIFIED.items()),
)


def ability(name: str) -> Ability:
    """By its name, which may hold a number, as `error_100_labels` does. KeyError for a name that is none."""
    match = _ERROR.fullmatch(name)
    if match is None:
        return BY_NAME[name]
    labels = f"{int(match[1]):,} labels"
    if match[2]:
        return Ability(name, f"test error with {labels} alone", "lowest", "share",
                       "The same discriminator, trained on the labelled images and nothing else.")
    return Ability(name, f"test error with {labels}", "lowest", "share",
                   "Of what share of test images does D say another class than theirs?")


def published(what: str, model: str, dataset: str) -> Published | None:
    return next((one for one in PUBLISHED if (one.what, one.model, one.dataset) == (what, model, dataset)), None)


def differs(one: Published, model: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Settings in which a model's block is another than the source's: name, theirs, ours."""
    found = []
    for name, theirs in one.settings.items():
        ours: Any = model
        for part in name.split("."):
            ours = ours.get(part) if isinstance(ours, Mapping) else None
        if ours != theirs and not (ours is None and theirs is False):  # a setting that is not given is off
            found.append((name, theirs, ours))
    return found
