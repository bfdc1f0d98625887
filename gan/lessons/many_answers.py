"""Two right answers. Mean squared error gives their average, a conditional GAN gives both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Adam, Mlp, Noise, falling, gradient
from gan.lessons.lesson import Criterion, Outcome
from gan.lessons.settings import ManyAnswers

SOURCE = "Slide 22 (2016), “GANs allow many answers”; Goodfellow et al. 2014, section 7, item 1 (conditional models)"
STATEMENT = (
    "Where one question has several right answers, a network that minimises mean squared error learns E[y | x], their "
    "average, which may be no answer at all: two sharp futures of a film become one blurred one. A conditional GAN is "
    "asked only that (x, y) look like data. It can give each of the answers, and with noise z in its input it gives "
    "all of them, each as often as it is right.")
EXPERIMENT = (
    "A question x is uniform on (−1, 1); its answer is y = +1 or y = −1 with equal odds, blurred by a deviation of "
    "{blur}. One network is trained on (y − f(x))². A generator G(x, z) and a discriminator D(x, y) of the same size "
    "(two layers of {units} units) play the game instead. {steps} steps of {batch} questions each, seeds {seeds}, all "
    "shown. An answer is right within {near} of +1 or −1.")
TAKEAWAY = (
    "By its own measure the averaging network wins: its squared error is 1, and any network that gives the true "
    "answers with the true odds must score 2, the variance of y once for the truth and once for the answer. A better "
    "score, and never once a right answer. What is measured decides what is learnt; that is the point of replacing a "
    "fixed loss by an opponent.")

Advance = Callable[[int], None]
SHOWN = 300
"""Answers of each run that are drawn"""


def run(settings: ManyAnswers, start: StartProgress) -> Outcome:
    with start("many answers", 2 * settings.steps, "step") as meter:
        mean, theta = _mean_squared_error(settings, meter.advance)
        generator, theta_g = _conditional_gan(settings, meter.advance)
    noise = Noise(settings.seeds, "judged")
    x, y = questions(settings.judged, settings.blur, noise)
    with torch.no_grad():
        averages = mean(theta, x)
        answers = generator(theta_g, torch.cat((x, noise.normal(settings.judged, settings.noise)), 2))
    plus, minus = ((answers - side).abs().lt(settings.near).float().mean((1, 2)) for side in (1.0, -1.0))
    errors = {"mse": (averages - y).square().mean((1, 2)), "gan": (answers - y).square().mean((1, 2))}
    criteria = [
        Criterion("squared error’s answer: largest |f(x)|, worst seed", float(averages.abs().max()), "<", 0.2),
        Criterion("squared error’s answer: share of right answers, best seed", float(
            ((averages.abs() - 1).abs() < settings.near).float().mean((1, 2)).max()), "<", 0.01),
        Criterion("conditional GAN: share of right answers, worst seed", float((plus + minus).min()), ">", 0.9),
        Criterion("conditional GAN: share of the rarer right answer, worst seed",
                  float(torch.minimum(plus, minus).min()), ">", 0.3)]
    table = {"seed": settings.seeds, "near_plus_one": plus.tolist(), "near_minus_one": minus.tolist(),
             "squared_error_mse": errors["mse"].tolist(), "squared_error_gan": errors["gan"].tolist()}
    numbers = {"squared error of the averaging network, mean over seeds": float(errors["mse"].mean()),
               "squared error of the conditional GAN, mean over seeds": float(errors["gan"].mean())}
    return Outcome(criteria, {"seeds": table, "answers": _answers(settings.seeds, x, y, averages, answers)}, numbers)


def questions(n: int, blur: float, noise: Noise) -> tuple[Tensor, Tensor]:
    """x and y, each [runs, n, 1]"""
    sides = noise.integers(2, n).unsqueeze(-1) * 2.0 - 1
    return noise.uniform(n, 1), sides + blur * noise.normal(n, 1)


def _mean_squared_error(settings: ManyAnswers, advance: Advance) -> tuple[Mlp, Tensor]:
    """f and its weights, trained on (y − f(x))²."""
    network, adam = Mlp((1, settings.units, settings.units, 1), "tanh"), Adam(settings.learning_rate, beta1=0.9)
    theta, noise = network.initial(settings.seeds, "mean"), Noise(settings.seeds, "mean data")
    moments = adam.start(theta)
    for step in range(settings.steps):
        x, y = questions(settings.batch, settings.blur, noise)
        slope = gradient((network(theta.requires_grad_(), x) - y).square().mean((1, 2)).sum(), theta)
        with torch.no_grad():
            theta, moments = adam.step(theta.detach(), slope, moments, 1 - step / settings.steps)
        advance(1)
    return network, theta


def _conditional_gan(settings: ManyAnswers, advance: Advance) -> tuple[Mlp, Tensor]:
    """G and its weights, trained against D(x, y); the last half with falling step sizes."""
    units = settings.units
    discriminator = Mlp((2, units, units, 1), "leaky_relu")
    generator = Mlp((1 + settings.noise, units, units, 1), "leaky_relu")
    theta_d = discriminator.initial(settings.seeds, "discriminator")
    theta_g = generator.initial(settings.seeds, "generator")
    adam_d, adam_g = Adam(settings.discriminator_rate), Adam(settings.generator_rate)
    moments_d, moments_g = adam_d.start(theta_d), adam_g.start(theta_g)
    noise = Noise(settings.seeds, "game")
    for step in range(settings.steps):
        scale = falling(step, settings.steps)
        x, y = questions(settings.batch, settings.blur, noise)
        asked = torch.cat((x, noise.normal(settings.batch, settings.noise)), 2)
        with torch.no_grad():
            pairs = torch.cat((torch.cat((x, y), 2), torch.cat((x, generator(theta_g, asked)), 2)), 1)
        on_data, on_samples = discriminator(theta_d.requires_grad_(), pairs).split(settings.batch, 1)
        slope = gradient((softplus(-on_data).mean(1) + softplus(on_samples).mean(1)).sum(), theta_d)
        with torch.no_grad():
            theta_d, moments_d = adam_d.step(theta_d.detach(), slope, moments_d, scale)
        answer = generator(theta_g.requires_grad_(), asked)
        slope = gradient(softplus(-discriminator(theta_d, torch.cat((x, answer), 2))).mean(1).sum(), theta_g)
        with torch.no_grad():
            theta_g, moments_g = adam_g.step(theta_g.detach(), slope, moments_g, scale)
        advance(1)
    return generator, theta_g


def _answers(seeds: list[int], x: Tensor, y: Tensor, averages: Tensor, answers: Tensor) -> dict[str, list[float]]:
    """The first questions of each run, with the data's answer and both networks'."""
    columns = {"x": x, "data": y, "mse": averages, "gan": answers}
    return {"seed": [seed for seed in seeds for _ in range(min(SHOWN, x.shape[1]))]} | {
        name: values[:, :SHOWN, 0].flatten().tolist() for name, values in columns.items()}
