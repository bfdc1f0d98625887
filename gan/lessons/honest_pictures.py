"""What a picture of samples shows depends on who chose them."""

from __future__ import annotations

import torch
from torch import Tensor

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Mlp, Noise
from gan.lessons.digits import Digits, DigitsGame, entropy, mean_distance
from gan.lessons.lesson import Criterion, Outcome, Table
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
    "digit: the probability it gives to its own answer. One seed, {seed}, fixed beforehand.")
TAKEAWAY = (
    "All three grids are true and come from the same draws. The second alone could have passed for the model, had the "
    "number under it been left out; the third shows what it hides: strokes without a plan, loops that never close, "
    "the small relatives of the slides’ cows with too many legs. Whether choosing also costs variety is no law: it "
    "depends on what D dislikes, and the table says how it was here. So every other grid of samples on this page "
    "shows the first that were drawn, from a seed fixed beforehand.")


def run(settings: HonestPictures, start: StartProgress, digits: Digits) -> Outcome:
    samples, scores = _train(settings, digits, start)
    judge = digits.judge
    order = scores.argsort(descending=True, stable=True)
    grids = {"first": torch.arange(settings.shown), "best": order[:settings.shown], "worst": order[-settings.shown:]}
    probabilities = judge(samples)
    sure = {name: float(probabilities[grid].amax(1).mean()) for name, grid in grids.items()}
    diversity = {name: float(mean_distance(samples[grid].unsqueeze(0))) for name, grid in grids.items()}
    variety = {name: float(entropy(histogram(probabilities[grid]))) for name, grid in grids.items()}
    criteria = [
        Criterion("judge’s mean probability, best by D less the first drawn", sure["best"] - sure["first"], ">", 0.0),
        Criterion("judge’s mean probability, worst by D less the first drawn", sure["worst"] - sure["first"], "<", 0.0),
        Criterion("mean distance between two pictures, best by D less the first drawn",
                  diversity["best"] - diversity["first"], "<", 0.0)]
    table: Table = {"grid": list(grids), "drawn": [settings.drawn] * len(grids), "shown": [settings.shown] * len(grids),
             "score": [float(scores[grid].sigmoid().mean()) for grid in grids.values()],
             "probability": list(sure.values()), "mean_distance": list(diversity.values()),
             "entropy": list(variety.values())}
    each = {"sample": list(range(settings.drawn)), "score": scores.sigmoid().tolist(),
            "digit": probabilities.argmax(1).tolist(), "probability": probabilities.amax(1).tolist()}
    numbers = {"accuracy of the judge on test images": judge.accuracy,
               "share of all samples to which the judge gives less than .9": float(
                   (probabilities.amax(1) < 0.9).float().mean())}
    return Outcome(criteria, {"grids": table, "samples": each}, numbers,
                   {name: samples[grid] for name, grid in grids.items()})


def _train(settings: HonestPictures, digits: Digits, start: StartProgress) -> tuple[Tensor, Tensor]:
    """Samples [drawn, 784] and D's logits of them [drawn]."""
    discriminator = Mlp((digits.train.shape[1], settings.units, settings.units, 1), "leaky_relu")
    game = DigitsGame(digits.train, [settings.seed], discriminator, settings.noise, settings.units, settings.batch,
                      settings.discriminator_rate, settings.generator_rate)
    with start("honest pictures", settings.steps, "round") as meter:
        for step in range(settings.steps):
            game.play(min(1.0, 2 * (1 - step / settings.steps)))
            meter.advance(1)
    samples = game.samples(Noise([settings.seed], "drawn").normal(settings.drawn, settings.noise))
    with torch.no_grad():
        return samples[0], discriminator(game.theta_d, samples)[0, :, 0]
