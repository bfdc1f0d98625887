"""For a fixed generator, the best discriminator is p/(p + q)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import softplus

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Adam, Mlp, Noise, gradient
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.one_dimension import Array, Grid, Mixture, normal, optimal_discriminator, region_of_mass
from gan.lessons.settings import OptimalDiscriminator

SOURCE = "Goodfellow et al. 2014, Proposition 1 and equation 2; slide 7 (2016), “Discriminator Strategy”"
STATEMENT = (
    "Hold the generator fixed. At every point x, D earns p(x)·log D + q(x)·log(1 − D), p the density of the data and "
    "q that of the generator; a·log y + b·log(1 − y) is largest at y = a/(a + b). So the best discriminator is D*(x) "
    "= p(x) / (p(x) + q(x)), whatever p and q are. This is all that a GAN knows of densities: D is trained to tell "
    "samples apart, and what it learns is their ratio, p/q = D/(1 − D).")
EXPERIMENT = (
    "Two known densities on the line: p has two humps, q one between them. No generator is trained. D (two layers of "
    "{units} tanh units) sees {batch} fresh samples of each in each of {steps} steps, never a density. Then D is "
    "compared with p/(p + q) on the smallest region that holds 99 % of the samples of both. Seeds {seeds}, all shown.")
TAKEAWAY = (
    "Telling two kinds of samples apart, an everyday task of supervised learning, estimates the ratio of two "
    "densities that nobody wrote down. It does so where samples are. Outside the region, in the grey margins of the "
    "figure, D has seen next to nothing and its answer is a guess; a generator that lands there gets no sound advice.")

DATA = Mixture((0.6, 0.4), (-1.5, 2.0), (0.6, 0.8))
MODEL = normal(0.3, 1.2)
GRID = Grid(-7.0, 7.0, 1400)


def run(settings: OptimalDiscriminator, start: StartProgress) -> Outcome:
    p, q = DATA.density(GRID.centres), MODEL.density(GRID.centres)
    inside, best = region_of_mass((p + q) / 2, 0.99, GRID), optimal_discriminator(p, q)
    answers, course = _train(settings, start, best, inside)
    error = np.abs(answers - best)[:, inside].max(1)
    criteria = [Criterion("largest |D − p/(p + q)| on the region that holds 99 % of the mass, worst seed",
                          float(error.max()), "<", 0.02)]
    curves = {"x": GRID.centres.tolist(), "p": p.tolist(), "q": q.tolist(), "optimum": best.tolist(),
              "inside": inside.astype(int).tolist()}
    curves |= {f"d_seed_{seed}": d.tolist() for seed, d in zip(settings.seeds, answers, strict=True)}
    return Outcome(criteria, {"curves": curves, "training": course.table,
                              "seeds": {"seed": settings.seeds, "largest_error": error.tolist()}})


def _train(settings: OptimalDiscriminator, start: StartProgress, best: Array,
           inside: NDArray[np.bool_]) -> tuple[Array, Rows]:
    """D of every seed on the grid [runs, bins], and its largest error as it learns."""
    network, adam = Mlp((1, settings.units, settings.units, 1), "tanh"), Adam(settings.learning_rate, beta1=0.9)
    theta = network.initial(settings.seeds, "discriminator")
    moments, noise = adam.start(theta), Noise(settings.seeds, "samples")
    points = GRID.tensor(len(settings.seeds))

    def answers() -> Array:
        with torch.no_grad():
            return np.asarray(network(theta, points).sigmoid()[..., 0].double().numpy())

    course = Rows("step", *(f"error_seed_{seed}" for seed in settings.seeds))
    every = max(1, settings.steps // 60)
    with start("optimal discriminator", settings.steps, "step") as meter:
        for step in range(1, settings.steps + 1):
            x = torch.cat((DATA.draw(settings.batch, noise), MODEL.draw(settings.batch, noise)), 1)
            on_p, on_q = network(theta.requires_grad_(), x).split(settings.batch, 1)
            slope = gradient((softplus(-on_p).mean(1) + softplus(on_q).mean(1)).sum(), theta)
            with torch.no_grad():
                theta, moments = adam.step(theta.detach(), slope, moments, 1 - (step - 1) / settings.steps)
            meter.advance(1)
            if step % every == 0 or step == settings.steps:
                course.add(step, *np.abs(answers() - best)[:, inside].max(1).tolist())
    return answers(), course
