"""Minibatch features on pictures of 128 × 128, of a folder of class folders that the user names."""

from __future__ import annotations

from gan.datasets.sources import StartProgress
from gan.lessons import minibatch_gan
from gan.lessons.lesson import Outcome
from gan.lessons.pictures import Pictures
from gan.lessons.settings import MinibatchGanAt128

SOURCE = (
    "Slide 14 (2016), “Minibatch GAN on ImageNet”; Salimans et al. 2016, “Improved Techniques for Training GANs”, "
    "section 6.4")
STATEMENT = (
    "The slide shows samples of 128 × 128 pixels of a GAN with minibatch features that was trained on ImageNet. "
    "Salimans et al. show them beside samples of a DCGAN, and say that with their techniques the game learned to draw "
    "recognisable fur, eyes and noses, but did not put them together to an animal with the right anatomy.")
EXPERIMENT = (
    "As on CIFAR-10, one doubling of the pictures deeper for each doubling of their side, on a folder of class folders "
    "named imagenet: the same game with minibatch features (B = {features}, C = {width}) and without, {channels} "
    "channels at the widest side, {steps} steps of {batch} pictures, seeds {seeds}. The score is by a classifier of "
    "these classes that was trained here, so it compares with no published one; coverage is the share of {judged} test "
    "images that have a sample near, in its features.")
TAKEAWAY = (
    "The classifier’s own accuracy, among the numbers, says how much its score can tell: one that is right on few test "
    "images is a poor judge of samples. What holds on small photographs need not hold here, where there is more to get "
    "wrong and less of each class to learn from. Look at the pictures: parts come first, and wholes much later.")


def run(settings: MinibatchGanAt128, start: StartProgress, pictures: Pictures) -> Outcome:
    return minibatch_gan.run(settings, start, pictures)
