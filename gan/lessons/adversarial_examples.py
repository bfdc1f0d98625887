"""A lesson on adversarial examples: a classifier trained against an adversary is as robust as that one was strong."""

from __future__ import annotations

import itertools
import statistics

from torch import Tensor

from gan.adversarial.layers import Network
from gan.datasets.sources import StartProgress
from gan.evaluation.subsets import evenly_spaced
from gan.lessons.batched import Noise
from gan.lessons.digits import CLASSES, Digits
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.parts.adversarial_examples_attacks import (
    fast_gradient_sign,
    losses,
    projected_gradient,
    random_signs,
    train,
)
from gan.lessons.settings import AdversarialExamples

SOURCE = (
    "Slide 2 (2016), “Adversarial Training”: “training neural networks on adversarial examples (Szegedy et al 2013, "
    "Goodfellow et al 2014)”; Goodfellow, Shlens, Szegedy, “Explaining and Harnessing Adversarial Examples”, sections "
    "4 to 6; Madry et al. 2018; Athalye, Carlini, Wagner 2018")
STATEMENT = (
    "A classifier that reads nearly every digit can be made to misread nearly all of them by a change of every pixel "
    "by no more than ε, chosen by an adversary: ε times the sign of the loss’s slope by the pixels (FGSM) is the worst "
    "change, were the loss linear. The same change fools other networks too. Train on such worst-case inputs, and the "
    "error under attack falls: for a maxout network at ε = .25 it was published as 89.4 % before and 17.9 % after. "
    "Training is then a game, min over weights of max over inputs, and its worth hangs on the inner player. One step "
    "of FGSM only finds the maximum of a linear loss; a network can learn to bend its loss so that this step misses "
    "(gradient masking). Several projected steps (PGD) find what was hidden.")
EXPERIMENT = (
    "Perceptrons with two layers of {units} ReLU units, seeds {seeds}, trained three times from the same start on the "
    "same {steps} minibatches of {batch} MNIST training images: as they are; half as they are and half under FGSM; "
    "half as they are and half under PGD of {inner} steps; both within ε = {epsilon}, which grows to that value in the "
    "first third or so. Each is then attacked at ε = {epsilons} by FGSM and by PGD of {attack} steps from a random "
    "start, with full knowledge of it, and moved by random signs for comparison; ε = {wide} is wide enough for any "
    "digit to be turned to grey. Pixels run from 0 to 1 and stay there. Errors are counted on {judged} test images at "
    "equal distances (every tenth), which chose nothing here; what they show is the answer of the classifier that "
    "judges samples elsewhere on this page. Last, FGSM images made for one seed are shown to the networks of the "
    "others.")
TAKEAWAY = (
    "Judged by the attack it was trained on, the network trained on FGSM looks nearly as good as the published one. A "
    "stronger attack at the same ε undoes it: it has learnt to mislead its adversary, not to read. Other signs give "
    "that away. Its error under FGSM is larger at a small ε than at larger ones; random signs that harm no other "
    "network harm this one; and images made for networks of other kinds fool it more often than those made for "
    "itself. With several inner steps the robustness is real as far as these attacks tell: error and loss rise with "
    "ε, images made for others do less harm than its own, and where ε is wide every digit falls. It costs a pass more "
    "for each step and some accuracy on clean images, and it is far from complete in so small a perceptron (Madry et "
    "al. publish an error of 10.7 % under PGD at ε = .3, for a convolutional network trained for much longer). The "
    "same holds for GANs: what the minimising player learns is only as good as the maximum that the other one finds, "
    "and a player should be judged by an adversary that it was not trained on.")

TRAININGS = ("plain", "fgsm", "pgd")
NAMES = {"plain": "plain", "fgsm": "trained on FGSM", "pgd": "trained on PGD"}
ATTACKS = ("random", "fgsm", "pgd")
SHOWN = 10
"""Test images that are drawn, the first ones judged"""


