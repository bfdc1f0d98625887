"""Which lessons there are, in the order in which they are read. A new one is entered here.

Titles and settings are known without the lessons' modules, which import torch and SciPy: a module is imported when its
lesson is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gan.lessons import settings
from gan.lessons.lesson import Lesson
from gan.lessons.settings import LessonSettings


@dataclass(frozen=True)
class Entry:
    title: str
    settings: type[LessonSettings]
    """The numbers that shape the result; the defaults are what is run"""
    data: str = ""
    """The data set that `run` wants besides, if any"""
    by_name: bool = False
    """Whether it is run only where it is named: it takes hours, and data of the user's own"""


LESSONS: Mapping[str, Entry] = {
    "figure_1": Entry("Figure 1: what the two players do to each other", settings.Figure1),
    "optimal_discriminator": Entry("The optimal discriminator is a ratio of densities", settings.OptimalDiscriminator),
    "global_optimum": Entry("The global optimum is p_g = p_data, at −log 4", settings.GlobalOptimum),
    "convergence": Entry("Algorithm 1 converges where the problem is convex", settings.Convergence),
    "non_saturating": Entry("Non-saturating against minimax: who still learns when D is sure",
                            settings.NonSaturating, data="mnist"),
    "self_play": Entry("Self-play: who meets only itself learns to lose to nobody", settings.SelfPlay),
    "robust_optimisation": Entry("Robust optimisation: games whose solution can be written down",
                                 settings.RobustOptimisation),
    "adversarial_examples": Entry("Adversarial examples: as robust as the adversary in training was strong",
                                  settings.AdversarialExamples, data="mnist"),
    "vector_arithmetic": Entry("Vector arithmetic: attributes that are directions can be added",
                               settings.VectorArithmetic, data="mnist"),
    "non_convergence": Entry("Following the slope need not reach the equilibrium", settings.NonConvergence),
    "mode_collapse": Entry("Mode collapse: min max is not max min", settings.ModeCollapse),
    "minibatch_features": Entry("Minibatch features: seeing that all samples are alike", settings.MinibatchFeatures,
                                data="mnist"),
    "minibatch_gan": Entry("Minibatch features on photographs", settings.MinibatchGan, data="cifar10"),
    "minibatch_gan_at_128": Entry("Minibatch features at 128 × 128", settings.MinibatchGanAt128, data="imagenet",
                                  by_name=True),
    "honest_pictures": Entry("Honest pictures: how many were drawn, and who chose", settings.HonestPictures,
                             data="mnist"),
    "problems_measured": Entry("Counting, perspective, global structure: right in every part, wrong as a whole",
                               settings.ProblemsMeasured),
    "image_to_image": Entry("Image to image: absolute error hesitates, an adversary commits itself",
                            settings.ImageToImage, data="mnist"),
    "plug_and_play": Entry("Plug and play: a classifier steers a generator that knows no classes",
                           settings.PlugAndPlay, data="mnist"),
    "many_answers": Entry("Many answers: the average of two right ones is wrong", settings.ManyAnswers),
    "next_frame": Entry("The next frame: squared error predicts both futures at once", settings.NextFrame),
    "markets": Entry("Markets: some games turn in circles, some settle", settings.Markets),
}


def module_of(name: str) -> str:
    """The module of a lesson; with what that imports, it is what the lesson's results depend on."""
    return f"gan.lessons.{name}"


def lesson(name: str) -> Lesson:
    """The lesson `name` of LESSONS."""
    return cast(Lesson, importlib.import_module(module_of(name)))
