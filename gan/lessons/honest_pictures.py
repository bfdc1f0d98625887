"""What a picture of samples shows depends on who chose them."""

from __future__ import annotations

import statistics

import torch
from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Mlp, Noise, falling
from gan.lessons.digits import Digits, DigitsGame, entropy, mean_distance
from gan.lessons.lesson import Criterion, Outcome, Rows, lower_end, upper_end
from gan.lessons.minibatch_features import histogram
from gan.lessons.settings import HonestPictures

SOURCE = (
    "Slides 15 to 18 (2016), “Cherry-Picked Results” and “Problems with Counting, Perspective, Global Structure”; "
    "Goodfellow et al. 2014, figure 2: “Samples are fair random draws, not cherry-picked.”")
STATEMENT = (
    "A grid of samples is a claim about a model. Chosen from enough draws, the grid of a poor model looks good. At "
    "its best D gives the ratio of densities, so its highest scores pick the samples that are most like data: "
    "pictures that are better one by one, and less varied together. Only the number drawn and the rule of choice say "
    "what a picture is worth.")
EXPERIMENT = (
    "A small GAN is trained on MNIST for {steps} rounds; then {drawn} samples are drawn, once. Three grids of {shown} "
    "are made from the same {drawn}: the first ones, nothing chosen; those with the highest score of D; those with "
    "the lowest. A classifier trained on real digits, which has no part in the choice, says how clearly each shows a "
    "digit: the probability it gives to its own answer. Seeds {seeds}, fixed beforehand; a difference is taken seed by "
    "seed, and counts as one if its mean is two standard errors from 0.")
TAKEAWAY = (
    "All three grids are true and come from the same draws. The second alone could have passed for the model, had the "
    "number under it been left out; the third shows what it hides: strokes without a plan, loops that never close, "
    "the small relatives of the slides’ cows with too many legs. Whether choosing also costs variety is no law: it "
    "depends on what D dislikes, and the table says how it was here. So every other grid of samples on this page "
    "shows the first that were drawn, from a seed fixed beforehand.")


def run(settings: HonestPictures, start: StartProgress, digits: Digits) -> Outcome:
    samples, scores = _train(settings, digits, start)
    judge = digits.judge
    grids = Rows("grid", "seed", "drawn", "shown", "score", "probability", "mean_distance", "entropy")
    each = Rows("seed", "sample", "score", "digit", "probability")
    images, unsure = {}, []
    for seed, drawn, logits in zip(settings.seeds, samples, scores, strict=True):
        probabilities = judge(drawn)
        sure = probabilities.amax(1)
        unsure.append(float((sure < 0.9).float().mean()))
        order = logits.argsort(descending=True, stable=True)
        for name, grid in (("first", torch.arange(settings.shown)), ("best", order[:settings.shown]),
                           ("worst", order[-settings.shown:])):
            grids.add(name, seed, settings.drawn, settings.shown, float(logits[grid].sigmoid().mean()),
                      float(sure[grid].mean()), float(mean_distance(drawn[grid].unsqueeze(0))),
                      float(entropy(histogram(probabilities[grid]))))
            images[f"{name}, seed {seed}"] = drawn[grid]
        for sample, cells in enumerate(zip(logits.sigmoid().tolist(), probabilities.argmax(1).tolist(), sure.tolist(),
                                           strict=True)):
            each.add(seed, sample, *cells)

    def gains(column: str, chosen: str) -> list[float]:
        """The chosen ones less the first drawn, for each seed."""
        return grids.differences(column, {"grid": chosen}, {"grid": "first"})

    criteria = [
        Criterion("judge’s mean probability, best by D less the first drawn: mean over seeds less two standard errors",
                  lower_end(gains("probability", "best")), ">", 0.0),
        Criterion("judge’s mean probability, worst by D less the first drawn: mean over seeds and two standard errors",
                  upper_end(gains("probability", "worst")), "<", 0.0),
        Criterion("mean distance between two pictures, best by D less the first drawn: mean over seeds and two "
                  "standard errors", upper_end(gains("mean_distance", "best")), "<", 0.0)]
    numbers = {"accuracy of the judge on test images": judge.accuracy,
               "share of all samples to which the judge gives less than .9": statistics.fmean(unsure)}
    return Outcome(criteria, {"grids": grids.table, "samples": each.table}, numbers, images)


def _train(settings: HonestPictures, digits: Digits, start: StartProgress) -> tuple[Tensor, Tensor]:
    """Samples [seeds, drawn, 784] and D's logits of them [seeds, drawn]."""
    discriminator = Mlp((digits.train.shape[1], settings.units, settings.units, 1), "leaky_relu")
    game = DigitsGame(digits.train, settings.seeds, discriminator, settings.noise, settings.units, settings.batch,
                      settings.discriminator_rate, settings.generator_rate)
    with start("honest pictures", settings.steps, "round") as meter:
        for step in range(settings.steps):
            game.play(falling(step, settings.steps))
            meter.advance(1)
    samples = game.samples(Noise(settings.seeds, "drawn").normal(settings.drawn, settings.noise))
    with torch.no_grad():
        return samples, discriminator(game.theta_d, samples)[..., 0]
