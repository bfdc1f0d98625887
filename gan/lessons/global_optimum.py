"""C(G) = −log 4 + 2·JSD(p_data‖p_g), with its minimum where p_g = p_data; and where training ends."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import softplus

from gan.datasets.sources import StartProgress
from gan.lessons.batched import Adam, Mlp, Noise, gradient
from gan.lessons.lesson import Criterion, Outcome, Rows
from gan.lessons.one_dimension import LOG_4, Array, Game, Grid, jensen_shannon, normal, region_of_mass, value_of_logits
from gan.lessons.settings import GlobalOptimum

SOURCE = "Goodfellow et al. 2014, Theorem 1 and equations 4 to 6; slide 6 (2016), “Minimax Game”"
STATEMENT = (
    "Give the discriminator its best answer, and the generator is left with a criterion of its own, C(G) = max over D "
    "of V(D, G). The paper shows C(G) = −log 4 + 2·JSD(p_data‖p_g), where JSD is the Jensen–Shannon divergence: never "
    "negative, and 0 only for equal densities. So C(G) ≥ −log 4 = −1.386 nats, with equality if and only if p_g = "
    "p_data; there D(x) = ½ everywhere.")
EXPERIMENT = (
    "First the formula. p_data is N(0, 1), and p_g runs through N(μ, 1) for {points} values of μ from −3 to 3 and "
    "through N(0, s²) for as many s from ⅓ to 3. For each of them a D of its own is trained on samples for {steps} "
    "steps of {batch}, and the V that it reaches is set against −log 4 + 2·JSD by numerical integration of the two "
    "densities alone. Then the game: G and D are trained together from μ ≈ −2 for {rounds} rounds by Algorithm 1 with "
    "k = 1 (seeds {seeds}, all shown).")
TAKEAWAY = (
    "A network that only ever compared samples reports a divergence between densities, and pulling that divergence "
    "down is the game. Mind the order of the conclusion: V = −log 4 and D = ½ follow from p_g = p_data, but not the "
    "other way round. A D that has learnt nothing also says ½, and V is then −log 4 as well; at round 0 of the lower "
    "panels it does just that, while JSD is large. Only the best D certifies the generator, which is why JSD is "
    "measured here as well.")

DATA = normal(0.0, 1.0)
GRID = Grid(-16.0, 16.0, 3200)
LOOKS = 60
"""At the game, closer together at its beginning"""


def run(settings: GlobalOptimum, start: StartProgress) -> Outcome:
    family = _family(settings.points)
    predicted, measured = _criterion_over(family, settings, start)
    course, last = _game(settings, start)
    centre = settings.points // 2
    lowest = max(abs(int(part.argmin()) - centre) for part in (measured[:settings.points], measured[settings.points:]))
    criteria = [
        Criterion("largest |V reached − (−log 4 + 2·JSD)| over the family of p_g", float(np.abs(
            measured - predicted).max()), "<", 0.01, "nats"),
        Criterion("places on the grids of μ and s between the lowest V reached and p_g = p_data", lowest, "<", 1),
        Criterion("trained game: distance of C(G) from −log 4, worst seed", float(2 * last["jsd"].max()), "<", 0.01,
                  "nats"),
        Criterion("trained game: distance of V(D, G) from −log 4, worst seed",
                  float(np.abs(last["value"] + LOG_4).max()), "<", 0.01, "nats"),
        Criterion("trained game: largest |D − ½| where 99 % of the data lie, worst seed", float(last["to_half"].max()),
                  "<", 0.05)]
    kinds = ["mean"] * settings.points + ["deviation"] * settings.points
    table = {"moved": kinds, "mean": [mean for mean, _ in family], "deviation": [deviation for _, deviation in family],
             "predicted": predicted.tolist(), "reached": measured.tolist()}
    return Outcome(criteria, {"family": table, "game": course.table})


def _family(points: int) -> list[tuple[float, float]]:
    """(μ, s): s = 1 while μ goes from −3 to 3, then μ = 0 while s goes from ⅓ to 3 in equal ratios."""
    steps = [2 * i / (points - 1) - 1 for i in range(points)]
    return [(3 * step, 1.0) for step in steps] + [(0.0, 3.0 ** step) for step in steps]


def _criterion_over(family: list[tuple[float, float]], settings: GlobalOptimum,
                    start: StartProgress) -> tuple[Array, Array]:
    """−log 4 + 2·JSD by integration, and max over D of V as training reaches it; both [members], in nats."""
    p = DATA.density(GRID.centres)
    q = np.stack([normal(*member).density(GRID.centres) for member in family])
    predicted = -LOG_4 + 2 * jensen_shannon(p, q, GRID)
    network, adam = Mlp((1, settings.units, settings.units, 1), "tanh"), Adam(settings.learning_rate, beta1=0.9)
    runs = list(range(len(family)))
    theta, noise = network.initial(runs, "family"), Noise(runs, "family samples")
    moments = adam.start(theta)
    means, deviations = torch.tensor(family).view(-1, 2, 1, 1).unbind(1)
    with start("global optimum, family of p_g", settings.steps, "step") as meter:
        for step in range(settings.steps):
            x = noise.normal(2 * settings.batch, 1)
            x[:, settings.batch:].mul_(deviations).add_(means)
            on_data, on_samples = network(theta.requires_grad_(), x).split(settings.batch, 1)
            slope = gradient((softplus(-on_data).mean(1) + softplus(on_samples).mean(1)).sum(), theta)
            with torch.no_grad():
                theta, moments = adam.step(theta.detach(), slope, moments, 1 - step / settings.steps)
            meter.advance(1)
    with torch.no_grad():
        logits = network(theta, GRID.tensor(len(family)))[..., 0].double().numpy()
    return predicted, value_of_logits(p, q, logits, GRID)


def _game(settings: GlobalOptimum, start: StartProgress) -> tuple[Rows, dict[str, Array]]:
    """The course of the game, a row for each seed and time, and every run's last state."""
    game = Game(DATA, settings.seeds, settings.game_units, settings.game_batch, settings.discriminator_rate,
                settings.generator_rate, start_mean=-2.0, start_deviation=0.7)
    course = Rows("round", "seed", "jsd", "value", "to_half")
    shown = {round((settings.rounds + 1) ** (i / LOOKS)) - 1 for i in range(LOOKS + 1)}
    last: dict[str, Array] = {}
    with start("global optimum, game", settings.rounds, "round") as meter:
        for played in range(settings.rounds + 1):
            if played in shown:
                last = _look(game)
                for i, seed in enumerate(settings.seeds):
                    course.add(played, seed, *(float(values[i]) for values in last.values()))
            if played < settings.rounds:
                scale = min(1.0, 2 * (1 - played / settings.rounds))
                game.discriminator_step(scale)
                game.generator_step(scale)
                meter.advance(1)
    return course, last


def _look(game: Game) -> dict[str, Array]:
    p, q = DATA.density(GRID.centres), game.density(GRID)
    inside = region_of_mass(p, 0.99, GRID)
    return {"jsd": jensen_shannon(p, q, GRID), "value": value_of_logits(p, q, game.logits(GRID), GRID),
            "to_half": np.abs(game.answers(GRID) - 0.5)[:, inside].max(1)}