def run(settings: AdversarialExamples, start: StartProgress, digits: Digits) -> Outcome:
    labels = digits.training_labels()
    judged = evenly_spaced(digits.test, settings.judged)
    x = judged.expand(len(settings.seeds), -1, -1).contiguous()
    y = digits.judge(judged).argmax(1).expand(len(settings.seeds), -1).contiguous()
    inner = {"plain": 0, "fgsm": 1, "pgd": settings.inner}
    networks, clean = {}, Rows("training", "seed", "error", "loss")
    with start("adversarial examples", len(TRAININGS) * settings.steps, "step") as meter:
        for training in TRAININGS:
            def advance(n: int, training: str = training) -> None:
                meter.advance(n, NAMES[training])

            networks[training] = train(
                digits.train, labels, settings.units, CLASSES, settings.seeds, batch=settings.batch,
                steps=settings.steps, learning_rate=settings.learning_rate, epsilon=settings.epsilon,
                inner=inner[training], advance=advance)
            _note(clean, (training,), networks[training], settings.seeds, x, y)
    under = Rows("training", "attack", "epsilon", "seed", "error", "loss")
    begin = Noise(settings.seeds, "attack start").uniform(*x.shape[1:])
    for training, network in networks.items():
        for epsilon in [*settings.epsilons, settings.wide]:
            for attack, found in _attacks(settings, network, x, y, epsilon, begin).items():
                _note(under, (training, attack, epsilon), network, settings.seeds, found, y)
    transfer = _transfer(settings, networks, x, y)
    pictures, images = _pictures(settings, networks, x, y, begin)
    return Outcome(_criteria(settings, clean, under, transfer), {
        "clean": clean.table, "attacks": under.table, "transfer": transfer.table, "pictures": pictures.table},
        _numbers(settings, digits, under, transfer), images)


def _criteria(settings: AdversarialExamples, clean: Rows, under: Rows, transfer: Rows) -> list[Criterion]:
    epsilon = settings.epsilon

    def error(training: str, attack: str, at: float = epsilon) -> list[float]:
        return under.numbers("error", training=training, attack=attack, epsilon=at)

    stronger = [a - b for a, b in zip(under.numbers("loss", attack="pgd"), under.numbers("loss", attack="fgsm"),
                                      strict=True)]
    rises = [larger - smaller for training in TRAININGS for seed in settings.seeds
             for smaller, larger in itertools.pairwise([
                 *clean.numbers("loss", training=training, seed=seed),
                 *under.numbers("loss", training=training, attack="pgd", seed=seed)])]
    gained = [ours - plain for at in settings.epsilons if at <= epsilon
              for ours, plain in zip(error("pgd", "pgd", at), error("plain", "pgd", at), strict=True)]
    chance = dict(zip(settings.seeds, error("plain", "random"), strict=True))
    carried = [value - chance[seed] for seed in settings.seeds
               for value in transfer.numbers("error", made_for="plain", shown_to="plain", judged_by=seed)]
    at = f"ε = {epsilon:g}"
    return [
        Criterion("plain: error on clean images, worst seed", max(clean.numbers("error", training="plain")), "<", 0.05),
        Criterion(f"plain: error under FGSM, {at}, least seed", min(error("plain", "fgsm")), ">", 0.5),
        Criterion(f"trained on FGSM: error under FGSM, {at}, worst seed", max(error("fgsm", "fgsm")), "<", 0.5),
        Criterion(f"trained on FGSM: error under PGD, {at}, least seed: the gradient was masked",
                  min(error("fgsm", "pgd")), ">", 0.5),
        Criterion(f"error under PGD, trained on PGD less plain, largest over seeds and ε up to {epsilon:g}",
                  max(gained), "<", -0.25),
        Criterion("mean loss under PGD less that under FGSM, least over all networks and ε", min(stronger), ">", 0.0,
                  "nats"),
        Criterion("mean loss under PGD: rise from one ε to the next, least over all networks and ε", min(rises), ">",
                  0.0, "nats"),
        Criterion(f"error under PGD at ε = {settings.wide:g}, least over all networks",
                  min(under.numbers("error", attack="pgd", epsilon=settings.wide)), ">", 0.9),
        Criterion(f"FGSM images of one plain network, {at}, shown to another: error less that under random signs, "
                  "least pair", min(carried), ">", 0.0)]


def _numbers(settings: AdversarialExamples, digits: Digits, under: Rows, transfer: Rows) -> dict[str, float | int]:
    """Means over seeds or pairs of them, published numbers beside them."""
    def error(training: str) -> float:
        return statistics.fmean(under.numbers("error", training=training, attack="fgsm", epsilon=settings.epsilon))

    def carried(made_for: str, shown_to: str) -> float:
        return statistics.fmean(transfer.numbers("error", made_for=made_for, shown_to=shown_to))

    at = f"ε = {settings.epsilon:g}"
    return {
        "accuracy of the judge, whose answers are the labels, on test images": digits.judge.accuracy,
        f"FGSM at {at}, plain: mean error (published for a maxout network: .894)": error("plain"),
        f"FGSM at {at}, trained on FGSM: mean error (published: .179)": error("fgsm"),
        f"FGSM images of a plain network, {at}, shown to one trained on FGSM: mean error (published: .196)":
            carried("plain", "fgsm"),
        f"FGSM images of a network trained on FGSM, {at}, shown to a plain one: mean error (published: .409)":
            carried("fgsm", "plain")}


def _attacks(settings: AdversarialExamples, network: Network, x: Tensor, y: Tensor, epsilon: float, begin: Tensor
             ) -> dict[str, Tensor]:
    """The images [S, n, d] as each of ATTACKS leaves them."""
    return {"random": random_signs(x, epsilon, Noise(settings.seeds, "signs")),
            "fgsm": fast_gradient_sign(network, x, y, epsilon),
            "pgd": projected_gradient(network, x, y, epsilon, settings.attack, begin)}


def _note(rows: Rows, names: tuple[str | float, ...], network: Network, seeds: list[int], x: Tensor, y: Tensor
          ) -> None:
    """A row for each seed: the share misread and the mean loss."""
    logits = network.forward(x)
    for row in zip(seeds, _misread(logits, y).tolist(), losses(logits, y).mean(1).tolist(), strict=True):
        rows.add(*names, *row)


def _misread(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of each network's images, [S]"""
    return (logits.argmax(-1) != labels).float().mean(1)


def _transfer(settings: AdversarialExamples, networks: dict[str, Network], x: Tensor, y: Tensor) -> Rows:
    """Errors of each network on FGSM images made for another one of another seed."""
    rows, seeds = Rows("made_for", "shown_to", "seed", "judged_by", "error"), settings.seeds
    for made_for, network in networks.items():
        images = fast_gradient_sign(network, x, y, settings.epsilon)
        for shown_to, judge in networks.items():
            for shift in range(1, len(seeds)):
                for i, error in enumerate(_misread(judge.forward(images.roll(shift, 0)), y).tolist()):
                    rows.add(made_for, shown_to, seeds[i - shift], seeds[i], error)
    return rows


def _pictures(settings: AdversarialExamples, networks: dict[str, Network], x: Tensor, y: Tensor, begin: Tensor
              ) -> tuple[Rows, dict[str, Tensor]]:
    """Of the first seed: images, how PGD changes them (grey: not at all), and what the networks then read."""
    rows, images = Rows("training", "image", "label", "read"), {"clean": x[0, :SHOWN]}
    for training in ("plain", "pgd"):
        found = projected_gradient(networks[training], x, y, settings.epsilon, settings.attack, begin)
        read = networks[training].forward(found)[0, :SHOWN].argmax(-1)
        for i, (label, answer) in enumerate(zip(y[0, :SHOWN].tolist(), read.tolist(), strict=True)):
            rows.add(training, i, label, answer)
        images[f"{training} change"] = 0.5 + (found - x)[0, :SHOWN] / (2 * settings.epsilon)
        images[f"{training} disturbed"] = found[0, :SHOWN]
    return rows, images
